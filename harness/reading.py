"""Checks of an expectation file that one mapping alone cannot tell: references, filters, fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.expectation import (
    DEFAULT_STAGE,
    FILL_IN,
    VERSION,
    Claim,
    ClaimEntry,
    Expectation,
    ExpectationError,
    FileEntry,
    Problem,
    Stage,
)
from harness.notation import Noted, model_of, noted, quoted, report_errors
from harness.problems import MAX_PROBLEMS, nearest
from harness.yaml12 import Document, Node, kind_of

if TYPE_CHECKING:
    from decoders.displayfilter import FilterError
    from harness.comparisons import Comparison
    from harness.measuring import Measure

Model = TypeVar("Model", bound=BaseModel)
_DID_YOU_MEAN = re.compile(r"; did you mean '([^']*)'\?$")
HOLDS = "holds"
"""The comparison of a measure that holds by itself, where the file names none."""
ENOUGH = 1000
"""Problems after which nobody looks for more: a file can be wrong in a hundred thousand places."""


class _Enough(Exception):
    """There are so many problems that the search ends."""


class Reader:
    """Turns a parsed document into an :class:`Expectation`, or into all of its problems."""

    def __init__(self, document: Document, path: str) -> None:
        from harness.comparisons import COMPARISONS
        from harness.measures import MEASURES

        self.document = document
        self.path = path
        self.measures = MEASURES
        self.comparisons = COMPARISONS
        self.problems: dict[tuple[int, int, str], Problem] = {}
        self.flawed: set[tuple[int, int]] = set()
        self.macros: dict[str, str] = {}
        self.macro_nodes: list[Node] = []
        self.stages: list[str] = []
        self.filters_seen: set[str] = set()

    def read(self) -> Expectation:
        """The expectation; raises :class:`ExpectationError` with all problems."""
        try:
            expectation = self.checked()
        except _Enough:
            raise ExpectationError(self.problems.values(), complete=False) from None
        if expectation is None:
            raise ExpectationError(self.problems.values())
        return expectation

    def checked(self) -> Expectation | None:
        """The expectation; None when there are problems."""
        for flaw in self.document.flaws:
            self.add(flaw.line, flaw.column, flaw.message)
        self.flawed = {(flaw.line, flaw.column) for flaw in self.document.flaws}
        root = self.document.root
        if root is not None and root.data is not None and self.known_version(root):
            return self.expectation(root)
        if not self.problems:
            self.add(1, 1, "the file is empty; expected 'replicap: 1' and what follows it")
        return None

    def add(self, line: int, column: int, message: str, hint: str = "") -> None:
        """Take up a problem, once, unless YAML itself is wrong at that place."""
        if suggested := _DID_YOU_MEAN.search(message):
            message, hint = message[: suggested.start()], suggested[1]
        if (line, column) in self.flawed:
            return
        found = self.document.line(line)
        if len(self.problems) >= ENOUGH:
            raise _Enough
        problem = Problem(self.path, line, column, found, message, hint)
        self.problems.setdefault((line, column, message), problem)

    def report(self, node: Node, message: str, hint: str = "") -> None:
        """Take up a problem of a node; a missing value is told at its key, and only there."""
        if node.data is not None:
            self.add(node.line, node.column, message, hint)

    def known_version(self, root: Node) -> bool:
        """Whether the format is ours; of a file in another one nothing else is worth saying."""
        if not root.is_mapping:
            self.report(root, f"expected a mapping with 'replicap: 1', found {kind_of(root.data)}")
            return False
        version = root.members.get("replicap")
        if version is None:
            return True  # that it is missing is told with everything else
        if type(version.data) is not int or version.data != VERSION:
            found = kind_of(version.data)
            self.report(
                version, f"unknown version of the format: expected {VERSION}, found {found}"
            )
            return False
        return True

    def expectation(self, root: Node) -> Expectation | None:
        self.empty_values(root)
        entry = self.validated(FileEntry, root, root.data)
        if entry is None or not entry.draft:
            self.unfinished(root)
        macros = root.members.get("macros")
        if macros is not None and isinstance(macros.data, dict):
            self.macro_nodes = [
                node for node in macros.members.values() if isinstance(node.data, str)
            ]
            self.macros = {
                name: text
                for name, text in macros.data.items()
                if isinstance(name, str) and isinstance(text, str)
            }
        self.check_stages(root.members.get("stages"))
        self.check_reference(_member(root, "capture", "stage"))
        claims = self.claims(root.members.get("claims"))
        if entry is None or self.problems:
            return None
        stages = entry.stages or [Stage(id=DEFAULT_STAGE)]
        capture = entry.capture
        if capture is not None and capture.stage is None:
            capture = capture.model_copy(update={"stage": stages[0].id})
        return Expectation(
            path=self.path,
            title=entry.title,
            source=entry.source,
            dialect=entry.dialect,
            capture=capture,
            macros=dict(entry.macros),
            stages=stages,
            claims=claims,
            draft=entry.draft,
        )

    def empty_values(self, root: Node) -> None:
        """A key without a value is an unfinished file: `where:` alone would measure everything."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            for key, value in node.members.items():
                if value.data is None:
                    at = node.keys.get(key, value)
                    message = f"{key!r} has no value" if node.is_mapping else "no value"
                    self.add(at.line, at.column, message)
            waiting.extend(node.members.values())

    def unfinished(self, root: Node) -> None:
        """What a draft left to its author is still there, and the file is no draft any more."""
        for node in root.inner():
            if isinstance(node.data, str) and FILL_IN.search(node.data):
                message = "left by 'replicap draft': expected words of your own, or 'draft: true'"
                self.add(node.line, node.column, message)

    def validated(self, kind: type[Model], node: Node, data: object) -> Model | None:
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            report_errors(error, kind, node, self.report)
        return None

    # Stages

    def check_stages(self, stages: Node | None) -> None:
        """Ids are unique, the first stage stands alone, every other comes from an earlier one."""
        if stages is None:
            self.stages = [DEFAULT_STAGE]
            return
        if not stages.is_list:
            return
        everywhere = {_text(_member(stage, "id")) for stage in stages.members.values()}
        lines: dict[str, int] = {}
        for position, stage in enumerate(stages.members.values()):
            if not stage.is_mapping:
                continue
            self.check_origin(stage, position == 0, lines, everywhere)
            self.check_filter(stage.members.get("filter"))
            self.check_unique("stage", stage.members.get("id"), lines)
        self.stages = list(lines)

    def check_origin(
        self, stage: Node, first: bool, earlier: Mapping[str, int], everywhere: set[str | None]
    ) -> None:
        for key in ("from", "filter"):
            if first and key in stage.members:
                self.report(stage.keys[key], f"the first stage has no {key!r}")
            elif not first and key not in stage.members:
                self.report(stage, f"{key!r} is missing: only the first stage has none")
        name = _text(origin := stage.members.get("from"))
        if first or origin is None or name is None or name in earlier:
            return
        if name in everywhere:
            self.report(origin, f"a stage comes from an earlier one, and {name!r} is not earlier")
        else:
            self.report(origin, f"unknown stage {name!r}", nearest(name, earlier))

    def check_unique(self, what: str, node: Node | None, lines: dict[str, int]) -> None:
        """Refuse an id that was used before; ``lines`` are the lines of the ids until now."""
        name = _text(node)
        if node is None or name is None:
            return
        if name in lines:
            self.report(node, f"the {what} {name!r} stands here twice; first on line {lines[name]}")
        else:
            lines[name] = node.line

    def check_reference(self, node: Node | None) -> None:
        name = _text(node)
        if node is None or name is None or not self.stages or name in self.stages:
            return
        close = nearest(name, self.stages)
        listed = "" if close else f"; expected one of {', '.join(self.stages[:20])}"
        self.report(node, f"unknown stage {name!r}{listed}", close)

    # Claims

    def claims(self, claims: Node | None) -> list[Claim]:
        found: list[Claim] = []
        lines: dict[str, int] = {}
        for node in claims.members.values() if claims is not None and claims.is_list else ():
            if not node.is_mapping:
                self.report(node, f"expected a claim, a mapping, found {kind_of(node.data)}")
                continue
            self.check_unique("claim", node.members.get("id"), lines)
            claim = self.claim(node)
            if claim is not None:
                found.append(claim)
        return found

    def claim(self, node: Node) -> Claim | None:
        compared = [key for key in node.keys.values() if key.data in self.comparisons]
        data = {
            key: value.data for key, value in node.members.items() if key not in self.comparisons
        }
        entry = self.claim_entry(node, data)
        self.check_reference(node.members.get("stage"))
        self.check_filter(node.members.get("where"))
        if "not_testable" in node.members:
            self.check_untestable(node, compared)
            measure, comparison = None, None
        else:
            measure, comparison = self.check_testable(node, compared)
        if entry is None:
            return None
        return Claim(
            **{name: getattr(entry, name) for name in _COPIED},
            stage=entry.stage or (self.stages[0] if self.stages else DEFAULT_STAGE),
            measure=measure,
            comparison=comparison,
            line=node.line,
            column=node.column,
        )

    def claim_entry(self, node: Node, data: dict[Any, Any]) -> ClaimEntry | None:
        """The keys of a claim; a misspelt one may have been meant as a comparison."""
        valid = [*ClaimEntry.model_fields, *self.comparisons]
        for key in [key for key in data if key not in ClaimEntry.model_fields]:
            del data[key]
            close = nearest(str(key), valid)
            listed = "" if close else f"; expected one of {', '.join(valid)}"
            self.report(node.keys[key], f"unknown key {str(key)[:40]!r}{listed}", close)
        return self.validated(ClaimEntry, node, data)

    def check_untestable(self, node: Node, compared: list[Node]) -> None:
        for key in [
            *compared,
            *(node.keys[k] for k in ("measure", "where", "measured") if k in node.keys),
        ]:
            self.report(key, f"a claim that is not testable has no {key.data!r}")

    def check_testable(
        self, node: Node, compared: list[Node]
    ) -> tuple[Measure | None, Comparison | None]:
        if "published" in node.keys:
            self.report(node.keys["published"], "'published' stands only beside 'not_testable'")
        measure = None
        if "measure" in node.members:
            measure = self.measure(node.members["measure"])
        else:
            self.report(node, "the claim has neither a 'measure' nor 'not_testable'")
        for key in compared[1:]:
            first = compared[0].data
            self.report(key, f"a claim has one comparison, and this one has {first!r} already")
        if compared:
            key = compared[0]
            value = node.members[str(key.data)]
            comparison = self.comparison(str(key.data), value, key)
            if measure is not None and comparison is not None:
                self.check_fit(key, value, measure, comparison)
            return measure, comparison
        if measure is not None and measure.holds_by_itself:
            return measure, self.comparisons[HOLDS].model_validate({})
        known = (*ClaimEntry.model_fields, *self.comparisons)
        if measure is not None and all(key in known for key in node.keys):
            # A key that is not known may be the comparison, misspelt: that has been told.
            listed = ", ".join(self.comparisons)
            self.report(node.keys["measure"], f"the measure needs a comparison: one of {listed}")
        return measure, None

    # Measures and comparisons

    def measure(self, node: Node) -> Measure | None:
        """The measure of ``name``, ``{name: main parameter}`` or ``{name: {parameters}}``."""
        if node.data is None:
            return None
        if isinstance(node.data, str):
            name, at, value = node.data, node, None
        elif node.is_mapping and len(node.members) == 1:
            ((key, value),) = node.members.items()
            name, at = str(key), node.keys[key]
        else:
            found = f"{len(node.members)} keys" if node.is_mapping else kind_of(node.data)
            self.report(node, f"expected a measure: a name, or one name: parameters; found {found}")
            return None
        kind = self.measures.get(name)
        if kind is None:
            self.unknown(at, "measure", name, self.measures)
            return None
        entry = noted(name, value, at, kind.main, alone=False)
        if value is not None and not entry.main and not value.is_mapping:
            self.report(value, f"the measure {name!r} has no main parameter")
            return None
        return self.checked_measure(model_of(kind, entry, self.report), entry)

    def checked_measure(self, measure: Measure | None, entry: Noted) -> Measure | None:
        """The measure, once its filters can be read and its stages are known ones."""
        if measure is None:
            return None
        before = len(self.problems)
        for text in measure.filters():
            for node in _holding(entry.root, text):
                self.check_filter(node)
        for stage in measure.stages():
            for node in _holding(entry.root, stage):
                self.check_reference(node)
        return measure if len(self.problems) == before else None

    def comparison(self, name: str, value: Node, key: Node) -> Comparison | None:
        if value.data is None:
            return None
        kind = self.comparisons[name]
        entry = noted(name, value, key, kind.main, alone=True)
        if not entry.main and not value.is_mapping:
            self.report(value, f"{name!r} takes parameters, a mapping; found {kind_of(value.data)}")
            return None
        return model_of(kind, entry, self.report)

    def check_fit(self, key: Node, value: Node, measure: Measure, comparison: Comparison) -> None:
        """Whether the comparison can be made with the value that the measure has."""
        problem = comparison.problem_with(measure)
        if problem is None:
            return
        if measure.shape in comparison.shapes:
            self.report(quoted(value, problem) or value, problem)
            return
        fitting = [name for name, kind in self.comparisons.items() if measure.shape in kind.shapes]
        self.report(key, f"{problem}; expected {' or '.join(fitting)}")

    def unknown(self, node: Node, what: str, name: str, valid: Mapping[str, object]) -> None:
        close = nearest(name, valid)
        listed = "" if close else f"; expected one of {', '.join(valid)}"
        self.report(node, f"unknown {what} {name[:40]!r}{listed}", close)

    # Display filters

    def check_filter(self, node: Node | None) -> None:
        """Parse a display filter; a mistake is told at its own character."""
        text = _text(node)
        if node is None or text is None or not text.strip() or text in self.filters_seen:
            return
        if len(self.problems) > MAX_PROBLEMS:
            return  # not worth the time: these problems would not be shown
        from decoders.displayfilter import FilterError, parse

        try:
            parse(text, self.macros)
        except FilterError as error:
            self.filter_problem(node, error)
        else:
            self.filters_seen.add(text)

    def filter_problem(self, node: Node, error: FilterError) -> None:
        """Report an error at its character, of the filter or of the macro in which it lies."""
        message = f"display filter: {error.message}"
        if error.hint:
            message += f"; {error.hint}"
        for written in (node, *self.macro_nodes):
            if written.data == error.text:
                column = self.document.column_of(written, error.start)
                self.add(written.line, column, message)
                return
        self.report(node, message)


_COPIED = (
    "id",
    "says",
    "at",
    "quote",
    "tags",
    "where",
    "not_testable",
    "published",
    "interpretation",
    "note",
)


def _member(node: Node | None, *path: str) -> Node | None:
    for name in path:
        node = node.members.get(name) if node is not None and node.is_mapping else None
    return node


def _text(node: Node | None) -> str | None:
    return node.data if node is not None and isinstance(node.data, str) else None


def _holding(root: Node, text: str) -> list[Node]:
    """The values with a text; the root itself where none has it, so that nothing gets lost."""
    found = [node for node in (root, *root.inner()) if node.data == text]
    return found or [root]
