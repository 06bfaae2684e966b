"""Octets as text, one character (U+0000 to U+00FF) each: so they can be sliced and searched.

Characters sort as the octets do, so all comparisons hold. Octets of a binary column are reached
through a cast to a list, the one word Narwhals has for it; Polars knows it, not every engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import narwhals as nw

from decoders.displayfilter.syntax import Range

_ALL = range(256)
_CHARACTERS = [chr(octet) for octet in _ALL]
_MANY = {
    2: r"[\x{100}-\x{7ff}]",
    3: r"[\x{800}-\x{ffff}]",
    4: r"[\x{10000}-\x{10ffff}]",
}
"""Octets in UTF-8 -> the characters beyond U+00FF that have so many."""


def text_of(octets: bytes) -> str:
    """A constant in this form."""
    return octets.decode("latin-1")


def of_text(cell: nw.Expr) -> nw.Expr:
    """The octets of a text in UTF-8.

    Characters beyond U+00FF keep their length, but equal no octets that can be asked for, and in
    an order they come last.
    """
    for count, characters in _MANY.items():
        cell = cell.str.replace_all(characters, "\ufffd" * count)
    # U+00C0 to U+00FF are C3 and the character less 40 (hexadecimal); no range maps in one step.
    cell = cell.str.replace_all("([\u0080-\u00ff])", "\u0100${1}")
    for character in range(0xC0, 0x100):
        one, two = (chr(octet) for octet in chr(character).encode())
        cell = cell.str.replace_all(f"\u0100{chr(character)}", one + two, literal=True)
    return cell.str.replace_all("\u0100", "\u00c2", literal=True)


def of_binary(cell: nw.Expr, places: Iterable[int]) -> nw.Expr:
    """The octets at some places of a column whose values all have them."""
    values = cell.cast(nw.List(nw.UInt8))
    return _joined(cell, [_character(values.list.get(place)) for place in places])


def of_number(cell: nw.Expr, places: Iterable[int], count: int) -> nw.Expr:
    """The octets at some places of a number of ``count``, most significant first."""
    powers = [256 ** (count - 1 - place) for place in places]
    return _joined(cell, [_character(cell // power % 256) for power in powers])


def _joined(cell: nw.Expr, parts: Sequence[nw.Expr]) -> nw.Expr:
    """The parts one after the other; without any an empty text where there is a value."""
    return nw.concat_str(*parts) if parts else nw.when(~cell.is_null()).then(nw.lit(""))


def _character(octet: nw.Expr) -> nw.Expr:
    return octet.replace_strict(list(_ALL), _CHARACTERS, default=None, return_dtype=nw.String)


def each(cell: nw.Expr, count: int, made: Callable[[int, int], str], separator: str) -> nw.Expr:
    """A text with ``made(place, octet)`` for each of ``count`` octets."""
    parts = (
        cell.str.slice(place, 1).replace_strict(
            _CHARACTERS,
            [made(place, octet) for octet in _ALL],
            default=None,
            return_dtype=nw.String,
        )
        for place in range(count)
    )
    return nw.concat_str(*parts, separator=separator)


def masked(cell: nw.Expr, mask: bytes) -> nw.Expr:
    """The bits that octets have in common with a mask, which is not longer than they."""
    return each(cell, len(mask), lambda place, octet: chr(octet & mask[place]), "")


def sliced(cell: nw.Expr, ranges: Sequence[Range], count: int | None) -> nw.Expr:
    """The octets at the ranges, one after the other, up to a range that is not wholly there.

    ``count``: octets of every value, when all have the same.
    """
    if count is not None:
        return _joined(cell, [cell.str.slice(place, 1) for place in places(ranges, count)])
    found: list[nw.Expr] = []
    inside: nw.Expr | None = None
    for part in ranges:
        taken, there = _piece(cell, part)
        inside = there if inside is None else inside & there
        found.append(nw.when(inside).then(taken).otherwise(nw.lit("")))
    return nw.when(~cell.is_null()).then(nw.concat_str(*found))


def places(ranges: Sequence[Range], count: int) -> list[int]:
    """The places that ranges mean in ``count`` octets, up to a range that is not inside."""
    found: list[int] = []
    for part in ranges:
        span = span_of(part, count)
        if span is None:
            break
        found.extend(range(*span))
    return found


def span_of(part: Range, count: int) -> tuple[int, int] | None:
    """Where a range begins and ends in ``count`` octets; None when it is not inside."""
    first = part.first if part.first >= 0 else count + part.first
    if part.length is not None:
        end = first + part.length
    elif part.last is not None:
        end = (part.last if part.last >= 0 else count + part.last) + 1
    else:
        end = count
    return (first, end) if 0 <= first <= end <= count else None


def _piece(cell: nw.Expr, part: Range) -> tuple[nw.Expr, nw.Expr]:
    """A range of octets, and whether it lies inside. Both its ends count from the same side."""
    size = cell.str.len_chars().cast(nw.Int64)
    first = part.first
    count = part.length if part.last is None else part.last - first + 1
    there = size >= (-first if first < 0 else first + (count or 0))
    if first < 0 and count is not None and first + count > 0:
        there = there & (size < 0)
    return cell.str.slice(first, count), there
