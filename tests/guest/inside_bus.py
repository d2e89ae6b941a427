"""The system bus by hand, for the guest: what no well-behaved client would send.

Only what the scenarios need of the D-Bus specification: EXTERNAL authentication,
little endian, arguments of types s, b, u, t, x, y and ay.
"""

import os
import socket
import struct

ADDRESS = "/run/dbus/system_bus_socket"
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4


class Message:
    """One message: its header's fields and its body, unread."""

    def __init__(self, kind: int, fields: dict, body: bytes):
        self.kind, self.body = kind, body
        self.member, self.error, self.reply_to = fields.get(3), fields.get(4), fields.get(5)

    def text(self) -> str:
        """The body's first string: of an error, its message."""
        if len(self.body) < 4:
            return ""
        (length,) = struct.unpack_from("<I", self.body)
        return self.body[4 : 4 + length].decode(errors="replace")


def pad(data: bytes, to: int) -> bytes:
    return data + b"\0" * (-len(data) % to)


def marshal(data: bytes, kind: str, value) -> bytes:
    """Appends a value of that type."""
    if kind == "s" or kind == "o":
        raw = value if isinstance(value, bytes) else value.encode()
        return pad(data, 4) + struct.pack("<I", len(raw)) + raw + b"\0"
    if kind == "g":
        return data + bytes([len(value)]) + value.encode() + b"\0"
    if kind == "ay":
        return pad(data, 4) + struct.pack("<I", len(value)) + value
    form, size = {"b": ("<I", 4), "u": ("<I", 4), "t": ("<Q", 8), "x": ("<q", 8), "y": ("<B", 1)}[kind]
    return pad(data, size) + struct.pack(form, value)


def types(signature: str) -> list[str]:
    """The signature's complete types."""
    out, rest = [], signature
    while rest:
        length = 2 if rest[0] == "a" else 1
        out.append(rest[:length])
        rest = rest[length:]
    return out


class Bus:
    """A connection, as `uid` where root makes it."""

    def __init__(self, uid: int = 0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        # The bus goes by the user that connects.
        before = os.geteuid()
        if uid != before:
            os.seteuid(uid)
        try:
            self.socket.connect(ADDRESS)
            identity = str(uid).encode().hex().encode()
            self.socket.sendall(b"\0AUTH EXTERNAL " + identity + b"\r\n")
            if not self.socket.recv(4096).startswith(b"OK"):
                raise OSError("the bus does not take this user")
        finally:
            if uid != before:
                os.seteuid(before)
        self.socket.sendall(b"BEGIN\r\n")
        self.serial, self.buffer = 0, b""
        self.waiting: list[Message] = []
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def send(self, to: str, path: str, interface: str, member: str, signature: str = "", values=()) -> int:
        """Sends a call and does not wait. Returns its serial."""
        self.serial += 1
        body = b""
        for kind, value in zip(types(signature), values):
            body = marshal(body, kind, value)
        fields = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", to)]
        if signature:
            fields.append((8, "g", signature))
        array = b""
        for code, kind, value in fields:
            # A struct begins at a multiple of 8, and so does the array behind 16 bytes.
            array = marshal(pad(array, 8) + bytes([code]) + b"\x01" + kind.encode() + b"\0", kind, value)
        header = struct.pack("<4BIII", ord("l"), CALL, 0, 1, len(body), self.serial, len(array)) + array
        self.socket.sendall(pad(header, 8) + body)
        return self.serial

    def call(self, to: str, path: str, interface: str, member: str, signature: str = "", values=()) -> Message:
        """Calls and waits for the answer, which may be an error."""
        serial = self.send(to, path, interface, member, signature, values)
        while True:
            for message in self.receive():
                if message.reply_to == serial:
                    return message

    def receive(self) -> list[Message]:
        """Waits for bytes and returns the messages that are whole."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the bus ended the connection")
        self.buffer += data
        out = []
        while len(self.buffer) >= 16:
            kind = self.buffer[1]
            body, _, array = struct.unpack_from("<III", self.buffer, 4)
            start = 16 + array + (-array % 8)
            if len(self.buffer) < start + body:
                break
            out.append(Message(kind, fields_of(self.buffer[: 16 + array]), self.buffer[start : start + body]))
            self.buffer = self.buffer[start + body :]
        return out

    def drain(self) -> None:
        """Takes what is there and forgets it."""
        self.socket.setblocking(False)
        try:
            while True:
                self.receive()
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(60)

    def close(self) -> None:
        self.socket.close()


def fields_of(header: bytes) -> dict:
    """The header's fields by their codes: strings and numbers."""
    fields, at = {}, 16
    while at < len(header):
        at += -at % 8
        code, kind = header[at], chr(header[at + 2])
        at += 4
        if kind == "g":
            length = header[at]
            fields[code] = header[at + 1 : at + 1 + length].decode()
            at += length + 2
        elif kind in "so":
            at += -at % 4
            (length,) = struct.unpack_from("<I", header, at)
            fields[code] = header[at + 4 : at + 4 + length].decode()
            at += length + 5
        else:
            at += -at % 4
            (fields[code],) = struct.unpack_from("<I", header, at)
            at += 4
    return fields
