"""Frames that kernels do not understand wholly: the reference decoder's layers decode them.

One decoder sees all of them in file order, so that fragments find one another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from decoders.columnar.assembly import Assembly
from decoders.columnar.columns import Pool, holds_octets
from decoders.fields import ColumnType, Field
from decoders.frames import Frame
from decoders.reference import Decoder
from decoders.row import Row
from decoders.table import MOST_OCCURRENCES


class Delegate:
    """Decodes single frames: what their layers say, not what conversations do."""

    def __init__(self, wanted: Collection[str], fields: Collection[Field]) -> None:
        self._decoder = Decoder(wanted)
        self._codings = {declared.name: _coding(declared) for declared in fields}

    def row(self, frame: Frame) -> Row:
        """What the next frame says."""
        return self._decoder.dissect(frame)

    def scatter(self, rows: Sequence[tuple[int, Row]], assembly: Assembly) -> None:
        """Put the cells of rows, each with its place; in the order of places."""
        firsts: dict[str, tuple[list[int], list[int]]] = {}
        for at, row in rows:
            for side, found in enumerate((row.own, row.quoted)):
                for name, values in found.items():
                    coding = self._codings.get(name)
                    if coding is None or not values:
                        continue
                    coded = [coding(value, assembly.pool) for value in values[:MOST_OCCURRENCES]]
                    if side == 0:
                        places, own = firsts.setdefault(name, ([], []))
                        places.append(at)
                        own.append(coded[0])
                    for nth, code in enumerate(coded[1 - side :], 1 - side):
                        assembly.place_further(name, at, side, nth, code)
                    if len(values) > MOST_OCCURRENCES:
                        assembly.note_excess(at, name)
        for name, (places, own) in firsts.items():
            assembly.put(name, np.array(places, np.int64), np.array(own, np.int64))


Coding = Callable[[Any, Pool], int]


def _coding(declared: Field) -> Coding:
    """How a value of a field becomes the number that stands for it in a column."""
    if declared.column_type is ColumnType.BINARY:
        return lambda value, pool: pool.span(value)
    if holds_octets(declared):
        return lambda value, pool: pool.span(value.encode("latin-1"))
    if declared.column_type is ColumnType.STRING:
        return lambda value, pool: pool.text(value)
    return lambda value, _: int(value)
