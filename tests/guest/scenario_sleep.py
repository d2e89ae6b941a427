"""The machine sleeps (ACPI S3) under typing and is woken by its clock: a mark says how
long, the file before is closed, the next has an anchor of its own, nothing is lost.

In the host's time: virtual time stands still in a sleep, the hardware clock would
never wake the machine, and after it no timer comes (QEMU 7.2).
"""

from collections import defaultdict

from harness import metadata
from record import assert_same, event_rows, expected_events

TIME = "host"
ASLEEP_S = 5

INSIDE = f"""
install_evscribe
policy ann full
memory_disk 128
mkdir -p $scratch/sent
warm rtcwake date
start_service
now_us() {{ python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)'; }}
"$hands" --wait-for evscribed --record $scratch/sent/typed.jsonl keyboard --seconds 24 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/sent/moved.jsonl mouse --hz 125 --seconds 24 &
moving=$!
sleep 8
now_us >$scratch/before
rtcwake -m mem -s {ASLEEP_S} >/dev/null
now_us >$scratch/after
wait $typing $moving
sleep 2
bring_out
"""


def clocks(guest, when: str) -> tuple[int, int]:
    boot, monotonic = guest.text(when).split()
    return int(boot), int(monotonic)


def slept_us(guest) -> int:
    (before, before_mono), (after, after_mono) = clocks(guest, "before"), clocks(guest, "after")
    return (after - before) - (after_mono - before_mono)


def it_slept(guest):
    # The hardware clock counts whole seconds.
    assert (ASLEEP_S - 2) * 1_000_000 <= slept_us(guest)


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"


def it_marks_the_sleep_with_its_length(guest):
    (mark,) = guest.dataset.marks("suspend")
    assert mark["reason"] == "machine_slept"
    assert abs(mark["until_us"] - mark["time_us"] - slept_us(guest)) < 10_000
    assert clocks(guest, "before")[0] <= mark["until_boot_us"] <= clocks(guest, "after")[0] + 2_000_000


def it_loses_no_event_over_the_sleep(guest):
    for name, play in (("keyboard", "typed"), ("mouse", "moved")):
        rows = guest.dataset.of_device("events", f"evscribe hands {name}")
        assert_same(event_rows(rows), expected_events(guest.sent(play)), within_us=slept_us(guest) + 5_000)
    assert not guest.dataset.marks("drop")


def it_closes_the_file_and_anchors_anew(guest):
    """No file has rows of both sides, so that no file has two anchors."""
    (mark,) = guest.dataset.marks("suspend")
    anchors = defaultdict(set)
    for file in guest.dataset.files("events"):
        about = metadata(file)
        anchors[about["evscribe.segment"]] = int(about["evscribe.anchor_boot_us"])
    assert len([boot_us for boot_us in anchors.values() if boot_us < mark["boot_us"]]) >= 1
    assert len([boot_us for boot_us in anchors.values() if boot_us >= mark["until_boot_us"] - 2_000_000]) >= 1


def it_has_times_in_order_within_each_file(guest):
    for table in ("events", "marks"):
        files = guest.dataset.rows_by_file(table)
        assert files
        for rows in files:
            times = [row["time_us"] for row in rows]
            assert times == sorted(times)
