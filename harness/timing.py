"""Measures of time: first and last packet, duration, rate, spread over bins, intervals.

All use ``frame.time_epoch``, in whole nanoseconds. A packet without a time stamp is left out and
the value's note says how many were.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from harness.inverse import Inverse
from harness.measuring import (
    Duration,
    FieldNames,
    Headers,
    Measure,
    Measured,
    MeasureError,
    Plan,
    Row,
    Shape,
    View,
    key_names,
    packets_text,
    values,
)
from harness.quantities import NS_PER_SECOND

if TYPE_CHECKING:
    from harness.measuring import LazyFrame

TIME_FIELD = "frame.time_epoch"
TIME_COLUMN = "frame_time_epoch"
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Timed(Measure):
    """What the measures of time have in common."""

    def fields(self) -> set[str]:
        return {TIME_FIELD}


class _Span:
    """Earliest and latest time of a view, and how many packets have one."""

    def __init__(self, rows: Sequence[Row]) -> None:
        first, last, packets, timed = rows[0]
        self.packets, self.timed = int(packets), int(timed)
        self.first: int | None = first
        self.last: int | None = last
        without = self.packets - self.timed
        self.note = f"{packets_text(without)} without a time left out" if without else ""

    def ends(self) -> tuple[int, int]:
        """Earliest and latest time, ns. Raises MeasureError."""
        if self.first is None or self.last is None:
            found = "no packet in the view" if not self.packets else "no packet has a time"
            raise MeasureError(found)
        return self.first, self.last


def _span_query(view: View) -> LazyFrame:
    import narwhals as nw

    time = nw.col(TIME_COLUMN)
    return view.frame.select(
        time.min().alias("first"),
        time.max().alias("last"),
        nw.len().alias("packets"),
        time.count().alias("timed"),
    )


class First(Timed):
    """Earliest time of a packet in the view, which need not be the first one in the file."""

    name: ClassVar[str] = "first"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.FIRST,)
    shape: ClassVar[Shape] = Shape.TIME

    def plan(self, view: View) -> Plan:
        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            span = _Span(found[0])
            return Measured(Shape.TIME, span.ends()[0], note=span.note)

        return Plan((_span_query(view),), finish)


class Last(Timed):
    """Latest time of a packet in the view, which need not be the last one in the file."""

    name: ClassVar[str] = "last"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.LAST,)
    shape: ClassVar[Shape] = Shape.TIME

    def plan(self, view: View) -> Plan:
        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            span = _Span(found[0])
            return Measured(Shape.TIME, span.ends()[1], note=span.note)

        return Plan((_span_query(view),), finish)


class DurationMeasure(Timed):
    """Seconds from the earliest to the latest packet, exact."""

    name: ClassVar[str] = "duration"
    inverse: ClassVar[tuple[Inverse, ...]] = (
        Inverse.LAST,
        Inverse.FIRST,
    )
    unit: ClassVar[str] = "s"

    def plan(self, view: View) -> Plan:
        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            span = _Span(found[0])
            first, last = span.ends()
            return Measured(Shape.NUMBER, Fraction(last - first, NS_PER_SECOND), note=span.note)

        return Plan((_span_query(view),), finish)


class Rate(Timed):
    """Packets per unit of time: over a stated duration, or from the first to the last packet.

    Over a stated duration packets without a time count as well. Raises MeasureError when the
    first and the last packet have one time.
    """

    name: ClassVar[str] = "rate"
    inverse: ClassVar[tuple[Inverse, ...]] = (
        Inverse.COUNT,
        Inverse.LAST,
    )
    main: ClassVar[str] = "per"
    per: Literal["second", "minute", "hour", "day"]
    over: Duration | None = None

    def plan(self, view: View) -> Plan:
        return Plan((_span_query(view),), self._finish)

    def _finish(self, found: Sequence[Sequence[Row]]) -> Measured:
        span = _Span(found[0])
        if self.over is not None:
            return Measured(Shape.NUMBER, self.of_packets(span.packets, 0, 0))
        return Measured(Shape.NUMBER, self.of_packets(span.timed, *span.ends()), note=span.note)

    def of_packets(self, packets: int, first: int, last: int) -> Fraction:
        """The rate of so many packets from one time to another, ns. Raises MeasureError."""
        unit = UNITS[self.per]
        if self.over is not None:
            return packets * unit / self.over
        if first == last:
            raise MeasureError("the packets have one time, a rate needs a duration: give `over`")
        return Fraction(packets * NS_PER_SECOND, last - first) * unit


Spreads = Literal[
    "largest_share", "smallest_share", "max_over_mean", "min_over_mean", "max", "min", "empty"
]


class Spread(Timed):
    """How evenly packets fall into time bins of one length.

    The first bin starts at the earliest packet of the view. There are as many bins as ``over``
    holds, packets behind them being left out, or as many as reach the latest packet: then the last
    one may be cut short. ``max`` and ``min`` are the packets of the fullest and the emptiest bin,
    ``largest_share`` and ``smallest_share`` these as parts of all packets, ``max_over_mean`` and
    ``min_over_mean`` divided by the mean of all bins, ``empty`` is the number of bins without one.
    """

    name: ClassVar[str] = "spread"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.BINS,)
    main: ClassVar[str] = "bin"
    bin: Duration
    statistic: Spreads = "largest_share"
    over: Duration | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.bin * NS_PER_SECOND).denominator != 1:
            raise ValueError("bin: expected whole nanoseconds")
        if self.over is not None and (self.over / self.bin).denominator != 1:
            raise ValueError("over: expected a whole number of bins")
        return self

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        width = int(self.bin * NS_PER_SECOND)
        time = nw.col(TIME_COLUMN)
        since = view.frame.select(TIME_COLUMN).drop_nulls().select((time - time.min()).alias("ns"))
        # Start of the bin, not its number: integer division is not exact on every engine.
        slots = since.select((nw.col("ns") - nw.col("ns") % width).alias("slot"))
        return Plan(
            (slots.group_by("slot").agg(nw.len().alias("packets")), _span_query(view)), self._finish
        )

    def _finish(self, found: Sequence[Sequence[Row]]) -> Measured:
        span = _Span(found[1])
        first, last = span.ends()
        width = int(self.bin * NS_PER_SECOND)
        filled = {int(slot) // width: int(packets) for slot, packets in found[0]}
        bins = (last - first) // width + 1
        notes = [span.note]
        if self.over is not None:
            bins = int(self.over / self.bin)
            late = sum(packets for slot, packets in filled.items() if slot >= bins)
            filled = {slot: packets for slot, packets in filled.items() if slot < bins}
            notes.append(f"{packets_text(late)} behind the last bin left out" if late else "")
        note = "; ".join(filter(None, notes))
        return Measured(Shape.NUMBER, self.of_bins(list(filled.values()), bins), note=note)

    def of_bins(self, filled: Sequence[int], bins: int) -> int | Fraction:
        """The value when the bins that are not empty have these packets."""
        empty, total = bins - len(filled), sum(filled)
        most, least = max(filled), 0 if empty else min(filled)
        results: dict[str, int | Fraction] = {
            "largest_share": Fraction(most, total),
            "smallest_share": Fraction(least, total),
            "max_over_mean": Fraction(most * bins, total),
            "min_over_mean": Fraction(least * bins, total),
            "max": most,
            "min": least,
            "empty": empty,
        }
        return results[self.statistic]


class Intervals(Timed):
    """Seconds between consecutive packets of the view, or of one group, in order of time.

    Packets of one time stand in file order. The median of an even number of intervals is the mean
    of the two in the middle. Raises MeasureError when no two packets follow one another.
    """

    name: ClassVar[str] = "intervals"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.GAP,)
    main: ClassVar[str] = "statistic"
    unit: ClassVar[str] = "s"
    statistic: Literal["min", "max", "mean", "median"]
    by: FieldNames | None = None
    headers: Headers = Headers.OWN

    def fields(self) -> set[str]:
        return {TIME_FIELD, *(self.by or ())}

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        gaps = self._gaps(view)
        gap = nw.col("gap")
        if self.statistic == "median":
            ranked = gaps.select(gap, gap.rank("ordinal").alias("rank"), nw.len().alias("all"))
            # The one in the middle, or the two around it.
            low, high = 2 * nw.col("rank") >= nw.col("all"), 2 * nw.col("rank") <= nw.col("all") + 2
            gaps = ranked.filter(low & high)
        figures = gaps.select(
            gap.min().alias("min"), gap.max().alias("max"), gap.sum().alias("sum"), nw.len()
        )
        return Plan((figures, _span_query(view)), self._finish)

    def _gaps(self, view: View) -> LazyFrame:
        """One row for each two consecutive packets: ``gap``, ns."""
        import narwhals as nw

        extra = {"ns": nw.col(TIME_COLUMN), "number": nw.col("frame_number")}
        keys: list[str] = []
        if self.by is None:
            rows = view.frame.select(*(value.alias(name) for name, value in extra.items()))
        else:
            keys = key_names(len(self.by))
            rows = values(view, self.by, self.headers, extra=extra).unique()
        rows = rows.drop_nulls(subset=["ns"])
        before = nw.col("ns").shift(1).over(*keys, order_by=["ns", "number"])
        return rows.select((nw.col("ns") - before).alias("gap")).drop_nulls()

    def _finish(self, found: Sequence[Sequence[Row]]) -> Measured:
        least, most, total, count = found[0][0]
        if not count:
            raise MeasureError("fewer than two packets, there is no interval")
        ns = {"min": least, "max": most}.get(self.statistic, Fraction(int(total), int(count)))
        note = _Span(found[1]).note
        return Measured(Shape.NUMBER, Fraction(ns) / NS_PER_SECOND, note=note)
