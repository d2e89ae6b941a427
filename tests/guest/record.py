"""What a generator's record should become: the rows, worked out independently.

Nothing here is shared with evscribe; it follows DESIGN.md and the kernel's
headers. A row is a tuple without its time; the rows of one report are sorted, as
their order within one stamp means nothing.
"""

import hashlib

EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_SW = 0, 1, 2, 3, 5
REL_X, REL_Y, REL_HWHEEL, REL_WHEEL, REL_WHEEL_HI_RES, REL_HWHEEL_HI_RES = 0, 1, 6, 8, 11, 12
MT_SLOT, MT_X, MT_Y, MT_ID, MT_PRESSURE = 0x2F, 0x35, 0x36, 0x39, 0x3A

# Not buttons of their own: they say what touches.
TOUCH_STATE = set(range(0x140, 0x150)) - {0x14B, 0x14C}


def is_button(code: int) -> bool:
    """BTN_* of mice and pens (0x100 to 0x15f), and the later button ranges."""
    return 0x100 <= code < 0x160


def expected_events(sent: list[dict], hi_res: bool = True) -> list[tuple]:
    """[(t_us, [row, …]), …] of table events; `hi_res`: the mouse states
    high-resolution wheels."""
    out = []
    for line in sent:
        rows, dx, dy, v, h = [], 0, 0, 0, 0
        for kind, code, value in line["events"]:
            if kind == EV_REL:
                dx += value if code == REL_X else 0
                dy += value if code == REL_Y else 0
                v += value if code == REL_WHEEL_HI_RES else 0
                h += value if code == REL_HWHEEL_HI_RES else 0
                if not hi_res:
                    v += 120 * value if code == REL_WHEEL else 0
                    h += 120 * value if code == REL_HWHEEL else 0
            elif kind == EV_KEY and value != 2 and code not in TOUCH_STATE:
                rows.append(("button" if is_button(code) else "key", code, bool(value)))
            elif kind == EV_SW:
                rows.append(("switch", code, bool(value)))
        if dx or dy:
            rows.append(("motion", dx, dy))
        if v or h:
            rows.append(("scroll", v, h))
        if rows:
            out.append((line["t_us"], sorted(rows)))
    return out


def event_row(row: dict) -> tuple:
    """The same tuple from a row of the dataset."""
    kind = row["kind"]
    if kind == "motion":
        return (kind, row["dx"] or 0, row["dy"] or 0)
    if kind == "scroll":
        return (kind, row["wheel_v_120"] or 0, row["wheel_h_120"] or 0)
    return (kind, row["code"], row["down"])


def expected_touch(sent: list[dict]) -> list[tuple]:
    """[(t_us, [row, …]), …] of table touch, for slots (protocol B). A row is
    (contact, phase, x, y, pressure), contacts numbered in the order they begin."""
    slot, state, contact, number, shown = 0, {}, {}, 0, {}
    out = []
    for line in sent:
        touched, begun, ended, rows = set(), [], [], []
        for kind, code, value in line["events"]:
            if kind != EV_ABS:
                continue
            if code == MT_SLOT:
                slot = value
            elif code == MT_ID:
                (begun if value >= 0 else ended).append(slot)
            elif code in (MT_X, MT_Y, MT_PRESSURE):
                # Values stay with the slot: what does not change is not sent.
                state.setdefault(slot, {MT_X: 0, MT_Y: 0, MT_PRESSURE: 0})[code] = value
                touched.add(slot)
        for s in ended:
            rows.append((contact.pop(s), "up", *shown[s]))
        for s in sorted(begun):
            contact[s] = number
            number += 1
        for s in sorted(set(begun) | touched):
            if s in contact:
                spot = tuple(state[s][axis] for axis in (MT_X, MT_Y, MT_PRESSURE))
                if s in begun or spot != shown.get(s):
                    rows.append((contact[s], "down" if s in begun else "move", *spot))
                    shown[s] = spot
        if rows:
            out.append((line["t_us"], sorted(rows)))
    return out


def touch_rows(rows: list[dict], has_pressure: bool = True) -> list[tuple]:
    """[(boot_us, [row, …]), …] from the dataset, contacts renumbered from 0."""
    numbers: dict[int, int] = {}

    def as_tuple(row):
        contact = numbers.setdefault(row["contact"], len(numbers))
        return (contact, row["phase"], row["x"], row["y"], row["pressure"] if has_pressure else 0)

    return by_report(rows, as_tuple)


def event_rows(rows: list[dict]) -> list[tuple]:
    """[(boot_us, [row, …]), …] from the dataset."""
    return by_report(rows, event_row)


def by_report(rows: list[dict], as_tuple) -> list[tuple]:
    """Rows with one stamp are one report."""
    out: list[tuple] = []
    for row in rows:
        if not out or out[-1][0] != row["boot_us"]:
            out.append((row["boot_us"], []))
        out[-1][1].append(as_tuple(row))
    return [(t, sorted(report)) for t, report in out]


def sequence_hash(reports: list[tuple]) -> str:
    """A hash over the rows in their order, without times."""
    digest = hashlib.sha256()
    for _, rows in reports:
        for row in rows:
            digest.update(repr(row).encode() + b"\n")
    return digest.hexdigest()


def assert_same(got: list[tuple], wanted: list[tuple], within_us: int = 5_000) -> None:
    """Row for row, in order; and each stamp just after its report was sent."""
    assert wanted, "nothing was sent"
    for n, ((t, rows), (sent_t, sent_rows)) in enumerate(zip(got, wanted)):
        assert rows == sent_rows, f"report {n} of {len(wanted)}, sent at {sent_t} µs, stamped {t} µs"
        assert 0 <= t - sent_t <= within_us, f"report {n} was sent at {sent_t} µs and is stamped {t} µs"
    assert len(got) == len(wanted), f"{len(got)} reports became rows, {len(wanted)} were sent"
    assert sequence_hash(got) == sequence_hash(wanted)


def assert_there_or_marked(rows: list[dict], marks: list[dict], wanted: list[tuple], within_us: int = 5_000) -> int:
    """Each row of table events that was sent is there, or was sent within a mark of a
    hole. Returns how many are not there."""
    assert wanted, "nothing was sent"
    have = [(event_row(row), row["boot_us"]) for row in rows if not row["inferred"]]
    missing = 0
    for t, report in wanted:
        for row in report:
            if not any(what == row and 0 <= at - t <= within_us for what, at in have):
                assert any(m["boot_us"] <= t + within_us and t <= m["until_boot_us"] for m in marks), f"{row}, sent at {t} µs"
                missing += 1
    return missing


def evemu_events(text: str) -> list[tuple]:
    """(type, code, value) of each event line of an evemu recording."""
    out = []
    for line in text.splitlines():
        if line.startswith("E:"):
            kind, code, value = line.split()[2:5]
            out.append((int(kind, 16), int(code, 16), int(value)))
    return out
