"""The checks behind the properties, for tests, the fuzzing session and ``fuzz_one_input`` alike.

A check gets what a strategy drew and raises :class:`Broken` when its property does not hold; any
other exception is a finding as well.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars

from decoders import reference
from decoders.classify import CLASS, SCANNER
from decoders.columnar.pipeline import Pipeline
from decoders.containers import open_captures
from decoders.frames import CaptureError, Frame, Interface
from decoders.reference import Decoder
from decoders.row import Row
from decoders.table import Table, decode
from generators.captures import CaptureFile
from generators.damage import Damaged
from generators.frames import Group
from generators.traffic import Traffic
from generators.truth import Described, Truth
from harness.measures import measure_from
from harness.measuring import MeasureError
from tests.harness.measuring_tables import run, view
from tests.properties.compare import differences
from tests.properties.decoded import DECODERS, Sides, in_one_file, rows_by
from tests.properties.equality import compare
from tests.properties.streams import STREAMS, Model, Step, frame_of
from tests.properties.witness import fields_differ

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


OF_RECORDS = (
    *("frame.number", "frame.time_epoch", "frame.time_relative", "frame.time_delta"),
    *("frame.len", "frame.cap_len", "frame.interface_id", "frame.section_number"),
)


def capture(file: CaptureFile) -> None:
    """A file holds its records: number, time, interface, length; and its classes add up to them."""
    with on_disk(file.data) as path:
        opened = open_captures([path])
        suffix = f"+{file.compression}" if file.compression else ""
        demand(opened.format == file.format + suffix, f"format {opened.format}")
        for decoder in DECODERS:
            _records(file, decoder, rows_by(decoder, path, OF_RECORDS))
            opened = open_captures([path])
            table = decode(opened, [CLASS, "frame.time_epoch"], decoder=decoder)
            demand(table.decoder == decoder, f"{table.decoder} ran, not {decoder}")
            demand(opened.damage is None, f"{decoder}: damage {opened.damage}")
            total = sum(table.classes.values())
            demand(table.count == len(file.records) == total, f"{decoder}: conservation")
            demand(table.packets.height == table.count, f"{decoder}: as many rows as packets")


def _records(file: CaptureFile, decoder: str, rows: Sequence[Sides]) -> None:
    demand(len(rows) == len(file.records), f"{decoder}: {len(rows)} of {len(file.records)} records")
    last = file.records[0].time_ns if file.records else 0
    for number, (row, record) in enumerate(zip(rows, file.records, strict=True), start=1):
        frame = record.frame
        must = {
            "frame.number": [number],
            "frame.time_epoch": [record.time_ns],
            "frame.time_relative": [record.time_ns - file.records[0].time_ns],
            "frame.time_delta": [record.time_ns - last],
            "frame.len": [frame.wire_length],
            "frame.cap_len": [len(frame.data)],
            "frame.interface_id": None if record.interface is None else [record.interface],
            "frame.section_number": None if record.section is None else [record.section],
        }
        last = record.time_ns
        found = {name: row.own.get(name) for name in must}
        demand(found == must, f"{decoder}: frame {number}: must be {must}, is {found}")


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
    model = Model()
    told = [model.play(step) for step in steps]
    frames = [Described(data := frame_of(step), len(data), 101, Truth()) for step in steps]
    with on_disk(in_one_file(frames).data) as path:
        for decoder in DECODERS:
            rows = rows_by(decoder, path, STREAMS)
            demand(len(rows) == len(steps), f"{decoder}: {len(rows)} of {len(steps)} packets")
            for number, (step, must, row) in enumerate(zip(steps, told, rows, strict=True), 1):
                found = {name: row.own.get(name) for name in must}
                text = f"{decoder}: packet {number}, {step}: must be {must}, is {found}"
                demand(found == must, text)


def classes(made: Traffic) -> None:
    """Every packet of generated traffic has the class and the marks it was made with."""
    with on_disk(made.file.data) as path:
        for decoder in DECODERS:
            _classes(made, decoder, rows_by(decoder, path, OF_TRAFFIC))


OF_TRAFFIC = (CLASS, SCANNER, "tcp", "tcp.stream", "ip.src", "ip.dst")


def _classes(made: Traffic, decoder: str, rows: Sequence[Sides]) -> None:
    demand(len(rows) == len(made.packets), f"{decoder}: {len(rows)} of {len(made.packets)} packets")
    for number, (row, packet) in enumerate(zip(rows, made.packets, strict=True), start=1):
        found = (row.own.get(CLASS), tuple(row.own.get(SCANNER, ())))
        must = ([packet.kind], packet.marks)
        demand(found == must, f"{decoder}: packet {number}: must be {must}, is {found}")
    streams = {row.own["tcp.stream"][0] for row in rows if "tcp.stream" in row.own}
    opened = sum(packet.opens for packet in made.packets)
    backscatter = {
        (row.own["ip.src"][0], row.own["ip.dst"][0])
        for row, packet in zip(rows, made.packets, strict=True)
        if packet.kind == "backscatter" and "tcp" in row.own
    }
    demand(len(streams) == opened + len(backscatter), f"{decoder}: {len(streams)} streams")


def alike(data: bytes) -> None:
    """Both decoders give the same cells, counts and damage of a file."""
    with on_disk(data) as path:
        found = compare(path).differences
    demand(not found, "; ".join(found))


def witnessed(frames: Sequence[Described]) -> None:
    """An installed tshark reads frames as they are read here."""
    with on_disk(in_one_file(frames).data) as path:
        told, _ = fields_differ(path)
    demand(not told, "; ".join(told))


MEASURED = (
    *("ip.src", "tcp.dstport", "udp.dstport", "vlan.id", "frame.len", CLASS),
    *("tcp.stream", "frame.time_epoch"),
)
NOTATIONS: tuple[object, ...] = (
    *("packets", {"sum": "frame.len"}, {"distinct": "ip.src"}, {"streams": "tcp"}),
    *({"table": "tcp.dstport"}, {"table": {"by": "vlan.id", "count": {"sum": "frame.len"}}}),
    *({"largest": {"by": "udp.dstport", "n": 2}}, {"table": CLASS}),
    *({"group_sizes": {"by": "ip.src", "bins": ["1", "2-"]}}, "first", "last", "duration"),
)
"""Measures that no order of packets may change."""


def measures(file: CaptureFile) -> None:
    """What is measured depends neither on chunks, nor on the order of rows, nor on the decoder."""
    from decoders import table

    usual, found = table.CHUNK, []
    with on_disk(file.data) as path:
        try:
            for table.CHUNK in (usual, 1, 3):
                found.append(_table(decode(open_captures([path]), MEASURED, decoder="reference")))
        finally:
            table.CHUNK = usual
        for octets in (1, usual):
            pipeline = Pipeline(open_captures([path]), MEASURED, octets=octets)
            parts = polars.concat(list(pipeline), how="diagonal")
            found.append((pipeline.count, dict(pipeline.classes), _sorted(parts)))
    same = [one for one in found if one[:2] == found[0][:2] and one[2].equals(found[0][2])]
    demand(len(same) == len(found), "the table depends on the decoder or the size of chunks")
    packets = found[0][2]
    said = [_measured(rows) for rows in (packets, packets.reverse(), found[-1][2])]
    demand(said[0] == said[1] == said[2], f"measures depend on the order of rows: {said}")


def _table(made: Table) -> tuple[int, dict[str, int], polars.DataFrame]:
    return made.count, made.classes, _sorted(made.packets)


def _sorted(packets: polars.DataFrame) -> polars.DataFrame:
    return packets.select(sorted(packets.columns))


def _measured(packets: polars.DataFrame) -> list[str]:
    """The value of each measure, or why there is none."""
    found = []
    for notation in NOTATIONS:
        try:
            value = run(measure_from(notation).plan(view(packets))).value
        except MeasureError as error:
            value = str(error)
        shown = sorted(value.items()) if isinstance(value, Mapping) else value
        found.append(f"{notation}: {shown}")
    return found
