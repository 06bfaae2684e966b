"""``replicap fields``: the door through which anybody compares our decoder with tshark."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.commands.captures import check_decoder, damage_status, say_compiling, say_undecoded
from harness.messages import UsageMistake, say

if TYPE_CHECKING:
    import polars

    from decoders.containers import Capture
    from decoders.displayfilter import Filter
    from decoders.fields import Field
    from decoders.row import Row

LINES = 1_000
"""Lines that are written at a time."""

Lines = Iterator[Sequence[str]]


def run(arguments: Namespace) -> int:
    """Prints one line a frame; returns 3 when the capture is damaged, else 0.

    Raises UsageMistake, CaptureError.
    """
    if len(arguments.aggregator) != 1:
        found = arguments.aggregator
        raise UsageMistake(f"--aggregator: found {found!r}, expected one character")
    check_decoder(arguments.decoder)
    fields = [_field(name) for name in arguments.fields]
    condition = _parsed(arguments.filter)

    from decoders.choice import COLUMNAR, chosen, not_given
    from decoders.containers import open_captures

    read = condition.fields if condition is not None else frozenset[str]()
    if absent := not_given(arguments.decoder, [*read, *(field.name for field in fields)]):
        raise UsageMistake(f"--decoder: tshark does not give {', '.join(absent)}")

    capture = open_captures(arguments.captures)
    say_compiling(arguments.decoder, capture)
    decoder = chosen(arguments.decoder, capture)
    if condition is None and decoder != COLUMNAR:
        lines = _lines_of_rows(capture, fields, arguments.aggregator, decoder)
    else:
        lines = _lines_of_chunks(capture, fields, arguments.aggregator, decoder, condition)
    _print(lines)
    return damage_status(capture)


def _field(name: str) -> Field:
    from decoders.fields import FIELDS, nearest

    if name not in FIELDS:
        near = nearest(name)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageMistake(f"-e: unknown field {name!r}{hint}")
    return FIELDS[name]


def _parsed(text: str) -> Filter | None:
    """A display filter; it is parsed at once, run later."""
    if not text.strip():
        return None
    from decoders.displayfilter import FilterError, parse

    try:
        parsed = parse(text)
    except FilterError as error:
        raise UsageMistake(f"-Y: {error}") from None
    for warning in parsed.warnings:
        say(f"warning: -Y: {warning}")
    return parsed


def _lines_of_chunks(
    capture: Capture,
    fields: Sequence[Field],
    aggregator: str,
    decoder: str,
    condition: Filter | None,
) -> Lines:
    """Lines by the column: what it takes to load Polars pays off, or a filter needs it anyway."""
    from decoders.columns_as_text import lines
    from decoders.fields import stored
    from decoders.table import chunks
    from harness.report.progress import FrameCounter

    read = condition.fields if condition is not None else frozenset[str]()
    wanted = stored(("frame.number", *read, *(field.name for field in fields)))
    with FrameCounter("reading", capture) as progress:
        # In a terminal the lines themselves show how far it is.
        found = chunks(decoder, capture, wanted, None, None if sys.stdout.isatty() else progress)
        for chunk in found:
            kept = chunk if condition is None else _matching(chunk, condition)
            yield lines(kept, fields, aggregator).to_list()
    say_undecoded(found.undecoded)


def _matching(chunk: polars.DataFrame, condition: Filter) -> polars.DataFrame:
    """The packets that match; columns that no packet of the chunk has are null in all of them."""
    import narwhals as nw

    from decoders.displayfilter import FilterError, expression

    try:
        keep = expression(condition, chunk.columns)
    except FilterError as error:
        raise UsageMistake(f"-Y: {error}") from None
    return nw.from_native(chunk).filter(keep).to_native()


def _lines_of_rows(
    capture: Capture, fields: Sequence[Field], aggregator: str, decoder: str
) -> Lines:
    """Lines by the row: the way of small captures, which are printed before Polars is loaded."""
    from decoders.choice import rows_by
    from decoders.fields import stored
    from decoders.spelling import speller

    wanted = {part.name for part in stored(field.name for field in fields)}
    undecoded: Counter[str] = Counter()
    cells = [(field.name, field.of != (), speller(field)) for field in fields]

    def lines() -> Iterator[str]:
        for row in rows_by(decoder)(capture, wanted):
            if "replicap.undecoded" in row.own:
                undecoded.update(row.own["replicap.undecoded"])
            yield "\t".join(_cells(row, cells, aggregator))

    every = lines()
    while batch := list(islice(every, LINES)):
        yield batch
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


def _print(lines: Lines) -> None:
    out = sys.stdout
    if isinstance(out, TextIOWrapper):
        out.reconfigure(encoding="utf-8")
    show = _escaped if out.isatty() else _as_they_are
    for batch in lines:
        if batch:
            out.write("\n".join(show(batch)))
            out.write("\n")
    out.flush()


def _as_they_are(lines: Sequence[str]) -> Sequence[str]:
    return lines


def _escaped(lines: Sequence[str]) -> Sequence[str]:
    from harness.problems import escaped

    return ["\t".join(map(escaped, line.split("\t"))) for line in lines]
