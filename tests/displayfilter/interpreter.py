"""Display filters evaluated packet by packet, the plain way: what the compiler is held to."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from decoders.displayfilter import syntax
from decoders.displayfilter.functions import LENGTHS, compute
from decoders.displayfilter.octets import span_of
from tests.displayfilter.tables import Packet, occurrences

Interval = tuple[Any, Any]


def holds(node: syntax.Node, packet: Packet) -> bool:
    """Whether a packet passes a filter."""
    match node:
        case syntax.Everything():
            return True
        case syntax.Not(inner=inner):
            return not holds(inner, packet)
        case syntax.And(parts=parts):
            return all(holds(part, packet) for part in parts)
        case syntax.Or(parts=parts):
            return any(holds(part, packet) for part in parts)
        case syntax.Truth(operand=operand):
            return _true(operand, packet)
        case syntax.Comparison():
            return _compares(node, packet)
        case syntax.Membership():
            return _is_member(node, packet)


def _true(operand: syntax.Operand, packet: Packet) -> bool:
    found = [low for low, _ in values(operand, packet)]
    if isinstance(operand, syntax.FieldValue):
        return bool(found)
    if isinstance(operand, syntax.Slice):
        return any(len(value) for value in found)
    return any(any(value) if isinstance(value, bytes) else value for value in found)


def values(operand: syntax.Operand, packet: Packet) -> list[Interval]:
    """The values of an operand, each as its lowest and highest."""
    match operand:
        case syntax.Constant(low=low, high=high):
            return [(low, high)]
        case syntax.FieldValue(field=field, layers=()):
            return [(value, value) for value in occurrences(packet, field.name)]
        case syntax.FieldValue():
            return [(value, value) for value in _of_layers(operand, packet)]
        case syntax.Slice(operand=inner, ranges=ranges):
            size = LENGTHS.get(inner.type) if isinstance(inner, syntax.FieldValue) else None
            whole = [_octets(value, size) for value, _ in values(inner, packet)]
            return [(cut, cut) for cut in (_cut(value, ranges) for value in whole)]
        case syntax.Arithmetic():
            return [(value, value) for value in _computed(operand, packet)]
        case syntax.Call():
            return [(value, value) for value in _called(operand, packet)]
        case _:
            raise AssertionError(operand)


def _of_layers(operand: syntax.FieldValue, packet: Packet) -> list[Any]:
    found = []
    for part in operand.field.of or (operand.field.name,):
        every = occurrences(packet, part)
        for rank, value in enumerate(every, start=1):
            if any(_in_layer(layer, rank, len(every)) for layer in operand.layers):
                found.append(value)
    return found


def _in_layer(layer: syntax.Range, rank: int, total: int) -> bool:
    if layer.length == 1:
        return rank == (layer.first if layer.first >= 0 else total + 1 + layer.first)
    assert layer.first >= 0
    assert layer.last is not None
    return layer.first <= rank <= layer.last


def _octets(value: int | str | bytes, size: int | None) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(size or 4, "big")
    return value.encode() if isinstance(value, str) else value


def _cut(value: bytes, ranges: tuple[syntax.Range, ...]) -> bytes:
    found = b""
    for part in ranges:
        span = span_of(part, len(value))
        if span is None:
            break
        found += value[span[0] : span[1]]
    return found


def _computed(operand: syntax.Arithmetic, packet: Packet) -> list[Any]:
    right = [low for low, _ in values(operand.right, packet)]
    if operand.left is None:
        return [-value for value in right]
    found: list[Any] = []
    for (one, _), two in product(values(operand.left, packet), right):
        if isinstance(one, bytes):
            found.append(bytes(a & b for a, b in zip(one, two, strict=False)))
        elif not (operand.operator in "/%" and two == 0):
            found.append(compute(operand.operator, one, two))
    return found


def _called(operand: syntax.Call, packet: Packet) -> list[Any]:
    found = [low for argument in operand.arguments for low, _ in values(argument, packet)]
    match operand.function:
        case "count":
            return [len(found)] if found else []
        case "max":
            return [max(found)] if found else []
        case "min":
            return [min(found)] if found else []
        case "abs":
            return [abs(value) for value in found]
        case "upper":
            return [value.upper() for value in found]
        case "lower":
            return [value.lower() for value in found]
        case "string":
            return [str(value) for value in found]
    (argument,) = operand.arguments
    assert isinstance(argument, syntax.FieldValue)
    return [len(_octets(value, LENGTHS.get(argument.type))) for value in found]


def _compares(node: syntax.Comparison, packet: Packet) -> bool:
    pairs = product(values(node.left, packet), values(node.right, packet))
    octets = isinstance(node.left, syntax.Slice)
    tests = [_pair(node.operator, one, low, high, octets) for (one, _), (low, high) in pairs]
    return bool(tests) and (all if node.every else any)(tests)


def _pair(operator: str, one: Any, low: Any, high: Any, octets: bool) -> bool:
    if operator == "matches":
        return re.search(low, one) is not None
    if operator == "contains":
        return low in one if low or octets else False
    if octets:
        one, low, high = ((len(value), value) for value in (one, low, high))
    found: dict[str, bool] = {
        "==": low <= one <= high,
        "!=": not low <= one <= high,
        "<": one < low,
        ">=": one >= low,
        ">": one > high,
        "<=": one <= high,
    }
    return found[operator]


def _is_member(node: syntax.Membership, packet: Packet) -> bool:
    found = [value for value, _ in values(node.left, packet)]
    for element in node.elements:
        lows = values(element.low, packet)
        highs = [None] if element.high is None else values(element.high, packet)
        tests = [
            low[0] <= value <= (low if high is None else high)[1]
            for value, low, high in product(found, lows, highs)
        ]
        if tests and (all if node.every else any)(tests):
            return True
    return False


def kept(tree: syntax.Node, packets: list[Packet]) -> list[int]:
    """Numbers of the packets that pass."""
    return [number for number, packet in enumerate(packets, start=1) if holds(tree, packet)]
