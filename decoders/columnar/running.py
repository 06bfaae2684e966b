"""Runs the kernels over batches of frames; memory of batches that are finished is used again."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import FACTS
from decoders.columnar.columns import Cells
from decoders.columnar.kernels.application import ports
from decoders.columnar.kernels.columns import Columns
from decoders.columnar.kernels.frames import Frames, decode_frames
from decoders.columnar.kernels.link import ANOTHERS_BLOCK
from decoders.columnar.kernels.sink import (
    BITS,
    COLUMNS,
    COUNTS_AT,
    CROWDED,
    EVENT,
    EVENTS,
    EVENTS_AT,
    EVENTS_ROOM,
    EXPERT_WANTED,
    FACTS_WANTED,
    FULL,
    HALVES,
    HEADER_PLACES,
    HEADERS,
    HEADERS_WANTED,
    MADE_AT,
    NODES,
    NODES_ROOM,
    NOTED_AT,
    OCTETS_WANTED,
    ONLY_AT,
    OVERFLOW,
    PORTS_AT,
    TRIE_AT,
    TRUTH_AT,
    TRUTHS,
    USED,
    VALUES_AT,
    WHOLES,
    WIDTH,
    WIDTHS_AT,
    WORD_BITS,
    Rows,
    Sink,
)
from decoders.columnar.numbers import FIELD_NUMBERS
from decoders.columnar.records import Batch
from decoders.fields import ColumnType, Field

_EVENTS, _NODES = 4096, 256
_FIRST_COLUMNS, _MORE_COLUMNS = 32, 2
"""Columns of numbers of 64 bits for which there is room in the first batch, and for which there is
more than the last ones needed."""
_PORTS = ports()
_WIDTHS = {ColumnType.INT32: HALVES, ColumnType.BOOLEAN: BITS}


@dataclass
class Run:
    """What kernels found in a batch."""

    sink: Sink
    rows: Rows
    columns: Columns

    @property
    def headers(self) -> NDArray[np.int64]:
        """[header, HEADER_PLACES]"""
        return self.rows.headers[: self.sink[HEADERS]]

    @property
    def events(self) -> NDArray[np.int64]:
        """[event, EVENT]"""
        return self.sink[self.sink[EVENTS_AT] :][: self.sink[EVENTS] * EVENT].reshape(-1, EVENT)

    @property
    def trie(self) -> NDArray[np.int64]:
        """The protocols that paths stand for, WIDTH places each."""
        return self.sink[TRIE_AT:][: self.sink[NODES_ROOM] * WIDTH]

    @property
    def nodes(self) -> int:
        """Of the trie, how many are in use."""
        return int(self.sink[NODES])

    def cells(self) -> dict[int, Cells | int]:
        """Number of a field -> first own occurrences, or the value that all rows have."""
        rows, sink = len(self.rows.paths), self.sink
        return {
            number: self._column(number, rows)
            if sink[VALUES_AT + number]
            else int(sink[ONLY_AT + number])
            for number in sink[MADE_AT : MADE_AT + sink[COLUMNS]].tolist()
        }

    def _column(self, number: int, rows: int) -> Cells:
        sink, columns, octets = self.sink, self.columns, -(-rows // 8)
        begin, truth = int(sink[VALUES_AT + number]), 8 * int(sink[TRUTH_AT + number])
        width = sink[WIDTHS_AT + number]
        bits = columns.octets[truth : truth + octets]
        if width == WHOLES:
            return Cells(columns.words[begin : begin + rows], bits)
        if width == HALVES:
            return Cells(columns.halves[2 * begin : 2 * begin + rows], bits)
        return Cells(columns.octets[8 * begin : 8 * begin + octets], bits)


class Kernels:
    """Kernels that look for some fields; :meth:`run` may be called in several threads.

    ``expert`` and ``octets``: whether expert items, and octets of protocols, are asked for;
    ``headers``: bits of the TCP and UDP headers that are needed; ``facts``: whether those that
    classes are told from are.
    """

    def __init__(
        self, fields: Collection[Field], *, expert: bool, octets: bool, headers: int, facts: bool
    ) -> None:
        self._widths = np.zeros(len(FIELD_NUMBERS), np.int64)
        for declared in fields:
            width = _WIDTHS.get(declared.column_type, WHOLES)
            self._widths[FIELD_NUMBERS[declared.name]] = width
        self._expert = expert
        self._octets = octets
        self._headers = headers
        self._facts = facts
        self._words = _FIRST_COLUMNS * WHOLES
        """Words that 64 rows took in columns, at most."""
        self._sinks: deque[Sink] = deque()
        self._rooms: deque[tuple[NDArray[np.int64], NDArray[np.int64]]] = deque()
        """For headers and facts. Fresh memory costs more than what is done in it."""

    def run(self, batch: Batch) -> Run:
        """Run them over the frames of a batch, with more room whenever they need more."""
        count = len(batch)
        sink, rows = self._sink(count), self._rows(count)
        room = int(sink[USED]) + int(sink[TRUTHS]) * (self._words + _MORE_COLUMNS * WHOLES)
        columns = _columns(np.empty(room, np.int64))
        frames, row = _frames(batch), 0
        while True:
            row = decode_frames(sink, rows, columns, batch.octets, frames, row)
            lacking, sink[OVERFLOW] = int(sink[OVERFLOW]), 0
            if lacking & FULL:
                sink = _grown(sink)
            if lacking & CROWDED:
                columns = _columns(_larger(columns.words, int(sink[USED]), int(sink[TRUTHS])))
            if not lacking:
                break
        if sink[TRUTHS]:
            self._words = max(self._words, -(-int(sink[USED]) // int(sink[TRUTHS])))
        return Run(sink, rows, columns)

    def give_back_rows(self, run: Run) -> None:
        """Nothing looks at the headers and facts of a batch any more."""
        self._rooms.append((run.rows.headers, run.rows.facts))

    def give_back(self, run: Run) -> None:
        """Nothing looks at what was found in a batch any more, but for its cells."""
        self._sinks.append(run.sink)

    def _rows(self, rows: int) -> Rows:
        """Room for what is found of rows."""
        try:
            headers, facts = self._rooms.popleft()
        except IndexError:
            headers, facts = np.empty((0, HEADER_PLACES), np.int64), np.empty((0, FACTS), np.int64)
        if self._headers and len(headers) < rows:
            headers = np.empty((rows, HEADER_PLACES), np.int64)
        if self._facts and len(facts) < rows:
            facts = np.empty((rows, FACTS), np.int64)
        return Rows(
            paths=np.zeros(rows, np.int32),
            marks=np.zeros(rows, np.uint8),
            headers=headers,
            facts=facts[:rows],
        )

    def _sink(self, rows: int) -> Sink:
        """A sink that nothing is in."""
        try:
            sink = self._sinks.pop()
        except IndexError:
            sink = np.empty(TRIE_AT + _NODES * WIDTH + _EVENTS * EVENT, np.int64)
            sink[PORTS_AT:TRIE_AT] = _PORTS
        events = TRIE_AT + _NODES * WIDTH
        sink[:COUNTS_AT] = 0
        sink[WIDTHS_AT:VALUES_AT] = self._widths
        sink[COUNTS_AT:NOTED_AT] = -1
        sink[TRIE_AT:events] = 0
        sink[EVENTS_AT], sink[NODES_ROOM], sink[NODES] = events, _NODES, 1
        sink[EVENTS_ROOM] = (len(sink) - events) // EVENT
        sink[TRUTHS] = -(-rows // WORD_BITS)
        sink[USED] = 1  # No column begins at 0.
        sink[EXPERT_WANTED] = self._expert
        sink[HEADERS_WANTED] = self._headers
        sink[FACTS_WANTED] = self._facts
        sink[OCTETS_WANTED] = self._octets
        return sink


def _frames(batch: Batch) -> Frames:
    links = [known.linktype for known in batch.interfaces]
    fcs = [-1 if known.fcs_octets is None else known.fcs_octets for known in batch.interfaces]
    interface = batch.interface
    if batch.comments:
        interface = interface.copy()
        interface[list(batch.comments)] = len(links)
        links.append(ANOTHERS_BLOCK)
        fcs.append(-1)
    return Frames(
        starts=batch.starts,
        captured=batch.captured,
        wire=batch.wire,
        interface=interface,
        links=np.array(links, np.int64),
        fcs=np.array(fcs, np.int64),
    )


def _columns(words: NDArray[np.int64]) -> Columns:
    return Columns(words, words.view(np.int32), words.view(np.uint8))


def _larger(words: NDArray[np.int64], used: int, truths: int) -> NDArray[np.int64]:
    """The same with more room by a half, and for one more column at least."""
    larger = np.empty(len(words) + max(len(words) // 2, truths * (WHOLES + 1)), np.int64)
    larger[:used] = words[:used]
    return larger


def _grown(sink: Sink) -> Sink:
    """The same with room for twice as many events and nodes of the trie."""
    events = sink[EVENTS_AT]
    nodes = np.zeros(sink[NODES_ROOM] * WIDTH, np.int64)
    room = np.empty(sink[EVENTS_ROOM] * EVENT, np.int64)
    larger = np.concatenate((sink[:events], nodes, sink[events:], room))
    larger[EVENTS_AT] = events + len(nodes)
    larger[EVENTS_ROOM] = (len(larger) - larger[EVENTS_AT]) // EVENT
    larger[NODES_ROOM] *= 2
    return larger
