"""Measures that hold when there is no exception: every, no, every group, contains, never after.

Their value is the number of exceptions. On a view in which nothing could be an exception they have
no verdict (``Measured.vacuous``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field as Parameter
from pydantic import model_validator

from decoders.fields import FIELDS
from harness.inverse import Inverse
from harness.keys import Stored, stored_value, text_of
from harness.measuring import (
    EXAMPLES,
    NOTHING_TO_HOLD_FOR,
    DisplayFilter,
    Evidence,
    FieldName,
    FieldNames,
    Headers,
    Measure,
    Measured,
    Plan,
    Row,
    Shape,
    View,
    frames_evidence,
    key_names,
    sorted_keys,
    values,
)

if TYPE_CHECKING:
    import narwhals as nw

    from harness.measuring import LazyFrame


class Holding(Measure):
    """What the measures that hold by themselves have in common."""

    shape: ClassVar[Shape] = Shape.EXCEPTIONS
    holds_by_itself: ClassVar[bool] = True
    what: ClassVar[str]


def _exceptions(value: int, looked_at: int, what: str, nothing: str = "") -> Measured:
    vacuous = "" if looked_at else nothing or NOTHING_TO_HOLD_FOR
    return Measured(Shape.EXCEPTIONS, value, what=what, vacuous=vacuous)


def _packet_plan(view: View, wrong: nw.Expr, what: str) -> Plan:
    """Exceptions are packets for which ``wrong`` is true."""
    import narwhals as nw

    exceptions = view.frame.filter(wrong)
    return Plan(
        (exceptions.select(nw.len()), view.frame.select(nw.len())),
        lambda found: _exceptions(int(found[0][0][0]), int(found[1][0][0]), what),
        frames_evidence(exceptions),
    )


class Every(Holding):
    """Packets of the view that do not match a filter."""

    name: ClassVar[str] = "every"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.UNLIKE,)
    main: ClassVar[str] = "filter"
    what: ClassVar[str] = "do not match"
    filter: DisplayFilter

    def filters(self) -> list[str]:
        return [self.filter]

    def witness(self) -> str:
        return f"!({self.filter})"

    def plan(self, view: View) -> Plan:
        return _packet_plan(view, ~view.compile(self.filter), f"packets {self.what}")


class No(Holding):
    """Packets of the view that match a filter."""

    name: ClassVar[str] = "no"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.LIKE,)
    main: ClassVar[str] = "filter"
    what: ClassVar[str] = "match"
    filter: DisplayFilter

    def filters(self) -> list[str]:
        return [self.filter]

    def witness(self) -> str:
        return self.filter

    def plan(self, view: View) -> Plan:
        return _packet_plan(view, view.compile(self.filter), f"packets {self.what}")


def _groups_plan(names: Sequence[str], groups: LazyFrame, wrong: nw.Expr, what: str) -> Plan:
    """Exceptions are groups for which ``wrong`` is true."""
    import narwhals as nw

    keys = key_names(len(names))
    exceptions = groups.filter(wrong)
    first = exceptions.select(*keys).sort(*keys).head(EXAMPLES)
    nothing = f"no packet in the view has {' and '.join(names)}, nothing to hold for"
    return Plan(
        (exceptions.select(nw.len()), groups.select(nw.len())),
        lambda found: _exceptions(int(found[0][0][0]), int(found[1][0][0]), what, nothing),
        Evidence(first, lambda rows: [key for key, _ in sorted_keys(names, rows)]),
    )


class EveryGroup(Holding):
    """Groups of which not some, not all, or not none of the packets match a filter.

    A packet belongs to a group when the group's field has its value in one of the headers. With
    ``largest`` only the groups with the most packets are looked at, as many as it says, and those
    that have as many packets as the last of them.
    """

    name: ClassVar[str] = "every_group"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.ONE_GROUP,)
    main: ClassVar[str] = "by"
    what: ClassVar[str] = "groups do not hold"
    by: FieldNames
    some: DisplayFilter | None = None
    all: DisplayFilter | None = None
    none: DisplayFilter | None = None
    largest: Annotated[int | None, Parameter(ge=1, le=10_000, strict=True)] = None
    headers: Headers = Headers.OWN

    @model_validator(mode="after")
    def _one_filter(self) -> Self:
        if len(self.filters()) != 1:
            raise ValueError("expected exactly one of some, all, none")
        return self

    def fields(self) -> set[str]:
        return set(self.by)

    def filters(self) -> list[str]:
        return list(self._given().values())

    def quantified(self) -> tuple[str, str]:
        """``some``, ``all`` or ``none``, and its filter."""
        [(quantifier, text)] = self._given().items()
        return quantifier, text

    def _given(self) -> dict[str, str]:
        given = {"some": self.some, "all": self.all, "none": self.none}
        return {quantifier: text for quantifier, text in given.items() if text is not None}

    def witness(self) -> str:
        quantifier, text = self.quantified()
        present = " && ".join(self.by)
        return {
            "some": present,
            "all": f"{present} && !({text})",
            "none": f"{present} && ({text})",
        }[quantifier]

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        quantifier, text = self.quantified()
        matches = nw.when(view.compile(text)).then(nw.lit(1)).otherwise(nw.lit(0))
        extra = {"matches": matches, "number": nw.col("frame_number")}
        keys = key_names(len(self.by))
        # A packet counts once for a group, also when several of its headers belong to it.
        rows = values(view, self.by, self.headers, extra=extra, distinct=[*keys, *extra])
        ends = any(FIELDS[name].of for name in self.by)
        groups = rows.group_by(keys).agg(
            nw.col("matches").max().alias("most"),
            nw.col("matches").min().alias("least"),
            (nw.col("number").n_unique() if ends else nw.len()).alias("packets"),
        )
        if self.largest is not None:
            place = nw.col("packets").rank("min", descending=True)
            groups = groups.filter(place <= self.largest)
        wrong = {
            "some": nw.col("most") == 0,
            "all": nw.col("least") == 0,
            "none": nw.col("most") == 1,
        }[quantifier]
        return _groups_plan(self.by, groups, wrong, self.what)


class Contains(Holding):
    """Which of some values of a field do not occur."""

    name: ClassVar[str] = "contains"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.ABSENT,)
    main: ClassVar[str] = "field"
    what: ClassVar[str] = "values do not occur"
    field: FieldName
    values: Annotated[tuple[Any, ...], Parameter(min_length=1, max_length=10_000)]
    headers: Headers = Headers.OWN

    @model_validator(mode="after")
    def _readable(self) -> Self:
        seen: set[object] = set()
        for value in self.values:
            found = stored_value(FIELDS[self.field], value)
            if found in seen:
                raise ValueError(f"value {value!r} stands there twice")
            seen.add(found)
        return self

    def fields(self) -> set[str]:
        return {self.field}

    def witness(self) -> str:
        return self.field

    def stored(self) -> tuple[Stored, ...]:
        """The values as the column holds them."""
        return tuple(stored_value(FIELDS[self.field], value) for value in self.values)

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        field = FIELDS[self.field]
        wanted = dict.fromkeys(self.stored())
        rows = values(view, (self.field,), self.headers)
        present = rows.filter(nw.col("key_0").is_in(list(wanted))).unique()

        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            seen = {row[0] for row in found[0]}
            missing = [text_of(field, value) for value in wanted if value not in seen]
            some = ", ".join(missing[:EXAMPLES]) + (", ..." if len(missing) > EXAMPLES else "")
            what = f"{self.what}: {some}" if missing else self.what
            return _exceptions(len(missing), int(found[1][0][0]), what)

        return Plan((present, view.frame.select(nw.len())), finish)


class NeverAfter(Holding):
    """Groups with a packet that matches ``never`` behind one that matches ``after``.

    Order is that of frame numbers within the group. One packet that matches both is not behind
    itself. When no packet of a group matches ``after`` there is nothing to hold for.
    """

    name: ClassVar[str] = "never_after"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.AFTERWARDS,)
    main: ClassVar[str] = "by"
    what: ClassVar[str] = "groups do not hold"
    by: FieldNames
    after: DisplayFilter
    never: DisplayFilter
    headers: Headers = Headers.OWN

    def fields(self) -> set[str]:
        return set(self.by)

    def filters(self) -> list[str]:
        return [self.after, self.never]

    def witness(self) -> str:
        return f"{' && '.join(self.by)} && (({self.after}) || ({self.never}))"

    def plan(self, view: View) -> Plan:
        import narwhals as nw

        number = nw.col("frame_number")
        marks = {
            "after": nw.when(view.compile(self.after)).then(number),
            "never": nw.when(view.compile(self.never)).then(number),
        }
        keys = key_names(len(self.by))
        rows = values(view, self.by, self.headers, extra=marks)
        groups = rows.group_by(keys).agg(nw.col("after").min(), nw.col("never").max())
        begun = groups.filter(~nw.col("after").is_null())
        wrong = begun.filter(nw.col("after") < nw.col("never"))
        first = wrong.select(*keys, "after", "never").sort(*keys).head(EXAMPLES)
        return Plan(
            (wrong.select(nw.len()), begun.select(nw.len())), self._finish, self._evidence(first)
        )

    def _finish(self, found: Sequence[Sequence[Row]]) -> Measured:
        nothing = f"no packet in the view matches {self.after}, nothing to hold for"
        return _exceptions(int(found[0][0][0]), int(found[1][0][0]), self.what, nothing)

    def _evidence(self, first: LazyFrame) -> Evidence:
        def lines(rows: Sequence[Row]) -> list[str]:
            return [
                f"{key}: frame {never} is behind frame {after}"
                for key, (after, never) in sorted_keys(self.by, rows)
            ]

        return Evidence(first, lines)
