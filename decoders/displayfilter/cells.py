"""The cells of an operand: one narwhals expression for each value a frame may have of it.

A cell is null where the frame has no such value.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, unique
from itertools import product

import narwhals as nw

from decoders.displayfilter import arithmetic, octets
from decoders.displayfilter.arithmetic import Extent
from decoders.displayfilter.errors import FilterError
from decoders.displayfilter.functions import LENGTHS
from decoders.displayfilter.operands import type_of
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
from decoders.fields import (
    EXPERT_LAYER,
    FIELDS,
    ITEM,
    LENGTH,
    PIECES,
    UNSIGNED_BITS,
    WITH_OCTETS,
    Field,
    FieldType,
)

MOST_CELLS = 1024
"""Values, and pairs of values, that one comparison may have."""


@unique
class Form(Enum):
    """How the values of cells are held."""

    INTEGER = "integer"
    TEXT = "text"
    BINARY = "binary"
    OCTETS = "octets as text"
    MARK = "not null"


_FORMS = {
    FieldType.NONE: Form.MARK,
    FieldType.PROTOCOL: Form.MARK,
    FieldType.STRING: Form.TEXT,
    FieldType.IPV6: Form.BINARY,
    FieldType.ETHER: Form.BINARY,
    FieldType.BYTES: Form.BINARY,
}


_ANYWHERE = Extent(-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class Cells:
    """The values of an operand. ``octets``: how many each has, when all have the same."""

    form: Form
    cells: tuple[nw.Expr, ...]
    octets: int | None = None
    extent: Extent = _ANYWHERE


def unsupported(message: str, place: Place) -> FilterError:
    return FilterError(message, kind="unsupported", start=place.start, end=place.end)


def cells(operand: Operand, columns: Container[str]) -> Cells:
    """The cells of an operand that passed the check; ``columns`` are those of the table."""
    match operand:
        case FieldValue():
            return _field(operand, columns)
        case Constant():
            return _constant(operand)
        case Slice():
            return _slice(operand, columns)
        case Arithmetic():
            return _arithmetic(operand, columns)
        case Call():
            return _call(operand, columns)
        case _:
            raise unsupported("this operand was not looked up", operand)


def protocol_octets(operand: FieldValue, held: str, columns: Container[str]) -> Cells:
    """The octets of a protocol, which fields of that prefix hold as text."""
    field = FIELDS[held + operand.field.name]
    found = _field(replace(operand, field=field), columns)
    return Cells(Form.OCTETS, found.cells)


def as_octets(values: Cells, operand: Place, places: Sequence[int] | None = None) -> Cells:
    """The same values, or their octets at some places, as text (see the module ``octets``).

    ``places`` is for values that all have the same number of octets.
    """
    count = values.octets
    taken = range(count or 0) if places is None else places
    if values.form is Form.BINARY and count is None:
        raise unsupported("octets whose number differs can only be compared whole", operand)
    match values.form:
        case Form.TEXT:
            made = [octets.of_text(cell) for cell in values.cells]
        case Form.BINARY:
            made = [octets.of_binary(cell, taken) for cell in values.cells]
        case Form.INTEGER:
            made = [octets.of_number(cell, taken, count or 0) for cell in values.cells]
        case _:
            return values
    return Cells(Form.OCTETS, tuple(made), None if count is None else len(taken), values.extent)


def octet_text(value: int | str | bytes, count: int | None) -> str:
    """A constant as octets in text."""
    match value:
        case bytes():
            return octets.text_of(value)
        case str():
            return octets.text_of(value.encode())
        case int():
            return octets.text_of(value.to_bytes(count or 4, "big"))


# Fields ---------------------------------------------------------------------------------------


def _field(operand: FieldValue, columns: Container[str]) -> Cells:
    field = operand.field
    found: list[nw.Expr] = []
    for part in field.of or (field.name,):
        occurrences = [nw.col(name) for name in occurrence_columns(FIELDS[part], columns)]
        # Everything of a frame stands in its one frame header.
        if operand.layers and field.protocol == "frame":
            occurrences = occurrences if _holds(operand.layers, 1, 1) else occurrences[:0]
        elif operand.layers and field.protocol == "_ws.expert":
            layers = [nw.col(name) for name in occurrence_columns(FIELDS[EXPERT_LAYER], columns)]
            occurrences = [*_about_layers(occurrences, layers, operand.layers)]
        elif operand.layers:
            occurrences = [*_of_layers(occurrences, operand.layers)]
        found.extend(occurrences)
    form = _FORMS.get(field.type, Form.INTEGER)
    if form is Form.INTEGER:
        found = [cell.cast(nw.Int64) for cell in found]
    bits = 1 if field.type is FieldType.BOOLEAN else UNSIGNED_BITS.get(field.type)
    extent = _ANYWHERE if bits is None else Extent(0, 2**bits - 1)
    return Cells(form, tuple(found), LENGTHS.get(field.type), extent)


def occurrence_columns(field: Field, columns: Container[str]) -> Iterator[str]:
    """The columns of a field that a table has, own occurrences first.

    Raises LookupError when there is none: the field was not decoded.
    """
    if field.column not in columns:
        raise LookupError(f"the table has no column {field.column}: {field.name} was not decoded")
    for name in (field.own_column, field.quoted_column):
        occurrence = 1
        while name(occurrence) in columns:
            yield name(occurrence)
            occurrence += 1


def _of_layers(occurrences: Sequence[nw.Expr], layers: Sequence[Range]) -> Iterator[nw.Expr]:
    """Each occurrence where it is one of the layers, counted among those the frame has."""
    there = [(~cell.is_null()).cast(nw.Int64) for cell in occurrences]
    total = sum(there[1:], there[0])
    rank = nw.lit(0, nw.Int64)
    for cell, one in zip(occurrences, there, strict=True):
        rank = rank + one
        wanted = [_in_layer(part, rank, total) for part in layers]
        yield nw.when(nw.any_horizontal(*wanted, ignore_nulls=True)).then(cell)


def _about_layers(
    occurrences: Sequence[nw.Expr], layers: Sequence[nw.Expr], wanted: Sequence[Range]
) -> Iterator[nw.Expr]:
    """Each expert item where the header that it is about is one of those wanted."""
    for cell, layer in zip(occurrences, layers, strict=True):
        there = [_in_layer(part, layer, layer) for part in wanted]
        yield nw.when(nw.any_horizontal(*there, ignore_nulls=True)).then(cell)


def _in_layer(part: Range, rank: nw.Expr, total: nw.Expr) -> nw.Expr:
    first, last = _bounds(part)
    low = nw.lit(first, nw.Int64) if first >= 0 else total + first + 1
    if last is None:
        return rank >= low
    return (rank >= low) & (rank <= (nw.lit(last, nw.Int64) if last >= 0 else total + last + 1))


def _bounds(part: Range) -> tuple[int, int | None]:
    """First and last layer of a range; its last is None when it goes on to the innermost."""
    if part.length is None:
        return part.first, part.last
    last = part.first + part.length - 1
    return part.first, None if part.first < 0 <= last else last


def _holds(layers: Sequence[Range], rank: int, total: int) -> bool:
    """Whether layer ``rank`` of ``total`` is one of the layers."""
    for part in layers:
        first, last = (
            edge if edge is None or edge >= 0 else total + edge + 1 for edge in _bounds(part)
        )
        if first is not None and first <= rank and (last is None or rank <= last):
            return True
    return False


# Values, slices, arithmetic, functions --------------------------------------------------------


def _constant(operand: Constant) -> Cells:
    form = _FORMS.get(operand.type, Form.INTEGER)
    dtype = nw.Int64 if form is Form.INTEGER else None
    number = operand.low if isinstance(operand.low, int) else 0
    count = LENGTHS.get(operand.type)
    return Cells(form, (nw.lit(operand.low, dtype),), count, Extent(number, number))


def _slice(operand: Slice, columns: Container[str]) -> Cells:
    inner = operand.operand
    if isinstance(inner, FieldValue) and inner.field.name in (*WITH_OCTETS, *PIECES):
        values = protocol_octets(inner, ITEM, columns)
    else:
        values = cells(inner, columns)
    if values.octets is not None and values.form is not Form.OCTETS:
        return as_octets(values, operand, octets.places(operand.ranges, values.octets))
    values = as_octets(values, operand)
    size = values.extent.size * len(operand.ranges) * (6 if values.octets is None else 4)
    if size > MOST_CELLS:
        raise unsupported("this slices too much", operand)
    made = [octets.sliced(cell, operand.ranges, values.octets) for cell in values.cells]
    count = None if values.octets is None else len(octets.places(operand.ranges, values.octets))
    return Cells(Form.OCTETS, tuple(made), count, Extent(0, 0, size))


def _arithmetic(operand: Arithmetic, columns: Container[str]) -> Cells:
    right = cells(operand.right, columns)
    if operand.left is None:
        ends = Extent(-right.extent.highest, -right.extent.lowest, right.extent.size)
        return Cells(Form.INTEGER, tuple(-1 * cell for cell in right.cells), None, ends)
    left = cells(operand.left, columns)
    constant = operand.right.low if isinstance(operand.right, Constant) else None
    if left.form is not Form.INTEGER or right.form is not Form.INTEGER:
        return _masked_octets(operand, left, constant)
    extent = arithmetic.extent(operand.operator, left.extent, right.extent)
    if extent.too_large or len(left.cells) * len(right.cells) > MOST_CELLS // 16:
        raise unsupported("this calculates too much, or with numbers too large", operand)
    made = [
        arithmetic.computed(operand.operator, one, constant if isinstance(constant, int) else two)
        for one, two in product(left.cells, right.cells)
    ]
    count = left.octets if operand.type is FieldType.IPV4 else None
    return Cells(Form.INTEGER, tuple(made), count, extent)


def _masked_octets(operand: Arithmetic, left: Cells, constant: int | str | bytes | None) -> Cells:
    if not isinstance(constant, bytes):
        raise unsupported("'&' takes octets that are written out, not a field", operand.right)
    values = as_octets(left, operand)
    if values.octets is None and isinstance(operand.left, Slice):
        values = replace(values, octets=_fixed_size(operand.left.ranges))
    if values.octets is None:
        raise unsupported("'&' takes octets whose number is known", operand)
    mask = constant[: values.octets]
    size = values.extent.size * len(mask)
    if size > MOST_CELLS:
        raise unsupported("this masks too much", operand)
    made = tuple(octets.masked(cell, mask) for cell in values.cells)
    return Cells(Form.OCTETS, made, len(mask), Extent(0, 0, size))


def _fixed_size(ranges: Sequence[Range]) -> int | None:
    """Octets that a slice has where it lies inside; None when that depends on the value."""
    total = 0
    for part in ranges:
        if part.length is not None:
            total += part.length
        elif part.last is not None and (part.first < 0) == (part.last < 0):
            total += part.last - part.first + 1
        else:
            return None
    return total


def _call(operand: Call, columns: Container[str]) -> Cells:
    values = [_argument(operand, argument, columns) for argument in operand.arguments]
    if sum(len(value.cells) for value in values) > MOST_CELLS:
        raise unsupported("this function has too many values", operand)
    first = values[0]
    match operand.function:
        case "count":
            there = [(~cell.is_null()).cast(nw.Int64) for cell in first.cells]
            number = sum(there[1:], there[0]) if there else nw.lit(None, nw.Int64)
            some = nw.when(number > 0).then(number)
            return Cells(Form.INTEGER, (some,), None, Extent(0, 2**31, len(there)))
        case "max" | "min":
            extreme = nw.max_horizontal if operand.function == "max" else nw.min_horizontal
            every = [cell for value in values for cell in value.cells]
            return Cells(Form.INTEGER, (extreme(*every),), first.octets, _joined(values))
        case "abs":
            each = (cell for value in values for cell in value.cells)
            ends = _joined(values)
            largest = max(abs(ends.lowest), abs(ends.highest))
            made = tuple(cell.abs() for cell in each)
            return Cells(Form.INTEGER, made, None, Extent(0, largest, ends.size))
        case "len" if _lengths(operand, operand.arguments[0]) is not operand.arguments[0]:
            return first
        case "len":
            made = tuple(length(cell, first) for cell in first.cells)
            return Cells(Form.INTEGER, made, None, Extent(0, 2**31))
        case "string":
            kind = type_of(operand.arguments[0])
            return Cells(Form.TEXT, tuple(_spelled(cell, kind) for cell in first.cells))
        case _:
            case = _upper if operand.function == "upper" else _lower
            return Cells(Form.TEXT, tuple(case(cell) for cell in first.cells))


def _argument(call: Call, argument: Operand, columns: Container[str]) -> Cells:
    """A protocol's length stands in a field of its own, for its octets may not all be captured."""
    return cells(_lengths(call, argument), columns)


def _lengths(call: Call, argument: Operand) -> Operand:
    if call.function != "len" or not isinstance(argument, FieldValue):
        return argument
    if argument.type is not FieldType.PROTOCOL:
        return argument
    return replace(argument, field=FIELDS[LENGTH + argument.field.name])


def _joined(values: Sequence[Cells]) -> Extent:
    """Where the values of all arguments lie, and how large they are together."""
    extents = [value.extent for value in values]
    lowest = min(extent.lowest for extent in extents)
    highest = max(extent.highest for extent in extents)
    size = sum(len(value.cells) * value.extent.size for value in values)
    return Extent(lowest, highest, size)


def length(cell: nw.Expr, values: Cells) -> nw.Expr:
    """Octets of a value."""
    if values.octets is not None:
        return nw.when(~cell.is_null()).then(nw.lit(values.octets, nw.Int64))
    if values.form is Form.TEXT:
        for count, characters in _UTF8.items():
            cell = cell.str.replace_all(characters, "x" * count)
        return cell.str.len_chars().cast(nw.Int64)
    if values.form is Form.OCTETS:
        return cell.str.len_chars().cast(nw.Int64)
    return cell.cast(nw.List(nw.UInt8)).list.len().cast(nw.Int64)


_UTF8 = {
    2: r"[\x{80}-\x{7ff}]",
    3: r"[\x{800}-\x{ffff}]",
    4: r"[\x{10000}-\x{10ffff}]",
}
"""Octets in UTF-8 -> the characters that have so many."""


def _spelled(cell: nw.Expr, kind: FieldType) -> nw.Expr:
    """``string()``: numbers in decimal, addresses as they are written."""
    if kind in UNSIGNED_BITS:
        return cell.cast(nw.String)
    if kind is FieldType.IPV4:
        parts = [(cell // 256**place % 256).cast(nw.String) for place in (3, 2, 1, 0)]
        return nw.concat_str(*parts, separator=".")
    return octets.each(octets.of_binary(cell, range(6)), 6, lambda _, octet: f"{octet:02x}", ":")


def _upper(cell: nw.Expr) -> nw.Expr:
    """ASCII letters only, as Wireshark does it."""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        cell = cell.str.replace_all(letter, letter.upper(), literal=True)
    return cell


def _lower(cell: nw.Expr) -> nw.Expr:
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        cell = cell.str.replace_all(letter, letter.lower(), literal=True)
    return cell
