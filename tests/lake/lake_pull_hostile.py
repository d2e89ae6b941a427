"""Workstations that lie, hang, send without end or are not what they seem, all in one
pull with honest ones: each has its own line with its reason, nothing outside the lake is
touched, and everything honest arrives."""

import hashlib
import json
import os
import re
import subprocess

import pytest

from pulling import COMPLETE, NOTHING, SOME, Puller, data_files, tree, union

SECRET = "kept from everybody who pulls"


def lines_with(host, **other) -> dict:
    """A line of its longest file that says something else."""
    return host.sealed[host.longest()] | other


def manifest(host, *lines: dict, **how) -> None:
    """Offers what it has, and these lines behind."""
    host.offer(last=b"".join(json.dumps(line).encode() + b"\n" for line in lines), **how)


def says_of_longest(host, **other) -> None:
    longest = host.longest()
    host.offer(changed=lambda line: line | other if line["path"] == longest else line)


def longest_is(host, size: int) -> None:
    """Its longest file is that long by now, and takes no room."""
    place = host.outbox / host.longest()
    host.offer()
    place.unlink()
    place.touch()
    os.truncate(place, size)


def stranger_path(host, name: str) -> str:
    return f"{os.path.dirname(host.longest())}/{name}"


DRIP = """/usr/bin/rrsync -ro "$here/outbox" | /usr/bin/python3 -c 'import os, time
while byte := os.read(0, 1):
    os.write(1, byte)
    time.sleep(1)'
exit
"""


def linked(host, target) -> None:
    host.offer()
    (host.outbox / host.longest()).unlink()
    (host.outbox / host.longest()).symlink_to(target)


def emptied(host) -> None:
    host.offer([])
    (host.outbox / "manifest.jsonl").unlink()


# A version, a schema, a number of rows; and a list of 2^31 - 1 row groups.
ENDLESS = bytes([0x15, 4, 0x19, 0x1C, 0x48, 1, ord("r"), 0, 0x16, 2, 0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0])


def footer_of(host, thrift: bytes) -> None:
    """Its longest file is a Parquet file that is nothing but this footer."""
    content = b"PAR1" + thrift + len(thrift).to_bytes(4, "little") + b"PAR1"
    says_of_longest(host, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    host.write(host.longest(), content)


def tombstone(host, file: str) -> None:
    stone = {"file": file, "subject": host.pseudonym, "host": host.pseudonym, "from_us": 0, "until_us": 1, "at": "2026-11-30T01:00:00Z", "sha256": None}
    host.write("tombstones.jsonl", json.dumps(stone).encode() + b"\n")


# What each does, with the honest host `victim` beside it, and what its line must say.
# "partial": all but that file arrives; "failed": nothing of it is taken on trust.
LIES = {
    "checksum": (lambda h, v: says_of_longest(h, sha256="0" * 64), "partial", r"SHA-256 is .* the manifest says 000"),
    "larger": (lambda h, v: says_of_longest(h, bytes=lines_with(h)["bytes"] + 1), "partial", r"shorter than the \d+ bytes"),
    "smaller": (lambda h, v: says_of_longest(h, bytes=lines_with(h)["bytes"] - 1), "partial", r"longer than the \d+ bytes"),
    "rows": (lambda h, v: says_of_longest(h, rows=lines_with(h)["rows"] + 1), "partial", r"rows"),
    "endless footer": (lambda h, v: footer_of(h, ENDLESS), "partial", r"footer"),
    "another host's path": (lambda h, v: manifest(h, v.sealed[v.longest()]), "any", r"host|place|path"),
    "dots": (lambda h, v: manifest(h, lines_with(h, path="../../../beside")), "any", r"path|place"),
    "dots within": (lambda h, v: manifest(h, lines_with(h, path="events/../../beside")), "any", r"path|place"),
    "absolute": (lambda h, v: manifest(h, lines_with(h, path="/etc/passwd")), "any", r"path|place"),
    "space": (lambda h, v: manifest(h, lines_with(h, path=stranger_path(h, "a b.parquet"))), "any", r"path|place"),
    "newline": (lambda h, v: manifest(h, lines_with(h, path=stranger_path(h, "a\nb.parquet"))), "any", r"path|place"),
    "null byte": (lambda h, v: manifest(h, lines_with(h, path=stranger_path(h, "a\0b.parquet"))), "any", r"path|place"),
    "dash": (lambda h, v: manifest(h, lines_with(h, path="--rsh=touch planted")), "any", r"path|place"),
    "ours": (lambda h, v: manifest(h, lines_with(h, path="_evscribe/erased.json")), "any", r"path|place"),
    "link": (lambda h, v: linked(h, "/etc/passwd"), "partial", r"not there or no files"),
    "link upwards": (lambda h, v: linked(h, "../" * 8 + "etc/passwd"), "partial", r"not there or no files"),
    "twice": (lambda h, v: manifest(h, lines_with(h, sha256="1" * 64)), "any", r"."),
    "no host": (lambda h, v: h.offer(host=None), "failed", r"host|older|pseudonym"),
    "odd host": (lambda h, v: h.offer(host="../../beside"), "failed", r"host|pseudonym"),
    "newer": (lambda h, v: h.offer(schema_version=2), "failed", r"version|newer"),
    "torn": (lambda h, v: h.offer(last=b'{"op":"sealed","path":"ev'), "any", r"."),
    "no manifest": (lambda h, v: emptied(h), "failed", r"manifest"),
    "garbage": (lambda h, v: h.write("manifest.jsonl", os.urandom(4096)), "failed", r"manifest|line"),
    "ten million lines": (lambda h, v: h.offer(last=b"{}\n" * 10_000_000), "failed", r"has more than 200000 lines"),
    "endless manifest": (lambda h, v: os.truncate(h.outbox / "manifest.jsonl", 1 << 40), "failed", r"is longer than 128 MiB"),
    "endless file": (lambda h, v: longest_is(h, 1 << 40), "partial", r"longer than the \d+ bytes"),
    "tombstone of another": (lambda h, v: tombstone(h, v.longest()), "any", r"tombstone|host"),
    "tombstone above": (lambda h, v: tombstone(h, "../../beside"), "any", r"tombstone|path|place"),
    "garbage of tombstones": (lambda h, v: h.write("tombstones.jsonl", b"{]\n" * 9), "any", r"tombstone"),
    "endless stream": (lambda h, v: h.does_instead("exec cat /dev/zero"), "failed", r"."),
    "endless talk": (lambda h, v: h.does_instead("yes 'evil \x1b[31m' >&2"), "failed", r"."),
    "silent": (lambda h, v: h.does_instead("exec sleep 600"), "failed", r"time|silent|answer|timeout"),
    # Never silent, never done: what is due of it is due to nobody else.
    "drip": (lambda h, v: h.does_instead(DRIP), "failed", r"took longer than"),
    "no rsync": (lambda h, v: h.does_instead("exec no-such-program"), "failed", r"."),
    "not now": (lambda h, v: h.does_instead("echo 'evscribe: pulls are paused by the policy' >&2; exit 75"), "failed", r"pulls are paused by the policy"),
    "no entry": (lambda h, v: h.lets_in(False), "failed", r"does not let this key in"),
}
NONSENSE = [b"-oProxyCommand=touch planted", b"user@", b"[::1", b"host:99999", b"host;touch planted", b"one two three", b"\xff\xfe", b"ab\x00cd", b"a" * 5_000]
PLAIN = {"rows"}
# Long enough for who is honest on a machine that is busy.
TIMEOUT_S, HOST_TIMEOUT_S = 20, 75


@pytest.fixture(scope="module")
def told(fifty, tmp_path_factory):
    """The one pull, and what was around it before and after."""
    folder = tmp_path_factory.mktemp("hostile")
    lake = folder / "around" / "lake"
    lake.parent.mkdir()
    (lake.parent / "beside").write_text(SECRET)
    rest = fifty.all[3:]
    is_plain = lambda host: (host.folder / "sealed" / host.longest()).read_bytes()[-4:] == b"PAR1"  # noqa: E731
    liars = {}
    for name in LIES:
        liars[name] = next(host for host in rest if host not in liars.values() and is_plain(host) == (name in PLAIN))
    honest = [host for host in rest if host not in liars.values()]
    victim, twin, repeated = honest[:3]
    slow = fifty.all[1]
    for name, (does, *_) in LIES.items():
        liars[name].is_touched = True
        does(liars[name], victim)
    # One that was cloned with all it knew: its twin's files under its twin's name.
    clone = fifty.all[0]
    clone.offer([], host=twin.pseudonym)
    slow.is_touched = True
    fifty.network.shape(slow.number, "tbf rate 20kbit burst 4kb latency 400ms")
    absent, refused = fifty.network.address(250), f"{victim.address}:2222"
    listed = [host.line for host in (*liars.values(), *honest, clone, slow)]
    listed += [f"{absent} absent", f"{refused} refused", repeated.line]
    puller = Puller(fifty, str(lake), folder)
    command = puller.command(listed, "--skip-bad", "--jobs", "16", "--timeout", TIMEOUT_S, "--host-timeout", HOST_TIMEOUT_S)
    with puller.list.open("ab") as more:
        more.write(b"".join(line + b"\n" for line in NONSENSE))
    before = tree(folder, without=lake)
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, start_new_session=True)
    pulled = puller.finish(process, 400)
    yield {
        "pulled": pulled,
        "lake": lake,
        "files": data_files(lake),
        "liars": liars,
        "honest": honest,
        "clone": (clone, twin),
        "slow": slow,
        "repeated": repeated,
        "before": before,
        "after": tree(folder, without=lake),
        "command": command,
    }
    fifty.put_right()


def why(said: dict) -> str:
    return " ".join([str(said["error"] or ""), *said["notes"], *(f"{each['path']}: {each['why']}" for each in said["quarantined"])])


@pytest.mark.parametrize("lie", LIES)
def it_has_a_line_with_a_reason_for(told, lie):
    _, state, reason = LIES[lie]
    host = told["liars"][lie]
    said = told["pulled"].of(host)
    assert why(said).strip(), f"{lie}: nothing is said: {said}"
    assert re.search(reason, why(said)), f"{lie}: {said}"
    assert state == "any" or said["state"] == state, f"{lie}: {said}"
    assert said["state"] != "unchanged"
    # What arrived of it is what it sealed, nothing else.
    own = {path: line["sha256"] for path, line in host.sealed.items()}
    arrived = {path: checksum for path, checksum in told["files"].items() if f"host={host.pseudonym}/" in path}
    assert arrived.items() <= own.items()
    if state == "partial":
        assert set(own) - set(arrived) == {host.longest()}, f"{lie}: the rest of it arrives"
    if state == "failed":
        assert not arrived
    if state in ("partial", "failed"):
        assert said["acknowledged"] is False and not host.acknowledged(), lie


def it_says_nothing_that_a_terminal_would_obey(told):
    text = json.dumps(told["pulled"].report, ensure_ascii=False) + told["pulled"].err
    assert not [letter for letter in text if ord(letter) < 32 and letter != "\n"]
    assert all(len(why(said)) < 2_000 for said in told["pulled"].report["hosts"])


def it_brings_in_everything_honest(told):
    for host in told["honest"]:
        # Twins are two for one: see below.
        if host is told["clone"][1]:
            continue
        if host is told["repeated"]:
            continue
        said = told["pulled"].of(host)
        assert said["state"] == "pulled", said
        assert union(host).items() <= told["files"].items()
    assert told["pulled"].code == SOME


def it_brings_in_nothing_else(told):
    everybody = [*told["liars"].values(), *told["honest"], told["slow"]]
    sealed = {path: line["sha256"] for host in everybody for path, line in host.sealed.items()}
    assert told["files"].items() <= sealed.items()


def it_touches_nothing_outside_of_the_lake(told):
    assert told["before"] == told["after"]
    assert not [path for path in tree(told["lake"]) if "planted" in path or "beside" in path]
    assert not [path for path, about in tree(told["lake"]).items() if about[3]], "no links"


def it_quarantines_no_more_than_was_asked_for(told):
    """What an endless file had sent by then is no more than its manifest said."""
    total = sum(path.stat().st_size for path in told["lake"].rglob("*") if path.is_file())
    sealed = sum(line["bytes"] for host in [*told["liars"].values(), *told["honest"]] for line in host.sealed.values())
    assert total < sealed * 3 + (200 << 20), f"{total} bytes on disk"


def it_tells_two_hosts_with_one_pseudonym_from_each_other(told):
    clone, twin = told["clone"]
    said = [told["pulled"].of(clone), told["pulled"].of(twin)]
    assert any(each["error"] for each in said), said
    assert any(re.search(r"the same pseudonym", str(each["error"])) for each in said if each["error"]), said
    arrived = {path for path in told["files"] if f"host={twin.pseudonym}/" in path}
    assert arrived in (set(twin.sealed), set()), "all of one of them, or nothing"


@pytest.mark.parametrize(("name", "reason"), [("absent", r"[Nn]o route|unreachable|timed out|time"), ("refused", r"refused")])
def it_says_why_a_host_cannot_be_reached(told, name, reason):
    said = told["pulled"].of(name)
    assert said["state"] == "failed" and re.search(reason, said["error"]), said


def it_gives_a_slow_host_no_more_time_than_was_said(told):
    said = told["pulled"].of(told["slow"])
    assert said["state"] in ("failed", "partial") and re.search(r"time|second|slow", why(said)), said
    assert said["seconds"] < HOST_TIMEOUT_S + 10


def it_pulls_a_line_that_stands_there_twice_once(told):
    repeated = told["repeated"]
    said = [each for each in told["pulled"].report["hosts"] if each["name"] == repeated.name]
    assert [each["state"] for each in said] == ["pulled", "failed"]
    assert "already" in said[1]["error"], said
    assert len(repeated.acknowledged()) == 1


def it_names_every_line_that_is_none(told):
    skipped = {line["line"]: line["why"] for line in told["pulled"].report["skipped_lines"]}
    first = len(LIES) + len(told["honest"]) + 2 + 3 + 1
    for number in range(first, first + len(NONSENSE)):
        assert skipped.get(number), f"line {number}, {NONSENSE[number - first][:40]}: {skipped}"


def it_does_nothing_with_a_list_that_has_nonsense_in_it_unless_told_so(told):
    command = [part for part in told["command"] if part != "--skip-bad"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == NOTHING
    first = len(LIES) + len(told["honest"]) + 2 + 3 + 1
    for number in range(first, first + len(NONSENSE)):
        assert re.search(rf"\b{number}\b", done.stderr), f"line {number} is not told: {done.stderr}"


@pytest.mark.parametrize("lie", [lie for lie, (_, state, _) in LIES.items() if state == "any"])
def it_takes_nothing_of_an_offer_with_a_bad_line_unless_told_so(fifty, refusing, lie):
    told, pulled = refusing
    said = pulled.of(told["liars"][lie])
    assert pulled.code == SOME and said["state"] == "failed" and said["error"], said
    assert "line" in said["error"], said


@pytest.fixture(scope="module")
def refusing(told, fifty, tmp_path_factory):
    """Those whose lists have a bad line, pulled without --skip-bad."""
    folder = tmp_path_factory.mktemp("refusing")
    puller = Puller(fifty, str(folder / "lake"), folder)
    pulled = puller.pull([told["liars"][lie] for lie, (_, state, _) in LIES.items() if state == "any"])
    assert data_files(folder / "lake") == {}
    return told, pulled


def it_takes_all_of_them_in_once_they_are_honest(told, fifty):
    """Last, for it puts the fleet right: whatever they did, nothing of it sticks."""
    fifty.put_right()
    puller = Puller(fifty, str(told["lake"]), told["lake"].parent.parent)
    # The slow one, too: some of it may have come in time.
    everybody = [told["slow"], *fifty.all[3:]]
    pulled = puller.pull(everybody)
    assert pulled.code == COMPLETE, [said for said in pulled.report["hosts"] if said["error"] or said["quarantined"]]
    assert data_files(told["lake"]) == union(*everybody)
