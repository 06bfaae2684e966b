"""The columnar decoder: batches of frames -> parts of the table of packets.

Kernels decode the frames they understand wholly; the others are handed to the reference decoder's
layers, and counted. The table is the reference decoder's, cell by cell.
"""

from __future__ import annotations

from collections import Counter, deque
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
    CELLS_AT,
    COUNTS_AT,
    DELEGATED_ROW,
    EVENT,
    EVENTS,
    EVENTS_AT,
    EVENTS_ROOM,
    EXPERT_WANTED,
    FACTS_WANTED,
    HEADER_PLACES,
    HEADERS,
    HEADERS_WANTED,
    MALFORMED_ROW,
    NODES,
    NODES_ROOM,
    NOTED_AT,
    OCTETS_WANTED,
    OVERFLOW,
    PORTS_AT,
    SHORT_ROW,
    SLOTS_AT,
    SPAN_BITS,
    TRIE_AT,
    WIDTH,
    WORD_BITS,
    WORDS,
    Rows,
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

_OF_INTERFACES = {"frame.interface_id", "frame.interface_name", "frame.section_number"}
_EVENTS, _NODES = 4096, 256
_PORTS = ports()


@dataclass
class Decoded:
    """What :meth:`ColumnarDecoder.decode` found in a batch; only its maker looks inside."""

    batch: Batch
    """The frames that are kept."""
    sink: Sink
    """What the assembly looks at, until the batch is finished."""
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
        self._free: deque[Sink] = deque()
        """Sinks of batches that are finished: fresh memory costs more than what is done in it."""
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
        sink = self._sink(len(batch))
        rows = self._rows(len(batch))
        sink = _run(sink, rows, batch)
        values, valid = _cells(sink, len(self._slots), len(batch))
        events = sink[sink[EVENTS_AT] :][: sink[EVENTS] * EVENT].reshape(-1, EVENT)
        layers = self._numbers[FIELD_NAMES.index(EXPERT_LAYER)]
        if layers >= 0:
            counts = _places_among_their_names(sink)
            shown = valid[layers] != 0
            values[layers, shown] = counts[values[layers, shown]]
            chosen = events[:, 1] >> 8 == layers
            events[chosen, 2] = counts[events[chosen, 2]]
        assembly = Assembly(
            fields=self._slots,
            values=values,
            valid=valid,
            events=events,
            pool=Pool(batch.octets),
            paths=rows.paths,
            trie=sink[TRIE_AT:][: sink[NODES_ROOM] * WIDTH],
        )
        headers = rows.headers[: sink[HEADERS]]
        return Decoded(batch, sink, assembly, rows.marks, headers, rows.facts)

    def _sink(self, rows: int) -> Sink:
        """A sink for so many rows; one of a batch that is finished, if it is large enough."""
        words = -(-rows // WORD_BITS)
        slots = len(self._slots)
        cells = TRIE_AT + _NODES * WIDTH
        events = cells + slots * (words + rows)
        try:
            sink = self._free.pop()
        except IndexError:
            sink = np.empty(0, np.int64)
        if len(sink) < events + _EVENTS * EVENT:
            sink = np.empty(events + _EVENTS * EVENT, np.int64)
            sink[PORTS_AT:TRIE_AT] = _PORTS
        sink[:CELLS_AT] = 0
        sink[CELLS_AT:SLOTS_AT] = np.where(
            self._numbers < 0, -1, cells + self._numbers * (words + rows)
        )
        sink[SLOTS_AT:COUNTS_AT] = self._numbers
        sink[COUNTS_AT:NOTED_AT] = -1
        sink[TRIE_AT:cells] = 0
        sink[WORDS], sink[EVENTS_AT], sink[NODES_ROOM] = words, events, _NODES
        sink[EVENTS_ROOM] = (len(sink) - events) // EVENT
        sink[NODES] = 1
        sink[EXPERT_WANTED] = self._expert
        sink[HEADERS_WANTED] = self._headers
        sink[FACTS_WANTED] = self._classes is not None
        sink[OCTETS_WANTED] = self._octets
        sink[cells:events].reshape(slots, -1)[:, :words] = 0
        return sink

    def _rows(self, rows: int) -> Rows:
        return Rows(
            paths=np.zeros(rows, np.int32),
            marks=np.zeros(rows, np.uint8),
            headers=np.empty((rows if self._annotation else 0, HEADER_PLACES), np.int64),
            facts=np.zeros((rows if self._classes else 0, FACTS), np.int64),
        )

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
        self._free.append(decoded.sink)
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
        if not _OF_INTERFACES.isdisjoint(assembly.slots):
            _fill_interfaces(assembly, batch.interface, batch.interfaces)

    def _fill_times(self, decoded: Decoded) -> None:
        timed, times = decoded.batch.timed, decoded.batch.time_ns
        own = times if timed.all() else times[timed]
        if not len(own):
            return
        if self._first_time is None or self._last_time is None:
            self._first_time = self._last_time = int(own[0])
        assembly, last = decoded.assembly, self._last_time
        self._last_time = int(own[-1])
        assembly.fill_some("frame.time_epoch", own, timed)
        if "frame.time_relative" in assembly.slots:
            assembly.fill_some("frame.time_relative", own - self._first_time, timed)
        if "frame.time_delta" in assembly.slots:
            assembly.fill_some("frame.time_delta", np.diff(own, prepend=last), timed)

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


def _run(sink: Sink, rows: Rows, batch: Batch) -> Sink:
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
    while (row := decode_frames(sink, rows, batch.octets, frames, row)) < len(batch):
        sink = _grown(sink)
    return sink


def _grown(sink: Sink) -> Sink:
    """The same with room for twice as many events and nodes of the trie."""
    cells, events = TRIE_AT + sink[NODES_ROOM] * WIDTH, sink[EVENTS_AT]
    nodes = np.zeros(sink[NODES_ROOM] * WIDTH, np.int64)
    room = np.empty(sink[EVENTS_ROOM] * EVENT, np.int64)
    larger = np.concatenate((sink[:cells], nodes, sink[cells:], room))
    larger[CELLS_AT:SLOTS_AT] += np.where(sink[CELLS_AT:SLOTS_AT] < 0, 0, len(nodes))
    larger[EVENTS_AT] = events + len(nodes)
    larger[EVENTS_ROOM] = (len(larger) - larger[EVENTS_AT]) // EVENT
    larger[NODES_ROOM] *= 2
    larger[OVERFLOW] = 0
    return larger


def _cells(sink: Sink, slots: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """First own occurrences, and whether there are any, [slot, row]; the values are the sink's."""
    words = int(sink[WORDS])
    cells = sink[TRIE_AT + sink[NODES_ROOM] * WIDTH : sink[EVENTS_AT]].reshape(slots, words + rows)
    truth = cells[:, :words].astype("<i8").view(np.uint8)
    valid = np.zeros((slots, rows), np.uint8)
    for slot in np.flatnonzero(truth.any(axis=1)):
        valid[slot] = np.unpackbits(truth[slot], count=rows, bitorder="little")
    return cells[:, words:], valid


def _places_among_their_names(sink: Sink) -> NDArray[np.int64]:
    """For each node of protocols the place of the last one among those of its name, from 1."""
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
    return counts


def _octets_of(interface: Interface) -> int:
    return -1 if interface.fcs_octets is None else interface.fcs_octets


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
