"""Wireshark's TCP analysis: retransmissions, lost segments, duplicate ACKs and their kin.

The rules, their order and their numbers are those of Wireshark semantics 7.1; sequence numbers are
raw and 32 bits wide, times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from decoders.row import CHAT, NOTE, SEQUENCE, WARNING, Row, Segment
from decoders.tcp_flags import ACK, FIN, PSH, RST, SYN

MODULUS = 1 << 32
HALF = 1 << 31

UNKNOWN_WINDOW = MODULUS - 1
NO_SCALING, UNKNOWN_SCALE = -2, -1
ALL_ACKNOWLEDGED = -1
"""``dup`` of a flow whose reverse acknowledged what was not captured."""

MOST_UNACKED = 10_000
FAST_NS = 20_000_000
DEFAULT_RTT_NS = 3_000_000
LARGEST_IN_FLIGHT = 2_000_000_000


def before(a: int, b: int) -> bool:
    """``a`` comes before ``b`` in 32-bit serial arithmetic."""
    return bool((a - b) & HALF)


def after(a: int, b: int) -> bool:
    """``a`` comes after ``b``; true together with :func:`before` at a distance of 2^31."""
    return bool((b - a) & HALF)


class Direction:
    """One direction of a conversation: where its numbers begin, and what the analysis remembers."""

    __slots__ = ("_flow", "base")

    def __init__(self) -> None:
        self.base: int | None = None
        self._flow: Flow | None = None

    @property
    def flow(self) -> Flow:
        """Made when it is asked for: a scan is many conversations of one packet."""
        if self._flow is None:
            self._flow = Flow()
        return self._flow


class Flow:
    """What the analysis remembers of one direction."""

    __slots__ = (
        "cleaned",
        "closes",
        "dup",
        "lastack",
        "lastack_time",
        "lastmarks",
        "maxack",
        "next",
        "next_frame",
        "next_time",
        "nondup",
        "push_ended",
        "push_octets",
        "scale",
        "span",
        "unacked",
        "valid_in_flight",
        "window",
    )

    def __init__(self) -> None:
        self.next = 0
        self.next_time = 0
        self.next_frame = 0
        self.maxack = 0
        self.lastack = 0
        self.lastack_time = 0
        self.window = UNKNOWN_WINDOW
        self.scale = UNKNOWN_SCALE
        self.dup = 0
        self.nondup = 0
        self.lastmarks: frozenset[str] = frozenset()
        self.unacked: list[list[int]] = []
        """[frame, seq, end, time], newest last."""
        self.valid_in_flight = True
        self.push_octets = 0
        self.push_ended = False
        self.closes = False
        self.span: tuple[int, int, int, int] | None = None
        """Base, entries, first and last number of ``unacked``; None: to be counted anew."""
        self.cleaned = (0, 0)
        """ACK that ``unacked`` was last cleaned by, and the entries that it left."""


class Analysis:
    """What a conversation remembers besides its flows."""

    __slots__ = ("first_rtt", "syn_time", "unshifted")

    def __init__(self) -> None:
        self.syn_time: int | None = None
        self.first_rtt: int | None = None
        self.unshifted: set[int] = set()
        """Flows (by id) that sent a SYN and, after it, no packet with A and without S."""

    def handshake(self, segment: Segment, time_ns: int | None) -> None:
        """Time from the last SYN to the first packet with ACK and without SYN."""
        if time_ns is None:
            return
        if segment.flags & (SYN | ACK) == SYN:
            self.syn_time = time_ns
        elif segment.flags & (SYN | ACK) == ACK and self.syn_time and not self.first_rtt:
            # Zero stands for "unset" in Wireshark, of both.
            self.first_rtt = time_ns - self.syn_time or None


@dataclass(slots=True)
class Found:
    """What the analysis says about one segment."""

    marks: set[str] = field(default_factory=set)
    duplicate: tuple[int, int] | None = None
    """How many, and of which frame."""
    acks: tuple[int, int] | None = None
    """Frame that is acknowledged, and ns since it."""
    retransmitted: tuple[int, int] | None = None
    """Frame that is sent again, and ns since it."""
    lost_before: bool = False
    """An ACK for what was lost, as one before it: shown, and marked no more."""
    in_flight: int = 0
    push_octets: int = 0
    fin: str = ""


def analyse(
    row: Row,
    segment: Segment,
    analysis: Analysis,
    directions: tuple[Direction, Direction],
    reused: bool,
) -> Found:
    """Judge a segment of known payload length and remember it."""
    now = row.time_ns or 0
    found = Found()
    if reused:
        found.marks.add("reused_ports")
    forward, backward = directions[0].flow, directions[1].flow
    _scales(segment, forward, backward)
    probe = _window_marks(segment, found, forward, backward, analysis)
    if segment.ack != forward.lastack:
        forward.nondup, forward.dup = row.number, 0
    _acknowledges_lost(segment, found, backward)
    if segment.length or segment.flags & (SYN | FIN):
        _sent_again(segment, found, (forward, backward), analysis, now)
    _remember((row.number, now), segment, found, forward, probe)
    _acknowledge(segment, found, backward, now)
    _in_flight(segment, found, forward, directions[0].base or 0)
    _shift(segment, forward, analysis)
    if segment.flags & FIN:
        found.fin = "fin_passive" if backward.closes else "fin_active"
        forward.closes = forward.closes or not backward.closes
    return found


def _scales(segment: Segment, forward: Flow, backward: Flow) -> None:
    """Window scaling of a SYN; without the option neither direction scales (RFC 7323)."""
    if not segment.flags & SYN:
        return
    if segment.window_scale is None or segment.window_scale < 0:
        if not segment.options_cut:
            forward.scale = backward.scale = NO_SCALING
    else:
        forward.scale = segment.window_scale


def _shift(segment: Segment, forward: Flow, analysis: Analysis) -> None:
    if segment.flags & SYN:
        analysis.unshifted.add(id(forward))
    elif segment.flags & ACK:
        analysis.unshifted.discard(id(forward))


def _window_marks(
    segment: Segment, found: Found, forward: Flow, backward: Flow, analysis: Analysis
) -> bool:
    """Rules 1 to 8; True after a zero window probe."""
    marks, length, window = found.marks, segment.length or 0, segment.window
    if length == 1 and segment.seq == forward.next and backward.window == 0:
        marks.add("zero_window_probe")
        return True
    plain = not segment.flags & (SYN | FIN | RST)
    if window == 0 and plain:
        marks.add("zero_window")
    if forward.next and after(segment.seq, forward.next) and not segment.flags & RST:
        marks.add("lost_segment")
        forward.valid_in_flight = False
    if not plain:
        return False
    if length <= 1 and segment.seq == (forward.next - 1) % MODULUS:
        marks.add("keep_alive")
    same = length == 0 and segment.seq == forward.next and segment.ack == forward.lastack
    if same and window and window != forward.window:
        marks.add("window_update")
    if length and _fills_window(segment, backward, analysis):
        marks.add("window_full")
    if same and window == forward.window:
        _repeated_ack(window, found, forward, backward)
    return False


def _fills_window(segment: Segment, backward: Flow, analysis: Analysis) -> bool:
    """Rule 6: the segment ends where the other side's window does."""
    if backward.scale == UNKNOWN_SCALE or backward.window == UNKNOWN_WINDOW:
        return False
    shift = 0 if id(backward) in analysis.unshifted else max(backward.scale, 0)
    end = (segment.seq + (segment.length or 0)) % MODULUS
    return end == (backward.lastack + (backward.window << shift)) % MODULUS


def _repeated_ack(window: int, found: Found, forward: Flow, backward: Flow) -> None:
    """Rules 7, 7b and 8: the same ACK again."""
    if window and "keep_alive" in backward.lastmarks:
        found.marks.add("keep_alive_ack")
    elif not window and "zero_window_probe" in backward.lastmarks:
        found.marks.add("zero_window_probe_ack")
    elif window:
        forward.dup = 1 if forward.dup == ALL_ACKNOWLEDGED else forward.dup + 1
        found.marks.add("duplicate_ack")
        found.duplicate = (forward.dup, forward.nondup)


def _acknowledges_lost(segment: Segment, found: Found, backward: Flow) -> None:
    """Rule 10: an ACK for what was not captured."""
    if not (backward.maxack and after(segment.ack, backward.maxack) and segment.flags & ACK):
        return
    if before(backward.maxack, backward.next):
        backward.maxack = backward.next
        found.marks.add("ack_lost_segment")
    else:
        if backward.dup == 0:
            found.marks.add("ack_lost_segment")
        found.lost_before = True
        backward.dup = ALL_ACKNOWLEDGED


def _sent_again(
    segment: Segment, found: Found, flows: tuple[Flow, Flow], analysis: Analysis, now: int
) -> None:
    """Rule 11: the retransmission group; the first that applies ends it."""
    forward, backward = flows
    if "keep_alive" in found.marks:
        return
    length = segment.length or 0
    back = bool(forward.next) and before(segment.seq, forward.next)
    if length > 1 and segment.seq == (forward.next - 1) % MODULUS:
        back = False
    end = (segment.seq + length) % MODULUS
    if length and backward.lastack and not after(end, backward.lastack):
        found.marks.update(("spurious_retransmission", "retransmission"))
    elif not back:
        return
    elif _is_fast(segment, backward, now):
        found.marks.update(("fast_retransmission", "retransmission"))
    elif _is_out_of_order(segment, forward, analysis, now):
        found.marks.add("out_of_order")
    else:
        found.marks.add("retransmission")
        oldest = forward.unacked[0] if forward.unacked else None
        frame, since = (oldest[0], oldest[3]) if oldest else (forward.next_frame, forward.next_time)
        if now != since:
            found.retransmitted = (frame, now - since)


def _is_fast(segment: Segment, backward: Flow, now: int) -> bool:
    duplicates = backward.dup >= 2 or backward.dup == ALL_ACKNOWLEDGED
    recent = 0 <= now - backward.lastack_time < FAST_NS
    return duplicates and segment.seq == backward.lastack and recent


def _is_out_of_order(segment: Segment, forward: Flow, analysis: Analysis, now: int) -> bool:
    patience = DEFAULT_RTT_NS if analysis.first_rtt is None else analysis.first_rtt
    extra = 1 if segment.flags & (SYN | FIN) else 0
    end = (segment.seq + (segment.length or 0) + extra) % MODULUS
    return 0 <= now - forward.next_time < patience and end != forward.next


def _remember(
    frame: tuple[int, int], segment: Segment, found: Found, forward: Flow, probe: bool
) -> None:
    """Rules 12 to 15; ``frame`` is its number and time."""
    number, now = frame
    length = segment.length or 0
    end = (segment.seq + length) % MODULUS
    if (length or segment.flags & (SYN | FIN)) and len(forward.unacked) < MOST_UNACKED:
        if segment.flags & (SYN | FIN):
            end = (end + 1) % MODULUS
        forward.unacked.append([number, segment.seq, end, now])
    if not probe:
        if after(end, forward.next) or not forward.next:
            forward.next, forward.next_time, forward.next_frame = end, now, number
        if segment.seq == forward.maxack or not forward.maxack:
            forward.maxack = forward.next
    forward.window = segment.window
    forward.lastack, forward.lastack_time = segment.ack, now
    forward.lastmarks = frozenset(found.marks)


def _acknowledge(segment: Segment, found: Found, backward: Flow, now: int) -> None:
    """Rule 16: drop what this packet acknowledges."""
    kept: list[list[int]] = []
    ack = segment.ack
    if backward.cleaned == (ack, len(backward.unacked)):
        # The same ACK again, and nothing was sent since: it drops nothing.
        backward.valid_in_flight = backward.valid_in_flight or bool(segment.flags & ACK)
        return
    for entry in reversed(backward.unacked):
        frame, seq, end, time = entry
        if ack == end:
            found.acks = (frame, now - time)
        elif after(ack, seq) and not after(ack, end):
            entry[1] = ack
            kept.append(entry)
        elif after(end, ack):
            kept.append(entry)
    if len(kept) != len(backward.unacked) or segment.flags & ACK:
        backward.valid_in_flight = True
    kept.reverse()
    backward.unacked = kept
    backward.span = None
    backward.cleaned = (ack, len(kept))


def _span(forward: Flow, base: int) -> tuple[int, int]:
    """First and last relative number of what is not acknowledged.

    Of a flow that nobody acknowledges only the newest entry is looked at.
    """
    entries, known = forward.unacked, forward.span
    if known is not None and known[0] == base and len(entries) - known[1] in (0, 1):
        fresh, first, last = entries[known[1] :], known[2], known[3]
    else:
        fresh, first, last = entries, MODULUS, 0
    for _, seq, end, _ in fresh:
        first = min(first, (seq - base) % MODULUS)
        last = max(last, (end - base) % MODULUS)
    forward.span = (base, len(entries), first, last)
    return first, last


def _in_flight(segment: Segment, found: Found, forward: Flow, base: int) -> None:
    """Octets sent and not acknowledged, and octets since the last PSH."""
    if not segment.length or not forward.unacked or not forward.valid_in_flight:
        return
    first, last = _span(forward, base)
    in_flight = last - first - (1 if segment.flags & (SYN | FIN) else 0)
    if not 0 < in_flight < LARGEST_IN_FLIGHT:
        return
    found.in_flight = in_flight
    if forward.push_ended:
        forward.push_octets = segment.length
    else:
        forward.push_octets += segment.length
    forward.push_ended = bool(segment.flags & PSH)
    found.push_octets = forward.push_octets


_SEVERITIES = {
    "window_update": CHAT,
    "out_of_order": WARNING,
    "lost_segment": WARNING,
    "ack_lost_segment": WARNING,
    "window_full": WARNING,
    "zero_window": WARNING,
}

_Put = Callable[[str, object], None]


NOT_HANDED_UP = frozenset(("retransmission", "out_of_order"))
"""Marks of a segment whose payload no protocol above TCP gets to see (semantics 6.3).

That of a keep-alive is not seen by a protocol that a port names; tshark shows it as data else.
"""


def show(row: Row, found: Found, analysis: Analysis) -> None:
    """Put what was found into the row, with an expert item for each mark."""
    put = row.put
    if found.fin:
        put(f"tcp.connection.{found.fin}", True)
        row.expert(NOTE, SEQUENCE, "this FIN closes the connection")
    if not (found.marks or found.acks or found.in_flight or found.lost_before):
        return
    put("tcp.analysis", True)
    if found.marks:
        put("tcp.analysis.flags", True)
    for mark in sorted(found.marks):
        put(f"tcp.analysis.{mark}", True)
        row.expert(_SEVERITIES.get(mark, NOTE), SEQUENCE, mark.replace("_", " "))
    _show_numbers(put, found, analysis)


def _show_numbers(put: _Put, found: Found, analysis: Analysis) -> None:
    if found.duplicate:
        put("tcp.analysis.duplicate_ack", True)
        put("tcp.analysis.duplicate_ack_num", found.duplicate[0])
        put("tcp.analysis.duplicate_ack_frame", found.duplicate[1])
    if found.acks:
        put("tcp.analysis.acks_frame", found.acks[0])
        if found.acks[1]:
            put("tcp.analysis.ack_rtt", found.acks[1])
    if analysis.first_rtt:
        put("tcp.analysis.initial_rtt", analysis.first_rtt)
    if found.retransmitted:
        put("tcp.analysis.rto_frame", found.retransmitted[0])
        put("tcp.analysis.rto", found.retransmitted[1])
    if found.in_flight:
        put("tcp.analysis.bytes_in_flight", found.in_flight)
        put("tcp.analysis.push_bytes_sent", found.push_octets)
