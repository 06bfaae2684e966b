"""Kernels that make Arrow's views: of texts, and of stretches of octets.

A view is two 64-bit words: the size, then up to 12 octets (the word's upper half, and the next
word). Of more octets only the first four stand there; the second word tells the buffer (lower half)
and the place in it (upper half) where all of them are. A row that has nothing has a view of zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.kernels.sink import SPAN_BITS

I64 = NDArray[np.int64]
Octets = NDArray[np.uint8]

INLINE = 12
"""Octets that a view holds itself (Arrow columnar format, variable-size binary view layout)."""
MOST_FILLED = 15
"""Octets of what is filled into a text: 255.255.255.255."""
RECENT = 256
"""Texts with something filled in that :func:`text_views` does not spell once more."""

WHOLE, NUMBER, ADDRESS = range(3)
"""What is filled into a text: nothing, a number, or an IPv4 address."""
BEFORE, BEFORE_SIZE, BEHIND, BEHIND_SIZE, KIND = range(5)
PARTS = 5

_SIZE_MASK = (1 << SPAN_BITS) - 1
_START_MASK = (1 << (63 - SPAN_BITS)) - 1
_LOWER_HALF = (1 << 32) - 1
_ALL_BUT_SIGN = (1 << 63) - 1

_POWERS = tuple(10**digits for digits in range(1, 8))
_SPELT = np.array([int.from_bytes(b"%d" % octet, "little") for octet in range(256)])
"""Decimal digits of an octet, the first one lowest."""


class Wordings(NamedTuple):
    """Texts by keys, in open addressing: a key stands at the place that its lowest bits tell, or
    behind it. The number of places is a power of two; at least one is free."""

    keys: I64
    """[place]: -1 where no key is."""
    views: I64
    """[place, 2]: of the whole text, which stands in data buffer 0 when it is long."""
    parts: I64
    """[place, PARTS]: where in ``words`` the text before the hole is, its octets, those of the text
    behind the hole, and WHOLE, NUMBER or ADDRESS."""
    words: I64
    """Octets of texts, the lowest one of a word first; zeros behind the end of each."""
    octets: Octets
    """Data buffer 0."""


@inlined
def _has(bits: Octets, row: int) -> bool:
    return (bits[row >> 3] >> (row & 7)) & 1 != 0


@inlined
def _word(source: Octets, start: int, size: int) -> int:
    """Up to eight octets as a number, the first one lowest."""
    word = np.int64(0)
    if start + 8 <= len(source):
        for nth in range(8):
            word |= np.int64(source[start + nth]) << (8 * nth)
        return word if size >= 8 else word & ((np.int64(1) << (8 * size)) - 1)
    for nth in range(size):
        word |= np.int64(source[start + nth]) << (8 * nth)
    return word


@inlined
def _place(keys: I64, key: int) -> int:
    """Where a key stands; -1 when it does not."""
    last = len(keys) - 1
    place = key & last
    while keys[place] != key:
        if keys[place] < 0:
            return -1
        place = (place + 1) & last
    return place


@inlined
def _append(word: int, size: int, words: I64, at: int, filled: int) -> int:
    """Put up to eight octets, the lowest one first, behind ``filled`` octets from words[at] on.

    Returns how many there are then. Above ``size`` octets ``word`` is 0, and so is what is not
    filled yet of the word that they begin in.
    """
    place, shift = at + (filled >> 3), 8 * (filled & 7)
    words[place] |= word << shift
    words[place + 1] = ((word >> 1) & _ALL_BUT_SIGN) >> (63 - shift)
    return filled + size


@inlined
def _append_text(source: I64, begin: int, size: int, words: I64, at: int, filled: int) -> int:
    for nth in range(0, size, 8):
        word = source[begin + (nth >> 3)]
        filled = _append(word, min(8, size - nth), words, at, filled)
    return filled


@inlined
def _digits(number: int) -> int:
    """Eight decimal digits of a number below 10^8 as a word: halves, halves of these, digits."""
    word = number // 10_000 | (number % 10_000 << 32)
    high = ((word * 10_486) >> 20) & 0x0000007F_0000007F
    word = high | ((word - 100 * high) << 16)
    high = ((word * 103) >> 10) & 0x000F000F_000F000F
    word = high | ((word - 10 * high) << 8)
    return word | 0x30303030_30303030


@inlined
def _append_number(number: int, words: I64, at: int, filled: int) -> int:
    """Decimal digits of a number below 2^32."""
    if number >= 100_000_000:
        filled = _append_number_below(number // 100_000_000, words, at, filled)
        return _append(_digits(number % 100_000_000), 8, words, at, filled)
    return _append_number_below(number, words, at, filled)


@inlined
def _append_number_below(number: int, words: I64, at: int, filled: int) -> int:
    """Decimal digits of a number below 10^8."""
    size = 1
    for power in _POWERS:
        size += number >= power
    return _append(_digits(number) >> (64 - 8 * size), size, words, at, filled)


@inlined
def _append_address(address: int, words: I64, at: int, filled: int) -> int:
    """A dotted quad."""
    for shift in range(24, -8, -8):
        octet = (address >> shift) & 255
        word, size = _SPELT[octet], 1 + (octet >= 10) + (octet >= 100)
        if shift:
            word, size = word | (np.int64(46) << (8 * size)), size + 1
        filled = _append(word, size, words, at, filled)
    return filled


@inlined
def _fill(wordings: Wordings, place: int, argument: int, words: I64, at: int) -> int:
    """A text with its argument, from words[at] on; returns how many octets it has."""
    source, parts = wordings.words, wordings.parts
    words[at] = 0
    filled = _append_text(source, parts[place, BEFORE], parts[place, BEFORE_SIZE], words, at, 0)
    if parts[place, KIND] == NUMBER:
        filled = _append_number(argument, words, at, filled)
    else:
        filled = _append_address(argument, words, at, filled)
    return _append_text(source, parts[place, BEHIND], parts[place, BEHIND_SIZE], words, at, filled)


@kernel
def text_views(
    codes: I64,
    bits: Octets,
    shift: int,
    told: I64,
    wordings: Wordings,
    recent: I64,
    views: I64,
    behind: I64,
) -> int:
    """Views of texts; words used of ``behind``, which is data buffer 1.

    A code below 0 stands for the text -1 - code of ``told`` [text, 2], views whose long texts are
    in data buffer 2. Others stand for a text of ``wordings`` whose key is the code shifted by
    ``shift``, and for what is filled in. ``behind`` has room for the longest text in each row;
    ``recent`` [RECENT, 3] is -1. Returns -1 - row at a code that stands for nothing.
    """
    used = 0
    for row in range(len(codes)):
        if not _has(bits, row):
            views[row, 0] = views[row, 1] = 0
            continue
        code = codes[row]
        if code < 0:
            views[row, 0], views[row, 1] = told[-1 - code, 0], told[-1 - code, 1]
            continue
        place = _place(wordings.keys, code >> shift)
        if place < 0:
            return -1 - row
        if wordings.parts[place, KIND] == WHOLE:
            views[row, 0], views[row, 1] = wordings.views[place, 0], wordings.views[place, 1]
            continue
        again = (code ^ (code >> 8) ^ (code >> 16) ^ (code >> 24)) & (RECENT - 1)
        if recent[again, 0] != code:
            recent[again, 0] = code
            size = _fill(wordings, place, code & _LOWER_HALF, behind, used)
            recent[again, 1] = size | (behind[used] << 32)
            if size > INLINE:
                recent[again, 2] = (used << 35) | 1
                used += (size + 7) >> 3
            else:
                more = behind[used + 1] << 32 if size > 8 else 0
                recent[again, 2] = ((behind[used] >> 32) & _LOWER_HALF) | more
        views[row, 0], views[row, 1] = recent[again, 1], recent[again, 2]
    return used


@inlined
def _encode(source: Octets, start: int, size: int, target: Octets, at: int) -> None:
    """Octets as UTF-8, a character (U+0000 to U+00FF) for each."""
    for nth in range(size):
        octet = source[start + nth]
        further = np.int64(octet >> 7)
        # Without a branch, which nobody could predict: of one octet the second is the first.
        target[at + further] = 0x80 | (octet & 63)
        target[at] = 0xC0 | (octet >> 6) if further else octet
        at += 1 + further


@kernel
def same_spans(codes: I64, octets: Octets) -> bool:
    """Whether all spans, of which there is one at least, hold the same of these octets."""
    size, first = codes[0] & _SIZE_MASK, (codes[0] >> SPAN_BITS) & _START_MASK
    for row in range(len(codes)):
        start = (codes[row] >> SPAN_BITS) & _START_MASK
        if codes[row] & _SIZE_MASK != size or start + size > len(octets):
            return False
        for nth in range(size):
            if octets[start + nth] != octets[first + nth]:
                return False
    return True


@kernel
def span_views(
    codes: I64, bits: Octets, octets: Octets, extra: Octets, text: bool, views: I64, shown: Octets
) -> int:
    """Views of spans, or of a character for each of their octets when they are a ``text``.

    Spans may lie in ``extra``, which follows ``octets``. ``shown`` are the octets of ``views``.
    Returns how many octets do not fit into their view: room that :func:`put_behind` needs.
    """
    used = 0
    border = len(octets)
    for row in range(len(codes)):
        views[row, 0] = views[row, 1] = 0
        if not _has(bits, row):
            continue
        size, start = codes[row] & _SIZE_MASK, (codes[row] >> SPAN_BITS) & _START_MASK
        source = octets
        if start >= border:
            source, start = extra, start - border
        total = size
        if text:
            for nth in range(size):
                total += source[start + nth] >> 7
        views[row, 0] = total
        if total > INLINE:
            views[row, 1] = used << 32
            used += total
        elif total != size:
            _encode(source, start, size, shown, 16 * row + 4)
        else:
            views[row, 0] |= _word(source, start, min(size, 4)) << 32
            if size > 4:
                views[row, 1] = _word(source, start + 4, size - 4)
    return used


@kernel
def put_behind(
    codes: I64, bits: Octets, octets: Octets, extra: Octets, views: I64, behind: Octets
) -> None:
    """Put the octets that do not fit into their view, made by :func:`span_views`, into ``behind``,
    and the first four into the view."""
    border = len(octets)
    for row in range(len(codes)):
        if not _has(bits, row):
            continue
        total = views[row, 0] & _LOWER_HALF
        if total <= INLINE:
            continue
        size, start = codes[row] & _SIZE_MASK, (codes[row] >> SPAN_BITS) & _START_MASK
        source = octets
        if start >= border:
            source, start = extra, start - border
        at = views[row, 1] >> 32
        if total == size:
            for nth in range(size):
                behind[at + nth] = source[start + nth]
        else:
            _encode(source, start, size, behind, at)
        views[row, 0] |= _word(behind, at, 4) << 32
