"""Imports the project's recordings once, at level full and at level class."""

import json
from pathlib import Path

import pytest

from command import RECORDINGS, evscribe

# Two seconds before midnight: longer recordings are of two dates.
STARTED_AT = "2026-11-23T23:59:58Z"


def imported(folder: Path, level: str) -> Path:
    dataset = folder / "dataset"
    evscribe("import", *RECORDINGS, "--out", dataset, "--level", level, "--started-at", STARTED_AT, "--plain")
    return dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Everything, with key codes and device names."""
    return imported(tmp_path_factory.mktemp("full"), "full")


@pytest.fixture(scope="session")
def class_dataset(tmp_path_factory):
    """The same at the default level."""
    return imported(tmp_path_factory.mktemp("class"), "class")


@pytest.fixture(scope="session")
def stats(dataset):
    """What evscribe itself counts."""
    return json.loads(evscribe("data", "stats", dataset, "--json"))
