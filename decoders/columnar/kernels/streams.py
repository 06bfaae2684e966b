"""Stream numbers, relative sequence numbers and completeness (Wireshark semantics 2.1, rules 1-10).

A key has one entry. A conversation that opens again under the same key overwrites it: nothing but
its number outlives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.kernels import hashing
from decoders.columnar.kernels.analysis import (
    EXPERTS,
    FLOWS,
    LAST_OWN,
    ROOM,
    SENT,
    TRACES,
    Trail,
    analyse,
    begin,
    forget,
    open_again,
    shaken,
    window_size,
)
from decoders.columnar.kernels.experts import ANALYSIS_BIT, TFO_BIT, item, note_reused
from decoders.columnar.kernels.sink import (
    HEADER_ACK,
    HEADER_CUT,
    HEADER_DST_HI,
    HEADER_DST_LO,
    HEADER_DSTPORT,
    HEADER_FLAGS,
    HEADER_LENGTH,
    HEADER_QUOTED,
    HEADER_ROW,
    HEADER_SEQ,
    HEADER_SHOWN,
    HEADER_SRC_HI,
    HEADER_SRC_LO,
    HEADER_SRCPORT,
    HEADER_TCP,
    HEADER_VERSION,
    NOTE,
)
from decoders.columnar.numbers import CONVERSATION_TEXTS
from decoders.columnar.transport import (
    ABSENT,
    ACK,
    COMPLETENESS,
    MARKS,
    NOTHING,
    NXTSEQ,
    SEQ,
    STREAM,
    WINDOW_SIZE,
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

NUMBER, SEEN, BASE, TRACE = 5, 6, 7, 9
ENTRY = 10
"""Places of an entry behind its key: number of the stream; bits of completeness; where the numbers
of both directions begin, first that from the lower end (UNSET: not known); place in the traces of
the analysis (0: none)."""

UNSET = -1
_WORD = (1 << 32) - 1

ENTRIES, TCP_STREAMS, UDP_STREAMS, SEED = range(4)
TABLE_STATES = 4

_TFO_TEXT = CONVERSATION_TEXTS[15]


class Table(NamedTuple):
    """All conversations of a capture, TCP and UDP."""

    index: I64
    entries: I64
    """[entry, ENTRY]"""
    state: I64
    """Entries, TCP and UDP streams so far; seed of the hash."""


class Frames(NamedTuple):
    """What a batch tells of its rows."""

    first: int
    """``frame.number`` of row 0."""
    time_ns: I64
    timed: NDArray[np.bool_]


@kernel
def annotate(
    table: Table, trail: Trail, headers: I64, frames: Frames, cells: I64, start: int
) -> int:
    """Fill the cells of headers from ``start`` on; the first header that there is no room for."""
    for at in range(start, len(headers)):
        if _full(table, trail):
            return at
        cells[at] = NOTHING
        cells[at, MARKS] = 0
        header = headers[at]
        side = _side(header)
        entry = _entry_of(table, header, side)
        if header[HEADER_TCP]:
            _segment(table, trail, header, frames, cells[at], (entry, side))
        else:
            if table.entries[entry, NUMBER] == UNSET:
                table.entries[entry, NUMBER] = table.state[UDP_STREAMS]
                table.state[UDP_STREAMS] += 1
            cells[at, STREAM] = table.entries[entry, NUMBER]
    return len(headers)


@inlined
def _full(table: Table, trail: Trail) -> bool:
    entries = table.state[ENTRIES] + 1
    if entries > len(table.entries) or 2 * entries > len(table.index):
        return True
    return trail.wanted and _trail_full(trail)


@inlined
def _trail_full(trail: Trail) -> bool:
    return (
        trail.state[TRACES] + ROOM > len(trail.traces)
        or trail.state[FLOWS] + ROOM > len(trail.flows)
        or trail.state[SENT] + ROOM > len(trail.sent)
        or trail.state[EXPERTS] + ROOM > len(trail.experts)
    )


@inlined
def _side(header: I64) -> int:
    """0: from the lower end to the higher one, or both are the same; 1: the other way."""
    if header[HEADER_SRC_HI] != header[HEADER_DST_HI]:
        return 1 if header[HEADER_SRC_HI] > header[HEADER_DST_HI] else 0
    if header[HEADER_SRC_LO] != header[HEADER_DST_LO]:
        return 1 if header[HEADER_SRC_LO] > header[HEADER_DST_LO] else 0
    return 1 if header[HEADER_SRCPORT] > header[HEADER_DSTPORT] else 0


@inlined
def _one_end(header: I64) -> bool:
    return (
        header[HEADER_SRCPORT] == header[HEADER_DSTPORT]
        and header[HEADER_SRC_LO] == header[HEADER_DST_LO]
        and header[HEADER_SRC_HI] == header[HEADER_DST_HI]
    )


@kernel
def _entry_of(table: Table, header: I64, side: int) -> int:
    """The entry of a header's key; a new one has the number UNSET."""
    rest = (header[HEADER_TCP] << 35) | (header[HEADER_VERSION] << 32)
    if side:
        rest |= (header[HEADER_DSTPORT] << 16) | header[HEADER_SRCPORT]
        key = (
            header[HEADER_DST_HI],
            header[HEADER_DST_LO],
            header[HEADER_SRC_HI],
            header[HEADER_SRC_LO],
            rest,
        )
    else:
        rest |= (header[HEADER_SRCPORT] << 16) | header[HEADER_DSTPORT]
        key = (
            header[HEADER_SRC_HI],
            header[HEADER_SRC_LO],
            header[HEADER_DST_HI],
            header[HEADER_DST_LO],
            rest,
        )
    hashed = hashing.hash_of(table.state[SEED], key[0], key[1], key[2], key[3], key[4])
    entry = hashing.find(table.index, table.entries, key, hashed)
    if entry < 0:
        place = -1 - entry
        entry = table.state[ENTRIES]
        table.state[ENTRIES] = entry + 1
        hashing.insert(table.index, table.entries, key, hashed, place, entry)
        table.entries[entry, NUMBER] = UNSET
        table.entries[entry, TRACE] = 0
    return entry


@inlined
def _open(table: Table, entry: int, seen: int) -> None:
    """A new conversation of the key."""
    table.entries[entry, NUMBER] = table.state[TCP_STREAMS]
    table.state[TCP_STREAMS] += 1
    table.entries[entry, SEEN] = seen
    table.entries[entry, BASE] = UNSET
    table.entries[entry, BASE + 1] = UNSET


@kernel
def _segment(
    table: Table, trail: Trail, header: I64, frames: Frames, cells: I64, found: tuple[int, int]
) -> None:
    entry, side = found
    here = table.entries[entry]
    created = here[NUMBER] == UNSET
    if created:
        _open(table, entry, 0)
    flags, known = header[HEADER_FLAGS], here[BASE + side]
    opens = flags & (SYN | A) == SYN
    reused = False
    if known != UNSET and flags & SYN and known != header[HEADER_SEQ]:
        reused = True
        if opens:
            _open(table, entry, SYN_SEEN)
            if trail.wanted:
                forget(trail, here[TRACE])
        elif not header[HEADER_QUOTED]:
            here[BASE + side] = header[HEADER_SEQ]
    again = opens and known == header[HEADER_SEQ]
    other = side if _one_end(header) else 1 - side
    if header[HEADER_LENGTH] != ABSENT:
        _learn_bases(here, header, side, other)
    cells[STREAM] = here[NUMBER]
    cells[COMPLETENESS] = here[SEEN]
    tells = header[HEADER_SHOWN] != 0 or header[HEADER_QUOTED] != 0
    if tells:
        here[SEEN] |= _seen_first(header) if created else _seen(header)
    if not header[HEADER_QUOTED]:
        _numbers(trail, header, cells, here[BASE + side], here[BASE + other])
    if trail.wanted:
        _analysis(trail, header, frames, cells, here, (side, other), reused, again)
        if tells:
            cells[WINDOW_SIZE] = window_size(trail, header, here[TRACE], side)


@inlined
def _learn_bases(here: I64, header: I64, side: int, other: int) -> None:
    """Rule 9: a direction's own packet, else what the other direction acknowledges."""
    if here[BASE + side] == UNSET:
        before = 0 if header[HEADER_FLAGS] & SYN else 1
        here[BASE + side] = (header[HEADER_SEQ] - before) & _WORD
    if here[BASE + other] == UNSET and header[HEADER_FLAGS] & A:
        here[BASE + other] = (header[HEADER_ACK] - 1) & _WORD


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


@kernel
def _numbers(trail: Trail, header: I64, cells: I64, base: int, other_base: int) -> None:
    """Numbers relative to their direction's base, raw ones where the length is not known."""
    length, flags = header[HEADER_LENGTH], header[HEADER_FLAGS]
    known = length != ABSENT
    seq = header[HEADER_SEQ]
    if known and base != UNSET:
        seq = (seq - base) & _WORD
    cells[SEQ] = seq
    if not header[HEADER_SHOWN]:
        return
    ack = header[HEADER_ACK]
    if flags & A and known and other_base != UNSET:
        ack = (ack - other_base) & _WORD
    cells[ACK] = ack
    if flags & (SYN | A) == SYN | A and ack > 1:
        cells[MARKS] |= TFO_BIT
        if trail.wanted:
            item(trail.experts, trail.state, header, NOTE, _TFO_TEXT)
    if known:
        extra = 1 if flags & (SYN | FIN) else 0
        cells[NXTSEQ] = (seq + length + extra) & _WORD


@kernel
def _analysis(
    trail: Trail,
    header: I64,
    frames: Frames,
    cells: I64,
    here: I64,
    sides: tuple[int, int],
    reused: bool,
    again: bool,
) -> None:
    """What the analysis says, and whether the row has ``tcp.analysis``."""
    if here[TRACE] == 0:
        here[TRACE] = begin(trail)
    trace = here[TRACE]
    row = header[HEADER_ROW]
    if again:
        open_again(trail, trace, sides[0])
    if frames.timed[row]:
        shaken(trail, trace, header[HEADER_FLAGS], frames.time_ns[row])
    cut = header[HEADER_CUT] != 0
    number = frames.first + row
    if header[HEADER_LENGTH] != ABSENT:
        now = frames.time_ns[row] if frames.timed[row] else 0
        analyse(trail, header, cells, (trace, sides[0], sides[1]), (number, now), reused,
                max(here[BASE + sides[0]], 0))  # fmt: skip
    elif reused and not cut:
        note_reused(trail.experts, trail.state, header, cells)
    side = LAST_OWN + (1 if header[HEADER_QUOTED] else 0)
    if cells[MARKS] & ANALYSIS_BIT:
        trail.state[side] = number
    elif again and not cut and trail.state[side] != number:
        cells[MARKS] |= ANALYSIS_BIT
        trail.state[side] = number
