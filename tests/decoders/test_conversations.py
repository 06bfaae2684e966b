"""Stream numbers: what makes a conversation, what opens a new one, what takes a number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decoders.frame_bytes import (
    A6,
    B6,
    A,
    B,
    C,
    Shot,
    Situation,
    eth,
    ip4,
    ip6,
    ipv4,
    ipv6,
    number,
    ppp,
    pppoe,
    speakers,
    tcp,
    tcp4,
    udp,
    udp4,
    unreachable,
    vlan,
)

MS, SECOND = 1_000_000, 1_000_000_000

client, server = speakers(40000)

REUSE = Situation(
    client(SECOND, "S", 1000),
    client(SECOND, "S", 1000),
    server(SECOND, "SA", 5000, 1001),
    client(SECOND, "A", 1001, 5001),
    server(SECOND, "R", 5001),
    client(SECOND, "S", 1000),  # the same ISN after a RST
    client(SECOND, "S", 2000),  # another ISN
    server(SECOND, "SA", 6000, 2001),
    client(SECOND, "A", 1001, 5001),  # late, with old numbers
    server(SECOND, "S", 7000),  # a SYN from the other side
    client(SECOND, "S", 2000),
    client(SECOND, "S", 3000),
    server(SECOND, "SA", 8000, 3001),
    client(SECOND, "FA", 3001, 8001),
    server(SECOND, "FA", 8001, 3002),
    client(SECOND, "S", 3000),  # the same ISN after both FIN
    client(SECOND, "S", 2999),  # a lower one
    client(SECOND, "PA", 77, 88, b"late"),
)


def test_a_syn_with_another_isn_opens_a_stream() -> None:
    assert REUSE.first("tcp.stream") == [
        *(0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4),
    ]


def test_only_a_syn_that_opens_a_stream_reuses_ports() -> None:
    reused = [nth for nth, marks in enumerate(REUSE.marks()) if "reused_ports" in marks]
    assert reused == [6, 9, 11, 16]


caller, answerer = speakers(443, 50000, client=C)

SYN_ACKS = Situation(
    caller(SECOND, "SA", 100, 900),
    caller(SECOND, "SA", 100, 900),
    caller(SECOND, "SA", 200, 900),  # another number: no new stream
    caller(SECOND, "SA", 100, 901),
    answerer(SECOND, "S", 899),  # the ISN that the acknowledgment told
    answerer(SECOND, "S", 5000),  # another one
)


def test_a_syn_ack_never_opens_a_stream() -> None:
    assert SYN_ACKS.first("tcp.stream") == [0, 0, 0, 0, 0, 1]
    reused = [nth for nth, marks in enumerate(SYN_ACKS.marks()) if "reused_ports" in marks]
    assert reused == [2, 3, 5]


ack_first, _ = speakers(40001)
ACK_THEN_SYN = Situation(
    ack_first(SECOND, "A", 100, 1), ack_first(SECOND, "S", 99), ack_first(SECOND, "S", 500)
)


def test_an_ack_tells_where_numbers_begin() -> None:
    assert ACK_THEN_SYN.first("tcp.stream") == [0, 0, 1]
    assert ACK_THEN_SYN.first("tcp.seq") == [1, 0, 0]


SAME_FIVE = ipv4(17, udp(1111, 9999, b"x"))
SAME_TCP = ipv4(6, tcp(1000, 80, "S", 5))

CARRIERS = Situation(
    ip4(SAME_FIVE),
    eth(0x8100, vlan(7, 0x0800, SAME_FIVE)),
    eth(0x8100, vlan(8, 0x8864, pppoe(ppp(0x0021, SAME_FIVE), session=1))),
    eth(0x8864, pppoe(ppp(0x0021, SAME_FIVE), session=2)),
    ip4(ipv4(4, SAME_FIVE, C, B)),
    Shot(SAME_FIVE, 101),
    ip4(SAME_TCP),
    eth(0x88A8, vlan(7, 0x0800, SAME_TCP)),
    Shot(SAME_TCP, 228),
)


def test_carriers_do_not_separate() -> None:
    assert CARRIERS.first("udp.stream") == [0] * 6 + [None] * 3
    assert CARRIERS.first("tcp.stream") == [None] * 6 + [0] * 3


MIXED = Situation(
    tcp4(A, 1000, B, 80, "S", 1),
    udp4(A, 1000, B, 80),
    ip6(ipv6(6, tcp(1000, 80, "S", 1))),
    ip6(ipv6(17, udp(1000, 80, b"x"))),
    tcp4(B, 80, A, 1000, "SA", 1, 2),
    ip6(ipv6(17, udp(80, 1000, b"x"), B6, A6)),
    ip4(ipv4(136, udp(1000, 80, b"lite"))),
    tcp4(A, 80, A, 80, "S", 5),
    tcp4(A, 80, A, 80, "S", 6),
    tcp4(A, 81, A, 80, "S", 7),
    tcp4(A, 80, A, 81, "SA", 8, 8),
    udp4(A, 80, B, 1000),
    udp4(A, 0, B, 0),
    Shot(udp4(B, 80, A, 1000), gap_ns=86_400 * SECOND),
)


def test_versions_are_counted_together_and_transports_apart() -> None:
    none = None
    assert MIXED.first("tcp.stream") == [
        *(0, none, 1, none, 0, none, none, 2, 3, 4, 4, none, none, none)
    ]
    assert MIXED.first("udp.stream") == [
        *(none, 0, none, 1, none, 1, 0, none, none, none, none, 2, 3, 0)
    ]


PROBE, OTHER = ipv4(6, tcp(1000, 80, "S", 5000)), ipv4(6, tcp(1000, 80, "S", 6000))
DATAGRAM = ipv4(17, udp(2000, 9999, b"payload!"))

QUOTED = Situation(
    unreachable(PROBE),  # before the packet itself
    ip4(PROBE),
    unreachable(PROBE[:28]),  # eight octets of TCP take no number
    unreachable(PROBE[:36]),  # sixteen do
    unreachable(OTHER),  # another ISN
    ip4(PROBE),
    unreachable(DATAGRAM[:28]),
    ip4(DATAGRAM),
    unreachable(ipv4(6, tcp(1001, 80, "A", 5000, 9))),
    tcp4(A, 1001, B, 80, "S", 1),
)


def test_quoted_packets_take_numbers() -> None:
    none = None
    assert QUOTED.first("tcp.stream") == [0, 0, none, 0, 1, 1, none, none, 2, 2]
    assert QUOTED.first("udp.stream") == [none] * 6 + [0, 0, none, none]
    assert QUOTED.rows[0].quoted["tcp.stream"] == [0]
    assert "tcp.stream" not in QUOTED.rows[0].own


def test_a_quoted_number_is_raw() -> None:
    assert QUOTED.first("tcp.seq") == [5000, 0, 5000, 5000, 6000, 0, None, None, 5000, 0]


LATE = Situation(
    client(0, "S", 0xFFFFFFFF),
    server(MS, "SA", 7, 0),
    client(MS, "A", 0, 8),
    client(MS, "PA", 0, 8, b"xy"),
    server(MS, "A", 8, 2),
    client(MS, "A", 0xFFFFFFF0, 8),
)


def test_relative_numbers_wrap() -> None:
    assert LATE.first("tcp.seq") == [0, 0, 1, 1, 1, 0xFFFFFFF1]
    assert LATE.first("tcp.ack") == [0, 1, 1, 1, 3, 1]
    assert LATE.first("tcp.nxtseq") == [1, 1, 1, 3, 1, 0xFFFFFFF1]


LIVES = Situation(
    client(0, "S", 1),
    server(MS, "SA", 1, 2),
    client(MS, "A", 2, 2),
    client(MS, "PA", 2, 2, b"xy"),
    server(MS, "FA", 2, 4),
    client(MS, "RA", 4, 3),
    client(MS, "A", 4, 3),
)


def test_completeness_is_that_of_the_packets_before() -> None:
    assert LIVES.first("tcp.completeness") == [0, 1, 3, 7, 15, 31, 63]


@pytest.mark.parametrize(
    ("flags", "payload", "completeness"),
    [
        ("S", b"", 1),
        ("S", b"x", 9),
        ("SF", b"", 1),
        ("SFR", b"", 1),
        ("SA", b"", 0),
        ("R", b"", 0),
        ("A", b"x", 0),
    ],
)
def test_completeness_after_a_first_packet(flags: str, payload: bytes, completeness: int) -> None:
    rows = Situation(client(0, flags, 5, 0, payload), client(MS, "A", 6, 1)).rows
    assert rows[1].own["tcp.completeness"] == [completeness]


@pytest.mark.parametrize(
    ("flags", "payload", "completeness"),
    [
        ("SF", b"x", 1),
        ("SR", b"", 33),
        ("FR", b"", 33),
        ("P", b"x", 1),
        ("PA", b"x", 9),
        ("FA", b"", 21),
        ("SAF", b"", 19),
    ],
)
def test_completeness_after_a_syn_and(flags: str, payload: bytes, completeness: int) -> None:
    situation = Situation(
        client(0, "S", 4), client(MS, flags, 4, 1, payload), client(MS, "A", 6, 1)
    )
    assert situation.first("tcp.completeness")[2] == completeness


HOSTS, PORTS = [A, B, C], [1, 2]
ENDS = st.tuples(st.sampled_from(HOSTS), st.sampled_from(PORTS))


def model_of_streams(keys: list[tuple[tuple[str, int], tuple[str, int]]]) -> list[int]:
    """Two ends in either order are a conversation, numbered by first appearance."""
    known: list[frozenset[tuple[str, int]]] = []
    numbers = []
    for ends in keys:
        pair = frozenset(ends)
        if pair not in known:
            known.append(pair)
        numbers.append(known.index(pair))
    return numbers


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(ENDS, ENDS), max_size=20), st.booleans())
def test_numbers_equal_a_readable_model(
    keys: list[tuple[tuple[str, int], tuple[str, int]]], datagrams: bool
) -> None:
    frames = [
        udp4(*source, *target, b"") if datagrams else tcp4(*source, *target, "A", 9, 9)
        for source, target in keys
    ]
    found = Situation(*frames).first("udp.stream" if datagrams else "tcp.stream")
    assert found == model_of_streams(keys)


def model_of_syns(syns: list[tuple[int, bool, int]]) -> list[int]:
    """SYN of (port, from the client, ISN): another ISN of a known direction opens a stream."""
    newest: dict[int, tuple[int, dict[bool, int]]] = {}
    numbers, opened = [], 0
    for port, forward, isn in syns:
        stream, known = newest.get(port, (-1, {}))
        if stream < 0 or known.get(forward, isn) != isn:
            stream, known, opened = opened, {}, opened + 1
        known.setdefault(forward, isn)
        newest[port] = (stream, known)
        numbers.append(stream)
    return numbers


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.booleans(), st.integers(0, 3)), max_size=25))
def test_syns_equal_a_readable_model(syns: list[tuple[int, bool, int]]) -> None:
    frames = [
        tcp4(A, port, B, 80, "S", isn) if forward else tcp4(B, 80, A, port, "S", isn)
        for port, forward, isn in syns
    ]
    assert Situation(*frames).first("tcp.stream") == model_of_syns(syns)


def test_addresses_of_another_version_are_other_ends() -> None:
    assert number(A6) != number(A)
    assert MIXED.first("tcp.stream")[:3] == [0, None, 1]
