"""A fleet on one machine: real sshd in network namespaces, each with what a workstation
has on offer.

The outboxes are what `evscribe import` sealed, laid out as docs/FORMAT.md says; the
forced command is served.sh. Everything else is Debian's: sshd, rrsync, rsync.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from link import Link
from network import Network
from recordings import imported, keypair, recording

HERE = Path(__file__).resolve().parent
SSHD = "/usr/sbin/sshd"
USER, UID = "evscribe-pull", 64_201
# Hosts are numbered from here on the bridge: 1 is the lake.
FIRST = 2

SSHD_CONFIG = """
Port 22
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
AllowUsers evscribe-pull
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
LogLevel VERBOSE
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def json_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass
class Workstation:
    """One of the fleet. `sealed`: its manifest's lines, by path."""

    number: int
    name: str
    address: str
    pseudonym: str
    folder: Path
    sealed: dict[str, dict]
    network: Network
    authorized: str
    link: Link | None = None
    # What a test changed; put right again after it.
    is_touched: bool = field(default=False)
    sealed_extra: list[str] = field(default_factory=list)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def line(self) -> str:
        """Its line in the list of hosts."""
        return f"{self.address} {self.name}"

    # --- what it has on offer

    def offer(self, paths=None, host: str | None = "", changed=None, schema_version=1, first=b"", last=b"") -> None:
        """Lays out the outbox with these files (all, if none are named). `changed`
        makes a line of the manifest another one; `first` and `last` are bytes around
        the lines; `host` None leaves the pseudonym out."""
        self.is_touched = True
        shutil.rmtree(self.outbox, ignore_errors=True)
        self.outbox.mkdir()
        lines = [line for path, line in sorted(self.sealed.items()) if paths is None or path in paths]
        for line in lines:
            place = self.outbox / line["path"]
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.folder / "sealed" / line["path"], place)
        created = {"op": "created", "schema_version": schema_version, "at": "2026-11-30T00:00:00Z", "part": True}
        if host is not None:
            created["host"] = host or self.pseudonym
        said = [created, *(changed(dict(line)) if changed else line for line in lines)]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in said)
        self.write("manifest.jsonl", first + text.encode() + last)

    def write(self, path: str, content: bytes) -> None:
        """A file of the outbox, replaced as the service does: renamed over."""
        self.is_touched = True
        place = self.outbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = place.with_name(f".tmp-{place.name}")
        hidden.write_bytes(content)
        hidden.rename(place)

    def seal(self, name: str, size: int) -> str:
        """One more file, as long as that: bytes that nobody has a key for, between the
        marks of an encrypted file. Whoever pulls without a key sees no difference."""
        path = f"{os.path.dirname(self.longest())}/{name}.parquet"
        content = b"PARE" + os.urandom(size - 8) + b"PARE"
        place = self.folder / "sealed" / path
        place.write_bytes(content)
        os.chown(place, -1, UID)
        place.chmod(0o640)
        line = self.sealed[self.longest()]
        self.sealed[path] = line | {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": size}
        self.sealed_extra.append(path)
        self.offer()
        return path

    def entomb(self, path: str, new: bytes | None) -> str | None:
        """Its person had something of that file forgotten: it is written anew, or gone."""
        self.is_touched = True
        line = self.sealed[path]
        checksum = hashlib.sha256(new).hexdigest() if new is not None else None
        stone = {"file": path, "subject": line["subject"], "host": self.pseudonym, "from_us": line["first_us"]}
        stone |= {"until_us": line["last_us"] + 1, "at": "2026-11-30T01:00:00Z", "sha256": checksum}
        before = (self.outbox / "tombstones.jsonl").read_bytes() if (self.outbox / "tombstones.jsonl").exists() else b""
        rest = {other for other in self.offered() if other != path}

        def renewed(said: dict) -> dict:
            return said | {"sha256": checksum, "bytes": len(new)} if said["path"] == path else said

        self.offer(rest | {path} if new is not None else rest, changed=renewed)
        if new is not None:
            self.write(path, new)
        self.write("tombstones.jsonl", before + json.dumps(stone).encode() + b"\n")
        return checksum

    def offered(self) -> dict[str, str]:
        """What its manifest lists: SHA-256 by path."""
        lines = json_lines(self.outbox / "manifest.jsonl")
        return {line["path"]: line["sha256"] for line in lines if line["op"] == "sealed"}

    def longest(self) -> str:
        return max(self.sealed, key=lambda path: self.sealed[path]["bytes"])

    # --- what it was asked

    def asked(self) -> list[str]:
        """The commands that sshd ran, one for each connection that got in."""
        return (self.folder / "asked").read_text().splitlines()

    def acknowledged(self) -> list[str]:
        return (self.folder / "acknowledged").read_text().splitlines()

    def connections(self) -> int:
        """How many connections sshd saw, whatever became of them."""
        return sum("Connection from" in line for line in (self.folder / "log").read_text().splitlines())

    def forget_what_was_asked(self) -> None:
        for name in ("asked", "acknowledged"):
            (self.folder / name).write_text("")
            os.chown(self.folder / name, UID, UID)

    def does_instead(self, script: str) -> None:
        """From now on it answers by that script of sh."""
        self.is_touched = True
        (self.folder / "instead").write_text(script)

    # --- sshd

    def start(self) -> subprocess.Popen:
        (self.folder / "sshd.pid").unlink(missing_ok=True)
        within = ["ip", "netns", "exec", self.network.namespace(self.number)]
        command = [*within, SSHD, "-f", self.folder / "sshd_config", "-E", self.folder / "log"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def serves(self, started: subprocess.Popen) -> None:
        """Waits for it: sshd goes into the background before it listens, and writes its
        number after."""
        if started.wait() != 0:
            raise RuntimeError(f"sshd does not start: {started.args}")
        number, until = self.folder / "sshd.pid", time.monotonic() + 60
        while not (number.exists() and number.read_text().endswith("\n")):
            if time.monotonic() > until:
                raise RuntimeError(f"sshd does not listen: see {self.folder}/log")
            time.sleep(0.02)

    def serve(self) -> None:
        """Starts it, and waits until it listens."""
        self.serves(self.start())

    def lets_in(self, whoever_has_the_key: bool) -> None:
        self.is_touched = True
        (self.folder / "authorized_keys").write_text(self.authorized if whoever_has_the_key else "")

    def stop(self) -> None:
        self.is_touched = True
        self.network.end(self.number)

    def sessions(self) -> list[int]:
        """Processes that serve somebody now: all but the one that listens."""
        listening = int((self.folder / "sshd.pid").read_text())
        return [pid for pid in self.network.processes(self.number) if pid != listening]

    def put_right(self) -> None:
        """As it was before the test."""
        self.forget_what_was_asked()
        if not self.is_touched:
            return
        self.network.shape(self.number, None)
        if self.link:
            self.link.mend()
        (self.folder / "instead").unlink(missing_ok=True)
        self.lets_in(True)
        while self.sealed_extra:
            path = self.sealed_extra.pop()
            (self.folder / "sealed" / path).unlink()
            self.sealed.pop(path)
        self.offer()
        if not self.network.processes(self.number):
            self.serve()
        self.is_touched = False


class Fleet:
    """So many workstations. `longer`: of some, by their place, reports a day of wide
    motion, for files that take a while; `linked`: those are reached over a Link."""

    def __init__(self, count: int, longer: dict[int, int], linked: tuple[int, ...] = (), plain_every: int = 5):
        self.network = Network()
        self.folder = self.network.folder
        self._make_keys()
        numbers = {place: FIRST + place for place in range(count)}
        recordings = self._record(count, longer)
        links = self.network.add(list(numbers.values()), tuple(numbers[place] for place in linked))
        lines: dict[str, list[dict]] = {}
        datasets = {}
        for is_plain in (False, True):
            own = [path for place, path in enumerate(recordings) if (place % plain_every == plain_every - 1) == is_plain]
            if own:
                dataset = imported(self.folder / f"imported-{is_plain}", own, None if is_plain else self.team.with_suffix(".pub"))
                for line in json_lines(dataset / "manifest.jsonl")[1:]:
                    lines.setdefault(line["host"], []).append(line)
                    datasets[line["host"]] = dataset
        self.all: list[Workstation] = []
        for place, path in enumerate(recordings):
            pseudonym = f"recording-{sha256(path)[:12]}"
            link = links.get(numbers[place])
            self.all.append(self._workstation(place, numbers[place], pseudonym, datasets[pseudonym], lines[pseudonym], link))
        for each, started in [(each, each.start()) for each in self.all]:
            each.serves(started)
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text("".join(self._known(each) for each in self.all))

    def _make_keys(self) -> None:
        self.team = keypair(self.folder / "team")
        self.identity = self.folder / "identity"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.identity], check=True)
        # The user who may pull, for the namespaces alone: this machine may have none.
        user = f"{USER}:*:{UID}:{UID}::/:/bin/sh\n"
        (self.network.etc / "passwd").write_text(Path("/etc/passwd").read_text() + user)
        (self.network.etc / "group").write_text(Path("/etc/group").read_text() + f"{USER}:x:{UID}:\n")
        Path("/run/sshd").mkdir(exist_ok=True)

    def _record(self, count: int, longer: dict[int, int]) -> list[Path]:
        (self.folder / "recordings").mkdir()
        paths = []
        for place in range(count):
            path = self.folder / "recordings" / f"{place}.evemu"
            days = list(range(place % 3, place % 3 + 1 + place % 3))
            reports, reach = (longer[place], 1 << 20) if place in longer else (100 + place, 80)
            path.write_text(recording(place, days[:1] if place in longer else days, reports, reach))
            paths.append(path)
        return paths

    def _workstation(self, place, number, pseudonym, dataset, lines, link) -> Workstation:
        folder = self.folder / "hosts" / str(place)
        sealed = folder / "sealed"
        for line in lines:
            (sealed / line["path"]).parent.mkdir(parents=True, exist_ok=True)
            (dataset / line["path"]).rename(sealed / line["path"])
            os.chown(sealed / line["path"], -1, UID)
            (sealed / line["path"]).chmod(0o640)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
        key = self.identity.with_suffix(".pub").read_text()
        served = self.folder / "served.sh"
        shutil.copy(HERE / "served.sh", served)
        authorized = f'command="sh {served} {folder}",restrict {key}'
        (folder / "sshd_config").write_text(SSHD_CONFIG.format(folder=folder))
        (folder / "log").touch()
        by_path = {line["path"]: line for line in lines}
        made = Workstation(number, f"h{place:02}", self.network.address(number), pseudonym, folder, by_path, self.network, authorized, link)
        made.lets_in(True)
        made.offer()
        made.forget_what_was_asked()
        made.is_touched = False
        return made

    @staticmethod
    def _known(each: Workstation) -> str:
        key = (each.folder / "host_key.pub").read_text()
        return f"{each.address},{each.network.address6(each.number)} {key}"

    def put_right(self) -> None:
        for each in self.all:
            each.put_right()

    def close(self) -> None:
        self.network.close()
