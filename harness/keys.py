"""Values of fields as keys of published tables.

A key is the text a writer would use: decimal numbers, dotted quads, compressed IPv6, MAC addresses
with colons. Published keys are read through the field's type, so ``23``, ``"23"`` and ``0x17`` are
the same key. A key of several fields is their texts joined with one space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from decoders.fields import FIELDS, UNSIGNED_BITS, Field, FieldType
from harness.quantities import (
    NS_PER_SECOND,
    Kind,
    finite_decimal,
    moment_text,
    quantity,
)

Stored = int | str | bytes | bool
"""A value as a column of the table holds it."""

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_OCTETS = re.compile(r"(?:[0-9A-Fa-f]{2}:?)*")
_YES_NO = {"true": True, "1": True, "false": False, "0": False}


def text_of(field: Field, value: Stored) -> str:
    """The key text of a stored value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return _octets_text(field, value)
    if isinstance(value, int):
        return _number_text(field, value)
    return value


def _octets_text(field: Field, value: bytes) -> str:
    from ipaddress import IPv6Address

    if field.type is FieldType.IPV6:
        return str(IPv6Address(value))
    return value.hex(":") if field.type is FieldType.ETHER else value.hex()


def _number_text(field: Field, value: int) -> str:
    from ipaddress import IPv4Address

    if field.type is FieldType.IPV4:
        return str(IPv4Address(value))
    if field.type is FieldType.ABSOLUTE_TIME:
        return moment_text(value)
    if field.type is FieldType.RELATIVE_TIME:
        return finite_decimal(Fraction(value, NS_PER_SECOND)) or str(value)
    return str(value)


def stored_value(field: Field, raw: object) -> Stored:
    """A value written in an expectation file, as the field's column holds it.

    Raises ValueError, naming the field, what was found and what was expected.
    """
    if field.type in UNSIGNED_BITS:
        return _unsigned(field, raw)
    if field.type in (FieldType.BOOLEAN, FieldType.NONE):
        found = _YES_NO.get(str(raw).lower())
        if found is None:
            raise _unlike(field, raw, "true or false")
        return found
    if field.type in (FieldType.ABSOLUTE_TIME, FieldType.RELATIVE_TIME):
        return _time(field, raw)
    if field.column_type.value == "string" or field.type is FieldType.STRING:
        return str(raw)
    if field.type is FieldType.PROTOCOL:
        if str(raw) != "1":
            raise _unlike(field, raw, "1: a protocol is there, or it is not")
        return 1
    return _address(field, str(raw).strip())


def _unsigned(field: Field, raw: object) -> int:
    bits = UNSIGNED_BITS[field.type]
    number: int | None = None
    if isinstance(raw, int) and not isinstance(raw, bool):
        number = raw
    elif isinstance(raw, Decimal) and raw.is_finite() and raw == raw.to_integral_value():
        number = int(raw)
    elif isinstance(raw, str):
        number = _number_in(field, raw.strip())
    if number is None or not 0 <= number < 2**bits:
        raise _unlike(field, raw, f"a number from 0 to {2**bits - 1}")
    return number


def _number_in(field: Field, text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,16}", text):
        return int(text, 16)
    named = [number for number, name in (field.names or {}).items() if name == text]
    return named[0] if len(named) == 1 else None


def _time(field: Field, raw: object) -> int:
    read = quantity(raw)
    if field.type is FieldType.ABSOLUTE_TIME and read.kind is not Kind.TIME:
        raise _unlike(field, raw, "a time such as 2017-10-13T07:00:00Z")
    if field.type is FieldType.RELATIVE_TIME and read.kind is Kind.TIME:
        raise _unlike(field, raw, "a number of seconds")
    ns = read.value if read.kind is Kind.TIME else read.value * NS_PER_SECOND
    if ns.denominator != 1:
        raise _unlike(field, raw, "whole nanoseconds")
    return int(ns)


def _address(field: Field, text: str) -> Stored:
    from ipaddress import AddressValueError, IPv4Address, IPv6Address

    try:
        if field.type is FieldType.IPV4:
            return int(IPv4Address(text))
        if field.type is FieldType.IPV6:
            return IPv6Address(text.partition("%")[0]).packed
    except AddressValueError:
        kind = "IPv4" if field.type is FieldType.IPV4 else "IPv6"
        raise _unlike(field, text, f"an {kind} address") from None
    if field.type is FieldType.ETHER:
        if not _MAC.fullmatch(text):
            raise _unlike(field, text, "a MAC address such as 00:0c:29:3e:5a:01")
        return bytes.fromhex(text.replace(text[2], ""))
    if not _OCTETS.fullmatch(text):
        raise _unlike(field, text, "octets in hexadecimal")
    return bytes.fromhex(text.replace(":", ""))


def _unlike(field: Field, raw: object, expected: str) -> ValueError:
    return ValueError(f"{field.name}: expected {expected}, found {raw!r}")


def key_of(names: Sequence[str], raw: object) -> str:
    """The key text of a published key of one field, or of several.

    ``raw`` is a scalar; for several fields one text with a space between the parts, or a list.
    Raises ValueError.
    """
    return key_text([FIELDS[name] for name in names], key_values(names, raw))


def key_values(names: Sequence[str], raw: object) -> tuple[Stored, ...]:
    """The values of a published key, as the fields' columns hold them. Raises ValueError."""
    fields = [FIELDS[name] for name in names]
    parts = _parts(fields, raw)
    return tuple(stored_value(f, p) for f, p in zip(fields, parts, strict=True))


def key_text(fields: Sequence[Field], values: Iterable[Stored]) -> str:
    """The key text of stored values, one for each field."""
    return " ".join(text_of(field, value) for field, value in zip(fields, values, strict=True))


def _parts(fields: Sequence[Field], raw: object) -> Sequence[object]:
    if len(fields) == 1 and not isinstance(raw, list | tuple):
        return [raw]
    parts: list[object] = list(raw) if isinstance(raw, list | tuple) else list(str(raw).split(" "))
    texts = [n for n, field in enumerate(fields) if field.type is FieldType.STRING]
    extra = len(parts) - len(fields)
    if extra > 0 and len(texts) == 1 and isinstance(raw, str):
        first = texts[0]
        joined = " ".join(str(part) for part in parts[first : first + extra + 1])
        parts[first : first + extra + 1] = [joined]
    if len(parts) != len(fields):
        names = " ".join(field.name for field in fields)
        raise ValueError(f"expected a key of {len(fields)} parts ({names}), found {raw!r}")
    return parts
