"""Texts by the codes that stand for them, as kernels look them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.kernels.views import (
    ADDRESS,
    BEFORE_SIZE,
    BEHIND_SIZE,
    INLINE,
    KIND,
    MOST_FILLED,
    NUMBER,
    PARTS,
    WHOLE,
    Wordings,
)

Octets = NDArray[np.uint8]

Phrase = tuple[str, int, str]
"""What stands before and behind what is filled in, and what that is: WHOLE, NUMBER, ADDRESS."""


def views_of(texts: Sequence[str], buffer: int) -> tuple[NDArray[np.int64], Octets]:
    """Views [text, 2] of texts, and the octets of data buffer ``buffer`` that they point to."""
    encoded = [text.encode() for text in texts]
    sizes = np.array([len(octets) for octets in encoded], np.int64)
    starts = np.cumsum(sizes) - sizes
    octets = np.frombuffer(b"".join((*encoded, bytes(INLINE))), np.uint8)
    places = np.arange(INLINE)
    heads = octets[starts[:, None] + places]
    heads[places >= np.where(sizes > INLINE, 4, sizes)[:, None]] = 0
    views = np.zeros((len(texts), 16), np.uint8)
    views[:, :4] = sizes.astype(np.uint32)[:, None].view(np.uint8)
    views[:, 4:] = heads
    pointers = views.view(np.int64)[:, 1]
    pointers[sizes > INLINE] = (starts << 32 | buffer)[sizes > INLINE]
    return views.view(np.int64), octets


def wordings_of(phrases: Mapping[int, Phrase]) -> Wordings:
    """The table of phrases by their keys, which are 0 or more."""
    views, octets = views_of([before + behind for before, _, behind in phrases.values()], 0)
    slots = 1 << (2 * len(phrases) - 1).bit_length()
    keys = np.full(slots, -1, np.int64)
    placed = np.zeros((slots, 2), np.int64)
    parts = np.zeros((slots, PARTS), np.int64)
    words = bytearray()
    for (key, (before, kind, behind)), view in zip(phrases.items(), views, strict=True):
        place = key % slots
        while keys[place] >= 0:
            place = (place + 1) % slots
        keys[place], placed[place] = key, view
        if kind != WHOLE:
            parts[place] = *_add(words, before), *_add(words, behind), kind
    return Wordings(keys, placed, parts, np.frombuffer(bytes(words), np.int64), octets)


def _add(words: bytearray, text: str) -> tuple[int, int]:
    """Put a text into words of its own; which one is the first, and octets of the text."""
    at, octets = len(words) // 8, text.encode()
    words += octets.ljust(-(-len(octets) // 8) * 8, b"\0")
    return at, len(octets)


def longest(wordings: Wordings) -> int:
    """Words that kernels write for the longest text with something filled in, at most."""
    sizes = wordings.parts[:, BEFORE_SIZE] + wordings.parts[:, BEHIND_SIZE]
    filled = wordings.parts[:, KIND] != WHOLE
    return int(np.max((sizes + MOST_FILLED) // 8 + 2, where=filled, initial=0))


def whole(text: str) -> Phrase:
    """A text without a hole."""
    return text, WHOLE, ""


def template(text: str) -> Phrase:
    """A text with a hole ``{}`` for a number, or without any."""
    before, hole, behind = text.partition("{}")
    return before, NUMBER if hole else WHOLE, behind


DOTTED_QUADS = wordings_of({0: ("", ADDRESS, "")})
"""IPv4 addresses, under the key 0."""
