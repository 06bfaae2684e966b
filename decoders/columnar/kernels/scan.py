"""Kernels that walk the records of pcap and the Enhanced Packet Blocks of pcapng."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel

SECOND = 1_000_000_000
EPB = 6
OPTION_END, OPTION_COMMENT, OPTION_FLAGS = 0, 1, 2
LARGEST_TIME = 1 << 62
_PLACES = (1 << 62) - 1
"""No place is negative: with that known, neighbouring octets are read at once."""


class Found(NamedTuple):
    """Frames of one buffer: arrays of the same length, filled from the beginning."""

    starts: NDArray[np.int64]
    captured: NDArray[np.int64]
    wire: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    interface: NDArray[np.int32]


class Clocks(NamedTuple):
    """The interfaces of a section, as kernels need them."""

    numerator: NDArray[np.int64]
    """Nanoseconds of ``denominator`` ticks."""
    denominator: NDArray[np.int64]
    most: NDArray[np.int64]
    """Times ``denominator`` ticks that can be told; -1: this clock needs more than 64 bits."""
    offset_ns: NDArray[np.int64]
    fcs_octets: NDArray[np.int64]
    """-1 when not known."""


@inlined
def _u32(octets: NDArray[np.uint8], at: int, big: bool) -> int:
    at &= _PLACES
    a, b = np.int64(octets[at]), np.int64(octets[at + 1])
    c, d = np.int64(octets[at + 2]), np.int64(octets[at + 3])
    word = a | (b << 8) | (c << 16) | (d << 24)
    if big:
        word = (a << 24) | (b << 16) | (c << 8) | d
    return word


@inlined
def _u16(octets: NDArray[np.uint8], at: int, big: bool) -> int:
    at &= _PLACES
    a, b = np.int64(octets[at]), np.int64(octets[at + 1])
    return (a << 8) | b if big else (b << 8) | a


@kernel
def scan_pcap(
    octets: NDArray[np.uint8],
    position: int,
    layout: tuple[int, int, bool, int, int],
    found: Found,
) -> tuple[int, int, int]:
    """Whole records from ``position`` on: how many, where they end, a length that is too large.

    ``layout``: octets of a record's header, nanoseconds of a unit of the fraction, whether numbers
    are big-endian, how lengths are swapped (``pcap.Header.swap``), captured octets believed.
    """
    header_octets, scale, big, swap, most = layout
    size = len(octets)
    count = 0
    while position <= size - header_octets:
        captured, wire = _u32(octets, position + 8, big), _u32(octets, position + 12, big)
        if swap == 2 or (swap == 1 and captured > wire):
            captured, wire = wire, captured
        if captured > most:
            return count, position, captured
        start = position + header_octets
        if start + captured > size or count == len(found.starts):
            break
        found.starts[count] = start
        found.captured[count] = captured
        found.wire[count] = wire
        seconds, fraction = _u32(octets, position, big), _u32(octets, position + 4, big)
        found.time_ns[count] = seconds * SECOND + fraction * scale
        found.interface[count] = 0
        count += 1
        position = start + captured
    return count, position, 0


@inlined
def _plain_options(
    octets: NDArray[np.uint8], at: int, end: int, big: bool, fcs_octets: int
) -> bool:
    """Whether options say nothing that changes the frame."""
    while at + 4 <= end:
        code, length = _u16(octets, at, big), _u16(octets, at + 2, big)
        if code == OPTION_END:
            return True
        at += 4
        if at + length > end or code == OPTION_COMMENT:
            return False
        if code == OPTION_FLAGS:
            if length != 4:
                return False
            fcs = (_u32(octets, at, big) >> 5) & 15
            if fcs not in (0, fcs_octets):
                return False
        at += (length + 3) & -4
    return True


@inlined
def _time(high: int, low: int, clocks: Clocks, index: int) -> int:
    """Nanoseconds of a time stamp; -LARGEST_TIME when it takes more than 64 bits to tell."""
    numerator, denominator = clocks.numerator[index], clocks.denominator[index]
    if high >= 1 << 31:
        return -LARGEST_TIME
    whole, rest = (high << 32) | low, 0
    if denominator > 1:
        whole, ticks = whole // denominator, whole
        rest = (ticks - whole * denominator) * numerator // denominator
    if whole > clocks.most[index]:
        return -LARGEST_TIME
    time = whole * numerator + rest
    if time > LARGEST_TIME:
        return -LARGEST_TIME
    return time + clocks.offset_ns[index]


@kernel
def scan_pcapng(
    octets: NDArray[np.uint8],
    position: int,
    layout: tuple[bool, int, int],
    clocks: Clocks,
    found: Found,
) -> tuple[int, int]:
    """Sound Enhanced Packet Blocks from ``position`` on: how many, and where they end.

    ``layout``: whether numbers are big-endian, captured octets believed, number of the section's
    first interface. Ends before anything that a plain reader has to judge.
    """
    big, most, first = layout
    size, interfaces = len(octets), len(clocks.numerator)
    count = 0
    while position <= size - 32 and count < len(found.starts):
        length = _u32(octets, position + 4, big)
        index = _u32(octets, position + 8, big)
        captured = _u32(octets, position + 20, big)
        stop = position + length
        end = position + 28 + ((captured + 3) & -4)
        if _u32(octets, position, big) != EPB or index >= interfaces or captured > most:
            break
        if end > stop - 4 or stop > size or length & 3 or _u32(octets, stop - 4, big) != length:
            break
        time = _time(
            _u32(octets, position + 12, big), _u32(octets, position + 16, big), clocks, index
        )
        if time <= -LARGEST_TIME:
            break
        fcs_octets = clocks.fcs_octets[index]
        if end < stop - 4 and not _plain_options(octets, end, stop - 4, big, fcs_octets):
            break
        found.starts[count] = position + 28
        found.captured[count] = captured
        found.wire[count] = _u32(octets, position + 24, big)
        found.time_ns[count] = time
        found.interface[count] = first + index
        count += 1
        position = stop
    return count, position
