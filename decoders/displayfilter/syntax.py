"""The syntax tree of a filter: frozen nodes, each with its place in the text.

The parser builds it with :class:`Word`, :class:`Text` and :class:`Character` where a name or a
value stands. The check puts :class:`FieldValue` or :class:`Constant` in their places; a tree that
passed holds nothing else at its leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TypeAlias

from decoders.fields import Field, FieldType


@dataclass(frozen=True, slots=True)
class Place:
    """Character offsets of a node in the filter, ``end`` exclusive; no part of its meaning."""

    start: int = attribute(compare=False)
    end: int = attribute(compare=False)


# Operands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word(Place):
    """Unquoted text: a field's name or a value. ``forced``: written ``.name``, so a field."""

    text: str
    forced: bool = False
    layers: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Text(Place):
    """A quoted string, its escapes resolved."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Character(Place):
    """A character constant, as its number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """First and last position, both inclusive; negative from the end, ``last`` None: to the end.

    ``length`` instead of ``last`` when a count was written, because ``[-3:2]`` counts from -3.
    """

    first: int
    last: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class FieldValue(Place):
    """All values of a field in the packet, or those of some layers (1 is the outermost)."""

    field: Field
    layers: tuple[Range, ...] = ()

    @property
    def type(self) -> FieldType:
        return self.field.type


@dataclass(frozen=True, slots=True)
class Constant(Place):
    """A value of a type, as the column holds it; a network has its lowest and highest address."""

    type: FieldType
    low: int | str | bytes
    high: int | str | bytes


@dataclass(frozen=True, slots=True)
class Slice(Place):
    """Octets of a value."""

    operand: Operand
    ranges: tuple[Range, ...]

    @property
    def type(self) -> FieldType:
        return FieldType.BYTES


@dataclass(frozen=True, slots=True)
class Arithmetic(Place):
    """``+ - * / % &`` on the values of both sides; without ``left`` the sign of ``right``."""

    operator: str
    left: Operand | None
    right: Operand
    type: FieldType = FieldType.NONE


@dataclass(frozen=True, slots=True)
class Call(Place):
    """A function of the values of its arguments."""

    function: str
    arguments: tuple[Operand, ...]
    type: FieldType = FieldType.NONE


Literal: TypeAlias = Word | Text | Character
Operand: TypeAlias = Literal | FieldValue | Constant | Slice | Arithmetic | Call


# Truth values ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Everything(Place):
    """The empty filter, true for every packet."""


@dataclass(frozen=True, slots=True)
class Truth(Place):
    """An operand alone: there is such a field, some octet, some result that is not zero."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Comparison(Place):
    """``==  !=  <  <=  >  >=  contains  matches`` for some pair of values or ``every`` pair."""

    operator: str
    every: bool
    left: Operand
    right: Operand
    spelling: str = attribute(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Element(Place):
    """One value of a set, or a range of values, both ends included."""

    low: Operand
    high: Operand | None = None


@dataclass(frozen=True, slots=True)
class Membership(Place):
    """Some value of the field lies in the set; ``every``: all values fit one element."""

    every: bool
    left: Operand
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Not(Place):
    inner: Node


@dataclass(frozen=True, slots=True)
class And(Place):
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Place):
    parts: tuple[Node, ...]


Node: TypeAlias = Everything | Truth | Comparison | Membership | Not | And | Or


@dataclass(frozen=True, slots=True)
class Filter:
    """A display filter that passed every check.

    ``text`` is what was written and ``expanded`` the same with its macros put in; ``fields`` are
    the registry's names of everything that must be decoded to answer it.
    """

    text: str
    tree: Node
    fields: frozenset[str]
    warnings: tuple[str, ...]
    expanded: str


def children(node: Node | Operand | Element) -> Iterator[Node | Operand | Element]:
    """The nodes directly under a node."""
    match node:
        case Not(inner=inner):
            yield inner
        case And(parts=parts) | Or(parts=parts):
            yield from parts
        case Truth(operand=operand) | Slice(operand=operand):
            yield operand
        case Comparison(left=left, right=right):
            yield from (left, right)
        case Membership(left=left, elements=elements):
            yield from (left, *elements)
        case Element(low=low, high=high):
            yield from (low, high) if high is not None else (low,)
        case Arithmetic(left=first, right=second):
            yield from (first, second) if first is not None else (second,)
        case Call(arguments=arguments):
            yield from arguments
        case _:
            return
