"""Sixteen devices at once, a flood, chords of forty keys, a loose plug, a liar: each
is read as far as the kernel lets anybody, and none disturbs another."""

from collections import defaultdict

from harness import figure
from record import assert_same, assert_there_or_marked, event_row, event_rows, expected_events, expected_touch, touch_rows

BLINKS = 200

INSIDE = f"""
install_evscribe
policy ann full
memory_disk 256
mkdir -p $scratch/sent $scratch/printed

# What the liar's axes say is set before anybody can have read them.
"$hands" --settle-ms 3000 --wait-for evscribed --record $scratch/sent/liar.jsonl liar --reports 600 &
lying=$!
until_true 5 exists liar
python3 /repo/tests/guest/inside_lie.py "$(node_of liar)" >$scratch/lies
start_service
wait $lying

play crowd crowd --seconds 12
play flood flood --reports 60000
# And before the reader, which is left next to nothing of the one processor.
nice -n -20 "$hands" --wait-for evscribed --record $scratch/sent/urgent.jsonl flood --reports 60000
play chord chord --rounds 10

held() {{
    echo "$(ls /proc/$(main_pid)/fd | wc -l) $(awk '/VmRSS/ {{print $2}}' /proc/$(main_pid)/status)" >>$scratch/held
}}
# The first hundred come and go before it is counted: what is made once, by the
# allocator too, is made then.
play warm blink --times {BLINKS // 2}
sleep 2
held
play blink --seed 7 blink --times {BLINKS // 2}
sleep 2
held
cp /run/evscribe/evscribe.prom $scratch/
grep VmHWM /proc/$(main_pid)/status >$scratch/memory
bring_out
"""

KINDS = {"keyboard": 6, "mouse": 6, "touchpad": 2, "touchscreen": 2}


def sent_by(guest, play: str, device: str) -> list[dict]:
    return [line for line in guest.sent(play) if line["device"] == f"evscribe hands {device}"]


def span(guest, play: str) -> tuple[int, int]:
    lines = guest.sent(play)
    # Less than the hands linger, before the next play begins.
    return lines[0]["t_us"], lines[-1]["t_us"] + 200_000


def during(guest, play: str, table: str, device: str) -> list[dict]:
    since, until = span(guest, play)
    return [row for row in guest.dataset.of_device(table, f"evscribe hands {device}") if since <= row["boot_us"] < until]


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"


def it_reads_sixteen_devices_at_once_row_for_row(guest):
    for kind, count in KINDS.items():
        for n in range(1, count + 1):
            name = f"{kind} {n}"
            asked = sent_by(guest, "crowd", name)
            if events := expected_events(asked):
                assert_same(event_rows(during(guest, "crowd", "events", name)), events)
            if kind.startswith("touch"):
                assert_same(touch_rows(during(guest, "crowd", "touch", name), kind == "touchpad"), expected_touch(asked))
    assert not [m for m in guest.dataset.marks("drop") if span(guest, "crowd")[0] <= m["boot_us"] < span(guest, "crowd")[1]]


def drops(guest, since: int, until: int) -> list[dict]:
    """The marks of holes that lie at least partly between the two, boot clock, µs."""
    return [m for m in guest.dataset.marks("drop") if since <= m["until_boot_us"] and m["boot_us"] < until]


def flood_numbers(guest, play: str) -> list[tuple[int, int]]:
    """(run, number) of each report of the flood that became a row."""
    rows = during(guest, play, "events", "mouse")
    return [(row["run"], row["dx"] - 1 + (row["dy"] - 1) * 1000) for row in rows if row["kind"] == "motion"]


def holes(guest, play: str) -> int:
    """Asserts that within a run no report of the flood is missing, and that between
    runs stands a mark. Returns how many are missing."""
    numbers = flood_numbers(guest, play)
    since, until = span(guest, play)
    of_mouse = guest.dataset.device_numbers("evscribe hands mouse")
    marks = {m["run"]: m for m in drops(guest, since, until) if m["device"] in of_mouse}
    assert all(mark["reason"] == "kernel_buffer" for mark in marks.values())
    asked = len(sent_by(guest, play, "mouse"))
    assert asked == 60_000
    gaps = missing = 0
    # Where the first are missing, they are before the first run or in a mark of it.
    for (run, n), (next_run, m) in zip([(None, -1), *numbers], numbers):
        assert m > n, "a report twice, or before the one that came before it"
        if m != n + 1:
            assert next_run != run and next_run in marks, f"reports {n + 1} to {m - 1} are missing and no mark says so"
            gaps, missing = gaps + 1, missing + m - n - 1
    tail = asked - 1 - (numbers[-1][1] if numbers else -1)
    # The last hole may reach to the end of the flood.
    assert tail == 0 or max(m["until_boot_us"] for m in marks.values()) >= until - 250_000
    took = (until - since - 200_000) / 1e6
    figure(f"{play}: {asked / took:.0f} reports/s, {len(numbers)} rows, {missing} missing in {gaps} marked gaps, {tail} at the end")
    assert len(numbers) + missing + tail == asked
    return missing + tail


def it_reads_what_uinput_sends_at_its_highest_rate(guest):
    assert holes(guest, "flood") == 0


def it_marks_every_report_that_the_kernel_dropped(guest):
    assert holes(guest, "urgent") > 0


def it_serves_the_keyboard_beside_a_flood(guest):
    asked = expected_events(sent_by(guest, "flood", "keyboard"))
    assert_same(event_rows(during(guest, "flood", "events", "keyboard")), asked, within_us=50_000)


def it_marks_what_the_keyboard_lost_where_the_reader_had_no_processor(guest):
    """What is missing was sent within the mark, and no key is left down."""
    numbers = guest.dataset.device_numbers("evscribe hands keyboard")
    since, until = span(guest, "urgent")
    marks = [m for m in drops(guest, since, until) if m["device"] in numbers]
    rows = during(guest, "urgent", "events", "keyboard")
    assert_there_or_marked(rows, marks, expected_events(sent_by(guest, "urgent", "keyboard")), within_us=50_000)
    down: set = set()
    for row in rows:
        (down.add if row["down"] else down.discard)(row["code"])
    assert not down


def it_keeps_forty_keys_of_one_report_apart(guest):
    asked = [row for _, report in expected_events(guest.sent("chord")) for row in report]
    rows = during(guest, "chord", "events", "keyboard")
    assert len(asked) == 10 * 2 * 40
    assert sorted(event_row(row) for row in rows) == sorted(asked)
    strokes = defaultdict(list)
    for row in rows:
        strokes[row["stroke"]].append((row["code"], row["down"], row["inferred"]))
    assert len(strokes) == 400
    assert all([(d, i) for _, d, i in pair] == [(True, False), (False, False)] and pair[0][0] == pair[1][0] for pair in strokes.values())


def it_holds_no_more_after_two_hundred_devices_came_and_went(guest):
    before, after = [[int(word) for word in line.split()] for line in guest.text("held").splitlines()]
    figure(f"descriptors {before[0]} → {after[0]}, memory {before[1]} → {after[1]} KiB, {guest.text('memory').split()[1]} KiB at most")
    assert after[0] == before[0]
    # A device that is kept would be a KiB each time.
    assert after[1] - before[1] < BLINKS // 2


def it_has_each_stroke_of_a_device_that_came_and_went(guest):
    """And the release of the key that was down when it went: the kernel sends it,
    but takes the device away before it is read, mostly."""
    key_b = 48
    asked = []
    for _, report in expected_events(guest.sent("blink")):
        asked += report + ([("key", key_b, False)] if report == [("key", key_b, True)] else [])
    rows = during(guest, "blink", "events", "keyboard")
    assert len(asked) == BLINKS // 2 * 3 // 4 * 4
    assert [event_row(row) for row in rows] == asked
    inferred = {event_row(row) for row in rows if row["inferred"]}
    assert inferred <= {("key", key_b, False)}


def it_marks_each_coming_and_going(guest):
    since, until = span(guest, "blink")
    plugs = [m for m in guest.dataset.marks("plug") if since - 5_000_000 <= m["boot_us"] < until]
    unplugs = [m for m in guest.dataset.marks("unplug") if since <= m["boot_us"] < until]
    assert len(unplugs) >= BLINKS // 2 * 3 // 4
    # Those that went at once may not have been seen.
    assert BLINKS // 2 * 3 // 4 <= len(plugs) <= BLINKS // 2


def it_takes_a_liar_for_what_it_says_and_no_more(guest):
    assert "inverted" in guest.text("lies")
    buttons = [row for row in guest.dataset.of_device("events", "evscribe hands liar")]
    assert {row["kind"] for row in buttons} <= {"button"}
    touch = guest.dataset.of_device("touch", "evscribe hands liar")
    # Each contact begins once and ends once, whatever the liar called it.
    phases = defaultdict(list)
    for row in touch:
        phases[row["contact"]].append(row["phase"])
    assert phases
    for contact, told in phases.items():
        assert told[0] == "down" and told[-1] == "up" and set(told[1:-1]) <= {"move"}, contact
