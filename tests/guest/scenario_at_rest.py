"""Who steals the disk finds nothing of what was typed and of which devices there
were: not in sealed files, not in the journal, nowhere. Keys as an administrator
uses them: sealed for the machine, listed, rotated, checked.

The machine is switched off at a stroke, with a journal that nobody sealed, and
its disk searched byte by byte. The control is the same with `at_rest = "plain"`
and the key in a file: there the same search finds all of it.
"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import canary
import harness
from disk import Disk

DEVICE = "evscribe hands typing SN-QX7Z-4471"
# Words that only a sealed file has, and the programs and pages that speak of them.
COLUMN, METADATA = b"key_class", b"evscribe.anchor_wall_us"
# How a Parquet file begins, and a frame of its compressed pages (RFC 8878).
PLAIN, FRAME = b"PAR1", b"\x28\xb5\x2f\xfd"
# A file on offer to who pulls has a second name there.
SEALED = ("/var/lib/evscribe/dataset/", "/var/lib/evscribe/outbox/")
TIMES = 8

STEPS = f"""
# The kernel says the names of devices, and the log of the guest is on this disk.
mkdir -p /run/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\n' >/run/systemd/journald.conf.d/zz.conf
systemctl restart systemd-journald
if [ "$way" = encrypted ]; then systemd-creds setup; fi
install_evscribe
policy ann full
[ "$way" = encrypted ] || drop_in plain <<<'at_rest = "plain"'
evscribe policy check >$scratch/consequences
evscribe keys list --json >$scratch/list-first.json
start_service
mkdir -p $scratch/typed
types() {{
    "$hands" --wait-for evscribed --linger-ms 2500 --record $scratch/typed/$1.jsonl type "{canary.SCRIPT}" --times {TIMES}
}}
types first
# Seals, and hands out what was sealed.
as ann evscribe my-data show -n 500 >$scratch/shown
evscribe keys rotate --json >$scratch/rotated.json
systemctl restart evscribed
until_true 20 collects
types second
as ann evscribe my-data show >$scratch/shown-second
as ann evscribe status >$scratch/said
systemctl cat evscribed >$scratch/unit-files
systemctl show evscribed >$scratch/unit
stat -c '%n %s %a' /run/credentials/evscribed.service/* >$scratch/credentials
evscribe keys check --json >$scratch/check.json
evscribe keys check >$scratch/check
evscribe keys list --json >$scratch/list.json
evscribe data verify /var/lib/evscribe/dataset >$scratch/verified
types unsealed
if [ "$way" = encrypted ]; then
    systemd-creds decrypt --name=evscribe.key /etc/evscribe/evscribe.key.cred $scratch/key
else
    cp /etc/evscribe/evscribe.key $scratch/key
fi
keep
pull_the_plug
"""

INSIDE = "way=encrypted\n" + STEPS
KEEP_DISK = True


@pytest.fixture(scope="module")
def control(request):
    """The same with files and key plain."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return harness.run("at_rest-plain", "way=plain\n" + STEPS, keep_disk=True)


def typed(guest, *parts: str) -> list[int]:
    out = []
    for part in parts:
        for line in guest.sent_at(f"typed/{part}.jsonl"):
            out += [code for kind, code, value in line["events"] if kind == 1 and value == 1]
    return out


def disk(guest) -> Disk:
    return Disk(guest.result.parent.parent)


def sealed(guest) -> harness.Dataset:
    """The dataset as it was found on the disk."""
    folder = disk(guest).take("/var/lib/evscribe/dataset", "files")
    return harness.Dataset(folder, guest.key)


def presses(dataset) -> list[int]:
    return [row["code"] for row in dataset.rows("events") if row["kind"] == "key" and row["down"]]


# --- what the thief finds -----------------------------------------------------


def it_has_sealed_files_and_a_journal_that_nobody_sealed(guest, control):
    for which in (guest, control):
        assert presses(sealed(which)) == typed(which, "first", "second") == canary.CODES * TIMES * 2
        journals = disk(which).take("/var/lib/evscribe/journal", "journals")
        assert sum(file.stat().st_size for file in journals.glob("*.evj")) > 1000


def it_finds_no_name_of_a_device_anywhere_on_the_disk(guest):
    for name in (DEVICE, "SN-QX7Z", DEVICE.encode("utf-16-le")):
        assert disk(guest).find(name if isinstance(name, bytes) else name.encode()) == [], name


@pytest.mark.parametrize("word", [COLUMN, METADATA])
def it_finds_words_of_sealed_files_in_programs_and_pages_alone(guest, word):
    owners = disk(guest).owners(disk(guest).find(word))
    assert owners and all(owner.startswith("/usr/") for owner in owners), owners


def it_finds_no_plain_parquet_and_no_compressed_page(guest):
    starts = [at for at in disk(guest).find(PLAIN) if at % 4096 == 0]
    assert starts == []
    for file in sealed(guest).files("events"):
        assert FRAME not in file.read_bytes(), file


def it_finds_nothing_of_what_was_typed(guest):
    """As text and as codes, in the files and in the journal, whole or in part."""
    state = disk(guest).take("/var/lib/evscribe", "state")
    found = [file for file in state.rglob("*") if file.is_file()]
    assert {file.suffix for file in found} >= {".parquet", ".evj", ".jsonl"}
    for file in found:
        assert not canary.found(file.read_bytes()), file


def it_finds_no_secret_of_the_workstation(guest):
    key = (guest.result / "key").read_bytes()
    assert len(key) == 64
    for secret in (key[:32], key[32:]):
        assert disk(guest).find(secret) == [] and disk(guest).find(secret[:16]) == []


def it_opens_no_file_without_a_key(guest):
    for file in [file for table in ("events", "marks", "devices") for file in sealed(guest).files(table)]:
        with pytest.raises((OSError, pa.ArrowException)):
            pq.ParquetFile(file)


# --- the control --------------------------------------------------------------


def it_would_find_all_of_it_where_it_is_plain(control):
    there = disk(control)
    for what in (DEVICE.encode(), COLUMN, METADATA, PLAIN):
        owners = there.owners(there.find(what))
        assert [owner for owner in owners if owner.startswith(SEALED)], (what, owners)
    assert [at for at in there.find(PLAIN) if at % 4096 == 0]
    assert any(FRAME in file.read_bytes() for file in sealed(control).files("events"))
    codes = [pq.ParquetFile(file).read().column("code").to_pylist() for file in sealed(control).files("events")]
    assert {code for column in codes for code in column} >= set(canary.CODES)


def it_would_find_the_key_where_it_is_a_file(control):
    key = (control.result / "key").read_bytes()
    assert "/etc/evscribe/evscribe.key" in disk(control).owners(disk(control).find(key[32:]))


def it_says_openly_that_files_are_plain(control):
    assert "Sealed files are NOT encrypted" in control.text("consequences")
    assert "plain: who gets hold of the disk" in control.text("said")


# --- keys, as an administrator uses them ---------------------------------------


def it_seals_the_key_for_the_machine_and_the_service_loads_it(guest, control):
    kept = guest.json("list-first.json")["workstation"]
    assert kept["key"] == {"kept": "sealed", "sealed_by": "host_key"}
    assert kept["file"] == "/etc/evscribe/evscribe.key.cred"
    assert "LoadCredentialEncrypted=evscribe.key:/etc/evscribe/evscribe.key.cred" in guest.text("unit-files")
    for which in (guest, control):
        # The service got both secrets at its last start; nobody else reads them.
        assert which.text("credentials").split()[1:] == ["64", "400"]
        assert which.unit()["ActiveState"] == "active"
    assert control.json("list-first.json")["workstation"]["key"] == {"kept": "plain"}


def it_opens_what_was_sealed_before_a_rotation_and_after(guest):
    first, last = guest.json("list-first.json")["workstation"]["id"], guest.json("rotated.json")["id"]
    assert first != last
    check = guest.json("check.json")
    assert check["good"] and check["closed"] == [] and check["plain_files"] == 0
    team = guest.json("list.json")["recipients"][0]["id"]
    by_key = check["files_by_key"]
    assert set(by_key) == {first, last, team}
    assert by_key[first] + by_key[last] == by_key[team] == check["encrypted_files"]
    assert min(by_key.values()) > 0
    assert guest.text("check").splitlines()[-1] == "everything is in order"


def it_shows_a_person_their_own_and_for_whom_it_is_encrypted(guest):
    assert "letter" in guest.text("shown") and "letter" in guest.text("shown-second")
    team = guest.json("list.json")["recipients"][0]
    assert f"encrypted; readable for {team['name']} (key {team['id']}) and on this workstation" in guest.text("said")


def it_verifies_as_root_without_naming_a_key(guest):
    assert guest.text("verified").rstrip().endswith("everything holds")
