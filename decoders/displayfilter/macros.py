"""Macros: ``${name}`` stands for a text that was defined beside the filters.

A macro goes in as text, in parentheses so that it keeps together, except where its text is one
word, one quoted string or one pair of braces: those stand for a value or a set as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from decoders.displayfilter.errors import FilterError, did_you_mean
from decoders.fields import FIELDS

LONGEST = 64 * 1024
"""Characters a filter may have, its macros put in."""

_DEEPEST = 20
"""Macros in macros."""

_PART = re.compile(r"""[rR]?"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\$\{([^}]*)\}|\$""", re.DOTALL)
_BRACKETS = re.compile(r"""[rR]?"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[(){}\[\]"']""", re.DOTALL)
_SINGLE = re.compile(
    r"""\s*(?:[\w.:/-]+|[rR]?"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\{[^{}]*\})\s*""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """``text[start:end]`` of the filter (``macro`` None) or of a macro, as it went in."""

    text: str
    start: int
    end: int
    macro: str | None


class Expansion:
    """A filter with its macros put in, which knows where each character came from."""

    def __init__(self, text: str, macros: Mapping[str, str]) -> None:
        """Raises FilterError for a macro that is unknown, endless or too long."""
        self.original = text
        self._macros = macros
        self._pieces: list[_Piece] = []
        self._length = 0
        if len(text) > LONGEST:
            raise self._too_long()
        self._put(text, None, ())
        self.text = "".join(piece.text[piece.start : piece.end] for piece in self._pieces)

    def _put(self, text: str, macro: str | None, inside: tuple[str, ...]) -> None:
        position = 0
        for part in _PART.finditer(text):
            if part[0][0] != "$":
                continue
            self._append(_Piece(text, position, part.start(), macro))
            self._put_macro(part, text, macro, inside)
            position = part.end()
        self._append(_Piece(text, position, len(text), macro))

    def _put_macro(
        self, part: re.Match[str], text: str, macro: str | None, inside: tuple[str, ...]
    ) -> None:
        name = part[1]
        problem = self._problem(name, inside)
        if problem is not None:
            problem.start, problem.end, problem.text = part.start(), part.end(), text
            raise named(problem, macro)
        content = self._macros[name]
        _refuse_open(content, name)
        bare = _SINGLE.fullmatch(content) is not None
        around = "" if bare else "()"
        self._append(_Piece(around[:1], 0, len(around[:1]), name))
        self._put(content, name, (*inside, name))
        self._append(_Piece(around[1:], 0, len(around[1:]), name))

    def _problem(self, name: str | None, inside: tuple[str, ...]) -> FilterError | None:
        """What is wrong with a use of a macro, without its place."""
        kind, hint = "syntax", None
        if name is None:
            message = "'$' begins a macro, written ${name}"
        elif name in inside:
            message = f"macro '{name}' contains itself"
        elif len(inside) >= _DEEPEST:
            message = f"more than {_DEEPEST} macros inside each other"
        elif name in self._macros:
            return None
        elif name in FIELDS:
            kind = "unsupported"
            message = f"${{{name}}} is the value in the selected packet; there is no selected one"
        else:
            import difflib

            near = difflib.get_close_matches(name, list(self._macros), n=1)
            kind, message = "unknown-field", f"unknown macro '{name}'"
            hint = did_you_mean(near[0] if near else None)
        return FilterError(message, kind=kind, start=0, end=0, hint=hint)

    def _append(self, piece: _Piece) -> None:
        self._length += piece.end - piece.start
        if self._length > LONGEST:
            raise self._too_long()
        if piece.end > piece.start:
            self._pieces.append(piece)

    def _too_long(self) -> FilterError:
        return FilterError(
            f"a filter may have {LONGEST} characters, macros included",
            kind="syntax",
            text=self.original[:80],
            start=0,
            end=1,
        )

    def placed(self, error: FilterError) -> FilterError:
        """The error, with its place moved from the expanded text to where it was written."""
        position = 0
        for index, piece in enumerate(self._pieces):
            length = piece.end - piece.start
            if error.start < position + length or index == len(self._pieces) - 1:
                inside = error.end - error.start
                error.text = piece.text
                error.start = piece.start + min(error.start - position, length)
                error.end = min(error.start + inside, max(piece.end, error.start))
                return named(error, piece.macro)
            position += length
        error.text = self.original
        return error


def _refuse_open(content: str, name: str) -> None:
    """Raise FilterError when a macro's brackets or quotes reach into what stands around it."""
    closing = {")": "(", "}": "{", "]": "["}
    waiting: list[str] = []
    for part in _BRACKETS.finditer(content):
        sign = part[0]
        wrong = sign in "'\""
        if sign in closing:
            wrong = not waiting or waiting.pop() != closing[sign]
        elif sign in closing.values():
            waiting.append(sign)
        if wrong:
            break
    else:
        if not waiting:
            return
    raise FilterError(
        f"macro '{name}' has brackets or quotes that do not match",
        kind="syntax",
        text=content,
        start=part.start(),
        end=part.end(),
    )


def named(error: FilterError, macro: str | None) -> FilterError:
    """The error with the macro it lies in, if any, in its message."""
    if macro is not None:
        error.message = f"in macro '{macro}': {error.message}"
    return error
