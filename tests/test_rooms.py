"""Data walks one way: no room imports from a later one (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "decoders": ("harness", "generators"),
    "harness": ("generators",),
}
EARLIER = ["containers", "reference", "conversations", "table"]
"""Steps of the decoders; a later one may import an earlier one, never the other way round."""

KNOWN_TO_GENERATORS = (
    "decoders.fields",
    "decoders.names",
    "decoders.displayfilter",
    "harness.expectation",
    "harness.measures",
    "harness.comparisons",
)


def is_door(path: Path) -> bool:
    """The command and the pytest plugin stand at the end of the walk: they may call every room."""
    return path.parent.name == "commands" or path.name in ("cli.py", "plugin.py")


def imported(path: Path) -> set[str]:
    """Modules that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_room_imports_from_a_later_one(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert len(files) > 10
    wrong = [
        (path.name, name)
        for path in files
        if not is_door(path)
        for name in imported(path)
        if name.split(".")[0] in FORBIDDEN[room]
    ]
    assert wrong == []


def test_generators_know_the_fields_the_filter_language_and_the_expectation_files_only() -> None:
    files = sorted((ROOT / "generators").rglob("*.py"))
    wrong = [
        (path.name, name)
        for path in files
        for name in imported(path)
        if name.split(".")[0] in ("decoders", "harness")
        if not name.startswith(KNOWN_TO_GENERATORS)
    ]
    assert wrong == []


def test_steps_of_the_decoders_import_only_earlier_ones() -> None:
    wrong = []
    for at, step in enumerate(EARLIER):
        later = {f"decoders.{name}" for name in EARLIER[at + 1 :]}
        # The reference decoder annotates its rows: conversations belong to it.
        later -= {"decoders.conversations"} if step == "reference" else set()
        wrong += [(step, name) for name in imported(ROOT / "decoders" / f"{step}.py") & later]
    assert wrong == []


def test_kernels_and_layers_are_independent_witnesses() -> None:
    kernels = sorted((ROOT / "decoders" / "columnar" / "kernels").glob("*.py"))
    assert len(kernels) > 10
    wrong = [
        (path.name, name)
        for path in kernels
        for name in imported(path)
        if name.startswith(("decoders.layers", "decoders.reference", "decoders.octets"))
        or name in ("decoders.headers", "decoders.row", "decoders.reassembly")
    ]
    assert wrong == []
    layers = sorted((ROOT / "decoders" / "layers").glob("*.py"))
    assert [
        (path.name, name)
        for path in layers
        for name in imported(path)
        if name.startswith("decoders.columnar")
    ] == []
