"""Edits that change how many packets, octets or values a view has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from generators.edits import Edit, Put, Record, dropping, repeating
from generators.rewriting import assigned, grown, value_of, value_text
from generators.subject import Key, Made, Subject
from harness.measures import Measure, Rate

MOST_ADDED = 200_000
"""Packets that an edit adds at most."""
FRESH_PORTS = (61_717, 61_999, 7717, 52_001)
"""Values for a field that should be new; the first that no packet of the view has is taken."""


def count(subject: Subject) -> Iterator[Edit]:
    """So many packets of the view fewer or more that their number, or their rate, is another."""
    have = len(subject.positions)
    # A capture without any packet would have no verdict.
    droppable = min(have, len(subject.records) - 1)
    fewer = subject.smallest(lambda k: _scaled(subject, have - k), droppable)
    more = subject.smallest(lambda k: _scaled(subject, have + k), MOST_ADDED)
    made: list[tuple[int, Edit]] = []
    if fewer is not None:
        made.append((fewer, dropping(subject.positions[-fewer:])))
    if more is not None and have:
        made.append((more, repeating(subject.records, subject.positions, more)))
    yield from (edit for _, edit in sorted(made, key=lambda one: one[0]))
    if not have:
        yield from (one.added() for one in subject.made())


def _scaled(subject: Subject, packets: int) -> int | Fraction:
    """What the measure is when the view has so many packets and nothing else changes."""
    if not isinstance(subject.measure, Rate):
        return packets
    times = [subject.records[at].time_ns or 0 for at in subject.positions]
    return subject.measure.of_packets(packets, min(times, default=0), max(times, default=0))


def amount(subject: Subject) -> Iterator[Edit]:
    """Packets of the view dropped or repeated until the sum of a field is another."""
    field = str(getattr(subject.measure, "field", ""))
    by_packet: dict[int, int] = defaultdict(int)
    for at, (found,) in subject.rows((field,)):
        by_packet[at] += found if isinstance(found, int) else 0
    ordered = sorted(
        (at for at in by_packet if by_packet[at]), key=lambda at: (-by_packet[at], -at)
    )
    total = sum(by_packet.values())
    sums = _running([by_packet[at] for at in ordered])
    fewer = subject.smallest(lambda k: total - sums[k], len(ordered))
    more = subject.smallest(lambda k: total + sums[k], len(ordered))
    if fewer is not None:
        yield dropping(sorted(ordered[:fewer]))
    if more is not None:
        yield repeating(subject.records, sorted(ordered[:more]))
    for one in subject.made():
        yield one.added()


def _running(numbers: Sequence[int]) -> list[int]:
    sums = [0]
    for number in numbers:
        sums.append(sums[-1] + number)
    return sums


# Values -----------------------------------------------------------------------------------------


def names_of(measure: Measure) -> tuple[str, ...]:
    """Fields whose values, or tuples of values, a measure counts."""
    if measure.name == "streams":
        return tuple(measure.fields())
    found: object = getattr(measure, "by", None) or getattr(measure, "field", ())
    return tuple(map(str, found)) if isinstance(found, tuple) else (str(found),)


def packets_of_values(subject: Subject, names: Sequence[str]) -> dict[Key, list[int]]:
    """Positions of the packets of each value, the smallest groups first; late ones first."""
    headers = str(getattr(subject.measure, "headers", "own"))
    groups: dict[Key, list[int]] = {}
    for at, key in subject.rows(names, headers):
        group = groups.setdefault(key, [])
        if not group or group[-1] != at:
            group.append(at)
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), -item[1][-1]))
    return dict(ordered)


def value(subject: Subject) -> Iterator[Edit]:
    """So many values fewer, or so many new ones, that their number is another."""
    names = names_of(subject.measure)
    groups = packets_of_values(subject, names)
    have = len(groups)
    if not have:
        yield from (one.added() for one in subject.made((subject.measure.witness(), True)))
        return
    offset = _rest_of(subject)
    fewer = subject.smallest(lambda k: offset + have - k, have)
    more = subject.smallest(lambda k: offset + have + k, 1)
    gone = _without(groups, names, fewer) if fewer is not None else None
    if gone is not None and len(gone.changes) == 1:
        yield gone
    if more is not None:
        yield from (one.added() for one in fresh(subject, names))
    if gone is not None:
        yield gone


def _without(groups: dict[Key, list[int]], names: Sequence[str], how_many: int) -> Edit:
    gone = sorted({at for group in list(groups.values())[:how_many] for at in group})
    what = "value" if how_many == 1 else "values"
    return dropping(gone, f"all with {how_many} {what} of {', '.join(names)}")


def _rest_of(subject: Subject) -> int:
    """What a total's other parts add to this one."""
    claim, measure = subject.claim, subject.measure
    parts = getattr(claim.measure, "of", ())
    others = [part for part in parts if part is not measure] if isinstance(parts, tuple) else []
    return sum(
        len(packets_of_values(subject.part(one), names_of(one))) for one in others if names_of(one)
    )


def fresh(subject: Subject, names: Sequence[str]) -> Iterator[Made]:
    """Packets of the view with a value that none of its packets has."""
    for name in names:
        for field in _settable(name):
            yield from _content(subject, field)


def _settable(name: str) -> tuple[str, ...]:
    """Fields that give a new value when they are set: of a stream, a port."""
    if name.endswith(".stream"):
        protocol = name.split(".", maxsplit=1)[0]
        return (f"{protocol}.srcport", f"{protocol}.dstport")
    return (name,)


def renewed(subject: Subject, record: Record, name: str) -> Record | None:
    """A packet with a value that no packet of the stage has; None when it cannot have one."""
    for field in _settable(name):
        taken = _taken(subject, field)
        for number in _new_values(record, field):
            made = assigned(record, field, number, 0) if number not in taken else None
            if made is not None and made != record:
                return made
    return None


def _taken(subject: Subject, field: str) -> set[object]:
    return {key[0] for _, key in subject.scene.rows(subject.stage, None, (field,), "all")}


def _content(subject: Subject, field: str) -> list[Made]:
    candidates: list[Made] = []
    for at in dict.fromkeys([*subject.positions[-6:][::-1], *subject.positions[:6]]):
        made = renewed(subject, subject.records[at], field)
        if made is not None:
            number = value_of(made, field)
            text = value_text(field, number) if number is not None else "new"
            candidates.append(Made(at, f"{field} {text}", made))
    fit = subject.scene.content(
        [one.record for one in candidates], subject.stage, subject.claim.where
    )
    return [one for one, good in zip(candidates, fit, strict=True) if good][:2]


def _new_values(record: Record, field: str) -> list[int | bytes]:
    now = value_of(record, field)
    if isinstance(now, bytes):
        return [now[:-2] + bytes([now[-2] ^ 0x5A, low]) for low in (0x71, 0x72)]
    if field in ("ip.src", "ip.dst"):
        return [0xC6336400 + low for low in (77, 78, 79)]  # 198.51.100.0/24, for documentation
    if field in ("frame.len", "ip.len", "tcp.len", "udp.length"):
        return [record.wire_length + extra for extra in (1, 2, 3, 5, 8, 13)]
    small = [241, 242, 243, 244]
    return [*FRESH_PORTS, *small] if field.endswith("port") else [*small, *range(100, 110)]


# Stages -----------------------------------------------------------------------------------------


QUOTED_REST = bytes.fromhex("00000000 5002 ffff 0000 0000")
"""What an ICMP error leaves out of a TCP header when it quotes eight octets of it: a SYN."""


def between_stages(subject: Subject, other: str) -> Iterator[Edit]:
    """Packets of a view that the other stage's view has not: one fewer, one more."""
    there = set(subject.scene.view(other, subject.claim.where))
    only = [at for at in subject.positions if at not in there]
    if subject.measure.name == "packets" and only:
        yield dropping(only[-1:], "it is in one of the stages only")
        yield repeating(subject.records, only[-1:])
    for text in subject.scene.filters_between(subject.stage, other):
        yield from _taken_numbers(subject, text)
        for one in subject.made((text, False)):
            yield one.added()
    yield from _renumbering(subject, other)


def _taken_numbers(subject: Subject, text: str) -> Iterator[Edit]:
    """A stream more where one begins that a filter names by its number: it takes the number."""
    for name in sorted({"tcp.stream", "udp.stream"} & subject.scene.parsed(text).fields):
        first: dict[Key, int] = {}
        outside = set(subject.scene.view(subject.stage, None, (text, False)))
        for at, key in subject.scene.rows(subject.stage, None, (name,), "own"):
            if at in outside:
                first.setdefault(key, at)
        own = f"{name.split('.')[0]} && !(icmp)"
        where = subject.claim.where
        seen = [own] if where is None else [f"({where}) && {own}", f"{own} && !({where})"]
        found = [list(fresh(_seen_by(subject, text), (name,)))[:1] for text in seen]
        for at in sorted(first.values(), reverse=True)[:1]:
            yield from (one.added(before=at) for kind in found for one in kind)


def _seen_by(subject: Subject, where: str) -> Subject:
    """The same subject as one about other packets."""
    return replace(subject, claim=replace(subject.claim, where=where))


def _renumbering(subject: Subject, other: str) -> Iterator[Edit]:
    """A stream that only one of the stages has, in front of all: later numbers differ."""
    where = subject.claim.where
    if where is None or not any(".stream" in name for name in subject.scene.parsed(where).fields):
        return
    kept = set(subject.scene.view(other, None))
    only = [at for at in subject.scene.view(subject.stage, None) if at not in kept]
    for field in ("tcp.srcport", "udp.srcport"):
        changed = ((at, assigned(subject.records[at], field, FRESH_PORTS[0])) for at in only[::-1])
        at, made = next(((at, one) for at, one in changed if one is not None), (0, None))
        if made is None:
            continue
        place = f"one packet added in front of all frames: frame {at + 1}, {field} {FRESH_PORTS[0]}"
        whole = grown(made, QUOTED_REST) if field == "tcp.srcport" else None
        if whole is not None:
            yield Edit(f"{place}, quoting the whole header", (Put(0, whole),))
        yield Edit(place, (Put(0, made),))
