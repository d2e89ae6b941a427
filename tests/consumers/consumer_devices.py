"""Events find their device, files say where they come from, levels keep what they keep."""

import re

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from document import TABLES, metadata_keys

ON = ["host", "device"]


def sql(dataset, table):
    return f"read_parquet('{dataset}/{table}/**/*.parquet', hive_partitioning = true)"


@pytest.mark.parametrize("table", ["events", "touch"])
def it_joins_each_row_with_exactly_one_device(dataset, table):
    rows = ds.dataset(dataset / table).count_rows()
    columns = ON + ["time"]
    left, right = (
        ds.dataset(dataset / name, partitioning="hive").to_table(columns=columns) for name in (table, "devices")
    )
    right = right.rename_columns(ON + ["opened"])
    assert left.join(right, keys=ON, join_type="inner").num_rows == rows
    left, right = (
        pl.scan_parquet(f"{dataset}/{name}/**/*.parquet", hive_partitioning=True).select(columns)
        for name in (table, "devices")
    )
    assert len(left.join(right, on=ON, validate="m:1").collect()) == rows
    joined = f"SELECT count(*) FROM {sql(dataset, table)} JOIN {sql(dataset, 'devices')} USING (host, device)"
    assert duckdb.sql(joined).fetchall()[0][0] == rows
    left, right = (
        pd.read_parquet(dataset / name, columns=columns).astype({"host": "str"}) for name in (table, "devices")
    )
    assert len(left.merge(right, on=ON, validate="many_to_one")) == rows


def it_says_of_each_device_what_its_rows_are(dataset):
    wrong = f"""
        SELECT e.kind, d.name FROM {sql(dataset, "events")} e JOIN {sql(dataset, "devices")} d USING (host, device)
        WHERE (e.kind = 'key' AND NOT has_keys) OR (e.kind = 'motion' AND NOT has_motion)
           OR (e.kind = 'scroll' AND NOT has_wheel) OR (e.kind = 'switch' AND NOT has_switches)
    """
    assert duckdb.sql(wrong).fetchall() == []
    pointing = f"""
        SELECT DISTINCT pointing, tool FROM {sql(dataset, "touch")} JOIN {sql(dataset, "devices")} USING (host, device)
    """
    assert set(duckdb.sql(pointing).fetchall()) == {("touchpad", "finger"), ("pen", "pen"), ("absolute_mouse", "mouse")}


def it_begins_each_run_with_a_mark(dataset):
    runs = " UNION ".join(f"SELECT host, run, device FROM {sql(dataset, table)}" for table in ("events", "touch"))
    named = f"SELECT host, run, device FROM {sql(dataset, 'marks')} WHERE run IS NOT NULL"
    assert duckdb.sql(f"({runs}) EXCEPT ({named})").fetchall() == []
    twice = f"SELECT host, run FROM {sql(dataset, 'marks')} WHERE run IS NOT NULL GROUP BY ALL HAVING count(*) > 1"
    assert duckdb.sql(twice).fetchall() == []


def it_states_places_in_micrometres_of_the_axis(dataset):
    """x_um is x from the axis's minimum by its resolution; null without one."""
    axis = "list_filter(axes, lambda a: a.code IN (0, 53))[1]"
    where = f"{sql(dataset, 'touch')} JOIN {sql(dataset, 'devices')} USING (host, device)"
    stated = f"SELECT count(*), max(abs(x_um - (x - {axis}.min) * 1000.0 / {axis}.resolution)) FROM {where} WHERE {axis}.resolution > 0 AND x IS NOT NULL"
    rows, off_um = duckdb.sql(stated).fetchall()[0]
    assert rows > 0 and off_um <= 1
    unstated = f"SELECT count(*), count(x_um) FROM {where} WHERE {axis}.resolution = 0"
    rows, stated_rows = duckdb.sql(unstated).fetchall()[0]
    assert rows > 0 and stated_rows == 0


def it_has_the_stated_metadata_in_every_file(dataset):
    keys = metadata_keys()
    always = {key for key, when in keys.items() if when == "yes"}
    assert len(always) == 10
    for file in dataset.rglob("*.parquet"):
        found = {key.decode(): value.decode() for key, value in pq.read_metadata(file).metadata.items()}
        found.pop("ARROW:schema")
        # The rest is about a live person's notice: an imported recording has none.
        assert set(found) == always, file
        path = re.fullmatch(r".*/(\w+)/date=[\d-]+/host=([^/]+)/[^/]+-([0-9a-f]{16})\.parquet", str(file))
        assert (found["evscribe.table"], found["evscribe.host"], found["evscribe.segment"]) == path.groups()
        assert found["evscribe.schema_version"] == "1"
        assert found["evscribe.clock"] == "recording"
        assert found["evscribe.level"] == "keys=full pointer=full"
        assert int(found["evscribe.anchor_wall_us"]) - int(found["evscribe.anchor_boot_us"]) > 0


def it_lets_boot_time_be_had_from_the_anchor(dataset):
    """The recordings count from 0; the anchor puts them at --started-at."""
    for file in (dataset / "marks").rglob("*.parquet"):
        found = pq.read_metadata(file).metadata
        anchor_us = int(found[b"evscribe.anchor_wall_us"]) - int(found[b"evscribe.anchor_boot_us"])
        times = pq.read_table(file, columns=["time"])["time"].cast("int64").to_pylist()
        assert all(0 <= time_us - anchor_us < 60_000_000 for time_us in times)


def it_keeps_codes_and_names_at_level_full(dataset):
    keys = f"SELECT count(*), count(code), count(key_class), count(stroke), count(down) FROM {sql(dataset, 'events')} WHERE kind = 'key'"
    rows, *kept = duckdb.sql(keys).fetchall()[0]
    assert rows > 0 and set(kept) == {rows}
    devices = ds.dataset(dataset / "devices").to_table()
    assert devices["name"].null_count == 0


def it_keeps_no_code_of_a_key_at_level_class(class_dataset):
    events = sql(class_dataset, "events")
    keys = f"SELECT count(*), count(code), count(key_class), count(stroke) FROM {events} WHERE kind = 'key'"
    rows, codes, classes, strokes = duckdb.sql(keys).fetchall()[0]
    assert rows > 0 and (codes, classes, strokes) == (0, rows, rows)
    others = f"SELECT count(*), count(code) FROM {events} WHERE kind IN ('button', 'switch')"
    rows, codes = duckdb.sql(others).fetchall()[0]
    assert rows > 0 and codes == rows


def it_keeps_no_name_of_a_device_at_level_class(class_dataset):
    names = ds.dataset(class_dataset / "devices").to_table()["name"]
    assert names.null_count == len(names) > 0
    for file in class_dataset.rglob("*"):
        assert not file.is_file() or b"evscribe hands" not in file.read_bytes(), file


def it_says_the_same_but_codes_and_names_at_both_levels(dataset, class_dataset):
    for table, hidden in zip(TABLES, ("code", "''", "''", "name")):
        full, less = (
            f"SELECT * {'' if hidden == chr(39) * 2 else f'EXCLUDE ({hidden})'} FROM {sql(folder, table)}"
            for folder in (dataset, class_dataset)
        )
        if table == "events":
            full, less = (f"{query} WHERE kind = 'key'" for query in (full, less))
        assert duckdb.sql(f"({full}) EXCEPT ALL ({less})").fetchall() == []
        assert duckdb.sql(f"({less}) EXCEPT ALL ({full})").fetchall() == []
