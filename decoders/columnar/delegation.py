"""Frames that kernels do not understand wholly: the reference decoder's layers decode them.

One decoder sees all of them in file order, so that fragments find one another.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from decoders.columnar.assembly import Assembly
from decoders.columnar.columns import holds_octets
from decoders.fields import ColumnType, Field
from decoders.frames import Frame
from decoders.reference import Decoder
from decoders.row import Row
from decoders.table import MOST_OCCURRENCES


class Delegate:
    """Decodes single frames: what their layers say, not what conversations do."""

    def __init__(self, wanted: Collection[str], fields: Collection[Field]) -> None:
        self._decoder = Decoder(wanted)
        self._fields = tuple(fields)

    def row(self, frame: Frame) -> Row:
        """What the next frame says."""
        return self._decoder.dissect(frame)

    def scatter(self, row: Row, at: int, assembly: Assembly) -> None:
        """Put the cells of a row."""
        for declared in self._fields:
            name = declared.name
            for side, values in enumerate((row.own.get(name), row.quoted.get(name))):
                if not values:
                    continue
                for nth, value in enumerate(values[:MOST_OCCURRENCES]):
                    coded = _coded(declared, value, assembly)
                    assembly.place(declared, at, side, nth, coded)
                if len(values) > MOST_OCCURRENCES:
                    assembly.note_excess(at, name)


def _coded(declared: Field, value: Any, assembly: Assembly) -> int:
    if declared.column_type is ColumnType.BINARY:
        return assembly.pool.span(value)
    if holds_octets(declared):
        return assembly.pool.span(value.encode("latin-1"))
    if declared.column_type is ColumnType.STRING:
        return assembly.pool.text(value)
    return int(value)
