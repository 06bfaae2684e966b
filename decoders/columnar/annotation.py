"""What needs memory between frames, put into the cells of a batch: conversations and analysis."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar import classes, transport
from decoders.columnar.assembly import Assembly
from decoders.columnar.classifier import Classifier
from decoders.columnar.conversations import Conversations
from decoders.columnar.kernels import placing
from decoders.columnar.kernels.sink import (
    HEADER_HANDS_UP,
    HEADER_QUOTED,
    HEADER_ROW,
    HEADER_TCP,
    TCP_HEADERS,
    UDP_HEADERS,
    WIDTH,
)
from decoders.columnar.rows import facts_of, headers_of, pairs_of
from decoders.columnar.transport import I64, NOTHING, Found
from decoders.fields import EXPERT_LAYER, ITEM, LENGTH, OCTETS
from decoders.row import Row, Segment

Delegated = Sequence[tuple[int, Row]]
"""Rows of a batch that the reference decoder's layers decoded, by their place."""

PAYLOADS = ("data", "dns", "ntp")
"""Protocols above TCP that have a field."""

_EXPERT_FIELDS = (
    ("_ws.expert", None),
    ("_ws.expert.severity", transport.EXPERT_SEVERITY),
    ("_ws.expert.group", transport.EXPERT_GROUP),
    ("_ws.expert.message", transport.EXPERT_MESSAGE),
)

_TAKEN_BACK = tuple(prefix + name for name in PAYLOADS for prefix in ("", *(OCTETS, ITEM, LENGTH)))

_OF_TCP = frozenset(
    (
        *transport.FIELD_OF.values(),
        *transport.MARK_FIELDS,
        *_TAKEN_BACK,
        EXPERT_LAYER,
        *(name for name, _ in _EXPERT_FIELDS),
        "frame.protocols",
    )
)
_OF_UDP = frozenset({"udp.stream"})
"""Fields that cannot be told without the conversations of one or the other."""


class Told(NamedTuple):
    """Headers, and what conversations tell of them."""

    headers: I64
    found: Found
    places: dict[int, str]
    """Places of ``found.cells`` that any TCP header has -> their fields; of UDP headers the place
    behind the last one."""
    same: dict[str, int]
    """Fields that have the same value in all rows."""
    marks: int
    """All marks of TCP headers."""


def _told(headers: I64, found: Found, rows: int) -> Told:
    only, facts = np.zeros(found.cells.shape[1], np.int64), np.zeros(placing.SURVEYED, np.int64)
    placing.survey(headers, found.cells, rows, only, facts)
    there, changes = int(facts[placing.PLACES]), int(facts[placing.CHANGES])
    places = {at: name for at, name in transport.FIELD_OF.items() if there >> at & 1}
    same: dict[str, int] = {}
    if facts[placing.ALONE]:
        same = {name: int(only[at]) for at, name in places.items() if not changes >> at & 1}
        places = {at: name for at, name in places.items() if name not in same}
    if facts[placing.UDP]:
        places[found.cells.shape[1]] = "udp.stream"
    return Told(headers, found, places, same, int(facts[placing.ALL_MARKS]))


class Annotation:
    """The conversations of one capture; batches in file order."""

    def __init__(self, analysed: bool) -> None:
        self._conversations = Conversations(analysed)

    def annotate(
        self,
        assembly: Assembly,
        headers: I64,
        delegated: Delegated,
        first: int,
        times: tuple[I64, NDArray[np.bool_]],
    ) -> Told:
        """What is found of all headers; payloads that are not handed up are gone.

        ``headers``: those that kernels found; ``first``: number of the frame in row 0; ``times``:
        nanoseconds of each row, and whether it has any.
        """
        headers, owners = _with_delegated(headers, delegated)
        found = self._conversations.annotate(headers, first, *times)
        told = _told(headers, found, assembly.rows)
        if told.marks & transport.TAKES_BACK:
            _take_back(assembly, headers, found, owners)
        return told


class Classes:
    """The classes of the packets of one capture; batches in file order."""

    def __init__(self) -> None:
        self._classifier = Classifier()

    def annotate(self, assembly: Assembly, facts: I64, delegated: Delegated) -> None:
        """Put ``replicap.class`` and ``replicap.scanner``; ``facts`` [row, FACTS] of kernels."""
        for at, row in delegated:
            facts[at] = facts_of(row)
        found = self._classifier.annotate(facts, _pairs(facts, delegated))
        names = np.array([assembly.pool.text(name) for name in classes.CLASS_NAMES], np.int64)
        assembly.fill("replicap.class", names[found.classes], None)
        for bit, name in enumerate(classes.SCANNER_NAMES):
            rows = np.flatnonzero(found.scanners >> bit & 1)
            values = np.full(len(rows), assembly.pool.text(name), np.int64)
            assembly.append("replicap.scanner", rows, 0, values)


def _pairs(facts: I64, delegated: Delegated) -> I64:
    """The pairs of addresses of all own IP headers, in the order of rows."""
    alone = (facts[:, classes.FACT_HAS] & classes.HAS_PAIR) != 0
    alone[[at for at, _ in delegated]] = False
    rows = np.flatnonzero(alone)
    addresses = facts[rows, classes.FACT_VERSION : classes.FACT_DST_LO + 1]
    ours = np.column_stack((rows, addresses))
    theirs = [pairs_of(row, at) for at, row in delegated]
    if not theirs:
        return ours
    together = np.concatenate((ours, *theirs))
    return together[np.argsort(together[:, classes.PAIR_ROW], kind="stable")]


def place(assembly: Assembly, told: Told) -> None:
    """Put what is found of headers behind the cells that are there."""
    _place_numbers(assembly, told)
    _place_marks(assembly, told)
    if len(told.found.experts):
        _place_experts(assembly, told.headers, told.found.experts)


def _place_experts(assembly: Assembly, headers: I64, experts: I64) -> None:
    layers = experts[:, transport.EXPERT_HEADER]
    if EXPERT_LAYER in assembly.wanted:
        layers = _nth_segments(headers)[layers]
    for side in (0, 1):
        chosen = experts[:, transport.EXPERT_QUOTED] == side
        items = experts[chosen]
        for name, at in _EXPERT_FIELDS:
            values = np.ones(len(items), np.int64) if at is None else items[:, at]
            assembly.append(name, items[:, transport.EXPERT_ROW], side, values)
        assembly.append(EXPERT_LAYER, items[:, transport.EXPERT_ROW], side, layers[chosen])


def _nth_segments(headers: I64) -> I64:
    """Of each header how many TCP headers its row has up to it; ``headers`` in order of rows."""
    tcp, rows = headers[:, HEADER_TCP], headers[:, HEADER_ROW]
    through = np.cumsum(tcp)
    first = np.searchsorted(rows, rows)
    counts: I64 = through - (through - tcp)[first]
    return counts


def _with_delegated(headers: I64, delegated: Delegated) -> tuple[I64, dict[int, tuple[Row, int]]]:
    """All headers in the order of rows; header -> its row and its place there."""
    made = [(row, headers_of(row, at)) for at, row in delegated if row.transport]
    if not made:
        return headers, {}
    together = np.concatenate([headers, *(own for _, own in made)])
    order = np.argsort(together[:, HEADER_ROW], kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    owners: dict[int, tuple[Row, int]] = {}
    at = len(headers)
    for row, own in made:
        for nth in range(len(own)):
            owners[int(places[at])] = (row, nth)
            at += 1
    return together[order], owners


def _take_back(
    assembly: Assembly, headers: I64, found: Found, owners: dict[int, tuple[Row, int]]
) -> None:
    """Payloads that were sent before are not handed up: their protocols are none of the row."""
    taken = np.flatnonzero(found.cells[:, transport.MARKS] & transport.TAKES_BACK)
    ours: list[int] = []
    for place in taken.tolist():
        owner = owners.get(place)
        if owner is None:
            if headers[place, HEADER_HANDS_UP]:
                ours.append(int(headers[place, HEADER_ROW]))
            continue
        row, nth = owner
        segment = row.transport[nth]
        if isinstance(segment, Segment) and segment.payload_at is not None:
            row.forget_from(segment.payload_at)
    if ours:
        rows = np.array(ours)
        assembly.paths[rows] = assembly.trie[assembly.paths[rows] * np.int64(WIDTH)]
        for name in _TAKEN_BACK:
            assembly.forget(name, rows)


def _place_numbers(assembly: Assembly, told: Told) -> None:
    """A number of each header of TCP, or of UDP; most are the first of their row."""
    headers, cells = told.headers, told.found.cells
    for name, value in told.same.items():
        assembly.fill_with(name, value)
    places = {at: name for at, name in told.places.items() if name in assembly.wanted}
    chosen = np.array(list(places), np.int64)
    numbers = np.empty((len(places), assembly.rows), np.int64)
    truth = np.zeros((len(places), -(-assembly.rows // 8)), np.uint8)
    left = np.empty(len(headers), np.int64)
    all_left = placing.place_numbers(headers, cells, chosen, numbers, truth, left)
    for column, name in enumerate(places.values()):
        assembly.adopt(name, numbers[column], truth[column])
    if not all_left:
        return
    behind = np.flatnonzero(left)
    headers, cells, left = headers[behind], cells[behind], left[behind]
    for column, (at, name) in enumerate(places.items()):
        values = cells[:, at if at < cells.shape[1] else transport.STREAM]
        _append(assembly, name, headers, values, left >> column & 1 != 0)


def _place_marks(assembly: Assembly, told: Told) -> None:
    if not told.marks:
        return
    marked = np.flatnonzero(told.found.cells[:, transport.MARKS])
    headers, cells = told.headers[marked], told.found.cells[marked]
    marks, ones = cells[:, transport.MARKS], np.ones(len(marked), np.int64)
    for bit, name in enumerate(transport.MARK_FIELDS):
        if not told.marks >> bit & 1 or name not in assembly.wanted:
            continue
        shown = (marks >> bit & 1) == 1
        if name == "tcp.analysis.duplicate_ack":
            again = (cells[:, transport.DUPLICATE_ACK_NUM] != NOTHING) & shown
            places = np.repeat(np.arange(len(marks)), shown.astype(np.int64) + again)
            _append(assembly, name, headers[places], ones[places], shown[places])
        else:
            _append(assembly, name, headers, ones, shown)


def _append(
    assembly: Assembly, name: str, headers: I64, values: I64, shown: NDArray[np.bool_]
) -> None:
    if name not in assembly.wanted or not shown.any():
        return
    quoted = headers[:, HEADER_QUOTED] == 1
    for side in (0, 1):
        chosen = np.flatnonzero(shown & (quoted if side else ~quoted))
        assembly.append(name, headers[chosen, HEADER_ROW], side, values[chosen])


def needed(names: Collection[str]) -> int:
    """Bits of the headers without whose conversations the fields cannot be told; 0: of none."""
    of_tcp, of_udp = not _OF_TCP.isdisjoint(names), not _OF_UDP.isdisjoint(names)
    return TCP_HEADERS * of_tcp | UDP_HEADERS * of_udp
