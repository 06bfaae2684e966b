"""Claims and verdicts as the page shows them: in the order of what was published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from harness.report.html.words import figures_in, plain, prose

if TYPE_CHECKING:
    from harness.expectation import Place, Source
    from harness.verdicts import Verdict

MOST_ROWS = 200
"""Rows of a published table that are shown; those that differ come first."""
WORDS = {
    "verified": "verified",
    "refuted": "refuted",
    "not_testable": "not testable",
    "error": "error",
}
SIGNS = {"verified": "✓", "refuted": "✗", "not_testable": "?", "error": "!"}
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]*)?").fullmatch
GITHUB = "https://github.com/"


@dataclass(frozen=True)
class Row:
    """One row of a published table beside what was measured."""

    key: str
    published: str
    measured: str
    differs: bool


@dataclass(frozen=True)
class ClaimView:
    """One claim on the page."""

    verdict: Verdict
    anchor: str
    says: Markup
    published: str
    measured: str
    where: str
    """Where it was published, in words."""
    link: str | None
    rows: tuple[Row, ...]
    rows_left_out: int
    plots: tuple[str, ...] = ()
    """Anchors of the plots that illustrate it."""

    @property
    def status(self) -> str:
        return self.verdict.status.value

    @property
    def words(self) -> str:
        return WORDS[self.status]

    @property
    def sign(self) -> str:
        return SIGNS[self.status]

    @property
    def marked(self) -> bool:
        """Whether the rows show what differs."""
        return any(row.differs for row in self.rows)

    @property
    def opens(self) -> bool:
        """Whether there are frames or rows to show."""
        return bool(self.rows or self.verdict.differing)


def anchor(prefix: str, claim_id: str) -> str:
    """The anchor of a claim; ids are letters, digits, ``-``, ``_`` and ``.``."""
    return f"{prefix}{plain(claim_id, 200)}"


def claim_view(
    verdict: Verdict, prefix: str, source: Source, plots: Mapping[str, list[str]]
) -> ClaimView:
    """What the page shows of a verdict; ``plots`` are the anchors of plots by claim."""
    claim = verdict.claim
    rows, left_out = _rows(verdict)
    return ClaimView(
        verdict=verdict,
        anchor=anchor(prefix, claim.id),
        says=prose(claim.says, figures_in(verdict.published_text)),
        published=verdict.published_text,
        measured=_measured(verdict),
        where=_where(claim.at),
        link=_link(claim.at, source),
        rows=rows,
        rows_left_out=left_out,
        plots=tuple(plots.get(claim.id, ())),
    )


def _measured(verdict: Verdict) -> str:
    """The measured figure; a long time also in hours and minutes."""
    text, measure = verdict.measured_text, verdict.claim.measure
    if not text or measure is None or measure.result_unit() != "s":
        return text
    value = verdict.measured
    whole = int(float(value)) if isinstance(value, int | str) and _DECIMAL(str(value)) else 0
    if whole < 120:
        return f"{text} s"
    hours, rest = divmod(whole, 3600)
    parts = [f"{hours:,} h" if hours else "", f"{rest // 60} min", f"{rest % 60} s"]
    return f"{text} s ({' '.join(filter(None, parts))})"


def groups(verdicts: tuple[Verdict, ...]) -> list[tuple[str, list[Verdict]]]:
    """Runs of claims that were published in one section or file, in the order of the file."""
    by = groupby(verdicts, key=lambda verdict: _heading(verdict.claim.at))
    return [(heading, list(run)) for heading, run in by]


def _heading(at: Place) -> str:
    return at.section or at.file or at.url or ""


def _where(at: Place) -> str:
    """The place within its heading."""
    lines = "line" if at.lines is None or str(at.lines).isdigit() else "lines"
    parts = [at.file if at.section else None, _named(lines, at.lines), _named("item", at.item)]
    return ", ".join(part for part in parts if part) or _heading(at)


def _named(name: str, value: object) -> str | None:
    return None if value is None else f"{name} {value}"


def _link(at: Place, source: Source) -> str | None:
    """The address of the figure: its own, or that of the file in a repository at GitHub."""
    if at.url is not None:
        return at.url
    commit = at.commit or source.commit
    if at.file is None or commit is None or not source.url.startswith(GITHUB):
        return None
    repository = source.url.removeprefix(GITHUB).strip("/").split("/")
    if len(repository) < 2:
        return None
    lines = "" if at.lines is None else str(at.lines).split(",")[0].strip()
    begin, _, end = lines.partition("-")
    place = f"#L{begin}" + (f"-L{end}" if end else "") if begin else ""
    path = f"{'/'.join(repository[:2])}/blob/{quote(commit)}/{quote(at.file)}"
    return f"{GITHUB}{path}{place}"


def _rows(verdict: Verdict) -> tuple[tuple[Row, ...], int]:
    """A published table beside the measured one: rows that differ first, then in their order."""
    published, measured = verdict.published, verdict.measured
    if isinstance(published, list) and isinstance(measured, list):
        return _places(published, measured)
    if not isinstance(published, dict) or not isinstance(measured, dict):
        return (), 0
    rows: list[Row] = []
    for key, count in published.items():
        found = measured.get(key)
        rows.append(Row(key, str(count), "" if found is None else str(found), found != count))
    others = [key for key in measured if key not in published]
    if any(row.measured == "" for row in rows):  # keys written in another notation: not compared
        rows = [Row(row.key, row.published, row.measured, False) for row in rows]
        rows += [Row(key, "", str(measured[key]), False) for key in others]
    else:
        rows += [Row(key, "", str(measured[key]), verdict.status == "refuted") for key in others]
    rows.sort(key=lambda row: not row.differs)
    return tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS)


def _places(published: list[object], measured: list[object]) -> tuple[tuple[Row, ...], int]:
    """An order: the place, the key published there and the one measured, with its count."""
    rows: list[Row] = []
    for place, key in enumerate(published):
        found = measured[place] if place < len(measured) else None
        pair = found if isinstance(found, list) and len(found) == 2 else None
        text = f"{pair[0]} ({pair[1]})" if pair else ""
        rows.append(Row(str(place + 1), str(key), text, False))
    return tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS)
