"""A stretch of a packet: what was captured of it, and how long it claims to be.

The two ends differ when the capture cut the packet (fewer octets captured than claimed) and each
header may claim less than is there. Reading beyond the captured octets, but within the claimed
ones, is the capture's fault (:class:`Short`); reading beyond the claimed ones is the packet's
(:class:`Malformed`). Wireshark tells the two apart in the same way.
"""

from __future__ import annotations


class OutOfOctets(Exception):
    """A layer needs octets that are not there."""


class Short(OutOfOctets):
    """The capture cut the packet: ``_ws.short``."""


class Malformed(OutOfOctets):
    """The packet ends before its headers do: ``_ws.malformed``."""


class Unreassembled(OutOfOctets):
    """A fragment that was not put together ends before its headers do: ``_ws.unreassembled``."""


class Octets:
    """Octets ``start`` to ``end`` of ``data``, which claim to go on to ``limit``.

    ``start``, ``end`` and ``limit`` are offsets into ``data``; ``start <= end <= limit``, and
    ``end == limit`` when nothing was cut. ``fragment`` marks the first part of a datagram that
    was not put together.
    """

    __slots__ = ("data", "end", "fragment", "limit", "start")

    def __init__(
        self, data: bytes, start: int, end: int, limit: int, fragment: bool = False
    ) -> None:
        self.data = data
        self.start = start
        self.end = end
        self.limit = limit
        self.fragment = fragment

    @property
    def captured(self) -> int:
        """Octets that are there."""
        return self.end - self.start

    @property
    def claimed(self) -> int:
        """Octets that the packet says there are."""
        return self.limit - self.start

    def require(self, count: int) -> None:
        """Raises Short, Malformed or Unreassembled unless ``count`` octets are there."""
        reach = self.start + count
        if reach > self.end:
            if reach <= self.limit:
                raise Short
            raise Unreassembled if self.fragment else Malformed

    def trim(self, count: int) -> None:
        """Believe a header that claims ``count`` octets in all; never makes the stretch longer."""
        limit = self.start + count
        if limit < self.limit:
            self.limit = limit
            self.end = min(self.end, limit)

    def after(self, count: int) -> Octets:
        """What follows the first ``count`` octets; raises like :meth:`require`."""
        start = self.start + count
        if start > self.end:
            self.require(count)
        return Octets(self.data, start, self.end, self.limit, self.fragment)

    def whole(self) -> bool:
        """Whether every claimed octet was captured."""
        return self.end == self.limit

    def bytes(self) -> bytes:
        """The octets that are there."""
        return self.data[self.start : self.end]
