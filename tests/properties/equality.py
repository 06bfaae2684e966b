"""The columnar decoder against the reference decoder: every cell of a capture, and every count."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import polars

from decoders.containers import open_captures
from decoders.fields import FIELDS
from decoders.frames import CaptureError, Damage
from decoders.table import Table, decode

EVERY_FIELD = tuple(FIELDS)

MOST_TOLD = 20
"""Differences that are told of one capture."""


class Compared(NamedTuple):
    """What came of one capture."""

    frames: int
    delegated: int
    """Frames that no kernel decoded wholly: of these the columnar decoder is no second witness."""
    cells: int
    differences: tuple[str, ...]


class _Found(NamedTuple):
    """What one decoder made of a capture, or why it made nothing."""

    table: Table | None
    damage: Damage | None
    refused: str


def compare(path: Path, fields: Collection[str] = EVERY_FIELD) -> Compared:
    """Decode a file by both decoders and look at every cell of some fields."""
    ours, theirs = _found(path, fields, "columnar"), _found(path, fields, "reference")
    if ours.refused or theirs.refused or ours.table is None or theirs.table is None:
        return Compared(0, 0, 0, tuple(_unlike("refusal", ours.refused, theirs.refused)))
    told = [
        *_unlike("decoder", (ours.table.decoder, theirs.table.decoder), ("columnar", "reference")),
        *_unlike("damage", ours.damage, theirs.damage),
        *_counts(ours.table, theirs.table),
        *_cells(ours.table.packets, theirs.table.packets),
    ]
    cells = theirs.table.count * len(theirs.table.columns)
    return Compared(theirs.table.count, ours.table.delegated, cells, tuple(told[:MOST_TOLD]))


def _found(path: Path, fields: Collection[str], decoder: str) -> _Found:
    try:
        capture = open_captures([path])
        table = decode(capture, fields, decoder=decoder)
    except CaptureError as error:
        return _Found(None, None, str(error))
    return _Found(table, capture.damage, "")


def _unlike(what: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{what}: columnar {ours}, reference {theirs}"


def _counts(ours: Table, theirs: Table) -> Iterator[str]:
    for name in ("count", "malformed", "short", "undecoded", "classes"):
        yield from _unlike(name, getattr(ours, name), getattr(theirs, name))


def _cells(ours: polars.DataFrame, theirs: polars.DataFrame) -> Iterator[str]:
    """Columns that only one has, and of each other column the first frame that differs."""
    yield from _unlike("columns", *(sorted(set(one) - set(other)) for one, other in (
        (ours.columns, theirs.columns), (theirs.columns, ours.columns))))  # fmt: skip
    if ours.height != theirs.height:
        return
    for name in sorted(set(ours.columns) & set(theirs.columns)):
        left, right = ours[name], theirs[name]
        if left.dtype != right.dtype:
            yield f"{name}: columnar {left.dtype}, reference {right.dtype}"
        elif not left.equals(right, null_equal=True):
            row = int(left.ne_missing(right).arg_true()[0])
            yield from _unlike(f"frame {row + 1}, {name}", left[row], right[row])
