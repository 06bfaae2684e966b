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
from decoders.columnar.prefetching import prefetch
from decoders.columnar.transport import (
    ABSENT,
    ACK,
    COMPLETENESS,
    MARKS,
    NOTHING,
    NUMBERED,
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

NUMBER, SEEN, BASE = 0, 1, 2
NOTES = 4
"""What is noted of an entry: number of the stream; bits of completeness, which of the next two are
known, and what the analysis has; where the numbers of both directions begin, first that from the
lower end. What the analysis notes comes behind."""

_WORD = (1 << 32) - 1
UNSET = -1
"""In place of where numbers begin: it is not known."""

_KNOWN = 6
"""First of the two bits of SEEN that tell what is known; below are those of completeness."""
_COMPLETENESS = (1 << _KNOWN) - 1
NUMBERING, WAITS, TRACED = (1 << 8) - 1, 1 << 8, 1 << 9
"""The bits of SEEN so far; its first segment waits for a second one; the analysis has a trace."""

ENTRIES, TCP_STREAMS, UDP_STREAMS, SEED = range(4)
TABLE_STATES = 4

BLOCK = 32
"""Headers that are begun only when there is room for all of them."""
_AHEAD = 8
"""So many headers before one is numbered what stands at its entry is asked for, and its places in
the index twice as many before: by then they have come from memory, and nothing waits."""

_HASH, ENTRY, _PLACE, TRACE = range(4)
LOOKED = 4
"""What is looked up of a header: the hash of its key, and what :func:`hashing.look` tells; its
trace, or 0."""
RING = 4 * _AHEAD
"""More headers than are looked up at a time; a power of two."""
LAST = RING - 1

Link = tuple[int, int, int, int, int]
"""What the analysis is told of a TCP header: its entry; direction; where its direction's numbers
begin (0: not known); bits of what the header did; where its direction's numbers began before."""

REUSED, OPENED, OPENED_AGAIN, FIRST = 1, 2, 4, 8
"""Reused ports; opened a new conversation of a known key; is a SYN with the number that its
conversation began with; is the first of its key."""


class Table(NamedTuple):
    """All conversations of a capture, TCP and UDP."""

    keys: hashing.Keys
    notes: U32
    """[entry, NOTES or more]"""
    state: I64
    """Entries, TCP and UDP streams so far; seed of the hash."""
    ahead: I64
    """[RING, LOOKED]: what was looked up of headers, each at its number modulo the length."""


@kernel
def annotate(table: Table, headers: I64, cells: I64, start: int) -> int:
    """Fill the cells of headers from ``start`` on; the first header that there is no room for.

    ``cells`` [header, NUMBERED] are written over.
    """
    look_ahead(table, headers, start)
    for first in range(start, len(headers), BLOCK):
        last = min(first + BLOCK, len(headers))
        if not has_room(table, last - first):
            return first
        for at in range(first, last):
            number(table, headers, cells, at, NUMBERED)
    return len(headers)


@inlined
def has_room(table: Table, more: int) -> bool:
    """Whether there is room for so many more entries."""
    entries = table.state[ENTRIES] + more
    return entries <= len(table.notes) and hashing.has_room(table.keys, entries, more)


@part
def look_ahead(table: Table, headers: I64, start: int) -> None:
    """Look up what :func:`number` expects to be looked up of the headers from ``start`` on."""
    for at in range(start, start + 2 * _AHEAD):
        _hash(table, headers, at)
    for at in range(start, start + _AHEAD):
        _look_up(table, headers, at)


@inlined
def _hash(table: Table, headers: I64, at: int) -> None:
    """Hash a header's key, if there is one, and ask for its places in the index."""
    if at < len(headers):
        header = headers[at]
        key = _key(header, _side(header))
        hashed = hashing.hash_of(table.state[SEED], key[0], key[1], key[2], key[3], key[4])
        table.ahead[at & LAST, _HASH] = hashed
        hashing.expect(table.keys.index, hashed)


@inlined
def _look_up(table: Table, headers: I64, at: int) -> None:
    """Look up a header's key, and ask for what stands at its entry."""
    if at < len(headers):
        looked = table.ahead[at & LAST]
        entry, place = hashing.look(table.keys.index, looked[_HASH])
        looked[ENTRY], looked[_PLACE] = entry, place
        if entry >= 0:
            prefetch(table.keys.keys, entry)
            prefetch(table.notes, entry)


@inlined
def number(table: Table, headers: I64, cells: I64, at: int, places: int) -> Link:
    """Fill the cells of a header that was looked up; ``places``: how many it has."""
    header, cell, state = headers[at], cells[at], table.state
    _hash(table, headers, at + 2 * _AHEAD)
    _look_up(table, headers, at + _AHEAD)
    for place in range(places):
        cell[place] = NOTHING
    cell[MARKS] = 0
    side = _side(header)
    key, looked = _key(header, side), table.ahead[at & LAST]
    entry = _known(table, key, looked)
    first = entry < 0
    if first:
        entry = _enter(table, key, looked[_HASH], -1 - entry)
    note = table.notes[entry]
    if not header[HEADER_TCP]:
        if first:
            note[NUMBER] = state[UDP_STREAMS]
            state[UDP_STREAMS] += 1
        cell[STREAM] = note[NUMBER]
        return (entry, side, np.int64(0), np.int64(0), np.int64(UNSET))
    if first:
        return _first_segment(note, state, header, cell, entry, side)
    return _segment(note, state, header, cell, entry, side)


@inlined
def _side(header: I64) -> int:
    """0: from the lower end to the higher one, or both are the same; 1: the other way."""
    if header[HEADER_SRC_HI] != header[HEADER_DST_HI]:
        return 1 if header[HEADER_SRC_HI] > header[HEADER_DST_HI] else 0
    if header[HEADER_SRC_LO] != header[HEADER_DST_LO]:
        return 1 if header[HEADER_SRC_LO] > header[HEADER_DST_LO] else 0
    return 1 if header[HEADER_SRCPORT] > header[HEADER_DSTPORT] else 0


@inlined
def _key(header: I64, side: int) -> hashing.Key:
    """Both ends, the lower one first; chosen without a branch, which nobody could foretell."""
    src_hi, src_lo = header[HEADER_SRC_HI], header[HEADER_SRC_LO]
    dst_hi, dst_lo = header[HEADER_DST_HI], header[HEADER_DST_LO]
    srcport, dstport = header[HEADER_SRCPORT], header[HEADER_DSTPORT]
    ports = dstport << 16 | srcport if side else srcport << 16 | dstport
    return (
        dst_hi if side else src_hi,
        dst_lo if side else src_lo,
        src_hi if side else dst_hi,
        src_lo if side else dst_lo,
        header[HEADER_TCP] << 35 | header[HEADER_VERSION] << 32 | ports,
    )


@inlined
def _known(table: Table, key: hashing.Key, looked: I64) -> int:
    """The entry of a key, or ``-1 - place`` of the index where it belongs."""
    entry, place = looked[ENTRY], looked[_PLACE]
    if entry >= 0 and hashing.same(table.keys, entry, key):
        return entry
    # Since it was looked up, another key may have taken the place, or the same one.
    if place >= 0 and table.keys.index[place] == 0:
        return -1 - place
    return _find(table.keys, key, looked[_HASH])


@part
def _find(keys: hashing.Keys, key: hashing.Key, hashed: int) -> int:
    return hashing.find(keys, key, hashed)


@inlined
def _enter(table: Table, key: hashing.Key, hashed: int, place: int) -> int:
    """The entry of a new key."""
    entry = table.state[ENTRIES]
    table.state[ENTRIES] = entry + 1
    hashing.insert(table.keys, key, hashed, place, entry)
    table.notes[entry, SEEN] = 0
    return entry


@inlined
def _open(note: U32, state: I64, seen: int) -> None:
    """A new conversation of the key."""
    note[NUMBER] = state[TCP_STREAMS]
    state[TCP_STREAMS] += 1
    note[SEEN] = seen


@inlined
def _base(note: U32, side: int) -> int:
    """Where the numbers of a direction begin, or UNSET."""
    known = note[SEEN] >> (_KNOWN + side) & 1
    return np.int64(note[BASE + side]) if known else np.int64(UNSET)


@inlined
def _begin(note: U32, side: int, base: int) -> None:
    note[BASE + side] = base
    note[SEEN] |= 1 << (_KNOWN + side)


@inlined
def _first_segment(note: U32, state: I64, header: I64, cell: I64, entry: int, side: int) -> Link:
    """The same as :func:`_segment` of what knows nothing yet."""
    base, other_base, seen = np.int64(UNSET), np.int64(UNSET), np.int64(0)
    if header[HEADER_LENGTH] != ABSENT:
        base = _own_base(header)
        note[BASE + side] = base
        seen |= 1 << (_KNOWN + side)
        if header[HEADER_FLAGS] & A:
            other_base = _acknowledged_base(header)
            note[BASE + 1 - side] = other_base
            seen |= 1 << (_KNOWN + 1 - side)
    if header[HEADER_SHOWN] or header[HEADER_QUOTED]:
        seen |= _seen_first(header)
    cell[STREAM], cell[COMPLETENESS] = state[TCP_STREAMS], 0
    _open(note, state, seen)
    if not header[HEADER_QUOTED]:
        _numbers(header, cell, base, other_base)
    return (entry, side, max(base, 0), np.int64(FIRST), np.int64(UNSET))


@inlined
def _segment(note: U32, state: I64, header: I64, cell: I64, entry: int, side: int) -> Link:
    before = _base(note, side)
    what = _open_again(note, state, header, side)
    if header[HEADER_LENGTH] != ABSENT:
        _learn_bases(note, header, side)
    cell[STREAM] = note[NUMBER]
    cell[COMPLETENESS] = note[SEEN] & _COMPLETENESS
    if header[HEADER_SHOWN] or header[HEADER_QUOTED]:
        seen = _seen(header)
        if what & OPENED_AGAIN:
            seen &= ~SYN_SEEN
        note[SEEN] |= seen
    base = _base(note, side)
    if not header[HEADER_QUOTED]:
        _numbers(header, cell, base, _base(note, 1 - side))
    return (entry, side, max(base, 0), what, before)


@inlined
def _open_again(note: U32, state: I64, header: I64, side: int) -> int:
    """Rules 5 to 7: a SYN whose direction is known; bits of what it does."""
    known, flags = _base(note, side), header[HEADER_FLAGS]
    if known == UNSET or not flags & SYN:
        return 0
    if known == header[HEADER_SEQ]:
        return 0 if flags & A else OPENED_AGAIN
    if not flags & A:
        _open(note, state, SYN_SEEN | note[SEEN] & (WAITS | TRACED))
        return REUSED | OPENED
    if not header[HEADER_QUOTED]:
        _begin(note, side, header[HEADER_SEQ])
    return REUSED


@inlined
def _own_base(header: I64) -> int:
    """Where a direction begins of which this is the first packet."""
    before = 0 if header[HEADER_FLAGS] & SYN else 1
    return (header[HEADER_SEQ] - before) & _WORD


@inlined
def _acknowledged_base(header: I64) -> int:
    """Where the other direction begins, of which no packet was seen."""
    return (header[HEADER_ACK] - 1) & _WORD


@inlined
def _learn_bases(note: U32, header: I64, side: int) -> None:
    """Rule 9: a direction's own packet, else what the other direction acknowledges."""
    if _base(note, side) == UNSET:
        _begin(note, side, _own_base(header))
    if _base(note, 1 - side) == UNSET and header[HEADER_FLAGS] & A:
        _begin(note, 1 - side, _acknowledged_base(header))


@inlined
def _seen_first(header: I64) -> int:
    """Of a conversation's first packet only a SYN counts, and the data that it carries."""
    if header[HEADER_FLAGS] & (SYN | A) != SYN:
        return 0
    return SYN_SEEN | (DATA_SEEN if header[HEADER_LENGTH] > 0 else 0)


@inlined
def _seen(header: I64) -> int:
    flags = header[HEADER_FLAGS]
    seen = RST_SEEN if flags & RST else 0
    if not flags & A:
        return seen | (SYN_SEEN if flags & SYN else 0)
    if flags & SYN:
        seen |= SYNACK_SEEN
    if flags & FIN:
        seen |= FIN_SEEN
    if header[HEADER_LENGTH] > 0:
        return seen | DATA_SEEN
    return seen if flags & SYN else seen | ACK_SEEN


@inlined
def _numbers(header: I64, cell: I64, base: int, other_base: int) -> None:
    """Numbers relative to their direction's base, raw ones where the length is not known."""
    length, flags = header[HEADER_LENGTH], header[HEADER_FLAGS]
    known = length != ABSENT
    seq = header[HEADER_SEQ]
    if known and base != UNSET:
        seq = (seq - base) & _WORD
    cell[SEQ] = seq
    if not header[HEADER_SHOWN]:
        return
    ack = header[HEADER_ACK]
    if flags & A and known and other_base != UNSET:
        ack = (ack - other_base) & _WORD
    cell[ACK] = ack
    if flags & (SYN | A) == SYN | A and ack > 1:
        cell[MARKS] |= TFO_BIT
    if known:
        extra = 1 if flags & (SYN | FIN) else 0
        cell[NXTSEQ] = (seq + length + extra) & _WORD
