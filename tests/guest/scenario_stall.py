"""The disk keeps the writer waiting while an 8 kHz mouse moves, and later for longer
than the queue reaches: memory stays bounded, and each row that was sent is either
there or counted by a mark.

The disk does not fail, it is silent: dmsetup suspends it, as a cable or a storage
network does. The writer's queue holds 128 batches, of 0.8 s or 4,096 rows each.
"""

from harness import figure
from record import by_report, event_row, expected_events

INSIDE = """
install_evscribe
policy ann full
memory_disk 256
mkdir -p $scratch/sent $scratch/printed
warm dmsetup
start_service
memory() { echo "$1 $(awk '/VmHWM|VmRSS/ {print $2}' /proc/$(main_pid)/status | xargs)" >>$scratch/memory; }
silent() { dmsetup suspend --nolockfs --noflush state; }
heard() { dmsetup resume state; }

memory before
for thread in /proc/$(main_pid)/task/*; do
    echo "$(cat $thread/comm) $(awk '{print $(NF-33)}' $thread/stat)"
done >$scratch/priorities
"$hands" --wait-for evscribed --record $scratch/sent/fast.jsonl mouse --hz 8000 --seconds 31 &
moving=$!
begun $scratch/sent/fast.jsonl
sleep 1.5
silent
sleep 30
memory fast
heard
wait $moving
sleep 5

# Little comes, but for longer than the queue reaches.
"$hands" --wait-for evscribed --record $scratch/sent/long.jsonl mouse --hz 125 --seconds 150 &
moving=$!
"$hands" --wait-for evscribed --record $scratch/sent/typed.jsonl keyboard --seconds 150 &
typing=$!
begun $scratch/sent/long.jsonl
begun $scratch/sent/typed.jsonl
sleep 2
silent
sleep 135
memory long
heard
wait $moving $typing
sleep 5
memory after
cp /run/evscribe/evscribe.prom $scratch/
cat /sys/fs/cgroup/system.slice/evscribed.service/memory.peak >$scratch/peak 2>/dev/null || true
bring_out
"""


def memory(guest) -> dict[str, tuple[int, int]]:
    """KiB at most so far, and KiB then."""
    words = [line.split() for line in guest.text("memory").splitlines()]
    return {name: (int(most), int(now)) for name, most, now in words}


def during(guest, play: str, rows: list[dict]) -> list[dict]:
    lines = guest.sent(play)
    since, until = lines[0]["t_us"], lines[-1]["t_us"] + 1_000_000
    return [row for row in rows if since <= row["boot_us"] < until]


def counted(guest, play: str, name: str) -> tuple[int, int, int]:
    """Rows sent, rows there, rows that marks call lost."""
    sent = sum(len(report) for _, report in expected_events(guest.sent(play)))
    rows = during(guest, play, guest.dataset.of_device("events", f"evscribe hands {name}"))
    numbers = guest.dataset.device_numbers(f"evscribe hands {name}")
    marks = [m for m in during(guest, play, guest.dataset.marks("drop")) if m["device"] in numbers]
    assert all(mark["reason"] == "queue_full" for mark in marks)
    return sent, len([r for r in rows if not r["inferred"]]), sum(mark["lost"] for mark in marks)


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"


def it_accounts_for_each_row_of_thirty_seconds_at_8_khz(guest):
    sent, there, lost = counted(guest, "fast", "mouse")
    figure(f"8 kHz, 30 s without a disk: {sent} rows sent, {there} there, {lost} marked as lost")
    assert sent >= 31 * 8000
    assert there + lost == sent


def it_accounts_for_each_row_beyond_the_queue(guest):
    """What is lost stands in one mark of each device, to the row."""
    total = 0
    for play, name in (("long", "mouse"), ("typed", "keyboard")):
        sent, there, lost = counted(guest, play, name)
        figure(f"135 s without a disk, {name}: {sent} rows sent, {there} there, {lost} marked as lost")
        assert there + lost == sent, name
        assert lost > 0, name
        total += lost
    metrics = dict(line.split() for line in guest.text("evscribe.prom").splitlines() if not line.startswith("#"))
    assert int(metrics["evscribe_rows_lost_total"]) == total + counted(guest, "fast", "mouse")[2]


def it_has_everything_on_both_sides_of_the_hole(guest):
    for play, name in (("long", "mouse"), ("typed", "keyboard")):
        numbers = guest.dataset.device_numbers(f"evscribe hands {name}")
        (mark,) = [m for m in during(guest, play, guest.dataset.marks("drop")) if m["device"] in numbers]
        rows = during(guest, play, guest.dataset.of_device("events", f"evscribe hands {name}"))
        rows = [row for row in rows if not row["inferred"]]
        asked = expected_events(guest.sent(play))
        got = by_report(rows, event_row)
        before = [r for r in got if r[0] < mark["boot_us"]]
        after = [r for r in got if r[0] > mark["until_boot_us"]]
        assert before and after
        assert [r for _, r in before] == [r for _, r in asked[: len(before)]], f"{name}, before"
        assert [r for _, r in after] == [r for _, r in asked[-len(after) :]], f"{name}, after"
        runs = {row["run"] for row in rows if row["boot_us"] < mark["boot_us"]}
        assert mark["run"] not in runs


def it_lets_nothing_but_the_reading_go_before_others(guest):
    """Neither writing nor answering takes the processor from who works there."""
    priorities = dict(line.split() for line in guest.text("priorities").splitlines())
    assert {"evscribed": "-10", "evscribe-writer": "0", "evscribe-bus": "0"}.items() <= priorities.items()


def it_misses_nothing_in_the_kernel(guest):
    """The reading thread does not wait for the disk."""
    assert not [mark for mark in guest.dataset.marks("drop") if mark["reason"] == "kernel_buffer"]


def it_stays_within_its_unit_s_memory(guest):
    told = memory(guest)
    figure(f"memory, KiB at most and then: {told}")
    # MemoryMax=128M; a page of the journal is the kernel's, not ours.
    assert told["after"][0] < 112 * 1024
