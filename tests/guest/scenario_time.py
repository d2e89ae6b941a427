"""Segments close by age and by clock steps; while nobody works, nothing wakes."""

INSIDE = """
install_evscribe
memory_disk 128
policy ann class
printf '[segment]\\nmax_minutes = 1\\n' >>/etc/evscribe/policy.toml
# The sign of life for systemd would be a wake-up, once in half of that.
printf '[Service]\\nWatchdogSec=2h\\n' >/run/systemd/system/evscribed.service.d/quiet.conf
systemctl daemon-reload
warm date
start_service
play first keyboard --seconds 5
sealed_files() { find /var/lib/evscribe/dataset/events -name '*.parquet'; }
sleep 65
until_true 60 eval '[ -n "$(sealed_files)" ]' || true
sealed_files | wc -l >$scratch/sealed-by-age
# A minute of silence: no thread wakes, no file is written.
switches() { cat /proc/$(main_pid)/task/*/status | grep _ctxt_switches; }
at_rest() { local before; before=$(switches) && sleep 5 && [ "$before" = "$(switches)" ]; }
until_true 120 at_rest || true
stat -c '%n %Y' /run/evscribe/* >$scratch/files-before
switches >$scratch/switches-before
sleep 60
switches >$scratch/switches-after
stat -c '%n %Y' /run/evscribe/* >$scratch/files-after
"$hands" --wait-for evscribed --linger-ms 500 --record $scratch/typed.jsonl keyboard --seconds 12 >/dev/null &
typing=$!
begun $scratch/typed.jsonl
sleep 5
date -s '+1 hour' >/dev/null
sleep 4
date -s '-1 hour' >/dev/null
wait $typing
sleep 2
cp /run/evscribe/evscribe.prom $scratch/
bring_out
"""


def it_seals_a_segment_by_its_age_though_nobody_types(guest):
    assert int(guest.text("sealed-by-age")) >= 1


def it_does_not_wake_while_nothing_happens(guest):
    assert guest.text("switches-before") == guest.text("switches-after")


def it_writes_no_file_while_nothing_happens(guest):
    assert guest.text("files-before") == guest.text("files-after")
    assert "evscribe.prom" in guest.text("files-before")


def it_survives(guest):
    assert guest.unit()["NRestarts"] == "0"


def it_marks_each_step_of_the_clock(guest):
    marks = guest.dataset.marks("clock")
    assert [mark["reason"] for mark in marks] == ["wall_clock_set"] * 2


def it_anchors_anew_after_each_step(guest):
    hour = 3_600_000_000
    offsets = []
    for row in sorted(guest.dataset.rows("events"), key=lambda row: row["boot_us"]):
        offset = row["time_us"] - row["boot_us"]
        if not offsets or abs(offset - offsets[-1]) > hour // 2:
            offsets.append(offset)
    steps = [round((b - a) / hour) for a, b in zip(offsets, offsets[1:])]
    assert steps == [1, -1]


def it_has_times_in_order_within_each_file(guest):
    """Back by an hour, the wall clock says times again: in another file."""
    for table in ("events", "marks"):
        for rows in guest.dataset.rows_by_file(table):
            times = [row["time_us"] for row in rows]
            assert times == sorted(times)
            assert len({row["time_us"] - row["boot_us"] for row in rows}) == 1


def it_loses_no_event_over_a_step(guest):
    typed = [e for line in guest.sent_at("typed.jsonl") for e in line["events"] if e[0] == 1 and e[2] != 2]
    since = guest.sent_at("typed.jsonl")[0]["t_us"]
    keys = [row for row in guest.dataset.rows("events") if row["kind"] == "key" and row["boot_us"] >= since]
    assert len(keys) == len(typed)
    assert not guest.dataset.marks("drop")


def it_gives_metrics_that_agree(guest):
    metrics = dict(line.split() for line in guest.text("evscribe.prom").splitlines() if not line.startswith("#"))
    assert metrics["evscribe_collecting"] == "1"
    assert int(metrics["evscribe_sealed_files_total"]) >= 1
    assert metrics["evscribe_rows_lost_total"] == "0"
