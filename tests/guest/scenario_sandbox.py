"""A probe in the daemon's place can open nothing that the daemon has no need of."""

import pytest

INSIDE = """
install_evscribe
policy ann class
echo secret >/home/bob/private; chmod 0644 /home/bob/private; chmod 0755 /home/bob
echo secret >/root/private; chmod 0644 /root/private; chmod 0755 /root
# The controls of the controls: outside the sandbox all these exist.
ls -l /dev/uinput /dev/mem /dev/vda /dev/tty1 >$scratch/nodes
# The probe takes the daemon's place in its own unit; nothing else changes.
install -D -m 0644 $repo/tests/guest/probe.py /usr/local/lib/evscribe-probe.py
cat >/run/systemd/system/evscribed.service.d/probe.conf <<'UNIT'
[Service]
Type=oneshot
Restart=no
ExecStart=
ExecStart=/usr/bin/python3 -B /usr/local/lib/evscribe-probe.py
UNIT
systemctl daemon-reload
systemctl start evscribed || { of_journal -u evscribed | tail -n 30; false; }
of_journal -u evscribed -o cat | grep '^{"forbidden"' >$scratch/probe.json
keep
"""

# Kept in step with probe.py by it_tried_everything.
FORBIDDEN = [
    "socket AF_INET", "socket AF_INET6", "socket AF_NETLINK", "socket AF_PACKET", "socket AF_VSOCK",
    "send a datagram", "open /dev/uinput", "open /dev/mem", "open /dev/kmsg", "open /dev/vda",
    "open /dev/tty1", "open /dev/ttyS0", "read bob's home", "list /home", "read root's home",
    "read init's environment", "read another's command line", "read /etc/shadow", "write /etc",
    "write /usr", "write /var/lib", "write another's runtime folder", "become root", "make a node",
    "make a set-uid file", "type",
]


@pytest.mark.parametrize("what", FORBIDDEN)
def it_cannot(guest, what):
    assert guest.json("probe.json")["forbidden"][what] != "worked"


def it_tried_everything(guest):
    assert sorted(guest.json("probe.json")["forbidden"]) == sorted(FORBIDDEN)


@pytest.mark.parametrize("what", ["read a selected device", "write its own state", "socket AF_UNIX"])
def it_can(guest, what):
    assert guest.json("probe.json")["allowed"][what] == "worked"


def it_is_not_root(guest):
    assert guest.json("probe.json")["uid"] not in (0, 1000, 1001)


def it_had_something_to_be_kept_from(guest):
    for node in ("/dev/uinput", "/dev/mem", "/dev/vda", "/dev/tty1"):
        assert node in guest.text("nodes")
