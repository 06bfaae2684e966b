"""A capture through the columnar decoder on all cores: read beside, decoded in threads, in order.

One thread reads and decompresses, as many as there are cores decode batches and make their tables,
and between these the caller's looks at what they owe to one another, in file order. There are
queues of a few batches, so that memory does not depend on the size of the capture.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars
from numpy.typing import NDArray

from decoders.columnar.decoder import ColumnarDecoder, Decoded
from decoders.columnar.records import OCTETS, Batch, batches
from decoders.containers import Capture

if TYPE_CHECKING:
    from decoders.table import Keep

AHEAD = 2
"""Batches that are read before anybody asks for them."""

_POLL = 0.1
"""Seconds after which a thread looks whether it is still needed."""

Item = TypeVar("Item")


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pipeline:
    """Chunks of the table of a capture; see :class:`decoders.table.Chunks`."""

    def __init__(
        self,
        capture: Capture,
        wanted: Collection[str],
        keep: Keep | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        octets: int = OCTETS,
        workers: int | None = None,
    ) -> None:
        """``octets`` of the capture make a batch; ``workers`` threads decode."""
        self._capture = capture
        self._decoder = ColumnarDecoder(wanted)
        self._keep = None if keep is None else np.asarray(keep, np.bool_)
        self._progress = progress
        self._octets = octets
        self._workers = workers or cores()

    @property
    def count(self) -> int:
        return self._decoder.count

    @property
    def malformed(self) -> int:
        return self._decoder.malformed

    @property
    def short(self) -> int:
        return self._decoder.short

    @property
    def undecoded(self) -> Counter[str]:
        return self._decoder.undecoded

    @property
    def classes(self) -> Counter[str]:
        return self._decoder.classes

    @property
    def delegated(self) -> int:
        """Rows that no kernel decoded wholly."""
        return self._decoder.delegated

    def __iter__(self) -> Iterator[polars.DataFrame]:
        yield self._decoder.empty()
        decoding: deque[Future[Decoded]] = deque()
        tables: deque[Future[polars.DataFrame]] = deque()
        source = ahead(batches(self._capture, self._octets), AHEAD)
        with ThreadPoolExecutor(self._workers) as pool, closing(source):
            for batch in source:
                kept = self._kept(batch)
                if kept is not None and not kept.any():
                    continue
                decoding.append(pool.submit(self._decoder.decode, batch, kept))
                if len(decoding) > self._workers:
                    tables.append(self._followed(decoding.popleft(), pool))
                if len(tables) > self._workers:
                    yield tables.popleft().result()
            while decoding:
                tables.append(self._followed(decoding.popleft(), pool))
            while tables:
                yield tables.popleft().result()

    def _followed(
        self, decoding: Future[Decoded], pool: ThreadPoolExecutor
    ) -> Future[polars.DataFrame]:
        """The table of the next batch, in the making."""
        decoded = decoding.result()
        self._decoder.follow(decoded)
        if self._progress is not None:
            self._progress(self._decoder.count)
        return pool.submit(self._decoder.table, decoded)

    def _kept(self, batch: Batch) -> NDArray[np.bool_] | None:
        if self._keep is None:
            return None
        first = batch.first - 1
        kept = np.zeros(len(batch), np.bool_)
        known = self._keep[first : first + len(batch)]
        kept[: len(known)] = known
        return kept


class _Failed:
    """What a thread could not go on for."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(items: Iterator[Item], count: int) -> Generator[Item, None, None]:
    """The same items, the next ``count`` of them made in a thread meanwhile."""
    made: Queue[Item | _Failed | None] = Queue(count)
    done = Event()

    def put(item: Item | _Failed | None) -> bool:
        while not done.is_set():
            try:
                made.put(item, timeout=_POLL)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            put(_Failed(error))
        else:
            put(None)

    thread = Thread(target=make, name="replicap-reader", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        done.set()
        thread.join()
