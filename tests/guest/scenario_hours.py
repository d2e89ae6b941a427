"""Hours of the policy: capture opens and closes at their edges, by the clock of the
place, also where it is set back or forward, and over midnight.

A key is struck all the time; what is kept is held against hours worked out here.
"""

from bisect import bisect_right
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

# name: (schedule, edge in UTC, open just before, open just after)
DAYS = 'days = ["mon", "tue", "wed", "thu", "fri"]\nfrom = "09:00"\nuntil = "17:00"'
NIGHT = 'from = "01:30"\nuntil = "03:30"'
FRIDAY = 'days = ["fri"]\nfrom = "22:00"\nuntil = "06:00"'
EDGES = {
    "friday morning, winter": (DAYS, "2026-03-27 08:00:00", 0, 1),
    "friday evening, winter": (DAYS, "2026-03-27 16:00:00", 1, 0),
    "saturday": (DAYS, "2026-03-28 08:00:00", 0, 0),
    "monday, an hour too early": (DAYS, "2026-03-30 06:00:00", 0, 0),
    "monday morning, summer": (DAYS, "2026-03-30 07:00:00", 0, 1),
    "monday evening, summer": (DAYS, "2026-03-30 15:00:00", 1, 0),
    "night before the hour that is left out": (NIGHT, "2026-03-29 00:30:00", 0, 1),
    "end after the hour that is left out": (NIGHT, "2026-03-29 01:30:00", 1, 0),
    "night before the hour that comes twice": (NIGHT, "2026-10-24 23:30:00", 0, 1),
    "first end of that hour": (NIGHT, "2026-10-25 01:00:00", 1, 1),
    "end after the hour that comes twice": (NIGHT, "2026-10-25 02:30:00", 1, 0),
    "friday night": (FRIDAY, "2026-11-27 21:00:00", 0, 1),
    "midnight of it": (FRIDAY, "2026-11-27 23:00:00", 1, 1),
    "saturday morning": (FRIDAY, "2026-11-28 05:00:00", 1, 0),
    "saturday night": (FRIDAY, "2026-11-28 21:00:00", 0, 0),
}

STEPS = "".join(
    f"""
hours <<'TOML'
[schedule]
{schedule}
time_zone = "Europe/Berlin"
TOML
edge '{edge}'
"""
    for schedule, edge, _, _ in EDGES.values()
)

INSIDE = f"""
install_evscribe
memory_disk 128
policy ann class
sed -i 's/^days = 30/days = 3650/' /etc/evscribe/policy.toml
# The notice that is made from the policy names the hours: another for each of them.
echo "The hours are told on the board." >/etc/evscribe/notice.txt
sed -i '/^version = /a text_file = "/etc/evscribe/notice.txt"' /etc/evscribe/policy.toml
start_service
boot() {{ read -r up _ </proc/uptime; echo "${{up/./}}0000"; }}
# What the policy says from now on, and when that was in force.
hours() {{
    drop_in hours
    boot >>$scratch/phases
    systemctl reload evscribed
}}
is_open() {{ if collects; then echo 1; else echo 0; fi; }}
edge() {{
    date -u -s "$(date -u -d "$1 UTC - 5 seconds" '+%F %T')" >/dev/null
    boot >>$scratch/set
    sleep 3
    local before=$(is_open)
    sleep 4
    echo "$before $(is_open)" >>$scratch/edges
}}
"$hands" --settle-ms 500 --record $scratch/struck.jsonl strokes --hz 40 --seconds 180 &
striking=$!
sleep 2
{STEPS}
kill $striking || true
boot >>$scratch/phases
bring_out
"""

BERLIN = ZoneInfo("Europe/Berlin")
# An edge is an alarm of the clock: what is read until it rang is kept.
SLACK = timedelta(milliseconds=100)


@pytest.mark.parametrize("name", EDGES)
def it_opens_and_closes_at_the_edge(guest, name):
    found = guest.text("edges").splitlines()[list(EDGES).index(name)]
    assert found == f"{EDGES[name][2]} {EDGES[name][3]}"


def is_open(schedule: str, at: datetime) -> bool:
    local = at.astimezone(BERLIN)
    day, clock = local.weekday(), (local.hour, local.minute)
    if schedule == DAYS:
        return day < 5 and (9, 0) <= clock < (17, 0)
    if schedule == NIGHT:
        return (1, 30) <= clock < (3, 30)
    return (day == 4 and clock >= (22, 0)) or (day == 5 and clock < (6, 0))


def it_keeps_nothing_of_other_hours(guest):
    phases = [int(line) for line in guest.text("phases").splitlines()]
    clock_set = [int(line) for line in guest.text("set").splitlines()]
    schedules = [schedule for schedule, *_ in EDGES.values()]
    checked = 0
    for row in guest.dataset.rows("events"):
        phase = bisect_right(phases, row["boot_us"]) - 1
        if phase < 0 or phase >= len(schedules):
            continue
        # The policy was read a little later, and the clock set after that.
        if row["boot_us"] < clock_set[phase] + 500_000:
            continue
        at = datetime.fromtimestamp(row["time_us"] / 1_000_000, timezone.utc)
        assert is_open(schedules[phase], at) or is_open(schedules[phase], at - SLACK), (at, schedules[phase])
        checked += 1
    assert checked > 500


def it_marks_the_end_of_the_hours(guest):
    reasons = [row["reason"] for row in guest.dataset.marks("stop")]
    assert reasons.count("schedule") >= 6


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"
