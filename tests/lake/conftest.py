"""What the tests of the lake share: a server that speaks S3, and a fleet of workstations."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """A real server that speaks S3, see s3.py; one for each worker."""
    from s3 import S3

    server = S3(tmp_path_factory.mktemp("s3")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def fifty():
    """Fifty workstations, of which three have a file of some MB, two of these behind a
    link that can be made bad."""
    from workstations import Fleet

    made = Fleet(50, longer={0: 250_000, 1: 250_000, 2: 250_000}, linked=(1, 2))
    yield made
    made.close()


@pytest.fixture
def fleet(fifty):
    """The same, put right after each test."""
    yield fifty
    fifty.put_right()


@pytest.fixture
def lake(tmp_path):
    """A folder for a lake; what is around it is to stay as it is."""
    return tmp_path / "around" / "lake"


@pytest.fixture
def puller(fleet, lake, tmp_path):
    from pulling import Puller

    return Puller(fleet, str(lake), tmp_path)
