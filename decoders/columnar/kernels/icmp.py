"""Kernels of ICMP and ICMPv6; a quoted packet is left to come next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import KIND_ICMP, KIND_ICMPV6
from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.facts import decide, note_type
from decoders.columnar.kernels.sink import (
    CHECKSUM_GROUP,
    DELEGATE,
    DST,
    OK,
    QUOTES,
    SIDE,
    SRC,
    VERSION,
    WARNING,
    Sink,
    data,
    enter,
    expert,
    go_on,
    item,
    lacks,
    put,
    u8,
)
from decoders.columnar.numbers import field, protocol, text

IPV4, IPV6 = 0x0800, 0x86DD
BAD, GOOD, UNVERIFIED = 0, 1, 2
REDIRECT_V6 = 137

_ICMP, _ICMPV6, _DATA = protocol("icmp"), protocol("icmpv6"), protocol("data")
_F_ICMP, _F_TYPE, _F_CODE = field("icmp"), field("icmp.type"), field("icmp.code")
_F_STATUS = field("icmp.checksum.status")
_F_ICMPV6, _F_TYPE_6, _F_CODE_6 = field("icmpv6"), field("icmpv6.type"), field("icmpv6.code")
_BAD_CHECKSUM = text("ICMP checksum is bad")
_BAD_CHECKSUM_6 = text("ICMPv6 checksum is bad")


@inlined
def add_up(octets: NDArray[np.uint8], start: int, end: int) -> int:
    """Sum of 16-bit words in network order, an odd octet filled up with zero (RFC 1071)."""
    total = np.int64(0)
    words = (end - start) // 2
    for word in range(words):
        total += (u8(octets, start + 2 * word) << 8) | u8(octets, start + 2 * word + 1)
    if (end - start) & 1:
        total += u8(octets, end - 1) << 8
    return total


@inlined
def is_good(total: int) -> bool:
    """Whether a sum that includes the checksum says that nothing was changed."""
    return total > 0 and total % 0xFFFF == 0


@inlined
def _quote(sink: Sink, kind: int, start: int, end: int, limit: int) -> None:
    if limit > start:
        go_on(sink, kind, start, end, limit)
        sink[QUOTES] = 1


@part
def icmp(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """ICMP (RFC 792, RFC 4884)."""
    enter(sink, _ICMP)
    decide(sink, KIND_ICMP)
    status = lacks(start, end, limit, 6)
    if status:
        return status
    kind = u8(octets, start)
    item(sink, _F_ICMP, start, end, end - start)
    put(sink, _F_TYPE, kind)
    note_type(sink, kind)
    put(sink, _F_CODE, u8(octets, start + 1))
    judged = UNVERIFIED
    if end == limit and not sink[SIDE]:
        judged = GOOD if is_good(add_up(octets, start, end)) else BAD
        if judged == BAD:
            expert(sink, WARNING, CHECKSUM_GROUP, _BAD_CHECKSUM)
    put(sink, _F_STATUS, judged)
    if kind in (3, 4, 5, 11, 12):
        status = lacks(start, end, limit, 8)
        if status:
            return status
        words = u8(octets, start + 5)
        at = start + 8
        if kind in (3, 11, 12) and words and words * 4 <= limit - at:
            limit = at + words * 4
            end = min(end, limit)
        if kind == 5 and end > at:
            limit = min(limit, at + (u8(octets, at) & 15) * 4 + 8)
            end = min(end, limit)
        _quote(sink, IPV4, at, end, limit)
    elif kind in (0, 8):
        status = lacks(start, end, limit, 8)
        if status:
            return status
        data(sink, start + 8, end, limit, _DATA)
    elif kind in (13, 14):
        return lacks(start, end, limit, 20)
    elif kind in (15, 16):
        return lacks(start, end, limit, 8)
    elif kind in (17, 18):
        return lacks(start, end, limit, 12)
    return OK


@part
def icmpv6(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """ICMPv6 (RFC 4443); redirects are left to another decoder."""
    enter(sink, _ICMPV6)
    decide(sink, KIND_ICMPV6)
    status = lacks(start, end, limit, 1)
    if status:
        return status
    kind = u8(octets, start)
    if kind == REDIRECT_V6:
        return DELEGATE
    item(sink, _F_ICMPV6, start, end, end - start)
    put(sink, _F_TYPE_6, kind)
    note_type(sink, kind)
    status = lacks(start, end, limit, 2)
    if status:
        return status
    put(sink, _F_CODE_6, u8(octets, start + 1))
    status = lacks(start, end, limit, 4)
    if status:
        return status
    _judge_checksum(sink, octets, start, end, limit)
    if 1 <= kind <= 4:
        status = lacks(start, end, limit, 8)
        if status:
            return status
        words = u8(octets, start + 4)
        at = start + 8
        if kind in (1, 3) and words and words * 8 <= limit - at:
            limit = at + words * 8
            end = min(end, limit)
        _quote(sink, IPV6, at, end, limit)
    elif kind in (128, 129):
        status = lacks(start, end, limit, 8)
        if status:
            return status
        data(sink, start + 8, end, limit, _DATA)
    return OK


@inlined
def _judge_checksum(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int
) -> None:
    """The checksum covers addresses, length and next header too (RFC 8200 section 8.1)."""
    if end != limit or sink[SIDE] or sink[VERSION] != 6:
        return
    claimed = limit - start
    total = add_up(octets, start, end) + (claimed >> 16) + (claimed & 0xFFFF) + 58
    total += add_up(octets, sink[SRC], sink[SRC] + 16)
    total += add_up(octets, sink[DST], sink[DST] + 16)
    if not is_good(total):
        expert(sink, WARNING, CHECKSUM_GROUP, _BAD_CHECKSUM_6)
