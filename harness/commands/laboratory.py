"""A capture on which mutants are tried: looked at through its tables, changed as bytes.

Nothing here judges: a mutant is written to a file, and the whole of ``verify`` reads that file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoders.containers import Capture, open_captures
from decoders.displayfilter import Filter, expression, parse
from decoders.displayfilter.syntax import And, Node
from decoders.pcapng_writer import write_pcapng
from decoders.table import decode
from generators.edits import Edit, Record, applied
from generators.subject import Condition, Key
from generators.wishes import relaxed
from harness.engine import verify
from harness.expectation import Claim, Expectation
from harness.measuring import Headers, View, values
from harness.stages import stage_tables
from harness.verdicts import Report

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

    from decoders.frames import Frame

ALWAYS = frozenset(
    {
        *("frame.number", "frame.time_epoch", "frame.len", "vlan.id"),
        *("ip.src", "ip.dst", "ipv6.src", "ipv6.dst"),
        *("tcp.srcport", "tcp.dstport", "tcp.stream"),
        *("udp.srcport", "udp.dstport", "udp.stream"),
    }
)
"""Fields that the makers of edits look at, whatever the claims read."""


@dataclass(frozen=True)
class _Stage:
    packets: pl.DataFrame
    positions: Sequence[int]
    """Where each of its packets stands in the capture, from 0."""


@dataclass
class Laboratory:
    """One capture and one expectation file; ``generators.subject.Scene`` for the makers of edits.

    ``stage``: which of the stages the capture is. ``folder``: where captures are written.
    """

    expectation: Expectation
    capture: Capture
    stage: str
    decoder: str
    folder: Path
    records: list[Record] = field(init=False)
    _stages: dict[str, _Stage] = field(default_factory=dict)
    _fields: set[str] = field(default_factory=set)
    _views: dict[tuple[object, ...], list[int]] = field(default_factory=dict)
    _rows: dict[tuple[object, ...], list[tuple[int, Key]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = [_record(frame) for frame in self.capture.frames()]
        self._fields = set(ALWAYS).union(*map(self._read_by, self.expectation.claims))

    # The scene ------------------------------------------------------------------------------------

    def parsed(self, text: str) -> Filter:
        """A display filter with the file's macros; raises FilterError."""
        return parse(text, self.expectation.macros)

    def view(self, stage: str, where: str | None, *conditions: Condition) -> list[int]:
        """Positions of a stage's packets that match a filter and fulfil the conditions."""
        key = (stage, where, *conditions)
        if key not in self._views:
            wanted = [*(((where, True),) if where is not None else ()), *conditions]
            self._need(name for text, _ in wanted for name in self.parsed(text).fields)
            found = self._stage(stage)
            frame = found.packets.with_row_index("at_")
            kept = _filtered(frame, [self._tested(frame, text, want) for text, want in wanted])
            self._views[key] = [found.positions[at] for at in kept["at_"].to_list()]
        return self._views[key]

    def rows(
        self, stage: str, where: str | None, names: Sequence[str], headers: str
    ) -> list[tuple[int, Key]]:
        """Position and values of every occurrence of a tuple of fields in a view."""
        key = (stage, where, tuple(names), headers)
        if key not in self._rows:
            self._rows[key] = self._values(stage, where, names, headers)
        return self._rows[key]

    def _values(
        self, stage: str, where: str | None, names: Sequence[str], headers: str
    ) -> list[tuple[int, Key]]:
        import narwhals as nw

        self._need([*names, *(self.parsed(where).fields if where is not None else ())])
        found = self._stage(stage)
        packets = found.packets
        if where is not None:
            packets = _filtered(packets, [self._tested(packets, where, True)])
        lazy: Any = nw.from_native(packets.lazy())
        view = View(lazy, frozenset(packets.columns), partial(self._tested, packets, want=True))
        number = {"number": nw.col("frame_number")}
        rows = nw.to_native(values(view, names, Headers(headers), extra=number)).collect().rows()
        placed = [(found.positions[row[-1] - 1], tuple(row[:-1])) for row in rows]
        return sorted(placed, key=lambda one: one[0])

    def content(
        self, records: Sequence[Record], stage: str, where: str | None, *conditions: Condition
    ) -> list[bool]:
        """Whether packets, each for itself, would stand in a view and fulfil the conditions."""
        if not records:
            return []
        texts = [(text, True) for text in self.filters_between(self.stage, stage)]
        texts += [*(((where, True),) if where is not None else ()), *conditions]
        if not texts:
            return [True] * len(records)
        filters = [self.parsed(text) for text, _ in texts]
        trees = tuple(
            _wanted(one.tree, want) for one, (_, want) in zip(filters, texts, strict=True)
        )
        names = frozenset[str]().union(*(one.fields for one in filters))
        tree = And(0, 0, trees) if len(trees) > 1 else trees[0]
        path = self.folder / "candidates.pcapng"
        write_pcapng(path, (_frame(record) for record in records))
        table = decode(open_captures([str(path)]), {"frame.number", *names}, decoder="reference")
        test = expression(Filter("", tree, names, (), ""), table.packets.columns)
        return _column(table.packets, test)

    def filters_between(self, stage: str, other: str) -> list[str]:
        """Filters of the stages that lead from one stage to another; none when no way does."""
        declared = {one.id: one for one in self.expectation.stages}
        found: list[str] = []
        step: str | None = other
        while step is not None and step != stage:
            found.append(declared[step].filter or "frame")
            step = declared[step].parent
        return found[::-1] if step == stage else []

    def _tested(self, packets: pl.DataFrame, text: str, want: bool) -> nw.Expr:
        parsed = self.parsed(text)
        test = expression(parsed, packets.columns)
        return test if want else ~test

    def _read_by(self, claim: Claim) -> set[str]:
        if claim.measure is None:
            return set()
        texts = [*claim.measure.filters(), *([claim.where] if claim.where is not None else [])]
        return claim.measure.fields().union(*(self.parsed(text).fields for text in texts))

    def _need(self, names: Iterable[str]) -> None:
        """Decode anew when a field is asked for that was not decoded."""
        wanted = set(names)
        if not self._fields.issuperset(wanted):
            self._fields.update(wanted)
            self._stages.clear()

    def _stage(self, name: str) -> _Stage:
        if name not in self._stages:
            self._decode()
        return self._stages[name]

    def _decode(self) -> None:
        wanted = {stage.id: self._fields for stage in self.expectation.stages}
        by = partial(decode, decoder=self.decoder)
        tables = stage_tables(
            self.expectation, self.capture, self.stage, wanted, parse=parse, decode=by
        )
        for name, found in tables.items():
            positions: Sequence[int] = range(found.table.count)
            if found.kept is not None:
                positions = [int(at) for at in found.kept.nonzero()[0]]
            self._stages[name] = _Stage(found.table.packets, positions)

    # Mutants --------------------------------------------------------------------------------------

    def write(self, edit: Edit | None, path: Path) -> None:
        """The capture after an edit, as a pcapng file; as it is without one."""
        records = self.records if edit is None else applied(self.records, edit)
        write_pcapng(path, (_frame(record) for record in records))

    def verified(self, edit: Edit | None, select: Callable[[Claim], bool] | None = None) -> Report:
        """What ``verify`` says of the capture after an edit, read from the file written."""
        path = self.folder / "mutant.pcapng"
        self.write(edit, path)
        return verify(
            self.expectation,
            open_captures([str(path)]),
            stage=self.stage,
            decoder=self.decoder,
            select=select,
        )


def _wanted(tree: Node, want: bool) -> Node:
    from decoders.displayfilter.syntax import Not

    relaxed_tree = relaxed(tree, want)
    return relaxed_tree if want else Not(0, 0, relaxed_tree)


def _record(frame: Frame) -> Record:
    return Record(frame.time_ns, frame.data, frame.wire_length, frame.interface.linktype, frame)


def _frame(record: Record) -> Frame:
    frame: Frame = record.origin
    return frame._replace(time_ns=record.time_ns, data=record.data, wire_length=record.wire_length)


def _filtered(packets: pl.DataFrame, tests: Sequence[nw.Expr]) -> pl.DataFrame:
    import narwhals as nw

    frame = nw.from_native(packets, eager_only=True)
    for test in tests:
        frame = frame.filter(test)
    return frame.to_native()


def _column(packets: pl.DataFrame, test: nw.Expr) -> list[bool]:
    import narwhals as nw

    found = nw.from_native(packets, eager_only=True).select(test.alias("content"))
    return [bool(one) for one in found["content"].to_list()]
