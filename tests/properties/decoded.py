"""Rows of a file by any of our decoders, in the form of the reference decoder's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars

from decoders import reference
from decoders.containers import open_captures
from decoders.fields import FIELDS
from decoders.table import decode
from generators import captures
from generators.captures import CaptureFile
from generators.truth import Described

DECODERS = ("reference", "columnar")
"""Those that are always there; an installed tshark is asked by test_witness."""

Side = dict[str, list[Any]]


class Sides(NamedTuple):
    """The fields of one frame: its own, and those of the packet that an ICMP error quotes."""

    own: Side
    quoted: Side


def rows_by(decoder: str, path: Path, fields: Collection[str]) -> list[Sides]:
    """Every frame of a file by one of DECODERS. Raises CaptureError, and KeyError for another."""
    if decoder == "reference":
        opened = open_captures([path])
        return [Sides(row.own, row.quoted) for row in reference.rows(opened, fields)]
    if decoder != "columnar":
        raise KeyError(decoder)
    table = decode(open_captures([path]), fields, decoder=decoder)
    return _rows(table.packets, ("frame.number", *fields))


def _rows(packets: polars.DataFrame, fields: Collection[str]) -> list[Sides]:
    rows = [Sides({}, {}) for _ in range(packets.height)]
    for name in dict.fromkeys(fields):
        for side, column in ((0, FIELDS[name].own_column), (1, FIELDS[name].quoted_column)):
            nth = 1
            while column(nth) in packets.columns:
                for row, value in zip(rows, packets[column(nth)], strict=True):
                    if value is not None:
                        row[side].setdefault(name, []).append(value)
                nth += 1
    return rows


def in_one_file(frames: Sequence[Described]) -> CaptureFile:
    """Frames of any link types as one pcapng, a second apart, in nanoseconds."""
    links = sorted({frame.linktype for frame in frames}) or [1]
    lines = [(links.index(frame.linktype), 8, frame) for frame in frames]
    section = captures.Section(False, tuple((link, 9) for link in links), tuple(lines))
    return captures.pcapng([section])
