"""IPv4 and IPv6 headers: fields, lengths that lie, versions that lie, extension headers."""

from __future__ import annotations

import struct

import pytest

from tests.decoders.frame_bytes import (
    A6,
    B6,
    A,
    B,
    C,
    Shot,
    Situation,
    cuts,
    decoded,
    eth,
    icmpv6,
    ip4,
    ip6,
    ipv4,
    ipv6,
    number,
    packed,
    tcp,
    udp,
)

UDP = udp(1111, 9999, b"payload")

# Typed by hand: total length 28, id 0xa5b6, don't fragment, TTL 61, UDP 53000 -> 9999, no payload.
LITERAL = Situation(
    bytes.fromhex(
        "02000000000b 02000000000a 0800"
        "45 00 001c a5b6 4000 3d 11 d5d5 c0000201 c6336401 cf08 270f 0008 0001" + "00" * 18
    )
)


def test_literal_ipv4_header() -> None:
    (row,) = LITERAL.rows
    expected = {
        "ip.version": 4,
        "ip.hdr_len": 20,
        "ip.len": 28,
        "ip.id": 0xA5B6,
        "ip.flags.rb": False,
        "ip.flags.df": True,
        "ip.flags.mf": False,
        "ip.frag_offset": 0,
        "ip.ttl": 61,
        "ip.proto": 17,
        "ip.checksum": 0xD5D5,
        "ip.checksum.status": 2,
        "ip.src": 0xC0000201,
        "ip.dst": 0xC6336401,
    }
    assert {name: row.own[name] for name in expected} == {k: [v] for k, v in expected.items()}
    assert LITERAL.text("ip.addr") == [["192.0.2.1", "198.51.100.1"]]


LYING = Situation(
    ip4(ipv4(17, UDP, length=0)),
    ip4(ipv4(17, UDP, length=19)),
    ip4(ipv4(17, UDP, words=4)),
    ip4(ipv4(17, UDP, words=7, length=24)),
    ip4(ipv4(17, UDP, length=200)),
    ip4(ipv4(17, UDP, length=20)),
    ip4(ipv4(17, UDP, length=27)),
    ip4(ipv4(17, UDP, version=5)),
    ip4(ipv6(17, UDP)),
    eth(0x86DD, ipv4(17, UDP)),
    ip4(ipv4(6, b"")),
    ip6(ipv6(6, b"")),
)


def test_a_length_of_zero_is_the_rest_of_the_frame() -> None:
    assert LYING.first("ip.len")[0] == 35
    assert LYING.first("udp.stream")[0] == 0


def test_headers_that_stop_at_ip() -> None:
    assert LYING.each("ip.src")[1:4] == [[], [], []]
    assert LYING.first("ip.len")[1:4] == [19, None, 24]
    assert LYING.first("ip.hdr_len")[1:4] == [20, 16, 28]
    assert all(LYING.each("ip")[1:4])


def test_a_length_beyond_the_frame_goes_on() -> None:
    assert LYING.first("udp.stream")[4] == 0
    assert LYING.first("udp.length")[4] == 15
    assert LYING.each("_ws.expert.severity")[4] == [0x800000]


def test_a_length_that_cuts_the_datagram() -> None:
    assert LYING.each("udp")[5] == []
    assert LYING.each("udp.srcport")[6] == [1111]
    assert LYING.each("udp.stream")[6] == []
    assert LYING.each("_ws.malformed")[6] == [
        "_ws.malformed",
        "[Malformed Packet: UDP]",
        "_ws.malformed",
    ]


def test_versions_that_lie() -> None:
    assert LYING.each("ip.version")[7:10] == [[5], [6, 6], [4]]
    assert LYING.each("ipv6.src")[8] == [packed(A6)]
    assert [bool(values) for values in LYING.each("ip")[7:10]] == [True, True, False]
    assert [bool(values) for values in LYING.each("ipv6")[7:10]] == [False, True, True]
    assert LYING.each("_ws.malformed")[9] == ["_ws.malformed"]


def test_an_empty_payload_has_no_tcp_over_ipv4_and_is_malformed_over_ipv6() -> None:
    assert LYING.stacks()[10:] == ["eth:ethertype:ip", "eth:ethertype:ipv6:tcp"]
    assert LYING.each("tcp")[10:] == [[], []]
    assert LYING.each("_ws.malformed")[10] == []
    assert LYING.each("_ws.malformed")[11] == ["[Malformed Packet: TCP]", "_ws.malformed"]


LOOSE_ROUTE = b"\x83\x07\x04" + packed(C) + b"\0"

OPTIONS = Situation(
    ip4(ipv4(17, UDP, options=b"\x01" * 8)),
    ip4(ipv4(17, UDP, options=b"\x94\x04\0\0")),
    ip4(ipv4(17, UDP, options=b"\x94\xff\0\0")),
    ip4(ipv4(17, UDP, options=LOOSE_ROUTE)),
)


def test_options_are_stepped_over() -> None:
    assert OPTIONS.first("ip.hdr_len") == [28, 24, 24, 28]
    assert OPTIONS.first("udp.srcport") == [1111] * 4


def test_the_end_of_a_source_route_is_the_destination() -> None:
    assert OPTIONS.text("ip.dst") == [[B], [B], [B], [C]]
    assert OPTIONS.first("udp.stream") == [0, 0, 0, 1]


POINTERS = Situation(
    *(
        ip4(ipv4(17, UDP, options=b"\x83\x0b" + bytes([pointer]) + packed(B) + packed(C) + b"\0"))
        for pointer in (0, 4, 7, 8, 12)
    )
)


def test_a_source_route_whose_pointer_lies_is_none() -> None:
    assert POINTERS.text("ip.dst") == [[B], [C], [B], [C], [B]]


TTLS = Situation(
    ip4(ipv4(17, UDP, ttl=4)),
    ip4(ipv4(17, UDP, ttl=5)),
    ip4(ipv4(103, b"\xa5" * 8, ttl=1)),
    ip4(ipv4(17, UDP, dst="224.0.0.5", ttl=2)),
    ip4(ipv4(17, UDP, dst="224.0.0.5", ttl=1)),
    ip4(ipv4(17, UDP, dst="239.1.2.3", ttl=1)),
)


def test_expert_items_of_the_ttl() -> None:
    note = [0x400000]
    assert TTLS.each("_ws.expert.severity")[:2] == [note, []]
    assert TTLS.each("_ws.expert.severity")[3:] == [note, [], []]


V6_LITERAL = Situation(
    bytes.fromhex(
        "02000000000b 02000000000a 86dd 6a5b6c7d 0008 11 3f"
        "20010db8000000000000000000000001 20010db8000100000000000000000002 cf08 270f 0008 0001"
    )
)


def test_literal_ipv6_header() -> None:
    (row,) = V6_LITERAL.rows
    assert row.own["ip.version"] == [6]
    assert row.own["ipv6.plen"] == [8]
    assert row.own["ipv6.nxt"] == [17]
    assert row.own["ipv6.hlim"] == [63]
    assert V6_LITERAL.text("ipv6.addr") == [["2001:db8::1", "2001:db8:1::2"]]
    assert "ip" not in row.own


def option_header(following: int, units: int = 0) -> bytes:
    """Hop-by-hop or destination options: a PadN that fills the header."""
    size = (units + 1) * 8
    return bytes((following, units, 1, size - 4)) + bytes(size - 4)


def routing(following: int, left: int, last: str, kind: int = 0) -> bytes:
    return struct.pack(">BBBBI", following, 2, kind, left, 0) + packed(last)


AH = struct.pack(">BBHII12s", 17, 4, 0, 1, 1, b"\xa5" * 12)
FINAL = "2001:db8:f::1"

EXTENSIONS = Situation(
    ip6(ipv6(0, option_header(17) + UDP)),
    ip6(ipv6(0, option_header(60, 1) + option_header(17) + UDP)),
    ip6(ipv6(43, routing(17, 0, FINAL) + UDP)),
    ip6(ipv6(43, routing(17, 1, FINAL) + UDP)),
    ip6(ipv6(51, AH + UDP)),
    ip6(ipv6(59, b"")),
    ip6(ipv6(59, b"\xa5" * 4)),
    ip6(ipv6(0, option_header(59))),
    ip6(ipv6(60, option_header(17, 20)[:16] + UDP)),
    ip6(ipv6(17, UDP, length=0)),
    ip6(ipv6(17, UDP, length=200)),
    ip6(ipv6(58, icmpv6(128, 0, b"\0\1\0\1"))),
)


def test_extension_headers_are_followed() -> None:
    assert EXTENSIONS.first("udp.srcport")[:5] == [1111] * 5
    assert EXTENSIONS.first("ipv6.nxt") == [0, 0, 43, 43, 51, 59, 59, 0, 60, 17, 17, 58]
    assert [bool(values) for values in EXTENSIONS.each("ipv6.hopopts")[:3]] == [True, True, False]
    assert EXTENSIONS.stacks()[1] == "eth:ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:udp:data"
    assert EXTENSIONS.stacks()[4] == "eth:ethertype:ipv6:ah:udp:data"
    assert EXTENSIONS.stacks()[5:7] == ["eth:ethertype:ipv6", "eth:ethertype:ipv6:data"]


def test_segments_left_give_another_conversation() -> None:
    assert EXTENSIONS.first("udp.stream")[:5] == [0, 0, 0, 1, 0]
    assert EXTENSIONS.text("ipv6.dst")[3] == [B6]
    assert EXTENSIONS.text("ipv6.addr")[3] == [A6, B6]


def test_extension_headers_that_lie() -> None:
    assert EXTENSIONS.each("udp")[8] == []
    assert "[Malformed Packet: IPv6 Destination]" in EXTENSIONS.each("_ws.malformed")[8]
    assert "[Malformed Packet: UDP]" in EXTENSIONS.each("_ws.malformed")[9]
    assert EXTENSIONS.first("udp.srcport")[10] == 1111


def test_a_chain_of_extension_headers_ends() -> None:
    chain = option_header(60) * 100 + option_header(17) + UDP
    (row,) = decoded(ip6(ipv6(60, chain)))
    assert row.own["replicap.undecoded"] == ["more than 64 extension headers"]


SMALL = udp(1111, 9999, b"x")
CUTS4, CUTS6 = cuts(ip4(ipv4(17, SMALL))), cuts(ip6(ipv6(17, SMALL)))


@pytest.mark.parametrize(
    ("field", "octets"),
    [
        ("ip", 1),
        ("ip.len", 4),
        ("ip.ttl", 9),
        ("ip.proto", 10),
        ("ip.src", 16),
        ("ip.dst", 20),
        ("udp", 24),
        ("udp.length", 26),
        ("udp.stream", 28),
    ],
)
def test_presence_in_a_cut_ipv4_packet(field: str, octets: int) -> None:
    present = [field in row.own for row in CUTS4.rows]
    assert present == [size >= 14 + octets for size in range(len(CUTS4.shots))]


@pytest.mark.parametrize(
    ("field", "octets"),
    [("ipv6", 0), ("ipv6.plen", 7), ("ipv6.src", 24), ("ipv6.dst", 40), ("udp", 44)],
)
def test_presence_in_a_cut_ipv6_packet(field: str, octets: int) -> None:
    present = [field in row.own for row in CUTS6.rows]
    assert present == [size >= 14 + octets for size in range(len(CUTS6.shots))]


RECORDS = Situation(
    Shot(ip4(ipv4(17, UDP)), wire=20),
    Shot(ip4(ipv4(6, tcp(1, 2))), wire=1500),
)


def test_a_record_that_claims_less_than_it_holds() -> None:
    assert RECORDS.first("frame.len") == [20, 1500]
    assert RECORDS.first("frame.cap_len") == [49, 54]
    assert [bool(values) for values in RECORDS.each("_ws.malformed")] == [True, False]
    assert RECORDS.first("udp.srcport")[0] == 1111
    assert number(A) == RECORDS.first("ip.src")[0]
