"""The columnar decoder against the reference decoder: every cell, on every golden capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest

from decoders.columnar.decoder import ColumnarDecoder
from decoders.columnar.records import batches
from decoders.containers import Capture, open_captures
from decoders.fields import FIELDS, ITEM, OCTETS
from decoders.table import Table, decode

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))
EVERYTHING = [name for name in FIELDS if not name.startswith((OCTETS, ITEM))]


def columnar(
    capture: Capture, wanted: list[str], keep: list[bool] | None = None
) -> tuple[ColumnarDecoder, polars.DataFrame]:
    decoder = ColumnarDecoder(wanted)
    parts = [decoder.empty()]
    for batch in batches(capture):
        first = batch.first - 1
        kept = None if keep is None else np.array(keep[first : first + len(batch)])
        parts.append(decoder.finish(decoder.decode(batch, kept)))
    return decoder, polars.concat(parts, how="diagonal")


def same(decoder: ColumnarDecoder, packets: polars.DataFrame, reference: Table) -> list[str]:
    """What differs: columns, cells or counters."""
    differences = sorted(set(packets.columns) ^ set(reference.packets.columns))
    for name in set(packets.columns) & set(reference.packets.columns):
        ours, theirs = packets[name], reference.packets[name]
        if ours.dtype != theirs.dtype or not ours.equals(theirs, null_equal=True):
            differences.append(name)
    counted = (decoder.count, decoder.malformed, decoder.short, dict(decoder.undecoded))
    if counted != (reference.count, reference.malformed, reference.short, reference.undecoded):
        differences.append("counters")
    if dict(decoder.classes) != reference.classes:
        differences.append("classes")
    return differences


def test_there_are_golden_captures() -> None:
    assert len(CAPTURES) > 30


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_cell_is_the_reference_decoders(path: Path) -> None:
    capture = open_captures([path])
    decoder, packets = columnar(capture, EVERYTHING)
    assert same(decoder, packets, decode(capture, EVERYTHING, decoder="reference")) == []


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_frames_and_damage_are_those_of_the_container(path: Path) -> None:
    capture = open_captures([path])
    expected = list(capture.frames())
    damage = capture.damage
    found = [
        batch.frame(row, batch.first + row)
        for batch in batches(capture, octets=1)
        for row in range(len(batch))
    ]
    assert found == expected
    assert capture.damage == damage


def test_kept_frames_are_numbered_anew() -> None:
    (path,) = (path for path in CAPTURES if path.stem == "tcp_scan")
    capture = open_captures([path])
    total = sum(1 for _ in capture.frames())
    keep = [number % 3 != 0 for number in range(total)]
    decoder, packets = columnar(capture, EVERYTHING, keep)
    reference = decode(capture, EVERYTHING, keep=keep, decoder="reference")
    assert reference.count < total
    assert same(decoder, packets, reference) == []
