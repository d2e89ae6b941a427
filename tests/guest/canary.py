"""Looks for a typed word in bytes: as text, and as key codes in whatever layout."""

import numpy

WORD = "zqxjkvbpygf"
# Linux key codes of the word's letters; input-event-codes.h.
CODES = [44, 16, 45, 36, 37, 47, 48, 25, 21, 34, 33]
# What hands is to type.
SCRIPT = " ".join(WORD)

# Furthest that two strokes may be apart in memory, bytes: six events of 24 bytes
# make 144.
STRIDES = 512
# So many letters in a row are no chance: 16 bits each at one of 256 distances.
RUN = 5


def found(data: bytes) -> list[str]:
    """How the word, or five letters of it in a row, stands in there; empty where
    it does not."""
    return as_text(data) + as_codes(data)


def as_text(data: bytes) -> list[str]:
    out = []
    for word in (WORD, WORD.upper()):
        for part in (word[at : at + RUN] for at in range(len(word) - RUN + 1)):
            for name, joint in (("text", ""), ("spaced text", " "), ("UTF-16", "\0")):
                if joint.join(part).encode() in data:
                    out.append(f"{name} {part!r}")
    return out


def as_codes(data: bytes) -> list[str]:
    """As little-endian numbers of 16 bits or more, any even distance apart, and
    as bytes any distance apart (then all of the word)."""
    octets = numpy.frombuffer(data, dtype=numpy.uint8)
    if len(octets) < 2:
        return []
    out = []
    wide = (octets[1:] == 0)
    for first in (0, RUN):
        run = CODES[first : first + RUN]
        starts = numpy.flatnonzero((octets[:-1] == run[0]) & wide)
        out += [f"16 bits every {s} bytes" for s in range(2, STRIDES + 1, 2) if follows(octets, wide, starts, run, s)]
    starts = numpy.flatnonzero(octets == CODES[0])
    out += [f"8 bits every {s} bytes" for s in range(1, STRIDES + 1) if follows(octets, None, starts, CODES, s)]
    return out


def follows(octets, wide, starts, run: list[int], stride: int) -> bool:
    """Whether from one of these places on the run stands there, so far apart."""
    at = starts
    for n, code in enumerate(run[1:], start=1):
        at = at[at + n * stride < len(octets) - 1]
        there = octets[at + n * stride] == code
        if wide is not None:
            there &= wide[at + n * stride]
        at = at[there]
        if not len(at):
            return False
    return True
