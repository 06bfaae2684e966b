"""What needs memory between frames: stream numbers, relative sequence numbers, completeness.

Rules: Wireshark semantics 2 (streams). A conversation is two ends, address and port each, in either
order, and nothing else: not VLAN, not PPPoE session, not interface. TCP analysis stands in
:mod:`decoders.tcp_analysis`.
"""

from __future__ import annotations

from decoders.row import NOTE, SEQUENCE, Address, Datagram, Row, Segment
from decoders.tcp_analysis import NOT_HANDED_UP, Analysis, Direction, Found, analyse, show
from decoders.tcp_flags import ACK, FIN, RST, SYN

SYN_SEEN, SYNACK_SEEN, ACK_SEEN, DATA_SEEN, FIN_SEEN, RST_SEEN = 1, 2, 4, 8, 16, 32
"""Bits of ``tcp.completeness``."""

MODULUS = 1 << 32

End = tuple[Address, int]


class Conversation:
    """A TCP conversation with its two directions."""

    __slots__ = ("analysis", "completeness", "directions", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.completeness = 0
        self.directions = (Direction(), Direction())
        self.analysis = Analysis()


class Conversations:
    """Numbers the conversations of one capture; feed it every row once, in file order."""

    def __init__(self) -> None:
        self._tcp: dict[tuple[End, End], Conversation] = {}
        self._tcp_count = 0
        self._udp: dict[tuple[End, End], int] = {}

    def annotate(self, row: Row) -> None:
        """Add ``tcp.stream``, ``udp.stream`` and what depends on them to a row."""
        segments = 0
        for header in row.transport:
            segments += isinstance(header, Segment)
            row.expert_layer = segments
            before = row.quote() if header.quoted else None
            if isinstance(header, Segment):
                self._segment(row, header)
            else:
                self._datagram(row, header)
            if before is not None:
                row.unquote(before)

    def _datagram(self, row: Row, header: Datagram) -> None:
        key = _key((header.src, header.srcport), (header.dst, header.dstport))[0]
        row.put("udp.stream", self._udp.setdefault(key, len(self._udp)))

    def _segment(self, row: Row, segment: Segment) -> None:
        key, reverse = _key((segment.src, segment.srcport), (segment.dst, segment.dstport))
        conversation = self._tcp.get(key)
        created = conversation is None
        if conversation is None:
            conversation = self._open(key)
        completeness = conversation.completeness
        forward = conversation.directions[reverse]
        reused = again = False
        if segment.flags & (SYN | ACK) == SYN and forward.base is not None:
            if segment.seq != forward.base:
                conversation, reused = self._open(key), True
                completeness = conversation.completeness = SYN_SEEN
            else:
                forward.flow.next = forward.flow.maxack
                again = True
        elif segment.flags & (SYN | ACK) == SYN | ACK and forward.base is not None:
            reused = segment.seq != forward.base
            if reused and not segment.quoted:
                forward.base = segment.seq
        forward, backward = conversation.directions[reverse], conversation.directions[1 - reverse]
        if segment.length is not None:
            _set_bases(segment, forward, backward)
        row.put("tcp.stream", conversation.number)
        if "tcp.flags" in row.own or segment.quoted:
            _complete(conversation, segment, created, again)
        row.put("tcp.completeness", completeness)
        self._numbers(row, segment, forward, backward)
        if not row.wanted.analysis:
            return
        self._analyse(row, segment, conversation, (forward, backward), reused)
        if (
            again
            and not segment.options_cut
            and "tcp.analysis" not in (row.quoted if segment.quoted else row.own)
        ):
            row.put("tcp.analysis", True)
            if conversation.analysis.first_rtt:
                row.put("tcp.analysis.initial_rtt", conversation.analysis.first_rtt)
        if "tcp.flags" in row.own or segment.quoted:
            row.put("tcp.window_size", _window(segment, forward))

    def _open(self, key: tuple[End, End]) -> Conversation:
        conversation = Conversation(self._tcp_count)
        self._tcp[key] = conversation
        self._tcp_count += 1
        return conversation

    def _numbers(self, row: Row, segment: Segment, forward: Direction, backward: Direction) -> None:
        """Relative numbers (semantics 2.1 rule 9); an ICMP error shows raw ones."""
        if segment.quoted:
            return
        known = segment.length is not None
        seq = (segment.seq - ((known and forward.base) or 0)) % MODULUS
        row.put("tcp.seq", seq)
        if "tcp.flags" not in row.own:
            return
        ack = segment.ack
        if segment.flags & ACK:
            ack = (ack - ((known and backward.base) or 0)) % MODULUS
        row.put("tcp.ack", ack)
        if segment.flags & (SYN | ACK) == SYN | ACK and ack > 1:
            row.put("tcp.analysis.tfo_ack", True)
            row.expert(NOTE, SEQUENCE, "SYN+ACK accepts fast open data")
        if segment.length is not None:
            extra = 1 if segment.flags & (SYN | FIN) else 0
            row.put("tcp.nxtseq", (seq + segment.length + extra) % MODULUS)

    def _analyse(
        self,
        row: Row,
        segment: Segment,
        conversation: Conversation,
        directions: tuple[Direction, Direction],
        reused: bool,
    ) -> None:
        analysis = conversation.analysis
        if segment.length is None:
            analysis.handshake(segment, row.time_ns)
            if reused and not segment.options_cut:
                row.put("tcp.analysis", True)
                row.put("tcp.analysis.flags", True)
                row.put("tcp.analysis.reused_ports", True)
                row.expert(NOTE, SEQUENCE, "port numbers reused")
            return
        found = analyse(row, segment, analysis, directions, reused)
        analysis.handshake(segment, row.time_ns)
        if segment.payload_at is not None and _kept_from_above(row, segment.payload_at, found):
            row.forget_from(segment.payload_at)
        if "tcp.flags" in row.own and not segment.options_cut:
            show(row, found, analysis)


def _kept_from_above(row: Row, payload_at: int, found: Found) -> bool:
    """Whether no protocol sees the payload; the octet of a keep-alive may still be data."""
    if "keep_alive" in found.marks:
        return row.protocols[payload_at : payload_at + 1] != ["data"]
    return not NOT_HANDED_UP.isdisjoint(found.marks)


def _window(segment: Segment, forward: Direction) -> int:
    """The window in octets: scaled, except in a SYN (RFC 7323 section 2.2)."""
    if segment.flags & SYN or forward.flow.scale < 0:
        return segment.window
    return segment.window << forward.flow.scale


def _key(source: End, destination: End) -> tuple[tuple[End, End], int]:
    """The conversation's key, and 1 when the packet goes from its second end to its first."""
    if source <= destination:
        return (source, destination), 0
    return (destination, source), 1


def _set_bases(segment: Segment, forward: Direction, backward: Direction) -> None:
    """Where each direction's numbers begin (semantics 2.1 rule 9)."""
    if forward.base is None:
        first = segment.seq if segment.flags & SYN else segment.seq - 1
        forward.base = first % MODULUS
    if backward.base is None and segment.flags & ACK:
        backward.base = (segment.ack - 1) % MODULUS


def _complete(conversation: Conversation, segment: Segment, created: bool, again: bool) -> None:
    """Bits of completeness; a conversation's first packet counts only when it is a SYN.

    A SYN with the number that its direction already has (``again``) counts for nothing.
    """
    flags = segment.flags
    if created:
        # Of a conversation's first packet only a SYN counts, and the data it carries.
        if flags & (SYN | ACK) == SYN:
            conversation.completeness |= SYN_SEEN | (DATA_SEEN if segment.length else 0)
        return
    seen = 0
    if flags & SYN and not again:
        seen |= SYNACK_SEEN if flags & ACK else SYN_SEEN
    if flags & ACK:
        if segment.length:
            seen |= DATA_SEEN
        elif not flags & SYN:
            seen |= ACK_SEEN
        if flags & FIN:
            seen |= FIN_SEEN
    if flags & RST:
        seen |= RST_SEEN
    conversation.completeness |= seen
