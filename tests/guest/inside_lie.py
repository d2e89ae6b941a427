"""Run in the guest: turns the ranges of NODE's axes upside down, which uinput would
have refused, and says what they are now.

    inside_lie.py NODE
"""

import fcntl
import struct
import sys

ABS_X, ABS_Y, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_PRESSURE = 0x00, 0x01, 0x35, 0x36, 0x3A
ABSINFO = "6i"  # value, minimum, maximum, fuzz, flat, resolution


def request(base: int, axis: int, direction: int) -> int:
    """EVIOCGABS (0x40, to us) and EVIOCSABS (0xc0, from us)."""
    return direction << 30 | struct.calcsize(ABSINFO) << 16 | ord("E") << 8 | base + axis


with open(sys.argv[1], "rb+", buffering=0) as node:
    for axis, low, high, resolution in [
        (ABS_X, 2000, 0, 20),
        (ABS_Y, 1200, -1200, -20),
        (ABS_MT_POSITION_X, 2000, 0, 20),
        (ABS_MT_POSITION_Y, 2**31 - 1, -(2**31), 0),
        (ABS_MT_PRESSURE, 255, 255, 2**31 - 1),
    ]:
        fcntl.ioctl(node, request(0xC0, axis, 1), struct.pack(ABSINFO, 0, low, high, 0, 0, resolution))
        now = fcntl.ioctl(node, request(0x40, axis, 2), bytes(struct.calcsize(ABSINFO)))
        print(f"axis {axis:#x} is inverted:", struct.unpack(ABSINFO, now))
