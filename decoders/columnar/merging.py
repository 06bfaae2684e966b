"""Batches of several captures as one: runs of frames of one file, in the order mergecap gives.

The same frames as :func:`decoders.containers.Capture.frames` gives of several files: the heads of
all files are compared, the first file whose head has no time goes first, else the earliest head,
and of equal ones that of the last file. A file that goes on being the earliest is taken as a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.records import Batch
from decoders.frames import CUSTOM_BLOCK, JOURNAL_BLOCK, Interface

FRAMES = 1 << 15
"""Frames of a merged batch, about."""

_WINDOW = 64
"""Frames that are looked at first when a run is sought."""
_LAST = np.iinfo(np.int64).max


@dataclass
class _Run:
    """Frames that follow one another in one batch of one file."""

    batch: Batch
    first: int
    end: int
    interface: NDArray[np.int32]
    """Places of their interfaces among those of the merged capture."""


class _Interfaces:
    """Interfaces as mergecap numbers them: in the order in which their first frames were read."""

    def __init__(self) -> None:
        self.all: list[Interface] = []
        self._places: dict[tuple[int, Interface], int] = {}
        self._ids: dict[tuple[int, int | None, int | None], int] = {}

    def place(self, source: int, interface: Interface) -> int:
        """Where an interface of a file stands in ``all``."""
        key = (source, interface)
        if key not in self._places:
            self._places[key] = len(self.all)
            self.all.append(self._renumbered(source, interface))
        return self._places[key]

    def _renumbered(self, source: int, interface: Interface) -> Interface:
        if interface.linktype in (CUSTOM_BLOCK, JOURNAL_BLOCK):
            return interface._replace(section=1)
        key = (source, interface.section, interface.id)
        return interface._replace(id=self._ids.setdefault(key, len(self._ids)), section=1)


class _Source:
    """One file: the batch at hand and the place of its head."""

    def __init__(self, number: int, batches: Iterator[Batch], known: _Interfaces) -> None:
        self._number = number
        self._batches = batches
        self._known = known
        self.batch: Batch | None = None
        self._places: NDArray[np.int32] = np.empty(0, np.int32)
        self._read_to = 0
        self.at = 0
        self._next()

    def _next(self) -> None:
        self.batch, self.at, self._read_to = next(self._batches, None), 0, 0
        if self.batch is not None:
            self._places = np.full(len(self.batch.interfaces), -1, np.int32)
            self._read(1)

    def _read(self, end: int) -> None:
        """The frames before ``end`` have been read: their interfaces get numbers."""
        if self.batch is None or end <= self._read_to:
            return
        seen = self.batch.interface[self._read_to : end]
        found, firsts = np.unique(seen, return_index=True)
        for place in found[np.argsort(firsts)].tolist():
            if self._places[place] < 0:
                interface = self.batch.interfaces[place]
                self._places[place] = self._known.place(self._number, interface)
        self._read_to = end

    def head(self) -> int | None:
        """Time of the next frame; None when it has none."""
        if self.batch is None or not self.batch.timed[self.at]:
            return None
        return int(self.batch.time_ns[self.at])

    def take(self, end: int) -> _Run:
        """The frames up to ``end``, which are in the batch at hand."""
        if self.batch is None:
            raise IndexError("a file without a frame")
        batch, first = self.batch, self.at
        self._read(end)
        run = _Run(batch, first, end, self._places[batch.interface[first:end]])
        self.at = end
        if end == len(batch):
            self._next()
        else:
            self._read(end + 1)
        return run


def merged(sources: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """The batches of several files as those of one; none of no frames."""
    known = _Interfaces()
    files = [_Source(number, batches, known) for number, batches in enumerate(sources)]
    runs: list[_Run] = []
    frames, number = 0, 1
    while (chosen := _earliest(files)) is not None:
        source = files[chosen]
        run = source.take(_end_of_run(files, chosen))
        runs.append(run)
        frames += run.end - run.first
        if frames >= FRAMES:
            yield _batch(runs, number, known)
            number += frames
            runs, frames = [], 0
    if runs:
        yield _batch(runs, number, known)


def _earliest(files: Sequence[_Source]) -> int | None:
    best: int | None = None
    best_time = 0
    for number, source in enumerate(files):
        if source.batch is None:
            continue
        time = source.head()
        if time is None:
            return number
        if best is None or time <= best_time:
            best, best_time = number, time
    return best


def _end_of_run(files: Sequence[_Source], chosen: int) -> int:
    """Up to where the chosen file goes on being the one whose head is taken."""
    source = files[chosen]
    batch, at = source.batch, source.at
    if batch is None:
        raise IndexError("a file without a frame")
    if not batch.timed[at]:
        return at + 1
    most = _LAST
    for number, other in enumerate(files):
        time = other.head() if number != chosen and other.batch is not None else None
        if time is not None:  # of equal heads the last file's goes first
            most = min(most, time if number < chosen else time - 1)
    window = _WINDOW
    while True:
        end = min(at + window, len(batch))
        ends = (batch.time_ns[at:end] > most) | ~batch.timed[at:end]
        if ends.any():
            return at + max(1, int(ends.argmax()))
        if end == len(batch):
            return end
        window *= 4


def _batch(runs: Sequence[_Run], number: int, known: _Interfaces) -> Batch:
    octets: list[NDArray[np.uint8]] = []
    starts: list[NDArray[np.int64]] = []
    comments: dict[int, tuple[str, ...]] = {}
    base = rows = 0
    for run in runs:
        own = run.batch.starts[run.first : run.end]
        captured = run.batch.captured[run.first : run.end]
        low, high = int(own.min()), int((own + captured).max())
        octets.append(run.batch.octets[low:high])
        starts.append(own - low + base)
        base += high - low
        for row, texts in run.batch.comments.items():
            if run.first <= row < run.end:
                comments[rows + row - run.first] = texts
        rows += run.end - run.first

    return Batch(
        octets=np.concatenate(octets),
        starts=np.concatenate(starts),
        captured=np.concatenate([run.batch.captured[run.first : run.end] for run in runs]),
        wire=np.concatenate([run.batch.wire[run.first : run.end] for run in runs]),
        time_ns=np.concatenate([run.batch.time_ns[run.first : run.end] for run in runs]),
        timed=np.concatenate([run.batch.timed[run.first : run.end] for run in runs]),
        interface=np.concatenate([run.interface for run in runs]),
        interfaces=tuple(known.all),
        comments=comments,
        first=number,
    )
