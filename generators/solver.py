"""The program handed to OR-Tools: a solution, or a smallest set of owners that contradict.

CP-SAT with one worker, a fixed seed and no limit on the clock: the same program gives the same
answer. Costs are made so different that the cheapest solution is one, whatever way it is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.program import Program, Row

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar

WORK_LIMIT = 60.0
"""Deterministic work (not seconds) after which the search for the cheapest solution is given up."""
TIE_BREAK = 4096
"""Costs are multiplied by this, and a number below it is added, so that ties are rare."""
COUNTED = ("packets ", "sources ", "sizes ", "ports ")
"""With what the names of the variables begin that make a capture."""
LARGE = 100_000
"""Numbers of this size are not given to the linear program."""
VIOLATED = 0.01
"""Violation from which on the linear program has no solution."""
SMALL = 1e-7
"""What the linear program takes for zero."""


class SolverGaveUp(Exception):
    """Neither a solution nor a contradiction was found within the bound of work."""


@dataclass(frozen=True)
class Solved:
    """Values of all variables, or who contradicts whom."""

    values: dict[str, int]
    contradiction: tuple[str, ...] = ()
    """Owners of constraints that cannot hold together; leaving out any one, the rest can."""


def solve(program: Program, owners: Collection[str]) -> Solved:
    """Find the cheapest values under the constraints of these owners and those without one.

    Owners that come first are left out of a contradiction first. Raises SolverGaveUp.
    """
    solver = _Solver(program)
    values = solver.values(set(owners), cheapest=True)
    if values is not None:
        return Solved(values)
    return Solved({}, solver.smallest(list(owners)))


def contradiction(program: Program, owners: Collection[str]) -> tuple[str, ...]:
    """Owners whose constraints cannot hold together; empty when all can. Raises SolverGaveUp."""
    solver = _Solver(program)
    return () if solver.possible(owners) else solver.smallest(list(owners))


class _Solver:
    """One program, translated once, solved under different owners."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.model, self.variables = _model(program)
        self.owner_of: list[str] = []
        for row in program.rows:
            self.owner_of.append(row.owner)
            _enforce(_constraint(self.model, self.variables, row), self.variables, row)

    def values(self, owners: set[str], *, cheapest: bool) -> dict[str, int] | None:
        """A solution under these owners; None when there is none. Raises SolverGaveUp."""
        from ortools.sat.python import cp_model

        model = self.model.clone()
        for number, owner in enumerate(self.owner_of):
            if owner and owner not in owners:
                model.proto.constraints[number].clear_linear()
        variables = {n: model.get_int_var_from_proto_index(v.index) for n, v in self._named()}
        if cheapest:
            model.minimize(sum(variables[name] * cost for name, cost in _costs(self.program)))
        solver = _parameters()
        status = solver.solve(model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return {name: int(solver.value(variable)) for name, variable in variables.items()}
        if status == cp_model.INFEASIBLE:
            return None
        raise SolverGaveUp(f"no answer within the bound of work ({solver.status_name(status)})")

    def _named(self) -> Iterable[tuple[str, IntVar]]:
        return self.variables.items()

    def possible(self, owners: Collection[str]) -> bool:
        """Whether the constraints of these owners can hold together. Raises SolverGaveUp."""
        return self.values(set(owners), cheapest=False) is not None

    def smallest(self, owners: list[str]) -> tuple[str, ...]:
        """Leave out owners, in halves and then one by one, as long as the rest contradicts."""
        certificate = _certificate(self.program, owners)
        kept = certificate if certificate and not self.possible(certificate) else list(owners)
        found = self._reduced(kept, quick=True)
        # The linear solver computes with rounded numbers: it is believed when CP-SAT agrees.
        return tuple(found if not self.possible(found) else self._reduced(kept, quick=False))

    def _reduced(self, kept: list[str], *, quick: bool) -> list[str]:
        size = max(1, len(kept) // 2)
        while True:
            at = 0
            while at < len(kept):
                rest = kept[:at] + kept[at + size :]
                # The linear relaxation is quick to say that there is no solution.
                linear = quick and bool(_certificate(self.program, rest))
                if not linear and self.possible(rest):
                    at += size
                else:
                    kept = rest
            if size == 1:
                return kept
            size //= 2


def _costs(program: Program) -> Iterable[tuple[str, int]]:
    for name in program.bounds:
        cost = program.costs.get(name, 0)
        if not cost and not name.startswith(COUNTED):
            continue
        tie = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % TIE_BREAK
        yield name, cost * TIE_BREAK + tie


def _model(program: Program) -> tuple[CpModel, dict[str, IntVar]]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    bounds = program.bounds.items()
    return model, {name: model.new_int_var(low, high, name) for name, (low, high) in bounds}


def _parameters() -> CpSolver:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = WORK_LIMIT
    return solver


def _constraint(model: CpModel, variables: dict[str, IntVar], row: Row) -> Any:
    parts = [variables[name] * factor for name, factor in row.sum.terms.items()]
    expression = sum(parts) + row.sum.constant
    limit = 1 << 50
    low = -limit if row.low is None else row.low
    high = limit if row.high is None else row.high
    if isinstance(expression, int):  # nothing to decide: it holds or it does not
        constant = model.new_constant(expression)
        return model.add_linear_constraint(constant, low, high)
    return model.add_linear_constraint(expression, low, high)


def _enforce(constraint: Any, variables: dict[str, IntVar], row: Row) -> None:
    if row.when:
        conditions = [variables[name] if value else ~variables[name] for name, value in row.when]
        constraint.only_enforce_if(conditions)


def _certificate(program: Program, owners: list[str]) -> list[str]:
    """Owners that already contradict one another in whole or broken numbers; empty for none.

    The linear relaxation with a price on every violation: constraints whose price counts at the
    cheapest violation are the ones that contradict (Farkas).
    """
    from ortools.linear_solver import pywraplp

    linear = pywraplp.Solver.CreateSolver("GLOP")
    variables = {n: linear.NumVar(low, high, n) for n, (low, high) in program.bounds.items()}
    objective = linear.Objective()
    owned: list[tuple[str, Any]] = []
    for row in program.rows:
        if row.owner and row.owner not in owners:
            continue
        for terms, low in _halves(program, row):
            constraint = linear.Constraint(low, linear.infinity())
            for name, factor in terms.items():
                constraint.SetCoefficient(variables[name], factor)
            if row.owner:
                slack = linear.NumVar(0, linear.infinity(), "")
                constraint.SetCoefficient(slack, 1)
                objective.SetCoefficient(slack, 1)
                owned.append((row.owner, constraint))
    objective.SetMinimization()
    if linear.Solve() != pywraplp.Solver.OPTIMAL or objective.Value() < VIOLATED:
        return []
    paid = {owner for owner, constraint in owned if abs(constraint.dual_value()) > SMALL}
    return [owner for owner in owners if owner in paid]


def _halves(program: Program, row: Row) -> Iterable[tuple[dict[str, int], int]]:
    """A constraint as ``sum >= low`` rows; conditions become terms that make it hold when unmet."""
    for bound, sign in ((row.low, 1), (row.high, -1)):
        if bound is None:
            continue
        terms = {name: factor * sign for name, factor in row.sum.terms.items()}
        low = (bound - row.sum.constant) * sign
        least = sum(
            factor * program.bounds[name][0 if factor > 0 else 1] for name, factor in terms.items()
        )
        missing = max(0, low - least)
        for name, value in row.when:
            # One unmet condition is enough; `missing` is what it must make up for.
            terms[name] = terms.get(name, 0) + (-missing if value else missing)
            low -= missing if value else 0
        # What asks for more digits than the linear solver has is left out.
        if max(map(abs, (low, *terms.values()))) < LARGE:
            yield terms, low
