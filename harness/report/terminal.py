"""Verdicts as a table: coloured in a terminal, plain text anywhere else.

Plain text is never cut: every line is as wide as its figures and reasons are. Whatever comes from
a capture or an expectation file is shown with its control characters escaped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.problems import escaped
from harness.report.details import details, place

if TYPE_CHECKING:
    from harness.report.outcome import Outcome
    from harness.verdicts import CaptureFacts, Report, Verdict

Row = tuple[str, str, str, str, str]

HEADINGS: Row = ("verdict", "claim", "published", "measured", "reason")
COLOURS = {"verified": "green", "refuted": "red", "not_testable": "yellow", "error": "magenta"}
PADDED = 48
"""Characters that a column of plain text is made wide at most."""
TWIN = "twin       made from these claims; it proves nothing about the author's trace"

DRAFT = "draft      measured by replicap itself; nothing here counts as published while it says so"


def show(outcomes: Sequence[Outcome], out: TextIO, *, quiet: bool = False) -> None:
    """All files: their tables, then one summary line for each; ``quiet``: no tables."""
    write, table = _rich(out) if _coloured(out) else _plain(out)
    for outcome in () if quiet else outcomes:
        for line in header(outcome):
            write(line, "")
        if not outcome.not_run:
            table([row(verdict) for verdict in outcome.report.verdicts])
            _explain(outcome.report, write)
        write("", "")
    for outcome in outcomes:
        write(summary_line(outcome), "bold")


def _explain(report: Report, write: Callable[[str, str], None]) -> None:
    for verdict in report.verdicts:
        if verdict.status.value not in ("refuted", "error"):
            continue
        where = place(verdict, report.expectations.path)
        write("", "")
        write(f"{verdict.status.value}: {verdict.claim.id} ({where})", "bold")
        for line in [*_figures(verdict), *details(verdict)]:
            write(line, "")


def _figures(verdict: Verdict) -> list[str]:
    lines = [f"  {'published':<16}{escaped(verdict.published_text)}"]
    if verdict.measured_text:
        lines.append(f"  {'measured':<16}{escaped(verdict.measured_text)}")
    if verdict.reason:
        lines.append(f"  {'reason':<16}{escaped(verdict.reason)}")
    return lines


def header(outcome: Outcome) -> list[str]:
    """What was measured: title, capture, what could not be decoded, decoder."""
    report = outcome.report
    expectation = report.expectations
    lines = [f"{escaped(expectation.title)} ({escaped(str(expectation.path))})"]
    if outcome.not_run:
        return [*lines, f"not run    {escaped(outcome.not_run)}"]
    if report.capture is not None:
        lines += _capture_lines(report.capture)
    lines.append(f"decoder    {report.decoder}; the capture is stage {report.stage!r}")
    if report.capture is not None and report.capture.delegated:
        left = f"{report.capture.delegated} of {report.capture.packets} packets"
        lines.append(f"delegated  {left} to the layers of the reference decoder")
    if report.confirmed_by:
        lines.append(f"confirmed  by {', '.join(report.confirmed_by)}")
    lines += [TWIN] if report.twin else []
    return [*lines, DRAFT] if expectation.draft else lines


def _capture_lines(facts: CaptureFacts) -> list[str]:
    undecoded = sum(facts.undecoded.values())
    counts = f"{facts.packets} packets, {facts.malformed} malformed, {facts.short} short"
    lines = [
        f"capture    {escaped(facts.path)}",
        f"           {facts.format}, sha256 {facts.sha256[:16]}, {counts}, {undecoded} undecoded",
    ]
    for reason, frames in facts.undecoded.items():
        lines.append(f"undecoded  {frames} frames: {escaped(reason)}")
    if facts.damage is not None:
        lines.append(
            f"damaged    {escaped(facts.damage)}; what follows holds for the part before it"
        )
    return lines


def row(verdict: Verdict) -> Row:
    """One line of the table, safe to print."""
    return (
        verdict.status.value,
        escaped(verdict.claim.id),
        escaped(verdict.published_text),
        escaped(verdict.measured_text),
        escaped(_reason(verdict)),
    )


def _reason(verdict: Verdict) -> str:
    if not verdict.confirmed:
        return verdict.reason
    by = f"confirmed by {verdict.confirmed}"
    return f"{by}; {verdict.reason}" if verdict.reason else by


def summary_line(outcome: Outcome) -> str:
    """``zeek-pppoe.yaml: 8 verified, 1 refuted, 0 not testable, 0 errors; pppoe.pcap, 0.21 s``."""
    report = outcome.report
    name = escaped(Path(report.expectations.path).name)
    if outcome.not_run:
        return f"{name}: not run, {len(report.verdicts)} claims: {escaped(outcome.not_run)}"
    counts = {status.value: number for status, number in report.summary().items()}
    words = (
        f"{counts['verified']} verified, {counts['refuted']} refuted, "
        f"{counts['not_testable']} not testable, {counts['error']} errors"
    )
    extra = ", damaged" if report.capture is not None and report.capture.damage else ""
    extra += ", a twin" if report.twin else ""
    extra += ", a draft" if report.expectations.draft else ""
    if not counts["verified"] and not counts["refuted"]:
        extra += ", nothing was verified"
    capture = escaped(Path(report.capture.path).name) if report.capture is not None else "-"
    return f"{name}: {words}; {capture}{extra}, {outcome.seconds:.2f} s"


Writer = Callable[[str, str], None]
TableWriter = Callable[[Sequence[Row]], None]


def _coloured(out: TextIO) -> bool:
    # https://no-color.org: any value but an empty one.
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return out.isatty() and not plain


def _plain(out: TextIO) -> tuple[Writer, TableWriter]:
    def write(line: str, _style: str) -> None:
        out.write(f"{line}\n")

    def table(rows: Sequence[Row]) -> None:
        out.writelines(f"{line}\n" for line in plain_table(rows))

    return write, table


def plain_table(rows: Iterable[Row]) -> list[str]:
    """Columns padded to their widest cell; no colour, nothing cut.

    A cell of more than PADDED characters pushes the rest of its own row to the right only.
    """
    lines = [HEADINGS, *rows]
    widths = [
        min(PADDED, max(len(line[column]) for line in lines)) for column in range(len(HEADINGS))
    ]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _rich(out: TextIO) -> tuple[Writer, TableWriter]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, highlight=False, markup=False, emoji=False)

    def write(line: str, style: str) -> None:
        console.print(Text(line, style), soft_wrap=True)

    def table(rows: Sequence[Row]) -> None:
        grid = Table(box=None, pad_edge=False, header_style="bold")
        for heading in HEADINGS:
            grid.add_column(heading, overflow="fold")
        for line in rows:
            grid.add_row(Text(line[0], COLOURS[line[0]]), *map(Text, line[1:]))
        console.print(grid)

    return write, table
