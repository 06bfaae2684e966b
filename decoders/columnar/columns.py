"""Arrays of 64-bit values -> columns of the table, named and typed as decoders.table names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import polars
import pyarrow
from numpy.typing import NDArray

from decoders.columnar.kernels import gather
from decoders.columnar.kernels.sink import SPAN_BITS, V6_ADDRESS
from decoders.columnar.numbers import ARGUMENT_BITS, TEXTS, spelled
from decoders.fields import ITEM, OCTETS, ColumnType, Field
from decoders.spelling import spell_ipv4, spell_ipv6
from decoders.table import polars_type

Values = NDArray[np.int64]
Valid = NDArray[np.uint8]
Bytes = NDArray[np.uint8]

_OFFSET_MASK = (1 << 61) - 1
_ARGUMENT_MASK = (1 << ARGUMENT_BITS) - 1
_ENDS = ("replicap.tcp.", "replicap.udp.")
_OCTETS = (OCTETS, ITEM)
FLAG_LETTERS = "RRRACEUAPRSF"
FLAG_UNSET = "\N{MIDDLE DOT}"


@dataclass
class Pool:
    """What values point to besides the octets of the batch: octets and texts of other decoders."""

    octets: Bytes
    extra: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)

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


@cache
def nulls(dtype: type[polars.DataType]) -> polars.Series:
    """One null of a type."""
    return polars.Series("", [None], dtype=dtype)


def all_null(declared: Field, name: str, rows: int) -> polars.Series:
    """A column without any value."""
    return nulls(type(polars_type(declared))).new_from_index(0, rows).alias(name)


def column(declared: Field, name: str, values: Values, valid: Valid, pool: Pool) -> polars.Series:
    """A column of one occurrence of a field."""
    kind = declared.column_type
    if kind is ColumnType.BINARY:
        series = _binary(values, valid, pool)
    elif holds_octets(declared):
        series = _octets_as_text(values, valid, pool)
    elif kind is ColumnType.STRING:
        series = _texts(declared, values, valid, pool)
    else:
        series = _plain(kind, values, valid)
    return series.alias(name)


def holds_octets(declared: Field) -> bool:
    """Whether the values of a field are octets as text, one character each."""
    return declared.name.startswith(_OCTETS)


def _bits(flags: Valid) -> pyarrow.Buffer:
    return pyarrow.py_buffer(np.packbits(flags, bitorder="little"))


_ARROW = {
    ColumnType.INT32: (pyarrow.int32(), np.int32),
    ColumnType.INT64: (pyarrow.int64(), np.int64),
}


def _plain(kind: ColumnType, values: Values, valid: Valid) -> polars.Series:
    validity = _bits(valid)
    if kind is ColumnType.BOOLEAN:
        # What stands where nothing is valid may be anything.
        buffers = [validity, _bits(((values != 0) & (valid != 0)).view(np.uint8))]
        return _series(pyarrow.Array.from_buffers(pyarrow.bool_(), len(values), buffers))
    arrow, dtype = _ARROW[kind]
    buffers = [validity, pyarrow.py_buffer(values.astype(dtype, copy=True))]
    return _series(pyarrow.Array.from_buffers(arrow, len(values), buffers))


def _series(array: pyarrow.Array) -> polars.Series:
    series = polars.from_arrow(array)
    if not isinstance(series, polars.Series):
        raise TypeError(f"an Arrow array became a {type(series).__name__}")
    return series


def _octets_as_text(values: Values, valid: Valid, pool: Pool) -> polars.Series:
    views = np.zeros((len(values), 16), np.uint8)
    extra = _extra(pool)
    behind = np.empty(gather.text_octets(values, valid, pool.octets, extra), np.uint8)
    gather.spans_to_text_views(values, valid, pool.octets, extra, views, behind)
    buffers = [_bits(valid), pyarrow.py_buffer(views), pyarrow.py_buffer(behind)]
    return _series(pyarrow.Array.from_buffers(pyarrow.string_view(), len(values), buffers))


def _extra(pool: Pool) -> Bytes:
    return np.frombuffer(bytes(pool.extra), np.uint8)


def _binary(values: Values, valid: Valid, pool: Pool) -> polars.Series:
    views = np.zeros((len(values), 16), np.uint8)
    behind = np.empty(gather.long_octets(values, valid), np.uint8)
    extra = _extra(pool)
    gather.spans_to_views(values, valid, pool.octets, extra, views, behind)
    buffers = [_bits(valid), pyarrow.py_buffer(views), pyarrow.py_buffer(behind)]
    return _series(pyarrow.Array.from_buffers(pyarrow.binary_view(), len(values), buffers))


def _texts(declared: Field, values: Values, valid: Valid, pool: Pool) -> polars.Series:
    if declared.name.startswith(_ENDS) and _all_ipv4(values, valid):
        return _dotted_quads(values, valid)
    shown = valid != 0
    if not (values[shown] >= 0).any():
        return _looked_up(polars.Series(pool.texts, dtype=polars.String), -1 - values, shown)
    if declared.name == "tcp.flags.str" and not (values[shown] < 0).any():
        return _looked_up(_all_flags(), values, shown)
    codes = _plain(ColumnType.INT64, values, valid)
    known = codes.drop_nulls().unique()
    if declared.name == "tcp.flags.str" or declared.name.startswith(_ENDS):
        texts = [_text(declared, code, pool) for code in known]
        spelt = polars.Series(texts, dtype=polars.String)
    else:
        known, spelt = _spelt(known, pool)
    return codes.replace_strict(known, spelt, return_dtype=polars.String)


def _spelt(codes: polars.Series, pool: Pool) -> tuple[polars.Series, polars.Series]:
    """Codes, in another order, and their texts: those of one template are filled in at once."""
    templates = codes // (1 << ARGUMENT_BITS)
    parts: list[polars.Series] = []
    texts: list[polars.Series] = []
    for number in templates.unique().to_list():
        part = codes.filter(templates == number)
        prefix, hole, suffix = TEXTS.get(number, "").partition("{}")
        if hole:
            texts.append(prefix + (part & _ARGUMENT_MASK).cast(polars.String) + suffix)
        else:
            each = [pool.texts[-1 - code] if code < 0 else spelled(code) for code in part]
            texts.append(polars.Series(each, dtype=polars.String))
        parts.append(part)
    return polars.concat(parts), polars.concat(texts)


def _looked_up(texts: polars.Series, places: Values, shown: NDArray[np.bool_]) -> polars.Series:
    return texts.gather(_plain(ColumnType.INT64, places, shown.view(np.uint8)))


@cache
def _all_flags() -> polars.Series:
    return polars.Series([flags_text(flags) for flags in range(1 << len(FLAG_LETTERS))])


def _all_ipv4(values: Values, valid: Valid) -> bool:
    """Whether all values are IPv4 addresses that a kernel found."""
    return not ((values >> 32 != 0) & (valid != 0)).any()


def _dotted_quads(values: Values, valid: Valid) -> polars.Series:
    views = np.zeros((len(values), 16), np.uint8)
    behind = np.empty(len(values) * gather.LONGEST_IPV4, np.uint8)
    text = np.empty(gather.LONGEST_IPV4, np.uint8)
    used = gather.addresses_to_views(values, valid, views, behind, text)
    long = pyarrow.py_buffer(behind[:used].copy())
    buffers = [_bits(valid), pyarrow.py_buffer(views), long]
    return _series(pyarrow.Array.from_buffers(pyarrow.string_view(), len(values), buffers))


def _text(declared: Field, code: int, pool: Pool) -> str:
    if code < 0:
        return pool.texts[-1 - code]
    return flags_text(code) if declared.name == "tcp.flags.str" else _address(code, pool)


def flags_text(flags: int) -> str:
    """``tcp.flags.str``: twelve characters, a letter for each set bit."""
    bits = range(len(FLAG_LETTERS) - 1, -1, -1)
    return "".join(
        letter if flags >> bit & 1 else FLAG_UNSET
        for letter, bit in zip(FLAG_LETTERS, bits, strict=True)
    )


def _address(code: int, pool: Pool) -> str:
    if code & V6_ADDRESS:
        at = code & _OFFSET_MASK
        return spell_ipv6(pool.octets[at : at + 16].tobytes())
    return spell_ipv4(code)
