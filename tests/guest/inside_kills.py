"""Run in the guest: kills evscribed at random moments, each as a line of JSON.

    inside_kills.py SEED COUNT >kills.jsonl

Most come somewhere in the five seconds after it began to collect; every third
already in its first 0.8 s, where it recovers, opens and starts to write. Never
five starts within ten seconds: systemd would give up, as it should.
"""

import json
import os
import random
import signal
import sys
import time


def boot_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def main_pid() -> int:
    """The service's process, 0 while there is none; asking systemd would cost more
    than all that is measured."""
    try:
        for pid in open("/sys/fs/cgroup/system.slice/evscribed.service/cgroup.procs").read().split():
            if open(f"/proc/{pid}/comm").read() == "evscribed\n":
                return int(pid)
    except OSError:
        pass
    return 0


def started_us(pid: int) -> int:
    """When the process began, on the boot clock."""
    ticks = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19])
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


def collects(pid: int) -> bool:
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{name}").startswith("/dev/input/event"):
                return True
        except FileNotFoundError:
            pass
    return False


def wait_for(condition, seconds: float):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    sys.exit(f"never within {seconds} s: {condition}")


def main(seed: int, count: int) -> None:
    chance = random.Random(seed)
    before = 0
    for n in range(count):
        # A pid is not given twice so soon.
        pid = wait_for(lambda: main_pid() not in (0, before) and main_pid(), 30)
        if n % 3 == 2:
            time.sleep(chance.uniform(0, 0.8))
        else:
            wait_for(lambda: collects(pid), 30)
            time.sleep(chance.uniform(0.2, 5))
        begun, is_open = started_us(pid), collects(pid)
        killed = boot_us()
        os.kill(pid, signal.SIGKILL)
        print(json.dumps({"started_us": begun, "collects": is_open, "killed_us": killed}), flush=True)
        before = pid
    wait_for(lambda: main_pid() not in (0, before) and collects(main_pid()), 30)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
