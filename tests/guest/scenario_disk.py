"""The disk is full, slow, silent, bad, read-only and dead: evscribed reads on, and
goes on writing by itself where the disk does. Nothing that was typed is lost.

All faults come from below the file system, by device-mapper, or from its mount.
"""

import json

from harness import figure
from record import assert_same, event_rows, expected_events

INSIDE = r"""
install_evscribe
policy ann full
memory_disk 128 -t ext4 -b 4096
modprobe dm-delay
state=/var/lib/evscribe
sectors=$(blockdev --getsz /dev/mapper/state)
healthy="0 $sectors linear /dev/ram0 0"
warm python3 dmsetup dumpe2fs evscribe fallocate mount

now_us() { python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)'; }
# table TABLE: puts it in force; what is under way is finished under the old one.
table() { dmsetup suspend --nolockfs state && dmsetup load state --table "$1" && dmsetup resume state; }
# during NAME: what is to be seen while the fault lasts.
during() {
    mkdir -p $scratch/during
    evscribe status --json >$scratch/during/$1.json
    find $state/dataset -name '*.parquet' -exec sha256sum {} + | sort >$scratch/during/$1.sealed
}
fault() { say "fault: $1" && echo "$1 $(now_us)" >>$scratch/faults; }
healed() { now_us >>$scratch/healed; sleep "$1"; evscribe status --json >$scratch/during/after-$(wc -l <$scratch/healed).json; }

start_service
mkdir -p $scratch/sent $scratch/during
"$hands" --wait-for evscribed --record $scratch/sent/keyboard.jsonl keyboard --seconds 150 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/sent/mouse.jsonl mouse --hz 125 --seconds 150 &
moving=$!
begun $scratch/sent/keyboard.jsonl
begun $scratch/sent/mouse.jsonl
sleep 5
# Something is sealed before the first fault.
date -s '+2 seconds' >/dev/null
sleep 3

fault full
# First less than evscribe keeps free for its seals, then nothing at all.
fallocate -l $(($(stat -f -c '%a * %S' $state) - 20 * 1024 * 1024)) $state/filler
sleep 8
fallocate -l $(($(stat -f -c '%f * %S' $state))) $state/filler2 || dd if=/dev/zero of=$state/filler2 bs=1M 2>/dev/null || true
sleep 8
during full
rm $state/filler*
healed 5

fault slow
table "0 $sectors delay /dev/ram0 0 0 /dev/ram0 0 5000"
sleep 16
during slow
table "$healthy"
healed 5

fault silent
dmsetup suspend --nolockfs --noflush state
sleep 16
evscribe status --json >$scratch/during/silent.json
dmsetup resume state
healed 5

fault bad
sync -f $state
table "$(python3 /repo/tests/guest/inside_badblocks.py /dev/mapper/state /dev/ram0)"
sleep 16
during bad
table "$healthy"
healed 5

fault read_only
echo u >/proc/sysrq-trigger
until_true 20 awk -v state=$state '$2 == state && $4 ~ /^ro/ {found = 1} END {exit !found}' /proc/mounts
until_true 20 awk '$2 == "/" && $4 ~ /^ro/ {found = 1} END {exit !found}' /proc/mounts
mount -o remount,rw /
sleep 12
during read_only
mount -o remount,rw $state
healed 5

wait $typing $moving
sleep 2
cp /run/evscribe/evscribe.prom $scratch/
grep -E 'Vm(HWM|RSS)' /proc/$(main_pid)/status >$scratch/memory
systemctl show evscribed >$scratch/unit-selfhealed
sync
find $state/dataset -name '*.parquet' -exec sha256sum {} + | sort >$scratch/during/last.sealed

# Nothing at all works any more: ext4 gives itself up until it is mounted anew.
fault dead
"$hands" --wait-for evscribed --record $scratch/sent/dead.jsonl keyboard --seconds 20 &
typing=$!
begun $scratch/sent/dead.jsonl
sleep 4
dmsetup suspend --nolockfs --noflush state
dmsetup load state --table "0 $sectors error"
dmsetup resume state
sleep 8
evscribe status --json >$scratch/during/dead.json
systemctl is-active evscribed >$scratch/dead-is-active
wait $typing
dmsetup suspend --nolockfs state
dmsetup load state --table "$healthy"
dmsetup resume state
systemctl stop evscribed || true
systemctl show -P Result evscribed >$scratch/dead-result
umount $state
e2fsck -p /dev/mapper/state >$scratch/e2fsck || say "e2fsck ended with $?"
mount /dev/mapper/state $state
systemctl start evscribed
until_true 30 collects
play repaired keyboard --seconds 5
sleep 1
bring_out
"""

HEALING = ["full", "slow", "silent", "bad", "read_only"]


def faults(guest) -> dict[str, int]:
    """When each began."""
    return {name: int(at) for name, at in (line.split() for line in guest.text("faults").splitlines())}


def healed(guest) -> list[int]:
    return [int(line) for line in guest.text("healed").split()]


def sealed(guest, when: str) -> set[str]:
    return set(guest.text(f"during/{when}.sealed").splitlines())


def it_does_not_crash(guest):
    unit = dict(line.split("=", 1) for line in guest.text("unit-selfhealed").splitlines() if "=" in line)
    assert (unit["NRestarts"], unit["ActiveState"]) == ("0", "active")


def it_loses_nothing_through_any_fault_that_heals(guest):
    """Row for row, both devices: what came meanwhile waited."""
    until = faults(guest)["dead"]
    for name in ("keyboard", "mouse"):
        rows = [row for row in guest.dataset.of_device("events", f"evscribe hands {name}") if row["boot_us"] < until]
        assert_same(event_rows(rows), expected_events(guest.sent(name)))


def it_has_no_drop_while_the_disk_heals(guest):
    assert not [mark for mark in guest.dataset.marks("drop") if mark["boot_us"] < faults(guest)["dead"]]
    metrics = dict(line.split() for line in guest.text("evscribe.prom").splitlines() if not line.startswith("#"))
    assert metrics["evscribe_rows_lost_total"] == "0"


def it_says_so_while_the_disk_takes_nothing(guest):
    for name in ("full", "bad", "read_only", "dead"):
        status = guest.json(f"during/{name}.json")
        assert status["state"] == "stalled", f"{name}: {status['state']}, {status['reason']}"


def it_goes_on_by_itself(guest):
    for n, name in enumerate(HEALING, start=1):
        assert guest.json(f"during/after-{n}.json")["state"] == "collecting", name


def it_marks_the_full_disk(guest):
    (mark,) = guest.dataset.marks("disk_full")
    assert faults(guest)["full"] <= mark["boot_us"]
    # Looked at again every two seconds.
    assert mark["until_boot_us"] <= healed(guest)[0] + 2_500_000
    assert mark["until_us"] - mark["time_us"] > 10_000_000


def it_keeps_sealed_files_as_they_are(guest):
    assert sealed(guest, "full")
    for name in ("full", "slow", "bad", "read_only"):
        assert sealed(guest, name) <= sealed(guest, "last"), name


def it_stays_small(guest):
    peak_kib = int(guest.text("memory").split()[1])
    figure(f"peak memory through the faults: {peak_kib / 1024:.1f} MiB")
    # MemoryMax of its unit.
    assert peak_kib < 128 * 1024


def it_lives_on_a_dead_disk_and_collects_after_its_repair(guest):
    assert guest.text("dead-is-active").strip() == "active"
    rows = guest.dataset.of_device("events", "evscribe hands keyboard")
    since = guest.sent("repaired")[0]["t_us"]
    assert_same(event_rows([row for row in rows if row["boot_us"] >= since]), expected_events(guest.sent("repaired")))


def it_explains_what_the_dead_disk_took(guest):
    """What is missing lies before the mark that ends what was collected, or that
    of the next start."""
    since, until = faults(guest)["dead"], guest.sent("repaired")[0]["t_us"]
    marks = [m for m in guest.dataset.marks("stop") if since <= m["boot_us"] < until]
    assert marks, "nothing says that collection ended"
    end = min(mark["boot_us"] for mark in marks)
    rows = [r for r in guest.dataset.of_device("events", "evscribe hands keyboard") if since <= r["boot_us"] < until and not r["inferred"]]
    asked = expected_events(guest.sent("dead"))
    kept = event_rows(rows)
    assert [r for _, r in kept] == [r for _, r in asked[: len(kept)]]
    assert not kept or kept[-1][0] <= end + 1_000
