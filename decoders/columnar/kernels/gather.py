"""Kernels that turn what was found into the columns of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import inlined, kernel
from decoders.columnar.kernels.sink import HEADER_QUOTED, HEADER_ROW, HEADER_TCP, SPAN_BITS
from decoders.columnar.transport import NOTHING

INLINE = 12
"""Octets that a view holds itself (Arrow columnar format, variable-size binary view layout)."""
_SIZE_MASK = (1 << SPAN_BITS) - 1


@inlined
def _view(
    views: NDArray[np.uint8], row: int, source: NDArray[np.uint8], start: int, size: int, long: int
) -> None:
    """A view of ``size`` octets at ``start``; when they are many they stand at ``long`` behind."""
    for nth in range(4):
        views[row, nth] = (size >> (8 * nth)) & 255
    held = size if size <= INLINE else 4
    for nth in range(held):
        views[row, 4 + nth] = source[start + nth]
    if size > INLINE:
        for nth in range(4):
            views[row, 12 + nth] = (long >> (8 * nth)) & 255


@kernel
def long_octets(values: NDArray[np.int64], valid: NDArray[np.uint8]) -> int:
    """Octets of all spans that do not fit into their view."""
    total = 0
    for row in range(len(values)):
        if valid[row]:
            size = values[row] & _SIZE_MASK
            if size > INLINE:
                total += size
    return total


@kernel
def spans_to_views(
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
    octets: NDArray[np.uint8],
    extra: NDArray[np.uint8],
    views: NDArray[np.uint8],
    behind: NDArray[np.uint8],
) -> None:
    """Arrow's views of spans; ``views`` [row, 16] is zero. Spans may lie in ``extra``, which
    follows ``octets``."""
    long = 0
    border = len(octets)
    for row in range(len(values)):
        if not valid[row]:
            continue
        size = values[row] & _SIZE_MASK
        start = values[row] >> SPAN_BITS
        source = octets
        if start >= border:
            source, start = extra, start - border
        _view(views, row, source, start, size, long)
        if size > INLINE:
            for nth in range(size):
                behind[long + nth] = source[start + nth]
            long += size


@kernel
def text_octets(
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
    octets: NDArray[np.uint8],
    extra: NDArray[np.uint8],
) -> int:
    """Room that :func:`spans_to_text_views` needs: octets of all texts, in UTF-8."""
    total = 0
    border = len(octets)
    for row in range(len(values)):
        if not valid[row]:
            continue
        size = values[row] & _SIZE_MASK
        start = values[row] >> SPAN_BITS
        source = octets
        if start >= border:
            source, start = extra, start - border
        total += size
        for nth in range(size):
            total += source[start + nth] >> 7
    return total


@kernel
def spans_to_text_views(
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
    octets: NDArray[np.uint8],
    extra: NDArray[np.uint8],
    views: NDArray[np.uint8],
    behind: NDArray[np.uint8],
) -> None:
    """Arrow's views of spans as text, a character (U+0000 to U+00FF) for each octet; see
    :func:`spans_to_views`."""
    used = 0
    border = len(octets)
    for row in range(len(values)):
        if not valid[row]:
            continue
        size = values[row] & _SIZE_MASK
        start = values[row] >> SPAN_BITS
        source = octets
        if start >= border:
            source, start = extra, start - border
        at = used
        for nth in range(size):
            octet = source[start + nth]
            if octet < 128:
                behind[at] = octet
                at += 1
            else:
                behind[at] = 0xC0 | (octet >> 6)
                behind[at + 1] = 0x80 | (octet & 63)
                at += 2
        _view(views, row, behind, used, at - used, used)
        if at - used > INLINE:
            used = at


@kernel
def order_events(
    events: NDArray[np.int64], starts: NDArray[np.int64], ordered: NDArray[np.int64]
) -> None:
    """Sort events by their code.

    ``starts`` [code] says where each code's events begin, and afterwards where they end.
    """
    for event in range(len(events)):
        code = events[event, 1]
        ordered[starts[code]] = event
        starts[code] += 1


@kernel
def scatter_events(
    events: NDArray[np.int64],
    chosen: NDArray[np.int64],
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
) -> None:
    """Put some events into a dense array."""
    for event in chosen:
        values[events[event, 0]] = events[event, 2]
        valid[events[event, 0]] = 1


@kernel
def put_first(
    headers: NDArray[np.int64],
    numbers: NDArray[np.int64],
    tcp: int,
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
    left: NDArray[np.bool_],
) -> int:
    """Put what own headers of TCP (1) or UDP (0) are told into rows that have nothing yet.

    ``left`` [header] says which have to go elsewhere: behind what is there, or to quoted fields.
    Returns how many these are.
    """
    count = 0
    for at in range(len(headers)):
        left[at] = False
        if headers[at, HEADER_TCP] != tcp or numbers[at] == NOTHING:
            continue
        row = headers[at, HEADER_ROW]
        if headers[at, HEADER_QUOTED] or valid[row]:
            left[at] = True
            count += 1
        else:
            values[row] = numbers[at]
            valid[row] = 1
    return count


LONGEST_IPV4 = 15
"""Octets of the longest text of an IPv4 address."""


@kernel
def addresses_to_views(
    values: NDArray[np.int64],
    valid: NDArray[np.uint8],
    views: NDArray[np.uint8],
    behind: NDArray[np.uint8],
    text: NDArray[np.uint8],
) -> int:
    """Arrow's views of IPv4 addresses as dotted quads; octets used of ``behind``.

    ``views`` [row, 16] is zero; ``behind`` has room for LONGEST_IPV4 octets a row, ``text``
    for one.
    """
    long = 0
    for row in range(len(values)):
        if not valid[row]:
            continue
        size = 0
        for part in range(4):
            octet = (values[row] >> (24 - 8 * part)) & 255
            if part:
                text[size] = 46
                size += 1
            if octet >= 100:
                text[size] = 48 + octet // 100
                size += 1
            if octet >= 10:
                text[size] = 48 + octet // 10 % 10
                size += 1
            text[size] = 48 + octet % 10
            size += 1
        _view(views, row, text, 0, size, long)
        if size > INLINE:
            for nth in range(size):
                behind[long + nth] = text[nth]
            long += size
    return long
