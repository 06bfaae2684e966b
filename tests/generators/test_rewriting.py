"""Fields are rewritten where they stand; lengths and checksums are right afterwards."""

from __future__ import annotations

import pytest

from generators.edits import Record
from generators.headers import headers
from generators.packets import (
    ICMP,
    TCP,
    UDP,
    Segment,
    Wire,
    checksum,
    icmp_error,
    ipv4,
    ipv6,
    tcp,
    udp,
)
from generators.rewriting import assigned, grown, mended, shrunk, value_of, without_octets
from generators.variants import variants
from tests.decoders.frame_bytes import decoded

SRC, DST = "192.0.2.1", "198.51.100.7"
HERE, THERE = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ETHERNET, CISCO_HDLC, RAW = 1, 104, 101

UDP_FRAME = bytes.fromhex(
    "020000000002 020000000001 8100 0007"  # Ethernet, VLAN 7
    "8864 1100 0001 0021 0021"  # PPPoE session 1, 33 octets, IPv4
    "4500 001f 0000 4000 4011 4f73 c0000201 c6336407"  # IPv4, 31 octets, UDP
    "03e8 0007 000b 7177 616263"  # 1000 -> 7, 11 octets, 'abc'
)


def record(data: bytes, link: int = ETHERNET) -> Record:
    return Record(0, data, len(data), link)


def tcp_packet() -> bytes:
    return ipv4(tcp(Segment(1000, 80), src=SRC, dst=DST), src=SRC, dst=DST, protocol=TCP)


def framed(packet: bytes, **wire: int) -> bytes:
    return Wire(HERE, THERE, **wire).frame(packet, outgoing=True)


def test_headers_are_found_from_the_wire_inwards() -> None:
    found = [(header.protocol, header.start) for header in headers(UDP_FRAME, ETHERNET)]
    assert found == [("eth", 0), ("vlan", 14), ("pppoes", 18), ("ip", 26), ("udp", 46)]


def test_what_an_icmp_error_quotes_is_marked() -> None:
    error = ipv4(icmp_error(3, 13, tcp_packet(), 20), src=DST, dst=SRC, protocol=ICMP)
    found = [(header.protocol, header.quoted) for header in headers(framed(error), ETHERNET)]
    assert found == [
        ("eth", False),
        ("ip", False),
        ("icmp", False),
        ("ip", True),
        ("tcp", True),
    ]


def test_the_ports_of_eight_quoted_octets_can_be_set() -> None:
    error = ipv4(icmp_error(3, 13, tcp_packet()), src=DST, dst=SRC, protocol=ICMP)
    made = assigned(record(framed(error)), "tcp.srcport", 7)
    assert made is not None
    assert made.data[62:66] == bytes.fromhex("0007 0050")
    assert checksum(made.data[34:70]) == 0


def test_a_port_is_set_and_both_checksums_hold() -> None:
    made = assigned(mended(record(UDP_FRAME)), "udp.dstport", 53)
    assert made is not None
    assert made.data[48:50] == bytes.fromhex("0035")
    assert len(made.data) == len(UDP_FRAME)
    assert checksum(made.data[26:46]) == 0
    pseudo = made.data[38:46] + bytes.fromhex("0011 000b")
    assert checksum(pseudo + made.data[46:]) == 0


def test_an_address_is_set_with_the_header_checksum() -> None:
    made = assigned(record(framed(tcp_packet())), "ip.src", 0xC0000263)
    assert made is not None
    assert made.data[26:30] == bytes([192, 0, 2, 99])
    assert checksum(made.data[14:34]) == 0


def test_bits_of_a_field_leave_those_beside_it() -> None:
    tagged = record(bytes.fromhex("020000000002 020000000001 8100 6007 0800") + tcp_packet())
    made = assigned(tagged, "vlan.id", 8)
    assert made is not None
    assert made.data[14:16] == bytes.fromhex("6008")


@pytest.mark.parametrize(
    ("flag", "value", "octets"),
    [("tcp.flags.syn", 0, "5000"), ("tcp.flags.ack", 1, "5012"), ("tcp.flags", 0x29, "5029")],
)
def test_flags(flag: str, value: int, octets: str) -> None:
    made = assigned(record(framed(tcp_packet())), flag, value)
    assert made is not None
    assert made.data[46:48].hex() == octets


def test_a_field_that_the_packet_has_not_cannot_be_set() -> None:
    frame = record(framed(tcp_packet()))
    assert assigned(frame, "udp.dstport", 53) is None
    assert assigned(frame, "tcp.analysis.retransmission", 1) is None
    assert assigned(frame, "tcp.dstport", 70000) is None


def test_a_value_that_is_there_already_changes_nothing() -> None:
    frame = record(framed(tcp_packet()))
    assert assigned(frame, "tcp.dstport", 80) is frame
    assert value_of(frame, "tcp.dstport") == 80


def test_growing_counts_in_every_length() -> None:
    made = grown(record(UDP_FRAME), b"xyz")
    assert made is not None
    assert made.data[22:24] == bytes.fromhex("0024")  # PPPoE: 36
    assert made.data[28:30] == bytes.fromhex("0022")  # IPv4: 34
    assert made.data[50:52] == bytes.fromhex("000e")  # UDP: 14
    assert made.data.endswith(b"abcxyz")
    assert made.wire_length == len(made.data)


def test_shrinking_leaves_the_transport_header() -> None:
    made = shrunk(record(UDP_FRAME), 3)
    assert made is not None
    assert made.data[50:52] == bytes.fromhex("0008")
    assert shrunk(record(UDP_FRAME), 4) is None


def test_checksums_of_a_packet_cut_by_the_capture_are_left() -> None:
    whole = framed(tcp_packet())
    cut = Record(0, whole[:54], 60, ETHERNET)
    made = assigned(cut, "tcp.dstport", 81)
    assert made is not None
    assert made.data[50:52] == whole[50:52]


def test_octets_are_erased_wherever_they_stand() -> None:
    made = without_octets(record(UDP_FRAME), b"bc")
    assert made is not None
    assert made.data.endswith(b"ab\xe3")
    assert without_octets(record(UDP_FRAME), b"nowhere") is None


def test_cisco_hdlc_and_raw_packets_have_headers_too() -> None:
    packet = tcp_packet()
    assert [h.protocol for h in headers(packet, RAW)] == ["ip", "tcp"]
    hdlc = bytes.fromhex("0f000800") + packet
    assert [h.protocol for h in headers(hdlc, CISCO_HDLC)] == ["ip", "tcp"]


def test_octets_that_are_no_packet_have_no_headers() -> None:
    for data in (b"", b"\xa5", b"\xa5" * 13, b"\xa5" * 60, bytes(60)):
        for link in (0, 1, 9, 101, 104, 113, 276, 9999):
            assert headers(data, link) is not None


def test_variants_keep_the_link_layer_and_decode_to_what_they_are_called() -> None:
    made = dict(variants(record(UDP_FRAME)))
    whole = {words: one for words, one in made.items() if words != "cut by the capture"}
    rows = {words: decoded(one.data)[0].own for words, one in whole.items()}
    assert rows["as TCP over IPv6"]["tcp.dstport"] == [7]
    assert rows["as TCP over IPv6"]["vlan.id"] == [7]
    assert "dhcpv6" in rows["as DHCPv6"]
    assert "lcp" in rows["as LCP"]
    assert "pppoed" in rows["as PPPoE discovery"]
    assert "ppp" not in rows["without PPPoE"]
    assert "vlan" not in rows["without its VLAN tag"]
    assert "_ws.malformed" in rows["cut in its transport header"]
    cut = made["cut by the capture"]
    assert len(cut.data) < cut.wire_length == len(UDP_FRAME)
    wrong = [words for words, row in rows.items() if "_ws.malformed" in row]
    assert wrong == ["cut in its transport header"]


def test_ipv6_checksums() -> None:
    src, dst = "2001:db8::1", "2001:db8::2"
    datagram = udp(b"x", src=src, dst=dst, srcport=1, dstport=2)
    frame = record(framed(ipv6(datagram, src=src, dst=dst, protocol=UDP)))
    made = assigned(frame, "udp.dstport", 3)
    assert made is not None
    pseudo = made.data[22:54] + bytes.fromhex("00000009 00000011")
    assert checksum(pseudo + made.data[54:63]) == 0
