"""The lines that README, FORMAT.md and `data stats` print run as they stand."""

import os
import subprocess
import sys

import duckdb
import pytest

import document
from command import REPO, evscribe

README = (REPO / "README.md").read_text()


@pytest.fixture(scope="module")
def printed(dataset):
    lines = evscribe("data", "stats", dataset).splitlines()

    def after(label):
        (line,) = [line for line in lines if line.startswith(label)]
        return line.removeprefix(label).strip()

    return after


def python(code: str, folder) -> str:
    """What the code prints, run as somebody would paste it."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sql(code: str, folder) -> dict:
    """The counts that a query gives, run beside the dataset."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return dict(duckdb.sql(code).fetchall())
    finally:
        os.chdir(before)


def it_prints_a_line_of_python_that_opens_the_events(printed, stats, tmp_path):
    imports, expression = printed("Python").split("; ")
    code = f"{imports}\nprint(({expression}).num_rows)"
    assert python(code, tmp_path) == str(stats["rows"]["events"])


def it_prints_a_line_of_sql_that_counts_the_events(printed, stats, tmp_path):
    assert sql(printed("SQL (DuckDB)"), tmp_path) == stats["events"]


def it_prints_where_the_files_are(printed, dataset):
    assert printed("files") == str(dataset.resolve())


def it_opens_the_events_as_readme_says(beside, stats):
    (code,) = document.blocks(README, "python")
    assert python(f"{code}\nprint(events.num_rows)", beside) == str(stats["rows"]["events"])
    (query,) = document.blocks(README, "sql")
    assert sql(query, beside) == stats["events"]


def it_opens_the_events_as_the_format_page_says(beside, stats):
    codes = [code for code in document.examples("python") if "events =" in code]
    assert len(codes) == 3, "pyarrow, pandas, polars"
    for code in codes:
        assert python(f"{code}\nprint(len(events))", beside) == str(stats["rows"]["events"])
    (query,) = document.examples("sql")
    assert sql(query, beside) == stats["events"]


def it_reads_metadata_as_the_format_page_says(beside):
    (code,) = [code for code in document.examples("python") if "read_metadata" in code]
    path = "import pathlib; path = next(pathlib.Path('dataset').rglob('*.parquet'))"
    assert "evscribe.schema_version" in python(f"{path}\n{code}", beside)
