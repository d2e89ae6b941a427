"""The power goes at ten moments under load: at most a second is missing, nothing is
damaged, nothing is there twice.

The emulator's own death would prove nothing, as its host keeps what was written.
So the state's disk is a device-mapper log of every write and flush, and each cut
is the disk as the log makes it up to a moment, without what no FLUSH or FUA had
made durable; see inside_powercut.py. The file system's journal and the service
recover from that, as after a reboot.
"""

import json

import harness
from record import event_row, expected_events

CUTS = 10
SEED = 20261124

INSIDE = f"""
install_evscribe
policy ann full
modprobe brd rd_nr=2 rd_size=$((256 * 1024))
modprobe dm-log-writes
mib=128
dmsetup create state --table "0 $((mib * 2048)) log-writes /dev/ram0 /dev/ram1"
mke2fs -q -t ext4 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/state
mkdir -p /var/lib/evscribe $scratch/sent
mount /dev/mapper/state /var/lib/evscribe
warm python3 dmsetup date
python3 -c 'import dataclasses, json, mmap, random, subprocess'
start_service
"$hands" --wait-for evscribed --record $scratch/sent/keyboard.jsonl keyboard --seconds 60 &
typing=$!
"$hands" --wait-for evscribed --record $scratch/sent/mouse.jsonl mouse --hz 250 --seconds 60 &
moving=$!
begun $scratch/sent/keyboard.jsonl
begun $scratch/sent/mouse.jsonl
sleep 3
python3 /repo/tests/guest/inside_powercut.py mark {SEED} 35 >$scratch/marks.jsonl &
marking=$!
# Each step of the clock has the segment sealed under load.
for step in 1 2 3 4 5 6 7 8; do
    sleep 3.7
    python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)' >>$scratch/steps
    date -s '+2 seconds' >/dev/null
done
wait $marking $typing $moving
sleep 1
stop_service
umount /var/lib/evscribe
say "the log has $(dmsetup status state | cut -d' ' -f4) entries"

disk=/dev/shm/disk
# Each start is another boot to the service.
printf '[Service]\\nEnvironmentFile=/run/boot\\n' >/run/systemd/system/evscribed.service.d/boot.conf
systemctl daemon-reload
for cut in $(seq 0 {CUTS - 1}); do
    truncate -s 0 $disk
    truncate -s ${{mib}}M $disk
    python3 /repo/tests/guest/inside_powercut.py cut {SEED} $cut $scratch /dev/ram1 $disk >>$scratch/cuts.jsonl
    mount -o loop $disk /var/lib/evscribe
    printf 'EVSCRIBE_BOOT_ID=%032x\\n' $((cut + 1)) >/run/boot
    systemctl start evscribed
    systemctl stop evscribed
    mkdir -p $scratch/cut-$cut
    cp -r --no-preserve=all /var/lib/evscribe/dataset $scratch/cut-$cut/
    ls -A /var/lib/evscribe/journal >$scratch/cut-$cut/journals
    of_journal -u evscribed -o json _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID evscribed) >$scratch/cut-$cut/journal.jsonl
    umount /var/lib/evscribe
    # Systemd takes five starts in ten seconds for a failure.
    sleep 3
done
systemctl show evscribed >$scratch/unit
keep
"""

WINDOW_US = 1_000_000


def cuts(guest) -> list[dict]:
    told = [json.loads(line) for line in guest.text("cuts.jsonl").splitlines()]
    assert len(told) == CUTS
    return told


def dataset(guest, cut: dict) -> harness.Dataset:
    return guest.dataset_in(f"cut-{cut['cut']}/dataset")


def rows(guest, cut: dict, name: str) -> list[tuple]:
    """(stamped at µs, row), in the order of time, of the boot that ended."""
    mine = dataset(guest, cut).of_device("events", f"evscribe hands {name}")
    return sorted((row["boot_us"], event_row(row)) for row in mine if not row["inferred"])


def sent(guest, name: str) -> list[tuple]:
    return [(t, row) for t, report in expected_events(guest.sent(name)) for row in report]


def lost_us(guest, cut: dict) -> int:
    """From the first report that is missing to the cut."""
    have = len(rows(guest, cut, "mouse"))
    missing = [t for t, _ in sent(guest, "mouse")[have:] if t < cut["at_us"]]
    return cut["at_us"] - missing[0] if missing else 0


def it_cuts_under_load_and_inside_seals(guest):
    told = cuts(guest)
    assert [cut["in_flush"] for cut in told] == [False] * 5 + [True] * 5
    first, last = sent(guest, "mouse")[0][0], sent(guest, "mouse")[-1][0]
    assert all(first < cut["at_us"] < last for cut in told)
    # Where a flush was under way, the cache lost some and kept some.
    for cut in told:
        assert bool(cut["sectors_lost_with_cache"]) == bool(cut["sectors_left_of_cache"]) == cut["in_flush"]


def it_loses_at_most_a_second_before_each_cut(guest):
    windows = [lost_us(guest, cut) for cut in cuts(guest)]
    harness.figure(f"lost window of {len(windows)} power cuts: max {max(windows) / 1000:.0f} ms, all {[w // 1000 for w in windows]} ms")
    assert max(windows) <= WINDOW_US


def it_has_every_event_before_that_once_and_in_order(guest):
    for cut in cuts(guest):
        for name in ("keyboard", "mouse"):
            have, asked = rows(guest, cut, name), sent(guest, name)
            assert [row for _, row in have] == [row for _, row in asked[: len(have)]], f"{cut}: {name}"


def it_leaves_no_damaged_file(guest):
    for cut in cuts(guest):
        harness.verify(dataset(guest, cut).folder, guest.key)


def it_reads_every_journal_and_seals_it(guest):
    for cut in cuts(guest):
        folder = guest.result / f"cut-{cut['cut']}"
        assert (folder / "journals").read_text() == "", f"{cut}: journals are left"
        told = [json.loads(line)["MESSAGE"] for line in (folder / "journal.jsonl").read_text().splitlines()]
        assert not [line for line in told if "cannot be" in line], cut
        # A write that did not come to its end is a tail; nothing may be missing before it.
        assert not [line for line in told if "Hole" in line], cut
        assert not [m for m in dataset(guest, cut).marks("drop")], cut


def it_marks_that_the_collector_did_not_stop_by_itself(guest):
    for cut in cuts(guest):
        reasons = [mark["reason"] for mark in dataset(guest, cut).marks("stop")]
        assert reasons.count("crash") <= 1
