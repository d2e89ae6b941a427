"""Runs `evscribe-data pull` and says what came of it."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from workstations import Fleet, Workstation, sha256

REPO = Path(__file__).resolve().parents[2]
EVSCRIBE_DATA = REPO / "target" / "dataset" / "evscribe-data"
COMPLETE, NOTHING, SOME, LATER = 0, 1, 3, 75


@dataclass
class Pulled:
    code: int
    report: dict
    err: str
    seconds: float

    def of(self, host: Workstation | str) -> dict:
        """What the report says of that host."""
        name = host if isinstance(host, str) else host.name
        (said,) = [said for said in self.report["hosts"] if said["name"] == name]
        return said

    def states(self) -> dict[str, str]:
        return {said["name"]: said["state"] for said in self.report["hosts"]}


class Puller:
    """Who pulls from a fleet into one lake; `list` is the folder of its list of hosts."""

    def __init__(self, fleet: Fleet, into: str, list_folder: Path, environment: dict[str, str] | None = None):
        self.fleet, self.into, self.environment = fleet, into, environment
        self.list = list_folder / "hosts"

    def command(self, hosts: "list[Workstation | str]", *more) -> list[str]:
        lines = [host if isinstance(host, str) else host.line for host in hosts]
        self.list.write_text("".join(f"{line}\n" for line in lines))
        given = [str(each) for each in more]
        if "--identity" not in given:
            given += ["--identity", str(self.fleet.identity)]
        if "--known-hosts" not in given:
            given += ["--known-hosts", str(self.fleet.known_hosts)]
        return [str(EVSCRIBE_DATA), "pull", "--hosts", str(self.list), "--into", self.into, "--json", *given]

    def start(self, hosts, *more) -> subprocess.Popen:
        """Starts one that a test ends, in a group of its own."""
        command = self.command(hosts, *more)
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, start_new_session=True, env=self.environment, **streams)

    def pull(self, hosts, *more, limit_s: float = 120) -> Pulled:
        return self.finish(self.start(hosts, *more), limit_s)

    @staticmethod
    def finish(process: subprocess.Popen, limit_s: float = 120) -> Pulled:
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"pull does not end within {limit_s} s:\n{out}\n{err}") from None
        seconds = time.monotonic() - began
        report = json.loads(out) if out.strip() else {}
        return Pulled(process.returncode, report, err, seconds)


def union(*hosts: Workstation) -> dict[str, str]:
    """What all of them have on offer: SHA-256 by path."""
    return {path: checksum for host in hosts for path, checksum in host.offered().items()}


def data_files(lake: Path) -> dict[str, str]:
    """What an engine finds in a lake: SHA-256 by path."""
    ours = lake / "_evscribe"
    files = [path for path in lake.rglob("*") if not path.is_dir() and not path.is_relative_to(ours)]
    return {str(path.relative_to(lake)): sha256(path) for path in files}


def tree(folder: Path, without: Path | None = None) -> dict[str, tuple]:
    """Everything below a folder, so that a change of anything is seen."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        if without and (path == without or path.is_relative_to(without)):
            continue
        about = path.lstat()
        content = sha256(path) if path.is_file() and not path.is_symlink() else None
        target = os.readlink(path) if path.is_symlink() else None
        seen[str(path.relative_to(folder))] = (about.st_mode, about.st_uid, content, target)
    return seen


def children(pid: int) -> dict[int, str]:
    """All that a process started that still runs, and what each is called."""
    parents, names = {}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        parents[int(status.parent.name)] = int(rest.split()[1])
        names[int(status.parent.name)] = name
    found, new = {}, {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= {child: names[child] for child in new}
    return found
