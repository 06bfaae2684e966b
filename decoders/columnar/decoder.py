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
from decoders.columnar.assembly import Assembly, one_value
from decoders.columnar.columns import Cells, Pool
from decoders.columnar.delegation import Delegate
from decoders.columnar.kernels.sink import (
    DELEGATED_ROW,
    MALFORMED_ROW,
    SHORT_ROW,
    SPAN_BITS,
    WIDTH,
)
from decoders.columnar.numbers import FIELD_NUMBERS
from decoders.columnar.records import Batch
from decoders.columnar.running import Kernels, Run
from decoders.fields import EXPERT_LAYER, FIELDS, ITEM, LENGTH, OCTETS, stored
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

_OF_OCTETS = {prefix + "frame" for prefix in (OCTETS, ITEM, LENGTH)}
_OF_INTERFACES = {"frame.interface_id", "frame.interface_name", "frame.section_number"}


@dataclass
class Decoded:
    """What :meth:`ColumnarDecoder.decode` found in a batch; only its maker looks inside."""

    batch: Batch
    """The frames that are kept."""
    run: Run
    """What the assembly looks at, until the batch is finished."""
    assembly: Assembly


class ColumnarDecoder:
    """Decodes one capture. :meth:`decode` and :meth:`table` may run in several threads.

    Between them :meth:`follow` is called for each batch in file order, in one thread at a time.

    Attributes, complete when every batch is finished: count (rows), malformed and short (rows with
    ``_ws.malformed`` and ``_ws.short``), undecoded (what was not seen inside frames -> how many
    frames), classes (class -> rows, when ``replicap.class`` was asked for), delegated (rows that
    no kernel decoded wholly).
    """

    def __init__(self, wanted: Collection[str]) -> None:
        """Raises KeyError for a field that is not declared."""
        self._shown = stored(("frame.number", *wanted))
        names = [field.name for field in self._shown]
        self._kept = stored((*names, *_COUNTED))
        self._order = {field.name: place for place, field in enumerate(self._shown)}
        scattered = [field for field in self._kept if field.name not in _OF_FRAMES]
        scattered += [field for field in self._kept if field.name == "frame.protocols"]
        self._classes: Classes | None = None
        if classify.asked(names):
            self._classes = Classes()
        self._annotation: Annotation | None = None
        headers = needed(names)
        if headers:
            self._annotation = Annotation(Wanted(names).analysis)
        layers = [*names, *classify.NEEDS] if self._classes else names
        self._delegate = Delegate(frozenset(layers), scattered)
        self._wanted = frozenset(field.name for field in self._kept)
        self._kernels = Kernels(
            self._kept,
            expert=any(name.startswith(("_ws.expert", EXPERT_LAYER)) for name in names),
            octets=any(name.startswith((OCTETS, ITEM, LENGTH)) for name in names),
            headers=headers,
            facts=self._classes is not None,
        )
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
        run = self._kernels.run(batch)
        cells, events = run.cells(), run.events
        if EXPERT_LAYER in self._wanted:
            number = FIELD_NUMBERS[EXPERT_LAYER]
            counts = _places_among_their_names(run.trie, run.nodes)
            layers = cells.get(number)
            if isinstance(layers, Cells):
                shown = np.unpackbits(layers.bits, count=len(batch), bitorder="little") != 0
                layers.values[shown] = counts[layers.values[shown]]
            elif layers is not None:
                cells[number] = int(counts[layers])
            chosen = events[:, 1] >> 8 == number
            events[chosen, 2] = counts[events[chosen, 2]]
        assembly = Assembly(
            wanted=self._wanted,
            cells=cells,
            events=events,
            pool=Pool(batch.octets),
            paths=run.rows.paths,
            trie=run.trie,
        )
        return Decoded(batch, run, assembly)

    def finish(self, decoded: Decoded) -> polars.DataFrame:
        """The rows of the next batch; batches must come in file order."""
        self.follow(decoded)
        return self.table(decoded)

    def follow(self, decoded: Decoded) -> None:
        """What the next batch owes to those before it; batches must come in file order."""
        batch, assembly, rows = decoded.batch, decoded.assembly, decoded.run.rows
        delegated = self._delegated(decoded)
        if self._annotation is None:
            assembly.fill_protocols()
            self._scatter(decoded, delegated)
        else:
            times = batch.time_ns, batch.timed
            told = self._annotation.annotate(
                assembly, decoded.run.headers, delegated, self.count + 1, times
            )
            assembly.fill_protocols()
            self._scatter(decoded, delegated)
            place(assembly, told)
        self._flag_excess(assembly)
        if self._classes is not None:
            self._classes.annotate(assembly, rows.facts, delegated)
        self._kernels.give_back_rows(decoded.run)
        self._fill_frames(decoded)
        self.count += len(batch)
        self.malformed += int(np.count_nonzero(rows.marks & MALFORMED_ROW))
        self.short += int(np.count_nonzero(rows.marks & SHORT_ROW))
        self._count(assembly, "replicap.undecoded", self.undecoded)
        # Counted in the cells, not in what the classifier says: whoever asks is told of a gap.
        self._count(assembly, CLASS, self.classes)

    def table(self, decoded: Decoded) -> polars.DataFrame:
        """The rows of a batch that was followed: the columns that have a value."""
        table = decoded.assembly.table(self._shown)
        self._kernels.give_back(decoded.run)
        return table

    def _delegated(self, decoded: Decoded) -> list[tuple[int, Row]]:
        """The frames that no kernel understood, as the reference decoder's layers see them."""
        places = np.flatnonzero(decoded.run.rows.marks & DELEGATED_ROW).tolist()
        self.delegated += len(places)
        frames = (decoded.batch.frame(at, self.count + at + 1) for at in places)
        return [(at, self._delegate.row(frame)) for at, frame in zip(places, frames, strict=True)]

    def _scatter(self, decoded: Decoded, delegated: Sequence[tuple[int, Row]]) -> None:
        """Put the cells of rows that the reference decoder's layers decoded."""
        marks = decoded.run.rows.marks
        for at, row in delegated:
            if row.protocols:
                row.put("frame.protocols", ":".join(row.protocols))
            marks[at] |= MALFORMED_ROW * ("_ws.malformed" in row.own)
            marks[at] |= SHORT_ROW * ("_ws.short" in row.own)
        self._delegate.scatter(delegated, decoded.assembly)

    def _flag_excess(self, assembly: Assembly) -> None:
        """Say in a row that not all of its values are in the table."""
        said = FIELDS["replicap.undecoded"]
        for row, names in assembly.excess.items():
            shown = names & self._order.keys()
            if not shown:
                continue
            name = max(shown, key=self._order.__getitem__)
            text = f"more than {MOST_OCCURRENCES} values of {name}"
            if assembly.has(said.name, row):
                self.undecoded[text] += 1
            else:
                code = np.array([assembly.pool.text(text)], np.int64)
                assembly.put(said.name, np.array([row]), code)

    def _fill_frames(self, decoded: Decoded) -> None:
        batch, assembly = decoded.batch, decoded.assembly
        first = self.count + 1
        assembly.fill_with("frame", 1)
        assembly.fill("frame.number", np.arange(first, first + len(batch)), None)
        assembly.fill("frame.len", batch.wire, None)
        assembly.fill("frame.cap_len", batch.captured, None)
        if not _OF_OCTETS.isdisjoint(self._wanted):
            _fill_octets(assembly, batch.starts, batch.captured)
        self._fill_times(decoded)
        if not _OF_INTERFACES.isdisjoint(self._wanted):
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
        if "frame.time_relative" in self._wanted:
            assembly.fill_some("frame.time_relative", own - self._first_time, timed)
        if "frame.time_delta" in self._wanted:
            assembly.fill_some("frame.time_delta", np.diff(own, prepend=last), timed)

    def _count(self, assembly: Assembly, name: str, counts: Counter[str]) -> None:
        if name in self._wanted:
            counts.update(assembly.counts(FIELDS[name]))

    def empty(self) -> polars.DataFrame:
        """The table of a capture without frames."""
        return polars.DataFrame(schema={f.column: polars_type(f) for f in self._shown})


def _places_among_their_names(trie: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """For each node of protocols the place of the last one among those of its name, from 1."""
    trie = trie[: nodes * WIDTH].reshape(nodes, WIDTH)
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


def _fill_octets(
    assembly: Assembly, starts: NDArray[np.int64], captured: NDArray[np.int64]
) -> None:
    """The octets of whole frames."""
    spans = starts << SPAN_BITS | captured
    assembly.fill(OCTETS + "frame", spans, None)
    assembly.fill(ITEM + "frame", spans, None)
    assembly.fill(LENGTH + "frame", captured, None)


def _fill_interfaces(
    assembly: Assembly, places: NDArray[np.int32], interfaces: Sequence[Interface]
) -> None:
    if not len(places):
        return
    used = [interfaces[places[0]]] if one_value(places) else interfaces
    ids = np.array([-1 if known.id is None else known.id for known in used], np.int64)
    sections = np.array(
        [-1 if known.section is None else known.section for known in used], np.int64
    )
    names = np.array([assembly.pool.text(known.name or "unknown") for known in used])
    for name, values, valid in (
        ("frame.interface_id", ids, ids >= 0),
        ("frame.interface_name", names, ids >= 0),
        ("frame.section_number", sections, sections >= 0),
    ):
        if len(used) > 1:
            assembly.fill(name, values[places], valid[places])
        elif valid[0]:
            assembly.fill_with(name, int(values[0]))
