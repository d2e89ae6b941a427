"""Reload, stop, restart and reboot under typing: what is missing lies in marked gaps."""

from record import event_row, expected_events

# The hands type without waiting for the reader: it comes and goes. Each boot's
# data is brought out at its end; the dataset grows from boot to boot.
TYPE = """
"$hands" --wait-for evscribed --record "$scratch/sent/{name}.jsonl" --seed {seed} keyboard --seconds 24 &
typing=$!
begun $scratch/sent/{name}.jsonl
sleep 4
"""

INSIDE = [
    "install_evscribe\npolicy ann full\nstart_service\nmkdir -p $scratch/sent\n"
    + TYPE.format(name="first", seed=31)
    + """
systemctl reload evscribed
say "reloaded: $(systemctl is-active evscribed)"
sleep 4
systemctl stop evscribed
sleep 3
systemctl start evscribed
until_true 30 collects
sleep 3
systemctl restart evscribed
until_true 30 collects
wait $typing
sleep 1
keep
# The reboot comes under typing, and nobody stops the service by hand.
"""
    + TYPE.format(name="cut", seed=32)
    + """
# Until the machine goes down; the record is only complete when it ends, so this
# run counts for its marks.
""",
    """
until_true 30 collects
mkdir -p $scratch/sent
"""
    + TYPE.format(name="second", seed=33)
    + """
wait $typing
sleep 1
bring_out
""",
]

# From the stop mark's stamp to the moment that the descriptor is closed, and from
# the opening of the device to the start mark.
EDGE_US = 100_000


def collection(guest, boot: str) -> list[dict]:
    """When collection began and ended in a boot: the marks that are about no one
    device, each device having a stop of its own beside them. At a reboot the
    person's session may end before the service does, which is a switch."""
    marks = [row for row in guest.dataset.rows("marks") if row["boot"] == boot and row["device"] is None]
    return sorted((row for row in marks if row["mark"] in ("start", "stop", "switch")), key=lambda row: row["boot_us"])


def boots(guest) -> list[str]:
    """The boots in the order of their files."""
    seen: list[str] = []
    for row in guest.dataset.rows("marks"):
        if row["boot"] not in seen:
            seen.append(row["boot"])
    return seen


def gaps(guest, boot: str) -> list[tuple[int, int]]:
    """From each stop to the next start within one boot."""
    out, stopped = [], 0
    for row in collection(guest, boot):
        if row["mark"] != "start" and stopped is None:
            stopped = row["boot_us"]
        elif row["mark"] == "start" and stopped is not None:
            out.append((stopped, row["boot_us"]))
            stopped = None
    return out + [(stopped if stopped is not None else 1 << 62, 1 << 62)]


def keyboard_rows(guest, boot: str) -> list[dict]:
    numbers = guest.dataset.device_numbers("evscribe hands keyboard")
    return [
        row
        for row in guest.dataset.rows("events")
        if row["boot"] == boot and row["device"] in numbers and not row["inferred"]
    ]


def missing(guest, sent: list[dict], boot: str) -> list[tuple[int, tuple]]:
    """What was sent and has no row: (sent at µs, row)."""
    rows = [(row["boot_us"], event_row(row)) for row in keyboard_rows(guest, boot)]
    at, out = 0, []
    for t, report in expected_events(sent):
        for wanted in report:
            while at < len(rows) and rows[at][0] < t:
                at += 1
            if at < len(rows) and rows[at][1] == wanted and rows[at][0] - t <= 5_000:
                at += 1
            else:
                out.append((t, wanted))
    return out


def held_at_start(sent: list[dict], since: int, until: int) -> set[int]:
    """Keys pressed before a gap's end and released after: their release is not a
    row, as their press was not one of the new run."""
    down = set()
    for t, report in expected_events(sent):
        if t > until:
            break
        for _, code, is_down in report:
            (down.add if is_down else down.discard)(code)
    return down


def explained(guest, name: str, boot: str) -> list[tuple[int, int]]:
    """Asserts that whatever is missing lies in a gap, or is the release of a key
    that was down when the gap ended. Returns the gaps that swallowed something."""
    sent = guest.sent(name)
    used = set()
    releases = {gap: held_at_start(sent, *gap) for gap in gaps(guest, boot)}
    for t, row in missing(guest, sent, boot):
        inside = [gap for gap in releases if gap[0] - EDGE_US <= t <= gap[1] + EDGE_US]
        if inside:
            used.add(inside[0])
            continue
        before = [gap for gap in releases if gap[1] < t]
        assert before and not row[2] and row[1] in releases[before[-1]], f"{row}, sent at {t} µs, is missing and no gap explains it"
        releases[before[-1]].discard(row[1])
    return sorted(used)


def it_loses_nothing_outside_the_gaps_of_the_first_boot(guest):
    used = explained(guest, "first", boots(guest)[0])
    assert used, "typing went on through the stop: something must be missing"


def it_loses_nothing_after_the_reboot(guest):
    assert explained(guest, "second", boots(guest)[1]) == []
    assert missing(guest, guest.sent("second"), boots(guest)[1]) == []


def it_marks_each_start_and_each_stop(guest):
    first, second = boots(guest)
    told = [[row["mark"] for row in collection(guest, boot)] for boot in (first, second)]
    assert told[0][:-1] == ["start", "stop", "start", "stop", "start"], "stop by hand, restart"
    assert told[0][-1] in ("stop", "switch"), "reboot"
    assert told[1] == ["start", "stop"], "the end"


def it_infers_a_release_for_what_a_stop_found_held(guest):
    held: dict = {}
    for row in guest.dataset.rows("events"):
        if row["kind"] == "key":
            if row["down"]:
                held[(row["boot"], row["stroke"])] = row
            else:
                held.pop((row["boot"], row["stroke"]))
    assert not held, "a press without a release"


def it_does_not_stitch_across_a_gap(guest):
    first = boots(guest)[0]
    rows = keyboard_rows(guest, first)
    for stop, start in gaps(guest, first)[1:-1]:
        before = {row["run"] for row in rows if row["boot_us"] <= stop}
        after = {row["run"] for row in rows if row["boot_us"] >= start}
        assert not before & after


def it_is_not_restarted_by_a_reload(guest):
    assert guest.unit()["NRestarts"] == "0"
    # Between the first start and the first stop there was only the reload.
    first_stop = next(row["boot_us"] for row in collection(guest, boots(guest)[0]) if row["mark"] == "stop")
    runs = {row["run"] for row in keyboard_rows(guest, boots(guest)[0]) if row["boot_us"] < first_stop}
    assert len(runs) == 1
