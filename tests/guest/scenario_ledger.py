"""The ledger tells each person what happened to them, in order, and nothing of
others; whoever touches it is found out, and where."""

import hashlib

import pytest

INSIDE = """
install_evscribe
memory_disk 128
policy ann class
start_service
mkdir -p $scratch/shown $scratch/verified
as ann evscribe notice >$scratch/shown/notice
bus ann NoticeShown ss "$notice" "$(bus ann Notice | sed 's/.*"data":\\["[^"]*","\\([0-9a-f]*\\)".*/\\1/')" >/dev/null
as ann evscribe level timing >/dev/null
play one keyboard --seconds 4
as ann evscribe level class >/dev/null
as bob evscribe acknowledge --notice guest-0 </dev/null >/dev/null 2>&1 || true
bus bob Acknowledge ssss guest-0 0000 class full 2>$scratch/shown/bob-refused || true
bus bob EraseOf u 1000 2>/dev/null || true
bus bob OpenMyFile s events/of-ann.parquet 2>/dev/null || true
acknowledge_as bob timing >/dev/null
as ann evscribe pause 60s >/dev/null
until_true 10 collects_not
until_true 80 collects
play two desk --seconds 6 --mouse-hz 125
as ann evscribe forget 2s >/dev/null
until_true 10 collects
evscribe hold "works council" >/dev/null
evscribe release >/dev/null
until_true 10 collects
as bob evscribe opt-out >/dev/null
as ann evscribe my-data export /home/ann/mine >/dev/null
printf '[segment]\\nmax_minutes = 30\\n' >>/etc/evscribe/policy.toml
systemctl reload evscribed
sleep 2
bus ann Me >$scratch/ann.json
bus bob Me >$scratch/bob.json
for user in ann bob; do as $user evscribe ledger show --json >$scratch/shown/$user; done
evscribe ledger show --json >$scratch/shown/root
as bob evscribe ledger show >$scratch/shown/bob-words
evscribe ledger verify >$scratch/verified/whole
as ann cat /var/lib/evscribe/ledger.jsonl 2>$scratch/shown/ann-file && false
systemctl stop evscribed
cp -a /var/lib/evscribe /var/tmp/whole

# tampered NAME PYTHON: the ledger's lines as that leaves them; what is found.
tampered() {
    local code=0
    systemctl stop evscribed
    rm -rf /var/lib/evscribe/*
    cp -a /var/tmp/whole/. /var/lib/evscribe/
    python3 - "$2" <<'PYTHON'
import sys
path = "/var/lib/evscribe/ledger.jsonl"
data = open(path, "rb").read()
lines = data.splitlines(keepends=True)
space = {"lines": lines, "data": data}
exec(sys.argv[1], space)
with open(path, "r+b") as out:
    out.truncate(0)
    out.write(space.get("out") or b"".join(space["lines"]))
PYTHON
    # Systemd takes five starts in ten seconds for a failure.
    systemctl reset-failed evscribed || true
    systemctl start evscribed
    until_true 20 answers
    sleep 1
    evscribe ledger verify >$scratch/verified/$1 2>&1 || code=$?
    echo "code $code" >>$scratch/verified/$1
    tail -n 8 /var/lib/evscribe/ledger.jsonl >$scratch/verified/$1.end
    of_journal -u evscribed -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID evscribed)" \\
        >$scratch/verified/$1.log
}
tampered untouched 'pass'
tampered flipped 'lines[4] = lines[4].replace(b"T", b"U", 1)'
tampered removed 'del lines[4]'
tampered swapped 'lines[4], lines[5] = lines[5], lines[4]'
tampered repeated 'lines.insert(5, lines[4])'
tampered torn 'out = data[:-20]'
tampered begun-anew 'del lines[3:]'
systemctl stop evscribed
rm -rf /var/lib/evscribe/*
cp -a /var/tmp/whole/. /var/lib/evscribe/
systemctl reset-failed evscribed || true
systemctl start evscribed
until_true 20 answers
bring_out
cp --no-preserve=all /var/lib/evscribe/ledger.jsonl /out/result/
"""


def shown(guest, user: str) -> list[dict]:
    return guest.json_lines(f"shown/{user}")


def subjects(guest, user: str) -> set[str]:
    return set(guest.json(f"{user}.json")["data"][0]["subjects"]["data"])


def in_order(wanted: list[str], facts: list[str]) -> bool:
    rest = iter(facts)
    return all(fact in rest for fact in wanted)


def it_tells_ann_her_story_in_order(guest):
    facts = [line["fact"] for line in shown(guest, "ann")]
    story = ["started", "acknowledged", "notice_shown", "level_changed", "level_changed", "paused", "sealed",
             "forgotten", "held", "held", "exported", "policy_changed"]
    assert in_order(story, facts), facts


def it_tells_bob_his_and_nothing_of_ann(guest):
    lines = shown(guest, "bob")
    facts = [line["fact"] for line in lines]
    assert in_order(["started", "acknowledged", "held", "opted_out", "policy_changed"], facts), facts
    assert not subjects(guest, "ann") & {line.get("subject") for line in lines}
    text = guest.text("shown/bob") + guest.text("shown/bob-words")
    assert not [subject for subject in subjects(guest, "ann") if subject in text]


def it_tells_ann_nothing_of_bob(guest):
    assert not [subject for subject in subjects(guest, "bob") if subject in guest.text("shown/ann")]


def it_notes_a_request_that_was_refused(guest):
    refused = {line["what"] for line in shown(guest, "root") if line["fact"] == "refused"}
    assert refused >= {"Acknowledge", "EraseOf", "OpenMyFile"}
    assert guest.text("shown/bob-refused").strip()


def it_keeps_the_file_to_itself(guest):
    assert "Permission denied" in guest.text("shown/ann-file")


def it_is_a_chain_as_its_description_says(guest):
    """Checked anew here, by FORMAT.md alone."""
    before = "0" * 64
    for n, line in enumerate((guest.result / "ledger.jsonl").read_bytes().splitlines(), start=1):
        body, _, rest = line.partition(b',"hash":"')
        assert rest == hashlib.sha256(body).hexdigest().encode() + b'"}', n
        assert b'"prev":"' + before.encode() + b'"' in body and body.startswith(b'{"n":%d,' % n)
        before = hashlib.sha256(body).hexdigest()


def it_names_every_file_and_every_file_names_it(guest):
    lines = guest.json_lines("ledger.jsonl")
    heads = {line["hash"] for line in lines} | {"0" * 64}
    told = {line["file"]: line["sha256"] for line in lines if line["fact"] == "sealed"}
    for table in ("events", "touch", "marks", "devices"):
        for file in guest.dataset.files(table):
            assert guest.dataset.metadata(file)["evscribe.ledger_head"] in heads
            assert str(file.relative_to(guest.dataset.folder)) in told


def verified(guest, name: str) -> str:
    return guest.text(f"verified/{name}")


def it_finds_nothing_where_nothing_was_touched(guest):
    assert verified(guest, "whole").startswith("The ledger is whole")
    assert verified(guest, "untouched").endswith("code 0\n")


@pytest.mark.parametrize("what, line", [("flipped", 5), ("removed", 5), ("swapped", 5), ("repeated", 6)])
def it_finds_and_locates_what_was_touched(guest, what, line):
    words = verified(guest, what)
    assert words.startswith(f"The ledger is broken: line {line}: ") and words.endswith("code 1\n"), words
    assert f"line {line}" in verified(guest, f"{what}.log"), "the service does not say so at its start"


def it_repairs_a_torn_last_line_and_says_so(guest):
    assert verified(guest, "torn").endswith("code 0\n"), verified(guest, "torn")
    assert '"fact":"repaired"' in verified(guest, "torn.end")
    assert "ledger" in verified(guest, "torn.log")


def it_misses_an_end_that_files_were_sealed_under(guest):
    words = verified(guest, "begun-anew")
    assert "sealed under a head that no line has" in words and words.endswith("code 1\n")
