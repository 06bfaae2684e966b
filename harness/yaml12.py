"""A safe YAML 1.2 reader: plain data, and line and column of every node.

PyYAML only splits the text into events here. Scalars are those of the YAML 1.2 core schema with
three differences: a number with a leading 0 (``0777``) stays text, a decimal is a
:class:`decimal.Decimal` that keeps the digits as they were printed (``2.0``), and ``.inf`` and
``.nan`` are refused. ``no``, ``12:30``, dates, MAC addresses and ``1_000`` are text.

Input is hostile: size, depth, nodes (aliases counted as often as they are used) and the length of
numbers are bounded, and nothing here recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from yaml._yaml import Mark as LibyamlMark

    Mark = yaml.Mark | LibyamlMark

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
MAX_NODES = 100_000
MAX_NUMBER = 100
"""Characters of a number, and the largest power of ten in it."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: value
    for value in (True, False)
    for word in (str(value).lower(), str(value), str(value).upper())
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_OCTAL = re.compile(r"0o[0-7]+")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# Line separators of Unicode are line breaks in YAML 1.1 and text in 1.2: refused, so that a line
# is the same line for PyYAML, for editors and for us.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LINE_BREAK = re.compile("\r\n|\r|\n")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_CORE + name for name in ("str", "int", "float", "bool", "null"))

Scalar = str | int | bool | Decimal | None
Key = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong at one place of the text; lines and columns count from 1."""

    line: int
    column: int
    message: str


@dataclass(slots=True)
class Node:
    """A value of the document with its place; lines and columns count from 1."""

    line: int
    column: int
    data: object
    """Plain data: str, int, bool, Decimal, None, list, dict."""
    style: str = ""
    """``'``, ``"``, ``|`` or ``>`` of a scalar; empty when it is plain or no scalar."""
    end_line: int = 0
    end_column: int = 0
    keys: dict[Key, Node] = field(default_factory=dict)
    """The keys of a mapping as nodes of their own."""
    members: dict[Key, Node] = field(default_factory=dict)
    """The values of a mapping by key, the items of a list by index."""
    size: int = 1
    height: int = 1

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.data, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.data, list)

    def inner(self) -> Iterator[Node]:
        """All keys and values below this node, in the order of the file."""
        waiting = [iter(self._children())]
        while waiting:
            for node in waiting[-1]:
                yield node
                waiting.append(iter(node._children()))
                break
            else:
                waiting.pop()

    def _children(self) -> Iterator[Node]:
        for key, member in self.members.items():
            if key in self.keys:
                yield self.keys[key]
            yield member


@dataclass(slots=True)
class Document:
    """A parsed text: its lines, its root (None when nothing could be read) and what is wrong."""

    lines: list[str]
    root: Node | None = None
    flaws: list[Flaw] = field(default_factory=list)

    def line(self, number: int) -> str:
        """The text of one line, counted from 1; empty outside the text."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def column_of(self, node: Node, offset: int) -> int:
        """Column of a character of a text scalar; that of the scalar where it cannot be told.

        It can be told for plain and quoted scalars on one line.
        """
        text = node.data
        if not isinstance(text, str) or node.line != node.end_line:
            return node.column
        raw = self.line(node.line)[node.column - 1 : node.end_column - 1]
        columns = _columns_in(raw, node.style)
        if columns is None or len(columns) != len(text) + 1:
            return node.column
        if not node.style and raw.rstrip() != text:
            return node.column
        return node.column + columns[min(max(offset, 0), len(text))]


def parse(raw: bytes) -> Document:
    """Read one YAML document; whatever is wrong with it stands in ``flaws``, in no order."""
    if len(raw) > MAX_BYTES:
        return Document([], flaws=[Flaw(1, 1, f"the file is larger than {MAX_BYTES:,} bytes")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(raw, error)
    text = text.removeprefix("\ufeff")
    document = Document(_LINE_BREAK.split(text))
    if forbidden := _FORBIDDEN.search(text):
        line, column = _position(text, forbidden.start())
        name = f"U+{ord(forbidden[0]):04X}"
        document.flaws.append(Flaw(line, column, f"character {name} is not allowed in the text"))
        return document
    builder = _Builder(document)
    try:
        builder.build(text)
    except _FatalFlaw as fatal:
        document.flaws.append(fatal.flaw)
        document.root = None
    return document


def kind_of(data: object) -> str:
    """What a value is, in the words of a message: ``the number 5``, ``a list``."""
    if isinstance(data, dict):
        return "a mapping"
    if isinstance(data, list | tuple):
        return "a list"
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, int | Decimal):
        return f"the number {data}"
    text = str(data)
    return f"the text {text if len(text) <= 40 else text[:39] + '…'!r}"


class _FatalFlaw(Exception):
    """Nothing after this place can be read."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(line, column, message)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen, with the key that waits for its value."""

    node: Node
    anchor: str | None
    key: Node | None = None


class _Builder:
    """Builds the tree of nodes from PyYAML's events, without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}

    def build(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for event in yaml.parse(text, Loader=loader):
                self.take(event)
        except yaml.MarkedYAMLError as error:
            raise self.syntax(error) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            message = " ".join(str(error).split())
            raise _FatalFlaw(1, 1, f"not YAML: {message}") from None

    def take(self, event: yaml.Event) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent) and self.document.root is not None:
            raise _FatalFlaw(*place, "a second document begins here; a file holds one")
        if isinstance(event, yaml.ScalarEvent):
            self.add(self.scalar(event), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self.add(self.alias(event.anchor or "", place), None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.start(event, place)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            closed = self.open.pop()
            closed.node.end_line, closed.node.end_column = _place(event.end_mark)
            self.add(closed.node, closed.anchor)

    def start(
        self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, place: tuple[int, int]
    ) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            self.flaw(*place, _tag_message(event.tag))
        if len(self.open) >= MAX_DEPTH:
            raise _FatalFlaw(*place, _TOO_DEEP)
        self.open.append(_Open(Node(*place, {} if mapping else []), event.anchor))

    def add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.document.root = node
            return
        parent = self.open[-1]
        parent.node.size += node.size
        parent.node.height = max(parent.node.height, node.height + 1)
        if sum(item.node.size for item in self.open) > MAX_NODES:
            raise _FatalFlaw(node.line, node.column, f"more than {MAX_NODES:,} values in the file")
        if isinstance(parent.node.data, list):
            parent.node.members[len(parent.node.data)] = node
            parent.node.data.append(node.data)
        elif parent.key is None:
            parent.key = node
        else:
            self.member(parent.node, parent.key, node)
            parent.key = None

    def member(self, mapping: Node, key_node: Node, value: Node) -> None:
        place = (key_node.line, key_node.column)
        if key_node.data == "<<" and not key_node.style:
            self.flaw(*place, "merge keys (<<) are not part of YAML 1.2")
            return
        key, complaint = _as_key(key_node.data)
        if complaint:
            self.flaw(*place, complaint)
            return
        if key in mapping.members:
            first = mapping.keys[key].line
            self.flaw(*place, f"the key {_shown(key)} stands here twice; first on line {first}")
            return
        mapping.keys[key] = key_node
        mapping.members[key] = value
        if isinstance(mapping.data, dict):
            mapping.data[key] = value.data

    def alias(self, anchor: str, place: tuple[int, int]) -> Node:
        if any(item.anchor == anchor for item in self.open):
            raise _FatalFlaw(*place, f"the alias *{anchor} stands inside what it names")
        if anchor not in self.anchors:
            raise _FatalFlaw(*place, f"the alias *{anchor} names nothing before it")
        node = self.anchors[anchor]
        if len(self.open) + node.height - 1 > MAX_DEPTH:
            raise _FatalFlaw(*place, _TOO_DEEP)
        return node

    def scalar(self, event: yaml.ScalarEvent) -> Node:
        node = Node(*_place(event.start_mark), event.value, event.style or "")
        node.end_line, node.end_column = _place(event.end_mark)
        if event.tag is not None and event.tag != "!" and event.tag not in _SCALAR_TAGS:
            self.flaw(node.line, node.column, _tag_message(event.tag))
            node.data = event.tag + event.value  # so that nobody complains of an empty value
            return node
        if event.tag is None and not node.style:
            node.data, complaint = resolve(event.value)
        elif event.tag in (None, "!", _CORE + "str"):
            complaint = ""
        else:
            node.data, complaint = resolve(event.value)
            complaint = complaint or _tag_mismatch(event.tag, node.data)
        if not complaint and (forbidden := _FORBIDDEN.search(event.value)):
            complaint = f"character U+{ord(forbidden[0]):04X} is not allowed in a text"
        if complaint:
            self.flaw(node.line, node.column, complaint)
        return node

    def flaw(self, line: int, column: int, message: str) -> None:
        self.document.flaws.append(Flaw(line, column, message))

    def syntax(self, error: yaml.MarkedYAMLError) -> _FatalFlaw:
        line, column = _place(error.problem_mark or error.context_mark)
        written = max(n for n, text in enumerate(self.document.lines, 1) if text.strip() or n == 1)
        if line > written:  # behind the end: nothing to show there
            line, column = min(
                (written, len(self.document.line(written)) + 1), _place(error.context_mark)
            )
        found = self.document.line(line)
        indent = found[: len(found) - len(found.lstrip(" \t"))]
        if "\t" in indent or found[column - 1 : column] == "\t":
            tab = indent.index("\t") + 1 if "\t" in indent else column
            return _FatalFlaw(line, tab, "a tab; YAML is indented with spaces only")
        problem = " ".join((error.problem or "unreadable").split())
        if problem == "exceeded maximum nesting depth":  # libyaml has a bound of its own
            return _FatalFlaw(line, column, _TOO_DEEP)
        if problem == "mapping values are not allowed in this context":
            problem += " (a text with ': ' in it must stand in quotes)"
        return _FatalFlaw(line, column, f"not YAML: {problem}")


def resolve(text: str) -> tuple[Scalar, str]:
    """The value of a plain scalar, and what is wrong with it (empty: nothing)."""
    if text in _NULL:
        return None, ""
    if text in _BOOLEANS:
        return _BOOLEANS[text], ""
    if text[0] not in "+-.0123456789":
        return text, ""
    if _NOT_FINITE.fullmatch(text):
        return text, f"{text} is not a number that can be measured"
    for pattern, base in ((_INTEGER, 10), (_HEXADECIMAL, 16), (_OCTAL, 8)):
        if pattern.fullmatch(text):
            return (text, _TOO_LONG) if len(text) > MAX_NUMBER else (int(text, base), "")
    if not _DECIMAL.fullmatch(text):
        return text, ""
    if len(text) > MAX_NUMBER:
        return text, _TOO_LONG
    _, _, exponent = text.lower().partition("e")
    # Decimal itself would take any exponent, and fill the memory once it becomes a fraction.
    if exponent and abs(int(exponent)) > MAX_NUMBER:
        return text, f"the number {text} is out of range; a text must stand in quotes"
    return Decimal(text), ""


_TOO_LONG = f"a number of more than {MAX_NUMBER} characters; a text must stand in quotes"


def _as_key(data: object) -> tuple[Key, str]:
    """A node's data as a dictionary key, and what is wrong with it (empty: nothing)."""
    if data is None:
        return None, "a key is empty"
    if isinstance(data, str | int | Decimal):
        return data, ""
    if isinstance(data, list) and all(isinstance(item, str | int | Decimal) for item in data):
        return tuple(data), ""
    return None, f"a key must be a text, a number or a list of them, not {kind_of(data)}"


def _shown(key: Key) -> str:
    text = str(key)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _tag_message(tag: str) -> str:
    shown = tag.replace(_CORE, "!!")
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    hint = "; a text that begins with ! must stand in quotes" if shown[:2] != "!!" else ""
    return f"the tag {shown!r} is not allowed{hint}"


def _tag_mismatch(tag: str, data: object) -> str:
    name = tag.removeprefix(_CORE)
    kinds = {"int": int, "float": Decimal, "bool": bool, "null": type(None)}
    fits = isinstance(data, kinds[name]) and not (name == "int" and isinstance(data, bool))
    return "" if fits else f"!!{name} does not fit {kind_of(data)}"


def _columns_in(raw: str, style: str) -> list[int] | None:
    """Where each character of a one-line scalar stands in its source, and where the text ends."""
    if not style:
        return list(range(len(raw.rstrip()) + 1))
    if style not in "'\"" or len(raw) < 2 or raw[0] != style or raw[-1] != style:
        return None
    columns, at = [], 1
    while at < len(raw) - 1:
        columns.append(at)
        if style == "'":
            at += 2 if raw[at] == "'" else 1
        else:
            at += _ESCAPE_LENGTHS.get(raw[at + 1], 2) if raw[at] == "\\" else 1
    return [*columns, len(raw) - 1]


def _place(mark: Mark | None) -> tuple[int, int]:
    """Line and column of one of PyYAML's marks, counted from 1."""
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, counted from 1, of a character of a text."""
    lines = _LINE_BREAK.split(text[:offset])
    return len(lines), len(lines[-1]) + 1


def _not_utf8(raw: bytes, error: UnicodeDecodeError) -> Document:
    text = raw.decode("utf-8", "backslashreplace")
    line, column = _position(raw[: error.start].decode("utf-8"), error.start)
    message = f"not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}"
    return Document(_LINE_BREAK.split(text), flaws=[Flaw(line, column, message)])
