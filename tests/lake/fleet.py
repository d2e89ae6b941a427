#!/usr/bin/env python3
"""What a pull costs a host, measured; and what that says of a large fleet. By hand:

    sudo target/venv/bin/python tests/lake/fleet.py measure [--hosts 1 10 50] [--rtt 0 20 100]
    sudo target/venv/bin/python tests/lake/fleet.py records [--days 1 30 365]
    target/venv/bin/python tests/lake/fleet.py model [--hosts 10000] [--jobs 16 64 128] [--rtt 20]

Workstations are real sshds in network namespaces of this machine, so both sides share
its processors. `measure` says what a pull costs and fits the model to it; `records`
what the lake's record of a host costs, the longer it gets; `model` plays a fleet in virtual time.
docs/FLEET.md has what came out, and on what.
"""

import argparse
import heapq
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

# A day of a workstation: for each of eight hours a file of events and one of marks.
HOURS, EVENTS_BYTES, MARKS_BYTES = 8, 700_000, 5_000
JOBS = 16


@dataclass
class Measured:
    """One pull: of how many hosts, how far away, and what it took."""

    what: str
    hosts: int
    rtt_ms: float
    seconds: float
    cpu_lake_s: float
    cpu_all_s: float
    connections: float
    line_bytes: float
    data_bytes: float
    memory_mib: float

    def each(self, total: float) -> float:
        return total / self.hosts


def cpu_of_machine() -> float:
    """Seconds of work of all processors since boot."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def line_of(device: str) -> int:
    counted = Path("/sys/class/net", device, "statistics")
    return sum(int((counted / name).read_text()) for name in ("rx_bytes", "tx_bytes"))


def pull(fleet, what: str, hosts: list, lake: Path, device: str, rtt_ms: float, jobs: int) -> Measured:
    from pulling import COMPLETE, Puller

    puller = Puller(fleet, str(lake), lake.parent)
    command = puller.command(hosts, "--jobs", jobs)
    before = [host.connections() for host in hosts]
    line, cpu, began = line_of(device), cpu_of_machine(), time.monotonic()
    out = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != COMPLETE:
        raise SystemExit(f"a pull failed: {said}")
    out.seek(0)
    report = json.load(out)
    connections = sum(host.connections() - was for host, was in zip(hosts, before, strict=True))
    return Measured(
        what,
        len(hosts),
        rtt_ms,
        seconds,
        used.ru_utime + used.ru_stime,
        cpu_of_machine() - cpu,
        connections,
        line_of(device) - line,
        report["totals"]["bytes"],
        used.ru_maxrss / 1024,
    )


def measure(arguments) -> None:
    from workstations import Fleet

    rows = []
    for rtt_ms in arguments.rtt:
        fleet = Fleet(max(arguments.hosts), longer={})
        try:
            device = fleet.network.name
            if rtt_ms:
                link = fleet.network.uplink()
                link.delay_s = rtt_ms / 2000
                device = f"{fleet.network.name}n"
            for host in fleet.all:
                # Two days: the second comes on offer after the first was pulled.
                for day in range(2):
                    for hour in range(HOURS):
                        host.seal(f"day{day}-{hour}-events", EVENTS_BYTES)
                        host.seal(f"day{day}-{hour}-marks", MARKS_BYTES)
            for count in arguments.hosts:
                hosts = fleet.all[:count]
                folder = Path(tempfile.mkdtemp(prefix="evscribe-fleet-"))
                run = lambda what: rows.append(pull(fleet, what, hosts, folder / "lake", device, rtt_ms, arguments.jobs))  # noqa: B023, E731
                for host in hosts:
                    host.offer([path for path in host.sealed if "day1-" not in path])
                run("first")
                for host in hosts:
                    host.offer()
                run("day")
                run("unchanged")
                show(rows[-3:])
                shutil.rmtree(folder)
        finally:
            fleet.close()
    print(json.dumps([asdict(row) for row in rows]), file=sys.stderr)
    fit(rows)


def show(rows: list[Measured]) -> None:
    for row in rows:
        print(
            f"| {row.what} | {row.hosts} | {row.rtt_ms:.0f} | {row.seconds:.2f} | {row.each(row.connections):.1f} | "
            f"{row.each(row.line_bytes) / 1000:.1f} | {row.each(row.data_bytes) / 1000:.0f} | "
            f"{row.each(row.cpu_lake_s) * 1000:.0f} | {row.each(row.cpu_all_s) * 1000:.0f} | {row.memory_mib:.0f} |",
            flush=True,
        )


def fit(rows: list[Measured]) -> None:
    """Time of one host alone: so much by itself, so many round trips on the line."""
    for what in ("unchanged", "day"):
        alone = sorted((row.rtt_ms / 1000, row.seconds) for row in rows if row.what == what and row.hosts == min(r.hosts for r in rows))
        if len(alone) > 1:
            slope, fixed = statistics.linear_regression(*zip(*alone, strict=True))
            print(f"{what}: a host takes {fixed:.2f} s and {slope:.1f} round trips of the line")


def records(arguments) -> None:
    """An unchanged host whose record has the files of many days."""
    from workstations import Fleet

    fleet = Fleet(1, longer={})
    folder = Path(tempfile.mkdtemp(prefix="evscribe-fleet-"))
    try:
        host, lake, device = fleet.all[0], folder / "lake", fleet.network.name
        pull(fleet, "first", [host], lake, device, 0, JOBS)
        place = lake / "_evscribe/hosts" / f"{host.pseudonym}.json"
        own = json.loads(place.read_text())
        path, about = next(iter(own["files"].items()))
        for days in arguments.days:
            files = days * 2 * HOURS
            old = {path.replace("date=2026", f"date={2000 + n // 9_000}").replace(".parquet", f"-{n}.parquet"): n for n in range(files)}
            for name in old:
                (source,) = about["sources"]
                old[name] = about | {"sources": [source | {"path": name}]}
            place.write_text(json.dumps(own | {"files": own["files"] | old}, separators=(",", ":")))
            size = place.stat().st_size
            for _ in range(2):
                row = pull(fleet, f"{days} days", [host], lake, device, 0, JOBS)
            show([row])
            print(f"its record: {files} files, {size / 1000:.0f} kB, {size / files:.0f} bytes a file; of 10,000 hosts {size / 1e5:.1f} GB")
    finally:
        fleet.close()
        shutil.rmtree(folder)


@dataclass
class Costs:
    """Of one host, as measured: time alone, round trips of the line, work of the lake's
    processors, bytes."""

    fixed_s: float
    trips: float
    cpu_s: float
    line_bytes: float


# What `measure` said; docs/FLEET.md names the machine.
UNCHANGED = Costs(fixed_s=0.28, trips=22, cpu_s=0.09, line_bytes=12_000)
DAY = Costs(fixed_s=0.82, trips=68, cpu_s=0.32, line_bytes=6_050_000)


def played(hosts: int, jobs: int, rtt_s: float, cores: int, line: float, changed: float, away: float, timeout_s: float, seed: int = 1) -> float:
    """How long a pull takes, in virtual time: `jobs` at once, each host with its own
    distance, some of them changed, some away until `timeout_s` is over."""
    chance = random.Random(seed)
    free = [0.0] * jobs
    cpu = traffic = 0.0
    for _ in range(hosts):
        at = heapq.heappop(free)
        if chance.random() < away:
            heapq.heappush(free, at + timeout_s)
            continue
        costs = DAY if chance.random() < changed else UNCHANGED
        cpu, traffic = cpu + costs.cpu_s, traffic + costs.line_bytes
        far = rtt_s * chance.lognormvariate(0, 0.5)
        heapq.heappush(free, at + costs.fixed_s + costs.trips * far)
    # No faster than its processors and its line.
    return max(*free, cpu / cores, traffic / line)


def model(arguments) -> None:
    print("| jobs | timeout s | nothing changed | a day's files | a tenth changed | … and a twentieth is away |")
    print("|---|---|---|---|---|---|")
    for jobs in arguments.jobs:
        for timeout in arguments.timeout:
            cases = ((0, 0), (1, 0), (0.1, 0), (0.1, 0.05))
            times = [
                played(arguments.hosts, jobs, arguments.rtt / 1000, arguments.cores, arguments.line * 1e6 / 8, changed, away, timeout)
                for changed, away in cases
            ]
            print(f"| {jobs} | {timeout} | " + " | ".join(f"{seconds / 60:.1f} min" for seconds in times) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("measure")
    one.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 50])
    one.add_argument("--rtt", type=float, nargs="+", default=[0, 20, 100], help="ms")
    one.add_argument("--jobs", type=int, default=JOBS)
    one.set_defaults(run=measure)
    one = commands.add_parser("records")
    one.add_argument("--days", type=int, nargs="+", default=[1, 30, 365])
    one.set_defaults(run=records)
    one = commands.add_parser("model")
    one.add_argument("--hosts", type=int, default=10_000)
    one.add_argument("--jobs", type=int, nargs="+", default=[16, 64, 128])
    one.add_argument("--timeout", type=float, nargs="+", default=[60, 10], help="s, of a host that is away")
    one.add_argument("--rtt", type=float, default=20, help="ms, the median")
    one.add_argument("--cores", type=int, default=4, help="of the lake's machine")
    one.add_argument("--line", type=float, default=1000, help="Mbit/s, of the lake's machine")
    one.set_defaults(run=model)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
