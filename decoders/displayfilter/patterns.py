"""Patterns of ``matches``: Wireshark's are PCRE2, ours run on a linear-time engine.

The two agree on what people write. Where they would not, because the engine lacks something
(lookaround, backreferences, possessive repetition) or reads it in another way (set operations in
a class), the pattern is refused.
"""

from __future__ import annotations

import re

from decoders.displayfilter.errors import FilterError
from decoders.displayfilter.syntax import Text

_TOKEN = re.compile(
    r"""
      \\(?P<escape>.)
    | (?P<group>\(\?(?:=|!|<=|<!|>|\||\(|R|&|P>|P=|C|[0-9+-][0-9]))
    | (?P<possessive>[*+?}]\+)
    | (?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_CLASS_OPERATION = re.compile(r"&&|--|~~|\[(?!:)")
_FOREIGN_ESCAPES = "123456789gkKGRXNCQEZ"
_OTHER_ESCAPES = "<>"


def pattern(text: Text) -> str:
    """The pattern as the engine takes it, caseless unless it begins with ``(?-i)``.

    Raises FilterError (``regex``) for a pattern the engine does not compile or would read in
    another way than PCRE2.
    """
    try:
        written = text.octets.decode()
    except UnicodeDecodeError:
        raise _refused(text, "a pattern of octets that are not UTF-8 is not supported") from None
    found = _foreign(written)
    if found is not None:
        raise _refused(text, f"{found} in a pattern is not supported")
    made = f"(?i){written}"
    problem = _problem(made)
    if problem is not None:
        raise _refused(text, f"the pattern cannot be used: {problem}")
    return made


def _refused(text: Text, message: str) -> FilterError:
    return FilterError(message, kind="regex", start=text.start, end=text.end)


def _foreign(written: str) -> str | None:
    """What of a pattern is PCRE2's alone, in words."""
    for token in _TOKEN.finditer(written):
        escape, group, inside = token["escape"], token["group"], token["class"]
        if group is not None:
            return f"'{group}' (lookaround, atomic groups, recursion)"
        if token["possessive"] is not None:
            return f"'{token['possessive']}' (possessive repetition)"
        if escape is not None and escape in _FOREIGN_ESCAPES + _OTHER_ESCAPES:
            return f"'\\{escape}'"
        if inside is not None and _CLASS_OPERATION.search(re.sub(r"\\.", "", inside[1:])):
            return f"the class '{inside[:40]}'"
    return None


def _problem(made: str) -> str | None:
    """Why the engine cannot compile the pattern; None when it can."""
    import polars
    from polars.exceptions import ComputeError

    try:
        polars.Series([""]).str.contains(made)
    except ComputeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        last = next((line for line in lines if line.startswith("error:")), lines[0])
        return last.removeprefix("error:").strip()
    return None
