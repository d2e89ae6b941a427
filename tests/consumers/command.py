"""The command, and the recordings it is given."""

import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
EVSCRIBE = REPO / "target" / "release" / "evscribe"
RECORDINGS = sorted((REPO / "tests" / "fixtures" / "recordings").iterdir())
# Two seconds before midnight: longer recordings are of two dates.
STARTED_AT = "2026-11-23T23:59:58Z"
BEFORE, AFTER = "2026-11-23", "2026-11-24"


def evscribe(*args) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run([EVSCRIBE, *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"evscribe {args}:\n{done.stdout}{done.stderr}"
    return done.stdout


def keypair(folder: Path, name: str) -> Path:
    """The secret key; the public one is beside it, in `.pub`."""
    evscribe("keys", "generate", folder / name)
    return folder / name
