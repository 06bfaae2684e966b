"""The columnar decoder: batches of frames -> parts of the table of packets.

Kernels decode the frames they understand wholly; the others are handed to the reference decoder's
layers, and counted. The table is the reference decoder's, cell by cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars
from numpy.typing import NDArray

from decoders.classify import CLASS
from decoders.columnar.assembly import Assembly
from decoders.columnar.columns import Pool
from decoders.columnar.delegation import Delegate
from decoders.columnar.kernels.frames import decode_frames
from decoders.columnar.kernels.sink import (
    DELEGATED_ROW,
    EVENTS,
    HEADER_PLACES,
    HEADERS,
    MALFORMED_ROW,
    NODES,
    OVERFLOW,
    SHORT_ROW,
    STATES,
    Sink,
)
from decoders.columnar.numbers import FIELD_NAMES, PROTOCOL_NAMES
from decoders.columnar.records import Batch
from decoders.fields import FIELDS, ITEM, OCTETS, Field, stored
from decoders.frames import Interface
from decoders.table import polars_type

_COUNTED = ("_ws.malformed", "_ws.short", "replicap.undecoded")
_OF_FRAMES = frozenset(
    name for name in FIELDS if name.partition(".")[0] == "frame" and name != "frame.comment"
)
"""Fields that are filled for all rows at once."""

_OF_CONVERSATIONS = (
    *("tcp.stream", "tcp.completeness", "tcp.seq", "tcp.ack", "tcp.nxtseq", "tcp.window_size"),
    *("udp.stream", "tcp.connection.fin_active", "tcp.connection.fin_passive", "tcp.analysis"),
    *("frame.protocols", "data", "dns", "ntp", "_ws.expert", "replicap.class", "replicap.scanner"),
)
_WHOLE = (OCTETS, ITEM)

_EVENTS, _NODES = 4096, 256


@dataclass
class Decoded:
    """What :meth:`ColumnarDecoder.decode` found in a batch; only its maker looks inside."""

    batch: Batch
    rows: NDArray[np.int64]
    """Places of the batch's frames that are kept."""
    assembly: Assembly
    marks: NDArray[np.uint8]
    paths: NDArray[np.int32]
    trie: NDArray[np.int32]
    headers: NDArray[np.int64]


class ColumnarDecoder:
    """Decodes one capture. :meth:`decode` may run in several threads, :meth:`finish` in one.

    Attributes, complete when every batch is finished: count (rows), malformed and short (rows with
    ``_ws.malformed`` and ``_ws.short``), undecoded (what was not seen inside frames -> how many
    frames), classes (class -> rows, when ``replicap.class`` was asked for), delegated (rows that
    no kernel decoded wholly).
    """

    def __init__(self, wanted: Collection[str]) -> None:
        """Raises KeyError for a field that is not declared."""
        self._shown = stored(("frame.number", *wanted))
        names = [field.name for field in self._shown]
        self._slots = stored((*names, *_COUNTED))
        self._whole = any(name.startswith(_WHOLE + _OF_CONVERSATIONS) for name in names)
        scattered = [field for field in self._slots if field.name not in _OF_FRAMES]
        if self._whole:
            scattered += [field for field in self._slots if field.name == "frame.protocols"]
        self._delegate = Delegate(frozenset(names), scattered, self._whole)
        self._numbers = np.full(len(FIELD_NAMES), -1, np.int32)
        for slot, field in enumerate(self._slots):
            self._numbers[FIELD_NAMES.index(field.name)] = slot
        self._first_time: int | None = None
        self._last_time: int | None = None
        self.count = 0
        self.malformed = 0
        self.short = 0
        self.undecoded: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()
        self.delegated = 0

    def decode(self, batch: Batch, keep: NDArray[np.bool_] | None = None) -> Decoded:
        """What the frames of a batch say by themselves; ``keep``: one truth value for each."""
        rows = np.arange(len(batch)) if keep is None else np.flatnonzero(keep)
        sink = self._sink(len(rows))
        if self._whole:
            sink.marks[:] = DELEGATED_ROW
        else:
            sink = _run(sink, batch, rows)
        assembly = Assembly(
            fields=self._slots,
            values=sink.values,
            valid=sink.valid,
            events=sink.events[: sink.state[EVENTS]],
            pool=Pool(batch.octets),
        )
        headers = sink.headers[: sink.state[HEADERS]]
        return Decoded(batch, rows, assembly, sink.marks, sink.paths, sink.trie, headers)

    def _sink(self, rows: int) -> Sink:
        slots = len(self._slots)
        sink = Sink(
            slot=self._numbers,
            values=np.empty((slots, rows), np.int64),
            valid=np.zeros((slots, rows), np.uint8),
            counts=np.zeros((2, slots), np.uint8),
            events=np.empty((_EVENTS, 3), np.int64),
            state=np.zeros(STATES, np.int64),
            trie=np.zeros((_NODES, 1 + len(PROTOCOL_NAMES)), np.int32),
            paths=np.zeros(rows, np.int32),
            marks=np.zeros(rows, np.uint8),
            headers=np.empty((0, HEADER_PLACES), np.int64),
            facts=np.empty((0, 1), np.int64),
        )
        sink.state[NODES] = 1
        return sink

    def finish(self, decoded: Decoded) -> polars.DataFrame:
        """The rows of the next batch; batches must come in file order."""
        self._hand_over(decoded)
        self._fill_frames(decoded)
        self.count += len(decoded.rows)
        self.malformed += int(np.count_nonzero(decoded.marks & MALFORMED_ROW))
        self.short += int(np.count_nonzero(decoded.marks & SHORT_ROW))
        table = polars.DataFrame(decoded.assembly.series(self._shown))
        self._count_undecoded(decoded, table)
        if CLASS in table.columns or CLASS.replace(".", "_") in table.columns:
            self._count_classes(table)
        return table

    def _hand_over(self, decoded: Decoded) -> None:
        """The frames that no kernel understood."""
        places = np.flatnonzero(decoded.marks & DELEGATED_ROW).tolist()
        self.delegated += len(places)
        for at in places:
            frame = decoded.batch.frame(int(decoded.rows[at]), self.count + at + 1)
            row = self._delegate.row(frame)
            excess = self._delegate.scatter(row, at, decoded.assembly)
            if excess and "replicap.undecoded" not in row.own:
                undecoded = FIELDS["replicap.undecoded"]
                code = decoded.assembly.pool.text(excess)
                decoded.assembly.place(undecoded, at, 0, 0, code)
            elif excess:
                self.undecoded[excess] += 1
            decoded.marks[at] |= MALFORMED_ROW * ("_ws.malformed" in row.own)
            decoded.marks[at] |= SHORT_ROW * ("_ws.short" in row.own)

    def _fill_frames(self, decoded: Decoded) -> None:
        batch, rows, assembly = decoded.batch, decoded.rows, decoded.assembly
        assembly.fill("frame", np.ones(len(rows), np.int64), None)
        assembly.fill("frame.number", np.arange(self.count + 1, self.count + len(rows) + 1), None)
        assembly.fill("frame.len", batch.wire[rows], None)
        assembly.fill("frame.cap_len", batch.captured[rows], None)
        self._fill_times(decoded)
        _fill_interfaces(assembly, batch.interface[rows], batch.interfaces)

    def _fill_times(self, decoded: Decoded) -> None:
        timed = decoded.batch.timed[decoded.rows]
        times = decoded.batch.time_ns[decoded.rows]
        places = np.flatnonzero(timed)
        if not len(places):
            return
        own = times[places]
        if self._first_time is None or self._last_time is None:
            self._first_time = self._last_time = int(own[0])
        relative = np.zeros(len(times), np.int64)
        delta = np.zeros(len(times), np.int64)
        relative[places] = own - self._first_time
        delta[places] = own - np.concatenate(([self._last_time], own[:-1]))
        self._last_time = int(own[-1])
        decoded.assembly.fill("frame.time_epoch", times, timed)
        decoded.assembly.fill("frame.time_relative", relative, timed)
        decoded.assembly.fill("frame.time_delta", delta, timed)

    def _count_undecoded(self, decoded: Decoded, table: polars.DataFrame) -> None:
        assembly = decoded.assembly
        if not assembly.valid[assembly.slots["replicap.undecoded"]].any():
            return
        (series,) = assembly.series([FIELDS["replicap.undecoded"]])
        reasons = series.drop_nulls().value_counts()
        for reason, count in reasons.iter_rows():
            self.undecoded[reason] += count

    def _count_classes(self, table: polars.DataFrame) -> None:
        counts = table[CLASS.replace(".", "_")].drop_nulls().value_counts()
        for name, count in counts.iter_rows():
            self.classes[name] += count

    def empty(self) -> polars.DataFrame:
        """The table of a capture without frames."""
        return polars.DataFrame(schema={f.column: polars_type(f) for f in self._shown})


def _run(sink: Sink, batch: Batch, rows: NDArray[np.int64]) -> Sink:
    """Run the kernel over the rows, with more room whenever it needs more."""
    interfaces = batch.interface[rows]
    links = np.array([known.linktype for known in batch.interfaces], np.int64)
    fcs = np.array([_octets_of(known) for known in batch.interfaces], np.int64)
    frames = np.empty((len(rows), 5), np.int64)
    frames[:, 0], frames[:, 1] = batch.starts[rows], batch.captured[rows]
    frames[:, 2] = batch.wire[rows]
    frames[:, 3], frames[:, 4] = links[interfaces], fcs[interfaces]
    row = 0
    while (row := decode_frames(sink, batch.octets, frames, row)) < len(rows):
        sink = sink._replace(events=_grown(sink.events), trie=_grown(sink.trie))
        sink.state[OVERFLOW] = 0
    for at in batch.comments:
        place = int(np.searchsorted(rows, at))
        if place < len(rows) and rows[place] == at:
            sink.marks[place] |= DELEGATED_ROW
    return sink


def _octets_of(interface: Interface) -> int:
    return -1 if interface.fcs_octets is None else interface.fcs_octets


Array = TypeVar("Array", NDArray[np.int32], NDArray[np.int64])


def _grown(array: Array) -> Array:
    larger: Array = np.zeros((2 * len(array), array.shape[1]), array.dtype)
    larger[: len(array)] = array
    return larger


def _fill_interfaces(
    assembly: Assembly, places: NDArray[np.int32], interfaces: tuple[Interface, ...]
) -> None:
    ids = np.array([-1 if known.id is None else known.id for known in interfaces], np.int64)
    sections = np.array(
        [-1 if known.section is None else known.section for known in interfaces], np.int64
    )
    names = np.array([assembly.pool.text(known.name or "unknown") for known in interfaces])
    known_id, known_section = ids[places], sections[places]
    assembly.fill("frame.interface_id", known_id, known_id >= 0)
    assembly.fill("frame.interface_name", names[places], known_id >= 0)
    assembly.fill("frame.section_number", known_section, known_section >= 0)


__all__ = ["ColumnarDecoder", "Decoded", "Field"]
