"""Arithmetic on cells of integers, exact: no result wraps around.

Wireshark calculates in 32 bits; a result beyond them is none of what people filter for. Results
beyond 62 bits are no value at all.
"""

from __future__ import annotations

from functools import reduce

import narwhals as nw

_LARGEST = 2**62


def computed(operator: str, one: nw.Expr, two: nw.Expr | int) -> nw.Expr:
    """``one operator two``, null where either is, or where it divides by zero."""
    right = nw.lit(two, nw.Int64) if isinstance(two, int) else two
    match operator:
        case "+":
            return _bounded(one + right)
        case "-":
            return _bounded(one - right)
        case "*":
            return _product(one, right)
        case "&":
            return _and(one, two)
    nonzero = nw.when(right != 0).then(right)
    quotient = one.abs() // nonzero.abs()
    signed = nw.when((one < 0) != (right < 0)).then(-1 * quotient).otherwise(quotient)
    return signed if operator == "/" else one - nonzero * signed


def _bounded(result: nw.Expr) -> nw.Expr:
    return nw.when((result <= _LARGEST) & (result >= -_LARGEST)).then(result)


def _product(one: nw.Expr, two: nw.Expr) -> nw.Expr:
    zero = (one == 0) | (two == 0)
    divisor = nw.when(two != 0).then(two.abs()).otherwise(nw.lit(1, nw.Int64))
    fits = zero | (one.abs() <= _LARGEST // divisor)
    return nw.when(fits).then(one * two)


def _and(one: nw.Expr, two: nw.Expr | int) -> nw.Expr:
    """Bitwise and, by division: on some engines ``&`` of integers is logical."""
    if isinstance(two, int):
        runs = _runs(two % 2**32)
        terms = [one // 2**low % 2**count * 2**low for low, count in runs]
    else:
        terms = [(one // 2**n % 2) * (two // 2**n % 2) * 2**n for n in range(32)]
    return reduce(lambda left, right: left + right, terms, one * 0)


def _runs(mask: int) -> list[tuple[int, int]]:
    """Lowest bit and number of bits of each run of ones."""
    runs = []
    place = 0
    while mask >> place:
        if mask >> place & 1:
            low = place
            while mask >> place & 1:
                place += 1
            runs.append((low, place - low))
        place += 1
    return runs
