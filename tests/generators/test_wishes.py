"""What a filter wants of a packet, read from its syntax tree."""

from __future__ import annotations

import pytest

from decoders.displayfilter import parse
from decoders.displayfilter.syntax import And, Everything
from generators.wishes import Erase, Have, Set, local, relaxed, wishes


def wanted(text: str, want: bool = True) -> list[tuple[object, ...]]:
    return [tuple(one) for one in wishes(parse(text).tree, want)]


def test_a_value_in_one_header_or_in_all() -> None:
    assert wanted("tcp.dstport == 25") == [
        (Set("tcp.dstport", 25, 0),),
        (Set("tcp.dstport", 25),),
    ]


def test_a_layer_is_the_place() -> None:
    assert wanted("ip.dst#2 == 192.0.2.1") == [(Set("ip.dst", 0xC0000201, 1),)]


def test_either_end() -> None:
    first = [one[0] for one in wanted("udp.port == 53")]
    assert first[0] == Set("udp.srcport", 53, 0)
    assert Set("udp.dstport", 53, 0) in first


def test_not_equal_is_another_value_everywhere_or_no_such_protocol() -> None:
    assert wanted("vlan.id == 7", want=False) == [
        (Set("vlan.id", 8),),
        (Set("vlan.id", 6),),
        (Have("vlan", False),),
    ]


def test_the_last_value_of_a_field_has_only_a_neighbour_below() -> None:
    assert wanted("vlan.id == 4095", want=False)[0] == (Set("vlan.id", 4094),)


def test_and_or_not() -> None:
    assert wanted("tcp && !(icmp)") == [(Have("tcp"), Have("icmp", False))]
    assert wanted("tcp || udp") == [(Have("tcp"),), (Have("udp"),)]
    assert wanted("tcp || udp", want=False) == [(Have("tcp", False), Have("udp", False))]


def test_contradictions_are_left_out() -> None:
    assert wanted("tcp && !(tcp)") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tcp.dstport > 45000", 45001),
        ("tcp.dstport >= 45000", 45000),
        ("tcp.dstport < 25", 24),
        ("frame.len <= 537", 537),
    ],
)
def test_the_nearest_value_on_the_right_side(text: str, value: int) -> None:
    [first, *_] = wanted(text)
    assert isinstance(first[0], Set)
    assert first[0].value == value


def test_a_set_and_what_is_in_none_of_its_ranges() -> None:
    assert wanted("tcp.dstport in {22, 80}")[0] == (Set("tcp.dstport", 22, 0),)
    assert wanted("tcp.dstport in {22, 23, 80}", want=False)[0] == (Set("tcp.dstport", 24),)


def test_octets_that_must_not_be_there() -> None:
    assert wanted("udp contains 61:62", want=False) == [(Erase(b"ab"),)]


def test_what_one_field_does_not_decide_gives_no_wish() -> None:
    assert wanted("tcp.analysis.retransmission") == [()]


def test_what_a_packet_alone_does_not_decide_is_taken_as_wanted() -> None:
    assert local("tcp.dstport")
    assert not local("tcp.stream")
    tree = relaxed(parse("tcp.stream == 833 && tcp.flags.reset == 1").tree)
    assert isinstance(tree, And)
    assert isinstance(tree.parts[0], Everything)
    assert not isinstance(tree.parts[1], Everything)
