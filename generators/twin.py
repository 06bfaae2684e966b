"""Expectation file -> a capture that satisfies every claim in it, or why there is none.

A twin is made from the claims alone. That it verifies shows that the claims do not contradict one
another and that each can be checked; it says nothing about the published capture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from generators.alphabet import alphabet
from generators.capture_file import TWIN_MARK, Packet, pcapng
from generators.claims import LENGTH, Translation, translate
from generators.filters import NotModelled
from generators.groups import cuts
from generators.kinds import SERVERS, Site
from generators.plan import Addresses, NoPlan, plan
from generators.program import ASSUMES
from generators.schedule import schedule
from generators.solver import Solved, SolverGaveUp, contradiction, solve
from generators.structure import ASSUMPTIONS, packets_of, structure
from generators.views import Views
from generators.wire import Writer
from harness.expectation import Claim, Expectation

DEFAULT_SEED = 0
START_NS = 1_489_968_000_000_000_000
"""2017-03-20T00:00:00Z, when no claim says when the capture begins."""
NOT_KNOWN = "no packets of the kinds that the twin knows satisfy it, even alone"
TOGETHER = "no packets of the kinds that the twin knows satisfy it together with"
NOTICE = "made from the claims alone: it proves nothing about the published capture"


class TwinError(Exception):
    """No twin can be made; the message is one line."""


@dataclass(frozen=True)
class Contradiction:
    """Claims and assumptions that cannot all hold; without any one of them the rest can."""

    claims: tuple[Claim, ...]
    assumptions: tuple[str, ...]


class Contradictory(TwinError):
    """The claims contradict one another."""

    def __init__(self, contradiction: Contradiction) -> None:
        ids = ", ".join(claim.id for claim in contradiction.claims)
        super().__init__(f"no such capture exists: {ids} contradict one another")
        self.contradiction = contradiction


@dataclass(frozen=True)
class Twin:
    """A capture made from claims."""

    frames: tuple[Packet, ...]
    about: str
    """What it is the twin of, in one line."""
    stage: str
    open: dict[str, str]
    """Claims that did not take part in making it, and why: to be measured on it."""
    impossible: dict[str, str]
    """Claims that no packets of the known kinds can satisfy, and why."""

    def file(self, lacking: Sequence[str] = ()) -> bytes:
        """The pcapng file; its section header names the claims that it does not satisfy."""
        but = f"; does not satisfy {', '.join(lacking)}" if lacking else ""
        comment = f"{self.about}; {NOTICE}{but}"[:60_000]
        return pcapng(self.frames, application=TWIN_MARK, comment=comment, interface="twin")


@dataclass(frozen=True)
class Audit:
    """What the claims say about one another."""

    contradiction: Contradiction | None
    modelled: tuple[str, ...]
    open: dict[str, str]
    impossible: dict[str, str]
    assumptions: tuple[str, ...]


@dataclass
class _Task:
    """An expectation file, translated."""

    expectation: Expectation
    translation: Translation
    addresses: Addresses
    random: Random
    impossible: dict[str, str]
    owners: list[str]


def build(
    expectation: Expectation,
    stage: str | None = None,
    seed: int = DEFAULT_SEED,
    *,
    partial: bool = False,
) -> Twin:
    """Make the twin of a stage (the first one when none is named).

    The same file, stage and seed give the same octets. ``partial``: claims that contradict others
    only as the twin knows no other kinds of packet are set aside (``Twin.impossible``). Raises
    Contradictory when the claims contradict one another, TwinError when no capture could be made.
    """
    wanted = stage or expectation.stages[0].id
    if wanted not in {one.id for one in expectation.stages}:
        known = ", ".join(one.id for one in expectation.stages)
        raise TwinError(f"unknown stage {wanted!r}; {expectation.path} has {known}")
    task = _task(expectation, seed, ())
    solved = _solve(task, partial=partial)
    if solved.contradiction:
        raise Contradictory(_contradiction(expectation, solved.contradiction))
    return _written(task, solved.values, wanted, seed)


def audit(expectation: Expectation, without: Collection[str] = ()) -> Audit:
    """Whether the claims can all hold; ``without`` are assumptions that are not made.

    Raises TwinError.
    """
    unknown = sorted(set(without) - set(ASSUMPTIONS))
    if unknown:
        raise TwinError(f"unknown assumption {unknown[0]!r}; expected {', '.join(ASSUMPTIONS)}")
    task = _task(expectation, DEFAULT_SEED, without)
    solved = _solve(task, cheapest=False)
    found = None
    if solved.contradiction:
        found = _contradiction(expectation, solved.contradiction)
    made = tuple(name for name in ASSUMPTIONS if name not in without)
    said = task.translation
    modelled = tuple(name for name in said.modelled if name not in task.impossible)
    return Audit(found, modelled, said.open, task.impossible, made)


def _task(expectation: Expectation, seed: int, without: Collection[str]) -> _Task:
    try:
        names = alphabet(expectation)
    except NotModelled as error:
        raise TwinError(f"{expectation.path}: {error}") from None
    random = Random(f"{seed} twin")
    addresses = Addresses(names, random)
    site = Site(names, tuple(addresses.another() for _ in range(SERVERS)), addresses.another())
    model = structure(site, cuts(expectation))
    translation = translate(expectation, model)
    assumptions = [ASSUMES + name for name in ASSUMPTIONS if name not in without]
    # Assumptions are left out of a contradiction first, where it stands without them.
    owners = assumptions + translation.modelled
    return _Task(expectation, translation, addresses, random, {}, owners)


def _solve(task: _Task, *, cheapest: bool = True, partial: bool = False) -> Solved:
    """A solution or a contradiction; claims beyond the known kinds are set aside on the way."""
    program = task.translation.model.program
    kinds = f"{ASSUMES}kinds"
    try:
        while True:
            if cheapest:
                solved = solve(program, task.owners)
            else:
                solved = Solved({}, contradiction(program, task.owners))
            claims = [one for one in solved.contradiction if not one.startswith(ASSUMES)]
            beyond = kinds in solved.contradiction and claims
            if not beyond or (len(claims) > 1 and not partial):
                return solved
            *others, last = claims
            beside = f"{TOGETHER} {', '.join(others)}" if others else ""
            task.impossible[last] = beside or NOT_KNOWN
            task.owners.remove(last)
    except SolverGaveUp as error:
        raise TwinError(str(error)) from None


def _contradiction(expectation: Expectation, owners: Collection[str]) -> Contradiction:
    claims = tuple(claim for claim in expectation.claims if claim.id in owners)
    return Contradiction(claims, tuple(name for name in ASSUMPTIONS if ASSUMES + name in owners))


def _written(task: _Task, values: dict[str, int], stage: str, seed: int) -> Twin:
    model, expectation = task.translation.model, task.expectation
    site = model.site
    try:
        flows = plan(model, values, task.addresses, task.random)
        kept = set(Views(expectation, model).stage(stage).atoms)
    except (NoPlan, NotModelled) as error:
        raise TwinError(f"no capture was made of the solved counts: {error}") from None
    line = [(atom, values[packets_of(atom)]) for atom in model.atoms if not atom.role]
    events = schedule(flows, line, values[LENGTH], site.names, task.random)
    start = START_NS if task.translation.start is None else int(task.translation.start)
    writer = Writer(site, start, seed)
    # All of them are made, so that errors can quote what another stage leaves out.
    made = list(zip(events, writer.frames(events), strict=True))
    frames = tuple(frame for event, frame in made if event.atom in kept)
    name = Path(expectation.path).name
    about = f"twin of {name} ({expectation.title}), stage {stage}, seed {seed}"
    return Twin(frames, about, stage, task.translation.open, task.impossible)


__all__ = [
    "ASSUMPTIONS",
    "NOTICE",
    "Audit",
    "Contradiction",
    "Contradictory",
    "Twin",
    "TwinError",
    "audit",
    "build",
]  # fmt: skip
