"""Where kernels put what they find.

The first own occurrence of a field goes into a dense array, every other one into a list of events.
Every value is one 64-bit number: a truth value, a number, a code of a text, or a stretch of octets
(its offset in the batch, shifted by SPAN_BITS, and its length).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.numbers import MALFORMED_MARK, MALFORMED_PACKET, field, text

ROW, SIDE, EVENTS, NODE, CURRENT, MARKS, TRIM, DEPTH = range(8)
QUOTE, QUOTE_START, QUOTE_END, QUOTE_LIMIT = range(8, 12)
VERSION, SRC, DST = range(12, 15)
LENGTH, DATA_END, NODES, HEADERS, OVERFLOW, EXPERTS, FLAGS_SHOWN = range(15, 22)
STATES = 22
"""Places of the state: row; 1 while a quoted packet is read; events so far; place in the trie of
protocols; protocol that was entered last; marks of the row; where a network layer cut its packet
(-1: it did not); headers inside one another; a quoted packet that waits (its EtherType or 0, and
its ends); the IP version (0: none yet) and addresses (IPv4: the address, IPv6: its offset) of the
header that carries what is read; octets on the wire; where the frame's octets end; nodes of the
trie; TCP and UDP headers found; whether something did not fit; expert items; whether the row
shows tcp.flags."""

OK, SHORT, MALFORMED, DELEGATE = range(4)
"""How a layer ends: at its end; cut by the capture; ended before its headers; left to another
decoder."""

MALFORMED_ROW, SHORT_ROW, UNDECODED_ROW, DELEGATED_ROW, TAKEN_BACK = 1, 2, 4, 8, 16
"""Marks of a row; TAKEN_BACK: a TCP payload that analysis may take back was named last."""

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


class Sink(NamedTuple):
    """The arrays of one batch."""

    slot: NDArray[np.int32]
    """Field number -> row of ``values``, or -1 when nobody asked for the field."""
    values: NDArray[np.int64]
    """[slot, row]: first own occurrence."""
    valid: NDArray[np.uint8]
    """[slot, row]: whether there is one."""
    counts: NDArray[np.uint8]
    """[side, slot]: occurrences in the row at hand."""
    events: NDArray[np.int64]
    """[event, 3]: row, code (slot, side, occurrence), value."""
    state: NDArray[np.int64]
    trie: NDArray[np.int32]
    """[node, 1 + protocols]: parent, then the child for each protocol; node 0 is the root."""
    paths: NDArray[np.int32]
    """[row]: node of the protocols of the row."""
    marks: NDArray[np.uint8]
    """[row]"""
    headers: NDArray[np.int64]
    """[header, place]: TCP and UDP headers; of no rows when nobody needs them."""
    facts: NDArray[np.int64]
    """[row, fact]: what classification needs; of no rows when nobody asked for it."""


(
    HEADER_ROW, HEADER_TCP, HEADER_QUOTED, HEADER_VERSION, HEADER_SRC_HI, HEADER_SRC_LO,
    HEADER_DST_HI, HEADER_DST_LO, HEADER_SRCPORT, HEADER_DSTPORT, HEADER_SEQ, HEADER_ACK,
    HEADER_FLAGS, HEADER_WINDOW, HEADER_LENGTH, HEADER_CUT, HEADER_SCALE, HEADER_SHOWN,
    HEADER_HANDS_UP,
) = range(19)  # fmt: skip
HEADER_PLACES = 19
"""Places of a header in ``headers``."""

_MALFORMED_FIELD = field("_ws.malformed")
_SHORT_FIELD = field("_ws.short")
_EXPERT, _SEVERITY = field("_ws.expert"), field("_ws.expert.severity")
_GROUP, _MESSAGE = field("_ws.expert.group"), field("_ws.expert.message")
_UNDECODED_FIELD = field("replicap.undecoded")
_DATA_FIELD = field("data")
_EXCEPTION = text("Malformed Packet (Exception occurred)")


@kernel
def put_further(sink: Sink, slot: int, side: int, count: int, value: int) -> None:
    """An occurrence that is not the first own one."""
    at = sink.state[EVENTS]
    if at >= len(sink.events) or count >= MOST_OCCURRENCES:
        sink.state[OVERFLOW] |= 2 if count >= MOST_OCCURRENCES else 1
        return
    sink.events[at, 0] = sink.state[ROW]
    sink.events[at, 1] = (slot << 8) | (side << 7) | count
    sink.events[at, 2] = value
    sink.state[EVENTS] = at + 1


@inlined
def put(sink: Sink, number: int, value: int) -> None:
    """One more occurrence of a field in the row at hand."""
    slot = sink.slot[number]
    if slot < 0:
        return
    side = sink.state[SIDE]
    count = sink.counts[side, slot]
    if side == 0 and count == 0:
        row = sink.state[ROW]
        sink.values[slot, row] = value
        sink.valid[slot, row] = 1
        sink.counts[0, slot] = 1
        return
    sink.counts[side, slot] = count + 1
    put_further(sink, slot, side, count, value)


@inlined
def put_span(sink: Sink, number: int, start: int, size: int) -> None:
    """An occurrence whose value is a stretch of the batch's octets."""
    put(sink, number, (start << SPAN_BITS) | size)


@kernel
def append(sink: Sink, name: int) -> None:
    """``frame.protocols`` goes on with a protocol."""
    state, trie = sink.state, sink.trie
    node = state[NODE]
    following = trie[node, name]
    if following == 0:
        following = state[NODES]
        if following >= len(trie):
            state[OVERFLOW] |= 1
            return
        trie[node, name] = following
        trie[following, 0] = node
        state[NODES] = following + 1
    state[NODE] = following


@inlined
def enter(sink: Sink, name: int) -> None:
    """A dissector is called."""
    append(sink, name)
    sink.state[CURRENT] = name


@inlined
def leave(sink: Sink) -> None:
    """Take the last protocol off the list."""
    sink.state[NODE] = sink.trie[sink.state[NODE], 0]


@kernel
def expert(sink: Sink, severity: int, group: int, message: int) -> None:
    """An expert item; each of group Malformed stands for a ``_ws.malformed`` too."""
    if group == MALFORMED_GROUP:
        put(sink, _MALFORMED_FIELD, MALFORMED_MARK)
        if sink.state[SIDE] == 0:
            sink.state[MARKS] |= MALFORMED_ROW
    put(sink, _EXPERT, 1)
    put(sink, _SEVERITY, severity)
    put(sink, _GROUP, group)
    put(sink, _MESSAGE, message)


@kernel
def ran_out(sink: Sink, status: int) -> None:
    """What is shown when a layer reads further than it can."""
    if status == SHORT:
        put(sink, _SHORT_FIELD, 1)
        sink.state[MARKS] |= SHORT_ROW
    elif status == MALFORMED:
        put(sink, _MALFORMED_FIELD, MALFORMED_PACKET + (sink.state[CURRENT] << 32))
        sink.state[MARKS] |= MALFORMED_ROW
        expert(sink, ERROR, MALFORMED_GROUP, _EXCEPTION)


@kernel
def undecoded(sink: Sink, message: int) -> None:
    """Say what is not seen inside the frame; the first reason stands."""
    state = sink.state
    if state[MARKS] & UNDECODED_ROW:
        return
    state[MARKS] |= UNDECODED_ROW
    side = state[SIDE]
    state[SIDE] = 0
    put(sink, _UNDECODED_FIELD, message)
    state[SIDE] = side


@inlined
def lacks(start: int, end: int, limit: int, count: int) -> int:
    """OK when ``count`` octets are there, else whose fault it is."""
    reach = start + count
    if reach <= end:
        return OK
    return SHORT if reach <= limit else MALFORMED


@inlined
def data(sink: Sink, start: int, limit: int, name: int) -> None:
    """Octets that no dissector claims; nothing when there are none."""
    if limit > start:
        append(sink, name)
        put(sink, _DATA_FIELD, 1)


@inlined
def u16(octets: NDArray[np.uint8], at: int) -> int:
    """Two octets in network order."""
    return (np.int64(octets[at]) << 8) | np.int64(octets[at + 1])


@inlined
def u32(octets: NDArray[np.uint8], at: int) -> int:
    """Four octets in network order."""
    return (u16(octets, at) << 16) | u16(octets, at + 2)


@inlined
def octet_or_0(octets: NDArray[np.uint8], at: int, end: int) -> int:
    """An octet, 0 behind the end: headers that are cut read as if zeros followed."""
    return np.int64(octets[at]) if at < end else np.int64(0)


@inlined
def u16_or_0(octets: NDArray[np.uint8], at: int, end: int) -> int:
    """Two octets in network order, zeros behind the end."""
    return (octet_or_0(octets, at, end) << 8) | octet_or_0(octets, at + 1, end)
