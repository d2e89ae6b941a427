"""Merging changes no row for any reader; an erasure is seen by what was made of the files."""

import json
import os
import subprocess
import sys

import pyarrow.dataset as ds
import pytest

import engines
from command import EVSCRIBE_DATA, LAKE, evscribe, said
from consumer_lake import TABLES
from snippets import SECTIONS, run, saved

sys.path.append(str(LAKE))
from pulling import COMPLETE, Puller
from workstations import UID, Fleet, json_lines

# An hour after the fleet's own: another segment of the same day.
LATER = "2026-11-20T01:00:00Z"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two workstations, of which the first sealed two segments of one day, at two levels."""
    made = Fleet(2, longer={})
    first = made.all[0]
    again = tmp_path_factory.mktemp("again") / "dataset"
    recording = made.folder / "recordings" / "0.evemu"
    how = ["--started-at", LATER, "--level", "full", "--recipient", made.team.with_suffix(".pub")]
    evscribe("import", recording, "--out", again, *how)
    for line in json_lines(again / "manifest.jsonl")[1:]:
        place = first.folder / "sealed" / line["path"]
        (again / line["path"]).rename(place)
        os.chown(place, -1, UID)
        place.chmod(0o640)
        first.sealed[line["path"]] = line
    first.offer()
    yield made
    made.close()


@pytest.fixture
def lake(fleet, tmp_path):
    """Pulled and decrypted; beside it the modules that docs/USING.md makes."""
    done = Puller(fleet, str(tmp_path / "dataset"), tmp_path).pull(fleet.all, "--decrypt", "--key", fleet.team)
    assert done.code == COMPLETE, done.err
    saved(tmp_path, "Time", "Windows", "Erasure")
    return tmp_path / "dataset"


def files(lake) -> list[str]:
    return sorted(str(path.relative_to(lake)) for path in lake.glob("[!_]*/*/*/*.parquet"))


def printed(lake, code):
    """What code prints that uses the modules of docs/USING.md."""
    return run(SECTIONS["Windows"][0]._replace(code=code), lake.parent)


WINDOWS = """
from windows import files, windows
of = sorted(tuple(tuple(column.to_pylist()) for column in window.values()) for window in windows(files("dataset/events"), 16))
print(len(of), of)
"""
PARTS = """
import json
import pyarrow.dataset as ds
from provenance import parts
for fragment in ds.dataset("dataset/events", partitioning="hive").get_fragments():
    for about, rows in parts(fragment, ["time"]):
        print(json.dumps([fragment.path, about["anchor_wall_us"], rows["boot_us"].to_pylist()]))
"""


def parts(lake) -> list[tuple]:
    """Of each part of each file of events: path, anchor, boot times."""
    return sorted(map(json.loads, printed(lake, PARTS).splitlines()), key=lambda part: part[1:])


def levels(lake) -> list[str]:
    """Of events, as a query reports them."""
    ask = [EVSCRIBE_DATA, "query", lake, "SELECT count(*) FROM events", "--json"]
    report = subprocess.run(ask, capture_output=True, text=True, check=True).stderr
    return sorted(json.loads(report)["levels"])


def it_reads_the_same_of_merged_files(lake):
    before = {table: engines.pyarrow_reads(lake, table) for table in TABLES}
    many, apart, windows = files(lake), parts(lake), printed(lake, WINDOWS)
    said(EVSCRIBE_DATA, "merge", lake)
    assert len(files(lake)) == len(many) - len(TABLES)
    for table, expected in before.items():
        for reader, read in (engines.READERS | {"datafusion": engines.datafusion_reads}).items():
            assert read(lake, table) == expected, (table, reader)
    # What was kept of the merged rows is said, as of files of one level.
    assert levels(lake) == ["keys=class pointer=full", "keys=full pointer=full"]
    # Boot time and windows come part by part, each by its own anchor.
    together = parts(lake)
    assert len({path for path, *_ in together}) == len({path for path, *_ in apart}) - 1
    assert [part[1:] for part in together] == [part[1:] for part in apart]
    assert printed(lake, WINDOWS) == windows != "0 []\n"


def it_lets_a_training_set_see_that_somebody_was_erased(fleet, lake):
    made_of = 'import json; from made_of import made_of; from windows import files; print(json.dumps(made_of(files("dataset/events"))))'
    before = printed(lake, made_of)
    changed = f"import json; from made_of import changed; print(json.dumps(changed(json.loads({before!r}))))"
    assert json.loads(printed(lake, changed)) == []
    subject = ds.dataset(lake / "events").head(1, columns=["subject"])["subject"][0].as_py()
    receipt, kept = lake.parent / "receipt.json", lake.parent / "kept.json"
    receipt.write_text("the proof of another")
    kept.hardlink_to(receipt)
    said(EVSCRIBE_DATA, "erase", lake, "--subject", subject, "--yes", "--receipt", receipt)
    # It came as a whole, in the place of the earlier one, which nothing was written into.
    assert json.loads(receipt.read_text())["proven"]
    assert kept.read_text() == "the proof of another"
    gone = [path for path in json.loads(before) if f"/host={subject}/" in path]
    assert 0 < len(gone) < len(json.loads(before))
    assert json.loads(printed(lake, changed)) == gone
    # What cannot be proven afterwards is not begun.
    refused = [EVSCRIBE_DATA, "erase", lake, "--subject", "other", "--yes", "--receipt", lake]
    done = subprocess.run(refused, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is no regular file" in done.stderr
    assert subject not in engines.pyarrow_reads(lake, "events")["words"]["subject"]
