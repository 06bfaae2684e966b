"""What kernels and other decoders found in a batch -> a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars
import pyarrow
from numpy.typing import NDArray

from decoders.columnar.columns import Cells, Pool, column, is_span
from decoders.columnar.constants import only
from decoders.columnar.kernels import placing
from decoders.columnar.kernels.sink import WIDTH
from decoders.columnar.kernels.views import same_spans
from decoders.columnar.numbers import FIELD_NAMES, FIELD_NUMBERS, PROTOCOL_NAMES
from decoders.fields import FIELDS, ColumnType, Field
from decoders.table import MOST_OCCURRENCES

OCCURRENCE_BITS = 7
"""Code of an event: field, side (one bit), occurrence from 0."""

Column: TypeAlias = "pyarrow.Array | polars.Expr"
"""A value for each row, or one for all of them."""

I64 = NDArray[np.int64]
Bits = NDArray[np.uint8]

_TYPES: dict[ColumnType, type[np.integer[Any]]] = {
    ColumnType.INT32: np.int32,
    ColumnType.BOOLEAN: np.uint8,
}


class Assembly:
    """The cells of one batch.

    ``cells`` (field's number -> column, or the value that all rows have) hold first own
    occurrences, ``events`` [event, 3] all others: row, code, value. ``paths`` [row] and ``trie``
    tell the protocols of rows that kernels decoded. What is put for fields that are not ``wanted``
    is left out.
    """

    def __init__(
        self,
        wanted: Collection[str],
        cells: dict[int, Cells | int],
        events: I64,
        pool: Pool,
        paths: NDArray[np.int32],
        trie: I64,
    ) -> None:
        self.wanted = wanted
        self.cells = cells
        self.pool = pool
        self.paths = paths
        self.trie = trie
        self.excess: dict[int, set[str]] = {}
        """Row -> the fields of which it has more values than there are columns."""
        self._events = [events]
        self._single: list[tuple[int, int, int]] = []

    @property
    def rows(self) -> int:
        return len(self.paths)

    def place_further(self, name: str, row: int, side: int, nth: int, value: int) -> None:
        """One cell that is not the first own occurrence of a field in a row."""
        self._single.append((row, _code(FIELD_NUMBERS[name], side, nth), value))

    def _column(self, number: int) -> Cells:
        """The column of a field's first own occurrences; a new one has none."""
        cells = self.cells.get(number)
        if isinstance(cells, Cells):
            return cells
        kind = FIELDS[FIELD_NAMES[number]].column_type
        octets = -(-self.rows // 8)
        size = octets if kind is ColumnType.BOOLEAN else self.rows
        only = 0 if cells is None else cells
        if kind is ColumnType.BOOLEAN:
            only = 255 if only else 0
        values = np.full(size, only, _TYPES.get(kind, np.int64))
        bits = np.full(octets, 0 if cells is None else 255, np.uint8)
        self.cells[number] = made = Cells(values, bits)
        return made

    def has(self, name: str, row: int) -> bool:
        """Whether a row has a field."""
        cells = self.cells.get(FIELD_NUMBERS[name])
        if isinstance(cells, Cells):
            return bool(cells.bits[row >> 3] >> (row & 7) & 1)
        return cells is not None

    def note_excess(self, row: int, name: str) -> None:
        """Not all values of a field in a row are in the table."""
        self.excess.setdefault(row, set()).add(name)

    def fill(self, name: str, values: NDArray[Any], valid: NDArray[np.bool_] | None) -> None:
        """The first own occurrence of a field that is no truth value in every row."""
        if name not in self.wanted or (valid is not None and not valid.any()):
            return
        if valid is None or valid.all():
            self.adopt(name, values, np.full(-(-self.rows // 8), 255, np.uint8))
        else:
            self.adopt(name, values, _packed(valid))

    def fill_with(self, name: str, value: int) -> None:
        """The same first own occurrence of a field in every row."""
        if name in self.wanted:
            self.cells[FIELD_NUMBERS[name]] = value

    def adopt(self, name: str, values: NDArray[Any], bits: Bits) -> None:
        """Take arrays as the column of a field that is no truth value; they are not copied."""
        number = FIELD_NUMBERS[name]
        if len(values) and one_value(values) and self._truth(bits).all():
            self.cells[number] = int(values[0])
        else:
            dtype = _TYPES.get(FIELDS[name].column_type, np.int64)
            self.cells[number] = Cells(values.astype(dtype, copy=False), bits)

    def fill_some(self, name: str, values: I64, rows: NDArray[np.bool_]) -> None:
        """The first own occurrence of a field in some rows; one value for each of these."""
        if len(values) == len(rows):
            self.fill(name, values, rows)
        elif name in self.wanted:
            spread = np.zeros(len(rows), np.int64)
            spread[rows] = values
            self.fill(name, spread, rows)

    def fill_protocols(self) -> None:
        """``frame.protocols`` of the rows that kernels decoded."""
        if "frame.protocols" not in self.wanted:
            return
        if self.rows and one_value(self.paths) and self.paths[0]:
            self.fill_with("frame.protocols", self.pool.text(self._protocols(int(self.paths[0]))))
            return
        codes = np.zeros(len(self.trie) // WIDTH, np.int64)
        for node in np.flatnonzero(np.bincount(self.paths, minlength=1)).tolist():
            codes[node] = self.pool.text(self._protocols(node))
        self.fill("frame.protocols", codes[self.paths], self.paths != 0)

    def _protocols(self, node: int) -> str:
        names: list[str] = []
        while node:
            parent = int(self.trie[node * WIDTH])
            children = self.trie[parent * WIDTH + 1 : (parent + 1) * WIDTH]
            names.append(PROTOCOL_NAMES[int(np.flatnonzero(children == node)[0]) + 1])
            node = parent
        return ":".join(reversed(names))

    def forget(self, name: str, rows: I64) -> None:
        """Take back the only own occurrence of a field in some rows."""
        number = FIELD_NUMBERS[name]
        if number in self.cells:
            bits = self._column(number).bits
            truth = self._truth(bits)
            truth[rows] = 0
            bits[: -(-self.rows // 8)] = _packed(truth)

    def append(self, name: str, rows: I64, side: int, values: I64) -> None:
        """Occurrences behind those that are there; ``rows`` in order, with repetitions.

        What is more than a field has columns is left out, and noted in ``excess``.
        """
        if name not in self.wanted or not len(rows):
            return
        number = FIELD_NUMBERS[name]
        if side == 0 and number not in self.cells and (rows[1:] > rows[:-1]).all():
            self.put(name, rows, values)
            return
        nth = np.arange(len(rows)) - np.searchsorted(rows, rows) + self._known(number, side, rows)
        first = (nth == 0) & (side == 0)
        self.put(name, rows[first], values[first])
        more = ~first & (nth < MOST_OCCURRENCES)
        if more.any():
            codes = _code(number, side, 0) + nth[more]
            self._events.append(np.stack((rows[more], codes, values[more]), axis=1))
        for row in np.unique(rows[nth >= MOST_OCCURRENCES]).tolist():
            self.note_excess(row, name)

    def put(self, name: str, rows: I64, values: I64) -> None:
        """First own occurrences of a field in some rows."""
        if not len(rows):
            return
        number = FIELD_NUMBERS[name]
        cells, octets = self._column(number), -(-self.rows // 8)
        truth = self._truth(cells.bits)
        truth[rows] = 1
        cells.bits[:octets] = _packed(truth)
        if FIELDS[name].column_type is ColumnType.BOOLEAN:
            truth = self._truth(cells.values)
            truth[rows] = values != 0
            cells.values[:octets] = _packed(truth)
        else:
            cells.values[rows] = values

    def _truth(self, bits: Bits) -> Bits:
        """An octet for each row."""
        return np.unpackbits(bits, count=self.rows, bitorder="little")

    def _known(self, number: int, side: int, rows: I64) -> I64:
        """How often each of some rows has a field by now; ``rows`` in order."""
        known = np.zeros(len(rows), np.int64)
        if side == 0 and number in self.cells:
            known += self._column(number).bits[rows >> 3] >> (rows & 7) & 1
        events = self.events()
        others = np.sort(events[events[:, 1] >> OCCURRENCE_BITS == number << 1 | side, 0])
        known += np.searchsorted(others, rows, "right") - np.searchsorted(others, rows)
        return known

    def events(self) -> I64:
        """All cells that are not first own occurrences."""
        if self._single:
            self._events.append(np.array(self._single, np.int64))
            self._single = []
        if len(self._events) > 1:
            self._events = [np.concatenate(self._events)]
        return self._events[0]

    def first(self, declared: Field) -> pyarrow.Array | polars.Expr | None:
        """The first own occurrences of a field, or that of every row; None when no row has any."""
        cells = self.cells.get(FIELD_NUMBERS[declared.name])
        if cells is None:
            return None
        if isinstance(cells, Cells) and not self._same_spans(declared, cells):
            return column(declared, cells, self.rows, self.pool)
        value = int(cells.values[0]) if isinstance(cells, Cells) else cells
        return only(declared, declared.column, value, self.pool)

    def _same_spans(self, declared: Field, cells: Cells) -> bool:
        """Whether all rows have the same octets, though at places of their own."""
        if not is_span(declared) or not self.rows:
            return False
        values = cells.values[: self.rows]
        return bool(self._truth(cells.bits).all()) and same_spans(values, self.pool.octets)

    def counts(self, declared: Field) -> dict[str, int]:
        """Each value of a text that occurs once in a row -> how many rows have it."""
        first = self.first(declared)
        if first is None:
            return {}
        if isinstance(first, polars.Expr):
            return {polars.select(first).item(): self.rows}
        return dict(polars.Series(first).drop_nulls().value_counts().iter_rows())

    def table(self, shown: Sequence[Field]) -> polars.DataFrame:
        """The columns of fields that have a value, each followed by its further occurrences.

        A column that is the same in all rows is held once.
        """
        held: dict[str, pyarrow.Array] = {}
        columns: list[polars.Expr] = []
        for name, found in self._columns(shown):
            if isinstance(found, polars.Expr):
                columns.append(found)
            else:
                held[name] = found
                columns.append(polars.col(name))
        batch = pyarrow.RecordBatch.from_arrays(list(held.values()), names=list(held))
        return polars.DataFrame(batch).select(columns)

    def _columns(self, shown: Sequence[Field]) -> Iterator[tuple[str, Column]]:
        further = self._further()
        there = self.cells.keys() | further.keys()
        for declared in shown:
            number = FIELD_NUMBERS[declared.name]
            if number not in there:
                continue
            first = self.first(declared)
            if first is not None:
                yield declared.column, first
            yield from further.get(number, ())

    def _further(self) -> dict[int, list[tuple[str, Column]]]:
        events = self.events()
        if not len(events):
            return {}
        counts = np.bincount(events[:, 1], minlength=1)
        starts = np.cumsum(counts) - counts
        ordered = np.empty(len(events), np.int64)
        placing.order_events(events, starts.copy(), ordered)
        found: dict[int, list[tuple[str, Column]]] = {}
        for code in np.flatnonzero(counts).tolist():
            chosen = ordered[starts[code] : starts[code] + counts[code]]
            number, side, nth = code >> 8, code >> 7 & 1, code & 127
            declared = FIELDS[FIELD_NAMES[number]]
            name = declared.quoted_column(nth + 1) if side else declared.own_column(nth + 1)
            sparse = self._sparse(declared, name, events, chosen)
            found.setdefault(number, []).append((name, sparse))
        return found

    def _sparse(self, declared: Field, name: str, events: I64, chosen: I64) -> Column:
        if len(chosen) == self.rows and one_value(events[chosen, 2]):
            return only(declared, name, int(events[chosen[0], 2]), self.pool)
        values = np.zeros(self.rows, np.int64)
        bits = np.zeros(-(-self.rows // 8), np.uint8)
        placing.scatter_events(events, chosen, values, bits)
        if declared.column_type is ColumnType.BOOLEAN:
            cells = Cells(_packed(values != 0), bits)
        else:
            dtype = _TYPES.get(declared.column_type, np.int64)
            cells = Cells(values.astype(dtype, copy=False), bits)
        return column(declared, cells, self.rows, self.pool)


def _code(number: int, side: int, nth: int) -> int:
    return number << 8 | side << OCCURRENCE_BITS | nth


def one_value(values: NDArray[Any]) -> bool:
    """Whether all values, of which there is one at least, are the same."""
    return bool(values[0] == values[-1] and (values == values[0]).all())


def _packed(truth: NDArray[Any]) -> Bits:
    return np.packbits(truth, bitorder="little")
