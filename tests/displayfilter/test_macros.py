"""Macros: what they stand for, what is wrong with them."""

from __future__ import annotations

import pytest

from decoders.displayfilter import FilterError, parse, used_for_display
from tests.displayfilter.tables import Packet, matches

PACKETS: list[Packet] = [
    {"tcp": [1], "tcp.dstport": [23], "tcp.srcport": [40000]},
    {"udp": [1]},
    {"tcp": [1], "tcp.dstport": [80], "tcp.srcport": [23]},
]


def test_a_macro_keeps_together() -> None:
    assert matches("!${both}", PACKETS, both="tcp.dstport == 23 or udp") == [3]
    assert matches("tcp && ${both}", PACKETS, both="udp || tcp.srcport == 23") == [3]


def test_a_macro_can_be_a_value_or_a_set() -> None:
    assert matches("tcp.dstport == ${port}", PACKETS, port="23") == [1]
    assert matches("tcp.dstport in ${ports}", PACKETS, ports="{80, 81}") == [3]


def test_a_macro_may_use_another() -> None:
    assert matches("${a}", PACKETS, a="tcp and ${b}", b="tcp.port == 80") == [3]


def test_dollar_in_a_string_is_text() -> None:
    packets: list[Packet] = [{"frame.protocols": ["a${x}"]}, {"frame.protocols": ["a"]}]
    assert matches('frame.protocols == "a${x}"', packets) == [1]


def test_the_filter_to_paste_has_no_macros() -> None:
    found = parse("!${both} && ip.addr == ${host}", {"both": "tcp || udp", "host": "192.0.2.1"})
    assert used_for_display(found) == "!(tcp || udp) && ip.addr == 192.0.2.1"
    assert found.text == "!${both} && ip.addr == ${host}"
    assert found.fields == {"tcp", "udp", "ip.addr"}


@pytest.mark.parametrize(
    ("text", "macros", "shown"),
    [
        (
            "tcp && ${prt}",
            {"port": "tcp.port == 1"},
            "unknown macro 'prt'\n    tcp && ${prt}\n           ^^^^^^\ndid you mean 'port'?",
        ),
        (
            "tcp && ${port}",
            {"port": "tcp.prot == 1"},
            "in macro 'port': unknown field 'tcp.prot'\n"
            "    tcp.prot == 1\n    ^^^^^^^^\ndid you mean 'tcp.port'?",
        ),
        (
            "${a}",
            {"a": "tcp && ${b}", "b": "${a}"},
            "in macro 'b': macro 'a' contains itself\n    ${a}\n    ^^^^",
        ),
        (
            "${port} && tcp.prot",
            {"port": "tcp.port == 1"},
            "unknown field 'tcp.prot'\n"
            "    ${port} && tcp.prot\n               ^^^^^^^^\ndid you mean 'tcp.port'?",
        ),
    ],
)
def test_an_error_is_shown_where_it_was_written(
    text: str, macros: dict[str, str], shown: str
) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, macros)
    assert str(caught.value) == shown


def test_a_macro_cannot_grow_without_bounds() -> None:
    macros = {"a": "${b}" * 100, "b": "${c}" * 100, "c": "tcp||" * 1000}
    with pytest.raises(FilterError, match="characters"):
        parse("${a}", macros)


@pytest.mark.parametrize("text", ["tcp) || (tcp", "(tcp", "tcp)", "tcp]", '"', "tcp.port == 'a"])
def test_a_macro_cannot_reach_outside_itself(text: str) -> None:
    with pytest.raises(FilterError, match="do not match"):
        parse('udp && ${m} && udp || frame.protocols == "x"', {"m": text})
