"""Text of captures and expectation files, made safe and readable for the page.

Everything here is hostile: characters that would not be seen (controls, bidirectional marks, lone
surrogates) are written as escapes, long texts are cut with a note. Escaping of HTML itself is the
template engine's (autoescape), or markupsafe's where a text gets marks of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

MOST = 2_000
"""Characters of one text that are shown."""

_FIGURE = re.compile(r"[0-9][0-9.,:]*[0-9]|[0-9]")
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def visible(char: str) -> str:
    """A character that shows itself; spaces as a space, anything unseen as its escape."""
    if char in "\t\n\r" or unicodedata.category(char) == "Zs":
        return " "
    if char.isprintable():
        return char
    return char.encode("unicode_escape", "surrogatepass").decode()


def plain(text: str, most: int = MOST) -> str:
    """A text for an attribute or a cell: unseen characters escaped, cut with a note."""
    shown = text[:most]
    if not shown.isprintable():
        shown = "".join(map(visible, shown))
    return shown + _cut(text, most)


def _cut(text: str, most: int) -> str:
    return f"… ({len(text) - most:,} more characters)" if len(text) > most else ""


def prose(text: str, figures: Iterable[str] = (), most: int = MOST) -> Markup:
    """A text for people, kept apart from the direction of what stands around it.

    ``figures`` are marked where they first stand in it; escapes of unseen characters are set off.
    """
    shown = text[:most]
    marked: list[Markup] = []
    at = 0
    for start, end in _places(shown, figures):
        marked += [
            _set_off(shown[at:start]),
            Markup("<mark>{}</mark>").format(_set_off(shown[start:end])),
        ]
        at = end
    marked.append(_set_off(shown[at:]))
    note = Markup('<span class="cut">{}</span>').format(_cut(text, most))
    body = Markup("").join(marked)
    return Markup("<bdi>{}</bdi>{}").format(body, note if len(text) > most else "")


def _set_off(text: str) -> Markup:
    if text.isprintable():
        return escape(text)
    parts: list[Markup] = []
    for char in text:
        shown = visible(char)
        unseen = len(shown) > 1
        parts.append(
            Markup('<span class="unseen">{}</span>').format(shown) if unseen else escape(shown)
        )
    return Markup("").join(parts)


def _places(text: str, figures: Iterable[str]) -> list[tuple[int, int]]:
    """Where the figures stand in a text, in its order, each at most once, not overlapping."""
    found: list[tuple[int, int]] = []
    for figure in dict.fromkeys(figures):
        pattern = _pattern(figure)
        hits = pattern.finditer(text) if pattern is not None else ()
        free = (
            hit.span()
            for hit in hits
            if all(hit.end() <= start or hit.start() >= end for start, end in found)
        )
        place = next(free, None)
        if place is not None:
            found.append(place)
    return sorted(found)


def _pattern(figure: str) -> re.Pattern[str] | None:
    """The figure as a text may write it: 29056 also as 29,056 or 29 056, 2 as two."""
    if not figure or len(figure) > 40:
        return None
    if not figure.isascii() or not figure.isdigit():
        return re.compile(rf"(?<![\w.]){re.escape(figure)}(?!\w|\.\d)", re.IGNORECASE)
    groups = f"{int(figure):,}".split(",") if len(figure) < 30 else [figure]
    written = ["[,.\u2009\u00a0' ]?".join(groups)]
    if len(figure) < 3 and int(figure) < len(_WORDS):
        written.append(_WORDS[int(figure)])
    return re.compile(rf"(?<![\w.,])(?:{'|'.join(written)})(?![\w]|[.,]\d)", re.IGNORECASE)


def figures_in(published: str) -> list[str]:
    """The figures of a published text, longest first: ``between 10 and 99`` holds 99 and 10."""
    found = dict.fromkeys(_FIGURE.findall(published[:MOST]))
    return sorted(found, key=len, reverse=True)[:50]
