"""What evemu-record and libinput record wrote beside the daemon gives its rows."""

import pytest

from record import assert_same, event_rows, expected_events, expected_touch, touch_rows

INSIDE = """
install_evscribe
memory_disk 128
policy ann full
start_service
wait_for=evscribed
record_beside evemu mouse mouse.evemu --seed 41 mouse --hz 500 --seconds 3
record_beside libinput mouse mouse.libinput.yml --seed 42 mouse --hz 125 --seconds 3
record_beside evemu keyboard keyboard.evemu --seed 43 keyboard --seconds 10
record_beside libinput-keycodes keyboard keyboard.libinput.yml --seed 44 keyboard --seconds 10
record_beside evemu touchpad touchpad.evemu --seed 45 touchpad --seconds 3
record_beside libinput touchpad touchpad.libinput.yml --seed 46 touchpad --seconds 3
mkdir -p $scratch/imported
for recording in $scratch/recorded/*.evemu $scratch/recorded/*.yml; do
    name=$(basename $recording)
    evscribe import $recording --out $scratch/imported/$name --level full --recipient /out/team.pub >$scratch/imported-$name.log 2>&1 ||
        { cat $scratch/imported-$name.log; false; }
done
bring_out
"""

EVENTS = ["mouse.evemu", "mouse.libinput.yml", "keyboard.evemu", "keyboard.libinput.yml"]
TOUCH = ["touchpad.evemu", "touchpad.libinput.yml"]


def daemons(guest, table: str, name: str) -> list[dict]:
    sent = guest.sent(name)
    device = f"evscribe hands {name.split('.')[0]}"
    rows = guest.dataset.of_device(table, device)
    return [row for row in rows if sent[0]["t_us"] <= row["boot_us"] <= sent[-1]["t_us"] + 100_000 and not row["inferred"]]


def imported(guest, table: str, name: str) -> list[dict]:
    return [row for row in guest.dataset_in(f"imported/{name}").rows(table) if not row["inferred"]]


def without_times(reports: list[tuple]) -> list[list[tuple]]:
    return [rows for _, rows in reports]


@pytest.mark.parametrize("name", EVENTS)
def it_gives_the_daemons_events(guest, name):
    mine = event_rows(daemons(guest, "events", name))
    assert_same(mine, expected_events(guest.sent(name)))
    assert without_times(event_rows(imported(guest, "events", name))) == without_times(mine)


@pytest.mark.parametrize("name", TOUCH)
def it_gives_the_daemons_contacts(guest, name):
    mine = touch_rows(daemons(guest, "touch", name))
    assert_same(mine, expected_touch(guest.sent(name)))
    assert without_times(touch_rows(imported(guest, "touch", name))) == without_times(mine)


@pytest.mark.parametrize("name", EVENTS + TOUCH)
def it_keeps_the_intervals(guest, name):
    """Recorders date from their first event, on a clock of their own, rounded to
    a microsecond at both ends."""
    table = "touch" if name in TOUCH else "events"
    mine = [row["boot_us"] for row in daemons(guest, table, name)]
    theirs = [row["boot_us"] for row in imported(guest, table, name)]
    assert len(mine) == len(theirs) > 0
    assert all(abs((m - mine[0]) - (t - theirs[0])) <= 2 for m, t in zip(mine, theirs))
