"""TCP and UDP headers: fields, flags, options, lengths that lie, expert items."""

from __future__ import annotations

import pytest

from decoders.layers.transport import flags_text
from tests.decoders.frame_bytes import (
    A6,
    B6,
    MSS,
    A,
    B,
    Situation,
    ip4,
    ip6,
    ipv4,
    ipv6,
    tcp,
    tcp4,
    udp,
    udp4,
)

CHAT, NOTE, WARNING, ERROR = 0x200000, 0x400000, 0x600000, 0x800000

# Typed by hand: 40000 -> 23, seq 0x01020304, ack 0, SYN, window 1024, checksum a5b6.
SYN = Situation(
    bytes.fromhex(
        "02000000000b 02000000000a 0800 45000028 00010000 4006 ae6a c0000201 c6336401"
        "9c40 0017 01020304 00000000 5002 0400 a5b6 0000"
    )
)


def test_literal_syn() -> None:
    (row,) = SYN.rows
    expected = {
        "tcp.srcport": 40000,
        "tcp.dstport": 23,
        "tcp.stream": 0,
        "tcp.seq": 0,
        "tcp.seq_raw": 0x01020304,
        "tcp.ack": 0,
        "tcp.ack_raw": 0,
        "tcp.nxtseq": 1,
        "tcp.hdr_len": 20,
        "tcp.len": 0,
        "tcp.flags": 2,
        "tcp.flags.syn": True,
        "tcp.flags.ack": False,
        "tcp.flags.str": "\u00b7" * 10 + "S\u00b7",
        "tcp.window_size_value": 1024,
        "tcp.window_size": 1024,
        "tcp.checksum": 0xA5B6,
        "tcp.checksum.status": 2,
        "tcp.urgent_pointer": 0,
        "tcp.completeness": 0,
    }
    found = {name: row.own.get(name) for name in expected}
    assert found == {name: [value] for name, value in expected.items()}
    assert row.occurrences("tcp.port") == [40000, 23]
    assert "tcp.connection.syn" in row.own


@pytest.mark.parametrize(
    ("bits", "letters"),
    [
        (0x000, "............"),
        (0xFFF, "RRRACEUAPRSF"),
        (0x012, ".......A..S."),
        (0x100, "...A........"),
        (0x0C0, "....CE......"),
        (0xE00, "RRR........."),
        (0x029, "......U.P..F"),
    ],
)
def test_letters_of_the_flags(bits: int, letters: str) -> None:
    assert flags_text(bits) == letters.replace(".", "\u00b7")


ALL_FLAGS = Situation(*(tcp4(A, 1000 + nth, B, 9, letter) for nth, letter in enumerate("FSRPAUEC")))


@pytest.mark.parametrize(
    ("nth", "name"), list(enumerate(["fin", "syn", "reset", "push", "ack", "urg", "ece", "cwr"]))
)
def test_each_flag_has_its_field(nth: int, name: str) -> None:
    assert ALL_FLAGS.first("tcp.flags")[nth] == 1 << nth
    assert ALL_FLAGS.first(f"tcp.flags.{name}") == [at == nth for at in range(8)]


def cut(segment: bytes) -> bytes:
    return ip4(ipv4(6, segment))


LYING = Situation(
    cut(tcp(1000, 9, "S", 1, words=4)),
    cut(tcp(1001, 9, "S", 1, words=7)),
    cut(tcp(1002, 9, "S", 1)[:12]),
    cut(tcp(1003, 9, "S", 1)[:16]),
    cut(tcp(1004, 9, "S", 1)[:4]),
    cut(tcp(1005, 9, "S", 1)[:3]),
    cut(tcp(1006, 9, "S", 1, words=0)),
)


def test_headers_that_lie_take_numbers_too() -> None:
    assert LYING.first("tcp.stream") == [0, 1, None, 2, None, None, 3]
    assert LYING.first("tcp.srcport") == [1000, 1001, 1002, 1003, 1004, None, 1006]
    assert LYING.first("tcp.hdr_len") == [16, 28, None, 20, None, None, 0]
    assert LYING.first("tcp.len")[:4] == [4, None, None, None]
    assert LYING.first("tcp.flags")[:4] == [None, 2, None, 2]


def test_a_segment_shorter_than_its_header_is_malformed() -> None:
    malformed = [bool(values) for values in LYING.each("_ws.malformed")]
    assert malformed == [False, True, True, True, True, True, False]
    assert LYING.each("_ws.expert.severity")[0] == [ERROR]


OPTIONS = Situation(
    tcp4(A, 1000, B, 9, "S", options=MSS),
    tcp4(A, 1001, B, 9, "S", options=b"\x03\x03\x07\x00"),
    tcp4(A, 1002, B, 9, "A", 1, 1, options=MSS),
    tcp4(A, 1003, B, 9, "S", options=MSS + b"\x01" * 4),
    tcp4(A, 1004, B, 9, "S", options=MSS + b"\x00\x00\x00\xa5"),
    tcp4(A, 1005, B, 9, "S", options=MSS + b"\x03\x03\x0f\x00"),
    tcp4(A, 1006, B, 9, "S", options=MSS + b"\x08\x63\x00\x00"),
    tcp4(A, 1007, B, 9, "S", options=MSS + b"\xfd\x01\x00\x00"),
    tcp4(A, 1008, B, 9, "S", 5, 7),
    tcp4(A, 1009, B, 9, "S", urgent=3),
    tcp4(A, 1010, B, 9, "UA", 1, 1, urgent=3),
)


@pytest.mark.parametrize(
    ("nth", "severities"),
    [
        (0, [CHAT]),
        (1, [CHAT, NOTE]),
        (2, [WARNING]),
        (3, [CHAT, WARNING]),
        (4, [CHAT, ERROR]),
        (5, [CHAT, WARNING]),
        (6, [CHAT, NOTE]),
        (7, [CHAT, NOTE]),
        (8, [CHAT, NOTE]),
        (9, [CHAT, NOTE]),
        (10, []),
    ],
)
def test_expert_items_of_a_header(nth: int, severities: list[int]) -> None:
    assert sorted(OPTIONS.each("_ws.expert.severity")[nth]) == severities


CONNECTION = Situation(
    tcp4(A, 1, B, 9, "S", 10),
    tcp4(B, 9, A, 1, "SA", 20, 11),
    tcp4(A, 1, B, 9, "FA", 11, 21),
    tcp4(B, 9, A, 1, "FA", 21, 12),
    tcp4(A, 1, B, 9, "R", 12),
    tcp4(A, 2, B, 9, "SFR", 12),
)


def test_marks_of_a_connection() -> None:
    marks = [
        {name.rpartition(".")[2] for name in row.own if name.startswith("tcp.connection.")}
        for row in CONNECTION.rows
    ]
    assert marks == [
        {"syn"},
        {"synack"},
        {"fin", "fin_active"},
        {"fin", "fin_passive"},
        {"rst"},
        {"syn", "fin", "fin_active", "rst"},
    ]


SCALED = Situation(
    tcp4(A, 1, B, 9, "S", 0, window=1000, options=MSS + b"\x01\x03\x03\x02"),
    tcp4(B, 9, A, 1, "SA", 0, 1, window=500, options=MSS + b"\x01\x03\x03\x04"),
    tcp4(A, 1, B, 9, "A", 1, 1, window=1000),
    tcp4(B, 9, A, 1, "A", 1, 1, window=500),
    tcp4(A, 2, B, 9, "A", 1, 1, window=77),
)


def test_windows_are_scaled_when_both_ends_agreed() -> None:
    assert SCALED.first("tcp.window_size_value") == [1000, 500, 1000, 500, 77]
    assert SCALED.first("tcp.window_size") == [1000, 500, 4000, 8000, 77]


DATAGRAMS = Situation(
    udp4(A, 1111, B, 9999, b"payload"),
    udp4(A, 1111, B, 9999, b""),
    ip4(ipv4(17, udp(1112, 9999, b"payload", length=7))),
    ip4(ipv4(17, udp(1113, 9999, b"payload", length=8))),
    ip4(ipv4(17, udp(1114, 9999, b"payload", length=100))),
    ip4(ipv4(17, udp(1115, 9999, b"", length=100))),
    ip4(ipv4(17, udp(1116, 9999, b"payload", length=0))),
    ip4(ipv4(17, udp(1117, 9999, b"payload", check=0))),
    ip6(ipv6(17, udp(1118, 9999, b"payload", check=0))),
    ip6(ipv6(17, udp(1119, 9999, b"payload", length=0))),
    ip4(ipv4(136, udp(1120, 9999, b"payload"))),
    udp4(A, 33434, B, 33435, b""),
    udp4(A, 33434, B, 33434, b""),
    udp4(A, 33465, B, 33464, b""),
    udp4(A, 0, B, 0, b""),
)


def test_udp_lengths() -> None:
    assert DATAGRAMS.first("udp.length")[:7] == [15, 8, 7, 8, 100, 100, 0]
    assert DATAGRAMS.first("udp.stream") == [0, 0, None, 1, 2, 3, None, 4, 5, 6, 7, 8, 9, 10, 11]
    malformed = [bool(values) for values in DATAGRAMS.each("_ws.malformed")]
    assert malformed[:10] == [False, False, True, False, True, True, True, False, False, False]
    assert DATAGRAMS.stacks()[3] == "eth:ethertype:ip:udp"


def test_a_length_beyond_an_empty_payload_runs_out() -> None:
    expected = ["_ws.malformed", "[Malformed Packet: UDP]", "_ws.malformed"]
    assert DATAGRAMS.each("_ws.malformed")[5] == expected


def test_a_checksum_of_zero() -> None:
    assert DATAGRAMS.first("udp.checksum.status")[7:9] == [3, 4]
    assert DATAGRAMS.each("_ws.expert.severity")[7:9] == [[], [ERROR]]


def test_udp_lite_is_not_udp_and_shares_its_fields() -> None:
    assert DATAGRAMS.each("udp")[10] == []
    assert DATAGRAMS.first("udp.srcport")[10] == 1120
    assert DATAGRAMS.each("udplite")[10] == [1]


def test_ports_of_traceroute() -> None:
    assert DATAGRAMS.each("_ws.expert.severity")[11:14] == [[CHAT], [], [CHAT]]


OTHERS = Situation(
    ip4(ipv4(132, b"\x03\xe8\x00\x50" + bytes(8))),
    ip4(ipv4(50, b"\xa5" * 24)),
    ip4(ipv4(253, b"\xa5" * 24)),
    ip4(ipv4(2, b"\x16\x00\x09\xfa\xe0\x00\x00\x05")),
)


def test_other_transports_are_named() -> None:
    assert [stack.removeprefix("eth:ethertype:ip:") for stack in OTHERS.stacks()] == [
        "sctp",
        "esp",
        "data",
        "igmp:igmp",
    ]
    assert not any(OTHERS.each("tcp.stream"))


def test_addresses_of_the_two_versions() -> None:
    assert DATAGRAMS.text("ipv6.addr")[8] == [A6, B6]
    assert DATAGRAMS.text("ip.addr")[8] == []
