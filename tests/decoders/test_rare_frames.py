"""Frames that few captures hold: rare links, carriers, options, and where each can be cut."""

from __future__ import annotations

import struct

import pytest

from tests.decoders.frame_bytes import (
    A6,
    B6,
    MAC_A,
    MSS,
    A,
    B,
    C,
    Shot,
    Situation,
    control,
    cuts,
    eth,
    icmp,
    icmpv6,
    ip4,
    ip6,
    ipv4,
    ipv6,
    number,
    packed,
    ppp,
    pppoe,
    tcp,
    udp,
    udp4,
    vlan,
)

DATAGRAM = ipv4(17, udp(1111, 9999, b"payload"))
DATAGRAM6 = ipv6(17, udp(1111, 9999, b"payload"))
SNAP = b"\xaa\xaa\x03\0\0\0"
LABEL = struct.pack(">I", 100 << 12 | 1 << 8 | 64)


def stacks(situation: Situation) -> list[str]:
    return [stack.removeprefix("eth:ethertype:") for stack in situation.stacks()]


# Links --------------------------------------------------------------------------------------------


def cooked(kind: int, payload: bytes, *, hardware: int = 1) -> Shot:
    return Shot(struct.pack(">HHH8sH", 0, hardware, 6, MAC_A + b"\0\0", kind) + payload, 113)


def hdlc(kind: int, payload: bytes) -> Shot:
    return Shot(struct.pack(">BBH", 0x0F, 0, kind) + payload, 104)


LINKS = Situation(
    cooked(4, SNAP + b"\x08\0" + DATAGRAM),
    cooked(1, b"\xa5" * 40),
    cooked(0x0800, DATAGRAM, hardware=778),
    Shot(struct.pack("<I", 0x0800) + DATAGRAM, 0),
    hdlc(0x8035, struct.pack(">IIIHH", 2, 1, 2, 0xFFFF, 0)),
    hdlc(0x8100, vlan(7, 0x0800, DATAGRAM)),
    hdlc(0x8847, LABEL + DATAGRAM),
    hdlc(0x86DD, DATAGRAM6),
    Shot(b"\x50" + bytes(12) + SNAP + b"\x08\0" + DATAGRAM, 10),
    eth(0x88A8, vlan(3, 3, b"\x42\x42\x03" + bytes(40))),
    eth(len(DATAGRAM) + 12, SNAP + b"\x81\0" + vlan(7, 0x0800, DATAGRAM)),
    eth(len(DATAGRAM) + 12, SNAP + b"\x88\x47" + LABEL + DATAGRAM),
    eth(48, b"\xaa\xaa\x03\x00\x00\x0c\x12\x34" + bytes(40)),
    eth(8, SNAP + b"\x08\0"),
)


def test_rare_links() -> None:
    assert LINKS.stacks() == [
        "sll:llc:ip:udp:data",
        "sll:data",
        "sll:ip:udp:data",
        "null:ip:udp:data",
        "chdlc:slarp",
        "chdlc:data",
        "chdlc:mpls:ip:udp:data",
        "chdlc:ipv6:udp:data",
        "fddi:llc:ip:udp:data",
        "eth:ethertype:ieee8021ad:ethertype:data",
        "eth:llc:vlan:ethertype:ip:udp:data",
        "eth:llc:mpls:ip:udp:data",
        "eth:llc:data",
        "eth:llc:ip",
    ]


SNAP_CUTS, LLC_CUTS = (
    Situation(*cuts(frame).shots[:octets])
    for octets, frame in (
        (50, eth(len(DATAGRAM) + 8, SNAP + b"\x08\0" + DATAGRAM)),
        (17, eth(40, b"\x42\x42\x03" + bytes(37))),
    )
)
SLL_CUTS, NULL_CUTS, HDLC_CUTS, FDDI_CUTS, PPP_CUTS = (
    Situation(*(Shot(octets[:n], link, wire=len(octets)) for n in range(size + 1)))
    for link, size, octets in (
        (113, 16, cooked(0x0800, DATAGRAM).data),
        (0, 4, struct.pack("<I", 2) + DATAGRAM),
        (104, 3, hdlc(0x0800, DATAGRAM).data),
        (10, 21, b"\x50" + bytes(12) + SNAP + b"\x08\0" + DATAGRAM),
        (9, 2, ppp(0x0021, DATAGRAM)),
    )
)


@pytest.mark.parametrize(
    ("situation", "field", "octets"),
    [
        (SLL_CUTS, "sll", 4),
        (NULL_CUTS, "null", 4),
        (FDDI_CUTS, "llc", 14),
        (PPP_CUTS, "ppp", 1),
    ],
)
def test_what_must_be_there_of_a_link(situation: Situation, field: str, octets: int) -> None:
    present = [field in row.own for row in situation.rows]
    assert present == [size >= octets for size in range(len(situation.shots))]
    assert all("_ws.short" in row.own for row in situation.rows)


# PPP ----------------------------------------------------------------------------------------------

CREDIT = b"\x01\x06\x00\x04" + b"\xa5" * 4


def session(packet: bytes) -> bytes:
    return eth(0x8864, pppoe(packet))


PAP = control(1, b"\x01u\x01p")

PPPS = Situation(
    session(CREDIT + ppp(0x0021, DATAGRAM)),
    session(ppp(0x0281, LABEL + DATAGRAM)),
    session(ppp(0xC021, control(8, b"\x80\x57"))),
    session(ppp(0xC021, control(13, bytes(4)))),
)
PAP_CUTS = cuts(session(ppp(0xC023, PAP)))


def test_rare_packets_in_a_session() -> None:
    assert stacks(PPPS) == [
        "pppoes:ppp:ip:udp:data",
        "pppoes:ppp:mpls:ip:udp:data",
        "pppoes:ppp:lcp",
        "pppoes:ppp:lcp",
    ]
    assert PPPS.each("ppp.protocol") == [[0x0021], [0x0281], [0xC021], [0xC021]]
    # A Time-Remaining has four more octets than were sent (RFC 1570 section 2.2).
    assert [bool(values) for values in PPPS.each("_ws.malformed")] == [False, False, False, True]


def test_a_code_of_pap_needs_its_octet_alone() -> None:
    found = [row.own.get("pap.code") for row in PAP_CUTS.rows]
    assert found == [None] * 23 + [[1]] * 8


# IP -----------------------------------------------------------------------------------------------

ROUTE = bytes((131, 7, 4)) + packed(C) + b"\0"
"""A loose source route that has yet to come to C."""


def routed(kind: int, left: int, *addresses: str) -> bytes:
    """A routing header (RFC 8200 section 4.4), TCP behind it."""
    body = b"".join(map(packed, addresses))
    size = len(addresses) * 2
    return struct.pack(">BBBBI", 6, size, kind, left, 0) + body + tcp(1, 2)


IPS = Situation(
    ip4(ipv4(6, tcp(1, 2), options=ROUTE)),
    ip4(ipv4(6, tcp(1, 2, "SA"), C, A)),
    ip4(ipv4(6, tcp(2, 1, "SA"), C, A)),
    ip6(ipv6(43, routed(2, 1, B6))),
    ip6(ipv6(6, tcp(1, 2))),
    ip6(ipv6(43, routed(4, 1, B6, "2001:db8::9"), dst="2001:db8::9")),
    ip6(ipv6(43, routed(0, 1, "2001:db8::9", B6), dst="2001:db8::9")),
    ip6(ipv6(43, routed(0, 0, "2001:db8::9", B6), dst="2001:db8::9")),
)


def test_a_conversation_is_held_with_the_last_address_of_a_route() -> None:
    assert IPS.first("tcp.stream") == [0, 1, 0, 2, 2, 2, 2, 3]
    assert IPS.text("ip.dst")[0] == [C]


JUMBO = struct.pack(">BBBBI", 6, 0, 0xC2, 4, 70_008) + tcp(40010, 40011, "A", 1, 1, b"x" * 69_980)
JUMBOS = Situation(
    Shot(ip6(ipv6(0, JUMBO[:100], length=0)), wire=54 + 70_008),
    ip6(ipv6(0, struct.pack(">BBBBI", 17, 0, 0xC2, 4, 20) + udp(1, 2, b"x" * 4), length=0)),
    ip6(ipv6(0, b"\x11\0\x01\4\0\0\0\0" + udp(1, 2, b"x" * 4), length=0)),
)


def test_a_jumbo_payload_has_more_than_65535_octets() -> None:
    said = JUMBOS.each("_ws.expert.message")
    assert not any("without a jumbo" in text for text in said[0])
    for texts in said[1:]:
        assert "IPv6 payload length is 0 without a jumbo payload" in texts
    assert JUMBOS.first("tcp.len")[0] == 69_980


ROUTE_CUTS, END_CUTS, STAMP_CUTS, ROUTING_CUTS = (
    cuts(ip4(ipv4(6, tcp(1, 2), options=b"\1" + ROUTE[:7]))),
    cuts(ip4(ipv4(6, tcp(1, 2), options=bytes(4)))),
    cuts(ip4(ipv4(6, tcp(1, 2), options=b"\x44\x04\0\0"))),
    Situation(*cuts(ip6(ipv6(43, routed(0, 1, "2001:db8::9", B6)))).shots[56:]),
)


def test_the_destination_needs_the_source_route() -> None:
    # 14 Ethernet, 20 IPv4, a NOP, then the route's seven octets.
    present = ["ip.dst" in row.own for row in ROUTE_CUTS.rows]
    assert present == [size >= 42 for size in range(len(ROUTE_CUTS.shots))]
    present = ["ip.dst" in row.own for row in STAMP_CUTS.rows]
    assert present == [size >= 36 for size in range(len(STAMP_CUTS.shots))]


FIRST_PART = ipv4(17, udp(1111, 9999, b"x" * 40), flags=1)
FIRST_PART6 = ipv6(44, struct.pack(">BBHI", 17, 0, 1, 7) + udp(1111, 9999, b"x" * 40))
PARTS = Situation(
    Shot(ip4(FIRST_PART)[:42], wire=82),
    Shot(ip4(FIRST_PART)[:50], wire=82),
    Shot(ip6(FIRST_PART6)[:70], wire=110),
    Shot(ip6(FIRST_PART6)[:80], wire=110),
)


def test_a_first_fragment_that_was_cut_shows_its_ports_in_ipv4_alone() -> None:
    assert PARTS.each("udp.dstport") == [[9999], [9999], [], []]
    assert [stack.rpartition(":")[2] for stack in PARTS.stacks()] == ["udp", "data", "data", "data"]
    assert PARTS.each("_ws.short")[0] == [1]


# TCP, UDP and above -------------------------------------------------------------------------------

STAMPS, PERMITTED = b"\x08\x0a" + bytes(8), b"\x04\x02"
OPTIONS = MSS + PERMITTED + STAMPS + b"\x01\x03\x03\x07"
SEGMENTS = Situation(
    ip4(ipv4(6, tcp(1, 2, options=OPTIONS))),
    ip4(ipv4(6, tcp(1, 3, options=b"\x04\x03\0\0"))),
    ip4(ipv4(6, tcp(1, 4, options=b"\x08\x08" + bytes(6)))),
    ip4(ipv4(6, tcp(1, 5, options=b"\x03\x04\7\0"))),
    ip4(ipv4(6, tcp(1, 6, options=b"\x02\x08" + bytes(2)))),
)
SEGMENT_CUTS = cuts(ip4(ipv4(6, tcp(1, 2, options=OPTIONS))))


def test_options_of_tcp() -> None:
    assert SEGMENTS.first("tcp.hdr_len") == [40, 24, 28, 24, 24]
    assert [len(values) for values in SEGMENTS.each("_ws.expert")] == [1, 3, 3, 3, 2]
    assert SEGMENTS.first("tcp.stream") == [0, 1, 2, 3, 4]


def ber(size: bytes, value: bytes) -> bytes:
    return b"\x30" + size + value


SNMP = bytes.fromhex(
    "02 01 00 04 06 7075626c6963 a0 19 02 01 01 02 01 00 02 01 00"
    "30 0e 30 0c 06 08 2b06010201010100 05 00"
)
"""Get sysDescr.0, of version 1 and community "public"."""
ANSWER = struct.pack(">6H", 1, 0x8180, 1, 0, 0, 0) + b"\7example\3org\0\0\1\0\1"
BOOTP = b"\x01\x01\x06\0" + bytes(232)
DHCP = BOOTP + b"\x63\x82\x53\x63"
APPLICATIONS = Situation(
    udp4(A, 40000, B, 161, ber(b"\x26", bytes(38))),
    udp4(A, 40000, B, 40001, ANSWER),
    udp4(A, 68, B, 67, DHCP + b"\x35\x01\x01\0\xff"),
)


def test_what_applications_are_called() -> None:
    assert [stack.removeprefix("ip:udp:") for stack in stacks(APPLICATIONS)] == [
        *("data", "dns", "dhcp")
    ]
    assert Situation(*LENGTHS).stacks() == ["eth:ethertype:ip:udp:snmp"] * 3


LENGTHS = tuple(
    udp4(A, 40000, B, 161, ber(size, SNMP)) for size in (b"\x26", b"\x81\x26", b"\x82\0\x26")
)
"""Short and long forms of one length; their streams are known to differ from tshark's."""

UNSOUND = Situation(
    udp4(A, 68, B, 67, DHCP + b"\x35\x01"),
    udp4(A, 68, B, 67, DHCP + b"\x35"),
)


def test_options_of_dhcp_that_go_beyond_it_are_malformed() -> None:
    assert all(UNSOUND.each("_ws.malformed"))


# ICMP ---------------------------------------------------------------------------------------------

QUOTE6 = ipv6(17, udp(40000, 53, b"x" * 24))
"""72 octets: nine words of eight (RFC 4884 section 4.5)."""


def error6(kind: int, words: int, behind: bytes = b"") -> bytes:
    return ip6(ipv6(58, icmpv6(kind, 0, bytes((words, 0, 0, 0)) + QUOTE6 + behind)))


def redirect(*options: bytes) -> bytes:
    body = bytes(4) + packed(A6) + packed(B6) + b"".join(options)
    return ip6(ipv6(58, icmpv6(137, 0, body), hops=255))


REDIRECTED = b"\x04\x0a" + bytes(6) + QUOTE6

ERRORS = Situation(
    error6(1, 9),
    error6(3, 9),
    error6(2, 9),
    redirect(b"\x02\x01" + MAC_A, REDIRECTED),
    ip4(ipv4(1, icmp(15, 0))),
    ip4(ipv4(1, icmp(16, 0))),
)


def test_what_errors_quote() -> None:
    assert [row.quoted.get("udp.dstport") for row in ERRORS.rows] == [
        *([53], [53], [53], [53], None, None)
    ]
    assert ERRORS.first("icmp.type")[4:] == [15, 16]
    assert not any(ERRORS.each("_ws.malformed")[:4])


def test_a_quotation_needs_the_octets_of_its_headers() -> None:
    # 14 Ethernet, 40 IPv6, 8 ICMPv6; then 40 IPv6, and the four octets of both ports.
    rows = cuts(error6(1, 9)).rows
    first = next(n for n, row in enumerate(rows) if "udp.srcport" in row.quoted)
    assert first == 14 + 40 + 8 + 40 + 4


# Carriers -----------------------------------------------------------------------------------------


def gre(kind: int, payload: bytes, flags: int = 0, optional: bytes = b"") -> bytes:
    return ip4(ipv4(47, struct.pack(">HH", flags, kind) + optional + payload))


def gtp(flags: int, kind: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHI", flags, kind, len(payload), 1)
    return udp4(A, 40000, B, 2152, head + payload)


INDICATED = b"\0\1\0\0" + bytes(9)
ORIGIN = b"\0\0\xee\xa3" + bytes(4)

CARRIERS = Situation(
    gre(0x6558, eth(0x0800, DATAGRAM)),
    gre(0x88BE, b"\x10" + bytes(7) + eth(0x0800, DATAGRAM), 0x1000, bytes(4)),
    gtp(0x32, 0xFF, b"\0\1\0\0" + DATAGRAM),
    gtp(0x34, 0xFF, b"\0\0\0\xc0" + b"\1\x12\x34\0" + DATAGRAM6),
    gtp(0x32, 1, b"\0\1\0\0"),
    udp4(A, 3544, B, 3544, INDICATED + DATAGRAM6),
    udp4(A, 3544, B, 3544, INDICATED + ORIGIN + DATAGRAM6),
    udp4(A, 3544, B, 3544, ORIGIN + DATAGRAM6),
)


def test_carriers_with_optional_parts() -> None:
    assert stacks(CARRIERS) == [
        "ip:gre:eth:ethertype:ip:udp:data",
        "ip:gre:erspan:eth:ethertype:ip:udp:data",
        "ip:udp:gtp:ip:udp:data",
        "ip:udp:gtp:ipv6:udp:data",
        "ip:udp:gtp",
        "ip:udp:teredo:ipv6:udp:data",
        "ip:udp:teredo:ipv6:udp:data",
        "ip:udp:teredo:ipv6:udp:data",
    ]


EMPTY = Situation(
    gre(0x0800, b""),
    eth(0x8847, LABEL),
    gtp(0x30, 0xFF, b""),
)


def test_carriers_that_carry_nothing() -> None:
    assert stacks(EMPTY) == ["ip:gre", "mpls", "ip:udp:gtp"]
    assert not any(EMPTY.each("replicap.undecoded"))
    assert [bool(values) for values in EMPTY.each("_ws.malformed")] == [False, True, False]


def nested(packet: bytes, times: int) -> bytes:
    """ICMP errors that each quote the next."""
    for _ in range(times):
        packet = ipv4(1, icmp(3, 1, payload=packet))
    return ip4(packet)


NOT_ENTERED = {
    "EtherIP is not entered": ip4(ipv4(97, b"\x30\0" + eth(0x0800, DATAGRAM))),
    "an encapsulation header is not entered": ip4(ipv4(98, b"\xa5" * 40)),
    "L2TP is not entered": ip4(ipv4(115, b"\xa5" * 40)),
    "MPLS in IP is not entered": ip4(ipv4(137, LABEL + DATAGRAM)),
    "PIM Register is not entered": ip4(ipv4(103, b"\x21\0\0\0\0\0\0\0" + DATAGRAM)),
    "GRE with source routing is not entered": gre(0x0800, DATAGRAM, 0x4000, bytes(4)),
    "more than 20 nested tags": eth(
        0x8100, b"".join(vlan(n, 0x8100, b"") for n in range(30)) + bytes(40)
    ),
    "more than 64 extension headers": ip6(ipv6(60, b"\x3c\0\1\4\0\0\0\0" * 70)),
}
"""What is said -> a frame of which it is said."""

DEEP = (*LENGTHS, nested(DATAGRAM, 3), nested(DATAGRAM, 20), gtp(0x30, 0xFF, b"\xa5" * 20))
"""SNMP, quotations in quotations, GTP with no packet that is known."""

CUTS = tuple(
    shot
    for frame in (
        eth(0x8100, vlan(7, 0x88A8, vlan(8, 0x88A8, vlan(9, 0x0800, DATAGRAM)))),
        eth(40, b"\x42\x42\x03" + bytes(37)),
        session(CREDIT + ppp(0x0021, DATAGRAM)),
        session(ppp(0xC227, PAP)),
        error6(1, 9),
        redirect(REDIRECTED),
    )
    for shot in cuts(frame).shots
)
"""Of a cut header tshark sometimes shows a line for the header, and no field; that is not told
from a header whose octets are there."""


@pytest.mark.parametrize(("said", "frame"), NOT_ENTERED.items(), ids=NOT_ENTERED)
def test_what_is_not_entered_is_said(said: str, frame: bytes) -> None:
    assert Situation(frame).each("replicap.undecoded") == [[said]]


def test_quotations_in_quotations() -> None:
    few, _, unknown = Situation(*DEEP).rows[-3:]
    assert few.quoted["ip.src"] == [number(A)] * 3
    assert few.quoted["udp.dstport"] == [9999]
    assert few.own["ip.src"] == [number(A)]
    assert unknown.own["frame.protocols"] == ["eth:ethertype:ip:udp:gtp:data"]
