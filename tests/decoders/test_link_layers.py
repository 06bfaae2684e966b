"""Link layers: Ethernet, 802.3, tags, cooked capture, loopback, raw IP, what is not supported."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.layers.dispatch import LINK_TYPES
from tests.decoders.frame_bytes import (
    A6,
    MAC_A,
    MAC_B,
    A,
    B,
    Shot,
    Situation,
    arp,
    cuts,
    decoded,
    eth,
    ipv4,
    ipv6,
    number,
    ppp,
    pppoe,
    tcp,
    udp,
    vlan,
)

DATAGRAM = ipv4(17, udp(1111, 9999, b"payload"))
DATAGRAM6 = ipv6(17, udp(1111, 9999, b"payload"))

# A frame typed by hand: broadcast, an ARP request who has 192.0.2.2, padded with zeros to 60.
ARP_REQUEST = Situation(
    bytes.fromhex(
        "ffffffffffff 02000000000a 0806"
        "0001 0800 06 04 0001 02000000000a c0000201 000000000000 c0000202" + "00" * 18
    )
)


def test_literal_arp_request() -> None:
    (row,) = ARP_REQUEST.rows
    assert row.own["eth.dst"] == [b"\xff" * 6]
    assert row.own["eth.src"] == [b"\x02\0\0\0\0\x0a"]
    assert row.own["eth.type"] == [0x0806]
    assert row.own["arp.opcode"] == [1]
    assert row.own["arp.src.proto_ipv4"] == [0xC0000201]
    assert row.own["arp.dst.proto_ipv4"] == [0xC0000202]
    assert row.own["eth.padding"] == [bytes(18)]
    assert row.own["frame.protocols"] == ["eth:ethertype:arp"]
    assert row.occurrences("eth.addr") == [b"\xff" * 6, b"\x02\0\0\0\0\x0a"]


TAGS = Situation(
    eth(0x8100, vlan(7, 0x0800, DATAGRAM, priority=5, dei=1)),
    eth(0x8100, vlan(100, 0x8100, vlan(7, 0x0800, DATAGRAM))),
    eth(0x88A8, vlan(100, 0x8100, vlan(7, 0x0800, DATAGRAM))),
    eth(0x88A8, vlan(100, 0x0800, DATAGRAM)),
    eth(0x88A8, vlan(100, 0x88A8, vlan(7, 0x0800, DATAGRAM))),
    eth(0x9100, vlan(9, 0x0800, DATAGRAM)),
    eth(0x9200, vlan(9, 0x0800, DATAGRAM)),
    eth(0x8100, vlan(3, 3, b"\x42\x42\x03" + bytes(40))),
)


def test_tags_of_all_kinds() -> None:
    assert TAGS.each("vlan.id") == [[7], [100, 7], [7], [], [], [9], [], [3]]
    assert TAGS.first("vlan.priority")[0] == 5
    assert TAGS.first("vlan.dei")[:2] == [True, False]
    assert TAGS.each("vlan.etype")[1] == [0x8100, 0x0800]
    assert TAGS.each("ieee8021ad.id") == [[], [], [100], [100], [], [], [], []]
    assert TAGS.each("ieee8021ad.svid")[4] == [100]
    assert TAGS.each("ieee8021ad.cvid")[4] == [7]
    assert TAGS.each("ip.src") == [[number(A)]] * 6 + [[], []]
    assert TAGS.stacks()[1] == "eth:ethertype:vlan:ethertype:vlan:ethertype:ip:udp:data"


def test_a_length_behind_a_tag_is_no_type() -> None:
    assert TAGS.each("vlan.etype")[7] == []
    assert TAGS.each("vlan.len")[7] == [3]


def nested(tags: int) -> bytes:
    packet = DATAGRAM
    for nth in range(tags):
        packet = vlan(tags - nth, 0x0800 if nth == 0 else 0x8100, packet)
    return eth(0x8100, packet)


def test_stacks_of_tags_end() -> None:
    deep, deeper = decoded(nested(20), nested(200))
    assert deep.own["vlan.id"] == list(range(1, 21))
    assert deep.own["ip.src"] == [number(A)]
    assert deeper.own["replicap.undecoded"] == ["more than 20 nested tags"]
    assert "ip.src" not in deeper.own


VLAN_PPPOE_TCP = eth(
    0x8100, vlan(7, 0x8864, pppoe(ppp(0x0021, ipv4(6, tcp(50001, 50000, "S", 5, payload=b"xyz")))))
)
CUTS = cuts(VLAN_PPPOE_TCP)

# Field -> octets of that frame that must be there: 14 Ethernet, 4 tag, 6 PPPoE, 2 PPP, 20 IPv4.
NEEDED = {
    "frame": 0,
    "eth": 14,
    "vlan": 16,
    "vlan.etype": 18,
    "pppoes": 24,
    "ppp": 26,
    "ip": 27,
    "ip.len": 30,
    "ip.ttl": 35,
    "ip.proto": 36,
    "ip.src": 42,
    "ip.dst": 46,
    "tcp": 50,
    "tcp.stream": 62,
    "tcp.flags": 62,
    "tcp.len": 62,
}


@pytest.mark.parametrize(("field", "octets"), NEEDED.items())
def test_presence_in_a_cut_frame(field: str, octets: int) -> None:
    present = [field in row.own for row in CUTS.rows]
    assert present == [n >= octets for n in range(len(VLAN_PPPOE_TCP) + 1)]


def test_a_cut_frame_is_short_and_not_malformed() -> None:
    assert len(VLAN_PPPOE_TCP) == 69
    short = ["_ws.short" in row.own for row in CUTS.rows]
    assert short == [True] * 66 + [False] * 4
    assert not any("_ws.malformed" in row.own for row in CUTS.rows)
    assert CUTS.first("tcp.len")[-1] == 3
    assert CUTS.first("tcp.len")[62] == 3
    assert CUTS.first("frame.len") == [69] * 70
    assert CUTS.first("frame.cap_len") == list(range(70))


ETHERNET_LENGTHS = Situation(
    eth(10, b"\xaa\xaa\x03\0\0\0\x08\0" + DATAGRAM[:2]),
    eth(len(DATAGRAM) + 8, b"\xaa\xaa\x03\0\0\0\x08\0" + DATAGRAM),
    eth(0, bytes(46)),
    eth(1500, bytes(46)),
    eth(1501, bytes(46)),
    eth(1535, bytes(46)),
    eth(0x0666, bytes(46)),
    eth(46, b"\xff\xff\x00\x1e" + bytes(42)),
    eth(38, b"\x06\x06\x03" + DATAGRAM),
)


def test_types_and_lengths() -> None:
    assert ETHERNET_LENGTHS.each("eth.len") == [[10], [43], [], [1500], [], [], [], [46], [38]]
    assert ETHERNET_LENGTHS.each("eth.type") == [[], [], [0], [], [], [], [0x0666], [], []]
    assert ETHERNET_LENGTHS.each("ip.src")[1] == [number(A)]
    assert ETHERNET_LENGTHS.each("ip.src")[8] == [number(A)]
    assert [bool(values) for values in ETHERNET_LENGTHS.each("llc")] == [
        *(True, True, False, True, False, False, False, False, True)
    ]
    assert ETHERNET_LENGTHS.stacks()[1] == "eth:llc:ip:udp:data"
    assert ETHERNET_LENGTHS.stacks()[7].startswith("eth:ipx")


def test_the_smallest_type() -> None:
    (row,) = decoded(eth(1536, bytes(46)))
    assert row.own["eth.type"] == [1536]


TRAILERS = Situation(
    eth(0x0800, DATAGRAM + bytes(11)),
    eth(0x0800, DATAGRAM + b"\x01" * 11),
    eth(0x0800, DATAGRAM + bytes(11) + b"\xde\xad\xbe\xef"),
    eth(0x0800, DATAGRAM + bytes(11) + b"tail\xde\xad\xbe\xef"),
    eth(0x0806, arp(2, A, B) + bytes(10)),
)


def test_what_is_behind_a_packet_is_no_part_of_it() -> None:
    assert TRAILERS.first("ip.len") == [35, 35, 35, 35, None]
    assert TRAILERS.first("udp.length")[:4] == [15] * 4
    assert TRAILERS.first("eth.padding") == [bytes(11), None, bytes(11), bytes(11), None]
    assert TRAILERS.first("eth.trailer") == [None, b"\x01" * 11, None, b"tail", bytes(10)]
    assert TRAILERS.first("eth.fcs") == [None, None, 0xDEADBEEF, 0xDEADBEEF, None]


COOKED = struct.pack(">HHH8sH", 0, 1, 6, MAC_A + b"\0\0", 0x0800)
COOKED_2 = struct.pack(">HHIHBB8s", 0x0800, 0, 2, 1, 0, 6, MAC_A + b"\0\0")

LINKS = Situation(
    Shot(COOKED + DATAGRAM, 113),
    Shot(COOKED_2 + DATAGRAM, 276),
    Shot(b"\x02\0\0\0" + DATAGRAM, 0),
    Shot(b"\0\0\0\x02" + DATAGRAM, 0),
    Shot(b"\0\0\0\x1e" + DATAGRAM6, 108),
    Shot(b"\x18\0\0\0" + DATAGRAM6, 0),
    Shot(b"\0\0\0\x1c" + DATAGRAM6, 0),
    Shot(b"\x0a\0\0\0" + DATAGRAM6, 0),
    Shot(DATAGRAM, 101),
    Shot(DATAGRAM6, 101),
    Shot(b"\xa5" * 24, 101),
    Shot(DATAGRAM, 12),
    Shot(DATAGRAM, 228),
    Shot(DATAGRAM6, 229),
    Shot(ppp(0x0021, DATAGRAM), 9),
    Shot(b"\xff\x03" + ppp(0x0057, DATAGRAM6), 50),
    Shot(b"\x0f\x00\x08\x00" + DATAGRAM, 9),
    Shot(b"\x0f\x00\x08\x00" + DATAGRAM, 104),
    Shot(pppoe(ppp(0x0021, DATAGRAM)), 51),
    Shot(b"\xa5" * 24, 147),
)


def test_link_types() -> None:
    assert LINKS.stacks() == [
        "sll:ethertype:ip:udp:data",
        "sll:ethertype:ip:udp:data",
        "null:ip:udp:data",
        "null:ip:udp:data",
        "null:ipv6:udp:data",
        "null:ipv6:udp:data",
        "null:ipv6:udp:data",
        "null:data",
        "raw:ip:udp:data",
        "raw:ipv6:udp:data",
        "raw:data",
        "raw:ip:udp:data",
        "ip:udp:data",
        "ipv6:udp:data",
        "ppp:ip:udp:data",
        "ppp:ipv6:udp:data",
        "ppp:chdlc:ip:udp:data",
        "chdlc:ip:udp:data",
        "pppoes:ppp:ip:udp:data",
        "user_dlt:data",
    ]
    assert not any(LINKS.each("eth"))
    assert LINKS.text("ipv6.src")[4] == [A6]


def test_unsupported_link_types_are_said() -> None:
    row, unknown = decoded(Shot(b"\xa5" * 40, 127), Shot(b"\xa5" * 40, 65000))
    assert row.own["replicap.undecoded"] == ["link type 127 is not supported"]
    assert unknown.own["replicap.undecoded"] == ["link type 65000 is not supported"]
    assert row.own["frame.len"] == [40]
    assert "_ws.malformed" not in row.own


def test_types_that_wireshark_enters_are_said() -> None:
    (row,) = decoded(eth(0x88E5, b"\xa5" * 60))
    assert row.own["replicap.undecoded"] == ["MACsec is not entered"]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.sampled_from(sorted(LINK_TYPES)), st.binary(max_size=120), st.integers(0, 200))
def test_any_octets_give_one_row(link: int, data: bytes, wire: int) -> None:
    (row,) = decoded(Shot(data, link, wire))
    assert row.own["frame.number"] == [1]
    assert row.own["frame.cap_len"] == [len(data)]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.sampled_from([0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x8863, 0x8864, 0x8847, 64]),
    st.binary(max_size=90),
)
def test_any_octets_behind_any_type_give_one_row(kind: int, data: bytes) -> None:
    (row,) = decoded(eth(kind, data, dst=MAC_B))
    assert row.own["eth.dst"] == [MAC_B]


NOTHING_BEHIND = Situation(eth(0xFBB7, b""), eth(0xFBB7, b"?"))


def test_an_unknown_type_with_nothing_behind_is_not_looked_into() -> None:
    assert NOTHING_BEHIND.stacks() == ["eth", "eth:ethertype:data"]
