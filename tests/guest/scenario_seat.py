"""Whatever keeps a person from being recorded keeps every device closed: strace
sees no open of one, also where devices come and the policy is read again.

The kernel's own word stands beside it: a probe on evdev_open, from before the
service's first start.
"""

import re

import pytest

# What is said in each state; state paused has a status of its own.
STATES = {
    "unacknowledged": "the person at the seat has not acknowledged the current notice",
    "opted-out": "the person at the seat opted out",
    "paused": "the person at the seat paused",
    "locked": "the screen is locked",
    "locked-in-a-flood": "the screen is locked",
    "logged-out": "nobody is logged in at the seat",
    "greeter": "the login screen is shown",
    "remote-at-the-seat": "the session at the seat comes over a network",
    "remote": "nobody is logged in at the seat",
    "off-schedule": "the schedule leaves this hour out",
    "held": "held by an administrator: works council",
    "policy-removed": "/etc/evscribe/policy.toml does not exist",
}

INSIDE = """
install_evscribe
memory_disk 128
mkdir -p $scratch/strace $scratch/said $scratch/kernel
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
tracing=/sys/kernel/tracing
echo 'p:opened evdev_open' >$tracing/kprobe_events
echo 1 >$tracing/events/kprobes/opened/enable

# attach: from now on strace sees what the service opens.
attach() {
    strace -A -f -qq -e trace=open,openat,openat2 -o $scratch/strace.all -p "$(main_pid)" &
    strace=$!
    until_true 10 grep -q 'TracerPid:[^0-9]*[1-9]' "/proc/$(main_pid)/status"
}

# tempt NAME [ARGUMENTS…]: gives the service all reasons to open a device: two come,
# one types, the policy is read again, people ask.
tempt() {
    local name=$1
    shift
    "$hands" --settle-ms 1200 --linger-ms 500 --record $scratch/strace/$name.sent "$@" keyboard --seconds 2 &
    local typing=$!
    "$hands" --settle-ms 1200 mouse --hz 125 --seconds 2 &
    sleep 1
    systemctl reload evscribed || true
    bus ann Me >$scratch/said/$name.me
    wait $typing $!
}

# closed NAME: nothing is opened in this state, whatever comes.
closed() {
    if ! until_true 10 collects_not; then
        systemctl show -P StatusText evscribed
        loginctl --no-pager list-sessions
        return 1
    fi
    sleep 1
    : >$scratch/strace.all
    echo >$tracing/trace
    tempt $1
    cp $scratch/strace.all $scratch/strace/$1
    grep evscribe $tracing/trace >$scratch/kernel/$1 || true
    systemctl show -P StatusText evscribed >$scratch/said/$1
    say "closed: $(cat $scratch/said/$1)"
}

# opened NAME: the control: it opens again.
opened() {
    until_true 10 collects
    : >$scratch/strace.all
    echo >$tracing/trace
    tempt $1 --wait-for evscribed
    cp $scratch/strace.all $scratch/strace/$1
    grep evscribe $tracing/trace >$scratch/kernel/$1 || true
}

# on_terminal N UNIT SETTING… -- COMMAND…: runs it on that virtual terminal, in front.
on_terminal() {
    local tty=$1 unit=$2 settings=()
    shift 2
    while [ "$1" != -- ]; do
        settings+=(-p "$1")
        shift
    done
    shift
    systemd-run -q --unit "$unit" -p StandardInput=tty -p StandardOutput=tty -p TTYPath=/dev/tty$tty \\
        -p TTYReset=yes "${settings[@]}" -- "$@"
    sleep 3
    chvt "$tty"
    sleep 1
}

warm strace
policy ann class
systemctl enable --now evscribed
until_true 20 answers
grep evscribe $tracing/trace >$scratch/kernel/start || true
attach
closed unacknowledged
acknowledge_as ann class
opened acknowledged

as ann evscribe opt-out
closed opted-out
acknowledge_as ann class
as ann evscribe pause
closed paused
as ann evscribe resume
until_true 10 collects

session=$(loginctl show-seat -P ActiveSession seat0)
session_path=/org/freedesktop/login1/session/$(busctl --json=short call org.freedesktop.login1 \\
    /org/freedesktop/login1 org.freedesktop.login1.Manager GetSession s $session | sed 's/.*session.//; s/".*//')
locked() {
    as ann busctl call org.freedesktop.login1 $session_path org.freedesktop.login1.Session SetLockedHint b "$1"
}
locked true
closed locked
locked false
opened unlocked

# Locked and unlocked before anybody hears of the first, as often as the bus lets
# calls of one client wait, then locked.
PYTHONPATH=$repo/tests/guest python3 -B - $session_path <<'PYTHON'
import sys
from inside_bus import Bus
bus = Bus(1000)
what = ("org.freedesktop.login1", sys.argv[1], "org.freedesktop.login1.Session", "SetLockedHint", "b")
for locked in [1, 0] * 60:
    last = bus.send(*what, [locked])
while not any(message.reply_to == last for message in bus.receive()):
    pass
assert not bus.call(*what, [1]).error
PYTHON
closed locked-in-a-flood
locked false
opened after-the-flood

on_terminal 4 greeter User=bob PAMName=login Environment=XDG_SESSION_CLASS=greeter -- /bin/sleep 600
closed greeter
systemctl stop greeter
on_terminal 5 remote -- /bin/login -h 192.0.2.7 -f ann
loginctl list-sessions --no-pager
closed remote-at-the-seat
systemctl stop remote
chvt 1
opened back

# ann logs out at the console; what she left running keeps her session the active
# one, while the next person would be asked for name and password there.
cat >/home/ann/.bash_profile <<'SH'
if [ "$(tty)" = /dev/tty7 ]; then
    setsid sleep 600 </dev/null >/dev/null 2>&1 &
    sleep 60
    exit
fi
SH
chown ann: /home/ann/.bash_profile
cp /home/ann/.bash_profile /home/ann/.profile
on_terminal 7 leaver -- /bin/login -f ann
until_true 10 collects
while systemctl is-active --quiet leaver; do sleep 0.5; done
loginctl show-session "$(loginctl show-seat -P ActiveSession seat0)" -P Name -P State >$scratch/leaver
closed logged-out
pkill -f 'sleep 600' || true
rm /home/ann/.bash_profile /home/ann/.profile
chvt 1
opened after-the-logout

# Nobody at the machine; ann works on it from elsewhere.
setsid script -qfc 'login -h 192.0.2.7 -f ann' /dev/null < <(sleep 600) >/dev/null 2>&1 &
sessions() {
    for session in $(loginctl --no-legend list-sessions | awk '{print $1}'); do
        echo "$(loginctl show-session $session -P Remote) $(loginctl show-session $session -P Name)"
    done | sort -u
}
until_true 20 eval 'sessions | grep -qx "yes ann"'
chvt 6
sessions >$scratch/sessions
closed remote
chvt 1
until_true 10 collects

# A schedule that ended an hour ago and begins in an hour.
drop_in hours <<TOML
[schedule]
from = "$(date -u -d '+1 hour' +%H:%M)"
until = "$(date -u -d '-1 hour' +%H:%M)"
time_zone = "UTC"
TOML
systemctl reload evscribed
closed off-schedule
rm /etc/evscribe/policy.d/hours.toml
systemctl reload evscribed
until_true 10 collects

evscribe hold "works council"
closed held
evscribe release
until_true 10 collects

rm /etc/evscribe/policy.toml
systemctl reload evscribed || true
closed policy-removed
policy ann class
systemctl reload evscribed
opened at-the-end

kill $strace
wait $strace || true
bring_out
"""

DEVICE = re.compile(r'"/dev/input/[^"]*event\d+"')


def opens(guest, state: str) -> list[str]:
    """strace's lines that open a device, the failed ones too."""
    return [line for line in guest.text(f"strace/{state}").splitlines() if DEVICE.search(line)]


def spans(guest, state: str) -> "tuple[int, int]":
    """From the first to the last key that was typed in that state."""
    sent = guest.sent_at(f"strace/{state}.sent")
    return sent[0]["t_us"], sent[-1]["t_us"]


@pytest.mark.parametrize("state", STATES)
def it_opens_no_device(guest, state):
    assert opens(guest, state) == []


@pytest.mark.parametrize("state", STATES)
def it_opens_no_device_as_the_kernel_tells(guest, state):
    assert guest.text(f"kernel/{state}") == ""


@pytest.mark.parametrize("state", STATES)
def it_says_why(guest, state):
    begins = "paused" if state == "paused" else "waiting"
    assert guest.text(f"said/{state}").strip() == f"{begins}, nothing is opened: {STATES[state]}"


@pytest.mark.parametrize("state", STATES)
def it_keeps_nothing_of_what_is_typed(guest, state):
    begins, ends = spans(guest, state)
    assert not [row for row in guest.dataset.rows("events") if begins <= row["boot_us"] <= ends]


@pytest.mark.parametrize("state", ["acknowledged", "unlocked", "after-the-flood", "back", "after-the-logout", "at-the-end"])
def it_opens_devices_otherwise(guest, state):
    """The controls: strace and the kernel see it, and rows are kept."""
    assert len(opens(guest, state)) >= 2
    assert len(guest.text(f"kernel/{state}").splitlines()) >= 2
    begins, ends = spans(guest, state)
    assert [row for row in guest.dataset.rows("events") if begins <= row["boot_us"] <= ends]


def it_opens_nothing_from_its_first_moment(guest):
    assert guest.text("kernel/start") == ""


def it_had_a_session_that_closed_and_was_still_the_active_one(guest):
    assert guest.text("leaver").split() == ["ann", "closing"]


def it_had_a_remote_session_of_who_acknowledged(guest):
    assert "yes ann" in guest.text("sessions").splitlines()
