"""A claim on a capture, as the makers of mutants see both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Protocol

from decoders.displayfilter import Filter
from generators.edits import Edit, Put, Record, Replace
from generators.headers import headers
from generators.rewriting import assigned, value_text, without_octets
from generators.variants import variants
from generators.wishes import Erase, Have, Set, Wishes, all_of
from harness.expectation import Claim
from harness.measures import Measure, Measured

Key = tuple[int | str | bytes | bool, ...]
"""Values of fields, as the columns hold them."""
Condition = tuple[str, bool]
"""A display filter, and whether it is to be true or false."""
KNOWN = frozenset({"eth", "vlan", "mpls", "pppoes", "pppoed", "lcp", "pap", "ipcp", "ipv6cp"}) | {
    *("ip", "ipv6", "tcp", "udp", "icmp", "icmpv6", "gre")
}
"""Protocols that are looked for before a packet is decoded."""
TEMPLATES = 6
"""Packets of the view that are tried as they stand at each of its ends."""
STACKS = 8
"""Packets of other stacks of protocols that are tried."""
SAMPLED = 4000
"""Packets that are looked through for other stacks."""
MOST_MADE = 4
"""Packets that are handed over of those that are content."""


class Scene(Protocol):
    """A capture that can be looked at; positions count its packets from 0."""

    @property
    def records(self) -> Sequence[Record]:
        """All packets."""

    def view(self, stage: str, where: str | None, *conditions: Condition) -> list[int]:
        """Positions of a stage's packets that match a filter and fulfil the conditions."""

    def rows(
        self, stage: str, where: str | None, names: Sequence[str], headers: str
    ) -> list[tuple[int, Key]]:
        """Position and values of every occurrence of a tuple of fields in a view."""

    def content(
        self, records: Sequence[Record], stage: str, where: str | None, *conditions: Condition
    ) -> list[bool]:
        """Whether packets, each for itself, would stand in a view and fulfil the conditions.

        What a packet alone does not decide (streams, analysis) is taken as it is wanted.
        """

    def parsed(self, text: str) -> Filter:
        """A display filter with the file's macros."""

    def filters_between(self, stage: str, other: str) -> list[str]:
        """Filters of the stages that lead from one stage to another."""


@dataclass(frozen=True)
class Made:
    """A packet made from the one at a position, with words on what is different."""

    at: int
    words: str
    record: Record

    def added(self, before: int | None = None) -> Edit:
        """Put in behind the packet it was made from, or in front of another one."""
        at = self.at + 1 if before is None else before
        place = f"behind frame {at}" if at else "in front of all frames"
        what = self.words or "the same once more"
        return Edit(
            f"one packet added {place}: frame {self.at + 1}, {what}", (Put(at, self.record),)
        )

    def instead(self) -> Edit:
        """In the place of the packet it was made from."""
        return Edit(f"frame {self.at + 1} changed: {self.words}", (Replace(self.at, self.record),))


@dataclass(frozen=True)
class Subject:
    """One claim, its measure (or a part of it) and the capture."""

    claim: Claim
    scene: Scene
    measure: Measure
    stage: str

    @cached_property
    def positions(self) -> list[int]:
        """Packets of the claim's view, in order."""
        return self.scene.view(self.stage, self.claim.where)

    @property
    def records(self) -> Sequence[Record]:
        return self.scene.records

    def part(self, measure: Measure, stage: str | None = None) -> Subject:
        """The same claim, seen as one about a part of its measure."""
        return replace(self, measure=measure, stage=stage or self.stage)

    def where(self, *conditions: Condition) -> list[int]:
        """Positions of the view's packets that fulfil the conditions."""
        return self.scene.view(self.stage, self.claim.where, *conditions)

    def rows(self, names: Sequence[str], headers: str = "own") -> list[tuple[int, Key]]:
        return self.scene.rows(self.stage, self.claim.where, names, headers)

    def refutes(self, value: int | Fraction) -> bool:
        """Whether the claim would be refuted if its measure (a number) had this value."""
        comparison = self.claim.comparison
        if comparison is None or self.claim.measure is None:
            return False
        return not comparison.judge(Measured(self.claim.measure.shape, value)).holds

    def smallest(self, value: Callable[[int], int | Fraction], most: int) -> int | None:
        """The smallest number from 1 to ``most`` at which ``value`` refutes the claim.

        ``value`` goes one way only, so that what refutes stays refuting.
        """
        low, high = 0, 1
        while high <= most and not self.refutes(value(high)):
            low, high = high, high * 2
        if high > most:
            if most < 1 or not self.refutes(value(most)):
                return None
            high = most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.refutes(value(middle)) else (middle, high)
        return high

    def made(self, *conditions: Condition, near: Sequence[int] | None = None) -> Iterator[Made]:
        """Packets of the view that fulfil conditions, made from packets of the capture.

        ``near``: positions of the packets to begin with, by default those of the view.
        """
        wanted = self._wanted(conditions)
        begin = self.positions if near is None else near
        templates = list(dict.fromkeys([*reversed(begin[-TEMPLATES:]), *begin[:TEMPLATES]]))
        found = 0
        for group in (templates, self.other_stacks(templates)):
            for one in self._content(_plain(self.records, group, wanted), conditions):
                yield one
                found += 1
            if found:
                return
        for group in (templates[:2], self.other_stacks(templates)[:4]):
            for one in self._content(_varied(self.records, group, wanted), conditions):
                yield one
                found += 1
            if found:
                return

    def _wanted(self, conditions: Sequence[Condition]) -> list[Wishes]:
        """Wishes for the conditions alone first, then for the claim's filter too."""
        trees = [(self.scene.parsed(text).tree, want) for text, want in conditions]
        alone = all_of(trees)
        if self.claim.where is None:
            return alone
        both = all_of([*trees, (self.scene.parsed(self.claim.where).tree, True)])
        return list(dict.fromkeys([*alone, *both]))

    def _content(self, candidates: Iterator[Made], conditions: Sequence[Condition]) -> list[Made]:
        """The first of the candidates that decode to what is wanted, those less changed first."""
        listed = sorted(candidates, key=lambda one: one.words.count(",") + bool(one.words))
        fit = self.scene.content(
            [one.record for one in listed], self.stage, self.claim.where, *conditions
        )
        good = [one for one, fits in zip(listed, fit, strict=True) if fits]
        if any(not one.words for one in good):
            # A copy goes where its packet went: a stream that the stage leaves out, for one.
            there = set(self.where(*conditions))
            good = [one for one in good if one.words or one.at in there]
        return good[:MOST_MADE]

    def other_stacks(self, but: Sequence[int]) -> list[int]:
        """The last packet of each other stack of protocols."""
        found: dict[tuple[str, ...], int] = {}
        step = max(1, len(self.records) // SAMPLED)
        for at in range(0, len(self.records), step):
            record = self.records[at]
            found[tuple(h.protocol for h in headers(record.data, record.link))] = at
        return [at for at in found.values() if at not in but][:STACKS]


def _plain(records: Sequence[Record], at: Sequence[int], wanted: list[Wishes]) -> Iterator[Made]:
    for position in at:
        for one in wanted:
            made = granted(records[position], one)
            if made is not None:
                yield Made(position, made[1], made[0])


def _varied(records: Sequence[Record], at: Sequence[int], wanted: list[Wishes]) -> Iterator[Made]:
    for position in at:
        for words, variant in variants(records[position]):
            for one in wanted:
                made = granted(variant, one)
                if made is not None:
                    yield Made(position, ", ".join(filter(None, (words, made[1]))), made[0])


def granted(record: Record, wanted: Wishes) -> tuple[Record, str] | None:
    """A packet with its wishes granted, and what was changed in words; None when one cannot be."""
    words: list[str] = []
    present = {header.protocol for header in headers(record.data, record.link)}
    for wish in wanted:
        changed: Record | None = record
        match wish:
            case Have(protocol=protocol, present=there):
                if protocol in KNOWN and (protocol in present) != there:
                    return None
            case Erase(octets=octets) if octets in record.data:
                changed = without_octets(record, octets)
                words.append(f"other octets than {octets.hex(':')}")
            case Set(field=field, value=value, place=place):
                changed = assigned(record, field, value, place)
                if changed is not None and changed != record:
                    words.append(f"{field} {value_text(field, value)}")
        if changed is None:
            return None
        record = changed
    return record, ", ".join(words)
