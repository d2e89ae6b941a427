"""DataFusion, as `evscribe-data query` has it: plain and encrypted files, in SQL."""

import json
import shutil
import subprocess

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import engines
import evscribe_kms
from command import AFTER, BEFORE, EVSCRIBE_DATA, query, said
from consumer_types import ARROW, AXIS, stated
from document import TABLES

# What DataFusion calls the types of docs/FORMAT.md.
DATAFUSION = {
    "timestamp[us, UTC]": 'Timestamp(µs, "UTC")',
    "dictionary<int32, string>": "Dictionary(Int32, Utf8)",
    "string": "Utf8",
    "bool": "Boolean",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "float64": "Float64",
    "list<struct>": f"List(non-null Struct(\"code\": non-null Int16, {', '.join(f'{chr(34)}{name}{chr(34)}: non-null Int32' for name in AXIS)}))",
}


def asked(dataset, sql, *args):
    return subprocess.run(
        [EVSCRIBE_DATA, "--json", "query", dataset, sql, *args], capture_output=True, text=True, check=False
    )


def scanned(dataset, sql, *args) -> dict:
    """What the tool says it read for a query of one table."""
    done = asked(dataset, sql, *args)
    assert done.returncode == 0, done.stderr
    (scan,) = json.loads(done.stderr.splitlines()[-1])["scans"]
    return scan


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does(dataset, table):
    assert engines.datafusion_reads(dataset, table) == engines.said_by_evscribe(dataset, table)


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does_at_level_class(class_dataset, table):
    assert engines.datafusion_reads(class_dataset, table) == engines.said_by_evscribe(class_dataset, table)


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_the_same_of_encrypted_files(dataset, encrypted, team, table):
    found = engines.datafusion_reads(encrypted, table, "--key", team)
    assert found == engines.said_by_evscribe(dataset, table)


def it_opens_nothing_without_the_key(encrypted):
    done = asked(encrypted, "SELECT count(dx) FROM events")
    assert done.returncode != 0 and done.stdout == ""
    assert "key" in done.stderr and "events/date=" in done.stderr


def it_refuses_a_file_that_was_moved(encrypted, team, tmp_path):
    """As docs/USING.md says: pyarrow does not."""
    moved = tmp_path / "dataset" / "events" / "date=2026-11-25"
    shutil.copytree(encrypted / "events" / f"date={AFTER}", moved)
    rows = evscribe_kms.dataset(moved.parent, team).count_rows()
    assert rows > 0
    done = asked(moved.parent.parent, "SELECT count(dx) FROM events", "--key", team)
    assert done.returncode != 0 and done.stdout == "" and "events/date=2026-11-25" in done.stderr


@pytest.mark.parametrize("table", TABLES)
def it_gives_the_stated_types(dataset, table):
    described = query(dataset, f"DESCRIBE {table}")
    found = [(row["column_name"], row["data_type"]) for row in described]
    assert found == stated(table, DATAFUSION, "Date32", DATAFUSION["dictionary<int32, string>"])


@pytest.mark.parametrize("table", TABLES)
def it_hands_rows_on_with_their_types(dataset, encrypted, team, table, tmp_path):
    """Parquet has the types of the files; Arrow plain strings for dictionaries."""
    columns = stated(table, ARROW, pa.date32(), ARROW["dictionary<int32, string>"])
    out = tmp_path / "rows.parquet"
    said(EVSCRIBE_DATA, "query", encrypted, f"SELECT * FROM {table}", "--key", team, "--format", "parquet", "--out", out)
    rows = pq.read_table(out, partitioning=None)
    assert rows.num_rows == query(dataset, f"SELECT count(*) AS n FROM {table}")[0]["n"] > 0
    assert [(name, kind) for name, kind in zip(rows.schema.names, rows.schema.types)] == columns
    said(EVSCRIBE_DATA, "query", dataset, f"SELECT * FROM {table}", "--format", "arrow", "--out", tmp_path / "rows.arrow")
    arrow = pa.ipc.open_file(tmp_path / "rows.arrow").read_all()
    plain = [(name, pa.string() if pa.types.is_dictionary(kind) else kind) for name, kind in columns]
    assert list(zip(arrow.schema.names, arrow.schema.types)) == plain


@pytest.mark.parametrize("of, value", [("date", AFTER), ("host", None)])
def it_reads_files_of_a_date_or_a_host_alone(dataset, of, value):
    files = sorted((dataset / "events").rglob("*.parquet"))
    value = value or files[0].parent.name.partition("=")[2]
    chosen = [file for file in files if f"/{of}={value}/" in str(file)]
    assert scanned(dataset, "SELECT sum(dx) FROM events")["files"] == len(files)
    assert scanned(dataset, f"SELECT sum(dx) FROM events WHERE {of} = '{value}'")["files"] == len(chosen) < len(files)


def it_prunes_by_date(half, rows_before):
    """Half of the files are damaged: who opens one fails."""
    done = asked(half, "SELECT sum(dx) FROM events")
    assert done.returncode != 0 and f"events/date={AFTER}" in done.stderr
    (row,) = query(half, f"SELECT count(*) AS n, count(dx) AS dx FROM events WHERE date = '{BEFORE}'")
    assert row["n"] == rows_before
