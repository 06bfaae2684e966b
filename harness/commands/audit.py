"""``replicap audit``: claims that contradict one another, without any capture."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from harness.commands.contradictions import contradiction_lines
from harness.messages import UsageMistake, say, say_error, tell

if TYPE_CHECKING:
    from generators.twin import Audit
    from harness.expectation import Expectation

CONTRADICTION, WRONG = 1, 2


def run(arguments: Namespace) -> int:
    """Prints what was found; 1 when claims contradict one another, 2 when none was understood.

    Raises UsageMistake.
    """
    from generators.twin import ASSUMPTIONS, TwinError, audit
    from harness.commands.verify import say_problems
    from harness.expectation import ExpectationError, load

    for name in arguments.without:
        if name not in ASSUMPTIONS:
            known = ", ".join(ASSUMPTIONS)
            raise UsageMistake(f"--without: unknown assumption {name!r}, expected one of {known}")
    try:
        expectation = load(arguments.expectations)
    except ExpectationError as error:
        say_problems(error)
        return WRONG
    try:
        found = audit(expectation, arguments.without)
    except TwinError as error:
        say_error(f"{expectation.path}: {error}")
        return WRONG
    tell(*_lines(expectation, found))
    if found.contradiction:
        return CONTRADICTION
    if not found.modelled:
        say("no claim was understood: nothing is known of contradictions")
        return WRONG
    return 0


def _lines(expectation: Expectation, found: Audit) -> list[str]:
    from generators.twin import ASSUMPTIONS

    untestable = sum(claim.measure is None for claim in expectation.claims)
    lines = [
        f"{expectation.path}: {len(expectation.claims)} claims: {len(found.modelled)} compared, "
        f"{len(found.open) + len(found.impossible)} not compared, {untestable} not testable",
        "assumed beyond the claims (--without NAME leaves one out):",
        *(f"  {name}: {ASSUMPTIONS[name]}" for name in found.assumptions),
    ]
    for title, claims in (
        ("not compared, as the kinds of packet leave it open:", found.open),
        ("not compared, as it needs packets of kinds that are not known:", found.impossible),
    ):
        lines += [title] if claims else []
        lines += [f"  {name}: {reason}" for name, reason in claims.items()]
    if found.contradiction:
        return [*lines, *contradiction_lines(expectation, found.contradiction)]
    return [*lines, "no contradiction between the claims compared"]
