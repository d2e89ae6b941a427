"""What a reader sums up is what the recordings say, counted without evscribe."""

import re

import duckdb
import pytest

from command import RECORDINGS

EV_KEY, EV_REL, EV_SW = 1, 2, 5
REL_X, REL_Y, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES = 0, 1, 11, 12
EVEMU = re.compile(r"^E: \d+\.\d+ ([0-9a-f]{4}) ([0-9a-f]{4}) (-?\d+)", re.M)
LIBINPUT = re.compile(r"^    - \[ *\d+, *\d+, *(\d+), *(\d+), *(-?\d+)\]", re.M)


def events(path):
    """Type, code and value of each event of a recording."""
    text = path.read_text()
    if path.suffix == ".evemu":
        return [(int(kind, 16), int(code, 16), int(value)) for kind, code, value in EVEMU.findall(text)]
    return [tuple(map(int, event)) for event in LIBINPUT.findall(text)]


@pytest.fixture(scope="module")
def said():
    found = [event for path in RECORDINGS for event in events(path)]
    assert len(found) > 5000
    return found


def summed(said, code):
    return sum(value for kind, of, value in said if (kind, of) == (EV_REL, code))


def ask(dataset, what, where="true"):
    files = f"read_parquet('{dataset}/events/**/*.parquet', hive_partitioning = true)"
    return duckdb.sql(f"SELECT {what} FROM {files} WHERE {where}").fetchall()[0][0]


def it_sums_motion_and_wheels_as_the_recordings_say(dataset, said):
    for column, code in (
        ("dx", REL_X),
        ("dy", REL_Y),
        ("wheel_v_120", REL_WHEEL_HI_RES),
        ("wheel_h_120", REL_HWHEEL_HI_RES),
    ):
        assert ask(dataset, f"sum({column})") == summed(said, code), column


def it_counts_each_press_of_a_key_once(dataset, said):
    presses = [code for kind, code, value in said if kind == EV_KEY and code < 0x100 and value == 1]
    assert ask(dataset, "count(*)", "kind = 'key' AND down") == len(presses) > 100
    assert ask(dataset, "sum(code)", "kind = 'key' AND down") == sum(presses)


def it_counts_each_press_of_a_button_once(dataset, said):
    presses = [code for kind, code, value in said if kind == EV_KEY and 0x110 <= code < 0x118 and value == 1]
    assert ask(dataset, "count(*)", "kind = 'button' AND down") == len(presses) > 0


def it_pairs_each_press_with_one_release(dataset):
    for kind in ("key", "button"):
        down, up = (ask(dataset, "count(DISTINCT (host, stroke))", f"kind = '{kind}' AND {way}") for way in ("down", "NOT down"))
        assert down == up == ask(dataset, "count(*)", f"kind = '{kind}' AND down")


def it_tells_each_switch_as_the_recordings_do(dataset, said):
    changes = [value for kind, _, value in said if kind == EV_SW]
    assert ask(dataset, "count(*)", "kind = 'switch'") == len(changes) > 0
    assert ask(dataset, "count(*)", "kind = 'switch' AND down") == sum(changes)
