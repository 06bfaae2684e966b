"""A readable model of Wireshark's conversations (semantics 2.1), and what is played to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from generators import parts
from generators.parts import Ends

SYN, ACK = 2, 16
STREAMS = ("tcp.stream", "udp.stream", "tcp.seq", "tcp.ack", "tcp.analysis.reused_ports")
"""What the model tells of a packet."""

HOSTS = tuple(bytes((192, 0, 2, n)) for n in (1, 2, 3))
PORTS = (80, 49153, 65535)


class Step(NamedTuple):
    """A packet between two ends of a small world."""

    udp: bool
    src: int
    dst: int
    srcport: int
    dstport: int
    flags: int = SYN
    seq: int = 0
    ack: int = 0


_DIRECTIONS = (
    *((0, 1, 1, 0), (1, 0, 0, 1)),
    *((0, 1, 2, 0), (1, 0, 0, 2)),
    *((0, 2, 1, 0), (0, 0, 1, 1), (0, 0, 1, 2)),
)
"""Source and destination, port of each: conversations that differ in little, one with itself."""


def steps() -> st.SearchStrategy[Step]:
    """Packets that often meet in the same conversation; shrinks to a SYN between the first two."""
    number = st.sampled_from((0, 1, 1000, 1001, 0xFFFFFFFF))
    return st.builds(
        lambda udp, ends, flags, seq, ack: Step(udp, *ends, flags, seq, ack),
        st.sampled_from((False, False, False, True)),
        st.sampled_from(_DIRECTIONS),
        st.sampled_from((SYN, SYN | ACK, ACK, 4, 20, 17)),
        number,
        number,
    )


def frame_of(step: Step) -> bytes:
    """The packet as raw IP (link type 101)."""
    ends = Ends(HOSTS[step.src], HOSTS[step.dst])
    ports = PORTS[step.srcport], PORTS[step.dstport]
    if step.udp:
        return parts.ipv4(ends, parts.udp(ends, *ports)).data
    segment = parts.tcp(ends, *ports, flags=step.flags, seq=step.seq, ack=step.ack)
    return parts.ipv4(ends, segment).data


_Way = tuple[str, int, int]
"""A direction: the end it comes from."""


class _Talk:
    """A TCP conversation: its number, and of each end the number before its first octet."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.base: dict[_Way, int] = {}


class Model:
    """Wireshark's rules in the words of semantics 2.1: one dictionary of conversations."""

    def __init__(self) -> None:
        self._udp: dict[frozenset[tuple[int, int]], int] = {}
        self._tcp: dict[frozenset[tuple[int, int]], _Talk] = {}
        self._count = 0

    def play(self, step: Step) -> dict[str, list[Any] | None]:
        """What a decoder must find in the next packet."""
        here: _Way = ("from", step.src, step.srcport)
        there: _Way = ("from", step.dst, step.dstport)
        key = frozenset((here[1:], there[1:]))
        if here == there:  # An end that talks to itself never answers: it has one direction only.
            there = ("to", step.dst, step.dstport)
        if step.udp:
            return {"udp.stream": [self._udp.setdefault(key, len(self._udp))]}
        talk = self._tcp.get(key)
        if talk is None:
            talk = self._open(key)
        known = talk.base.get(here)
        reused = bool(step.flags & SYN) and known is not None and known != step.seq
        if reused and step.flags & ACK:
            # Rule 7: a SYN,ACK never opens a stream; its direction begins anew.
            talk.base[here] = step.seq
        elif reused:
            # Rule 5: another SYN is another stream.
            talk = self._open(key)
        # Rule 9: the first packet of a direction, and the first ACK of the other one.
        talk.base.setdefault(here, (step.seq if step.flags & SYN else step.seq - 1) % 2**32)
        if step.flags & ACK:
            talk.base.setdefault(there, (step.ack - 1) % 2**32)
        base = talk.base.get(there, 0) if step.flags & ACK else 0
        return {
            "tcp.stream": [talk.number],
            "tcp.seq": [(step.seq - talk.base[here]) % 2**32],
            "tcp.ack": [(step.ack - base) % 2**32],
            "tcp.analysis.reused_ports": [True] if reused else None,
        }

    def _open(self, key: frozenset[tuple[int, int]]) -> _Talk:
        talk = self._tcp[key] = _Talk(self._count)
        self._count += 1
        return talk
