"""Rows equal the generator's own record, event for event."""

import pytest

from record import assert_same, event_rows, expected_events, expected_touch, touch_rows

# One device at a time, each a fresh one of its name: of a device that comes back
# scenario_replug tells.
INSIDE = """
install_evscribe
memory_disk 128
policy ann full
start_service
play mouse-125 --seed 11 mouse --hz 125 --seconds 8
play mouse-1000 --seed 12 mouse --hz 1000 --seconds 5 --wheel detent
play mouse-8000 --seed 13 mouse --hz 8000 --seconds 4
play ps2-mouse --seed 14 mouse --hz 100 --seconds 4 --wheel low-res
play keyboard --seed 15 keyboard --seconds 30
play keyboard-125 --seed 16 keyboard --hz 125 --seconds 15
play touchpad --seed 17 touchpad --seconds 8
play touchscreen --seed 18 touchscreen --seconds 5
play cover --seed 19 switch --seconds 4
play pen --seed 20 pen --seconds 4
play abs-mouse --seed 21 abs-mouse --seconds 4
bring_out
"""

MICE = ["mouse-125", "mouse-1000", "mouse-8000", "ps2-mouse"]
KEYBOARDS = ["keyboard", "keyboard-125"]


def between(rows: list[dict], sent: list[dict]) -> list[dict]:
    """The rows of one play: plays share the device and are seconds apart."""
    first, last = sent[0]["t_us"], sent[-1]["t_us"]
    return [row for row in rows if first <= row["boot_us"] <= last + 100_000 and not row["inferred"]]


@pytest.mark.parametrize("play", MICE)
def it_writes_every_motion_button_and_wheel_turn(guest, play):
    sent = guest.sent(play)
    rows = between(guest.dataset.of_device("events", "evscribe hands mouse"), sent)
    assert_same(event_rows(rows), expected_events(sent, hi_res=play != "ps2-mouse"))


@pytest.mark.parametrize("play", KEYBOARDS)
def it_writes_every_key_and_no_repeat(guest, play):
    sent = guest.sent(play)
    assert any(value == 2 for line in sent for _, _, value in line["events"]), "nothing repeated"
    rows = between(guest.dataset.of_device("events", "evscribe hands keyboard"), sent)
    assert_same(event_rows(rows), expected_events(sent))


def it_writes_every_contact_of_five_fingers(guest):
    sent = guest.sent("touchpad")
    rows = between(guest.dataset.of_device("touch", "evscribe hands touchpad"), sent)
    assert_same(touch_rows(rows), expected_touch(sent))
    assert {row["tool"] for row in rows} == {"finger"}


def it_writes_every_contact_on_a_touchscreen(guest):
    sent = guest.sent("touchscreen")
    rows = between(guest.dataset.of_device("touch", "evscribe hands touchscreen"), sent)
    assert_same(touch_rows(rows, has_pressure=False), expected_touch(sent))
    assert all(row["pressure"] is None for row in rows)


def it_states_micrometres_where_the_device_states_its_resolution(guest):
    rows = guest.dataset.of_device("touch", "evscribe hands touchpad")
    # 20 units a millimetre.
    assert rows and all(row["x_um"] == row["x"] * 50 and row["y_um"] == row["y"] * 50 for row in rows)


def it_writes_every_turn_of_a_switch(guest):
    sent = guest.sent("cover")
    rows = between(guest.dataset.of_device("events", "evscribe hands cover"), sent)
    assert_same(event_rows(rows), expected_events(sent))


def it_tells_a_pen_near_from_a_pen_that_writes(guest):
    sent = guest.sent("pen")
    rows = between(guest.dataset.of_device("touch", "evscribe hands pen"), sent)
    changes = [tuple(e) for line in sent for e in line["events"] if e[0] == 1]
    assert sum(row["phase"] == "down" for row in rows) == changes.count((1, 0x14A, 1))
    assert sum(row["phase"] == "up" for row in rows) == changes.count((1, 0x14A, 0))
    leaves = changes.count((1, 0x140, 0)) + changes.count((1, 0x141, 0))
    assert sum(row["phase"] == "leave" for row in rows) == leaves
    assert {row["tool"] for row in rows} == {"pen", "rubber"}
    assert sum(row["phase"] == "hover" for row in rows) > 10


def it_writes_an_absolute_mouse_as_a_hovering_one(guest):
    sent = guest.sent("abs-mouse")
    rows = between(guest.dataset.of_device("touch", "evscribe hands abs-mouse"), sent)
    assert {(row["tool"], row["phase"]) for row in rows} == {("mouse", "hover")}
    moved = [line for line in sent if any(e[0] == 3 for e in line["events"])]
    assert len(rows) == len(moved)
    buttons = between(guest.dataset.of_device("events", "evscribe hands abs-mouse"), sent)
    assert_same(event_rows(buttons), expected_events(sent))


def it_pairs_every_press_with_its_release(guest):
    open_strokes: dict = {}
    pairs = 0
    for row in guest.dataset.rows("events"):
        if row["kind"] not in ("key", "button"):
            continue
        if row["down"]:
            assert row["stroke"] not in open_strokes, "a stroke number was given twice"
            open_strokes[row["stroke"]] = (row["device"], row["code"])
        else:
            assert open_strokes.pop(row["stroke"]) == (row["device"], row["code"])
            pairs += 1
    assert not open_strokes
    assert pairs > 100


def it_loses_nothing(guest):
    assert guest.dataset.marks("drop") == []


def it_ends_well(guest):
    unit = guest.unit()
    assert (unit["Result"], unit["NRestarts"]) == ("success", "0")
