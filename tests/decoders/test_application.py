"""Who claims a payload: by port, by look, nobody; empty payloads have no protocol above."""

from __future__ import annotations

import struct

import pytest

from decoders.fields import ITEM, LENGTH, OCTETS
from decoders.reference import Decoder
from tests.decoders.frame_bytes import (
    A,
    B,
    Shot,
    Situation,
    decoded,
    ip4,
    ipv4,
    tcp4,
    udp,
    udp4,
    unreachable,
)

QUERY = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + b"\7example\3org\0\0\1\0\1"
NTP = b"\x23" + bytes(47)
SOLICIT = b"\x01\xa5\xb6\xc7" + struct.pack(">HHH", 8, 2, 0)

CLAIMED = Situation(
    udp4(A, 40000, B, 53, QUERY),
    udp4(B, 5353, A, 5353, QUERY),
    udp4(A, 40000, B, 5355, QUERY),
    udp4(A, 40000, B, 40001, QUERY),
    udp4(A, 123, B, 123, NTP),
    udp4(A, 40000, B, 123, NTP),
    udp4(A, 546, B, 547, SOLICIT),
    udp4(A, 40000, B, 547, SOLICIT),
    udp4(A, 40000, B, 40002, b"\xa5" * 20),
    udp4(A, 40000, B, 53, b""),
    udp4(A, 40000, B, 123, b""),
    tcp4(A, 40000, B, 53, "S"),
    tcp4(A, 40000, B, 80, "S"),
)


def test_what_payloads_are_called() -> None:
    assert [stack.removeprefix("eth:ethertype:ip:") for stack in CLAIMED.stacks()] == [
        "udp:dns",
        "udp:mdns",
        "udp:llmnr",
        "udp:dns",
        "udp:ntp",
        "udp:ntp",
        "udp:dhcpv6",
        "udp:dhcpv6",
        "udp:data",
        "udp",
        "udp",
        "tcp",
        "tcp",
    ]


def test_message_type_of_dhcpv6() -> None:
    assert CLAIMED.first("dhcpv6.msgtype")[6:8] == [1, 1]


def test_mdns_is_not_dns() -> None:
    assert CLAIMED.each("dns")[:4] == [[1], [], [], [1]]


@pytest.mark.parametrize(
    ("payload", "looks"),
    [
        (QUERY, True),
        (QUERY[:12], False),
        (struct.pack(">6H", 1, 0x0100, 2, 0, 0, 0) + bytes(8), False),
        (struct.pack(">6H", 1, 0x0100, 1, 1, 0, 0) + bytes(8), False),
        (struct.pack(">6H", 1, 0x2900, 1, 0, 0, 0) + bytes(8), False),
        (struct.pack(">6H", 1, 0x0100, 1, 0, 0, 11) + bytes(8), False),
        (struct.pack(">6H", 1, 0x8180, 1, 100, 10, 10) + bytes(8), True),
        (struct.pack(">6H", 1, 0x8180, 2, 1, 0, 0) + bytes(8), False),
        (struct.pack(">6H", 1, 0x8180, 1, 101, 0, 0) + bytes(8), False),
    ],
)
def test_dns_by_its_look(payload: bytes, looks: bool) -> None:
    (row,) = decoded(udp4(A, 40000, B, 40001, payload))
    assert ("dns" in row.own) == looks


QUOTED = Situation(unreachable(ipv4(17, udp(40000, 53, QUERY))))


def test_an_error_that_carries_a_query() -> None:
    (row,) = QUOTED.rows
    assert row.quoted["dns"] == [1]
    assert "dns" not in row.own
    assert row.own["frame.protocols"] == ["eth:ethertype:ip:icmp:ip:udp:dns"]


JUNK = Situation(
    udp4(A, 40000, B, 53, b"\xa5" * 5),
    udp4(A, 40000, B, 123, b"\xa5"),
    ip4(ipv4(17, udp(40000, 547, b"\xa5"))),
)


def test_junk_on_a_claimed_port_is_malformed() -> None:
    assert [bool(values) for values in JUNK.each("_ws.malformed")] == [True, True, True]
    assert JUNK.each("dns")[0] == [1]
    assert JUNK.each("ntp")[1] == [1]
    assert JUNK.each("dhcpv6")[2] == [1]


RESENT = Situation(
    tcp4(A, 40000, B, 40001, "PA", 1, 1, b"xyz"),
    tcp4(A, 40000, B, 40001, "PA", 1, 1, b"xyz"),
    tcp4(A, 40000, B, 40001, "R", 4, 0, b"why"),
)


def test_what_is_sent_again_is_not_handed_up() -> None:
    assert [stack.removeprefix("eth:ethertype:ip:") for stack in RESENT.stacks()] == [
        "tcp:data",
        "tcp",
        "tcp",
    ]
    assert [bool(values) for values in RESENT.each("data")] == [True, False, False]


ALIVE = Situation(
    tcp4(A, 40000, B, 40001, "A", 0xFFFFFFFF, 1, b"k"),  # a conversation's first segment
    tcp4(A, 40002, B, 40003, "PA", 1, 1, b"xyz"),
    tcp4(A, 40002, B, 40003, "A", 3, 1, b"z"),
    tcp4(A, 40004, B, 80, "PA", 1, 1, b"GET / HTTP/1.1\r\n\r\n"),
    tcp4(A, 40004, B, 80, "A", 18, 1, b"\n"),
    Shot(tcp4(A, 40002, B, 40003, "A", 3, 1, b"z")[:-1], wire=55),
)


def test_the_octet_of_a_keep_alive_is_data_where_no_protocol_is_called_by_the_port() -> None:
    marked = [bool(values) for values in ALIVE.each("tcp.analysis.keep_alive")]
    assert marked == [True, False, True, False, True, True]
    assert [stack.removeprefix("eth:ethertype:ip:") for stack in ALIVE.stacks()] == [
        "tcp:data",
        "tcp:data",
        "tcp:data",
        "tcp:http",
        "tcp",
        "tcp",
    ]
    assert [bool(values) for values in ALIVE.each("data")] == [True, True, True] + [False] * 3


def test_what_is_taken_back_leaves_no_octets() -> None:
    decoder = Decoder(("data", OCTETS + "data", ITEM + "data", LENGTH + "data", "tcp.analysis"))
    first, again, _ = (decoder.row(frame) for frame in RESENT.frames())
    named = {OCTETS + "data": ["xyz"], ITEM + "data": ["xyz"], LENGTH + "data": [3]}
    assert {name: first.own.get(name) for name in named} == named
    assert not named.keys() & again.own.keys()
