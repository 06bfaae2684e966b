"""When each packet passes: flows evenly over the capture, named streams at their numbers.

All times are nanoseconds from the first packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from generators.alphabet import Alphabet
from generators.kinds import DHCPV6, PERIODIC, SETUP, Atom, free_streams, server_streams
from generators.plan import Flow

SECOND = 1_000_000_000
ECHO_BEGINS = 10
"""Seconds after the first packet at which the first LCP echo is sent."""
ECHO_DELAY = 12_000_000
SETUP_STEP = 40_000_000
"""Between two packets of a session's beginning."""
ANSWER_DELAY = 400_000
"""From a packet to the router's answer."""
PROBES_BEGIN, PROBES_END = 15, 75
"""Seconds that no flow begins in, at the beginning and at the end of a day."""
AGAIN = (3 * SECOND, 6 * SECOND, 12 * SECOND)
"""How long a sender waits before it sends the same again (RFC 1122 section 4.2.3.1)."""


@dataclass(frozen=True)
class Event:
    """One packet of one kind at one time; ``number`` counts the packets of a flow or a kind."""

    time: int
    atom: Atom
    flow: Flow | None = None
    number: int = 0


def schedule(
    flows: list[Flow],
    line: Sequence[tuple[Atom, int]],
    length: int,
    names: Alphabet,
    random: Random,
) -> list[Event]:
    """All packets in order of time, the last one ``length`` microseconds after the first.

    ``line``: the kinds of the line itself, and how many packets of each there are.
    """
    whole = length * (SECOND // 1_000_000)
    ordered = _ordered(flows, names.tcp_streams, random)
    early, ordered = _early(ordered, names, bool(line))
    events = list(_line(line, early, whole))
    begin = min(PROBES_BEGIN * SECOND, whole // 20)
    window = whole - begin - min(PROBES_END * SECOND, whole // 20)
    step = window // max(1, len(ordered))
    for at, flow in enumerate(ordered):
        events += _flow(flow, begin + at * step + random.randrange(1, max(2, step * 4 // 5)), whole)
    events.sort(key=lambda event: event.time)
    if not events:
        return events
    first = Event(0, events[0].atom, events[0].flow, events[0].number)
    if len(events) == 1:
        return [first]
    end = events[-1]
    return [first, *events[1:-1], Event(whole, end.atom, end.flow, end.number)]


def _ordered(flows: list[Flow], slots: Sequence[int], random: Random) -> list[Flow]:
    """Flows in the order in which they begin: the n-th TCP flow is TCP stream n, from 0."""
    numbered = {flow.lead.slot: flow for flow in flows if flow.lead.slot is not None}
    others = [flow for flow in flows if flow.lead.slot is None]
    random.shuffle(others)
    found: list[Flow] = []
    stream = 0
    for flow in others:
        if flow.srcport and flow.role != "udp":
            while stream in numbered:
                found.append(numbered.pop(stream))
                stream += 1
            stream += 1
        found.append(flow)
    return found + [numbered[slot] for slot in sorted(s for s in numbered if s is not None)]


def _early(flows: list[Flow], names: Alphabet, line: bool) -> tuple[dict[int, Flow], list[Flow]]:
    """UDP flows that must begin before a time server is asked, by stream number; and the rest."""
    if not line:
        return {}, flows
    own = {*free_streams(names), *server_streams(names)}
    before = [number for number in range(max(own)) if number not in own]
    probes = [flow for flow in flows if flow.role == "udp"][: len(before)]
    early = dict(zip(before, probes, strict=False))
    chosen = {id(flow) for flow in probes}
    return early, [flow for flow in flows if id(flow) not in chosen]


def _flow(flow: Flow, begin: int, whole: int) -> Iterator[Event]:
    time = begin
    for number in range(flow.packets):
        atom = flow.lead if number == 0 else flow.again or flow.lead
        yield Event(time, atom, flow, number)
        if number < flow.errors and flow.error is not None:
            yield Event(time + ANSWER_DELAY, flow.error, flow, number)
        if number == 0 and flow.reset is not None:
            yield Event(time + ANSWER_DELAY, flow.reset, flow, number)
        time += min(AGAIN[min(number, len(AGAIN) - 1)], whole // 400)


def _line(line: Sequence[tuple[Atom, int]], early: dict[int, Flow], whole: int) -> Iterator[Event]:
    """The session's beginning in its order, then what repeats itself, evenly."""
    counts = {atom.name: (atom, count) for atom, count in line if count}
    step = min(SETUP_STEP, whole // 1000)
    time = 0
    for kind in SETUP:
        if kind in counts and kind not in PERIODIC and kind not in DHCPV6:
            yield Event(time, counts[kind][0])
            yield from _rest(counts[kind], time, whole)
            time += step
    for events in _udp_in_order(counts, early, whole):
        for atom, flow, count, delay in events:
            if flow is not None:
                yield from _flow(flow, time, whole)
            elif atom is not None:
                yield Event(time + delay, atom)
                yield from _rest((atom, count), time + delay, whole)
            time += step
    yield from _echoes(counts, whole)


Opening = tuple[Atom | None, Flow | None, int, int]


def _udp_in_order(
    counts: dict[str, tuple[Atom, int]], early: dict[int, Flow], whole: int
) -> Iterator[list[Opening]]:
    """What begins each UDP stream, in the order of their numbers."""
    streams: dict[int, list[Opening]] = {n: [(None, flow, 1, 0)] for n, flow in early.items()}
    for atom, count in counts.values():
        if "udp.stream" in atom.fields:
            number = int(atom.fields["udp.stream"][0])
            # A DHCPv6 request waits for the offer, which is in the other direction's stream.
            delay = min(SETUP_STEP, whole // 1000) * 3 // 2 if atom.kind == "dhcpv6-request" else 0
            streams.setdefault(number, []).append((atom, None, count, delay))
    for number in sorted(streams):
        yield streams[number]


def _rest(of: tuple[Atom, int], begin: int, whole: int) -> Iterator[Event]:
    """The second packet of a kind and those behind it, evenly up to near the end."""
    atom, count = of
    gap = (whole - begin - min(5 * SECOND, whole // 50)) // max(1, count)
    for number in range(1, count):
        yield Event(begin + number * gap, atom, None, number)


def _echoes(counts: dict[str, tuple[Atom, int]], whole: int) -> Iterator[Event]:
    begin = min(ECHO_BEGINS * SECOND, whole // 10)
    for kind, delay in (("echo-request", 0), ("echo-reply", ECHO_DELAY)):
        if kind in counts:
            atom, count = counts[kind]
            span = whole - begin - ECHO_DELAY
            for number in range(count):
                time = begin + delay + span * number // max(1, count - 1)
                yield Event(time, atom, None, number)
