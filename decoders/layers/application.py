"""Who claims a payload above TCP and UDP: recognised by port or by look, never dissected.

Rules of Wireshark semantics 6.3: the lower port's dissector is tried first, then the higher
one's, then heuristics.
"""

from __future__ import annotations

from decoders.layers.dispatch import Context, data
from decoders.octets import Malformed, Octets
from decoders.ports import TCP_CLAIMED, UDP_CLAIMED
from decoders.row import Segment

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
    4789: "VXLAN",
    8472: "VXLAN",
    2152: "GTP-U",
    2123: "GTP-C",
    3544: "Teredo",
    1701: "L2TP",
    6081: "Geneve",
    6635: "MPLS over UDP",
}
"""Ports whose payload Wireshark enters and this decoder does not."""

_SMALLEST = {"dns": 12, "mdns": 12, "llmnr": 12, "dhcp": 240, "dhcpv6": 4, "ntp": 2}
"""Octets below which the dissector runs out."""


def udp_payload(context: Context, octets: Octets, srcport: int, dstport: int) -> None:
    """Name the protocol of a datagram's payload of at least one octet."""
    octets.require(1)
    for port in sorted((srcport, dstport)):
        if port in TUNNELS_OVER_UDP:
            context.row.undecoded(f"{TUNNELS_OVER_UDP[port]} is not entered")
            data(context, octets)
            return
        if port in UDP_PORTS:
            _recognise(context, octets, UDP_PORTS[port])
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
    octets.require(1)
    row = context.row
    for port in sorted((segment.srcport, segment.dstport)):
        if port in TCP_PORTS:
            row.enter(TCP_PORTS[port], TCP_PORTS[port].upper())
            row.put(TCP_PORTS[port], 1)
            return
        if port in TCP_CLAIMED:
            _name(context, octets, TCP_CLAIMED[port])
            return
    data(context, octets)


def _name(context: Context, octets: Octets, protocol: str) -> None:
    """A payload that a dissector claims by its port, and that is not dissected here."""
    context.row.enter(protocol, protocol.upper())
    if not octets.fragment:
        octets.require(octets.claimed)


_TITLES = {
    "dns": "DNS",
    "mdns": "MDNS",
    "llmnr": "LLMNR",
    "dhcp": "DHCP",
    "dhcpv6": "DHCPv6",
    "ntp": "NTP",
}


def _recognise(context: Context, octets: Octets, protocol: str) -> None:
    row = context.row
    row.enter(protocol, _TITLES[protocol])
    octets.require(1)
    row.put(protocol, 1)
    if protocol == "dhcpv6":
        row.put("dhcpv6.msgtype", octets.data[octets.start])
    if octets.claimed < _SMALLEST[protocol]:
        raise Malformed
    octets.require(octets.claimed)


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
