"""Where kernels put what they find.

The first own occurrence of a field stands in its row until eight rows are written into columns (see
decoders.columnar.kernels.columns), every other one goes into a list of events. Every value is one
64-bit number: a truth value, a number, a code of a text, or a stretch of octets (its offset in the
batch, shifted by SPAN_BITS, and its length).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACTS
from decoders.columnar.jit import inlined, part
from decoders.columnar.numbers import (
    FIELD_NAMES,
    LOOKED_INTO,
    MALFORMED_MARK,
    MALFORMED_PACKET,
    PROTOCOL_NAMES,
    field,
    text,
)

ROW, SIDE, EVENTS, NODE, CURRENT, MARKS, TRIM, DEPTH = range(8)
NEXT, NEXT_START, NEXT_END, NEXT_LIMIT, PROTO, QUOTES = range(8, 14)
VERSION, SRC, DST, LENGTH, DATA_END = range(14, 19)
NODES, HEADERS, OVERFLOW, EXPERT_WANTED, EXCESS, HEADER_SEEN = range(19, 25)
LEFT, LEFT_CUT, LEFT_LIMIT, LEFT_NAMED, LEFT_FCS = range(25, 30)
FRAME_START, FRAME_END, FRAME_LIMIT, HEADERS_WANTED, FACTS_WANTED = range(30, 35)
OCTETS_WANTED, NOTES = 35, 36
OWN, PLACE, WRITTEN, COLUMNS, USED, TRUTHS = range(37, 43)
EVENTS_BEFORE, EVENTS_AT, EVENTS_ROOM, NODES_ROOM = range(43, 47)
STATES = 47
"""Places of a sink that hold its state.

The row at hand; 1 while a quoted packet is read; events so far; node of the row's protocols; the
protocol entered last; marks of the row; where a network layer cut its packet (-1: it did not);
headers inside one another. What comes next: an EtherType (0: nothing) and its octets, or an IP
protocol number (-1: none) of the same octets; whether what comes next is quoted. The IP version
(0: none yet) and addresses (IPv4: the address, IPv6: its offset) around what is read; octets on the
wire; where the frame's octets end. Nodes of the trie, TCP and UDP headers, what did not fit;
whether somebody asked for expert items; whether a field of the row has too many occurrences;
whether it has a TCP or UDP header with a stream. What is looked
at behind the payload: NOTHING_LEFT, BEHIND_PACKET or BEHIND_LENGTH, where a length cuts it, where
it could have ended, whether a trailer has a field, octets of FCS (-1: not known), and the frame
around; whether somebody needs headers, and facts, and octets of protocols; protocols of the row.
All bits while the packet itself is read, none while a quoted one is; where the row stands; rows
that are written into columns; fields that any row has, and words of columns in use; words that hold
a bit for each row. Events before the row; where events are, and for how many of them and of the
trie's nodes there is room.
"""

NOTHING_LEFT, BEHIND_PACKET, BEHIND_LENGTH = range(3)

OK, SHORT, MALFORMED, DELEGATE = range(4)
"""How a layer ends: at its end; cut by the capture; ended before its headers; left to another
decoder."""

MALFORMED_ROW, SHORT_ROW, UNDECODED_ROW, DELEGATED_ROW = 1, 2, 4, 8
"""Marks of a row."""

ANOTHERS = 255
"""A port whose payload is left to another decoder."""

SPAN_BITS = 20
MOST_OCCURRENCES = 60
"""Own or quoted occurrences that a kernel puts; frames with more are left to another decoder."""

CHAT, NOTE, WARNING, ERROR = 0x200000, 0x400000, 0x600000, 0x800000
CHECKSUM_GROUP, SEQUENCE, UNDECODED, MALFORMED_GROUP = (
    0x01000000,
    0x02000000,
    0x05000000,
    0x07000000,
)
PROTOCOL_GROUP, DEPRECATED = 0x09000000, 0x0E000000
"""Severities and groups of expert items, in Wireshark's numbers."""

V6_ADDRESS = 1 << 62
"""In the code of an address that is printed: an offset follows, not an IPv4 address."""


class Rows(NamedTuple):
    """What is found of each row of a batch besides its values."""

    paths: NDArray[np.int32]
    """[row]: node of the protocols of the row."""
    marks: NDArray[np.uint8]
    """[row]"""
    headers: NDArray[np.int64]
    """[header, HEADER_PLACES]: TCP and UDP headers; of no rows when nobody needs them."""
    facts: NDArray[np.int64]
    """[row, FACTS]: what classification reads; of no rows when nobody asks for it."""


(
    HEADER_ROW, HEADER_TCP, HEADER_QUOTED, HEADER_VERSION, HEADER_SRC_HI, HEADER_SRC_LO,
    HEADER_DST_HI, HEADER_DST_LO, HEADER_SRCPORT, HEADER_DSTPORT, HEADER_SEQ, HEADER_ACK,
    HEADER_FLAGS, HEADER_WINDOW, HEADER_LENGTH, HEADER_CUT, HEADER_SCALE, HEADER_SHOWN,
    HEADER_HANDS_UP,
) = range(19)  # fmt: skip
HEADER_PLACES = 19
"""Places of a header in ``headers``."""

NOBODY, AS_DATA, BY_NAME = range(3)
"""Who gets a TCP payload: what stands in HEADER_HANDS_UP."""

MOST_NOTED = 128
"""Protocols of one frame whose octets are noted; frames with more are left to another decoder."""

UDP_HEADERS, TCP_HEADERS = 1, 2
"""Bits of HEADERS_WANTED."""

WIDTH = 1 + len(PROTOCOL_NAMES)
"""Entries of a node of the trie."""

Sink = NDArray[np.int64]
"""Where layers put what they find in one frame, and what they know: one array, so that it is
handed on cheaply. Its parts, one behind another:

state (STATES places); the TCP or UDP header of the row (HEADER_PLACES); its facts (FACTS of
decoders.columnar.classes); for each field the words that values of 64 rows take in its column, 0
when nobody asked for it; for each field where in the columns its values are, or 0, and its truth;
the value that all rows have while it has no place there; the fields that any row has, as bits and
in the order of their appearance; fields that some and that all of the rows to be written have; for
each field and side the row (shifted by COUNT_BITS) that had it last as an event, and how often it
has it; protocols of the row that have octets: field and side, start, end, octets of their own;
GROUP rows, of each a value for every field and a bit for every field that has one; the ports (side
<< 16 | port): the protocol that claims each, 0, or ANOTHERS; the trie of protocols (node * WIDTH):
parent, then the child for each protocol, of which node 0 is the root; the events, all occurrences
but the first own ones: row, code (field, side, occurrence), value. The trie and the events may
grow.

The layer of an expert item is put as the node of the protocols at work, which tells it.
"""

WORD_BITS = 64
"""Bits of a word."""
GROUP = 8
"""Rows that are written into columns at a time: their truth is one octet."""
COUNT_BITS = 7
EVENT = 3
"""Places of an event."""
FULL, CROWDED = 1, 2
"""What did not fit: an event or a node; a column."""

WHOLES, HALVES, BITS = 64, 32, 1
"""Words that values of 64 rows take: numbers of 64 and of 32 bits, and truth values."""

FIELD_COUNT = len(FIELD_NAMES)
TRUTH_WORDS = -(-FIELD_COUNT // WORD_BITS)
"""Words with a bit for each field."""
ROW_PLACES = FIELD_COUNT + TRUTH_WORDS

HEADER_AT = STATES
FACTS_AT = HEADER_AT + HEADER_PLACES
WIDTHS_AT = FACTS_AT + FACTS
VALUES_AT = WIDTHS_AT + FIELD_COUNT
TRUTH_AT = VALUES_AT + FIELD_COUNT
ONLY_AT = TRUTH_AT + FIELD_COUNT
MADE_AT = ONLY_AT + FIELD_COUNT
KNOWN_AT = MADE_AT + FIELD_COUNT
SOME_AT = KNOWN_AT + TRUTH_WORDS
ALL_AT = SOME_AT + TRUTH_WORDS
COUNTS_AT = ALL_AT + TRUTH_WORDS
NOTED_AT = COUNTS_AT + 2 * FIELD_COUNT
ROWS_AT = NOTED_AT + 4 * (MOST_NOTED + 1)
PORTS_AT = ROWS_AT + GROUP * ROW_PLACES
TRIE_AT = PORTS_AT + (2 << 16)

_MALFORMED_FIELD = field("_ws.malformed")
_SHORT_FIELD = field("_ws.short")
_EXPERT, _SEVERITY = field("_ws.expert"), field("_ws.expert.severity")
_GROUP, _MESSAGE = field("_ws.expert.group"), field("_ws.expert.message")
_LAYER = field("replicap.expert.layer")
_UNDECODED_FIELD = field("replicap.undecoded")
_DATA_FIELD = field("data")
_EXCEPTION = text("Malformed Packet (Exception occurred)")

_LOOKED_INTO = np.full((len(FIELD_NAMES), 3), -1, np.int64)
_LOOKED_INTO[list(LOOKED_INTO)] = list(LOOKED_INTO.values())


@inlined
def put(sink: Sink, number: int, value: int) -> None:
    """One more occurrence of a field in the row at hand."""
    if sink[WIDTHS_AT + number]:
        at = np.uint64(sink[PLACE] + FIELD_COUNT + (number >> 6))
        truth = sink[at]
        with_it = truth | (sink[OWN] & (np.int64(1) << (number & 63)))
        if with_it != truth:
            sink[at] = with_it
            sink[np.uint64(sink[PLACE] + number)] = value
        else:
            _put_again(sink, number, value)


@part
def _put_again(sink: Sink, number: int, value: int) -> None:
    """An occurrence that is not the first own one."""
    side, row = sink[SIDE], sink[ROW]
    last = COUNTS_AT + 2 * number + side
    count = 1 - side
    if sink[last] >> COUNT_BITS == row:
        count = sink[last] & ((1 << COUNT_BITS) - 1)
    if count >= MOST_OCCURRENCES:
        sink[EXCESS] = 1
        return
    if sink[EVENTS] >= sink[EVENTS_ROOM]:
        sink[OVERFLOW] |= FULL
        return
    event = sink[EVENTS_AT] + sink[EVENTS] * EVENT
    sink[event] = row
    sink[event + 1] = (number << 8) | (side << 7) | count
    sink[event + 2] = value
    sink[EVENTS] += 1
    sink[last] = (row << COUNT_BITS) | (count + 1)


@inlined
def begin_row(sink: Sink, row: int) -> None:
    """What is put from now on is put into a row."""
    sink[ROW], sink[PLACE] = row, ROWS_AT + row % GROUP * ROW_PLACES
    forget_row(sink, sink[PLACE])
    sink[EVENTS_BEFORE], sink[EXCESS] = sink[EVENTS], 0
    turn_to(sink, 0)


@inlined
def forget_row(sink: Sink, place: int) -> None:
    """The row that stands at ``place`` has no field."""
    for word in range(TRUTH_WORDS):
        sink[place + FIELD_COUNT + word] = 0


@inlined
def turn_to(sink: Sink, side: int) -> None:
    """What is read belongs to the packet (0), or to one that it quotes (1)."""
    sink[SIDE] = side
    sink[OWN] = 0 if side else -1


@part
def take_back(sink: Sink) -> None:
    """The row at hand has nothing."""
    turn_to(sink, 0)
    forget_row(sink, sink[PLACE])
    if sink[EVENTS] != sink[EVENTS_BEFORE]:
        for last in range(COUNTS_AT, NOTED_AT):
            sink[last] = -1
        sink[EVENTS] = sink[EVENTS_BEFORE]


@inlined
def put_span(sink: Sink, number: int, start: int, size: int) -> None:
    """An occurrence whose value is a stretch of the batch's octets."""
    put(sink, number, (start << SPAN_BITS) | size)


@part
def _grow(sink: Sink, name: int) -> int:
    """A new node of the trie; the same one when there is no room."""
    node, following = sink[NODE], sink[NODES]
    if following >= sink[NODES_ROOM]:
        sink[OVERFLOW] |= FULL
        return node
    sink[TRIE_AT + node * WIDTH + name] = following
    sink[TRIE_AT + following * WIDTH] = node
    sink[NODES] = following + 1
    return following


@inlined
def item(sink: Sink, present: int, start: int, end: int, size: int) -> None:
    """A protocol is present; ``size`` octets are its own, what it carries follows them."""
    put(sink, present, 1)
    if sink[OCTETS_WANTED]:
        at = NOTED_AT + 4 * min(sink[NOTES], MOST_NOTED)
        sink[at], sink[at + 1] = (present << 1) | sink[SIDE], start
        sink[at + 2], sink[at + 3] = end, size
        sink[NOTES] += 1


@part
def look_into(sink: Sink) -> bool:
    """Put the octets of all protocols of the row; whether there was room to note them."""
    notes = sink[NOTES]
    if notes > MOST_NOTED:
        return False
    for at in range(NOTED_AT, NOTED_AT + 4 * notes, 4):
        present = sink[at] >> 1
        turn_to(sink, sink[at] & 1)
        start, size = sink[at + 1], sink[at + 3]
        captured = max(sink[at + 2] - start, 0)
        put_span(sink, _LOOKED_INTO[present, 0], start, captured)
        put_span(sink, _LOOKED_INTO[present, 1], start, min(size, captured))
        put(sink, _LOOKED_INTO[present, 2], size)
    return True


@inlined
def append(sink: Sink, name: int) -> None:
    """``frame.protocols`` goes on with a protocol."""
    following = sink[np.uint64(TRIE_AT + sink[NODE] * WIDTH + name)]
    if following == 0:
        following = _grow(sink, name)
    sink[NODE] = following


@inlined
def enter(sink: Sink, name: int) -> None:
    """A dissector is called."""
    append(sink, name)
    sink[CURRENT] = name


@inlined
def leave(sink: Sink) -> None:
    """Take the last protocol off the list."""
    sink[NODE] = sink[TRIE_AT + sink[NODE] * WIDTH]


@inlined
def go_on(sink: Sink, kind: int, start: int, end: int, limit: int) -> None:
    """What comes next is a packet of an EtherType."""
    sink[NEXT] = kind
    sink[NEXT_START] = start
    sink[NEXT_END] = end
    sink[NEXT_LIMIT] = limit


@inlined
def go_on_with_protocol(sink: Sink, proto: int, start: int, end: int, limit: int) -> None:
    """What comes next is what an IP packet carries."""
    sink[PROTO] = proto
    sink[NEXT_START] = start
    sink[NEXT_END] = end
    sink[NEXT_LIMIT] = limit


@inlined
def expert(sink: Sink, severity: int, group: int, message: int) -> None:
    """An expert item; each of group Malformed stands for a ``_ws.malformed`` too."""
    if group == MALFORMED_GROUP or sink[EXPERT_WANTED]:
        _expert(sink, severity, group, message)


@part
def _expert(sink: Sink, severity: int, group: int, message: int) -> None:
    if group == MALFORMED_GROUP:
        put(sink, _MALFORMED_FIELD, MALFORMED_MARK)
        if sink[SIDE] == 0:
            sink[MARKS] |= MALFORMED_ROW
    put(sink, _EXPERT, 1)
    put(sink, _SEVERITY, severity)
    put(sink, _GROUP, group)
    put(sink, _MESSAGE, message)
    put(sink, _LAYER, sink[NODE])


@part
def ran_out(sink: Sink, status: int) -> None:
    """What is shown when a layer reads further than it can."""
    if status == SHORT:
        put(sink, _SHORT_FIELD, 1)
        sink[MARKS] |= SHORT_ROW
    elif status == MALFORMED:
        put(sink, _MALFORMED_FIELD, MALFORMED_PACKET + (sink[CURRENT] << 32))
        sink[MARKS] |= MALFORMED_ROW
        expert(sink, ERROR, MALFORMED_GROUP, _EXCEPTION)


@part
def undecoded(sink: Sink, message: int) -> None:
    """Say what is not seen inside the frame; the first reason stands."""
    if sink[MARKS] & UNDECODED_ROW:
        return
    sink[MARKS] |= UNDECODED_ROW
    side = sink[SIDE]
    turn_to(sink, 0)
    put(sink, _UNDECODED_FIELD, message)
    turn_to(sink, side)


@inlined
def lacks(start: int, end: int, limit: int, count: int) -> int:
    """OK when ``count`` octets are there, else whose fault it is."""
    reach = start + count
    if reach <= end:
        return OK
    return SHORT if reach <= limit else MALFORMED


@inlined
def data(sink: Sink, start: int, end: int, limit: int, name: int) -> None:
    """Octets that no dissector claims; nothing when there are none."""
    if limit > start:
        append(sink, name)
        item(sink, _DATA_FIELD, start, end, limit - start)


@inlined
def u8(octets: NDArray[np.uint8], at: int) -> int:
    """An octet."""
    # An index without a sign is not looked at for counting from the end.
    return np.int64(octets[np.uint64(at)])


@inlined
def u16(octets: NDArray[np.uint8], at: int) -> int:
    """Two octets in network order."""
    first = np.uint64(at)
    return (np.int64(octets[first]) << 8) | np.int64(octets[first + np.uint64(1)])


@inlined
def u32(octets: NDArray[np.uint8], at: int) -> int:
    """Four octets in network order."""
    first = np.uint64(at)
    high = (np.int64(octets[first]) << 24) | (np.int64(octets[first + np.uint64(1)]) << 16)
    low = np.int64(octets[first + np.uint64(2)]) << 8 | np.int64(octets[first + np.uint64(3)])
    return high | low


@inlined
def octet_or_0(octets: NDArray[np.uint8], at: int, end: int) -> int:
    """An octet, 0 behind the end: headers that are cut read as if zeros followed."""
    return u8(octets, at) if at < end else np.int64(0)


@inlined
def u16_or_0(octets: NDArray[np.uint8], at: int, end: int) -> int:
    """Two octets in network order, zeros behind the end."""
    return (octet_or_0(octets, at, end) << 8) | octet_or_0(octets, at + 1, end)
