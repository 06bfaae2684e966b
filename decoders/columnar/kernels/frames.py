"""The kernel that decodes the frames of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACTS
from decoders.columnar.jit import kernel, merged
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


@kernel
def decode_frames(
    sink: Sink,
    rows: Rows,
    octets: NDArray[np.uint8],
    frames: NDArray[np.int64],
    first: int,
) -> int:
    """Decode frames from row ``first`` on; the row at which room ran out, or their number.

    ``frames`` [row, 5]: offset, captured octets, octets on the wire, link type, octets of frame
    check sequence (-1: not known).
    """
    for row in range(first, len(frames)):
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
    return len(frames)


@merged
def _frame(sink: Sink, octets: NDArray[np.uint8], row: int, frames: NDArray[np.int64]) -> int:
    start, captured, wire = frames[row, 0], frames[row, 1], frames[row, 2]
    link, fcs = frames[row, 3], frames[row, 4]
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
