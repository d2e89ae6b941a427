"""Run in the guest: what a disk with a volatile cache holds after a power cut.

    inside_powercut.py mark SEED SECONDS >marks.jsonl
    inside_powercut.py cut SEED N FOLDER LOG DISK

The disk is a dm-log-writes target: it writes every request, in the order in
which it completed, into a log, and the writes that a FLUSH made durable before
that FLUSH. `mark` lays marks into the log at random moments, which ties it to
the clock. `cut` makes DISK, a file of zeros of the disk's size, what is left after
cut N of ten: the log up to a place in it, without what was in the cache. FOLDER
has marks.jsonl and `steps`, when a seal was asked for.

- Five cuts fall on random marks. Nothing that was not flushed by then is left.
- Five fall into seals, on a FLUSH that does not come to its end. Of what it would have made durable, each sector is left or not, by
  chance: caches write back as they like.

Source: drivers/md/dm-log-writes.c; a FUA write is logged when it is done, other
writes when the FLUSH after them is.
"""

import json
import mmap
import os
import random
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512

CUTS = 10
# From the step of the clock that asks for a seal until the seal is done.
SEAL_US = 400_000


def boot_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def mark(seed: int, seconds: float) -> None:
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    n = 0
    while time.monotonic() < until:
        before = boot_us()
        subprocess.run(["dmsetup", "message", "state", "0", "mark", f"m{n}"], check=True)
        print(json.dumps({"mark": n, "before_us": before, "after_us": boot_us()}), flush=True)
        n += 1
        time.sleep(chance.uniform(0.03, 0.2))


@dataclass
class Entry:
    sector: int
    flags: int
    name: str
    data: memoryview
    sectors: int


def read_log(path: str) -> list[Entry]:
    size = os.lseek(file := os.open(path, os.O_RDONLY), 0, os.SEEK_END)
    log = memoryview(mmap.mmap(file, size, prot=mmap.PROT_READ))
    magic, _, count, sector_bytes = struct.unpack_from("<QQQI", log, 0)
    assert (magic, sector_bytes) == (MAGIC, SECTOR)
    at, out = SECTOR, []
    for _ in range(count):
        sector, sectors, flags, inline = struct.unpack_from("<QQQQ", log, at)
        name = bytes(log[at + 32 : at + 32 + inline]).rstrip(b"\0").decode() if flags & MARK else ""
        at += SECTOR
        data = log[at:at] if flags & DISCARD else log[at : at + sectors * SECTOR]
        at += len(data)
        out.append(Entry(sector, flags, name, data, sectors))
    return out


def is_flush(entry: Entry) -> bool:
    return bool(entry.flags & FLUSH)


def cached_sectors(log: list[Entry]) -> list[int]:
    """Before each entry, how many sectors the cache holds that no flush wrote out."""
    out, cached = [], 0
    for entry in log:
        out.append(cached)
        cached = 0 if is_flush(entry) else cached + (0 if entry.flags & FUA else len(entry.data) // SECTOR)
    return out


def places(log: list[Entry], marks: list[dict], steps: list[int], chance: random.Random) -> list[tuple[int, int, bool]]:
    """(place in the log, the clock then at the latest, whether in a flush)."""
    at_mark = {entry.name: n for n, entry in enumerate(log) if entry.flags & MARK}
    known = [(at_mark[f"m{m['mark']}"], m) for m in marks]
    # Not before anything was collected.
    plain = [(place, m["after_us"], False) for place, m in known if m["before_us"] > steps[0]]
    # With fewer in the cache, chance might lose all of them or none.
    cached = cached_sectors(log)
    sealing = []
    for (since, before), (until, after) in zip(known, known[1:]):
        if any(s <= after["after_us"] and before["before_us"] <= s + SEAL_US for s in steps):
            sealing += [(n, after["after_us"], True) for n in range(since, until) if is_flush(log[n]) and cached[n] >= 16]
    return chance.sample(plain, CUTS // 2) + chance.sample(sealing, CUTS // 2)


def cut(seed: int, n: int, folder: str, log_path: str, disk_path: str) -> None:
    marks = [json.loads(line) for line in open(f"{folder}/marks.jsonl")]
    steps = [int(line) for line in open(f"{folder}/steps")]
    log = read_log(log_path)
    place, at_us, in_flush = places(log, marks, steps, random.Random(seed))[n]
    chance = random.Random(seed + n + 1)
    last_flush = max((at for at in range(place) if is_flush(log[at])), default=-1)
    left = lost = 0
    with open(disk_path, "r+b") as disk:
        for at, entry in enumerate(log[:place]):
            assert not (is_flush(entry) and entry.data), "the device mapper sends the two one by one"
            is_durable = at < last_flush or entry.flags & FUA
            step = SECTOR if not is_durable else len(entry.data)
            for offset in range(0, len(entry.data), step or 1):
                # What is in the cache when the power goes is gone, or half of it.
                if not is_durable and (not in_flush or chance.random() < 0.5):
                    lost += 1
                    continue
                left += not is_durable
                disk.seek(entry.sector * SECTOR + offset)
                disk.write(entry.data[offset : offset + step])
            if entry.flags & DISCARD:
                disk.seek(entry.sector * SECTOR)
                disk.write(bytes(entry.sectors * SECTOR))
    print(json.dumps({
        "cut": n, "at_us": at_us, "in_flush": in_flush, "entries": place, "of": len(log),
        "sectors_left_of_cache": left, "sectors_lost_with_cache": lost,
    }))


if sys.argv[1] == "mark":
    mark(int(sys.argv[2]), float(sys.argv[3]))
else:
    cut(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
