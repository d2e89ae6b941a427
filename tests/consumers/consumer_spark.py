"""Spark 4 on Java 17 finds in the same files what the others find."""

import re
from datetime import datetime, timedelta, timezone
from time import tzset

import pytest
from pyspark.sql import functions as f

import engines
import snippets
import spark as session
from command import AFTER, BEFORE, EVSCRIBE_DATA, said
from consumer_types import AXIS, stated
from document import TABLES
from snippets import SECTIONS, SQL

# What Spark calls the types of docs/FORMAT.md.
SPARK = {
    "timestamp[us, UTC]": "timestamp",
    "dictionary<int32, string>": "string",
    "string": "string",
    "bool": "boolean",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float64": "double",
    "list<struct>": f"array<struct<code:smallint,{','.join(f'{name}:int' for name in AXIS)}>>",
}


@pytest.fixture(scope="module")
def spark(using):
    """One session for the file: it takes as long to start as all tests here."""
    started = session.start(using)
    yield started
    started.stop()


@pytest.fixture
def events(spark, dataset):
    return spark.read.parquet(f"{dataset}/events")


def it_runs_as_spark_4_on_java_17(spark):
    assert spark.version.startswith("4.")
    assert spark.sparkContext._jvm.System.getProperty("java.specification.version") == "17"


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does(spark, dataset, table):
    assert engines.spark_reads(spark, dataset, table) == engines.said_by_evscribe(dataset, table)


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does_at_level_class(spark, class_dataset, table):
    assert engines.spark_reads(spark, class_dataset, table) == engines.said_by_evscribe(class_dataset, table)


@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_what_was_decrypted(spark, dataset, encrypted, team, table, tmp_path):
    (tmp_path / table).mkdir()
    out = ["--format", "parquet", "--out", tmp_path / table / "rows.parquet"]
    said(EVSCRIBE_DATA, "query", encrypted, f"SELECT * FROM {table}", "--key", team, *out)
    assert engines.spark_reads(spark, tmp_path, table) == engines.said_by_evscribe(dataset, table)


@pytest.mark.parametrize("table", TABLES)
def it_gives_the_stated_types(spark, dataset, table):
    found = spark.read.parquet(f"{dataset}/{table}").dtypes
    assert found == stated(table, SPARK, "date", "string")


def it_takes_times_for_moments_and_not_for_walls(spark, events, stats):
    """Another zone of the session shows another hour of the same moment."""
    shown = f.date_format(f.min("time"), "yyyy-MM-dd HH:mm:ss")
    asked = events.select(shown, f.min(f.unix_micros("time")))
    utc, micros = asked.first()
    assert utc == datetime.fromtimestamp(micros // 1_000_000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    assert utc.startswith(f"{BEFORE} 23:59:5")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        assert tuple(events.select(shown, f.min(f.unix_micros("time"))).first()) == (f"{AFTER} 08{utc[13:]}", micros)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def it_hands_times_to_python_without_a_zone(events, monkeypatch):
    """As docs/USING.md warns: in the local time of this process."""
    asked = events.select(f.min("time"), f.min(f.unix_micros("time")))
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        tzset()
        time, micros = asked.first()
    tzset()
    moment = datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=micros)
    assert time.tzinfo is None
    assert time == moment.replace(tzinfo=None) + timedelta(hours=9)


def it_finds_each_row_under_the_utc_date_of_its_time(events):
    assert events.where(f.to_date("time") != f.col("date")).count() == 0


def it_prunes_by_date(spark, half, rows_before):
    """Half of the files are damaged: who opens one fails."""
    events = spark.read.parquet(f"{half}/events")
    with pytest.raises(Exception, match="is not a Parquet file"):
        events.select(f.sum("dx")).collect()
    assert len(events.where(f.col("date") == BEFORE).select("dx").collect()) == rows_before


@pytest.mark.parametrize("of", ["date", "host"])
def it_says_in_its_plan_what_it_leaves_out(dataset, events, of):
    files = sorted((dataset / "events").rglob("*.parquet"))
    value = files[0].relative_to(dataset / "events").parts[of == "host"].partition("=")[2]
    chosen = events.where(f.col(of) == value).select("dx")
    assert re.search(rf"PartitionFilters: \[[^]]*\({of}#\d+ = [^]]*\]", session.plan(chosen))
    assert session.files_read(events.select("dx")) == len(files)
    expected = [file for file in files if f"/{of}={value}/" in str(file)]
    assert session.files_read(chosen) == len(expected) < len(files)


def it_opens_as_the_page_on_using_says(spark, capsys):
    (snippet,) = SECTIONS["Spark"]
    exec(snippet.code, {})
    assert capsys.readouterr().out == snippet.printed


@pytest.mark.parametrize("snippet", SQL, ids=lambda snippet: snippet.heading)
def it_answers_as_the_page_on_using_says(spark, using, snippet):
    for table in TABLES:
        spark.read.parquet(f"{using}/dataset/{table}").createOrReplaceTempView(table)
    found = spark.sql(snippets.in_words_of(snippets.SPARK, snippet.code))
    assert [found.columns, *snippets.cells(found.collect())] == snippet.rows
