"""Text to syntax tree, with the grammar of ``grammar.lark``."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from decoders.displayfilter import syntax
from decoders.displayfilter.errors import FilterError
from decoders.displayfilter.strings import character, quoted

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput
    from lark.visitors import Transformer

DEEPEST = 200
"""Levels a syntax tree may have."""

_MOST_RANGES = 64
"""Ranges that a slice or the layers of a field may have."""

MOST_NODES = 10_000
"""Nodes a syntax tree may have, the values of sets apart."""

_COMPARATORS = {
    "==": ("==", False),
    "eq": ("==", False),
    "any_eq": ("==", False),
    "===": ("==", True),
    "all_eq": ("==", True),
    "!=": ("!=", True),
    "ne": ("!=", True),
    "all_ne": ("!=", True),
    "!==": ("!=", False),
    "any_ne": ("!=", False),
    "~=": ("!=", False),
    **{
        word: (sign, False) for word, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
    },
    **{sign: (sign, False) for sign in (">", ">=", "<", "<=", "contains", "matches")},
    "~": ("matches", False),
}
"""Spelling -> operator, and whether it asks every value."""

_RANGE = re.compile(
    r"\s*(?P<first>[+-]?\w+)?\s*(?:(?P<kind>[:-])\s*(?P<second>[+-]?\w+)?)?\s*", re.ASCII
)
_OPERATOR = re.compile(r"\w+|[=<>]+")
_NUMBER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9})")


_WORDS = {
    **{
        word.upper(): word for word in ("and", "or", "not", "in", "contains", "matches", "eq", "ne")
    },
    "=": "==",
    "<>": "!=",
}
"""What people write for an operator, and the operator."""


def parse_tree(text: str) -> syntax.Node:
    """The tree of a filter, its names and values not looked up.

    Raises FilterError of kind ``syntax`` (or ``value``, for a bad escape in a string); its place is
    an offset in ``text``.
    """
    from lark.exceptions import UnexpectedInput

    try:
        tree = cast("syntax.Node", _lark().parse(text))
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None
    _refuse_size(tree)
    return tree


@cache
def _lark() -> Lark:
    from lark import Lark

    grammar = resources.files(__package__).joinpath("grammar.lark").read_text("utf-8")
    # The tree is built while parsing: no recursion over what somebody else wrote.
    builder = cast("Transformer[Any, Any]", _Builder())
    kept = _kept_tables()
    return Lark(grammar, parser="lalr", lexer="basic", transformer=builder, cache=kept)


def _kept_tables() -> str | bool:
    """The file in which Lark keeps the tables it made of the grammar; False for none.

    Making them takes longer than all the rest of a small run. The file is a pickle, so the folder
    must be the user's own and writable by nobody else.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home) / "replicap"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except OSError:
        return False
    own = hasattr(os, "getuid") and about.st_uid == os.getuid() and not about.st_mode & 0o022
    return str(folder / "displayfilter.tables") if own and folder.is_absolute() else False


def _refuse_size(tree: syntax.Node) -> None:
    """Raise FilterError when the tree is deeper or larger than the later steps may go."""
    waiting: list[tuple[syntax.Node | syntax.Operand | syntax.Element, int]] = [(tree, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += not isinstance(node, syntax.Element) or node.high is not None
        if count > MOST_NODES:
            raise _error(f"more than {MOST_NODES} parts", node.start, node.end)
        if depth > DEEPEST:
            raise _error(f"more than {DEEPEST} levels of nesting", node.start, node.end)
        if not isinstance(node, syntax.Element) or node.high is not None:
            waiting.extend((child, depth + 1) for child in syntax.children(node))


def _error(message: str, start: int, end: int, hint: str | None = None) -> FilterError:
    return FilterError(message, kind="syntax", start=start, end=end, hint=hint)


class _Builder:
    """What the grammar's rules make of their parts; called by the parser, innermost first."""

    def everything(self, parts: list[Any]) -> syntax.Node:
        return syntax.Everything(0, 0)

    def disjunction(self, parts: list[syntax.Node]) -> syntax.Node:
        return syntax.Or(parts[0].start, parts[-1].end, tuple(parts))

    def conjunction(self, parts: list[syntax.Node]) -> syntax.Node:
        return syntax.And(parts[0].start, parts[-1].end, tuple(parts))

    def negation(self, parts: list[Any]) -> syntax.Node:
        return syntax.Not(parts[0].start_pos, parts[1].end, parts[1])

    def truth(self, parts: list[syntax.Operand]) -> syntax.Node:
        return syntax.Truth(parts[0].start, parts[0].end, parts[0])

    def comparison(self, parts: list[Any]) -> syntax.Node:
        """``a < b < c`` is ``a < b and b < c``."""
        pairs = []
        for left, operator, right in zip(parts[0::2], parts[1::2], parts[2::2], strict=False):
            sign, every = _COMPARATORS[str(operator)]
            pairs.append(
                syntax.Comparison(left.start, right.end, sign, every, left, right, str(operator))
            )
        return pairs[0] if len(pairs) == 1 else self.conjunction([*pairs])

    def membership(self, parts: list[Any]) -> syntax.Node:
        left, elements = parts[0], parts[-1]
        return syntax.Membership(left.start, elements[-1].end, False, left, elements)

    def no_membership(self, parts: list[Any]) -> syntax.Node:
        inner = self.membership(parts)
        return syntax.Not(inner.start, inner.end, inner)

    def quantified(self, parts: list[Any]) -> syntax.Node:
        every = str(parts[0]) == "all"
        return _quantified(parts[1], every)

    def set(self, parts: list[syntax.Element]) -> tuple[syntax.Element, ...]:
        return tuple(parts)

    def element(self, parts: list[Any]) -> syntax.Element:
        high = parts[2] if len(parts) > 1 else None
        return syntax.Element(parts[0].start, parts[-1].end, parts[0], high)

    def arithmetic(self, parts: list[Any]) -> syntax.Operand:
        left, operator, right = parts
        sign = "&" if operator.type == "MASK" else str(operator)
        return syntax.Arithmetic(left.start, right.end, sign, left, right)

    def signed(self, parts: list[Any]) -> syntax.Operand:
        sign, operand = parts
        return syntax.Arithmetic(sign.start_pos, operand.end, str(sign), None, operand)

    def slice(self, parts: list[Any]) -> syntax.Operand:
        operand, token = parts
        ranges = _ranges(str(token)[1:-1], token.start_pos + 1)
        return syntax.Slice(operand.start, token.end_pos, operand, ranges)

    def word(self, parts: list[Token]) -> syntax.Operand:
        return syntax.Word(*_place(parts[0]), str(parts[0]))

    literal = word

    def field(self, parts: list[Token]) -> syntax.Operand:
        return syntax.Word(*_place(parts[0]), str(parts[0])[1:], forced=True)

    def layer(self, parts: list[Token]) -> syntax.Operand:
        name, layer = parts
        inner = str(layer)[1:].strip()
        where = (layer.start_pos or 0) + 1
        ranges = _ranges(inner[1:-1] if inner[0] == "[" else inner, where)
        if any(part.last is not None and part.last < 0 for part in ranges):
            # Wireshark 4.0 reads these as ranges that hold nothing.
            raise FilterError(
                "a range of layers that counts from the innermost is not supported",
                kind="unsupported",
                start=where - 1,
                end=layer.end_pos or where,
                hint="write them one by one: #[-2,-1]",
            )
        return syntax.Word(
            name.start_pos or 0, layer.end_pos or 0, str(name).lstrip("."), True, ranges
        )

    def quoted(self, parts: list[Token]) -> syntax.Operand:
        start, end = _place(parts[0])
        return syntax.Text(start, end, quoted(str(parts[0]), start))

    def character(self, parts: list[Token]) -> syntax.Operand:
        start, end = _place(parts[0])
        return syntax.Character(start, end, character(str(parts[0]), start), str(parts[0]))

    def call(self, parts: list[Any]) -> syntax.Operand:
        name, *arguments = parts
        given = tuple(argument for argument in arguments if argument is not None)
        end = given[-1].end + 1 if given else name.end_pos + 2
        return syntax.Call(name.start_pos, end, str(name), given)


def _quantified(node: syntax.Node, every: bool) -> syntax.Node:
    """A comparison with ``any`` or ``all`` before it.

    Neither tells anything of ``not in``, nor of a chain of comparisons, as in Wireshark.
    """
    if isinstance(node, syntax.Comparison | syntax.Membership):
        return replace(node, every=every)
    return node


def _place(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, token.end_pos or 0


def _ranges(text: str, start: int) -> tuple[syntax.Range, ...]:
    """``0:3``, ``0-2``, ``-4:``, ``:2``, ``1`` and several with commas."""
    found = []
    for part in text.split(","):
        one = _range(part)
        if isinstance(one, str):
            raise _error(f"'{part.strip()}' is not a range: {one}", start, start + len(text))
        found.append(one)
    if len(found) > _MOST_RANGES:
        raise _error(f"more than {_MOST_RANGES} ranges", start, start + len(text))
    return tuple(found)


def _range(text: str) -> syntax.Range | str:
    """A range, or what is wrong with it."""
    parts = _RANGE.fullmatch(text)
    if parts is None or not text.strip():
        return "write [offset:length], [first-last], [offset]"
    numbers = [_number(parts["first"]), _number(parts["second"])]
    if any(number == "" for number in numbers):
        return "positions are whole numbers"
    first, second = (cast("int | None", number) for number in numbers)
    kind = parts["kind"]
    if kind is None:
        return syntax.Range(first or 0, length=1)
    if kind == "-":
        if first is None or second is None:
            return "a range has two ends"
        if (first < 0) != (second < 0):
            return "its ends count from different sides"
        return syntax.Range(first, last=second) if first <= second else "it ends before it begins"
    if second is None:
        return syntax.Range(first or 0)
    return syntax.Range(first or 0, length=second) if second > 0 else "its length is not positive"


def _number(text: str | None) -> int | str | None:
    """A position; None when there is none, "" when it is no number."""
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        return ""
    digits = text.lstrip("+-")
    number = int(digits, 16) if digits[:2].lower() == "0x" else int(digits)
    return -number if text[0] == "-" else number


def _syntax_error(error: UnexpectedInput, text: str) -> FilterError:
    """The parser's error in words, with a hint for the slips that are common."""
    token = cast("Token | None", getattr(error, "token", None))
    if token is not None and token.type == "$END":
        return _error("the filter ends too early", len(text.rstrip()), len(text.rstrip()) + 1)
    position = error.pos_in_stream if token is None else token.start_pos
    start = position or 0
    found = text[start] if token is None else str(token)
    if found in "\"'":
        return _error("a quote is not closed", start, len(text))
    shown = found[:60] if found.isprintable() else f"\\x{ord(found[0]):02x}"
    message, hint = f"'{shown}' was not expected here", None
    operator = _OPERATOR.match(text, start)
    if found.lower() == "xor" or text.startswith("^^", start):
        message = "Wireshark 4.0 has no 'xor'"
    elif operator is not None and operator[0] in _WORDS:
        found, hint = operator[0], f"did you mean '{_WORDS[operator[0]]}'?"
        message = f"'{found}' is not an operator"
    elif token is not None:
        hint = _hint(token.type, text[:start])
    return _error(message, start, start + len(found), hint)


def _hint(kind: str, before: str) -> str | None:
    """What may help with a token of that kind, behind that text."""
    if kind in {"MASK", "SIGN", "SCALE", "COMPARATOR"} and before.rstrip().endswith(")"):
        return "arithmetic is grouped with braces: {tcp.flags & 2} == 2"
    if before.count("{") > before.count("}") and kind in {"WORD", "ADDRESS", "NETWORK", "QUOTED"}:
        return "the values of a set are separated by commas"
    return None
