"""The cells of an operand: one narwhals expression for each value a frame may have of it.

A cell is null where the frame has no such value. Narwhals expressions only, so that they run on
every engine; the one exception is the hexadecimal text of octets (:func:`_encoded`).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from functools import reduce

import narwhals as nw

from decoders.displayfilter import arithmetic, hexadecimal
from decoders.displayfilter.errors import FilterError
from decoders.displayfilter.functions import LENGTHS
from decoders.displayfilter.syntax import (
    Arithmetic,
    Call,
    Constant,
    FieldValue,
    Operand,
    Place,
    Range,
    Slice,
)
from decoders.fields import FIELDS, Field, FieldType

MOST_CELLS = 4096
"""Values and pairs of values one comparison may have."""


@unique
class Form(Enum):
    """How the values of cells are held."""

    INTEGER = "integer"
    TEXT = "text"
    BINARY = "binary"
    HEX = "hexadecimal text"
    MARK = "true or null"


_FORMS = {
    FieldType.NONE: Form.MARK,
    FieldType.PROTOCOL: Form.MARK,
    FieldType.STRING: Form.TEXT,
    FieldType.IPV6: Form.BINARY,
    FieldType.ETHER: Form.BINARY,
    FieldType.BYTES: Form.BINARY,
}


@dataclass(frozen=True, slots=True)
class Cells:
    """The values of an operand; ``length``: octets each has, when all have the same."""

    form: Form
    cells: tuple[nw.Expr, ...]
    length: int | None = None


def cells(operand: Operand, columns: Container[str]) -> Cells:
    """The cells of an operand that passed the check; ``columns`` are those of the table."""
    match operand:
        case FieldValue():
            return _field(operand, columns)
        case Constant():
            return _constant(operand)
        case Slice(operand=inner, ranges=ranges):
            octets = as_hex(cells(inner, columns), type_of=inner)
            made = [hexadecimal.sliced(cell, ranges, octets.length) for cell in octets.cells]
            if any(cell is None for cell in made):
                message = "a slice from one end to the other of text or octets is not supported"
                raise _unsupported(message, operand)
            return Cells(Form.HEX, tuple(cell for cell in made if cell is not None))
        case Arithmetic():
            return _arithmetic(operand, columns)
        case Call():
            return _call(operand, columns)
        case _:
            raise _unsupported("a name that was not looked up", operand)
