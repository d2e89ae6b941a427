"""pyarrow reads encrypted files by a secret key, and nothing without it."""

import json
import shutil
import subprocess
import sys

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

import document
import engines
import evscribe_kms
from command import AFTER, BEFORE, evscribe, keypair
from document import TABLES


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return keypair(tmp_path_factory.mktemp("keys"), "stranger")


@pytest.mark.parametrize("table", TABLES)
def it_reads_the_rows_that_a_plain_file_has(dataset, encrypted, team, table):
    by = [("host", "ascending"), ("time", "ascending"), ("device", "ascending")]
    plain = ds.dataset(dataset / table, partitioning="hive").to_table()
    read = evscribe_kms.dataset(encrypted / table, team).to_table()
    assert read.schema.equals(plain.schema)
    assert read.num_rows == plain.num_rows > 0
    sums = [name for name in plain.schema.names if pa.types.is_integer(plain.schema.field(name).type)]
    for name in sums:
        assert pc.sum(read[name]) == pc.sum(plain[name]), name
    assert read.sort_by(by)["time"] == plain.sort_by(by)["time"]


@pytest.mark.parametrize("reader", engines.THROUGH_PYARROW)
@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does_of_the_plain_files(dataset, encrypted, team, table, reader):
    """polars and DuckDB know no keys; they take what pyarrow opens."""
    data = evscribe_kms.dataset(encrypted / table, team)
    assert engines.THROUGH_PYARROW[reader](data, table) == engines.said_by_evscribe(dataset, table)


def it_opens_the_files_of_a_date_alone_for_polars_and_duckdb(encrypted, team, rows_before, tmp_path):
    """Half of the files are damaged: who opens one fails."""
    shutil.copytree(encrypted / "events", tmp_path / "events")
    for file in (tmp_path / "events" / f"date={AFTER}").rglob("*.parquet"):
        file.write_bytes(b"not Parquet " * 1000)
    events = evscribe_kms.dataset(tmp_path / "events", team)
    scanned = pl.scan_pyarrow_dataset(events)
    with pytest.raises(Exception):
        duckdb.sql("SELECT sum(dx) FROM events").fetchall()
    with pytest.raises(Exception):
        scanned.select(pl.col("dx").sum()).collect()
    assert duckdb.sql(f"SELECT count(*) FROM events WHERE date = '{BEFORE}'").fetchall() == [(rows_before,)]
    assert len(scanned.filter(pl.col("date") == BEFORE).collect()) == rows_before


def it_prunes_by_statistics_as_in_a_plain_file(encrypted, team):
    data = evscribe_kms.dataset(encrypted / "events", team)
    assert data.count_rows(filter=pc.field("kind") == "motion") > 0
    assert data.count_rows(filter=pc.field("date") == "1999-01-01") == 0
    assert all(fragment.metadata.num_rows > 0 for fragment in data.get_fragments())


def it_is_encrypted_for_nobody_else(encrypted, team, stranger):
    with pytest.raises(Exception, match="it is encrypted for"):
        evscribe_kms.dataset(encrypted / "events", stranger).to_table()
    path = next((encrypted / "events").rglob("*.parquet"))
    with pytest.raises(OSError, match="encrypted"):
        pq.read_table(path, partitioning=None)
    with pytest.raises(pl.exceptions.PolarsError):
        pl.read_parquet(path)


def it_notices_a_flipped_bit_anywhere(encrypted, team, tmp_path):
    for table in TABLES:
        path = next((encrypted / table).rglob("*.parquet"))
        whole = path.read_bytes()
        expected = read(path, team)
        step = max(1, len(whole) // 150)
        for place in range(5, len(whole), step):
            changed = bytearray(whole)
            changed[place] ^= 1 << place % 8
            copy = tmp_path / "copy.parquet"
            copy.write_bytes(changed)
            try:
                found = read(copy, team)
            except (OSError, pa.ArrowException, ValueError, PermissionError, TypeError, KeyError):
                continue
            assert found == expected, f"{path} byte {place}"


def read(path, key):
    keys = evscribe_kms.factory(key).file_decryption_properties(pe.KmsConnectionConfig())
    return pq.ParquetFile(path, decryption_properties=keys).read()


def it_says_in_key_metadata_what_arrows_key_tools_say(encrypted):
    path = next((encrypted / "marks").rglob("*.parquet"))
    bytes_ = path.read_bytes()
    begin = bytes_.rindex(b'{"keyMaterialType"')
    material = json.loads(bytes_[begin : bytes_.index(b"}", begin) + 1])
    assert material.pop("wrappedDEK").count(":") == 1
    assert material == {
        "keyMaterialType": "PKMT1",
        "internalStorage": True,
        "isFooterKey": True,
        "kmsInstanceID": "DEFAULT",
        "kmsInstanceURL": "DEFAULT",
        "masterKeyID": "evscribe-recipients-1",
        "doubleWrapping": False,
    }


def it_opens_as_the_format_page_says(encrypted, team, dataset, tmp_path):
    (code,) = document.blocks(document.section("## Encryption"), "python")
    (tmp_path / "dataset").symlink_to(encrypted)
    shutil.copy(team, tmp_path / "team.key")
    shutil.copy(evscribe_kms.__file__, tmp_path)
    command = [sys.executable, "-c", f"{code}\nprint(events.num_rows)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stats = json.loads(evscribe("data", "stats", dataset, "--json"))
    assert done.stdout.strip() == str(stats["rows"]["events"])


def it_is_checked_by_our_own_tools_with_the_same_key(encrypted, team, tmp_path):
    assert "everything holds" in evscribe("data", "verify", encrypted, "--key", team)
    copy = tmp_path / "copy"
    shutil.copytree(encrypted, copy)
    path = next((copy / "events").rglob("*.parquet"))
    path.rename(path.with_name("20000101T000000.000000Z-0000000000000000.parquet"))
    with pytest.raises(AssertionError, match="sealed for another place"):
        evscribe("data", "verify", copy, "--key", team)
