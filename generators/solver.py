"""The program handed to CP-SAT (OR-Tools): a solution, or a smallest set that contradicts itself.

One worker, fixed seed, no limit on the clock: the same program gives the same answer. Costs are
made so different that the cheapest solution is one, whatever way it is found.
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
TIE_BREAK = 64
"""Costs are multiplied by this, and a number below it is added, so that ties are rare."""


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

    Raises SolverGaveUp.
    """
    chosen = list(owners)
    values = _values(program, set(chosen), cheapest=True)
    if values is not None:
        return Solved(values)
    return Solved({}, _smallest(program, _core(program, chosen)))


def possible(program: Program, owners: Collection[str]) -> bool:
    """Whether the constraints of these owners can hold together. Raises SolverGaveUp."""
    return _values(program, set(owners), cheapest=False) is not None


def _values(program: Program, owners: set[str], *, cheapest: bool) -> dict[str, int] | None:
    from ortools.sat.python import cp_model

    model, variables = _model(program)
    for row in program.rows:
        if not row.owner or row.owner in owners:
            _enforce(_constraint(model, variables, row), variables, row, None)
    if cheapest:
        model.minimize(sum(variables[name] * cost for name, cost in _costs(program)))
    solver = _solver()
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return {name: int(solver.value(variable)) for name, variable in variables.items()}
    if status == cp_model.INFEASIBLE:
        return None
    raise SolverGaveUp(f"no answer within the bound of work ({solver.status_name(status)})")


def _costs(program: Program) -> Iterable[tuple[str, int]]:
    for name, cost in program.costs.items():
        tie = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % TIE_BREAK
        yield name, cost * TIE_BREAK + tie


def _model(program: Program) -> tuple[CpModel, dict[str, IntVar]]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    bounds = program.bounds.items()
    return model, {name: model.new_int_var(low, high, name) for name, (low, high) in bounds}


def _solver() -> CpSolver:
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
    return model.add_linear_constraint(expression, low, high)


def _enforce(constraint: Any, variables: dict[str, IntVar], row: Row, literal: Any) -> None:
    conditions = [variables[name] if value else ~variables[name] for name, value in row.when]
    if literal is not None:
        conditions.append(literal)
    if conditions:
        constraint.only_enforce_if(conditions)


def _core(program: Program, owners: list[str]) -> list[str]:
    """Owners that suffice for the contradiction, by assumption literals."""
    from ortools.sat.python import cp_model

    model, variables = _model(program)
    literals = {owner: model.new_bool_var(f"owner {owner}") for owner in owners}
    for row in program.rows:
        if row.owner and row.owner not in literals:
            continue
        _enforce(_constraint(model, variables, row), variables, row, literals.get(row.owner))
    model.add_assumptions(list(literals.values()))
    solver = _solver()
    if solver.solve(model) != cp_model.INFEASIBLE:
        return owners
    indices = set(solver.sufficient_assumptions_for_infeasibility())
    core = [owner for owner, literal in literals.items() if literal.index in indices]
    return core if core and not possible(program, core) else owners


def _smallest(program: Program, core: list[str]) -> tuple[str, ...]:
    """Leave out owners, in halves and then one by one, as long as the rest contradicts itself."""
    kept = list(core)
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if possible(program, rest):
                at += size
            else:
                kept = rest
        if size == 1:
            return tuple(kept)
        size //= 2
