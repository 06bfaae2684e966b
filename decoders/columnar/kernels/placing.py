"""Kernels that put what is found of headers, and events, into columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import kernel
from decoders.columnar.kernels.sink import HEADER_QUOTED, HEADER_ROW, HEADER_TCP
from decoders.columnar.transport import MARKS, NOTHING, STREAM

I64 = NDArray[np.int64]
Bits = NDArray[np.uint8]


PLACES, CHANGES, ALL_MARKS, UDP, ALONE = range(5)
SURVEYED = 5
"""What :func:`survey` tells: places of TCP headers that any has, and those that do not have one
value in all, as bits; all their marks; whether there are headers of UDP; whether each row has one
header, an own one of TCP."""


@kernel
def survey(headers: I64, cells: I64, rows: int, only: I64, told: I64) -> None:
    """Look through all headers: ``told`` [SURVEYED], ``only`` [place] the first header's values."""
    places, changes, marks, udp = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    alone = len(headers) == rows
    for at in range(len(headers)):
        alone = alone and headers[at, HEADER_ROW] == at and not headers[at, HEADER_QUOTED]
        if not headers[at, HEADER_TCP]:
            udp = np.int64(1)
            continue
        marks |= cells[at, MARKS]
        for place in range(cells.shape[1]):
            value = cells[at, place]
            if at == 0:
                only[place] = value
            places |= np.int64(value != NOTHING) << place
            changes |= np.int64(value != only[place]) << place
    told[PLACES], told[CHANGES], told[ALL_MARKS], told[UDP] = places, changes, marks, udp
    told[ALONE] = alone and not udp


@kernel
def place_numbers(
    headers: I64, cells: I64, chosen: I64, numbers: I64, truth: Bits, left: I64
) -> int:
    """Put what headers are told into rows that have nothing yet.

    ``chosen`` [column]: a place of TCP headers, or the number of places for the stream of UDP's.
    They come into ``numbers`` [column, row] and ``truth`` (bits of rows); ``left`` [header] gets a
    bit for each column that has to go elsewhere: behind what is there, or to quoted fields.
    Returns all these bits.
    """
    all_left, width = np.int64(0), cells.shape[1]
    for at in range(len(headers)):
        left[at] = 0
        row, quoted = headers[at, HEADER_ROW], headers[at, HEADER_QUOTED]
        bit, is_tcp = 1 << (row & 7), headers[at, HEADER_TCP]
        for column in range(len(chosen)):
            place = chosen[column]
            if (place < width) != (is_tcp != 0):
                continue
            value = cells[at, place if is_tcp else STREAM]
            if value == NOTHING:
                continue
            if quoted or truth[column, row >> 3] & bit:
                left[at] |= np.int64(1) << column
            else:
                numbers[column, row] = value
                truth[column, row >> 3] |= bit
        all_left |= left[at]
    return all_left


@kernel
def order_events(events: I64, starts: I64, ordered: I64) -> None:
    """Sort events by their code.

    ``starts`` [code] says where each code's events begin, and afterwards where they end.
    """
    for event in range(len(events)):
        code = events[event, 1]
        ordered[starts[code]] = event
        starts[code] += 1


@kernel
def scatter_events(events: I64, chosen: I64, values: I64, truth: Bits) -> None:
    """Put some events into a column; ``truth`` holds a bit for each row."""
    for event in chosen:
        row = events[event, 0]
        values[row] = events[event, 2]
        truth[row >> 3] |= 1 << (row & 7)
