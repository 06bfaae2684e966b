"""What a container hands to a decoder: frames, and what was wrong with the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CUSTOM_BLOCK, JOURNAL_BLOCK = -1, -2
"""In place of a link type: pcapng blocks that Wireshark counts as frames, and no interface saw."""


class Interface(NamedTuple):
    """Where a frame was captured, as its file says it."""

    linktype: int
    """LINKTYPE_ number, without the FCS bits of a pcap header; CUSTOM_BLOCK or JOURNAL_BLOCK."""
    id: int | None = None
    """Number within its section; None in pcap, which knows no interfaces, and of such blocks."""
    section: int | None = None
    """Section of a pcapng file, counted from 1; None in pcap."""
    name: str | None = None
    """``if_name``; None when the file does not say."""
    fcs_octets: int | None = None
    """Octets of frame check sequence at the end of each frame; None when the file does not say."""


class Frame(NamedTuple):
    """One record of a capture that holds a packet."""

    number: int
    """Counted from 1 in the order of reading: ``frame.number``."""
    time_ns: int | None
    """Nanoseconds since 1970-01-01 UTC; None when the record has no time stamp."""
    wire_length: int
    """Octets on the wire, as the record says."""
    data: bytes
    """The captured octets."""
    interface: Interface
    comments: tuple[str, ...] = ()
    """pcapng ``opt_comment``, one entry each."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a capture stops being readable, and why."""

    path: str
    offset: int
    """Octet offset of the broken record in the capture, after decompression."""
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: offset {self.offset}: found {self.found}, expected {self.expected}"


class CaptureError(Exception):
    """A capture that cannot be read at all: nothing of it is a packet.

    Attributes: path, offset (octets, None when the file could not be opened), found, expected.
    """

    def __init__(self, path: str, offset: int | None, found: str, expected: str) -> None:
        super().__init__(path, offset, found, expected)
        self.path, self.offset, self.found, self.expected = path, offset, found, expected

    def __str__(self) -> str:
        place = "" if self.offset is None else f" offset {self.offset}:"
        return f"{self.path}:{place} found {self.found}, expected {self.expected}"
