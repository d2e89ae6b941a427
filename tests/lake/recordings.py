"""Recordings that nobody made: a mouse that moves at random, on the days it is told.

Each is a workstation of its own once it is imported (`recording-<hash>`), and its
files are as many as it has days.
"""

import random
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
EVSCRIBE = REPO / "target" / "release" / "evscribe"
EXAMPLE = REPO / "tests" / "fixtures" / "recordings" / "mouse.evemu"
STARTED_AT = "2026-11-20T00:00:00Z"
DAY_S, EVERY_S = 86_400, 0.008

HEAD = [line for line in EXAMPLE.read_text().splitlines() if line[:2] in ("N:", "I:", "P:", "B:")]


def recording(seed: int, days: list[int], reports: int, reach: int = 80) -> str:
    """A mouse in evemu's text: on each of the days so many reports, within `reach`
    counts (the larger, the longer the file: 5 bytes a report at 2^20)."""
    chance = random.Random(seed)
    lines = ["# EVEMU 1.3", *HEAD]
    for day in days:
        at = day * DAY_S + chance.random() * DAY_S / 2
        for _ in range(reports):
            at += EVERY_S
            dx, dy = int(chance.random() * reach) - reach // 2, int(chance.random() * reach) - reach // 2
            lines.append(f"E: {at:.6f} 0002 0000 {dx:04d}\nE: {at:.6f} 0002 0001 {dy:04d}\nE: {at:.6f} 0000 0000 0000")
    return "\n".join(lines) + "\n"


def imported(folder: Path, recordings: list[Path], recipient: Path | None) -> Path:
    """A dataset of them, encrypted for that key, or plain."""
    how = ["--recipient", recipient] if recipient else ["--plain"]
    command = [EVSCRIBE, "import", *recordings, "--out", folder, "--started-at", STARTED_AT, *how]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def keypair(path: Path) -> Path:
    """A data team's key: the secret one; the public one is beside it in `.pub`."""
    subprocess.run([EVSCRIBE, "keys", "generate", path], check=True, stdout=subprocess.DEVNULL)
    return path
