"""Nobody on the bus gets what is not theirs, holds up the reading thread, or
brings the service down; and when the bus or logind goes, capture closes and
comes back by itself.
"""

import xml.etree.ElementTree as xml

import pytest

from harness import REPO, figure
from record import assert_same, event_rows, expected_events

INSIDE = """
install_evscribe
memory_disk 128
policy ann full
start_service
play before keyboard --seconds 3
bus ann MyFiles >$scratch/files.json
path=$(sed 's/.*"data":\\[\\[\\["\\([^"]*\\)".*/\\1/' $scratch/files.json)
busctl introspect --xml-interface org.evscribe.Collector1 /org/evscribe/Collector1 >$scratch/introspection.xml
warm python3 busctl
bus bob Me >/dev/null
"$hands" --wait-for evscribed --record $scratch/moved.jsonl mouse --hz 1000 --seconds 60 &
moving=$!
begun $scratch/moved.jsonl
sleep 2
python3 -B $repo/tests/guest/inside_hostile.py "$path" >$scratch/hostile.json
say "the hostile clients are done"
wait $moving
systemctl show -P NRestarts evscribed >$scratch/restarts

# What polkit permits, and to whom.
cat >/etc/polkit-1/rules.d/49-guest.rules <<'RULE'
polkit.addRule(function(action, subject) {
    if (action.id == "org.evscribe.collector1.manage-others" && subject.user == "ann") return polkit.Result.YES;
});
RULE
sleep 2
as ann evscribe hold "ann may, says polkit" >$scratch/hold-ann 2>&1
until_true 5 collects_not
as ann evscribe release >/dev/null
until_true 10 collects
as bob evscribe hold "bob may not" >$scratch/hold-bob 2>&1 || true

# away NAME: from now on who is at the seat cannot be known.
away() {
    until_true 10 collects_not
    moment "$1-closed"
    systemctl show -P StatusText evscribed >$scratch/said-$1
    "$hands" --settle-ms 500 --linger-ms 200 --record $scratch/$1.jsonl keyboard --seconds 2
}
back() {
    until_true 90 collects
    moment "$1-back"
    "$hands" --wait-for evscribed --record $scratch/$1-after.jsonl keyboard --seconds 2
}
systemctl mask --runtime --now systemd-logind
away logind
systemctl unmask --runtime systemd-logind
systemctl start systemd-logind
back logind
# Within one instant.
systemctl restart systemd-logind
back restarted
# The bus itself, killed; its socket is kept from starting another.
systemctl stop dbus.socket || true
systemctl kill -s KILL dbus.service
systemctl stop dbus.service dbus.socket || true
away dbus
systemctl start dbus.socket dbus.service
systemctl restart systemd-logind
back dbus
until_true 60 answers
bus ann Me >$scratch/me-after-dbus
bring_out
"""


def hostile(guest) -> dict:
    return guest.json("hostile.json")


def it_loses_no_report_of_a_mouse_meanwhile(guest):
    sent = guest.sent_at("moved.jsonl")
    begins, ends = sent[0]["t_us"], sent[-1]["t_us"]
    rows = [row for row in guest.dataset.of_device("events", "evscribe hands mouse") if begins <= row["boot_us"] <= ends + 5_000]
    assert_same(event_rows(rows), expected_events(sent), within_us=50_000)
    assert not guest.dataset.marks("drop")


def it_goes_on_through_all_of_it(guest):
    assert guest.text("restarts").strip() == "0"
    assert guest.unit("unit-before")["NRestarts"] == "0"


def it_answers_what_is_wrong_with_an_error(guest):
    answers = hostile(guest)["wrong"]
    harmless = {"a span before all time"}
    assert not [what for what, (kind, _) in answers.items() if kind == "answered" and what not in harmless]
    for what, (kind, _) in answers.items():
        assert kind == "answered" or kind.startswith(("org.freedesktop.DBus.Error.", "org.evscribe.Error.")), what


def it_takes_no_mebibyte(guest):
    for what in ("a mebibyte of version", "a mebibyte of path"):
        kind, words = hostile(guest)["wrong"][what]
        assert kind == "org.evscribe.Error.Refused" and "longer than" in words


@pytest.mark.parametrize("what", ["ann's file", "a way out", "another's root", "erase ann", "hold everybody"])
def it_gives_bob_nothing_that_is_not_his(guest, what):
    assert hostile(guest)["of_others"][what][0] == "org.evscribe.Error.Refused"


def it_answers_a_thousand_clients(guest):
    told = hostile(guest)["crowd"]
    figure(f"{told['clients']} clients at once: {told['answered']} answered within {told['seconds']:.1f} s, guest's clock")
    assert told["clients"] == told["answered"] == 1000


def it_answers_others_while_one_never_reads(guest):
    told = hostile(guest)["never_reads"]
    figure(f"beside a client that asked {told['asked']} times and read nothing: answered within {told['seconds'] * 1000:.0f} ms")
    assert told["asked"] > 100 and told["another"] == "answered" and told["seconds"] < 5


def it_holds_up_who_changes_without_end(guest):
    told = hostile(guest)["without_end"]
    assert told["org.evscribe.Error.Busy"] >= 50 and told["answered"] >= 10


def it_lets_polkit_decide_what_touches_others(guest):
    assert "error" not in guest.text("hold-ann").lower()
    assert "manage-others" in guest.text("hold-bob")


def members(root) -> set[tuple]:
    """Methods, properties and signals of the interface, with types and directions."""
    (interface,) = [one for one in root.iter("interface") if one.get("name") == "org.evscribe.Collector1"]
    out = set()
    for member in interface:
        if member.tag not in ("method", "property", "signal"):
            continue
        arguments = tuple((a.get("type"), a.get("direction")) for a in member.findall("arg"))
        out.add((member.tag, member.get("name"), member.get("type"), member.get("access"), arguments))
    return out


def it_is_introspected_as_installed(guest):
    installed = members(xml.parse(REPO / "systemd/org.evscribe.Collector1.xml").getroot())
    assert len(installed) > 30
    assert members(xml.fromstring(guest.text("introspection.xml"))) == installed


@pytest.mark.parametrize("who", ["logind", "dbus"])
def it_closes_while_nobody_knows_who_is_there(guest, who):
    assert guest.text(f"said-{who}").startswith("waiting, nothing is opened: ")
    sent = [line["t_us"] for line in guest.sent_at(f"{who}.jsonl")]
    assert not [row for row in guest.dataset.rows("events") if sent[0] <= row["boot_us"] <= sent[-1]]


def it_says_that_logind_is_away(guest):
    assert guest.text("said-logind").strip() == "waiting, nothing is opened: logind does not run"


@pytest.mark.parametrize("who", ["logind", "restarted", "dbus"])
def it_comes_back_by_itself(guest, who):
    sent = guest.sent_at(f"{who}-after.jsonl")
    assert [row for row in guest.dataset.rows("events") if sent[0]["t_us"] <= row["boot_us"] <= sent[-1]["t_us"] + 5_000]
    if who != "restarted":
        took = guest.moment(f"{who}-back") - guest.moment(f"{who}-closed")
        figure(f"{who} came back: capture {took / 1_000_000:.1f} s after it had closed, the time away included")


def it_serves_the_bus_again(guest):
    assert '"standing"' in guest.text("me-after-dbus")
