"""What every measure is made of: its parameters, the view it looks at, its plan and its value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, WithJsonSchema

from decoders.fields import FIELDS, UNSIGNED_BITS, Field, nearest
from harness.inverse import Inverse
from harness.keys import key_text
from harness.quantities import seconds

if TYPE_CHECKING:
    import narwhals as nw

    LazyFrame: TypeAlias = nw.LazyFrame[Any]

Row: TypeAlias = tuple[Any, ...]
"""One row of a collected query."""

EXAMPLES = 10
"""Frames or rows shown at most of what refutes a claim."""
NOTHING_TO_HOLD_FOR = "no packet in the view, nothing to hold for"


class Shape(StrEnum):
    """What kind of value a measure has; comparisons say which they suit."""

    NUMBER = "number"
    TABLE = "table"
    RANKING = "ranking"
    TIME = "time"
    EXCEPTIONS = "exceptions"


class Headers(StrEnum):
    """Which of a packet's headers are looked at."""

    OWN = "own"
    OUTERMOST = "outermost"
    ALL = "all"


class MeasureError(ValueError):
    """The measure has no value on this view: the average of nothing, a rate over no time."""


@dataclass(frozen=True)
class View:
    """What a measure looks at: the packets of one stage that the claim's filter leaves."""

    frame: LazyFrame
    """One row a packet, filtered."""
    columns: Collection[str]
    """Columns of ``frame``."""
    compile: Callable[[str], nw.Expr]
    """A display filter to a boolean expression on ``frame`` that is never null."""
    other: Callable[[str], View] | None = None
    """The view with the same filter in another stage, by its id."""


@dataclass(frozen=True)
class Measured:
    """The value of a measure, exact.

    ``value`` is a number (int or Fraction; seconds for durations), a time (int, ns since 1970-01-01
    UTC), a table (key text -> count), a ranking (rows of key text and count, largest first) or the
    number of exceptions, as ``shape`` says.
    """

    shape: Shape
    value: int | Fraction | Mapping[str, int] | tuple[tuple[str, int], ...]
    key: Callable[[object], str] = str
    """A published key to key text; raises ValueError."""
    tied: tuple[tuple[str, int], ...] = ()
    """Rows left out of a ranking that count as much as its last one."""
    what: str = ""
    """What is counted, in words, for exceptions: ``packets do not match``."""
    note: str = ""
    """What was left out, or how a tie was cut; empty when there is nothing to say."""
    vacuous: str = ""
    """Why no verdict can be given on this value: there was nothing to hold for."""


@dataclass(frozen=True)
class Evidence:
    """A query for frames or rows that show why a claim is refuted; run only then."""

    query: LazyFrame
    lines: Callable[[Sequence[Row]], list[str]]


@dataclass(frozen=True)
class Plan:
    """Lazy queries, and what makes one value of their rows.

    ``finish`` takes the rows of each query, in order, and raises MeasureError.
    """

    queries: tuple[LazyFrame, ...]
    finish: Callable[[Sequence[Sequence[Row]]], Measured]
    evidence: Evidence | None = None


class Measure(BaseModel):
    """A measure with its parameters; one subclass each.

    ``name`` is the one in expectation files, ``main`` the parameter that may stand alone
    (``{sum: frame.len}``; empty when there is none), ``shape`` the kind of value, ``unit`` ``"s"``
    when that is seconds.
    ``holds_by_itself``: needs no comparison, it holds when there is no exception.
    ``inverse``: the edits of a capture that change the value, the most telling first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    main: ClassVar[str] = ""
    shape: ClassVar[Shape] = Shape.NUMBER
    unit: ClassVar[str] = ""
    holds_by_itself: ClassVar[bool] = False
    inverse: ClassVar[tuple[Inverse, ...]] = ()

    def result_unit(self) -> str:
        """The unit of the value; ``unit`` unless it depends on the parameters."""
        return self.unit

    def fields(self) -> set[str]:
        """Registry names the measure reads, without those of its filters (see ``filters``)."""
        return set()

    def filters(self) -> list[str]:
        """The display filters among the parameters; whoever parses them adds their fields."""
        return []

    def stages(self) -> tuple[str, ...]:
        """Ids of stages the measure looks at besides the claim's own."""
        return ()

    def key(self, raw: object) -> str:
        """The key text of a published key. Raises ValueError when it cannot be one."""
        raise ValueError(f"{self.name} has no keys, found {raw!r}")

    def check_keys(self, keys: Iterable[object]) -> list[str]:
        """What is wrong with published keys, one message each; empty when all can be keys."""
        problems: list[str] = []
        seen: dict[str, object] = {}
        for raw in keys:
            try:
                text = self.key(raw)
            except ValueError as error:
                problems.append(str(error))
                continue
            if text in seen:
                problems.append(f"the same key twice: {seen[text]!r} and {raw!r}")
            seen[text] = raw
        return problems

    def witness(self) -> str:
        """Display filter of the packets that decide; empty for all of the view."""
        return ""

    def plan(self, view: View) -> Plan:
        """The queries on a view. Raises MeasureError and the filter compiler's errors."""
        raise NotImplementedError(self.name)


def _known_field(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"expected a field such as ip.src, found {name!r}")
    if name not in FIELDS:
        near = nearest(name)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown field {name!r}{hint}")
    return name


def _field_list(raw: object) -> tuple[str, ...]:
    names = raw if isinstance(raw, list | tuple) else [raw]
    if not 1 <= len(names) <= 8:
        raise ValueError(f"expected one to eight fields, found {len(names)}")
    known = tuple(_known_field(name) for name in names)
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise ValueError(f"field {twice[0]!r} stands there twice")
    return known


def _number_field(raw: object) -> str:
    name = _known_field(raw)
    if FIELDS[name].type not in UNSIGNED_BITS:
        raise ValueError(f"{name} holds no number that can be added up")
    return name


def _filter_text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a display filter, found an empty one")
    return text


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 8, "uniqueItems": True}

FieldName = Annotated[str, PlainValidator(_known_field), WithJsonSchema(_TEXT)]
NumberField = Annotated[str, PlainValidator(_number_field), WithJsonSchema(_TEXT)]
FieldNames = Annotated[
    tuple[str, ...], PlainValidator(_field_list), WithJsonSchema({"anyOf": [_TEXT, _TEXTS]})
]
DisplayFilter = Annotated[str, AfterValidator(_filter_text)]
Duration = Annotated[
    Fraction, PlainValidator(seconds), WithJsonSchema({"type": ["number", "string"]})
]
"""A duration in seconds, exact, above zero."""


class Count(NamedTuple):
    """What is counted for each group: packets, or something distinct, or a sum."""

    kind: str = "packets"
    field: str = ""


def _count(raw: object) -> Count:
    expected = "packets, {distinct: FIELD}, {streams: tcp or udp} or {sum: FIELD}"
    if isinstance(raw, Count):
        return raw
    if raw == "packets":
        return Count()
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ValueError(f"expected {expected}, found {raw!r}")
    [(kind, value)] = raw.items()
    if kind == "distinct":
        return Count("distinct", _known_field(value))
    if kind == "sum":
        return Count("sum", _number_field(value))
    if kind == "streams" and value in ("tcp", "udp"):
        return Count("streams", f"{value}.stream")
    raise ValueError(f"expected {expected}, found {raw!r}")


def _one_of(key: str, schema: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


CountOf = Annotated[
    Count,
    PlainValidator(_count),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "packets"},
                _one_of("distinct", {"type": "string"}),
                _one_of("streams", {"enum": ["tcp", "udp"]}),
                _one_of("sum", {"type": "string"}),
            ]
        }
    ),
]


class Selection(NamedTuple):
    """Columns that hold one occurrence of each of several fields."""

    end: int
    """Which part of a field with ``of``: 0 for sources, 1 for destinations."""
    columns: tuple[str, ...]


def occurrences(
    columns: Collection[str], names: Sequence[str], headers: Headers
) -> list[Selection]:
    """Where the values of a field, or of a tuple of fields, stand in the table.

    The n-th occurrences of the fields belong together, and the sources of ``ip.addr`` to those of
    ``tcp.port``. A frame has one length and one time: fields of ``frame`` stand beside every
    occurrence. Raises MeasureError for a field whose column is missing.
    """
    declared = [FIELDS[name] for name in names]
    found: list[Selection] = []
    for end in range(max(len(field.of) or 1 for field in declared)):
        parts = [FIELDS[f.of[min(end, len(f.of) - 1)]] if f.of else f for f in declared]
        missing = [part.column for part in parts if part.column not in columns]
        if missing:
            raise MeasureError(f"column {missing[0]} was not decoded")
        places = _positions(columns, parts, quoted=False)
        if headers is Headers.OUTERMOST:
            places = places[:1]
        if headers is Headers.ALL:
            places += _positions(columns, parts, quoted=True)
        found += [Selection(end, place) for place in places]
    return found


def _positions(
    columns: Collection[str], parts: Sequence[Field], *, quoted: bool
) -> list[tuple[str, ...]]:
    repeated = [part for part in parts if not _once_a_frame(part)]
    if not repeated:
        return [] if quoted else [tuple(part.column for part in parts)]

    def place(part: Field, position: int) -> str:
        if _once_a_frame(part):
            return part.column
        return part.quoted_column(position) if quoted else part.own_column(position)

    found: list[tuple[str, ...]] = []
    while all(column in columns for column in (place(p, len(found) + 1) for p in repeated)):
        position = len(found) + 1
        found.append(tuple(place(part, position) for part in parts))
    return found


def _once_a_frame(field: Field) -> bool:
    return field.protocol == "frame" and field.name != "frame.comment"


def key_names(count: int) -> list[str]:
    """Names of the key columns that ``values`` selects."""
    return [f"key_{n}" for n in range(count)]


def values(
    view: View,
    names: Sequence[str],
    headers: Headers,
    *,
    extra: Mapping[str, nw.Expr] | None = None,
    distinct: Sequence[str] | None = None,
) -> LazyFrame:
    """Every occurrence of a tuple of fields: one row each, in columns ``key_0``, ``key_1`` ...

    Rows in which a part is null are left out. ``extra`` are further columns, computed from the
    packet. ``distinct`` (key columns and names in ``extra``): rows equal in them count once
    for each end, so that a packet with two equal VLAN tags is one packet of that VLAN.
    """
    import narwhals as nw

    keys = key_names(len(names))
    more = [expression.alias(name) for name, expression in (extra or {}).items()]
    ends: dict[int, list[LazyFrame]] = {}
    for selection in occurrences(view.columns, names, headers):
        picked = [nw.col(c).alias(k) for c, k in zip(selection.columns, keys, strict=True)]
        rows = view.frame.select(*picked, *more).drop_nulls(subset=keys)
        ends.setdefault(selection.end, []).append(rows)
    merged: list[LazyFrame] = []
    for places in ends.values():
        one_end = nw.concat(places, how="vertical")
        several = distinct is not None and len(places) > 1
        merged.append(one_end.unique(list(distinct or ())) if several else one_end)
    return nw.concat(merged, how="vertical")


def sorted_keys(names: Sequence[str], rows: Iterable[Row]) -> list[tuple[str, Row]]:
    """Key text and the rest of each row, ordered by the stored values of the keys."""
    fields = [FIELDS[name] for name in names]
    width = len(names)
    ordered = sorted(rows, key=lambda row: row[:width])
    return [(key_text(fields, row[:width]), row[width:]) for row in ordered]


def left_out_query(
    view: View, names: Sequence[str], counted: Sequence[str] = ()
) -> LazyFrame | None:
    """Packets that have a first occurrence of some of the fields but not of all; None for one.

    Beside it the packets in which the fields and those ``counted`` for them would mix the headers
    of a tunnel.
    """
    import narwhals as nw

    if len(names) + len(counted) < 2:
        return None
    columns = occurrences(view.columns, names, Headers.OUTERMOST)[0].columns
    parts = nw.sum_horizontal(*(_there(column) for column in columns))
    some, crossed = (parts > 0) & (parts < len(columns)), nw.lit(False)
    if beside((*names, *counted)):
        every = occurrences(view.columns, (*names, *counted), Headers.OUTERMOST)[0].columns
        whole = nw.sum_horizontal(*(_there(column) for column in every)) == len(every)
        crossed = whole & _several_ip_headers(view)
    numbers = view.frame.select(
        some.cast(nw.Int64()).alias("partial"), crossed.cast(nw.Int64()).alias("crossed")
    )
    return numbers.select(nw.col("partial").sum(), nw.col("crossed").sum())


def _there(column: str) -> nw.Expr:
    import narwhals as nw

    return (~nw.col(column).is_null()).cast(nw.Int32())


def beside(names: Sequence[str]) -> set[str]:
    """Fields that tell whether a tuple of ``names`` could mix the headers of a tunnel.

    Addresses and ports of one packet belong together only when it has one IP header.
    """
    protocols = {FIELDS[name].protocol for name in names}
    mixed = protocols & {"ip", "ipv6"} and protocols & {"tcp", "udp"}
    return {"ip.src", "ipv6.src"} if mixed else set()


def _several_ip_headers(view: View) -> nw.Expr:
    import narwhals as nw

    places = ("ip_src", "ipv6_src", "ip_src_2", "ipv6_src_2")
    headers = (_there(name) for name in places if name in view.columns)
    return nw.sum_horizontal(*headers, nw.lit(0, nw.Int32())) > 1


def left_out_note(names: Sequence[str], rows: Sequence[Row] | None) -> str:
    """What to say about the packets ``left_out_query`` counts.

    Raises MeasureError when some have several IP headers: the address of one would stand beside
    the port behind another, a pair that no packet has.
    """
    partial, crossed = rows[0] if rows else (0, 0)
    if crossed:
        raise MeasureError(
            f"{packets_text(int(crossed))} with several IP headers: {', '.join(names)} would mix "
            "them; use replicap.tcp.src and its kin, or keep tunnels out of the view"
        )
    count = int(partial or 0)
    if not count:
        return ""
    return f"{packets_text(count)} with only part of {', '.join(names)} left out"


def packets_text(count: int) -> str:
    """``1 packet``, ``2 packets``."""
    return f"{count} packet" if count == 1 else f"{count} packets"


def frames_evidence(frame: LazyFrame) -> Evidence:
    """The first frame numbers of these packets."""
    import narwhals as nw

    numbers = frame.select(nw.col("frame_number"))
    # Polars keeps the order of the frames, and is done when it has found enough of them.
    ordered = numbers if frame.implementation.is_polars() else numbers.sort("frame_number")
    first = ordered.head(EXAMPLES)
    return Evidence(first, lambda rows: [f"frame {row[0]}" for row in rows])


def values_evidence(frame: LazyFrame, names: Sequence[str]) -> Evidence:
    """The first distinct tuples of the key columns."""
    keys = key_names(len(names))
    first = frame.select(*keys).unique().sort(*keys).head(EXAMPLES)
    return Evidence(first, lambda rows: [text for text, _ in sorted_keys(names, rows)])
