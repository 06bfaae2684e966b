"""Where the headers of a frame stand: the link types and stacks that generators can rewrite.

The walk ends quietly at what it does not know: what is not found is not rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ETHERNET, NULL, PPP, LOOP, CISCO_HDLC, SLL, SLL2 = 1, 0, 9, 108, 104, 113, 276
RAW = frozenset({12, 14, 101, 228, 229})
"""Link types whose frames begin with an IP header (LINKTYPE_RAW and its relatives)."""
VLAN_TYPES = frozenset({0x8100, 0x88A8, 0x9100})
ETHERTYPES = {
    **dict.fromkeys(VLAN_TYPES, "vlan"),
    0x0800: "ip",
    0x86DD: "ipv6",
    0x8847: "mpls",
    0x8863: "pppoed",
    0x8864: "pppoes",
}
PPP_PROTOCOLS = {
    0x0021: "ip",
    0x0057: "ipv6",
    0xC021: "lcp",
    0xC023: "pap",
    0x8021: "ipcp",
    0x8057: "ipv6cp",
}
IP_PROTOCOLS = {1: "icmp", 4: "ip", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 58: "icmpv6"}
EXTENSIONS = frozenset({0, 43, 60})
ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
MOST_HEADERS = 40
QUOTED_OCTETS = 8
"""Octets behind the IP header that an ICMP error quotes at least (RFC 792)."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header: ``start`` and ``end`` are octets of the frame, what it carries included."""

    protocol: str
    start: int
    end: int
    quoted: bool = False
    """Part of the packet that an ICMP error quotes."""
    follows: int | None = None
    """Where the number of this protocol stands: 2 octets, of Ethernet, VLAN, PPP and their like."""


def headers(data: bytes, link: int) -> list[Header]:
    """The headers of a frame, from the wire inwards."""
    found: list[Header] = []
    for header in _walk(data, link):
        found.append(header)
        if len(found) == MOST_HEADERS:
            break
    return found


def _walk(data: bytes, link: int) -> Iterator[Header]:
    end = len(data)
    begin = _link(data, link)
    if begin is None:
        return
    kind, at, follows = begin
    if link == ETHERNET:
        yield Header("eth", 0, end)
    quoted = False
    while kind and at < end:
        header = Header(kind, at, end, quoted, follows)
        smallest = QUOTED_OCTETS if quoted and kind == "tcp" else _SMALLEST.get(kind, 0)
        if at + smallest > end:
            return
        if kind in ("ip", "ipv6"):
            header = Header(kind, at, min(end, _ip_end(data, kind, at)), quoted, follows)
            end = header.end
        yield header
        quoted = quoted or (kind == "icmp" and data[at] in ICMP_ERRORS)
        kind, at, follows = _next(data, kind, at, end)


_SMALLEST = {
    **{"vlan": 4, "mpls": 4, "pppoes": 8, "pppoed": 6, "ip": 20, "ipv6": 40, "tcp": 20},
    **{"udp": 8, "icmp": 8, "icmpv6": 4, "gre": 4},
}
_Step = tuple[str, int, int | None]
_NOTHING: _Step = ("", 0, None)


def _two(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _link(data: bytes, link: int) -> _Step | None:
    if link in RAW:
        return (_by_version(data, 0), 0, None)
    if link in (NULL, LOOP):
        return (_by_version(data, 4), 4, None)
    if link == PPP:
        if data[:1] in (b"\x0f", b"\x8f"):
            return _link(data, CISCO_HDLC)
        at = 2 if data[:2] == b"\xff\x03" else 0
        return (PPP_PROTOCOLS.get(_two(data, at), ""), at + 2, at)
    place = {ETHERNET: (12, 14), SLL: (14, 16), SLL2: (0, 20), CISCO_HDLC: (2, 4)}.get(link)
    if place is None:
        return None
    return (ETHERTYPES.get(_two(data, place[0]), ""), place[1], place[0])


def _by_version(data: bytes, at: int) -> str:
    return {4: "ip", 6: "ipv6"}.get(data[at] >> 4, "") if at < len(data) else ""


def _ip_end(data: bytes, kind: str, at: int) -> int:
    if kind == "ip":
        return at + (_two(data, at + 2) or len(data))
    return at + 40 + _two(data, at + 4)


def _next(data: bytes, kind: str, at: int, end: int) -> _Step:
    """Protocol, start and place of the number of what a header carries."""
    match kind:
        case "vlan":
            return (ETHERTYPES.get(_two(data, at + 2), ""), at + 4, at + 2)
        case "pppoes":
            return (PPP_PROTOCOLS.get(_two(data, at + 6), ""), at + 8, at + 6)
        case "mpls":
            if data[at + 2] & 1:
                return (_by_version(data, at + 4), at + 4, None)
            return ("mpls", at + 4, None)
        case "gre":
            flags = data[at]
            more = 4 + 4 * sum(bool(flags & bit) for bit in (0x80, 0x20, 0x10))
            return (ETHERTYPES.get(_two(data, at + 2), ""), at + more, at + 2)
        case "ip":
            if _two(data, at + 6) & 0x1FFF:
                return _NOTHING
            return (IP_PROTOCOLS.get(data[at + 9], ""), at + (data[at] & 0xF) * 4, None)
        case "ipv6":
            return _behind_ipv6(data, at, end)
        case "icmp":
            return ("ip", at + 8, None) if data[at] in ICMP_ERRORS else _NOTHING
        case _:
            return _NOTHING


def _behind_ipv6(data: bytes, at: int, end: int) -> _Step:
    following, place = data[at + 6], at + 40
    while following in EXTENSIONS and place + 8 <= end:
        following, place = data[place], place + 8 + 8 * data[place + 1]
    return (IP_PROTOCOLS.get(following, ""), place, None)
