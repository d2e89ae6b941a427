"""Run in the guest: writes all that a process can read of its memory into a file.

    inside_memory.py PID FILE

Mappings follow each other; stretches of zeros are left out.
"""

import sys

BLOCK = 1 << 16


def main(pid: int, path: str) -> None:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(path, "wb") as out:
        for line in open(f"/proc/{pid}/maps"):
            span, rights = line.split()[:2]
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(word, 16) for word in span.split("-"))
            for at in range(begin, end, BLOCK):
                memory.seek(at)
                try:
                    block = memory.read(min(BLOCK, end - at))
                except OSError:
                    # Behind the end of a mapped file.
                    continue
                if block.strip(b"\0"):
                    out.write(block)


main(int(sys.argv[1]), sys.argv[2])
