"""Hypothesis strategies that damage capture files and frames.

Each value is a :class:`Damaged`: the octets, what was done to them in one line, and how many octets
of the original file were left as they were, so that everything a reader found before that place
must be found again. Strategies take the octets of an undamaged file; nothing here reads them with a
decoder, only places are known. They shrink towards damage nearer the beginning and smaller lies.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

KINDS = ("truncation", "flip", "lie", "splice", "magic", "loop")
"""Truncation at any octet; flipped bits; a number that lies, of 1, 2 or 4 octets, anywhere; octets
of one place, or of another file, put into another; a wrong magic; blocks or records that repeat or
claim a length that leads nowhere."""

MAGICS = (
    *(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"),
    *(b"\x34\xcd\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"),
    *(b"\xfd7zX", b"BZh9", b"PK\x03\x04", b"\0\0\0\0"),
)
"""Beginnings of files that readers know; each is wrong in front of another kind of file."""

LIES = (0, 1, 3, 4, 5, 7, 8, 11, 12, 13, 16, 19, 20, 27, 28, 31, 0x7F, 0x80, 0xFF, 0x100, 0x1000,
        0x7FFF, 0x8000, 0xFFFF, 0x10000, 262144, 262145, 0x7FFFFFFF, 1 << 31,
        0xFFFFFFFF)  # fmt: skip
"""Numbers that length fields are set to: around the sizes of headers and of the types."""


class Damaged(NamedTuple):
    """Octets that were damaged."""

    data: bytes
    what: str
    """What was done, in one line."""
    intact: int
    """Octets at the beginning that are those of the original."""


Draw = Callable[[int, int], int]
"""A whole number from the first to the second, both included."""


def _truncation(data: bytes, number: Draw, _: Sequence[bytes]) -> Damaged:
    at = number(0, max(0, len(data) - 1))
    return Damaged(data[:at], f"cut at octet {at}", at)


def _flip(data: bytes, number: Draw, _: Sequence[bytes]) -> Damaged:
    changed = bytearray(data)
    places = sorted(number(0, 8 * len(data) - 1) for _ in range(number(1, 4)))
    for bit in places:
        changed[bit // 8] ^= 1 << bit % 8
    return Damaged(bytes(changed), f"flipped bits {places}", places[0] // 8)


def _lie(data: bytes, number: Draw, _: Sequence[bytes]) -> Damaged:
    size = (1, 2, 4)[number(0, 2)]
    at = number(0, max(0, len(data) - size))
    lie = LIES[number(0, len(LIES) - 1)] & (1 << 8 * size) - 1
    order = ("big", "little")[number(0, 1)]
    written = lie.to_bytes(size, "big" if order == "big" else "little")
    changed = (data[:at] + written + data[at + size :])[: len(data)]
    return Damaged(changed, f"{lie} in {size} octets at {at}, {order}-endian", at)


def _splice(data: bytes, number: Draw, others: Sequence[bytes]) -> Damaged:
    source = (data, *others)[number(0, len(others))]
    at, start = number(0, len(data)), number(0, max(0, len(source) - 1))
    size, over = number(1, 64 if number(0, 1) else max(1, len(source))), number(0, 1)
    piece = source[start : start + size]
    rest = data[at + len(piece) * over :]
    verb = "over" if over else "into"
    return Damaged(data[:at] + piece + rest, f"{len(piece)} octets {verb} octet {at}", at)


def _magic(data: bytes, number: Draw, _: Sequence[bytes]) -> Damaged:
    magic = MAGICS[number(0, len(MAGICS) - 1)]
    same = next((n for n, (a, b) in enumerate(zip(magic, data, strict=False)) if a != b), 4)
    return Damaged(magic + data[4:], f"magic {magic.hex()}", same)


def _loop(data: bytes, number: Draw, _: Sequence[bytes]) -> Damaged:
    """A piece of whole words that repeats many times, or a length that leads to itself."""
    at = number(0, max(0, len(data) // 4 - 1)) * 4
    if number(0, 1):
        back = struct.pack("<i", -at) if number(0, 1) else struct.pack("<I", number(0, 12))
        return Damaged(data[:at] + back + data[at + 4 :], f"a length that leads back at {at}", at)
    size, times = 4 * number(1, 16), number(2, 64)
    piece = data[at : at + size]
    return Damaged(data[:at] + piece * times + data[at + size :],
                   f"{len(piece)} octets at {at} repeated {times} times", at)  # fmt: skip


_MAKERS: dict[str, Callable[[bytes, Draw, Sequence[bytes]], Damaged]] = dict(
    zip(KINDS, (_truncation, _flip, _lie, _splice, _magic, _loop), strict=True)
)


def _checked(kinds: Collection[str]) -> tuple[str, ...]:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise InvalidArgument(f"kinds {', '.join(unknown) or '()'}: expected some of {KINDS}")
    return tuple(kind for kind in KINDS if kind in kinds)


@st.composite
def _damaged(
    draw: st.DrawFn, files: st.SearchStrategy[bytes], kinds: tuple[str, ...]
) -> Damaged:  # fmt: skip
    data = draw(files)
    if not data:
        return Damaged(data, "nothing: an empty file", 0)
    # Half of all damage is the first kind: truncation, unless it was left out.
    kind = draw(st.one_of(st.just(kinds[0]), st.sampled_from(kinds)))
    others = (draw(files),) if kind == "splice" else ()
    return _MAKERS[kind](data, lambda low, high: draw(st.integers(low, high)), others)


def damaged(
    files: st.SearchStrategy[bytes], kinds: Collection[str] = KINDS
) -> st.SearchStrategy[Damaged]:
    """Files drawn from ``files``, each damaged in one of ``kinds`` (of :data:`KINDS`).

    Half of all damage is of the first of :data:`KINDS` that ``kinds`` holds. A splice draws another
    file from ``files``; an empty file stays as it is. Shrinks as ``files`` does, then to the first
    kind, nearer to the beginning of the file.

    Raises InvalidArgument for a kind that does not exist.
    """
    return _damaged(files, _checked(kinds))


def random_damage(
    data: bytes, seed: int, *, others: Sequence[bytes] = (), kinds: Collection[str] = KINDS
) -> Damaged:
    """The same damage without Hypothesis, decided by a seed alone: for runs over many files.

    Raises ValueError for an empty file.
    """
    if not data:
        raise ValueError("an empty file cannot be damaged")
    chance = Random(seed)
    kind = chance.choice(_checked(kinds))
    return _MAKERS[kind](data, chance.randint, others)


LAYER_LENGTHS = {
    "ip header length": (0, 1),
    "ip total length": (2, 2),
    "ip fragment": (6, 2),
    "udp length": (24, 2),
    "tcp data offset": (32, 1),
    "ipv6 payload length": (4, 2),
    "pppoe length": (4, 2),
    "arp sizes": (4, 2),
}
"""Where a layer's length field stands in its header, octets from its beginning, and its size; of
UDP and TCP behind an IPv4 header without options."""


@st.composite
def lying_frames(draw: st.DrawFn, frames: st.SearchStrategy[bytes]) -> bytes:
    """Frames one length field of which lies, on any layer; the layer is found by chance.

    ``frames`` yields the octets of honest frames; one too short for the lie stays honest. Any
    header may begin at any even octet up to 64, so that each of its length fields is hit sooner or
    later. Shrinks as ``frames`` does, then to a smaller number nearer to the beginning.
    """
    data = bytearray(draw(frames))
    base = draw(st.integers(0, 64))
    at, size = draw(st.sampled_from(sorted(LAYER_LENGTHS.values())))
    lie = draw(st.sampled_from(LIES)) & (1 << 8 * size) - 1
    end = base + at + size
    if end <= len(data):
        data[base + at : end] = lie.to_bytes(size, "big")
    return bytes(data)
