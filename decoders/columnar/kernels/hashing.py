"""Open addressing: keys of five numbers -> entries, in time that does not depend on their count.

A table is an index and its keys. ``index`` holds, at the place that a key's hash tells or behind
it, the hash and the entry's number, or 0; its length is a power of two. ``keys`` holds the key of
each entry in KEY numbers: two addresses of 32 bits side by side and the rest; of longer addresses
only where they stand in ``wide``. Numbers of entries never change, so that other arrays may be
indexed by them.

The hash starts from a seed that differs from process to process: what a capture holds cannot be
made to collide beforehand. No result depends on the hash.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel

I64 = NDArray[np.int64]

Key = tuple[int, int, int, int, int]
"""Both halves of two addresses, and the rest: below 2^62."""

KEY, WIDE = 2, 4
"""Places of a key, and of two addresses of 128 bits."""

_IS_WIDE = 1 << 62

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


class Keys(NamedTuple):
    """The keys of a table."""

    index: I64
    keys: I64
    """[entry, KEY]"""
    wide: I64
    """[row, WIDE]: addresses of 128 bits; the first number tells how many rows are used."""


@inlined
def _is_narrow(key: Key) -> bool:
    return (key[0] | key[2]) == 0 and (key[1] | key[3]) >> 32 == 0


@inlined
def _same(table: Keys, entry: int, key: Key) -> bool:
    held, rest = table.keys[entry, 0], table.keys[entry, 1]
    if rest == key[4]:
        return _is_narrow(key) and held == (key[1] << 32) | key[3]
    if rest != key[4] | _IS_WIDE:
        return False
    wide = table.wide
    return (
        wide[held, 1] == key[1]
        and wide[held, 3] == key[3]
        and wide[held, 0] == key[0]
        and wide[held, 2] == key[2]
    )


@inlined
def find(table: Keys, key: Key, hashed: int) -> int:
    """The number of a key's entry, or ``-1 - place`` of the index where it belongs."""
    index = table.index
    mask = len(index) - 1
    place = hashed & mask
    while True:
        held = index[place]
        if held == 0:
            return -1 - place
        if held >> _ENTRY_BITS == hashed:
            entry = (held & _ENTRY_MASK) - 1
            if _same(table, entry, key):
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
    table: Keys,
    key: Key,
    hashed: int,
    place: int,
    entry: int,
) -> None:
    """Enter a key that :func:`find` did not find, under the number of a new entry."""
    table.index[place] = (hashed << _ENTRY_BITS) | (entry + 1)
    keys, wide = table.keys, table.wide
    if _is_narrow(key):
        keys[entry, 0] = (key[1] << 32) | key[3]
        keys[entry, 1] = key[4]
        return
    row = wide[0, 0]
    wide[0, 0] = row + 1
    for half in range(WIDE):
        wide[row, half] = key[half]
    keys[entry, 0] = row
    keys[entry, 1] = key[4] | _IS_WIDE


@inlined
def has_room(table: Keys, entries: int, more: int) -> bool:
    """Whether there may be so many entries, and ``more`` wide ones than there are."""
    fits = entries <= len(table.keys) and table.wide[0, 0] + more <= len(table.wide)
    return fits and 8 * entries <= 5 * len(table.index)


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


FIRST_ENTRIES = 1024


def octets(table: Keys) -> int:
    """Octets that a table takes."""
    return sum(array.nbytes for array in table)


def first_keys() -> Keys:
    """A table without entries."""
    wide = np.zeros((64, WIDE), np.int64)
    wide[0, 0] = 1
    keys = np.empty((FIRST_ENTRIES, KEY), np.int64)
    return Keys(np.zeros(2 * FIRST_ENTRIES, np.int64), keys, wide)


def grown(table: Keys, entries: int, more: int) -> Keys:
    """The table, with room for so many entries and ``more`` wide ones than there are.

    Raises MemoryError for more entries than can be told apart (2^31).
    """
    if entries >= MOST_ENTRIES:
        raise MemoryError("more conversations than can be told apart")
    index = table.index
    while 8 * entries > 5 * len(index):
        larger = np.zeros(2 * len(index), np.int64)
        rehash(index, larger)
        index = larger
    wide = with_room(table.wide, int(table.wide[0, 0]) + more)
    return Keys(index, with_room(table.keys, entries), wide)


Array = TypeVar("Array", NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8])


def with_room(array: Array, rows: int) -> Array:
    """The array, made an eighth longer, or longer still, where it has not ``rows`` rows.

    Nobody else may hold a view of it: its memory grows in place where the system can.
    """
    if rows > len(array):
        array.resize((max(rows, len(array) * 9 // 8), *array.shape[1:]), refcheck=False)
    return array
