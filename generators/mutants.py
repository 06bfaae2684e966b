"""Mutants: for a claim, the smallest edits of a capture after which it must be refuted.

Each measure declares what changes its value (``Measure.inverse``); here is who makes each of these
edits. They are given smallest and most telling first. What an edit does is never taken for granted:
whoever asks for it writes the bytes and verifies the whole file again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from generators import inverse_counts, inverse_groups, inverse_holds, inverse_times
from generators.edits import Edit, dropping, repeating
from generators.subject import Scene, Subject
from harness.expectation import Claim
from harness.measures import Difference, Inverse, Total

Maker = Callable[[Subject], Iterator[Edit]]


def edits(claim: Claim, scene: Scene) -> Iterator[Edit]:
    """Edits that should refute a claim, the smallest first; none for one without a measure."""
    if claim.measure is None:
        return
    seen: set[tuple[object, ...]] = set()
    for edit in edits_of(Subject(claim, scene, claim.measure, claim.stage)):
        if edit.changes and edit.changes not in seen:
            seen.add(edit.changes)
            yield edit


def edits_of(subject: Subject) -> Iterator[Edit]:
    """What the measure's inverses make, then what touches any claim: a packet fewer or more."""
    for kind in subject.measure.inverse:
        yield from MAKERS[kind](subject)
    yield from _renumbered(subject)
    yield from _any(subject)


def _renumbered(subject: Subject) -> Iterator[Edit]:
    """A stream more in front of all: what is said of a stream by its number is said of another."""
    texts = [*subject.measure.filters(), *filter(None, [subject.claim.where])]
    named = {name for text in texts for name in subject.scene.parsed(text).fields}
    for name in sorted(named & {"tcp.stream", "udp.stream"}):
        whole = replace(subject, claim=replace(subject.claim, where=name))
        for one in inverse_counts.fresh(whole, (name,)):
            yield one.added(before=0)


def _any(subject: Subject) -> Iterator[Edit]:
    """One packet of the view fewer or more, and none left: when nothing better is known."""
    if subject.positions:
        yield dropping(subject.positions[-1:])
        yield repeating(subject.records, subject.positions[-1:])
        yield dropping(subject.positions, "all of the view")


def _parts(subject: Subject) -> Iterator[Edit]:
    """What changes one of the measures that are added up."""
    for measure in subject.measure.of if isinstance(subject.measure, Total) else ():
        part = subject.part(measure)
        for kind in measure.inverse:
            yield from MAKERS[kind](part)


def _one_stage(subject: Subject) -> Iterator[Edit]:
    """Packets that are in one of two stages only."""
    measure = subject.measure
    if isinstance(measure, Difference):
        for stage, other in (measure.stage_pair, measure.stage_pair[::-1]):
            yield from inverse_counts.between_stages(subject.part(measure.measure, stage), other)
        for stage in measure.stage_pair:
            part = subject.part(measure.measure, stage)
            for kind in measure.measure.inverse:
                yield from MAKERS[kind](part)


MAKERS: Mapping[Inverse, Maker] = {
    Inverse.COUNT: inverse_counts.count,
    Inverse.AMOUNT: inverse_counts.amount,
    Inverse.VALUE: inverse_counts.value,
    Inverse.GROUP: inverse_groups.group,
    Inverse.OVERTAKE: inverse_groups.overtake,
    Inverse.SHARE: inverse_groups.share,
    Inverse.FIRST: inverse_times.first,
    Inverse.LAST: inverse_times.last,
    Inverse.BINS: inverse_times.bins,
    Inverse.GAP: inverse_times.gap,
    Inverse.UNLIKE: inverse_holds.unlike,
    Inverse.LIKE: inverse_holds.like,
    Inverse.ONE_GROUP: inverse_holds.one_group,
    Inverse.ABSENT: inverse_holds.absent,
    Inverse.AFTERWARDS: inverse_holds.afterwards,
    Inverse.PARTS: _parts,
    Inverse.ONE_STAGE: _one_stage,
}
"""Who makes each kind of edit."""
