"""Six readers, each asked in its own words: how much is there of what?

A summary is the same whoever makes it: rows, nulls per column, sums, the words
of each dictionary column with their counts, rows per date and host, first and
last time in microseconds since 1970, and how many axes the devices have.
"""

import json
from collections import Counter
from datetime import datetime, timezone

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from command import evscribe, query
from document import columns, of_type

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def names(table):
    """Columns to sum, and columns to count the words of."""
    sums = of_type(table, "int16", "int32", "int64", "bool")
    return sums, of_type(table, "dictionary<int32, string>")


def said_by_evscribe(dataset, table):
    """The reference: every row as `data head` prints it, counted by hand."""
    rows = json.loads(evscribe("data", "head", dataset, "--json", "-n", 1_000_000, "--table", table))
    sums, words = names(table)
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    micros = [round((time - EPOCH).total_seconds() * 1e6) for time in times]
    return {
        "rows": len(rows),
        "nulls": {name: sum(row[name] is None for row in rows) for name in columns(table)},
        "sums": {name: sum(row[name] or 0 for row in rows) for name in sums},
        "words": {name: dict(Counter(row[name] for row in rows if row[name] is not None)) for name in words},
        "dates": dict(Counter(time.date().isoformat() for time in times)),
        "hosts": dict(Counter(row["host"] for row in rows)),
        "span": (min(micros), max(micros)),
        "axes": sum(len(row["axes"]) for row in rows) if table == "devices" else 0,
    }


def pyarrow_reads(dataset, table):
    return pyarrow_sums(ds.dataset(dataset / table, partitioning="hive").to_table(), table)


def pyarrow_sums(data, table):
    sums, words = names(table)

    def count(name):
        counted = pc.value_counts(data[name].cast(pa.string()).drop_null())
        return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}

    span = pc.min_max(data["time"].cast(pa.int64())).as_py()
    return {
        "rows": data.num_rows,
        "nulls": {name: data[name].null_count for name in columns(table)},
        "sums": {name: pc.sum(data[name]).as_py() or 0 for name in sums},
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": (span["min"], span["max"]),
        "axes": pc.sum(pc.list_value_length(data["axes"])).as_py() if table == "devices" else 0,
    }


def polars_reads(dataset, table):
    return polars_sums(pl.scan_parquet(f"{dataset}/{table}/**/*.parquet", hive_partitioning=True), table)


def polars_sums(data, table):
    sums, words = names(table)

    def one(*what):
        return data.select(*what).collect().row(0, named=True)

    def count(name):
        counted = data.filter(pl.col(name).is_not_null()).group_by(pl.col(name).cast(pl.String)).len()
        return dict(counted.collect().rows())

    time = pl.col("time").dt.epoch("us")
    span = one(time.min().alias("min"), time.max().alias("max"))
    return {
        "rows": one(pl.len())["len"],
        "nulls": one(*(pl.col(name).null_count() for name in columns(table))),
        "sums": one(*(pl.col(name).cast(pl.Int64).sum() for name in sums)),
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": (span["min"], span["max"]),
        "axes": one(pl.col("axes").list.len().sum())["axes"] if table == "devices" else 0,
    }


def duckdb_reads(dataset, table):
    files = f"read_parquet('{dataset}/{table}/**/*.parquet', hive_partitioning = true)"
    return duckdb_sums(duckdb.default_connection(), files, table)


def duckdb_sums(connection, data, table):
    sums, words = names(table)

    def one(what):
        return connection.sql(f"SELECT {what} FROM {data}").fetchall()[0]

    def each(of, what):
        return dict(zip(of, one(", ".join(what.format(f'"{name}"') for name in of))))

    def count(name):
        return dict(
            connection.sql(
                f"SELECT CAST({name} AS VARCHAR), count(*) FROM {data} WHERE {name} IS NOT NULL GROUP BY 1"
            ).fetchall()
        )

    return {
        "rows": one("count(*)")[0],
        "nulls": each(list(columns(table)), "count(*) - count({})"),
        "sums": each(sums, "coalesce(sum(CAST({} AS BIGINT)), 0)"),
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": one("epoch_us(min(time)), epoch_us(max(time))"),
        "axes": one("sum(len(axes))")[0] if table == "devices" else 0,
    }


def pandas_reads(dataset, table):
    return pandas_sums(pd.read_parquet(dataset / table), table)


def pandas_sums(data, table):
    sums, words = names(table)

    def count(name):
        counted = data[name].value_counts(dropna=True)
        return {str(word): int(n) for word, n in counted.items() if n}

    span = [(time - EPOCH) // pd.Timedelta(microseconds=1) for time in (data["time"].min(), data["time"].max())]
    return {
        "rows": len(data),
        "nulls": {name: int(data[name].isna().sum()) for name in columns(table)},
        "sums": {name: int(data[name].dropna().astype("int64").sum()) for name in sums},
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": tuple(span),
        "axes": int(data["axes"].map(len).sum()) if table == "devices" else 0,
    }


def spark_reads(spark, dataset, table):
    from pyspark.sql import functions as f

    data = spark.read.parquet(f"{dataset}/{table}").cache()
    sums, words = names(table)

    def count(name):
        return dict(map(tuple, data.where(f.col(name).isNotNull()).groupBy(f.col(name).cast("string")).count().collect()))

    axes = f.sum(f.size("axes")) if table == "devices" else f.lit(0)
    (one,) = data.select(
        f.count("*").alias("rows"),
        *(f.count_if(f.col(name).isNull()).alias(f"null {name}") for name in columns(table)),
        *(f.coalesce(f.sum(f.col(name).cast("long")), f.lit(0)).alias(f"sum {name}") for name in sums),
        f.min(f.unix_micros("time")).alias("first"),
        f.max(f.unix_micros("time")).alias("last"),
        axes.alias("axes"),
    ).collect()
    found = {
        "rows": one["rows"],
        "nulls": {name: one[f"null {name}"] for name in columns(table)},
        "sums": {name: one[f"sum {name}"] for name in sums},
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": (one["first"], one["last"]),
        "axes": one["axes"],
    }
    data.unpersist()
    return found


def datafusion_reads(dataset, table, *keys):
    """As `evscribe-data query` has it; `keys` are options of it."""
    sums, words = names(table)
    nulls = {name: f"null_{name}" for name in columns(table)}
    axes = "sum(cardinality(axes))" if table == "devices" else "0"
    what = [
        "count(*) AS rows",
        *(f"count(*) - count({name}) AS {null}" for name, null in nulls.items()),
        *(f"coalesce(sum(CAST({name} AS BIGINT)), 0) AS sum_{name}" for name in sums),
        "CAST(min(time) AS BIGINT) AS first, CAST(max(time) AS BIGINT) AS last",
        f"{axes} AS axes",
    ]

    def count(name):
        text = f"SELECT CAST({name} AS VARCHAR) AS word, count(*) AS n FROM {table} WHERE {name} IS NOT NULL GROUP BY 1"
        return {row["word"]: row["n"] for row in query(dataset, text, *keys)}

    (one,) = query(dataset, f"SELECT {', '.join(what)} FROM {table}", *keys)
    return {
        "rows": one["rows"],
        "nulls": {name: one[null] for name, null in nulls.items()},
        "sums": {name: one[f"sum_{name}"] for name in sums},
        "words": {name: count(name) for name in words},
        "dates": count("date"),
        "hosts": count("host"),
        "span": (one["first"], one["last"]),
        "axes": one["axes"],
    }


READERS = {
    "pyarrow": pyarrow_reads,
    "polars": polars_reads,
    "duckdb": duckdb_reads,
    "pandas": pandas_reads,
}


def duckdb_through_pyarrow(data, table):
    with duckdb.connect() as connection:
        connection.register("files", data)
        return duckdb_sums(connection, "files", table)


# The same readers, given a dataset that pyarrow opened: with a key, say.
THROUGH_PYARROW = {
    "pyarrow": lambda data, table: pyarrow_sums(data.to_table(), table),
    "polars": lambda data, table: polars_sums(pl.scan_pyarrow_dataset(data), table),
    "duckdb": duckdb_through_pyarrow,
    "pandas": lambda data, table: pandas_sums(data.to_table().to_pandas(), table),
}
