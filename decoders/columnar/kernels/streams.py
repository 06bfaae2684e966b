"""Stream numbers, relative sequence numbers and completeness (Wireshark semantics 2.1, rules 1-10).

A key has one entry. A conversation that opens again under the same key overwrites it: nothing but
its number outlives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel, part
from decoders.columnar.kernels import hashing
from decoders.columnar.kernels.experts import TFO_BIT
from decoders.columnar.kernels.sink import (
    HEADER_ACK,
    HEADER_DST_HI,
    HEADER_DST_LO,
    HEADER_DSTPORT,
    HEADER_FLAGS,
    HEADER_LENGTH,
    HEADER_QUOTED,
    HEADER_SEQ,
    HEADER_SHOWN,
    HEADER_SRC_HI,
    HEADER_SRC_LO,
    HEADER_SRCPORT,
    HEADER_TCP,
    HEADER_VERSION,
)
from decoders.columnar.transport import (
    ABSENT,
    ACK,
    COMPLETENESS,
    MARKS,
    NOTHING,
    NXTSEQ,
    SEQ,
    STREAM,
)
from decoders.conversations import (
    ACK_SEEN,
    DATA_SEEN,
    FIN_SEEN,
    RST_SEEN,
    SYN_SEEN,
    SYNACK_SEEN,
)
from decoders.tcp_flags import ACK as A
from decoders.tcp_flags import FIN, RST, SYN

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

NUMBER, SEEN, BASE, TRACE = 0, 1, 2, 4
NOTES = 5
"""What is noted of an entry: number of the stream; bits of completeness, and which of the next two
are known; where the numbers of both directions begin, first that from the lower end; place in the
traces of the analysis, which reads and writes it."""

_WORD = (1 << 32) - 1
UNNUMBERED = _WORD
"""As a number: no packet of the conversation was seen."""
UNSET = -1
"""In place of where numbers begin: it is not known."""

NO_TRACE, WAITS = 0, _WORD
"""As a place in the traces: none yet; none, and its first segment waits for a second one."""

_KNOWN = 6
"""First of the two bits of SEEN that tell what is known; below are those of completeness."""
_COMPLETENESS = (1 << _KNOWN) - 1

ENTRIES, TCP_STREAMS, UDP_STREAMS, SEED, TOUCHED = range(5)
TABLE_STATES = 5

AHEAD = 64
"""Headers whose places in memory are looked up before they are needed: many at a time, the
processor waits for all of them at once."""

LINK_ENTRY, LINK_SIDE, LINK_OTHER, LINK_BASE, LINK_WHAT = range(5)
LINK_PLACES = 5
"""What the analysis is told of a TCP header: its entry; direction and the other one; where its
direction's numbers begin (0: not known); bits of what the header did."""

REUSED, OPENED, OPENED_AGAIN = 1, 2, 4
"""Reused ports; opened a new conversation of a known key; is a SYN with the number that its
conversation began with."""


class Table(NamedTuple):
    """All conversations of a capture, TCP and UDP."""

    keys: hashing.Keys
    notes: U32
    """[entry, NOTES]"""
    state: I64
    """Entries, TCP and UDP streams so far; seed of the hash; what the look ahead came upon."""
    hashes: I64
    """[AHEAD]: those of the headers that are next."""


@kernel
def annotate(table: Table, headers: I64, cells: I64, links: I64, start: int) -> int:
    """Fill the cells of headers from ``start`` on; the first header that there is no room for.

    ``cells`` [header, NUMBERED or more] and ``links`` [header, LINK_PLACES] are written over; links
    may be of no rows.
    """
    keys, notes, state, hashes = table
    for at in range(start, len(headers)):
        if state[ENTRIES] >= len(notes) or not hashing.has_room(keys, state[ENTRIES] + 1, 1):
            return at
        nth = (at - start) % AHEAD
        if nth == 0:
            _look_ahead(keys, notes, state, headers, at, hashes)
        for place in range(cells.shape[1]):
            cells[at, place] = NOTHING
        cells[at, MARKS] = 0
        side = _side(headers, at)
        entry = _entry_of(keys, notes, state, _key(headers, at, side), hashes[nth])
        if headers[at, HEADER_TCP]:
            _segment(notes, state, headers, cells, links, at, entry, side)
        else:
            if notes[entry, NUMBER] == UNNUMBERED:
                notes[entry, NUMBER] = state[UDP_STREAMS]
                state[UDP_STREAMS] += 1
            cells[at, STREAM] = notes[entry, NUMBER]
    return len(headers)


@part
def _look_ahead(
    table: hashing.Keys, notes: U32, state: I64, headers: I64, start: int, hashes: I64
) -> None:
    """Hash the next keys, and read what stands at their places."""
    count = min(AHEAD, len(headers) - start)
    index, keys = table.index, table.keys
    seed, mask, touched = state[SEED], len(index) - 1, np.int64(0)
    for nth in range(count):
        at = start + nth
        key = _key(headers, at, _side(headers, at))
        hashes[nth] = hashing.hash_of(seed, key[0], key[1], key[2], key[3], key[4])
    for nth in range(count):
        touched ^= index[hashes[nth] & mask]
    for nth in range(count):
        entry = hashing.first_entry(index, hashes[nth])
        if entry >= 0:
            touched ^= keys[entry, 0] ^ np.int64(notes[entry, NUMBER])
    state[TOUCHED] = touched


@inlined
def _side(headers: I64, at: int) -> int:
    """0: from the lower end to the higher one, or both are the same; 1: the other way."""
    if headers[at, HEADER_SRC_HI] != headers[at, HEADER_DST_HI]:
        return 1 if headers[at, HEADER_SRC_HI] > headers[at, HEADER_DST_HI] else 0
    if headers[at, HEADER_SRC_LO] != headers[at, HEADER_DST_LO]:
        return 1 if headers[at, HEADER_SRC_LO] > headers[at, HEADER_DST_LO] else 0
    return 1 if headers[at, HEADER_SRCPORT] > headers[at, HEADER_DSTPORT] else 0


@inlined
def _key(headers: I64, at: int, side: int) -> hashing.Key:
    """Both ends, the lower one first."""
    rest = (headers[at, HEADER_TCP] << 35) | (headers[at, HEADER_VERSION] << 32)
    if side:
        return (
            headers[at, HEADER_DST_HI],
            headers[at, HEADER_DST_LO],
            headers[at, HEADER_SRC_HI],
            headers[at, HEADER_SRC_LO],
            rest | (headers[at, HEADER_DSTPORT] << 16) | headers[at, HEADER_SRCPORT],
        )
    return (
        headers[at, HEADER_SRC_HI],
        headers[at, HEADER_SRC_LO],
        headers[at, HEADER_DST_HI],
        headers[at, HEADER_DST_LO],
        rest | (headers[at, HEADER_SRCPORT] << 16) | headers[at, HEADER_DSTPORT],
    )


@inlined
def _entry_of(keys: hashing.Keys, notes: U32, state: I64, key: hashing.Key, hashed: int) -> int:
    """The entry of a key; a new one is UNNUMBERED."""
    entry = hashing.find(keys, key, hashed)
    if entry < 0:
        place = -1 - entry
        entry = state[ENTRIES]
        state[ENTRIES] = entry + 1
        hashing.insert(keys, key, hashed, place, entry)
        notes[entry, NUMBER] = UNNUMBERED
        notes[entry, TRACE] = NO_TRACE
    return entry


@inlined
def _open(notes: U32, state: I64, entry: int, seen: int) -> None:
    """A new conversation of the key."""
    notes[entry, NUMBER] = state[TCP_STREAMS]
    state[TCP_STREAMS] += 1
    notes[entry, SEEN] = seen


@inlined
def _base(notes: U32, entry: int, side: int) -> int:
    """Where the numbers of a direction begin, or UNSET."""
    known = notes[entry, SEEN] >> (_KNOWN + side) & 1
    return np.int64(notes[entry, BASE + side]) if known else np.int64(UNSET)


@inlined
def _begin(notes: U32, entry: int, side: int, base: int) -> None:
    notes[entry, BASE + side] = base
    notes[entry, SEEN] |= 1 << (_KNOWN + side)


@inlined
def _segment(
    notes: U32,
    state: I64,
    headers: I64,
    cells: I64,
    links: I64,
    at: int,
    entry: int,
    side: int,
) -> None:
    created = notes[entry, NUMBER] == UNNUMBERED
    if created:
        _open(notes, state, entry, 0)
    what = _open_again(notes, state, headers, at, entry, side)
    other = 1 - side
    if headers[at, HEADER_LENGTH] != ABSENT:
        _learn_bases(notes, headers, at, entry, side, other)
    cells[at, STREAM] = notes[entry, NUMBER]
    cells[at, COMPLETENESS] = notes[entry, SEEN] & _COMPLETENESS
    if headers[at, HEADER_SHOWN] or headers[at, HEADER_QUOTED]:
        seen = _seen_first(headers, at) if created else _seen(headers, at)
        if what & OPENED_AGAIN:
            seen &= ~SYN_SEEN
        notes[entry, SEEN] |= seen
    base = _base(notes, entry, side)
    if not headers[at, HEADER_QUOTED]:
        _numbers(headers, cells, at, base, _base(notes, entry, other))
    if len(links):
        links[at, LINK_ENTRY] = entry
        links[at, LINK_SIDE] = side
        links[at, LINK_OTHER] = other
        links[at, LINK_BASE] = max(base, 0)
        links[at, LINK_WHAT] = what


@inlined
def _open_again(notes: U32, state: I64, headers: I64, at: int, entry: int, side: int) -> int:
    """Rules 5 to 7: a SYN whose direction is known; bits of what it does."""
    known, flags = _base(notes, entry, side), headers[at, HEADER_FLAGS]
    if known == UNSET or not flags & SYN:
        return 0
    if known == headers[at, HEADER_SEQ]:
        return 0 if flags & A else OPENED_AGAIN
    if not flags & A:
        _open(notes, state, entry, SYN_SEEN)
        return REUSED | OPENED
    if not headers[at, HEADER_QUOTED]:
        _begin(notes, entry, side, headers[at, HEADER_SEQ])
    return REUSED


@inlined
def _learn_bases(notes: U32, headers: I64, at: int, entry: int, side: int, other: int) -> None:
    """Rule 9: a direction's own packet, else what the other direction acknowledges."""
    if _base(notes, entry, side) == UNSET:
        before = 0 if headers[at, HEADER_FLAGS] & SYN else 1
        _begin(notes, entry, side, (headers[at, HEADER_SEQ] - before) & _WORD)
    if _base(notes, entry, other) == UNSET and headers[at, HEADER_FLAGS] & A:
        _begin(notes, entry, other, (headers[at, HEADER_ACK] - 1) & _WORD)


@inlined
def _seen_first(headers: I64, at: int) -> int:
    """Of a conversation's first packet only a SYN counts, and the data that it carries."""
    if headers[at, HEADER_FLAGS] & (SYN | A) != SYN:
        return 0
    return SYN_SEEN | (DATA_SEEN if headers[at, HEADER_LENGTH] > 0 else 0)


@inlined
def _seen(headers: I64, at: int) -> int:
    flags = headers[at, HEADER_FLAGS]
    seen = RST_SEEN if flags & RST else 0
    if not flags & A:
        return seen | (SYN_SEEN if flags & SYN else 0)
    if flags & SYN:
        seen |= SYNACK_SEEN
    if flags & FIN:
        seen |= FIN_SEEN
    if headers[at, HEADER_LENGTH] > 0:
        return seen | DATA_SEEN
    return seen if flags & SYN else seen | ACK_SEEN


@inlined
def _numbers(headers: I64, cells: I64, at: int, base: int, other_base: int) -> None:
    """Numbers relative to their direction's base, raw ones where the length is not known."""
    length, flags = headers[at, HEADER_LENGTH], headers[at, HEADER_FLAGS]
    known = length != ABSENT
    seq = headers[at, HEADER_SEQ]
    if known and base != UNSET:
        seq = (seq - base) & _WORD
    cells[at, SEQ] = seq
    if not headers[at, HEADER_SHOWN]:
        return
    ack = headers[at, HEADER_ACK]
    if flags & A and known and other_base != UNSET:
        ack = (ack - other_base) & _WORD
    cells[at, ACK] = ack
    if flags & (SYN | A) == SYN | A and ack > 1:
        cells[at, MARKS] |= TFO_BIT
    if known:
        extra = 1 if flags & (SYN | FIN) else 0
        cells[at, NXTSEQ] = (seq + length + extra) & _WORD
