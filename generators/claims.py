"""Claims -> constraints: what a published figure says about the numbers of packets of each kind.

A claim that has no constraint here is *left open*: whether a twin satisfies it is found out by
measuring the twin, never taken for granted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

from generators.alphabet import key_values
from generators.filters import NotModelled
from generators.groups import group_claims
from generators.kinds import Atom
from generators.program import Sum
from generators.schedule import ECHO_BEGINS
from generators.structure import Model
from generators.views import View, Views, own_values
from harness.comparisons import Comparison
from harness.expectation import Claim, Expectation
from harness.measures import Measure

PER = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
LENGTH = "microseconds of the capture"
MICRO = 1_000_000
LONGEST = 10**12
DAY = Fraction(86_400 * MICRO)
"""How long a capture lasts when no claim says it."""
OFF_LENGTH = "microseconds off the published length"
OFF_PACE = "microseconds off the published pace"


@dataclass
class Translation:
    """What became of the claims of a file."""

    model: Model
    modelled: list[str] = field(default_factory=list)
    """Ids of claims with constraints, in the order of the file."""
    open: dict[str, str] = field(default_factory=dict)
    """Ids of testable claims without, and why."""
    start: Fraction | None = None
    """Nanoseconds since 1970 at which the first packet is claimed to be."""


def translate(expectation: Expectation, model: Model) -> Translation:
    """Add the constraints of every testable claim to the model's program."""
    found = Translation(model)
    model.program.variable(LENGTH, 0, LONGEST)
    views = Views(expectation, model)
    translator = _Translator(views, model, expectation.stages[0].id)
    for claim in expectation.claims:
        if claim.measure is None or claim.comparison is None:
            continue
        before = len(model.program.rows)
        try:
            translator.claim(claim, claim.measure, claim.comparison)
            found.modelled.append(claim.id)
        except NotModelled as reason:
            model.program.rows[before:] = [r for r in model.program.rows[before:] if not r.owner]
            found.open[claim.id] = str(reason)
        if claim.measure.name == "first":
            found.start = bounds(claim.comparison)[0]
    if OFF_LENGTH not in model.program.bounds:
        translator.near(OFF_LENGTH, Sum({LENGTH: 1}), DAY, 1)
    return found


Bounds = tuple[Fraction | None, Fraction | None, bool]


def bounds(comparison: Comparison) -> Bounds:
    """Lowest and highest value that agrees, and whether the highest itself does not.

    Raises NotModelled for a comparison that is not with a number.
    """
    figures: Any = getattr(comparison, "figures", None)
    if figures is None:
        raise NotModelled(f"the twin does not understand {comparison.name} here")
    values = [one.value for one in figures()]
    match comparison.name:
        case "equals":
            return values[0], values[0], False
        case "at_least":
            return values[0], None, False
        case "at_most":
            return None, values[0], False
        case "between":
            return values[0], values[1], False
        case "within":
            by: Any = getattr(comparison, "by")  # noqa: B009  a figure, or a part of the other
            reach = by.value * (abs(values[0]) if by.text.endswith("%") else 1)
            return values[0] - reach, values[0] + reach, False
        case "about" if values[0] > 0:
            half = figures()[0].unit / 2
            return values[0] - half, values[0] + half, True
    raise NotModelled(f"the twin does not understand {comparison.name} here")


def whole_bounds(comparison: Comparison) -> tuple[int | None, int | None]:
    """The same for a whole number."""
    low, high, open_end = bounds(comparison)
    top = None if high is None else floor(high)
    if open_end and high is not None and high.denominator == 1:
        top = int(high) - 1
    return None if low is None else ceil(low), top


class _Translator:
    def __init__(self, views: Views, model: Model, first: str) -> None:
        self.views, self.model, self.first = views, model, first
        self.program = model.program

    def claim(self, claim: Claim, measure: Measure, comparison: Comparison) -> None:
        """Add what one claim says. Raises NotModelled, then with nothing said."""
        named: dict[str, Callable[[Claim, Any, Comparison], None]] = {
            "duration": self._duration,
            "rate": self._rate,
            "intervals": self._intervals,
            "table": self._table,
            "largest": self._largest,
            "every": self._every,
            "no": self._no,
            "contains": self._contains,
            "never_after": self._never_after,
        }
        if measure.name in named:
            named[measure.name](claim, measure, comparison)
        elif not group_claims(self.views, claim, measure, comparison):
            value = self.number(claim.stage, claim.where, measure)
            self.program.add(value, *whole_bounds(comparison), claim.id)

    # Numbers ---------------------------------------------------------------------------------

    def number(self, stage: str, where: str | None, measure: Any) -> Sum:
        """The value of a counting measure. Raises NotModelled."""
        match measure.name:
            case "packets":
                return self.views.packets(self.views.of(stage, where))
            case "distinct" if len(measure.field) == 1 and str(measure.headers) != "all":
                return self.views.distinct(self.views.of(stage, where), measure.field[0])
            case "streams":
                return self.views.streams(self.views.of(stage, where), measure.protocol)
            case "total":
                parts = [self.number(stage, where, one) for one in measure.of]
                return sum(parts, Sum())
            case "difference":
                one, two = (self.number(of, where, measure.measure) for of in measure.stage_pair)
                return one - two
        raise NotModelled(f"the twin leaves {measure.name} open")

    # Time ------------------------------------------------------------------------------------

    def _duration(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        low, high, open_end = bounds(comparison)
        length = Sum({LENGTH: 1})
        least = None if low is None else ceil(low * MICRO)
        if claim.stage != self.first or claim.where:
            # A part of the capture may begin later and end sooner.
            self.program.add(length, least, None, claim.id)
            return
        top = None if high is None else floor(high * MICRO)
        if high is not None and open_end and high * MICRO == floor(high * MICRO):
            top = floor(high * MICRO) - 1
        self.program.add(length, least, top, claim.id)
        self.near(OFF_LENGTH, length, self._figure(comparison) * MICRO, 1)

    def _figure(self, comparison: Comparison) -> Fraction:
        figures: Any = getattr(comparison, "figures")  # noqa: B009  bounds() has looked
        return Fraction(figures()[0].value)

    def near(self, name: str, sum: Sum, target: Fraction, cost: int) -> None:
        """Prefer a sum to be near a number."""
        off = self.program.variable(name, 0, LONGEST)
        self.program.add(off - sum, -floor(target), None)
        self.program.add(off + sum, floor(target), None)
        self.program.cost(name, cost)

    def _rate(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        low, high, open_end = bounds(comparison)
        packets = self.views.packets(self.views.of(claim.stage, claim.where)) * PER[measure.per]
        self._ratio(claim.id, packets, measure.over, (low, high, open_end))

    def _ratio(self, owner: str, above: Sum, over: Fraction | None, limits: Bounds) -> None:
        """``low <= above / seconds <= high``, the seconds being given or those of the capture."""
        low, high, open_end = limits
        for limit, sign in ((low, 1), (high, -1)):
            if limit is None:
                continue
            scaled = above * limit.denominator
            if over is None:
                scaled, below = scaled * MICRO, Sum({LENGTH: limit.numerator})
            else:
                scaled, below = (
                    above * (limit.denominator * over.denominator),
                    Sum({}, limit.numerator * over.numerator),
                )
            least = 1 if sign < 0 and open_end else 0
            self.program.add((scaled - below) * sign, least, None, owner)

    def _intervals(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        view = self.views.of(claim.stage, claim.where)
        kinds = {atom.kind for atom in view.atoms}
        if measure.by or len(kinds) != 1 or not kinds <= {"echo-request", "echo-reply"}:
            raise NotModelled("the twin leaves open how far these packets are apart")
        gaps = self.model.count(view.atoms) + -1
        self.program.add(gaps, 1, None, claim.id)
        low, high, open_end = bounds(comparison)
        for limit, sign in ((low, 1), (high, -1)):
            if limit is not None:
                length = self._echoed() * limit.denominator
                least = 1 if sign < 0 and open_end else 0
                pace = gaps * (limit.numerator * MICRO)
                self.program.add((length - pace) * sign, least, None, claim.id)
        wanted = self._figure(comparison)
        if wanted.denominator == 1 and wanted > 0:
            distance = self._echoed() - gaps * (int(wanted) * MICRO)
            self.near(f"{OFF_PACE} {view.name}", distance, Fraction(0), 1)

    def _echoed(self) -> Sum:
        """Microseconds from the first echo to the last."""
        return Sum({LENGTH: 1}, -ECHO_BEGINS * MICRO)

    # Tables ----------------------------------------------------------------------------------

    def _keyed(self, claim: Claim, measure: Any) -> tuple[View, list[tuple[Atom, ...]], list[int]]:
        """The view, atoms of each published key, and the published counts (none for an order)."""
        if str(measure.headers) == "all":
            raise NotModelled("the twin leaves tables of quoted headers open")
        view = self.views.of(claim.stage, claim.where)
        published: Any = getattr(claim.comparison, "value", None)
        keys = [tuple(key_values(measure.by, raw)) for raw in published]
        counts = list(published.values()) if isinstance(published, dict) else []
        groups = [tuple(a for a in view.atoms if _in_group(a, measure.by, key)) for key in keys]
        return view, groups, counts

    def _group(self, view: View, measure: Any, atoms: tuple[Atom, ...], at: int) -> Sum:
        part = self.views.part(view, f"{view.name} | {measure.by} row {at}", atoms)
        match measure.count.kind:
            case "packets":
                return self.views.packets(part)
            case "streams":
                return self.views.streams(part, measure.count.field.partition(".")[0])
            case "distinct":
                return self.views.distinct(part, measure.count.field)
        raise NotModelled(f"the twin leaves a table of {measure.count.kind} open")

    def _table(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        view, groups, counts = self._keyed(claim, measure)
        values = [self._group(view, measure, atoms, at) for at, atoms in enumerate(groups)]
        if comparison.name == "order":
            self._ordered(claim, view, measure, groups, values)
            return
        for value, count in zip(values, counts, strict=True):
            self.program.add(value, count, count, claim.id)
        if comparison.name == "table":
            listed = {atom for group in groups for atom in group}
            rest = [a for a in view.atoms if a not in listed and _has_key(a, measure.by)]
            last = min((n for n in counts if n), default=0) if measure.name == "largest" else 0
            for one in rest:
                self.program.add(self.model.count([one]), None, last, claim.id)

    _largest = _table

    def _ordered(
        self,
        claim: Claim,
        view: View,
        measure: Any,
        groups: list[tuple[Atom, ...]],
        values: list[Sum],
    ) -> None:
        for larger, smaller in pairwise(values):
            self.program.add(larger - smaller, 0, None, claim.id)
        self.program.add(values[-1], 1, None, claim.id)
        listed = {atom for group in groups for atom in group}
        rest: dict[Any, list[Atom]] = {}
        for atom in view.atoms:
            key = None if atom in listed else _settled_key(atom, measure.by)
            if key is not None:
                rest.setdefault(key, []).append(atom)
        for at, atoms in enumerate(rest.values(), start=len(groups)):
            other = self._group(view, measure, tuple(atoms), at)
            self.program.add(values[-1] - other, 0, None, claim.id)

    # What holds or does not --------------------------------------------------------------------

    def _exceptions(self, claim: Claim, view: View, wrong: View, comparison: Comparison) -> None:
        self.program.add(self.views.packets(view), 1, None, claim.id)
        self.add_exceptions(claim, self.views.packets(wrong), comparison)

    def add_exceptions(self, claim: Claim, wrong: Sum, comparison: Comparison) -> None:
        """How many exceptions there may be."""
        if comparison.name == "holds":
            holds = bool(getattr(comparison, "value", True))
            self.program.add(wrong, 0 if holds else 1, 0 if holds else None, claim.id)
        else:
            self.program.add(wrong, *whole_bounds(comparison), claim.id)

    def _every(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        view = self.views.of(claim.stage, claim.where)
        wrong = self.views.within(view, measure.filter, matching=False)
        self._exceptions(claim, view, wrong, comparison)

    def _no(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        view = self.views.of(claim.stage, claim.where)
        self._exceptions(claim, view, self.views.within(view, measure.filter), comparison)

    def _contains(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        if comparison.name != "holds" or not getattr(comparison, "value", True):
            raise NotModelled("the twin leaves open which values are missing")
        view = self.views.of(claim.stage, claim.where)
        for at, value in enumerate(measure.values):
            key = tuple(key_values((measure.field,), value))
            atoms = tuple(a for a in view.atoms if _in_group(a, (measure.field,), key))
            part = self.views.part(view, f"{view.name} | {measure.field} value {at}", atoms)
            self.program.add(self.views.packets(part), 1, None, claim.id)

    def _never_after(self, claim: Claim, measure: Any, comparison: Comparison) -> None:
        view = self.views.of(claim.stage, claim.where)
        after = self.views.within(view, measure.after)
        never = self.views.within(view, measure.never)
        trades = {a.role for a in after.atoms} & {a.role for a in never.atoms}
        if trades or comparison.name != "holds" or not getattr(comparison, "value", True):
            raise NotModelled("the twin leaves the order of packets open")
        self.program.add(self.views.packets(after), 1, None, claim.id)


def _in_group(atom: Atom, by: tuple[str, ...], key: tuple[Any, ...]) -> bool:
    if any(name in atom.free and atom.free[name] != "client" for name in by):
        return False
    if any(name in atom.free for name in by):
        return False
    columns = [_values(atom, name) for name in by]
    return all(value in column for value, column in zip(key, columns, strict=True))


def _values(atom: Atom, name: str) -> tuple[Any, ...]:
    from decoders.fields import FIELDS

    parts = FIELDS[name].of or (name,)
    return tuple(v for p in parts if p not in atom.free for v in own_values(atom, p))


def _has_key(atom: Atom, by: tuple[str, ...]) -> bool:
    return all(own_values(atom, name) for name in by)


def _settled_key(atom: Atom, by: tuple[str, ...]) -> tuple[Any, ...] | None:
    if any(name in atom.free for name in by) or not _has_key(atom, by):
        return None
    return tuple(own_values(atom, name)[0] for name in by)
