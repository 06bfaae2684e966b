"""``replicap fields``: the door through which anybody compares our decoder with tshark."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import repeat
from typing import TYPE_CHECKING, Any

from harness.commands.captures import damage_status, say_undecoded
from harness.messages import UsageMistake, say

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.fields import Field
    from decoders.row import Row

LINES = 1_000
"""Lines that are written at a time."""


def run(arguments: Namespace) -> int:
    """Prints one line a frame; returns 3 when the capture is damaged, else 0.

    Raises UsageMistake, CaptureError.
    """
    if len(arguments.aggregator) != 1:
        found = arguments.aggregator
        raise UsageMistake(f"--aggregator: found {found!r}, expected one character")
    fields = [_field(name) for name in arguments.fields]
    matches = _matcher(arguments.filter)

    from decoders.containers import open_captures

    capture = open_captures(arguments.captures)
    _print(_lines(capture, fields, arguments.aggregator, matches(capture)))
    return damage_status(capture)


def _field(name: str) -> Field:
    from decoders.fields import FIELDS, nearest

    if name not in FIELDS:
        near = nearest(name)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageMistake(f"-e: unknown field {name!r}{hint}")
    return FIELDS[name]


def _matcher(text: str) -> Callable[[Capture], Iterator[bool]]:
    """Which frames of a capture a display filter keeps; it is parsed at once, run later."""
    if not text.strip():
        return lambda _: repeat(True)
    from decoders.displayfilter import FilterError, expression, parse

    try:
        parsed = parse(text)
    except FilterError as error:
        raise UsageMistake(f"-Y: {error}") from None
    for warning in parsed.warnings:
        say(f"warning: -Y: {warning}")

    def matches(capture: Capture) -> Iterator[bool]:
        import narwhals as nw

        from decoders.table import decode
        from harness.report.progress import FrameCounter

        with FrameCounter("filtering") as progress:
            packets = decode(capture, parsed.fields, progress=progress).packets
        try:
            condition = expression(parsed, packets.columns)
        except FilterError as error:
            raise UsageMistake(f"-Y: {error}") from None
        kept = nw.from_native(packets).select(keep=condition)
        return iter(kept["keep"].to_list())

    return matches


def _lines(
    capture: Capture, fields: Sequence[Field], aggregator: str, matches: Iterator[bool]
) -> Iterator[str]:
    from decoders.fields import stored
    from decoders.reference import rows
    from decoders.spelling import speller

    wanted = {part.name for part in stored(field.name for field in fields)}
    undecoded: Counter[str] = Counter()
    cells = [(field.name, field.of != (), speller(field)) for field in fields]
    # The mask ends with the readable frames, as the rows do.
    for row, keep in zip(rows(capture, wanted), matches, strict=False):
        if "replicap.undecoded" in row.own:
            undecoded.update(row.own["replicap.undecoded"])
        if keep:
            yield "\t".join(_cells(row, cells, aggregator))
    say_undecoded(undecoded)


def _cells(
    row: Row, cells: Sequence[tuple[str, bool, Callable[[Any], str]]], aggregator: str
) -> Iterator[str]:
    """The cells of a line; a field of several parts and a quoted packet take the longer way."""
    own, several = row.own, bool(row.quoted)
    for name, parts, spell in cells:
        values = row.occurrences(name) if parts or several else own.get(name)
        if not values:
            yield ""
        elif len(values) == 1:
            yield spell(values[0])
        else:
            yield aggregator.join([spell(value) for value in values])


def _print(lines: Iterator[str]) -> None:
    out = sys.stdout
    if isinstance(out, TextIOWrapper):
        out.reconfigure(encoding="utf-8")
    show = _as_is
    if out.isatty():
        from harness.problems import escaped

        def show(line: str) -> str:
            return "\t".join(map(escaped, line.split("\t")))

    batch: list[str] = []
    for line in lines:
        batch.append(f"{show(line)}\n")
        if len(batch) == LINES:
            out.write("".join(batch))
            batch.clear()
    out.write("".join(batch))
    out.flush()


def _as_is(line: str) -> str:
    return line
