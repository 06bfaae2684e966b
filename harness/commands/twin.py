"""``replicap twin``: a capture that satisfies every claim, made from the claims alone."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.contradictions import contradiction_lines
from harness.messages import UsageMistake, say, say_error, tell
from harness.report.output import check_output, write_whole

if TYPE_CHECKING:
    from generators.twin import Twin
    from harness.expectation import Expectation

NOT_ALL, WRONG = 1, 2


def run(arguments: Namespace) -> int:
    """Writes the twin and measures every claim on it; 1 when some claim does not hold.

    Raises UsageMistake, OutputError.
    """
    from generators.twin import Contradictory, TwinError, build
    from harness.commands.verify import say_problems
    from harness.expectation import ExpectationError, load

    check_output(arguments.output, [arguments.expectations])
    if arguments.output == "-":
        raise UsageMistake("-o: expected a file; a twin is not written to standard output")
    try:
        expectation = load(arguments.expectations)
    except ExpectationError as error:
        say_problems(error)
        return WRONG
    _check_stage(expectation, arguments.stage)
    try:
        twin = build(expectation, arguments.stage, arguments.seed, partial=arguments.partial)
    except Contradictory as error:
        say_error(error)
        tell(*contradiction_lines(expectation, error.contradiction))
        return NOT_ALL
    except TwinError as error:
        say_error(f"{expectation.path}: {error}")
        return NOT_ALL
    return _write(expectation, twin, arguments.output)


def _check_stage(expectation: Expectation, stage: str | None) -> None:
    known = [one.id for one in expectation.stages]
    if stage is not None and stage not in known:
        names = ", ".join(known)
        raise UsageMistake(f"--stage: no stage {stage!r} in {expectation.path}, which has {names}")


def _write(expectation: Expectation, twin: Twin, output: str) -> int:
    """Measures before the file gets its name, so that its header can tell what it lacks."""
    lacking: dict[str, str] = {}
    verified = 0

    def write(part: Path) -> None:
        nonlocal lacking, verified
        part.write_bytes(twin.file())
        verified, lacking = measured(expectation, part, twin.stage)
        if lacking:
            part.write_bytes(twin.file(list(lacking)))

    from generators.twin import NOTICE

    write_whole(output, write)
    tell(f"{output}: {twin.about}, {len(twin.frames)} packets")
    tell(f"  {NOTICE}")
    tell(f"  measured on it: {verified} claims verified, {len(lacking)} not satisfied")
    for name, status in lacking.items():
        reason = twin.impossible.get(name) or twin.open.get(name) or "the counts do not settle it"
        tell(f"  not satisfied: {name} ({status}): {reason}")
    if not verified:
        say("no claim could be verified on the twin")
        return WRONG
    return NOT_ALL if lacking else 0


def measured(expectation: Expectation, path: Path, stage: str) -> tuple[int, dict[str, str]]:
    """How many claims are verified on a file, and the status of those that are not."""
    from decoders.containers import open_captures
    from harness.engine import verify

    report = verify(expectation, open_captures([path]), stage=stage)
    found = {verdict.claim.id: str(verdict.status) for verdict in report.verdicts}
    verified = sum(status == "verified" for status in found.values())
    return verified, {name: s for name, s in found.items() if s in ("refuted", "error")}
