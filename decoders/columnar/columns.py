"""Arrays of 64-bit values -> columns of the table, named and typed as decoders.table names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars
import pyarrow
from numpy.typing import NDArray

from decoders.columnar.kernels.sink import SPAN_BITS, V6_ADDRESS
from decoders.columnar.kernels.views import RECENT, Wordings, put_behind, span_views, text_views
from decoders.columnar.numbers import (
    ARGUMENT_BITS,
    MALFORMED_PACKET,
    PROTOCOL_TITLES,
    TEXTS,
    spelled,
)
from decoders.columnar.wordings import DOTTED_QUADS, longest, template, views_of, whole, wordings_of
from decoders.fields import ITEM, OCTETS, ColumnType, Field
from decoders.spelling import spell_ipv6

Codes = NDArray[np.int64]
Octets = NDArray[np.uint8]

_OFFSET_MASK = (1 << 61) - 1
_ENDS = ("replicap.tcp.", "replicap.udp.")
_OCTETS = (OCTETS, ITEM)
_PLAIN = {
    ColumnType.INT32: pyarrow.int32(),
    ColumnType.INT64: pyarrow.int64(),
    ColumnType.BOOLEAN: pyarrow.bool_(),
}
FLAG_LETTERS = "RRRACEUAPRSF"
FLAG_UNSET = "\N{MIDDLE DOT}"


@dataclass
class Pool:
    """What values point to besides the octets of the batch: octets and texts of other decoders."""

    octets: Octets
    extra: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _told: tuple[Codes, Octets] | None = None

    def span(self, value: bytes) -> int:
        """A value that stands for octets."""
        at = len(self.octets) + len(self.extra)
        self.extra += value
        return at << SPAN_BITS | len(value)

    def text(self, value: str) -> int:
        """A value, below 0, that stands for a text."""
        if value not in self._known:
            self._known[value] = len(self.texts)
            self.texts.append(value)
        return -1 - self._known[value]

    def told(self) -> tuple[Codes, Octets]:
        """Views [text, 2] of the texts, and data buffer 2 that they point to."""
        if self._told is None or len(self._told[0]) < len(self.texts):
            self._told = views_of(self.texts, 2)
        return self._told


class Cells(NamedTuple):
    """One occurrence of a field in every row of a batch; where nothing is valid stands anything.

    Attributes: values (INT32: int32 [row], INT64: int64 [row], BOOLEAN: a bitmap, STRING and
    BINARY: codes, int64 [row]); bits (a bitmap: the rows that have the field). A bitmap is uint8,
    least significant bit first; what stands behind its rows is not looked at.
    """

    values: NDArray[Any]
    bits: Octets


def column(declared: Field, cells: Cells, rows: int, pool: Pool) -> pyarrow.Array:
    """A column of one occurrence of a field.

    Numbers, truth values and validity stay in the arrays of ``cells``. Raises KeyError for a code
    that stands for no text.
    """
    kind = declared.column_type
    if kind in _PLAIN:
        buffers = [cells.bits, cells.values]
        arrow = _PLAIN[kind]
    elif is_span(declared):
        text = kind is ColumnType.STRING
        buffers = [cells.bits, *_spans(cells.values[:rows], cells.bits, pool, text)]
        arrow = pyarrow.string_view() if text else pyarrow.binary_view()
    else:
        buffers = [cells.bits, *_texts(declared, cells.values[:rows], cells.bits, pool)]
        arrow = pyarrow.string_view()
    return _array(arrow, rows, buffers)


def _array(arrow: pyarrow.DataType, rows: int, buffers: Sequence[NDArray[Any]]) -> pyarrow.Array:
    return pyarrow.Array.from_buffers(arrow, rows, [pyarrow.py_buffer(one) for one in buffers])


def holds_octets(declared: Field) -> bool:
    """Whether the values of a field are octets as text, one character each."""
    return declared.name.startswith(_OCTETS)


def is_span(declared: Field) -> bool:
    """Whether the values of a field are stretches of octets."""
    return declared.column_type is ColumnType.BINARY or holds_octets(declared)


def _spans(codes: Codes, bits: Octets, pool: Pool, text: bool) -> tuple[Codes, Octets]:
    """Views of octets, and those that do not fit into their view."""
    views = np.empty((len(codes), 2), np.int64)
    extra = np.frombuffer(bytes(pool.extra), np.uint8)
    shown = views.view(np.uint8).reshape(-1)
    used = span_views(codes, bits, pool.octets, extra, text, views, shown)
    behind = np.empty(used, np.uint8)
    if used:
        put_behind(codes, bits, pool.octets, extra, views, behind)
    return views, behind


def _texts(declared: Field, codes: Codes, bits: Octets, pool: Pool) -> list[NDArray[Any]]:
    """Views of texts, and the octets of those that do not fit into their view."""
    shift, wordings = ARGUMENT_BITS, _templates(len(TEXTS))
    if declared.name == "tcp.flags.str":
        shift, wordings = 0, _flags()
    elif declared.name.startswith(_ENDS):
        wordings, codes = DOTTED_QUADS, _with_ipv6_told(codes, bits, pool)
    told, octets = pool.told()
    views = np.empty((len(codes), 2), np.int64)
    recent = np.full((RECENT, 3), -1, np.int64)
    behind = np.empty(min(len(codes), _set(bits)) * longest(wordings), np.int64)
    used = text_views(codes, bits, shift, told, wordings, recent, views, behind)
    if used < 0:
        raise KeyError(f"no text of {declared.name} has the code {codes[-1 - used]:#x}")
    behind.resize(used, refcheck=False)
    return [views, wordings.octets, behind, octets]


def _set(bits: Octets) -> int:
    return int(np.bitwise_count(bits).sum())


@cache
def _templates(count: int) -> Wordings:
    """The ``count`` texts of TEXTS, and what is said of packets that ran out of octets."""
    first = MALFORMED_PACKET >> ARGUMENT_BITS
    malformed = range(first, first + len(PROTOCOL_TITLES))
    phrases = {number: template(text) for number, text in TEXTS.items()}
    phrases |= {number: whole(spelled(number << ARGUMENT_BITS)) for number in malformed}
    return wordings_of(phrases)


@cache
def _flags() -> Wordings:
    every = range(1 << len(FLAG_LETTERS))
    return wordings_of({flags: whole(flags_text(flags)) for flags in every})


def _with_ipv6_told(codes: Codes, bits: Octets, pool: Pool) -> Codes:
    """The same codes, but those of IPv6 addresses stand for texts of the pool."""
    rows = np.flatnonzero(codes >= V6_ADDRESS)
    rows = rows[bits[rows >> 3] >> (rows & 7) & 1 != 0]
    if not len(rows):
        return codes
    spans = (codes[rows] & _OFFSET_MASK) << SPAN_BITS | 16
    every = np.full(-(-len(rows) // 8), 255, np.uint8)
    views: list[NDArray[Any]] = [every, *_spans(spans, every, pool, False)]
    addresses = polars.Series(_array(pyarrow.binary_view(), len(rows), views))
    known = addresses.unique()
    told = [pool.text(spell_ipv6(address)) for address in known]
    replaced = codes.copy()
    replaced[rows] = addresses.replace_strict(known, told, return_dtype=polars.Int64).to_numpy()
    return replaced


def flags_text(flags: int) -> str:
    """``tcp.flags.str``: twelve characters, a letter for each set bit."""
    bits = range(len(FLAG_LETTERS) - 1, -1, -1)
    return "".join(
        letter if flags >> bit & 1 else FLAG_UNSET
        for letter, bit in zip(FLAG_LETTERS, bits, strict=True)
    )
