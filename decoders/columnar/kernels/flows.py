"""What TCP analysis remembers: traces of conversations, flows, segments nobody acknowledged.

A trace stands for a conversation, a flow for each direction that sent something; segments are
linked lists. Flow 0 stands for a direction that sent nothing; it is read and never written. Segment
0 ends a list.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel, part
from decoders.columnar.kernels.sink import HEADER_ACK, HEADER_FLAGS, HEADER_LENGTH
from decoders.columnar.transport import (
    ACK_RTT,
    ACKS_FRAME,
    BYTES_IN_FLIGHT,
    NOTHING,
    PUSH_BYTES_SENT,
)
from decoders.tcp_analysis import LARGEST_IN_FLIGHT, UNKNOWN_WINDOW
from decoders.tcp_flags import ACK, FIN, PSH, SYN

I64 = NDArray[np.int64]

SYN_TIME, FIRST_RTT, FLOW, SCALE = 0, 1, 2, 4
TRACE_PLACES = 6
"""Places of a trace. Times are 0 when unknown, as in Wireshark; FLOW and SCALE stand there for
each direction (FLOW 0: it sent nothing)."""

(
    NEXT, NEXT_TIME, NEXT_FRAME, MAXACK, LASTACK, LASTACK_TIME, WINDOW, DUP, NONDUP, LASTMARKS,
    BROKEN, PUSHED, PUSH_ENDED, FIN_SENT, UNSHIFTED, HEAD, TAIL, COUNT,
    SPAN_BASE, SPAN_TAIL, SPAN_FIRST, SPAN_LAST, CLEANED_ACK, CLEANED_COUNT,
) = range(24)  # fmt: skip
FLOW_PLACES = 24
"""Places of a flow. BROKEN: octets in flight are not known; FIN_SENT: it closes first;
UNSHIFTED: sent a SYN and, after it, no packet with ACK and without SYN. HEAD, TAIL, COUNT: its
segments that nobody acknowledged. SPAN: base of the numbers, segment up to which was counted (0:
none), first and last number. CLEANED: the ACK that acknowledged last, and how many segments it
left."""

SENT_FRAME, SENT_SEQ, SENT_END, SENT_TIME, FOLLOWING = range(5)
SENT_PLACES = 5

TRACES, FLOWS, SENT, EXPERTS, FREE, LAST_OWN, LAST_QUOTED = range(7)
TRAIL_STATES = 7
"""Traces, flows and segments used so far; expert items of the batch; first of the segments that
were given back; frames whose own and quoted fields were the last to have ``tcp.analysis``."""

ROOM = 20
"""More than a header needs of any of the tables."""

HALF, WORD, MODULUS = 1 << 31, (1 << 32) - 1, 1 << 32


TRACE, WAITING_FRAME, WAITING_TIME_HI, WAITING_TIME_LO, WAITING_REST = 4, 4, 5, 6, 7
ANALYSED_NOTES = 8
"""What is noted of an entry behind what :mod:`decoders.columnar.kernels.streams` notes: its trace.
Before it has one, its first segment, when that is a SYN or RST without payload, of which there is
nothing to say: most conversations of a scan never see a second one. REST: the window; above it a
bit each for the direction, whether it has a time, SYN, RST and ACK; above these the window scale
+ 2. Its numbers are told by where those of the directions begin."""


class Frames(NamedTuple):
    """What a batch tells of its rows."""

    first: int
    """``frame.number`` of row 0."""
    time_ns: I64
    timed: NDArray[np.bool_]


class Again(NamedTuple):
    """One header, read again: what waited."""

    headers: I64
    cells: I64


class Trail(NamedTuple):
    """What the analysis remembers of a capture."""

    traces: I64
    flows: I64
    sent: I64
    experts: I64
    state: I64
    again: Again


@inlined
def after(a: int, b: int) -> bool:
    """Serial arithmetic of 32 bits; true of both orders at a distance of 2^31."""
    return (b - a) & HALF != 0


@part
def forget(flows: I64, sent: I64, state: I64, flow: int) -> None:
    """The conversation of a flow is over: one that begins now takes its place."""
    if flow == 0:
        return
    tail = flows[flow, TAIL]
    if tail:
        sent[tail, FOLLOWING] = state[FREE]
        state[FREE] = flows[flow, HEAD]
    clear(flows, flow)


@kernel
def clear(flows: I64, flow: int) -> None:
    """A flow that sent nothing."""
    for place in range(FLOW_PLACES):
        flows[flow, place] = 0
    flows[flow, WINDOW] = UNKNOWN_WINDOW


@inlined
def add_flow(flows: I64, state: I64) -> int:
    """The number of a new flow."""
    flow = state[FLOWS]
    state[FLOWS] = flow + 1
    clear(flows, flow)
    return flow


@inlined
def append(sent: I64, state: I64, flows: I64, flow: int) -> int:
    """A place at the end of a flow's list."""
    place = state[FREE]
    if place:
        state[FREE] = sent[place, FOLLOWING]
    else:
        place = state[SENT]
        state[SENT] = place + 1
    sent[place, FOLLOWING] = 0
    if flows[flow, TAIL]:
        sent[flows[flow, TAIL], FOLLOWING] = place
    else:
        flows[flow, HEAD] = place
    flows[flow, TAIL] = place
    flows[flow, COUNT] += 1
    return place


@part
def acknowledge(
    sent: I64, state: I64, headers: I64, at: int, flows: I64, flow: int, cells: I64, now: int
) -> None:
    """Rule 16: give back what this packet acknowledges of the other side's flow."""
    ack, count = headers[at, HEADER_ACK], flows[flow, COUNT]
    if headers[at, HEADER_FLAGS] & ACK:
        flows[flow, BROKEN] = 0
    if count == 0 or (flows[flow, CLEANED_COUNT] == count and flows[flow, CLEANED_ACK] == ack):
        return
    _drop_acknowledged(sent, state, flows, flow, ack, cells, at, now)
    if flows[flow, COUNT] != count:
        flows[flow, BROKEN] = 0
    flows[flow, SPAN_TAIL] = 0
    flows[flow, CLEANED_ACK], flows[flow, CLEANED_COUNT] = ack, flows[flow, COUNT]


@part
def _drop_acknowledged(
    sent: I64, state: I64, flows: I64, flow: int, ack: int, cells: I64, at: int, now: int
) -> None:
    last, place = 0, flows[flow, HEAD]
    while place:
        seq, end, following = sent[place, SENT_SEQ], sent[place, SENT_END], sent[place, FOLLOWING]
        keep = False
        if ack == end:
            if cells[at, ACKS_FRAME] == NOTHING:
                cells[at, ACKS_FRAME] = sent[place, SENT_FRAME]
                if now != sent[place, SENT_TIME]:
                    cells[at, ACK_RTT] = now - sent[place, SENT_TIME]
        elif after(ack, seq) and not after(ack, end):
            sent[place, SENT_SEQ] = ack
            keep = True
        else:
            keep = after(end, ack)
        if keep:
            last = place
        else:
            if last:
                sent[last, FOLLOWING] = following
            else:
                flows[flow, HEAD] = following
            sent[place, FOLLOWING] = state[FREE]
            state[FREE] = place
            flows[flow, COUNT] -= 1
        place = following
    flows[flow, TAIL] = last


@part
def in_flight(
    sent: I64, headers: I64, at: int, flows: I64, forward: int, cells: I64, base: int
) -> None:
    """Octets sent and not acknowledged, and octets since the last PSH."""
    length, flags = headers[at, HEADER_LENGTH], headers[at, HEADER_FLAGS]
    if length == 0 or flows[forward, COUNT] == 0 or flows[forward, BROKEN]:
        return
    _count_span(sent, flows, forward, base)
    octets = flows[forward, SPAN_LAST] - flows[forward, SPAN_FIRST]
    if flags & (SYN | FIN):
        octets -= 1
    if octets <= 0 or octets >= LARGEST_IN_FLIGHT:
        return
    flows[forward, PUSHED] = (
        length if flows[forward, PUSH_ENDED] else flows[forward, PUSHED] + length
    )
    flows[forward, PUSH_ENDED] = 1 if flags & PSH else 0
    cells[at, BYTES_IN_FLIGHT] = octets
    cells[at, PUSH_BYTES_SENT] = flows[forward, PUSHED]


@inlined
def _count_span(sent: I64, flows: I64, flow: int, base: int) -> None:
    """Go on from the segment up to which was counted: a list grows at its end only."""
    if flows[flow, SPAN_TAIL] == 0 or flows[flow, SPAN_BASE] != base:
        flows[flow, SPAN_BASE], flows[flow, SPAN_FIRST], flows[flow, SPAN_LAST] = base, MODULUS, 0
        place = flows[flow, HEAD]
    else:
        place = sent[flows[flow, SPAN_TAIL], FOLLOWING]
    while place:
        flows[flow, SPAN_FIRST] = min(
            flows[flow, SPAN_FIRST], (sent[place, SENT_SEQ] - base) & WORD
        )
        flows[flow, SPAN_LAST] = max(flows[flow, SPAN_LAST], (sent[place, SENT_END] - base) & WORD)
        flows[flow, SPAN_TAIL] = place
        place = sent[place, FOLLOWING]
