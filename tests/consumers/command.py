"""The commands, and the recordings they are given."""

import json
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
EVSCRIBE = REPO / "target" / "release" / "evscribe"
EVSCRIBE_DATA = REPO / "target" / "dataset" / "evscribe-data"
# The lake's tests have a fleet and a server that ours borrow.
LAKE = REPO / "tests" / "lake"
RECORDINGS = sorted((REPO / "tests" / "fixtures" / "recordings").iterdir())
# Two seconds before midnight: longer recordings are of two dates.
STARTED_AT = "2026-11-23T23:59:58Z"
BEFORE, AFTER = "2026-11-23", "2026-11-24"


def said(program, *args) -> str:
    """What it prints; it must succeed."""
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{program} {args}:\n{done.stdout}{done.stderr}"
    return done.stdout


def evscribe(*args) -> str:
    return said(EVSCRIBE, *args)


def query(dataset: Path, sql: str, *args) -> list[dict]:
    """The rows of a query of the data team's tool, that is of DataFusion."""
    lines = said(EVSCRIBE_DATA, "query", dataset, sql, "--format", "json", *args)
    return [json.loads(line) for line in lines.splitlines()]


def keypair(folder: Path, name: str) -> Path:
    """The secret key; the public one is beside it, in `.pub`."""
    evscribe("keys", "generate", folder / name)
    return folder / name
