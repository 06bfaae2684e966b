"""The checks behind the properties, for tests, the fuzzing session and ``fuzz_one_input`` alike.

A check gets what a strategy drew and raises :class:`Broken` when its property does not hold; any
other exception is a finding as well.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from decoders import reference
from decoders.classify import CLASS, SCANNER
from decoders.containers import open_captures
from decoders.frames import CaptureError, Frame, Interface
from decoders.reference import Decoder
from decoders.row import Row
from decoders.table import decode
from generators.captures import CaptureFile
from generators.damage import Damaged
from generators.frames import Group
from generators.traffic import Traffic
from tests.properties.compare import differences
from tests.properties.streams import Model, Step, frame_of

START_NS = 1_600_000_000_000_000_000
DEADLINE = 10.0
"""Seconds that any input of a few thousand octets may take."""

MOST_GROWTH = 256 * 1024
"""KiB that the process may grow by one input."""


class Broken(AssertionError):
    """A property does not hold."""


def demand(holds: bool, message: str) -> None:
    """Raises Broken with a message unless something holds; works under ``python -O`` too."""
    if not holds:
        raise Broken(message)


@contextmanager
def bounded() -> Iterator[None]:
    """What runs inside is quick and takes little memory."""
    started, size = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    took = time.monotonic() - started
    demand(took < DEADLINE, f"took {took:.1f} s, at most {DEADLINE} s")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size
    demand(grown < MOST_GROWTH, f"took {grown} KiB, at most {MOST_GROWTH} KiB")


@contextmanager
def on_disk(data: bytes) -> Iterator[Path]:
    """A file that holds ``data``."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as handle:
        handle.write(data)
        handle.flush()
        yield Path(handle.name)


def _as_frame(number: int, data: bytes, wire: int, linktype: int) -> Frame:
    return Frame(number, START_NS, wire, data, Interface(linktype))


def round_trip(groups: Sequence[Group]) -> None:
    """Each group, decoded by itself, has the truth's value in every field of one frame."""
    for group in groups:
        decoder = Decoder()
        for number, frame in enumerate(group, start=1):
            read = _as_frame(number, frame.data, frame.wire_length, frame.linktype)
            found = differences(frame.truth, decoder.row(read))
            listed = "; ".join(f"{name}: must be {a}, is {b}" for name, (a, b) in found.items())
            demand(not found, f"link type {frame.linktype}, {frame.data.hex()}: {listed}")


def rows_of(path: Path) -> list[Row]:
    """All rows that can be read of a file; none when it cannot be read at all."""
    try:
        return list(reference.rows(open_captures([path])))
    except CaptureError:
        return []


def capture(file: CaptureFile) -> None:
    """A file holds its records: number, time, interface, length; and its classes add up to them."""
    with on_disk(file.data) as path:
        opened = open_captures([path])
        rows = list(reference.rows(opened))
        demand(opened.damage is None, f"damage {opened.damage}")
        suffix = f"+{file.compression}" if file.compression else ""
        demand(opened.format == file.format + suffix, f"format {opened.format}")
        demand(len(rows) == len(file.records), f"{len(rows)} of {len(file.records)} records")
        for number, (row, record) in enumerate(zip(rows, file.records, strict=True), start=1):
            frame = record.frame
            must = {
                "frame.number": [number],
                "frame.time_epoch": [record.time_ns],
                "frame.time_relative": [record.time_ns - file.records[0].time_ns],
                "frame.len": [frame.wire_length],
                "frame.cap_len": [len(frame.data)],
                "frame.interface_id": None if record.interface is None else [record.interface],
                "frame.section_number": None if record.section is None else [record.section],
            }
            found = {name: row.own.get(name) for name in must}
            demand(found == must, f"frame {number}: must be {must}, is {found}")
        for before, row in pairwise(rows):
            gap = row.own["frame.time_epoch"][0] - before.own["frame.time_epoch"][0]
            demand(row.own["frame.time_delta"] == [gap], "frame.time_delta")
        table = decode(open_captures([path]), [CLASS, "frame.time_epoch"], decoder="reference")
        demand(table.count == len(file.records) == sum(table.classes.values()), "conservation")
        demand(table.packets.height == table.count, "as many rows as packets")


def damage(file: CaptureFile, done: Damaged) -> None:
    """Damage ends in no exception and no hang; what stands before it is the same."""
    with bounded(), on_disk(done.data) as path:
        damaged = rows_of(path)
    with on_disk(file.plain) as path:
        whole = rows_of(path)
    before = sum(record.ends <= done.intact for record in file.records)
    demand(len(damaged) >= before, f"{done.what}: {len(damaged)} frames, {before} before it")
    if len(done.data) == done.intact:
        demand(len(damaged) == before, f"{done.what}: {len(damaged)} frames, {before} whole ones")
    for number, (row, right) in enumerate(zip(damaged[:before], whole, strict=False), start=1):
        same = (row.own, row.quoted) == (right.own, right.quoted)
        demand(same, f"{done.what}: frame {number}, before the damage, has changed")


def wild(group: Group, data: bytes) -> None:
    """A frame whose length fields lie is decoded without an exception, at once."""
    with bounded():
        for frame in group:
            Decoder().row(_as_frame(1, data, max(len(data), 60), frame.linktype))


def streams(steps: Sequence[Step]) -> None:
    """Stream numbers, relative numbers and reused ports are those of the readable model."""
    decoder, model = Decoder(), Model()
    for number, step in enumerate(steps, start=1):
        row = decoder.row(_as_frame(number, data := frame_of(step), len(data), 101))
        must = model.play(step)
        found = {name: row.own.get(name) for name in must}
        demand(found == must, f"packet {number}, {step}: must be {must}, is {found}")


def classes(made: Traffic) -> None:
    """Every packet of generated traffic has the class and the marks it was made with."""
    with on_disk(made.file.data) as path:
        rows = list(reference.rows(open_captures([path])))
    demand(len(rows) == len(made.packets), f"{len(rows)} of {len(made.packets)} packets")
    for number, (row, packet) in enumerate(zip(rows, made.packets, strict=True), start=1):
        found = (row.own[CLASS], tuple(row.own.get(SCANNER, ())))
        must = ([packet.kind], packet.marks)
        demand(found == must, f"packet {number}: must be {must}, is {found}")
    streams = {row.own["tcp.stream"][0] for row in rows if "tcp.stream" in row.own}
    opened = sum(packet.opens for packet in made.packets)
    backscatter = {
        (row.own["ip.src"][0], row.own["ip.dst"][0])
        for row, packet in zip(rows, made.packets, strict=True)
        if packet.kind == "backscatter" and "tcp" in row.own
    }
    demand(len(streams) == opened + len(backscatter), f"{len(streams)} streams")


MEASURED = ("ip.src", "tcp.dstport", "udp.dstport", "vlan.id", "frame.len", CLASS)


def measures(file: CaptureFile) -> None:
    """Tables, and so what is measured on them, do not depend on the size of chunks."""
    from decoders import table

    usual, found = table.CHUNK, []
    with on_disk(file.data) as path:
        try:
            for table.CHUNK in (usual, 1, 3):
                made = decode(open_captures([path]), MEASURED, decoder="reference")
                columns = sorted(made.packets.columns)
                found.append((made.count, made.classes, made.packets.select(columns).rows()))
        finally:
            table.CHUNK = usual
    demand(found[0] == found[1] == found[2], "the table depends on the size of chunks")
