"""The command, and the recordings it is given."""

import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
EVSCRIBE = REPO / "target" / "release" / "evscribe"
RECORDINGS = sorted((REPO / "tests" / "fixtures" / "recordings").iterdir())


def evscribe(*args) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run([EVSCRIBE, *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"evscribe {args}:\n{done.stdout}{done.stderr}"
    return done.stdout
