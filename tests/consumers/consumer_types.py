"""Columns come with the names and types that docs/FORMAT.md states."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from document import TABLES, columns

AXIS = ["min", "max", "fuzz", "flat", "resolution"]

# What each reader calls the types of docs/FORMAT.md.
ARROW = {
    "timestamp[us, UTC]": pa.timestamp("us", "UTC"),
    "dictionary<int32, string>": pa.dictionary(pa.int32(), pa.string()),
    "string": pa.string(),
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<struct>": pa.list_(
        pa.field(
            "item",
            pa.struct(
                [pa.field("code", pa.int16(), False), *(pa.field(name, pa.int32(), False) for name in AXIS)]
            ),
            False,
        )
    ),
}
POLARS = {
    "timestamp[us, UTC]": pl.Datetime("us", "UTC"),
    "dictionary<int32, string>": pl.Categorical,
    "string": pl.String,
    "bool": pl.Boolean,
    "int16": pl.Int16,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "float64": pl.Float64,
    "list<struct>": pl.List(pl.Struct({"code": pl.Int16} | dict.fromkeys(AXIS, pl.Int32))),
}
DUCKDB = {
    "timestamp[us, UTC]": "TIMESTAMP WITH TIME ZONE",
    "dictionary<int32, string>": "VARCHAR",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "list<struct>": f"STRUCT(code SMALLINT, {', '.join(f'{name} INTEGER' for name in AXIS)})[]",
}
PANDAS = {
    "timestamp[us, UTC]": "datetime64[us, UTC]",
    "dictionary<int32, string>": "category",
    "string": "str",
    "bool": "bool",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "float64": "float64",
    "list<struct>": "object",
}
# pandas has no nulls in these: where there are some, it takes another type.
PANDAS_WITH_NULLS = PANDAS | {"bool": "object", "int16": "float64", "int32": "float64", "int64": "float64"}


def stated(table, engine, date, host):
    """Names and types that a reader must find, partitions last."""
    types = {name: engine[column.type] for name, column in columns(table).items()}
    return list((types | {"date": date, "host": host}).items())


@pytest.mark.parametrize("table", TABLES)
def it_gives_pyarrow_the_stated_types(dataset, table):
    schema = ds.dataset(dataset / table, partitioning="hive").schema
    assert list(zip(schema.names, schema.types)) == stated(table, ARROW, pa.string(), pa.string())


@pytest.mark.parametrize("table", TABLES)
def it_gives_polars_the_stated_types(dataset, table):
    schema = pl.scan_parquet(f"{dataset}/{table}/**/*.parquet", hive_partitioning=True).collect_schema()
    assert list(schema.items()) == stated(table, POLARS, pl.Date, pl.String)


@pytest.mark.parametrize("table", TABLES)
def it_gives_duckdb_the_stated_types(dataset, table):
    files = f"read_parquet('{dataset}/{table}/**/*.parquet', hive_partitioning = true)"
    described = duckdb.sql(f"DESCRIBE SELECT * FROM {files}").fetchall()
    assert [(row[0], str(row[1])) for row in described] == stated(table, DUCKDB, "DATE", "VARCHAR")


@pytest.mark.parametrize("table", TABLES)
def it_gives_pandas_the_stated_types(dataset, table):
    data = pd.read_parquet(dataset / table)
    expected = [
        (name, PANDAS_WITH_NULLS[columns(table)[name].type])
        if name in columns(table) and data[name].isna().any()
        else (name, kind)
        for name, kind in stated(table, PANDAS, "category", "category")
    ]
    assert [(name, str(kind)) for name, kind in data.dtypes.items()] == expected


@pytest.mark.parametrize("table", TABLES)
def it_keeps_the_arrow_types_in_pandas_if_asked(dataset, table):
    data = pd.read_parquet(dataset / table, dtype_backend="pyarrow")
    for name, column in columns(table).items():
        assert data.dtypes[name] == pd.ArrowDtype(ARROW[column.type]), name


@pytest.mark.parametrize("table", TABLES)
def it_states_null_and_unit_in_the_schema(dataset, table):
    schema = ds.dataset(dataset / table).schema
    for name, column in columns(table).items():
        field = schema.field(name)
        assert field.nullable == column.nullable, name
        assert (field.metadata or {}).get(b"unit", b"").decode() == column.unit, name


@pytest.mark.parametrize("table", TABLES)
def it_has_no_null_where_none_is_stated(dataset, table):
    data = ds.dataset(dataset / table).to_table()
    never = [name for name, column in columns(table).items() if not column.nullable]
    assert {name: data[name].null_count for name in never} == dict.fromkeys(never, 0)
