"""Nothing is opened before the person at the seat acknowledged the notice."""

INSIDE = """
install_evscribe
# What the service has open, each time it was asked.
look() {
    sleep 1
    mkdir -p $scratch/looks
    ls -l "/proc/$(main_pid)/fd" | grep -c ' /dev/input/event' >$scratch/looks/$1.open || true
    evscribe status --json >$scratch/looks/$1.json
    systemctl show -P StatusText evscribed >$scratch/looks/$1.status
}
systemctl enable --now evscribed
look no-policy
policy bob class
systemctl reload evscribed
look ann-has-not-acknowledged
policy ann class
systemctl reload evscribed
until_true 10 collects
look ann
login_as bob
until_true 10 collects_not
look bob-at-the-seat
"$hands" --settle-ms 1500 --record $scratch/bob.jsonl keyboard --seconds 5
login_as ann
until_true 10 collects
sed -i 's/^days = 30/days = 0/' /etc/evscribe/policy.toml
systemctl reload evscribed
look wrong-policy
rm /etc/evscribe/policy.toml
systemctl reload evscribed || true
until_true 10 collects_not
look policy-removed
policy ann class
systemctl reload evscribed
until_true 10 collects
play ann keyboard --seconds 5
bring_out
"""


def look(guest, name: str) -> tuple[int, str]:
    """How many devices were open, and the status in words."""
    assert guest.json(f"looks/{name}.json")["pid"] > 0
    return int(guest.text(f"looks/{name}.open")), guest.text(f"looks/{name}.status").strip()


def it_opens_nothing_without_a_policy(guest):
    opened, words = look(guest, "no-policy")
    assert opened == 0
    assert words == "waiting, nothing is opened: /etc/evscribe/policy.toml does not exist"


def it_opens_nothing_for_who_has_not_acknowledged(guest):
    opened, words = look(guest, "ann-has-not-acknowledged")
    assert opened == 0
    assert words == "waiting, nothing is opened: ann has not acknowledged the notice"


def it_opens_devices_for_who_has(guest):
    opened, words = look(guest, "ann")
    assert opened > 0
    assert words.startswith("collecting from ann at keys=class pointer=full: ")


def it_closes_all_when_another_takes_the_seat(guest):
    opened, words = look(guest, "bob-at-the-seat")
    assert opened == 0
    assert words == "waiting, nothing is opened: bob has not acknowledged the notice"


def it_writes_no_event_of_another_person(guest):
    typed = [line["t_us"] for line in guest.sent_at("bob.jsonl")]
    assert typed
    rows = guest.dataset.rows("events") + guest.dataset.rows("touch")
    assert not [row for row in rows if typed[0] <= row["boot_us"] <= typed[-1]]


def it_marks_the_switch(guest):
    (switch,) = [row for row in guest.dataset.marks("switch") if row["device"] is None]
    assert switch["reason"] == "seat"


def it_keeps_the_policy_before_a_wrong_one(guest):
    opened, words = look(guest, "wrong-policy")
    assert opened > 0 and words.endswith("the new policy is wrong, the one before stays in force")
    error = guest.json("looks/wrong-policy.json")["policy_error"]
    assert error.startswith("/etc/evscribe/policy.toml:")


def it_stops_when_the_policy_is_removed(guest):
    assert look(guest, "policy-removed")[0] == 0


def it_keeps_classes_and_no_codes(guest):
    keys = [row for row in guest.dataset.rows("events") if row["kind"] == "key"]
    assert len(keys) > 20
    assert all(row["code"] is None and row["key_class"] for row in keys)
    assert all(row["name"] is None for row in guest.dataset.rows("devices"))


def it_gives_ann_one_pseudonym_that_is_not_her_name(guest):
    subjects = {row["subject"] for row in guest.dataset.rows("events")}
    assert len(subjects) == 1 and "ann" not in subjects and "1000" not in subjects
