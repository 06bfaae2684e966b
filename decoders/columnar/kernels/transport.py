"""Kernels of TCP (RFC 9293), UDP (RFC 768) and UDP-Lite (RFC 3828)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACT_FLAGS, FACT_SEQ, HAS_FLAGS, HAS_SEQ, KIND_TCP, KIND_UDP
from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.application import tcp_payload, udp_payload
from decoders.columnar.kernels.facts import decide, note, note_ports
from decoders.columnar.kernels.sink import (
    AS_DATA,
    BY_NAME,
    CHAT,
    CHECKSUM_GROUP,
    DST,
    ERROR,
    HEADER_ACK,
    HEADER_AT,
    HEADER_CUT,
    HEADER_DST_HI,
    HEADER_DST_LO,
    HEADER_DSTPORT,
    HEADER_FLAGS,
    HEADER_HANDS_UP,
    HEADER_LENGTH,
    HEADER_QUOTED,
    HEADER_ROW,
    HEADER_SCALE,
    HEADER_SEEN,
    HEADER_SEQ,
    HEADER_SHOWN,
    HEADER_SRC_HI,
    HEADER_SRC_LO,
    HEADER_SRCPORT,
    HEADER_TCP,
    HEADER_VERSION,
    HEADER_WINDOW,
    HEADERS_WANTED,
    MALFORMED_GROUP,
    NODE,
    NOTE,
    OK,
    PROTOCOL_GROUP,
    ROW,
    SEQUENCE,
    SIDE,
    SRC,
    TCP_HEADERS,
    TRIE_AT,
    UDP_HEADERS,
    V6_ADDRESS,
    VERSION,
    WARNING,
    WIDTH,
    Sink,
    enter,
    expert,
    item,
    lacks,
    octet_or_0,
    put,
    u8,
    u16,
    u32,
)
from decoders.columnar.numbers import field, protocol, text
from decoders.tcp_flags import ACK, AE, CWR, ECE, FIN, PSH, RESERVED, RST, SYN, URG

ABSENT, NO_SCALE_OPTION = -1, -2
WITH_STREAM = 16
MSS, WINDOW_SCALE = 2, 3
MOST_SCALE = 14
UNVERIFIED, NO_CHECKSUM, ILLEGAL_CHECKSUM = 2, 3, 4
FIRST_TRACEROUTE, LAST_TRACEROUTE = 33435, 33464

_TCP, _UDP, _UDPLITE = protocol("tcp"), protocol("udp"), protocol("udplite")
_DATA = protocol("data")

_F_TCP, _F_SRCPORT, _F_DSTPORT = field("tcp"), field("tcp.srcport"), field("tcp.dstport")
_F_SRC, _F_DST = field("replicap.tcp.src"), field("replicap.tcp.dst")
_F_SEQ, _F_SEQ_RAW = field("tcp.seq"), field("tcp.seq_raw")
_F_ACK, _F_ACK_RAW = field("tcp.ack"), field("tcp.ack_raw")
_F_LEN, _F_HDR_LEN, _F_WINDOW = (
    field("tcp.len"),
    field("tcp.hdr_len"),
    field("tcp.window_size_value"),
)
_F_FLAGS, _F_RES, _F_AE = field("tcp.flags"), field("tcp.flags.res"), field("tcp.flags.ae")
_F_CWR, _F_ECE, _F_URG = field("tcp.flags.cwr"), field("tcp.flags.ece"), field("tcp.flags.urg")
_F_FLAG_ACK, _F_PUSH = field("tcp.flags.ack"), field("tcp.flags.push")
_F_RESET, _F_SYN = field("tcp.flags.reset"), field("tcp.flags.syn")
_F_FIN, _F_STR = field("tcp.flags.fin"), field("tcp.flags.str")
_F_CHECKSUM, _F_STATUS = field("tcp.checksum"), field("tcp.checksum.status")
_F_URGENT = field("tcp.urgent_pointer")
_F_C_SYN, _F_C_SYNACK = field("tcp.connection.syn"), field("tcp.connection.synack")
_F_C_FIN, _F_C_RST = field("tcp.connection.fin"), field("tcp.connection.rst")

_F_UDP, _F_UDPLITE = field("udp"), field("udplite")
_F_USRCPORT, _F_UDSTPORT = field("udp.srcport"), field("udp.dstport")
_F_USRC, _F_UDST = field("replicap.udp.src"), field("replicap.udp.dst")
_F_ULENGTH, _F_UCHECKSUM = field("udp.length"), field("udp.checksum")
_F_USTATUS = field("udp.checksum.status")

_SMALL_HEADER = text("TCP header length of {} octets, below 20")
_SHORTER = text("segment shorter than its header")
_SYNACK_FROM = text("SYN+ACK from server port {}")
_SYN_TO = text("SYN to server port {}")
_FIN_SEEN, _RST_SEEN = text("FIN"), text("RST")
_ACK_WITHOUT = text("acknowledgment number without ACK flag")
_URGENT_WITHOUT = text("urgent pointer without URG flag")
_BEHIND_END = text("octets behind the end of options")
_FOUR_NOPS = text("four NOP options in a row")
_BAD_OPTION = text("bad option length")
_NO_MSS = text("SYN with options but without a maximum segment size")
_MSS_WITHOUT = text("maximum segment size without SYN")
_LARGE_SCALE = text("window scale {}, above 14")
_ZERO_LENGTH = text("UDP length 0 of a datagram that is no jumbogram")
_SMALL_LENGTH = text("UDP length {}, below 8")
_LARGE_LENGTH = text("UDP length {} goes beyond the IP payload")
_ZERO_CHECKSUM = text("UDP checksum 0 over IPv6")
_TRACEROUTE = text("possible traceroute")


@inlined
def _shown_address(version: int, address: int) -> int:
    return address | V6_ADDRESS if version == 6 else address


@inlined
def _ends(sink: Sink, src: int, dst: int) -> None:
    put(sink, src, _shown_address(sink[VERSION], sink[SRC]))
    put(sink, dst, _shown_address(sink[VERSION], sink[DST]))


@part
def _address(octets: NDArray[np.uint8], version: int, address: int) -> tuple[int, int]:
    """The two halves of an address."""
    if version != 6:
        return 0, address
    return (
        (u32(octets, address) << 32) | u32(octets, address + 4),
        (u32(octets, address + 8) << 32) | u32(octets, address + 12),
    )


@inlined
def _header(
    sink: Sink, octets: NDArray[np.uint8], is_tcp: bool, srcport: int, dstport: int
) -> None:
    """Note a header for the conversations."""
    if not sink[HEADERS_WANTED] & (TCP_HEADERS if is_tcp else UDP_HEADERS):
        return
    sink[HEADER_SEEN] = 1
    version = sink[VERSION]
    sink[HEADER_AT + HEADER_ROW], sink[HEADER_AT + HEADER_TCP] = sink[ROW], is_tcp
    sink[HEADER_AT + HEADER_QUOTED], sink[HEADER_AT + HEADER_VERSION] = sink[SIDE], version
    high, low = _address(octets, version, sink[SRC])
    sink[HEADER_AT + HEADER_SRC_HI], sink[HEADER_AT + HEADER_SRC_LO] = high, low
    high, low = _address(octets, version, sink[DST])
    sink[HEADER_AT + HEADER_DST_HI], sink[HEADER_AT + HEADER_DST_LO] = high, low
    sink[HEADER_AT + HEADER_SRCPORT], sink[HEADER_AT + HEADER_DSTPORT] = srcport, dstport


@inlined
def _own_octets(octets: NDArray[np.uint8], start: int, end: int) -> int:
    """Octets of a TCP header with its options; without them when they are not all there."""
    size = (octet_or_0(octets, start + 12, end) >> 4) * 4
    return size if end - start >= size else 20


@inlined
def tcp(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """A TCP header and what it carries."""
    enter(sink, _TCP)
    decide(sink, KIND_TCP)
    status = lacks(start, end, limit, 4)
    if status:
        return status
    srcport, dstport = u16(octets, start), u16(octets, start + 2)
    item(sink, _F_TCP, start, end, _own_octets(octets, start, end))
    put(sink, _F_SRCPORT, srcport)
    put(sink, _F_DSTPORT, dstport)
    note_ports(sink, srcport, dstport, KIND_TCP)
    _ends(sink, _F_SRC, _F_DST)
    quoted = sink[SIDE] == 1
    quoted_v4 = quoted and sink[VERSION] == 4
    if end - start < WITH_STREAM:
        if quoted_v4 and end - start >= 8:
            put(sink, _F_SEQ, u32(octets, start + 4))
        return lacks(start, end, limit, WITH_STREAM)
    seq, ack = u32(octets, start + 4), u32(octets, start + 8)
    word, window = u16(octets, start + 12), u16(octets, start + 14)
    flags, size = word & 0xFFF, (word >> 12) * 4
    length = np.int64(ABSENT)
    if limit - start >= size and not quoted:
        length = limit - start - size
    _header(sink, octets, True, srcport, dstport)
    sink[HEADER_AT + HEADER_SEQ], sink[HEADER_AT + HEADER_ACK] = seq, ack
    sink[HEADER_AT + HEADER_FLAGS] = flags
    sink[HEADER_AT + HEADER_WINDOW], sink[HEADER_AT + HEADER_LENGTH] = window, length
    sink[HEADER_AT + HEADER_CUT], sink[HEADER_AT + HEADER_SCALE] = 0, ABSENT
    sink[HEADER_AT + HEADER_SHOWN], sink[HEADER_AT + HEADER_HANDS_UP] = 0, 0
    put(sink, _F_HDR_LEN, size)
    if length >= 0:
        put(sink, _F_LEN, length)
    if not quoted_v4:
        put(sink, _F_SEQ_RAW, seq)
    note(sink, FACT_SEQ, HAS_SEQ, seq)
    if size < 20:
        expert(sink, ERROR, PROTOCOL_GROUP, _SMALL_HEADER + size)
        return OK
    if quoted:
        put(sink, _F_SEQ, seq)
        put(sink, _F_ACK, ack)
    put(sink, _F_ACK_RAW, ack)
    put(sink, _F_WINDOW, window)
    _flags(sink, flags)
    note(sink, FACT_FLAGS, HAS_FLAGS, flags)
    if limit - start < size and not quoted:
        expert(sink, WARNING, MALFORMED_GROUP, _SHORTER)
    _judge_flags(sink, flags, ack, srcport, dstport)
    sink[HEADER_AT + HEADER_SHOWN] = not quoted
    sink[HEADER_AT + HEADER_CUT] = end - start < size
    return _rest(sink, octets, (start, end, limit), size, flags)


@inlined
def _flags(sink: Sink, flags: int) -> None:
    put(sink, _F_FLAGS, flags)
    put(sink, _F_RES, (flags & RESERVED) != 0)
    put(sink, _F_AE, (flags & AE) != 0)
    put(sink, _F_CWR, (flags & CWR) != 0)
    put(sink, _F_ECE, (flags & ECE) != 0)
    put(sink, _F_URG, (flags & URG) != 0)
    put(sink, _F_FLAG_ACK, (flags & ACK) != 0)
    put(sink, _F_PUSH, (flags & PSH) != 0)
    put(sink, _F_RESET, (flags & RST) != 0)
    put(sink, _F_SYN, (flags & SYN) != 0)
    put(sink, _F_FIN, (flags & FIN) != 0)
    put(sink, _F_STR, flags)


@inlined
def _judge_flags(sink: Sink, flags: int, ack: int, srcport: int, dstport: int) -> None:
    if flags & SYN:
        if flags & ACK:
            put(sink, _F_C_SYNACK, 1)
            expert(sink, CHAT, SEQUENCE, _SYNACK_FROM + srcport)
        else:
            put(sink, _F_C_SYN, 1)
            expert(sink, CHAT, SEQUENCE, _SYN_TO + dstport)
    if flags & FIN:
        put(sink, _F_C_FIN, 1)
        expert(sink, CHAT, SEQUENCE, _FIN_SEEN)
    if flags & RST:
        put(sink, _F_C_RST, 1)
        expert(sink, WARNING, SEQUENCE, _RST_SEEN)
    if ack and not flags & ACK:
        expert(sink, NOTE, PROTOCOL_GROUP, _ACK_WITHOUT)


@inlined
def _rest(
    sink: Sink,
    octets: NDArray[np.uint8],
    segment: tuple[int, int, int],
    size: int,
    flags: int,
) -> int:
    """Checksum, urgent pointer, options and payload."""
    start, end, limit = segment
    status = lacks(start, end, limit, 18)
    if status:
        return status
    put(sink, _F_CHECKSUM, u16(octets, start + 16))
    put(sink, _F_STATUS, UNVERIFIED)
    status = lacks(start, end, limit, 20)
    if status:
        return status
    urgent = u16(octets, start + 18)
    put(sink, _F_URGENT, urgent)
    if urgent and not flags & URG:
        expert(sink, NOTE, PROTOCOL_GROUP, _URGENT_WITHOUT)
    if size > 20:
        status, scale = _options(sink, octets, segment, size, flags)
        if scale == ABSENT and flags & SYN and end - start >= size:
            scale = NO_SCALE_OPTION
        sink[HEADER_AT + HEADER_SCALE] = scale
    if status:
        return status
    status = lacks(start, end, limit, size)
    if status:
        return status
    if limit > start + size and not flags & RST:
        before = sink[NODE]
        ports = u16(octets, start), u16(octets, start + 2)
        status = tcp_payload(sink, octets, start + size, end, limit, ports[0], ports[1])
        if sink[NODE] != before:
            as_data = sink[NODE] == sink[TRIE_AT + before * WIDTH + _DATA]
            sink[HEADER_AT + HEADER_HANDS_UP] = AS_DATA if as_data else BY_NAME
    return status


@part
def _options(
    sink: Sink, octets: NDArray[np.uint8], segment: tuple[int, int, int], size: int, flags: int
) -> tuple[int, int]:
    """Status, and the window scale or ABSENT; says what is wrong with the options."""
    start, end, limit = segment
    at, stop = start + 20, start + size
    scale = np.int64(ABSENT)
    nops = 0
    has_mss = False
    while at < stop:
        status = lacks(at, end, limit, 1)
        if status:
            return status, scale
        kind = u8(octets, at)
        if kind == 0:
            status = lacks(start, end, limit, size)
            if status:
                return status, scale
            _judge_end(sink, octets, at + 1, stop)
            break
        if kind == 1:
            nops += 1
            if nops == 4:
                expert(sink, WARNING, PROTOCOL_GROUP, _FOUR_NOPS)
            at += 1
            continue
        nops = 0
        has_mss = has_mss or kind == MSS
        status = lacks(at, end, limit, 2)
        if status:
            return status, scale
        length = u8(octets, at + 1)
        beyond = length < 2 or at + length > stop
        if beyond or not _fits(kind, length):
            expert(sink, NOTE, SEQUENCE, _BAD_OPTION)
            if beyond:
                return OK, scale
        status = lacks(at, end, limit, length)
        if status:
            return status, scale
        scale = _option(sink, octets, at, flags, scale)
        at += length
    if flags & SYN and not has_mss:
        expert(sink, NOTE, PROTOCOL_GROUP, _NO_MSS)
    return OK, scale


@inlined
def _judge_end(sink: Sink, octets: NDArray[np.uint8], at: int, stop: int) -> None:
    """Behind the end of options there are zeros."""
    filled = False
    for place in range(at, stop):
        filled = filled or u8(octets, place) != 0
    if filled:
        expert(sink, ERROR, PROTOCOL_GROUP, _BEHIND_END)


@inlined
def _option(sink: Sink, octets: NDArray[np.uint8], at: int, flags: int, scale: int) -> int:
    """The window scale, when this option gives one that is believed (RFC 7323 section 2.3)."""
    kind, length = u8(octets, at), u8(octets, at + 1)
    if kind == MSS and not flags & SYN:
        expert(sink, WARNING, PROTOCOL_GROUP, _MSS_WITHOUT)
    if kind == WINDOW_SCALE and length == 3:
        scale = u8(octets, at + 2)
        if scale > MOST_SCALE:
            expert(sink, WARNING, PROTOCOL_GROUP, _LARGE_SCALE + scale)
            scale = np.int64(MOST_SCALE)
    return scale


@inlined
def _fits(kind: int, length: int) -> bool:
    """Whether an option of that kind has that length."""
    if kind == MSS:
        return length == 4
    if kind == WINDOW_SCALE:
        return length == 3
    if kind == 4:
        return length == 2
    return length == 10 if kind == 8 else True


@inlined
def _enter_udp(sink: Sink, lite: bool) -> None:
    if lite:
        enter(sink, _UDPLITE)
    else:
        enter(sink, _UDP)
        decide(sink, KIND_UDP)


@part
def udp(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, lite: bool) -> int:
    """A UDP or UDP-Lite header and what it carries."""
    _enter_udp(sink, lite)
    status = lacks(start, end, limit, 4)
    if status:
        return status
    srcport, dstport = u16(octets, start), u16(octets, start + 2)
    if lite:
        put(sink, _F_UDPLITE, 1)
    else:
        item(sink, _F_UDP, start, end, 8)
    put(sink, _F_USRCPORT, srcport)
    put(sink, _F_UDSTPORT, dstport)
    note_ports(sink, srcport, dstport, KIND_UDP)
    _ends(sink, _F_USRC, _F_UDST)
    status = lacks(start, end, limit, 6)
    if status:
        return status
    length = u16(octets, start + 4)
    put(sink, _F_ULENGTH, length)
    version_6 = sink[VERSION] == 6
    if not lite:
        if not _believe_length(sink, length, limit - start, version_6):
            return OK
        if length:
            limit = min(limit, start + length)
            end = min(end, limit)
    status = lacks(start, end, limit, 8)
    if status:
        return status
    checksum = u16(octets, start + 6)
    put(sink, _F_UCHECKSUM, checksum)
    _checksum_status(sink, checksum, version_6)
    _header(sink, octets, False, srcport, dstport)
    low, high = min(srcport, dstport), max(srcport, dstport)
    first, last = FIRST_TRACEROUTE, LAST_TRACEROUTE
    if first <= low <= last or first <= high <= last:
        expert(sink, CHAT, SEQUENCE, _TRACEROUTE)
    if limit > start + 8 or (not lite and length > 8):
        return udp_payload(sink, octets, start + 8, end, limit, low, high)
    return OK


@inlined
def _believe_length(sink: Sink, length: int, claimed: int, version_6: bool) -> bool:
    if length == 0 and version_6:
        expert(sink, WARNING, PROTOCOL_GROUP, _ZERO_LENGTH)
    if length < 8 and not (length == 0 and version_6):
        expert(sink, ERROR, MALFORMED_GROUP, _SMALL_LENGTH + length)
        return False
    if length > claimed and not sink[SIDE]:
        expert(sink, ERROR, MALFORMED_GROUP, _LARGE_LENGTH + length)
    return True


@inlined
def _checksum_status(sink: Sink, checksum: int, version_6: bool) -> None:
    status = UNVERIFIED
    if checksum == 0:
        status = NO_CHECKSUM
        if version_6:
            status = ILLEGAL_CHECKSUM
            expert(sink, ERROR, CHECKSUM_GROUP, _ZERO_CHECKSUM)
    put(sink, _F_USTATUS, status)
