"""Kernels that name what TCP and UDP carry, by port or by look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import HAS_ADDRESS_CONTROL
from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.facts import note_bit
from decoders.columnar.kernels.sink import (
    ANOTHERS,
    CHAT,
    DELEGATE,
    MALFORMED,
    OK,
    PORTS_AT,
    SEQUENCE,
    Sink,
    data,
    enter,
    expert,
    item,
    lacks,
    put,
    u8,
    u16,
    u32,
)
from decoders.columnar.numbers import field, protocol, text
from decoders.ports import TCP_CLAIMED, UDP_CLAIMED

UDP_SIDE, TCP_SIDE = 0, 1
LEFT_TO_ANOTHER = (4789, 2152, 3544, 8472, 1701, 6081, 6635, 4341, 5247, 6343)
"""UDP ports of tunnels and carriers."""

DNS_HEADER = 12
DHCP_OPTIONS, DHCP_COOKIE, BOOTP_SIZE, DHCP_END = 240, 0x63825363, 300, 255

_DATA, _DNS, _MDNS, _LLMNR = protocol("data"), protocol("dns"), protocol("mdns"), protocol("llmnr")
_NTP, _DHCP, _DHCPV6 = protocol("ntp"), protocol("dhcp"), protocol("dhcpv6")
_SIP, _SSDP, _SNMP = protocol("sip"), protocol("ssdp"), protocol("snmp")
_HTTP, _NBNS = protocol("http"), protocol("nbns")

_F_DNS, _F_MDNS, _F_LLMNR = field("dns"), field("mdns"), field("llmnr")
_F_NTP, _F_DHCP, _F_DHCPV6 = field("ntp"), field("dhcp"), field("dhcpv6")
_F_MSGTYPE = field("dhcpv6.msgtype")

_HTTP_SEEN = text("http request or answer")
_SSDP_SEEN = text("ssdp request or answer")

_UDP_PORTS = {
    53: _DNS,
    67: _DHCP,
    68: _DHCP,
    123: _NTP,
    161: _SNMP,
    546: _DHCPV6,
    547: _DHCPV6,
    1900: _SSDP,
    5060: _SIP,
    5353: _MDNS,
    5355: _LLMNR,
}
_TCP_PORTS = {53: _DNS, 123: _NTP}


def ports() -> NDArray[np.int64]:
    """[side << 16 | port]: the protocol that claims it, ANOTHERS, or 0."""
    claimed = np.zeros((2, 1 << 16), np.int64)
    for side, known in ((UDP_SIDE, UDP_CLAIMED), (TCP_SIDE, TCP_CLAIMED)):
        for port, name in known.items():
            claimed[side, port] = protocol(name)
    for side, numbers in ((UDP_SIDE, _UDP_PORTS), (TCP_SIDE, _TCP_PORTS)):
        for port, number in numbers.items():
            claimed[side, port] = number
    claimed[UDP_SIDE, list(LEFT_TO_ANOTHER)] = ANOTHERS
    return claimed.reshape(-1)


def _words(*words: bytes) -> NDArray[np.uint8]:
    """One beginning a row, its length first."""
    table = np.zeros((len(words), 16), np.uint8)
    for row, word in enumerate(words):
        table[row, 0] = len(word)
        table[row, 1 : 1 + len(word)] = list(word)
    return table


_SIP_WORDS = _words(
    *(b"SIP/2.0 ", b"INVITE ", b"ACK ", b"BYE ", b"CANCEL ", b"OPTIONS ", b"REGISTER ", b"PRACK "),
    *(b"SUBSCRIBE ", b"NOTIFY ", b"PUBLISH ", b"INFO ", b"REFER ", b"MESSAGE ", b"UPDATE "),
)
_SSDP_WORDS = _words(b"M-SEARCH ", b"NOTIFY ", b"HTTP/1.")
_HTTP_WORDS = _words(
    *(b"M-SEARCH ", b"NOTIFY ", b"HTTP/1.", b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE "),
    *(b"OPTIONS ", b"CONNECT ", b"TRACE ", b"PATCH "),
)


@part
def _begins(octets: NDArray[np.uint8], start: int, end: int, words: NDArray[np.uint8]) -> bool:
    """Whether octets begin with one of the words."""
    for row in range(len(words)):
        size = np.int64(words[row, 0])
        if start + size > end:
            continue
        same = True
        for nth in range(size):
            same = same and u8(octets, start + nth) == words[row, 1 + nth]
        if same:
            return True
    return False


@part
def tcp_payload(
    sink: Sink,
    octets: NDArray[np.uint8],
    start: int,
    end: int,
    limit: int,
    srcport: int,
    dstport: int,
) -> int:
    """What a segment carries, by the lower port, then by the higher one."""
    if end <= start:
        return OK
    name = sink[PORTS_AT + ((TCP_SIDE << 16) | min(srcport, dstport))]
    if name == 0:
        name = sink[PORTS_AT + ((TCP_SIDE << 16) | max(srcport, dstport))]
    if name == 0:
        data(sink, start, end, limit, _DATA)
        return OK
    if name in (_DNS, _NTP):
        enter(sink, name)
        present = _F_DNS if name == _DNS else _F_NTP
        item(sink, present, start, end, limit - start)
        return lacks(start, end, limit, limit - start)
    return _named(sink, octets, start, end, limit, name)


@part
def _named(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, name: int
) -> int:
    """A payload that is claimed and not looked into."""
    enter(sink, name)
    if name == _NBNS and limit - start < 12:
        return MALFORMED
    if name in (_HTTP, _SSDP) and _begins(octets, start, end, _HTTP_WORDS):
        expert(sink, CHAT, SEQUENCE, _HTTP_SEEN if name == _HTTP else _SSDP_SEEN)
    return lacks(start, end, limit, limit - start)


@part
def udp_payload(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, low: int, high: int
) -> int:
    """What a datagram carries: by the lower port, by the higher one, by its look."""
    status = lacks(start, end, limit, 1)
    if status:
        return status
    for nth in range(2):
        name = sink[PORTS_AT + ((UDP_SIDE << 16) | (high if nth else low))]
        if name == 0:
            continue
        if name == ANOTHERS:
            return DELEGATE
        if name in (_DNS, _MDNS, _LLMNR, _NTP, _DHCP, _DHCPV6):
            return _recognised(sink, octets, start, end, limit, name)
        if name == _SSDP:
            if not _begins(octets, start, end, _SSDP_WORDS):
                return OK
        elif (name == _SIP and not _begins(octets, start, end, _SIP_WORDS)) or (
            name == _SNMP and not _is_snmp(octets, start, end)
        ):
            continue
        return _named(sink, octets, start, end, limit, name)
    if _looks_like_dns(octets, start, end):
        return _recognised(sink, octets, start, end, limit, _DNS)
    data(sink, start, end, limit, _DATA)
    return OK


@part
def _is_snmp(octets: NDArray[np.uint8], start: int, end: int) -> bool:
    """A BER sequence as long as what is there, with a version first."""
    if end - start < 2 or u8(octets, start) != 0x30:
        return False
    size, begin = u8(octets, start + 1), 2
    if size & 0x80:
        begin += size & 0x7F
        size = np.int64(0)
        for at in range(start + 2, min(start + begin, end)):
            if size > 1 << 32:
                return False
            size = (size << 8) | u8(octets, at)
    return begin + size == end - start and size > 0 and u8(octets, start + begin) == 2


@inlined
def _looks_like_dns(octets: NDArray[np.uint8], start: int, end: int) -> bool:
    if end - start <= DNS_HEADER:
        return False
    flags, questions = u16(octets, start + 2), u16(octets, start + 4)
    answers, authority = u16(octets, start + 6), u16(octets, start + 8)
    if flags & 0x7800 or u16(octets, start + 10) > 10:
        return False
    if flags & 0x8000:
        return questions <= 1 and answers <= 100 and authority <= 10
    return questions == 1 and answers == 0 and authority == 0


@part
def _recognised(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, name: int
) -> int:
    """A payload of a protocol that has a field."""
    enter(sink, name)
    smallest = DNS_HEADER
    if name == _DNS:
        item(sink, _F_DNS, start, end, limit - start)
    elif name == _MDNS:
        item(sink, _F_MDNS, start, end, limit - start)
    elif name == _LLMNR:
        item(sink, _F_LLMNR, start, end, limit - start)
    elif name == _NTP:
        item(sink, _F_NTP, start, end, limit - start)
        smallest = 2
    elif name == _DHCP:
        item(sink, _F_DHCP, start, end, limit - start)
        smallest = DHCP_OPTIONS
        note_bit(sink, HAS_ADDRESS_CONTROL)
    else:
        item(sink, _F_DHCPV6, start, end, limit - start)
        note_bit(sink, HAS_ADDRESS_CONTROL)
        put(sink, _F_MSGTYPE, u8(octets, start))
        smallest = 4
    status = lacks(start, end, limit, limit - start)
    if status:
        return status
    if limit - start < smallest:
        return MALFORMED
    if name == _DHCP and not _dhcp_ends(octets, start, end):
        return MALFORMED
    return OK


@part
def _dhcp_ends(octets: NDArray[np.uint8], start: int, end: int) -> bool:
    """Whether DHCP's options come to their end, or BOOTP's vendor area is there."""
    if u32(octets, start + DHCP_OPTIONS - 4) != DHCP_COOKIE:
        return end - start >= BOOTP_SIZE
    at = start + DHCP_OPTIONS
    while at < end:
        kind = u8(octets, at)
        if kind == DHCP_END:
            return True
        if kind == 0:
            at += 1
        else:
            at += 2 + (u8(octets, at + 1) if at + 1 < end else 0)
    return at == end
