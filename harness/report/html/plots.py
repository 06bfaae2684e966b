"""The pictures of a report as plots: SVG for the eye, words for hover and keys, a table behind."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.pictures import (
    ADDRESSES_IN_A_ROW,
    PORT_COLUMNS,
    SOURCE_ROWS,
    Picture,
    Span,
)
from harness.report.html.svg import (
    Drawing,
    bin_words,
    linear_ticks,
    log_ticks,
    moment_words,
    number,
    steps,
    thousands,
    time_ticks,
)

WIDE, NARROW = 960, 400
MOST_ROWS = 300
"""Rows of a table behind a plot that are shown."""
NARROW_BINS = 240
"""Bins of time in the narrow plot at most."""

_SERIES = (
    ("probes", "Probes and pings", ("tcp-syn-probe", "udp-probe", "ping")),
    ("replies", "Replies", ("reply",)),
    ("backscatter", "Backscatter", ("backscatter",)),
    ("control", "Link control", ("link-control",)),
    ("other", "Everything else", ("other",)),
)
_LEVELS = (1, 2, 10, 100, 1000)


@dataclass(frozen=True)
class Variant:
    """One drawing of a plot, for wide or narrow pages or for both."""

    kind: str
    svg: Markup
    points: Markup
    """JSON of the places that can be asked for their value: [x, y, words] each."""
    width: int
    height: int
    axis: str
    """Which distance counts when the nearest point is looked for: x, y or xy."""


@dataclass(frozen=True)
class Plot:
    """A plot with its table."""

    kind: str
    title: str
    caption: str
    stage: str
    claims: tuple[str, ...]
    variants: tuple[Variant, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0
    """Rows of the table that are not shown."""

    @property
    def wide(self) -> bool:
        return len(self.variants) > 1


def plot(picture: Picture) -> Plot:
    """The plot of a picture."""
    return _DRAWN[picture.kind](picture)


def as_json(data: object) -> Markup:
    """JSON that can stand in a script element: nothing in it ends one."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _variant(drawing: Drawing, kind: str, axis: str) -> Variant:
    return Variant(
        kind,
        drawing.markup(),
        as_json([list(point) for point in drawing.points]),
        drawing.width,
        drawing.height,
        axis,
    )


def _packets(count: int) -> str:
    return f"{count:,} packet{'' if count == 1 else 's'}"


def _made(
    picture: Picture,
    title: str,
    caption: str,
    variants: Sequence[Variant],
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> Plot:
    return Plot(
        picture.kind,
        title,
        caption,
        picture.stage,
        picture.claims,
        tuple(variants),
        columns,
        tuple(rows[:MOST_ROWS]),
        max(0, len(rows) - MOST_ROWS),
    )


# Packets over time


def _time(picture: Picture) -> Plot:
    span = picture.span
    counts: dict[str, list[int]] = {}
    for kind, _, classes in _SERIES:
        values = [0] * span.bins
        for at, name, packets in picture.rows:
            if name in classes:
                values[at] += packets
        if any(values):
            counts[kind] = values
    shown = [(kind, title, counts[kind]) for kind, title, _ in _SERIES if kind in counts]
    variants = [_rows_over_time(span, shown, WIDE, "wide", 1)]
    together = -(-span.bins // NARROW_BINS)
    variants.append(_rows_over_time(span, shown, NARROW, "narrow", together))
    per = bin_words(span.bin_ns)
    busiest = [
        f"{title.lower()} at most {max(values):,}, {sum(values) / span.bins:.3g} on average"
        for _, title, values in shown
    ]
    begins = moment_words(span.start_ns, span.bin_ns)
    caption = f"From {begins} UTC, by {per}: {'; '.join(busiest)}. Each row has its own scale."
    rows = [
        (
            moment_words(span.start_ns + at * span.bin_ns, span.bin_ns),
            *(str(values[at]) for _, _, values in shown),
        )
        for at in range(span.bins)
        if any(values[at] for _, _, values in shown)
    ]
    columns = ("Begin (UTC)", *(title for _, title, _ in shown))
    return _made(picture, f"Packets per {per}", caption, variants, columns, rows)


def _rows_over_time(
    span: Span,
    shown: Sequence[tuple[str, str, list[int]]],
    width: int,
    kind: str,
    together: int,
) -> Variant:
    """One row a series, below one another, on one axis of time; ``together`` bins are one step."""
    left, right, row = 44, 8, 74
    drawing = Drawing(width, 12 + row * len(shown) + 22)
    inner = width - left - right
    steps_ns = span.bin_ns * together
    per = f" per {bin_words(steps_ns)}" if together > 1 else ""
    for place, (name, title, values) in enumerate(shown):
        merged = [sum(values[at : at + together]) for at in range(0, span.bins, together)]
        base = 12 + row * (place + 1) - 8
        top = max(merged)
        scale = (row - 30) / top
        drawing.line(left, base, width - right, base, "axis")
        drawing.text(left - 6, base, "0", "tick", "end")
        drawing.text(left - 6, base - top * scale + 4, thousands(top), "tick", "end")
        drawing.text(left, base - (row - 30) - 7, f"{title}{per}", "label")
        drawing.path(steps(merged, left, inner, base, scale), f"area fill-{name}")
    _time_axis(drawing, span, left, inner, 12 + row * len(shown) - 8)
    bins = -(-span.bins // together)
    for at in range(bins):
        here = slice(at * together, (at + 1) * together)
        if not any(any(values[here]) for _, _, values in shown):
            continue
        parts = [f"{sum(values[here]):,} {title.lower()}" for _, title, values in shown]
        words = moment_words(span.start_ns + at * steps_ns, span.bin_ns)
        drawing.point(left + (at + 0.5) * inner / bins, 12, f"{words}\n" + "\n".join(parts))
    return _variant(drawing, kind, "x")


def _time_axis(drawing: Drawing, span: Span, left: int, inner: float, base: float) -> None:
    total = max(1, span.bins * span.bin_ns)
    end = span.start_ns + total
    for moment, words in time_ticks(span.start_ns, end, 9 if drawing.width == WIDE else 4):
        x = left + (moment - span.start_ns) / total * inner
        drawing.line(x, base, x, base + 4, "axis")
        anchor = "end" if x > left + inner - 20 else "middle" if x > left + 12 else "start"
        drawing.text(x, base + 18, words, "tick", anchor)


# Bars with names


def _bars(rows: Sequence[tuple[str, int, str, str]], left: int) -> Variant:
    """One bar a row of (name, count, class, words), the longest over the whole width."""
    row, right = 19, 52
    drawing = Drawing(NARROW, row * len(rows) + 4)
    top = max(count for _, count, _, _ in rows)
    for place, (name, count, kind, words) in enumerate(rows):
        y = row * place + 2
        length = (NARROW - left - right) * count / top
        drawing.text(left - 7, y + 13, name, "label", "end")
        drawing.rect(left, y + 2, max(1, length), row - 5, f"area fill-{kind}")
        drawing.text(left + max(1, length) + 5, y + 13, thousands(count), "tick")
        drawing.point(left + length, y + row / 2, words)
    return _variant(drawing, "both", "y")


def _ports(picture: Picture) -> Plot:
    rows = picture.rows[:20]
    kinds = {"TCP": "probes", "UDP": "replies"}
    bars = [
        (f"{of} {port}", packets, kinds[of], f"{of} port {port}\n{_packets(packets)}")
        for of, port, packets, _, _ in rows
    ]
    totals = {of: (ports, every) for of, _, _, ports, every in picture.rows}
    counted = " and ".join(
        f"{every:,} {of} packets to {ports:,} port{'' if ports == 1 else 's'}"
        for of, (ports, every) in sorted(totals.items())
    )
    caption = f"{counted}; the {len(rows)} busiest are shown."
    table = [(of, str(port), str(packets)) for of, port, packets, _, _ in picture.rows]
    return _made(
        picture,
        "Destination ports",
        caption,
        [_bars(bars, 82)],
        ("Protocol", "Port", "Packets"),
        table,
    )


def _classes(picture: Picture) -> Plot:
    kinds = {name: kind for kind, _, classes in _SERIES for name in classes}
    rows = [(of, name, packets) for of, name, packets in picture.rows]
    bars = [
        (
            name if of == "class" else f"mark of {name}",
            packets,
            kinds.get(name, "other") if of == "class" else "mark",
            f"{name}\n{_packets(packets)}",
        )
        for of, name, packets in rows
    ]
    marked = sum(packets for of, _, packets in rows if of == "scanner")
    bear = "bears" if marked == 1 else "bear"
    some = f"{_packets(marked)} {bear} the mark of a known scanner." if marked else ""
    caption = some or "No packet bears the mark of ZMap, Masscan or Mirai."
    table = [(of, name, str(packets)) for of, name, packets in rows]
    title = "Classes and scanner fingerprints"
    return _made(picture, title, caption, [_bars(bars, 116)], ("What", "Name", "Packets"), table)


# Points and columns


def _sources(picture: Picture) -> Plot:
    left, right, top, height = 46, 14, 24, 268
    drawing = Drawing(NARROW, height)
    inner, deep = NARROW - left - right, height - top - 40
    most = max(size for _, size, _ in picture.rows)
    many = max(count for _, _, count in picture.rows)

    def x_of(value: float) -> float:
        return left + 6 + math.log10(value) / math.log10(max(most, 10)) * (inner - 12)

    def y_of(value: float) -> float:
        return top + deep - 6 - math.log10(value) / math.log10(max(many, 10)) * (deep - 12)

    for value, words in log_ticks(max(many, 10)):
        drawing.line(left, y_of(value), left + inner, y_of(value), "grid")
        drawing.text(left - 6, y_of(value) + 4, words, "tick", "end")
    for value, words in log_ticks(max(most, 10)):
        drawing.line(x_of(value), top, x_of(value), top + deep, "grid")
        drawing.text(x_of(value), top + deep + 16, words, "tick", "middle")
    drawing.text(left - 40, 12, "sources", "label")
    drawing.text(left + inner, height - 4, "packets per source", "label", "end")
    for of, size, count in picture.rows:
        kind = "probes" if of == "IPv4" else "replies"
        drawing.circle(x_of(size), y_of(count), 4, f"dot fill-{kind}")
        words = f"{count:,} {of} source{'' if count == 1 else 's'}\n{_packets(size)} each"
        drawing.point(x_of(size), y_of(count), words)
    counts: dict[str, int] = defaultdict(int)
    for of, _, count in picture.rows:
        counts[of] += count
    named = " and ".join(
        f"{count:,} {of} source{'' if count == 1 else 's'}" for of, count in sorted(counts.items())
    )
    caption = f"{named}; the busiest sent {_packets(most)}. Both axes are logarithmic."
    table = [(of, str(size), str(count)) for of, size, count in picture.rows]
    columns = ("Protocol", "Packets per source", "Sources")
    return _made(
        picture, "Packets per source", caption, [_variant(drawing, "both", "xy")], columns, table
    )


def _ttl(picture: Picture) -> Plot:
    left, right, top, height = 46, 8, 24, 226
    drawing = Drawing(NARROW, height)
    inner, deep = NARROW - left - right, height - top - 40
    many = max(count for _, count in picture.rows)
    for value, words in linear_ticks(many, 4):
        y = top + deep - value / many * deep
        drawing.line(left, y, left + inner, y, "grid")
        drawing.text(left - 6, y + 4, words, "tick", "end")
    for value in (0, 32, 64, 128, 192, 255):
        x = left + (value + 0.5) / 256 * inner
        drawing.line(x, top + deep, x, top + deep + 4, "axis")
        anchor = "end" if value == 255 else "middle"
        drawing.text(x + (4 if value == 255 else 0), top + deep + 17, str(value), "tick", anchor)
    drawing.text(left - 40, 12, "packets", "label")
    drawing.text(left + inner, height - 4, "time to live", "label", "end")
    bars = []
    for ttl, count in picture.rows:
        x, tall = left + ttl / 256 * inner, max(1, count / many * deep)
        bars.append(f"M{number(x)} {number(top + deep)}v-{number(tall)}h1.3v{number(tall)}z")
        drawing.point(x + 0.7, top + deep - tall, f"TTL {ttl}\n{_packets(count)}")
    drawing.path("".join(bars), "area fill-probes")
    caption = (
        f"{len(picture.rows)} different values of the IPv4 header; "
        "hosts begin with 32, 64, 128 or 255, and each router takes one."
    )
    table = [(str(ttl), str(count)) for ttl, count in picture.rows]
    return _made(
        picture,
        "Time to live",
        caption,
        [_variant(drawing, "both", "x")],
        ("TTL", "Packets"),
        table,
    )


# The map of sources and ports


def _map(picture: Picture) -> Plot:
    left, right, top, height = 46, 8, 24, 300
    drawing = Drawing(NARROW, height)
    inner, deep = NARROW - left - right, height - top - 40
    wide, tall = inner / PORT_COLUMNS, deep / SOURCE_ROWS
    drawing.rect(left, top, inner, deep, "ground")
    for port in (0, 1024, 4096, 16384, 32768, 65535):
        x = left + math.sqrt(port / 65536) * inner
        drawing.line(x, top + deep, x, top + deep + 4, "axis")
        anchor = "end" if port == 65535 else "start" if port == 0 else "middle"
        drawing.text(x, top + deep + 16, str(port), "tick", anchor)
    for octet in (0, 64, 128, 192, 255):
        y = top + octet / 256 * deep
        drawing.text(left - 6, y + 4, f"{octet}.", "tick", "end")
    drawing.text(left - 40, 12, "source address", "label")
    drawing.text(left + inner, height - 4, "destination port", "label", "end")
    levels: dict[int, list[str]] = defaultdict(list)
    table: list[tuple[int, tuple[str, ...]]] = []
    for row, column, count in picture.rows:
        x, y = left + column * wide, top + row * tall
        level = sum(count >= least for least in _LEVELS)
        size = f"h{number(wide + 0.2)}v{number(tall + 0.2)}h-{number(wide + 0.2)}z"
        levels[level].append(f"M{number(x)} {number(y)}{size}")
        sources, ports = _cell(row, column)
        words = f"{sources}\nports {ports}\n{_packets(count)}"
        drawing.point(x + wide / 2, y + tall / 2, words)
        table.append((count, (sources, ports, str(count))))
    for level, cells in sorted(levels.items()):
        drawing.path("".join(cells), f"area level-{level}")
    caption = (
        "Each cell holds the packets of a range of IPv4 sources to a range of ports; "
        "the stronger its colour, the more: 1, from 2, 10, 100, 1,000."
    )
    rows = [cells for _, cells in sorted(table, key=lambda one: -one[0])]
    return _made(
        picture,
        "Sources and ports",
        caption,
        [_variant(drawing, "both", "xy")],
        ("Sources", "Ports", "Packets"),
        rows,
    )


def _cell(row: int, column: int) -> tuple[str, str]:
    """The addresses and ports of a cell."""
    first = row * ADDRESSES_IN_A_ROW >> 24
    last = ((row + 1) * ADDRESSES_IN_A_ROW - 1) >> 24
    low, high = (2 * column) ** 2, min(65535, (2 * column + 2) ** 2 - 1)
    return f"{first}.0.0.0 to {last}.255.255.255", f"{low} to {high}"


# Streams over time


def _streams(picture: Picture) -> Plot:
    span = picture.span
    shown: list[tuple[str, str, list[int]]] = []
    for of, kind in (("TCP", "probes"), ("UDP", "replies")):
        values = [0] * span.bins
        for name, at, begun in picture.rows:
            if name == of:
                values[at] += begun
        if any(values):
            total = 0
            shown.append((of, kind, [total := total + value for value in values]))
    variants = [
        _curves(span, shown, WIDE, "wide", 1),
        _curves(span, shown, NARROW, "narrow", -(-span.bins // NARROW_BINS)),
    ]
    counted = " and ".join(
        f"{values[-1]:,} {of} stream{'' if values[-1] == 1 else 's'}" for of, _, values in shown
    )
    caption = f"{counted}, each counted from its first packet on. A straight line is an even flow."
    rows: list[tuple[str, ...]] = []
    before: list[int] = []
    for at in range(span.bins):
        now = [values[at] for _, _, values in shown]
        if now != before:
            moment = moment_words(span.start_ns + at * span.bin_ns, span.bin_ns)
            rows.append((moment, *map(str, now)))
        before = now
    columns = ("Until the end of (UTC)", *(f"{of} streams" for of, _, _ in shown))
    return _made(picture, "Streams over time", caption, variants, columns, rows)


def _curves(
    span: Span, shown: Sequence[tuple[str, str, list[int]]], width: int, kind: str, together: int
) -> Variant:
    left, right, top, height = 46, 12, 24, 216
    drawing = Drawing(width, height)
    inner, deep = width - left - right, height - top - 30
    many = max(values[-1] for _, _, values in shown)
    for value, words in linear_ticks(many, 4):
        y = top + deep - value / many * deep
        drawing.line(left, y, left + inner, y, "grid")
        drawing.text(left - 6, y + 4, words, "tick", "end")
    drawing.text(left - 40, 12, "streams so far", "label")
    _time_axis(drawing, span, left, inner, top + deep)
    ends = list(range(together - 1, span.bins, together))
    if not ends or ends[-1] != span.bins - 1:
        ends.append(span.bins - 1)
    for of, name, values in shown:
        points = [
            f"{number(left + (at + 1) / span.bins * inner)} "
            f"{number(top + deep - values[at] / many * deep)}"
            for at in ends
        ]
        drawing.path(
            f"M{number(left)} {number(top + deep)}L" + "L".join(points), f"curve line-{name}"
        )
        y = top + deep - values[-1] / many * deep
        drawing.text(left + inner, max(14, y - 6), f"{values[-1]:,} {of}", "label", "end")
    last: list[int] = []
    for at in ends:
        now = [values[at] for _, _, values in shown]
        if now == last:
            continue
        last = now
        words = moment_words(span.start_ns + at * span.bin_ns, span.bin_ns)
        parts = [f"{values[at]:,} {of} streams" for of, _, values in shown]
        y = top + deep - shown[0][2][at] / many * deep
        drawing.point(left + (at + 1) / span.bins * inner, y, f"{words}\n" + "\n".join(parts))
    return _variant(drawing, kind, "x")


_DRAWN: dict[str, Callable[[Picture], Plot]] = {
    "time": _time,
    "ports": _ports,
    "sources": _sources,
    "map": _map,
    "ttl": _ttl,
    "classes": _classes,
    "streams": _streams,
}
