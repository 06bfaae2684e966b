"""Open addressing: keys of five numbers -> entries, in time that does not depend on their count.

A table is two arrays. ``index`` holds, at the place that a key's hash tells or behind it, the hash
and the entry's number, or 0; its length is a power of two, and at most half of it is used.
``entries`` holds one row an entry, the key in its first KEY places. Numbers of entries never
change, so that other arrays may hold them.

The hash starts from a seed that differs from process to process: what a capture holds cannot be
made to collide beforehand. No result depends on the hash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel

I64 = NDArray[np.int64]

KEY = 5
"""Numbers of a key: both halves of two addresses, and the rest."""

_ENTRY_BITS = 31
_ENTRY_MASK = (1 << _ENTRY_BITS) - 1
_WORD = (1 << 32) - 1

MOST_ENTRIES = _ENTRY_MASK - 1


@inlined
def _stir(state: int, word: int) -> int:
    """One round over 32 bits; the factor is below 2^31, so that nothing overflows."""
    state ^= word & _WORD
    state ^= state >> 16
    state = (state * 0x21F0AAAD) & _WORD
    return state ^ (state >> 15)


@inlined
def hash_of(seed: int, a_hi: int, a_lo: int, b_hi: int, b_lo: int, rest: int) -> int:
    """A hash of 32 bits; addresses below 2^32 take half the time."""
    state = _stir(_stir(seed, a_lo), b_lo)
    state = _stir(_stir(state, rest), rest >> 32)
    if a_hi != 0 or b_hi != 0 or (a_lo | b_lo) >> 32 != 0:
        state = _stir(_stir(state, a_lo >> 32), b_lo >> 32)
        state = _stir(_stir(state, a_hi), a_hi >> 32)
        state = _stir(_stir(state, b_hi), b_hi >> 32)
    state = (state * 0x735A2D97) & _WORD
    return state ^ (state >> 15)


@inlined
def _same(entries: I64, entry: int, key: tuple[int, int, int, int, int]) -> bool:
    return (
        entries[entry, 1] == key[1]
        and entries[entry, 3] == key[3]
        and entries[entry, 4] == key[4]
        and entries[entry, 0] == key[0]
        and entries[entry, 2] == key[2]
    )


@inlined
def find(index: I64, entries: I64, key: tuple[int, int, int, int, int], hashed: int) -> int:
    """The number of a key's entry, or ``-1 - place`` of the index where it belongs."""
    mask = len(index) - 1
    place = hashed & mask
    while True:
        held = index[place]
        if held == 0:
            return -1 - place
        if held >> _ENTRY_BITS == hashed:
            entry = (held & _ENTRY_MASK) - 1
            if _same(entries, entry, key):
                return entry
        place = (place + 1) & mask


@inlined
def first_entry(index: I64, hashed: int) -> int:
    """The entry at the first place that a hash tells; -1: there is none, or one of another hash."""
    held = index[hashed & (len(index) - 1)]
    if held >> _ENTRY_BITS != hashed:
        return -1
    return (held & _ENTRY_MASK) - 1


@inlined
def insert(
    index: I64,
    entries: I64,
    key: tuple[int, int, int, int, int],
    hashed: int,
    place: int,
    entry: int,
) -> None:
    """Enter a key that :func:`find` did not find, under the number of a new entry."""
    index[place] = (hashed << _ENTRY_BITS) | (entry + 1)
    entries[entry, 0] = key[0]
    entries[entry, 1] = key[1]
    entries[entry, 2] = key[2]
    entries[entry, 3] = key[3]
    entries[entry, 4] = key[4]


@kernel
def rehash(old: I64, new: I64) -> None:
    """Enter all of an index into a larger one, which is all 0."""
    mask = len(new) - 1
    for held in old:
        if held != 0:
            place = (held >> _ENTRY_BITS) & mask
            while new[place] != 0:
                place = (place + 1) & mask
            new[place] = held


def larger_index(index: I64) -> I64:
    """An index of twice the length."""
    larger = np.zeros(2 * len(index), np.int64)
    rehash(index, larger)
    return larger


def with_room(array: I64, rows: int) -> I64:
    """The array, made a quarter longer, or longer still, where it has not ``rows`` rows.

    Nobody else may hold a view of it: its memory grows in place where the system can.
    """
    if rows > len(array):
        array.resize((max(rows, len(array) * 5 // 4), array.shape[1]), refcheck=False)
    return array
