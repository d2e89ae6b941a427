"""pyarrow, polars, DuckDB and pandas find the same in the same files."""

import pytest

import engines
from document import TABLES


@pytest.fixture(scope="session")
def said(dataset):
    """What evscribe itself says of each table."""
    return {table: engines.said_by_evscribe(dataset, table) for table in TABLES}


@pytest.mark.parametrize("reader", engines.READERS)
@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does(dataset, said, table, reader):
    assert engines.READERS[reader](dataset, table) == said[table]


@pytest.mark.parametrize("reader", engines.READERS)
@pytest.mark.parametrize("table", TABLES)
def it_counts_and_sums_as_evscribe_does_at_level_class(class_dataset, table, reader):
    assert engines.READERS[reader](class_dataset, table) == engines.said_by_evscribe(class_dataset, table)


def it_holds_every_kind_of_row(said):
    """Else the agreement above would say little."""
    assert set(said["events"]["words"]["kind"]) == {"motion", "button", "key", "scroll", "switch"}
    assert set(said["touch"]["words"]["phase"]) == {"down", "move", "up", "hover", "leave"}
    assert {"finger", "pen", "mouse"} <= set(said["touch"]["words"]["tool"])
    assert {"start", "stop", "plug", "drop"} <= set(said["marks"]["words"]["mark"])
    sums = said["events"]["sums"]
    assert all(sums[name] for name in ("dx", "dy", "wheel_v_120", "stroke", "code"))
    assert all(said["touch"]["sums"][name] for name in ("contact", "x", "y", "x_um", "y_um", "pressure"))
    assert said["devices"]["axes"] > 0


def it_says_the_same_in_data_stats(stats, said):
    assert stats["rows"] == {table: found["rows"] for table, found in said.items()}
    assert stats["events"] == said["events"]["words"]["kind"]
    assert stats["touch"] == said["touch"]["words"]["phase"]
    assert set(stats["hosts"]) == set(said["marks"]["hosts"])
