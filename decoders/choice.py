"""The decoders by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.row import Row

COLUMNAR = "columnar"

DECODERS = ("auto", "reference", COLUMNAR, "tshark")
"""What ``--decoder`` accepts."""

LARGE_OCTETS = 1 << 50
"""Octets of a capture from which on ``auto`` is the columnar decoder: below, the reference decoder
is ready before the other has loaded its compiled kernels (see docs/benchmarks.md)."""

_OURS = "replicap."
"""Prefix of the fields that Wireshark does not have."""
_BESIDE_TSHARK = frozenset({"replicap.class", "replicap.scanner", "replicap.undecoded"})
"""Those that are worked out from tshark's fields, or say nothing of a packet that tshark sees."""

_EXPANSION = 4
"""Octets that an octet of a compressed capture stands for, about."""


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
    return COLUMNAR if octets_about(capture) >= LARGE_OCTETS else "reference"


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
