"""TCP analysis (Wireshark semantics 7.1): retransmissions, lost segments, duplicate ACKs, windows.

State is kept in three tables: a trace for each conversation, a flow for each direction that sent
something, and, as linked lists, the segments that nobody acknowledged. Flow 0 stands for a
direction that sent nothing; it is read and never written. Segment 0 ends a list.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.kernels.experts import (
    ACK_LOST,
    ANALYSIS_BIT,
    DUPLICATE_ACK,
    FAST_RETRANSMISSION,
    KEEP_ALIVE,
    KEEP_ALIVE_ACK,
    LOST,
    OUT_OF_ORDER,
    RETRANSMISSION,
    REUSED_PORTS,
    SPURIOUS_RETRANSMISSION,
    TFO_BIT,
    WINDOW_FULL,
    WINDOW_UPDATE,
    ZERO_WINDOW,
    ZERO_WINDOW_PROBE,
    ZERO_WINDOW_PROBE_ACK,
    note_fast_open,
    note_fin,
    note_marks,
    note_reused,
)
from decoders.columnar.kernels.sink import (
    HEADER_ACK,
    HEADER_CUT,
    HEADER_FLAGS,
    HEADER_HANDS_UP,
    HEADER_LENGTH,
    HEADER_QUOTED,
    HEADER_ROW,
    HEADER_SCALE,
    HEADER_SEQ,
    HEADER_SHOWN,
    HEADER_TCP,
    HEADER_WINDOW,
)
from decoders.columnar.kernels.streams import (
    LINK_BASE,
    LINK_ENTRY,
    LINK_OTHER,
    LINK_SIDE,
    LINK_WHAT,
    OPENED,
    OPENED_AGAIN,
    REUSED,
    TRACE,
)
from decoders.columnar.transport import (
    ABSENT,
    ACK_RTT,
    ACKS_FRAME,
    BYTES_IN_FLIGHT,
    DUPLICATE_ACK_FRAME,
    DUPLICATE_ACK_NUM,
    INITIAL_RTT,
    MARKS,
    NOTHING,
    PUSH_BYTES_SENT,
    RTO,
    RTO_FRAME,
    TAKES_BACK,
    WINDOW_SIZE,
)
from decoders.tcp_analysis import (
    ALL_ACKNOWLEDGED,
    DEFAULT_RTT_NS,
    FAST_NS,
    LARGEST_IN_FLIGHT,
    MOST_UNACKED,
    NO_SCALING,
    UNKNOWN_SCALE,
    UNKNOWN_WINDOW,
)
from decoders.tcp_flags import ACK, FIN, PSH, RST, SYN

I64 = NDArray[np.int64]

SYN_TIME, FIRST_RTT, FLOW, SCALE = 0, 1, 2, 4
TRACE_PLACES = 6
"""Places of a trace. Times are 0 when unknown, as in Wireshark; FLOW and SCALE stand there for
each direction."""

(
    NEXT, NEXT_TIME, NEXT_FRAME, MAXACK, LASTACK, LASTACK_TIME, WINDOW, DUP, NONDUP, LASTMARKS,
    BROKEN, PUSHED, PUSH_ENDED, FIN_SENT, UNSHIFTED, HEAD, TAIL, COUNT,
    SPAN_BASE, SPAN_TAIL, SPAN_FIRST, SPAN_LAST, CLEANED_ACK, CLEANED_COUNT,
) = range(24)  # fmt: skip
FLOW_PLACES = 24
"""Places of a flow. BROKEN: octets in flight are not known; UNSHIFTED: sent a SYN and, after it, no
packet with ACK and without SYN. HEAD, TAIL, COUNT: its segments that nobody acknowledged. SPAN:
base of the numbers, segment up to which was counted (0: none), first and last number. CLEANED: the
ACK that acknowledged last, and how many segments it left."""

SENT_FRAME, SENT_SEQ, SENT_END, SENT_TIME, FOLLOWING = range(5)
SENT_PLACES = 5

TRACES, FLOWS, SENT, EXPERTS, FREE, LAST_OWN, LAST_QUOTED = range(7)
TRAIL_STATES = 7
"""Traces, flows and segments used so far; expert items of the batch; first of the segments that
were given back; frames whose own and quoted fields were the last to have ``tcp.analysis``."""

ROOM = 20
"""More than a header needs of any of the tables."""

HALF, WORD, MODULUS = 1 << 31, (1 << 32) - 1, 1 << 32

_TAKEN_BACK = RETRANSMISSION | OUT_OF_ORDER | KEEP_ALIVE


class Frames(NamedTuple):
    """What a batch tells of its rows."""

    first: int
    """``frame.number`` of row 0."""
    time_ns: I64
    timed: NDArray[np.bool_]


class Trail(NamedTuple):
    """What the analysis remembers of a capture."""

    traces: I64
    flows: I64
    sent: I64
    experts: I64
    state: I64


@inlined
def _after(a: int, b: int) -> bool:
    """Serial arithmetic of 32 bits; true of both orders at a distance of 2^31."""
    return (b - a) & HALF != 0


@kernel
def annotate(
    trail: Trail, entries: I64, headers: I64, frames: Frames, cells: I64, links: I64, start: int
) -> int:
    """Analyse the TCP headers from ``start`` on; the first header that there is no room for.

    ``cells`` [header, ANALYSED] and ``links`` are as :func:`streams.annotate` left them;
    ``entries`` are those of its table.
    """
    state = trail.state
    for at in range(start, len(headers)):
        if (
            state[TRACES] + ROOM > len(trail.traces)
            or state[FLOWS] + ROOM > len(trail.flows)
            or state[SENT] + ROOM > len(trail.sent)
            or state[EXPERTS] + ROOM > len(trail.experts)
        ):
            return at
        if headers[at, HEADER_TCP]:
            trace = _trace_of(trail, entries, links[at])
            _segment(trail, headers[at], frames, cells[at], links[at], trace)
    return len(headers)


@kernel
def _trace_of(trail: Trail, entries: I64, link: I64) -> int:
    """The trace of a header's conversation; a new one when there is none."""
    trace = entries[link[LINK_ENTRY], TRACE]
    if trace == 0:
        trace = trail.state[TRACES]
        trail.state[TRACES] = trace + 1
        _blank(trail.traces[trace])
        entries[link[LINK_ENTRY], TRACE] = trace
    elif link[LINK_WHAT] & OPENED:
        _forget(trail, trace)
    return trace


@inlined
def _blank(trace: I64) -> None:
    trace[:] = 0
    trace[SCALE] = UNKNOWN_SCALE
    trace[SCALE + 1] = UNKNOWN_SCALE


@kernel
def _segment(trail: Trail, header: I64, frames: Frames, cells: I64, link: I64, trace: int) -> None:
    """What the analysis says of a header, and whether the row has ``tcp.analysis``."""
    row, side = header[HEADER_ROW], link[LINK_SIDE]
    cut, quoted = header[HEADER_CUT] != 0, header[HEADER_QUOTED] != 0
    number = frames.first + row
    if cells[MARKS] & TFO_BIT:
        note_fast_open(trail.experts, trail.state, header)
    if link[LINK_WHAT] & OPENED_AGAIN:
        _open_again(trail, trace, side)
    if frames.timed[row]:
        _shaken(trail, trace, header[HEADER_FLAGS], frames.time_ns[row])
    if header[HEADER_LENGTH] != ABSENT:
        now = frames.time_ns[row] if frames.timed[row] else 0
        _analyse(trail, header, cells, link, trace, (number, now))
    elif link[LINK_WHAT] & REUSED and not cut:
        note_reused(trail.experts, trail.state, header, cells)
    place = LAST_QUOTED if quoted else LAST_OWN
    if link[LINK_WHAT] & OPENED_AGAIN and not cut and trail.state[place] != number:
        cells[MARKS] |= ANALYSIS_BIT
    if cells[MARKS] & ANALYSIS_BIT:
        trail.state[place] = number
    if header[HEADER_SHOWN] or quoted:
        cells[WINDOW_SIZE] = _window_size(trail, header, trace, side)


@kernel
def _forget(trail: Trail, trace: int) -> None:
    """The conversation of a trace is over: a new one takes its place."""
    flows = trail.traces[trace, FLOW], trail.traces[trace, FLOW + 1]
    _blank(trail.traces[trace])
    for side in range(2):
        flow = flows[side]
        if flow == 0:
            continue
        tail = trail.flows[flow, TAIL]
        if tail:
            trail.sent[tail, FOLLOWING] = trail.state[FREE]
            trail.state[FREE] = trail.flows[flow, HEAD]
        _clear(trail.flows[flow])
        trail.traces[trace, FLOW + side] = flow


@inlined
def _clear(flow: I64) -> None:
    flow[:] = 0
    flow[WINDOW] = UNKNOWN_WINDOW


@kernel
def _open_again(trail: Trail, trace: int, side: int) -> None:
    """A SYN with the number that the conversation began with."""
    flow = trail.flows[trail.traces[trace, FLOW + side]]
    flow[NEXT] = flow[MAXACK]


@kernel
def _shaken(trail: Trail, place: int, flags: int, now: int) -> None:
    """Time from the last SYN to the first packet with ACK and without SYN."""
    trace = trail.traces[place]
    if not flags & ACK:
        if flags & SYN:
            trace[SYN_TIME] = now
    elif not flags & SYN and trace[SYN_TIME] != 0 and trace[FIRST_RTT] == 0:
        trace[FIRST_RTT] = now - trace[SYN_TIME]


@kernel
def _window_size(trail: Trail, header: I64, trace: int, side: int) -> int:
    """The window in octets: scaled, except in a SYN (RFC 7323 section 2.2)."""
    scale = trail.traces[trace, SCALE + side]
    if header[HEADER_FLAGS] & SYN or scale < 0:
        return header[HEADER_WINDOW]
    return header[HEADER_WINDOW] << scale


@kernel
def _analyse(
    trail: Trail, header: I64, cells: I64, link: I64, place: int, frame: tuple[int, int]
) -> None:
    """Judge a segment of known payload length and remember it; ``frame``: its number and time."""
    side, other = link[LINK_SIDE], link[LINK_OTHER]
    number, now = frame
    trace = trail.traces[place]
    if trace[FLOW + side] == 0:
        _add_flow(trail, trace, side)
    forward, backward = trail.flows[trace[FLOW + side]], trail.flows[trace[FLOW + other]]
    flags = header[HEADER_FLAGS]
    if flags & SYN:
        _learn_scale(header, trace, side, other)
    marks = REUSED_PORTS if link[LINK_WHAT] & REUSED else 0
    probe = _is_probe(header, forward, backward)
    if probe:
        marks |= ZERO_WINDOW_PROBE
    else:
        marks |= _window_marks(header, forward, backward, cells, trace[SCALE + other])
    if header[HEADER_ACK] != forward[LASTACK]:
        forward[NONDUP], forward[DUP] = number, 0
    marks |= _acknowledges_lost(header, backward)
    if (header[HEADER_LENGTH] or flags & (SYN | FIN)) and not marks & KEEP_ALIVE:
        marks |= _sent_again(trail, header, forward, backward, cells, now, trace[FIRST_RTT])
    _remember(trail, header, forward, frame, probe, marks)
    if trace[FLOW + other] != 0:
        _acknowledge(trail, header, backward, cells, now)
    _in_flight(trail, header, forward, cells, link[LINK_BASE])
    _shift(forward, flags)
    if marks & _TAKEN_BACK and header[HEADER_HANDS_UP]:
        cells[MARKS] |= TAKES_BACK
    _show(trail, header, cells, marks, trace, backward[FIN_SENT] != 0)
    if flags & FIN:
        forward[FIN_SENT] = 1


@kernel
def _add_flow(trail: Trail, trace: I64, side: int) -> None:
    flow = trail.state[FLOWS]
    trail.state[FLOWS] = flow + 1
    _clear(trail.flows[flow])
    trace[FLOW + side] = flow


@inlined
def _learn_scale(header: I64, trace: I64, side: int, other: int) -> None:
    """Of a SYN; without the option neither direction scales (RFC 7323 section 1.3)."""
    if header[HEADER_SCALE] >= 0:
        trace[SCALE + side] = header[HEADER_SCALE]
    elif not header[HEADER_CUT]:
        trace[SCALE + side] = NO_SCALING
        trace[SCALE + other] = NO_SCALING


@inlined
def _shift(forward: I64, flags: int) -> None:
    if flags & SYN:
        forward[UNSHIFTED] = 1
    elif flags & ACK:
        forward[UNSHIFTED] = 0


@inlined
def _is_probe(header: I64, forward: I64, backward: I64) -> bool:
    return (
        header[HEADER_LENGTH] == 1 and header[HEADER_SEQ] == forward[NEXT] and backward[WINDOW] == 0
    )


@kernel
def _window_marks(header: I64, forward: I64, backward: I64, cells: I64, scale: int) -> int:
    """Rules 2 to 8; ``scale`` is the other side's."""
    flags, seq, length = header[HEADER_FLAGS], header[HEADER_SEQ], header[HEADER_LENGTH]
    window, following = header[HEADER_WINDOW], forward[NEXT]
    marks = 0
    if following != 0 and not flags & RST and _after(seq, following):
        marks |= LOST
        forward[BROKEN] = 1
    if flags & (SYN | FIN | RST):
        return marks
    if window == 0:
        marks |= ZERO_WINDOW
    if length <= 1 and seq == (following - 1) & WORD:
        marks |= KEEP_ALIVE
    if length:
        if _fills_window(seq + length, backward, scale):
            marks |= WINDOW_FULL
    elif seq == following and header[HEADER_ACK] == forward[LASTACK]:
        if window == forward[WINDOW]:
            marks |= _repeated_ack(window, forward, backward, cells)
        elif window:
            marks |= WINDOW_UPDATE
    return marks


@inlined
def _fills_window(end: int, backward: I64, scale: int) -> bool:
    """Rule 6: the segment ends where the other side's window does."""
    if scale == UNKNOWN_SCALE or backward[WINDOW] == UNKNOWN_WINDOW:
        return False
    shift = scale if scale > 0 and not backward[UNSHIFTED] else 0
    return (end - backward[LASTACK] - (backward[WINDOW] << shift)) & WORD == 0


@inlined
def _repeated_ack(window: int, forward: I64, backward: I64, cells: I64) -> int:
    """Rules 7, 7b and 8: the same ACK again."""
    if window == 0:
        return ZERO_WINDOW_PROBE_ACK if backward[LASTMARKS] & ZERO_WINDOW_PROBE else 0
    if backward[LASTMARKS] & KEEP_ALIVE:
        return KEEP_ALIVE_ACK
    forward[DUP] = 1 if forward[DUP] == ALL_ACKNOWLEDGED else forward[DUP] + 1
    cells[DUPLICATE_ACK_NUM] = forward[DUP]
    cells[DUPLICATE_ACK_FRAME] = forward[NONDUP]
    return DUPLICATE_ACK


@inlined
def _acknowledges_lost(header: I64, backward: I64) -> int:
    """Rule 10: an ACK for what was not captured."""
    highest = backward[MAXACK]
    if highest == 0 or not header[HEADER_FLAGS] & ACK or not _after(header[HEADER_ACK], highest):
        return 0
    if _after(backward[NEXT], highest):
        backward[MAXACK] = backward[NEXT]
        return ACK_LOST
    first = backward[DUP] == 0
    backward[DUP] = ALL_ACKNOWLEDGED
    return ACK_LOST if first else 0


@kernel
def _sent_again(
    trail: Trail, header: I64, forward: I64, backward: I64, cells: I64, now: int, rtt: int
) -> int:
    """Rule 11: the retransmission group; the first that applies ends it."""
    seq, length, following = header[HEADER_SEQ], header[HEADER_LENGTH], forward[NEXT]
    end = (seq + length) & WORD
    if length and backward[LASTACK] != 0 and not _after(end, backward[LASTACK]):
        return SPURIOUS_RETRANSMISSION | RETRANSMISSION
    if following == 0 or not _after(following, seq):
        return 0
    if length > 1 and seq == (following - 1) & WORD:
        return 0
    duplicates = backward[DUP] >= 2 or backward[DUP] == ALL_ACKNOWLEDGED
    if duplicates and seq == backward[LASTACK] and 0 <= now - backward[LASTACK_TIME] < FAST_NS:
        return FAST_RETRANSMISSION | RETRANSMISSION
    if header[HEADER_FLAGS] & (SYN | FIN):
        end = (end + 1) & WORD
    patience = DEFAULT_RTT_NS if rtt == 0 else rtt
    if end != following and 0 <= now - forward[NEXT_TIME] < patience:
        return OUT_OF_ORDER
    _time_out(trail, forward, cells, now)
    return RETRANSMISSION


@inlined
def _time_out(trail: Trail, forward: I64, cells: I64, now: int) -> None:
    """Since the oldest segment that nobody acknowledged, else since the newest one."""
    frame, since = forward[NEXT_FRAME], forward[NEXT_TIME]
    oldest = forward[HEAD]
    if oldest:
        frame, since = trail.sent[oldest, SENT_FRAME], trail.sent[oldest, SENT_TIME]
    if now != since:
        cells[RTO_FRAME] = frame
        cells[RTO] = now - since


@kernel
def _remember(
    trail: Trail, header: I64, forward: I64, frame: tuple[int, int], probe: bool, marks: int
) -> None:
    """Rules 12 to 15."""
    number, now = frame
    seq, takes_one = header[HEADER_SEQ], header[HEADER_FLAGS] & (SYN | FIN) != 0
    end = (seq + header[HEADER_LENGTH]) & WORD
    if (header[HEADER_LENGTH] or takes_one) and forward[COUNT] < MOST_UNACKED:
        end = (end + 1) & WORD if takes_one else end
        _append(trail, forward, (number, seq, end, now))
    if not probe:
        if forward[NEXT] == 0 or _after(end, forward[NEXT]):
            forward[NEXT], forward[NEXT_TIME], forward[NEXT_FRAME] = end, now, number
        if forward[MAXACK] == 0 or seq == forward[MAXACK]:
            forward[MAXACK] = forward[NEXT]
    forward[WINDOW] = header[HEADER_WINDOW]
    forward[LASTACK] = header[HEADER_ACK]
    forward[LASTACK_TIME] = now
    forward[LASTMARKS] = marks


@kernel
def _append(trail: Trail, flow: I64, segment: tuple[int, int, int, int]) -> None:
    sent, state = trail.sent, trail.state
    place = state[FREE]
    if place:
        state[FREE] = sent[place, FOLLOWING]
    else:
        place = state[SENT]
        state[SENT] = place + 1
    for at in range(4):
        sent[place, at] = segment[at]
    sent[place, FOLLOWING] = 0
    if flow[TAIL]:
        sent[flow[TAIL], FOLLOWING] = place
    else:
        flow[HEAD] = place
    flow[TAIL] = place
    flow[COUNT] += 1


@kernel
def _acknowledge(trail: Trail, header: I64, flow: I64, cells: I64, now: int) -> None:
    """Rule 16: give back what this packet acknowledges of the other side's flow."""
    ack, count = header[HEADER_ACK], flow[COUNT]
    if header[HEADER_FLAGS] & ACK:
        flow[BROKEN] = 0
    if count == 0 or (flow[CLEANED_COUNT] == count and flow[CLEANED_ACK] == ack):
        return
    _drop_acknowledged(trail, flow, ack, cells, now)
    if flow[COUNT] != count:
        flow[BROKEN] = 0
    flow[SPAN_TAIL] = 0
    flow[CLEANED_ACK], flow[CLEANED_COUNT] = ack, flow[COUNT]


@kernel
def _drop_acknowledged(trail: Trail, flow: I64, ack: int, cells: I64, now: int) -> None:
    sent, state = trail.sent, trail.state
    last, place = 0, flow[HEAD]
    while place:
        seq, end, following = sent[place, SENT_SEQ], sent[place, SENT_END], sent[place, FOLLOWING]
        keep = False
        if ack == end:
            if cells[ACKS_FRAME] == NOTHING:
                cells[ACKS_FRAME] = sent[place, SENT_FRAME]
                if now != sent[place, SENT_TIME]:
                    cells[ACK_RTT] = now - sent[place, SENT_TIME]
        elif _after(ack, seq) and not _after(ack, end):
            sent[place, SENT_SEQ] = ack
            keep = True
        else:
            keep = _after(end, ack)
        if keep:
            last = place
        else:
            if last:
                sent[last, FOLLOWING] = following
            else:
                flow[HEAD] = following
            sent[place, FOLLOWING] = state[FREE]
            state[FREE] = place
            flow[COUNT] -= 1
        place = following
    flow[TAIL] = last


@kernel
def _in_flight(trail: Trail, header: I64, forward: I64, cells: I64, base: int) -> None:
    """Octets sent and not acknowledged, and octets since the last PSH."""
    length, flags = header[HEADER_LENGTH], header[HEADER_FLAGS]
    if length == 0 or forward[COUNT] == 0 or forward[BROKEN]:
        return
    _count_span(trail, forward, base)
    octets = forward[SPAN_LAST] - forward[SPAN_FIRST]
    if flags & (SYN | FIN):
        octets -= 1
    if octets <= 0 or octets >= LARGEST_IN_FLIGHT:
        return
    forward[PUSHED] = length if forward[PUSH_ENDED] else forward[PUSHED] + length
    forward[PUSH_ENDED] = 1 if flags & PSH else 0
    cells[BYTES_IN_FLIGHT] = octets
    cells[PUSH_BYTES_SENT] = forward[PUSHED]


@inlined
def _count_span(trail: Trail, flow: I64, base: int) -> None:
    """Go on from the segment up to which was counted: a list grows at its end only."""
    sent = trail.sent
    if flow[SPAN_TAIL] == 0 or flow[SPAN_BASE] != base:
        flow[SPAN_BASE], flow[SPAN_FIRST], flow[SPAN_LAST] = base, MODULUS, 0
        place = flow[HEAD]
    else:
        place = sent[flow[SPAN_TAIL], FOLLOWING]
    while place:
        flow[SPAN_FIRST] = min(flow[SPAN_FIRST], (sent[place, SENT_SEQ] - base) & WORD)
        flow[SPAN_LAST] = max(flow[SPAN_LAST], (sent[place, SENT_END] - base) & WORD)
        flow[SPAN_TAIL] = place
        place = sent[place, FOLLOWING]


@kernel
def _show(trail: Trail, header: I64, cells: I64, marks: int, trace: I64, answered: bool) -> None:
    """Fields and expert items, when the row shows flags and the options are whole."""
    if not header[HEADER_SHOWN] or header[HEADER_CUT]:
        cells[DUPLICATE_ACK_NUM:] = NOTHING
        return
    if header[HEADER_FLAGS] & FIN:
        note_fin(trail.experts, trail.state, header, cells, answered)
    if marks == 0 and cells[ACKS_FRAME] == NOTHING and cells[BYTES_IN_FLIGHT] == NOTHING:
        return
    note_marks(trail.experts, trail.state, header, cells, marks)
    if trace[FIRST_RTT] != 0:
        cells[INITIAL_RTT] = trace[FIRST_RTT]
