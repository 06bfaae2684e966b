"""The functions of the filter language: what they take, what they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from decoders.fields import UNSIGNED_BITS, FieldType

_NUMBERS = frozenset(UNSIGNED_BITS)
_TIMES = frozenset({FieldType.ABSOLUTE_TIME, FieldType.RELATIVE_TIME})
_ALL = frozenset(FieldType)


@dataclass(frozen=True, slots=True)
class Function:
    """Types a function takes and gives (None: those of its argument).

    ``unsupported``: types that Wireshark's function takes and ours cannot. ``field_only``: the
    argument is a field's name, no calculation.
    """

    takes: frozenset[FieldType]
    gives: FieldType | None = None
    unsupported: frozenset[FieldType] = frozenset()
    several: bool = False
    field_only: bool = True


_ORDERED = _ALL - {FieldType.NONE, FieldType.PROTOCOL, FieldType.BOOLEAN}

FUNCTIONS: Mapping[str, Function] = {
    "len": Function(
        _ALL,
        FieldType.UINT32,
        unsupported=_TIMES | {FieldType.NONE, FieldType.BOOLEAN},
    ),
    "count": Function(_ALL, FieldType.UINT32),
    "upper": Function(frozenset({FieldType.STRING}), FieldType.STRING),
    "lower": Function(frozenset({FieldType.STRING}), FieldType.STRING),
    "string": Function(
        _NUMBERS | {FieldType.IPV4, FieldType.IPV6, FieldType.ETHER, FieldType.BYTES},
        FieldType.STRING,
        unsupported=frozenset({FieldType.IPV6, FieldType.BYTES}),
    ),
    "max": Function(
        _ORDERED,
        unsupported=_ORDERED - _NUMBERS - _TIMES - {FieldType.IPV4},
        several=True,
        field_only=False,
    ),
    "min": Function(
        _ORDERED,
        unsupported=_ORDERED - _NUMBERS - _TIMES - {FieldType.IPV4},
        several=True,
        field_only=False,
    ),
    "abs": Function(_NUMBERS | {FieldType.RELATIVE_TIME}, field_only=False),
}

LENGTHS: Mapping[FieldType, int] = {
    **{kind: bits // 8 for kind, bits in UNSIGNED_BITS.items()},
    FieldType.IPV4: 4,
    FieldType.IPV6: 16,
    FieldType.ETHER: 6,
}
"""Octets of the types whose values all have the same."""


def compute(operator: str, one: int, two: int) -> int:
    """Arithmetic as C does it: the quotient is cut towards zero."""
    match operator:
        case "+":
            return one + two
        case "-":
            return one - two
        case "*":
            return one * two
        case "&":
            return one & two
    quotient = abs(one) // abs(two)
    quotient = -quotient if (one < 0) != (two < 0) else quotient
    return quotient if operator == "/" else one - two * quotient
