"""kill -9 at twenty random moments of forgetting ends in forgotten, never in half."""

INSIDE = """
install_evscribe
policy ann class
memory_disk 128
start_service
mkdir -p $scratch/sent
warm evscribe date
python3 -B $repo/tests/guest/inside_forget.py 20261124 20 "$hands" $scratch >$scratch/forgets.jsonl
say "$(wc -l <$scratch/forgets.jsonl) spans were forgotten under kills"
until_true 30 collects
play last keyboard --seconds 3
find /var/lib/evscribe -path '*forget*' -type f -printf '%P\\n' >$scratch/intents
bring_out
"""

KILLS = 20


def forgets(guest) -> list[dict]:
    return guest.json_lines("forgets.jsonl")


def it_was_killed_twenty_times_most_of_them_before_it_had_answered(guest):
    assert guest.unit()["NRestarts"] == str(KILLS)
    assert len(forgets(guest)) == KILLS
    assert len([one for one in forgets(guest) if one["killed_before_answer"]]) >= KILLS // 2


def it_forgets_every_span(guest):
    """A person who asked is answered in the end, and nothing of it is left."""
    for one in forgets(guest):
        assert one["code"] == 0, one
        for table in ("events", "touch"):
            rows = guest.dataset.rows(table)
            assert not [row for row in rows if one["from_us"] <= row["time_us"] < one["until_us"]], (one, table)


def it_forgets_nothing_else(guest):
    """What was sent before and after each span is there: it was sealed, or came
    after the service was back."""
    rows = sorted(row["time_us"] for row in guest.dataset.rows("events"))
    for n, one in enumerate(forgets(guest)):
        before = [t for t in rows if one["began_us"] <= t < one["from_us"]]
        behind = [t for t in rows if one["until_us"] <= t < one["asked_us"]]
        assert before, f"forget {n}: nothing is left of what came before its span"
        assert behind, f"forget {n}: nothing is left of what came behind its span"


def it_leaves_nothing_under_way(guest):
    assert guest.text("intents") == ""
    left = [line for line in guest.text("state-files").splitlines() if ".parquet" in line and "/." in line]
    assert not left


def it_leaves_a_tombstone_and_a_mark_for_every_span(guest):
    tombstones = guest.json_lines("dataset/tombstones.jsonl")
    marks = guest.dataset.marks("forget")
    for one in forgets(guest):
        assert [t for t in tombstones if t["from_us"] == one["from_us"] and t["until_us"] == one["until_us"]]
        assert [m for m in marks if abs(m["time_us"] - one["from_us"]) < 1000]


def it_names_each_file_with_its_newest_checksum(guest):
    """The manifest follows: `evscribe data verify` held the files against it; and
    no path that the tombstones say is gone is still there."""
    newest = {t["file"]: t["sha256"] for t in guest.json_lines("dataset/tombstones.jsonl")}
    for path, sha256 in newest.items():
        assert sha256 is not None or not (guest.result / "dataset" / path).exists()


def it_records_again_after_all_of_it(guest):
    last = guest.sent("last")
    assert [row for row in guest.dataset.rows("events") if last[0]["t_us"] <= row["boot_us"] <= last[-1]["t_us"] + 5_000]
