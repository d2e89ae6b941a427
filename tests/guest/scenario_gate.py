"""Nothing is opened before the person at the seat acknowledged the notice, and
nothing more is kept than they chose."""

import re

import pytest

INSIDE = """
install_evscribe
memory_disk 128
# What the service has open and says, each time it was asked.
look() {
    sleep 1
    mkdir -p $scratch/looks
    ls -l "/proc/$(main_pid)/fd" | grep -c ' /dev/input/event' >$scratch/looks/$1.open || true
    cp /run/evscribe/status.json $scratch/looks/$1.json
    systemctl show -P StatusText evscribed >$scratch/looks/$1.status
}
# typed NAME [ARGUMENTS…]
typed() {
    local name=$1
    shift
    moment "$name-begins"
    "$hands" --settle-ms 1000 --linger-ms 800 --record $scratch/$name.jsonl "$@" keyboard --seconds 4
    moment "$name-ends"
}
# refused NAME USER COMMAND…: what a person is told who is refused.
refused() {
    local name=$1 code=0
    shift
    mkdir -p $scratch/refused
    as "$@" >$scratch/refused/$name 2>&1 </dev/null || code=$?
    echo "code $code" >>$scratch/refused/$name
}

systemctl enable --now evscribed
look no-policy
policy ann class
systemctl reload evscribed
until_true 20 answers
look nobody-acknowledged
refused without-version ann evscribe acknowledge
refused wrong-version ann evscribe acknowledge --notice guest-0
refused above-ceiling ann evscribe acknowledge --notice guest-1 --keys full
look still-nobody
acknowledge_as root class
acknowledge_as bob class
sleep 1
look others-acknowledged
acknowledge_as ann class
until_true 10 collects
look ann
typed class --wait-for evscribed

login_as bob
until_true 10 collects
look bob
as bob evscribe opt-out
until_true 10 collects_not
look bob-opted-out
typed opted-out
login_as ann
until_true 10 collects

sed -i 's/^days = 30/days = 0/' /etc/evscribe/policy.toml
systemctl reload evscribed
look wrong-policy
policy ann class
printf '[[acknowledged]]\\nuser = "ann"\\nnotice = "guest-1"\\n' >>/etc/evscribe/policy.toml
systemctl reload evscribed
look acknowledged-table

notice=guest-2
policy ann class
systemctl reload evscribed
until_true 10 collects_not
look notice-changed
typed notice-changed
refused old-version ann evscribe acknowledge --notice guest-1
acknowledge_as ann class
until_true 10 collects
look notice-acknowledged

as ann evscribe level off
sleep 1
look keys-off
typed off
as ann evscribe level off --pointer off
until_true 10 collects_not
look all-off
as ann evscribe level class --pointer full
until_true 10 collects

rm /etc/evscribe/policy.toml
systemctl reload evscribed || true
until_true 10 collects_not
look policy-removed
policy ann class
systemctl reload evscribed
until_true 10 collects
typed again --wait-for evscribed
bring_out
"""


def look(guest, name: str) -> tuple[int, str]:
    """How many devices were open, and the status in words."""
    assert guest.json(f"looks/{name}.json")["pid"] > 0
    return int(guest.text(f"looks/{name}.open")), guest.text(f"looks/{name}.status").strip()


def keys_of(guest, name: str) -> list[dict]:
    """Rows of keys while that was typed."""
    begins, ends = guest.moment(f"{name}-begins"), guest.moment(f"{name}-ends")
    rows = guest.dataset.rows("events")
    return [row for row in rows if row["kind"] == "key" and begins <= row["boot_us"] <= ends]


CLOSED = {
    "no-policy": "/etc/evscribe/policy.toml does not exist",
    "nobody-acknowledged": "the person at the seat has not acknowledged the current notice",
    "still-nobody": "the person at the seat has not acknowledged the current notice",
    "others-acknowledged": "the person at the seat has not acknowledged the current notice",
    "bob-opted-out": "the person at the seat opted out",
    "notice-changed": "the person at the seat has not acknowledged the current notice",
    "all-off": "the person at the seat chose that nothing is kept",
}


@pytest.mark.parametrize("when", CLOSED)
def it_opens_nothing_and_says_why(guest, when):
    assert look(guest, when) == (0, f"waiting, nothing is opened: {CLOSED[when]}")


def it_opens_devices_for_who_acknowledged(guest):
    for name in ("ann", "bob", "notice-acknowledged"):
        opened, words = look(guest, name)
        assert opened > 0, name
        assert words.startswith("collecting at keys=class pointer=full: "), words


def it_takes_no_acknowledgement_of_another(guest):
    """root's and bob's own stand, and open nothing for ann."""
    assert look(guest, "others-acknowledged")[0] == 0


def it_refuses_what_is_no_acknowledgement_and_says_what_to_do(guest):
    said = {name: guest.text(f"refused/{name}") for name in
            ("without-version", "wrong-version", "above-ceiling", "old-version")}
    for name, words in said.items():
        assert not words.endswith("code 0\n"), f"{name}: {words}"
    assert "--notice" in said["without-version"]
    assert "guest-1" in said["wrong-version"] and "guest-2" in said["old-version"]
    assert "at most" in said["above-ceiling"]


def it_keeps_nothing_of_who_opted_out_or_did_not_acknowledge(guest):
    for name in ("opted-out", "notice-changed"):
        assert guest.sent_at(f"{name}.jsonl")
        assert not keys_of(guest, name), name


def it_marks_the_switch_and_the_change_of_notice(guest):
    reasons = {(row["mark"], row["reason"]) for row in guest.dataset.rows("marks")}
    assert {("switch", "seat"), ("stop", "notice"), ("stop", "opted_out"), ("stop", "level_off")} <= reasons


def it_keeps_the_policy_before_a_wrong_one(guest):
    opened, words = look(guest, "wrong-policy")
    assert opened > 0 and words.endswith("the new policy is wrong, the one before stays in force")
    error = guest.json("looks/wrong-policy.json")["policy_error"]
    assert error.startswith("/etc/evscribe/policy.toml:") and "days" in error


def it_takes_nobodys_acknowledgement_from_the_policy(guest):
    opened, words = look(guest, "acknowledged-table")
    assert opened > 0 and words.endswith("the new policy is wrong, the one before stays in force")
    assert "evscribe acknowledge" in guest.json("looks/acknowledged-table.json")["policy_error"]


def it_stops_when_the_policy_is_removed(guest):
    opened, words = look(guest, "policy-removed")
    assert opened == 0 and "/etc/evscribe/policy.toml does not exist" in words


def it_keeps_classes_and_no_codes(guest):
    keys = keys_of(guest, "class")
    assert len(keys) > 20
    assert all(row["code"] is None and row["key_class"] for row in keys)
    assert all(row["name"] is None for row in guest.dataset.rows("devices"))


def it_keeps_no_key_at_off(guest):
    opened, words = look(guest, "keys-off")
    assert opened > 0 and words.startswith("collecting at keys=off pointer=full: ")
    assert guest.sent_at("off.jsonl")
    assert not keys_of(guest, "off")


def it_comes_back_with_the_policy(guest):
    assert len(keys_of(guest, "again")) > 20


def it_gives_each_a_pseudonym_that_is_not_their_name(guest):
    subjects = {row["subject"] for row in guest.dataset.rows("marks")}
    assert len(subjects) == 2
    assert not subjects & {"ann", "bob", "1000", "1001"}


def it_shows_no_name_in_status(guest):
    for file in (guest.result / "looks").iterdir():
        words = file.read_text()
        assert not re.search(r"\b(ann|bob)\b", words), f"{file.name}: {words}"
