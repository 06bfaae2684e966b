"""The kernel that decodes the frames of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import kernel
from decoders.columnar.kernels.sink import DELEGATED_ROW, Sink


@kernel
def decode_frames(
    sink: Sink,
    octets: NDArray[np.uint8],
    frames: NDArray[np.int64],
    first: int,
) -> int:
    """Decode frames from row ``first`` on; the row at which room ran out, or their number.

    ``frames`` [row, 5]: offset, captured octets, octets on the wire, link type, octets of frame
    check sequence (-1: not known).
    """
    for row in range(first, len(frames)):
        sink.marks[row] = DELEGATED_ROW
    return len(frames)
