"""Ann and bob take turns at the seat, fifty times, while keys are struck all the
time: nothing of one is ever written under the other, and capture follows logind.
"""

from bisect import bisect_right

from harness import figure

SWITCHES = 50

INSIDE = f"""
install_evscribe
memory_disk 128
policy ann class
start_service
login_as bob
acknowledge_as bob class
until_true 10 collects
login_as ann
until_true 10 collects
bus ann Me >$scratch/ann.json
bus bob Me >$scratch/bob.json
warm python3
"$hands" --wait-for evscribed --record $scratch/struck.jsonl strokes --hz 250 --seconds 90 &
striking=$!
"$hands" --wait-for evscribed --record $scratch/moved.jsonl mouse --hz 250 --seconds 90 &
moving=$!
begun $scratch/struck.jsonl
begun $scratch/moved.jsonl
sleep 4
python3 -B $repo/tests/guest/inside_switch.py 20261124 {SWITCHES} >$scratch/switches.jsonl
say "$(wc -l <$scratch/switches.jsonl) switches"
wait $striking $moving
sleep 1
bring_out
"""

UID = {"ann": 1000, "bob": 1001}


def switches(guest) -> list[dict]:
    return guest.json_lines("switches.jsonl")


def subject_of(guest, user: str) -> str:
    (subject,) = guest.json(f"{user}.json")["data"][0]["subjects"]["data"]
    return subject


def times(guest, user: str, *tables: str) -> list[int]:
    """The stamps of that person's rows, in order; without what nobody did: a
    release that is deduced where a device is closed."""
    subject = subject_of(guest, user)
    rows = (row for table in tables for row in guest.dataset.rows(table))
    return sorted(row["boot_us"] for row in rows if row["subject"] == subject and not row.get("inferred"))


def it_switched_fifty_times(guest):
    assert [switch["uid"] for switch in switches(guest)] == [1001, 1000] * (SWITCHES // 2)
    assert all(switch["told_us"] for switch in switches(guest))


def it_was_struck_all_the_time(guest):
    for name in ("struck", "moved"):
        sent = [line["t_us"] for line in guest.sent_at(f"{name}.jsonl")]
        assert sent[0] < switches(guest)[0]["asked_us"] and sent[-1] > switches(guest)[-1]["told_us"]
        assert max(b - a for a, b in zip(sent, sent[1:])) < 50_000


def it_writes_no_event_of_one_under_the_other(guest):
    """Between the moment when the kernel had switched away from a person and the
    moment when it was asked to switch back, no event is theirs."""
    told = switches(guest)
    for user, uid in UID.items():
        mine = times(guest, user, "events", "touch")
        assert len(mine) > 1000
        for switch, back in zip(told, told[1:] + [None]):
            if switch["uid"] == uid:
                continue
            away = (switch["done_us"], back["asked_us"] if back else 1 << 62)
            stray = [t for t in mine[bisect_right(mine, away[0]) :] if t < away[1]]
            assert not stray, f"{user}: {len(stray)} rows, the first {stray[0] - away[0]} µs after the switch"


def it_deduces_only_releases_of_what_the_same_person_pressed(guest):
    for user in UID:
        subject = subject_of(guest, user)
        mine = [row for row in guest.dataset.rows("events") if row["subject"] == subject]
        pressed = {row["stroke"] for row in mine if row["down"]}
        deduced = [row for row in mine if row["inferred"]]
        assert deduced and all(row["down"] is False and row["stroke"] in pressed for row in deduced)


def it_follows_logind_within_100_ms(guest):
    """From logind's signal to the mark of the first device that is open for who
    sits there now, and to the first event."""
    captured, marked = [], []
    for n, switch in enumerate(switches(guest)):
        user = next(user for user, uid in UID.items() if uid == switch["uid"])
        for out, table in ((captured, "events"), (marked, "marks")):
            later = [t for t in times(guest, user, table) if t >= switch["asked_us"]]
            assert later, f"switch {n}: nothing of {user} in {table} after it"
            out.append(later[0] - switch["told_us"])
    for what, lags in (("first mark", marked), ("first event", captured)):
        lags.sort()
        figure(f"from logind's signal to the {what}, {len(lags)} switches, guest's clock: median {lags[len(lags) // 2] / 1000:.1f} ms, max {lags[-1] / 1000:.1f} ms")
        assert lags[-1] <= 100_000, what


def it_marks_every_switch(guest):
    marks = [row for row in guest.dataset.marks("switch") if row["device"] is None]
    first = switches(guest)[0]["asked_us"]
    assert len([row for row in marks if row["boot_us"] >= first - 10_000]) >= SWITCHES
    assert {row["reason"] for row in marks} == {"seat"}


def it_restarts_nothing(guest):
    assert guest.unit()["NRestarts"] == "0"
