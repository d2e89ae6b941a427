"""Imports the project's recordings once, at level full and at level class."""

import json
import shutil
from pathlib import Path

import pyarrow.dataset as ds
import pytest

import snippets
from command import AFTER, BEFORE, RECORDINGS, STARTED_AT, evscribe, keypair


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


@pytest.fixture(scope="session")
def beside(dataset, tmp_path_factory):
    """A directory in which the dataset is called `dataset`."""
    folder = tmp_path_factory.mktemp("beside")
    (folder / "dataset").symlink_to(dataset)
    return folder


@pytest.fixture(scope="session")
def using(tmp_path_factory):
    """A directory in which the snippets of docs/USING.md run."""
    folder = tmp_path_factory.mktemp("using")
    snippets.lay_out(folder)
    return folder


@pytest.fixture(scope="session")
def half(dataset, tmp_path_factory):
    """A copy whose files of the second date are no Parquet: who opens one fails."""
    copy = tmp_path_factory.mktemp("half") / "dataset"
    shutil.copytree(dataset, copy)
    damaged = sorted((copy / "events" / f"date={AFTER}").rglob("*.parquet"))
    assert damaged, "the recordings should reach over midnight"
    for file in damaged:
        file.write_bytes(b"not Parquet " * 1000)
    return copy


@pytest.fixture(scope="session")
def rows_before(dataset):
    files = (dataset / "events" / f"date={BEFORE}").rglob("*.parquet")
    return ds.dataset([str(file) for file in files]).count_rows()


@pytest.fixture(scope="session")
def team(tmp_path_factory):
    """The secret key of who may read."""
    return keypair(tmp_path_factory.mktemp("keys"), "team")


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory, team):
    """The same as `dataset`, for the team."""
    folder = tmp_path_factory.mktemp("encrypted") / "dataset"
    how = ["--level", "full", "--started-at", STARTED_AT, "--recipient", f"{team}.pub"]
    evscribe("import", *RECORDINGS, "--out", folder, *how)
    return folder
