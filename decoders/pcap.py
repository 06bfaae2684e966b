"""pcap captures: libpcap's classic format, three kinds, both byte orders.

Source: draft-ietf-opsawg-pcap, and what Wireshark 4.0 does where that is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from struct import Struct
from typing import NamedTuple

from decoders.frames import Frame, Interface
from decoders.wrapping import Broken

MAX_CAPLEN = 262_144
"""Captured octets of a frame that are believed (WTAP_MAX_PACKET_SIZE_STANDARD)."""
HEADER_OCTETS = 24

_RECORD_OCTETS = 16
_MODIFIED_OCTETS = 24
_NOKIA_OCTETS = 20
_OLD_MODIFIED_OCTETS = 28
_LAYOUTS = {
    "pcap": (_RECORD_OCTETS, _MODIFIED_OCTETS, _NOKIA_OCTETS),
    "pcap-modified": (_MODIFIED_OCTETS, _OLD_MODIFIED_OCTETS),
}
"""Record headers that files with one magic have been written with, the likeliest first."""
_RECORDS_TRIED = 3
_LARGEST_BELIEVED = 128 * 1024 * 1024
"""Octets on the wire of a frame that a guess believes."""
_FCS_PRESENT = 0x0400_0000
_RESERVED = 0x03FF_0000
_new_frame = partial(tuple.__new__, Frame)


class Kind(NamedTuple):
    """What a magic number says."""

    format: str
    order: str
    """Byte order as struct spells it: ``<`` or ``>``."""
    nanoseconds: int
    """Nanoseconds of one unit of the time stamp's fraction."""
    record_octets: int
    """Octets of a record's header."""


class Header(NamedTuple):
    """A pcap file header."""

    kind: Kind
    interface: Interface
    snap_length: int
    """Octets that no frame exceeds, as the file says."""
    swap: int
    """Whether a record gives its two lengths in the other order: 0 never, 1 when the captured
    length is the larger one (version 2.3), 2 always (before 2.3, and 543)."""


_KINDS = {
    magic.to_bytes(4, "little" if order == "<" else "big"): Kind(name, order, scale, octets)
    for magic, name, scale, octets in (
        (0xA1B2C3D4, "pcap", 1000, _RECORD_OCTETS),
        (0xA1B23C4D, "pcap-ns", 1, _RECORD_OCTETS),
        (0xA1B2CD34, "pcap-modified", 1000, _MODIFIED_OCTETS),
    )
    for order in "<>"
}


class Window:
    """The part of a stream that a reader looks at.

    ``buffer`` holds the octets from offset ``base`` of the stream on. Memory is bounded by the
    largest record a reader asks for, plus one block.
    """

    __slots__ = ("_blocks", "base", "buffer", "trouble")

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.buffer = b""
        self.base = 0
        self.trouble: Broken | None = None
        self.advance(0)

    def advance(self, octets: int) -> bool:
        """Drops the first ``octets`` of the buffer, adds a block; False when there is none."""
        self.base += octets
        try:
            block = next(self._blocks, b"")
        except Broken as trouble:
            self.trouble, block = trouble, b""
        rest = self.buffer[octets:]
        self.buffer = rest + block if rest else block
        return bool(block)

    def end(self, what: str, offset: int) -> Broken:
        """Why a record that starts at ``offset`` cannot be read to its end."""
        after = self.base + len(self.buffer)
        if self.trouble is not None:
            found = f"{self.trouble.found}, after {after} octets of the capture"
            return Broken(found, self.trouble.expected, offset)
        found = f"the end of the file after {after - offset} octets of a {what}"
        return Broken(found, f"a whole {what}", offset)


def kind_of(head: bytes) -> Kind | None:
    """The kind of pcap that starts with ``head``; None when it is no pcap."""
    return _KINDS.get(head[:4])


def header_of(kind: Kind, head: bytes) -> Header:
    """The file header; raises Broken when it is cut or says what cannot be read."""
    if len(head) < HEADER_OCTETS:
        found = f"the end of the file after {len(head)} octets"
        raise Broken(found, f"a pcap header of {HEADER_OCTETS} octets", 0)
    major, minor, snap, link = Struct(kind.order + "4xHH8xII").unpack_from(head)
    if major not in (2, 543):
        raise Broken(f"pcap version {major}.{minor}", "version 2 or 543", 4)
    if link & _RESERVED:
        raise Broken(f"reserved bits in the link type 0x{link:08x}", "them to be zero", 20)
    fcs = (link >> 28) * 2 if link & _FCS_PRESENT else None
    swap = 2 if major == 543 or minor < 3 else int(minor == 3)
    return Header(kind, Interface(link & 0xFFFF, fcs_octets=fcs), snap, swap)


def layout_of(header: Header, head: bytes) -> Header:
    """The header, with the size of record headers that the first records of the file have.

    ``head`` is the file from its start, :data:`LAYOUT_OCTETS` of it or all. Some programs wrote
    larger record headers under the usual magics. As in Wireshark, each size is tried on three
    records. Unlike there, another size than the usual one must make them all plausible: a record
    that is damaged or cut is no reason to read the frames before it in another way.
    """
    usual, *others = _LAYOUTS.get(header.kind.format, (header.kind.record_octets,))
    fitting = [size for size in others if not looks_odd(header, head, size)]
    size = fitting[0] if fitting and looks_odd(header, head, usual) else usual
    return header._replace(kind=header.kind._replace(record_octets=size))


def looks_odd(header: Header, head: bytes, record_octets: int) -> bool:
    """Whether one of the first records is improbable, when their headers are that large.

    Of the usual size a cut record is none; another size must end where the file does.
    """
    usual = record_octets == header.kind.record_octets
    fields = Struct(header.kind.order + "IIII")
    position = HEADER_OCTETS
    for _ in range(_RECORDS_TRIED):
        if position == len(head):
            return False
        if position + record_octets > len(head):
            return not usual
        _, fraction, caplen, wire = fields.unpack_from(head, position)
        caplen, wire = _lengths(header, caplen, wire)
        improbable = (
            fraction >= 1_000_000,
            caplen > MAX_CAPLEN,
            wire > _LARGEST_BELIEVED,
            caplen > header.snap_length,
            caplen > wire,
            caplen == 0 and not usual,
        )
        if any(improbable):
            return True
        position += record_octets + caplen
        if position > len(head):
            return not usual
    return False


def _lengths(header: Header, caplen: int, wire: int) -> tuple[int, int]:
    """Captured length and length on the wire, of which old versions have the order reversed."""
    if header.swap and (header.swap == 2 or caplen > wire):
        return wire, caplen
    return caplen, wire


LAYOUT_OCTETS = HEADER_OCTETS + _RECORDS_TRIED * (MAX_CAPLEN + _OLD_MODIFIED_OCTETS)
"""Octets of a file that are enough to tell how large its record headers are."""


def batches(blocks: Iterator[bytes]) -> Iterator[list[Frame]]:
    """Frames of a pcap stream, in lists of at most what one block holds.

    Raises Broken, with the offset of the record that cannot be read, after the frames before it.
    A fraction of a second or more is carried over into the seconds. Lengths are given as the
    record has them: ``wire_length`` may be below the captured length.
    """
    window = Window(blocks)
    header = read_header(window)
    position, number = HEADER_OCTETS, 0
    while True:
        frames, position, oversized = _scan(header, window.buffer, position, number)
        number += len(frames)
        yield frames
        if oversized:
            found = f"a captured length of {oversized}"
            raise Broken(found, f"at most {MAX_CAPLEN}", window.base + position)
        if not window.advance(position):
            break
        position = 0
    if window.trouble is not None or window.buffer:
        raise window.end("pcap record", window.base)


def read_header(window: Window) -> Header:
    """The header of the capture that a window begins with; raises Broken when it is no good."""
    kind = kind_of(window.buffer)
    if kind is None:
        raise Broken("no pcap magic", "a pcap header", 0)
    header = header_of(kind, window.buffer[:HEADER_OCTETS])
    if looks_odd(header, window.buffer[:LAYOUT_OCTETS], kind.record_octets):
        while len(window.buffer) < LAYOUT_OCTETS and window.advance(0):
            pass
        header = layout_of(header, window.buffer[:LAYOUT_OCTETS])
    return header


def _scan(
    header: Header, buffer: bytes, position: int, number: int
) -> tuple[list[Frame], int, int]:
    """Whole records from ``position`` on: frames, where they end, a captured length too large."""
    interface, swap = header.interface, header.swap
    _, order, scale, octets = header.kind
    unpack = Struct(order + "IIII").unpack_from
    size = len(buffer)
    last = size - octets
    frames: list[Frame] = []
    append, new_frame = frames.append, _new_frame
    while position <= last:
        seconds, fraction, caplen, wire = unpack(buffer, position)
        if swap and (swap == 2 or caplen > wire):
            caplen, wire = wire, caplen
        if caplen > MAX_CAPLEN:
            return frames, position, caplen
        start = position + octets
        stop = start + caplen
        if stop > size:
            break
        number += 1
        time = seconds * 1_000_000_000 + fraction * scale
        append(new_frame((number, time, wire, buffer[start:stop], interface, ())))
        position = stop
    return frames, position, 0
