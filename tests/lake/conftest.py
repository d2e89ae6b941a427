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
