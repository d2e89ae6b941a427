"""The rules select what they should out of twenty different devices, and no more."""

INSIDE = """
install_evscribe
memory_disk 128
policy ann full
# One mouse belongs to a second seat, as an administrator attaches it.
cat >/etc/udev/rules.d/60-second-seat.rules <<'RULE'
SUBSYSTEM=="input", ATTRS{name}=="evscribe hands seat-two mouse", ENV{ID_SEAT}="seat-two"
RULE
udevadm control --reload
start_service
warm sort
"$hands" zoo --seconds 60 >$scratch/zoo.json &
zoo=$!
sleep 6
udevadm settle
event_nodes() { ls -l "/proc/$(main_pid)/fd" | sed -n 's|.*/dev/input/\\(event[0-9]*\\)$|\\1|p' | sort -u; }
all_open() { [ "$(event_nodes | wc -l)" = "$(ls /dev/input/evscribe | wc -l)" ]; }
until_true 5 all_open || true
ls /dev/input/evscribe >$scratch/selected
event_nodes >$scratch/opened
evscribe devices --json >$scratch/devices.json
for node in /dev/input/event*; do
    echo "${node##*/} $(cat /sys/class/input/${node##*/}/device/name)"
done >$scratch/all
wait $zoo
udevadm settle
until_true 10 all_open || true
event_nodes >$scratch/opened-after
ls /dev/input/evscribe >$scratch/selected-after
# The administrator's own word, against the rules and for them.
cat >/etc/udev/rules.d/69-evscribe-local.rules <<'RULE'
SUBSYSTEM=="input", KERNEL=="event*", ATTRS{name}=="evscribe hands desk mouse", ENV{EVSCRIBE}="0"
SUBSYSTEM=="input", KERNEL=="event*", ATTRS{name}=="evscribe hands gamepad", ENV{EVSCRIBE}="1"
RULE
udevadm control --reload
"$hands" zoo --seconds 30 >$scratch/zoo-local.json &
zoo=$!
sleep 6
udevadm settle
ls /dev/input/evscribe >$scratch/selected-local
wait $zoo
bring_out
"""

# The guest's own: a keyboard and a mouse to read, a power button and a speaker not.
OWN_SELECTED = {"AT Translated Set 2 keyboard", "ImExPS/2 Generic Explorer Mouse"}


def lines(guest, name: str) -> set[str]:
    return set(guest.text(name).split())


def wanted(guest, zoo: str = "zoo.json") -> set[str]:
    return {animal["node"] for animal in guest.json(zoo) if animal["selected"]}


def own(guest) -> set[str]:
    named = dict(line.split(" ", 1) for line in guest.text("all").splitlines())
    found = {node for node, name in named.items() if name in OWN_SELECTED}
    assert len(found) == len(OWN_SELECTED)
    return found


def it_selects_exactly_the_devices_it_should(guest):
    assert len(guest.json("zoo.json")) == 20
    assert lines(guest, "selected") == wanted(guest) | own(guest)


def it_opens_exactly_the_selected_devices(guest):
    assert lines(guest, "opened") == lines(guest, "selected")


def it_lets_go_of_what_was_unplugged(guest):
    assert lines(guest, "opened-after") == lines(guest, "selected-after") == own(guest)


def it_gives_a_reason_for_every_device(guest):
    told = guest.text("devices.json")
    for animal in guest.json("zoo.json"):
        assert animal["node"] in told, animal["name"]
    for reason in ("security key", "barcode reader", "card reader", "another seat"):
        assert reason in told


def it_writes_rows_of_no_device_that_is_not_selected(guest):
    names = {row["name"] for row in guest.dataset.rows("devices")}
    refused = {animal["name"] for animal in guest.json("zoo.json") if not animal["selected"]}
    # The administrator let the gamepad in later.
    assert not names & (refused - {"evscribe hands gamepad"})


def it_heeds_the_administrator(guest):
    node = {animal["name"].removeprefix("evscribe hands "): animal["node"] for animal in guest.json("zoo-local.json")}
    selected = lines(guest, "selected-local")
    assert node["desk mouse"] not in selected
    assert node["gamepad"] in selected
    assert node["desk keyboard"] in selected
