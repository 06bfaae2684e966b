"""IP fragments, put together as Wireshark's defaults put them together.

Rules: Wireshark semantics 8.3 and 8.4. The frame that completes a datagram, whichever fragment it
carries, shows the transport header; nothing times out. Memory is bounded: when more octets wait
than :data:`MOST_WAITING`, the datagram that waits longest is given up.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_WAITING = 64 * 1024 * 1024
"""Octets of incomplete datagrams that are kept."""

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


class Reassembly:
    """The datagrams that are still incomplete, by key."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[object, ...], list[Fragment]] = {}
        self._octets = 0
        self.given_up = 0
        """Incomplete datagrams dropped to bound memory."""

    def add(self, key: tuple[object, ...], fragment: Fragment) -> Datagram | None:
        """The datagram, when this fragment completes it."""
        parts = self._waiting.setdefault(key, [])
        parts.append(fragment)
        self._octets += len(fragment.data)
        total = _total(parts)
        if total is not None and _covered(parts) >= total:
            self._forget(key)
            return _join(parts, total)
        if self._octets > MOST_WAITING:
            self._forget(next(iter(self._waiting)))
            self.given_up += 1
        return None

    def _forget(self, key: tuple[object, ...]) -> None:
        self._octets -= sum(len(part.data) for part in self._waiting.pop(key))


def _total(parts: list[Fragment]) -> int | None:
    """Octets of the payload, known once a fragment without "more" is there."""
    for part in parts:
        if not part.more:
            return part.offset + len(part.data)
    return None


def _covered(parts: list[Fragment]) -> int:
    """Octets from the start without a gap."""
    reach = 0
    for part in sorted(parts, key=lambda part: part.offset):
        if part.offset > reach:
            break
        reach = max(reach, part.offset + len(part.data))
    return reach


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
