"""What may be pulled over SSH, by whom, and that every pull is a fact: sealed, past
the cooling-off, not paused by the policy, read-only, and nothing else for that key."""

import hashlib
import json

import pytest

COOLING_S = 3600

INSIDE = r"""
source /repo/tests/guest/inside_serve.sh
install_evscribe
memory_disk 128
policy ann class
drop_in pull <<TOML
[pull]
cooling_off_hours = 1
TOML
start_service
systemctl start ssh
may_pull lake
warm_up_pulls lake
may_pull other
evscribe pull-access list --json >$scratch/said/list
stat -c '%a %U %n' /var/lib/evscribe-pull /var/lib/evscribe-pull/.ssh/authorized_keys >$scratch/said/access-modes

# --- nothing before the cooling-off, whatever the clock says
play one desk --seconds 8 --mouse-hz 125
sealed
pulls early lake
as ann evscribe status --json >$scratch/said/status-early
date -s '+2 days' >/dev/null
sleep 5
sealed
pulls stepped lake
date -s '-2 days' >/dev/null
sleep 5
say "nothing was on offer"

# --- then exactly that, noted
sleep 3700
sealed
as ann evscribe status >$scratch/said/status-before
pulls first lake
snapshot first
as ann evscribe status --json >$scratch/said/status.json
as ann evscribe status >$scratch/said/status
as ann evscribe ledger show --json >$scratch/said/ledger-ann
acknowledges acknowledged lake first
acknowledges acknowledged-again lake first
asks acknowledged-other-manifest lake evscribe-acknowledge $(echo nonsense | sha256sum | cut -d' ' -f1)
asks acknowledged-nonsense lake evscribe-acknowledge nonsense
pulls again lake
pulls other other
say "pulled by two"

# --- nothing but that
asks shell lake
asks id lake id
asks cat lake cat /var/lib/evscribe/ledger.jsonl
asks chained lake 'rsync --server --sender -e.iLsfxCIvu . . ; id'
asks internal-sftp lake internal-sftp
asks log-file lake rsync --server --sender -re.iLsfxCIvu --log-file=/tmp/planted . .
tried sftp sftp $(way lake | cut -d' ' -f2-) $there
tried scp scp $(way lake | cut -d' ' -f2-) $there:manifest.jsonl $scratch/said/scp.got
tried terminal $(way lake) -tt $there
tried forward $(way lake) -W 127.0.0.1:22 $there
tried forward-back $(way lake) -o ExitOnForwardFailure=yes -N -R 2222:127.0.0.1:22 $there
echo planted >$scratch/planted
tried write rsync -e "$(way lake)" $scratch/planted $there:
tried remove rsync -r --remove-source-files -e "$(way lake)" $there:events $scratch/lake/removed/
tried above rsync -r -e "$(way lake)" $there:../dataset $scratch/lake/above/
tried above-within rsync -r -e "$(way lake)" $there:events/../../ledger.jsonl $scratch/lake/above/
tried absolute rsync -r -e "$(way lake)" $there:/etc/passwd $scratch/lake/absolute/
tried secluded rsync -r --secluded-args -e "$(way lake)" $there: $scratch/lake/secluded/
snapshot refused
evscribe ledger verify >$scratch/said/ledger-whole

# --- who pulls can open nothing else, nor say that they pulled
: >$scratch/said/opened
parquet=$(find /var/lib/evscribe/dataset -name '*.parquet' | head -n 1)
for path in /var/lib/evscribe /var/lib/evscribe/dataset "$parquet" /var/lib/evscribe/dataset/manifest.jsonl \
    /var/lib/evscribe/journal /var/lib/evscribe/ledger.jsonl /var/lib/evscribe/people.toml \
    /var/lib/evscribe/pulls.json /var/lib/evscribe/numbers.json /etc/evscribe/evscribe.key; do
    test -e "$path"
    ! as evscribe-pull test -r "$path" || echo "evscribe-pull reads $path" >>$scratch/said/opened
    ! as evscribe-pull test -w "$path" || echo "evscribe-pull writes $path" >>$scratch/said/opened
done
for path in /var/lib/evscribe/outbox /var/lib/evscribe/outbox/manifest.jsonl /var/lib/evscribe-pull \
    /var/lib/evscribe-pull/.ssh /var/lib/evscribe-pull/.ssh/authorized_keys; do
    ! as evscribe-pull test -w "$path" || echo "evscribe-pull writes $path" >>$scratch/said/opened
done
as evscribe-pull test -r /var/lib/evscribe/outbox/manifest.jsonl
! as ann test -r /var/lib/evscribe/outbox/manifest.jsonl || echo "ann reads the outbox" >>$scratch/said/opened
tried bus-ann bus ann NotePull s lake
tried bus-bob bus bob AcknowledgePull ss lake $(sha256sum </dev/null | cut -d' ' -f1)
tried bus-name bus evscribe-pull NotePull s '../x'
tried service-by-hand as evscribe-pull busctl call $service_name $service_path $service_name MyLedger
say "nothing else is open"

# --- the policy pauses, an administrator holds
drop_in zz-paused <<TOML
[pull]
paused = true
TOML
systemctl reload evscribed
until_true 10 offers_nothing
pulls paused lake
as ann evscribe status >$scratch/said/status-paused
rm /etc/evscribe/policy.d/zz-paused.toml
systemctl reload evscribed
until_true 10 offers
evscribe hold "works council" >/dev/null
pulls held lake
evscribe release >/dev/null
until_true 10 collects
pulls released lake
say "paused and held"

# --- what is forgotten is out of it before ann is told; what comes in its place is noted
# for whoever is served, also where the service was started anew under them
sleep 100000 | $(way other) -T $there rsync --server --sender -re.iLsfxCIvu . . >/dev/null 2>&1 &
until_true 20 is_served
systemctl restart evscribed
until_true 20 collects
snapshot before-forget
python3 - $scratch/at/before-forget/outbox.jsonl >$scratch/span <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
files = [json.loads(line) for line in open(sys.argv[1])]
events = [file for file in files if file["op"] == "sealed" and file["table"] == "events"]
begins = min(file["first_us"] for file in events)
for second in (3, 5):
    print((datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=begins + second * 1_000_000)).isoformat())
PYTHON
as ann evscribe forget --from "$(sed -n 1p $scratch/span)" --until "$(sed -n 2p $scratch/span)" >$scratch/said/forget
snapshot forgotten
until_true 10 collects
pkill -u evscribe-pull rsync
until_true 10 is_not_served
pulls forgotten lake

# --- what was acknowledged by all who have it may go early, nothing else
play two desk --seconds 8 --mouse-hz 125
sealed
sleep 3700
snapshot unserved
pulls second lake
snapshot second
drop_in early <<TOML
[retention]
after_pull_hours = 0
TOML
systemctl reload evscribed
sleep 5
snapshot early-one
acknowledges acknowledged-by-other other other
sleep 2
snapshot early
as ann evscribe my-data show -n 1 >/dev/null

# --- a disk's state of pulls over a kill, and nobody to note them
systemctl kill -s KILL evscribed
until_true 20 answers
pulls killed lake
snapshot killed
evscribe pull-access remove other >/dev/null
pulls removed other
evscribe ledger verify >$scratch/said/ledger-whole-at-the-end
bring_out
cp --no-preserve=all /var/lib/evscribe/ledger.jsonl /out/result/
pulls stopped lake
keep
"""


def code(guest, what: str) -> int:
    return int(guest.text(f"said/{what}.code"))


def err(guest, what: str) -> str:
    return guest.text(f"said/{what}.err").strip()


def got(guest, what: str) -> dict[str, str]:
    """What a pull brought: SHA-256 of each file by its path."""
    folder = guest.result / "lake" / what
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def live(guest, moment: str, of: str = "outbox") -> dict[str, str]:
    """What that manifest listed then: SHA-256 by path."""
    listed: dict[str, str] = {}
    for line in guest.json_lines(f"at/{moment}/{of}.jsonl"):
        if line["op"] == "sealed":
            listed[line["path"]] = line["sha256"]
        elif line["op"] == "removed":
            listed.pop(line["path"])
    return listed


def served(guest, moment: str) -> dict[str, str]:
    """What lay in the outbox then."""
    lines = guest.text(f"at/{moment}/sums").splitlines()
    return {path.removeprefix("./"): sha256 for sha256, path in (line.split("  ") for line in lines)}


def facts(guest, moment: str, fact: str) -> list[dict]:
    return [line for line in guest.json_lines(f"at/{moment}/ledger.jsonl") if line["fact"] == fact]


def parquet(files) -> set[str]:
    return {path for path in files if path.endswith(".parquet")}


@pytest.mark.parametrize("what", ["early", "stepped"])
def it_offers_nothing_before_the_cooling_off_nor_by_a_clock_that_was_set(guest, what):
    assert code(guest, what) == 0, err(guest, what)
    assert set(got(guest, what)) == {"manifest.jsonl"}


def it_says_before_that_nobody_fetched_anything(guest):
    assert guest.json("said/status-early")["you"]["pulls"] == []
    said = guest.text("said/status-before")
    assert "nobody fetched anything of yours so far" in said and "before it is 1 hour old" in said


def it_serves_exactly_what_is_on_offer(guest):
    assert code(guest, "first") == 0, err(guest, "first")
    offered, pulled = live(guest, "first"), got(guest, "first")
    assert {path.split("/")[0] for path in offered} == {"events", "touch", "marks", "devices"}
    assert {path: sha256 for path, sha256 in pulled.items() if path in parquet(pulled)} == offered
    assert set(pulled) - parquet(pulled) == {"manifest.jsonl"}
    assert served(guest, "first") == offered
    sealed = live(guest, "first", "dataset")
    assert offered.items() <= sealed.items()


def it_offers_links_that_the_group_may_read(guest):
    for line in guest.text("at/first/files").splitlines():
        assert line.split()[1:3] == ["640", "evscribe:evscribe"], line


def it_states_its_host_and_that_it_is_a_part(guest):
    (created, *files) = guest.json_lines("at/first/outbox.jsonl")
    assert created["op"] == "created" and created["part"] is True
    assert {file["host"] for file in files} == {created["host"]}
    assert [file["path"] for file in files] == sorted(file["path"] for file in files)


def it_notes_each_file_once_for_each_puller(guest):
    offered = live(guest, "first")
    noted = facts(guest, "refused", "pulled")
    for puller in ("lake", "other"):
        theirs = [line for line in noted if line["puller"] == puller]
        assert {line["file"]: line["sha256"] for line in theirs}.items() >= offered.items()
        assert len({line["file"] for line in theirs}) == len(theirs)
        assert all(line["subject"] for line in theirs)


def it_shows_ann_who_fetched_what_and_when(guest):
    (pull,) = guest.json("said/status.json")["you"]["pulls"]
    assert pull["by"] == "lake" and pull["files"] == len(live(guest, "first")) and pull["last"]
    assert f"up to {pull['files']} files by lake, last on" in guest.text("said/status")
    lines = [line for line in guest.json_lines("said/ledger-ann") if line["fact"] == "pulled"]
    assert {line["file"] for line in lines} == set(live(guest, "first"))


def it_takes_an_acknowledgement_of_what_was_offered_alone(guest):
    count = len(live(guest, "first"))
    for what in ("acknowledged", "acknowledged-again"):
        assert code(guest, what) == 0, err(guest, what)
        assert guest.text(f"said/{what}.out") == f"acknowledged: {count} files\n"
    for what in ("acknowledged-other-manifest", "acknowledged-nonsense"):
        assert code(guest, what) == 1 and err(guest, what).startswith("evscribe: ")
    (told,) = facts(guest, "refused", "acknowledged_pull")
    manifest = (guest.result / "lake/first/manifest.jsonl").read_bytes()
    assert told["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert (told["puller"], told["files"]) == ("lake", count)


@pytest.mark.parametrize(
    "what",
    "shell id cat chained internal-sftp log-file sftp scp terminal forward forward-back write remove above above-within "
    "secluded absolute".split(),
)
def it_does_nothing_else_for_that_key(guest, what):
    assert code(guest, what) != 0
    assert "uid=" not in guest.text(f"said/{what}.out") and '"fact"' not in guest.text(f"said/{what}.out")


def it_left_no_trace_of_what_was_refused(guest):
    for folder in ("removed", "above", "absolute", "secluded"):
        assert not parquet(got(guest, folder)) and "passwd" not in got(guest, folder), folder
    assert not (guest.result / "said/scp.got").exists()
    assert served(guest, "refused").items() >= live(guest, "first").items()
    assert "planted" not in guest.text("at/refused/files")


def it_says_in_one_line_why_it_refuses(guest):
    for what in ("shell", "id", "cat", "chained", "log-file"):
        assert err(guest, what).startswith("evscribe: ") and len(err(guest, what).splitlines()) == 1, err(guest, what)


def it_lets_who_pulls_open_nothing_else(guest):
    assert guest.text("said/opened") == ""


@pytest.mark.parametrize("what", ["bus-ann", "bus-bob", "bus-name"])
def it_lets_nobody_else_say_that_they_pulled(guest, what):
    assert code(guest, what) != 0
    assert not [line for line in facts(guest, "second", "pulled") if line["puller"] not in ("lake", "other")]


@pytest.mark.parametrize(("what", "why"), [("paused", "pulls are paused by the policy"), ("held", "works council")])
def it_serves_nothing_while_it_may_not(guest, what, why):
    assert code(guest, what) != 0 and why in err(guest, what)
    assert not got(guest, what)
    assert [line for line in facts(guest, "second", "refused") if line["what"] == "NotePull" and why in line["why"]]


def it_shows_ann_that_nobody_can_fetch_now(guest):
    assert "nobody can fetch it now: pulls are paused by the policy" in guest.text("said/status-paused")


def it_serves_the_same_again_afterwards(guest):
    assert code(guest, "released") == 0, err(guest, "released")
    assert got(guest, "released").items() >= live(guest, "first").items()


def changed(guest) -> set[str]:
    before, after = served(guest, "before-forget"), served(guest, "forgotten")
    return {path for path in before if before[path] != after.get(path)}


def it_has_what_is_forgotten_out_before_ann_is_told(guest):
    told = {line["file"] for line in guest.json_lines("at/forgotten/tombstones.jsonl")}
    assert changed(guest) and changed(guest) <= told
    old = {served(guest, "before-forget")[path] for path in changed(guest)}
    assert not old & set(served(guest, "forgotten").values())
    assert served(guest, "forgotten") == live(guest, "forgotten")
    assert live(guest, "forgotten").items() <= live(guest, "forgotten", "dataset").items()


def it_hands_over_tombstones_and_what_is_left_at_once(guest):
    assert code(guest, "forgotten") == 0, err(guest, "forgotten")
    pulled = got(guest, "forgotten")
    tombstones = [json.loads(line) for line in (guest.result / "lake/forgotten/tombstones.jsonl").read_text().splitlines()]
    for line in tombstones:
        assert pulled.get(line["file"]) == line["sha256"] or line["file"] not in live(guest, "forgotten")
    again = [line for line in facts(guest, "second", "pulled") if line["puller"] == "lake" and line["file"] in changed(guest)]
    assert {line["sha256"] for line in again} >= {pulled[path] for path in changed(guest) if path in pulled}


def it_notes_what_comes_on_offer_for_who_is_served_before_anybody_has_it(guest):
    came = {path: sha256 for path, sha256 in served(guest, "forgotten").items() if path in changed(guest)}
    before = {line["sha256"] for line in facts(guest, "before-forget", "pulled")}
    noted = [line for line in facts(guest, "forgotten", "pulled") if line["sha256"] not in before]
    assert came and {line["file"]: line["sha256"] for line in noted} == came
    assert {line["puller"] for line in noted} == {"other"}


def it_notes_nothing_for_who_is_served_no_more(guest):
    came = set(served(guest, "unserved").values()) - set(served(guest, "forgotten").values())
    noted = {line["sha256"] for line in facts(guest, "unserved", "pulled")}
    assert came and not came & noted


def it_keeps_until_all_who_have_a_file_acknowledged_it(guest):
    assert live(guest, "early-one", "dataset").items() >= live(guest, "second").items()


def it_lets_go_early_what_all_acknowledged_and_nothing_else(guest):
    before, after = live(guest, "early-one", "dataset"), live(guest, "early", "dataset")
    gone = set(before) - set(after)
    acknowledged = set(live(guest, "first")) - changed(guest)
    assert gone == {path for path in acknowledged & set(before) if not path.startswith("devices/")}
    assert gone and set(after)
    told = [line for line in facts(guest, "early", "retained") if line["reason"] == "pulled"]
    assert {line["file"] for line in told} == gone
    assert not gone & set(served(guest, "early"))
    removed = [line for line in guest.json_lines("at/early/dataset.jsonl") if line["op"] == "removed"]
    assert {line["path"] for line in removed if line["reason"] == "pulled"} == gone


def it_remembers_over_a_kill(guest):
    assert code(guest, "killed") == 0, err(guest, "killed")
    assert served(guest, "killed") == live(guest, "killed")
    assert live(guest, "early").items() <= live(guest, "killed").items()
    pulled = [(line["puller"], line["file"], line["sha256"]) for line in facts(guest, "killed", "pulled")]
    assert len(pulled) == len(set(pulled)), "nothing is noted twice"


def it_lets_nobody_in_who_was_removed(guest):
    assert code(guest, "removed") != 0 and "Permission denied" in err(guest, "removed")
    assert not got(guest, "removed")


def it_serves_nothing_without_the_service(guest):
    assert code(guest, "stopped") != 0 and "evscribed does not run" in err(guest, "stopped")
    assert not got(guest, "stopped")


def it_names_who_may_pull_and_the_host_key(guest):
    listed = guest.json("said/list")
    assert [puller["name"] for puller in listed["pullers"]] == ["lake", "other"] and listed["other_lines"] == []
    added = guest.json("said/add-lake")
    assert added["host_fingerprint"].startswith("SHA256:") and added["hosts_line"] == "evscribe-pull@guest"
    assert guest.text("said/access-modes").splitlines() == [
        "755 root /var/lib/evscribe-pull",
        "644 root /var/lib/evscribe-pull/.ssh/authorized_keys",
    ]


def it_keeps_the_ledger_whole(guest):
    for when in ("", "-at-the-end"):
        assert guest.text(f"said/ledger-whole{when}").startswith("The ledger is whole")
