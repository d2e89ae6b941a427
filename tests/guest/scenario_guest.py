"""The guest itself keeps what the other scenarios rely on."""

from record import evemu_events

INSIDE = [
    """
grep ACTIVE_UID /run/systemd/seats/seat0 >$scratch/at-boot
login_as bob
grep ACTIVE_UID /run/systemd/seats/seat0 >$scratch/after-bob
login_as ann
record_beside evemu mouse mouse-1k.evemu mouse --hz 1000 --seconds 4
record_beside evemu touchpad touchpad.evemu touchpad --seconds 3
"$hands" --settle-ms 2000 --record $scratch/sent/alone.jsonl mouse --hz 8000 --seconds 2
"$hands" zoo --seconds 1 >$scratch/zoo.json
keep
cat /proc/sys/kernel/random/boot_id >/out/result/boot-1
""",
    """
cat /proc/sys/kernel/random/boot_id >/out/result/boot-2
""",
]


def it_has_ann_at_the_seat_and_lets_bob_take_it(guest):
    assert guest.text("at-boot") == "ACTIVE_UID=1000\n"
    assert guest.text("after-bob") == "ACTIVE_UID=1001\n"


def it_reboots_between_steps(guest):
    assert guest.text("boot-1") != guest.text("boot-2")


def it_delivers_every_event_of_a_1_khz_mouse(guest):
    sent = guest.sent("mouse-1k.evemu")
    assert len(sent) >= 4 * 1000
    assert evemu_events(guest.text("recorded/mouse-1k.evemu")) == [tuple(e) for line in sent for e in line["events"]]


def it_keeps_8_khz_within_a_period(guest):
    stamps = [line["t_us"] for line in guest.sent("alone")]
    gaps = sorted(after - before for before, after in zip(stamps, stamps[1:]))
    assert 115 <= gaps[len(gaps) // 2] <= 135
    assert gaps[-1] < 5_000, "a report is late by more than a reader's whole buffer"


def it_delivers_every_event_of_five_fingers(guest):
    sent = [tuple(e) for line in guest.sent("touchpad.evemu") for e in line["events"]]
    assert evemu_events(guest.text("recorded/touchpad.evemu")) == sent
    assert {e[2] for e in sent if e[:2] == (3, 0x2F)} == {0, 1, 2, 3, 4}, "five slots"


def it_houses_twenty_different_devices(guest):
    zoo = guest.json("zoo.json")
    assert len({animal["node"] for animal in zoo}) == 20
    assert 0 < sum(animal["selected"] for animal in zoo) < 20
