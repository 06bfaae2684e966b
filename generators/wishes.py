"""What a packet must have so that a display filter is true, or false, for it.

``wishes`` reads the checked syntax tree and gives alternatives, each a list of single wishes. They
are a proposal: parts of a filter that no single field decides (streams, analysis, octets) give no
wish, and whoever grants the wishes decodes the packet and looks whether the filter is content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import TypeAlias

from decoders.displayfilter import syntax
from decoders.fields import FIELDS, UNSIGNED_BITS, Field, FieldType

MOST = 24
"""Alternatives that are looked at."""


@dataclass(frozen=True, slots=True)
class Set:
    """A field has this value, in one occurrence (counted from 0) or in all of them."""

    field: str
    value: int | bytes
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Have:
    """The packet has this protocol, or has it not."""

    protocol: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class Erase:
    """These octets stand nowhere in the packet."""

    octets: bytes


Wish: TypeAlias = Set | Have | Erase
Wishes: TypeAlias = tuple[Wish, ...]
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}


def wishes(node: syntax.Node, want: bool = True) -> list[Wishes]:
    """Alternatives that make ``node`` true, or false when ``want`` is; at most ``MOST``."""
    return list(islice(dict.fromkeys(_alternatives(node, want)), MOST))


def all_of(parts: Sequence[tuple[syntax.Node, bool]]) -> list[Wishes]:
    """Alternatives for several trees at once, each with what is wanted of it."""
    found = [wishes(node, want) for node, want in parts]
    joined = (tuple(dict.fromkeys(sum(one, ()))) for one in product(*found))
    return list(islice(dict.fromkeys(filter(_possible, joined)), MOST))


def _possible(wanted: Wishes) -> bool:
    """Whether no two wishes contradict one another."""
    values: dict[tuple[str, int | None], int | bytes] = {}
    presence: dict[str, bool] = {}
    for wish in wanted:
        match wish:
            case Set(field=field, value=value, place=place):
                if values.setdefault((field, place), value) != value:
                    return False
            case Have(protocol=protocol, present=present):
                if presence.setdefault(protocol, present) != present:
                    return False
    return True


def _alternatives(node: syntax.Node, want: bool) -> Iterator[Wishes]:
    match node:
        case syntax.Not(inner=inner):
            yield from _alternatives(inner, not want)
        case syntax.And(parts=parts) | syntax.Or(parts=parts):
            if isinstance(node, syntax.And) == want:
                yield from all_of([(part, want) for part in parts])
            else:
                for part in parts:
                    yield from wishes(part, want)
        case syntax.Truth(operand=syntax.FieldValue(field=field)):
            yield from _presence(field, want)
        case syntax.Comparison():
            yield from _comparison(node, want)
        case syntax.Membership(left=syntax.FieldValue() as left, elements=elements):
            yield from _membership(left, elements, want)
        case _:
            yield ()


def _presence(field: Field, want: bool) -> Iterator[Wishes]:
    if field.type is FieldType.NONE:
        yield ()  # a mark of the analysis
    else:
        yield (Have(field.protocol, want),)


def _comparison(node: syntax.Comparison, want: bool) -> Iterator[Wishes]:
    left, right, operator = node.left, node.right, node.operator
    if isinstance(right, syntax.FieldValue) and operator in _MIRRORED:
        left, right, operator = right, left, _MIRRORED[operator]
    if not (isinstance(left, syntax.FieldValue) and isinstance(right, syntax.Constant)):
        yield from _octets(node, want)
        return
    if operator in _OPPOSITE:
        operator = operator if want else _OPPOSITE[operator]
        for value in _values(left.field, operator, right.low, right.high):
            yield from _settings(left, value, everywhere=operator == "!=" or not want)
        if not want:
            yield (Have(left.field.protocol, False),)
    else:
        yield from _octets(node, want)


def _octets(node: syntax.Comparison, want: bool) -> Iterator[Wishes]:
    right = node.right
    if node.operator == "contains" and not want and isinstance(right, syntax.Constant):
        low = right.low
        yield (
            (Erase(low.encode() if isinstance(low, str) else low),)
            if not isinstance(low, int)
            else ()
        )
    else:
        yield ()


def _values(
    field: Field, operator: str, low: int | str | bytes, high: int | str | bytes
) -> list[int | bytes]:
    """Values that compare like this, the nearest first."""
    if isinstance(low, str) or isinstance(high, str):
        return []
    if operator == "==":
        return [low]
    if isinstance(low, bytes):
        return [_flipped(low)] if operator == "!=" else []
    if isinstance(high, bytes):
        return []
    most = _most(field)
    near = {
        "!=": [high + 1, low - 1],
        "<": [low - 1],
        "<=": [low],
        ">": [high + 1],
        ">=": [high],
    }[operator]
    return [value for value in near if 0 <= value <= most]


def _most(field: Field) -> int:
    bits = {FieldType.BOOLEAN: 1, FieldType.IPV4: 32}.get(field.type)
    if field.name == "vlan.id":
        bits = 12
    return (1 << (bits or UNSIGNED_BITS.get(field.type, 64))) - 1


def _flipped(octets: bytes) -> bytes:
    """Another address, also in another network."""
    return bytes([octets[0] ^ 0x02, *octets[1:-1], octets[-1] ^ 0x01]) if octets else octets


def _settings(left: syntax.FieldValue, value: int | bytes, everywhere: bool) -> Iterator[Wishes]:
    """One wish; for a field that stands for several (``ip.addr``) one alternative each or all."""
    names = left.field.of or (left.field.name,)
    if everywhere:
        yield tuple(Set(name, value) for name in names)
        return
    first = left.layers[0].first if left.layers else 1
    for name in names:
        yield (Set(name, value, max(0, first - 1)),)
        if not left.layers:
            yield (Set(name, value),)


def _membership(
    left: syntax.FieldValue, elements: Sequence[syntax.Element], want: bool
) -> Iterator[Wishes]:
    ranges = [_range(element) for element in elements]
    known = [one for one in ranges if one is not None]
    if want:
        for low, _ in known:
            yield from _settings(left, low, everywhere=False)
        return
    numbers = [(low, high) for low, high in known if isinstance(low, int) and isinstance(high, int)]
    for _, high in numbers:
        other = high + 1
        if other <= _most(left.field) and not any(a <= other <= b for a, b in numbers):
            yield from _settings(left, other, everywhere=True)
    if len(numbers) != len(known):
        yield ()


def _range(element: syntax.Element) -> tuple[int | bytes, int | bytes] | None:
    low, high = element.low, element.high or element.low
    if not isinstance(low, syntax.Constant) or not isinstance(high, syntax.Constant):
        return None
    first, last = low.low, high.high
    return None if isinstance(first, str) or isinstance(last, str) else (first, last)


def fields_of(node: syntax.Node | syntax.Operand | syntax.Element) -> Iterator[str]:
    """Names of all fields in a tree."""
    if isinstance(node, syntax.FieldValue):
        yield node.field.name
    for child in syntax.children(node):
        yield from fields_of(child)


OF_THE_FILE = ("frame.number", "frame.time", "frame.interface", "frame.section", "frame.comment")


def local(name: str) -> bool:
    """Whether the octets of one packet alone decide about a field."""
    field = FIELDS[name]
    remembered = name.endswith(".stream") or ".analysis" in name or ".completeness" in name
    relative = name in ("tcp.seq", "tcp.ack", "tcp.nxtseq") or "time" in name
    return not (
        remembered or relative or field.type is FieldType.FRAMENUM or name.startswith(OF_THE_FILE)
    )


def relaxed(node: syntax.Node, want: bool = True) -> syntax.Node:
    """The tree with everything that one packet alone does not decide taken as it is wanted."""
    match node:
        case syntax.Not(inner=inner):
            return syntax.Not(node.start, node.end, relaxed(inner, not want))
        case syntax.And(parts=parts):
            return syntax.And(node.start, node.end, tuple(relaxed(p, want) for p in parts))
        case syntax.Or(parts=parts):
            return syntax.Or(node.start, node.end, tuple(relaxed(p, want) for p in parts))
        case _ if all(local(name) for name in fields_of(node)):
            return node
        case _:
            everything = syntax.Everything(node.start, node.end)
            return everything if want else syntax.Not(node.start, node.end, everything)
