"""Classifies the frames of whole batches; what was seen persists from batch to batch.

Memory: 17 octets and at most 26 of an index for each conversation of TCP or UDP, for each two
addresses that met, and for each two of which one pinged the other; 32 more with IPv6. Nothing is
forgotten, as in :mod:`decoders.classify`.
"""

from __future__ import annotations

import secrets
from collections import Counter

import numpy as np

from decoders.columnar import growing
from decoders.columnar.classes import CLASS_NAMES, I64, Classified
from decoders.columnar.kernels import classes


class Classifier:
    """Classifies the packets of one capture; feed it the facts of every batch in file order."""

    def __init__(self) -> None:
        self._keys = growing.GrowingKeys()
        self._marks = growing.Growing(np.uint8)
        self._state = np.zeros(classes.SEEN_STATES, np.int64)
        self._state[classes.SEED] = secrets.randbits(32)
        self._hashes = np.empty((2, classes.AHEAD), np.int64)
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
        self._state[classes.PAIR_AT] = 0
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
        return self._keys.octets + growing.octets(self._marks.array)

    @property
    def _seen(self) -> classes.Seen:
        return classes.Seen(self._keys.arrays, self._marks.array, self._state, self._hashes)

    def _grow(self) -> None:
        needed, known = int(self._state[classes.NEEDED]), int(self._state[classes.ENTRIES])
        self._keys.make_room(needed, needed - known)
        self._marks.make_room(needed)
