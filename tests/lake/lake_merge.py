"""Merging, erasing, checking with the real command, in a folder and in S3."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "consumers"))

import evscribe_kms
from botocore.exceptions import ClientError
from sittings import made

HOSTS, SITTINGS, ROWS = 2, 6, 300
TABLES = ("events", "marks", "devices")
FILES = HOSTS * SITTINGS * len(TABLES)


@pytest.fixture(params=["folder", "s3"])
def lake(request, tmp_path):
    server = request.getfixturevalue("s3") if request.param == "s3" else None
    return made(tmp_path, HOSTS, SITTINGS, ROWS, server)


def copied(lake, s3, to: Path, is_changing: bool = False) -> Path:
    """What a reader of the lake finds, in a folder. While it `is_changing`, a file may
    go between listing and reading."""
    if not lake.place.startswith("s3://"):
        return Path(lake.place)
    bucket, prefix = lake.place.removeprefix("s3://").split("/", 1)
    for key in s3.sizes(bucket, f"{prefix}/"):
        path = to / key.removeprefix(f"{prefix}/")
        if not path.relative_to(to).parts[0].startswith("_"):
            try:
                content = s3.read(bucket, key)
            except ClientError as error:
                if is_changing and error.response["Error"]["Code"] == "NoSuchKey":
                    continue
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return to


def rows(folder: Path, key: Path) -> Counter:
    """Every row, by table and host, as pyarrow reads it."""
    found = Counter()
    for table in TABLES:
        read = evscribe_kms.dataset(folder / table, key).to_table()
        names = [name for name in ("host", "subject", "session", "time", "run", "device", "dx", "dy", "mark") if name in read.column_names]
        found.update((table, *map(str, row.values())) for row in read.select(names).to_pylist())
    return found


def files(folder: Path) -> list[Path]:
    return sorted(path for table in TABLES for path in (folder / table).rglob("*.parquet"))


@pytest.fixture
def seen(lake, request, tmp_path):
    """Looks at the lake as a reader does."""
    server = request.getfixturevalue("s3") if lake.place.startswith("s3") else None
    looks = iter(range(1000))

    def look(is_changing=False):
        folder = copied(lake, server, tmp_path / f"look{next(looks)}", is_changing)
        return rows(folder, lake.key), files(folder)

    return look


def it_makes_one_file_of_each_table_date_and_host_and_loses_no_row(lake, seen):
    before, many = seen()
    assert len(many) == FILES and before.total() == HOSTS * SITTINGS * (ROWS + 3 + 1)
    done = lake.run("merge")
    assert done.code == 0, done.err
    assert (done.said["files_before"], done.said["files_after"]) == (FILES, HOSTS * len(TABLES))
    assert len(done.said["left_out"]) == 1, "the maker's workstations share a key"
    after, few = seen()
    assert after == before and len(few) == HOSTS * len(TABLES)
    checked = lake.run("verify")
    assert checked.code == 0 and checked.said["holds"], checked.said
    assert checked.said["report"]["sources"] == FILES
    again = lake.run("merge")
    assert again.code == 0 and again.said["merged"] == []
    assert {path.name for path in seen()[1]} == {path.name for path in few}


def it_keeps_the_provenance_of_each_row_in_the_metadata(tmp_path):
    lake = made(tmp_path, 1, SITTINGS, ROWS)
    lake.run("merge", "--plain")
    (path,) = (lake.folder / "events").rglob("*.parquet")
    metadata = pq.read_metadata(path)
    said = {key.decode(): value.decode() for key, value in metadata.metadata.items()}
    sources = json.loads(said["evscribe.sources"])
    assert [source["rows"] for source in sources] == [ROWS] * SITTINGS
    assert said["evscribe.boot"] == "ba000" and "evscribe.segment" not in said
    assert all(source["path"].endswith(f"-{source['segment']}.parquet") for source in sources)
    table = pq.read_table(path)
    for at, source in enumerate(sources):
        subjects = set(table["subject"].slice(at * ROWS, ROWS).to_pylist())
        assert subjects == {source["subject"]}


def it_erases_a_person_everywhere_with_a_receipt(lake, seen, tmp_path):
    lake.run("merge")
    before, _ = seen()
    receipt = tmp_path / "receipt.json"
    done = lake.run("erase", "--subject", "a000p0", "--yes", "--receipt", receipt)
    assert done.code == 0, done.err
    assert json.loads(receipt.read_text()) == done.said and done.said["proven"]
    (said,) = done.said["receipts"]
    assert len(said["erased"]) == SITTINGS // 2 * len(TABLES) and said["proof"]["rows"] == 0
    after, _ = seen()
    gone = before - after
    assert not after - before
    assert gone.total() == sum(source["rows"] for source in said["erased"].values())
    assert not [row for row in after if "a000p0" in row]
    assert {row[2] for row in gone if row[0] != "devices"} == {"a000p0"}
    assert lake.run("verify").code == 0
    again = lake.run("erase", "--subject", "a000p0", "--yes")
    assert again.code == 0 and again.said["receipts"][0]["erased"] == said["erased"]


def it_asks_before_it_erases(tmp_path):
    lake = made(tmp_path, 1, 2, ROWS)
    before = rows(lake.folder, lake.key)
    done = lake.run("erase", "--subject", "a000p0")
    assert done.code == 1 and "--yes" in done.err
    assert rows(lake.folder, lake.key) == before


def it_names_what_is_missing_and_from_which_host(lake, request):
    done = lake.run("verify", "--quick")
    assert done.code == 0
    (path,) = [path for path in files(lake.folder) if "host=a001" in str(path) and "marks" in str(path)][:1]
    inside = str(path.relative_to(lake.folder))
    if lake.place.startswith("s3://"):
        bucket = lake.place.split("/")[2]
        request.getfixturevalue("s3").client.delete_object(Bucket=bucket, Key=f"team/lake/{inside}")
    else:
        path.unlink()
    for how in ([], ["--quick"]):
        done = lake.run("verify", *how)
        assert done.code == 1
        (problem,) = done.said["report"]["problems"]
        assert problem == {"host": "a001.example (a001)", "path": inside, "what": "is missing"}


@pytest.mark.parametrize("command", [("merge",), ("erase", "--subject", "a000p0", "--yes")], ids=["merge", "erase"])
def it_may_be_killed_at_any_moment(lake, seen, request, command):
    if command[0] == "erase":
        lake.run("merge")
    before, _ = seen()
    chance = random.Random(5)
    for _ in range(6):
        process = subprocess.Popen(lake.command(*command), stdout=subprocess.DEVNULL, env=lake.environment)
        time.sleep(chance.random() * (0.5 if lake.place.startswith("s3") else 0.12))
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Storage still does what it was asked before the kill.
        now, _ = seen(is_changing=True)
        if command[0] == "merge" and not lake.place.startswith("s3"):
            assert now == before, "a reader of a folder sees each row once at every moment"
        assert not [row for row in now if row not in before]
        if lake.place.startswith("s3://"):
            # The lease of who was killed has not ended yet.
            bucket = lake.place.split("/")[2]
            request.getfixturevalue("s3").client.delete_object(Bucket=bucket, Key="team/lake/_evscribe/lock")
    done = lake.run(*command)
    assert done.code == 0, done.err
    after, _ = seen()
    expected = before if command[0] == "merge" else Counter({row: n for row, n in before.items() if row in after})
    assert after == expected
    checked = lake.run("verify")
    assert checked.code == 0, checked.said
    if command[0] == "erase":
        assert done.said["proven"] and not [row for row in after if "a000p0" in row]


def it_merges_far_more_than_it_holds_in_memory(tmp_path):
    lake = made(tmp_path, 1, 20, 1_000_000)
    size = sum(path.stat().st_size for path in files(lake.folder))
    assert size > 150 << 20
    done = lake.run("merge")
    assert done.code == 0, done.err
    assert 10 < done.memory_mib < 200, f"{done.memory_mib:.0f} MiB"
    assert max(merged["rows"] for merged in done.said["merged"]) == 20_000_000
    checked = lake.run("verify")
    assert checked.code == 0 and checked.memory_mib < 200


def it_makes_no_lake_of_a_mistyped_folder(tmp_path):
    lake = made(tmp_path, 1, 1, 10)
    lake.place = str(tmp_path / "lkae")
    for command in (["merge"], ["verify"], ["erase", "--subject", "x", "--yes"]):
        done = lake.run(*command)
        assert done.code == 1 and "is no lake" in done.err
    assert not Path(lake.place).exists()


def it_waits_for_nobody_who_holds_the_lake(tmp_path):
    lake = made(tmp_path, 1, 2, 10)
    command = ["flock", f"{lake.folder}/_evscribe/lock", "sh", "-c", "echo held; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            done = lake.run("merge")
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
    assert done.code == 75 and "is being changed" in done.err
