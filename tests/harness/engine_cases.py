"""A capture and a decoder made of literal rows, to run the engine on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from decoders.fields import stored
from decoders.frames import Damage
from decoders.store import Store
from decoders.table import Table
from harness.engine import verify
from harness.expectation import Expectation, read
from harness.verdicts import Report, Verdict
from tests.harness.measuring_tables import frame

HEAD = """\
replicap: 1
title: a test
source: {by: nobody, url: "https://example.org/"}
"""


def expectation(body: str) -> Expectation:
    return read((HEAD + body).encode(), "test.yaml")


def claims(*bodies: str, before: str = "") -> Expectation:
    """An expectation file of claims named c1, c2 ...; a body is what stands behind ``says``."""
    text = before + "claims:\n"
    for number, body in enumerate(bodies, start=1):
        text += f"  - {{id: c{number}, says: something, at: {{section: Stats}}, {body}}}\n"
    return expectation(text)


@dataclass
class FakeCapture:
    path: str = "noise.pcapng"
    sha256: str = "5e" * 32
    format: str = "pcapng"
    damage: Damage | None = None


@dataclass
class FakeDecoder:
    """Cuts its table to the columns and rows asked for, and remembers what was asked."""

    table: pl.DataFrame
    undecoded: Mapping[str, int] = field(default_factory=dict)
    in_files: bool = False
    """Give the rows as a large table has them: lazily, in several files."""
    asked: list[tuple[set[str], list[bool] | None]] = field(default_factory=list)

    def __call__(
        self,
        capture: Any,
        wanted: Iterable[str],
        *,
        keep: Sequence[bool] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Table:
        names = set(wanted)
        self.asked.append((names, None if keep is None else list(keep)))
        packets = self.table if keep is None else self.table.filter(pl.Series(list(keep)))
        numbers = pl.int_range(1, packets.height + 1, eager=True).alias("frame_number")
        packets = packets.with_columns(numbers)
        first = [one.column for one in stored(sorted({"frame.number", *names}))]
        columns = [
            column
            for column in packets.columns
            if any(column == one or column.startswith((f"{one}_2", f"{one}_q")) for one in first)
        ]
        for column in set(first) - set(columns):
            empty = frame({column: [None] * max(1, packets.height)}).head(packets.height)
            packets = packets.with_columns(empty[column])
            columns.append(column)
        hidden = {reason: count for reason, count in self.undecoded.items() if packets.height}
        packets = packets.select(columns)
        if not self.in_files:
            return Table(packets, packets.height, 0, 0, hidden, "reference")
        store = Store(rows=2)
        for start in range(0, packets.height, 2):
            store.add(packets.slice(start, 2))
        return Table(store.rows(), packets.height, 0, 0, hidden, "reference", home=store)


def report(
    expected: Expectation,
    table: pl.DataFrame,
    *,
    capture: FakeCapture | None = None,
    undecoded: Mapping[str, int] | None = None,
    in_files: bool = False,
    **options: Any,
) -> Report:
    decoder = FakeDecoder(table, undecoded or {}, in_files)
    given: Any = capture or FakeCapture()
    return verify(expected, given, decode=decoder, **options)


def only(found: Report) -> Verdict:
    [verdict] = found.verdicts
    return verdict
