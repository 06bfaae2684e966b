"""The lines that explain one verdict, for the terminal, JUnit and pytest alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.problems import escaped

if TYPE_CHECKING:
    from harness.expectation import Place
    from harness.verdicts import Verdict

DIFFERING = 10
"""Frames or rows shown at most."""
_WIDTH = 16


def headline(verdict: Verdict) -> str:
    """One line: the published and the measured figure, or why there is none."""
    if verdict.measured_text and verdict.status.value != "error":
        published, measured = escaped(verdict.published_text), escaped(verdict.measured_text)
        return f"published {published}, measured {measured}"
    return escaped(verdict.reason)


def place(verdict: Verdict, path: str) -> str:
    """Where the claim stands: ``file:line``."""
    return f"{escaped(path)}:{verdict.claim.line}"


def at_text(at: Place) -> str:
    """Where the figure was published, in a few words: ``conn.log, lines 9-15, commit a13de64``."""
    parts = [at.file, _named("lines", at.lines), _named("section", at.section)]
    parts += [_named("item", at.item), _named("commit", at.commit), at.url]
    return escaped(", ".join(part for part in parts if part))


def _named(name: str, value: object) -> str | None:
    return None if value is None else f"{name} {value}"


def details(verdict: Verdict) -> list[str]:
    """Everything about a claim that its line of the table does not say; safe to print."""
    claim = verdict.claim
    lines = [_line("says", claim.says), _line("at", at_text(claim.at))]
    if claim.quote:
        lines.append(_line("quote", claim.quote))
    for index, text in enumerate(verdict.differing[:DIFFERING]):
        lines.append(_line("" if index else "differing", text))
    if verdict.filter:
        lines.append(_line("filter", verdict.filter))
    if claim.interpretation:
        lines.append(_line("interpretation", claim.interpretation))
    if claim.note:
        lines.append(_line("note", claim.note))
    return lines


def _line(name: str, text: str) -> str:
    return f"  {name:<{_WIDTH}}{escaped(text)}".rstrip()


def properties_of(verdict: Verdict) -> list[tuple[str, str]]:
    """What a JUnit reader is told about a claim: id, status, published, measured, at."""
    return [
        ("claim", escaped(verdict.claim.id)),
        ("status", verdict.status.value),
        ("published", escaped(verdict.published_text)),
        ("measured", escaped(verdict.measured_text)),
        ("at", at_text(verdict.claim.at)),
    ]
