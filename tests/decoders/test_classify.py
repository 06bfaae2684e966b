"""Classes of packets and scanners' marks, on literal frames, by both decoders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders import choice, classify, tshark
from decoders.classify import (
    BACKSCATTER,
    CLASS,
    CLASSES,
    LINK_CONTROL,
    OTHER,
    PING,
    REPLY,
    SCANNER,
    TCP_SYN_PROBE,
    UDP_PROBE,
)
from decoders.containers import Capture, open_captures
from decoders.fields import FIELDS, FieldType
from decoders.frames import CaptureError
from decoders.pcapng_writer import write_pcapng
from decoders.row import Row
from decoders.table import decode
from tests.decoders.frame_bytes import (
    A6,
    B6,
    A,
    B,
    C,
    Shot,
    Situation,
    arp,
    control,
    eth,
    icmp,
    icmpv6,
    ip4,
    ip6,
    ipv4,
    ipv6,
    parts4,
    ppp,
    pppoe,
    tcp,
    tcp4,
    udp,
    udp4,
)

FACE = 0xDEADBEEF
"""A sequence number that is no documentation address."""


def classes(*frames: Shot | bytes) -> list[str]:
    """The class of each frame; exactly one."""
    found = [row.own[CLASS] for row in Situation(*frames).rows]
    assert all(len(values) == 1 for values in found)
    return [values[0] for values in found]


def marks(*frames: Shot | bytes) -> list[list[str]]:
    return [row.own.get(SCANNER, []) for row in Situation(*frames).rows]


def ping(src: str = A, dst: str = B, kind: int = 8, ident: int = 1) -> bytes:
    return ip4(ipv4(1, icmp(kind, 0, payload=b"x" * 8), src, dst, ident=ident))


def ping6(src: str = A6, dst: str = B6, kind: int = 128) -> bytes:
    return ip6(ipv6(58, icmpv6(kind, 0, bytes(4), src, dst), src, dst))


def error(quote: bytes, *, kind: int = 3, src: str = C, dst: str = A) -> bytes:
    """An ICMP error that carries what follows the Ethernet header of ``quote``."""
    return ip4(ipv4(1, icmp(kind, 1, payload=quote[14:42]), src, dst))


def error6(quote: bytes, *, kind: int = 1) -> bytes:
    return ip6(ipv6(58, icmpv6(kind, 0, bytes(4) + quote[14:], B6, A6), B6, A6))


def session(protocol: int, payload: bytes) -> bytes:
    return eth(0x8864, pppoe(ppp(protocol, payload)))


@pytest.mark.parametrize(
    "frame",
    [
        eth(0x8863, pppoe(b"", code=9, session=0)),
        session(0xC021, control(1)),
        session(0xC023, control(1, b"\1u\1p")),
        session(0xC223, control(1, b"\1x")),
        session(0x8021, control(1)),
        session(0x8057, control(1)),
        session(0x80FD, control(1)),
        session(0x8281, control(1)),
        session(0xC227, control(1, b"\1")),
        session(0xC02B, control(1)),
        eth(0x0806, arp(1, A, B)),
        *(ping6(kind=kind) for kind in (133, 134, 135, 136, 137)),
        ping(kind=9),
        ping(kind=10),
        udp4("0.0.0.0", 68, "255.255.255.255", 67, b"\1\1\6\0" + bytes(236)),
        ip6(ipv6(17, udp(546, 547, b"\1abc"))),
    ],
)
def test_what_sets_up_a_link_is_link_control(frame: bytes) -> None:
    assert classes(frame) == [LINK_CONTROL]


def test_ppp_data_is_not_link_control() -> None:
    assert classes(session(0x0021, ipv4(6, tcp(1, 2)))) == [TCP_SYN_PROBE]


@pytest.mark.parametrize(
    "frame",
    [
        tcp4(A, 1, B, 80, "A"),
        tcp4(A, 1, B, 80, "F"),
        tcp4(A, 1, B, 80, ""),
        ping6(kind=143),
        ping(kind=13),
        ip4(ipv4(132, b"sctp")),
        ip4(ipv4(17, bytes(8), flags=1, ident=7)),
        eth(0x88CC, b"lldp"),
        Shot(b"what is this", link=65000),
        Shot(tcp4(A, 1, B, 80)[:46], wire=54),
    ],
)
def test_the_rest_is_other(frame: Shot | bytes) -> None:
    assert classes(frame) == [OTHER]


def test_the_first_control_protocol_of_ppp() -> None:
    assert classes(session(0x8000, control(1)), session(0x7FFE, control(1))) == [
        LINK_CONTROL,
        OTHER,
    ]
    assert classes(Shot(ppp(0xC02B, control(1)), 9)) == [LINK_CONTROL]


def test_the_last_error_of_version_6() -> None:
    assert classes(ping6(kind=127), ping6(kind=130)) == [BACKSCATTER, OTHER]


PORTS_OF_TCP = {"tcp.srcport": [1], "tcp.dstport": [2]}
ENDS = {"ip.src": [3], "ip.dst": [4]}


@pytest.mark.parametrize(
    ("fields", "flow"),
    [
        ({**ENDS, **PORTS_OF_TCP}, ("tcp", 3, 1, 4, 2)),
        ({**PORTS_OF_TCP, "ip.src": [3]}, None),
        ({**PORTS_OF_TCP, "ip.dst": [4]}, None),
        (PORTS_OF_TCP, None),
        ({**ENDS, "tcp.srcport": [1]}, None),
        ({**ENDS, "tcp.dstport": [2]}, None),
    ],
)
def test_a_flow_needs_both_ends(fields: dict[str, list[int]], flow: object) -> None:
    packet = classify.packet_of(["eth", "ip", "tcp"], 0, fields)
    assert packet == ("tcp", 2, "ip", 0, fields)
    assert packet.flow() == flow


def test_what_decides_without_an_ip_header() -> None:
    assert classify.packet_of(["eth", "tcp"], 0, {}) == ("tcp", 1, "", 0, {})
    assert classify.packet_of(["eth", "llc"], 0, {}) == ("", 2, "", 0, {})
    assert classify.packet_of(["eth", "ip", "ip"], 0, {}) == ("", 3, "ip", 1, {})


def test_an_inner_header_that_was_cut_between_its_addresses() -> None:
    frame = ip4(ipv4(4, ipv4(17, udp(1, 2))))
    assert classes(Shot(frame[: 14 + 20 + 16], wire=len(frame))) == [OTHER]


def test_a_reset_is_no_cause_of_an_answer_and_takes_no_cause_away() -> None:
    reset, answer = tcp4(A, 1, B, 2, "R"), tcp4(B, 2, A, 1, "SA")
    assert classes(reset, answer) == [BACKSCATTER, BACKSCATTER]
    assert classes(tcp4(A, 1, B, 2, "S"), reset, tcp4(B, 2, A, 1, "R")) == [
        TCP_SYN_PROBE,
        OTHER,
        REPLY,
    ]


def test_a_handshake() -> None:
    assert classes(
        tcp4(A, 1000, B, 80, "S", 5),
        tcp4(B, 80, A, 1000, "SA", 9, 6),
        tcp4(A, 1000, B, 80, "A", 6, 10),
        tcp4(B, 80, A, 1000, "PA", 10, 6, b"hello"),
    ) == [TCP_SYN_PROBE, REPLY, OTHER, OTHER]


def test_a_half_open_scan_ends_with_a_reset_of_the_answer() -> None:
    assert classes(
        tcp4(A, 1000, B, 80, "S", 5),
        tcp4(B, 80, A, 1000, "SA", 9, 6),
        tcp4(A, 1000, B, 80, "R", 6),
    ) == [TCP_SYN_PROBE, REPLY, REPLY]


@pytest.mark.parametrize("probe", ["S", "F", "", "FPU", "A", "SA"])
def test_a_reset_answers_any_segment_of_the_other_side(probe: str) -> None:
    assert classes(tcp4(A, 1000, B, 80, probe), tcp4(B, 80, A, 1000, "RA"))[1] == REPLY


def test_a_reset_never_answers_a_reset() -> None:
    assert classes(tcp4(A, 1000, B, 80, "R"), tcp4(B, 80, A, 1000, "R")) == [BACKSCATTER] * 2


def test_answers_that_nobody_asked_for_are_backscatter() -> None:
    assert (
        classes(
            tcp4(B, 80, A, 1000, "SA", 9, 6),
            tcp4(B, 80, A, 1000, "SA", 9, 6),
            tcp4(B, 80, A, 1000, "RA"),
            tcp4(B, 81, A, 1000, "R"),
        )
        == [BACKSCATTER] * 4
    )


def test_what_comes_later_causes_nothing() -> None:
    assert classes(tcp4(B, 80, A, 1000, "SA"), tcp4(A, 1000, B, 80, "S")) == [
        BACKSCATTER,
        TCP_SYN_PROBE,
    ]


@pytest.mark.parametrize(
    "answer",
    [
        tcp4(B, 80, A, 1001, "SA"),
        tcp4(B, 81, A, 1000, "SA"),
        tcp4(C, 80, A, 1000, "SA"),
        tcp4(B, 80, C, 1000, "RA"),
    ],
)
def test_an_answer_to_another_conversation_is_backscatter(answer: bytes) -> None:
    assert classes(tcp4(A, 1000, B, 80, "S"), answer)[1] == BACKSCATTER


def test_a_side_that_gives_up_its_own_attempt_is_no_victim() -> None:
    assert classes(tcp4(A, 1000, B, 80, "S"), tcp4(A, 1000, B, 80, "R")) == [TCP_SYN_PROBE, OTHER]
    assert classes(tcp4(A, 1000, B, 80, "PA", payload=b"x"), tcp4(A, 1000, B, 80, "R")) == [
        OTHER,
        OTHER,
    ]


def test_every_syn_without_ack_is_a_probe() -> None:
    flags = ("S", "SF", "SEC", "SP", "S")
    assert classes(*(tcp4(A, 1, B, 80, f) for f in flags)) == [TCP_SYN_PROBE] * 5


def test_udp_by_direction() -> None:
    there, back = udp4(A, 1000, B, 53), udp4(B, 53, A, 1000)
    assert classes(there, back, there, back, udp4(A, 1001, B, 53), udp4(B, 53, A, 1002)) == [
        UDP_PROBE,
        REPLY,
        UDP_PROBE,
        REPLY,
        UDP_PROBE,
        UDP_PROBE,
    ]


def test_equal_ends_are_one_direction() -> None:
    assert classes(*[udp4(A, 9, A, 9)] * 2, tcp4(A, 9, A, 9), tcp4(A, 9, A, 9, "SA")) == [
        UDP_PROBE,
        UDP_PROBE,
        TCP_SYN_PROBE,
        REPLY,
    ]


def test_pings() -> None:
    assert classes(ping(), ping(B, A, 0), ping(C, A, 0), ping(A, B, 0)) == [
        PING,
        REPLY,
        BACKSCATTER,
        BACKSCATTER,
    ]


def test_pings_of_version_6() -> None:
    assert classes(ping6(B6, A6, 129), ping6(), ping6(B6, A6, 129)) == [BACKSCATTER, PING, REPLY]


@pytest.mark.parametrize("group", ["255.255.255.255", "224.0.0.1", "239.1.2.3"])
def test_anybody_may_answer_a_ping_to_a_group(group: str) -> None:
    assert classes(ping(A, group), ping(C, A, 0), ping(C, B, 0)) == [PING, REPLY, BACKSCATTER]


def test_anybody_may_answer_a_ping_to_a_group_of_version_6() -> None:
    assert classes(ping6(A6, "ff02::1"), ping6(B6, A6, 129)) == [PING, REPLY]


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
@pytest.mark.parametrize(
    "cause",
    [
        tcp4(A, 1000, B, 80, "S"),
        udp4(A, 1000, B, 53),
        ping(),
        ip4(ipv4(132, b"sctpsctp")),
    ],
)
def test_an_error_about_a_packet_that_was_seen_is_a_reply(kind: int, cause: bytes) -> None:
    assert classes(error(cause, kind=kind), cause, error(cause, kind=kind))[::2] == [
        BACKSCATTER,
        REPLY,
    ]


def test_an_error_about_another_packet_is_backscatter() -> None:
    seen = tcp4(A, 1000, B, 80, "S"), udp4(A, 1000, B, 53), ping()
    others = (
        error(tcp4(A, 1000, B, 81, "S")),
        error(udp4(A, 1000, B, 80)),
        error(tcp4(B, 80, A, 1000, "SA")),
        error(ping(A, C)),
    )
    assert classes(*seen, *others)[3:] == [BACKSCATTER] * 4


def test_an_error_that_quotes_nothing_is_backscatter() -> None:
    assert classes(ping(), ip4(ipv4(1, icmp(3, 1), B, A)))[1] == BACKSCATTER


def test_errors_of_version_6() -> None:
    cause = ip6(ipv6(17, udp(1000, 53, b"x")))
    for kind in (1, 2, 3, 4):
        assert classes(error6(cause), cause, error6(cause, kind=kind))[::2] == [BACKSCATTER, REPLY]
    assert classes(error6(cause, kind=100)) == [BACKSCATTER]


def test_the_inner_packet_of_an_ip_tunnel_decides_but_not_that_of_a_udp_tunnel() -> None:
    inner = ipv4(6, tcp(1000, 80, "S"), A, B)
    vxlan = bytes.fromhex("0800000000002a00") + ip4(inner)
    assert classes(
        ip4(ipv4(4, inner, C, B)),
        tcp4(B, 80, A, 1000, "SA"),
        ip4(ipv4(17, udp(5000, 4789, vxlan), C, B)),
    ) == [TCP_SYN_PROBE, REPLY, UDP_PROBE]


def test_a_reassembled_datagram_is_seen_with_its_last_fragment() -> None:
    fragments = parts4(17, udp(1000, 53, b"x" * 24), (16, 16), 5)
    answer = ip4(ipv4(17, udp(53, 1000), B, A))
    assert classes(*map(ip4, fragments), answer) == [OTHER, UDP_PROBE, REPLY]


def syn(ident: int, seq: int, port: int = 23, flags: str = "S") -> bytes:
    """From A to B, 198.51.100.1 = 0xc6336401."""
    return ip4(ipv4(6, tcp(4000, port, flags, seq), A, B, ident=ident))


def test_zmap_marks_probes() -> None:
    assert (
        marks(
            syn(54321, FACE),
            ip4(ipv4(17, udp(1, 2), ident=54321)),
            ping(ident=54321),
            syn(54320, FACE),
            syn(54321, FACE, flags="SA"),
            ping(ident=54321, kind=0),
            ip4(ipv4(132, b"sctp", ident=54321)),
        )
        == [["zmap"]] * 3 + [[]] * 4
    )


def test_masscan_keeps_the_low_16_bits() -> None:
    # 0xc6336401 ^ 0x00000017 ^ 0xdeadbeef = 0x189edaf9
    assert marks(
        syn(0xDAF9, FACE),
        syn(0xDAF9, FACE, port=22),
        syn(0xDAF9, FACE + 1),
        syn(0xDAF9, FACE, flags="A"),
        syn(0xDAF9 ^ 0x189E, FACE),
    ) == [["masscan"], [], [], [], []]


def test_mirai_takes_the_destination_as_sequence_number() -> None:
    assert marks(
        syn(7, 0xC6336401), syn(7, 0xC6336402), syn(7, 0xC6336401, flags="SA"), syn(7, 0x016433C6)
    ) == [["mirai"], [], [], []]


def test_several_marks_are_several_occurrences() -> None:
    # The sequence number is the destination: masscan's identification is the port.
    assert marks(syn(23, 0xC6336401), syn(54321, 0xC6336401, port=54321)) == [
        ["masscan", "mirai"],
        ["zmap", "masscan", "mirai"],
    ]


def test_marks_are_of_the_packet_itself() -> None:
    assert marks(error(syn(54321, 0xC6336401))) == [[]]
    assert marks(ip6(ipv6(6, tcp(1, 2, "S", 3)))) == [[]]


def test_fields_are_declared_and_needs_have_columns() -> None:
    assert FIELDS[CLASS].type is FIELDS[SCANNER].type is FieldType.STRING
    assert all(not FIELDS[name].of for name in classify.NEEDS)


MIXED = (
    tcp4(A, 1000, B, 80, "S", FACE),
    syn(54321, 0xC6336401, port=54321),
    tcp4(B, 80, A, 1000, "SA", 9, FACE + 1),
    tcp4(C, 80, A, 1000, "RA"),
    tcp4(A, 1000, B, 80, "A", 6, 10),
    udp4(A, 1000, B, 53),
    udp4(B, 53, A, 1000),
    ping(),
    ping(B, A, 0),
    ping(C, A, 0),
    error(tcp4(A, 1000, B, 80, "S", FACE)),
    error(tcp4(A, 1000, B, 81, "S", FACE)),
    session(0xC021, control(9)),
    eth(0x0806, arp(1, A, B)),
    ping6(),
    ping6(kind=143),
    ip4(ipv4(4, ipv4(6, tcp(1000, 80, "S"), A, C), C, B)),
    ip4(ipv4(1, icmp(11, 0, payload=ipv4(17, udp(1000, 53), A, B)), C, A)),
    eth(0x88CC, b"lldp"),
)


@pytest.fixture
def mixed(tmp_path: Path) -> Capture:
    path = tmp_path / "mixed.pcapng"
    write_pcapng(path, Situation(*MIXED).frames())
    return open_captures([path])


def seen_by(decoder: str, capture: Capture) -> list[tuple[list[str], list[str]]]:
    rows = choice.rows_by(decoder)(capture, {CLASS, SCANNER})
    return [(row.own[CLASS], row.own.get(SCANNER, [])) for row in rows]


@pytest.mark.skipif(not tshark.is_installed(), reason="no tshark on this machine")
def test_both_decoders_classify_alike(mixed: Capture) -> None:
    assert seen_by("tshark", mixed) == seen_by("reference", mixed)


def test_fewer_fields_wanted_give_the_same_classes(mixed: Capture) -> None:
    everything = [(row.own[CLASS], row.own.get(SCANNER, [])) for row in Situation(*MIXED).rows]
    assert seen_by("reference", mixed) == everything


def test_nothing_is_classified_when_nobody_asks(mixed: Capture) -> None:
    assert not any(CLASS in row.own for row in choice.rows_by("reference")(mixed, {"ip.src"}))
    assert decode(mixed, ["ip.src"]).classes == {}


def test_classes_add_up_to_the_packets(mixed: Capture) -> None:
    table = decode(mixed, [CLASS, SCANNER])
    assert table.classes == {
        TCP_SYN_PROBE: 3,
        REPLY: 5,
        BACKSCATTER: 3,
        OTHER: 3,
        UDP_PROBE: 1,
        PING: 2,
        LINK_CONTROL: 2,
    }
    assert sum(table.classes.values()) == table.count == 19
    assert table.packets["replicap_class"].null_count() == 0
    assert "replicap_class_2" not in table.packets.columns
    assert [table.packets[f"replicap_scanner{n}"][1] for n in ("", "_2", "_3")] == [
        "zmap",
        "masscan",
        "mirai",
    ]


def test_only_kept_frames_cause_answers(mixed: Capture) -> None:
    keep = [number != 0 for number in range(len(MIXED))]
    table = decode(mixed, [CLASS], keep=keep)
    assert table.packets["replicap_class"][1] == BACKSCATTER


@pytest.mark.parametrize("values", [[], [OTHER, PING], ["noise"]])
def test_a_packet_without_exactly_one_class_is_an_error(
    mixed: Capture, monkeypatch: pytest.MonkeyPatch, values: list[str]
) -> None:
    def annotate(self: classify.Classifier, row: Row) -> None:
        row.own[CLASS] = [OTHER] if row.number > 1 else values
        if not row.own[CLASS]:
            del row.own[CLASS]

    monkeypatch.setattr(classify.Classifier, "annotate", annotate)
    with pytest.raises(CaptureError, match="found 18 packets with one class, expected 19 packets"):
        decode(mixed, [CLASS])


FRAMES = st.one_of(
    st.sampled_from(MIXED),
    st.binary(max_size=80).map(lambda octets: eth(0x0800, octets)),
    st.binary(max_size=80).map(lambda octets: eth(0x86DD, octets)),
    st.builds(lambda frame, end: frame[:end], st.sampled_from(MIXED), st.integers(0, 100)),
)


@given(st.lists(FRAMES, max_size=12))
def test_whatever_comes_gets_exactly_one_class(frames: list[bytes]) -> None:
    assert Counter(classes(*frames)).total() == len(frames)
    assert set(classes(*frames)) <= CLASSES.keys()


PORTS = st.integers(0, 3)
SEGMENTS = st.tuples(st.booleans(), PORTS, PORTS, st.sampled_from(("S", "SA", "A", "R", "F")))


def frame_of(segment: tuple[bool, int, int, str], first: str, second: str) -> bytes:
    forward, here, there, flags = segment
    src, dst = (first, second) if forward else (second, first)
    return tcp4(src, here, dst, there, flags)


@given(st.lists(SEGMENTS, max_size=12))
def test_other_hosts_change_nothing(segments: list[tuple[bool, int, int, str]]) -> None:
    alone = [frame_of(segment, A, B) for segment in segments]
    between = [f for s in segments for f in (frame_of(s, A, B), frame_of(s, A, C))]
    assert classes(*between)[::2] == classes(*alone)


def test_a_cut_header_never_classifies_wrongly() -> None:
    whole = tcp4(A, 1000, B, 80, "S")
    for end in range(len(whole)):
        assert classes(Shot(whole[:end], wire=len(whole))) == [
            TCP_SYN_PROBE if end >= 14 + 20 + 16 else OTHER
        ]


def captures() -> Iterator[Path]:
    for directory in filter(None, os.environ.get("REPLICAP_CAPTURES", "").split(os.pathsep)):
        yield from Path(directory).rglob("*.pcap*")


DOCUMENTED = {
    "synscan.pcap": {TCP_SYN_PROBE: 1994, REPLY: 17},
    "tcp_scan.pcapng": {LINK_CONTROL: 12, TCP_SYN_PROBE: 4, REPLY: 9, OTHER: 5},
    "firewall__tcp-session-syn-flood-drop-precedence.pcap": {TCP_SYN_PROBE: 200},
    "ssh__sshguess.pcap": {TCP_SYN_PROBE: 11, REPLY: 11, OTHER: 409},
    "ssh__ssh.client-side-half-duplex.pcap": {TCP_SYN_PROBE: 22, OTHER: 816},
    "ssh__ssh.server-side-half-duplex.pcap": {BACKSCATTER: 22, OTHER: 810},
    "communityid__icmp6.pcap": {LINK_CONTROL: 20, BACKSCATTER: 13, PING: 8, REPLY: 8},
    "dhcp__dhcp_flood.pcap": {LINK_CONTROL: 500},
}
"""Public captures -> what their publishers document (docs/classes.md)."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_captures(name: str) -> None:
    path = next((path for path in captures() if path.name == name), None)
    if path is None:
        pytest.skip(f"{name} is not in REPLICAP_CAPTURES")
    assert decode(open_captures([path]), [CLASS]).classes == DOCUMENTED[name]
