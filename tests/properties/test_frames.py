"""Round trip: a generated frame decodes to the truth it was made with, field by field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from decoders.ports import TCP_CLAIMED, UDP_CLAIMED
from generators import links, parts
from generators.carried import UNCLAIMED_PORTS, addresses
from generators.frames import Group, frames, tag_stacks
from generators.parts import Ends
from generators.truth import described
from tests.properties.checks import round_trip
from tests.properties.profiles import CHECKED

HOME, AWAY = Ends(b"\xc0\0\x02\x01", b"\xc6\x33\x64\x01"), b"\x02" + bytes(5)


@CHECKED
@given(st.lists(frames(), min_size=1, max_size=8))
def test_a_frame_decodes_to_its_truth(groups: list[Group]) -> None:
    round_trip(groups)


def test_ports_of_opaque_payloads_are_claimed_by_nobody() -> None:
    first, last = UNCLAIMED_PORTS
    assert not [port for port in (*TCP_CLAIMED, *UDP_CLAIMED) if first <= port <= last]


LITERAL = (
    "020000000000 020000000000 9100 a02a 8864 1100 0009 0020 21"
    "4500001f 00010000 40118e97 c0000201 c6336401 cf08cf09 000b0001 61"
)


def test_the_truth_of_a_literal_frame() -> None:
    upper = parts.udp(HOME, 53000, 53001, payload=parts.opaque(b"abc"))
    packet = links.session(9, links.ppp(0x21, parts.ipv4(HOME, upper), short=True), padding=b"zz")
    found = described(
        links.ethernet(AWAY, AWAY, packet, tags=[links.Tag(0x9100, 42, 5)]), 1, captured=54
    )
    assert found.data == bytes.fromhex(LITERAL)
    assert found.wire_length == 58
    own = found.truth.own
    assert own["frame.protocols"] == ["eth:ethertype:vlan:ethertype:pppoes:ppp:ip:udp:data"]
    assert (own["vlan.id"], own["vlan.priority"], own["ppp.protocol"]) == ([42], [5], [0x21])
    assert (own["udp.length"], own["ip.len"]) == ([11], [31])
    assert "_ws.short" not in own  # data is never short: nobody reads it
    assert found.truth.quoted == {}


def test_a_segment_that_is_cut_before_its_payload_hands_nothing_up() -> None:
    segment = parts.tcp(HOME, 50000, 50001, payload=parts.opaque(b"abc"))
    packet = links.raw(parts.ipv4(HOME, segment))
    cut = [described(packet, 101, captured=40 + kept) for kept in (0, 1)]
    shown = [frame.truth.own["frame.protocols"] for frame in cut]
    assert shown == [["raw:ip:tcp"], ["raw:ip:tcp:data"]]  # as tshark 4.0 has it
    round_trip([(frame,) for frame in cut])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: frames(linktypes=[7]), "linktypes 7"),
        (lambda: frames(layers=["tpc"]), "layers tpc"),
        (lambda: frames(linktypes=[228], layers=["arp"]), "no frame of link types"),
        (lambda: addresses(5), "version=5"),
        (lambda: tag_stacks(99), "max_tags=99"),
        (lambda: tag_stacks(kinds=[1]), "kinds="),
    ],
)
def test_impossible_arguments_are_refused(make: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        make()  # type: ignore[operator]
