"""What became of one expectation file in a run: its report, or why it was not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.expectation import Expectation
    from harness.verdicts import Report

UNREADABLE = 3
"""Exit status of the contract: the capture cannot be read or is damaged."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation file after a run.

    Of a file that was not run, ``report`` holds an error verdict for every claim that can be
    tested, so that no reader of the results takes it for a success.
    """

    report: Report
    seconds: float
    not_run: str = ""
    """Why its capture could not be had or read; empty when the file was run."""

    @property
    def exit_status(self) -> int:
        """The contract's exit status for this file alone."""
        return UNREADABLE if self.not_run else self.report.exit_status()


def not_run(expectation: Expectation, stage: str, reason: str) -> Outcome:
    """The outcome of a file whose capture is missing or unreadable."""
    from harness.verdicts import Report, Status, Verdict

    verdicts = tuple(
        Verdict(
            claim=claim,
            status=Status.NOT_TESTABLE if claim.not_testable else Status.ERROR,
            published=claim.published,
            measured=None,
            published_text=_published(claim.published, claim.comparison),
            measured_text="",
            reason=claim.not_testable or f"not run: {reason}",
            differing=(),
            filter=None,
            seconds=0.0,
        )
        for claim in expectation.claims
    )
    report = Report(
        expectations=expectation,
        capture=None,
        decoder="none",
        twin=False,
        stage=stage,
        verdicts=verdicts,
    )
    return Outcome(report, 0.0, reason)


def _published(text: str | None, comparison: object) -> str:
    return text or str(getattr(comparison, "published_text", "") or "")


def worst(outcomes: list[Outcome]) -> int:
    """The exit status of a whole run: the highest of its files."""
    return max(outcome.exit_status for outcome in outcomes)
