"""Readers that filter by date or host open only the files of that date or host."""

import re
from datetime import date

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest

from command import AFTER, BEFORE


def sql(dataset):
    return f"read_parquet('{dataset}/events/**/*.parquet', hive_partitioning = true)"


def frame(dataset):
    return pl.scan_parquet(f"{dataset}/events/**/*.parquet", hive_partitioning=True)


def it_fails_for_whoever_opens_the_damaged_half(half):
    with pytest.raises(Exception):
        duckdb.sql(f"SELECT sum(dx) FROM {sql(half)}").fetchall()
    with pytest.raises(Exception):
        frame(half).select(pl.col("dx").sum()).collect()
    with pytest.raises(Exception):
        ds.dataset(half / "events", partitioning="hive").to_table()
    with pytest.raises(Exception):
        pd.read_parquet(half / "events")


def it_lets_pyarrow_prune_by_date(half, rows_before):
    events = ds.dataset(half / "events", partitioning="hive")
    assert events.to_table(filter=ds.field("date") == BEFORE).num_rows == rows_before


def it_lets_polars_prune_by_date(half, rows_before):
    events = frame(half).filter(pl.col("date") == date.fromisoformat(BEFORE))
    assert len(events.collect()) == rows_before


def it_lets_duckdb_prune_by_date(half, rows_before):
    counted = duckdb.sql(f"SELECT count(dx), count(*) FROM {sql(half)} WHERE date = '{BEFORE}'")
    assert counted.fetchall()[0][1] == rows_before


def it_lets_pandas_prune_by_date(half, rows_before):
    assert len(pd.read_parquet(half / "events", filters=[("date", "==", BEFORE)])) == rows_before


def it_gives_pyarrow_fragments_of_one_date(dataset):
    events = ds.dataset(dataset / "events", partitioning="hive")
    chosen = [fragment.path for fragment in events.get_fragments(filter=ds.field("date") == AFTER)]
    assert sorted(chosen) == sorted(path for path in events.files if f"/date={AFTER}/" in path)
    assert 0 < len(chosen) < len(events.files)


def it_lets_polars_say_how_many_files_it_left_out(dataset):
    files = list((dataset / "events").rglob("*.parquet"))
    chosen = [file for file in files if f"/date={AFTER}/" in str(file)]

    def scanned(events):
        first, others = re.search(r"Parquet SCAN \[(\S+?), \.\.\. (\d+) other sources", events.explain()).groups()
        return first, int(others) + 1

    after = frame(dataset).filter(pl.col("date") == date.fromisoformat(AFTER))
    assert scanned(frame(dataset))[1] == len(files)
    assert scanned(after) == (str(min(chosen)), len(chosen))


def it_lets_duckdb_say_how_many_files_it_left_out(dataset):
    files = list((dataset / "events").rglob("*.parquet"))
    chosen = [file for file in files if f"/date={AFTER}/" in str(file)]
    query = f"EXPLAIN ANALYZE SELECT sum(dx) FROM {sql(dataset)} WHERE date = '{AFTER}'"
    plan = duckdb.sql(query).fetchall()[0][1]
    assert re.search(r"Scanning Files: (\d+)/(\d+)", plan).groups() == (str(len(chosen)), str(len(files)))


def it_lets_every_reader_prune_by_host(dataset):
    host = sorted((dataset / "touch").glob("date=*/host=*"))[0].name.removeprefix("host=")
    touch = ds.dataset(dataset / "touch", partitioning="hive")
    of_host = ds.field("host") == host
    assert all(f"/host={host}/" in fragment.path for fragment in touch.get_fragments(filter=of_host))
    rows = touch.count_rows(filter=of_host)
    files = f"{dataset}/touch/**/*.parquet"
    scanned = pl.scan_parquet(files, hive_partitioning=True).filter(pl.col("host") == host)
    counted = duckdb.sql(f"SELECT count(*) FROM read_parquet('{files}', hive_partitioning = true) WHERE host = '{host}'")
    filtered = pd.read_parquet(dataset / "touch", filters=[("host", "==", host)])
    assert rows > 0
    assert (len(scanned.collect()), counted.fetchall()[0][0], len(filtered)) == (rows, rows, rows)


def it_puts_each_row_under_the_utc_date_of_its_time(dataset):
    for table in ("events", "touch", "marks", "devices"):
        files = f"read_parquet('{dataset}/{table}/**/*.parquet', hive_partitioning = true)"
        elsewhere = f"SELECT count(*) FROM {files} WHERE CAST(time AT TIME ZONE 'UTC' AS DATE) <> date"
        assert duckdb.sql(elsewhere).fetchall()[0][0] == 0, table


def it_leaves_nothing_but_files_and_the_manifest(dataset):
    name = r"(events|touch|marks|devices)/date=\d{4}-\d\d-\d\d/host=[a-z][\w.-]*/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}\.parquet"
    found = [str(path.relative_to(dataset)) for path in dataset.rglob("*") if path.is_file()]
    assert [path for path in found if not re.fullmatch(name, path)] == ["manifest.jsonl"]
