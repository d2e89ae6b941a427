"""Run in the guest: has spans forgotten and kills evscribed while it does that.

    inside_forget.py SEED COUNT HANDS SCRATCH >forgets.jsonl

Each round: hands types for three seconds, the second of them is to be forgotten,
and the service is killed at a random moment after that was asked. Wall times, µs.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

from inside_kills import main_pid

# Of forgetting, from the call to the answer, as measured in the guest; kills are
# spread over it.
FORGETTING_S = 0.15


def wall_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000


def rfc3339(us: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1_000_000)) + f".{us % 1_000_000:06d}Z"


def round_of(chance: random.Random, n: int, hands: str, scratch: str) -> dict:
    began = wall_us()
    record = f"{scratch}/sent/{n}.jsonl"
    play = [hands, "--wait-for", "evscribed", "--seed", str(n), "--record", record, "desk", "--seconds", "3", "--mouse-hz", "125"]
    subprocess.run(play, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sent = [json.loads(line)["t_us"] for line in open(record)]
    offset = wall_us() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    first = sent[0] + offset
    span = (first + 1_000_000, first + 2_000_000)
    asked = wall_us()
    forget = ["runuser", "-u", "ann", "--", "evscribe", "forget", "--from", rfc3339(span[0]), "--until", rfc3339(span[1])]
    asking = subprocess.Popen(forget, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(chance.uniform(0, FORGETTING_S))
    pid, answered = main_pid(), asking.poll() is not None
    os.kill(pid, signal.SIGKILL)
    said = asking.communicate(timeout=90)[1].decode()
    until = time.monotonic() + 30
    while main_pid() in (0, pid) and time.monotonic() < until:
        time.sleep(0.05)
    told, until = said, time.monotonic() + 60
    while asking.returncode and "does not run" in told and time.monotonic() < until:
        # Killed before it was asked: whoever is told so asks again.
        time.sleep(0.2)
        asking = subprocess.run(forget, capture_output=True, text=True, timeout=90, check=False)
        told = asking.stderr
        said += told
    # systemd gives up after five starts within ten seconds, as it should.
    time.sleep(1)
    return {"began_us": began, "from_us": span[0], "until_us": span[1], "asked_us": asked,
            "killed_before_answer": not answered, "answered_us": wall_us(), "code": asking.returncode, "said": said}


def main(seed: int, count: int, hands: str, scratch: str) -> None:
    chance = random.Random(seed)
    for n in range(count):
        print(json.dumps(round_of(chance, n, hands, scratch)), flush=True)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
