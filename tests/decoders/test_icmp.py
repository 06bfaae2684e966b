"""ICMP and ICMPv6: types, checksums, and the packet that an error quotes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.layers.icmp import ones_complement_sum
from tests.decoders.frame_bytes import (
    A6,
    B6,
    MSS,
    A,
    B,
    C,
    Situation,
    checksum,
    cuts,
    decoded,
    icmp,
    icmpv6,
    ip4,
    ip6,
    ipv4,
    ipv6,
    number,
    packed,
    tcp,
    udp,
    unreachable,
)

# Typed by hand: B says to A "administratively filtered" about A's SYN 40000 -> 23, TTL 57 by then.
FILTERED = Situation(
    bytes.fromhex(
        "02000000000a 02000000000b 0800 45000044 00010000 4001 ae53 c6336401 c0000201"
        "03 0d 9d3c 00000000"
        "45000028 00020000 3906 b569 c0000201 c6336401"
        "9c40 0017 01020304 00000000 5002 0400 a5b6 0000"
    )
)


def test_own_and_quoted_values_of_a_literal_error() -> None:
    (row,) = FILTERED.rows
    a, b = 0xC0000201, 0xC6336401
    assert (row.own["ip.src"], row.quoted["ip.src"]) == ([b], [a])
    assert (row.own["ip.dst"], row.quoted["ip.dst"]) == ([a], [b])
    assert (row.own["ip.ttl"], row.quoted["ip.ttl"]) == ([64], [57])
    assert row.occurrences("ip.addr") == [b, a, a, b]
    assert row.own["icmp.type"] == [3]
    assert row.own["icmp.code"] == [13]
    assert row.quoted["tcp.dstport"] == [23]
    assert row.quoted["tcp.flags.syn"] == [True]
    assert row.quoted["tcp.stream"] == [0]
    assert "tcp.dstport" not in row.own
    assert "tcp" not in row.own
    assert row.own["frame.protocols"] == ["eth:ethertype:ip:icmp:ip:tcp"]


SYN = ipv4(6, tcp(1000, 80, "S", 5000))
QUOTES = Situation(*(unreachable(SYN[:size]) for size in (0, 10, 20, 24, 28, 32, 34, 36, 38, 40)))


def test_how_much_of_tcp_a_quote_shows() -> None:
    assert QUOTES.first("tcp.srcport") == [None] * 3 + [1000] * 7
    assert QUOTES.first("tcp.seq") == [None] * 4 + [5000] * 6
    assert QUOTES.first("tcp.stream") == [None] * 7 + [0] * 3
    assert QUOTES.first("tcp.flags") == [None] * 7 + [2] * 3
    assert not any(QUOTES.each("tcp.seq_raw"))
    assert not any(QUOTES.each("tcp.len"))


def test_a_quote_that_ends_early_is_not_malformed() -> None:
    assert not any(QUOTES.each("_ws.malformed"))
    assert not any(QUOTES.each("_ws.short"))


UDP = ipv4(17, udp(2000, 9999, b"payload!"))
ECHO = ipv4(1, icmp(8, 0, b"\0\1\0\1", b"ping"))
KINDS = Situation(
    unreachable(UDP),
    unreachable(UDP[:28]),
    unreachable(UDP[:24]),
    unreachable(UDP, kind=11, code=0),
    unreachable(UDP, kind=5, code=1, rest=packed("192.0.2.254")),
    unreachable(ECHO, code=1),
    unreachable(ipv4(1, icmp(3, 3, bytes(4), UDP), B, A)),
    unreachable(ipv4(17, bytes(16), offset=800, ident=9)),
    unreachable(ipv4(6, tcp(1003, 80, "S", 5, options=MSS), length=1500)),
    unreachable(UDP + bytes(92), rest=b"\0\x20\0\0"),
    unreachable(UDP, kind=12, code=0),
    unreachable(UDP, kind=4, code=0),
)


def test_errors_of_every_kind_quote() -> None:
    assert KINDS.first("udp.srcport")[:5] == [2000] * 5
    assert KINDS.first("udp.stream")[:5] == [0, 0, None, 0, 0]
    assert KINDS.first("udp.srcport")[9:] == [2000] * 3


def test_icmp_in_icmp() -> None:
    assert KINDS.each("icmp.type")[5:7] == [[3, 8], [3, 3]]
    assert KINDS.each("ip.src")[6] == [number(B), number(B), number(A)]
    inner = KINDS.rows[6]
    assert inner.own["ip.src"] == [number(B)]
    assert inner.quoted["ip.src"] == [number(B), number(A)]


def test_a_quoted_fragment_and_a_quoted_length() -> None:
    assert KINDS.each("udp")[7] == []
    assert KINDS.each("ip.len")[8] == [20 + 8 + 44, 1500]
    assert KINDS.first("tcp.dstport")[8] == 80
    assert not any(KINDS.each("_ws.malformed"))


TYPES = Situation(
    ip4(ipv4(1, icmp(8, 0, b"\0\1\0\1", b"ping"))),
    ip4(ipv4(1, icmp(0, 0, b"\0\1\0\1", b"ping"), B, A)),
    ip4(ipv4(1, icmp(200, 13))),
    ip4(ipv4(1, icmp(8, 0)[:5])),
    ip4(ipv4(1, icmp(8, 0)[:6])),
    ip4(ipv4(1, icmp(8, 0, wrong=0x5555))),
    ip6(ipv6(58, icmpv6(128, 13, b"\0\1\0\1"))),
    ip6(ipv6(58, icmpv6(1, 4, bytes(4) + ipv6(17, udp(2000, 9999, b"x"), B6, A6)))),
    ip6(ipv6(58, icmpv6(2, 0, b"\0\0\5\0" + ipv6(6, tcp(1000, 80, "S", 7), B6, A6)))),
    ip6(ipv6(58, b"\x80")),
)


def test_types_and_codes() -> None:
    assert TYPES.first("icmp.type") == [8, 0, 200, None, 8, 8] + [None] * 4
    assert TYPES.first("icmp.code") == [0, 0, 13, None, 0, 0] + [None] * 4
    assert TYPES.first("icmpv6.type")[6:] == [128, 1, 2, 128]
    assert TYPES.first("icmpv6.code")[6:] == [13, 4, 0, None]


def test_nothing_of_icmp_before_six_octets() -> None:
    assert [bool(values) for values in TYPES.each("icmp")] == [
        *(True, True, True, False, True, True, False, False, False, False)
    ]
    assert [bool(v) for v in TYPES.each("_ws.malformed")][3:5] == [True, True]


def test_checksums_are_checked() -> None:
    assert TYPES.first("icmp.checksum.status")[:3] == [1, 1, 1]
    assert TYPES.first("icmp.checksum.status")[5] == 0
    assert TYPES.each("_ws.expert.severity")[5] == [0x600000]


def test_icmpv6_quotes() -> None:
    assert TYPES.rows[7].quoted["ipv6.src"] == [packed(B6)]
    assert TYPES.rows[7].quoted["udp.srcport"] == [2000]
    assert TYPES.rows[8].quoted["tcp.seq_raw"] == [7]
    assert TYPES.rows[8].quoted["tcp.flags"] == [2]


ERROR = unreachable(ipv4(6, tcp(1000, 80, "S", 5000)))
CUTS = cuts(ERROR)


@pytest.mark.parametrize(
    ("field", "octets"),
    [("icmp", 40), ("icmp.code", 40), ("ip", 15), ("ip.src", 30)],
)
def test_presence_in_a_cut_error(field: str, octets: int) -> None:
    assert len(ERROR) == 82
    present = [field in row.own for row in CUTS.rows]
    assert present == [size >= octets for size in range(83)]


@pytest.mark.parametrize(
    ("field", "octets"),
    [("ip", 43), ("ip.src", 58), ("ip.dst", 62), ("tcp", 66), ("tcp.seq", 70), ("tcp.stream", 78)],
)
def test_presence_in_a_cut_quote(field: str, octets: int) -> None:
    present = [field in row.quoted for row in CUTS.rows]
    assert present == [size >= octets for size in range(83)]


def test_a_cut_error_is_short_from_first_to_last_octet() -> None:
    assert [bool(values) for values in CUTS.each("_ws.short")] == [True] * 82 + [False]
    assert not any(CUTS.each("_ws.malformed"))


def test_errors_inside_errors_end() -> None:
    packet = SYN
    for _ in range(60):
        packet = ipv4(1, icmp(3, 3, bytes(4), packet), B, C)
    (row,) = decoded(ip4(packet))
    assert len(row.occurrences("ip.src")) <= 40
    assert "tcp" not in row.quoted
    assert "replicap.undecoded" in row.own


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.binary(max_size=64))
def test_the_sum_is_that_of_rfc_1071(octets: bytes) -> None:
    filled = octets + b"\0" * (len(octets) % 2)
    whole = filled + checksum(filled).to_bytes(2, "big")
    assert ones_complement_sum(whole) == 0xFFFF
    assert ones_complement_sum(octets) in (checksum(octets) ^ 0xFFFF, 0xFFFF if octets else 0)
