"""A value as ``tshark -T fields`` prints it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any

from decoders.fields import UNSIGNED_BITS, Field, FieldType

NS = 1_000_000_000


def spell(field: Field, value: Any) -> str:
    """Text of one value of a field, in the spelling of tshark 4.0.

    A protocol is spelled by its name, where tshark prints the line of its tree.
    """
    return _SPELLERS[field.type](field, value)


def speller(field: Field) -> Callable[[Any], str]:
    """:func:`spell` for many values of one field."""
    if field.type in UNSIGNED_BITS:
        return f"0x%0{field.hex_digits}x".__mod__ if field.hex_digits else str
    if field.type is FieldType.IPV4:
        return spell_ipv4
    if field.type is FieldType.RELATIVE_TIME:
        return spell_time
    by_type = _SPELLERS[field.type]
    return lambda value: by_type(field, value)


def spell_time(nanoseconds: int) -> str:
    """Seconds with nine digits behind the point; the sign stands before the whole."""
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{abs(nanoseconds) // NS}.{abs(nanoseconds) % NS:09d}"


@lru_cache(maxsize=65_536)
def spell_ipv4(address: int) -> str:
    """Dotted quad of an address given as a number."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def spell_address(address: int | bytes) -> str:
    """An IPv4 address given as a number, or an IPv6 address given as octets."""
    return spell_ipv4(address) if isinstance(address, int) else spell_ipv6(address)


def spell_ipv6(address: bytes) -> str:
    """RFC 5952 text; an embedded IPv4 address in dotted form, as inet_ntop does."""
    text = str(IPv6Address(address))
    if address[:12] == bytes(10) + b"\xff\xff" or (
        address[:12] == bytes(12) and any(address[12:14])
    ):
        tail = spell_ipv4(int.from_bytes(address[12:], "big"))
        return ("::ffff:" if address[10] else "::") + tail
    return text


def _number(field: Field, value: int) -> str:
    return f"0x{value:0{field.hex_digits}x}" if field.hex_digits else str(value)


def _escaped(_: Field, value: str) -> str:
    return value if value.isprintable() else value.translate(_ESCAPES)


_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\b": "\\b"})

_Speller = Callable[[Field, Any], str]

_SPELLERS: dict[FieldType, _Speller] = {
    FieldType.NONE: lambda _, value: "1",
    FieldType.PROTOCOL: lambda field, value: value if field.text else field.name,
    FieldType.BOOLEAN: lambda _, value: "1" if value else "0",
    FieldType.UINT8: _number,
    FieldType.UINT16: _number,
    FieldType.UINT24: _number,
    FieldType.UINT32: _number,
    FieldType.FRAMENUM: _number,
    FieldType.IPV4: lambda _, value: spell_ipv4(value),
    FieldType.IPV6: lambda _, value: spell_ipv6(value),
    FieldType.ETHER: lambda _, value: value.hex(":"),
    FieldType.STRING: _escaped,
    FieldType.BYTES: lambda _, value: value.hex(),
    FieldType.ABSOLUTE_TIME: lambda _, value: spell_time(value),
    FieldType.RELATIVE_TIME: lambda _, value: spell_time(value),
}
