"""`evscribe-data query` asks what lies in storage that speaks S3 as it asks a folder."""

import json
import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent.parent
EVSCRIBE = REPO / "target" / "release" / "evscribe"
EVSCRIBE_DATA = REPO / "target" / "dataset" / "evscribe-data"
RECORDINGS = sorted((REPO / "tests" / "fixtures" / "recordings").iterdir())
PREFIX = "team/lake"
QUESTIONS = (
    "SELECT kind, count(*) AS n, sum(dx) AS dx, max(time) AS last FROM events GROUP BY kind ORDER BY kind",
    "SELECT count(*) AS n FROM events JOIN devices USING (host, device)",
    "SELECT date, count(*) AS n FROM events WHERE time >= '2026-11-24' GROUP BY date",
    "SELECT * FROM marks ORDER BY host, time, mark, run LIMIT 20",
)


def run(program, *args, env=None):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="session")
def sealed(tmp_path_factory):
    """An encrypted dataset in a folder, and its key."""
    folder = tmp_path_factory.mktemp("sealed")
    key = folder / "team.key"
    assert run(EVSCRIBE, "keys", "generate", key).returncode == 0
    made = ("--out", folder / "dataset", "--recipient", f"{key}.pub", "--started-at", "2026-11-23T23:59:58Z")
    assert run(EVSCRIBE, "import", *RECORDINGS, *made).returncode == 0
    return folder / "dataset", key


@pytest.fixture
def stored(s3, sealed):
    """The same in a bucket of its own, beside what is none of it."""
    bucket, (dataset, _) = s3.bucket(), sealed
    for path in dataset.rglob("*.parquet"):
        s3.client.put_object(Bucket=bucket, Key=f"{PREFIX}/{path.relative_to(dataset)}", Body=path.read_bytes())
    for other in (f"{PREFIX}er/events/x.parquet", f"{PREFIX}/events/.tmp-x.parquet", f"{PREFIX}/_evscribe/work/x.parquet"):
        s3.client.put_object(Bucket=bucket, Key=other, Body=b"not to be read")
    return bucket


@pytest.fixture
def ask(s3, stored, sealed):
    def ask(sql, *extra, place=f"s3://{stored}/{PREFIX}", env=None):
        return run(EVSCRIBE_DATA, "query", "--lake", place, sql, "--key", sealed[1], "--json", *extra, env=env or s3.environment)

    return ask


def events_of(s3, bucket: str) -> list[str]:
    return [key for key in s3.sizes(bucket, f"{PREFIX}/events/") if "/.tmp" not in key]


def it_answers_as_from_a_folder(ask, sealed):
    dataset, key = sealed
    for sql in QUESTIONS:
        here = run(EVSCRIBE_DATA, "query", dataset, sql, "--key", key, "--json")
        there = ask(sql)
        assert here.returncode == there.returncode == 0, here.stderr + there.stderr
        assert there.stdout == here.stdout and there.stdout, sql
        assert json.loads(there.stderr) == json.loads(here.stderr), sql


def it_lists_and_opens_only_what_a_query_asks_for(ask, s3, stored):
    files = events_of(s3, stored)
    later = [key for key in files if "date=2026-11-24" in key]
    assert 0 < len(later) < len(files)
    scan = json.loads(ask("SELECT count(*) FROM events WHERE date = '2026-11-24'").stderr)["scans"][0]
    assert scan["dates_listed"] == 1 and scan["files"] == scan["files_listed"] == len(later)
    host = later[0].split("host=")[1].split("/")[0]
    scan = json.loads(ask(f"SELECT count(*) FROM events WHERE host = '{host}'").stderr)["scans"][0]
    assert scan["files"] == sum(f"host={host}/" in key for key in files)


def it_names_a_bad_object_and_leaves_it_out_where_asked(ask, s3, stored):
    sql = "SELECT count(*) AS n FROM events"
    whole = json.loads(ask(sql).stdout)["n"]
    half, text = events_of(s3, stored)[:2]
    s3.client.put_object(Bucket=stored, Key=half, Body=s3.read(stored, half)[:-100])
    s3.client.put_object(Bucket=stored, Key=text, Body=b"nothing of ours, for sure")
    refused = ask(sql)
    assert refused.returncode == 1 and refused.stdout == ""
    for key in (half, text):
        assert f"s3://{stored}/{key}: it is no Parquet file" in refused.stderr
    served = ask(sql, "--skip-bad")
    assert served.returncode == 0 and 0 < json.loads(served.stdout)["n"] < whole
    skipped = [bad["file"] for bad in json.loads(served.stderr)["skipped"]]
    assert sorted(skipped) == sorted(f"s3://{stored}/{key}" for key in (half, text))


def it_refuses_an_object_that_was_moved(ask, s3, stored):
    key = events_of(s3, stored)[0]
    host = key.split("host=")[1].split("/")[0]
    moved = key.replace(f"host={host}", "host=zz99")
    s3.client.put_object(Bucket=stored, Key=moved, Body=s3.read(stored, key))
    refused = ask("SELECT count(*) FROM events")
    assert refused.returncode == 1
    assert f"{moved}: it was sealed for another place, {key.removeprefix(PREFIX + '/')}" in refused.stderr


def it_counts_no_row_twice_while_files_are_merged(ask, s3, stored):
    sql = "SELECT count(*) AS n FROM events"
    old, new = events_of(s3, stored)[:2]
    partition = old.removeprefix(f"{PREFIX}/").rsplit("/", 1)[0]
    path = [key.removeprefix(f"{PREFIX}/") for key in (old, new)]
    intent = {"version": 1, "host": "ab01", "partition": partition, "remove": [path[0]], "add": {path[1]: {}}, "is_swap": False}
    at = {"Bucket": stored, "Key": f"{PREFIX}/_evscribe/intents/ab01.json"}
    s3.client.put_object(**at, Body=json.dumps(intent).encode())
    refused = ask(sql)
    assert refused.returncode == 1 and f"{partition}: its files are being changed" in refused.stderr
    s3.client.delete_object(Bucket=stored, Key=old)
    assert ask(sql).returncode == 0


def it_says_what_is_wrong_with_the_place(ask, s3, stored):
    for place, words in (
        (f"s3://{stored}/nothing", "neither a dataset nor a lake"),
        ("s3://no-such-bucket/lake", "no-such-bucket"),
        ("s3:///lake", "names no bucket"),
    ):
        refused = ask("SELECT 1", place=place)
        assert refused.returncode == 1 and words in refused.stderr, (place, refused.stderr)
    stranger = ask("SELECT 1", env=s3.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert stranger.returncode == 1 and f"cannot list s3://{stored}/{PREFIX}" in stranger.stderr, stranger.stderr
    assert "only-for-tests" not in stranger.stderr and "wrong" not in stranger.stderr


def it_writes_what_pyarrow_reads(ask, tmp_path):
    import pyarrow.parquet

    out = tmp_path / "out.parquet"
    done = ask("SELECT time, host, dx FROM events WHERE kind = 'motion'", "--format", "parquet", "--out", out)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    table = pyarrow.parquet.read_table(out)
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table.num_rows == json.loads(done.stderr)["rows"] > 0
    assert os.stat(out).st_mode & 0o777 == 0o600
