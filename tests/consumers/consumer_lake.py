"""A lake that was pulled over SSH opens in every reader as a workstation's dataset does."""

import json
import sys

import pytest

import engines
import evscribe_kms
from command import LAKE

sys.path.append(str(LAKE))
from pulling import COMPLETE, Puller
from workstations import Fleet

# The recordings of that fleet are of mice alone.
TABLES = ["events", "marks", "devices"]


@pytest.fixture(scope="module")
def fleet():
    """Three workstations, whose files are encrypted for the team."""
    made = Fleet(3, longer={})
    yield made
    made.close()


def pulled(fleet, folder, *how):
    lake = folder / "lake"
    done = Puller(fleet, str(lake), folder).pull(fleet.all, *how)
    assert done.code == COMPLETE, done.err
    return lake


@pytest.fixture(scope="module")
def secret(fleet, tmp_path_factory):
    """The lake, encrypted as the workstations sealed it."""
    return pulled(fleet, tmp_path_factory.mktemp("secret"))


@pytest.fixture(scope="module")
def lake(fleet, tmp_path_factory):
    """The lake, decrypted on arrival."""
    return pulled(fleet, tmp_path_factory.mktemp("plain"), "--decrypt", "--key", fleet.team)


@pytest.fixture(scope="module")
def expected(fleet, secret):
    """What pyarrow finds with the key, as many rows as the manifests say."""
    found = {}
    for table in TABLES:
        rows = sum(line["rows"] for each in fleet.all for line in each.sealed.values() if line["table"] == table)
        found[table] = engines.THROUGH_PYARROW["pyarrow"](evscribe_kms.dataset(secret / table, fleet.team), table)
        assert found[table]["rows"] == rows > 0
        assert set(found[table]["hosts"]) == {each.pseudonym for each in fleet.all}
    return found


@pytest.mark.parametrize("reader", engines.THROUGH_PYARROW)
@pytest.mark.parametrize("table", TABLES)
def it_opens_encrypted_through_pyarrow(fleet, secret, expected, table, reader):
    data = evscribe_kms.dataset(secret / table, fleet.team)
    assert engines.THROUGH_PYARROW[reader](data, table) == expected[table]


@pytest.mark.parametrize("table", TABLES)
def it_opens_encrypted_in_datafusion(fleet, secret, expected, table):
    assert engines.datafusion_reads(secret, table, "--key", fleet.team) == expected[table]


@pytest.mark.parametrize("reader", [*engines.READERS, "datafusion"])
@pytest.mark.parametrize("table", TABLES)
def it_opens_decrypted(lake, expected, table, reader):
    read = engines.READERS.get(reader, engines.datafusion_reads)
    assert read(lake, table) == expected[table]

