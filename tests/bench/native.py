"""The native bench: import speed, sink, storage, size; see scripts/bench-native.

Times are processor seconds of one thread, user and system, best of ROUNDS.
Every ratio is between figures of one run.
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import duckdb
import numpy
import pyarrow
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target/release"
ROUNDS = 3

# struct input_event on a 64-bit kernel.
EVENT = numpy.dtype(
    [("sec", "<i8"), ("usec", "<i8"), ("type", "<u2"), ("code", "<u2"), ("value", "<i4")]
)

# Bytes per kernel event of the best Parquet layout that was tried before ours, a
# row per normalised event, on another hour of desk at the same rates.
TUNED = {1000: 0.75, 125: 1.09}


def run(*command) -> str:
    """The output of a command that must succeed."""
    return subprocess.run([str(part) for part in command], check=True, text=True, stdout=subprocess.PIPE).stdout


def say(name: str, figure: str, against: str = "") -> None:
    print(f"  {name:<52} {figure:>14}  {against}".rstrip(), flush=True)


def make_desk(directory: Path, hz: int, seconds: int) -> list[Path]:
    run(RELEASE / "hands", "desk", "--seconds", seconds, "--mouse-hz", hz, "--raw", directory)
    return [directory / f"{name}.raw" for name in ("keyboard", "mouse", "touchpad")]


def raw_table(files: list[Path]) -> pyarrow.Table:
    """All events in the order of their time, a row each."""
    parts = [numpy.fromfile(file, EVENT) for file in files]
    devices = numpy.repeat(numpy.arange(1, len(parts) + 1, dtype="i2"), [len(p) for p in parts])
    events = numpy.concatenate(parts)
    time = events["sec"] * 1_000_000 + events["usec"]
    order = numpy.argsort(time, kind="stable")
    columns = {"time_us": time, "device": devices}
    columns |= {name: events[name] for name in ("type", "code", "value")}
    return pyarrow.table({name: column[order] for name, column in columns.items()})


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def duckdb_seconds(csv: Path) -> dict[str, float]:
    """Best of ROUNDS on one thread, by what is done with the events."""
    types = "{'time_us': 'BIGINT', 'device': 'SMALLINT', 'type': 'USMALLINT', 'code': 'USMALLINT', 'value': 'INTEGER'}"
    read = f"read_csv('{csv}', header = true, auto_detect = false, columns = {types})"
    queries = {
        "into a table": f"CREATE OR REPLACE TABLE events AS SELECT * FROM {read}",
        "count and sum": f"SELECT count(*), sum(value), max(time_us) FROM {read}",
    }
    best = {}
    for what, query in queries.items():
        for _ in range(ROUNDS):
            connection = duckdb.connect(config={"threads": 1})
            since = processor_seconds()
            connection.execute(query).fetchall()
            seconds = processor_seconds() - since
            connection.close()
            best[what] = min(seconds, best.get(what, seconds))
    return best


def imported(out: Path, files: list[Path]) -> dict:
    """What the fastest of ROUNDS imports says of itself."""
    best = None
    for _ in range(ROUNDS):
        shutil.rmtree(out, ignore_errors=True)
        now = json.loads(run(RELEASE / "examples/raw", out, *files))
        if best is None or now["seconds"] < best["seconds"]:
            best = now
    return best


def delta_columns(dataset: Path, into: Path) -> None:
    """The columns of a dataset as a compressor likes them best: no nulls, numbers
    that grow as differences, words as numbers, each as narrow as it can be."""
    into.mkdir()
    for table in ("events", "touch"):
        if not (dataset / table).exists():
            continue
        rows = pyarrow.dataset.dataset(dataset / table, partitioning="hive").to_table()
        rows = rows.sort_by("time").drop_columns(["date", "host"])
        for name in rows.column_names:
            column = rows[name].combine_chunks()
            if pyarrow.types.is_dictionary(column.type):
                column = column.cast(pyarrow.string()).dictionary_encode().indices
            elif pyarrow.types.is_timestamp(column.type):
                column = column.cast(pyarrow.int64())
            elif pyarrow.types.is_boolean(column.type):
                column = column.cast(pyarrow.int8())
            values = column.drop_null().to_numpy(zero_copy_only=False).astype("i8")
            if name in ("time", "stroke", "contact", "x", "y", "x_um", "y_um", "run"):
                values = numpy.diff(values, prepend=0)
                values[:1] = 0
            width = next(w for w in (1, 2, 4, 8) if not len(values) or abs(values).max() < 1 << (8 * w - 1))
            # Bytes of one place stand together: high ones repeat, low ones do not.
            split = values.astype(f"<i{width}").view("u1").reshape(-1, width)
            (into / f"{table}.{name}").write_bytes(split.T.tobytes())


def zpaq_bytes(directory: Path) -> int:
    archive = directory.with_suffix(".zpaq")
    archive.unlink(missing_ok=True)
    command = ["zpaq", "a", archive.name, directory.name, "-m5", "-t1"]
    subprocess.run(command, check=True, cwd=directory.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return archive.stat().st_size


def storage(scratch: Path, what: str, files: list[Path], tuned: float) -> dict:
    """Prints bytes per kernel event, SYN included; returns the import's figures."""
    raw = b"".join(file.read_bytes() for file in files)
    events = len(raw) // EVENT.itemsize
    table = raw_table(files)
    default = scratch / "default.parquet"
    pyarrow.parquet.write_table(table, default)
    out = scratch / "dataset"
    ours = imported(out, files)
    columns = scratch / "columns"
    delta_columns(out, columns)
    floor = zpaq_bytes(columns)
    shutil.rmtree(columns)
    print(f"\nstorage, bytes per kernel event: {what}, {events:,} events, {ours['rows']:,} rows")
    zstd = pyarrow.Codec("zstd", compression_level=19).compress(raw)
    figures = [
        ("raw structs", len(raw)),
        ("raw structs, zstd -19", len(zstd)),
        ("Parquet, a row per raw event, default settings", default.stat().st_size),
        ("evscribe, sealed files", ours["bytes"]),
        ("zpaq -m5 on delta-coded columns", floor),
    ]
    for name, size in figures:
        against = f"{size / ours['bytes']:.2f} x ours" if size != ours["bytes"] else ""
        say(name, f"{size / events:.3f}", against)
    say("evscribe to zpaq", f"{ours['bytes'] / floor:.2f}", "goal 2.1")
    say("evscribe to the tuned layout of others", f"{ours['bytes'] / events / tuned:.2f}", f"of {tuned}")
    return ours


def speed(scratch: Path, files: list[Path], ours: dict) -> None:
    csv = scratch / "events.csv"
    pyarrow.csv.write_csv(raw_table(files), csv)
    events = ours["events"]
    print(f"\nspeed, million events a second on one core: {events:,} events")
    rate = events / ours["seconds"] / 1e6
    say("evscribe: parse, normalise, redact", f"{events / ours['normalise_seconds'] / 1e6:.2f}")
    say("evscribe: and seal", f"{rate:.2f}", "goal 5")
    for what, seconds in duckdb_seconds(csv).items():
        theirs = events / seconds / 1e6
        say(f"DuckDB {duckdb.__version__}, 1 thread, CSV {what}", f"{theirs:.2f}", f"ours is {rate / theirs:.2f} x")


def sink(scratch: Path) -> None:
    print("\nsink alone, processor ns a row of a made-up desk")
    for part in (3000, 70):
        rows = 300_000 if part > 1000 else 30_000
        best: dict[str, tuple[int, int]] = {}
        for _ in range(ROUNDS):
            out = scratch / "measure"
            shutil.rmtree(out, ignore_errors=True)
            for line in run(RELEASE / "examples/measure", out, rows, part).splitlines():
                found = re.match(r"(.*): (\d+) ns a row, (\d+) of it user", line)
                if found and found[1] != "verify":
                    now = (int(found[2]), int(found[3]))
                    best[found[1]] = min(now, best.get(found[1], now))
        for what, (ns, user) in best.items():
            if what.startswith("journal"):
                goal = ", goal 120" if part > 1000 else ""
                say(f"{what}, {part} rows a flush", f"{ns}", f"{user} of it user{goal}")
            elif part > 1000:
                say(what, f"{ns}", f"{user} of it user")


def size() -> None:
    print("\nsize, bytes, stripped")
    for name in ("evscribed", "evscribe"):
        goal = "goal 12,582,912" if name == "evscribed" else ""
        say(name, f"{(RELEASE / name).stat().st_size:,}", goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="of desk")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="evscribe-bench-") as name:
        scratch = Path(name)
        for hz in (1000, 125):
            files = make_desk(scratch / f"desk-{hz}", hz, seconds)
            ours = storage(scratch, f"keyboard and mouse, {hz} Hz", files[:2], TUNED[hz])
            if hz == 1000:
                speed(scratch, files[:2], ours)
        sink(scratch)
        size()


if __name__ == "__main__":
    main()
