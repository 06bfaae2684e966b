"""Compiled filters agree with the interpreter, and keep the laws of logic."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.displayfilter import parse
from tests.displayfilter.interpreter import kept
from tests.displayfilter.tables import Packet, matches

_MACS = (bytes(6), bytes.fromhex("001b21aabbcc"), bytes.fromhex("ffffffffffff"))
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tcp": st.just(1),
    "vlan": st.just(1),
    "tcp.srcport": st.sampled_from([0, 1, 23, 80, 65535]),
    "tcp.dstport": st.sampled_from([0, 1, 23, 80, 65535]),
    "tcp.flags": st.integers(0, 0xFFF),
    "tcp.flags.syn": st.booleans(),
    "ip.ttl": st.sampled_from([1, 3, 64, 255]),
    "ip.src": st.sampled_from([0x0A000001, 0x0A0000FF, 0x0B000000, 0xC0000209]),
    "ipv6.src": st.sampled_from([bytes(16), bytes.fromhex("fe80") + bytes(14), b"\xff" * 16]),
    "eth.src": st.sampled_from(_MACS),
    "eth.dst": st.sampled_from(_MACS),
    "frame.protocols": st.sampled_from(["eth", "eth:ethertype:ip", "ETH", "", "caf\u00e9\u00b7"]),
    "frame.time_relative": st.integers(-3, 3).map(lambda n: n * 500_000_000),
    "tcp.analysis.flags": st.just(True),
}
_TESTS = (
    *("tcp", "tcp.flags.syn", "tcp.analysis.flags", "ip.src", "tcp.port", "vlan#2", "", "eth.addr"),
    *("tcp.port {} 23", "tcp.port {} 0", "tcp.flags {} 2", "ip.ttl {} 64", "tcp.flags.syn {} 1"),
    *("ip.src {} 10.0.0.0/8", "ip.src {} 10.0.0.1", "ip.src#2 {} 10.0.0.1"),
    *("ip.src#[-1] {} 10.0.0.1", "ip.src#[1-2] {} 10.0.0.1", "tcp.port#1 {} 80"),
    *("ipv6.src {} fe80::/10", "ipv6.src {} ::", "eth.addr {} 00:1b:21:aa:bb:cc"),
    *('frame.protocols {} "eth"', "frame.time_relative {} 0.5", "frame.time_relative {} -1"),
    *("tcp.srcport {} tcp.dstport", "eth.src {} eth.dst", "eth.src[0:2] {} 00:1b"),
    *("eth.src[-1] {} cc", "ip.src[0] {} 0a", "ip.src[0,9] {} 0a", "frame.protocols[0:2] {} 65:74"),
    *("ip.src[1:] {} 00:00:01", "ipv6.src[0-1] {} fe:80"),
    *("count(tcp.port) {} 2", "len(frame.protocols) {} 7", "max(tcp.srcport, tcp.dstport) {} 80"),
    *("min(ip.ttl) {} 3", "tcp.srcport - tcp.dstport {} 0", "tcp.port * 2 + 1 {} 47"),
    *("tcp.port / 7 {} 3", "tcp.port % 7 {} 2", "-tcp.port / 7 {} -3", "-tcp.port % 7 {} -2"),
    *("tcp.flags & 0x12 {} 2", "tcp.flags & tcp.port {} 0", "ip.src & 255.0.0.0 {} 10.0.0.0"),
    *("tcp.srcport / tcp.dstport {} 1", "eth.src[0] & 1 {} 01", 'string(ip.ttl) {} "64"'),
    *("frame.time_relative + 1 {} 1.5", 'upper(frame.protocols) {} "ETH"', "abs(tcp.port) {} 23"),
)
_OTHERS = (
    *("tcp.port in {1..23, 80}", "tcp.port not in {80}", "all tcp.port in {0 .. 80, 23}"),
    *("ip.src in {10.0.0.0/24, 11.0.0.0}", "tcp.port in {tcp.srcport .. 80}", "ip.ttl in {64, 3}"),
    *("all ip.ttl in {64, 1..3}", "eth.src contains 1b:21", 'frame.protocols contains "th"'),
    *('frame.protocols matches "^ETH$"', 'frame.protocols contains ""', "eth.src[0:2]"),
    *('frame.protocols matches r"ip|\\bcaf"', "eth.src[0:2] contains 1b", "tcp.flags & 2"),
    *("eth.src & 00:00:00:00:00:01", "ip.src[5]", "tcp.srcport < tcp.dstport < 100"),
    *("frame.protocols[-2:] == c2:b7", "frame.protocols[-2:] != c2:b7"),
    *("frame.protocols[3:]", "tcp.port - 23", "ip.ttl in {}".replace("{}", "{3, 255}")),
)
_SIGNS = ("==", "!=", "===", "!==", "<", "<=", ">", ">=")


@st.composite
def _filters(draw: st.DrawFn) -> str:
    return draw(
        st.recursive(
            st.one_of(
                st.builds(
                    lambda text, sign, which: (
                        f"{which} {text.format(sign)}".strip() if "{}" in text else text
                    ),
                    st.sampled_from(_TESTS),
                    st.sampled_from(_SIGNS),
                    st.sampled_from(["", "any", "all"]),
                ),
                st.sampled_from(_OTHERS),
            ).map(lambda text: f"({text})" if text else "frame.number"),
            lambda inner: st.one_of(
                inner.map(lambda one: f"!{one}"),
                st.tuples(inner, inner).map(lambda two: f"({two[0]} and {two[1]})"),
                st.tuples(inner, inner).map(lambda two: f"({two[0]} || {two[1]})"),
            ),
            max_leaves=4,
        )
    )


@st.composite
def _tables(draw: st.DrawFn) -> list[Packet]:
    def packet(number: int) -> Packet:
        held: dict[str, list[Any]] = {"frame.number": [number]}
        for name, strategy in _VALUES.items():
            # A quoted value needs an own one before it, as in a packet.
            own = draw(st.lists(strategy, max_size=2))
            held[name] = own
            if own:
                held[f"{name}/quoted"] = draw(st.lists(strategy, max_size=1))
        return held

    return [packet(number) for number in range(1, draw(st.integers(1, 4)) + 1)]


def _packets(number: int) -> list[Packet]:
    """The same packets on every run, rich in values."""
    chance = Random(20201122)
    pools: dict[str, list[Any]] = {
        "tcp.srcport": [0, 1, 23, 80, 65535],
        "tcp.dstport": [0, 1, 23, 80, 65535],
        "tcp.flags": [0, 1, 2, 0x12, 0xFFF],
        "tcp.flags.syn": [True, False],
        "ip.ttl": [1, 3, 64, 255],
        "ip.src": [0x09FFFFFF, 0x0A000001, 0x0A0000FF, 0x0B000000, 0xC0000209],
        "ipv6.src": [bytes(16), bytes.fromhex("fe80") + bytes(14), b"\xff" * 16],
        "eth.src": list(_MACS),
        "eth.dst": list(_MACS),
        "frame.protocols": ["eth", "eth:ethertype:ip", "ETH", "", "caf\u00e9\u00b7", "\u20ac"],
        "frame.time_relative": [-1_000_000_000, 0, 500_000_000, 500_000_001],
        "tcp": [1],
        "vlan": [1],
        "tcp.analysis.flags": [True],
    }
    packets: list[Packet] = []
    for row in range(number):
        held: dict[str, list[Any]] = {"frame.number": [row + 1]}
        for name, pool in pools.items():
            held[name] = chance.choices(pool, k=chance.choice([0, 1, 1, 2]))
            held[f"{name}/quoted"] = chance.choices(pool, k=chance.choice([0, 0, 1]))
        packets.append(held)
    return packets


@pytest.mark.parametrize("template", [*_TESTS, *_OTHERS])
def test_every_comparison_is_the_interpreted_one(template: str) -> None:
    packets = _packets(150)
    signs = _SIGNS if "{}" in template else ("",)
    for sign, which in product(signs, ("", "any ", "all ") if "{}" in template else ("",)):
        text = which + template.replace("{}", sign)
        assert matches(text, packets) == kept(parse(text).tree, packets), text


@settings(deadline=None, max_examples=60)
@given(_filters(), _tables())
def test_a_compiled_filter_is_the_interpreted_one(text: str, packets: list[Packet]) -> None:
    assert matches(text, packets) == kept(parse(text).tree, packets)


@settings(deadline=None, max_examples=15)
@given(_filters(), _tables())
def test_not_not_changes_nothing(text: str, packets: list[Packet]) -> None:
    assert matches(f"!!{text}", packets) == matches(text, packets)


@settings(deadline=None, max_examples=15)
@given(_filters(), _filters(), _tables())
def test_de_morgan(one: str, two: str, packets: list[Packet]) -> None:
    assert matches(f"!({one} or {two})", packets) == matches(f"!{one} and !{two}", packets)
    assert matches(f"!({one} and {two})", packets) == matches(f"!{one} or !{two}", packets)


@settings(deadline=None, max_examples=15)
@given(_filters(), _tables())
def test_a_macro_keeps_together(text: str, packets: list[Packet]) -> None:
    assert matches("!${m} and tcp", packets, m=f"{text} or udp") == matches(
        f"!({text} or udp) and tcp", packets
    )
