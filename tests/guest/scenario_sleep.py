"""The machine sleeps (ACPI S3) under typing and is woken by its clock: a mark says how
long, the file before is closed, the next has an anchor of its own, nothing is lost,
and the person is not taken for another.

The hardware clock follows the host here: it alone goes on in a sleep, as a real one
does, and has to wake the machine; virtual time stands still meanwhile. The lighter
sleep, to idle, never ends here: the emulator's clock does not interrupt it.
"""

from collections import defaultdict

from record import assert_same, event_rows, expected_events

RTC = "host"
ASLEEP_S = 20

INSIDE = f"""
# The shares of the host do not survive a sleep (9pnet_virtio cannot suspend):
# nothing of this step may come from them, and they are let go for its time.
if [ "$0" != /root/step ]; then
    cp "$0" /root/step
    cp "$hands" /root/hands
    exec bash -eE -o pipefail /root/step
fi
hands=/root/hands
shares=$(basename -a /sys/bus/virtio/drivers/9pnet_virtio/virtio*)
let_go_of_shares() {{
    umount /out /repo
    for share in $shares; do echo $share >/sys/bus/virtio/drivers/9pnet_virtio/unbind; done
}}
take_shares() {{
    for share in $shares; do echo $share >/sys/bus/virtio/drivers/9pnet_virtio/bind; done
    mount /repo
    mount /out
}}
install_evscribe
policy ann full
memory_disk 128
mkdir -p $scratch/sent
warm rtcwake date chvt
start_service
now_us() {{ python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)'; }}
# asleep NAME: sleeps, and says on both clocks since when and until when.
asleep() {{
    # The kernel does so itself, and its alarm waits for nobody.
    sync
    now_us >$scratch/$1-before
    rtcwake -m mem -s {ASLEEP_S} >/dev/null
    now_us >$scratch/$1-after
}}
now_us >/dev/null
"$hands" --wait-for evscribed --record $scratch/sent/typed.jsonl keyboard --seconds 24 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/sent/moved.jsonl mouse --hz 125 --seconds 24 &
moving=$!
begun $scratch/sent/typed.jsonl
begun $scratch/sent/moved.jsonl
sleep 4
let_go_of_shares
sleep 4
# Without a graphics driver the kernel leaves the person's terminal for a sleep, and
# logind says that nobody is there.
asleep typing
wait $typing $moving
sleep 2
# Devices that are slow to wake: nobody has the processor for three seconds.
sysctl -q -w kernel.sched_rt_runtime_us=-1
python3 - <<'PYTHON' &
import os, time
def slept():
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
before = slept()
while slept() < before + 1:
    time.sleep(0.001)
until = time.monotonic() + 3
while time.monotonic() < until:
    pass
PYTHON
hog=$!
sleep 2
asleep idle
wait $hog
until_true 10 collects
"$hands" --wait-for evscribed --record $scratch/sent/later.jsonl keyboard --seconds 5
sleep 2
# Somebody goes to the terminal of sleeps, and the machine does not sleep.
"$hands" --wait-for evscribed --record $scratch/sent/elsewhere.jsonl keyboard --seconds 6 &
typing=$!
begun $scratch/sent/elsewhere.jsonl
sleep 2
moment left
chvt 63
sleep 3
collects_not
chvt 1
until_true 10 collects
moment back
wait $typing
sleep 2
take_shares
bring_out
"""


def clocks(guest, when: str) -> tuple[int, int]:
    boot, monotonic = guest.text(when).split()
    return int(boot), int(monotonic)


def slept_us(guest, name: str) -> int:
    (before, before_mono), (after, after_mono) = clocks(guest, f"{name}-before"), clocks(guest, f"{name}-after")
    return (after - before) - (after_mono - before_mono)


def by_code(reports: list[tuple]) -> dict:
    """(at µs, what it did) of each key and button, of motion and of scrolling."""
    out = defaultdict(list)
    for t, rows in reports:
        for kind, *what in rows:
            out[(kind, what[0]) if kind in ("key", "button") else kind].append((t, tuple(what)))
    return out


def it_sleeps_twice_and_survives(guest):
    for name in ("typing", "idle"):
        # The hardware clock is the host's: what falling asleep takes there is missing.
        assert ASLEEP_S // 4 * 1_000_000 <= slept_us(guest, name)
    assert guest.unit()["NRestarts"] == "0"


def it_marks_the_sleep_with_its_length(guest):
    marks = sorted(guest.dataset.marks("suspend"), key=lambda mark: mark["boot_us"])
    assert len(marks) == 2
    for mark, name in zip(marks, ("typing", "idle")):
        assert mark["reason"] == "machine_slept"
        assert abs(mark["until_us"] - mark["time_us"] - slept_us(guest, name)) < 10_000
        assert clocks(guest, f"{name}-before")[0] <= mark["until_boot_us"] <= clocks(guest, f"{name}-after")[0] + 1_000_000


def it_loses_no_event_over_the_sleep(guest):
    """Each key in its order. The kernel lets go of what is held when the machine
    falls asleep, so such a release may come before it was sent."""
    asleep, awake = clocks(guest, "typing-before")[0], clocks(guest, "typing-after")[0]
    for name, play in (("keyboard", "typed"), ("mouse", "moved")):
        sent = guest.sent(play)
        rows = guest.dataset.of_device("events", f"evscribe hands {name}")
        rows = [row for row in rows if row["boot_us"] <= sent[-1]["t_us"] + 200_000]
        got, wanted = by_code(event_rows(rows)), by_code(expected_events(sent))
        assert got.keys() == wanted.keys()
        for code, asked in wanted.items():
            assert [what for _, what in got[code]] == [what for _, what in asked], f"{name} {code}"
            for (t, what), (s, _) in zip(got[code], asked):
                crosses = asleep <= t <= awake or asleep <= s <= awake
                assert 0 <= t - s <= 5_000 or crosses or (not what[-1] and asleep <= t <= s), f"{name} {code}"
    assert not guest.dataset.marks("drop")


def it_closes_the_file_and_anchors_anew(guest):
    """No file has rows of before and of long after."""
    mark = min(guest.dataset.marks("suspend"), key=lambda mark: mark["boot_us"])
    anchors = sorted({int(guest.dataset.metadata(file)["evscribe.anchor_boot_us"]) for file in guest.dataset.files("events")})
    assert anchors[0] < mark["boot_us"]
    assert [at for at in anchors if at >= mark["until_boot_us"]]
    for rows in guest.dataset.rows_by_file("events"):
        assert rows[-1]["boot_us"] <= mark["until_boot_us"] + 100_000 or rows[0]["boot_us"] >= mark["boot_us"]


def typed(guest, since: int, until: int) -> list[dict]:
    rows = guest.dataset.of_device("events", "evscribe hands keyboard")
    return [row for row in rows if since <= row["boot_us"] <= until]


def it_takes_nobody_for_another_over_a_sleep(guest):
    left = guest.moment("left")
    told = [m["mark"] for m in guest.dataset.rows("marks") if m["device"] is None and m["boot_us"] < left]
    assert told.count("start") == 1 and not {"switch", "stop"} & set(told)
    sent = guest.sent("later")
    assert_same(event_rows(typed(guest, sent[0]["t_us"], sent[-1]["t_us"] + 200_000)), expected_events(sent))


def it_keeps_nothing_of_the_terminal_of_sleeps_where_the_machine_did_not_sleep(guest):
    """Devices are open for the two seconds that a sleep may take."""
    left, back = guest.moment("left"), guest.moment("back")
    sent = [line["t_us"] for line in guest.sent("elsewhere")]
    assert [t for t in sent if t < left - 20_000] and [t for t in sent if left + 20_000 < t < left + 1_500_000]
    assert typed(guest, sent[0], left - 20_000)
    assert not typed(guest, left + 20_000, back - 500_000)
    assert [m for m in guest.dataset.marks("switch") if left <= m["boot_us"] <= back]


def it_has_times_in_order_within_each_file(guest):
    for table in ("events", "marks"):
        files = guest.dataset.rows_by_file(table)
        assert files
        for rows in files:
            times = [row["time_us"] for row in rows]
            assert times == sorted(times)
