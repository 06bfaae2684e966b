"""Rows that hold headers only, and what either kind of conversation tells of them.

:func:`told_by_reference` and :func:`told_by_kernels` give the same form: for every row the fields
of the packet, those of a quoted one, and whether payload protocols were taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoders.columnar.conversations import Conversations
from decoders.columnar.kernels import sink
from decoders.columnar.numbers import spelled
from decoders.columnar.rows import headers_of
from decoders.columnar.transport import (
    DUPLICATE_ACK_NUM,
    FIELD_OF,
    MARK_FIELDS,
    MARKS,
    NOTHING,
    STREAM,
    TAKES_BACK,
    Found,
)
from decoders.conversations import Conversations as Reference
from decoders.row import Datagram, Row, Segment, Wanted

NUMBERING = Wanted(("tcp.stream", "tcp.completeness", "tcp.seq", "tcp.ack", "tcp.nxtseq",
                    "tcp.analysis.tfo_ack", "udp.stream"))  # fmt: skip
NUMBERING.analysis = NUMBERING.expert = False
EVERYTHING = Wanted()

Told = tuple[dict[str, list[Any]], dict[str, list[Any]], bool]


class Shown(NamedTuple):
    """One frame: its headers, its time, and whether it shows ``tcp.flags``."""

    headers: tuple[Segment | Datagram, ...]
    time_ns: int | None
    shows_flags: bool = True


def segment(
    ends: tuple[int | bytes, int, int | bytes, int],
    flags: int,
    seq: int = 0,
    ack: int = 0,
    length: int | None = 0,
    **more: Any,
) -> Segment:
    """A TCP header from ``ends``: address and port, address and port."""
    made = Segment(ends[0], ends[2], ends[1], ends[3])
    made.flags, made.seq, made.ack, made.length = flags, seq, ack, length
    made.window = 1000
    for name, value in more.items():
        setattr(made, name, value)
    return made


def rows_of(frames: Iterable[Shown], wanted: Wanted = EVERYTHING) -> list[Row]:
    """Fresh rows, numbered from 1, as they are before conversations annotate them."""
    rows = []
    for number, frame in enumerate(frames, 1):
        row = Row(number, frame.time_ns, wanted)
        row.protocols = ["eth", "ip", "tcp", "data"]
        if frame.shows_flags:
            row.own["tcp.flags"] = [0]
        row.transport = list(frame.headers)
        rows.append(row)
    return rows


def told_by_reference(rows: Sequence[Row]) -> list[Told]:
    conversations, told = Reference(), []
    for row in rows:
        whole = len(row.protocols)
        before = {name: len(values) for name, values in row.own.items()}
        quoted = {name: len(values) for name, values in row.quoted.items()}
        conversations.annotate(row)
        own = {name: values[before.get(name, 0) :] for name, values in row.own.items()}
        own = {name: values for name, values in own.items() if values}
        theirs = {name: values[quoted.get(name, 0) :] for name, values in row.quoted.items()}
        theirs = {name: values for name, values in theirs.items() if values}
        told.append((own, theirs, len(row.protocols) < whole))
    return told


def told_by_kernels(rows: Sequence[Row], sizes: Sequence[int] = ()) -> list[Told]:
    """``sizes``: rows of the batches; the rest is one batch."""
    conversations = Conversations(not rows or rows[0].wanted.analysis)
    told: list[Told] = []
    sizes = [*sizes, len(rows)]
    start = 0
    for size in sizes:
        batch = rows[start : start + size]
        start += size
        headers = [headers_of(row, at) for at, row in enumerate(batch)]
        matrix = np.concatenate([*headers, np.zeros((0, sink.HEADER_PLACES), np.int64)])
        times = np.array([row.time_ns or 0 for row in batch], np.int64)
        timed = np.array([row.time_ns is not None for row in batch], np.bool_)
        first = batch[0].number if batch else 1
        told += spread(matrix, conversations.annotate(matrix, first, times, timed), len(batch))
    return told


def spread(headers: Any, found: Found, rows: int) -> list[Told]:
    """The cells that each row gets."""
    fields: list[tuple[dict[str, list[Any]], dict[str, list[Any]]]] = [
        ({}, {}) for _ in range(rows)
    ]
    back = [False] * rows
    for header, cells in zip(headers.tolist(), found.cells.tolist(), strict=True):
        row = header[sink.HEADER_ROW]
        into = fields[row][header[sink.HEADER_QUOTED]]
        if not header[sink.HEADER_TCP]:
            into.setdefault("udp.stream", []).append(cells[STREAM])
            continue
        for place, name in FIELD_OF.items():
            if place < len(cells) and cells[place] != NOTHING:
                into.setdefault(name, []).append(cells[place])
        for bit, name in enumerate(MARK_FIELDS):
            if cells[MARKS] >> bit & 1:
                into.setdefault(name, []).append(True)
        if len(cells) > DUPLICATE_ACK_NUM and cells[DUPLICATE_ACK_NUM] != NOTHING:
            into["tcp.analysis.duplicate_ack"].append(True)
        back[row] |= bool(cells[MARKS] & TAKES_BACK)
    for row, quoted, severity, group, message, _header in found.experts.tolist():
        into = fields[row][quoted]
        for name, value in (
            ("_ws.expert", 1),
            ("_ws.expert.severity", severity),
            ("_ws.expert.group", group),
            ("_ws.expert.message", spelled(message)),
        ):
            into.setdefault(name, []).append(value)
    return [(own, quoted, taken) for (own, quoted), taken in zip(fields, back, strict=True)]
