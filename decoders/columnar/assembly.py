"""What kernels and other decoders found in a batch -> a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars
from numpy.typing import NDArray

from decoders.columnar.columns import Pool, all_null, column
from decoders.columnar.kernels import gather
from decoders.columnar.kernels.sink import WIDTH
from decoders.columnar.numbers import PROTOCOL_NAMES
from decoders.fields import Field
from decoders.table import MOST_OCCURRENCES

OCCURRENCE_BITS = 7
"""Code of an event: slot, side (one bit), occurrence from 0."""


class Assembly:
    """The cells of one batch.

    ``values`` and ``valid`` [slot, row] hold first own occurrences, ``events`` [event, 3] all
    others: row, code, value. ``paths`` [row] and ``trie`` tell the protocols of rows that kernels
    decoded.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        values: NDArray[np.int64],
        valid: NDArray[np.uint8],
        events: NDArray[np.int64],
        pool: Pool,
        paths: NDArray[np.int32],
        trie: NDArray[np.int64],
    ) -> None:
        self.fields = fields
        self.slots = {declared.name: slot for slot, declared in enumerate(fields)}
        self.values = values
        self.valid = valid
        self.pool = pool
        self.paths = paths
        self.trie = trie
        self.excess: dict[int, set[int]] = {}
        """Row -> the slots of which it has more values than there are columns."""
        self._events = [events]
        self._single: list[tuple[int, int, int]] = []

    @property
    def rows(self) -> int:
        return int(self.values.shape[1])

    def place(self, declared: Field, row: int, side: int, nth: int, value: int) -> None:
        """One cell."""
        slot = self.slots[declared.name]
        if side == nth == 0:
            self.values[slot, row] = value
            self.valid[slot, row] = 1
        else:
            self._single.append((row, _code(slot, side, nth), value))

    def note_excess(self, row: int, name: str) -> None:
        """Not all values of a field in a row are in the table."""
        self.excess.setdefault(row, set()).add(self.slots[name])

    def fill(self, name: str, values: NDArray[np.int64], valid: NDArray[np.bool_] | None) -> None:
        """The first own occurrence of a field in every row."""
        slot = self.slots.get(name)
        if slot is not None:
            self.values[slot] = values
            self.valid[slot] = 1 if valid is None else valid

    def fill_some(self, name: str, values: NDArray[np.int64], rows: NDArray[np.bool_]) -> None:
        """The first own occurrence of a field in some rows; one value for each of these."""
        slot = self.slots.get(name)
        if slot is not None:
            self.values[slot, ... if len(values) == len(rows) else rows] = values
            self.valid[slot] = rows

    def fill_protocols(self) -> None:
        """``frame.protocols`` of the rows that kernels decoded."""
        if "frame.protocols" not in self.slots:
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

    def forget(self, name: str, rows: NDArray[np.int64]) -> None:
        """Take back the only own occurrence of a field in some rows."""
        slot = self.slots.get(name)
        if slot is not None:
            self.valid[slot, rows] = 0

    def append(
        self, name: str, rows: NDArray[np.int64], side: int, values: NDArray[np.int64]
    ) -> None:
        """Occurrences behind those that are there; ``rows`` in order, with repetitions.

        What is more than a field has columns is left out, and noted in ``excess``.
        """
        slot = self.slots.get(name)
        if slot is None or not len(rows):
            return
        if side == 0 and not self.valid[slot].any() and (rows[1:] > rows[:-1]).all():
            self.values[slot, rows] = values
            self.valid[slot, rows] = 1
            return
        nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
        nth += self._occurrences(slot, side)[rows]
        first = (nth == 0) & (side == 0)
        self.values[slot, rows[first]] = values[first]
        self.valid[slot, rows[first]] = 1
        more = ~first & (nth < MOST_OCCURRENCES)
        if more.any():
            codes = _code(slot, side, 0) + nth[more]
            self._events.append(np.stack((rows[more], codes, values[more]), axis=1))
        for row in np.unique(rows[nth >= MOST_OCCURRENCES]).tolist():
            self.note_excess(row, name)

    def _occurrences(self, slot: int, side: int) -> NDArray[np.int64]:
        """How often each row has a field by now."""
        known = self.valid[slot].astype(np.int64) if side == 0 else np.zeros(self.rows, np.int64)
        events = self.events()
        chosen = events[:, 1] >> OCCURRENCE_BITS == slot << 1 | side
        return known + np.bincount(events[chosen, 0], minlength=self.rows)

    def events(self) -> NDArray[np.int64]:
        """All cells that are not first own occurrences."""
        if self._single:
            self._events.append(np.array(self._single, np.int64))
            self._single = []
        if len(self._events) > 1:
            self._events = [np.concatenate(self._events)]
        return self._events[0]

    def series(self, shown: Sequence[Field]) -> list[polars.Series]:
        """The columns of fields, first occurrences and, behind each, all others there are."""
        further = self._further()
        columns: list[polars.Series] = []
        for declared in shown:
            slot = self.slots[declared.name]
            name = declared.column
            if self.valid[slot].any():
                values, valid = self.values[slot], self.valid[slot]
                columns.append(column(declared, name, values, valid, self.pool))
            else:
                columns.append(all_null(declared, name, self.rows))
            columns += further.get(slot, [])
        return columns

    def _further(self) -> dict[int, list[polars.Series]]:
        events = self.events()
        if not len(events):
            return {}
        counts = np.bincount(events[:, 1], minlength=1)
        starts = np.cumsum(counts) - counts
        ordered = np.empty(len(events), np.int64)
        gather.order_events(events, starts.copy(), ordered)
        found: dict[int, list[polars.Series]] = {}
        for code in np.flatnonzero(counts).tolist():
            chosen = ordered[starts[code] : starts[code] + counts[code]]
            slot, side, nth = code >> 8, code >> 7 & 1, code & 127
            declared = self.fields[slot]
            name = declared.quoted_column(nth + 1) if side else declared.own_column(nth + 1)
            found.setdefault(slot, []).append(self._sparse(declared, name, events, chosen))
        return found

    def _sparse(
        self, declared: Field, name: str, events: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> polars.Series:
        values = np.zeros(self.rows, np.int64)
        valid = np.zeros(self.rows, np.uint8)
        gather.scatter_events(events, chosen, values, valid)
        return column(declared, name, values, valid, self.pool)


def _code(slot: int, side: int, nth: int) -> int:
    return slot << 8 | side << OCCURRENCE_BITS | nth
