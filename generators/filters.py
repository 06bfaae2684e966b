"""Display filters evaluated on one packet's fields: how the twin understands what claims ask for.

A second, plain reading of the syntax tree, beside the compiler that verifies the twin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from decoders.displayfilter import parse, syntax
from decoders.fields import FIELDS, Field, FieldType

Fields = Mapping[str, tuple[Any, ...]]
"""Registry name -> all its values in a packet: own ones, then those that an ICMP error quotes."""
Test = Callable[[Fields], bool]

OCTETS = " octets"
"""Behind the name of a protocol: its octets, as values of a field of their own."""
_NEVER = ("_ws.malformed", "_ws.short", "_ws.unreassembled", "replicap.undecoded")
_SETTLED = ("tcp.analysis", "tcp.connection", "replicap.scanner", "ppp.code", "pap.code")
"""Marks that a packet of ours does not have when its fields do not say so."""
_DEPENDING = ("tcp.analysis.rto", "tcp.analysis.ack", "tcp.analysis.initial", "tcp.analysis.push")


class NotModelled(Exception):
    """A filter or a measure asks for something that the kinds of packet leave open."""


def occurrences(fields: Fields, field: Field) -> tuple[Any, ...]:
    """All values of a field in a packet. Raises NotModelled for one that is left open."""
    found: tuple[Any, ...] = ()
    for name in field.of or (field.name,):
        if name in fields:
            found += fields[name]
        elif _left_open(fields, name):
            raise NotModelled(f"the twin leaves {name} open")
    return found


def _left_open(fields: Fields, name: str) -> bool:
    field = FIELDS[name]
    if field.protocol in _NEVER or name.startswith(_NEVER):
        return False
    if name.startswith(_SETTLED) and not name.startswith(_DEPENDING):
        return False
    return field.protocol in fields or field.protocol in ("frame", "_ws.expert", "replicap")


def condition_of(node: syntax.Node) -> Test:
    """The truth of a filter on a packet's fields."""
    match node:
        case syntax.Everything():
            return lambda fields: True
        case syntax.Not(inner=inner):
            tested = condition_of(inner)
            return lambda fields: not tested(fields)
        case syntax.And(parts=parts):
            every = [condition_of(part) for part in parts]
            return lambda fields: all(test(fields) for test in every)
        case syntax.Or(parts=parts):
            some = [condition_of(part) for part in parts]
            return lambda fields: any(test(fields) for test in some)
        case syntax.Truth(operand=syntax.FieldValue(layers=()) as operand):
            return lambda fields: bool(occurrences(fields, operand.field))
        case syntax.Comparison(left=left, right=right, every=every_pair) as compared:
            pair = _pair(compared.operator)
            return _some_or_all(_values(left), _values(right), pair, every_pair)
        case syntax.Membership():
            return _membership(node)
        case _:
            raise NotModelled("the twin does not understand a calculation in a filter")


Values = Callable[[Fields], Sequence[tuple[Any, Any]]]


def _values(operand: syntax.Operand) -> Values:
    match operand:
        case syntax.Constant(low=low, high=high):
            one = [(low, high)]
            return lambda fields: one
        case syntax.FieldValue(field=field) if field.type is FieldType.PROTOCOL:
            return lambda fields: _octets(fields, field.name)
        case syntax.FieldValue(field=field, layers=()):
            return lambda fields: [(value, value) for value in occurrences(fields, field)]
        case syntax.FieldValue(field=field, layers=layers):
            return lambda fields: [(one, one) for one in _of_layers(fields, field, layers)]
        case _:
            raise NotModelled("the twin does not understand a calculation in a filter")


def _octets(fields: Fields, protocol: str) -> list[tuple[Any, Any]]:
    """The octets of a protocol, where a kind of packet settles them."""
    if protocol not in fields:
        return []
    if f"{protocol}{OCTETS}" not in fields:
        raise NotModelled(f"the twin leaves the octets of {protocol} open")
    return [(octets, octets) for octets in fields[f"{protocol}{OCTETS}"]]


def _of_layers(fields: Fields, field: Field, layers: Sequence[syntax.Range]) -> list[Any]:
    """Values of some layers, 1 being the outermost; negative ones count from the innermost."""
    found: list[Any] = []
    for name in field.of or (field.name,):
        every = occurrences(fields, FIELDS[name])
        for rank, value in enumerate(every, start=1):
            if any(_in_layer(layer, rank, len(every)) for layer in layers):
                found.append(value)
    return found


def _in_layer(layer: syntax.Range, rank: int, count: int) -> bool:
    if layer.length == 1:
        return rank == (layer.first if layer.first >= 0 else count + 1 + layer.first)
    if layer.first < 0 or layer.last is None:
        raise NotModelled("the twin does not understand such a range of layers")
    return layer.first <= rank <= layer.last


def _pair(operator: str) -> Callable[[Any, Any, Any], bool]:
    known: dict[str, Callable[[Any, Any, Any], bool]] = {
        "==": lambda one, low, high: low <= one <= high,
        "!=": lambda one, low, high: not low <= one <= high,
        "<": lambda one, low, high: one < low,
        ">=": lambda one, low, high: one >= low,
        ">": lambda one, low, high: one > high,
        "<=": lambda one, low, high: one <= high,
        "contains": lambda one, low, high: low in one if low else False,
        "matches": lambda one, low, high: re.search(low, one) is not None,
    }
    return known[operator]


def _some_or_all(
    left: Values, right: Values, pair: Callable[[Any, Any, Any], bool], every: bool
) -> Test:
    def test(fields: Fields) -> bool:
        pairs = list(product(left(fields), right(fields)))
        holds = (pair(one, low, high) for (one, _), (low, high) in pairs)
        return bool(pairs) and (all(holds) if every else any(holds))

    return test


def _membership(node: syntax.Membership) -> Test:
    left = _values(node.left)
    bounds = [(_values(e.low), _values(e.high) if e.high else None) for e in node.elements]

    def fits(value: Any, fields: Fields, low: Values, high: Values | None) -> bool:
        lows = low(fields)
        tops = high(fields) if high else lows
        return any(a[0] <= value <= b[1] for a, b in zip(lows, tops, strict=False))

    def test(fields: Fields) -> bool:
        found = [value for value, _ in left(fields)]
        quantified = all if node.every else any
        return bool(found) and any(
            quantified(fits(value, fields, *bound) for value in found) for bound in bounds
        )

    return test


def constants(node: Any) -> Iterator[tuple[Field, Any, Any]]:
    """Field, lowest and highest value of every constant that a field may equal."""
    match node:
        case syntax.Comparison(
            operator="==" | "!=", left=syntax.FieldValue(field=field), right=syntax.Constant() as c
        ):
            yield field, c.low, c.high
        case syntax.Membership(left=syntax.FieldValue(field=field), elements=elements):
            for element in elements:
                if isinstance(element.low, syntax.Constant):
                    top = element.high if isinstance(element.high, syntax.Constant) else element.low
                    yield field, element.low.low, top.high
        case _:
            for child in syntax.children(node):
                yield from constants(child)


def edges(node: Any) -> Iterator[tuple[Field, Any]]:
    """Field of every ``<``, ``<=``, ``>``, ``>=``, and the last value below the cut."""
    match node:
        case syntax.Comparison(
            operator="<" | ">=" | ">" | "<=" as operator,
            left=syntax.FieldValue(field=field),
            right=syntax.Constant(low=int() as low),
        ):
            yield field, low if operator in (">", "<=") else low - 1
        case _:
            for child in syntax.children(node):
                yield from edges(child)


def value_of(name: str, raw: object) -> Any:
    """A value of a file as the field's column holds it, read by the filter language itself."""
    text = f'"{raw}"' if FIELDS[name].text else str(raw)
    found = list(constants(parse(f"{name} == {text}").tree))
    return found[0][1]


def atoms_of(node: Any) -> Iterator[syntax.Comparison | syntax.Membership]:
    """Every comparison and membership in a tree."""
    if isinstance(node, syntax.Comparison | syntax.Membership):
        yield node
        return
    for child in syntax.children(node):
        yield from atoms_of(child)
