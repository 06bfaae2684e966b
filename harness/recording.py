"""Puts what was measured beside what was published, into the text of an expectation file.

``measured:`` follows the comparison of its claim. Nothing else of the file changes: the published
figure, comments, order and line ends stay. A file in which it already stands stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness import yaml12
from harness.expectation import ExpectationError, read
from harness.measuring import Shape
from harness.problems import escaped

if TYPE_CHECKING:
    from harness.expectation import Expectation
    from harness.verdicts import Report, Verdict
    from harness.yaml12 import Document, Node

KEY = "measured"
MOST_ROWS = 200
"""Rows of a table that are written; of a longer one its text, which ends in the number of rows."""

_ALIAS = re.compile(r"\s*:\s*(\*[^\s,\[\]{}]+)")
_LINE = re.compile("(.*?)(\r\n|\r|\n|\\Z)", re.DOTALL)
_PLACES = ("line", "column")

Place = tuple[int, int]
"""Line and column, from 1."""


class RecordingError(ValueError):
    """Measured figures that must not or cannot be written; the message says why."""


@dataclass(frozen=True)
class _Edit:
    """Text that takes the place of another; nothing is replaced where begin and end are one."""

    begin: Place
    end: Place
    text: str
    own_line: bool = False
    """The text is a line of its own, behind the line of ``begin``."""


def recorded(raw: bytes, report: Report) -> tuple[bytes, int]:
    """The file with what the report measured, and how many claims that changed.

    Raises RecordingError: a twin, a damaged capture, a file that says something else by now, or a
    claim written so that there is no place for it.
    """
    _refuse(report)
    path = report.expectations.path
    before = _read(raw, path)
    if _without_places(before) != _without_places(report.expectations):
        raise RecordingError("the file changed while it was verified; nothing was written")
    document = yaml12.parse(raw)
    nodes = document.root.members["claims"].members.values() if document.root else ()
    edits = [
        edit
        for node, verdict in zip(nodes, _by_claim(report, before), strict=True)
        if verdict is not None
        if (edit := _edit(document, node, verdict)) is not None
    ]
    changed = _applied(raw, edits)
    _check(changed, path, before, report)
    return changed, len(edits)


def _refuse(report: Report) -> None:
    if report.twin:
        raise RecordingError(
            "the capture is a twin, made from the claims: its figures say nothing about the "
            "published capture and are not written"
        )
    if report.capture is None or report.capture.damaged_at is not None:
        raise RecordingError("the capture could not be read to its end; nothing was written")


def _read(raw: bytes, path: str) -> Expectation:
    try:
        return read(raw, path)
    except ExpectationError as error:
        raise RecordingError(f"the file cannot be read any more: {error.problems[0]}") from None


def _without_places(expectation: Expectation) -> dict[str, Any]:
    """What the file says, without the lines on which it says it."""
    said = {one.name: getattr(expectation, one.name) for one in fields(expectation)}
    said["claims"] = [
        [getattr(claim, one.name) for one in fields(claim) if one.name not in _PLACES]
        for claim in expectation.claims
    ]
    return said


def _by_claim(report: Report, expectation: Expectation) -> list[Verdict | None]:
    """The verdict with a measured value of each claim, in the order of the file."""
    found = {
        verdict.claim.id: verdict
        for verdict in report.verdicts
        if verdict.status.value in ("verified", "refuted") and verdict.measured is not None
    }
    return [found.get(claim.id) for claim in expectation.claims]


def measured_data(verdict: Verdict) -> object:
    """What stands under ``measured``: number, text, table or list; of exceptions their words."""
    measure, value = verdict.claim.measure, verdict.measured
    if measure is not None and measure.shape is Shape.EXCEPTIONS and isinstance(value, bool):
        return escaped(verdict.measured_text)
    if isinstance(value, dict | list) and len(value) > MOST_ROWS:
        return escaped(verdict.measured_text)
    return _printable(value)


def _printable(value: object) -> object:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        return {escaped(str(key)): _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return value


def _edit(document: Document, claim: Node, verdict: Verdict) -> _Edit | None:
    data = measured_data(verdict)
    text = json.dumps(data, ensure_ascii=False)
    if KEY in claim.members:
        value = claim.members[KEY]
        if type(value.data) is type(data) and value.data == data:
            return None
        return _Edit(*_span(document, claim, KEY), text)
    comparison = verdict.claim.comparison
    name = comparison.name if comparison is not None and comparison.name in claim.keys else ""
    _, end = _span(document, claim, name or "measure")
    if _char(document, (claim.line, claim.column)) == "{":
        return _Edit(end, end, f", {KEY}: {text}")
    return _Edit(end, end, f"{' ' * (claim.column - 1)}{KEY}: {text}", own_line=True)


def _span(document: Document, claim: Node, key: str) -> tuple[Place, Place]:
    """Where the value of a key of a claim begins and ends; of an alias the alias itself."""
    name, value = claim.keys[key], claim.members[key]
    behind = (name.end_line, name.end_column)
    alias = _ALIAS.match(document.line(behind[0]), behind[1] - 1)
    if alias is not None:
        return (behind[0], alias.start(1) + 1), (behind[0], alias.end(1) + 1)
    return (value.line, value.column), _end(document, value)


def _end(document: Document, node: Node) -> Place:
    """Behind the last character of a value."""
    if node.style in ("|", ">"):
        return _end_of_block(document, node)
    if (node.is_mapping or node.is_list) and _char(document, (node.line, node.column)) not in "{[":
        inner = [_end(document, one) for one in node.members.values()]
        return max(inner, default=(node.line, node.column))
    return node.end_line, node.end_column


def _end_of_block(document: Document, node: Node) -> Place:
    """The last line with text of a literal or folded scalar, whose mark stands behind it."""
    line = node.end_line - 1 if node.end_column == 1 else node.end_line
    indent = _indent(document.line(node.line))
    while line > node.line:
        text = document.line(line)
        if text.strip() and not (text.lstrip().startswith("#") and _indent(text) <= indent):
            break
        line -= 1
    return line, len(document.line(line)) + 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _char(document: Document, place: Place) -> str:
    return document.line(place[0])[place[1] - 1 : place[1]] or " "


def _applied(raw: bytes, edits: list[_Edit]) -> bytes:
    """The text with all edits, last first, so that places before stay where they are."""
    text = raw.decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = [list(found.groups()) for found in _LINE.finditer(text.removeprefix(mark))]
    ending = next((end for _, end in lines if end), "\n")
    for edit in sorted(edits, key=lambda edit: edit.begin, reverse=True):
        (first, start), (last, stop) = edit.begin, edit.end
        if edit.own_line:
            lines[first - 1][1] = lines[first - 1][1] or ending
            lines.insert(first, [edit.text, ending])
            continue
        tail = lines[last - 1][0][stop - 1 :]
        lines[first - 1] = [
            lines[first - 1][0][: start - 1] + edit.text + tail,
            lines[last - 1][1],
        ]
        del lines[first:last]
    return (mark + "".join(line + end for line, end in lines)).encode()


def _check(changed: bytes, path: str, before: Expectation, report: Report) -> None:
    """The new text says what the old one said, and what was measured at the right claims."""
    try:
        after = read(changed, path)
    except ExpectationError as error:
        place = error.problems[0].line
        raise RecordingError(f"no place was found for a figure (line {place})") from None
    if _without_places(after) != _without_places(before):
        raise RecordingError("no place was found for a figure without changing a claim")
    root = yaml12.parse(changed).root
    nodes = root.members["claims"].members.values() if root else ()
    for claim, node, verdict in zip(after.claims, nodes, _by_claim(report, before), strict=True):
        if verdict is not None and not _holds(node, verdict):
            raise RecordingError(f"no place was found for what {claim.id} measured")


def _holds(node: Node, verdict: Verdict) -> bool:
    return KEY in node.members and node.members[KEY].data == measured_data(verdict)
