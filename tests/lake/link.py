"""A link that loses, delays and is cut: frames carried from one TAP device to another.

It does what `tc netem` does, where the kernel has no netem (not every kernel that
builds run on has), and one thing more: it can be cut after so many bytes, so that a
test says where in a file the line breaks. `tc netem` itself is in the guest's
scenario_pull.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time

# Source: linux/if_tun.h.
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_MAX = 65_536


def tap(name: str) -> int:
    """A new TAP device of that name; it is gone once this is closed."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


class Link(threading.Thread):
    """Carries frames between the devices `near` (the lake's side) and `far`."""

    def __init__(self, near: str, far: str, seed: int = 1):
        super().__init__(daemon=True)
        # One way; a round trip takes twice as long.
        self.delay_s = 0.0
        # Of 1, both ways.
        self.loss = 0.0
        # Bytes that still come from afar before the line is cut.
        self.left: int | None = None
        # Bytes that came through: from near, from far.
        self.carried = [0, 0]
        self.random = random.Random(seed)
        self.devices = [tap(near), tap(far)]
        self.wake, self.woken = os.pipe()
        self.start()

    def mend(self) -> None:
        """As it was made: nothing lost, nothing late."""
        self.delay_s, self.loss, self.left = 0.0, 0.0, None

    def close(self) -> None:
        os.write(self.woken, b"x")
        self.join()
        for descriptor in (*self.devices, self.wake, self.woken):
            os.close(descriptor)

    def run(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []
        count = 0
        while True:
            timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([*self.devices, self.wake], [], [], timeout)
            if self.wake in ready:
                return
            for side in (0, 1):
                if self.devices[side] not in ready:
                    continue
                for frame in self._frames(side):
                    count += 1
                    heapq.heappush(waiting, (time.monotonic() + self.delay_s, count, side, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, side, frame = heapq.heappop(waiting)
                self._deliver(1 - side, frame)
                self.carried[side] += len(frame)

    def _frames(self, side: int):
        """What came in there and goes on: not what is lost, nothing once it is cut."""
        for _ in range(64):
            try:
                frame = os.read(self.devices[side], FRAME_MAX)
            except (BlockingIOError, OSError):
                return
            if self.left is not None:
                if side == 1:
                    self.left -= len(frame)
                if self.left <= 0:
                    continue
            if self.loss and self.random.random() < self.loss:
                continue
            yield frame

    def _deliver(self, side: int, frame: bytes) -> None:
        try:
            os.write(self.devices[side], frame)
        except OSError:
            # Its device is down or full: a frame that is lost, as on any line.
            pass
