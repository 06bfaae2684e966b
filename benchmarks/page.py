"""The figures of a benchmark as docs/benchmarks.md and docs/benchmarks.svg."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from measuring import Run

LIBRARIES = ("replicap", "polars", "numba", "numpy", "dpkt", "scapy")
BAR, ROW, LEFT, WIDTH = 18, 26, 190, 860
COLOURS = {"columnar": "#1b6ca8", "columnar, 1 core": "#1b6ca8", "reference": "#7aa6c2"}


@dataclass(frozen=True)
class Rate:
    """How fast a program decodes: ``seconds`` for the work, ``whole`` for its whole process."""

    name: str
    packets: int
    seconds: float
    whole: float
    processor: float

    @property
    def each_second(self) -> float:
        return self.packets / self.seconds


@dataclass(frozen=True)
class Shape:
    """What verifying all claims came to on a capture in one shape."""

    name: str
    packets: int
    run: Run
    said: dict[str, tuple[str, Any]]
    """Claim -> its status and what was measured."""

    @property
    def measured(self) -> int:
        """Claims of which something was measured."""
        return sum(value is not None for _, value in self.said.values())

    def is_like(self, other: Shape) -> bool:
        """Whether packets and all figures are those of another shape; no figures are like none."""
        return self.measured > 0 and (self.packets, self.said) == (other.packets, other.said)


@dataclass
class Figures:
    """Everything that was measured in one run; what was not asked for is empty."""

    machine: list[tuple[str, str]]
    decoding: dict[str, list[Rate]] = field(default_factory=dict)
    verifying: list[tuple[str, int, Run, int]] = field(default_factory=list)
    memory: list[tuple[int, Run]] = field(default_factory=list)
    cores: list[tuple[int | None, Run]] = field(default_factory=list)
    slowest: list[tuple[str, float]] = field(default_factory=list)
    same: list[Shape] = field(default_factory=list)

    def all_the_same(self) -> bool:
        """Whether a capture in other shapes has the same packets and the same figures."""
        return all(shape.is_like(self.same[0]) for shape in self.same)


def machine() -> list[tuple[str, str]]:
    """What it was measured on."""
    rows = [
        ("processor", _processor()),
        ("cores used", str(len(os.sched_getaffinity(0)))),
        ("load before", f"{os.getloadavg()[0]:.1f}"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
    ]
    for library in LIBRARIES:
        try:
            rows.append((library, version(library)))
        except PackageNotFoundError:
            continue
    for program in ("tshark", "tcpdump"):
        if shutil.which(program):
            asked = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=False
            )
            rows.append((program, (asked.stdout or asked.stderr).partition("\n")[0].strip()))
    return rows


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write_pages(figures: Figures, folder: Path) -> None:
    """Both files."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_page(figures)) + "\n"
    (folder / "benchmarks.md").write_text(text, "utf-8")
    if figures.decoding:
        (folder / "benchmarks.svg").write_text(_plot(figures.decoding), "utf-8")


def _page(figures: Figures) -> Iterator[str]:
    yield "# How fast it is"
    yield ""
    yield "Written by `nox -s bench`. Every row of a table was measured in the same run; ratios"
    yield "between rows mean more than the figures, which other work on the machine lengthens."
    yield "Seconds of processors are what all cores spent together, and are disturbed least."
    yield ""
    yield from _table(("", ""), figures.machine)
    for part in (_decoding, _verifying, _memory, _cores, _slowest, _same):
        yield from part(figures)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _decoding(figures: Figures) -> Iterator[str]:
    if not figures.decoding:
        return
    yield "## Decoding the same fields"
    yield ""
    yield "![packets a second, by program](benchmarks.svg)"
    yield ""
    yield "`columnar` decodes into a table, warm (the median of seven times in one process);"
    yield "`reference` does once. tshark (median of three) and tcpdump are whole processes; dpkt"
    yield "and scapy get what they have names for."
    yield ""
    for what, rates in figures.decoding.items():
        theirs = next((rate for rate in rates if rate.name.startswith("tshark")), None)
        rows = []
        for rate in rates:
            ratio = f"{rate.each_second / theirs.each_second:.1f}" if theirs else "-"
            cost = f"{1e6 * rate.processor / rate.packets:.2f}"
            rows.append((rate.name, f"{rate.packets:,}", f"{rate.each_second:,.0f}", ratio, cost))
        yield f"### {what}"
        yield ""
        head = ("", "packets", "packets/s", "times tshark", "µs of processor a packet")
        yield from _table(head, rows)


def _verifying(figures: Figures) -> Iterator[str]:
    if not figures.verifying:
        return
    yield "## All claims of `internets-noise.yaml`"
    yield ""
    yield "On scan traffic, whose figures are others: most claims are refuted. tshark gets their"
    yield "filters (`io,stat`) and five statistics in one pass, on fewer packets: it takes long."
    yield ""
    rows = []
    for name, packets, found, claims in figures.verifying:
        each = f"{found.seconds / claims:.3f}" if claims else "-"
        rate = f"{packets / found.seconds:,.0f}"
        rows.append((name, f"{packets:,}", *_taken(found), rate, str(claims or "-"), each))
    head = (
        *("", "packets", "s", "s of processors", "peak MB", "packets/s"),
        *("claims measured", "s a claim"),
    )
    yield from _table(head, rows)


def _taken(found: Run) -> tuple[str, str, str]:
    return f"{found.seconds:.2f}", f"{found.processor:.2f}", f"{found.peak_mb:,.0f}"


def _memory(figures: Figures) -> Iterator[str]:
    if not figures.memory:
        return
    yield "## Memory, claims without groups"
    yield ""
    rows = [(f"{packets:,}", *_taken(found)) for packets, found in figures.memory]
    yield from _table(("packets", "s", "s of processors", "peak MB"), rows)
    first, last = figures.memory[0][1], figures.memory[-1][1]
    yield f"Ratio of the peaks: {last.peak_mb / first.peak_mb:.2f}."
    yield ""


def _cores(figures: Figures) -> Iterator[str]:
    if not figures.cores:
        return
    yield "## Cores"
    yield ""
    rows = [(str(count or "all"), *_taken(found)) for count, found in figures.cores]
    yield from _table(("cores", "s", "s of processors", "peak MB"), rows)


def _slowest(figures: Figures) -> Iterator[str]:
    if not figures.slowest:
        return
    yield "## Seconds per claim"
    yield ""
    yield "Queries run together and share their time equally; the ten that took longest:"
    yield ""
    rows = [(name, f"{seconds:.3f}") for name, seconds in figures.slowest]
    yield from _table(("claim", "s"), rows)


def _same(figures: Figures) -> Iterator[str]:
    if not figures.same:
        return
    yield "## The same capture in other shapes"
    yield ""
    rows = [
        (
            shape.name,
            f"{shape.packets:,}",
            *_taken(shape.run),
            str(shape.measured),
            "yes" if shape.is_like(figures.same[0]) else "NO",
        )
        for shape in figures.same
    ]
    head = ("", "packets", "s", "s of processors", "peak MB", "claims measured", "as the first")
    yield from _table(head, rows)


def _plot(decoding: dict[str, list[Rate]]) -> str:
    """Bars on a logarithmic scale, one group a table."""
    rows = sum(len(rates) + 2 for rates in decoding.values())
    height = 40 + ROW * rows
    most = max(rate.each_second for rates in decoding.values() for rate in rates)
    decades = math.ceil(math.log10(most))
    scale = (WIDTH - LEFT - 110) / (decades - 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="8" y="20" font-weight="bold">packets a second (logarithmic)</text>',
    ]
    for decade in range(2, decades + 1):
        x = LEFT + (decade - 2) * scale
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="30" y2="{height}" stroke="#dddddd"/>')
    at = 40
    for what, rates in decoding.items():
        parts.append(f'<text x="8" y="{at + 14}" font-weight="bold">{escape(what)}</text>')
        at += ROW
        for rate in rates:
            parts += _bar(rate, at, scale)
            at += ROW
        at += ROW
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(rate: Rate, at: int, scale: float) -> list[str]:
    length = max(1.0, (math.log10(rate.each_second) - 2) * scale)
    colour = COLOURS.get(rate.name, "#b0b0b0")
    end = LEFT + length + 6
    return [
        f'<text x="{LEFT - 8}" y="{at + 14}" text-anchor="end">{escape(rate.name)}</text>',
        f'<rect x="{LEFT}" y="{at}" width="{length:.0f}" height="{BAR}" fill="{colour}"/>',
        f'<text x="{end:.0f}" y="{at + 14}">{rate.each_second:,.0f}</text>',
    ]
