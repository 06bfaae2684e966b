"""The columnar decoder: batches of frames -> parts of the table of packets.

Kernels decode the frames they understand wholly; the others are handed to the reference decoder's
layers, and counted. The table is the reference decoder's, cell by cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars
from numpy.typing import NDArray

from decoders import classify
from decoders.classify import CLASS
from decoders.columnar.annotation import Annotation, Classes, needed, place
from decoders.columnar.assembly import Assembly
from decoders.columnar.classes import FACTS
from decoders.columnar.columns import Pool
from decoders.columnar.delegation import Delegate
from decoders.columnar.kernels.application import ports
from decoders.columnar.kernels.frames import decode_frames
from decoders.columnar.kernels.link import ANOTHERS_BLOCK
from decoders.columnar.kernels.sink import (
    DELEGATED_ROW,
    EVENTS,
    EXPERT_WANTED,
    FACTS_WANTED,
    FOUND_AT,
    HEADER_PLACES,
    HEADERS,
    HEADERS_WANTED,
    MALFORMED_ROW,
    NODES,
    OCTETS_WANTED,
    OVERFLOW,
    PORTS_AT,
    SHORT_ROW,
    SLOTS_AT,
    SPAN_BITS,
    TRIE_AT,
    WIDTH,
    Cells,
    Sink,
)
from decoders.columnar.numbers import FIELD_NAMES
from decoders.columnar.records import Batch
from decoders.fields import EXPERT_LAYER, FIELDS, ITEM, LENGTH, OCTETS, Field, stored
from decoders.frames import Interface
from decoders.row import Row, Wanted
from decoders.table import MOST_OCCURRENCES, polars_type

_COUNTED = ("_ws.malformed", "_ws.short", "replicap.undecoded")
_OF_FRAMES = frozenset(
    (
        *(n for n in FIELDS if n.partition(".")[0] == "frame" and n != "frame.comment"),
        *(prefix + "frame" for prefix in (OCTETS, ITEM, LENGTH)),
    )
)
"""Fields that are filled for all rows at once."""

_EVENTS, _NODES = 4096, 256
_PORTS = ports()


@dataclass
class Decoded:
    """What :meth:`ColumnarDecoder.decode` found in a batch; only its maker looks inside."""

    batch: Batch
    """The frames that are kept."""
    assembly: Assembly
    marks: NDArray[np.uint8]
    headers: NDArray[np.int64]
    facts: NDArray[np.int64]


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
        self._expert = any(name.startswith(("_ws.expert", EXPERT_LAYER)) for name in names)
        self._octets = any(name.startswith((OCTETS, ITEM, LENGTH)) for name in names)
        scattered = [field for field in self._slots if field.name not in _OF_FRAMES]
        scattered += [field for field in self._slots if field.name == "frame.protocols"]
        self._classes: Classes | None = None
        if classify.asked(names):
            self._classes = Classes()
        self._annotation: Annotation | None = None
        self._headers = needed(names)
        if self._headers:
            self._annotation = Annotation(Wanted(names).analysis)
        layers = [*names, *classify.NEEDS] if self._classes else names
        self._delegate = Delegate(frozenset(layers), scattered)
        self._numbers = np.full(len(FIELD_NAMES), -1, np.int64)
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
        if keep is not None and not keep.all():
            batch = batch.only(np.flatnonzero(keep))
        sink, cells = self._room(len(batch))
        sink, cells = _run(sink, cells, batch)
        layers = self._numbers[FIELD_NAMES.index(EXPERT_LAYER)]
        if layers >= 0:
            _tell_layers(sink, cells, layers)
        assembly = Assembly(
            fields=self._slots,
            values=cells.values,
            valid=cells.valid,
            events=cells.events[: sink[EVENTS]],
            pool=Pool(batch.octets),
            paths=cells.paths,
            trie=sink[TRIE_AT:],
        )
        headers = cells.headers[: sink[HEADERS]]
        return Decoded(batch, assembly, cells.marks, headers, cells.facts)

    def _room(self, rows: int) -> tuple[Sink, Cells]:
        slots = len(self._slots)
        sink = np.zeros(TRIE_AT + _NODES * WIDTH, np.int64)
        sink[SLOTS_AT:FOUND_AT] = self._numbers
        sink[PORTS_AT:TRIE_AT] = _PORTS
        sink[NODES] = 1
        sink[EXPERT_WANTED] = self._expert
        sink[HEADERS_WANTED] = self._headers
        sink[FACTS_WANTED] = self._classes is not None
        sink[OCTETS_WANTED] = self._octets
        cells = Cells(
            values=np.empty((slots, rows), np.int64),
            valid=np.zeros((slots, rows), np.uint8),
            counts=np.zeros((2, slots), np.uint8),
            events=np.empty((_EVENTS, 3), np.int64),
            paths=np.zeros(rows, np.int32),
            marks=np.zeros(rows, np.uint8),
            headers=np.empty((rows if self._annotation else 0, HEADER_PLACES), np.int64),
            facts=np.zeros((rows if self._classes else 0, FACTS), np.int64),
        )
        return sink, cells

    def finish(self, decoded: Decoded) -> polars.DataFrame:
        """The rows of the next batch; batches must come in file order."""
        delegated = self._delegated(decoded)
        assembly = decoded.assembly
        if self._annotation is None:
            assembly.fill_protocols()
            self._scatter(decoded, delegated)
        else:
            times = decoded.batch.time_ns, decoded.batch.timed
            headers, found = self._annotation.annotate(
                assembly, decoded.headers, delegated, self.count + 1, times
            )
            assembly.fill_protocols()
            self._scatter(decoded, delegated)
            place(assembly, headers, found)
        self._flag_excess(assembly)
        if self._classes is not None:
            self._classes.annotate(assembly, decoded.facts, delegated)
        self._fill_frames(decoded)
        self.count += len(decoded.batch)
        self.malformed += int(np.count_nonzero(decoded.marks & MALFORMED_ROW))
        self.short += int(np.count_nonzero(decoded.marks & SHORT_ROW))
        table = polars.DataFrame(assembly.series(self._shown))
        self._count_undecoded(decoded)
        if CLASS.replace(".", "_") in table.columns:
            self._count_classes(table)
        return table

    def _delegated(self, decoded: Decoded) -> list[tuple[int, Row]]:
        """The frames that no kernel understood, as the reference decoder's layers see them."""
        places = np.flatnonzero(decoded.marks & DELEGATED_ROW).tolist()
        self.delegated += len(places)
        frames = (decoded.batch.frame(at, self.count + at + 1) for at in places)
        return [(at, self._delegate.row(frame)) for at, frame in zip(places, frames, strict=True)]

    def _scatter(self, decoded: Decoded, delegated: Sequence[tuple[int, Row]]) -> None:
        """Put the cells of rows that the reference decoder's layers decoded."""
        assembly = decoded.assembly
        for at, row in delegated:
            if row.protocols:
                row.put("frame.protocols", ":".join(row.protocols))
            self._delegate.scatter(row, at, assembly)
            decoded.marks[at] |= MALFORMED_ROW * ("_ws.malformed" in row.own)
            decoded.marks[at] |= SHORT_ROW * ("_ws.short" in row.own)

    def _flag_excess(self, assembly: Assembly) -> None:
        """Say in a row that not all of its values are in the table."""
        said = FIELDS["replicap.undecoded"]
        for row, slots in assembly.excess.items():
            shown = [slot for slot in slots if slot < len(self._shown)]
            if not shown:
                continue
            text = f"more than {MOST_OCCURRENCES} values of {self._slots[max(shown)].name}"
            if assembly.valid[assembly.slots[said.name], row]:
                self.undecoded[text] += 1
            else:
                assembly.place(said, row, 0, 0, assembly.pool.text(text))

    def _fill_frames(self, decoded: Decoded) -> None:
        batch, assembly = decoded.batch, decoded.assembly
        first = self.count + 1
        assembly.fill("frame", np.ones(1, np.int64), None)
        assembly.fill("frame.number", np.arange(first, first + len(batch)), None)
        assembly.fill("frame.len", batch.wire, None)
        assembly.fill("frame.cap_len", batch.captured, None)
        _fill_octets(assembly, batch.starts, batch.captured)
        self._fill_times(decoded)
        _fill_interfaces(assembly, batch.interface, batch.interfaces)

    def _fill_times(self, decoded: Decoded) -> None:
        timed, times = decoded.batch.timed, decoded.batch.time_ns
        own = times if timed.all() else times[timed]
        if not len(own):
            return
        if self._first_time is None or self._last_time is None:
            self._first_time = self._last_time = int(own[0])
        delta = np.diff(own, prepend=self._last_time)
        self._last_time = int(own[-1])
        decoded.assembly.fill_some("frame.time_epoch", own, timed)
        decoded.assembly.fill_some("frame.time_relative", own - self._first_time, timed)
        decoded.assembly.fill_some("frame.time_delta", delta, timed)

    def _count_undecoded(self, decoded: Decoded) -> None:
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


def _run(sink: Sink, cells: Cells, batch: Batch) -> tuple[Sink, Cells]:
    """Run the kernel over the frames, with more room whenever it needs more."""
    interfaces = batch.interface
    links = np.array([known.linktype for known in batch.interfaces], np.int64)
    fcs = np.array([_octets_of(known) for known in batch.interfaces], np.int64)
    frames = np.empty((len(batch), 5), np.int64)
    frames[:, 0], frames[:, 1], frames[:, 2] = batch.starts, batch.captured, batch.wire
    frames[:, 3], frames[:, 4] = links[interfaces], fcs[interfaces]
    if batch.comments:
        frames[list(batch.comments), 3] = ANOTHERS_BLOCK
    row = 0
    while (row := decode_frames(sink, cells, batch.octets, frames, row)) < len(batch):
        cells = cells._replace(events=_grown(cells.events))
        sink = np.concatenate((sink, np.zeros(len(sink) - TRIE_AT, np.int64)))
        sink[OVERFLOW] = 0
    return sink, cells


def _tell_layers(sink: Sink, cells: Cells, slot: int) -> None:
    """Turn nodes of protocols into the place of the last one among those of its name."""
    nodes = int(sink[NODES])
    trie = sink[TRIE_AT : TRIE_AT + nodes * WIDTH].reshape(nodes, WIDTH)
    names = np.zeros(nodes, np.int64)
    parents, places = np.nonzero(trie[:, 1:])
    names[trie[parents, places + 1]] = places + 1
    counts = np.ones(nodes, np.int64)
    for node in range(1, nodes):
        above = int(trie[node, 0])
        while above:
            counts[node] += names[above] == names[node]
            above = int(trie[above, 0])
    shown = cells.valid[slot] != 0
    cells.values[slot, shown] = counts[cells.values[slot, shown]]
    events = cells.events[: sink[EVENTS]]
    chosen = events[:, 1] >> 8 == slot
    events[chosen, 2] = counts[events[chosen, 2]]


def _octets_of(interface: Interface) -> int:
    return -1 if interface.fcs_octets is None else interface.fcs_octets


def _grown(events: NDArray[np.int64]) -> NDArray[np.int64]:
    larger = np.empty((2 * len(events), events.shape[1]), np.int64)
    larger[: len(events)] = events
    return larger


def _fill_octets(
    assembly: Assembly, starts: NDArray[np.int64], captured: NDArray[np.int64]
) -> None:
    """The octets of whole frames."""
    spans = starts << SPAN_BITS | captured
    assembly.fill(OCTETS + "frame", spans, None)
    assembly.fill(ITEM + "frame", spans, None)
    assembly.fill(LENGTH + "frame", captured, None)


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
