"""Fifty workstations into one lake: the first pull, one that finds nothing new, one that
finds a host's new files, and what their people had forgotten since."""

import hashlib
import subprocess
import threading
import time
from dataclasses import dataclass, field

import pyarrow.parquet as pq
import pytest

from pulling import COMPLETE, LATER, NOTHING, SOME, Pulled, Puller, children, data_files, tree, union
from recordings import imported, keypair

JOBS = 8
# Hosts by what becomes of them; 4 has files of two days.
GROWS, FORGETS, REWRITES, KEEPS_LESS = 4, 7, 10, 13


@dataclass
class Run:
    """One pull: its report, the lake after it, and what each host was asked in it."""

    pulled: Pulled
    lake: dict[str, str]
    expected: dict[str, str]
    asked: dict[str, list[str]] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    most_at_once: int = 0


@dataclass
class Days:
    first: Run
    unchanged: Run
    grown: Run
    forgotten: Run
    again: Run
    around: tuple[dict, dict]


@pytest.fixture(scope="module")
def days(fifty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("days")
    lake = folder / "around" / "lake"
    lake.parent.mkdir()
    (lake.parent / "beside").write_text("not ours")
    puller = Puller(fifty, str(lake), folder)

    def run(is_watched: bool = False) -> Run:
        before = {host.name: host.connections() for host in fifty.all}
        for host in fifty.all:
            host.forget_what_was_asked()
        process = puller.start(fifty.all, "--jobs", JOBS)
        most = [0]

        def watch():
            while process.poll() is None:
                most[0] = max(most[0], list(children(process.pid).values()).count("ssh"))
                time.sleep(0.1)

        watching = threading.Thread(target=watch)
        if is_watched:
            watching.start()
        pulled = puller.finish(process)
        if is_watched:
            watching.join()
        return Run(
            pulled,
            data_files(lake),
            union(*fifty.all),
            {host.name: host.asked() for host in fifty.all},
            {host.name: host.connections() - before[host.name] for host in fifty.all},
            {host.name: host.acknowledged() for host in fifty.all},
            most[0],
        )

    before = tree(folder, without=lake)
    grows, forgets, rewrites, less = (fifty.all[place] for place in (GROWS, FORGETS, REWRITES, KEEPS_LESS))
    grows.offer(sorted(grows.sealed)[:2])
    first = run(is_watched=True)
    unchanged = run()
    grows.offer()
    # What retention took is still wanted in the lake.
    less.offer(sorted(less.sealed)[1:])
    grown = run()
    grown.expected |= {path: line["sha256"] for path, line in less.sealed.items()}
    forgets.entomb(sorted(forgets.sealed)[0], None)
    place = rewrites.longest()
    anew = imported(folder / "anew", [fifty.folder / "recordings" / f"{REWRITES}.evemu"], fifty.team.with_suffix(".pub"))
    rewrites.entomb(place, (anew / place).read_bytes())
    forgotten = run()
    forgotten.expected |= {path: line["sha256"] for path, line in less.sealed.items()}
    again = run()
    around = tree(folder, without=lake)
    fifty.put_right()
    yield Days(first, unchanged, grown, forgotten, again, (before, around))


def manifest_sum(host) -> str:
    return hashlib.sha256((host.outbox / "manifest.jsonl").read_bytes()).hexdigest()


def it_makes_the_lake_the_union_of_fifty_hosts_each_file_once(days):
    first = days.first
    assert first.pulled.code == COMPLETE, first.pulled.err
    assert first.pulled.report["complete"] is True and set(first.pulled.states().values()) == {"pulled"}
    assert first.lake == first.expected
    assert len(first.lake) == first.pulled.report["totals"]["files"] == sum(said["files"] for said in first.pulled.report["hosts"])


def it_says_of_each_host_what_it_brought(days, fifty):
    for host in fifty.all:
        said = days.first.pulled.of(host)
        lines = [line for path, line in host.sealed.items() if path in days.first.lake]
        assert said["host"] == host.pseudonym and said["error"] is None, said
        assert (said["files"], said["bytes"], said["rows"]) == (
            len(lines),
            sum(line["bytes"] for line in lines),
            sum(line["rows"] for line in lines),
        )
        assert said["received_bytes"] >= said["bytes"]
        assert said["round_trips"] == days.first.connections[host.name] == len(days.first.asked[host.name])


def it_acknowledges_each_manifest_once_all_of_it_is_there(days, fifty):
    for host in fifty.all:
        (told,) = days.first.acknowledged[host.name]
        assert len(told) == 64 and days.first.pulled.of(host)["acknowledged"] is True
        assert days.first.asked[host.name][-1] == f"evscribe-acknowledge {told}"


def it_has_no_more_connections_at_once_than_jobs(days):
    assert 1 < days.first.most_at_once <= JOBS


def it_costs_one_connection_a_host_where_nothing_changed(days):
    run = days.unchanged
    assert run.pulled.code == COMPLETE and set(run.pulled.states().values()) == {"unchanged"}, run.pulled.states()
    assert run.pulled.report["totals"]["files"] == 0 and run.lake == run.expected
    assert set(run.connections.values()) == {1}
    assert {len(asked) for asked in run.asked.values()} == {1}
    for said in run.pulled.report["hosts"]:
        assert (said["files"], said["round_trips"]) == (0, 1) and said["received_bytes"] < 2_000, said


def it_fetches_of_a_host_only_what_is_new(days, fifty):
    run, grows = days.grown, fifty.all[GROWS]
    assert run.pulled.code == COMPLETE and run.lake == run.expected
    said = run.pulled.of(grows)
    assert (said["state"], said["files"], said["already"]) == ("pulled", len(grows.sealed) - 2, 2), said
    others = [said for said in run.pulled.report["hosts"] if said["name"] not in (grows.name, f"h{KEEPS_LESS:02}")]
    assert {said["state"] for said in others} == {"unchanged"}


def it_keeps_what_retention_took_from_a_workstation(days, fifty):
    less = fifty.all[KEEPS_LESS]
    assert days.grown.pulled.of(less)["removed"] == 0
    assert set(less.sealed) <= set(days.grown.lake)


def it_removes_and_replaces_what_somebody_had_forgotten(days, fifty):
    run, forgets, rewrites = days.forgotten, fifty.all[FORGETS], fifty.all[REWRITES]
    assert run.pulled.code == COMPLETE, run.pulled.err
    assert run.lake == run.expected
    gone, renewed = sorted(forgets.sealed)[0], rewrites.longest()
    assert gone in days.grown.lake and gone not in run.lake
    assert run.lake[renewed] != days.grown.lake[renewed]
    assert run.pulled.of(forgets)["removed"] == 1 and run.pulled.of(rewrites)["replaced"] == 1


def it_does_nothing_twice(days):
    run = days.again
    assert run.pulled.code == COMPLETE and run.lake == days.forgotten.lake
    assert set(run.pulled.states().values()) == {"unchanged"} and set(run.connections.values()) == {1}


def it_touches_nothing_around_the_lake(days):
    before, after = days.around
    added = set(after) - set(before)
    # The list of hosts is the test's own, as is what it sealed anew.
    assert {path for path in added if path != "hosts" and not path.startswith("anew")} == set()
    assert {path: before[path] for path in before} == {path: after[path] for path in before}


def it_decrypts_on_arrival_with_the_key(fleet, puller, lake):
    hosts = fleet.all[3:10]
    assert {host.folder.joinpath("sealed", host.longest()).read_bytes()[-4:] for host in hosts} == {b"PARE", b"PAR1"}
    pulled = puller.pull(hosts, "--decrypt", "--key", fleet.team)
    assert pulled.code == COMPLETE, pulled.err
    files = data_files(lake)
    assert set(files) == set(union(*hosts))
    rows = {path: line["rows"] for host in hosts for path, line in host.sealed.items()}
    assert {path: pq.ParquetFile(lake / path).metadata.num_rows for path in files} == rows
    again = puller.pull(hosts, "--decrypt", "--key", fleet.team)
    assert again.code == COMPLETE and set(again.states().values()) == {"unchanged"}, again.report


def it_takes_nothing_that_the_key_does_not_open(fleet, puller, lake, tmp_path):
    other = keypair(tmp_path / "other")
    hosts = fleet.all[3:10]
    pulled = puller.pull(hosts, "--decrypt", "--key", other)
    assert pulled.code == SOME, pulled
    plain = [host for host in hosts if host.folder.joinpath("sealed", host.longest()).read_bytes()[-4:] == b"PAR1"]
    assert data_files(lake) == union(*plain)
    for host in hosts:
        said = pulled.of(host)
        why = " ".join([str(said["error"]), *said["notes"], *(each["why"] for each in said["quarantined"])])
        assert (said["state"] == "pulled") == (host in plain), said
        assert host in plain or "key" in why, said
        assert bool(host.acknowledged()) == (host in plain)


def it_refuses_a_host_whose_key_is_another(fleet, puller, lake, tmp_path):
    honest, other, stranger = fleet.all[3], fleet.all[4], fleet.all[5]
    lines = fleet.known_hosts.read_text().splitlines()
    swapped = [line if not line.startswith(f"{other.address},") else " ".join([line.split()[0], *lines[0].split()[1:]]) for line in lines]
    known = tmp_path / "known_hosts"
    known.write_text("".join(f"{line}\n" for line in swapped if not line.startswith(f"{stranger.address},")))
    pulled = puller.pull([honest, other, stranger], "--known-hosts", known)
    assert pulled.code == SOME and pulled.states() == {honest.name: "pulled", other.name: "failed", stranger.name: "failed"}
    for host in (other, stranger):
        assert "host key" in pulled.of(host)["error"].lower(), pulled.of(host)
        assert host.asked() == []
    assert data_files(lake) == union(honest)


def it_knows_users_ports_and_addresses_of_both_kinds(fleet, puller, lake):
    a, b, c = fleet.all[3:6]
    lines = [
        "# the second floor",
        "",
        f"evscribe-pull@{a.address}:22 named-a   # by the window",
        f"[{fleet.network.address6(b.number)}] named-b",
        f"evscribe-pull@[{fleet.network.address6(c.number)}]:22",
    ]
    pulled = puller.pull(lines)
    assert pulled.code == COMPLETE, pulled.err
    assert [said["host"] for said in pulled.report["hosts"]] == [a.pseudonym, b.pseudonym, c.pseudonym]
    assert {"named-a", "named-b"} < set(pulled.states())
    assert data_files(lake) == union(a, b, c)


def it_waits_for_nobody_who_pulls_into_the_same_lake(fleet, puller, lake):
    slow, other = fleet.all[1], fleet.all[3]
    slow.is_touched = True
    slow.link.delay_s = 0.2
    before = slow.connections()
    first = puller.start([slow])
    # Who calls a host holds the lake, and has read its list. Not asked by flock(1), which
    # would hold it for a moment itself.
    deadline = time.monotonic() + 60
    while slow.connections() == before:
        assert first.poll() is None and time.monotonic() < deadline, "it calls nobody"
        time.sleep(0.02)
    second = puller.pull([other])
    assert second.code == LATER, second
    assert "being changed" in second.err
    assert other.asked() == []
    slow.link.mend()
    assert puller.finish(first).code == COMPLETE
    assert data_files(lake) == union(slow)


@pytest.mark.parametrize("wrong", ["no list", "empty list", "nonsense in it", "no key", "a file as a lake", "no such store"])
def it_does_nothing_where_it_was_told_nonsense(fleet, puller, lake, tmp_path, wrong):
    hosts, more = fleet.all[3:5], []
    if wrong == "a file as a lake":
        puller.into = str(tmp_path / "file")
        (tmp_path / "file").write_text("kept")
    elif wrong == "no such store":
        puller.into = "gopher://lake"
    elif wrong == "no key":
        more = ["--decrypt", "--key", str(tmp_path / "absent")]
    elif wrong == "nonsense in it":
        hosts = [*hosts, "-oProxyCommand=touch${IFS}/tmp/x"]
    elif wrong == "empty list":
        hosts = ["# nobody"]
    command = puller.command(hosts, *more)
    if wrong == "no list":
        puller.list.unlink()
    process = puller.start(hosts, *more) if wrong != "no list" else start_as_is(puller, command)
    pulled = puller.finish(process)
    assert pulled.code == NOTHING, pulled
    assert pulled.err.strip()
    assert all(host.asked() == [] for host in fleet.all[3:5])
    if wrong == "a file as a lake":
        assert (tmp_path / "file").read_text() == "kept"


def start_as_is(puller, command):
    """Without writing the list of hosts anew."""
    return subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
