"""What the frame kernels hand to the conversation kernels: TCP and UDP headers as arrays.

One entry a header, own and quoted ones, in the order of frames and within a frame from the wire
inwards. Addresses are two unsigned 64-bit halves, most significant first, in network order as a
number; of IPv4 ``hi`` is 0 and ``lo`` the address, and ``version`` tells the two apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
"""A length, scale or place that is not known."""

NO_SCALE_OPTION = -2
"""``window_scale`` of a SYN whose options were walked and hold no window scale."""

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]
Flags = NDArray[np.bool_]


class Ends(NamedTuple):
    """Both ends of each header."""

    version: I8
    """4 or 6."""
    src_hi: U64
    src_lo: U64
    dst_hi: U64
    dst_lo: U64
    srcport: I32
    dstport: I32


class Segments(NamedTuple):
    """TCP headers; numbers are raw, lengths in octets."""

    row: I64
    """Row of the batch that holds the header, from 0."""
    frame: I64
    """``frame.number`` of that row."""
    time_ns: I64
    timed: Flags
    """Whether the frame has a time stamp."""
    quoted: Flags
    ends: Ends
    seq: I64
    ack: I64
    flags: I32
    """Twelve bits."""
    window: I32
    length: I64
    """Octets of payload; ABSENT in fragments, quotations and segments shorter than their header."""
    options_cut: Flags
    window_scale: I32
    """Value of the option, at most 14; ABSENT: no option was looked at; NO_SCALE_OPTION."""
    shows_flags: Flags
    """Whether the row has ``tcp.flags`` among its own fields (also of another header)."""
    hands_up: Flags
    """Whether a payload protocol stands in the row that an analysis mark takes back."""


class Datagrams(NamedTuple):
    """UDP headers."""

    row: I64
    quoted: Flags
    ends: Ends
