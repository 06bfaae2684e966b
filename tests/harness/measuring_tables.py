"""Tables of packets written by hand, and measures run on them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from decoders.fields import FIELDS, ColumnType
from harness.measures import measure_from
from harness.measuring import Measured, Plan, View

DTYPES: dict[ColumnType, Any] = {
    ColumnType.INT32: pl.Int32,
    ColumnType.INT64: pl.Int64,
    ColumnType.STRING: pl.String,
    ColumnType.BOOLEAN: pl.Boolean,
    ColumnType.BINARY: pl.Binary,
}


def ip(text: str) -> int:
    return int(ipaddress.IPv4Address(text))


def column_type(column: str) -> Any:
    """The type of a column, also of a second or quoted occurrence."""
    by_column = {field.column: field for field in FIELDS.values()}
    name = column
    while name not in by_column:
        name = name.rpartition("_")[0]
    return DTYPES[by_column[name].column_type]


def frame(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """A table as a decoder gives it; frames are numbered from 1 unless numbers are given."""
    rows = len(next(iter(columns.values())))
    full = {"frame_number": list(range(1, rows + 1)), **columns}
    return pl.DataFrame(
        {name: pl.Series(name, values, dtype=column_type(name)) for name, values in full.items()}
    )


def view(table: pl.DataFrame, filters: Mapping[str, nw.Expr] | None = None) -> View:
    """All packets of a table; ``filters`` stand in for compiled display filters."""
    given = dict(filters or {})
    return View(nw.from_native(table.lazy()), frozenset(table.columns), given.__getitem__)


def run(plan: Plan) -> Measured:
    collected = pl.collect_all([nw.to_native(query) for query in plan.queries])
    return plan.finish([one.rows() for one in collected])


def examples(plan: Plan) -> list[str]:
    assert plan.evidence is not None
    return plan.evidence.lines(nw.to_native(plan.evidence.query).collect().rows())


def measured(
    notation: object, table: pl.DataFrame, filters: Mapping[str, nw.Expr] | None = None
) -> Measured:
    return run(measure_from(notation).plan(view(table, filters)))
