"""A checked tree becomes one expression on the table of packets.

Wireshark's rules: a comparison asks whether some pair of values, or every pair, holds; with a
field that the packet does not have it is false, whatever the operator.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import product
from typing import Any, TypeAlias

import narwhals as nw

from decoders.displayfilter import syntax
from decoders.displayfilter.cells import (
    MOST_CELLS,
    Cells,
    Form,
    as_octets,
    cells,
    length,
    octet_text,
    protocol_octets,
    unsupported,
)
from decoders.displayfilter.operands import type_of
from decoders.displayfilter.syntax import Comparison, Constant, Element, Membership, Node
from decoders.fields import ITEM, OCTETS, PIECES, FieldType

_Value: TypeAlias = int | str | bytes
_Test: TypeAlias = Callable[[nw.Expr], nw.Expr]

_SIGNS: dict[str, Callable[[nw.Expr, nw.Expr], nw.Expr]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_SHORTER = {"<": operator.lt, "<=": operator.lt, ">": operator.gt, ">=": operator.gt}
"""What an order of octets asks of their lengths, when those differ."""


def compiled(node: Node, columns: Container[str]) -> nw.Expr:
    """The expression of a tree; boolean, never null.

    Raises LookupError for a field without a column, FilterError for what no engine can do.
    """
    match node:
        case syntax.Everything():
            return ~_nothing()
        case syntax.Not(inner=inner):
            return ~compiled(inner, columns)
        case syntax.And(parts=parts):
            return _all(compiled(part, columns) for part in parts)
        case syntax.Or(parts=parts):
            return _any(compiled(part, columns) for part in parts)
        case syntax.Truth():
            return _truth(node, columns)
        case Comparison():
            return _comparison(node, columns)
        case Membership():
            return _membership(node, columns)


def _nothing() -> nw.Expr:
    """False for every frame; each has a number."""
    return nw.col("frame_number").is_null()


def _any(tests: Iterable[nw.Expr]) -> nw.Expr:
    each = [test.fill_null(False) for test in tests]
    return nw.any_horizontal(*each, ignore_nulls=True) if each else _nothing()


def _all(tests: Iterable[nw.Expr]) -> nw.Expr:
    return nw.all_horizontal(*tests, ignore_nulls=True)


def _some_or_every(tests: Sequence[nw.Expr], every: bool) -> nw.Expr:
    """Whether some test, or every one that is not null, holds; there must be one."""
    if not every or not tests:
        return _any(tests)
    there = _any(~test.is_null() for test in tests)
    return there & _all(test.fill_null(True) for test in tests)


def _truth(node: syntax.Truth, columns: Container[str]) -> nw.Expr:
    values = cells(node.operand, columns)
    if isinstance(node.operand, syntax.FieldValue):
        return _any(~cell.is_null() for cell in values.cells)
    if isinstance(node.operand, syntax.Slice):
        return _any(cell != "" for cell in values.cells)
    if values.form is Form.OCTETS:
        return _any(cell.str.contains(r"[^\x00]") for cell in values.cells)
    return _any(cell != 0 for cell in values.cells)


def _comparison(node: Comparison, columns: Container[str]) -> nw.Expr:
    left = _searched(node, columns) or cells(node.left, columns)
    if node.operator == "matches":
        return _search(node, left, columns)
    octets = isinstance(node.left, syntax.Slice) or isinstance(node.right, syntax.Slice)
    left = as_octets(left, node.left) if octets else left
    if node.operator == "contains":
        return _search(node, left, columns)
    if isinstance(node.right, Constant):
        low, high = _edges(node.right, left)
        tests = [_compared(node.operator, cell, low, high) for cell in left.cells]
        if node.operator in _SHORTER and type_of(node.left) is FieldType.BYTES:
            tests = _by_length(node.operator, left, tests, len(octet_text(node.right.low, None)))
        return _some_or_every(tests, node.every)
    right = cells(node.right, columns)
    if left.form is not right.form:
        left, right = as_octets(left, node.left), as_octets(right, node.right)
    if len(left.cells) * len(right.cells) > MOST_CELLS:
        raise unsupported("this compares too many values", node)
    sign = _SIGNS[node.operator]
    octets = FieldType.BYTES in {type_of(node.left), type_of(node.right)}
    same = left.octets is not None and left.octets == right.octets
    if octets and not same and node.operator in _SHORTER:
        raise unsupported("octets of different length can only be compared for equality", node)
    tests = [sign(one, two) for one, two in product(left.cells, right.cells)]
    return _some_or_every(tests, node.every)


def _searched(node: Comparison, columns: Container[str]) -> Cells | None:
    """What ``contains`` and ``matches`` look through for a protocol: it and what it carries."""
    left = node.left
    if node.operator not in {"contains", "matches"} or not isinstance(left, syntax.FieldValue):
        return None
    if left.field.name in PIECES:
        return protocol_octets(left, ITEM, columns)
    if left.type is not FieldType.PROTOCOL:
        return None
    return protocol_octets(left, OCTETS, columns)


def _by_length(sign: str, values: Cells, tests: Sequence[nw.Expr], count: int) -> list[nw.Expr]:
    """Tests of order on octets, of which the shorter are the smaller, whatever they are."""
    made = []
    for cell, test in zip(values.cells, tests, strict=True):
        octets = length(cell, values)
        made.append(nw.when(octets == count).then(test).otherwise(_SHORTER[sign](octets, count)))
    return made


def _edges(constant: Constant, beside: Cells) -> tuple[_Value, _Value]:
    """Lowest and highest value of a constant, in the form of the cells it is compared with."""
    if beside.form is not Form.OCTETS:
        return constant.low, constant.high
    return octet_text(constant.low, beside.octets), octet_text(constant.high, beside.octets)


def _compared(sign: str, cell: nw.Expr, low: _Value, high: _Value) -> nw.Expr:
    """A cell against a value or, from its lowest to its highest address, a network."""
    one, two = nw.lit(low), nw.lit(high)
    match sign:
        case "==":
            return cell == one if low == high else (cell >= one) & (cell <= two)
        case "!=":
            return cell != one if low == high else (cell < one) | (cell > two)
        case "<" | ">=":
            return _SIGNS[sign](cell, one)
        case _:
            return _SIGNS[sign](cell, two)


def _search(node: Comparison, left: Cells, columns: Container[str]) -> nw.Expr:
    if not isinstance(node.right, Constant):
        raise unsupported(f"'{node.operator}' takes a value here, not a field", node.right)
    wanted = node.right.low
    if node.operator == "matches":
        tests = [cell.str.contains(str(wanted)) for cell in left.cells]
    elif left.form is Form.TEXT and isinstance(wanted, str):
        tests = [
            cell.str.contains(wanted, literal=True) if wanted else cell.is_null() & ~cell.is_null()
            for cell in left.cells
        ]
    else:
        left = as_octets(left, node.left)
        found = octet_text(wanted, left.octets)
        tests = [cell.str.contains(found, literal=True) for cell in left.cells]
    return _some_or_every(tests, node.every)


# Sets -----------------------------------------------------------------------------------------


def _membership(node: Membership, columns: Container[str]) -> nw.Expr:
    left = cells(node.left, columns)
    constants = [element for element in node.elements if _constant_ends(element) is not None]
    others = [element for element in node.elements if _constant_ends(element) is None]
    found = [_element(node, left, element, columns) for element in others]
    if node.every and len(constants) > MOST_CELLS:
        raise unsupported(f"'all' takes sets of {MOST_CELLS} values", node)
    if len(others) + sum(element.high is not None for element in constants) > MOST_CELLS:
        raise unsupported(f"a set may have {MOST_CELLS} ranges and fields", node)
    if node.every:
        there = _any(~cell.is_null() for cell in left.cells)
        for element in constants:
            low, high = _constant_ends(element) or (0, 0)
            tests = [_compared("==", cell, low, high).fill_null(True) for cell in left.cells]
            found.append(there & _all(tests))
    else:
        tests = [test for cell in left.cells for test in _in_spans(cell, constants)]
        found.append(_any(tests))
    return _any(found)


def _constant_ends(element: Element) -> tuple[_Value, _Value] | None:
    """Lowest and highest value of an element; None when a field is one of its ends."""
    high = element.low if element.high is None else element.high
    if isinstance(element.low, Constant) and isinstance(high, Constant):
        return element.low.low, high.high
    return None


def _in_spans(cell: nw.Expr, elements: Sequence[Element]) -> list[nw.Expr]:
    """Tests of a cell against elements of constants; overlapping ranges are made one."""
    singles: list[_Value] = []
    spans: list[tuple[Any, Any]] = []
    # The values of one field are of one type, which mypy cannot know.
    ends: list[tuple[Any, Any]] = [*filter(None, map(_constant_ends, elements))]
    for low, high in sorted(ends, key=operator.itemgetter(0)):
        if low == high:
            singles.append(low)
        elif spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], high))
        elif low < high:
            spans.append((low, high))
    tests = [_compared("==", cell, low, high) for low, high in spans]
    if singles:
        tests.append(cell.is_in(singles))
    return tests


def _element(node: Membership, left: Cells, element: Element, columns: Container[str]) -> nw.Expr:
    """Some value, or every one, against an element that names a field."""
    lows = cells(element.low, columns)
    highs = lows if element.high is None else cells(element.high, columns)
    if any(side.form is not left.form for side in (lows, highs)):
        left, lows, highs = (as_octets(side, node) for side in (left, lows, highs))
    ends = (
        [(low, low) for low in lows.cells]
        if element.high is None
        else list(product(lows.cells, highs.cells))
    )
    if len(left.cells) * len(ends) > MOST_CELLS:
        raise unsupported("this compares too many values", node)
    tests = [(cell >= low) & (cell <= high) for cell, (low, high) in product(left.cells, ends)]
    return _some_or_every(tests, node.every)
