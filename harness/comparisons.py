"""Published figures against measured ones. Nothing is rounded before it is compared.

Each comparison is a frozen model of what stands under its name in a claim; the JSON it gives is
described in ``harness/verdicts.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from harness.measuring import EXAMPLES, Measure, Measured, MeasureError, Shape
from harness.quantities import (
    NS_PER_SECOND,
    Kind,
    Quantity,
    moment_text,
    number_json,
    number_text,
    quantity,
)

Json: TypeAlias = int | str | bool | dict[str, Any] | list[Any]

MAX_ROWS = 100_000
_NUMBERS = frozenset({Shape.NUMBER, Shape.TIME, Shape.EXCEPTIONS})


@dataclass(frozen=True)
class Judgement:
    """Whether the published figure holds, and the rows that differ (at most ten) when not."""

    holds: bool
    differing: tuple[str, ...] = ()


class Comparison(BaseModel):
    """A comparison with its published figure; ``name`` is its key in a claim.

    ``main`` is the parameter that stands directly under the name; empty when parameters are named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    main: ClassVar[str]
    shapes: ClassVar[frozenset[Shape]]

    @property
    def published_text(self) -> str:
        """The published figure, for people."""
        raise NotImplementedError(self.name)

    def published_json(self) -> Json:
        """The published figure, for programs."""
        raise NotImplementedError(self.name)

    def problem_with(self, measure: Measure) -> str | None:
        """Why this comparison cannot be made with a measure's value; None when it can."""
        shape = measure.shape
        if shape not in self.shapes:
            return f"{self.name} cannot be compared with {measure.name}, whose value is {_A[shape]}"
        return None

    def judge(self, measured: Measured) -> Judgement:
        """Compare exactly. Raises MeasureError when the value has another shape."""
        raise NotImplementedError(self.name)

    def measured_text(self, measured: Measured) -> str:
        """The measured value, for people."""
        return value_text(measured)

    def measured_json(self, measured: Measured) -> Json:
        """The measured value, for programs."""
        return value_json(measured)


_A = {
    Shape.NUMBER: "a number",
    Shape.TIME: "a time",
    Shape.TABLE: "a table",
    Shape.RANKING: "a ranking",
    Shape.EXCEPTIONS: "the number of exceptions",
}

Figure = Annotated[
    Quantity,
    PlainValidator(lambda raw: raw if isinstance(raw, Quantity) else quantity(raw)),
    WithJsonSchema({"type": ["number", "string"]}),
]


def _figure_problem(figure: Quantity, measure: Measure) -> str | None:
    shape = measure.shape
    if (shape is Shape.TIME) != (figure.kind is Kind.TIME):
        return f"{measure.name} is {_A[shape]}, {figure.text!r} is a {figure.kind.value}"
    if figure.kind is Kind.DURATION and measure.result_unit() != "s":
        return f"{measure.name} is no duration, {figure.text!r} is one"
    return None


class _Numeric(Comparison):
    """What the comparisons of one measured number or time have in common."""

    shapes: ClassVar[frozenset[Shape]] = _NUMBERS

    def figures(self) -> tuple[Quantity, ...]:
        """The published quantities."""
        raise NotImplementedError(self.name)

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        """Whether a measured number (or time, ns) agrees with what was published."""
        raise NotImplementedError(self.name)

    def problem_with(self, measure: Measure) -> str | None:
        problem = super().problem_with(measure)
        found = (_figure_problem(figure, measure) for figure in self.figures())
        return problem or next(filter(None, found), None)

    def judge(self, measured: Measured) -> Judgement:
        if not isinstance(measured.value, int | Fraction):
            raise MeasureError(f"{self.name} needs a number, found {_A[measured.shape]}")
        return Judgement(self.accepts(Fraction(measured.value), measured.shape))


class _OneFigure(_Numeric):
    main: ClassVar[str] = "value"
    words: ClassVar[str]
    value: Figure

    def figures(self) -> tuple[Quantity, ...]:
        return (self.value,)

    @property
    def published_text(self) -> str:
        return f"{self.words} {self.value.text}".strip()

    def published_json(self) -> Json:
        return {self.name: self.value.json()}


class Equals(_OneFigure):
    """Exactly this."""

    name: ClassVar[str] = "equals"
    words: ClassVar[str] = ""

    def published_json(self) -> Json:
        return self.value.json()

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        return value == self.value.value


class AtLeast(_OneFigure):
    """This or more."""

    name: ClassVar[str] = "at_least"
    words: ClassVar[str] = "at least"

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        return value >= self.value.value


class AtMost(_OneFigure):
    """This or less."""

    name: ClassVar[str] = "at_most"
    words: ClassVar[str] = "at most"

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        return value <= self.value.value


class About(_OneFigure):
    """What is printed as this when half units are rounded away from zero.

    ``2`` is 1.5 <= x < 2.5, ``1.8`` is 1.75 <= x < 1.85, ``-2`` is -2.5 < x <= -1.5.
    """

    name: ClassVar[str] = "about"
    words: ClassVar[str] = "about"

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        published, half = self.value.value, self.value.unit / 2
        if published == 0:
            return -half < value < half
        sign = 1 if published > 0 else -1
        return published * sign - half <= value * sign < published * sign + half


class Between(_Numeric):
    """From the first to the second figure, both included."""

    name: ClassVar[str] = "between"
    main: ClassVar[str] = "bounds"
    bounds: tuple[Figure, Figure]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.bounds
        if (low.kind is Kind.TIME) != (high.kind is Kind.TIME) or low.value > high.value:
            raise ValueError(f"expected the smaller figure first, found {low.text}, {high.text}")
        return self

    def figures(self) -> tuple[Quantity, ...]:
        return self.bounds

    @property
    def published_text(self) -> str:
        return f"between {self.bounds[0].text} and {self.bounds[1].text}"

    def published_json(self) -> Json:
        return {self.name: [figure.json() for figure in self.bounds]}

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        return self.bounds[0].value <= value <= self.bounds[1].value


class Within(_Numeric):
    """At most ``by`` away from ``of``: an amount, or a percentage of ``of``.

    Of a time, ``by`` is a duration or a number of seconds. ``because`` says why so much.
    """

    name: ClassVar[str] = "within"
    main: ClassVar[str] = ""
    of: Figure
    by: Figure
    because: str = ""

    @model_validator(mode="after")
    def _a_distance(self) -> Self:
        if self.by.kind is Kind.TIME or self.by.value < 0:
            raise ValueError(f"by: expected an amount or a percentage, found {self.by.text!r}")
        if self.of.kind is Kind.TIME and self.by.text.endswith("%"):
            raise ValueError("by: expected a duration, a time has no percentage")
        return self

    def figures(self) -> tuple[Quantity, ...]:
        return (self.of,)

    def problem_with(self, measure: Measure) -> str | None:
        if self.by.kind is Kind.DURATION and self.of.kind is not Kind.TIME:
            return super().problem_with(measure) or _figure_problem(self.by, measure)
        return super().problem_with(measure)

    @property
    def published_text(self) -> str:
        return f"{self.of.text} within {self.by.text}"

    def published_json(self) -> Json:
        return {self.name: {"of": self.of.json(), "by": self.by.json()}}

    def accepts(self, value: Fraction, shape: Shape) -> bool:
        reach = self.by.value
        if self.by.text.endswith("%"):
            reach *= abs(self.of.value)
        if shape is Shape.TIME:
            reach *= NS_PER_SECOND
        return abs(value - self.of.value) <= reach


def _rows(raw: object) -> dict[object, int]:
    if not isinstance(raw, Mapping) or not 1 <= len(raw) <= MAX_ROWS:
        raise ValueError(f"expected rows of key: count, found {raw!r}"[:200])
    rows: dict[object, int] = {}
    for key, count in raw.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"row {key!r}: expected a count, found {count!r}")
        rows[key] = count
    return rows


def _ordered_keys(raw: object) -> tuple[object, ...]:
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MAX_ROWS:
        raise ValueError(f"expected a list of keys, largest first, found {raw!r}"[:200])
    return tuple(raw)


PublishedRows = Annotated[
    dict[object, int],
    PlainValidator(_rows),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}),
]
PublishedOrder = Annotated[
    tuple[object, ...],
    PlainValidator(_ordered_keys),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "array", "boolean"]}}),
]


class _Keyed(Comparison):
    """What the comparisons of tables have in common."""

    shapes: ClassVar[frozenset[Shape]] = frozenset({Shape.TABLE, Shape.RANKING})

    def keys(self) -> Iterable[object]:
        """The published keys."""
        raise NotImplementedError(self.name)

    def problem_with(self, measure: Measure) -> str | None:
        problem = super().problem_with(measure)
        return problem or next(iter(measure.check_keys(self.keys())), None)

    def normal(self, measured: Measured, raw: object) -> str:
        """Key text of a published key. Raises MeasureError."""
        try:
            return measured.key(raw)
        except ValueError as error:
            raise MeasureError(str(error)) from None


class _TableRows(_Keyed):
    main: ClassVar[str] = "value"
    value: PublishedRows

    def keys(self) -> Iterable[object]:
        return self.value

    @property
    def published_text(self) -> str:
        return _rows_text([(str(key), count) for key, count in self.value.items()])

    def published_json(self) -> Json:
        return {str(key): count for key, count in self.value.items()}

    def published(self, measured: Measured) -> dict[str, int]:
        """Published counts by key text. Raises MeasureError."""
        return {self.normal(measured, key): count for key, count in self.value.items()}


class Rows(_TableRows):
    """At least these rows; a group that does not occur counts 0."""

    name: ClassVar[str] = "rows"

    def judge(self, measured: Measured) -> Judgement:
        counts = dict(_all_rows(measured))
        wrong = [
            _row_text(key, count, counts.get(key, 0))
            for key, count in self.published(measured).items()
            if counts.get(key, 0) != count
        ]
        return Judgement(not wrong, tuple(wrong[:EXAMPLES]))

    def measured_json(self, measured: Measured) -> Json:
        """The published rows as they were measured."""
        counts = dict(_all_rows(measured))
        return {key: counts.get(key, 0) for key in self.published(measured)}

    def measured_text(self, measured: Measured) -> str:
        counts = dict(_all_rows(measured))
        return _rows_text([(key, counts.get(key, 0)) for key in self.published(measured)])


class TableComparison(_TableRows):
    """Exactly this table; a group that does not occur counts 0.

    Of a ranking: as many rows, and any of the groups that tie for its last place.
    """

    name: ClassVar[str] = "table"

    def judge(self, measured: Measured) -> Judgement:
        counts = dict(_all_rows(measured))
        published = self.published(measured)
        wrong = [
            _row_text(key, count, counts.get(key, 0))
            for key, count in published.items()
            if counts.get(key, 0) != count
        ]
        last = measured.tied[0][1] if measured.tied else 0
        missing = [(k, n) for k, n in counts.items() if n and k not in published and n != last]
        wrong += [_row_text(key, 0, count) for key, count in missing]
        short = sum(1 for count in published.values() if count) - len(_kept_rows(measured))
        if not wrong and measured.tied and short:
            wrong = [f"{len(published)} rows published, {len(_kept_rows(measured))} measured"]
        return Judgement(not wrong, tuple(wrong[:EXAMPLES]))


class Order(_Keyed):
    """These are the largest groups, largest first; equal counts may stand either way."""

    name: ClassVar[str] = "order"
    main: ClassVar[str] = "value"
    value: PublishedOrder

    def keys(self) -> Iterable[object]:
        return self.value

    @property
    def published_text(self) -> str:
        return _list_text([_key_words(key) for key in self.value])

    def published_json(self) -> Json:
        return [_key_words(key) for key in self.value]

    def problem_with(self, measure: Measure) -> str | None:
        places = getattr(measure, "n", len(self.value))
        if isinstance(places, int) and len(self.value) > places:
            return f"{len(self.value)} keys are published, {measure.name} has n: {places}"
        return super().problem_with(measure)

    def judge(self, measured: Measured) -> Judgement:
        ranking = sorted(_all_rows(measured), key=lambda row: -row[1])
        counts = dict(ranking)
        wrong: list[str] = []
        for place, raw in enumerate(self.value):
            key = self.normal(measured, raw)
            stands, count = ranking[place] if place < len(ranking) else ("nothing", 0)
            if not counts.get(key) or counts[key] != count:
                found = f"{stands} ({count})" if count else stands
                wrong.append(
                    f"place {place + 1}: published {key} ({counts.get(key, 0)}), measured {found}"
                )
        return Judgement(not wrong, tuple(wrong[:EXAMPLES]))

    def measured_json(self, measured: Measured) -> Json:
        """Key and count of as many of the largest groups as were published."""
        ranking = sorted(_kept_rows(measured), key=lambda row: -row[1])
        return [[key, count] for key, count in ranking[: len(self.value)]]

    def measured_text(self, measured: Measured) -> str:
        ranking = sorted(_kept_rows(measured), key=lambda row: -row[1])
        return _list_text([f"{key} ({count})" for key, count in ranking[: len(self.value)]])


class Holds(Comparison):
    """Whether there is no exception (``true``) or at least one (``false``)."""

    name: ClassVar[str] = "holds"
    main: ClassVar[str] = "value"
    shapes: ClassVar[frozenset[Shape]] = frozenset({Shape.EXCEPTIONS})
    value: StrictBool = True

    @property
    def published_text(self) -> str:
        return "holds" if self.value else "does not hold"

    def published_json(self) -> Json:
        return self.value

    def judge(self, measured: Measured) -> Judgement:
        return Judgement((measured.value == 0) == self.value)

    def measured_json(self, measured: Measured) -> Json:
        return measured.value == 0


def value_text(measured: Measured) -> str:
    """A measured value for people; long tables end in their number of rows."""
    value = measured.value
    if isinstance(value, int | Fraction):
        if measured.shape is Shape.TIME:
            return moment_text(int(value))
        if measured.shape is Shape.EXCEPTIONS:
            return f"{value} {measured.what}" if value else "holds"
        return number_text(value)
    return _rows_text(_kept_rows(measured))


def value_json(measured: Measured) -> Json:
    """A measured value for programs."""
    value = measured.value
    if isinstance(value, int | Fraction):
        return moment_text(int(value)) if measured.shape is Shape.TIME else number_json(value)
    if isinstance(value, Mapping):
        return dict(value)
    return [list(row) for row in value]


def _kept_rows(measured: Measured) -> list[tuple[str, int]]:
    value = measured.value
    if isinstance(value, int | Fraction):
        raise MeasureError(f"expected a table, found {_A[measured.shape]}")
    return list(value.items()) if isinstance(value, Mapping) else list(value)


def _all_rows(measured: Measured) -> list[tuple[str, int]]:
    return [*_kept_rows(measured), *measured.tied]


def _row_text(key: str, published: int, measured: int) -> str:
    return f"{key}: published {published}, measured {measured}"


def _rows_text(rows: list[tuple[str, int]]) -> str:
    return _list_text([f"{key}: {count}" for key, count in rows])


def _list_text(parts: list[str]) -> str:
    if not parts:
        return "nothing"
    shown = ", ".join(parts[:EXAMPLES])
    return shown if len(parts) <= EXAMPLES else f"{shown}, ... ({len(parts)} rows)"


def _key_words(key: object) -> str:
    return " ".join(str(part) for part in key) if isinstance(key, list | tuple) else str(key)


_ALL: tuple[type[Comparison], ...] = (
    *(Equals, AtLeast, AtMost, Between, About, Within),
    *(TableComparison, Rows, Order, Holds),
)
COMPARISONS: Mapping[str, type[Comparison]] = {one.name: one for one in _ALL}
"""Every comparison by its key in a claim."""
