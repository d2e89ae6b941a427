"""An hour at the desk: work in bursts, pauses between, devices that come and go.
Nothing grows, nothing is lost.

The hour is the guest's: pauses cost the host nothing.
"""

from harness import figure
from record import assert_same, event_rows, expected_events, expected_touch, touch_rows

ROUNDS = 15

INSIDE = f"""
install_evscribe
policy ann full
# Six seals in the hour, by age.
printf '[segment]\\nmax_minutes = 10\\n' >>/etc/evscribe/policy.toml
memory_disk 128
mkdir -p $scratch/sent $scratch/printed
start_service
since=$(cut -d. -f1 /proc/uptime)
for round in $(seq 1 {ROUNDS}); do
    # Its three devices are plugged in for the burst, and out after it.
    play desk-$round --seed $round desk --seconds 14 --mouse-hz 125
    [ $((round % 3)) != 0 ] || play pen-$round --seed $round pen --seconds 3
    sleep 2
    echo "$(ls /proc/$(main_pid)/fd | wc -l) $(awk '/VmRSS/ {{print $2}}' /proc/$(main_pid)/status)" \\
        "$(ls /proc/$(main_pid)/task | wc -l)" >>$scratch/held
    left=$((since + round * 240 - $(cut -d. -f1 /proc/uptime)))
    [ $left -le 0 ] || sleep $left
done
echo $(($(cut -d. -f1 /proc/uptime) - since)) >$scratch/seconds
grep VmHWM /proc/$(main_pid)/status >$scratch/memory
cp /run/evscribe/evscribe.prom $scratch/
bring_out
"""


def held(guest) -> list[tuple[int, ...]]:
    """Descriptors, KiB and threads after each burst."""
    lines = [tuple(int(word) for word in line.split()) for line in guest.text("held").splitlines()]
    assert len(lines) == ROUNDS
    return lines


def it_lasts_an_hour_without_a_restart(guest):
    assert int(guest.text("seconds")) >= 3600
    assert guest.unit()["NRestarts"] == "0"


def it_holds_no_more_descriptors_or_threads_at_the_end(guest):
    descriptors, _, threads = zip(*held(guest))
    figure(f"descriptors {min(descriptors)} to {max(descriptors)}, threads {min(threads)} to {max(threads)}")
    # A journal is open between a burst and its seal.
    assert max(descriptors) - min(descriptors) <= 1
    assert set(threads[1:]) == {threads[0]}


def it_holds_no_more_memory_from_round_to_round(guest):
    """A seal's buffers stay with the allocator, so a round with a seal may add
    some, one without adds nothing: what each round kept would show in all."""
    kib = [kib for _, kib, _ in held(guest)]
    figure(f"memory after each burst: {kib} KiB, {guest.text('memory').split()[1]} KiB at most")
    grown = [after for before, after in zip(kib, kib[1:]) if after > before]
    assert len(grown) <= 6, "more rounds added memory than the hour has seals"
    # MemoryMax of its unit.
    assert max(kib) < 128 * 1024


def it_seals_by_age(guest):
    segments = {file.name.rpartition("-")[2] for file in guest.dataset.files("events")}
    assert len(segments) >= 4


def it_has_every_event_of_the_hour(guest):
    for table, name, wanted, got in (
        ("events", "keyboard", expected_events, event_rows),
        ("events", "mouse", expected_events, event_rows),
        ("touch", "touchpad", expected_touch, touch_rows),
    ):
        rows = guest.dataset.of_device(table, f"evscribe hands {name}")
        for n in range(1, ROUNDS + 1):
            sent = guest.sent(f"desk-{n}")
            since, until = sent[0]["t_us"], sent[-1]["t_us"] + 1_000_000
            asked = wanted([line for line in sent if line["device"] == f"evscribe hands {name}"])
            if asked:
                assert_same(got([r for r in rows if since <= r["boot_us"] < until and not r["inferred"]]), asked)


def it_marks_no_loss(guest):
    assert not guest.dataset.marks("drop")
    metrics = dict(line.split() for line in guest.text("evscribe.prom").splitlines() if not line.startswith("#"))
    assert metrics["evscribe_rows_lost_total"] == "0"
