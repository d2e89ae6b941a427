"""The guest's disk as whoever steals it sees it: raw bytes, and whose they are."""

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

BLOCK = 4096
CHUNK = 64 << 20


class Disk:
    """The disk that `boot` left, EVSCRIBE_GUEST_KEEP_DISK; `raw` is as the power
    went, `replayed` as the next boot's file system sees it."""

    def __init__(self, run: Path):
        self.folder = run / "disk"
        self.folder.mkdir(exist_ok=True)
        self.raw = self.folder / "raw"
        if not self.raw.exists():
            tool(["qemu-img", "convert", "-O", "raw", run / "disk.qcow2", self.raw])

    def find(self, what: bytes) -> list[int]:
        """Where these bytes stand, whatever the file system thinks of the place."""
        out = []
        with self.raw.open("rb") as file:
            for begins, length in pieces(file.fileno()):
                # As much more as a find over the seam needs.
                data = os.pread(file.fileno(), length + len(what) - 1, begins)
                at = data.find(what)
                while 0 <= at < length:
                    out.append(begins + at)
                    at = data.find(what, at + 1)
        return out

    def owners(self, places: list[int]) -> set[str]:
        """The files that these places belong to; "" for blocks of none, "<N>" for
        those of the file system itself."""
        if not places:
            return set()
        blocks = sorted({at // BLOCK for at in places})
        told = self.debugfs("icheck " + " ".join(map(str, blocks)))
        inodes = [line.split("\t")[1] for line in told.splitlines()[1:]]
        out = {"" for inode in inodes if not inode.isdigit()}
        numbers = {inode for inode in inodes if inode.isdigit()}
        if numbers:
            named = dict(re.findall(r"^(\d+)\t(.*)$", self.debugfs("ncheck " + " ".join(numbers)), re.M))
            out |= {re.sub("^/+", "/", named.get(number, f"<{number}>")) for number in numbers}
        return out

    def take(self, path: str, name: str) -> Path:
        """Copies a folder out of the file system."""
        to = self.folder / name
        if not to.exists():
            to.mkdir()
            self.debugfs(f"rdump {path} {to}")
        return to / Path(path).name

    def debugfs(self, command: str) -> str:
        return tool(["debugfs", "-R", command, self.replayed])

    @cached_property
    def replayed(self) -> Path:
        disk = self.folder / "replayed"
        if not disk.exists():
            tool(["cp", "--sparse=always", self.raw, disk])
            # 1: it had something to replay.
            tool(["e2fsck", "-y", "-E", "journal_only", disk], codes=(0, 1))
        return disk


def pieces(fd: int) -> Iterator[tuple[int, int]]:
    """Where something is in a file, and how much, holes left out."""
    end = os.fstat(fd).st_size
    begins = hole = 0
    while hole < end:
        try:
            begins = os.lseek(fd, hole, os.SEEK_DATA)
        except OSError as error:
            # The rest is a hole.
            if error.errno == errno.ENXIO:
                return
            raise
        hole = os.lseek(fd, begins, os.SEEK_HOLE)
        for at in range(begins, hole, CHUNK):
            yield at, min(CHUNK, hole - at)


def tool(command: list, codes=(0,)) -> str:
    path = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=path)
    assert done.returncode in codes, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
