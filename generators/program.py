"""Whole-number variables and linear constraints, each with the claim or assumption that wants it.

Plain data: ``generators.solver`` hands it to CP-SAT, tests read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MANY = 1_000_000
"""More packets than any twin has; the upper end of every count."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of variables, each times a whole number, and a constant."""

    terms: Mapping[str, int] = field(default_factory=dict)
    constant: int = 0

    def __add__(self, other: Sum | int) -> Sum:
        if isinstance(other, int):
            return Sum(self.terms, self.constant + other)
        terms = dict(self.terms)
        for name, factor in other.terms.items():
            terms[name] = terms.get(name, 0) + factor
        return Sum(terms, self.constant + other.constant)

    def __sub__(self, other: Sum | int) -> Sum:
        return self + other * -1

    def __mul__(self, factor: int) -> Sum:
        return Sum({name: f * factor for name, f in self.terms.items()}, self.constant * factor)


def total(names: Iterable[str]) -> Sum:
    """The sum of variables, each once."""
    return Sum(dict.fromkeys(names, 1))


@dataclass(frozen=True, slots=True)
class Row:
    """``low <= sum <= high`` when every variable of ``when`` has the value beside it."""

    sum: Sum
    low: int | None
    high: int | None
    owner: str
    """Id of a claim, name of an assumption (with ``assumes:``), or empty: always so."""
    when: tuple[tuple[str, bool], ...] = ()


ASSUMES = "assumes:"


@dataclass
class Program:
    """Variables (lowest and highest value), constraints, and what is preferred."""

    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    costs: dict[str, int] = field(default_factory=dict)
    _positive: dict[frozenset[tuple[str, int]], str] = field(default_factory=dict)

    def variable(self, name: str, low: int = 0, high: int = MANY) -> Sum:
        """The variable of this name, made at its first use."""
        self.bounds.setdefault(name, (low, high))
        return Sum({name: 1})

    def add(
        self,
        sum: Sum,
        low: int | None,
        high: int | None,
        owner: str = "",
        when: tuple[tuple[str, bool], ...] = (),
    ) -> None:
        """One constraint."""
        self.rows.append(Row(sum, low, high, owner, when))

    def positive(self, name: str, sum: Sum) -> Sum:
        """A variable that is 1 when the sum is at least 1, and 0 when it is 0.

        One variable for one sum, whatever it is called: claims that look at the same packets in
        different ways look at one thing.
        """
        name = self._positive.setdefault(frozenset(sum.terms.items()), name)
        if name not in self.bounds:
            self.variable(name, 0, 1)
            self.add(sum, 1, None, when=((name, True),))
            self.add(sum, None, 0, when=((name, False),))
        return Sum({name: 1})

    def inside(self, name: str, sum: Sum, low: int, high: int | None) -> Sum:
        """A variable that is 1 exactly when ``low <= sum <= high``."""
        if name not in self.bounds:
            below, above = f"{name} below", f"{name} above"
            for one in (name, below, above):
                self.variable(one, 0, 1)
            self.add(sum, low, high, when=((name, True),))
            self.add(sum, None, low - 1, when=((below, True),))
            if high is None:
                self.add(Sum({above: 1}), 0, 0)
            else:
                self.add(sum, high + 1, None, when=((above, True),))
            self.add(total((name, below, above)), 1, 1)
        return Sum({name: 1})

    def cost(self, name: str, amount: int) -> None:
        """How much one more of a variable is disliked."""
        self.costs[name] = self.costs.get(name, 0) + amount
