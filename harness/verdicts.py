"""Verdicts on claims, and the report they make up.

In JSON a published figure is what stands under the comparison's name: a whole number, the text
of any other quantity, ``{key: count}`` for ``table`` and ``rows``, a list of keys for ``order``,
true or false for ``holds``; of other comparisons it stands under their name (``{"at_least": 5}``).
A measured one is an int, the exact decimal (or fraction, ``"2607/1440"``) as text, ISO 8601 text
for a time, ``{key: count}``, a list of ``[key, count]``, or whether it holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.version import VERSION

if TYPE_CHECKING:
    from harness.comparisons import Json
    from harness.evidence import Concerned
    from harness.expectation import Claim, Expectation
    from harness.pictures import Picture

REFUTED_STATUS = 1
WRONG_STATUS = 2
DAMAGED_STATUS = 3


class Status(StrEnum):
    """What became of a claim."""

    VERIFIED = "verified"
    """Measured, and as published."""
    REFUTED = "refuted"
    """Measured, and not as published."""
    NOT_TESTABLE = "not_testable"
    """Cannot be measured from what was given."""
    ERROR = "error"
    """The claim could not be evaluated."""


@dataclass(frozen=True)
class Verdict:
    """What became of one claim."""

    claim: Claim
    status: Status
    published: Json | None
    measured: Json | None
    published_text: str
    measured_text: str
    reason: str
    """Why there is no verdict; else what was left out of the figure; may be empty."""
    differing: tuple[str, ...]
    """At most ten frames or rows that refute the claim."""
    filter: str | None
    """Display filter of the packets that matter, to paste into Wireshark."""
    seconds: float
    """Time this claim took; queries run together, their time is shared out equally."""
    confirmed: int | None = None
    """How many decoders gave this figure; None when only one was asked."""


@dataclass(frozen=True)
class CaptureFacts:
    """The capture that was measured."""

    path: str
    sha256: str
    format: str
    packets: int
    malformed: int
    short: int
    undecoded: dict[str, int]
    """What the decoder does not see, in words -> frames."""
    damaged_at: int | None
    """Octet offset at which the capture stops being readable."""
    damage: str | None
    delegated: int = 0
    """Packets that the decoder left to the reference decoder's layers."""


@dataclass(frozen=True)
class Report:
    """All verdicts of one expectation file on one capture."""

    expectations: Expectation
    capture: CaptureFacts | None
    """None when the capture could not be had or read."""
    decoder: str
    twin: bool
    stage: str
    """Which stage the capture is."""
    verdicts: tuple[Verdict, ...]
    pictures: tuple[Picture, ...] = ()
    """What can be drawn of the capture, when it was asked for."""
    evidence: tuple[Concerned, ...] = ()
    """Packets that refuted claims are about, when they were asked for."""
    confirmed_by: tuple[str, ...] = ()
    """The decoders that every claim was measured with, when more than one was asked."""

    def summary(self) -> dict[Status, int]:
        """Number of verdicts of each status, zeros included."""
        counts = Counter(verdict.status for verdict in self.verdicts)
        return {status: counts[status] for status in Status}

    def exit_status(self) -> int:
        """3 unreadable or damaged, 1 a claim refuted, 2 an error or nothing verified, else 0."""
        counts = self.summary()
        if self.capture is None or self.capture.damaged_at is not None:
            return DAMAGED_STATUS
        if counts[Status.REFUTED]:
            return REFUTED_STATUS
        if counts[Status.ERROR] or not counts[Status.VERIFIED]:
            return WRONG_STATUS
        return 0

    def as_json(self) -> dict[str, object]:
        """The JSON of ``replicap verify``, whose keys are fixed."""
        return {
            "expectations": str(self.expectations.path),
            "capture": self._capture_json(),
            "decoder": self.decoder,
            **({"confirmed_by": list(self.confirmed_by)} if self.confirmed_by else {}),
            "twin": self.twin,
            **({"draft": True} if self.expectations.draft else {}),
            "claims": [_claim_json(verdict) for verdict in self.verdicts],
            "summary": {status.value: count for status, count in self.summary().items()},
            "version": VERSION,
        }

    def _capture_json(self) -> dict[str, object] | None:
        if self.capture is None:
            return None
        return {
            "path": self.capture.path,
            "sha256": self.capture.sha256,
            "format": self.capture.format,
            "packets": self.capture.packets,
            "malformed": self.capture.malformed,
            "damaged_at": self.capture.damaged_at,
            **({"delegated": self.capture.delegated} if self.capture.delegated else {}),
        }


def _claim_json(verdict: Verdict) -> dict[str, object]:
    claim = verdict.claim
    confirmed = {} if verdict.confirmed is None else {"confirmed": verdict.confirmed}
    return {
        "id": claim.id,
        "says": claim.says,
        "at": claim.at.model_dump(exclude_none=True),
        "stage": claim.stage,
        "status": verdict.status.value,
        "published": verdict.published,
        "measured": verdict.measured,
        "reason": verdict.reason,
        "seconds": round(verdict.seconds, 6),
        **confirmed,
    }
