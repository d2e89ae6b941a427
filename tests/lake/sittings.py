"""Lakes of people who sat at workstations one after the other, made without pulling by
crates/evscribe-lake/examples/sittings.rs, and `evscribe-data` run on them."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pulling import EVSCRIBE_DATA, REPO
from recordings import keypair


@cache
def maker() -> Path:
    """`cargo test` builds it with the other examples; to build it here would take the
    processors from whatever is tested beside."""
    place = REPO / "target" / "debug" / "examples" / "sittings"
    if not place.exists():
        raise RuntimeError(f"{place} is missing: run `cargo build --locked -p evscribe-lake --example sittings` first, as `make test` does")
    return place


@dataclass
class Done:
    code: int
    said: dict
    err: str
    memory_mib: float


@dataclass
class Lake:
    """`place` as the command takes it; `folder` where it was made, `key` what opens it."""

    place: str
    folder: Path
    key: Path
    environment: dict[str, str]

    def command(self, what: str, *more) -> list[str]:
        return [str(EVSCRIBE_DATA), what, self.place, "--key", str(self.key), "--json", *map(str, more)]

    def run(self, what: str, *more) -> Done:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(self.command(what, *more), stdout=out, stderr=err, env=self.environment)
            # Not what wait4 says: that counts what this process had when it forked.
            most = 0
            while process.poll() is None:
                most = max(most, peak_kib(process.pid))
                time.sleep(0.01)
            out.seek(0)
            err.seek(0)
            said = out.read()
            return Done(process.returncode, json.loads(said) if said.strip() else {}, err.read(), most / 1024)


def peak_kib(pid: int) -> int:
    """The most that a process had in memory so far; 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)


def made(folder: Path, hosts: int, sittings: int, rows: int, s3=None) -> Lake:
    """A lake, encrypted; in a bucket where there is a server for it."""
    key = keypair(folder / "team")
    public = (folder / "team.pub").read_text().split()[0]
    lake = folder / "lake"
    subprocess.run([maker(), lake, *map(str, (hosts, sittings, rows)), public], check=True)
    if s3 is None:
        return Lake(str(lake), lake, key, dict(os.environ))
    bucket = s3.bucket()
    for path in sorted(path for path in lake.rglob("*") if path.is_file()):
        s3.client.upload_file(str(path), bucket, f"team/lake/{path.relative_to(lake)}")
    environment = s3.environment | {"XDG_STATE_HOME": str(folder / "state")}
    return Lake(f"s3://{bucket}/team/lake", lake, key, environment)
