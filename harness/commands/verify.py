"""``replicap verify``: every claim of expectation files, measured on captures."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.commands.captures import check_decoder, say_compiling, say_damage, say_undecoded
from harness.messages import UsageMistake, say, say_error, tell
from harness.problems import escaped
from harness.report.output import check_output, make_folder, write_over, write_text

if TYPE_CHECKING:
    from decoders.cache import Cache
    from decoders.containers import Capture
    from harness.expectation import Expectation
    from harness.problems import ExpectationError
    from harness.report.outcome import Outcome
    from harness.verdicts import Report

WRONG = 2
_OUTPUTS = ("json", "junit", "html", "markdown")


def run(arguments: Namespace) -> int:
    """Prints the verdicts and returns the worst exit status of the files.

    Raises UsageMistake, OutputError.
    """
    _check_outputs(arguments)
    check_decoder(arguments.decoder)
    expectations = _load(arguments.expectations, annotate=arguments.annotate)
    if not expectations:
        return WRONG
    for expectation in expectations:
        _check_stage(expectation, arguments)

    from harness.report.outcome import worst
    from harness.report.terminal import show

    outcomes = [_outcome(expectation, arguments) for expectation in expectations]
    machine = "-" in [getattr(arguments, option) for option in _OUTPUTS]
    out = sys.stderr if machine else sys.stdout
    show(outcomes, out, quiet=arguments.quiet)
    if arguments.annotate:
        from harness.report.github import workflow_commands

        out.writelines(f"{line}\n" for line in workflow_commands(outcomes))
    if not arguments.captures and not arguments.quiet:
        _advise(outcomes, out)
    _write(arguments, outcomes)
    for outcome in outcomes:
        _say(outcome)
    if arguments.write_measured:
        return max(worst(outcomes), _write_measured(outcomes))
    return worst(outcomes)


def _check_outputs(arguments: Namespace) -> None:
    given = {option: getattr(arguments, option) for option in _OUTPUTS}
    names = {option: name for option, name in given.items() if name is not None}
    for one, other in combinations(names, 2):
        if names[one] == names[other]:
            raise UsageMistake(f"--{one} and --{other}: both {names[one]!r}, expected two files")
    inputs = [*arguments.captures, *arguments.expectations]
    for name in names.values():
        check_output(name, inputs)
    if arguments.evidence is not None:
        make_folder(arguments.evidence)


def _load(paths: list[str], *, annotate: bool) -> list[Expectation]:
    """All files, or none of them when one is wrong; then the problems of all have been told."""
    from harness.expectation import load
    from harness.problems import ExpectationError

    expectations: list[Expectation] = []
    wrong = False
    for path in paths:
        try:
            expectations.append(load(path))
        except ExpectationError as error:
            say_problems(error, annotate=annotate)
            wrong = True
    return [] if wrong else expectations


def say_problems(error: ExpectationError, *, annotate: bool = False) -> None:
    """Every problem of a file, each with the line of the file that it is in."""
    for problem in error.problems:
        say_error(problem)
    if annotate:
        from harness.report.github import of_problem

        tell(*(of_problem(problem) for problem in error.problems))
    if error.more:
        say_error(str(error).rsplit("\n", 1)[-1])


def _check_stage(expectation: Expectation, arguments: Namespace) -> None:
    stage: str | None = arguments.stage
    known = [declared.id for declared in expectation.stages]
    if stage is not None and stage not in known:
        raise UsageMistake(_unknown_stage(expectation, stage, known))
    if arguments.captures:
        return
    pin = expectation.capture
    if pin is not None and stage is not None and stage != pin.stage:
        raise UsageMistake(
            f"--stage: {expectation.path} pins the capture as stage {pin.stage!r}, found {stage!r};"
            " give the CAPTURE that is that stage"
        )


def _unknown_stage(expectation: Expectation, stage: str, known: list[str]) -> str:
    from harness.problems import nearest

    near = nearest(stage, known)
    hint = f"; did you mean {near!r}?" if near else ""
    names = ", ".join(known)
    return f"--stage: {expectation.path} has no stage {stage!r}, expected one of {names}{hint}"


def _outcome(expectation: Expectation, arguments: Namespace) -> Outcome:
    from decoders.containers import open_captures
    from decoders.frames import CaptureError
    from harness.commands.twins import TwinNotMade, default_capture, marked
    from harness.confirming import confirm
    from harness.engine import UsageError, verify
    from harness.evidence import MOST_PACKETS
    from harness.pinned import CaptureNotFound
    from harness.report.outcome import Outcome, not_run
    from harness.report.progress import FrameCounter

    start = time.perf_counter()
    try:
        given = arguments.captures or [default_capture(expectation, arguments.stage)]
        capture = open_captures(given)
        say_compiling(arguments.decoder, capture)
        with FrameCounter("verifying", capture) as progress:
            report = (confirm if arguments.confirm else verify)(
                expectation,
                capture,
                stage=arguments.stage,
                decoder=arguments.decoder,
                progress=progress,
                cache=_cache() if arguments.cache else None,
                pictures=arguments.html is not None,
                evidence=0 if arguments.evidence is None else MOST_PACKETS,
            )
        if arguments.evidence is not None:
            _write_evidence(arguments, report, capture)
    except (CaptureError, CaptureNotFound) as error:
        return not_run(expectation, arguments.stage or expectation.stages[0].id, str(error))
    except (UsageError, TwinNotMade) as error:
        raise UsageMistake(str(error)) from None
    return Outcome(marked(report, capture), time.perf_counter() - start)


def _advise(outcomes: list[Outcome], out: TextIO) -> None:
    """How to measure the real capture, after the table of a twin that stood in for it."""
    from harness.commands.twins import advice

    for outcome in outcomes:
        if outcome.report.twin:
            out.writelines(f"{escaped(line)}\n" for line in advice(outcome.report.expectations))


def _cache() -> Cache:
    from decoders.cache import Cache
    from harness.pinned import cache_folder

    return Cache(cache_folder() / "tables", say)


def _write_evidence(arguments: Namespace, report: Report, capture: Capture) -> None:
    from harness.report.evidence import write

    several = len(arguments.expectations) > 1
    prefix = f"{Path(report.expectations.path).stem}-" if several else ""
    inputs = [*arguments.captures, *arguments.expectations]
    for line in write(arguments.evidence, prefix, report, capture, inputs):
        say(line)


def _write(arguments: Namespace, outcomes: list[Outcome]) -> None:
    if arguments.json is not None:
        from harness.report import json_report

        write_text(arguments.json, json_report.as_text(outcomes))
    if arguments.junit is not None:
        from harness.report import junit

        write_text(arguments.junit, junit.as_text(outcomes))
    if arguments.markdown is not None:
        from harness.report import markdown

        write_text(arguments.markdown, markdown.as_text(outcomes))
    if arguments.html is not None:
        from harness.report.html import page

        write_text(arguments.html, page.as_text(outcomes))
        if arguments.html != "-":
            say(f"page: {Path(arguments.html).resolve().as_uri()}")


def _write_measured(outcomes: list[Outcome]) -> int:
    """Puts measured figures into the expectation files; 2 when one of them could not be."""
    from harness.recording import RecordingError, recorded

    status = 0
    for outcome in outcomes:
        path = outcome.report.expectations.path
        if outcome.report.twin:
            say_error(f"{path}: measured on a twin, whose figures are no measurement: not written")
            status = WRONG
            continue
        try:
            text, count = recorded(Path(path).read_bytes(), outcome.report)
        except RecordingError as error:
            say_error(f"{path}: {error}")
            status = WRONG
            continue
        if count:
            write_over(path, text)
        say(f"{path}: {count} measured figures written")
    return status


def _say(outcome: Outcome) -> None:
    """What must not be overlooked, on standard error too."""
    path = outcome.report.expectations.path
    if outcome.not_run:
        say_error(f"{path}: not run: {outcome.not_run}")
    facts = outcome.report.capture
    if facts is not None:
        say_undecoded(facts.undecoded)
        if facts.damage is not None:
            say_damage(facts.damage)
