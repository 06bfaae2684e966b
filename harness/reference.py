"""The reference pages, made from the code: ``python -m harness.reference docs/reference``.

Fields come from the registry, measures and comparisons from their classes, the command's help from
its parsers: nothing on these pages is written by hand, and a test holds them to the code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from decoders.fields import Field

MADE = "<!-- Made by `python -m harness.reference docs/reference`. -->"
HELP_WIDTH = 100


def pages() -> dict[str, str]:
    """The pages by file name."""
    return {
        "command.md": _page("The command", _command()),
        "comparisons.md": _page("Comparisons", _comparisons()),
        "fields.md": _page("Fields", _fields()),
        "measures.md": _page("Measures", _measures()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines]).rstrip() + "\n"


def _fields() -> Iterator[str]:
    from decoders.fields import FIELDS, ITEM, LENGTH, OCTETS

    yield "Names and types are Wireshark's; fields that begin with `replicap.` are our own."
    yield "`type` is the type in filters, `column` that of the table."
    yield ""
    yield "| field | type | column | what | source |"
    yield "| --- | --- | --- | --- | --- |"
    for field in FIELDS.values():
        if not field.name.startswith((OCTETS, ITEM, LENGTH)):
            yield _field_row(field)


def _field_row(field: Field) -> str:
    column = "of its parts" if field.of else f"`{field.column}` {field.column_type.value}"
    return f"| `{field.name}` | {field.type.value} | {column} | {field.doc} | {field.rfc} |"


def _measures() -> Iterator[str]:
    from harness.measures import MEASURES

    yield "`measure: NAME`, `measure: {NAME: main parameter}` or `measure: {NAME: {parameters}}`."
    for name, measure in MEASURES.items():
        yield from _heading(name, measure)
        yield f"Value: {measure.shape.value}."
        if measure.holds_by_itself:
            yield "Needs no comparison: it holds when there is no exception."
        yield ""
        yield from _parameters(measure, measure.main)


def _comparisons() -> Iterator[str]:
    from harness.comparisons import COMPARISONS

    yield "Each claim has exactly one, beside its measure."
    for name, comparison in COMPARISONS.items():
        yield from _heading(name, comparison)
        shapes = ", ".join(sorted(shape.value for shape in comparison.shapes))
        yield f"For values that are: {shapes}."


def _heading(name: str, made: type[Any]) -> Iterator[str]:
    yield ""
    yield f"## {name}"
    yield ""
    yield inspect.cleandoc(made.__doc__ or "")
    yield ""


def _parameters(model: type[BaseModel], main: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        written = info.alias or name
        mark = ", may stand alone" if written == main else ""
        need = "required" if info.is_required() else "optional"
        description = f": {info.description}" if info.description else ""
        yield f"- `{written}` ({need}{mark}){description}"


def _command() -> Iterator[str]:
    from harness.cli import COMMANDS, help_of

    yield "| status | meaning |"
    yield "| --- | --- |"
    yield "| 0 | nothing refuted |"
    yield "| 1 | a claim refuted (mutants: one survived; audit: a contradiction) |"
    yield "| 2 | wrong usage, a wrong expectation file, or nothing could be verified at all |"
    yield "| 3 | a capture cannot be read or is damaged |"
    for name in COMMANDS:
        yield ""
        yield f"## replicap {name}"
        yield ""
        yield "```"
        yield help_of(name, HELP_WIDTH).rstrip()
        yield "```"


def main(arguments: list[str]) -> int:
    """Writes the pages into a folder."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m harness.reference FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
