"""Exact numbers, durations and moments as people write them, with the precision of their print.

Everything is a :class:`~fractions.Fraction` or an int: nothing is rounded before it is compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction

NS_PER_SECOND = 1_000_000_000
_MAX_DIGITS = 100  # of a number in a file: 1e999999999 must not fill the memory
_FINITE_DIGITS = 9  # decimals printed in full: enough for nanoseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SECONDS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    **dict.fromkeys(("s", "sec", "second", "seconds"), Fraction(1)),
    **dict.fromkeys(("min", "minute", "minutes"), Fraction(60)),
    **dict.fromkeys(("h", "hour", "hours"), Fraction(3600)),
    **dict.fromkeys(("d", "day", "days"), Fraction(86400)),
}
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?"
_NUMBER_TEXT = re.compile(_NUMBER)
_PERCENT_TEXT = re.compile(rf"({_NUMBER}) ?%")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-zµ]+)")
_DURATION_TEXT = re.compile(rf"{_DURATION_PART.pattern}(?: {_DURATION_PART.pattern})*")
_MOMENT_TEXT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?Z"
)


class Kind(StrEnum):
    """What a quantity is a quantity of."""

    NUMBER = "number"
    DURATION = "duration"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A published quantity and the precision it was printed with."""

    text: str
    """As it was written."""
    kind: Kind
    value: Fraction
    """A plain number, seconds (duration) or nanoseconds since 1970-01-01 UTC (time)."""
    unit: Fraction
    """One unit of the last printed digit, in the unit of ``value``."""

    def json(self) -> int | str:
        """A whole number as a number, everything else as the text that was written."""
        whole = self.kind is Kind.NUMBER and self.value.denominator == 1
        return int(self.value) if whole and self.text.lstrip("+-").isdigit() else self.text


def quantity(raw: object) -> Quantity:
    """Read ``12``, ``2.0``, ``"5%"``, ``"1.5 min"`` or ``"2017-10-13T07:00:00Z"``.

    Raises ValueError, saying what was found and what is understood.
    """
    if isinstance(raw, float):
        raw = Decimal(repr(raw))
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        value, unit = _decimal(Decimal(raw))
        return Quantity(str(raw), Kind.NUMBER, value, unit)
    if not isinstance(raw, str):
        raise ValueError(f"expected a number, a duration or a time, found {raw!r}")
    text = raw.strip()
    if _NUMBER_TEXT.fullmatch(text):
        return Quantity(text, Kind.NUMBER, *_decimal(Decimal(text)))
    if percent := _PERCENT_TEXT.fullmatch(text):
        value, unit = _decimal(Decimal(percent[1]))
        return Quantity(text, Kind.NUMBER, value / 100, unit / 100)
    if _DURATION_TEXT.fullmatch(text):
        return Quantity(text, Kind.DURATION, *_duration(text))
    if text[:4].isdigit() and "T" in text:
        return Quantity(text, Kind.TIME, *_moment(text))
    raise ValueError(
        f"expected a number, a percentage (5%), a duration (24 h, 1.5 min, 10 s) "
        f"or a time (2017-10-13T07:00:00Z), found {raw!r}"
    )


def seconds(raw: object) -> Fraction:
    """A duration above zero, in seconds: a number of seconds or text such as ``24 h``.

    Raises ValueError.
    """
    read = quantity(raw)
    if read.kind is Kind.TIME or read.text.endswith("%"):
        raise ValueError(f"expected a duration (24 h, 1.5 min, 10 s), found {raw!r}")
    if read.value <= 0:
        raise ValueError(f"expected a duration above zero, found {raw!r}")
    return read.value


def _decimal(number: Decimal) -> tuple[Fraction, Fraction]:
    """The exact value and one unit of the last printed digit."""
    if not number.is_finite():
        raise ValueError(f"expected a finite number, found {number}")
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _MAX_DIGITS or abs(exponent) > _MAX_DIGITS:
        raise ValueError(f"expected a number of at most {_MAX_DIGITS} digits")
    return Fraction(number), Fraction(10) ** exponent


def _duration(text: str) -> tuple[Fraction, Fraction]:
    total, unit = Fraction(0), Fraction(0)
    for part in _DURATION_PART.finditer(text):
        scale = _SECONDS.get(part[2])
        if scale is None:
            raise ValueError(f"unknown unit {part[2]!r} in {text!r}; known: {', '.join(_SECONDS)}")
        value, last_digit = _decimal(Decimal(part[1]))
        total, unit = total + value * scale, last_digit * scale
    return total, unit


def _moment(text: str) -> tuple[Fraction, Fraction]:
    parts = _MOMENT_TEXT.fullmatch(text)
    if parts is None:
        raise ValueError(f"expected a UTC time such as 2017-10-13T07:00:00Z, found {text!r}")
    year, month, day, hour, minute = (int(parts[group]) for group in range(1, 6))
    try:
        moment = datetime(year, month, day, hour, minute, int(parts[6] or 0), tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{error} in {text!r}") from None
    fraction = parts[7] or ""
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    value = whole * NS_PER_SECOND + int(fraction.ljust(9, "0"))
    unit = 10 ** (9 - len(fraction)) if parts[6] else 60 * NS_PER_SECOND
    return Fraction(value), Fraction(unit)


def moment_text(ns: int) -> str:
    """Nanoseconds since 1970-01-01 UTC as ISO 8601, with as many decimals as are needed."""
    whole, fraction = divmod(ns, NS_PER_SECOND)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f"{fraction:09}".rstrip("0")
    return f"{text}.{decimals}Z" if decimals else f"{text}Z"


def finite_decimal(value: Fraction) -> str | None:
    """The exact decimal text; None when it needs more than nine decimals."""
    for digits in range(_FINITE_DIGITS + 1):
        scaled = value * 10**digits
        if scaled.denominator == 1:
            sign, number = "-" * (scaled < 0), abs(int(scaled))
            whole, part = divmod(number, 10**digits)
            return f"{sign}{whole}.{part:0{digits}}" if digits else f"{sign}{whole}"
    return None


def number_text(value: Fraction | int) -> str:
    """For people: exact when nine decimals hold it, else rounded, with the exact fraction."""
    exact = Fraction(value)
    text = finite_decimal(exact)
    if text is not None:
        return text
    magnitude = len(str(abs(int(exact)))) if abs(exact) >= 1 else 0
    context = Context(prec=magnitude + 5, rounding=ROUND_HALF_EVEN)
    rounded = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return f"≈{rounded:f} (exact {exact.numerator}/{exact.denominator})"


def number_json(value: Fraction | int) -> int | str:
    """For programs: an int, or the exact decimal or fraction as text."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return int(exact)
    return finite_decimal(exact) or f"{exact.numerator}/{exact.denominator}"
