"""The registry of measures, and how a measure is written in an expectation file.

``packets``, ``{sum: frame.len}`` (the main parameter alone) or ``{table: {by: ip.src}}``
(parameters by name). Nothing heavy is imported before a plan is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import Field as Parameter
from pydantic import PlainValidator, ValidationError, WithJsonSchema, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from harness.counting import (
    OTHER,
    Distinct,
    Grouped,
    GroupShare,
    GroupSizes,
    Largest,
    Packets,
    Streams,
    Sum,
    Table,
)
from harness.holding import Contains, Every, EveryGroup, NeverAfter, No
from harness.inverse import Inverse
from harness.measuring import (
    Measure,
    Measured,
    MeasureError,
    Plan,
    Row,
    Shape,
    View,
)
from harness.timing import DurationMeasure, First, Intervals, Last, Rate, Spread

__all__ = [
    "MEASURES",
    "OTHER",
    "Contains",
    "Difference",
    "EveryGroup",
    "GroupShare",
    "Grouped",
    "Intervals",
    "Inverse",
    "Largest",
    "Measure",
    "MeasureError",
    "Measured",
    "NeverAfter",
    "Plan",
    "Rate",
    "Shape",
    "Spread",
    "Sum",
    "Table",
    "Total",
    "View",
    "measure_from",
]

_SIMPLE: tuple[type[Measure], ...] = (
    *(Packets, Sum, Distinct, Streams, Table, GroupSizes, GroupShare, Largest),
    *(First, Last, DurationMeasure, Rate, Spread, Intervals),
    *(Every, No, EveryGroup, Contains, NeverAfter),
)
_OWN_KIND = "measure"
"""Type of the errors that are not pydantic's own."""
_REGISTRY: dict[str, type[Measure]] = {measure.name: measure for measure in _SIMPLE}


def measure_from(data: object) -> Measure:
    """Read a measure as it is written in an expectation file.

    Raises pydantic.ValidationError; the place of each error is the path of keys below ``measure``.
    """
    if isinstance(data, Measure):
        return data
    if isinstance(data, str):
        return _read(data, {}, data)
    if not isinstance(data, Mapping) or len(data) != 1:
        raise _error((), "expected one measure: its name, or {name: parameters}", data)
    [(name, parameters)] = data.items()
    model = _model(name, data)
    if isinstance(parameters, Mapping):
        return _read(name, parameters, data)
    if not model.main:
        raise _error((name,), f"{name} takes no parameter of its own", parameters)
    return _read(name, {model.main: parameters}, data, short=True)


def _model(name: object, data: object) -> type[Measure]:
    if isinstance(name, str) and name in _REGISTRY:
        return _REGISTRY[name]
    near = difflib.get_close_matches(str(name), _REGISTRY, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_REGISTRY)}"
    place = () if isinstance(data, str) else (str(name),)
    raise _error(place, f"unknown measure {name!r}{hint}", name)


def _read(
    name: str, parameters: Mapping[Any, Any], data: object, *, short: bool = False
) -> Measure:
    model = _model(name, data)
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        raise _below(error, name, model.main if short else "") from None


def _below(error: ValidationError, name: str, main: str) -> ValidationError:
    """The same errors, placed below the measure's name."""
    details: list[InitErrorDetails] = []
    for found in error.errors(include_url=False):
        place = found["loc"]
        if place[:1] == (main,):
            place = place[1:]
        kind: Any = found["type"]
        if kind == _OWN_KIND:
            kind = PydanticCustomError(_OWN_KIND, "{message}", {"message": found["msg"]})
        context = found.get("ctx", {})
        details.append(
            {"type": kind, "loc": (name, *place), "input": found["input"], "ctx": context}
        )
    return ValidationError.from_exception_data(name, details)


def _error(place: tuple[str, ...], message: str, found: object) -> ValidationError:
    kind = PydanticCustomError(_OWN_KIND, "{message}", {"message": message})
    return ValidationError.from_exception_data(
        "measure", [{"type": kind, "loc": place, "input": found}]
    )


InnerMeasure = Annotated[
    Measure, PlainValidator(measure_from), WithJsonSchema({"type": ["string", "object"]})
]


class Difference(Measure):
    """A measure in one stage minus the same measure in another, whatever the claim's own stage.

    The claim's filter applies in both. The measure's value must be a number.
    """

    name: ClassVar[str] = "difference"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.ONE_STAGE,)
    main: ClassVar[str] = "stages"
    stage_pair: Annotated[
        tuple[str, str], Parameter(alias="stages", description="[from, to]: from minus to")
    ]
    measure: InnerMeasure = Packets()

    @field_validator("stage_pair")
    @classmethod
    def _two(cls, stages: tuple[str, str]) -> tuple[str, str]:
        if stages[0] == stages[1]:
            raise ValueError(f"expected two different stages, found {stages[0]!r} twice")
        return stages

    @field_validator("measure")
    @classmethod
    def _number(cls, measure: Measure) -> Measure:
        if measure.shape is not Shape.NUMBER or isinstance(measure, Difference):
            raise ValueError(f"expected a measure whose value is a number, found {measure.name!r}")
        return measure

    def result_unit(self) -> str:
        return self.measure.result_unit()

    def fields(self) -> set[str]:
        return self.measure.fields()

    def filters(self) -> list[str]:
        return self.measure.filters()

    def stages(self) -> tuple[str, ...]:
        return self.stage_pair

    def witness(self) -> str:
        return self.measure.witness()

    def plan(self, view: View) -> Plan:
        if view.other is None:
            raise MeasureError("there is no other stage to compare with")
        left, right = (self.measure.plan(view.other(stage)) for stage in self.stage_pair)
        cut = len(left.queries)

        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            minuend, subtrahend = left.finish(found[:cut]), right.finish(found[cut:])
            notes = (
                f"{stage}: {one.note}"
                for stage, one in zip(self.stage_pair, (minuend, subtrahend), strict=True)
                if one.note
            )
            value = _exact(minuend) - _exact(subtrahend)
            return Measured(Shape.NUMBER, value, note="; ".join(notes))

        return Plan((*left.queries, *right.queries), finish)


class Total(Measure):
    """The sum of several measures of one view: 1120 TCP ports and 47 UDP ports are 1167 ports.

    The value of each must be a number.
    """

    name: ClassVar[str] = "total"
    inverse: ClassVar[tuple[Inverse, ...]] = (Inverse.PARTS,)
    main: ClassVar[str] = "of"
    of: Annotated[tuple[InnerMeasure, ...], Parameter(min_length=2, max_length=20)]

    @field_validator("of")
    @classmethod
    def _numbers(cls, measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
        for measure in measures:
            if measure.shape is not Shape.NUMBER or measure.stages() or isinstance(measure, Total):
                raise ValueError(
                    f"expected measures whose value is a number, found {measure.name!r}"
                )
        units = {measure.result_unit() for measure in measures}
        if len(units) != 1:
            raise ValueError("expected measures of one unit")
        return measures

    def result_unit(self) -> str:
        return self.of[0].result_unit()

    def fields(self) -> set[str]:
        return set().union(*(measure.fields() for measure in self.of))

    def filters(self) -> list[str]:
        return [text for measure in self.of for text in measure.filters()]

    def witness(self) -> str:
        parts = [measure.witness() for measure in self.of]
        return " || ".join(f"({part})" for part in parts) if all(parts) else ""

    def plan(self, view: View) -> Plan:
        plans = [measure.plan(view) for measure in self.of]

        def finish(found: Sequence[Sequence[Row]]) -> Measured:
            rest = iter(found)
            parts = [plan.finish([next(rest) for _ in plan.queries]) for plan in plans]
            notes = "; ".join(part.note for part in parts if part.note)
            return Measured(Shape.NUMBER, sum(map(_exact, parts), Fraction(0)), note=notes)

        return Plan(tuple(query for plan in plans for query in plan.queries), finish)


def _exact(measured: Measured) -> Fraction:
    if not isinstance(measured.value, int | Fraction):
        raise MeasureError("a difference or a total needs numbers")
    return Fraction(measured.value)


_REGISTRY |= {Difference.name: Difference, Total.name: Total}

MEASURES: Mapping[str, type[Measure]] = _REGISTRY
"""Every measure by its name in expectation files."""
