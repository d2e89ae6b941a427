"""Tries what the unit must not be able to do; prints each result as JSON.

Run in evscribed's place, with everything else of its unit: what this cannot open,
the daemon cannot open. `allowed` are the controls: a probe that can do nothing at
all would prove nothing.
"""

import glob
import json
import os
import socket


def attempt(action) -> str:
    try:
        action()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "worked"


def opens(path: str, flags: int):
    return lambda: os.close(os.open(path, flags))


def sends():
    # A socket from outside would still find no route and no interface.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", ("127.0.0.1", 9))


def writes(path: str):
    def action():
        with open(path, "w", encoding="ascii") as file:
            file.write("x")
        os.unlink(path)

    return action


nodes = sorted(glob.glob("/dev/input/evscribe/*"))
forbidden = {
    "socket AF_INET": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
    "socket AF_INET6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close(),
    "socket AF_NETLINK": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
    "socket AF_PACKET": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "socket AF_VSOCK": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close(),
    "send a datagram": sends,
    "open /dev/uinput": opens("/dev/uinput", os.O_WRONLY),
    "open /dev/mem": opens("/dev/mem", os.O_RDONLY),
    "open /dev/kmsg": opens("/dev/kmsg", os.O_RDONLY),
    "open /dev/vda": opens("/dev/vda", os.O_RDONLY),
    "open /dev/tty1": opens("/dev/tty1", os.O_RDONLY),
    "open /dev/ttyS0": opens("/dev/ttyS0", os.O_RDONLY),
    "read bob's home": opens("/home/bob/private", os.O_RDONLY),
    "list /home": lambda: os.listdir("/home/bob"),
    "read root's home": opens("/root/private", os.O_RDONLY),
    "read init's environment": opens("/proc/1/environ", os.O_RDONLY),
    "read another's command line": opens("/proc/1/cmdline", os.O_RDONLY),
    "read /etc/shadow": opens("/etc/shadow", os.O_RDONLY),
    "write /etc": writes("/etc/probe"),
    "write /usr": writes("/usr/probe"),
    "write /var/lib": writes("/var/lib/probe"),
    "write another's runtime folder": writes("/run/probe"),
    "become root": lambda: os.setuid(0),
    "make a node": lambda: os.mknod("/var/lib/evscribe/node", 0o020600, os.makedev(1, 1)),
    "make a set-uid file": lambda: (open("/var/lib/evscribe/suid", "w").close(), os.chmod("/var/lib/evscribe/suid", 0o4755)),
    "type": opens(nodes[0] if nodes else "/dev/input/event0", os.O_RDWR),
}
allowed = {
    "read a selected device": lambda: os.close(os.open(nodes[0], os.O_RDONLY)),
    "write its own state": writes("/var/lib/evscribe/probe"),
    "socket AF_UNIX": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
}

result = {
    "forbidden": {name: attempt(action) for name, action in forbidden.items()},
    "allowed": {name: attempt(action) for name, action in allowed.items()},
    "uid": os.getuid(),
}
print(json.dumps(result), flush=True)
