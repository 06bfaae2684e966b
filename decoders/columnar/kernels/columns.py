"""Kernels that write rows into columns, eight at a time.

Most fields occur in no packet of a capture, and many are the same in all of them: a field has no
column as long as all rows have the same value for it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.sink import (
    ALL_AT,
    COLUMNS,
    CROWDED,
    FIELD_COUNT,
    GROUP,
    HALVES,
    KNOWN_AT,
    MADE_AT,
    ONLY_AT,
    OVERFLOW,
    ROW_PLACES,
    ROWS_AT,
    SOME_AT,
    TRUTH_AT,
    TRUTH_WORDS,
    TRUTHS,
    USED,
    VALUES_AT,
    WHOLES,
    WIDTHS_AT,
    WORD_BITS,
    WRITTEN,
    Sink,
    forget_row,
)


class Columns(NamedTuple):
    """Memory of columns, of which each has words of values and, behind them, of truth."""

    words: NDArray[np.int64]
    halves: NDArray[np.int32]
    """The same memory."""
    octets: NDArray[np.uint8]
    """The same memory; bits stand in it with the least significant one first."""


@part
def write_rows(sink: Sink, columns: Columns, end: int) -> bool:
    """Write the rows before ``end`` that are not written, at most GROUP; whether there was room.

    When there was not, it begins anew: nothing is lost.
    """
    first = sink[WRITTEN]
    count = end - first
    for nth in range(count, GROUP):
        forget_row(sink, ROWS_AT + nth * ROW_PLACES)
    for word in range(TRUTH_WORDS):
        some, each = np.int64(0), np.int64(-1)
        for nth in range(count):
            truth = sink[ROWS_AT + nth * ROW_PLACES + FIELD_COUNT + word]
            some |= truth
            each &= truth
        sink[SOME_AT + word], sink[ALL_AT + word] = some, each
        if some & ~sink[KNOWN_AT + word] and not _meet(sink, columns, word):
            return False
    for nth in range(sink[COLUMNS]):
        number = sink[np.uint64(MADE_AT + nth)]
        word, bit = number >> 6, number & 63
        if not sink[np.uint64(VALUES_AT + number)]:
            each = sink[np.uint64(ALL_AT + word)]
            if each >> bit & 1 and _same(sink, number, count):
                continue
            if not _begin(sink, columns, number, first):
                return False
        if sink[SOME_AT + word] >> bit & 1:
            _write(sink, columns, number, first)
    sink[WRITTEN] = end
    return True


@part
def _meet(sink: Sink, columns: Columns, word: int) -> bool:
    """Fields that rows have for the first time; whether there was room."""
    fresh = sink[SOME_AT + word] & ~sink[KNOWN_AT + word]
    for bit in range(WORD_BITS):
        if fresh >> bit & 1 == 0:
            continue
        number = word * WORD_BITS + bit
        sink[ONLY_AT + number] = sink[ROWS_AT + number]
        if sink[WRITTEN] and not _begin(sink, columns, number, 0):
            return False
        sink[MADE_AT + sink[COLUMNS]] = number
        sink[COLUMNS] += 1
        sink[KNOWN_AT + word] |= np.int64(1) << bit
    return True


@inlined
def _same(sink: Sink, number: int, count: int) -> bool:
    """Whether the first ``count`` rows have the value that all before them have."""
    at, different = np.uint64(ROWS_AT + number), np.int64(0)
    only = sink[np.uint64(ONLY_AT + number)]
    if count == GROUP:  # What is usual is written out.
        for nth in range(GROUP):
            different |= sink[at + np.uint64(nth * ROW_PLACES)] ^ only
    else:
        for nth in range(count):
            different |= sink[at + np.uint64(nth * ROW_PLACES)] ^ only
    return different == 0


@part
def _begin(sink: Sink, columns: Columns, number: int, rows: int) -> bool:
    """Begin the column of a field that all of the first ``rows`` have with the same value.

    Returns whether there was room.
    """
    begin, width = sink[USED], sink[WIDTHS_AT + number]
    truth = begin + sink[TRUTHS] * width
    if truth + sink[TRUTHS] > len(columns.words):
        sink[OVERFLOW] |= CROWDED
        return False
    sink[VALUES_AT + number], sink[TRUTH_AT + number] = begin, truth
    sink[USED] = truth + sink[TRUTHS]
    only = sink[ONLY_AT + number]
    if width == WHOLES:
        columns.words[begin : begin + rows] = only
    elif width == HALVES:
        columns.halves[2 * begin : 2 * begin + rows] = only
    else:
        columns.octets[8 * begin : 8 * begin + (rows >> 3)] = 255 if only else 0
    columns.octets[8 * truth : 8 * truth + (rows >> 3)] = 255
    columns.octets[8 * truth + (rows >> 3) : 8 * (truth + sink[TRUTHS])] = 0
    return True


@inlined
def _write(sink: Sink, columns: Columns, number: int, first: int) -> None:
    """A field of GROUP rows, of which some have it."""
    word, bit = number >> 6, number & 63
    truth = np.int64(255)
    if sink[ALL_AT + word] >> bit & 1 == 0:
        truth = np.int64(0)
        for nth in range(GROUP):
            known = sink[ROWS_AT + nth * ROW_PLACES + FIELD_COUNT + word]
            truth |= (known >> bit & 1) << nth
    columns.octets[8 * sink[TRUTH_AT + number] + (first >> 3)] = truth
    at, begin = np.uint64(ROWS_AT + number), sink[VALUES_AT + number]
    width = sink[WIDTHS_AT + number]
    if width == WHOLES:
        to = np.uint64(begin + first)
        for nth in range(GROUP):
            columns.words[to + np.uint64(nth)] = sink[at + np.uint64(nth * ROW_PLACES)]
    elif width == HALVES:
        to = np.uint64(2 * begin + first)
        for nth in range(GROUP):
            columns.halves[to + np.uint64(nth)] = sink[at + np.uint64(nth * ROW_PLACES)]
    else:
        bits = np.int64(0)
        for nth in range(GROUP):
            bits |= np.int64(sink[at + np.uint64(nth * ROW_PLACES)] != 0) << nth
        columns.octets[8 * begin + (first >> 3)] = bits & truth
