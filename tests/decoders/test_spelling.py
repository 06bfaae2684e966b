"""Values as tshark prints them: literal cases and laws."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.fields import FIELDS
from decoders.spelling import spell, spell_ipv4, spell_ipv6, spell_time


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("frame.number", 17, "17"),
        ("eth.src", bytes.fromhex("02000000000a"), "02:00:00:00:00:0a"),
        ("eth.type", 0x0800, "0x0800"),
        ("eth.fcs", 0xBEEF, "0x0000beef"),
        ("eth.padding", b"\x00\xa5", "00a5"),
        ("vlan.id", 7, "7"),
        ("vlan.dei", False, "0"),
        ("pppoe.code", 9, "0x09"),
        ("pppoe.session_id", 0x11, "0x0011"),
        ("ppp.protocol", 0x21, "0x0021"),
        ("ip.src", 0xC0000201, "192.0.2.1"),
        ("ip.dst", 0, "0.0.0.0"),
        ("ip.id", 0xA5, "0x00a5"),
        ("ip.flags.df", True, "1"),
        ("ipv6.src", bytes.fromhex("20010db8000000000000000000000001"), "2001:db8::1"),
        ("tcp.flags", 0x12, "0x0012"),
        ("tcp.flags.str", "\u00b7S", "\u00b7S"),
        ("tcp.analysis.retransmission", True, "1"),
        ("tcp.analysis.ack_rtt", 1_500_000, "0.001500000"),
        ("frame.time_epoch", 1_500_000_000_000_000_001, "1500000000.000000001"),
        ("frame.time_relative", -1, "-0.000000001"),
        ("frame.comment", "two\tcolumns\nand lines\\n", "two\\tcolumns\\nand lines\\n"),
        ("tcp", 1, "tcp"),
        ("_ws.malformed", "[Malformed Packet: UDP]", "[Malformed Packet: UDP]"),
    ],
)
def test_literal_values(field: str, value: Any, text: str) -> None:
    assert spell(FIELDS[field], value) == text


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_type_has_a_spelling(field: Any) -> None:
    samples: dict[str, Any] = {"string": "x", "binary": b"\xa5" * 16, "boolean": True}
    text = spell(field, samples.get(field.column_type.value, 1))
    assert text
    assert "\t" not in text


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(-(2**63), 2**63 - 1))
def test_a_time_can_be_read_back(nanoseconds: int) -> None:
    text = spell_time(nanoseconds)
    assert Decimal(text) * 10**9 == nanoseconds
    assert len(text.partition(".")[2]) == 9


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_ipv4_text(address: int) -> None:
    assert spell_ipv4(address) == str(IPv4Address(address))


GROUPS = st.sampled_from([0, 0, 0, 1, 0xDB8, 0xFFFF]) | st.integers(0, 0xFFFF)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.lists(GROUPS, min_size=8, max_size=8))
def test_ipv6_text_is_that_of_rfc_5952(groups: list[int]) -> None:
    address = b"".join(group.to_bytes(2, "big") for group in groups)
    text = spell_ipv6(address)
    assert IPv6Address(text).packed == address
    if any(groups[:5]):
        assert text == str(IPv6Address(address)).partition("%")[0]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("00000000000000000000000000000000", "::"),
        ("00000000000000000000000000000001", "::1"),
        ("00000000000000000000ffffc0000201", "::ffff:192.0.2.1"),
        ("000000000000000000000000c0000201", "::192.0.2.1"),
        ("00000000000000000000000000010000", "::0.1.0.0"),
        ("20010db8000000010000000000000000", "2001:db8:0:1::"),
        ("20010db8000100020003000400050006", "2001:db8:1:2:3:4:5:6"),
        ("20010db8000000020003000400050006", "2001:db8:0:2:3:4:5:6"),
        ("fe800000000000000000000000000abc", "fe80::abc"),
    ],
)
def test_literal_ipv6_addresses(address: str, text: str) -> None:
    assert spell_ipv6(bytes.fromhex(address)) == text
