"""The kernel that decodes the frames of a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACTS
from decoders.columnar.jit import kernel, merged
from decoders.columnar.kernels.columns import Columns, write_rows
from decoders.columnar.kernels.link import ETHERNET, left_over, link_layer
from decoders.columnar.kernels.network import upper
from decoders.columnar.kernels.sink import (
    CURRENT,
    DATA_END,
    DELEGATE,
    DELEGATED_ROW,
    DEPTH,
    ERROR,
    EXCESS,
    FACTS_AT,
    FACTS_WANTED,
    GROUP,
    HEADER_AT,
    HEADER_PLACES,
    HEADER_SEEN,
    HEADERS,
    LEFT,
    LENGTH,
    MALFORMED_GROUP,
    MARKS,
    NEXT,
    NEXT_END,
    NEXT_LIMIT,
    NEXT_START,
    NODE,
    NOTES,
    NOTHING_LEFT,
    OCTETS_WANTED,
    OK,
    OVERFLOW,
    PROTO,
    QUOTES,
    TRIM,
    VERSION,
    WRITTEN,
    Rows,
    Sink,
    begin_row,
    expert,
    look_into,
    put,
    ran_out,
    take_back,
    u32,
)
from decoders.columnar.numbers import field, text

FCS_OCTETS = 4

_F_FCS = field("eth.fcs")
_SMALLER = text("frame length is less than captured length")


class Frames(NamedTuple):
    """The frames of a batch."""

    starts: NDArray[np.int64]
    """[row]: offset of the frame among the batch's octets."""
    captured: NDArray[np.int64]
    wire: NDArray[np.int64]
    """[row]: octets that were captured, and that were on the wire."""
    interface: NDArray[np.int32]
    """[row]: place of its interface in the next two."""
    links: NDArray[np.int64]
    fcs: NDArray[np.int64]
    """Link type; octets of frame check sequence, -1: not known."""


@kernel
def decode_frames(
    sink: Sink,
    rows: Rows,
    columns: Columns,
    octets: NDArray[np.uint8],
    frames: Frames,
    first: int,
) -> int:
    """Decode frames from row ``first`` on; the row to go on with when OVERFLOW says that room ran
    out, else their number."""
    count = len(frames.starts)
    for row in range(first, count):
        if row % GROUP == 0 and row > sink[WRITTEN] and not write_rows(sink, columns, row):
            return row
        status = _frame(sink, octets, row, frames)
        if sink[OCTETS_WANTED] and status != DELEGATE and not look_into(sink):
            status = DELEGATE
        if sink[OVERFLOW]:
            take_back(sink)
            return row
        if status == DELEGATE or sink[EXCESS]:
            take_back(sink)
            rows.marks[row] = DELEGATED_ROW
            continue
        rows.paths[row] = sink[NODE]
        rows.marks[row] = sink[MARKS]
        if sink[HEADER_SEEN]:
            for place in range(HEADER_PLACES):
                rows.headers[sink[HEADERS], place] = sink[HEADER_AT + place]
            sink[HEADERS] += 1
        if sink[FACTS_WANTED]:
            for place in range(FACTS):
                rows.facts[row, place] = sink[FACTS_AT + place]
    if count > sink[WRITTEN]:
        write_rows(sink, columns, count)
    return count


@merged
def _frame(sink: Sink, octets: NDArray[np.uint8], row: int, frames: Frames) -> int:
    start, captured, wire = frames.starts[row], frames.captured[row], frames.wire[row]
    interface = frames.interface[row]
    link, fcs = frames.links[interface], frames.fcs[interface]
    begin_row(sink, row)
    sink[NODE], sink[CURRENT], sink[MARKS] = 0, 0, 0
    sink[TRIM], sink[DEPTH], sink[NEXT], sink[PROTO], sink[QUOTES] = -1, 0, 0, -1, 0
    sink[VERSION], sink[LENGTH], sink[DATA_END] = 0, wire, start + captured
    sink[LEFT], sink[HEADER_SEEN], sink[NOTES] = NOTHING_LEFT, 0, 0
    if sink[FACTS_WANTED]:
        sink[FACTS_AT : FACTS_AT + FACTS] = 0
    end, limit = start + captured, start + max(wire, captured)
    if wire < captured:
        expert(sink, ERROR, MALFORMED_GROUP, _SMALLER)
    if fcs > 0 and link == ETHERNET and limit - start >= fcs:
        # A frame check sequence that the file announces is no part of the packet.
        limit -= fcs
        if end > limit:
            if end == limit + fcs and fcs == FCS_OCTETS:
                put(sink, _F_FCS, u32(octets, limit))
            end = limit
    status = link_layer(sink, octets, link, (start, end, limit), fcs)
    kind = sink[NEXT]
    if status == OK and kind:
        sink[NEXT] = 0
        place = sink[NEXT_START], sink[NEXT_END], sink[NEXT_LIMIT]
        status = upper(sink, octets, kind, place[0], place[1], place[2])
    if status == DELEGATE:
        return DELEGATE
    if status != OK:
        ran_out(sink, status)
    if sink[LEFT] != NOTHING_LEFT:
        status = left_over(sink, octets)
        if status != OK:
            ran_out(sink, status)
    return OK
