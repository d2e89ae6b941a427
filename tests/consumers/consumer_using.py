"""Each snippet of docs/USING.md runs as it stands and prints what the page says."""

import sys
from pathlib import Path

import duckdb
import pytest

import snippets
from command import LAKE, query
from snippets import DATAFUSION, SECTIONS, SQL

sys.path.append(str(LAKE))
from s3 import S3

# Their tests are elsewhere: the fixture, the one session of Spark, a server.
ELSEWHERE = {"The examples", "Spark", "A lake in S3"}
DEBIANS_TORCH = Path("/usr/lib/python3/dist-packages/torch")


@pytest.fixture(scope="session")
def torch(tmp_path_factory):
    """A path with Debian's PyTorch and nothing else of Debian's."""
    assert DEBIANS_TORCH.is_dir(), "python3-torch is missing: run scripts/setup test"
    folder = tmp_path_factory.mktemp("torch")
    (folder / "torch").symlink_to(DEBIANS_TORCH)
    return str(folder)


@pytest.mark.parametrize("heading", [heading for heading in SECTIONS if heading not in ELSEWHERE])
def it_prints_what_the_page_says(using, torch, heading):
    snippets.saved(using, "Time", "Windows")
    for snippet in SECTIONS[heading]:
        assert snippets.run(snippet, using, PYTHONPATH=torch) == (snippet.printed or "")


@pytest.fixture(scope="module")
def s3(using, tmp_path_factory):
    """A real server that speaks S3, with the datasets of the page in its bucket `lake`."""
    server = S3(tmp_path_factory.mktemp("s3")).start()
    server.client.create_bucket(Bucket="lake")
    for file in using.glob("*/*/*/*/*.parquet"):
        server.client.put_object(Bucket="lake", Key=str(file.relative_to(using)), Body=file.read_bytes())
    yield server
    server.stop()


def it_prints_what_the_page_says_of_s3(using, s3):
    aws = {name: value for name, value in s3.environment.items() if name.startswith("AWS_")}
    for snippet in SECTIONS["A lake in S3"]:
        assert snippets.run(snippet, using, **aws) == snippet.printed


@pytest.fixture(scope="module")
def connection(using):
    """DuckDB with the views of the page."""
    with duckdb.connect() as opened:
        for table in ("events", "touch", "marks", "devices"):
            files = f"read_parquet('{using}/dataset/{table}/**/*.parquet', hive_partitioning = true)"
            opened.sql(f"CREATE VIEW {table} AS SELECT * FROM {files}")
        yield opened


@pytest.mark.parametrize("snippet", SQL, ids=lambda snippet: snippet.heading)
def it_answers_in_duckdb_as_the_page_says(connection, snippet):
    found = connection.sql(snippet.code)
    assert [found.columns, *snippets.cells(found.fetchall())] == snippet.rows


@pytest.mark.parametrize("snippet", SQL, ids=lambda snippet: snippet.heading)
def it_answers_in_datafusion_as_the_page_says(using, snippet):
    found = query(using / "dataset", snippets.in_words_of(DATAFUSION, snippet.code))
    assert [list(found[0]), *snippets.cells(row.values() for row in found)] == snippet.rows


@pytest.mark.parametrize("snippet", SQL, ids=lambda snippet: snippet.heading)
def it_answers_in_datafusion_of_encrypted_files_as_the_page_says(using, snippet):
    sql = snippets.in_words_of(DATAFUSION, snippet.code)
    found = query(using / "encrypted", sql, "--key", using / "team.key")
    assert [list(found[0]), *snippets.cells(row.values() for row in found)] == snippet.rows


def it_says_how_each_engine_takes_microseconds():
    """What these tests put in for DuckDB's word stands on the page."""
    page = snippets.PAGE.read_text()
    for engine in (r"epoch_us(\1)", DATAFUSION, snippets.SPARK):
        assert f"`{engine.replace(chr(92) + '1', 'time')}`" in page


def it_shows_a_result_of_all_sql_and_of_nearly_all_code():
    silent = [snippet.heading for snippet in snippets.SNIPPETS if snippet.printed is None]
    assert silent == ["The examples", "Encrypted files", "Time", "Windows", "Erasure"]


def it_leaves_no_copy_in_hugging_faces_cache(using, torch):
    """Where load_dataset leaves one; and it does not know the hosts."""
    (snippet,) = SECTIONS["Hugging Face datasets"]
    snippets.saved(using, "Time", "Windows")
    cache = using / "hugging-face"

    def rows_kept():
        return [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]

    snippets.run(snippet, using)
    assert rows_kept() == []
    code = """
from datasets import load_dataset
data = load_dataset("parquet", data_files="dataset/events/**/*.parquet", split="train")
print(data.num_rows, "host" in data.column_names, "date" in data.column_names)
"""
    assert snippets.run(snippet._replace(code=code), using) == "1087 False False\n"
    assert any(path.suffix == ".arrow" for path in rows_kept())


def it_reads_windows_of_encrypted_files_too(using):
    snippets.saved(using, "Time", "Windows")
    code = """
import functools
import evscribe_kms
from windows import files, windows
opened = functools.partial(evscribe_kms.dataset, key_file="team.key")
plain, secret = list(windows(files("dataset/events"), 16)), list(windows(files("encrypted/events", opened), 16, opened))
print(len(plain), plain == secret)
"""
    assert snippets.run(SECTIONS["Windows"][0]._replace(code=code), using) == "26 True\n"


def it_notices_that_files_changed_or_went(using, tmp_path):
    snippets.saved(tmp_path, "Erasure")
    for name in ("kept", "changed", "gone"):
        (tmp_path / name).write_text(name)
    code = """
from pathlib import Path
from made_of import changed, made_of
before = made_of(["kept", "changed", "gone"])
Path("changed").write_text("less")
Path("gone").unlink()
print(changed(before))
"""
    snippet = SECTIONS["Erasure"][-1]._replace(code=code)
    assert snippets.run(snippet, tmp_path) == "['changed', 'gone']\n"
