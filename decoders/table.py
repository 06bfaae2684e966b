"""A capture -> the table of packets: one column for each occurrence of each field asked for.

Column names and types come from :mod:`decoders.fields`. Chunks of rows flow from the decoder into
a :class:`decoders.store.Store`; the table is a Polars frame, or a lazy one over files.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from decoders.choice import COLUMNAR, chosen, rows_by
from decoders.classify import CLASS, CLASSES
from decoders.containers import Capture
from decoders.fields import ColumnType, Field, stored
from decoders.frames import CaptureError
from decoders.row import Row
from decoders.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import polars
    from numpy.typing import NDArray

    Keep = Sequence[bool] | NDArray[np.bool_]

CHUNK = 32_768
"""Rows that are turned into columns at a time."""

MOST_OCCURRENCES = 64
"""Columns a field can have for its own occurrences, and for its quoted ones."""

PROGRESS_EVERY = 1_000


@dataclass
class Table:
    """The packets of a capture.

    Attributes: rows (the columns asked for, and ``frame_number``; in memory, or lazily in files
    when they are many); count (rows); malformed and short (frames with ``_ws.malformed`` and
    ``_ws.short``); undecoded (what the decoder did not see inside frames -> how many frames);
    decoder (the one that ran); classes (each class of :data:`decoders.classify.CLASSES` -> how
    many frames, when ``replicap.class`` was asked for: they add up to ``count``); home (what the
    files of ``rows`` live as long as); delegated (rows that the decoder left to the reference
    decoder's layers: of these it is no witness of its own).
    """

    rows: polars.DataFrame | polars.LazyFrame
    count: int
    malformed: int
    short: int
    undecoded: dict[str, int]
    decoder: str
    classes: dict[str, int] = dataclasses.field(default_factory=dict)
    home: object = None
    delegated: int = 0

    @property
    def engine(self) -> Literal["streaming", "auto"]:
        """Which of Polars' engines suits a query: one that holds parts only, for rows in files."""
        import polars

        return "streaming" if isinstance(self.rows, polars.LazyFrame) else "auto"

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.rows.lazy().collect_schema().names()

    def lazy(self) -> polars.LazyFrame:
        """The rows, for queries."""
        return self.rows.lazy()

    def write_parquet(self, path: Path) -> None:
        """Write the rows to one file, part by part when they are in files."""
        import polars

        if isinstance(self.rows, polars.DataFrame):
            self.rows.write_parquet(path)
        else:
            self.rows.sink_parquet(path, engine="streaming")

    @property
    def packets(self) -> polars.DataFrame:
        """The rows in memory, however many they are."""
        return self.rows.lazy().collect(engine=self.engine)


class Chunks(Protocol):
    """What a decoder made of a capture: tables of its rows, and figures, complete at their end."""

    @property
    def count(self) -> int: ...
    @property
    def malformed(self) -> int: ...
    @property
    def short(self) -> int: ...
    @property
    def delegated(self) -> int: ...
    @property
    def undecoded(self) -> Counter[str]: ...
    @property
    def classes(self) -> Counter[str]: ...

    def __iter__(self) -> Iterator[polars.DataFrame]: ...


def decode(
    capture: Capture,
    wanted: Iterable[str],
    *,
    keep: Keep | None = None,
    progress: Callable[[int], None] | None = None,
    decoder: str = "auto",
    store: Store | None = None,
) -> Table:
    """The table of a capture with the columns of the fields ``wanted``.

    ``decoder`` is one of :data:`decoders.choice.DECODERS`.

    With ``keep``, one truth value for each frame of the capture, the table is that of a file that
    holds only those frames: numbers of frames and streams are given anew. ``progress`` is told the
    number of frames now and then. Damage of the capture stands in ``capture.damage`` afterwards.
    ``store`` is where the rows go, when it is not one of the table's own.

    Raises KeyError for a field that is not declared, CaptureError when nothing can be read or when
    the classes of packets, if asked for, do not add up to the number of packets.
    """
    fields = stored(("frame.number", *wanted))
    name = chosen(decoder, capture)
    found = chunks(name, capture, fields, keep, progress)
    store = store or Store()
    for chunk in found:
        store.add(chunk)
    if progress is not None:
        progress(found.count)
    table = Table(
        rows=store.rows(),
        count=found.count,
        malformed=found.malformed,
        short=found.short,
        undecoded=dict(found.undecoded),
        decoder=name,
        classes=dict(found.classes),
        home=store,
        delegated=found.delegated,
    )
    if any(field.name == CLASS for field in fields):
        _check_classes(table, capture.path)
    return table


def chunks(
    name: str,
    capture: Capture,
    fields: list[Field],
    keep: Keep | None = None,
    progress: Callable[[int], None] | None = None,
) -> Chunks:
    """The rows of a capture as the decoder ``name`` gives them; one chunk at least."""
    if name == COLUMNAR:
        from decoders.columnar.pipeline import Pipeline

        return Pipeline(capture, [field.name for field in fields], keep, progress)
    wanted = frozenset(field.name for field in fields)
    return _Builder(fields, rows_by(name)(capture, wanted, keep=keep), progress)


def _check_classes(table: Table, path: str) -> None:
    """Every packet has exactly one class."""
    classified = sum(table.classes.get(name, 0) for name in CLASSES)
    if classified != table.count or not table.classes.keys() <= CLASSES.keys():
        raise CaptureError(
            path, None, f"{classified} packets with one class", f"{table.count} packets"
        )


@dataclass
class _Column:
    """The occurrences of one field in the chunk at hand."""

    field: Field
    first: list[Any] = dataclasses.field(default_factory=list)
    further: dict[str, dict[int, Any]] = dataclasses.field(default_factory=dict)
    """Columns of further and of quoted occurrences: row of the chunk -> value."""


class _Builder:
    """Rows -> chunks."""

    def __init__(
        self,
        fields: list[Field],
        rows: Iterable[Row],
        progress: Callable[[int], None] | None,
    ) -> None:
        self._source = rows
        self._progress = progress
        self._columns = [_Column(field) for field in fields]
        self._rows = 0
        self._excess = ""
        self.count = 0
        self.malformed = 0
        self.short = 0
        self.undecoded: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()
        self.delegated = 0

    def __iter__(self) -> Iterator[polars.DataFrame]:
        for row in self._source:
            self._add(row)
            if self._progress is not None and self.count % PROGRESS_EVERY == 0:
                self._progress(self.count)
            if self._rows == CHUNK:
                yield self._flush()
        if self._rows or not self.count:
            yield self._flush()

    def _add(self, row: Row) -> None:
        own, quoted = row.own, row.quoted
        at = self._rows
        for column in self._columns:
            values = own.get(column.field.name)
            if values is None:
                column.first.append(None)
            else:
                column.first.append(values[0])
                if len(values) > 1:
                    self._further(column, at, values)
            if quoted and column.field.name in quoted:
                self._quoted(column, at, quoted[column.field.name])
        self._count(row)
        if self._excess:
            self._flag_excess(at)
        self._rows += 1
        self.count += 1

    def _count(self, row: Row) -> None:
        self.malformed += "_ws.malformed" in row.own
        self.short += "_ws.short" in row.own
        for reason in row.own.get("replicap.undecoded", ()):
            self.undecoded[reason] += 1
        if CLASS in row.own:
            self.classes[" and ".join(row.own[CLASS])] += 1

    def _further(self, column: _Column, at: int, values: list[Any]) -> None:
        for nth, value in enumerate(values[1:MOST_OCCURRENCES], start=2):
            column.further.setdefault(column.field.own_column(nth), {})[at] = value
        self._too_many(column, values)

    def _quoted(self, column: _Column, at: int, values: list[Any]) -> None:
        for nth, value in enumerate(values[:MOST_OCCURRENCES], start=1):
            column.further.setdefault(column.field.quoted_column(nth), {})[at] = value
        self._too_many(column, values)

    def _too_many(self, column: _Column, values: list[Any]) -> None:
        if len(values) > MOST_OCCURRENCES:
            self._excess = f"more than {MOST_OCCURRENCES} values of {column.field.name}"

    def _flag_excess(self, at: int) -> None:
        """Say in the frame itself that not all of it is in the table."""
        self.undecoded[self._excess] += 1
        for column in self._columns:
            if column.field.name == "replicap.undecoded" and column.first[at] is None:
                column.first[at] = self._excess
        self._excess = ""

    def _flush(self) -> polars.DataFrame:
        import polars

        series: list[polars.Series] = []
        for column in self._columns:
            dtype = polars_type(column.field)
            series.append(polars.Series(column.field.column, column.first, dtype=dtype))
            for name in sorted(column.further):
                sparse = column.further[name]
                values = [sparse.get(at) for at in range(self._rows)]
                series.append(polars.Series(name, values, dtype=dtype))
            column.first = []
            column.further = {}
        self._rows = 0
        return polars.DataFrame(series)


def polars_type(field: Field) -> polars.DataType:
    """The Polars type of a field's columns."""
    return dtype_of(field.column_type)


@cache
def dtype_of(kind: ColumnType) -> polars.DataType:
    """The Polars type of a column."""
    import polars

    return {
        ColumnType.INT32: polars.Int32(),
        ColumnType.INT64: polars.Int64(),
        ColumnType.STRING: polars.String(),
        ColumnType.BOOLEAN: polars.Boolean(),
        ColumnType.BINARY: polars.Binary(),
    }[kind]
