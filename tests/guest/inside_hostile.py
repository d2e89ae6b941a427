"""Run in the guest: everything that a client of the service should not do.

    inside_hostile.py PATH_OF_ANNS_FILE >hostile.json
"""

import json
import os
import resource
import select
import sys
import time

from inside_bus import ERROR, Bus

NAME = "org.evscribe.Collector1"
PATH = "/org/evscribe/Collector1"
PROPERTIES = "org.freedesktop.DBus.Properties"
ANN, BOB = 1000, 1001
# Who calls a thousand times at once; the bus lets a user have 256 connections.
CROWD = [1, 2, 3, 4, 65534]
MEBIBYTE = "a" * (1 << 20)


def answer(bus: Bus, member: str, signature: str = "", values=(), interface: str = NAME, path: str = PATH) -> list:
    message = bus.call(NAME, path, interface, member, signature, values)
    return [message.error if message.kind == ERROR else "answered", message.text()[:200] if message.kind == ERROR else ""]


def wrong(bus: Bus) -> dict:
    """Types, sizes and names that are none."""
    return {
        "no arguments": answer(bus, "Acknowledge"),
        "numbers for words": answer(bus, "Acknowledge", "uuuu", [1, 2, 3, 4]),
        "a word for a number": answer(bus, "Pause", "s", ["soon"]),
        "one argument too many": answer(bus, "Resume", "s", ["now"]),
        "unsigned times": answer(bus, "Forget", "tt", [0, 1 << 63]),
        "an empty span": answer(bus, "Forget", "xx", [5, 5]),
        "a span before all time": answer(bus, "Forget", "xx", [-(1 << 63), (1 << 63) - 1]),
        "a mebibyte of version": answer(bus, "Acknowledge", "ssss", [MEBIBYTE] * 4),
        "a mebibyte of path": answer(bus, "OpenMyFile", "s", [MEBIBYTE]),
        "a level that is none": answer(bus, "SetLevel", "ss", ["everything", "full"]),
        "bytes for a word": answer(bus, "OpenMyFile", "ay", [b"\xff\xfe"]),
        "no such method": answer(bus, "Record"),
        "no such interface": answer(bus, "Me", interface="org.evscribe.Collector9"),
        "no such object": answer(bus, "Me", path="/org/evscribe/Nobody"),
        "a property to set": answer(bus, "Set", "ss", [NAME, "State"], interface=PROPERTIES),
        "no such property": answer(bus, "Get", "ss", [NAME, "Secret"], interface=PROPERTIES),
    }


def of_others(bus: Bus, path: str) -> dict:
    return {
        "ann's file": answer(bus, "OpenMyFile", "s", [path]),
        "a way out": answer(bus, "OpenMyFile", "s", ["../people.toml"]),
        "another's root": answer(bus, "OpenMyFile", "s", ["/etc/shadow"]),
        "erase ann": answer(bus, "EraseOf", "u", [ANN]),
        "hold everybody": answer(bus, "HoldAll", "bs", [1, "bob wants it"]),
    }


def crowd() -> dict:
    """A thousand clients that ask at once."""
    clients = [Bus(uid) for uid in CROWD for _ in range(200)]
    begun = time.monotonic()
    asked = {client: client.send(NAME, PATH, NAME, "Me") for client in clients}
    answered, poll = 0, select.poll()
    by_fd = {}
    for client in clients:
        by_fd[client.socket.fileno()] = client
        poll.register(client.socket, select.POLLIN)
    while by_fd and time.monotonic() - begun < 60:
        for fd, _ in poll.poll(1000):
            client = by_fd[fd]
            if any(message.reply_to == asked[client] for message in client.receive()):
                answered += 1
                poll.unregister(fd)
                del by_fd[fd]
    seconds = time.monotonic() - begun
    for client in clients:
        client.close()
    return {"clients": len(clients), "answered": answered, "seconds": seconds}


def never_reads() -> dict:
    """Asks for all there is until nobody takes it any more, and reads nothing."""
    bus = Bus(BOB)
    bus.socket.setblocking(False)
    asked, until = 0, time.monotonic() + 8
    while time.monotonic() < until and asked < 20_000:
        try:
            bus.send(NAME, PATH, NAME, "Notice")
            asked += 1
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            break
    other = Bus(ANN)
    begun = time.monotonic()
    told = answer(other, "Me")
    seconds = time.monotonic() - begun
    bus.close()
    return {"asked": asked, "another": told[0], "seconds": seconds}


def without_end() -> dict:
    """Changes upon changes of one person."""
    bus = Bus(CROWD[0])
    answers = [answer(bus, "Pause", "t", [1])[0] for _ in range(100)]
    return {kind: answers.count(kind) for kind in set(answers)}


def main(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    out = {"wrong": wrong(Bus(BOB)), "of_others": of_others(Bus(BOB), path)}
    out["never_reads"] = never_reads()
    out["crowd"] = crowd()
    out["without_end"] = without_end()
    os.seteuid(0)
    json.dump(out, sys.stdout)


main(sys.argv[1])
