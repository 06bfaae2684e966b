"""Cross-examination: every claim measured by each decoder there is.

Decoders that share no dissecting code and give the same figure confirm it. Where they differ the
claim has no verdict: the first packet and field that they see differently are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.engine import claim_fields, verify_with_tables
from harness.verdicts import Report, Status, Verdict

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.fields import Field
    from decoders.table import Table
    from harness.expectation import Claim, Expectation
    from harness.stages import StageTable

MEASURED = (Status.VERIFIED, Status.REFUTED)
NO_DIFFERENCE = "no value of the fields that it reads differs"


class _Run(NamedTuple):
    """What one decoder said."""

    decoder: str
    verdicts: Mapping[str, Verdict]
    tables: Mapping[str, StageTable]


def available() -> list[str]:
    """The decoders that this machine has, each by its own name."""
    from decoders import tshark
    from decoders.choice import DECODERS

    names = [name for name in DECODERS if name not in ("auto", "tshark")]
    return [*names, "tshark"] if tshark.is_installed() else names


def confirm(
    expectation: Expectation,
    capture: Capture,
    *,
    decoder: str = "auto",
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Report:
    """The report of ``decoder``, each claim with the number of decoders that gave its figure.

    ``options`` are those of :func:`harness.engine.verify`. A claim of which decoders give
    different figures is an error. Raises what ``verify`` raises, for any decoder.
    """
    from decoders.choice import chosen

    first = chosen(decoder, capture)
    report, tables = verify_with_tables(
        expectation, capture, decoder=first, progress=progress, **options
    )
    runs = [_Run(first, _by_claim(report), tables)]
    quiet = {**options, "pictures": False, "evidence": 0}
    others = [name for name in available() if name != first]
    for name in others:
        again, tables = verify_with_tables(
            expectation, capture, decoder=name, progress=progress, **quiet
        )
        runs.append(_Run(name, _by_claim(again), tables))
    verdicts = tuple(_confirmed(expectation, verdict, runs) for verdict in report.verdicts)
    return replace(report, verdicts=verdicts, confirmed_by=(first, *others))


def _by_claim(report: Report) -> dict[str, Verdict]:
    return {verdict.claim.id: verdict for verdict in report.verdicts}


def _confirmed(expectation: Expectation, verdict: Verdict, runs: Sequence[_Run]) -> Verdict:
    if verdict.claim.measure is None:
        return verdict
    said = {run.decoder: run.verdicts[verdict.claim.id] for run in runs}
    measured = {name: found for name, found in said.items() if found.status in MEASURED}
    figures = {name: found.measured for name, found in measured.items()}
    if any(figure != next(iter(figures.values())) for figure in figures.values()):
        return _disagreement(expectation, verdict, runs, measured)
    if verdict.status not in MEASURED:
        return replace(verdict, confirmed=0)
    left = {run.decoder: _delegated(expectation, verdict.claim, run) for run in runs}
    borrowed = [name for name in measured if left[name]]
    silent = [f"{name}: {said[name].reason}" for name in said if name not in measured]
    silent += [
        f"{name}: {left[name]} packets were left to the reference decoder's layers, "
        "which is no confirmation"
        for name in borrowed
    ]
    reason = "; ".join(filter(None, [verdict.reason, *silent]))
    return replace(verdict, confirmed=len(measured) - len(borrowed), reason=reason)


def _delegated(expectation: Expectation, claim: Claim, run: _Run) -> int:
    """Packets of the claim's stages, and of those they come from, that another decoder decoded."""
    parents = {stage.id: stage.parent for stage in expectation.stages}
    most = 0
    for name in (claim.measure.stages() if claim.measure is not None else ()) or (claim.stage,):
        step: str | None = name
        while step is not None and step in run.tables:
            most = max(most, run.tables[step].table.delegated)
            step = parents[step]
    return most


def _disagreement(
    expectation: Expectation,
    verdict: Verdict,
    runs: Sequence[_Run],
    measured: Mapping[str, Verdict],
) -> Verdict:
    said = ", ".join(f"{name} {found.measured_text}" for name, found in measured.items())
    one, *others = [run for run in runs if run.decoder in measured]
    other = next(
        run for run in others if measured[run.decoder].measured != measured[one.decoder].measured
    )
    place = first_difference(expectation, verdict.claim, one, other)
    reason = f"line {verdict.claim.line}: decoders disagree: {said}; {place}"
    return replace(
        verdict,
        status=Status.ERROR,
        reason=reason,
        measured=None,
        measured_text="",
        differing=(),
        confirmed=0,
    )


def first_difference(expectation: Expectation, claim: Claim, one: _Run, other: _Run) -> str:
    """Where two decoders first differ in what a claim reads, or in which packets it looks at."""
    from decoders.displayfilter import parse
    from decoders.fields import stored

    declared = {stage.id: stage for stage in expectation.stages}
    asked = claim_fields(expectation, claim)
    read: dict[str, frozenset[str]] = {}
    for name in (claim.measure.stages() if claim.measure is not None else ()) or (claim.stage,):
        read[name] = read.get(name, frozenset()) | asked
        step: str | None = name
        while step is not None and (condition := declared[step].filter) is not None:
            parent = declared[step].parent
            if parent is not None and step in one.tables:
                fields = frozenset(parse(condition, expectation.macros).fields)
                read[parent] = read.get(parent, frozenset()) | fields
            step = parent
    for name in one.tables:
        if name in read and name in other.tables:
            found = _in_stage(name, stored(sorted(read[name])), one, other)
            if found:
                return found
    return NO_DIFFERENCE


def _in_stage(stage: str, fields: Sequence[Field], one: _Run, other: _Run) -> str:
    from decoders.columns_as_text import occurrences
    from decoders.spelling import spell

    ours, theirs = one.tables[stage].table, other.tables[stage].table
    if ours.count != theirs.count:
        return (
            f"stage {stage!r} has {ours.count} packets by {one.decoder}, "
            f"{theirs.count} by {other.decoder}"
        )
    columns = {*ours.columns, *theirs.columns}
    places = [place for field in fields for place in occurrences(field, columns)]
    row = _first_row(ours, theirs, [name for _, name in places])
    if row is None:
        return ""
    number, values = row
    for (field, _), (left, right) in zip(places, values, strict=True):
        if left != right:
            texts = ["nothing" if value is None else spell(field, value) for value in (left, right)]
            return (
                f"the first difference is frame {_in_capture(one.tables[stage], number)}, "
                f"{field.name}: {one.decoder} {texts[0]}, {other.decoder} {texts[1]}"
            )
    return ""


def _in_capture(stage: StageTable, number: int) -> int:
    """The number, in the capture that was given, of a frame of a stage."""
    if stage.kept is None:
        return number
    return int(stage.kept.nonzero()[0][number - 1]) + 1


def _first_row(
    ours: Table, theirs: Table, names: Sequence[str]
) -> tuple[int, list[tuple[Any, Any]]] | None:
    """The first frame in which a column differs, and both values of every column."""
    import polars as pl

    def side(table: Table, letter: str) -> pl.LazyFrame:
        missing = [pl.lit(None).alias(f"{letter}{at}") for at in _missing(table, names)]
        there = [
            pl.col(name).alias(f"{letter}{at}")
            for at, name in enumerate(names)
            if name in table.columns
        ]
        return table.lazy().select(pl.col("frame_number").alias(letter), *there, *missing)

    both = pl.concat([side(ours, "a"), side(theirs, "b")], how="horizontal")
    differ = [pl.col(f"a{at}").ne_missing(pl.col(f"b{at}")) for at in range(len(names))]
    if not differ:
        return None
    found = both.filter(pl.any_horizontal(differ)).sort("a").head(1).collect(engine=ours.engine)
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    return row["a"], [(row[f"a{at}"], row[f"b{at}"]) for at in range(len(names))]


def _missing(table: Table, names: Sequence[str]) -> list[int]:
    return [at for at, name in enumerate(names) if name not in table.columns]
