"""What is wrong with an expectation file, and how it is told."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PROBLEMS = 50
MAX_WIDTH = 100
"""Characters of a source line that are shown."""
MAX_MESSAGE = 400
_MAX_NAMES = 500
"""Names that a misspelt one is held against."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place; lines and columns count from 1, line 0 is the file itself."""

    path: str
    line: int
    column: int
    found_line: str
    """The line of the file, as it stands there."""
    message: str
    hint: str = ""
    """The nearest valid name; empty when none is alike."""

    def __str__(self) -> str:
        """``file:line:column: message; did you mean 'x'?``, then the line and a caret."""
        place = f":{self.line}:{self.column}" if self.line else ""
        message = self.message if len(self.message) <= MAX_MESSAGE else self.message[:MAX_MESSAGE]
        hint = f"; did you mean {self.hint!r}?" if self.hint else ""
        first = f"{escaped(self.path)}{place}: {escaped(message)}{hint}"
        if not self.found_line.strip():
            return first
        line, caret = _excerpt(self.found_line, self.column - 1)
        return f"{first}\n    {line}\n    {' ' * caret}^"


class ExpectationError(ValueError):
    """An expectation file that cannot be used; ``problems`` in the order of the file.

    Shows at most 50 problems; ``more`` is how many others there are, or at least that many when
    the search was not ``complete``.
    """

    def __init__(self, problems: Iterable[Problem], *, complete: bool = True) -> None:
        everything = sorted(problems, key=lambda problem: (problem.line, problem.column))
        self.problems = everything[:MAX_PROBLEMS]
        self.more = len(everything) - len(self.problems)
        self.complete = complete
        super().__init__(str(self))

    def __str__(self) -> str:
        text = "\n".join(str(problem) for problem in self.problems)
        if self.more:
            count = f"{self.more:,}" if self.complete else f"at least {self.more:,}"
            text += f"\nand {count} more problem{'s' if self.more > 1 else ''}"
        return text


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name most like a misspelt one; empty when none is alike."""
    names = list(itertools.islice(valid, _MAX_NAMES))
    folded = name[:100].casefold().replace("-", "_")
    for candidate in names:
        if candidate.casefold() == folded:
            return candidate
    return next(iter(difflib.get_close_matches(name[:100], names, n=1, cutoff=0.6)), "")


def escaped(text: str) -> str:
    """Text with every character that a terminal would not print written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def _excerpt(line: str, offset: int) -> tuple[str, int]:
    """The part of a line around a character, escaped, and where the character is in it."""
    start = max(0, offset - MAX_WIDTH + 20) if len(line) > MAX_WIDTH else 0
    end = start + MAX_WIDTH
    before = ("…" if start else "") + escaped(line[start:offset])
    after = escaped(line[offset:end]) + ("…" if len(line) > end else "")
    return before + after, len(before)
