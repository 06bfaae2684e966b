"""Tunnels: IP in IP, 6in4, GRE and MPLS are entered; what is not entered is said."""

from __future__ import annotations

import struct

from tests.decoders.frame_bytes import (
    A6,
    B6,
    A,
    B,
    C,
    Situation,
    decoded,
    eth,
    ip4,
    ip6,
    ipv4,
    ipv6,
    number,
    ppp,
    tcp,
    udp,
    udp4,
)

INNER = ipv4(17, udp(1111, 9999, b"payload"), "10.0.0.1", "10.0.0.2", ttl=9)
INNER6 = ipv6(6, tcp(40000, 80, "S", 7))


VXLAN = b"\x08\0\0\0\0\0\x2a\0"


def gre(kind: int, payload: bytes, flags: int = 0, optional: bytes = b"") -> bytes:
    return struct.pack(">HH", flags, kind) + optional + payload


def label(value: int, *, bottom: bool) -> bytes:
    return struct.pack(">I", value << 12 | bottom << 8 | 64)


ENTERED = Situation(
    ip4(ipv4(4, INNER)),
    ip4(ipv4(41, INNER6)),
    ip6(ipv6(4, INNER)),
    ip4(ipv4(47, gre(0x0800, INNER))),
    ip4(ipv4(47, gre(0x86DD, INNER6, 0x3000, bytes(8)))),
    ip4(ipv4(47, gre(0x880B, b"\xff\x03" + ppp(0x0021, INNER), 0x3001, bytes(8)))),
    eth(0x8847, label(100, bottom=False) + label(200, bottom=True) + INNER),
    eth(0x8847, label(0, bottom=True) + INNER),
    eth(0x8848, label(2, bottom=True) + INNER6),
    ip4(ipv4(4, ipv4(4, INNER, C, B))),
    udp4(A, 40000, B, 4789, VXLAN + ip4(INNER)),
    udp4(A, 40000, B, 2152, b"\x30\xff\x00\x23" + bytes(4) + INNER),
    udp4(A, 3544, B, 3544, INNER6),
)


def test_headers_from_the_wire_inwards() -> None:
    assert ENTERED.text("ip.src")[0] == [A, "10.0.0.1"]
    assert ENTERED.first("udp.srcport")[0] == 1111
    assert ENTERED.rows[0].own["ip.ttl"] == [64, 9]
    assert ENTERED.rows[0].quoted == {}
    assert ENTERED.text("ip.src")[9] == [A, C, "10.0.0.1"]
    assert ENTERED.text("ipv6.src")[1] == [A6]
    assert ENTERED.each("ip.version")[1] == [4, 6]
    assert ENTERED.text("ip.src")[2] == ["10.0.0.1"]


def test_stacks_of_tunnels() -> None:
    assert [stack.removeprefix("eth:ethertype:") for stack in ENTERED.stacks()] == [
        "ip:ip:udp:data",
        "ip:ipv6:tcp",
        "ipv6:ip:udp:data",
        "ip:gre:ip:udp:data",
        "ip:gre:ipv6:tcp",
        "ip:gre:ppp:ip:udp:data",
        "mpls:ip:udp:data",
        "mpls:ip:udp:data",
        "mpls:ipv6:tcp",
        "ip:ip:ip:udp:data",
        "ip:udp:vxlan:eth:ethertype:ip:udp:data",
        "ip:udp:gtp:ip:udp:data",
        "ip:udp:teredo:ipv6:tcp",
    ]
    assert ENTERED.each("mpls")[6] == [1, 1]


def test_a_tunnel_does_not_separate_conversations() -> None:
    assert ENTERED.first("udp.stream") == [0, None, 0, 0, None, 0, 0, 0, None, 0, 1, 2, 3]
    assert ENTERED.first("tcp.stream") == [
        *(None, 0, None, None, 0, None, None, None, 0, None, None, None, 0)
    ]
    assert not any("replicap.undecoded" in row.own for row in ENTERED.rows)


TRAILED = Situation(eth(0x8847, label(100, bottom=True) + INNER + bytes(7) + b"tail"))


def test_what_is_behind_a_packet_under_mpls_is_padding() -> None:
    assert TRAILED.first("eth.padding") == [bytes(7)]
    assert TRAILED.first("eth.fcs") == [int.from_bytes(b"tail", "big")]


def test_a_label_that_carries_no_packet_is_said() -> None:
    found = Situation(*(eth(0x8847, label(nth, bottom=True) + INNER) for nth in (14, 100)))
    assert found.stacks() == ["eth:ethertype:mpls:data", "eth:ethertype:mpls:ip:udp:data"]
    assert found.text("replicap.undecoded") == [
        ["MPLS label 14 carries no packet that is entered"],
        [],
    ]


def test_an_outer_length_cuts_the_inner_packet() -> None:
    (row,) = decoded(ip4(ipv4(4, INNER, length=20 + 24)))
    assert row.own["udp.srcport"] == [1111]
    assert row.own["ip.len"] == [44, 35]
    assert row.own["_ws.malformed"] == ["[Malformed Packet: UDP]", "_ws.malformed"]


def test_an_icmp_error_about_a_tunnel_quotes_both_headers() -> None:
    from tests.decoders.frame_bytes import unreachable

    (row,) = decoded(unreachable(ipv4(4, INNER)))
    assert row.own["ip.src"] == [number(B)]
    assert row.quoted["ip.src"] == [number(A), number("10.0.0.1")]
    assert row.quoted["udp.srcport"] == [1111]


def test_tunnels_that_are_not_entered_are_said() -> None:
    rows = decoded(
        udp4(A, 40000, B, 8472, VXLAN + ip4(INNER)),
        udp4(A, 40000, B, 6081, bytes(8) + ip4(INNER)),
        udp4(A, 1701, B, 1701, b"\xa5" * 40),
        ip4(ipv4(47, gre(0x1234, b"\xa5" * 40))),
        eth(0x8847, label(100, bottom=True) + b"\xa5" * 40),
    )
    assert all("replicap.undecoded" in row.own for row in rows)
    assert [row.own["ip.src"] for row in rows[:4]] == [[number(A)]] * 4
    assert rows[0].own["udp.stream"] == [0]


def test_gre_with_a_checksum() -> None:
    (row,) = decoded(ip4(ipv4(47, gre(0x86DD, INNER6, 0xB000, bytes(12)))))
    assert row.own["tcp.dstport"] == [80]


def test_vxlan_shows_both_ethernet_headers() -> None:
    assert len(ENTERED.each("eth.src")[10]) == 2
    assert ENTERED.each("udp.srcport")[10] == [40000, 1111]
    assert ENTERED.each("udp.stream")[10] == [1, 0]


def test_vxlan_inside_vxlan_ends() -> None:
    packet = ip4(INNER)
    for _ in range(300):
        packet = udp4(A, 40000, B, 4789, VXLAN + packet)
    (row,) = decoded(packet)
    assert len(row.own["udp.srcport"]) == 32
    assert "replicap.undecoded" in row.own


def test_headers_inside_one_another_end() -> None:
    packet = INNER
    for _ in range(200):
        packet = ipv4(4, packet)
    (row,) = decoded(ip4(packet))
    assert len(row.own["ip.src"]) == 33
    assert row.own["replicap.undecoded"] == ["more than 32 nested headers"]


def test_addresses_of_an_inner_header_are_ends_too() -> None:
    row = ENTERED.rows[0]
    inner = [number("10.0.0.1"), number("10.0.0.2")]
    assert row.occurrences("ip.addr") == [number(A), number(B), *inner]
    assert ENTERED.text("ipv6.addr")[8] == [A6, B6]
