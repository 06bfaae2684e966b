"""Kernels of link layers: Ethernet, 802.3, tags, cooked captures, loopback, raw IP, Cisco HDLC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, merged, part
from decoders.columnar.kernels.ppp import serial
from decoders.columnar.kernels.sink import (
    BEHIND_LENGTH,
    BEHIND_PACKET,
    DATA_END,
    DELEGATE,
    DEPTH,
    ERROR,
    FRAME_END,
    FRAME_LIMIT,
    FRAME_START,
    LEFT,
    LEFT_CUT,
    LEFT_FCS,
    LEFT_LIMIT,
    LEFT_NAMED,
    LENGTH,
    MALFORMED_GROUP,
    NOTE,
    OK,
    PROTOCOL_GROUP,
    SHORT,
    TRIM,
    UNDECODED,
    WARNING,
    Sink,
    append,
    data,
    enter,
    expert,
    go_on,
    item,
    lacks,
    leave,
    octet_or_0,
    put,
    put_span,
    u8,
    u16,
    u32,
    undecoded,
)
from decoders.columnar.numbers import field, protocol, text

ARP, IPV4, IPV6, RARP = 0x0806, 0x0800, 0x86DD, 0x8035
DISCOVERY, SESSION = 0x8863, 0x8864
VLAN, OLD_VLAN, SERVICE = 0x8100, 0x9100, 0x88A8
MPLS, MPLS_MULTICAST = 0x8847, 0x8848
LARGEST_LENGTH, SMALLEST_TYPE = 1500, 1536
SMALLEST_FRAME = 60
MOST_TAGS = 20
UNKNOWN_FCS = -1
GRE_HARDWARE = 778

ETHERNET, PPP, PPP_HDLC, PPPOE, CISCO, FDDI, COOKED, COOKED_2 = 1, 9, 50, 51, 104, 10, 113, 276
RAW, RAW_BSD, RAW_OPENBSD, RAW_4, RAW_6, NULL, LOOP = 101, 12, 14, 228, 229, 0, 108
FIRST_USER, LAST_USER = 147, 162
CUSTOM_BLOCK, JOURNAL_BLOCK = -1, -2
ANOTHERS_BLOCK = -3
"""In place of a link type: a frame that is left to another decoder."""

_ETH, _ETHERTYPE, _DATA = protocol("eth"), protocol("ethertype"), protocol("data")
_VLAN, _AD, _LLC, _IPX = protocol("vlan"), protocol("ieee8021ad"), protocol("llc"), protocol("ipx")
_SLL, _NULL, _RAW, _CHDLC = protocol("sll"), protocol("null"), protocol("raw"), protocol("chdlc")
_SLARP, _FDDI, _USER = protocol("slarp"), protocol("fddi"), protocol("user_dlt")
_JOURNAL, _PPP = protocol("systemd_journal"), protocol("ppp")

_F_ETH, _F_DST, _F_SRC = field("eth"), field("eth.dst"), field("eth.src")
_F_TYPE, _F_LEN = field("eth.type"), field("eth.len")
_F_PADDING, _F_TRAILER, _F_FCS = field("eth.padding"), field("eth.trailer"), field("eth.fcs")
_F_PADDING_ITEM = field("replicap.item.eth.padding")
_F_TRAILER_ITEM = field("replicap.item.eth.trailer")
_F_VLAN, _F_PRIORITY, _F_DEI = field("vlan"), field("vlan.priority"), field("vlan.dei")
_F_ID, _F_ETYPE, _F_VLAN_LEN = field("vlan.id"), field("vlan.etype"), field("vlan.len")
_F_AD, _F_AD_ID = field("ieee8021ad"), field("ieee8021ad.id")
_F_SVID, _F_CVID = field("ieee8021ad.svid"), field("ieee8021ad.cvid")
_F_LLC, _F_SLL, _F_NULL = field("llc"), field("sll"), field("null")
_F_RAW, _F_CHDLC = field("raw"), field("chdlc")

_GROUP_SOURCE = text("source address is a group address")
_NEITHER = text("type/length field is neither a type nor a length")
_BEYOND = text("802.3 length goes beyond the frame")
_NO_ZEROS = text("no padding of zeros, and a trailer that nobody claims")
_MANY_TAGS = text("more than 20 nested tags")
_USERS = text("a link type of the user's own")
_LINK_TYPE = text("link type {} is not supported")


@inlined
def carries(kind: int) -> bool:
    """Whether packets of an EtherType are decoded here, once the link layer is done."""
    return kind in (IPV4, IPV6, ARP, RARP, DISCOVERY, SESSION)


@inlined
def entered_elsewhere(kind: int) -> bool:
    """EtherTypes of tunnels and carriers: left to another decoder."""
    return kind in (
        MPLS, MPLS_MULTICAST, 0x8903, 0x8926, 0x893F, 0x88E7, 0x6558, 0x88E5, 0x894F, 0xC0DE,
        0x4305, 0x22F3, 0xD28B,
    )  # fmt: skip


@inlined
def is_tag(kind: int) -> bool:
    """EtherTypes of tags."""
    return kind in (VLAN, OLD_VLAN, SERVICE)


@part
def left_over(sink: Sink, octets: NDArray[np.uint8]) -> int:
    """Padding, frame check sequence and trailer behind a payload that ended early."""
    at, limit = sink[LEFT_CUT], sink[LEFT_LIMIT]
    if sink[LEFT] == BEHIND_PACKET:
        at = sink[TRIM]
    if at < 0 or at >= limit:
        return OK
    begin = at
    frame_end = sink[FRAME_END]
    end = max(min(sink[DATA_END], frame_end), min(at, frame_end))
    if end <= at:
        return OK
    whole = sink[LENGTH]
    short_of = SMALLEST_FRAME - (whole - (limit - at))
    filled = whole >= SMALLEST_FRAME and short_of > 0
    if filled:
        stop = min(at + short_of, end)
        zeros = True
        for place in range(at, stop):
            zeros = zeros and u8(octets, place) == 0
        if zeros:
            if stop - at < short_of:
                return SHORT
            put_span(sink, _F_PADDING, at, stop - at)
            put_span(sink, _F_PADDING_ITEM, at, stop - at)
            at += short_of
    padded = begin != at
    return _trailer(sink, octets, (at, end, limit), filled and not padded)


@inlined
def _trailer(
    sink: Sink, octets: NDArray[np.uint8], place: tuple[int, int, int], unfilled: bool
) -> int:
    """Frame check sequence and trailer; ``unfilled``: a short packet was filled up with others."""
    at, end, limit = place
    reach = limit
    fcs = np.int64(-1)
    claimed = sink[FRAME_LIMIT] - sink[FRAME_START]
    if sink[LEFT_FCS] == UNKNOWN_FCS and claimed >= SMALLEST_FRAME + 4 and limit - at >= 4:
        limit -= 4
        if end < limit + 4:
            end = min(end, limit)
        else:
            end = limit
            fcs = u32(octets, limit)
    if limit > at:
        if end > at and sink[LEFT_NAMED] == 1:
            put_span(sink, _F_TRAILER, at, end - at)
            put_span(sink, _F_TRAILER_ITEM, at, end - at)
        if unfilled:
            expert(sink, NOTE, PROTOCOL_GROUP, _NO_ZEROS)
    if fcs >= 0:
        put(sink, _F_FCS, fcs)
    return SHORT if end < limit or (fcs < 0 and limit < reach) else OK


@inlined
def _look_behind(
    sink: Sink,
    what: int,
    payload: tuple[int, int],
    frame: tuple[int, int, int],
    named: bool,
    known_fcs: int,
) -> None:
    """Leave word that somebody looks at what a payload leaves over."""
    sink[LEFT], sink[LEFT_CUT], sink[LEFT_LIMIT] = what, payload[0], payload[1]
    sink[LEFT_NAMED], sink[LEFT_FCS] = named, known_fcs
    sink[FRAME_START], sink[FRAME_END], sink[FRAME_LIMIT] = frame


@part
def _llc_size(octets: NDArray[np.uint8], start: int, end: int) -> int:
    """Octets of an 802.2 header, with SNAP's: its three first octets tell."""
    if start + 2 <= end and u8(octets, start) == 0xAA and u8(octets, start + 1) == 0xAA:
        return 8
    return 3 if octet_or_0(octets, start + 2, end) & 3 == 3 else 4


@part
def llc(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """802.2, and what follows by SNAP's EtherType or by IP's own SAP."""
    enter(sink, _LLC)
    status = lacks(start, end, limit, 1)
    if status:
        return status
    item(sink, _F_LLC, start, end, _llc_size(octets, start, end))
    status = lacks(start, end, limit, 2) or lacks(start, end, limit, 3)
    if status:
        return status
    dsap, ssap = u8(octets, start), u8(octets, start + 1)
    if dsap == 0xAA and ssap == 0xAA:
        status = lacks(start, end, limit, 8)
        if status:
            return status
        organisation = (u16(octets, start + 3) << 8) | u8(octets, start + 5)
        kind = u16(octets, start + 6)
        if organisation in (0, 0xF8):
            if is_tag(kind) or kind in (MPLS, MPLS_MULTICAST):
                return DELEGATE
            if carries(kind):
                go_on(sink, kind, start + 8, end, limit)
                return OK
        data(sink, start + 8, end, limit, _DATA)
        return OK
    size = _llc_size(octets, start, end)
    status = lacks(start, end, limit, size)
    if status:
        return status
    if dsap == 6:
        go_on(sink, IPV4, start + size, end, limit)
        return OK
    data(sink, start + size, end, limit, _DATA)
    return OK


@inlined
def _length_frame(
    sink: Sink, octets: NDArray[np.uint8], frame: tuple[int, int, int], kind: int, known_fcs: int
) -> int:
    """802.3: LLC, or Novell's IPX."""
    start, end, limit = frame[0] + 14, frame[1], frame[2]
    put(sink, _F_LEN, kind)
    before = limit
    if kind > limit - start:
        expert(sink, ERROR, MALFORMED_GROUP, _BEYOND)
    if start + kind < limit:
        limit = start + kind
        end = min(end, limit)
    if start + 2 <= sink[DATA_END] and u8(octets, start) == 255 and u8(octets, start + 1) == 255:
        enter(sink, _IPX)
        status = lacks(start, end, limit, 30)
    else:
        status = llc(sink, octets, start, end, limit)
    _look_behind(sink, BEHIND_LENGTH, (limit, before), frame, True, known_fcs)
    return status


@inlined
def ethernet(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, known_fcs: int
) -> int:
    """Ethernet II or 802.3."""
    enter(sink, _ETH)
    status = lacks(start, end, limit, 14)
    if status:
        return status
    item(sink, _F_ETH, start, end, 14)
    put_span(sink, _F_DST, start, 6)
    put_span(sink, _F_SRC, start + 6, 6)
    if u8(octets, start + 6) & 1:
        expert(sink, WARNING, PROTOCOL_GROUP, _GROUP_SOURCE)
    kind = u16(octets, start + 12)
    if 0 < kind <= LARGEST_LENGTH:
        return _length_frame(sink, octets, (start, end, limit), kind, known_fcs)
    if LARGEST_LENGTH < kind < SMALLEST_TYPE:
        expert(sink, WARNING, PROTOCOL_GROUP, _NEITHER)
        data(sink, start + 14, end, limit, _DATA)
        return OK
    put(sink, _F_TYPE, kind)
    return ethertype(sink, octets, kind, (start + 14, end, limit), (start, end, limit), known_fcs)


NO_TRAILER = -2
"""In place of octets of FCS: nobody looks for what a payload leaves over."""


@inlined
def ethertype(
    sink: Sink,
    octets: NDArray[np.uint8],
    kind: int,
    payload: tuple[int, int, int],
    frame: tuple[int, int, int],
    known_fcs: int,
) -> int:
    """Any stack of tags, the packet behind it, and what that leaves over of its frame."""
    named = True
    start, end, limit = payload
    while True:
        append(sink, _ETHERTYPE)
        if not is_tag(kind):
            break
        double = kind == SERVICE
        if double:
            status, kind, size = _service_tag(sink, octets, start, end, limit)
        else:
            status, kind, size = _vlan_tag(sink, octets, start, end, limit)
        if status:
            return status
        named, known_fcs = False, 0
        frame = (start, end, limit)
        start += size
        sink[DEPTH] += 1
        if not double and 0 < kind <= LARGEST_LENGTH:
            return _tagged_length(sink, octets, kind, (start, end, limit), frame)
        if not double:
            put(sink, _F_ETYPE, kind)
        if sink[DEPTH] > MOST_TAGS:
            undecoded(sink, _MANY_TAGS)
            return OK
    if entered_elsewhere(kind):
        return DELEGATE
    if not carries(kind):
        if limit <= start:
            leave(sink)
        data(sink, start, end, limit, _DATA)
        return OK
    go_on(sink, kind, start, end, limit)
    if known_fcs != NO_TRAILER:
        _look_behind(sink, BEHIND_PACKET, (limit, limit), frame, named, known_fcs)
    return OK


@inlined
def _vlan_tag(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int
) -> tuple[int, int, int]:
    """802.1Q: status, what follows, octets."""
    enter(sink, _VLAN)
    status = lacks(start, end, limit, 2)
    if status:
        return status, 0, 0
    control = u16(octets, start)
    item(sink, _F_VLAN, start, end, 4)
    put(sink, _F_PRIORITY, control >> 13)
    put(sink, _F_DEI, (control >> 12) & 1)
    put(sink, _F_ID, control & 0xFFF)
    status = lacks(start, end, limit, 4)
    if status:
        return status, 0, 0
    return OK, u16(octets, start + 2), 4


@inlined
def _service_tag(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int
) -> tuple[int, int, int]:
    """802.1ad: one tag, or two in a row: status, what follows, octets."""
    enter(sink, _AD)
    status = lacks(start, end, limit, 4)
    if status:
        return status, 0, 0
    control, kind = u16(octets, start), u16(octets, start + 2)
    put(sink, _F_AD, 1)
    if kind != SERVICE:
        put(sink, _F_AD_ID, control & 0xFFF)
        return OK, kind, 4
    put(sink, _F_SVID, control & 0xFFF)
    status = lacks(start, end, limit, 8)
    if status:
        return status, 0, 0
    put(sink, _F_CVID, u16(octets, start + 4) & 0xFFF)
    return OK, u16(octets, start + 6), 8


@inlined
def _tagged_length(
    sink: Sink,
    octets: NDArray[np.uint8],
    kind: int,
    payload: tuple[int, int, int],
    frame: tuple[int, int, int],
) -> int:
    """An 802.3 length behind an 802.1Q tag."""
    start, end, limit = payload
    put(sink, _F_VLAN_LEN, kind)
    before = limit
    if start + kind < limit:
        limit = start + kind
        end = min(end, limit)
    _look_behind(sink, BEHIND_LENGTH, (limit, before), frame, False, 0)
    return llc(sink, octets, start, end, limit)


@part
def cooked(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, second: bool
) -> int:
    """Linux cooked capture, version 1 and 2."""
    enter(sink, _SLL)
    size = 20 if second else 16
    if lacks(start, end, limit, size if second else 4) == OK:
        item(sink, _F_SLL, start, end, size)
    status = lacks(start, end, limit, size)
    if status:
        return status
    kind = u16(octets, start) if second else u16(octets, start + 14)
    hardware = u16(octets, start + 8) if second else u16(octets, start + 2)
    start += size
    if kind == 4:
        return llc(sink, octets, start, end, limit)
    if kind < SMALLEST_TYPE:
        data(sink, start, end, limit, _DATA)
        return OK
    if hardware == GRE_HARDWARE:
        return DELEGATE
    payload = (start, end, limit)
    return ethertype(sink, octets, kind, payload, payload, NO_TRAILER)


@inlined
def _loopback(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """BSD loopback: an address family, in either byte order."""
    enter(sink, _NULL)
    status = lacks(start, end, limit, 4)
    if status:
        return status
    item(sink, _F_NULL, start, end, 4)
    family = u32(octets, start)
    little = u8(octets, start) | (u8(octets, start + 1) << 8)
    if u8(octets, start + 2) == 0 and u8(octets, start + 3) == 0:
        family = little
    start += 4
    if family == 2:
        go_on(sink, IPV4, start, end, limit)
        return OK
    if family in (24, 28, 30):
        go_on(sink, IPV6, start, end, limit)
        return OK
    if is_tag(family) or family in (MPLS, MPLS_MULTICAST):
        return DELEGATE
    if carries(family):
        go_on(sink, family, start, end, limit)
        return OK
    data(sink, start, end, limit, _DATA)
    return OK


@inlined
def _raw(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """Packets without a link header."""
    enter(sink, _RAW)
    put(sink, _F_RAW, 1)
    status = lacks(start, end, limit, 8)
    if status:
        return status
    version = u8(octets, start) >> 4
    if version in (4, 6):
        go_on(sink, IPV4 if version == 4 else IPV6, start, end, limit)
        return OK
    data(sink, start, end, limit, _DATA)
    return OK


@inlined
def _cisco(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """Cisco HDLC: address, control, EtherType."""
    enter(sink, _CHDLC)
    status = lacks(start, end, limit, 4)
    if status:
        return status
    put(sink, _F_CHDLC, 1)
    kind = u16(octets, start + 2)
    start += 4
    if kind == RARP:
        append(sink, _SLARP)
        return OK
    if kind in (MPLS, MPLS_MULTICAST):
        return DELEGATE
    if carries(kind):
        go_on(sink, kind, start, end, limit)
        return OK
    data(sink, start, end, limit, _DATA)
    return OK


@merged
def link_layer(
    sink: Sink,
    octets: NDArray[np.uint8],
    link: int,
    frame: tuple[int, int, int],
    known_fcs: int,
) -> int:
    """A frame of any link type; ``frame``: its start, its captured end, its claimed end."""
    start, end, limit = frame
    if link == ETHERNET:
        return ethernet(sink, octets, start, end, limit, known_fcs)
    if link in (COOKED, COOKED_2):
        return cooked(sink, octets, start, end, limit, link == COOKED_2)
    if link in (RAW, RAW_BSD, RAW_OPENBSD):
        return _raw(sink, octets, start, end, limit)
    if link in (RAW_4, RAW_6):
        go_on(sink, IPV4 if link == RAW_4 else IPV6, start, end, limit)
        return OK
    if link in (NULL, LOOP):
        return _loopback(sink, octets, start, end, limit)
    if link == PPPOE:
        go_on(sink, SESSION, start, end, limit)
        return OK
    return _rare_link(sink, octets, link, start, end, limit)


@inlined
def _rare_link(
    sink: Sink, octets: NDArray[np.uint8], link: int, start: int, end: int, limit: int
) -> int:
    if link in (PPP, PPP_HDLC):
        enter(sink, _PPP)
        status = lacks(start, end, limit, 1)
        if status:
            return status
        if u8(octets, start) in (0x0F, 0x8F):
            return _cisco(sink, octets, start, end, limit)
        return serial(sink, octets, start, end, limit)
    if link == CISCO:
        return _cisco(sink, octets, start, end, limit)
    if link == FDDI:
        enter(sink, _FDDI)
        status = lacks(start, end, limit, 13)
        return status if status else llc(sink, octets, start + 13, end, limit)
    if link == ANOTHERS_BLOCK:
        return DELEGATE
    if link == CUSTOM_BLOCK:
        data(sink, start, end, limit, _DATA)
    elif link == JOURNAL_BLOCK:
        append(sink, _JOURNAL)
    elif FIRST_USER <= link <= LAST_USER:
        enter(sink, _USER)
        expert(sink, WARNING, UNDECODED, _USERS)
        data(sink, start, end, limit, _DATA)
    else:
        undecoded(sink, _LINK_TYPE + link)
    return OK
