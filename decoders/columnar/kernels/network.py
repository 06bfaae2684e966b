"""Kernels of ARP, IPv4 and IPv6, and the loop over what is inside what.

A layer does not call the next one: it leaves in the state what comes next. Fragments, packets in
packets and extension headers carried by IPv4 are left to another decoder.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import KIND_CONTROL
from decoders.columnar.jit import inlined, merged, part
from decoders.columnar.kernels.facts import (
    decide,
    note_pair_4,
    note_pair_6,
    note_version,
)
from decoders.columnar.kernels.icmp import icmp, icmpv6
from decoders.columnar.kernels.ppp import discovery, session
from decoders.columnar.kernels.sink import (
    CHAT,
    DELEGATE,
    DEPRECATED,
    DEPTH,
    DST,
    ERROR,
    MALFORMED,
    MALFORMED_GROUP,
    NEXT,
    NEXT_END,
    NEXT_LIMIT,
    NEXT_START,
    NOTE,
    OK,
    PROTO,
    PROTOCOL_GROUP,
    QUOTES,
    SEQUENCE,
    SIDE,
    SRC,
    TRIM,
    VERSION,
    WARNING,
    Sink,
    append,
    data,
    enter,
    expert,
    go_on_with_protocol,
    item,
    lacks,
    leave,
    octet_or_0,
    put,
    put_span,
    turn_to,
    u8,
    u16,
    u16_or_0,
    u32,
    undecoded,
)
from decoders.columnar.kernels.transport import tcp, udp
from decoders.columnar.numbers import field, protocol, text

IPV4, IPV6, ARP, RARP = 0x0800, 0x86DD, 0x0806, 0x8035
DISCOVERY, SESSION = 0x8863, 0x8864

ICMP, IGMP, TCP, UDP, ESP, ICMPV6, PIM, SCTP, UDPLITE = 1, 2, 6, 17, 50, 58, 103, 132, 136
IPIP, SIX_IN_FOUR, GRE, ETHERIP, ENCAP, L2TP, MPLS_IN_IP = 4, 41, 47, 97, 98, 115, 137
HOP_BY_HOP, ROUTING, FRAGMENT, AH, NO_NEXT, DESTINATION, MOBILITY = 0, 43, 44, 51, 59, 60, 135
OSPF = 89
PIM_REGISTER = 0x21
MORE_OR_OFFSET = 0x3FFF
MOST_DEPTH = 24
MOST_EXTENSIONS = 32

_ARP, _IP, _IPV6, _DATA = protocol("arp"), protocol("ip"), protocol("ipv6"), protocol("data")
_HOPOPTS, _DSTOPTS = protocol("ipv6.hopopts"), protocol("ipv6.dstopts")
_ROUTING, _AH, _MIPV6 = protocol("ipv6.routing"), protocol("ah"), protocol("mipv6")
_IGMP, _ESP, _SCTP, _PIM = protocol("igmp"), protocol("esp"), protocol("sctp"), protocol("pim")

_F_ARP, _F_OPCODE = field("arp"), field("arp.opcode")
_F_ARP_SRC, _F_ARP_DST = field("arp.src.proto_ipv4"), field("arp.dst.proto_ipv4")
_F_IP, _F_VERSION, _F_HDR_LEN = field("ip"), field("ip.version"), field("ip.hdr_len")
_F_LEN, _F_ID, _F_RB = field("ip.len"), field("ip.id"), field("ip.flags.rb")
_F_DF, _F_MF, _F_OFFSET = field("ip.flags.df"), field("ip.flags.mf"), field("ip.frag_offset")
_F_TTL, _F_PROTO = field("ip.ttl"), field("ip.proto")
_F_CHECKSUM, _F_STATUS = field("ip.checksum"), field("ip.checksum.status")
_F_SRC, _F_DST = field("ip.src"), field("ip.dst")
_F_IPV6, _F_PLEN, _F_NXT = field("ipv6"), field("ipv6.plen"), field("ipv6.nxt")
_F_HLIM, _F_SRC6, _F_DST6 = field("ipv6.hlim"), field("ipv6.src"), field("ipv6.dst")
_F_HOPOPTS, _F_DSTOPTS = field("ipv6.hopopts"), field("ipv6.dstopts")
_F_ROUTING, _F_AH = field("ipv6.routing"), field("ah")
_F_IGMP, _F_ESP, _F_SCTP = field("igmp"), field("esp"), field("sctp")

_WRONG_VERSION = text("IP version {} in an IPv4 packet")
_SMALL_HEADER = text("IPv4 header length of {} octets, below 20")
_SMALL_TOTAL = text("IPv4 total length {} below its header's length")
_LARGE_TOTAL = text("IPv4 total length {} goes beyond the packet")
_LOCAL_TTL = text("TTL {} to a local control address")
_LOW_TTL = text("TTL {} is low")
_FOUR_NOPS = text("four NOP options in a row")
_BAD_OPTION = text("bad option length")
_LYING_ROUTE = text("a source route's pointer points to no address")
_WRONG_VERSION_6 = text("IP version {} in an IPv6 packet")
_SMALL_HEADER_6 = text("IPv6 header of less than 40 octets")
_NO_JUMBO = text("IPv6 payload length is 0 without a jumbo payload")
_NO_PAYLOAD = text("IPv6 payload length is 0")
_LARGE_PAYLOAD = text("IPv6 payload length {} goes beyond the packet")
_OLD_ROUTING = text("routing header type 0 (RFC 5095)")
_REGISTER = text("PIM Register is not entered")
_ETHERIP = text("EtherIP is not entered")
_ENCAP = text("an encapsulation header is not entered")
_L2TP = text("L2TP is not entered")
_MPLS_IN_IP = text("MPLS in IP is not entered")


@merged
def upper(
    sink: Sink, octets: NDArray[np.uint8], kind: int, start: int, end: int, limit: int
) -> int:
    """A packet of an EtherType, and all that it carries.

    Leaves in TRIM where ARP or IP cut the octets that were handed in, or -1. Within a quoted packet
    reading beyond what it claims is expected.
    """
    sink[TRIM] = -1
    first = True
    trim = np.int64(-1)
    status = OK
    while True:
        status = _network(sink, octets, kind, start, end, limit)
        if first:
            trim, first = sink[TRIM], False
        if status == OK and sink[PROTO] >= 0:
            proto = sink[PROTO]
            sink[PROTO] = -1
            place = sink[NEXT_START], sink[NEXT_END], sink[NEXT_LIMIT]
            status = _payload(sink, octets, proto, place[0], place[1], place[2])
        if status != OK or sink[NEXT] == 0:
            break
        kind, start, end, limit = sink[NEXT], sink[NEXT_START], sink[NEXT_END], sink[NEXT_LIMIT]
        sink[NEXT] = 0
        if sink[QUOTES]:
            sink[QUOTES] = 0
            turn_to(sink, 1)
            sink[DEPTH] += 1
    if status == MALFORMED and sink[SIDE] == 1:
        status = OK
    turn_to(sink, 0)
    sink[TRIM] = trim
    return status


@merged
def _network(
    sink: Sink, octets: NDArray[np.uint8], kind: int, start: int, end: int, limit: int
) -> int:
    if kind == IPV4:
        return ipv4(sink, octets, start, end, limit)
    if kind == SESSION:
        return session(sink, octets, start, end, limit)
    if kind == IPV6:
        return ipv6(sink, octets, start, end, limit)
    if kind == DISCOVERY:
        return discovery(sink, octets, start, end, limit)
    return arp(sink, octets, start, end, limit)


@merged
def _payload(
    sink: Sink, octets: NDArray[np.uint8], proto: int, start: int, end: int, limit: int
) -> int:
    """What an IP packet carries, by protocol number."""
    if sink[SIDE] and limit <= start:
        return OK
    sink[DEPTH] += 1
    if sink[DEPTH] > MOST_DEPTH:
        return DELEGATE
    if proto == TCP:
        return tcp(sink, octets, start, end, limit)
    if proto in (UDP, UDPLITE):
        return udp(sink, octets, start, end, limit, proto == UDPLITE)
    if proto == ICMP:
        return icmp(sink, octets, start, end, limit)
    if proto == ICMPV6:
        return icmpv6(sink, octets, start, end, limit)
    return _rare_payload(sink, octets, proto, start, end, limit)


@part
def _rare_payload(
    sink: Sink, octets: NDArray[np.uint8], proto: int, start: int, end: int, limit: int
) -> int:
    if proto in (IPIP, SIX_IN_FOUR, GRE, HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION):
        return DELEGATE
    if proto == IGMP:
        status = _recognised(sink, start, end, limit, _IGMP, _F_IGMP, 1)
        if status == OK and u8(octets, start) in (0x11, 0x12, 0x16, 0x17, 0x22):
            append(sink, _IGMP)
        return status
    if proto == ESP:
        return _recognised(sink, start, end, limit, _ESP, _F_ESP, 8)
    if proto == SCTP:
        return _recognised(sink, start, end, limit, _SCTP, _F_SCTP, 12)
    if proto == PIM:
        enter(sink, _PIM)
        status = lacks(start, end, limit, 1)
        if status == OK and u8(octets, start) == PIM_REGISTER:
            undecoded(sink, _REGISTER)
        return status
    _name_carrier(sink, proto)
    data(sink, start, end, limit, _DATA)
    return OK


@inlined
def _recognised(
    sink: Sink, start: int, end: int, limit: int, name: int, present: int, needed: int
) -> int:
    """A transport that is named and not dissected."""
    enter(sink, name)
    status = lacks(start, end, limit, needed)
    if status == OK:
        put(sink, present, 1)
    return status


@inlined
def _name_carrier(sink: Sink, proto: int) -> None:
    """Say that packets in a carrier are not seen."""
    if proto == ETHERIP:
        undecoded(sink, _ETHERIP)
    elif proto == ENCAP:
        undecoded(sink, _ENCAP)
    elif proto == L2TP:
        undecoded(sink, _L2TP)
    elif proto == MPLS_IN_IP:
        undecoded(sink, _MPLS_IN_IP)


@part
def arp(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """ARP and RARP."""
    enter(sink, _ARP)
    decide(sink, KIND_CONTROL)
    status = lacks(start, end, limit, 8)
    if status:
        return status
    hardware, width = u8(octets, start + 4), u8(octets, start + 5)
    total = 8 + 2 * hardware + 2 * width
    limit = min(limit, start + total)
    end = min(end, limit)
    sink[TRIM] = limit
    item(sink, _F_ARP, start, end, total)
    put(sink, _F_OPCODE, u16(octets, start + 6))
    status = lacks(start, end, limit, total)
    if status:
        return status
    if u16(octets, start + 2) == IPV4 and width == 4:
        at = start + 8 + hardware
        put(sink, _F_ARP_SRC, u32(octets, at))
        put(sink, _F_ARP_DST, u32(octets, at + 4 + hardware))
    return OK


@inlined
def ipv4(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """An IPv4 packet."""
    enter(sink, _IP)
    note_version(sink, 4)
    status = lacks(start, end, limit, 1)
    if status:
        return status
    version, size = u8(octets, start) >> 4, (u8(octets, start) & 15) * 4
    item(sink, _F_IP, start, end, size)
    put(sink, _F_VERSION, version)
    if version != 4:
        expert(sink, ERROR, PROTOCOL_GROUP, _WRONG_VERSION + version)
        return DELEGATE if version == 6 else OK
    put(sink, _F_HDR_LEN, size)
    if size < 20:
        expert(sink, ERROR, PROTOCOL_GROUP, _SMALL_HEADER + size)
        return OK
    status = lacks(start, end, limit, 4)
    if status:
        return status
    total = u16(octets, start + 2)
    offloaded = total == 0
    if offloaded:
        total = limit - start
    put(sink, _F_LEN, total)
    if total < size and not offloaded:
        expert(sink, ERROR, PROTOCOL_GROUP, _SMALL_TOTAL + total)
        return OK
    if total > limit - start and not sink[SIDE]:
        expert(sink, ERROR, PROTOCOL_GROUP, _LARGE_TOTAL + total)
    limit = min(limit, start + total)
    end = min(end, limit)
    sink[TRIM] = limit
    if end - start < 20:
        return _cut_header(sink, octets, start, end, limit)
    return _whole_header(sink, octets, start, end, limit, size)


@part
def _cut_header(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """The fields of an IPv4 header of which fewer than 20 octets are there."""
    captured = end - start
    if captured >= 6:
        put(sink, _F_ID, u16(octets, start + 4))
    if captured >= 8:
        _flags_and_offset(sink, u16(octets, start + 6))
    if captured >= 9:
        put(sink, _F_TTL, u8(octets, start + 8))
    if captured >= 10:
        put(sink, _F_PROTO, u8(octets, start + 9))
    if captured >= 12:
        put(sink, _F_CHECKSUM, u16(octets, start + 10))
        put(sink, _F_STATUS, 2)
    if captured >= 16:
        put(sink, _F_SRC, u32(octets, start + 12))
    return lacks(start, end, limit, 20)


@inlined
def _flags_and_offset(sink: Sink, offset: int) -> None:
    put(sink, _F_RB, offset >> 15)
    put(sink, _F_DF, (offset >> 14) & 1)
    put(sink, _F_MF, (offset >> 13) & 1)
    put(sink, _F_OFFSET, offset & 0x1FFF)


@inlined
def _whole_header(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, size: int
) -> int:
    offset = u16(octets, start + 6)
    if offset & MORE_OR_OFFSET:
        return DELEGATE
    ttl, proto = u8(octets, start + 8), u8(octets, start + 9)
    src, dst = u32(octets, start + 12), u32(octets, start + 16)
    put(sink, _F_ID, u16(octets, start + 4))
    _flags_and_offset(sink, offset)
    put(sink, _F_TTL, ttl)
    put(sink, _F_PROTO, proto)
    put(sink, _F_CHECKSUM, u16(octets, start + 10))
    put(sink, _F_STATUS, 2)
    put(sink, _F_SRC, src)
    sink[VERSION], sink[SRC] = 4, src
    _judge_ttl(sink, ttl, proto, dst)
    if size > 20:
        status, last = _end_of_source_route(octets, start, end, limit, size)
        if status:
            return status
        dst = last if last else dst
    put(sink, _F_DST, dst)
    sink[DST] = dst
    note_pair_4(sink, src, dst, u16(octets, start + 4))
    if size > 20:
        status = lacks(start, end, limit, size)
        if status:
            return status
        _options(sink, octets, start + 20, start + size)
    status = lacks(start, end, limit, size)
    if status:
        return status
    if limit > start + size:
        go_on_with_protocol(sink, proto, start + size, end, limit)
    return OK


@inlined
def _judge_ttl(sink: Sink, ttl: int, proto: int, dst: int) -> None:
    if dst >> 8 == 0xE00000:
        expected = 1
        if dst in (0xE0000012, 0xE0000066, 0xE00000FB):
            expected = 255
        if ttl != expected and dst != 0xE00000FC:
            expert(sink, NOTE, SEQUENCE, _LOCAL_TTL + ttl)
    elif ttl < 5 and dst >> 28 != 0xE and proto not in (PIM, OSPF):
        expert(sink, NOTE, SEQUENCE, _LOW_TTL + ttl)


@part
def _end_of_source_route(
    octets: NDArray[np.uint8], start: int, end: int, limit: int, size: int
) -> tuple[int, int]:
    """Status, and the last address of a source route that still goes on, else 0."""
    at = 20
    while at < size:
        status = lacks(start, end, limit, at + 1)
        if status:
            return status, 0
        kind = u8(octets, start + at)
        if kind == 0:
            return OK, 0
        if kind == 1:
            at += 1
            continue
        status = lacks(start, end, limit, at + 2)
        if status:
            return status, 0
        length = u8(octets, start + at + 1)
        if length < 2 or at + length > size:
            return OK, 0
        if kind in (131, 137):
            status = lacks(start, end, limit, at + (3 if length < 3 else length))
            if status:
                return status, 0
            pointer = u8(octets, start + at + 2)
            if pointer < 4 or pointer % 4 != 0 or pointer > length:
                return OK, 0
            return OK, u32(octets, start + at + length - 4)
        at += length
    return OK, 0


@part
def _options(sink: Sink, octets: NDArray[np.uint8], at: int, end: int) -> None:
    """What is wrong with the options of an IPv4 header."""
    fillers = 0
    while at < end:
        kind = u8(octets, at)
        if kind == 0:
            break
        if kind == 1:
            fillers += 1
            if fillers == 4:
                expert(sink, WARNING, PROTOCOL_GROUP, _FOUR_NOPS)
            at += 1
            continue
        fillers = 0
        length = octet_or_0(octets, at + 1, end)
        if length < 2 or at + length > end:
            expert(sink, WARNING, PROTOCOL_GROUP, _BAD_OPTION)
            break
        if kind in (131, 137) and length > 2:
            pointer = u8(octets, at + 2)
            if pointer < 4 or pointer % 4 != 0:
                expert(sink, WARNING, PROTOCOL_GROUP, _LYING_ROUTE)
        at += length


@part
def ipv6(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """An IPv6 packet with its extension headers."""
    enter(sink, _IPV6)
    note_version(sink, 6)
    item(sink, _F_IPV6, start, end, 40)
    status = lacks(start, end, limit, 1)
    if status:
        return status
    version = u8(octets, start) >> 4
    put(sink, _F_VERSION, version)
    if version != 6:
        expert(sink, ERROR, MALFORMED_GROUP, _WRONG_VERSION_6 + version)
        leave(sink)
        note_version(sink, 0)
        data(sink, start, end, limit, _DATA)
        return OK
    if limit - start < 40:
        expert(sink, ERROR, MALFORMED_GROUP, _SMALL_HEADER_6)
    length = u16_or_0(octets, start + 4, end)
    following = octet_or_0(octets, start + 6, end)
    _fields_6(sink, octets, start, end - start)
    status = lacks(start, end, limit, 40)
    if status:
        return status
    sink[VERSION], sink[SRC], sink[DST] = 6, start + 8, start + 24
    note_pair_6(sink, octets, start + 8, start + 24)
    if length == 0 and following == HOP_BY_HOP:
        length = _jumbo(octets, start + 42, end)
        if not length:
            expert(sink, ERROR, MALFORMED_GROUP, _NO_JUMBO)
    elif length == 0 and following != NO_NEXT:
        expert(sink, CHAT, PROTOCOL_GROUP, _NO_PAYLOAD)
    elif length > limit - start - 40 and not sink[SIDE]:
        expert(sink, WARNING, PROTOCOL_GROUP, _LARGE_PAYLOAD + length)
    limit = min(limit, start + 40 + length)
    end = min(end, limit)
    sink[TRIM] = limit
    return _extensions(sink, octets, following, start + 40, end, limit)


@inlined
def _fields_6(sink: Sink, octets: NDArray[np.uint8], start: int, captured: int) -> None:
    """The fields of an IPv6 header that are there."""
    if captured >= 7:
        put(sink, _F_PLEN, u16(octets, start + 4))
        put(sink, _F_NXT, u8(octets, start + 6))
    if captured >= 8:
        put(sink, _F_HLIM, u8(octets, start + 7))
    if captured >= 24:
        put_span(sink, _F_SRC6, start + 8, 16)
    if captured >= 40:
        put_span(sink, _F_DST6, start + 24, 16)


@inlined
def _jumbo(octets: NDArray[np.uint8], at: int, end: int) -> int:
    """Length in a jumbo payload option that begins the hop-by-hop header; else 0."""
    if at + 6 > end or u8(octets, at) != 0xC2 or u8(octets, at + 1) != 4:
        return 0
    length = u32(octets, at + 2)
    return length if length > 0xFFFF else 0


@inlined
def _extensions(
    sink: Sink, octets: NDArray[np.uint8], following: int, start: int, end: int, limit: int
) -> int:
    for _ in range(MOST_EXTENSIONS):
        if following == FRAGMENT:
            return DELEGATE
        if following == NO_NEXT:
            data(sink, start, end, limit, _DATA)
            return OK
        if following not in (HOP_BY_HOP, ROUTING, AH, DESTINATION, MOBILITY):
            go_on_with_protocol(sink, following, start, end, limit)
            return OK
        status = _extension(sink, octets, following, start, end, limit)
        if status:
            return status
        units = u8(octets, start + 1)
        size = (units + 2) * 4 if following == AH else (units + 1) * 8
        following = u8(octets, start)
        start += size
    return DELEGATE


@part
def _extension(
    sink: Sink, octets: NDArray[np.uint8], kind: int, start: int, end: int, limit: int
) -> int:
    """One extension header."""
    if kind == HOP_BY_HOP:
        enter(sink, _HOPOPTS)
    elif kind == DESTINATION:
        enter(sink, _DSTOPTS)
    elif kind == ROUTING:
        enter(sink, _ROUTING)
    elif kind == AH:
        enter(sink, _AH)
    else:
        enter(sink, _MIPV6)
    status = lacks(start, end, limit, 2)
    if status:
        return status
    units = u8(octets, start + 1)
    size = (units + 2) * 4 if kind == AH else (units + 1) * 8
    if kind == HOP_BY_HOP:
        put(sink, _F_HOPOPTS, 1)
    elif kind == DESTINATION:
        put(sink, _F_DSTOPTS, 1)
    elif kind == ROUTING:
        put(sink, _F_ROUTING, 1)
    elif kind == AH:
        put(sink, _F_AH, 1)
    status = lacks(start, end, limit, size)
    if status:
        return status
    if kind == ROUTING:
        _final_destination(sink, octets, start, size)
    return OK


@inlined
def _final_destination(sink: Sink, octets: NDArray[np.uint8], start: int, size: int) -> None:
    """With segments left, conversations use the last address."""
    kind, left = u8(octets, start + 2), u8(octets, start + 3)
    if kind == 0:
        expert(sink, NOTE, DEPRECATED, _OLD_ROUTING)
    if left == 0 or size < 24:
        return
    if kind in (0, 2):
        sink[DST] = start + size - 16
    elif kind == 4:
        sink[DST] = start + 8
