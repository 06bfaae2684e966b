"""IP fragments, put together as Wireshark's defaults put them together.

Rules: Wireshark semantics 8.3 and 8.4. The frame that completes a datagram, whichever fragment it
carries, shows the transport header; nothing times out. Memory is bounded: when more octets wait
than :data:`MOST_WAITING`, the datagram that waits longest is given up.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

MOST_WAITING = 64 * 1024 * 1024
"""Octets of incomplete datagrams that are kept, each fragment with FRAGMENT_COST."""

FRAGMENT_COST = 256
"""Octets of memory that a fragment takes besides its own."""

LARGEST_DATAGRAM = 65_535 + 8


class Fragment(NamedTuple):
    """One part of a datagram's payload."""

    frame: int
    offset: int
    """Octets from the start of the payload."""
    more: bool
    data: bytes


class Datagram(NamedTuple):
    """A payload that was put together."""

    data: bytes
    fragments: tuple[Fragment, ...]
    conflict: bool
    """Two fragments contradict each other about the same octets."""


class _Waiting:
    """One incomplete datagram; what is known of it is kept up with each fragment."""

    __slots__ = ("cost", "parts", "pending", "reach", "total")

    def __init__(self) -> None:
        self.parts: list[Fragment] = []
        self.total: int | None = None
        """Octets of the payload, known once a fragment without "more" is there."""
        self.reach = 0
        """Octets from the start without a gap."""
        self.pending: list[tuple[int, int]] = []
        """Heap of (offset, end) behind the gap."""
        self.cost = 0

    def add(self, part: Fragment) -> None:
        end = part.offset + len(part.data)
        self.parts.append(part)
        self.cost += len(part.data) + FRAGMENT_COST
        if self.total is None and not part.more:
            self.total = end
        heappush(self.pending, (part.offset, end))
        while self.pending and self.pending[0][0] <= self.reach:
            self.reach = max(self.reach, heappop(self.pending)[1])


class Reassembly:
    """The datagrams that are still incomplete, by key."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[object, ...], _Waiting] = {}
        self._cost = 0
        self.given_up = 0
        """Incomplete datagrams dropped to bound memory."""

    def add(self, key: tuple[object, ...], fragment: Fragment) -> Datagram | None:
        """The datagram, when this fragment completes it."""
        waiting = self._waiting.setdefault(key, _Waiting())
        self._cost -= waiting.cost
        waiting.add(fragment)
        self._cost += waiting.cost
        if waiting.total is not None and waiting.reach >= waiting.total:
            self._forget(key)
            return _join(waiting.parts, waiting.total)
        if self._cost > MOST_WAITING:
            self._forget(next(iter(self._waiting)))
            self.given_up += 1
        return None

    def _forget(self, key: tuple[object, ...]) -> None:
        self._cost -= self._waiting.pop(key).cost


def _join(parts: list[Fragment], total: int) -> Datagram:
    """The payload: of overlapping fragments the one that begins later in it wins nothing twice."""
    payload = bytearray(total)
    filled = 0
    conflict = False
    for part in sorted(parts, key=lambda part: part.offset):
        end = min(part.offset + len(part.data), total)
        overlap = min(filled, end) - part.offset
        if overlap > 0 and payload[part.offset : part.offset + overlap] != part.data[:overlap]:
            conflict = True
        if end > filled:
            payload[filled:end] = part.data[filled - part.offset : end - part.offset]
            filled = end
        conflict = conflict or part.offset + len(part.data) > total
    return Datagram(bytes(payload), tuple(parts), conflict)
