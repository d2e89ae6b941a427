"""Runs a scenario in the guest and shows what came out of it.

A scenario is one file, tests/guest/scenario_NAME.py: INSIDE holds the steps (a
string, or a list of strings with a reboot between) and its functions `it_…(guest)`
assert on the result. `Guest` is what they get.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
sys.path.insert(0, str(REPO / "tests" / "consumers"))

import evscribe_kms  # noqa: E402

EVSCRIBE = REPO / "target" / "release" / "evscribe"
RUNS = REPO / "target" / "guest" / "runs"

PREAMBLE = "source /repo/tests/guest/inside.sh\n"


# What the running test measured; it goes along with its result.
FIGURES: list[str] = []


def figure(text: str) -> None:
    """Keeps a measured figure: a line that the run shows at its end."""
    FIGURES.append(text)


class GuestFailed(Exception):
    """The steps did not come to their end; the message says where to look."""


def run(name: str, inside: "str | list[str]", limit_s: int = 1800, rtc: str = "vm", keep_disk: bool = False) -> "Guest":
    """Boots the guest for these steps; raises GuestFailed otherwise. `rtc`: what
    its hardware clock follows, "vm" (virtual time) or "host". `keep_disk`: its
    disk stays in the run's folder."""
    folder = RUNS / name
    # For whoever works on assertions: what the last run brought out, not a new one.
    if os.environ.get("EVSCRIBE_GUEST_REUSE") and (folder / "out" / "result").exists():
        return Guest(folder / "out" / "result", folder / "team")
    shutil.rmtree(folder, ignore_errors=True)
    steps = folder / "out" / "steps"
    steps.mkdir(parents=True)
    for n, step in enumerate([inside] if isinstance(inside, str) else inside, start=1):
        (steps / f"{n}.sh").write_text(PREAMBLE + step)
    # The data team's pair: of it the guest gets the public key alone.
    subprocess.run([EVSCRIBE, "keys", "generate", folder / "team", "--name", "data team"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(folder / "team.pub", folder / "out")
    # A generator from elsewhere, for whoever works on it.
    if own_hands := os.environ.get("EVSCRIBE_HANDS"):
        shutil.copy(own_hands, folder / "out" / "hands")
    environment = os.environ | {"EVSCRIBE_GUEST_RTC": rtc}
    if keep_disk:
        environment["EVSCRIBE_GUEST_KEEP_DISK"] = "1"
    done = subprocess.run([HERE / "boot", folder, str(limit_s)], env=environment, check=False)
    if done.returncode != 0:
        raise GuestFailed(f"scenario {name} failed inside; see {folder / 'console.log'}")
    guest = Guest(folder / "out" / "result", folder / "team")
    verify(guest.result / "dataset", guest.key)
    return guest


def verify(dataset: Path, key: Path) -> None:
    """Every dataset that comes out of the guest must hold."""
    if not dataset.exists():
        return
    command = [EVSCRIBE, "data", "verify", dataset, "--key", key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GuestFailed(f"evscribe data verify {dataset}:\n{done.stdout}{done.stderr}")


@dataclass
class Guest:
    """What a scenario brought out."""

    result: Path
    # The data team's secret key, which opens what the guest sealed.
    key: Path

    def text(self, name: str) -> str:
        return (self.result / name).read_text()

    def json(self, name: str):
        return json.loads(self.text(name))

    def json_lines(self, name: str) -> list[dict]:
        return [json.loads(line) for line in self.text(name).splitlines()]

    def sent(self, name: str) -> list[dict]:
        """The generator's record of a play: {t_us, device, events} a report."""
        return self.sent_at(f"sent/{name}.jsonl")

    def sent_at(self, path: str) -> list[dict]:
        """The generator's record in a file of that name."""
        return self.json_lines(path)

    def moment(self, name: str) -> int:
        """When the steps said `moment NAME`, µs on the boot clock, to 10 ms."""
        (at,) = [line.split()[1] for line in self.text("moments").splitlines() if line.split()[0] == name]
        return int(at)

    def printed(self, name: str):
        return self.json(f"printed/{name}")

    def unit(self, when: str = "unit") -> dict[str, str]:
        """`systemctl show evscribed`; "unit-before" is as it ran."""
        return dict(line.split("=", 1) for line in self.text(when).splitlines() if "=" in line)

    @cached_property
    def dataset(self) -> "Dataset":
        return self.dataset_in("dataset")

    def dataset_in(self, name: str) -> "Dataset":
        """Another dataset that was brought out."""
        return Dataset(self.result / name, self.key)


class Dataset:
    """The sealed files of a dataset, read with pyarrow."""

    def __init__(self, folder: Path, key: Path):
        self.folder = folder
        self.key = key
        self._tables: dict[str, list[dict]] = {}

    def files(self, table: str) -> list[Path]:
        return sorted((self.folder / table).glob("date=*/host=*/*.parquet"))

    def rows(self, table: str) -> list[dict]:
        """All rows in the order of the files' names, each with `boot_us`: its
        time on the boot clock, by the anchor of its file."""
        if table not in self._tables:
            self._tables[table] = [row for file in self.files(table) for row in _rows(self.parquet(file))]
        return self._tables[table]

    def rows_by_file(self, table: str) -> list[list[dict]]:
        """The same, file by file."""
        return [_rows(self.parquet(file)) for file in self.files(table)]

    def parquet(self, file: Path) -> pq.ParquetFile:
        """One of its files, opened with the data team's key where it is encrypted."""
        if file.read_bytes()[-4:] != b"PARE":
            return pq.ParquetFile(file)
        keys = self._factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
        return pq.ParquetFile(file, decryption_properties=keys)

    @cached_property
    def _factory(self) -> pe.CryptoFactory:
        return evscribe_kms.factory(self.key)

    def metadata(self, file: Path) -> dict[str, str]:
        """A file's key-value metadata."""
        return _metadata(self.parquet(file))

    def device_numbers(self, name: str) -> set[int]:
        """The numbers of the devices of that name (level full only)."""
        return {row["device"] for row in self.rows("devices") if row["name"] == name}

    def of_device(self, table: str, name: str) -> list[dict]:
        numbers = self.device_numbers(name)
        assert numbers, f"no device {name!r} in the dataset: {[r['name'] for r in self.rows('devices')]}"
        return [row for row in self.rows(table) if row["device"] in numbers]

    def marks(self, mark: str) -> list[dict]:
        return [row for row in self.rows("marks") if row["mark"] == mark]


def _metadata(file: pq.ParquetFile) -> dict[str, str]:
    stored = file.metadata.metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items() if key != b"ARROW:schema"}


def _rows(file: pq.ParquetFile) -> list[dict]:
    table = file.read()
    about = _metadata(file)
    anchor = int(about["evscribe.anchor_wall_us"]) - int(about["evscribe.anchor_boot_us"])
    for name in ("time", "until"):
        if name in table.column_names:
            wall = table.column(name).cast(pa.int64())
            table = table.append_column(f"{name}_us", wall)
    rows = table.to_pylist()
    for row in rows:
        row["boot_us"] = row["time_us"] - anchor
        row["boot"] = about.get("evscribe.boot", row.get("boot"))
        if row.get("until_us") is not None:
            row["until_boot_us"] = row["until_us"] - anchor
    return rows
