"""Memory that a command gives back to the system."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

LARGE = 4_000_000
"""Octets of buffers that are given back as soon as nobody needs them."""

_M_MMAP_THRESHOLD = -3
"""``mallopt(3)``"""


def give_back_large_buffers() -> None:
    """Have the C library give buffers of LARGE octets back to the system.

    Once glibc has freed a large buffer it keeps what comes after it for itself, in pieces: 250 MB
    of a capture of 10 million packets. Other libraries are left alone, and so is one that the user
    has told otherwise.
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    import ctypes

    with suppress(OSError, AttributeError):  # There is no mallopt.
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
