"""kill -9 at twenty random moments under load: what reached the journal is there
once, and at most a second before each kill is not.

The state lies on a disk in memory: the guest's own disk waits for the host, and
that would be measured too.
"""

import json

from harness import figure
from record import event_row, expected_events

KILLS = 20

INSIDE = f"""
install_evscribe
policy ann full
memory_disk 128
start_service
mkdir -p $scratch/sent
"$hands" --wait-for evscribed --record $scratch/sent/keyboard.jsonl keyboard --seconds 110 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/sent/mouse.jsonl mouse --hz 250 --seconds 110 &
moving=$!
begun $scratch/sent/keyboard.jsonl
begun $scratch/sent/mouse.jsonl
sleep 4
python3 /repo/tests/guest/inside_kills.py 20261124 {KILLS} >$scratch/kills.jsonl
say "$(wc -l <$scratch/kills.jsonl) kills"
wait $typing $moving
sleep 1
bring_out
"""

# A row is durable within a second after it was read.
WINDOW_US = 1_000_000


def kills(guest) -> list[dict]:
    return [json.loads(line) for line in guest.text("kills.jsonl").splitlines()]


def sent(guest, name: str) -> list[tuple]:
    """(sent at µs, row), one by one."""
    return [(t, row) for t, report in expected_events(guest.sent(name)) for row in report]


def rows(guest, name: str) -> list[tuple]:
    """(stamped at µs, row), in the order of time."""
    mine = [row for row in guest.dataset.of_device("events", f"evscribe hands {name}") if not row["inferred"]]
    return sorted(((row["boot_us"], event_row(row)) for row in mine), key=lambda row: row[0])


def lives(guest) -> list[tuple[int, int]]:
    """From each start of the process to its kill; the last ends by itself."""
    killed = kills(guest)
    begins = [0] + [k["killed_us"] for k in killed]
    return list(zip(begins, [k["killed_us"] for k in killed] + [1 << 62]))


def first_start(guest, life: tuple[int, int]) -> "int | None":
    """When collection began in that life, where that is known to the dataset."""
    starts = [m["boot_us"] for m in guest.dataset.marks("start") if life[0] < m["boot_us"] <= life[1]]
    assert len(starts) <= 1
    return starts[0] if starts else None


def windows_us(guest) -> list[int]:
    """For each kill, how long before it the first event was sent that has no
    row, by the mouse's 250 a second; where nothing is left of a life, since its
    process began."""
    moved = [t for t, _ in rows(guest, "mouse")]
    asked = [t for t, _ in sent(guest, "mouse")]
    out = []
    for life, kill in zip(lives(guest), kills(guest)):
        kept = [t for t in moved if life[0] < t <= life[1]]
        last = kept[-1] if kept else first_start(guest, life) or kill["started_us"]
        lost = [t for t in asked if last < t <= life[1]]
        out.append(life[1] - lost[0] if lost else 0)
    return out


def still_down(asked: list[tuple], until: int) -> list[tuple]:
    """The presses before `until` that end after it."""
    down: dict = {}
    for t, row in asked:
        if t >= until:
            break
        if row[0] in ("key", "button"):
            down[row[1]] = (t, row)
            if not row[2]:
                del down[row[1]]
    return list(down.values())


def it_was_killed_twenty_times_and_came_back(guest):
    assert guest.unit()["NRestarts"] == str(KILLS)
    assert len(kills(guest)) == KILLS
    assert len([k for k in kills(guest) if k["collects"]]) > KILLS // 2


def it_loses_at_most_a_second_before_each_kill(guest):
    lost = windows_us(guest)
    figure(f"lost window of {len(lost)} kills: max {max(lost) / 1000:.0f} ms, median {sorted(lost)[len(lost) // 2] / 1000:.0f} ms")
    assert max(lost) <= WINDOW_US


def it_has_every_event_from_the_opening_to_that_window_once(guest):
    """Row by row, both devices: within each life one unbroken stretch."""
    for name in ("keyboard", "mouse"):
        have, asked = rows(guest, name), sent(guest, name)
        compared = 0
        for life in lives(guest):
            got = [(t, row) for t, row in have if life[0] < t <= life[1]]
            if not got:
                continue
            began = first_start(guest, life)
            assert began is not None, "rows of a life whose start mark is lost"
            # What was down when the devices opened has no release.
            first = max(t for t, row in asked if t <= got[0][0] and row == got[0][1])
            held = {row[1] for _, row in still_down(asked, first)}
            wanted = []
            for t, row in asked:
                if not first <= t <= got[-1][0]:
                    continue
                if row[0] in ("key", "button") and not row[2] and row[1] in held:
                    held.discard(row[1])
                    continue
                wanted.append((t, row))
            assert [row for _, row in got] == [row for _, row in wanted], f"{name}, life from {life[0]} µs"
            assert all(0 <= t - s <= 5_000 for (t, _), (s, _) in zip(got, wanted))
            assert got[0][0] - max(began, asked[0][0]) <= WINDOW_US
            compared += len(got)
        assert compared > 300


def it_recovers_as_many_rows_as_the_journal_held(guest):
    """What each start says it found is what its sealed files hold, the mark of
    the crash aside."""
    told = [json.loads(line) for line in guest.text("journal.jsonl").splitlines()]
    found = {line["SEGMENT"]: int(line["ROWS"]) for line in told if "SEGMENT" in line}
    assert len(found) >= KILLS // 2
    lines = [json.loads(line) for line in guest.text("dataset/manifest.jsonl").splitlines()]
    # Killed after a file was sealed and before its journal went, it seals it again.
    files = {line["path"]: line for line in lines if line["op"] == "sealed"}
    sealed: dict[str, int] = {}
    for line in files.values():
        sealed[line["segment"]] = sealed.get(line["segment"], 0) + line["rows"]
    assert {segment: sealed[segment] for segment in found} == {segment: rows + 1 for segment, rows in found.items()}


def it_has_nothing_twice(guest):
    for name in ("keyboard", "mouse"):
        have = rows(guest, name)
        assert len(have) == len(set(have))


def it_gives_no_number_twice(guest):
    presses = [row["stroke"] for row in guest.dataset.rows("events") if row["down"]]
    assert len(presses) == len(set(presses))
    runs = [row["run"] for row in guest.dataset.marks("plug")]
    assert len(runs) == len(set(runs))


def it_marks_each_crash_of_which_rows_are_left(guest):
    crashes = [row for row in guest.dataset.marks("stop") if row["reason"] == "crash"]
    with_rows = [life for life in lives(guest)[:-1] if first_start(guest, life) is not None]
    assert len(crashes) == len(with_rows)
