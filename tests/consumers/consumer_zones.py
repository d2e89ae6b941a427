"""Whatever zone a reader shows, the moment is the same and said in UTC."""

from datetime import datetime, timedelta, timezone

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

import engines
from command import STARTED_AT, query

TOKYO = timedelta(hours=9)
EARLIEST = datetime.fromisoformat(STARTED_AT)


@pytest.fixture(scope="module")
def first(dataset):
    """The first moment of the events, by evscribe itself."""
    micros, _ = engines.said_by_evscribe(dataset, "events")["span"]
    moment = datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=micros)
    assert timedelta() <= moment - EARLIEST < timedelta(seconds=1)
    return moment


def it_is_utc_in_pyarrow(dataset, first):
    time = pc.min(ds.dataset(dataset / "events", partitioning="hive").to_table()["time"])
    assert str(time.type) == "timestamp[us, tz=UTC]"
    assert (time.as_py(), time.as_py().utcoffset()) == (first, timedelta())


def it_is_utc_in_pandas(dataset, first):
    time = pd.read_parquet(dataset / "events")["time"].min()
    assert (time, time.utcoffset()) == (first, timedelta())


def it_is_utc_in_polars(dataset, first):
    time = pl.scan_parquet(f"{dataset}/events/**/*.parquet").select(pl.col("time").min()).collect().item()
    assert (time, time.utcoffset()) == (first, timedelta())


@pytest.mark.parametrize("zone, offset", [("UTC", timedelta()), ("Asia/Tokyo", TOKYO)])
def it_is_in_the_zone_of_the_session_in_duckdb(dataset, first, zone, offset):
    with duckdb.connect() as connection:
        connection.sql(f"SET TimeZone = '{zone}'")
        asked = f"SELECT min(time) FROM read_parquet('{dataset}/events/**/*.parquet')"
        ((time,),) = connection.sql(asked).fetchall()
    assert (time, time.utcoffset()) == (first, offset)


def it_is_utc_in_datafusion(dataset, first):
    ((row),) = query(dataset, "SELECT min(time) AS time, arrow_typeof(min(time)) AS type FROM events")
    time = datetime.fromisoformat(row["time"])
    assert (time, time.utcoffset()) == (first, timedelta())
    assert row["type"] == 'Timestamp(µs, "UTC")'
