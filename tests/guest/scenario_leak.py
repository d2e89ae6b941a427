"""A word typed at level class is found nowhere afterwards, and nobody's name or
number below full.

The word is typed again and again; what is searched is all that the service wrote
or said, and its memory as the kernel shows it.
"""

import json
import re
import struct

import pytest

import canary

INSIDE = f"""
hostnamectl hostname quillon-7741 2>/dev/null || hostname quillon-7741
install_evscribe
policy ann class
warm python3 busctl
# What makes core files on a desktop is a pipe: no limit of size keeps it.
mkdir -p $scratch/cores
cat >/usr/local/sbin/keep-core <<'CORE'
#!/bin/sh
cat >/dev/shm/scratch/cores/"$1"
CORE
chmod 0755 /usr/local/sbin/keep-core
echo '|/usr/local/sbin/keep-core %e' >/proc/sys/kernel/core_pattern
bash -c 'kill -ABRT $$' || true
start_service

busctl capture >$scratch/bus.pcap 2>/dev/null &
capture=$!
sleep 2
"$hands" --wait-for evscribed --linger-ms 15000 --record $scratch/typed.jsonl type "{canary.SCRIPT}" --times 30 &
typing=$!
sleep 8
# While it is typed, everybody asks.
evscribe status >$scratch/status
for user in ann bob root; do
    bus $user Me >/dev/null
    bus $user MyLedger >/dev/null
    bus $user Notice >/dev/null
done
evscribe devices >/dev/null
sleep 34
for name in /sys/class/input/event*/device/name; do cat $name; done | sort -u >$scratch/names
python3 -B $repo/tests/guest/inside_memory.py "$(pidof hands)" /dev/shm/hands.memory
wait $typing
sleep 3
# After the flush, before any seal.
python3 -B $repo/tests/guest/inside_memory.py "$(main_pid)" /dev/shm/evscribed.memory
cp "/proc/$(main_pid)/status" $scratch/process-status
cp "/proc/$(main_pid)/smaps_rollup" $scratch/process-smaps
cp -r --no-preserve=all /var/lib/evscribe $scratch/state-before-seal
as ann evscribe my-data show >$scratch/shown
sleep 1
# And after a seal.
python3 -B $repo/tests/guest/inside_memory.py "$(main_pid)" /dev/shm/evscribed.sealed.memory
kill $capture

"$hands" --wait-for evscribed --settle-ms 500 type "{canary.SCRIPT}" --times 10 &
typing=$!
sleep 5
kill -ABRT "$(main_pid)"
wait $typing
until_true 20 collects
of_journal -o json >$scratch/journal-of-all
ls $scratch/cores >$scratch/core-files
mkdir -p /out/result
cp -r --no-preserve=all /run/evscribe /out/result/run
bring_out
mkdir -p /out/result/state /out/result/memory
cp -r --no-preserve=all /var/lib/evscribe/. /out/result/state/
cp /dev/shm/*.memory /out/result/memory/
"""


def files(guest, *names: str) -> list:
    return [file for name in names for file in sorted((guest.result / name).rglob("*")) if file.is_file()]


def it_was_typed_and_kept_as_classes(guest):
    presses = [e[1] for line in guest.sent_at("typed.jsonl") for e in line["events"] if e[0] == 1 and e[2] == 1]
    assert presses == canary.CODES * 30
    first, last = (guest.sent_at("typed.jsonl")[n]["t_us"] for n in (0, -1))
    rows = [row for row in guest.dataset.rows("events") if first <= row["boot_us"] <= last and row["kind"] == "key"]
    assert len([row for row in rows if row["down"]]) == len(presses)
    assert {row["key_class"] for row in rows} == {"letter"} and {row["code"] for row in rows} == {None}


def it_is_not_in_the_dataset_in_any_column(guest):
    """Decoded, for compression would hide it: no column's numbers are the codes."""
    keys = [row for row in guest.dataset.rows("events") if row["kind"] == "key" and row["down"]]
    for column in keys[0]:
        values = [row[column] for row in keys]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            steps = [(value - values[0]) for value in values[:11]]
            assert steps != [code - canary.CODES[0] for code in canary.CODES], column
            assert not canary.found(b"".join(struct.pack("<q", value) for value in values)), column


@pytest.mark.parametrize("where", ["dataset", "state", "state-before-seal", "run"])
def it_is_in_no_file_of_the_service(guest, where):
    there = files(guest, where)
    assert there
    for file in there:
        assert not canary.found(file.read_bytes()), file


@pytest.mark.parametrize("what", ["journal-of-all", "journal.jsonl", "bus.pcap", "status", "shown"])
def it_is_in_nothing_that_was_said(guest, what):
    data = (guest.result / what).read_bytes()
    assert data
    assert not canary.found(data)


@pytest.mark.parametrize("when", ["evscribed.memory", "evscribed.sealed.memory"])
def it_is_not_in_the_memory_after_the_flush(guest, when):
    data = (guest.result / "memory" / when).read_bytes()
    # The dump is one: what the service must know is in it.
    assert len(data) > 1 << 20 and b"org.evscribe.Collector1" in data and b"guest-1" in data
    assert not canary.found(data)


def it_would_be_found_where_it_is(guest):
    """The controls: the memory of the process that typed it, and layouts made here."""
    assert canary.found((guest.result / "memory/hands.memory").read_bytes())
    noise = bytes(range(256)) * 64
    for form, gap in (("<B", 0), ("<H", 0), ("<I", 0), ("<H", 22), ("<H", 70), ("<H", 142), ("<Q", 8)):
        typed = b"".join(struct.pack(form, code) + b"\7" * gap for code in canary.CODES)
        assert canary.as_codes(noise + typed + noise), (form, gap)
        assert not canary.as_codes(noise + typed[::-1] + noise)
    assert canary.as_text(b"..zqxjk..") and not canary.found(noise)


def it_leaves_no_core(guest):
    """The shell that was aborted left one by the same way."""
    assert guest.text("core-files").split() == ["bash"]
    assert guest.unit("unit-before")["NRestarts"] == "1"


def it_has_its_memory_locked_and_none_in_swap(guest):
    status = dict(line.split(":", 1) for line in guest.text("process-status").splitlines() if ":" in line)
    kib = {name: int(words.split()[0]) for name, words in status.items() if words.endswith("kB")}
    assert kib["VmSwap"] == 0
    rollup = {line.split(":")[0]: int(line.split()[1]) for line in guest.text("process-smaps").splitlines()[1:]}
    # Locked is proportional where pages are shared; anonymous ones are its own.
    assert rollup["Locked"] >= rollup["Anonymous"] > 0
    assert guest.unit()["MemorySwapMax"] == "0"


def texts_of_dataset(guest) -> set[str]:
    """Every text of the dataset: values, metadata, and the lists beside."""
    out: set[str] = set()
    for table in ("events", "touch", "marks", "devices"):
        for row in guest.dataset.rows(table):
            out |= {value for value in row.values() if isinstance(value, str)}
        for file in guest.dataset.files(table):
            out |= set(guest.dataset.metadata(file).values()) | {str(file.relative_to(guest.dataset.folder))}
    return out


def names(guest) -> list[str]:
    devices = guest.text("names").splitlines()
    assert "evscribe hands typing SN-QX7Z-4471" in devices
    return [*devices, "QX7Z", "quillon"]


def it_names_nobody_and_no_device_in_the_dataset(guest):
    texts = texts_of_dataset(guest)
    assert texts
    for name in names(guest):
        assert not [text for text in texts if name in text], name
    # Short ones as whole words: a pseudonym may contain them.
    for word in ("ann", "bob", "1000", "1001"):
        assert not [text for text in texts if re.search(rf"\b{word}\b", text)], word


def it_names_nobody_and_no_device_beside_the_dataset(guest):
    for name in ("dataset/manifest.jsonl", "state/ledger.jsonl"):
        text = guest.text(name)
        for word in names(guest):
            assert word not in text, (name, word)
        for line in guest.json_lines(name):
            said = {key: str(value) for key, value in line.items() if key not in ("n", "rows", "bytes")}
            assert not {"ann", "bob", "1000", "1001"} & set(said.values()), line
            assert not {"uid", "user", "host_name", "name"} & set(line), line


def it_names_nobody_in_its_log(guest):
    for line in guest.text("journal.jsonl").splitlines():
        message = str(json.loads(line).get("MESSAGE", ""))
        if json.loads(line).get("_COMM") == "evscribed":
            assert not re.search(r"\b(ann|bob)\b", message), message
            assert not [name for name in names(guest) if name in message], message
