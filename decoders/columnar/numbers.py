"""The numbers that stand for fields, protocols and texts inside kernels."""

from __future__ import annotations

from decoders.fields import FIELDS, stored
from decoders.ports import TCP_CLAIMED, UDP_CLAIMED

FIELD_NAMES = tuple(FIELDS)
_FIELD_NUMBERS = {name: number for number, name in enumerate(FIELD_NAMES)}


def field(name: str) -> int:
    """Number of a field that has a column; raises KeyError for others."""
    if [found.name for found in stored((name,))] != [name]:
        raise KeyError(name)
    return _FIELD_NUMBERS[name]


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
    "dhcp": "DHCP",
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

TEXTS: list[str] = []
"""Templates of texts; each may have one number to fill in."""


def text(template: str) -> int:
    """Code of a text: its argument is added to it."""
    if template not in TEXTS:
        TEXTS.append(template)
    return TEXTS.index(template) << ARGUMENT_BITS


def spelled(code: int) -> str:
    """The text that a code stands for."""
    return TEXTS[code >> ARGUMENT_BITS].format(code & ((1 << ARGUMENT_BITS) - 1))


MALFORMED_MARK = text("_ws.malformed")
MALFORMED_PACKET = len(TEXTS) << ARGUMENT_BITS
TEXTS += [f"[Malformed Packet: {title}]" for title in PROTOCOL_TITLES]
"""One text for each protocol, in the order of their numbers."""

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
