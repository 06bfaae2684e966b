"""``replicap draft``: a first expectation file, measured from a capture, for its author to edit."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.commands.captures import damage_status, say_undecoded
from harness.messages import say
from harness.report.output import check_output, write_text

if TYPE_CHECKING:
    from decoders.containers import Capture
    from harness.drafting import Candidate
    from harness.expectation import Stage
    from harness.measuring import Measured
    from harness.stages import StageTable
    from harness.survey import Survey

WRONG = 2


def run(arguments: Namespace) -> int:
    """Writes the draft; 3 when the capture is damaged, 2 when there is nothing to claim of it.

    Raises UsageMistake, OutputError, CaptureError.
    """
    output: str = arguments.output or "-"
    check_output(output, arguments.captures)

    from decoders.containers import open_captures
    from harness.report.progress import FrameCounter
    from harness.survey import survey

    capture = open_captures(arguments.captures)
    with FrameCounter("drafting", capture) as progress:
        found = survey(capture, progress)
        if not found.packets:
            say("the capture has no packet, there is nothing to claim of it")
            return damage_status(capture) or WRONG
        text, claims, left_out = drafted(capture, found)
    write_text(output, text)
    say(f"a draft with {claims} claims: fill in what says FILL IN, then remove 'draft: true'")
    for line in left_out:
        say(f"left out: {line}")
    say_undecoded(found.undecoded)
    return damage_status(capture)


def drafted(capture: Capture, found: Survey) -> tuple[str, int, list[str]]:
    """The text, how many claims it has, and which were left out and why.

    What does not hold, and tables that nobody would print, are no candidates after all. Every claim
    is verified on the capture before it is written.
    """
    from harness.draft_text import claim_text, figure_of, head, stages_text
    from harness.drafting import candidates, stages

    made = stages(found)
    wanted = list(candidates(found, made))
    blocks: dict[str, str] = {}
    left_out: list[str] = []
    for candidate, measure, value in _measured(capture, made, wanted):
        figure = None if isinstance(value, str) else figure_of(candidate, value)
        if figure is not None:
            blocks[candidate.id] = claim_text(candidate, measure, *figure)
        elif isinstance(value, str):
            left_out.append(f"{candidate.id}: {value}")
    top = head(capture, _size(capture)) + stages_text(made)
    for name, reason in _not_verified(capture, _whole(top, blocks.values())).items():
        left_out.append(f"{name}: {reason}")
        del blocks[name]
    return _whole(top, blocks.values()), len(blocks), left_out


def _whole(top: str, blocks: Any) -> str:
    return f"{top}claims:\n" + "\n".join(blocks)


def _size(capture: Capture) -> int:
    return sum(os.path.getsize(name.partition("!")[0]) for name in capture.path.split(" + "))


def _not_verified(capture: Capture, text: str) -> dict[str, str]:
    from harness.engine import verify
    from harness.expectation import read

    report = verify(read(text.encode(), "the draft"), capture)
    return {
        verdict.claim.id: verdict.reason or verdict.status.value
        for verdict in report.verdicts
        if verdict.status.value != "verified"
    }


def _measured(
    capture: Capture, made: Sequence[Stage], wanted: Sequence[Candidate]
) -> list[tuple[Candidate, object, Measured | str]]:
    """Each candidate with its measure as written and its value, or why it has none."""
    tables = _tables(capture, made, wanted)
    return [(candidate, *_value(candidate, tables[candidate.stage])) for candidate in wanted]


def _tables(
    capture: Capture, made: Sequence[Stage], wanted: Sequence[Candidate]
) -> Mapping[str, StageTable]:
    from decoders.displayfilter import parse
    from decoders.table import decode
    from harness.expectation import Expectation, Source
    from harness.measures import measure_from
    from harness.stages import stage_tables

    fields: dict[str, set[str]] = {stage.id: set() for stage in made}
    for candidate in wanted:
        measure = measure_from(candidate.measure)
        filters = [text for text in (candidate.where, *measure.filters()) if text]
        fields[candidate.stage].update(measure.fields(), *(parse(text).fields for text in filters))
    frame = Expectation(
        path="the draft",
        title="",
        source=Source(by="-", url="https://example.org/"),
        dialect="wireshark-4.0",
        capture=None,
        macros={},
        stages=list(made),
        claims=[],
        draft=True,
    )
    return stage_tables(frame, capture, made[0].id, fields, parse=parse, decode=decode)


def _value(candidate: Candidate, stage: StageTable) -> tuple[object, Measured | str]:
    import narwhals as nw
    import polars as pl

    from decoders.displayfilter import expression, parse
    from harness.measures import measure_from
    from harness.measuring import MeasureError, View

    columns = frozenset(stage.table.columns)

    def compiled(text: str) -> nw.Expr:
        return expression(parse(text), columns)

    frame = nw.from_native(stage.table.lazy())
    if candidate.where:
        frame = frame.filter(compiled(candidate.where))
    notation = candidate.measure
    try:
        plan = measure_from(notation).plan(View(frame, columns, compiled))
        rows = pl.collect_all(
            [nw.to_native(query) for query in plan.queries], engine=stage.table.engine
        )
        value = plan.finish([one.rows() for one in rows])
    except MeasureError as error:
        return notation, str(error)
    return _fitted(notation, value)


def _fitted(notation: object, value: Measured) -> tuple[object, Measured]:
    """Bins that no group falls into are left out of a distribution."""
    from dataclasses import replace

    if not isinstance(notation, dict) or "group_sizes" not in notation:
        return notation, value
    if not isinstance(value.value, Mapping):
        return notation, value
    filled = {label: count for label, count in value.value.items() if count}
    sizes = {**notation["group_sizes"], "bins": list(filled)}
    return {"group_sizes": sizes}, replace(value, value=filled)
