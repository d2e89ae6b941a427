"""Pulls that are interrupted: what arrived is used again, nothing half is ever in the
lake, and a last pull leaves it as if nothing had happened."""

import os
import random
import shlex
import signal
import subprocess
import time

import pytest

from pulling import COMPLETE, SOME, children, data_files, tree, union

SEED = int(os.environ.get("EVSCRIBE_KILLS_SEED", time.time_ns() % 1_000_000))
ROUNDS = 12


def why(said: dict) -> str:
    """All that the report says of a host's trouble."""
    return " ".join([str(said["error"]), *said["notes"], *(each["why"] for each in said["quarantined"])])


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def it_survives_kills_of_either_side_at_random(fleet, puller, lake, request):
    request.node.user_properties.append(("figure", f"kills: EVSCRIBE_KILLS_SEED={SEED}"))
    chance = random.Random(SEED)
    hosts = fleet.all[:8]
    for host in hosts[1:3]:
        host.is_touched, host.link.delay_s = True, 0.005
    whole, killed, lakes = union(*hosts), [], [lake]
    for _ in range(ROUNDS):
        process = puller.start(hosts, "--jobs", "4")
        until = time.monotonic() + chance.uniform(0.05, 1.0)
        target = chance.choice(["evscribe-data", "rsync", "ssh", "sshd", "sshd"])
        while process.poll() is None:
            if time.monotonic() >= until:
                own = children(process.pid)
                victims = {
                    "evscribe-data": [process.pid],
                    "sshd": [pid for host in chance.sample(hosts, len(hosts)) for pid in host.sessions()],
                }.get(target, sorted(pid for pid, name in own.items() if name == target))
                if victims and kill(chance.choice(victims)):
                    killed.append(target)
                    break
            time.sleep(0.02)
        if target == "evscribe-data":
            process.communicate()
        else:
            pulled = puller.finish(process)
            assert pulled.code in (COMPLETE, SOME), f"seed {SEED}, after {killed}: {pulled}"
        now = data_files(lakes[-1])
        assert now.items() <= whole.items(), f"seed {SEED}, after {killed}: something is half in the lake"
        if now == whole:
            # Nothing more to break in this one.
            lakes.append(lake.with_name(f"lake-{len(lakes)}"))
            puller.into = str(lakes[-1])
    assert len(killed) >= ROUNDS // 2, f"seed {SEED}: only {killed} were killed in time"
    for each in lakes:
        puller.into = str(each)
        last = puller.pull(hosts)
        assert last.code == COMPLETE, f"seed {SEED}, after {killed}: {last}"
        assert data_files(each) == whole, f"seed {SEED}, after {killed}"
        left = [path for path in tree(each / "_evscribe") if path.endswith(".parquet") or path.startswith("quarantine/")]
        assert not left, f"seed {SEED}: left over {left}"
    again = puller.pull(hosts)
    assert set(again.states().values()) == {"unchanged"}, f"seed {SEED}: {again.report}"


def it_does_not_send_again_what_had_arrived_before_the_line_was_cut(fleet, puller, lake, request):
    far, near = fleet.all[1], fleet.all[3]
    far.is_touched = True
    size = far.sealed[far.longest()]["bytes"]
    far.link.left = 800_000
    # Short for the one whose line is cut, long enough for the other.
    cut = puller.pull([far, near], "--timeout", "10")
    assert cut.code == SOME and cut.states()[near.name] == "pulled", cut
    assert cut.of(far)["state"] in ("failed", "partial"), cut.of(far)
    assert far.longest() not in data_files(lake)
    far.link.mend()
    far.network.end(far.number)
    far.serve()
    far.link.carried = [0, 0]
    mended = puller.pull([far, near], "--timeout", "30")
    assert mended.code == COMPLETE, mended
    assert data_files(lake) == union(far, near)
    said = mended.of(far)["received_bytes"]
    request.node.user_properties.append(
        ("figure", f"cut after 0.80 of {size / 1e6:.2f} MB: {said / 1e6:.2f} MB more by rsync, {far.link.carried[1] / 1e6:.2f} MB on the line")
    )
    # What was on its way as the line went was lost with it.
    assert said < size - 400_000 and far.link.carried[1] < size - 300_000


def it_gets_through_a_line_that_loses_a_fifth(fleet, puller, lake, request):
    far = fleet.all[2]
    far.offer(sorted(far.sealed, key=lambda path: far.sealed[path]["bytes"])[:2])
    far.link.delay_s, far.link.loss = 0.05, 0.2
    pulled = None
    for attempt in range(1, 6):
        # Each attempt ends before the next one is due.
        pulled = puller.pull([far, fleet.all[3]], "--timeout", "30", "--host-timeout", "60")
        if pulled.code == COMPLETE:
            break
    assert pulled and pulled.code == COMPLETE, pulled
    request.node.user_properties.append(("figure", f"a fifth lost, 100 ms: {pulled.seconds:.1f} s, attempt {attempt}"))
    assert data_files(lake) == union(far, fleet.all[3])


def it_takes_no_file_that_was_swapped_after_it_was_listed(fleet, puller, lake):
    host, other = fleet.all[4], fleet.all[3]
    place = host.longest()
    swapped = bytearray((host.outbox / place).read_bytes())
    swapped[len(swapped) // 2] ^= 1
    (host.folder / "swapped").write_bytes(swapped)
    host.does_instead(
        f'[ "$(grep -c "^rsync" "$here/asked")" != 2 ] || '
        f'cp "$here/swapped" /dev/fd/3 3>"$here/outbox/"{shlex.quote(place)}\n'
    )
    # The one that serves may write there, for this test alone.
    (host.outbox / place).unlink()
    (host.outbox / place).write_bytes((host.folder / "sealed" / place).read_bytes())
    os.chown(host.outbox / place, 64_201, 64_201)
    pulled = puller.pull([host, other])
    assert (host.outbox / place).read_bytes() == swapped, "the swap took place between listing and fetching"
    assert pulled.code == SOME and pulled.states() == {host.name: "partial", other.name: "pulled"}, pulled.report
    said = pulled.of(host)
    assert place in why(said) or place in [each["path"] for each in said["quarantined"]], said
    assert said["acknowledged"] is False and host.acknowledged() == []
    expected = union(host, other)
    expected.pop(place)
    assert data_files(lake) == expected
    host.put_right()
    healed = puller.pull([host, other])
    assert healed.code == COMPLETE and data_files(lake) == union(host, other), healed


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB for the lake."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "evscribe-lake", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def it_says_that_the_disk_is_full_and_goes_on_once_there_is_room(fleet, puller, small_disk):
    large, small = fleet.all[0], fleet.all[3]
    puller.into = str(small_disk / "lake")
    full = puller.pull([large, small])
    assert full.code == SOME, full
    assert "space" in why(full.of(large)).lower(), full.of(large)
    assert large.longest() not in data_files(small_disk / "lake")
    assert data_files(small_disk / "lake").items() <= union(large, small).items()
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    room = puller.pull([large, small])
    assert room.code == COMPLETE, room
    assert data_files(small_disk / "lake") == union(large, small)
