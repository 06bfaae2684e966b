"""The decoders by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.row import Row

DECODERS = ("auto", "reference", "tshark")
"""What ``--decoder`` accepts; ``auto`` is the reference decoder."""


class Rows(Protocol):
    """Rows of a capture, lazily; see :func:`decoders.reference.rows`."""

    def __call__(
        self,
        capture: Capture,
        wanted: Collection[str] | None = None,
        *,
        keep: Sequence[bool] | None = None,
    ) -> Iterator[Row]: ...


def chosen(decoder: str) -> str:
    """The decoder that a name stands for."""
    return "reference" if decoder == "auto" else decoder


def rows_by(decoder: str) -> Rows:
    """The row-wise door of a decoder; raises KeyError for one that does not exist."""
    if chosen(decoder) == "reference":
        from decoders import reference

        return reference.rows
    if decoder == "tshark":
        from decoders import tshark

        return tshark.rows
    raise KeyError(decoder)
