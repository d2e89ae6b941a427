"""The same into storage that speaks S3: nothing half is visible there, and this machine
holds no more than what is in flight."""

import hashlib
import signal
import threading
import time
from pathlib import Path

import pytest

from pulling import COMPLETE, LATER, Puller, union

MIB = 1 << 20
PREFIX = "team/lake"


@pytest.fixture
def bucket(s3):
    return s3.bucket()


@pytest.fixture
def puller(fleet, s3, bucket, tmp_path):
    return Puller(fleet, f"s3://{bucket}/{PREFIX}", tmp_path, s3.environment | {"XDG_STATE_HOME": str(tmp_path / "state")})


def objects(s3, bucket: str) -> dict[str, str]:
    """What an engine finds there: SHA-256 by path."""
    keys = [key for key in s3.sizes(bucket, f"{PREFIX}/") if not key.startswith(f"{PREFIX}/_")]
    return {key.removeprefix(f"{PREFIX}/"): hashlib.sha256(s3.read(bucket, key)).hexdigest() for key in keys}


def it_makes_the_same_lake_in_s3_and_keeps_it_so(fleet, puller, s3, bucket):
    hosts = fleet.all[:12]
    first = puller.pull(hosts)
    assert first.code == COMPLETE, first
    assert objects(s3, bucket) == union(*hosts)
    assert all(host.acknowledged() for host in hosts)
    unchanged = puller.pull(hosts)
    assert unchanged.code == COMPLETE and set(unchanged.states().values()) == {"unchanged"}, unchanged.report
    assert {said["round_trips"] for said in unchanged.report["hosts"]} == {1}
    forgets = hosts[4]
    forgets.entomb(sorted(forgets.sealed)[0], None)
    forgotten = puller.pull(hosts)
    assert forgotten.code == COMPLETE and forgotten.of(forgets)["removed"] == 1, forgotten.report
    assert objects(s3, bucket) == union(*hosts)
    outside = [key for key in s3.sizes(bucket) if not key.startswith(f"{PREFIX}/")]
    assert outside == [] and s3.unfinished(bucket) == []
    # The lease of who is done is given back.
    assert f"{PREFIX}/_evscribe/lock" not in s3.sizes(bucket)


def stopped_in_mid_upload(puller, s3, bucket, host, other):
    """A pull that stands still and has not completed an upload; each try has a file more."""
    for n in range(3):
        host.seal(f"long-{n}", 48 * MIB)
        process = puller.start([host, other])
        deadline = time.monotonic() + 60
        while not s3.unfinished(bucket) and process.poll() is None:
            assert time.monotonic() < deadline, "it uploads nothing in parts"
            time.sleep(0.002)
        process.send_signal(signal.SIGSTOP)
        if process.poll() is None and s3.unfinished(bucket):
            return process
        process.send_signal(signal.SIGCONT)
        assert puller.finish(process).code == COMPLETE
    raise AssertionError("each time it was done before it could be stopped")


def it_shows_nothing_half_where_it_is_killed_in_mid_upload(fleet, puller, s3, bucket):
    host, other = fleet.all[4], fleet.all[3]
    process = stopped_in_mid_upload(puller, s3, bucket, host, other)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # What it had asked for by then is still done: a file may be there, whole.
    assert objects(s3, bucket).items() <= union(host, other).items()
    # Nobody knows yet that it is gone: its lease has still to end.
    later = puller.pull([host, other])
    assert later.code == LATER and "process" in later.err, later
    s3.client.delete_object(Bucket=bucket, Key=f"{PREFIX}/_evscribe/lock")
    again = puller.pull([host, other])
    assert again.code == COMPLETE, again
    assert objects(s3, bucket) == union(host, other)


def it_holds_no_more_on_this_machine_than_is_in_flight(fleet, puller, s3, bucket, tmp_path, request):
    hosts, jobs = fleet.all[3:6], 2
    for host in hosts:
        for n in range(4):
            host.seal(f"long-{n}", 20 * MIB)
    work, most = tmp_path / "work", [0]
    process = puller.start(hosts, "--jobs", jobs, "--work", work)

    def watch():
        while process.poll() is None:
            most[0] = max(most[0], size(work))
            time.sleep(0.01)

    watching = threading.Thread(target=watch)
    watching.start()
    pulled = puller.finish(process)
    watching.join()
    assert pulled.code == COMPLETE, pulled
    assert objects(s3, bucket) == union(*hosts)
    total = pulled.report["totals"]["bytes"]
    request.node.user_properties.append(("figure", f"{total / MIB:.0f} MiB into S3 by way of at most {most[0] / MIB:.0f} MiB here"))
    # A portion, at most 64 MiB, for each job.
    assert most[0] < jobs * 64 * MIB < total
    assert size(work) < MIB, "nothing is left but what the hosts said last"


def size(folder: Path) -> int:
    """What lies there, a file with two names once."""
    seen = {}
    for path in folder.rglob("*"):
        try:
            about = path.lstat()
        except FileNotFoundError:
            continue
        seen[about.st_ino] = about.st_blocks * 512
    return sum(seen.values())


def it_says_what_is_wrong_with_the_storage(fleet, puller, s3, tmp_path):
    host = fleet.all[3]
    wrong_key = Puller(fleet, puller.into, tmp_path, puller.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    absent = Puller(fleet, "s3://no-such-bucket/lake", tmp_path, puller.environment)
    gone = Puller(fleet, puller.into, tmp_path, puller.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    for wrong in (wrong_key, absent, gone):
        pulled = wrong.pull([host], limit_s=300)
        assert pulled.code == 1 and pulled.err.strip(), pulled
        assert "wrong" not in pulled.err and host.asked() == []
