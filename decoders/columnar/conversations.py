"""Conversations and TCP analysis of whole batches; the state persists from batch to batch.

Results do not depend on where a batch ends. The rules stand in
:mod:`decoders.columnar.kernels.streams` and :mod:`decoders.columnar.kernels.analysis`.

Memory: a conversation takes 32 octets and at most 26 of an index, 32 more with IPv6; with analysis
16 more, and once it has a second segment 48, 192 for each direction that sent something, and 40 for
each segment that nobody acknowledged. How tables grow stands in :mod:`decoders.columnar.growing`.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.growing import Growing, GrowingKeys, octets
from decoders.columnar.kernels import analysis, flows, streams
from decoders.columnar.kernels.sink import HEADER_PLACES, HEADER_SHOWN, HEADER_TCP
from decoders.columnar.transport import ANALYSED, EXPERT_PLACES, I64, NOTHING, NUMBERED, Found


class Conversations:
    """Numbers the conversations of one capture; feed it the headers of every batch in file order.

    ``wanted``: analyse TCP too (:class:`decoders.row.Wanted` says when somebody reads it).
    """

    def __init__(self, wanted: bool) -> None:
        self._keys = GrowingKeys()
        self._notes = Growing(np.uint32, flows.ANALYSED_NOTES if wanted else streams.NOTES)
        self._state = np.zeros(streams.TABLE_STATES, np.int64)
        self._state[streams.SEED] = secrets.randbits(32)
        self._ahead = np.full((streams.RING, streams.LOOKED), -1, np.int64)
        self._ahead[:, streams.TRACE] = 0
        self._analysis = _Analysis() if wanted else None
        self._cells = np.empty((0, ANALYSED if wanted else NUMBERED), np.int64)

    def annotate(self, headers: I64, first: int, time_ns: I64, timed: NDArray[np.bool_]) -> Found:
        """What is found of the headers of the next batch.

        ``first`` is ``frame.number`` of the batch's row 0; ``time_ns`` and ``timed`` have an entry
        for each row. The cells are written over by the next batch. Raises MemoryError for more
        conversations than can be told apart (2^31).
        """
        if len(headers) > len(self._cells):
            self._cells = np.empty((len(headers), self._cells.shape[1]), np.int64)
        cells, at = self._cells[: len(headers)], 0
        if self._analysis is None:
            while (at := streams.annotate(self._table, headers, cells, at)) < len(headers):
                self._make_room()
            return Found(cells, np.empty((0, EXPERT_PLACES), np.int64))
        frames, trail = flows.Frames(int(first), time_ns, timed), self._analysis
        trail.state[flows.EXPERTS] = 0
        while True:
            at = analysis.annotate(self._table, trail.trail, headers, frames, cells, at)
            if at == len(headers):
                return Found(cells, trail.found())
            self._make_room()
            trail.make_room()

    @property
    def octets(self) -> int:
        """Octets that the state takes."""
        trail = 0 if self._analysis is None else self._analysis.octets
        return self._keys.octets + octets(self._notes.array) + trail

    @property
    def _table(self) -> streams.Table:
        return streams.Table(self._keys.arrays, self._notes.array, self._state, self._ahead)

    def _make_room(self) -> None:
        """For the headers that are next."""
        entries = int(self._state[streams.ENTRIES]) + streams.BLOCK
        self._keys.make_room(entries, streams.BLOCK)
        self._notes.make_room(entries)


class _Analysis:
    """What the analysis of TCP remembers."""

    def __init__(self) -> None:
        self._traces = Growing(np.int64, flows.TRACE_PLACES)
        self._flows = Growing(np.int64, flows.FLOW_PLACES)
        self._sent = Growing(np.int64, flows.SENT_PLACES)
        self._experts = Growing(np.int64, EXPERT_PLACES)
        self._again = _again()
        self.state = np.zeros(flows.TRAIL_STATES, np.int64)
        for place in (flows.TRACES, flows.FLOWS, flows.SENT):
            self.state[place] = 1
        flows.clear(self._flows.array, 0)

    @property
    def trail(self) -> flows.Trail:
        """For the kernels, until there is more room."""
        return flows.Trail(
            traces=self._traces.array,
            flows=self._flows.array,
            sent=self._sent.array,
            experts=self._experts.array,
            state=self.state,
            again=self._again,
        )

    def found(self) -> I64:
        """Expert items of the batch."""
        found: I64 = self._experts.array[: self.state[flows.EXPERTS]].copy()
        return found

    def make_room(self) -> None:
        """For the headers that are next."""
        more = flows.ROOM * streams.BLOCK
        self._traces.make_room(int(self.state[flows.TRACES]) + more)
        self._flows.make_room(int(self.state[flows.FLOWS]) + more)
        self._sent.make_room(int(self.state[flows.SENT]) + more)
        self._experts.make_room(int(self.state[flows.EXPERTS]) + more)

    @property
    def octets(self) -> int:
        """Octets that it takes, without the expert items of a batch."""
        tables = (self._traces, self._flows, self._sent)
        return octets(*(table.array for table in tables))


def _again() -> flows.Again:
    """A TCP segment of the layer's own packet, without payload."""
    headers = np.zeros((1, HEADER_PLACES), np.int64)
    headers[0, [HEADER_TCP, HEADER_SHOWN]] = 1
    return flows.Again(headers, np.full((1, ANALYSED), NOTHING, np.int64))
