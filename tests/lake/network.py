"""Network namespaces on one bridge: many machines in one.

Addresses are of 198.18.0.0/15, which RFC 2544 sets aside for such: nothing outside
this machine is ever asked. Runs side by side take another number each, held by a lock
that the kernel lets go with its process; what a run left behind that was killed is
cleaned up by the next that takes its number.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from ipaddress import IPv6Address
from pathlib import Path

from link import Link

NUMBERS = 32
END_S = 30
HELD = Path("/run/evscribe-lake-tests")
# On a disk, since /run may be small; writable by root alone, readable by all.
FILES = Path("/var/lib/evscribe-lake-tests")


def ip(*lines: str, namespace: str | None = None) -> None:
    """Runs lines of `ip -batch`; all must succeed."""
    command = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"this machine makes no network namespaces (root is needed): {done.stderr}\n{lines}")


class Network:
    """The bridge; `folder` is what those on it may have on disk, readable by all."""

    def __init__(self) -> None:
        HELD.mkdir(exist_ok=True)
        for number in range(NUMBERS):
            lock = os.open(HELD / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self.number, self.lock = number, lock
            break
        else:
            raise RuntimeError(f"{NUMBERS} runs of these tests are under way")
        self.name = f"evs{self.number}"
        self.folder = FILES / str(self.number)
        self.links: list[Link] = []
        self.clean()
        self.folder.mkdir(parents=True)
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        ip(
            f"link add {self.name} type bridge",
            f"addr add {self.address(1)}/24 dev {self.name}",
            f"addr add {self.address6(1)}/64 dev {self.name} nodad",
            f"link set {self.name} up",
        )

    def address(self, host: int) -> str:
        return f"198.18.{self.number}.{host}"

    def address6(self, host: int) -> str:
        # As ssh writes it, who looks it up so among the known hosts.
        return str(IPv6Address(f"fd13:5:{self.number:x}::{host:x}"))

    def namespace(self, host: int) -> str:
        return f"{self.name}-{host}"

    def add(self, hosts: list[int], linked: tuple[int, ...] = ()) -> dict[int, Link]:
        """Puts these on the bridge; `linked` are reached over a [`Link`] each."""
        names = {host: self.namespace(host) for host in hosts}
        for name in names.values():
            # Files that `ip netns exec` puts over those of /etc.
            place = Path("/etc/netns") / name
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(self.etc)
        ip(*(f"netns add {name}" for name in names.values()))
        made = {}
        for host in linked:
            made[host] = Link(names[host], f"{names[host]}f")
            ip(f"link set {names[host]}f netns {names[host]} name eth0")
        veths = [name for host, name in names.items() if host not in linked]
        ip(*(f"link add {name} type veth peer name eth0 netns {name}" for name in veths))
        ip(*(f"link set {name} master {self.name} up" for name in names.values()))
        for host, name in names.items():
            ip(
                "link set lo up",
                "link set eth0 up",
                f"addr add {self.address(host)}/24 dev eth0",
                f"addr add {self.address6(host)}/64 dev eth0 nodad",
                namespace=name,
            )
        self.links += made.values()
        return made

    def uplink(self) -> Link:
        """Moves the lake itself behind a [`Link`], so that everybody is as far."""
        near, far = f"{self.name}n", f"{self.name}f"
        link = Link(near, far)
        ip(
            f"link set {far} master {self.name} up",
            f"addr flush dev {self.name}",
            f"addr add {self.address(1)}/24 dev {near}",
            f"addr add {self.address6(1)}/64 dev {near} nodad",
            f"link set {near} up",
        )
        self.links.append(link)
        return link

    def shape(self, host: int, shape: str | None) -> None:
        """How that host sends, in the words of `tc`; without: as fast as it can."""
        within = ["ip", "netns", "exec", self.namespace(host), "tc", "qdisc"]
        if shape:
            subprocess.run([*within, "replace", "dev", "eth0", "root", *shape.split()], check=True)
        else:
            subprocess.run([*within, "del", "dev", "eth0", "root"], check=False, stderr=subprocess.DEVNULL)

    def processes(self, host: int) -> list[int]:
        """Every process in that namespace."""
        own = os.stat(Path("/run/netns") / self.namespace(host))
        found = []
        for place in Path("/proc").glob("[0-9]*/ns/net"):
            try:
                its = os.stat(place)
            except OSError:
                continue
            if (its.st_dev, its.st_ino) == (own.st_dev, own.st_ino):
                found.append(int(place.parts[2]))
        return found

    def end(self, host: int) -> None:
        """Ends every process in that namespace, and returns once none is there."""
        until = time.monotonic() + END_S
        while left := self.processes(host):
            if time.monotonic() > until:
                raise RuntimeError(f"in {self.namespace(host)} processes do not end: {left}")
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)

    def clean(self) -> None:
        """Takes away what is of this number: namespaces with their processes, files."""
        while self.links:
            self.links.pop().close()
        names = [path.name for path in Path("/run/netns").glob(f"{self.name}-*")]
        for name in names:
            self.end(int(name.rpartition("-")[2]))
        # A namespace goes later than `ip` says, its half of a link with it: both halves now.
        devices = [path.name for path in Path("/sys/class/net").glob(f"{self.name}-*")]
        if devices:
            ip(*(f"link del {device}" for device in devices))
        if names:
            ip(*(f"netns del {name}" for name in names))
        for place in Path("/etc/netns").glob(f"{self.name}-*"):
            place.unlink()
        if Path("/sys/class/net", self.name).exists():
            ip(f"link del {self.name}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        # FILES itself stays: another run may be about to make its folder in it.
        self.clean()
        os.close(self.lock)
