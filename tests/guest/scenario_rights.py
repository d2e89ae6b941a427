"""What a person may do for themselves: pause, the hotkey, forget, take their data
along, leave. Each holds over restarts, and none needs root."""

import re
from datetime import datetime

from harness import verify

# Typed with a pause of the person in between: three letters, the hotkey, three more.
HOTKEY = "a b c .800 leftctrl+leftalt+pause .800 d e f"

INSIDE = f"""
install_evscribe
memory_disk 128
policy ann class
drop_in hotkey <<TOML
[hotkey]
pause = "ctrl+alt+pause"
minutes = 1
TOML
start_service
mkdir -p $scratch/said

# --- pause, over a restart
moment paused
as ann evscribe pause 20s >$scratch/said/pause
until_true 5 collects_not
systemctl show -P StatusText evscribed >$scratch/said/paused
systemctl restart evscribed
until_true 20 answers
"$hands" --settle-ms 1000 --record $scratch/paused.jsonl keyboard --seconds 3
until_true 40 collects
moment resumed
as ann evscribe pause >$scratch/said/pause-open
until_true 5 collects_not
as ann evscribe resume >$scratch/said/resume
until_true 5 collects

# --- the hotkey
"$hands" --wait-for evscribed --linger-ms 2000 --record $scratch/hotkey.jsonl type "{HOTKEY}"
until_true 5 collects_not
systemctl show -P StatusText evscribed >$scratch/said/hotkey
bus ann Me >$scratch/said/hotkey.json
until_true 80 collects
moment hotkey-over

# --- forget a span, of keys, pointer and touch
"$hands" --wait-for evscribed --record $scratch/desk.jsonl desk --seconds 16 --mouse-hz 125 &
desk=$!
begun $scratch/desk.jsonl
sleep 6
from=$(date -u +%FT%T.%6NZ)
sleep 3
until=$(date -u +%FT%T.%6NZ)
wait $desk
as ann evscribe forget --from "$from" --until "$until" >$scratch/said/forget
echo "$from $until" >$scratch/span
until_true 10 collects
play after keyboard --seconds 4

# --- bob is there too; each takes their own along
login_as bob
acknowledge_as bob class
until_true 10 collects
bus bob Me >$scratch/bob.json
"$hands" --wait-for evscribed --record $scratch/bob.jsonl desk --seconds 8 --mouse-hz 125
login_as ann
bus ann Me >$scratch/ann.json
for user in ann bob; do
    as $user evscribe my-data export /home/$user/mine >$scratch/said/export-$user
    as $user evscribe my-data show -n 5 >$scratch/said/show-$user
    cp -r --no-preserve=all /home/$user/mine $scratch/mine-$user
done
cp -r --no-preserve=all /var/lib/evscribe/dataset $scratch/at-export

# --- bob leaves, and is gone for good
as bob evscribe opt-out --erase --yes >$scratch/said/opt-out
login_as bob
systemctl restart evscribed
until_true 20 answers
sleep 2
systemctl show -P StatusText evscribed >$scratch/said/bob-after-restart
make -C "$repo" uninstall PREFIX=/usr >$scratch/uninstall.log 2>&1
install_evscribe
systemctl enable --now evscribed
until_true 20 answers
sleep 2
collects_not
systemctl show -P StatusText evscribed >$scratch/said/bob-after-installation
"$hands" --settle-ms 1000 keyboard --seconds 2
login_as ann
until_true 10 collects
find /var/lib/evscribe -printf '%P\\n' >$scratch/state-while-running
cp --no-preserve=all /var/lib/evscribe/ledger.jsonl $scratch/
bring_out
"""


def between(guest, table: str, begins: int, ends: int) -> list[dict]:
    return [row for row in guest.dataset.rows(table) if begins <= row["boot_us"] <= ends]


def said(guest, name: str) -> str:
    return guest.text(f"said/{name}").strip()


def subjects(guest, user: str) -> set[str]:
    return set(guest.json(f"{user}.json")["data"][0]["subjects"]["data"])


def it_reads_nothing_in_a_pause_also_after_a_restart(guest):
    sent = [line["t_us"] for line in guest.sent_at("paused.jsonl")]
    assert guest.moment("paused") < sent[0] and sent[-1] < guest.moment("resumed")
    assert not between(guest, "events", sent[0], sent[-1])
    assert said(guest, "paused") == "paused, nothing is opened: the person at the seat paused"


def it_resumes_when_the_pause_is_over(guest):
    lasted_us = guest.moment("resumed") - guest.moment("paused")
    assert 19_000_000 <= lasted_us <= 40_000_000, lasted_us


def it_says_until_when(guest):
    assert "until" in said(guest, "pause") and "until you resume" in said(guest, "pause-open")


def it_keeps_neither_the_hotkey_nor_what_comes_after(guest):
    sent = guest.sent_at("hotkey.jsonl")
    presses = [line for line in sent if any(e[0] == 1 and e[2] == 1 for e in line["events"])]
    assert [line["events"][1][1] for line in presses[3:6]] == [29, 56, 119]
    before = between(guest, "events", sent[0]["t_us"] - 100_000, presses[3]["t_us"] - 1)
    assert [row["key_class"] for row in before if row["down"]] == ["letter"] * 3
    assert len(before) == 6
    for table in ("events", "touch"):
        assert not between(guest, table, presses[3]["t_us"], sent[-1]["t_us"] + 1_000_000)


def it_pauses_by_hotkey_for_as_long_as_the_policy_says(guest):
    struck = guest.sent_at("hotkey.jsonl")[-1]["t_us"]
    assert 50_000_000 <= guest.moment("hotkey-over") - struck <= 70_000_000
    assert said(guest, "hotkey") == "paused, nothing is opened: the person at the seat paused"
    assert guest.json("said/hotkey.json")["data"][0]["standing"]["data"] == "paused"


def span_us(guest) -> tuple[int, int]:
    """What was to be forgotten, wall clock."""
    return tuple(int(datetime.fromisoformat(word).timestamp() * 1_000_000) for word in guest.text("span").split())


def it_forgets_a_span_and_nothing_else(guest):
    begins, ends = span_us(guest)
    for table in ("events", "touch"):
        rows = [row for row in guest.dataset.rows(table) if row["subject"] in subjects(guest, "ann")]
        assert not [row for row in rows if begins <= row["time_us"] < ends], table
        if table == "events":
            assert [row for row in rows if begins - 7_000_000 <= row["time_us"] < begins]
            assert [row for row in rows if ends <= row["time_us"] < ends + 6_000_000]


def it_forgot_as_many_rows_as_it_says(guest):
    (rows,) = re.findall(r"(\d+) rows", said(guest, "forget"))[:1]
    begins, ends = span_us(guest)
    told = [line for line in guest.json_lines("ledger.jsonl") if line["fact"] == "forgotten" and line["from_us"] == begins]
    assert int(rows) == sum(line["rows"] for line in told) > 0


def it_leaves_a_tombstone_without_content(guest):
    begins, ends = span_us(guest)
    lines = guest.json_lines("dataset/tombstones.jsonl")
    mine = [line for line in lines if line["from_us"] == begins and line["until_us"] == ends]
    assert mine
    for line in mine:
        assert line["subject"] in subjects(guest, "ann")
        assert not {"rows", "time", "code", "key_class"} & set(line)
        assert (guest.result / "dataset" / line["file"]).exists() or line["sha256"] is None or line["file"].startswith("marks")


def it_marks_what_was_forgotten(guest):
    marks = guest.dataset.marks("forget")
    begins, ends = span_us(guest)
    assert [mark for mark in marks if abs(mark["time_us"] - begins) < 1000 and abs(mark["until_us"] - ends) < 1000]
    assert {mark["reason"] for mark in marks} <= {"person_asked", "hotkey"}


def rows_of(guest, name: str, tables=("events", "touch", "marks")) -> list[tuple]:
    """All rows of a dataset as comparable tuples, file by file."""
    dataset, out = guest.dataset_in(name), []
    for table in tables:
        for file in dataset.files(table):
            out += [(table, *map(str, row.values())) for row in dataset.parquet(file).read().to_pylist()]
    return sorted(out)


def it_hands_everybody_exactly_their_own(guest):
    everything = rows_of(guest, "at-export")
    for user, other in (("ann", "bob"), ("bob", "ann")):
        mine = rows_of(guest, f"mine-{user}")
        assert mine and mine == [row for row in everything if subjects(guest, user) & set(row)], user
        assert not [row for row in mine if subjects(guest, other) & set(row)]


def it_exports_a_dataset_that_holds(guest):
    """And that is plain: no key of theirs would open it elsewhere."""
    for user in ("ann", "bob"):
        verify(guest.result / f"mine-{user}", guest.key)
        exported = guest.dataset_in(f"mine-{user}").files("events")
        assert exported and all(file.read_bytes()[-4:] == b"PAR1" for file in exported)
        assert all(file.read_bytes()[-4:] == b"PARE" for file in guest.dataset.files("events"))


def it_erases_who_leaves(guest):
    for table in ("events", "touch", "marks"):
        assert not [row for row in guest.dataset.rows(table) if row["subject"] in subjects(guest, "bob")], table
    live: set[str] = set()
    for line in guest.json_lines("dataset/manifest.jsonl"):
        if line["op"] == "sealed" and line.get("subject") in subjects(guest, "bob"):
            live.add(line["path"])
        elif line["op"] == "removed":
            live.discard(line["path"])
    assert not live


def it_keeps_ann_when_bob_leaves(guest):
    before = [row for row in rows_of(guest, "at-export", ("events", "touch")) if subjects(guest, "ann") & set(row)]
    after = rows_of(guest, "dataset", ("events", "touch"))
    assert before and before == [row for row in after if row in set(before)]


def it_remembers_who_left_over_restart_and_installation(guest):
    for when in ("restart", "installation"):
        assert said(guest, f"bob-after-{when}") == "waiting, nothing is opened: the person at the seat opted out"
