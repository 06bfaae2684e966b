"""PPPoE and PPP: lengths that lie, padding, protocol fields of one octet, control protocols."""

from __future__ import annotations

import struct

import pytest

from tests.decoders.frame_bytes import (
    A,
    B,
    Situation,
    control,
    cuts,
    decoded,
    eth,
    ipv4,
    ipv6,
    number,
    ppp,
    pppoe,
    udp,
)

DATAGRAM = ipv4(17, udp(1111, 9999, b"payload"))
DATAGRAM6 = ipv6(17, udp(1111, 9999, b"payload"))


def session(protocol: int, payload: bytes, *, length: int | None = None, pad: int = 0) -> bytes:
    """PPP in a PPPoE session in Ethernet, padded with zeros."""
    return eth(0x8864, pppoe(ppp(protocol, payload), length=length) + bytes(pad))


# A session frame typed by hand: session 0x1234, LCP Echo-Request, identifier 7, magic number.
ECHO = Situation(
    bytes.fromhex(
        "02000000000b 02000000000a 8864 11 00 1234 000a c021 09 07 0008 a5b6c7d8" + "00" * 30
    )
)


def test_literal_keep_alive() -> None:
    (row,) = ECHO.rows
    expected = {
        "pppoe.version": 1,
        "pppoe.type": 1,
        "pppoe.code": 0,
        "pppoe.session_id": 0x1234,
        "pppoe.payload_length": 10,
        "ppp.protocol": 0xC021,
        "ppp.code": 9,
    }
    assert {name: row.own[name] for name in expected} == {k: [v] for k, v in expected.items()}
    assert row.own["frame.protocols"] == ["eth:ethertype:pppoes:ppp:lcp"]
    assert "lcp" in row.own
    assert "ppp" in row.own
    assert "pppoed" not in row.own
    assert "eth.padding" not in row.own


PROTOCOLS = Situation(
    session(0x0021, DATAGRAM),
    session(0x0057, DATAGRAM6),
    session(0xC021, control(1)),
    session(0xC023, control(1, b"\x01a\x01b")),
    session(0xC223, control(1, b"\x04\xa5\xa5\xa5\xa5name")),
    session(0x8021, control(1)),
    session(0x8057, control(1)),
    session(0x80FD, control(1)),
    session(0xC025, b"\xa5" * 20),
    session(0x4242, b"\xa5" * 20),
    eth(0x8864, pppoe(b"\x21" + DATAGRAM)),
    eth(0x8864, pppoe(b"\xff\x03" + ppp(0x0021, DATAGRAM))),
)


def test_ppp_protocols() -> None:
    assert [stack.removeprefix("eth:ethertype:pppoes:ppp:") for stack in PROTOCOLS.stacks()] == [
        "ip:udp:data",
        "ipv6:udp:data",
        "lcp",
        "pap",
        "chap",
        "ipcp",
        "ipv6cp",
        "ccp",
        "data",
        "data",
        "ip:udp:data",
        "data",
    ]
    assert all(PROTOCOLS.each("ppp"))


def test_a_protocol_field_of_one_octet() -> None:
    assert PROTOCOLS.first("ppp.protocol")[10:] == [0x21, 0xFF]
    assert PROTOCOLS.first("ip.src")[10] == number(A)


def test_codes_have_names_of_their_own() -> None:
    assert PROTOCOLS.each("ppp.code")[2:8] == [[1], [], [], [1], [1], [1]]
    assert PROTOCOLS.each("pap.code")[3] == [1]
    assert PROTOCOLS.each("chap.code")[4] == [1]


# The payload length counts PPP: 2 octets of protocol and 35 of IPv4.
LENGTHS = Situation(
    session(0x0021, DATAGRAM, pad=9),
    session(0x0021, DATAGRAM, length=37 + 4),
    session(0x0021, DATAGRAM, length=37, pad=4),
    session(0x0021, DATAGRAM, length=100, pad=9),
    session(0x0021, DATAGRAM, length=30, pad=9),
    session(0xC021, control(9), length=40, pad=40),
    session(0x0021, DATAGRAM, length=0),
    session(0x0021, DATAGRAM, length=1),
    session(0x0021, DATAGRAM, length=2),
)


def test_a_length_that_is_not_there() -> None:
    assert LENGTHS.first("pppoe.payload_length") == [37, 41, 37, 100, 30, 40, 0, 1, 2]
    malformed = [bool(values) for values in LENGTHS.each("_ws.malformed")]
    assert malformed == [True, False, False, True, True, False, True, True, True]
    assert LENGTHS.first("udp.length")[:4] == [15] * 4
    assert all(LENGTHS.each("ppp"))
    assert not any(LENGTHS.each("_ws.short"))


def test_padding_is_no_data() -> None:
    (row,) = decoded(session(0xC021, control(9, b"\xa5\xb6\xc7\xd8"), pad=32))
    assert row.own["frame.protocols"] == ["eth:ethertype:pppoes:ppp:lcp"]
    (row,) = decoded(session(0x0021, ipv4(17, udp(1111, 9999, b"")), pad=16))
    assert row.own["frame.protocols"] == ["eth:ethertype:pppoes:ppp:ip:udp"]
    assert row.own["ip.len"] == [28]


CONTROL = Situation(
    session(0xC021, control(1, b"\x01\x04\x05\xd4", length=50), pad=30),
    session(0xC021, control(8, b"\x80\x57" + control(1))),
    session(0xC021, control(8, b"\x42\x42" + b"\xa5" * 8)),
    session(0xC021, control(12, b"\xa5\xb6\xc7\xd8hello")),
)


def test_a_control_packet_longer_than_its_data() -> None:
    assert "lcp" in CONTROL.rows[0].own
    assert CONTROL.each("_ws.malformed")[0] == ["[Malformed Packet: PPP LCP]", "_ws.malformed"]


def test_a_protocol_reject_shows_what_it_rejects() -> None:
    assert CONTROL.each("ppp.code")[1] == [8, 1]
    assert CONTROL.each("ipv6cp")[1] == [1]
    assert CONTROL.stacks()[1].endswith(":ppp:lcp:ipv6cp")


def tag(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


DISCOVERY = Situation(
    eth(0x8863, pppoe(tag(0x0101, b"") + tag(0x0103, b"host"), code=0x09, session=0)),
    eth(0x8863, pppoe(tag(0x0101, b""), code=0xA7, session=5) + bytes(36)),
    eth(0x8863, pppoe(b"", code=0x00, session=0)),
    eth(0x8863, pppoe(tag(0x0103, b"x" * 40)[:20], code=0x09, length=44)),
    eth(0x8864, pppoe(ppp(0xC021, control(9, b"\xa5" * 4)), code=0xA7)),
    eth(0x8864, pppoe(ppp(0xC021, control(9, b"\xa5" * 4)), kind=0x2F)),
)


def test_the_ethertype_says_what_it_is_and_not_the_code() -> None:
    assert [bool(values) for values in DISCOVERY.each("pppoed")] == [True] * 4 + [False] * 2
    assert [bool(values) for values in DISCOVERY.each("pppoes")] == [False] * 4 + [True] * 2
    assert DISCOVERY.text("pppoe.code") == [
        ["0x09"],
        ["0xa7"],
        ["0x00"],
        ["0x09"],
        ["0xa7"],
        ["0x00"],
    ]
    assert DISCOVERY.first("pppoe.version")[5] == 2
    assert DISCOVERY.first("pppoe.type")[5] == 15
    assert all(DISCOVERY.each("lcp")[4:])
    assert not any(DISCOVERY.each("pppoe"))


def test_a_tag_longer_than_its_frame_is_malformed() -> None:
    malformed = [bool(values) for values in DISCOVERY.each("_ws.malformed")]
    assert malformed == [False, False, False, True, False, False]


DISCOVERY_CUTS = cuts(eth(0x8863, pppoe(tag(0x0103, b"host"), code=0x09)))
LCP_CUTS = cuts(session(0xC021, control(1, b"\x01\x04\x05\xd4")))


@pytest.mark.parametrize(
    ("situation", "field", "octets"),
    [
        (DISCOVERY_CUTS, "pppoed", 20),
        (LCP_CUTS, "pppoes", 20),
        (LCP_CUTS, "ppp", 22),
        (LCP_CUTS, "lcp", 26),
        (LCP_CUTS, "ppp.code", 26),
    ],
)
def test_presence_in_a_cut_frame(situation: Situation, field: str, octets: int) -> None:
    assert [field in row.own for row in situation.rows] == [
        size >= octets for size in range(len(situation.shots))
    ]
    assert not any(situation.each("_ws.malformed"))


def test_multilink_is_said() -> None:
    (row,) = decoded(session(0x003D, b"\xc0\0\0\1" + b"\xa5" * 20))
    assert row.own["replicap.undecoded"] == ["PPP Multilink is not entered"]
    assert row.own["mp"] == [1]


def test_a_session_carries_ip_from_end_to_end() -> None:
    (row,) = decoded(session(0x0021, DATAGRAM))
    assert row.own["ip.src"] == [number(A)]
    assert row.own["ip.dst"] == [number(B)]
    assert row.own["udp.stream"] == [0]


def test_rejects_of_rejects_come_to_an_end() -> None:
    count = 9_000
    rejects = b"".join(
        struct.pack("!BBHH", 8, 0, 6 * (count - nth), 0xC021) for nth in range(count)
    )
    (row,) = Situation(session(0xC021, rejects)).rows
    assert len(row.own["lcp"]) == 33
    assert row.own["replicap.undecoded"] == ["more than 32 packets rejected inside one another"]
