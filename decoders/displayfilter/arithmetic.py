"""Arithmetic on integers, exact: no result wraps around, as Wireshark's would beyond 32 bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import narwhals as nw


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the values of a cell lie, and how large its expression is.

    An operand that a rule names twice is calculated twice, so the size of an expression can grow
    with every step; it is what keeps a filter's time in bounds.
    """

    lowest: int
    highest: int
    size: int = 1

    @property
    def too_large(self) -> bool:
        return self.size > 2000 or self.lowest < -(2**63) or self.highest >= 2**63


def extent(operator: str, one: Extent, two: Extent) -> Extent:
    """The extent of ``one operator two``."""
    ends = [
        a * b if operator == "*" else a - b if operator == "-" else a + b
        for a in (one.lowest, one.highest)
        for b in (two.lowest, two.highest)
    ]
    if operator in "+-*":
        return Extent(min(ends), max(ends), one.size + two.size)
    largest = max(map(abs, (one.lowest, one.highest)))
    size = one.size + two.size
    if operator == "&":
        return Extent(0, 2**32, 16 * one.size if two.lowest == two.highest else 32 * size)
    return Extent(-largest, largest, 6 * size)


def computed(operator: str, one: nw.Expr, two: nw.Expr | int) -> nw.Expr:
    """``one operator two``, null where either is, or where it divides by zero.

    The caller has made sure by :func:`extent` that the result has 64 bits.
    """
    right = nw.lit(two, nw.Int64) if isinstance(two, int) else two
    match operator:
        case "+":
            return one + right
        case "-":
            return one - right
        case "*":
            return one * right
        case "&":
            return _and(one, two)
    divisor = nw.when(right != 0).then(right)
    quotient = one.abs() // divisor.abs()
    signed = nw.when((one < 0) != (right < 0)).then(-1 * quotient).otherwise(quotient)
    return signed if operator == "/" else one - divisor * signed


def _and(one: nw.Expr, two: nw.Expr | int) -> nw.Expr:
    """Bitwise and of 32 bits, by division: on some engines ``&`` of integers is logical."""
    if isinstance(two, int):
        terms = [one // 2**low % 2**count * 2**low for low, count in _runs(two % 2**32)]
    else:
        terms = [(one // 2**n % 2) * (two // 2**n % 2) * 2**n for n in range(32)]
    return reduce(lambda left, right: left + right, terms) if terms else one * 0


def _runs(mask: int) -> list[tuple[int, int]]:
    """Lowest bit and number of bits of each run of ones."""
    runs = []
    place = 0
    while mask >> place:
        low = place
        while mask >> place & 1:
            place += 1
        if place > low:
            runs.append((low, place - low))
        place += 1
    return runs
