"""Classifies the frames of whole batches; what was seen persists from batch to batch.

Memory: 48 octets and at most 32 of an index for each conversation of TCP or UDP, for each two
addresses that met, and for each two of which one pinged the other. Nothing is forgotten, as in
:mod:`decoders.classify`.
"""

from __future__ import annotations

import secrets
from collections import Counter

import numpy as np

from decoders.columnar.classes import CLASS_NAMES, I64, Classified
from decoders.columnar.kernels import classes, hashing

_FIRST_ENTRIES = 1024


class Classifier:
    """Classifies the packets of one capture; feed it the facts of every batch in file order."""

    def __init__(self) -> None:
        self._seen = classes.Seen(
            index=np.zeros(2 * _FIRST_ENTRIES, np.int64),
            entries=np.empty((_FIRST_ENTRIES, classes.ENTRY), np.int64),
            state=np.zeros(classes.SEEN_STATES, np.int64),
            hashes=np.empty((2, classes.AHEAD), np.int64),
        )
        self._seen.state[classes.SEED] = secrets.randbits(32)
        self.counts: Counter[str] = Counter()
        """Class -> frames so far."""

    def annotate(self, facts: I64, pairs: I64) -> Classified:
        """Classes and scanners of the next rows.

        ``facts`` [row, FACTS]; ``pairs`` [pair, PAIR_PLACES] in the order of their rows. Raises
        MemoryError for more conversations and pairs than can be told apart (2^31), ValueError for
        pairs that are out of order.
        """
        rows = pairs[:, 0]
        if len(rows) and (rows[0] < 0 or rows[-1] >= len(facts) or (np.diff(rows) < 0).any()):
            raise ValueError("pairs of addresses are not in the order of their rows")
        found = Classified(np.empty(len(facts), np.uint8), np.empty(len(facts), np.uint8))
        self._seen.state[classes.PAIR_AT] = 0
        row = 0
        while True:
            row = classes.classify(self._seen, facts, pairs, found.classes, found.scanners, row)
            if row == len(facts):
                break
            self._grow()
        counts = np.bincount(found.classes, minlength=len(CLASS_NAMES)).tolist()
        self.counts.update({name: n for name, n in zip(CLASS_NAMES, counts, strict=True) if n})
        return found

    @property
    def octets(self) -> int:
        """Octets that the state takes."""
        return self._seen.index.nbytes + self._seen.entries.nbytes

    def _grow(self) -> None:
        needed = int(self._seen.state[classes.NEEDED])
        if needed >= hashing.MOST_ENTRIES:
            raise MemoryError("more conversations and pairs than can be told apart")
        index = self._seen.index
        while 2 * needed > len(index):
            index = hashing.larger_index(index)
        self._seen = self._seen._replace(
            index=index, entries=hashing.with_room(self._seen.entries, needed)
        )
