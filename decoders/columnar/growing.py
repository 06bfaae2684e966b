"""Tables that grow in place, batch after batch.

Touching memory for the first time is most of what growing costs. On Linux a large table is
therefore a mapping of its own: it is made longer without a copy, and takes no memory before it is
needed, which is then asked for many pages at a time.
"""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.kernels import hashing

Kind = TypeVar("Kind", bound=np.generic)

FIRST_ROWS = 1024
STEP = 1 << 19
"""Octets by which a mapping is made ready. Smaller tables are none, and double."""

_MAPS = sys.platform == "linux"
_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE of Linux 5.14, for which Python has no name."""
_TOGETHER = 64
"""Places of an index that are entered again at a time."""


class _Mapping:
    """Memory of its own, all 0 at first. What makes it or more of it raises MemoryError."""

    def __init__(self, octets: int, huge: bool) -> None:
        try:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            self._memory = mmap.mmap(-1, octets, flags=flags)
        except OSError as error:
            raise MemoryError(f"no mapping of {octets} octets") from error
        self._huge, self._ready = huge, 0
        if huge:
            with suppress(OSError):  # The system has none.
                self._memory.madvise(mmap.MADV_HUGEPAGE)
        self.make_ready(octets)

    def make_ready(self, octets: int) -> None:
        """So many octets, all of them in memory if pages are small; nobody may look at it."""
        length = len(self._memory)
        if octets > length:
            try:
                self._memory.resize(_whole(max(octets, length * 9 // 8)))
            except OSError as error:
                raise MemoryError(f"no mapping of {octets} octets") from error
        if not self._huge:
            with suppress(OSError):  # An older system: each page comes when it is touched.
                self._memory.madvise(_POPULATE_WRITE, self._ready, octets - self._ready)
        self._ready = octets

    def array(self, kind: np.dtype[Kind], shape: tuple[int, ...]) -> NDArray[Kind]:
        """What stands from its beginning on."""
        return np.frombuffer(self._memory, kind, int(np.prod(shape))).reshape(shape)


class Growing(Generic[Kind]):
    """Rows of numbers of one kind; all 0 but the first ones."""

    def __init__(
        self, kind: type[Kind], *places: int, rows: int = FIRST_ROWS, huge: bool = False
    ) -> None:
        """``places``: the shape of a row.

        ``huge``: of huge pages, if the system has them. That is for what is read all over; where
        the system of a virtual machine gives idle memory back, new huge pages are slow to come.
        """
        self._array: NDArray[Kind] = np.empty((rows, *places), kind)
        self._mapping: _Mapping | None = None
        self._huge = huge

    @property
    def array(self) -> NDArray[Kind]:
        """[row, place]; whoever holds it lets it go before more room is made."""
        return self._array

    def make_room(self, rows: int) -> None:
        """Let it have ``rows`` rows at least. Raises MemoryError."""
        held, one = len(self._array), self._array[:1].nbytes
        if rows <= held:
            return
        if max(rows, 2 * held) * one <= STEP:
            self._lengthen(max(rows, 2 * held))
        elif not _MAPS:
            self._lengthen(max(rows, held * 9 // 8))
        else:
            self._map(_whole(rows * one), _whole(rows * one) // one)

    def _lengthen(self, rows: int) -> None:
        self._array.resize((rows, *self._array.shape[1:]), refcheck=False)

    def _map(self, octets: int, rows: int) -> None:
        held, kind, places = len(self._array), self._array.dtype, self._array.shape[1:]
        if self._mapping is None:
            mapping, copied = _Mapping(octets, self._huge), self._array
            self._array = mapping.array(kind, (rows, *places))
            self._array[:held] = copied
            self._mapping = mapping
            return
        del self._array
        try:
            self._mapping.make_ready(octets)
            held = rows
        finally:
            self._array = self._mapping.array(kind, (held, *places))


def _whole(octets: int) -> int:
    """At least so many octets, in whole steps."""
    return -(-octets // STEP) * STEP


class GrowingKeys:
    """The keys of a table (see :mod:`decoders.columnar.kernels.hashing`)."""

    def __init__(self) -> None:
        self._index = Growing(np.int64, rows=2 * FIRST_ROWS, huge=True)
        self._index.array[:] = 0
        self._some = np.empty(_TOGETHER, np.int64)
        self._keys = Growing(np.int64, hashing.KEY)
        self._wide = Growing(np.int64, hashing.WIDE, rows=64)
        self._wide.array[0] = 0
        self._wide.array[0, 0] = 1

    @property
    def arrays(self) -> hashing.Keys:
        """No longer valid once there is more room."""
        return hashing.Keys(self._index.array, self._keys.array, self._wide.array)

    @property
    def octets(self) -> int:
        """Octets that they take."""
        return octets(*self.arrays)

    def make_room(self, entries: int, more: int) -> None:
        """Room for so many entries, and for ``more`` of wide addresses than there are.

        Raises MemoryError, also for more entries than can be told apart (2^31).
        """
        if entries >= hashing.MOST_ENTRIES:
            raise MemoryError("more conversations than can be told apart")
        while 8 * entries > 5 * (places := len(self._index.array)):
            self._index.make_room(2 * places)
            hashing.spread(self._index.array, places, self._some)
        self._keys.make_room(entries)
        self._wide.make_room(int(self._wide.array[0, 0]) + more)


def octets(*arrays: NDArray[Any]) -> int:
    """Octets that arrays take."""
    return sum(array.nbytes for array in arrays)
