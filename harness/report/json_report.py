"""The JSON of ``verify``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.outcome import Outcome


def as_text(outcomes: Sequence[Outcome]) -> str:
    """One object as the contract has it; a list of such objects for several expectation files."""
    objects = [outcome.report.as_json() for outcome in outcomes]
    # Escapes beyond ASCII: lone surrogates of a hostile file stay valid JSON in any encoding.
    return json.dumps(objects if len(objects) != 1 else objects[0], indent=2) + "\n"
