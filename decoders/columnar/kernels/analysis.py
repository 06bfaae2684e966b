"""TCP analysis (Wireshark semantics 7.1): retransmissions, lost segments, duplicate ACKs, windows.

State is laid out in :mod:`decoders.columnar.kernels.flows`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel, part
from decoders.columnar.kernels import streams
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
from decoders.columnar.kernels.flows import (
    BROKEN,
    COUNT,
    DUP,
    EXPERTS,
    FIN_SENT,
    FIRST_RTT,
    FLOW,
    FLOW_PLACES,
    FLOWS,
    HEAD,
    LAST_OWN,
    LAST_QUOTED,
    LASTACK,
    LASTACK_TIME,
    LASTMARKS,
    MAXACK,
    NEXT,
    NEXT_FRAME,
    NEXT_TIME,
    NONDUP,
    ROOM,
    SCALE,
    SENT,
    SENT_END,
    SENT_FRAME,
    SENT_SEQ,
    SENT_TIME,
    SYN_TIME,
    TRACE,
    TRACES,
    UNSHIFTED,
    WAITING_FRAME,
    WAITING_REST,
    WAITING_TIME_HI,
    WAITING_TIME_LO,
    WINDOW,
    WORD,
    Frames,
    Trail,
    acknowledge,
    add_flow,
    after,
    append,
    forget,
    in_flight,
)
from decoders.columnar.kernels.sink import (
    BY_NAME,
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
    BASE,
    BLOCK,
    ENTRY,
    FIRST,
    LAST,
    NUMBERING,
    OPENED,
    OPENED_AGAIN,
    REUSED,
    SEEN,
    TRACED,
    WAITS,
    Link,
)
from decoders.columnar.prefetching import prefetch
from decoders.columnar.transport import (
    ABSENT,
    ACKS_FRAME,
    ANALYSED,
    BYTES_IN_FLIGHT,
    DUPLICATE_ACK_FRAME,
    DUPLICATE_ACK_NUM,
    INITIAL_RTT,
    MARKS,
    NO_SCALE_OPTION,
    NOTHING,
    RTO,
    RTO_FRAME,
    TAKES_BACK,
    WINDOW_SIZE,
)
from decoders.tcp_analysis import (
    ALL_ACKNOWLEDGED,
    DEFAULT_RTT_NS,
    FAST_NS,
    MOST_UNACKED,
    NO_SCALING,
    UNKNOWN_SCALE,
    UNKNOWN_WINDOW,
)
from decoders.tcp_flags import ACK, FIN, RST, SYN

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

_TRACE_AHEAD, _FLOWS_AHEAD = 4, 2
"""So many headers before one is analysed what it needs is asked for."""
_LINE = 8
"""Numbers that come from memory together."""

_SENT_BEFORE = RETRANSMISSION | OUT_OF_ORDER


@kernel
def annotate(
    table: streams.Table, trail: Trail, headers: I64, frames: Frames, cells: I64, start: int
) -> int:
    """Number and analyse the headers from ``start`` on; the first that there is no room for.

    ``cells`` [header, ANALYSED] are written over.
    """
    streams.look_ahead(table, headers, start)
    for first in range(start, len(headers), BLOCK):
        last = min(first + BLOCK, len(headers))
        if not streams.has_room(table, last - first) or not _has_room(trail, last - first):
            return first
        for at in range(first, last):
            _expect_trace(table, trail, at + _TRACE_AHEAD)
            _expect_flows(table, trail, at + _FLOWS_AHEAD)
            link = streams.number(table, headers, cells, at, ANALYSED)
            if headers[at, HEADER_TCP]:
                _annotate(table.notes[link[0]], trail, headers, frames, cells, at, link)
    return len(headers)


@inlined
def _has_room(trail: Trail, more: int) -> bool:
    traces, flows, sent, experts, state, _ = trail
    return (
        state[TRACES] + more * ROOM <= len(traces)
        and state[FLOWS] + more * ROOM <= len(flows)
        and state[SENT] + more * ROOM <= len(sent)
        and state[EXPERTS] + more * ROOM <= len(experts)
    )


@inlined
def _expect_trace(table: streams.Table, trail: Trail, at: int) -> None:
    """Ask for the trace of a header that was looked up; of another one in vain."""
    looked = table.ahead[at & LAST]
    entry, trace = looked[ENTRY], np.int64(0)
    if entry >= 0 and table.notes[entry, SEEN] & TRACED:
        trace = np.int64(table.notes[entry, TRACE])
        prefetch(trail.traces, trace)
    looked[streams.TRACE] = trace


@inlined
def _expect_flows(table: streams.Table, trail: Trail, at: int) -> None:
    """Ask for both flows of a trace that was asked for."""
    trace = table.ahead[at & LAST, streams.TRACE]
    if trace:
        for side in range(2):
            flow = trail.flows[trail.traces[trace, FLOW + side]]
            for place in range(0, FLOW_PLACES, _LINE):
                prefetch(flow, place)


@inlined
def _annotate(
    note: U32, trail: Trail, headers: I64, frames: Frames, cells: I64, at: int, link: Link
) -> None:
    """A TCP header that was numbered."""
    row, what = headers[at, HEADER_ROW], link[3]
    number, timed = frames.first + row, frames.timed[row]
    now = frames.time_ns[row] if timed else 0
    if what == FIRST and _may_wait(headers[at], cells[at, MARKS], number):
        _wait(note, headers[at], link[1], (number, now, timed))
        cells[at, WINDOW_SIZE] = headers[at, HEADER_WINDOW]
        return
    traces, flows, sent, experts, state, _ = trail
    trace = _trace_of(trail, note, link)
    if what & OPENED_AGAIN:
        _open_again(traces, flows, trace, link[1])
    if cells[at, MARKS] & TFO_BIT:
        note_fast_open(experts, state, headers, at)
    whole, marks = headers[at, HEADER_LENGTH] != ABSENT, np.int64(0)
    if whole:
        marks = _analyse(traces, flows, sent, state, headers, cells, at, link, trace, number, now)
    if timed:
        _shaken(traces, trace, headers[at, HEADER_FLAGS], now)
    if whole:
        _show(traces, flows, experts, state, headers, cells, at, link[1], trace, marks)
    elif what & REUSED and not headers[at, HEADER_CUT]:
        note_reused(experts, state, headers, cells, at)
    _mark_row(state, headers, cells, what, at, number, traces[trace, FIRST_RTT])
    if headers[at, HEADER_SHOWN] or headers[at, HEADER_QUOTED]:
        cells[at, WINDOW_SIZE] = _window_size(traces, headers, at, link[1], trace)


@inlined
def _mark_row(
    state: I64, headers: I64, cells: I64, what: int, at: int, number: int, rtt: int
) -> None:
    """Whether the row has ``tcp.analysis``: of a SYN that is sent again once a row."""
    place = LAST_QUOTED if headers[at, HEADER_QUOTED] else LAST_OWN
    again = what & OPENED_AGAIN and not headers[at, HEADER_CUT]
    if again and state[place] != number:
        cells[at, MARKS] |= ANALYSIS_BIT
        if rtt != 0:
            cells[at, INITIAL_RTT] = rtt
    if cells[at, MARKS] & ANALYSIS_BIT:
        state[place] = number


@inlined
def _may_wait(header: I64, marks: int, number: int) -> bool:
    """Whether the first segment of a conversation is one of which there is nothing to say."""
    flags = header[HEADER_FLAGS]
    return (
        flags & (SYN | RST) != 0
        and flags & FIN == 0
        and (flags & ACK != 0 or header[HEADER_ACK] == 0)
        and header[HEADER_LENGTH] == 0
        and header[HEADER_SHOWN] == 1
        and header[HEADER_QUOTED] == 0
        and header[HEADER_CUT] == 0
        and marks == 0
        and number <= WORD
    )


@inlined
def _wait(note: U32, header: I64, side: int, frame: tuple[int, int, bool]) -> None:
    """Keep a segment of which there is nothing to say; ``frame``: number, time, has it a time."""
    number, now, timed = frame
    note[SEEN] |= WAITS
    note[WAITING_FRAME] = number
    note[WAITING_TIME_HI] = now >> 32 & WORD
    note[WAITING_TIME_LO] = now & WORD
    flags = header[HEADER_FLAGS]
    rest = side | (2 if timed else 0)
    rest |= (4 if flags & SYN else 0) | (8 if flags & RST else 0) | (16 if flags & ACK else 0)
    rest |= (header[HEADER_SCALE] - NO_SCALE_OPTION) << 5
    note[WAITING_REST] = rest << 16 | header[HEADER_WINDOW]


@part
def _read_again(trail: Trail, note: U32, link: Link, trace: int) -> None:
    """Analyse the segment that waited: a second one has come, of which ``link`` tells."""
    headers, cells = trail.again
    rest = np.int64(note[WAITING_REST])
    headers[0, HEADER_WINDOW] = rest & 0xFFFF
    rest >>= 16
    flags = (SYN if rest & 4 else 0) | (RST if rest & 8 else 0) | (ACK if rest & 16 else 0)
    headers[0, HEADER_FLAGS] = flags
    headers[0, HEADER_SCALE] = (rest >> 5) + NO_SCALE_OPTION
    side = rest & 1
    headers[0, HEADER_SEQ] = (_began(note, link, side) + (0 if flags & SYN else 1)) & WORD
    headers[0, HEADER_ACK] = (_began(note, link, 1 - side) + 1) & WORD if flags & ACK else 0
    now = np.int64(note[WAITING_TIME_HI]) << 32 | np.int64(note[WAITING_TIME_LO])
    number = np.int64(note[WAITING_FRAME])
    traces, flows, sent, state = trail.traces, trail.flows, trail.sent, trail.state
    if rest & 2:
        _shaken(traces, trace, flags, now)
    told = (link[0], side, np.int64(0), np.int64(0), np.int64(0))
    _analyse(traces, flows, sent, state, headers, cells, 0, told, trace, number, now)


@inlined
def _began(note: U32, link: Link, side: int) -> int:
    """Where the numbers of a direction began before the header that ``link`` tells of."""
    return link[4] if side == link[1] else np.int64(note[BASE + side])


@inlined
def _trace_of(trail: Trail, note: U32, link: Link) -> int:
    """The trace of a header's conversation; a new one when there is none."""
    traces, flows, sent, state = trail.traces, trail.flows, trail.sent, trail.state
    opened = link[3] & OPENED
    if not note[SEEN] & TRACED:
        trace = state[TRACES]
        state[TRACES] = trace + 1
        _blank(traces, trace)
        traces[trace, FLOW] = traces[trace, FLOW + 1] = 0
        if note[SEEN] & WAITS and not opened:
            _read_again(trail, note, link, trace)
        note[SEEN] = note[SEEN] & NUMBERING | TRACED
        note[TRACE] = trace
        return trace
    trace = np.int64(note[TRACE])
    if opened:
        forget(flows, sent, state, traces[trace, FLOW])
        forget(flows, sent, state, traces[trace, FLOW + 1])
        _blank(traces, trace)
    return trace


@inlined
def _blank(traces: I64, trace: int) -> None:
    traces[trace, SYN_TIME] = traces[trace, FIRST_RTT] = 0
    traces[trace, SCALE] = traces[trace, SCALE + 1] = UNKNOWN_SCALE


@inlined
def _open_again(traces: I64, flows: I64, trace: int, side: int) -> None:
    """A SYN with the number that the conversation began with."""
    flow = traces[trace, FLOW + side]
    if flow:
        flows[flow, NEXT] = flows[flow, MAXACK]


@inlined
def _shaken(traces: I64, trace: int, flags: int, now: int) -> None:
    """Time from the last SYN to the first packet with ACK and without SYN."""
    if not flags & ACK:
        if flags & SYN:
            traces[trace, SYN_TIME] = now
    elif not flags & SYN and traces[trace, SYN_TIME] != 0 and traces[trace, FIRST_RTT] == 0:
        traces[trace, FIRST_RTT] = now - traces[trace, SYN_TIME]


@inlined
def _window_size(traces: I64, headers: I64, at: int, side: int, trace: int) -> int:
    """The window in octets: scaled, except in a SYN (RFC 7323 section 2.2)."""
    scale = traces[trace, SCALE + side]
    if headers[at, HEADER_FLAGS] & SYN or scale < 0:
        return headers[at, HEADER_WINDOW]
    return headers[at, HEADER_WINDOW] << scale


@part
def _analyse(
    traces: I64,
    flows: I64,
    sent: I64,
    state: I64,
    headers: I64,
    cells: I64,
    at: int,
    link: Link,
    trace: int,
    number: int,
    now: int,
) -> int:
    """Judge a segment of known payload length and remember it; its marks."""
    _, side, base, what, _ = link
    other = 1 - side
    if traces[trace, FLOW + side] == 0:
        traces[trace, FLOW + side] = add_flow(flows, state)
    forward, backward = traces[trace, FLOW + side], traces[trace, FLOW + other]
    flags = headers[at, HEADER_FLAGS]
    if flags & SYN:
        _learn_scale(traces, headers, at, trace, side, other)
    marks = REUSED_PORTS if what & REUSED else 0
    probe = _is_probe(headers, at, flows, forward, backward)
    if probe:
        marks |= ZERO_WINDOW_PROBE
    else:
        scale = traces[trace, SCALE + other]
        marks |= _window_marks(headers, at, flows, forward, backward, cells, scale)
    if headers[at, HEADER_ACK] != flows[forward, LASTACK]:
        flows[forward, NONDUP], flows[forward, DUP] = number, 0
    marks |= _acknowledges_lost(headers, at, flows, backward)
    if (headers[at, HEADER_LENGTH] or flags & (SYN | FIN)) and not marks & KEEP_ALIVE:
        rtt = traces[trace, FIRST_RTT]
        marks |= _sent_again(sent, headers, at, flows, forward, backward, cells, now, rtt)
    _remember(sent, state, headers, at, flows, forward, number, now, probe, marks)
    if backward != 0:
        acknowledge(sent, state, headers, at, flows, backward, cells, now)
    in_flight(sent, headers, at, flows, forward, cells, base)
    _shift(flows, forward, flags)
    return marks


@inlined
def _learn_scale(traces: I64, headers: I64, at: int, trace: int, side: int, other: int) -> None:
    """Of a SYN; without the option neither direction scales (RFC 7323 section 1.3)."""
    if headers[at, HEADER_SCALE] >= 0:
        traces[trace, SCALE + side] = headers[at, HEADER_SCALE]
    elif not headers[at, HEADER_CUT]:
        traces[trace, SCALE + side] = NO_SCALING
        traces[trace, SCALE + other] = NO_SCALING


@inlined
def _shift(flows: I64, forward: int, flags: int) -> None:
    if flags & SYN:
        flows[forward, UNSHIFTED] = 1
    elif flags & ACK:
        flows[forward, UNSHIFTED] = 0


@inlined
def _is_probe(headers: I64, at: int, flows: I64, forward: int, backward: int) -> bool:
    return (
        headers[at, HEADER_LENGTH] == 1
        and headers[at, HEADER_SEQ] == flows[forward, NEXT]
        and flows[backward, WINDOW] == 0
    )


@part
def _window_marks(
    headers: I64, at: int, flows: I64, forward: int, backward: int, cells: I64, scale: int
) -> int:
    """Rules 2 to 8; ``scale`` is the other side's."""
    flags, seq, length = (
        headers[at, HEADER_FLAGS],
        headers[at, HEADER_SEQ],
        headers[at, HEADER_LENGTH],
    )
    window, following = headers[at, HEADER_WINDOW], flows[forward, NEXT]
    marks = 0
    if following != 0 and not flags & RST and after(seq, following):
        marks |= LOST
        flows[forward, BROKEN] = 1
    if flags & (SYN | FIN | RST):
        return marks
    if window == 0:
        marks |= ZERO_WINDOW
    if length <= 1 and seq == (following - 1) & WORD:
        marks |= KEEP_ALIVE
    if length:
        if _fills_window(seq + length, flows, backward, scale):
            marks |= WINDOW_FULL
    elif seq == following and headers[at, HEADER_ACK] == flows[forward, LASTACK]:
        if window == flows[forward, WINDOW]:
            marks |= _repeated_ack(window, flows, forward, backward, cells, at)
        elif window:
            marks |= WINDOW_UPDATE
    return marks


@inlined
def _fills_window(end: int, flows: I64, backward: int, scale: int) -> bool:
    """Rule 6: the segment ends where the other side's window does."""
    if scale == UNKNOWN_SCALE or flows[backward, WINDOW] == UNKNOWN_WINDOW:
        return False
    shift = scale if scale > 0 and not flows[backward, UNSHIFTED] else 0
    return (end - flows[backward, LASTACK] - (flows[backward, WINDOW] << shift)) & WORD == 0


@inlined
def _repeated_ack(window: int, flows: I64, forward: int, backward: int, cells: I64, at: int) -> int:
    """Rules 7, 7b and 8: the same ACK again."""
    if window == 0:
        return ZERO_WINDOW_PROBE_ACK if flows[backward, LASTMARKS] & ZERO_WINDOW_PROBE else 0
    if flows[backward, LASTMARKS] & KEEP_ALIVE:
        return KEEP_ALIVE_ACK
    flows[forward, DUP] = 1 if flows[forward, DUP] == ALL_ACKNOWLEDGED else flows[forward, DUP] + 1
    cells[at, DUPLICATE_ACK_NUM] = flows[forward, DUP]
    cells[at, DUPLICATE_ACK_FRAME] = flows[forward, NONDUP]
    return DUPLICATE_ACK


@inlined
def _acknowledges_lost(headers: I64, at: int, flows: I64, backward: int) -> int:
    """Rule 10: an ACK for what was not captured; of one like that before only ANALYSIS_BIT."""
    highest = flows[backward, MAXACK]
    if (
        highest == 0
        or not headers[at, HEADER_FLAGS] & ACK
        or not after(headers[at, HEADER_ACK], highest)
    ):
        return 0
    if after(flows[backward, NEXT], highest):
        flows[backward, MAXACK] = flows[backward, NEXT]
        return ACK_LOST
    first = flows[backward, DUP] == 0
    flows[backward, DUP] = ALL_ACKNOWLEDGED
    return ACK_LOST if first else ANALYSIS_BIT


@part
def _sent_again(
    sent: I64,
    headers: I64,
    at: int,
    flows: I64,
    forward: int,
    backward: int,
    cells: I64,
    now: int,
    rtt: int,
) -> int:
    """Rule 11: the retransmission group; the first that applies ends it."""
    seq, length, following = (
        headers[at, HEADER_SEQ],
        headers[at, HEADER_LENGTH],
        flows[forward, NEXT],
    )
    end = (seq + length) & WORD
    if length and flows[backward, LASTACK] != 0 and not after(end, flows[backward, LASTACK]):
        return SPURIOUS_RETRANSMISSION | RETRANSMISSION
    if following == 0 or not after(following, seq):
        return 0
    if length > 1 and seq == (following - 1) & WORD:
        return 0
    duplicates = flows[backward, DUP] >= 2 or flows[backward, DUP] == ALL_ACKNOWLEDGED
    if (
        duplicates
        and seq == flows[backward, LASTACK]
        and 0 <= now - flows[backward, LASTACK_TIME] < FAST_NS
    ):
        return FAST_RETRANSMISSION | RETRANSMISSION
    if headers[at, HEADER_FLAGS] & (SYN | FIN):
        end = (end + 1) & WORD
    patience = DEFAULT_RTT_NS if rtt == 0 else rtt
    if end != following and 0 <= now - flows[forward, NEXT_TIME] < patience:
        return OUT_OF_ORDER
    _time_out(sent, flows, forward, cells, at, now)
    return RETRANSMISSION


@inlined
def _time_out(sent: I64, flows: I64, forward: int, cells: I64, at: int, now: int) -> None:
    """Since the oldest segment that nobody acknowledged, else since the newest one."""
    frame, since = flows[forward, NEXT_FRAME], flows[forward, NEXT_TIME]
    oldest = flows[forward, HEAD]
    if oldest:
        frame, since = sent[oldest, SENT_FRAME], sent[oldest, SENT_TIME]
    if now != since:
        cells[at, RTO_FRAME] = frame
        cells[at, RTO] = now - since


@inlined
def _remember(
    sent: I64,
    state: I64,
    headers: I64,
    at: int,
    flows: I64,
    forward: int,
    number: int,
    now: int,
    probe: bool,
    marks: int,
) -> None:
    """Rules 12 to 15."""
    seq, takes_one = headers[at, HEADER_SEQ], headers[at, HEADER_FLAGS] & (SYN | FIN) != 0
    end = (seq + headers[at, HEADER_LENGTH]) & WORD
    if (headers[at, HEADER_LENGTH] or takes_one) and flows[forward, COUNT] < MOST_UNACKED:
        end = (end + 1) & WORD if takes_one else end
        place = append(sent, state, flows, forward)
        sent[place, SENT_FRAME] = number
        sent[place, SENT_SEQ] = seq
        sent[place, SENT_END] = end
        sent[place, SENT_TIME] = now
    if not probe:
        if flows[forward, NEXT] == 0 or after(end, flows[forward, NEXT]):
            flows[forward, NEXT], flows[forward, NEXT_TIME], flows[forward, NEXT_FRAME] = (
                end,
                now,
                number,
            )
        if flows[forward, MAXACK] == 0 or seq == flows[forward, MAXACK]:
            flows[forward, MAXACK] = flows[forward, NEXT]
    flows[forward, WINDOW] = headers[at, HEADER_WINDOW]
    flows[forward, LASTACK] = headers[at, HEADER_ACK]
    flows[forward, LASTACK_TIME] = now
    flows[forward, LASTMARKS] = marks


@part
def _show(
    traces: I64,
    flows: I64,
    experts: I64,
    state: I64,
    headers: I64,
    cells: I64,
    at: int,
    side: int,
    trace: int,
    marks: int,
) -> None:
    """Fields and expert items, when the row shows flags and the options are whole."""
    named = headers[at, HEADER_HANDS_UP]
    if (marks & _SENT_BEFORE and named) or (marks & KEEP_ALIVE and named == BY_NAME):
        cells[at, MARKS] |= TAKES_BACK
    fin = headers[at, HEADER_FLAGS] & FIN
    answered = flows[traces[trace, FLOW + 1 - side], FIN_SENT] != 0
    if fin and not answered:
        flows[traces[trace, FLOW + side], FIN_SENT] = 1
    if not headers[at, HEADER_SHOWN] or headers[at, HEADER_CUT]:
        for place in range(DUPLICATE_ACK_NUM, ANALYSED):
            cells[at, place] = NOTHING
        return
    if fin:
        note_fin(experts, state, headers, cells, at, answered)
    if marks == 0 and cells[at, ACKS_FRAME] == NOTHING and cells[at, BYTES_IN_FLIGHT] == NOTHING:
        return
    note_marks(experts, state, headers, cells, at, marks)
    if traces[trace, FIRST_RTT] != 0:
        cells[at, INITIAL_RTT] = traces[trace, FIRST_RTT]
