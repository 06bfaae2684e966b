"""From an expectation file and a capture to a report: compile, decode, run all queries, judge.

Every stage is decoded once, with the fields its claims read, and all queries of the file run
together.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from decoders.choice import DECODERS, not_given
from harness.comparisons import Judgement
from harness.evidence import Concerned, narrowed, packets_of, witness_fields
from harness.measuring import EXAMPLES, Measured, MeasureError, Plan, Row, View
from harness.pictures import Interest, Sketch, draw, needed, sketches
from harness.stages import (
    Decode,
    StageTable,
    certain_in_frames,
    reachable,
    stage_tables,
    undecoded_reason,
)
from harness.verdicts import CaptureFacts, Report, Status, Verdict

if TYPE_CHECKING:
    import narwhals as nw

    from decoders.cache import Cache
    from decoders.containers import Capture
    from decoders.displayfilter import Filter
    from decoders.table import Table
    from harness.comparisons import Comparison
    from harness.expectation import Claim, Expectation
    from harness.measures import Measure
    from harness.measuring import LazyFrame
    from harness.pictures import Picture

UNDECODED = "replicap_undecoded"
WITHOUT_GROUPS = frozenset({"packets", "sum", "every", "no", "first", "last", "duration", "rate"})
"""Measures that remember nothing of the packets that went by."""
COUNTS = frozenset({"packets", "distinct", "streams"})
"""Measures that are 0 when there is nothing to count, and so nothing to show."""
ON_THE_READABLE_PART = "(on the readable part)"


class UsageError(ValueError):
    """A stage or decoder was asked for that does not exist or cannot be used."""


@dataclass
class _Job:
    """One claim on its way to a verdict."""

    claim: Claim
    measure: Measure
    comparison: Comparison
    filters: dict[str, Filter] = field(default_factory=dict)
    """Parsed filters by their text: the claim's own and those of the measure."""
    stages: tuple[str, ...] = ()
    plan: Plan | None = None
    queries: list[LazyFrame] = field(default_factory=list)
    rows: list[list[Row]] = field(default_factory=list)
    error: str = ""
    """Why the claim cannot be evaluated; ends the job."""
    missing: str = ""
    """What is missing to test the claim; ends the job."""
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return bool(self.error or self.missing)

    def fields(self) -> set[str]:
        """Registry names that the claim reads."""
        return self.measure.fields().union(*(found.fields for found in self.filters.values()))

    def own_fields(self) -> set[str]:
        """Registry names that the measure and its filters read, without the claim's filter."""
        inner = (self.filters[text].fields for text in self.measure.filters())
        return self.measure.fields().union(*inner)


def verify(
    expectation: Expectation,
    capture: Capture,
    *,
    stage: str | None = None,
    decoder: str = "auto",
    select: Callable[[Claim], bool] | None = None,
    progress: Callable[[int], None] | None = None,
    decode: Decode | None = None,
    cache: Cache | None = None,
    pictures: bool = False,
    evidence: int = 0,
) -> Report:
    """Measure every claim that ``select`` keeps on a capture, and judge it.

    With ``pictures`` the report also holds what can be drawn of the capture, with ``evidence`` at
    most so many packets that each refuted claim is about.

    ``stage`` says which published file the capture is: by default the one it is pinned as, or the
    first. ``cache`` keeps decoded tables, ``decode`` stands in for the decoder in tests. Raises
    CaptureError for a capture that cannot be read and UsageError for an unknown stage or decoder,
    and for a stage whose filter cannot be applied.
    """
    report, _ = verify_with_tables(
        expectation,
        capture,
        stage=stage,
        decoder=decoder,
        select=select,
        progress=progress,
        decode=decode,
        cache=cache,
        pictures=pictures,
        evidence=evidence,
    )
    return report


def verify_with_tables(
    expectation: Expectation,
    capture: Capture,
    *,
    stage: str | None = None,
    decoder: str = "auto",
    select: Callable[[Claim], bool] | None = None,
    progress: Callable[[int], None] | None = None,
    decode: Decode | None = None,
    cache: Cache | None = None,
    pictures: bool = False,
    evidence: int = 0,
) -> tuple[Report, dict[str, StageTable]]:
    """:func:`verify`, and the decoded stages that it measured on."""
    from decoders.displayfilter import FilterError

    given = _given_stage(expectation, capture, stage)
    if decode is None:
        decode = _decoder(decoder, cache)
    claims = [claim for claim in expectation.claims if select is None or select(claim)]
    jobs = {claim.id: _job(expectation, claim, given) for claim in claims}
    able = [job for job in jobs.values() if job is not None]
    _check_decoder(expectation, able, given, decoder)
    wanted = _wanted(given, able)
    drawn = sketches(_interests(able), given) if pictures else []
    for name, fields in needed(drawn).items():
        wanted.setdefault(name, set()).update(fields)
    for job in able if evidence else ():
        if not job.ended:
            wanted[job.stages[0]].update(witness_fields(job.measure, expectation.macros))
    try:
        tables = stage_tables(
            expectation, capture, given, wanted, parse=_parse, decode=decode, progress=progress
        )
    except FilterError as error:
        raise UsageError(f"filter of a stage: {error.message}: {error.text}") from None
    facts = _facts(capture, tables[given])
    engine = _Engine(expectation, tables, damaged=facts.damaged_at is not None)
    verdicts = engine.verdicts([(claim, jobs[claim.id]) for claim in claims])
    refuted = [
        (found, verdict)
        for verdict in verdicts
        if verdict.status is Status.REFUTED and (found := jobs[verdict.claim.id]) is not None
    ]
    report = Report(
        expectations=expectation,
        capture=facts,
        decoder=tables[given].table.decoder,
        twin=False,
        stage=given,
        verdicts=tuple(verdicts),
        pictures=engine.pictures(drawn),
        evidence=engine.concerned(refuted, evidence) if evidence else (),
    )
    return report, tables


def _check_decoder(
    expectation: Expectation, jobs: Sequence[_Job], given: str, decoder: str
) -> None:
    """Ends jobs that read what the decoder leaves empty in every packet: they would count nothing.

    Raises UsageError for the filter of a stage that does.
    """
    from decoders.displayfilter import FilterError, parse

    for stage in expectation.stages:
        if (
            stage.filter is None
            or stage.id == given
            or stage.id not in reachable(expectation, given)
        ):
            continue
        try:
            read = parse(stage.filter, expectation.macros).fields
        except FilterError:
            continue  # told when the stage is made
        if absent := not_given(decoder, read):
            raise UsageError(f"filter of stage {stage.id!r}: {_absent(decoder, absent)}")
    for job in jobs:
        if not job.ended and (absent := not_given(decoder, job.fields())):
            job.missing = f"needs another decoder: {_absent(decoder, absent)}"


def _absent(decoder: str, names: Sequence[str]) -> str:
    return f"decoder {decoder!r} does not give {', '.join(names)}"


def claim_fields(expectation: Expectation, claim: Claim) -> frozenset[str]:
    """Registry names that a claim reads; none of one whose filters are refused."""
    job = _job(expectation, claim, claim.stage)
    return frozenset() if job is None else frozenset(job.fields())


def _given_stage(expectation: Expectation, capture: Capture, stage: str | None) -> str:
    known = [declared.id for declared in expectation.stages]
    if stage is None:
        pin = expectation.capture
        pinned = pin is not None and pin.sha256 == capture.sha256
        return pin.stage or known[0] if pin is not None and pinned else known[0]
    if stage not in known:
        near = difflib.get_close_matches(stage, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"unknown stage {stage!r}, expected one of {', '.join(known)}{hint}")
    return stage


def _decoder(name: str, cache: Cache | None) -> Decode:
    from functools import partial

    from decoders.table import decode

    if name not in DECODERS:
        raise UsageError(
            f"decoder {name!r} is not available, expected one of {', '.join(DECODERS)}"
        )
    return partial(decode if cache is None else cache.decode, decoder=name)


def _job(expectation: Expectation, claim: Claim, given: str) -> _Job | None:
    """The claim with its filters parsed; None when it says itself that it is not testable."""
    if claim.measure is None or claim.comparison is None:
        return None
    from decoders.displayfilter import FilterError, parse

    start = perf_counter()
    job = _Job(claim, claim.measure, claim.comparison)
    job.stages = claim.measure.stages() or (claim.stage,)
    known = reachable(expectation, given)
    away = [name for name in job.stages if name not in known]
    if away:
        job.missing = f"needs stage {away[0]!r}, given was {given!r}"
    job.error = claim.comparison.problem_with(claim.measure) or ""
    texts = (
        claim.measure.filters() if claim.where is None else [claim.where, *claim.measure.filters()]
    )
    try:
        job.filters = {text: parse(text, expectation.macros) for text in texts}
    except FilterError as error:
        job.error = f"display filter: {error.message}"
    job.seconds = perf_counter() - start
    return job


def _wanted(given: str, jobs: Sequence[_Job]) -> dict[str, set[str]]:
    """Fields that the claims read, by stage; the given stage is decoded in any case."""
    wanted: dict[str, set[str]] = {given: set()}
    for job in jobs:
        for name in () if job.ended else job.stages:
            wanted.setdefault(name, set()).update(job.fields())
    return wanted


def _interests(jobs: Sequence[_Job]) -> list[Interest]:
    """What the claims that can be measured look at, each in the stage it is made of."""
    return [
        Interest(job.claim.id, job.stages[0], job.measure.name, frozenset(job.fields()))
        for job in jobs
        if not job.ended
    ]


def _parse(text: str, macros: Mapping[str, str]) -> Filter:
    from decoders.displayfilter import parse

    return parse(text, macros)


def _facts(capture: Capture, given: StageTable) -> CaptureFacts:
    table, damage = given.table, capture.damage
    return CaptureFacts(
        path=capture.path,
        sha256=capture.sha256,
        format=capture.format,
        packets=table.count,
        malformed=table.malformed,
        short=table.short,
        undecoded=dict(table.undecoded),
        damaged_at=damage.offset if damage is not None else None,
        damage=str(damage) if damage is not None else None,
        delegated=table.delegated,
    )


class _Engine:
    """Runs and judges the claims of one file on decoded stages."""

    def __init__(
        self, expectation: Expectation, tables: Mapping[str, StageTable], *, damaged: bool
    ) -> None:
        import narwhals as nw

        self.macros = expectation.macros
        self.tables = tables
        self.damaged = damaged
        self.frames: dict[str, LazyFrame] = {
            name: nw.from_native(stage.table.lazy()) for name, stage in tables.items()
        }
        engines = {stage.table.engine for stage in tables.values()}
        self.hiding: dict[str, bool] = {}
        self.engine: Literal["streaming", "auto"] = (
            "streaming" if "streaming" in engines else "auto"
        )

    def verdicts(self, claims: Sequence[tuple[Claim, _Job | None]]) -> list[Verdict]:
        jobs = [job for _, job in claims if job is not None]
        for job in jobs:
            _timed(job, self.prepare)
        self.run(jobs)
        judged = {job.claim.id: _timed(job, self.judge) for job in jobs}
        self.add_evidence(jobs, judged)
        return [
            _untestable(claim) if job is None else replace(judged[claim.id], seconds=job.seconds)
            for claim, job in claims
        ]

    def prepare(self, job: _Job) -> None:
        """Make the queries of a claim."""
        if job.ended:
            return
        bare_packets = job.measure.name == "packets" and job.claim.where is None
        empty = [name for name in job.stages if not self.tables[name].table.count]
        if empty and not bare_packets:
            job.error = f"stage {empty[0]!r} has no packet"
            return
        with _Errors(job):
            job.plan = job.measure.plan(self.view(job, job.stages[0]))
            hiding = [name for name in job.stages if self.hides(name)]
            job.queries = [*job.plan.queries, *(self.undecoded(job, name) for name in hiding)]

    def view(self, job: _Job, stage: str) -> View:
        """The packets of a stage that the claim's filter leaves."""
        from decoders.displayfilter import expression

        columns = frozenset(self.tables[stage].table.columns)

        def compiled(text: str) -> nw.Expr:
            return expression(job.filters[text], columns)

        frame = self.frames[stage]
        if job.claim.where is not None:
            frame = frame.filter(compiled(job.claim.where))
        return View(frame, columns, compiled, lambda other: self.view(job, other))

    def hides(self, stage: str) -> bool:
        """Whether some packet of a stage holds what the decoder does not see; looked up once."""
        if stage not in self.hiding:
            import narwhals as nw

            hidden = self.frames[stage].select((~nw.col(UNDECODED).is_null()).any())
            self.hiding[stage] = bool(self.collected([hidden])[0][0][0])
        return self.hiding[stage]

    def undecoded(self, job: _Job, stage: str) -> LazyFrame:
        """Counts the packets of a stage whose hidden contents could matter to the claim."""
        import narwhals as nw

        where = job.filters[job.claim.where].fields if job.claim.where is not None else ()
        frame = self.frames[stage]
        if certain_in_frames(where):
            frame = self.view(job, stage).frame
        hidden = ~nw.col(UNDECODED).is_null()
        if certain_in_frames(where) and certain_in_frames(job.own_fields()):
            hidden = nw.col("frame_number") < 0
        return frame.filter(hidden).select(nw.len())

    def run(self, jobs: Sequence[_Job]) -> None:
        """Run the queries of all claims."""
        ready = [job for job in jobs if not job.ended]
        for together in self.batches(ready):
            start = perf_counter()
            self.run_together(together)
            for job in together:
                job.seconds += (perf_counter() - start) / len(together)

    def batches(self, jobs: Sequence[_Job]) -> list[list[_Job]]:
        """Claims whose queries run together: all of them when the packets are in memory.

        Of larger tables those that remember the same groups run together, one after the other:
        with millions of streams the groups of one claim take much memory, those of all more than
        there is.
        """
        if self.engine != "streaming":
            return [list(jobs)] if jobs else []
        found: dict[object, list[_Job]] = {}
        for job in jobs:
            groups = (job.measure.name, job.stages, job.claim.where, frozenset(job.fields()))
            together = "light" if job.measure.name in WITHOUT_GROUPS else groups
            found.setdefault(together, []).append(job)
        return list(found.values())

    def run_together(self, jobs: Sequence[_Job]) -> None:
        """Run queries together; when that fails each claim alone, to find the failing one."""
        import polars as pl
        from polars.exceptions import PolarsError

        try:
            queries = [query for job in jobs for query in _native(job.queries)]
            found = iter(pl.collect_all(queries, engine=self.engine))
            for job in jobs:
                job.rows = [next(found).rows() for _ in job.queries]
        except PolarsError:
            for job in jobs:
                with _Errors(job):
                    frames = pl.collect_all(_native(job.queries), engine=self.engine)
                    job.rows = [frame.rows() for frame in frames]

    def judge(self, job: _Job) -> Verdict:
        """The verdict on a claim whose queries have run; without evidence."""
        measured: Measured | None = None
        judgement: Judgement | None = None
        if not job.ended and job.plan is not None:
            with _Errors(job):
                cut = len(job.plan.queries)
                measured = job.plan.finish(job.rows[:cut])
                judgement = job.comparison.judge(measured)
                self.doubt(job, measured, self.flagged(job, job.rows[cut:]))
        if judgement is None or measured is None or job.ended:
            return _no_verdict(job)
        warnings = [text for parsed in job.filters.values() for text in parsed.warnings]
        notes = [measured.note, ON_THE_READABLE_PART if self.damaged else "", *warnings]
        return Verdict(
            claim=job.claim,
            status=Status.VERIFIED if judgement.holds else Status.REFUTED,
            published=job.comparison.published_json(),
            measured=job.comparison.measured_json(measured),
            published_text=job.comparison.published_text,
            measured_text=job.comparison.measured_text(measured),
            reason=" ".join(filter(None, notes)),
            differing=judgement.differing,
            filter=self.filter_text(job),
            seconds=0.0,
        )

    def flagged(self, job: _Job, rows: Sequence[Sequence[Row]]) -> list[int]:
        """For each stage how many packets hide what could matter; ``rows`` of those that do."""
        counted = iter(rows)
        return [int(next(counted)[0][0]) if self.hides(name) else 0 for name in job.stages]

    def doubt(self, job: _Job, measured: Measured, undecoded: Sequence[int]) -> None:
        """End the job when the value says less than it seems to."""
        figure = f"the figure on the rest is {job.comparison.measured_text(measured)}"
        for name, flagged in zip(job.stages, undecoded, strict=True):
            stage = self.tables[name]
            frames = flagged + self.unflagged(job, name)
            if stage.uncertain:
                job.missing = f"stage {name!r}: {stage.uncertain}; {figure}"
            elif frames:
                table = stage.table
                seen = undecoded_reason(frames, table.count, table.undecoded)
                job.missing = f"{seen}: {figure}"
        if measured.vacuous and not job.missing:
            job.error = measured.vacuous

    def unflagged(self, job: _Job, stage: str) -> int:
        """Undecoded things that no row tells of, when they could matter to the claim."""
        table = self.tables[stage].table
        if not table.undecoded or certain_in_frames(job.fields()):
            return 0
        flags = sum(_values(table, name) for name in table.columns if name.startswith(UNDECODED))
        return max(0, sum(table.undecoded.values()) - flags)

    def filter_text(self, job: _Job) -> str | None:
        """A display filter without macros that shows the packets that matter."""
        from decoders.displayfilter import FilterError
        from decoders.displayfilter.macros import Expansion

        parts = [part for part in (job.claim.where, job.measure.witness()) if part]
        if not parts:
            return None
        text = parts[0] if len(parts) == 1 else " && ".join(f"({part})" for part in parts)
        try:
            return Expansion(text, self.macros).text
        except FilterError:
            return None  # each part was accepted, together they are too long

    def add_evidence(self, jobs: Sequence[_Job], judged: dict[str, Verdict]) -> None:
        """Frames and rows that refute claims, where the comparison has not named them."""
        import polars as pl
        from polars.exceptions import PolarsError

        wanted = [
            job
            for job in jobs
            if job.plan is not None and job.plan.evidence is not None
            if judged[job.claim.id].status is Status.REFUTED
            if not judged[job.claim.id].differing
            if job.claim.where is not None or job.measure.name != "packets"
            if not (job.measure.name in COUNTS and judged[job.claim.id].measured == 0)
        ]
        for together in self.batches(wanted):
            proofs = [job.plan.evidence for job in together if job.plan and job.plan.evidence]
            try:
                queries = _native([proof.query for proof in proofs])
                found = pl.collect_all(queries, engine=self.engine)
            except PolarsError:
                continue  # the verdicts stand without it
            for job, proof, frame in zip(together, proofs, found, strict=True):
                name = job.claim.id
                lines = tuple(proof.lines(frame.rows())[:EXAMPLES])
                judged[name] = replace(judged[name], differing=lines)

    def concerned(
        self, refuted: Sequence[tuple[_Job, Verdict]], most: int
    ) -> tuple[Concerned, ...]:
        """The first packets that each refuted claim is about, and how many there are."""
        import narwhals as nw

        found: list[tuple[_Job, str]] = []
        queries: list[LazyFrame] = []
        for job, verdict in refuted:
            view = self.view(job, job.stages[0])
            narrow = narrowed(job.measure, verdict)
            text, packets = packets_of(view, job.claim.where, narrow, self.macros)
            numbers = packets.select(nw.col("frame_number"))
            queries += [numbers.sort("frame_number").head(most), numbers.select(nw.len())]
            found.append((job, text))
        rows = iter(self.collected(queries))
        return tuple(
            Concerned(
                job.claim.id,
                text,
                job.stages[0],
                self.tables[job.stages[0]].numbers_in_capture([row[0] for row in next(rows)]),
                int(next(rows)[0][0]),
            )
            for job, text in found
        )

    def collected(self, queries: Sequence[LazyFrame]) -> list[list[Row]]:
        """The rows of each query, run together."""
        import polars as pl

        return [found.rows() for found in pl.collect_all(_native(queries), engine=self.engine)]

    def pictures(self, drawn: Sequence[Sketch]) -> tuple[Picture, ...]:
        """The pictures of the stages, drawn from their packets."""
        if not drawn:
            return ()
        columns = {name: stage.table.columns for name, stage in self.tables.items()}
        return draw(drawn, self.frames, columns, self.collected)


class _Errors:
    """Turns what can go wrong with a claim into the job's error."""

    def __init__(self, job: _Job) -> None:
        self.job = job

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        from narwhals.exceptions import NarwhalsError
        from polars.exceptions import PolarsError

        from decoders.displayfilter import FilterError

        if isinstance(error, FilterError):
            self.job.error = f"display filter: {error.message}"
        elif isinstance(error, MeasureError | NarwhalsError | PolarsError):
            self.job.error = str(error).partition("\n")[0]
        else:
            return False
        return True


def _values(table: Table, column: str) -> int:
    """How many rows have a value in a column."""
    found = table.lazy().select(column).drop_nulls().collect(engine=table.engine)
    return found.height


def _native(queries: Sequence[LazyFrame]) -> list[Any]:
    import narwhals as nw

    return [nw.to_native(query) for query in queries]


def _timed(job: _Job, step: Callable[[_Job], Any]) -> Any:
    start = perf_counter()
    result = step(job)
    job.seconds += perf_counter() - start
    return result


def _no_verdict(job: _Job) -> Verdict:
    """Not testable when something is missing, else an error at the claim's line."""
    return Verdict(
        claim=job.claim,
        status=Status.ERROR if job.error else Status.NOT_TESTABLE,
        published=job.comparison.published_json(),
        measured=None,
        published_text=job.comparison.published_text,
        measured_text="",
        reason=f"line {job.claim.line}: {job.error}" if job.error else job.missing,
        differing=(),
        filter=None,
        seconds=0.0,
    )


def _untestable(claim: Claim) -> Verdict:
    """The verdict on a claim that says itself what is missing."""
    return Verdict(
        claim=claim,
        status=Status.NOT_TESTABLE,
        published=claim.published,
        measured=None,
        published_text=claim.published or "",
        measured_text="",
        reason=claim.not_testable or "no measure",
        differing=(),
        filter=None,
        seconds=0.0,
    )
