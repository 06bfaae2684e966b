"""What a refused filter says: one message, the filter, a caret under the place, a hint."""

from __future__ import annotations

_WIDTH = 100
"""Characters of a filter shown around the place of an error."""


class FilterError(ValueError):
    """A filter that cannot be used, and where in it the reason stands.

    ``start`` and ``end`` are character offsets in ``text``, which is the filter, or the text of the
    macro in which the error lies. ``kind`` is ``syntax``, ``unknown-field``, ``unknown-function``,
    ``function-arguments``, ``type``, ``value``, ``regex`` (all refused by Wireshark as well) or
    ``unsupported`` (Wireshark can, the table of packets cannot). ``hint`` is None or one line.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        start: int,
        end: int,
        text: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message, *_marked(self.text, self.start, self.end)]
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)


def did_you_mean(name: str | None) -> str | None:
    """The hint that names one alternative; None without one."""
    return f"did you mean '{name}'?" if name else None


def _marked(text: str, start: int, end: int) -> list[str]:
    """The line of the text in which the place lies, and carets under the place."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    last = len(text) if last < 0 else last
    left = max(first, min(start - _WIDTH // 2, last - _WIDTH))
    right = min(last, left + _WIDTH)
    before, after = ("…" if left > first else ""), ("…" if right < last else "")
    shown = "".join(c if c.isprintable() else " " for c in text[left:right])
    carets = max(1, min(end, right) - start)
    indent = " " * (len(before) + start - left)
    return [f"    {before}{shown}{after}", f"    {indent}{'^' * carets}"]
