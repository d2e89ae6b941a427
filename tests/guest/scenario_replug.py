"""A mouse unplugged with a button held comes back under another event number."""

INSIDE = """
install_evscribe
memory_disk 128
policy ann full
start_service
play hold hold
bring_out
"""

BTN_LEFT = 0x110


def mouse_rows(guest) -> list[dict]:
    return guest.dataset.of_device("events", "evscribe hands mouse")


def it_comes_back_under_another_number(guest):
    nodes = guest.printed("hold")
    assert nodes["before"] != nodes["after"]


def it_is_one_device(guest):
    assert len(guest.dataset.device_numbers("evscribe hands mouse")) == 1


def it_infers_the_release_at_the_unplug(guest):
    buttons = [row for row in mouse_rows(guest) if row["kind"] == "button"]
    assert [(row["code"], row["down"], row["inferred"]) for row in buttons] == [
        (BTN_LEFT, True, False),
        (BTN_LEFT, False, True),
        (BTN_LEFT, True, False),
        (BTN_LEFT, False, False),
    ]
    assert buttons[0]["stroke"] == buttons[1]["stroke"] != buttons[2]["stroke"] == buttons[3]["stroke"]


def it_marks_the_unplug_and_both_plugs(guest):
    (number,) = guest.dataset.device_numbers("evscribe hands mouse")
    marks = [row["mark"] for row in guest.dataset.rows("marks") if row["device"] == number]
    kinds = [mark for mark in marks if mark in ("plug", "unplug")]
    assert kinds == ["plug", "unplug", "plug", "unplug"]


def it_begins_a_new_run(guest):
    rows = mouse_rows(guest)
    unplugged = next(n for n, row in enumerate(rows) if row["inferred"])
    before, after = {row["run"] for row in rows[:unplugged]}, {row["run"] for row in rows[unplugged + 1 :]}
    assert len(before) == 1 and len(after) == 1 and before != after
    # Its own where the release that the kernel adds went unread.
    own = {mark["run"] for mark in guest.dataset.marks("drop")}
    assert rows[unplugged]["run"] in before | own


def it_has_every_motion_of_both_lives(guest):
    sent = [e for line in guest.sent("hold") if line["device"].endswith(" mouse") for e in line["events"]]
    for axis, column in ((0, "dx"), (1, "dy")):
        wanted = sum(value for kind, code, value in sent if (kind, code) == (2, axis))
        assert sum(row[column] or 0 for row in mouse_rows(guest)) == wanted
