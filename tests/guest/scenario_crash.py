"""kill -9 under typing: what reached the journal is there once, the rest is marked."""

from record import event_row, expected_events

INSIDE = """
install_evscribe
policy ann full
start_service
"$hands" --wait-for evscribed --record $scratch/sent.jsonl keyboard --seconds 40 &
typing=$!
sleep 5
for kill in 1 2 3; do
    sleep 5.3
    read -r up _ </proc/uptime
    echo "$up" >>$scratch/kills
    kill -9 "$(main_pid)"
    until_true 30 collects
done
wait $typing
sleep 1
bring_out
"""

# A row is durable within a second after it was read.
WINDOW_US = 1_000_000


def kills(guest) -> list[int]:
    return [int(float(line) * 1e6) for line in guest.text("kills").split()]


def rows(guest) -> list[dict]:
    numbers = guest.dataset.device_numbers("evscribe hands keyboard")
    return [row for row in guest.dataset.rows("events") if row["device"] in numbers]


def lives(guest) -> list[tuple[int, int]]:
    """From each start mark to the kill that follows, less the window; the last
    life ends by itself."""
    starts = sorted(row["boot_us"] for row in guest.dataset.marks("start"))
    ends = [kill - WINDOW_US for kill in kills(guest)] + [1 << 62]
    assert len(starts) == len(ends) == 4
    return list(zip(starts, ends))


def it_was_killed_and_came_back(guest):
    assert guest.unit()["NRestarts"] == "3"


def it_has_everything_up_to_a_second_before_each_kill(guest):
    have = {(row["boot_us"] // 1000, event_row(row)) for row in rows(guest)}
    wanted = 0
    for since, until in lives(guest):
        held: set[int] = set()
        for t, report in expected_events(guest.sent_at("sent.jsonl")):
            for change in report:
                _, code, down = change
                if not since + 100_000 <= t <= until:
                    # Pressed before this life: its release is not a row.
                    (held.add if down and t < until else held.discard)(code)
                    continue
                if not down and code in held:
                    held.discard(code)
                    continue
                wanted += 1
                near = {(t // 1000 + ms, change) for ms in range(6)}
                assert near & have, f"{change}, sent at {t} µs, is missing"
    assert wanted > 100


def it_has_nothing_twice(guest):
    seen = [(row["boot_us"], row["code"], row["down"]) for row in rows(guest)]
    assert len(seen) == len(set(seen))


def it_gives_no_number_twice(guest):
    presses = [row["stroke"] for row in rows(guest) if row["down"]]
    assert len(presses) == len(set(presses))
    runs = [row["run"] for row in guest.dataset.marks("plug")]
    assert len(runs) == len(set(runs))


def it_marks_each_crash(guest):
    crashes = [row for row in guest.dataset.marks("stop") if row["reason"] == "crash"]
    assert len(crashes) == 3
