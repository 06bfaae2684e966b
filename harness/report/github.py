"""Verdicts as annotations at the lines of the expectation file, in GitHub's workflow commands.

Source: "Workflow commands for GitHub Actions", setting an error, warning or notice message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.problems import escaped
from harness.report.details import headline

if TYPE_CHECKING:
    from harness.problems import Problem
    from harness.report.outcome import Outcome
    from harness.verdicts import Verdict

LEVELS = {"refuted": "error", "error": "error", "not_testable": "notice"}
"""Level of the annotation of each status; a verified claim has none."""

_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


def workflow_commands(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One command for each claim that is not verified, and for each file that was not run."""
    for outcome in outcomes:
        path = str(outcome.report.expectations.path)
        if outcome.not_run:
            yield command("error", path, 1, 1, "not run", outcome.not_run)
            continue
        for verdict in outcome.report.verdicts:
            if verdict.status.value in LEVELS:
                yield _of_claim(path, verdict)


def of_problem(problem: Problem) -> str:
    """The annotation of a place where an expectation file is wrong."""
    return command(
        "error", problem.path, problem.line, problem.column, "wrong file", problem.message
    )


def _of_claim(path: str, verdict: Verdict) -> str:
    claim, status = verdict.claim, verdict.status.value
    title = f"{status.replace('_', ' ')}: {claim.id}"
    text = f"{claim.says}\n{headline(verdict)}"
    return command(LEVELS[status], path, claim.line, claim.column, title, text)


def command(level: str, path: str, line: int, column: int, title: str, text: str) -> str:
    """``::error file=...,line=...,col=...,title=...::text``, with nothing that could end it."""
    place = f"file={_coded(path, _PROPERTY)},line={max(line, 1)},col={max(column, 1)}"
    told = "\n".join(escaped(part) for part in text.split("\n"))
    return f"::{level} {place},title={_coded(escaped(title), _PROPERTY)}::{_coded(told, _DATA)}"


def _coded(text: str, codes: Sequence[tuple[str, str]]) -> str:
    for plain, code in codes:
        text = text.replace(plain, code)
    return text
