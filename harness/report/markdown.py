"""Verdicts as Markdown: the summary of a job, a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.problems import escaped
from harness.report.details import place
from harness.report.terminal import DRAFT, TWIN, summary_line

if TYPE_CHECKING:
    from harness.report.outcome import Outcome
    from harness.verdicts import Verdict

MOST_CHARACTERS = 300
"""Characters of one cell."""
_SHOWN_FIRST = ("refuted", "error", "not_testable", "verified")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&$@-])")


def as_text(outcomes: Sequence[Outcome]) -> str:
    """A section for each file: its summary, then a table of claims, refuted ones first."""
    return "\n".join(line for outcome in outcomes for line in _section(outcome)) + "\n"


def _section(outcome: Outcome) -> Iterator[str]:
    report = outcome.report
    yield f"## {plain(report.expectations.title)}"
    yield ""
    yield plain(summary_line(outcome))
    yield ""
    if report.twin:
        yield f"> {plain(' '.join(TWIN.split()))}"
        yield ""
    if report.expectations.draft:
        yield f"> {plain(' '.join(DRAFT.split()))}"
        yield ""
    if outcome.not_run:
        return
    ordered = sorted(report.verdicts, key=lambda one: _SHOWN_FIRST.index(one.status.value))
    yield from _table(ordered, str(report.expectations.path))
    yield ""


def _table(verdicts: Iterable[Verdict], path: str) -> Iterator[str]:
    yield "| verdict | claim | says | published | measured | reason | at |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for verdict in verdicts:
        cells = (
            verdict.status.value.replace("_", " "),
            verdict.claim.id,
            verdict.claim.says,
            verdict.published_text,
            verdict.measured_text,
            verdict.reason,
            place(verdict, path),
        )
        yield "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no link, no line of its own."""
    shown = escaped(text)
    if len(shown) > MOST_CHARACTERS:
        shown = f"{shown[:MOST_CHARACTERS]}..."
    return _SPECIAL.sub(r"\\\1", shown)
