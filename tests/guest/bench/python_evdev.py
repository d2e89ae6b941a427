"""A recorder as people write it with python-evdev: every event to CSV."""

import csv
import signal
import sys

import evdev

signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
device = evdev.InputDevice(sys.argv[1])
with open(sys.argv[2], "w", newline="") as file:
    out = csv.writer(file)
    try:
        for event in device.read_loop():
            out.writerow((event.sec, event.usec, event.type, event.code, event.value))
    except OSError:
        pass  # unplugged
