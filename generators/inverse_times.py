"""Edits that move packets in time, or change how many stand in a stretch of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial

from generators.edits import Edit, Put, Replace, dropping, repeating
from generators.subject import Key, Subject
from harness.measures import MeasureError, Rate, Spread

NS = 1_000_000_000
MOST_ADDED = 200_000
"""Packets that an edit adds at most."""
MOST_LATER = 20 * 365 * 86_400 * NS
"""Nanoseconds by which a packet is moved at most."""


def timed(subject: Subject) -> list[tuple[int, int]]:
    """Time (ns) and position of each packet of the view that has a time, by time."""
    found = ((subject.records[at].time_ns, at) for at in subject.positions)
    return sorted((time, at) for time, at in found if time is not None)


def last(subject: Subject) -> Iterator[Edit]:
    """The last packet later by as little as it takes, or so many of the last ones dropped."""
    order = timed(subject)
    if not order:
        return
    time, at = order[-1]
    moved = subject.smallest(lambda k: _value(subject, order[0][0], time + k), MOST_LATER)
    if moved is not None:
        record = subject.records[at]._replace(time_ns=time + moved)
        if len(order) > 1 or subject.measure.name == "last":
            yield Edit(f"frame {at + 1} {_span(moved)} later", (Replace(at, record),))
        yield Edit(f"frame {at + 1} once more, {_span(moved)} later", (Put(at + 1, record),))
    gone = subject.smallest(
        lambda k: _value(subject, order[0][0], order[-1 - k][0]), len(order) - 1
    )
    if gone is not None:
        yield dropping(sorted(at for _, at in order[-gone:]))


def first(subject: Subject) -> Iterator[Edit]:
    """The first packet earlier by as little as it takes, or so many of the first ones dropped."""
    order = timed(subject)
    if not order:
        return
    time, at = order[0]
    moved = subject.smallest(lambda k: _value(subject, time - k, order[-1][0]), time)
    if moved is not None:
        record = subject.records[at]._replace(time_ns=time - moved)
        yield Edit(f"frame {at + 1} {_span(moved)} earlier", (Replace(at, record),))
    gone = subject.smallest(lambda k: _value(subject, order[k][0], order[-1][0]), len(order) - 1)
    if gone is not None:
        yield dropping(sorted(at for _, at in order[:gone]))


def _value(subject: Subject, begin: int, end: int) -> int | Fraction:
    """What the measure is when the view reaches from one time to another, ns."""
    if isinstance(subject.measure, Rate):
        return subject.measure.of_packets(len(subject.positions), begin, end)
    if subject.measure.name in ("first", "last"):
        return begin if subject.measure.name == "first" else end
    return Fraction(end - begin, NS)


def _span(ns: int) -> str:
    return f"{ns} ns" if ns < NS // 1000 else f"{float(Fraction(ns, NS)):g} s"


# Bins -------------------------------------------------------------------------------------------


def bins(subject: Subject) -> Iterator[Edit]:
    """So many packets of the emptiest, or the fullest, stretch of time fewer or more."""
    order, measure = timed(subject), subject.measure
    if not order or not isinstance(measure, Spread):
        return
    width = measure.bin * NS
    start = order[0][0]
    filled: dict[int, list[int]] = defaultdict(list)
    for time, at in order:
        filled[int((time - start) // width)].append(at)
    number = int((order[-1][0] - start) // width) + 1
    if measure.over is not None:
        number = int(measure.over / measure.bin)
    sizes = {slot: len(found) for slot, found in filled.items() if slot < number}
    by_size = sorted(sizes, key=lambda slot: sizes[slot])
    offers: list[Edit] = []
    for slot in dict.fromkeys((by_size[0], by_size[-1])):
        # The first packet of all starts the first bin: it stays.
        free = filled[slot][1:] if slot == 0 else filled[slot]
        fewer = subject.smallest(partial(_with_bin, measure, sizes, number, slot, -1), len(free))
        more = subject.smallest(partial(_with_bin, measure, sizes, number, slot, 1), MOST_ADDED)
        if fewer is not None:
            offers.append(dropping(sorted(free[-fewer:]), "of one stretch of time"))
        if more is not None:
            offers.append(repeating(subject.records, sorted(filled[slot]), more))
    yield from sorted(offers, key=lambda edit: len(edit.changes))


def _with_bin(
    measure: Spread, sizes: Mapping[int, int], number: int, slot: int, sign: int, more: int
) -> int | Fraction:
    """The measure's value when a bin has so many packets more, or fewer (``sign`` -1)."""
    changed = {**sizes, slot: sizes[slot] + sign * more}
    return measure.of_bins([size for size in changed.values() if size > 0], number)


# Intervals --------------------------------------------------------------------------------------


def gap(subject: Subject) -> Iterator[Edit]:
    """The last packet of a group later, a packet repeated at once, or one in the middle dropped."""
    gaps, last_one = _gaps(subject)
    if last_one is None:
        return
    listed = list(gaps.values())
    at, own = last_one, gaps[last_one]
    others = [found for place, found in gaps.items() if place != at]
    moved = subject.smallest(lambda k: _statistic(subject, [*others, own + k]), MOST_LATER)
    repeated = subject.smallest(lambda k: _statistic(subject, [*listed, *[0] * k]), len(listed) + 1)
    record = subject.records[at]
    if repeated is not None:
        yield repeating(subject.records, [at], repeated)
    if moved is not None and record.time_ns is not None:
        later = record._replace(time_ns=record.time_ns + moved)
        yield Edit(f"frame {at + 1} {_span(moved)} later", (Replace(at, later),))
    widest = sorted(gaps, key=lambda place: -gaps[place])
    for place in widest[:3]:
        yield dropping([place])


def _gaps(subject: Subject) -> tuple[dict[int, int], int | None]:
    """Time since the packet before it in its group, by position; and the last packet with one."""
    names = getattr(subject.measure, "by", None)
    groups: dict[int, Key] = {}
    if names:
        headers = str(getattr(subject.measure, "headers", "own"))
        groups = dict(subject.rows(names, headers))
    before: dict[Key, int] = {}
    gaps: dict[int, int] = {}
    for time, at in timed(subject):
        key = groups.get(at) if names else ()
        if key is None:
            continue
        if key in before:
            gaps[at] = time - before[key]
        before[key] = time
    return gaps, next(reversed(gaps), None) if gaps else None


def _statistic(subject: Subject, gaps: Sequence[int]) -> Fraction:
    """The measure's value on these intervals, ns."""
    ordered = sorted(gaps)
    if not ordered:
        raise MeasureError("no interval")
    middle = len(ordered) // 2
    found = {
        "min": Fraction(ordered[0]),
        "max": Fraction(ordered[-1]),
        "mean": Fraction(sum(ordered), len(ordered)),
        "median": Fraction(ordered[middle] + ordered[-1 - middle], 2),
    }
    return found[str(getattr(subject.measure, "statistic", "max"))] / NS
