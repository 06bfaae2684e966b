"""Measures that count: packets, values, streams, tables of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field as Parameter
from pydantic import PlainValidator, WithJsonSchema, model_validator

from decoders.fields import FIELDS
from harness.inverse import Inverse
from harness.keys import Stored, key_of, key_text, key_values
from harness.measuring import (
    Count,
    CountOf,
    FieldNames,
    Headers,
    Measure,
    Measured,
    MeasureError,
    NumberField,
    Plan,
    Row,
    Shape,
    View,
    beside,
    frames_evidence,
    key_names,
    left_out_note,
    left_out_query,
    sorted_keys,
    values,
    values_evidence,
)

if TYPE_CHECKING:
    from harness.measuring import LazyFrame

DEFAULT_LARGEST = 10
OTHER = "other"


def _number(rows: Sequence[Row]) -> int:
    """The single cell of a one-row query; a sum over nothing is 0."""
    return int(rows[0][0] or 0)


class Packets(Measure):
    """Number of packets in the view."""

    name: ClassVar[str] = "packets"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.COUNT,)

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        return Plan(
            (view.frame.select(nw.len()),),
            lambda found: Measured(Shape.NUMBER, _number(found[0])),
            frames_evidence(view.frame),
        )


class Sum(Measure):
    """Sum of a number field over all its own occurrences; ``frame.len`` gives octets.

    Packets without the field add nothing.
    """

    name: ClassVar[str] = "sum"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.AMOUNT,)
    main: ClassVar[str] = "field"
    field: NumberField

    def fields(self) -> set[str]:
        return {self.field}

    def witness(self) -> str:
        return "" if self.field.startswith("frame.") else self.field

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        column = values(view, (self.field,), Headers.OWN)
        total = column.select(nw.col("key_0").cast(nw.Int64()).sum())
        return Plan((total,), lambda found: Measured(Shape.NUMBER, _number(found[0])))


class Distinct(Measure):
    """Number of distinct values of a field, or of tuples of several.

    Tuples: the n-th occurrences of the fields in a packet belong together; a tuple of which
    a part is missing is left out.
    """

    name: ClassVar[str] = "distinct"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.VALUE,)
    main: ClassVar[str] = "field"
    field: FieldNames
    headers: Headers = Headers.OWN

    def fields(self) -> set[str]:
        return {*self.field, *beside(self.field)}

    def witness(self) -> str:
        return " && ".join(self.field)

    def plan(self, view: View) -> Plan:
        return _distinct_plan(view, self.field, self.headers)


class Streams(Measure):
    """Number of TCP or UDP streams of which the view has a packet of their own.

    A stream that only an ICMP error's quoted packet belongs to is not counted.
    """

    name: ClassVar[str] = "streams"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.VALUE,)
    main: ClassVar[str] = "protocol"
    protocol: Literal["tcp", "udp"]

    def fields(self) -> set[str]:
        return {f"{self.protocol}.stream"}

    def witness(self) -> str:
        return self.protocol

    def plan(self, view: View) -> Plan:
        return _distinct_plan(view, (f"{self.protocol}.stream",), Headers.OWN)


def _distinct_plan(view: View, names: Sequence[str], headers: Headers) -> Plan:
    import narwhals as nw

    rows = values(view, names, headers)
    queries = [rows.unique().select(nw.len())]
    partial = left_out_query(view, names)
    if partial is not None:
        queries.append(partial)

    def finish(found: Sequence[Sequence[Row]]) -> Measured:
        note = left_out_note(names, found[1] if len(found) > 1 else None)
        return Measured(Shape.NUMBER, _number(found[0]), note=note)

    return Plan(tuple(queries), finish, values_evidence(rows, names))


class Grouped(Measure):
    """What the measures with groups have in common: a field to group by and what to count.

    With ``count: packets`` a packet counts once in each group it belongs to; with a field at
    either end (``ip.addr``) once for each end, twice when both are equal, as Wireshark's All
    Addresses counts.
    """

    by: FieldNames
    count: CountOf = Count()
    headers: Headers = Headers.OWN

    @model_validator(mode="after")
    def _streams_are_own(self) -> Self:
        if self.count.kind == "streams" and self.headers is Headers.ALL:
            raise ValueError("streams are counted in a packet's own headers, not with headers: all")
        if self.count.field in self.by:
            raise ValueError(f"{self.count.field} is both counted and grouped by")
        return self

    def fields(self) -> set[str]:
        counted = {self.count.field} - {""}
        return {*self.by, *beside((*self.by, *counted)), *counted}

    def witness(self) -> str:
        return " && ".join(self.by)

    def groups(self, view: View) -> LazyFrame:
        """One row a group: its key columns and ``count``."""
        import narwhals as nw

        keys = key_names(len(self.by))
        if self.count.kind == "packets":
            number = {"number": nw.col("frame_number")}
            rows = values(view, self.by, self.headers, extra=number, distinct=[*keys, "number"])
            return rows.group_by(keys).agg(nw.len().cast(nw.Int64()).alias("count"))
        if self.count.kind == "sum":
            return self._sums(view, keys)
        pairs = values(view, (*self.by, self.count.field), self.headers).unique()
        return pairs.group_by(keys).agg(nw.len().cast(nw.Int64()).alias("count"))

    def _sums(self, view: View, keys: list[str]) -> LazyFrame:
        import narwhals as nw

        # A frame's length stands beside every occurrence of the group's field: added once.
        once = [*keys, "number"] if self.count.field.startswith("frame.") else None
        number = {"number": nw.col("frame_number")}
        rows = values(view, (*self.by, self.count.field), self.headers, extra=number, distinct=once)
        total = nw.col(f"key_{len(keys)}").cast(nw.Int64()).sum().alias("count")
        return rows.group_by(keys).agg(total)

    def of_groups(self, groups: Mapping[str, int]) -> Measured:
        """The value when groups, by the text of their keys, have these sizes (none is 0)."""
        raise NotImplementedError(self.name)

    def values(self, raw: object) -> tuple[Stored, ...]:
        """The values of a published key of a group. Raises ValueError."""
        return key_values(self.by, raw)

    def text(self, key: Sequence[Stored]) -> str:
        """The key text of one group's stored values."""
        return key_text([FIELDS[name] for name in self.by], key)

    def group_queries(self, view: View, first: LazyFrame) -> tuple[LazyFrame, ...]:
        """The query of the measure, and the count of packets with only part of the key."""
        counted = [self.count.field] if self.count.field else []
        partial = left_out_query(view, self.by, counted)
        return (first,) if partial is None else (first, partial)

    def note(self, found: Sequence[Sequence[Row]]) -> str:
        """What ``group_queries`` left out."""
        return left_out_note(self.by, found[1] if len(found) > 1 else None)


class Table(Grouped):
    """Packets, or what ``count`` says, for each value of a field."""

    name: ClassVar[str] = "table"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.GROUP,)
    main: ClassVar[str] = "by"
    shape: ClassVar[Shape] = Shape.TABLE

    def key(self, raw: object) -> str:
        return key_of(self.by, raw)

    def of_groups(self, groups: Mapping[str, int]) -> Measured:
        return Measured(Shape.TABLE, groups, key=self.key)

    def plan(self, view: View) -> Plan:
        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            table = {key: int(rest[0]) for key, rest in sorted_keys(self.by, found[0])}
            return replace(self.of_groups(table), note=self.note(found))

        return Plan(self.group_queries(view, self.groups(view)), finish)


class Bin(NamedTuple):
    """Sizes from ``low`` to ``high``, both included; ``high`` None for no end."""

    label: str
    low: int
    high: int | None

    def holds(self, size: int) -> bool:
        return self.low <= size and (self.high is None or size <= self.high)


def _bin(raw: object) -> Bin:
    text = "".join(str(raw).split()) if not isinstance(raw, bool) else ""
    parts = re.fullmatch(r"([0-9]{1,18})(-([0-9]{0,18}))?", text)
    if parts is None:
        raise ValueError(
            f"expected a size (1), sizes (2-9) or a smallest size (100-), found {raw!r}"
        )
    low = int(parts[1])
    if not parts[2]:
        return Bin(str(low), low, low)
    if not parts[3]:
        return Bin(f"{low}-", low, None)
    high = int(parts[3])
    if high < low:
        raise ValueError(f"expected the smaller size first, found {raw!r}")
    return Bin(f"{low}-{high}", low, high)


def _bins(raw: object) -> tuple[Bin, ...]:
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= 1000:
        raise ValueError(f"expected a list of sizes such as [1, 2-9, 10-], found {raw!r}")
    bins = tuple(label if isinstance(label, Bin) else _bin(label) for label in raw)
    ordered = sorted(bins, key=lambda one: one.low)
    for left, right in pairwise(ordered):
        if left.high is None or left.high >= right.low:
            raise ValueError(f"{left.label} and {right.label} overlap")
    return bins


_BINS_SCHEMA = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}


class GroupSizes(Grouped):
    """Number of groups in each range of sizes; sizes in no range are reported under ``other``.

    Without ``bins`` every size that occurs is a range of its own. The ranges add up to the
    number of groups.
    """

    name: ClassVar[str] = "group_sizes"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.GROUP,)
    main: ClassVar[str] = "by"
    shape: ClassVar[Shape] = Shape.TABLE
    bins: Annotated[tuple[Bin, ...] | None, PlainValidator(_bins), WithJsonSchema(_BINS_SCHEMA)] = (
        None
    )

    def key(self, raw: object) -> str:
        if raw == OTHER and self.bins is not None:
            return OTHER
        label = _bin(raw).label
        if self.bins is None and not label.isdigit():
            raise ValueError(f"expected one size, as no bins are given, found {raw!r}")
        if self.bins is not None and label not in {one.label for one in self.bins}:
            known = ", ".join(one.label for one in self.bins)
            raise ValueError(f"{raw!r} is none of the bins {known}")
        return label

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        sizes = self.groups(view).group_by("count").agg(nw.len().alias("groups"))

        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            table = self._binned(sorted(found[0]))
            return Measured(Shape.TABLE, table, key=self.key, note=self.note(found))

        return Plan(self.group_queries(view, sizes), finish)

    def of_groups(self, groups: Mapping[str, int]) -> Measured:
        table = self._binned(sorted(Counter(groups.values()).items()))
        return Measured(Shape.TABLE, table, key=self.key)

    def _binned(self, sizes: Sequence[Row]) -> dict[str, int]:
        if self.bins is None:
            return {str(size): int(groups) for size, groups in sizes}
        table = dict.fromkeys((one.label for one in self.bins), 0)
        for size, groups in sizes:
            label = next((one.label for one in self.bins if one.holds(size)), OTHER)
            table[label] = table.get(label, 0) + int(groups)
        return table


def _one_bin(raw: object) -> Bin:
    return raw if isinstance(raw, Bin) else _bin(raw)


class GroupShare(Grouped):
    """Which part of the groups has a size in one range, from 0 to 1, exact.

    Raises MeasureError when there is no group.
    """

    name: ClassVar[str] = "group_share"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.SHARE,)
    sizes: Annotated[Bin, PlainValidator(_one_bin), WithJsonSchema({"type": ["string", "integer"]})]

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        sizes = self.groups(view).group_by("count").agg(nw.len().alias("groups"))

        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            return Measured(Shape.NUMBER, self._share(found[0]), note=self.note(found))

        return Plan(self.group_queries(view, sizes), finish)

    def of_groups(self, groups: Mapping[str, int]) -> Measured:
        return Measured(Shape.NUMBER, self._share(list(Counter(groups.values()).items())))

    def _share(self, sizes: Sequence[Row]) -> Fraction:
        every = sum(int(groups) for _, groups in sizes)
        if not every:
            raise MeasureError(f"no packet in the view has {' and '.join(self.by)}: no group")
        return Fraction(sum(int(groups) for size, groups in sizes if self.sizes.holds(size)), every)


class Largest(Grouped):
    """The ``n`` groups with the largest counts, largest first; equal counts by key."""

    name: ClassVar[str] = "largest"
    inverse: ClassVar[tuple[Inverse, ...]] = (
        Inverse.OVERTAKE,
        Inverse.GROUP,
    )
    main: ClassVar[str] = "by"
    shape: ClassVar[Shape] = Shape.RANKING
    n: Annotated[int, Parameter(ge=1, le=10_000, strict=True)] = DEFAULT_LARGEST

    def key(self, raw: object) -> str:
        return key_of(self.by, raw)

    def plan(self, view: View) -> Plan:
        return Plan(self.group_queries(view, self.groups(view)), self._finish)

    def _finish(self, found: Sequence[Sequence[Row]]) -> Measured:
        groups = {key: int(rest[0]) for key, rest in sorted_keys(self.by, found[0])}
        return self._ranked(groups, self.note(found))

    def of_groups(self, groups: Mapping[str, int]) -> Measured:
        return self._ranked(groups, "")

    def _ranked(self, groups: Mapping[str, int], left_out: str) -> Measured:
        rows = list(groups.items())
        rows.sort(key=lambda row: -row[1])  # stable: equal counts stay in the order of their keys
        kept, rest = tuple(rows[: self.n]), rows[self.n :]
        tied = tuple(row for row in rest if row[1] == kept[-1][1])
        notes = [left_out]
        if tied:
            alike = sum(row[1] == kept[-1][1] for row in rows)
            notes.append(f"{alike} groups of {kept[-1][1]} stand around place {self.n}")
        note = "; ".join(filter(None, notes))
        return Measured(Shape.RANKING, kept, key=self.key, tied=tied, note=note)
