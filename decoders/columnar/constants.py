"""Columns that are the same in all rows of a batch: Polars holds such a value once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars

from decoders.columnar.columns import Cells, Pool, column
from decoders.fields import ColumnType, Field
from decoders.table import dtype_of

KEPT, LONGEST = 4096, 256
"""Constants that are kept from batch to batch, none longer than so many octets or characters:
making one takes longer than using it."""

_ONE = np.ones(1, np.uint8)


def only(declared: Field, name: str, value: int, pool: Pool) -> polars.Expr:
    """A column of which each row has this value, as :class:`Cells` have it.

    Raises KeyError for a code that stands for no text.
    """
    kind = declared.column_type
    if kind is ColumnType.BOOLEAN:
        return _constant(kind, name, value != 0)
    if kind in (ColumnType.INT32, ColumnType.INT64):
        return _constant(kind, name, value)
    one = column(declared, Cells(np.array([value], np.int64), _ONE), 1, pool)
    told = one[0].as_py()
    return _constant(kind, name, told) if len(told) <= LONGEST else _made(kind, name, told)


def _made(kind: ColumnType, name: str, value: bool | int | str | bytes) -> polars.Expr:
    return polars.lit(value, dtype=dtype_of(kind)).alias(name)


_constant = lru_cache(KEPT)(_made)
