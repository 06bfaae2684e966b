"""A state machine that plays TCP conversations, and the marks that each packet must get.

Rules are what ends do: open, answer, send, acknowledge, send again, ask whether the other one is
alive, lose a segment on the way, close, reset, open again with another number. Two conversations go
on at a time. At the end of a run both decoders read all packets from one file; streams and relative
numbers must be those of :class:`tests.properties.streams.Model`, marks those that stand here
(Wireshark semantics 7.1 for ends with one window, in words).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from generators import captures, parts
from generators.captures import CaptureFile
from generators.parts import Ends
from generators.truth import Described, Truth
from tests.properties import checks
from tests.properties.decoded import DECODERS, rows_by
from tests.properties.streams import HOSTS, PORTS, STREAMS, Model, Step

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
WINDOW = 60_000
"""Octets that every end says it takes: more than are ever sent."""

SOON, LATE = 8, 8_000
"""Eighths of a second: a second, and longer than any handshake takes."""

MARKS = (
    *("retransmission", "spurious_retransmission", "fast_retransmission", "out_of_order"),
    *("lost_segment", "ack_lost_segment", "keep_alive", "keep_alive_ack", "duplicate_ack"),
    *("reused_ports", "window_full", "window_update", "zero_window", "zero_window_probe"),
    "zero_window_probe_ack",
)
FINS = ("fin_active", "fin_passive")
FIELDS = (
    *STREAMS,
    *(f"tcp.analysis.{mark}" for mark in MARKS),
    *(f"tcp.connection.{fin}" for fin in FINS),
)

NUMBERS = (0, 1, 1000, 2**31 - 1, 2**32 - 6)
"""Where numbers begin: at the ends, in the middle, and so that they wrap."""


class Played(NamedTuple):
    """A packet, and what must be found in it."""

    data: bytes
    gap: int
    must: dict[str, list[Any] | None]


@dataclasses.dataclass
class End:
    """What one end has sent, as somebody sees it who stands between the two."""

    sends: int = 0
    """Number of the next octet that it sends."""
    seen: int = 0
    """Number behind the last octet that came by; 0 when none did."""
    whole: int = 0
    """The same, but only as far as no segment is missing before it."""
    takes: int | None = None
    """What it acknowledges; None: it had nothing to acknowledge yet."""
    said: int = 0
    """The number in its last packet's ACK field."""
    marks: frozenset[str] = frozenset()
    """Of its last packet."""
    last: tuple[int, int, int] | None = None
    """Flags, number and octets of the last segment that took up numbers."""
    closes: bool = False
    """It was the first to close."""


class Talk:
    """A conversation; end 0 opens it."""

    def __init__(self, hosts: tuple[int, int], ports: tuple[int, int]) -> None:
        self.hosts, self.ports = hosts, ports
        self.begin(None)

    def begin(self, number: int | None) -> None:
        """Both ends forget; ``number`` is where the opener's numbers begin, None: never opened."""
        self.ends = (End(), End())
        self.opened_with = number
        self.answered = self.reset = False


def _after(one: int, other: int) -> bool:
    """Whether a number stands behind another one on the circle."""
    return 0 < (one - other) % 2**32 < 2**31


WHO = st.sampled_from((0, 1))
OCTETS = st.sampled_from((10, 100))


class Conversations(RuleBasedStateMachine):
    """Plays packets; :meth:`teardown` reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.talks = (Talk((0, 1), (1, 0)), Talk((2, 0), (0, 2)))
        self.model = Model()
        self.packets: list[Played] = []
        self.talk = self.talks[0]

    @rule(nth=WHO)
    def turn_to(self, nth: int) -> None:
        """The next packets are of another conversation."""
        self.talk = self.talks[nth]

    @precondition(lambda self: ALLOWED["open"](self.talk))
    @rule(number=st.sampled_from(NUMBERS))
    def open(self, number: int) -> None:
        """The first SYN, or one with another number: the ports are used again."""
        self._open(number)

    @rule(number=st.sampled_from(NUMBERS))
    def open_in_the_middle(self, number: int) -> None:
        """A SYN with another number, whatever went on before."""
        self._open(number)

    def _open(self, number: int) -> None:
        if number == self.talk.opened_with:
            number = (number + 500) % 2**32
        reused = self.talk.opened_with is not None
        self.talk.begin(number)
        self.talk.ends[0].sends = number
        self._segment(0, SYN, marks={"reused_ports"} if reused else set())

    @precondition(lambda self: ALLOWED["answer"](self.talk))
    @rule(number=st.sampled_from(NUMBERS))
    def answer(self, number: int) -> None:
        """SYN,ACK."""
        self.talk.answered = True
        self.talk.ends[1].sends = number
        self.talk.ends[1].takes = self.talk.ends[0].sends
        self._segment(1, SYN | ACK)

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO)
    def acknowledge(self, who: int) -> None:
        """All that the other end has sent; without anything new that is said twice."""
        end, other = self._ends(who)
        end.takes = other.sends
        again = end.takes == end.said
        asked = "keep_alive" in other.marks
        self._packet(who, ACK, end.sends, 0, {_SAID_AGAIN[asked]} if again else set())

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO, octets=OCTETS)
    def send(self, who: int, octets: int) -> None:
        self._segment(who, PSH | ACK, octets)

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO, lost=OCTETS, octets=OCTETS)
    def lose_and_send(self, who: int, lost: int, octets: int) -> None:
        """A segment that does not come by, and one that does."""
        end, _ = self._ends(who)
        end.sends = (end.sends + lost) % 2**32
        self._segment(who, PSH | ACK, octets, {"lost_segment"})

    @precondition(lambda self: ALLOWED["send_again"](self.talk))
    @rule(who=WHO)
    def send_again(self, who: int) -> None:
        """The last segment once more, long after it."""
        end, other = self._ends(who)
        if end.last is None:
            return
        flags, number, octets = end.last
        marks = {"retransmission"}
        if octets and other.said and not _after(number + octets, other.said):
            marks.add("spurious_retransmission")
        self._packet(who, flags, number, octets, marks, LATE)

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO, octets=st.sampled_from((0, 1)))
    def ask_whether_alive(self, who: int, octets: int) -> None:
        """The last octet once more, or none from its place."""
        end, _ = self._ends(who)
        self._packet(who, ACK, (end.sends - 1) % 2**32, octets, {"keep_alive"})

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO)
    def close(self, who: int) -> None:
        self._segment(who, FIN | ACK)

    @precondition(lambda self: _goes_on(self.talk))
    @rule(who=WHO)
    def reset(self, who: int) -> None:
        end, _ = self._ends(who)
        self.talk.reset = True
        self._packet(who, RST | ACK, end.sends, 0, set())

    def _ends(self, who: int) -> tuple[End, End]:
        return self.talk.ends[who], self.talk.ends[1 - who]

    def _segment(
        self, who: int, flags: int, octets: int = 0, marks: set[str] | None = None
    ) -> None:
        """A segment that takes up numbers, for the first time."""
        end, number = self.talk.ends[who], self.talk.ends[who].sends
        end.last = (flags, number, octets)
        end.sends = (number + octets + (1 if flags & (SYN | FIN) else 0)) % 2**32
        self._packet(who, flags, number, octets, set(marks or ()))

    def _packet(
        self, who: int, flags: int, number: int, octets: int, marks: set[str], gap: int = SOON
    ) -> None:
        """Put a packet down, with what must be found in it; ``marks`` without those of its ACK."""
        end, other = self._ends(who)
        if flags & ACK and end.takes is None:
            end.takes = other.sends
        takes = end.takes if flags & ACK and end.takes is not None else 0
        if flags & ACK and other.whole and _after(takes, other.whole):
            marks.add("ack_lost_segment")
            other.whole = other.seen
        ending = (number + octets + (1 if flags & (SYN | FIN) else 0)) % 2**32
        if end.seen == 0 or _after(ending, end.seen):
            end.seen = ending
        if end.whole in (0, number):
            end.whole = end.seen
        end.said, end.marks = takes, frozenset(marks)
        fins: dict[str, list[Any] | None] = {f"tcp.connection.{fin}": None for fin in FINS}
        if flags & FIN:
            fins[f"tcp.connection.{FINS[other.closes]}"] = [True]
            end.closes = end.closes or not other.closes
        hosts, ports = self.talk.hosts, self.talk.ports
        step = Step(
            False, hosts[who], hosts[1 - who], ports[who], ports[1 - who], flags, number, takes
        )
        must = {f"tcp.analysis.{mark}": _shown(mark, marks) for mark in MARKS}
        self.packets.append(Played(_frame(step, octets), gap, {**must, **fins, **self._read(step)}))

    def _read(self, step: Step) -> dict[str, list[Any] | None]:
        return {"udp.stream": None, **self.model.play(step)}

    def file(self) -> CaptureFile:
        """What was played so far."""
        lines = [
            (0, one.gap, Described(one.data, len(one.data), 101, Truth())) for one in self.packets
        ]
        return captures.pcapng([captures.Section(False, ((101, 9),), tuple(lines))])

    def teardown(self) -> None:
        """Both decoders find in each packet what was played."""
        with checks.on_disk(self.file().data) as path:
            for decoder in DECODERS:
                rows = rows_by(decoder, path, FIELDS)
                checks.demand(len(rows) == len(self.packets), f"{decoder}: {len(rows)} packets")
                for nth, (one, row) in enumerate(zip(self.packets, rows, strict=True), 1):
                    found = {name: row.own.get(name) for name in one.must}
                    wrong = [name for name in found if found[name] != one.must[name]]
                    text = "; ".join(f"{n}: must be {one.must[n]}, is {found[n]}" for n in wrong)
                    checks.demand(not wrong, f"{decoder}: packet {nth}: {text}")


def _always(talk: Talk) -> bool:
    return True


def _goes_on(talk: Talk) -> bool:
    return talk.answered and not talk.reset


ALLOWED: dict[str, Callable[[Talk], bool]] = {
    "turn_to": _always,
    "open": lambda talk: talk.opened_with is None or talk.reset,
    "open_in_the_middle": _always,
    "answer": lambda talk: talk.opened_with is not None and not talk.answered,
    "acknowledge": _goes_on,
    "send": _goes_on,
    "lose_and_send": _goes_on,
    "send_again": lambda talk: talk.opened_with is not None and not talk.reset,
    "ask_whether_alive": _goes_on,
    "close": _goes_on,
    "reset": _goes_on,
}
"""When each rule may be played."""


class Move(NamedTuple):
    """A rule, and what it may be given."""

    rule: str
    who: int
    number: int
    octets: int
    lost: int

    def given(self) -> dict[str, int]:
        """What the rule takes."""
        return {
            "turn_to": {"nth": self.who},
            "answer": {"number": self.number},
            "send": {"who": self.who, "octets": self.octets},
            "lose_and_send": {"who": self.who, "octets": self.octets, "lost": self.lost},
            "ask_whether_alive": {"who": self.who, "octets": self.octets % 3},
        }.get(self.rule, {"number": self.number} if "open" in self.rule else {"who": self.who})


def moves() -> st.SearchStrategy[list[Move]]:
    """Moves of the state machine as plain values, which can be kept and replayed.

    They begin with a handshake; most of the others go on with a conversation.
    """
    going_on = [name for name in ALLOWED if ALLOWED[name] is _goes_on]
    names = [*going_on, "send_again", *going_on, "send_again", "close", *ALLOWED]

    def one(*rules: str) -> st.SearchStrategy[Move]:
        return st.builds(
            Move, st.sampled_from(rules), WHO, st.sampled_from(NUMBERS), OCTETS, OCTETS
        )

    rest = st.lists(st.lists(one(*names), max_size=9), max_size=6)
    return st.builds(
        lambda syn, ack, runs: [syn, ack, *(move for run in runs for move in run)],
        one("open"),
        one("answer"),
        rest,
    )


def played(drawn: Sequence[Move]) -> Conversations:
    """A machine that has made the moves that were allowed when their turn came."""
    machine = Conversations()
    for move in drawn:
        if ALLOWED[move.rule](machine.talk):
            getattr(machine, move.rule)(**move.given())
    return machine


_SAID_AGAIN = ("duplicate_ack", "keep_alive_ack")


def _shown(mark: str, marks: set[str]) -> list[Any] | None:
    """The field of a mark; Wireshark has a duplicate ACK twice."""
    if mark not in marks:
        return None
    return [True, True] if mark == "duplicate_ack" else [True]


def _frame(step: Step, octets: int) -> bytes:
    ends = Ends(HOSTS[step.src], HOSTS[step.dst])
    segment = parts.tcp(
        ends,
        PORTS[step.srcport],
        PORTS[step.dstport],
        seq=step.seq,
        ack=step.ack,
        flags=step.flags,
        window=WINDOW,
        payload=parts.opaque(b"x" * octets),
    )
    return parts.ipv4(ends, segment).data
