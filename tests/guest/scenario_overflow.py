"""The kernel's buffer overflows while the daemon is stopped: a mark, no stuck key. Or
the device goes meanwhile, and takes along what was not read: a mark, too."""

from collections import defaultdict

from record import assert_there_or_marked, expected_events

INSIDE = """
install_evscribe
memory_disk 128
policy ann full
start_service
play overflow overflow --rounds 3

# Far from what a buffer holds.
play gone keyboard --seconds 4 &
typing=$!
begun $scratch/sent/gone.jsonl
sleep 2
kill -STOP $(main_pid)
wait $typing
kill -CONT $(main_pid)
sleep 1
bring_out
"""

KEY_A, KEY_D, KEY_E, KEY_B, KEY_H = 30, 32, 18, 48, 35
BTN_RIGHT, BTN_MIDDLE = 0x111, 0x112
# The daemon needs a moment after it is continued.
AFTER_US = 250_000


def holes(guest) -> list[tuple[int, int]]:
    return [(hole["from_us"], hole["until_us"]) for hole in guest.printed("overflow")]


def changes(guest, name: str, code: int) -> list[tuple]:
    until = guest.sent("gone")[0]["t_us"]
    rows = [row for row in guest.dataset.of_device("events", f"evscribe hands {name}") if row["boot_us"] < until]
    return [(row["down"], row["inferred"]) for row in rows if row["code"] == code and row["kind"] in ("key", "button")]


def it_marks_each_hole_on_each_device(guest):
    for name in ("keyboard", "mouse"):
        (number,) = guest.dataset.device_numbers(f"evscribe hands {name}")
        drops = [row for row in guest.dataset.marks("drop") if row["device"] == number]
        if name == "keyboard":
            assert drops.pop()["boot_us"] > holes(guest)[-1][1] + AFTER_US
        assert len(drops) == len(holes(guest)), name
        for drop, (since, until) in zip(drops, holes(guest)):
            end = drop.get("until_boot_us") or drop["boot_us"]
            assert drop["boot_us"] <= until + AFTER_US and end >= since
            assert drop["reason"] == "kernel_buffer"


def it_begins_a_new_run_after_each_hole(guest):
    for name in ("keyboard", "mouse"):
        rows = guest.dataset.of_device("events", f"evscribe hands {name}")
        for since, until in holes(guest):
            before = {row["run"] for row in rows if row["boot_us"] < since}
            after = {row["run"] for row in rows if row["boot_us"] > until + AFTER_US}
            assert before and after and not before & after


def it_releases_what_was_released_inside(guest):
    rounds = len(holes(guest))
    assert changes(guest, "keyboard", KEY_A) == [(True, False), (False, True)] * rounds
    assert changes(guest, "mouse", BTN_RIGHT) == [(True, False), (False, True)] * rounds


def it_keeps_down_what_stayed_down(guest):
    assert changes(guest, "keyboard", KEY_B) == [(True, False), (False, False)] * len(holes(guest))


def it_infers_the_press_of_what_is_down_after(guest):
    assert changes(guest, "keyboard", KEY_E) == [(True, True), (False, False)] * len(holes(guest))


def it_leaves_no_key_stuck(guest):
    down = defaultdict(set)
    for row in guest.dataset.rows("events"):
        if row["kind"] in ("key", "button"):
            held = down[row["device"]]
            (held.add if row["down"] else held.discard)(row["code"])
    assert not any(down.values())
    # Pressed and released inside: never seen, or seen whole.
    assert [d for d, _ in changes(guest, "mouse", BTN_MIDDLE)].count(True) == [
        d for d, _ in changes(guest, "mouse", BTN_MIDDLE)
    ].count(False)


def it_sees_everything_after_the_hole(guest):
    assert changes(guest, "keyboard", KEY_H) == [(True, False), (False, False)] * len(holes(guest))


def it_marks_what_a_device_took_along_that_went_unread(guest):
    sent = guest.sent("gone")
    since = sent[0]["t_us"]
    (number,) = guest.dataset.device_numbers("evscribe hands keyboard")
    *_, mark = [m for m in guest.dataset.marks("drop") if m["device"] == number]
    *_, unplug = [m for m in guest.dataset.marks("unplug") if m["device"] == number]
    rows = [row for row in guest.dataset.of_device("events", "evscribe hands keyboard") if row["boot_us"] >= since]
    missing = assert_there_or_marked(rows, [mark], expected_events(sent))
    assert 0 < missing < sum(len(report) for _, report in expected_events(sent))
    assert mark["reason"] == "kernel_buffer"
    # Not longer than it has to be: what was read is outside of it.
    assert max(row["boot_us"] for row in rows if not row["inferred"]) <= mark["boot_us"]
    assert mark["until_boot_us"] <= unplug["boot_us"]


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"
