"""The decoders by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.row import Row

COLUMNAR = "columnar"

DECODERS = ("auto", "reference", COLUMNAR, "tshark")
"""What ``--decoder`` accepts."""

LARGE_OCTETS = 2_000_000
"""Octets of a capture from which on ``auto`` is the columnar decoder, once its kernels are
compiled: below, the reference decoder is done before the other has loaded them (about 25,000
packets of 66 octets take both of them a second)."""

UNCOMPILED_OCTETS = 50_000_000
"""The same as long as they are not: compiling them takes one processor half a minute, in which
the reference decoder decodes 600,000 packets."""

_OURS = "replicap."
"""Prefix of the fields that Wireshark does not have."""
_BESIDE_TSHARK = frozenset({"replicap.class", "replicap.scanner", "replicap.undecoded"})
"""Those that are worked out from tshark's fields, or say nothing of a packet that tshark sees."""

_EXPANSION = 4
"""Octets that an octet of a compressed capture stands for, about."""

_KERNELS = Path(__file__).parent / "columnar" / "kernels"
_COMPILED = "*decode_frames-*.nbi"
"""Where numba notes what it has compiled of the kernel that all others are parts of."""


class Rows(Protocol):
    """Rows of a capture, lazily; see :func:`decoders.reference.rows`."""

    def __call__(
        self,
        capture: Capture,
        wanted: Collection[str] | None = None,
        *,
        keep: Iterable[bool] | None = None,
    ) -> Iterator[Row]: ...


def chosen(decoder: str, capture: Capture) -> str:
    """The decoder that a name stands for; ``auto`` depends on the size of the capture."""
    if decoder != "auto":
        return decoder
    octets = octets_about(capture)
    if octets >= UNCOMPILED_OCTETS or (octets >= LARGE_OCTETS and kernels_are_compiled()):
        return COLUMNAR
    return "reference"


def kernels_are_compiled() -> bool:
    """Whether compiled kernels, not older than their sources, lie where numba keeps them.

    Looked up without numba, which takes long to load. A wrong answer costs time, nothing else.
    """
    changed = max(path.stat().st_mtime for path in _KERNELS.glob("*.py"))
    named = os.environ.get("NUMBA_CACHE_DIR")
    beside = _KERNELS.parent / "__pycache__"
    folder = Path(named) if named else beside
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return any(
        version in path.name and path.stat().st_mtime >= changed
        for path in folder.glob(f"replicap-*/*/{_COMPILED}")
    )


def not_given(decoder: str, names: Iterable[str]) -> list[str]:
    """Those of some fields that a decoder leaves empty in every packet, sorted.

    tshark prints Wireshark's fields only: not the octets that ``contains`` and slices of a protocol
    look into, nor the addresses that belong to a TCP or UDP header.
    """
    if decoder != "tshark":
        return []
    return sorted(name for name in names if name.startswith(_OURS) and name not in _BESIDE_TSHARK)


def octets_about(capture: Capture) -> int:
    """Octets of a capture, estimated when it is compressed."""
    return capture.octets * (_EXPANSION if "+" in capture.format else 1)


def rows_by(decoder: str) -> Rows:
    """The row-wise door of a decoder; raises KeyError for one that does not exist."""
    if decoder == "reference":
        from decoders import reference

        return reference.rows
    if decoder == "tshark":
        from decoders import tshark

        return tshark.rows
    raise KeyError(decoder)
