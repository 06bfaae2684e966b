"""Scales, ticks and shapes of the plots; a shape has a class, its colour is the style sheet's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

from harness.quantities import NS_PER_SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 3 * 3600, 4 * 3600, 6 * 3600, 12 * 3600),
    *(86_400 * days for days in (1, 2, 7, 14, 30, 90, 365)),
)
Tick = tuple[float, str]


def number(value: float) -> str:
    """A coordinate with one decimal, as short as it can be written."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def linear_ticks(top: float, about: int) -> list[Tick]:
    """Round numbers from 0 up to ``top``, some ``about`` of them."""
    if top <= 0:
        return [(0, "0")]
    raw = top / max(1, about)
    scale = 10 ** math.floor(math.log10(raw))
    step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= raw)
    step = max(1, step)
    return [(step * place, thousands(step * place)) for place in range(int(top / step) + 1)]


def log_ticks(top: float) -> list[Tick]:
    """Powers of ten from 1 up to ``top``; with 2 and 5 when there are few."""
    powers = range(int(math.log10(max(1, top))) + 1)
    factors = (1, 2, 5) if len(powers) < 2 else (1,)
    values = (factor * 10**power for power in powers for factor in factors)
    return [(value, thousands(value)) for value in values if value <= top]


def thousands(value: float) -> str:
    """A count on an axis: 1500 as 1,500."""
    return f"{value:,.0f}"


def time_ticks(start_ns: int, last_ns: int, about: int) -> list[Tick]:
    """Round times between two, as (ns, text); the day stands at midnight."""
    span = (last_ns - start_ns) / NS_PER_SECOND
    raw = span / max(1, about)
    if raw < 0.5:
        return _short_ticks(start_ns, last_ns, about)
    fitting = (step for step in _TIME_STEPS if step >= raw)
    step = next(fitting, 365 * 86_400 * math.ceil(raw / (365 * 86_400)))
    first = -(-start_ns // (step * NS_PER_SECOND))
    last = last_ns // (step * NS_PER_SECOND)
    moments = [place * step * NS_PER_SECOND for place in range(first, last + 1)]
    return [(moment, _clock(moment, step)) for moment in moments]


def _short_ticks(start_ns: int, last_ns: int, about: int) -> list[Tick]:
    """Within seconds: time since the begin."""
    ticks = linear_ticks((last_ns - start_ns) / 1000, about)
    unit, name = (1000, "ms") if (last_ns - start_ns) > 10**7 else (1, "µs")
    return [
        (start_ns + int(value) * 1000, f"+{value / unit:g} {name}")
        for value, _ in ticks
        if value == int(value)
    ]


def _clock(moment: int, step: int) -> str:
    time = when(moment)
    if time is None:
        return f"{moment // NS_PER_SECOND} s"
    if step >= 86_400 or (time.hour, time.minute, time.second) == (0, 0, 0):
        return f"{time.day} {time:%b}"
    return f"{time:%H:%M}" if step >= 60 else f"{time:%H:%M:%S}"


def when(moment: int) -> datetime | None:
    """A time in ns since 1970 as a date; None where the calendar ends."""
    try:
        return _EPOCH + timedelta(microseconds=moment // 1000)
    except OverflowError:
        return None


def moment_words(moment: int, bin_ns: int) -> str:
    """The begin of a bin, for people: ``2017-10-13 07:05``, as exact as the bin is."""
    time = when(moment)
    if time is None:
        return f"{moment / NS_PER_SECOND:.0f} s after 1970"
    if bin_ns >= 86_400 * NS_PER_SECOND:
        return f"{time:%Y-%m-%d}"
    if bin_ns >= 60 * NS_PER_SECOND:
        return f"{time:%Y-%m-%d %H:%M}"
    if bin_ns >= NS_PER_SECOND:
        return f"{time:%Y-%m-%d %H:%M:%S}"
    decimals = max(1, min(9, 9 - int(math.log10(bin_ns))))
    fraction = f"{moment % NS_PER_SECOND:09}"[:decimals]
    return f"{time:%Y-%m-%d %H:%M:%S}.{fraction}"


def bin_words(bin_ns: int) -> str:
    """A bin's width: ``minute``, ``10 seconds``."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, rest = divmod(bin_ns, unit * NS_PER_SECOND)
        if count and not rest:
            return name if count == 1 else f"{count} {name}s"
    for unit, name in ((10**6, "millisecond"), (10**3, "microsecond"), (1, "nanosecond")):
        count, rest = divmod(bin_ns, unit)
        if count and not rest:
            return name if count == 1 else f"{count} {name}s"
    return f"{bin_ns} ns"


@dataclass
class Drawing:
    """An SVG picture in the making; ``points`` are the places that can be asked for their value."""

    width: int
    height: int
    parts: list[str] = field(default_factory=list)
    points: list[tuple[float, float, str]] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        classed = f' class="{kind}"' if kind else ""
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}"{anchored}{classed}>{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        path = f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"
        self.path(path, kind)

    def rect(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(0, width))}" '
            f'height="{number(max(0, height))}" class="{kind}"/>'
        )

    def circle(self, x: float, y: float, radius: float, kind: str) -> None:
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" class="{kind}"/>'
        )

    def path(self, path: str, kind: str) -> None:
        self.parts.append(f'<path d="{path}" class="{kind}"/>')

    def point(self, x: float, y: float, words: str) -> None:
        self.points.append((round(x, 1), round(y, 1), words))

    def markup(self) -> Markup:
        """The picture; what it shows stands in words beside it, so it is hidden from readers."""
        inner = "".join(self.parts)
        return Markup(  # every text in it went through escape, the rest are numbers and classes
            f'<svg viewBox="0 0 {self.width} {self.height}" aria-hidden="true" '
            f'focusable="false">{inner}</svg>'
        )


def steps(values: Sequence[float], left: float, width: float, base: float, scale: float) -> str:
    """Path of an area in steps: one step a value, ``scale`` units high for each 1."""
    step = width / max(1, len(values))
    path = [f"M{number(left)} {number(base)}"]
    height = None
    for place, value in enumerate(values):
        top = number(base - value * scale)
        if top != height:
            path.append(f"H{number(left + place * step)}V{top}")
            height = top
    path.append(f"H{number(left + width)}V{number(base)}Z")
    return "".join(path)
