"""``replicap mutants``: for each claim the smallest change of the capture that must refute it."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.commands.captures import say_damage
from harness.commands.verify import say_problems
from harness.messages import UsageMistake, say_error
from harness.problems import escaped
from harness.report.output import OutputError, check_output, write_text
from harness.version import VERSION

if TYPE_CHECKING:
    from decoders.containers import Capture
    from harness.commands.trials import Trial
    from harness.expectation import Expectation

SURVIVED, WRONG, DAMAGED = 1, 2, 3
MOST_PACKETS = 1_000_000
"""Packets of a capture at most: each claim has at least one mutant, decoded as a whole."""
SHOWN = 3
"""Other claims that a line names at most."""
TWIN = "twin: made from the claims; that they can fail on it says nothing about the capture itself"


def run(arguments: Namespace) -> int:
    """Tries the mutants of every claim; 1 when a claim survived them.

    Raises UsageMistake, OutputError, CaptureError.
    """
    from harness.expectation import load
    from harness.problems import ExpectationError

    try:
        expectation = load(arguments.expectations)
    except ExpectationError as error:
        say_problems(error)
        return WRONG
    _check_stage(expectation, arguments.stage)
    claims = _claims(expectation, arguments.claims)
    paths = _captures(expectation, arguments)
    _check_outputs(arguments, paths)
    return _tried(expectation, arguments, claims, paths)


def _check_stage(expectation: Expectation, stage: str | None) -> None:
    known = [one.id for one in expectation.stages]
    if stage is not None and stage not in known:
        names = ", ".join(known)
        raise UsageMistake(f"--stage: no stage {stage!r} in {expectation.path}, which has {names}")


def _claims(expectation: Expectation, wanted: Sequence[str] | None) -> list[str]:
    known = [claim.id for claim in expectation.claims]
    for name in wanted or ():
        if name not in known:
            from harness.problems import nearest

            near = nearest(name, known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageMistake(f"--claim: {expectation.path} has no claim {name!r}{hint}")
    return [name for name in known if wanted is None or name in wanted]


def _captures(expectation: Expectation, arguments: Namespace) -> tuple[str, ...]:
    """The captures to change: the ones given, else the pinned one, else the twin."""
    from harness.commands.twins import TwinNotMade, default_capture
    from harness.pinned import CaptureNotFound

    if arguments.captures:
        return tuple(arguments.captures)
    try:
        return (default_capture(expectation, arguments.stage),)
    except CaptureNotFound as error:
        raise UsageMistake(f"{expectation.path}: {error.reason}") from None
    except TwinNotMade as error:
        raise UsageMistake(str(error)) from None


def _check_outputs(arguments: Namespace, paths: Sequence[str]) -> None:
    if arguments.json is not None:
        check_output(arguments.json, [*paths, arguments.expectations])
    if arguments.keep is not None:
        try:
            os.makedirs(arguments.keep, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(arguments.keep, reason) from None


def _tried(
    expectation: Expectation,
    arguments: Namespace,
    claims: Sequence[str],
    paths: tuple[str, ...],
) -> int:
    from decoders.containers import open_captures
    from harness.commands.trials import Task, run
    from harness.commands.twins import marked
    from harness.engine import UsageError, verify

    start = time.perf_counter()
    capture = open_captures(list(paths))
    _bounded(capture)
    try:
        report = verify(
            expectation, capture, stage=arguments.stage, decoder=arguments.decoder, select=_none
        )
    except UsageError as error:
        raise UsageMistake(str(error)) from None
    task = Task(arguments.expectations, paths, report.stage, arguments.decoder, arguments.keep)
    packets = report.capture.packets if report.capture is not None else 0
    out = sys.stderr if arguments.json == "-" else sys.stdout
    out.write(f"{escaped(expectation.title)}\ncapture    {escaped(capture.path)}\n")
    twin = marked(report, capture).twin
    if twin:
        out.write(f"           {TWIN}\n")
    trials: list[Trial] = []
    for trial in run(task, claims, packets):
        trials.append(trial)
        out.write("\n".join(_lines(trial)) + "\n")
        out.flush()
    seconds = time.perf_counter() - start
    out.write(f"{_summary(expectation, trials, seconds)}\n")
    if arguments.json is not None:
        write_text(arguments.json, _as_json(expectation, capture, report.stage, twin, trials))
    return _status(trials, capture)


def _none(claim: object) -> bool:
    return False


def _bounded(capture: Capture) -> None:
    number = 0
    for number, _ in enumerate(capture.frames(), start=1):
        if number > MOST_PACKETS:
            raise UsageMistake(
                f"{capture.path}: more than {MOST_PACKETS} packets, too many to mutate"
            )
    if not number:
        raise UsageMistake(f"{capture.path}: no packet that could be changed")


def _status(trials: Sequence[Trial], capture: Capture) -> int:
    counts = Counter(trial.outcome.value for trial in trials)
    if capture.damage is not None:
        say_damage(str(capture.damage))
        return DAMAGED
    if counts["survived"]:
        return SURVIVED
    if not counts["killed"]:
        say_error("no claim could be tried: none is verified on the capture as it is")
        return WRONG
    return 0


# Report -----------------------------------------------------------------------------------------


def _lines(trial: Trial) -> list[str]:
    """A claim in the table: outcome, name, edit; below it what else fell."""
    what = trial.edit or trial.reason
    lines = [f"{trial.outcome.value.replace('_', ' '):<10}{trial.claim:<32} {escaped(what)}"]
    if trial.outcome.value == "survived":
        lines.append(f"{'':<42} {trial.tried} edits tried; after the first: {_after(trial)}")
    elif trial.tried > 1:
        lines.append(f"{'':<42} edit {trial.tried}; those before it did not refute the claim")
    for words, names in (("also refuted", trial.also), ("no verdict any more", trial.undone)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            lines.append(f"{'':<42} {words}: {', '.join(names[:SHOWN])}{more}")
    return lines


def _after(trial: Trial) -> str:
    return escaped(trial.reason or f"measured {trial.measured}")


def _summary(expectation: Expectation, trials: Sequence[Trial], seconds: float) -> str:
    counts = Counter(trial.outcome.value for trial in trials)
    return (
        f"{os.path.basename(expectation.path)}: {counts['killed']} killed, "
        f"{counts['survived']} survived, {counts['no_edit']} without an edit, "
        f"{counts['not_tried']} not tried; {seconds:.1f} s"
    )


def _as_json(
    expectation: Expectation, capture: Capture, stage: str, twin: bool, trials: Sequence[Trial]
) -> str:
    counts = Counter(trial.outcome.value for trial in trials)
    document = {
        "expectations": str(expectation.path),
        "capture": {"path": capture.path, "sha256": capture.sha256, "stage": stage},
        "twin": twin,
        "claims": [
            {
                "id": trial.claim,
                "outcome": trial.outcome.value,
                "edit": trial.edit,
                "packets_changed": trial.changes,
                "edits_tried": trial.tried,
                "measured": trial.measured,
                "also_refuted": list(trial.also),
                "without_verdict": list(trial.undone),
                "reason": trial.reason,
                "seconds": round(trial.seconds, 3),
            }
            for trial in trials
        ],
        "summary": {name: counts[name] for name in ("killed", "survived", "no_edit", "not_tried")},
        "version": VERSION,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
