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
        for name in imported(path)
        if name.split(".")[0] in FORBIDDEN[room]
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
