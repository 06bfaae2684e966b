"""Tries mutants: for each claim the edits that should refute it, until one does.

Every mutant is a file of its own and goes through the whole of ``verify``, all claims of it, so
that what falls together with a claim is known. Claims are shared out among processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness.verdicts import Status

if TYPE_CHECKING:
    from generators.edits import Edit
    from harness.commands.laboratory import Laboratory
    from harness.expectation import Claim
    from harness.verdicts import Report, Verdict

MOST_EDITS = 12
"""Edits tried on one claim; the first one is the one that should do."""
WORTH_A_PROCESS = 200_000
"""Packets to decode, of all mutants together, from which on several processes are started."""


class Outcome(StrEnum):
    """What became of a claim on its mutants."""

    KILLED = "killed"
    """An edit refuted it."""
    SURVIVED = "survived"
    """Edits that should have refuted it did not: a finding."""
    NO_EDIT = "no_edit"
    """No edit is known for it."""
    NOT_TRIED = "not_tried"
    """It was not verified on the capture as it is."""


@dataclass(frozen=True)
class Trial:
    """One claim and its mutants."""

    claim: str
    outcome: Outcome
    edit: str = ""
    """The edit in words: the one that refuted it, or the first of those that did not."""
    changes: int = 0
    """How many packets it dropped, added or changed."""
    tried: int = 0
    """Edits tried, that one included."""
    measured: str = ""
    """What was measured after the edit."""
    also: tuple[str, ...] = ()
    """Other claims that the edit refuted."""
    undone: tuple[str, ...] = ()
    """Other claims that the edit left without a verdict."""
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Task:
    """What a process needs to try mutants: files, the stage, and where mutants are kept."""

    expectations: str
    captures: tuple[str, ...]
    stage: str
    decoder: str
    keep: str | None


class Trier:
    """Tries mutants in one process, one claim after the other."""

    def __init__(self, task: Task) -> None:
        from decoders.containers import open_captures
        from harness.commands.laboratory import Laboratory
        from harness.expectation import load

        self.task = task
        self.folder = TemporaryDirectory(prefix="replicap-mutants-")
        expectation = load(task.expectations)
        capture = open_captures(list(task.captures))
        folder = Path(self.folder.name)
        self.laboratory: Laboratory = Laboratory(
            expectation, capture, task.stage, task.decoder, folder
        )
        self.unchanged = _by_claim(self.laboratory.verified(None))
        self.claims: Mapping[str, Claim] = {claim.id: claim for claim in expectation.claims}

    def try_claim(self, name: str) -> Trial:
        """The mutants of one claim. Raises nothing for a mutant that cannot be judged."""
        from generators.mutants import edits

        start = time.perf_counter()
        claim, before = self.claims[name], self.unchanged[name]
        if before.status is not Status.VERIFIED:
            return Trial(name, Outcome.NOT_TRIED, reason=_not_verified(before))
        first: Trial | None = None
        for number, edit in enumerate(islice(edits(claim, self.laboratory), MOST_EDITS), start=1):
            after = _by_claim(self.laboratory.verified(edit))
            trial = self._trial(name, edit, number, after, time.perf_counter() - start)
            if trial.outcome is Outcome.KILLED:
                self._keep(name, edit)
                return trial
            if first is None:
                first = trial
                self._keep(name, edit)
        if first is None:
            return Trial(name, Outcome.NO_EDIT, reason="no edit of the capture is known for it")
        return _survivor(first, number, time.perf_counter() - start)

    def _trial(
        self, name: str, edit: Edit, tried: int, after: Mapping[str, Verdict], seconds: float
    ) -> Trial:
        verdict = after[name]
        fallen = [
            other
            for other, found in after.items()
            if other != name and self.unchanged[other].status is Status.VERIFIED
            if found.status is not Status.VERIFIED
        ]
        refuted = verdict.status is Status.REFUTED
        return Trial(
            name,
            Outcome.KILLED if refuted else Outcome.SURVIVED,
            edit=edit.words,
            changes=len(edit.changes),
            tried=tried,
            measured=verdict.measured_text,
            also=tuple(one for one in fallen if after[one].status is Status.REFUTED),
            undone=tuple(one for one in fallen if after[one].status is not Status.REFUTED),
            reason="" if refuted or not verdict.reason else verdict.reason,
            seconds=seconds,
        )

    def _keep(self, name: str, edit: Edit) -> None:
        if self.task.keep is not None:
            self.laboratory.write(edit, Path(self.task.keep) / f"{name}.pcapng")


def _survivor(first: Trial, tried: int, seconds: float) -> Trial:
    from dataclasses import replace

    return replace(first, tried=tried, seconds=seconds)


def _by_claim(report: Report) -> dict[str, Verdict]:
    return {verdict.claim.id: verdict for verdict in report.verdicts}


def _not_verified(verdict: Verdict) -> str:
    status = verdict.status.value.replace("_", " ")
    return f"{status} as it is{f': {verdict.reason}' if verdict.reason else ''}"


# Several processes ------------------------------------------------------------------------------


def run(task: Task, claims: Sequence[str], packets: int) -> Iterator[Trial]:
    """The trials of all claims, in their order."""
    processes = min(os.cpu_count() or 1, len(claims))
    if processes < 2 or packets * len(claims) < WORTH_A_PROCESS:
        trier = Trier(task)
        try:
            yield from map(trier.try_claim, claims)
        finally:
            trier.folder.cleanup()
        return
    yield from _shared_out(task, claims, processes)


_prepared: list[Trier] = []
"""The one of this process, made once."""


def _shared_out(task: Task, claims: Sequence[str], processes: int) -> Iterator[Trial]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # A forked child would inherit the threads of the table library in no usable state.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (task,)) as pool:
        yield from pool.map(_try, claims)


def _begin(task: Task) -> None:
    _prepared.append(Trier(task))


def _try(name: str) -> Trial:
    return _prepared[0].try_claim(name)
