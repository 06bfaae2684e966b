"""The packets that a refuted claim is about: a display filter, and the frames that match it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decoders.fields import FIELDS, UNSIGNED_BITS, FieldType
from harness.measuring import Shape

if TYPE_CHECKING:
    from harness.measures import Measure
    from harness.measuring import LazyFrame, View
    from harness.verdicts import Verdict

MOST_PACKETS = 1_000
"""Packets of one claim that are kept as evidence."""
MOST_KEYS = 50
"""Rows of a table that a filter asks for at most."""
_BARE = frozenset({*UNSIGNED_BITS, FieldType.IPV4, FieldType.IPV6, FieldType.ETHER})
"""Types whose key texts are values of a display filter as they are."""
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Concerned:
    """Frames that a refuted claim is about."""

    claim: str
    filter: str
    """Display filter of these frames within the claim's stage; empty for all of them."""
    stage: str
    frames: tuple[int, ...]
    """Numbers in the capture that was given, from 1; the first ones when there are many."""
    count: int
    """How many there are in all."""


def narrowed(measure: Measure, verdict: Verdict) -> str:
    """Filter of the packets that decide, without the claim's own: of a table its wrong rows."""
    keys = _wrong_keys(verdict) if measure.shape in (Shape.TABLE, Shape.RANKING) else []
    by: tuple[Any, ...] = getattr(measure, "by", ())
    if not keys or len(keys) > MOST_KEYS or len(by) != 1 or measure.name == "group_sizes":
        return measure.witness()
    if FIELDS[by[0]].type not in _BARE:
        return measure.witness()
    return f"{by[0]} in {{{', '.join(keys)}}}"


def witness_fields(measure: Measure, macros: Mapping[str, str]) -> frozenset[str]:
    """Fields that the filter of the packets that decide reads."""
    from decoders.displayfilter import FilterError, parse

    try:
        return frozenset(parse(measure.witness(), macros).fields) if measure.witness() else NONE
    except FilterError:
        return NONE


def packets_of(
    view: View, where: str | None, narrow: str, macros: Mapping[str, str]
) -> tuple[str, LazyFrame]:
    """What a further filter leaves of a claim's view, and both filters without macros.

    A filter that cannot be asked, because of a value or a field, is left out.
    """
    from decoders.displayfilter import FilterError, expression, parse

    try:
        if narrow:
            kept = view.frame.filter(expression(parse(narrow, macros), view.columns))
            whole = f"({where}) && ({narrow})" if where else narrow
            return parse(whole, macros).expanded, kept
    except (FilterError, LookupError):
        pass
    return parse(where, macros).expanded if where else "", view.frame


def _wrong_keys(verdict: Verdict) -> list[str]:
    """Keys whose published and measured counts differ; none when they cannot be told."""
    published, measured = verdict.published, verdict.measured
    if not isinstance(published, dict) or not isinstance(measured, dict):
        return []
    if not published.keys() <= measured.keys() and any(
        count and key not in measured for key, count in published.items()
    ):
        return []  # published in another notation, or absent: every packet is of interest
    return [key for key in measured if measured[key] != published.get(key, 0)]
