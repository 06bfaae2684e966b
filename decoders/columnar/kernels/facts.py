"""Kernels that note what classification reads of a frame (see decoders.columnar.classes)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import (
    FACT_DST_HI,
    FACT_DST_LO,
    FACT_DSTPORT,
    FACT_HAS,
    FACT_ID,
    FACT_KIND,
    FACT_SRC_HI,
    FACT_SRC_LO,
    FACT_SRCPORT,
    FACT_TYPE,
    FACT_VERSION,
    HAS_ID,
    HAS_PAIR,
    HAS_PORTS,
    HAS_QUOTED,
    HAS_TYPE,
    QUOTED_KIND,
)
from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.sink import FACTS_AT, FACTS_WANTED, SIDE, Sink, u32


@inlined
def noted(sink: Sink) -> bool:
    """Whether somebody asked for facts."""
    return sink[FACTS_WANTED] == 1


@inlined
def _base(sink: Sink) -> int:
    """First place of what is noted now, or -1 when that is decided already."""
    base = QUOTED_KIND if sink[SIDE] else 0
    return base if sink[FACTS_AT + base + FACT_KIND] == 0 else -1


@inlined
def note_version(sink: Sink, version: int) -> None:
    """An IP header begins, or (0) was none."""
    if noted(sink):
        _note_version(sink, version)


@part
def _note_version(sink: Sink, version: int) -> None:
    base = _base(sink)
    if base < 0:
        return
    sink[FACTS_AT + base + FACT_VERSION] = version
    if base:
        if version:
            sink[FACTS_AT + FACT_HAS] |= HAS_QUOTED
        else:
            sink[FACTS_AT + FACT_HAS] &= ~HAS_QUOTED


@inlined
def note_pair_4(sink: Sink, src: int, dst: int, identification: int) -> None:
    """Addresses and identification of an IPv4 header."""
    if noted(sink):
        _note_pair_4(sink, src, dst, identification)


@part
def _note_pair_4(sink: Sink, src: int, dst: int, identification: int) -> None:
    base = _base(sink)
    if base < 0:
        return
    sink[FACTS_AT + base + FACT_SRC_LO], sink[FACTS_AT + base + FACT_DST_LO] = src, dst
    sink[FACTS_AT + base + FACT_HAS] |= HAS_PAIR
    if base == 0:
        sink[FACTS_AT + FACT_ID] = identification
        sink[FACTS_AT + FACT_HAS] |= HAS_ID


@inlined
def note_pair_6(sink: Sink, octets: NDArray[np.uint8], src: int, dst: int) -> None:
    """Addresses of an IPv6 header, by their offsets."""
    if noted(sink):
        _note_pair_6(sink, octets, src, dst)


@part
def _note_pair_6(sink: Sink, octets: NDArray[np.uint8], src: int, dst: int) -> None:
    base = _base(sink)
    if base < 0:
        return
    sink[FACTS_AT + base + FACT_SRC_HI] = (u32(octets, src) << 32) | u32(octets, src + 4)
    sink[FACTS_AT + base + FACT_SRC_LO] = (u32(octets, src + 8) << 32) | u32(octets, src + 12)
    sink[FACTS_AT + base + FACT_DST_HI] = (u32(octets, dst) << 32) | u32(octets, dst + 4)
    sink[FACTS_AT + base + FACT_DST_LO] = (u32(octets, dst + 8) << 32) | u32(octets, dst + 12)
    sink[FACTS_AT + base + FACT_HAS] |= HAS_PAIR


@inlined
def decide(sink: Sink, kind: int) -> None:
    """A header that decides what the packet is, unless another did."""
    if noted(sink):
        base = _base(sink)
        if base >= 0:
            sink[FACTS_AT + base + FACT_KIND] = kind


@inlined
def note_ports(sink: Sink, srcport: int, dstport: int, kind: int) -> None:
    """Ports of the header that decides."""
    if noted(sink):
        base = QUOTED_KIND if sink[SIDE] else 0
        if sink[FACTS_AT + base + FACT_KIND] == kind:
            sink[FACTS_AT + base + FACT_SRCPORT] = srcport
            sink[FACTS_AT + base + FACT_DSTPORT] = dstport
            sink[FACTS_AT + base + FACT_HAS] |= HAS_PORTS


@inlined
def note_type(sink: Sink, kind: int) -> None:
    """Type of an own ICMP or ICMPv6 header."""
    note(sink, FACT_TYPE, HAS_TYPE, kind)


@inlined
def note(sink: Sink, place: int, has: int, value: int) -> None:
    """A value of the packet's own header that decides."""
    if noted(sink) and not sink[SIDE]:
        sink[FACTS_AT + place] = value
        sink[FACTS_AT + FACT_HAS] |= has


@inlined
def note_bit(sink: Sink, has: int) -> None:
    """Something that the packet's own headers have."""
    if noted(sink) and not sink[SIDE]:
        sink[FACTS_AT + FACT_HAS] |= has
