"""Run in the guest: switches between two terminals and tells when, one JSON a line.

    inside_switch.py SEED COUNT >switches.jsonl

`asked_us` is just before the kernel was asked, `done_us` when it had switched,
`told_us` when logind's signal of the new active session came; boot clock.
"""

import fcntl
import json
import os
import random
import select
import sys
import time

from inside_bus import Bus

VT_ACTIVATE, VT_WAITACTIVE = 0x5606, 0x5607
SEAT = "/org/freedesktop/login1/seat/seat0"


def boot_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def active_session() -> int:
    """The uid at the seat, as logind keeps it."""
    for line in open("/run/systemd/seats/seat0"):
        if line.startswith("ACTIVE_UID="):
            return int(line.split("=")[1])
    return -1


def main(seed: int, count: int) -> None:
    chance = random.Random(seed)
    bus = Bus()
    rule = f"type='signal',sender='org.freedesktop.login1',path='{SEAT}',member='PropertiesChanged'"
    bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule])
    console = os.open("/dev/tty0", os.O_RDWR)
    for n in range(count):
        tty = 2 if n % 2 == 0 else 1
        bus.drain()
        asked = boot_us()
        fcntl.ioctl(console, VT_ACTIVATE, tty)
        fcntl.ioctl(console, VT_WAITACTIVE, tty)
        done = boot_us()
        told = None
        while told is None and select.select([bus.socket], [], [], 2)[0]:
            if any(message.member == "PropertiesChanged" for message in bus.receive()):
                told = boot_us()
        # logind says it first, and then writes it down.
        time.sleep(chance.uniform(0.3, 1.0))
        print(json.dumps({"tty": tty, "uid": active_session(), "asked_us": asked, "done_us": done, "told_us": told}), flush=True)


main(int(sys.argv[1]), int(sys.argv[2]))
