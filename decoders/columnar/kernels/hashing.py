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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.prefetching import prefetch

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
def same(table: Keys, entry: int, key: Key) -> bool:
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
            if same(table, entry, key):
                return entry
        place = (place + 1) & mask


_LOOKED_AT = 4
"""Places of the index that :func:`look` looks at."""


@inlined
def expect(index: I64, hashed: int) -> None:
    """Ask for what :func:`look` will look at."""
    mask = len(index) - 1
    prefetch(index, hashed & mask)
    prefetch(index, (hashed + _LOOKED_AT - 1) & mask)


@inlined
def look(index: I64, hashed: int) -> tuple[int, int]:
    """What a key's hash tells without its key: the entry that it may be, or -1; else where it
    belongs, or -1.

    Only the first places are looked at, all of them and without a branch: nobody could foretell
    which is the first that is free.
    """
    mask = len(index) - 1
    place = hashed & mask
    a, b = index[place], index[(place + 1) & mask]
    c, d = index[(place + 2) & mask], index[(place + 3) & mask]
    full_a = 1 if a != 0 else 0
    full_b = full_a if b != 0 else 0
    full_c = full_b if c != 0 else 0
    full_d = full_c if d != 0 else 0
    held = d if d >> _ENTRY_BITS == hashed else 0
    held = c if c >> _ENTRY_BITS == hashed else held
    held = b if b >> _ENTRY_BITS == hashed else held
    held = a if a >> _ENTRY_BITS == hashed else held
    free = (place + full_a + full_b + full_c) & mask
    return (held & _ENTRY_MASK) - 1, -1 if held != 0 or full_d != 0 else free


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
def spread(index: I64, before: int, some: I64) -> None:
    """Enter what stands at the first ``before`` places anew: the index has become twice as long.

    The other half is all 0; ``some`` may be of any length and is written over. Whoever enters a
    place at or before its own again breaks nobody's chain: therefore from a free place on, and
    once more what has then come around the end.
    """
    free = 0
    while index[free] != 0:
        free += 1
    for first in range(free, before, len(some)):
        _enter_again(index, first, min(first + len(some), before), some)
    for first in range(0, free, len(some)):
        _enter_again(index, first, min(first + len(some), free), some)
    while index[free] != 0:
        _enter_again(index, free, free + 1, some)
        free += 1


@inlined
def _enter_again(index: I64, first: int, last: int, some: I64) -> None:
    """Without a branch for each place: nobody could foretell which is free."""
    mask, count = len(index) - 1, 0
    for place in range(first, last):
        some[count] = index[place]
        count += 1 if index[place] != 0 else 0
        index[place] = 0
    for nth in range(count):
        place = (some[nth] >> _ENTRY_BITS) & mask
        while index[place] != 0:
            place = (place + 1) & mask
        index[place] = some[nth]
