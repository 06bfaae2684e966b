"""The numbers that stand for fields, protocols and texts inside kernels."""

from __future__ import annotations

from zlib import crc32

from decoders.fields import FIELDS, ITEM, LENGTH, OCTETS, WITH_OCTETS, stored
from decoders.ports import TCP_CLAIMED, UDP_CLAIMED

FIELD_NAMES = tuple(FIELDS)
FIELD_NUMBERS = {name: number for number, name in enumerate(FIELD_NAMES)}


def field(name: str) -> int:
    """Number of a field that has a column; raises KeyError for others."""
    if [found.name for found in stored((name,))] != [name]:
        raise KeyError(name)
    return FIELD_NUMBERS[name]


LOOKED_INTO = {
    field(name): tuple(field(prefix + name) for prefix in (OCTETS, ITEM, LENGTH))
    for name in WITH_OCTETS
}
"""Field of a protocol -> those of its octets to the packet's end, of its own, and their number."""

_TITLES = {
    "": "Frame",
    "eth": "Ethernet",
    "ethertype": "",
    "data": "",
    "vlan": "VLAN",
    "ieee8021ad": "802.1AD",
    "llc": "LLC",
    "ipx": "IPX",
    "sll": "SLL",
    "null": "Null/Loopback",
    "raw": "Raw",
    "chdlc": "CHDLC",
    "slarp": "",
    "fddi": "FDDI",
    "systemd_journal": "",
    "user_dlt": "DLT User",
    "arp": "ARP/RARP",
    "pppoed": "PPPoED",
    "pppoes": "PPPoES",
    "ppp": "PPP",
    "lcp": "PPP LCP",
    "ipcp": "PPP IPCP",
    "ipv6cp": "PPP IPV6CP",
    "ccp": "PPP CCP",
    "mplscp": "PPP MPLSCP",
    "pap": "PPP PAP",
    "chap": "PPP CHAP",
    "eap": "EAP",
    "mp": "PPP MP",
    "ip": "IPv4",
    "ipv6": "IPv6",
    "ipv6.hopopts": "IPv6 Hop-by-Hop",
    "ipv6.dstopts": "IPv6 Destination",
    "ipv6.routing": "IPv6 Routing",
    "ah": "AH",
    "mipv6": "MIPv6",
    "icmp": "ICMP",
    "icmpv6": "ICMPv6",
    "igmp": "IGMP",
    "esp": "ESP",
    "sctp": "SCTP",
    "pim": "PIM",
    "tcp": "TCP",
    "udp": "UDP",
    "udplite": "UDPlite",
    "dns": "DNS",
    "mdns": "MDNS",
    "llmnr": "LLMNR",
    "dhcp": "DHCP/BOOTP",
    "dhcpv6": "DHCPv6",
    "ntp": "NTP",
    "sip": "SIP",
    "ssdp": "SSDP",
    "snmp": "SNMP",
}
"""Protocols that a kernel enters, and what Wireshark calls one that ran out of octets."""

for _name in (*UDP_CLAIMED.values(), *TCP_CLAIMED.values()):
    _TITLES.setdefault(_name, _name.upper())

PROTOCOL_NAMES = tuple(_TITLES)
PROTOCOL_TITLES = tuple(_TITLES.values())
_PROTOCOL_NUMBERS = {name: number for number, name in enumerate(PROTOCOL_NAMES)}


def protocol(name: str) -> int:
    """Number of a protocol, from 1; 0 stands for none."""
    return _PROTOCOL_NUMBERS[name]


ARGUMENT_BITS = 32
_TEXT_BITS = 28

TEXTS: dict[int, str] = {}
"""Templates of texts by their numbers; each may have one number to fill in."""


def text(template: str) -> int:
    """Code of a text: its argument is added to it.

    The code is compiled into kernels that are kept on disk: it follows from the text alone, not
    from the order in which modules are imported. Raises ValueError for two texts of one code.
    """
    number = crc32(template.encode()) & ((1 << _TEXT_BITS) - 1)
    if TEXTS.setdefault(number, template) != template:
        raise ValueError(f"two texts of one code: {template!r} and {TEXTS[number]!r}")
    return number << ARGUMENT_BITS


def spelled(code: int) -> str:
    """The text that a code stands for."""
    number = code >> ARGUMENT_BITS
    if number >> _TEXT_BITS:
        return f"[Malformed Packet: {PROTOCOL_TITLES[number - (1 << _TEXT_BITS)]}]"
    return TEXTS[number].format(code & ((1 << ARGUMENT_BITS) - 1))


MALFORMED_MARK = text("_ws.malformed")
MALFORMED_PACKET = 1 << _TEXT_BITS + ARGUMENT_BITS
"""Code of the mark of a packet that ran out of octets; its argument is the protocol's number,
shifted by ARGUMENT_BITS."""

CONVERSATION_TEXTS = tuple(
    text(message)
    for message in (
        *(
            "ack lost segment",
            "duplicate ack",
            "fast retransmission",
            "keep alive",
            "keep alive ack",
            "lost segment",
            "out of order",
            "retransmission",
            "reused ports",
            "spurious retransmission",
            "window full",
            "window update",
            "zero window",
            "zero window probe",
            "zero window probe ack",
        ),
        "SYN+ACK accepts fast open data",
        "port numbers reused",
        "this FIN closes the connection",
    )
)
"""What conversations say: of each mark of the analysis, in the order of their names, and more."""
