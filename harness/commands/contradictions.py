"""Contradictions between claims, in words: what they say and where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generators.twin import Contradiction
    from harness.expectation import Claim, Expectation


def contradiction_lines(expectation: Expectation, found: Contradiction) -> list[str]:
    """Every claim of a contradiction with its place, and the assumptions it rests on."""
    from generators.twin import ASSUMPTIONS
    from harness.problems import escaped

    number = len(found.claims)
    what = "this claim cannot hold" if number == 1 else f"these {number} claims contradict"
    under = ", if what is assumed below is so" if found.assumptions else ""
    head = f"no such capture exists{under}: {what}" + ("" if number == 1 else " one another")
    lines = [f"{head}; without any one of them the others can hold"]
    for claim in found.claims:
        lines.append(f"  {claim.id} ({expectation.path}:{claim.line})")
        lines += [f"    {escaped(text)}" for text in _about(claim)]
    if found.assumptions:
        lines.append("  assumed (`replicap audit --without NAME` leaves one out):")
        lines += [f"    {name}: {ASSUMPTIONS[name]}" for name in found.assumptions]
    return lines


def _about(claim: Claim) -> list[str]:
    published = claim.comparison.published_text if claim.comparison else ""
    place = {name: value for name, value in claim.at.model_dump().items() if value is not None}
    lines = [
        f"says       {claim.says}",
        f"published  {published}",
        f"stage      {claim.stage}",
    ]
    if claim.where:
        lines.append(f"where      {claim.where}")
    return [*lines, f"at         {', '.join(f'{name} {value}' for name, value in place.items())}"]
