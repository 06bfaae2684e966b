"""Hypothesis strategies for capture files with known truth: pcap and pcapng, every variation.

A :class:`CaptureFile` is the octets of a file and, for each record, what must be read of it. Byte
order, resolution of time, interfaces, sections and compression vary. Values shrink to fewer
records, then to a plain little-endian pcap of microseconds.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators.frames import LINKTYPES, Group, frames
from generators.truth import Described

FORMATS = ("pcap", "pcapng")
COMPRESSIONS = ("", "gz", "bz2", "xz", "zst")
MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
MAGICS = (MICROSECONDS, NANOSECONDS, MODIFIED)
RESOLUTIONS = (6, 9, 3, 0, 0x8A)
"""``if_tsresol``: 10^-n seconds, or 2^-n with the top bit (pcapng, section 4.2)."""

START = 1_500_000_000
_SHB, _IDB, _EPB = 0x0A0D0D0A, 1, 6


class Record(NamedTuple):
    """One record and what must be read of it."""

    frame: Described
    time_ns: int
    interface: int | None
    section: int | None
    ends: int
    """Octets from the beginning of the uncompressed file to the record's end."""


class CaptureFile(NamedTuple):
    """A capture file with its truth."""

    data: bytes
    plain: bytes
    """The same before compression."""
    format: str
    """``pcap``, ``pcap-ns``, ``pcap-modified`` or ``pcapng``."""
    compression: str
    records: tuple[Record, ...]


class _Interface(NamedTuple):
    linktype: int
    resolution: int

    def ticks(self, steps: int) -> int:
        """``steps`` eighths of a second since 1970 in this interface's units, rounded down."""
        return steps * self.per_second // 8

    @property
    def per_second(self) -> int:
        n = self.resolution & 0x7F
        return 1 << n if self.resolution & 0x80 else 10**n

    def block(self, order: str) -> bytes:
        option = b"" if self.resolution == 6 else _option(order, 9, bytes((self.resolution,)))
        options = option and option + bytes(4)
        return _block(order, _IDB, struct.pack(order + "HHI", self.linktype, 0, 0) + options)


def _option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def _compressed(data: bytes, how: str) -> bytes:
    if how == "zst":
        import zstandard

        return zstandard.ZstdCompressor().compress(data)
    made = {"gz": lambda d: gzip.compress(d, mtime=0), "bz2": bz2.compress, "xz": lzma.compress}
    return made[how](data) if how else data


def compressed(file: CaptureFile, how: str) -> CaptureFile:
    """The same file, compressed as one of :data:`COMPRESSIONS`. Raises KeyError for another."""
    return file._replace(data=_compressed(file.plain, how), compression=how)


def pcap(
    groups: Sequence[Group],
    *,
    big_endian: bool = False,
    magic: int = MICROSECONDS,
    gaps: Sequence[int] = (),
) -> CaptureFile:
    """A pcap file of frames of one link type; ``gaps`` are microseconds before each frame.

    Raises ValueError for frames of several link types, and for an unknown magic.
    """
    names = {MICROSECONDS: "pcap", NANOSECONDS: "pcap-ns", MODIFIED: "pcap-modified"}
    if magic not in names:
        raise ValueError(f"magic {magic:#x}: expected one of {[hex(one) for one in names]}")
    shots = [frame for group in groups for frame in group]
    if len({frame.linktype for frame in shots}) > 1:
        raise ValueError("a pcap file holds one link type, use pcapng for several")
    order = ">" if big_endian else "<"
    link = shots[0].linktype if shots else 1
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    scale = 1000 if magic == NANOSECONDS else 1
    time, records = START * 10**6, []
    for nth, frame in enumerate(shots):
        time += gaps[nth] if nth < len(gaps) else 1000
        seconds, fraction = divmod(time, 10**6)
        sizes = (len(frame.data), frame.wire_length)
        data += struct.pack(order + "IIII", seconds, fraction * scale, *sizes)
        data += bytes(8) * (magic == MODIFIED) + frame.data
        records.append(Record(frame, time * 1000, None, None, len(data)))
    return CaptureFile(data, data, names[magic], "", tuple(records))


class Section(NamedTuple):
    """A section of a pcapng file: byte order, interfaces (link type, resolution), frames.

    Each frame names the interface it came from and the eighths of a second since the one before.
    """

    big_endian: bool
    interfaces: tuple[tuple[int, int], ...]
    frames: tuple[tuple[int, int, Described], ...]


def pcapng(sections: Sequence[Section]) -> CaptureFile:
    """A pcapng file. Raises ValueError for an interface of another link type than its frame's."""
    data, records, steps = b"", [], START * 8
    for number, section in enumerate(sections, start=1):
        order = ">" if section.big_endian else "<"
        data += _block(order, _SHB, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        known = [_Interface(*one) for one in section.interfaces]
        data += b"".join(one.block(order) for one in known)
        for index, gap, frame in section.frames:
            interface = known[index]
            if interface.linktype != frame.linktype:
                raise ValueError(f"interface {index} has link type {interface.linktype}")
            steps += gap
            ticks = interface.ticks(steps)
            head = (index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), frame.wire_length)
            body = struct.pack(order + "5I", *head) + frame.data + bytes(-len(frame.data) % 4)
            data += _block(order, _EPB, body)
            time_ns = ticks * 10**9 // interface.per_second
            records.append(Record(frame, time_ns, index, number, len(data)))
    return CaptureFile(data, data, "pcapng", "", tuple(records))


@st.composite
def _sections(draw: st.DrawFn, linktypes: Collection[int], most: int) -> Section:
    links = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(linktypes)), st.sampled_from(RESOLUTIONS)),
            min_size=1,
            max_size=4,
        )
    )
    made: list[tuple[int, int, Described]] = []
    for _ in range(draw(st.integers(0, most))):
        index = draw(st.sampled_from(range(len(links))))
        group = draw(frames(linktypes=(links[index][0],)))
        made += [(index, draw(st.integers(0, 99)), frame) for frame in group]
    return Section(draw(st.booleans()), tuple(links), tuple(made))


@st.composite
def _captures(
    draw: st.DrawFn, formats: tuple[str, ...], linktypes: Collection[int], most: int,
    compressions: tuple[str, ...],
) -> CaptureFile:  # fmt: skip
    if draw(st.sampled_from(formats)) == "pcap":
        link = draw(st.sampled_from(sorted(linktypes)))
        groups = draw(st.lists(frames(linktypes=(link,)), max_size=most))
        made = pcap(
            groups,
            big_endian=draw(st.booleans()),
            magic=draw(st.sampled_from(MAGICS)),
            gaps=draw(st.lists(st.integers(0, 10**7), max_size=most)),
        )
    else:
        made = pcapng(draw(st.lists(_sections(linktypes, most), min_size=1, max_size=3)))
    return compressed(made, draw(st.sampled_from(compressions)))


def check_choice(name: str, given: Collection[object], known: Collection[object]) -> None:
    """Raises InvalidArgument for an argument that chooses none, or what does not exist."""
    if not given or not set(given) <= set(known):
        raise InvalidArgument(f"{name}={given!r}: expected some of {known}")


def captures(
    *,
    formats: Collection[str] = FORMATS,
    linktypes: Collection[int] = LINKTYPES,
    max_groups: int = 6,
    compressions: Collection[str] = COMPRESSIONS,
) -> st.SearchStrategy[CaptureFile]:
    """Capture files of frames from :func:`generators.frames.frames`.

    A pcap holds frames of one of ``linktypes``, a pcapng of several, one for each of up to four
    interfaces of each of up to three sections. ``max_groups`` bounds the groups of a pcap, and of
    each section. ``compressions``: the empty text stands for none. Shrinks to a pcap without
    frames, little-endian, in microseconds, not compressed.
    Raises InvalidArgument for unknown formats, link types or compressions, and for none.
    """
    for name, given, known in (
        ("formats", formats, FORMATS),
        ("linktypes", linktypes, LINKTYPES),
        ("compressions", compressions, COMPRESSIONS),
    ):
        check_choice(name, given, known)
    if max_groups < 1:
        raise InvalidArgument(f"max_groups={max_groups}: expected at least 1")
    return _captures(tuple(formats), tuple(linktypes), max_groups, tuple(compressions))
