"""Run in the guest: a dm table of DEVICE in which every block that its file system
has not used yet is bad. What is there can be read and written; what is new cannot.

    inside_badblocks.py FILE_SYSTEM DEVICE >table
"""

import re
import subprocess
import sys

file_system, device = sys.argv[1:]
told = subprocess.run(["dumpe2fs", file_system], capture_output=True, text=True, check=True).stdout
block_sectors = int(re.search(r"^Block size: +(\d+)", told, re.M)[1]) // 512
blocks = int(re.search(r"^Block count: +(\d+)", told, re.M)[1])

bad = bytearray(blocks)
for line in re.findall(r"^  Free blocks: (.*)$", told, re.M):
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
        for block in range(int(first), int(last or first) + 1):
            bad[block] = 1
at = 0
while at < blocks:
    end = next((b for b in range(at, blocks) if bad[b] != bad[at]), blocks)
    start, length = at * block_sectors, (end - at) * block_sectors
    print(start, length, "error" if bad[at] else f"linear {device} {start}")
    at = end
