"""`make bench`: what each collector costs, side by side in one guest.

    tests/guest/bench/run.py [LOAD…] [--collectors NAME…]

Boots the guest once, plays every load to every collector one after the other
(inside.sh), and prints a table: instructions a report, and ours by the floor's.
Exits with 1 only where something could not be measured; goals are shown, not
enforced.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import harness  # noqa: E402

# At most this many times what the floor costs.
GOALS = {
    "mouse-125": 1.3,
    "mouse-1000": 1.0,
    "mouse-8000": 0.45,
    "keyboard-125": 1.4,
    "touchpad-140": 1.5,
}
COLLECTORS = ["evscribe", "floor", "libinput-record", "evemu-record", "evtest", "python-evdev"]
RESIDENT_KIB = 12 * 1024


def measured(guest: harness.Guest) -> dict[str, dict[str, dict[str, int]]]:
    """load → collector → what was measured."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for line in guest.text("bench.tsv").splitlines():
        load, collector, *figures = line.split("\t")
        reports, ns, kib, size = (int(figure or 0) for figure in figures)
        table.setdefault(load, {})[collector] = {"per_report": ns / reports, "reports": reports, "kib": kib, "size": size}
    return table


def show(guest: harness.Guest) -> None:
    table = measured(guest)
    print("\ninstructions a report\n")
    print("| load | reports | " + " | ".join(COLLECTORS) + " | ours by the floor's | goal |")
    print("|---|---" + "|---" * len(COLLECTORS) + "|---|---|")
    for load, row in table.items():
        cells = [f"{row[name]['per_report']:,.0f}" if name in row else "" for name in COLLECTORS]
        ratio = goal = ""
        if "evscribe" in row and "floor" in row:
            by = row["evscribe"]["per_report"] / row["floor"]["per_report"]
            ratio = f"{by:.2f}"
            if load in GOALS:
                goal = f"{GOALS[load]:.2f} {'met' if by <= GOALS[load] else 'MISSED'}"
        reports = next(iter(row.values()))["reports"]
        print(f"| {load} | {reports:,} | " + " | ".join(cells) + f" | {ratio} | {goal} |")
    print("\npeak resident memory, KiB\n")
    print("| load | " + " | ".join(COLLECTORS) + " | goal |")
    print("|---" + "|---" * len(COLLECTORS) + "|---|")
    for load, row in table.items():
        cells = [f"{row[name]['kib']:,}" if name in row else "" for name in COLLECTORS]
        ours = row.get("evscribe", {}).get("kib", 0)
        print(f"| {load} | " + " | ".join(cells) + f" | {RESIDENT_KIB:,} {'met' if ours <= RESIDENT_KIB else 'MISSED'} |")
    print()
    for load in table:
        path = guest.result / f"status-{load}.json"
        if path.exists():
            status = json.loads(path.read_text())
            print(f"{load}: {status['events'] + status['touch']:,} rows, {status['kernel_drops']} overflows, {status['rows_lost']} rows lost")


def show_startup(guest: harness.Guest) -> None:
    ms = int(guest.text("startup-ns")) / 1e6
    print(f"\nstartup until devices are read: {ms:.1f} million instructions, so at most that many ms at 1 GIPS (goal 50)")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("loads", nargs="*")
    parser.add_argument("--collectors", nargs="*", default=[])
    chosen = parser.parse_args()
    inside = f'loads="{" ".join(chosen.loads)}"\ncollectors="{" ".join(chosen.collectors)}"\n'
    inside += "source /repo/tests/guest/bench/inside.sh\nbring_out\n"
    try:
        guest = harness.run("bench", inside, limit_s=3600)
    except harness.GuestFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    show(guest)
    show_startup(guest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
