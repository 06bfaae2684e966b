"""The kernel that decodes the frames of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACTS
from decoders.columnar.jit import kernel, merged, part
from decoders.columnar.kernels.link import ETHERNET, left_over, link_layer
from decoders.columnar.kernels.network import upper
from decoders.columnar.kernels.sink import (
    CURRENT,
    DATA_END,
    DELEGATE,
    DELEGATED_ROW,
    DEPTH,
    ERROR,
    EVENTS,
    FACTS_AT,
    FACTS_WANTED,
    FOUND_AT,
    HEADER_AT,
    HEADER_PLACES,
    HEADER_SEEN,
    HEADERS,
    LEFT,
    LENGTH,
    MALFORMED_GROUP,
    MARKS,
    MOST_OCCURRENCES,
    NEXT,
    NEXT_END,
    NEXT_LIMIT,
    NEXT_START,
    NODE,
    NOTED_AT,
    NOTES,
    NOTHING_LEFT,
    OCTETS_WANTED,
    OK,
    OVERFLOW,
    PROTO,
    PUTS,
    QUOTES,
    ROW,
    SIDE,
    TRIM,
    VERSION,
    Cells,
    Sink,
    expert,
    look_into,
    put,
    ran_out,
    u32,
)
from decoders.columnar.numbers import field, text

FCS_OCTETS = 4

_F_FCS = field("eth.fcs")
_SMALLER = text("frame length is less than captured length")


@kernel
def decode_frames(
    sink: Sink,
    cells: Cells,
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
        if sink[OVERFLOW]:
            return row
        kept = TOO_MANY
        if sink[OCTETS_WANTED] and not look_into(sink):
            status = DELEGATE
        if status != DELEGATE:
            kept = keep(sink, cells, row)
            if kept == NO_ROOM:
                return row
        if kept != OK:
            cells.marks[row] = DELEGATED_ROW
            continue
        cells.paths[row] = sink[NODE]
        cells.marks[row] = sink[MARKS]
        if sink[HEADER_SEEN]:
            for place in range(HEADER_PLACES):
                cells.headers[sink[HEADERS], place] = sink[HEADER_AT + place]
            sink[HEADERS] += 1
        if sink[FACTS_WANTED]:
            for place in range(FACTS):
                cells.facts[row, place] = sink[FACTS_AT + place]
    return len(frames)


NO_ROOM, TOO_MANY = 1, 2


@part
def keep(sink: Sink, cells: Cells, row: int) -> int:
    """Put what was found in a frame into the cells: OK, NO_ROOM or TOO_MANY of one field."""
    counts, found = cells.counts, sink[FOUND_AT:NOTED_AT]
    begin = at = sink[EVENTS]
    room = len(cells.events)
    kept = OK
    puts = sink[PUTS]
    for nth in range(0, puts, 2):
        slot, side = found[nth] >> 1, found[nth] & 1
        count = counts[side, slot]
        if side == 0 and count == 0:
            cells.values[slot, row] = found[nth + 1]
            cells.valid[slot, row] = 1
        elif at >= room:
            kept = NO_ROOM
            break
        elif count >= MOST_OCCURRENCES:
            kept = TOO_MANY
            break
        else:
            cells.events[at, 0] = row
            cells.events[at, 1] = (slot << 8) | (side << 7) | np.int64(count)
            cells.events[at, 2] = found[nth + 1]
            at += 1
        counts[side, slot] = count + 1
    for nth in range(0, puts, 2):
        slot = found[nth] >> 1
        counts[0, slot] = 0
        counts[1, slot] = 0
        if kept != OK:
            cells.valid[slot, row] = 0
    sink[EVENTS] = at if kept == OK else begin
    return kept


@merged
def _frame(sink: Sink, octets: NDArray[np.uint8], row: int, frames: NDArray[np.int64]) -> int:
    start, captured, wire = frames[row, 0], frames[row, 1], frames[row, 2]
    link, fcs = frames[row, 3], frames[row, 4]
    sink[ROW], sink[SIDE], sink[NODE], sink[CURRENT], sink[MARKS] = row, 0, 0, 0, 0
    sink[TRIM], sink[DEPTH], sink[NEXT], sink[PROTO], sink[QUOTES] = -1, 0, 0, -1, 0
    sink[VERSION], sink[LENGTH], sink[DATA_END] = 0, wire, start + captured
    sink[PUTS], sink[LEFT], sink[HEADER_SEEN], sink[NOTES] = 0, NOTHING_LEFT, 0, 0
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
