"""Conversations and TCP analysis of whole batches; the state persists from batch to batch.

Results do not depend on where a batch ends. The rules stand in
:mod:`decoders.columnar.kernels.streams` and :mod:`decoders.columnar.kernels.analysis`.

Memory: a conversation takes 36 octets and at most 26 of an index, 32 more with IPv6; with analysis
24 more, and once it has a second segment 48, 192 for each direction that sent something, and 40 for
each segment that nobody acknowledged. Arrays grow by an eighth, indexes to twice their size.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.kernels import analysis, flows, hashing, streams
from decoders.columnar.kernels.sink import HEADER_PLACES, HEADER_SHOWN, HEADER_TCP
from decoders.columnar.transport import ANALYSED, EXPERT_PLACES, I64, NOTHING, NUMBERED, Found


class Conversations:
    """Numbers the conversations of one capture; feed it the headers of every batch in file order.

    ``wanted``: analyse TCP too (:class:`decoders.row.Wanted` says when somebody reads it).
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        keys = hashing.first_keys()
        self._table = streams.Table(
            keys=keys,
            notes=np.empty((len(keys.keys), streams.NOTES), np.uint32),
            state=np.zeros(streams.TABLE_STATES, np.int64),
            hashes=np.empty(streams.AHEAD, np.int64),
        )
        self._table.state[streams.SEED] = secrets.randbits(32)
        self._trail = _first_trail(wanted)
        self._cells = np.empty((0, ANALYSED if wanted else NUMBERED), np.int64)
        self._links = np.empty((0, streams.LINK_PLACES), np.int64)

    def annotate(self, headers: I64, first: int, time_ns: I64, timed: NDArray[np.bool_]) -> Found:
        """What is found of the headers of the next batch.

        ``first`` is ``frame.number`` of the batch's row 0; ``time_ns`` and ``timed`` have an entry
        for each row. The cells are written over by the next batch. Raises MemoryError for more
        conversations than can be told apart (2^31).
        """
        if len(headers) > len(self._cells):
            self._cells = np.empty((len(headers), self._cells.shape[1]), np.int64)
            self._links = np.empty((len(headers) * self._wanted, streams.LINK_PLACES), np.int64)
        cells, links = self._cells[: len(headers)], self._links[: len(headers)]
        at = 0
        while (at := streams.annotate(self._table, headers, cells, links, at)) < len(headers):
            self._grow_table()
        self._trail.state[flows.EXPERTS] = 0
        if self._wanted:
            self._analyse(headers, flows.Frames(int(first), time_ns, timed), cells, links)
        experts = self._trail.experts[: self._trail.state[flows.EXPERTS]].copy()
        return Found(cells, experts)

    def _analyse(self, headers: I64, frames: flows.Frames, cells: I64, links: I64) -> None:
        at, notes = 0, self._table.notes
        waiting = hashing.with_room(self._trail.waiting, len(notes))
        self._trail = self._trail._replace(waiting=waiting)
        while True:
            at = analysis.annotate(self._trail, notes, headers, frames, cells, links, at)
            if at == len(headers):
                return
            self._grow_trail()

    @property
    def octets(self) -> int:
        """Octets that the state takes."""
        table, trail = self._table, self._trail
        arrays = (table.notes, trail.waiting, trail.traces, trail.flows, trail.sent)
        return hashing.octets(table.keys) + sum(array.nbytes for array in arrays)

    def _grow_table(self) -> None:
        """Room for at least one conversation more."""
        table = self._table
        entries = int(table.state[streams.ENTRIES]) + 1
        keys, notes = hashing.grown(table.keys, entries, 1), hashing.with_room(table.notes, entries)
        self._table = table._replace(keys=keys, notes=notes)

    def _grow_trail(self) -> None:
        """Room for at least one segment more."""
        trail, used = self._trail, self._trail.state
        self._trail = trail._replace(
            traces=hashing.with_room(trail.traces, int(used[flows.TRACES]) + flows.ROOM),
            flows=hashing.with_room(trail.flows, int(used[flows.FLOWS]) + flows.ROOM),
            sent=hashing.with_room(trail.sent, int(used[flows.SENT]) + flows.ROOM),
            experts=hashing.with_room(trail.experts, int(used[flows.EXPERTS]) + flows.ROOM),
        )


def _first_trail(wanted: bool) -> flows.Trail:
    rows = hashing.FIRST_ENTRIES if wanted else flows.ROOM
    trail = flows.Trail(
        traces=np.empty((rows, flows.TRACE_PLACES), np.int64),
        flows=np.empty((rows, flows.FLOW_PLACES), np.int64),
        sent=np.empty((rows, flows.SENT_PLACES), np.int64),
        experts=np.empty((rows, EXPERT_PLACES), np.int64),
        state=np.zeros(flows.TRAIL_STATES, np.int64),
        waiting=np.empty((rows, flows.WAITING_PLACES), np.uint32),
        again=_again(),
    )
    for place in (flows.TRACES, flows.FLOWS, flows.SENT):
        trail.state[place] = 1
    flows.clear(trail.flows, 0)
    return trail


def _again() -> flows.Again:
    """A TCP segment of the layer's own packet, without payload."""
    headers = np.zeros((1, HEADER_PLACES), np.int64)
    headers[0, [HEADER_TCP, HEADER_SHOWN]] = 1
    cells = np.full((1, ANALYSED), NOTHING, np.int64)
    return flows.Again(headers, cells, np.zeros((1, streams.LINK_PLACES), np.int64))
