"""Who claims a payload above TCP and UDP: recognised by port or by look, never dissected.

Rules of Wireshark semantics 6.3: the lower port's dissector is tried first, then the higher
one's, then heuristics.
"""

from __future__ import annotations

from collections.abc import Callable

from decoders.layers.dispatch import UDP_TUNNELS, Context, data
from decoders.octets import Malformed, Octets
from decoders.ports import TCP_CLAIMED, UDP_CLAIMED
from decoders.row import CHAT, SEQUENCE, Segment

DNS_HEADER = 12

UDP_PORTS = {
    53: "dns",
    67: "dhcp",
    68: "dhcp",
    123: "ntp",
    546: "dhcpv6",
    547: "dhcpv6",
    5353: "mdns",
    5355: "llmnr",
}
TCP_PORTS = {53: "dns", 123: "ntp"}

TUNNELS_OVER_UDP = {
    8472: "VXLAN of an old port",
    1701: "L2TP",
    6081: "Geneve",
    6635: "MPLS over UDP",
    4341: "LISP",
    5247: "CAPWAP",
    6343: "sFlow",
}
"""Ports whose payload Wireshark enters and this decoder does not."""

_SMALLEST = {"dns": 12, "mdns": 12, "llmnr": 12, "nbns": 12, "dhcp": 240, "dhcpv6": 4, "ntp": 2}
"""Octets below which the dissector runs out."""

_SIP = (b"SIP/2.0 ", *(method + b" " for method in (
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"SUBSCRIBE",
    b"NOTIFY", b"PUBLISH", b"INFO", b"REFER", b"MESSAGE", b"UPDATE",
)))  # fmt: skip
_SSDP = (b"M-SEARCH ", b"NOTIFY ", b"HTTP/1.")
_HTTP = (*_SSDP, *(method + b" " for method in (
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH",
)))  # fmt: skip


def _sip(payload: bytes) -> str | None:
    """SIP begins with a method or its version (RFC 3261 section 7)."""
    return "sip" if payload.startswith(_SIP) else None


def _ssdp(payload: bytes) -> str:
    """SSDP begins as HTTP does; Wireshark shows nothing for anything else."""
    return "ssdp" if payload.startswith(_SSDP) else ""


def _snmp(payload: bytes) -> str | None:
    """SNMP is a BER sequence as long as its datagram, a version first (RFC 1157 section 4)."""
    if len(payload) < 2 or payload[0] != 0x30:
        return None
    size, start = payload[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(payload[2:start], "big")
    return "snmp" if start + size == len(payload) and payload[start : start + 1] == b"\2" else None


LOOKED_AT: dict[int, Callable[[bytes], str | None]] = {5060: _sip, 161: _snmp, 1900: _ssdp}
"""Ports whose dissector looks at the payload: it claims it by a name, or by none, or not at all."""


def udp_payload(context: Context, octets: Octets, srcport: int, dstport: int) -> None:
    """Name the protocol of a datagram's payload of at least one octet."""
    octets.require(1)
    for port in sorted((srcport, dstport)):
        if port in UDP_TUNNELS:
            UDP_TUNNELS[port](context, octets)
            return
        if port in TUNNELS_OVER_UDP:
            context.row.undecoded(f"{TUNNELS_OVER_UDP[port]} is not entered")
            data(context, octets)
            return
        if port in UDP_PORTS:
            _recognise(context, octets, UDP_PORTS[port])
            return
        if port in LOOKED_AT:
            named = LOOKED_AT[port](octets.bytes())
            if named is None:
                continue
            if named:
                _name(context, octets, named)
            return
        if port in UDP_CLAIMED:
            _name(context, octets, UDP_CLAIMED[port])
            return
    if _looks_like_dns(octets):
        _recognise(context, octets, "dns")
    else:
        data(context, octets)


def tcp_payload(context: Context, octets: Octets, segment: Segment) -> None:
    """Name the protocol of a segment's payload of at least one octet."""
    if not octets.captured:
        return
    row = context.row
    for port in sorted((segment.srcport, segment.dstport)):
        if port in TCP_PORTS:
            row.enter(TCP_PORTS[port], TCP_PORTS[port].upper())
            row.item(TCP_PORTS[port], octets, octets.claimed)
            if not octets.fragment:
                octets.require(octets.claimed)
            return
        if port in TCP_CLAIMED:
            _name(context, octets, TCP_CLAIMED[port])
            return
    data(context, octets)


def _name(context: Context, octets: Octets, protocol: str) -> None:
    """A payload that a dissector claims by its port, and that is not dissected here."""
    context.row.enter(protocol, protocol.upper())
    if octets.claimed < _SMALLEST.get(protocol, 0):
        raise Malformed
    if protocol in ("http", "ssdp") and octets.bytes().startswith(_HTTP):
        context.row.expert(CHAT, SEQUENCE, f"{protocol} request or answer")
    if not octets.fragment:
        octets.require(octets.claimed)


_TITLES = {
    "dns": "DNS",
    "mdns": "MDNS",
    "llmnr": "LLMNR",
    "dhcp": "DHCP/BOOTP",
    "dhcpv6": "DHCPv6",
    "ntp": "NTP",
}


def _recognise(context: Context, octets: Octets, protocol: str) -> None:
    row = context.row
    row.enter(protocol, _TITLES[protocol])
    octets.require(1)
    row.item(protocol, octets, octets.claimed)
    if protocol == "dhcpv6":
        row.put("dhcpv6.msgtype", octets.data[octets.start])
    octets.require(octets.claimed)
    if octets.claimed < _SMALLEST[protocol]:
        raise Malformed
    if protocol == "dhcp" and not _dhcp_ends(octets.bytes()):
        raise Malformed


DHCP_OPTIONS, DHCP_COOKIE = 240, b"\x63\x82\x53\x63"
DHCP_PAD, DHCP_END = 0, 255
BOOTP_SIZE = 300


def _dhcp_ends(message: bytes) -> bool:
    """Whether DHCP's options come to their end (RFC 2131 section 3), or BOOTP's vendor area is."""
    if message[DHCP_OPTIONS - 4 : DHCP_OPTIONS] != DHCP_COOKIE:
        return len(message) >= BOOTP_SIZE
    at = DHCP_OPTIONS
    while at < len(message):
        if message[at] == DHCP_END:
            return True
        at += (
            1 if message[at] == DHCP_PAD else 2 + (message[at + 1] if at + 1 < len(message) else 0)
        )
    return at == len(message)


def _looks_like_dns(octets: Octets) -> bool:
    """Wireshark's heuristic for DNS on any port (semantics 6.3)."""
    if octets.captured <= DNS_HEADER:
        return False
    words = [
        int.from_bytes(octets.data[at : at + 2], "big")
        for at in range(octets.start + 2, octets.start + DNS_HEADER, 2)
    ]
    flags, questions, answers, authority, additional = words
    if flags & 0x7800 or additional > 10:
        return False
    if flags & 0x8000:
        return questions <= 1 and answers <= 100 and authority <= 10
    return questions == 1 and answers == 0 and authority == 0
