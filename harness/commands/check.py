"""``replicap check``: whether expectation files are right, without any capture."""

from __future__ import annotations

from argparse import Namespace

from harness.messages import tell

WRONG = 2


def run(arguments: Namespace) -> int:
    """Tells every problem of every file; 2 when there is one."""
    from harness.commands.verify import say_problems
    from harness.expectation import ExpectationError, load

    status = 0
    for path in arguments.files:
        try:
            found = load(path)
        except ExpectationError as error:
            say_problems(error, annotate=arguments.annotate)
            status = WRONG
            continue
        mark = ", a draft" if found.draft else ""
        tell(f"{path}: {len(found.claims)} claims, {len(found.stages)} stages{mark}")
    return status
