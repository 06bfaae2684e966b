"""From nodes of a YAML document to models, and from pydantic's errors back to places.

The notation of a measure is ``name``, ``name: main parameter`` or ``name: {parameters}``; that of
a comparison is ``name: main parameter`` or ``name: {parameters}``.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.expectation import (
    ID_PATTERN,
    LINES_PATTERN,
    MACRO_PATTERN,
    SHA256_PATTERN,
    TEXT_PATTERN,
)
from harness.problems import nearest
from harness.yaml12 import Key, Node, kind_of

Model = TypeVar("Model", bound=BaseModel)
Report = Callable[[Node, str, str], None]
"""Takes a place, a message and the nearest valid name (or an empty text)."""

MAX_ERRORS = 2000
"""Errors of one mapping that are looked at."""
_PATTERNS = {
    ID_PATTERN: "letters, digits, '-', '_' and '.', a letter or digit first",
    LINES_PATTERN: "line numbers such as 9 or 9-15",
    SHA256_PATTERN: "64 hexadecimal digits",
    MACRO_PATTERN: "a name of letters, digits and '_'",
    TEXT_PATTERN: "a text that is not empty",
}
_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "decimal_type": "a number",
    "is_instance_of": "another type",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}


@dataclass(frozen=True, slots=True)
class Noted:
    """A name of the registry with the parameters that its model takes."""

    name: str
    parameters: dict[Any, Any]
    root: Node
    """Where locations in the parameters begin."""
    main: str
    """The main parameter when ``root`` is its value; else empty."""


def noted(name: str, value: Node | None, at: Node, main: str, alone: bool) -> Noted:
    """The parameters of ``name: value``.

    A mapping holds the parameters, unless the main parameter is the only one (``alone``); anything
    else is the main parameter. A name without a main parameter takes a mapping only.
    """
    if value is None:
        return Noted(name, {}, at, "")
    if main and (alone or not value.is_mapping):
        return Noted(name, {main: value.data}, value, main)
    if isinstance(value.data, dict):
        return Noted(name, value.data, value, "")
    return Noted(name, {}, value, "")


def model_of(kind: type[Model], entry: Noted, report: Report) -> Model | None:
    """The model of a measure or comparison; None after reporting what is wrong with it."""
    try:
        return kind.model_validate(entry.parameters)
    except ValidationError as error:
        report_errors(error, kind, entry.root, report, entry.main)
    return None


def report_errors(
    error: ValidationError, kind: type[BaseModel], root: Node, report: Report, main: str = ""
) -> None:
    """Report each of pydantic's errors at its place below ``root``.

    A value that several alternatives refuse is reported once, with what each of them expects.
    """
    grouped: dict[tuple[Key, ...], list[_Located]] = {}
    errors = error.errors(include_url=False)[:MAX_ERRORS]
    found = [_located(raw, root, main) for raw in errors]
    for located in found:
        deeper = any(
            len(other.path) > len(located.path) and other.path[: len(located.path)] == located.path
            for other in found[:1000]
        )
        if not (located.in_union and deeper):
            grouped.setdefault(located.path, []).append(located)
    for group in grouped.values():
        node = group[0].node
        message, hint = _message(group, kind)
        report(quoted(node, message) or node, message, hint)


def quoted(root: Node, message: str) -> Node | None:
    """The key or value below a list or mapping that a message about it quotes; None for none."""
    for node in itertools.islice(root.inner(), 1000):
        if isinstance(node.data, str) and repr(node.data) in message:
            return node
    return None


@dataclass(frozen=True, slots=True)
class _Located:
    """One of pydantic's errors, with the node it is about."""

    raw: Mapping[str, Any]
    node: Node
    path: tuple[Key, ...]
    in_union: bool
    """Whether pydantic's location names alternatives of a union, which no node stands for."""

    def holds(self, other: _Located) -> bool:
        """Whether the other error lies inside the value that this one is about."""
        inside = len(other.path) > len(self.path)
        return inside and other.path[: len(self.path)] == self.path


def _located(raw: Mapping[str, Any], root: Node, main: str) -> _Located:
    location: tuple[Any, ...] = raw["loc"]
    if main and location and location[0] == main:
        location = location[1:]
    node, skipped = root, False
    path: list[Any] = []
    for position, element in enumerate(location):
        last = position == len(location) - 1
        if last and raw["type"] == "missing":
            break
        if element == "[key]" or (last and raw["type"] in ("extra_forbidden", "invalid_key")):
            key = location[position - 1] if element == "[key]" else element
            node = _key_node(root, path, node, key)
            path.append(element)
            break
        if element in node.members:
            node = node.members[element]
            path.append(element)
        else:
            skipped = True
    if raw["type"] == "missing":
        path.append(location[-1] if location else "")
    return _Located(raw, node, tuple(path), skipped)


def _key_node(root: Node, path: list[Any], node: Node, key: Any) -> Node:
    """The node of a key: of ``node`` itself, or of the mapping that ``path`` ended in."""
    if key in node.keys:
        return node.keys[key]
    for element in path[:-1]:
        root = root.members[element]
    return root.keys.get(key, node)


def _message(group: list[_Located], kind: type[BaseModel]) -> tuple[str, str]:
    first = group[0].raw
    name = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "missing":
        return f"{name!r} is missing", ""
    if first["type"] in ("extra_forbidden", "invalid_key"):
        valid = _valid_keys(kind, first["loc"][:-1])
        close = nearest(name, valid)
        listed = "" if close or not valid else f"; expected one of {', '.join(valid)}"
        return f"unknown key {_short(name)}{listed}", close
    wanted = list(dict.fromkeys(filter(None, (_expected(located.raw) for located in group))))
    if not wanted:
        return _plain(first), str(first.get("ctx", {}).get("hint", ""))
    value = first["input"]
    message = f"expected {' or '.join(wanted)}, found {_found(value)}"
    if "text" in wanted and not isinstance(value, str | list | dict) and value is not None:
        message += " (a text that looks like one must stand in quotes)"
    choices = [choice for located in group for choice in _choices(located.raw)]
    return message, nearest(value, choices) if isinstance(value, str) else ""


def _expected(raw: Mapping[str, Any]) -> str:
    """What one of pydantic's errors expects; empty when only its own message tells."""
    kind, context = raw["type"], raw.get("ctx", {})
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in ("literal_error", "enum"):
        return str(context["expected"])
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"a number {words} {context[key]}"
    return ""


def _plain(raw: Mapping[str, Any]) -> str:
    kind, context = raw["type"], raw.get("ctx", {})
    if kind == "too_short":
        return (
            f"expected at least {_items(context['min_length'])}, found {context['actual_length']}"
        )
    if kind == "too_long":
        return f"expected at most {_items(context['max_length'])}"
    message = str(raw["msg"])
    if kind in ("value_error", "assertion_error"):
        message = message.partition(", ")[2] or message
        return message
    return message[:1].lower() + message[1:]


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def _choices(raw: Mapping[str, Any]) -> list[str]:
    """The words that would have been right, of a literal."""
    if raw["type"] not in ("literal_error", "enum"):
        return []
    return [word for word in str(raw["ctx"]["expected"]).split("'") if word.strip(", or")]


def _valid_keys(kind: type[BaseModel], location: Iterable[Any]) -> list[str]:
    """The keys of the model, or models, that a location leads to."""
    models = [kind]
    for element in location:
        inner = [
            found
            for model in models
            for name, info in model.model_fields.items()
            if element in (name, info.alias)
            for found in _models_in(info.annotation)
        ]
        named = [model for model in models if model.__name__ == element]
        models = inner or named or models
    return list(
        dict.fromkeys(
            info.alias or name for model in models for name, info in model.model_fields.items()
        )
    )


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:39] + "…")


def _found(value: object) -> str:
    return "an empty text" if value == "" else kind_of(value)
