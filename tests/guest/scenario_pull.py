"""A workstation and the lake that pulls from it, both real: the service, sshd, the
forced command, and `evscribe-data pull` over the loopback. What arrived is acknowledged
and only then let go; what is forgotten follows the copy; a line that loses a fifth, by
the kernel's netem, is got through; a host that may not serve now has its own line."""

import json

INSIDE = r"""
source /repo/tests/guest/inside_serve.sh
install_evscribe
memory_disk 128
policy ann class
drop_in pull <<TOML
[pull]
cooling_off_hours = 1
TOML
drop_in early <<TOML
[retention]
after_pull_hours = 0
TOML
start_service
systemctl start ssh
may_pull lake
warm_up_pulls lake
warm /repo/target/dataset/evscribe-data

lake=$scratch/pulled
echo "127.0.0.1 desk  # as its administrator calls it" >/root/keys/hosts

# lake_pulls WHAT [ARGUMENTS…]: evscribe-data pulls; then everything is kept as it is.
lake_pulls() {
    local what=$1
    shift
    tried "$what" /repo/target/dataset/evscribe-data pull --hosts /root/keys/hosts --into "$lake" \
        --identity /root/keys/lake --known-hosts /root/keys/known_hosts --json "$@"
    kept "$what"
}

# kept WHAT: as snapshot, and the lake.
kept() {
    snapshot "$1"
    mkdir -p "$lake"
    (cd "$lake" && find . -path ./_evscribe -prune -o -type f -exec sha256sum {} +) >"$scratch/at/$1/lake"
}

# forgets WHAT WHEN: ann takes back two seconds of the newest events on offer then.
forgets() {
    python3 - "$scratch/at/$2/outbox.jsonl" >"$scratch/span" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
files = [json.loads(line) for line in open(sys.argv[1])]
begins = max(file["first_us"] for file in files if file.get("table") == "events")
for second in (3, 5):
    print((datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=begins + second * 1_000_000)).isoformat())
PYTHON
    tried "$1" as ann evscribe forget --from "$(sed -n 1p "$scratch/span")" --until "$(sed -n 2p "$scratch/span")"
    until_true 20 collects
}

# --- nothing on offer yet, then a first file; fetched by rsync alone it is not let go
lake_pulls early
play one desk --seconds 8 --mouse-hz 125
sealed
sleep 3700
sealed
kept offered
pulls unacknowledged lake
sleep 60
kept unacknowledged
say "fetched, not acknowledged"

# --- pulled: acknowledged, then let go
lake_pulls first
as ann evscribe status >$scratch/said/status
as ann evscribe status --json >$scratch/said/status.json
until_true 30 grep -q '"reason":"pulled"' /var/lib/evscribe/dataset/manifest.jsonl
kept let-go
lake_pulls unchanged-but-less
lake_pulls unchanged
# How long is kept what was pulled stands in the notice: ann is asked anew.
rm /etc/evscribe/policy.d/early.toml
systemctl reload evscribed
sleep 5
acknowledge_as ann class >/dev/null
until_true 20 collects
say "pulled and let go"

# --- forgotten: of a file that went, and of one that is here
forgets forget-gone offered
lake_pulls gone
play two desk --seconds 8 --mouse-hz 125
sealed
sleep 3700
sealed
lake_pulls second
forgets forget-here second
lake_pulls rewritten
say "forgotten here and there"

# --- not now
evscribe hold "works council" >/dev/null
lake_pulls held
evscribe release >/dev/null
until_true 10 collects
drop_in zz-paused <<TOML
[pull]
paused = true
TOML
systemctl reload evscribed
until_true 10 offers_nothing
lake_pulls paused
rm /etc/evscribe/policy.d/zz-paused.toml
systemctl reload evscribed
until_true 10 offers
until_true 20 collects
lake_pulls again
say "held and paused"

# --- a bad line: nothing gets through, then four fifths do
play three desk --seconds 4 --mouse-hz 125
sealed
sleep 3700
sealed
tc qdisc add dev lo root netem loss 100%
lake_pulls cut --timeout 10
tc qdisc change dev lo root netem loss 20% delay 50ms
for attempt in 1 2 3 4 5; do
    lake_pulls lossy
    [ "$(cat $scratch/said/lossy.code)" != 0 ] || break
done
tc qdisc del dev lo root
lake_pulls after
cp -r "$lake" $scratch/lake-at-the-end
bring_out
lake_pulls stopped
keep
"""


def report(guest, what: str) -> dict:
    """What the pull said of its one host."""
    (host,) = json.loads(guest.text(f"said/{what}.out"))["hosts"]
    return host


def code(guest, what: str) -> int:
    return int(guest.text(f"said/{what}.code"))


def in_lake(guest, what: str) -> dict[str, str]:
    lines = guest.text(f"at/{what}/lake").splitlines()
    return {path.removeprefix("./"): sha256 for sha256, path in (line.split("  ", 1) for line in lines)}


def offered(guest, what: str) -> dict[str, str]:
    lines = guest.json_lines(f"at/{what}/outbox.jsonl")
    return {line["path"]: line["sha256"] for line in lines if line["op"] == "sealed"}


def facts(guest, what: str, fact: str) -> list[dict]:
    return [line for line in guest.json_lines(f"at/{what}/ledger.jsonl") if line["fact"] == fact]


def stones(guest, what: str) -> list[dict]:
    return guest.json_lines(f"at/{what}/tombstones.jsonl")


def it_is_complete_where_nothing_is_on_offer_yet(guest):
    assert code(guest, "early") == 0 and in_lake(guest, "early") == {}, guest.text("said/early.err")
    assert report(guest, "early")["host"]


def it_brings_in_what_is_on_offer_and_acknowledges_it(guest):
    assert code(guest, "first") == 0, guest.text("said/first.err")
    said = report(guest, "first")
    assert said["state"] == "pulled" and said["acknowledged"] is True and said["name"] == "desk"
    assert in_lake(guest, "first") == offered(guest, "offered")
    assert said["files"] == len(offered(guest, "offered")) and said["round_trips"] == 3
    (told,) = facts(guest, "first", "acknowledged_pull")
    assert (told["puller"], told["files"]) == ("lake", said["files"])


def it_notes_each_file_for_the_lake_before_it_goes(guest):
    noted = {(line["file"], line["sha256"]) for line in facts(guest, "first", "pulled") if line["puller"] == "lake"}
    assert noted == set(offered(guest, "offered").items())


def it_shows_ann_that_the_lake_has_it(guest):
    (pull,) = guest.json("said/status.json")["you"]["pulls"]
    assert pull["by"] == "lake" and pull["files"] == len(offered(guest, "offered"))
    assert "files by lake, last on" in guest.text("said/status")


def it_lets_go_only_what_was_acknowledged(guest):
    assert code(guest, "unacknowledged") == 0
    assert offered(guest, "unacknowledged") == offered(guest, "offered")
    assert not facts(guest, "unacknowledged", "retained")
    gone = {line["path"] for line in guest.json_lines("at/let-go/dataset.jsonl") if line["op"] == "removed" and line["reason"] == "pulled"}
    assert gone == {path for path in offered(guest, "offered") if not path.startswith("devices/")}
    assert in_lake(guest, "let-go") == offered(guest, "offered"), "the lake keeps what the workstation let go"


def it_costs_one_round_trip_where_nothing_changed(guest):
    # The list got shorter as the workstation let go: that is told, then nothing is.
    assert code(guest, "unchanged-but-less") == 0 and in_lake(guest, "unchanged-but-less") == in_lake(guest, "first")
    said = report(guest, "unchanged")
    assert code(guest, "unchanged") == 0 and said["state"] == "unchanged" and said["round_trips"] == 1, said


def it_takes_out_whole_what_was_forgotten_after_the_workstation_let_it_go(guest):
    assert code(guest, "forget-gone") == 0, guest.text("said/forget-gone.err")
    named = {stone["file"] for stone in stones(guest, "gone") if stone["sha256"] is None}
    assert any(path.startswith("events/") for path in named)
    before, after = in_lake(guest, "unchanged"), in_lake(guest, "gone")
    assert set(before) - set(after) == named & set(before) and report(guest, "gone")["removed"] == len(named & set(before))


def it_takes_the_file_that_was_written_anew_in_place_of_the_old(guest):
    assert code(guest, "forget-here") == 0, guest.text("said/forget-here.err")
    anew = {stone["file"]: stone["sha256"] for stone in stones(guest, "rewritten") if stone["sha256"]}
    before, after = in_lake(guest, "second"), in_lake(guest, "rewritten")
    assert anew and anew.items() <= after.items()
    assert all(before[path] != sha256 for path, sha256 in anew.items() if path in before)
    assert report(guest, "rewritten")["replaced"] >= 1 and report(guest, "rewritten")["acknowledged"] is True


def it_says_in_its_own_line_that_nothing_is_served_now(guest):
    for what, why in (("held", "works council"), ("paused", "pulls are paused by the policy"), ("stopped", "evscribed does not run")):
        said = report(guest, what)
        assert code(guest, what) == 3 and said["state"] == "failed" and why in said["error"], said
        assert said["acknowledged"] is False
    assert in_lake(guest, "held") == in_lake(guest, "paused") == in_lake(guest, "rewritten")
    assert code(guest, "again") == 0 and in_lake(guest, "again") == in_lake(guest, "rewritten")


def it_gets_through_a_line_that_netem_makes_bad(guest):
    cut = report(guest, "cut")
    assert code(guest, "cut") == 3 and cut["state"] == "failed" and cut["error"], cut
    assert in_lake(guest, "cut") == in_lake(guest, "again")
    assert code(guest, "lossy") == 0, guest.text("said/lossy.out")
    assert offered(guest, "lossy").items() <= in_lake(guest, "lossy").items()
    assert report(guest, "after")["state"] == "unchanged" and in_lake(guest, "after") == in_lake(guest, "lossy")
