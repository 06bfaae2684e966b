"""Columns of the table as ``tshark -T fields`` prints them: :mod:`decoders.spelling` for many rows.

Numbers, times and IPv4 addresses have expressions of their own; of any other type each distinct
value is spelled once, by :func:`decoders.spelling.speller`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from decoders.fields import FIELDS, UNSIGNED_BITS, Field, FieldType
from decoders.spelling import NS, speller
from decoders.table import MOST_OCCURRENCES

if TYPE_CHECKING:
    import polars

_TIMES = (FieldType.ABSOLUTE_TIME, FieldType.RELATIVE_TIME)
_NOTHING = ""


def cells(packets: polars.DataFrame, fields: Sequence[Field], aggregator: str) -> polars.DataFrame:
    """One column of text a field, without null: all its occurrences, own ones first."""
    import polars as pl

    columns = [
        _cell(packets, field, aggregator).alias(str(place)) for place, field in enumerate(fields)
    ]
    return pl.DataFrame(columns)


def lines(packets: polars.DataFrame, fields: Sequence[Field], aggregator: str) -> polars.Series:
    """One line a packet: its cells with tabs between them."""
    import polars as pl

    return cells(packets, fields, aggregator).select(pl.concat_str(pl.all(), separator="\t"))[:, 0]


def _cell(packets: polars.DataFrame, field: Field, aggregator: str) -> polars.Series:
    import polars as pl

    places = occurrences(field, packets.columns)
    texts = [_texts(part, packets[name]) for part, name in places]
    if not texts:
        return pl.Series([_NOTHING]).new_from_index(0, packets.height)
    if len(texts) == 1:
        return texts[0].fill_null(_NOTHING)
    frame = pl.DataFrame([text.alias(str(place)) for place, text in enumerate(texts)])
    return frame.select(pl.concat_str(pl.all(), separator=aggregator, ignore_nulls=True))[:, 0]


def occurrences(field: Field, columns: Collection[str]) -> list[tuple[Field, str]]:
    """Columns that hold a field's values, in Wireshark's order, each with its declared field.

    Own occurrences come first, then quoted ones; of a field with parts header by header.
    """
    parts = [FIELDS[name] for name in field.of] or [field]
    sides: tuple[Callable[[Field, int], str], ...] = (Field.own_column, Field.quoted_column)
    return [
        (part, column(part, nth))
        for column in sides
        for nth in range(1, MOST_OCCURRENCES + 1)
        for part in parts
        if column(part, nth) in columns
    ]


def _texts(field: Field, values: polars.Series) -> polars.Series:
    import polars as pl

    if field.type in UNSIGNED_BITS and not field.hex_digits:
        return values.cast(pl.String)
    if field.type is FieldType.IPV4:
        return values.to_frame("v").select(_ipv4(pl.col("v")))[:, 0]
    if field.type in _TIMES:
        return values.to_frame("v").select(_time(pl.col("v")))[:, 0]
    return _one_by_one(field, values)


def _ipv4(address: polars.Expr) -> polars.Expr:
    import polars as pl

    octets = [(address // (1 << shift)) % 256 for shift in (24, 16, 8, 0)]
    return pl.concat_str([octet.cast(pl.String) for octet in octets], separator=".")


def _time(nanoseconds: polars.Expr) -> polars.Expr:
    import polars as pl

    # The sign stands before the whole; the smallest number has no positive counterpart.
    sign = pl.when(nanoseconds < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    size = nanoseconds.cast(pl.Int128).abs()
    whole, part = (size // NS).cast(pl.String), (size % NS).cast(pl.String).str.zfill(9)
    return pl.when(nanoseconds.is_not_null()).then(pl.concat_str([sign, whole, pl.lit("."), part]))


def _one_by_one(field: Field, values: polars.Series) -> polars.Series:
    import polars as pl

    known = values.drop_nulls().unique()
    spell = speller(field)
    texts = pl.Series([spell(value) for value in known], dtype=pl.String)
    if len(known) == len(values):
        return pl.Series([spell(value) for value in values], dtype=pl.String)
    return values.replace_strict(known, texts, default=None, return_dtype=pl.String)
