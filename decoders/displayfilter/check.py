"""The check of a tree: names, types and ranges; what tshark 4.0 refuses is refused."""

from __future__ import annotations

from dataclasses import replace

from decoders.displayfilter import syntax
from decoders.displayfilter.foreign import PROTOCOLS
from decoders.displayfilter.operands import (
    OCTET_STRINGS,
    Operands,
    compatible,
    kind_of,
    label,
    refused,
    type_of,
    words,
)
from decoders.displayfilter.patterns import pattern
from decoders.displayfilter.syntax import (
    Comparison,
    Constant,
    FieldValue,
    Membership,
    Node,
    Operand,
)
from decoders.fields import FIELDS, OCTETS, PIECES, FieldType

NO_PACKET_HAS = "pppoe"
"""A protocol that is the parent of fields only (semantics 4.7)."""
CHANGED = frozenset({"!=", "ne"})
"""Spellings whose meaning on fields of several values changed with Wireshark 4.0."""

_SEARCHED = OCTET_STRINGS | {FieldType.STRING, FieldType.PROTOCOL}


def checked(tree: Node) -> tuple[Node, frozenset[str], tuple[str, ...]]:
    """The tree with its names and values looked up, the fields it needs, and warnings.

    Raises FilterError. Of several errors the first that Wireshark has as well is reported, and
    ``unsupported`` only when there is no other.
    """
    check = _Check()
    found = check.node(tree)
    if check.operands.unsupported is not None:
        raise check.operands.unsupported
    return found, frozenset(check.operands.fields), tuple(dict.fromkeys(check.warnings))


class _Check:
    def __init__(self) -> None:
        self.operands = Operands()
        self.warnings: list[str] = []

    def node(self, node: Node) -> Node:
        match node:
            case syntax.Everything():
                return node
            case syntax.Not(inner=inner):
                return replace(node, inner=self.node(inner))
            case syntax.And(parts=parts) | syntax.Or(parts=parts):
                return replace(node, parts=tuple(self.node(part) for part in parts))
            case syntax.Truth():
                return self._truth(node)
            case Comparison():
                return self._comparison(node)
            case Membership():
                return self._membership(node)

    def _truth(self, node: syntax.Truth) -> Node:
        operand = self.operands.subject(node.operand, compared=False)
        if isinstance(operand, syntax.Call):
            message = f"{label(operand)} gives a value, which must be compared"
            raise refused("function-arguments", message, node)
        return replace(node, operand=operand)

    def _comparison(self, node: Comparison) -> Node:
        left = self.operands.subject(node.left, compared=True)
        searching = node.operator in {"contains", "matches"}
        kind = type_of(left)
        if kind is FieldType.NONE or (searching and kind not in _SEARCHED):
            message = f"'{node.spelling}' is not for {words(kind)} ({label(left)})"
            raise refused("type", message, node)
        if node.spelling == "~=":
            self.warnings.append("'~=' is old; write '!==' (some value differs)")
        if node.spelling in CHANGED and isinstance(left, FieldValue) and left.field.of:
            self.warnings.append(
                f"'{node.spelling}' on {left.field.name}: since Wireshark 4.0 every value must "
                "differ, before some value; '!==' is the old meaning"
            )
        if isinstance(left, syntax.Slice) and self._names_a_protocol(node.right):
            return self._never(node.right)
        right = self._right(node, left)
        if kind is FieldType.PROTOCOL or node.operator == "contains":
            self.operands.octets_needed(left, OCTETS if searching else None)
        return replace(node, left=left, right=right)

    def _names_a_protocol(self, operand: syntax.Operand) -> bool:
        """A word that looks like an octet, ``ff``, and is a protocol for Wireshark."""
        return (
            isinstance(operand, syntax.Word)
            and not operand.forced
            and operand.text in PROTOCOLS
            and operand.text not in FIELDS
        )

    def _never(self, word: syntax.Operand) -> Node:
        """No packet here has such a protocol, so that no comparison with its octets is true."""
        text = word.text if isinstance(word, syntax.Word) else ""
        hint = f"; the octet is written 0x{text}" if text in ("fc", "ff") else ""
        self.warnings.append(f"{text} is a protocol, no octets are ever compared with it{hint}")
        absent = FIELDS[NO_PACKET_HAS]
        self.operands.fields.add(absent.name)
        operand = FieldValue(word.start, word.end, absent, ())
        return syntax.Truth(word.start, word.end, operand)

    def _right(self, node: Comparison, left: Operand) -> Operand:
        if node.operator == "matches":
            if not isinstance(node.right, syntax.Text):
                message = "'matches' takes a pattern in double quotes"
                raise refused("regex", message, node.right)
            made = pattern(node.right)
            if isinstance(left, FieldValue) and left.field.name in PIECES:
                self.operands.octets_needed(left, OCTETS)
            elif type_of(left) in OCTET_STRINGS:
                self.operands.postpone("a pattern cannot be searched in octets here", node)
            return Constant(node.right.start, node.right.end, FieldType.STRING, made, made)
        kind = kind_of(left, part=node.operator == "contains")
        right = self.operands.look_up(node.right, kind)
        self._fitting(left, right)
        if node.operator == "contains" and not isinstance(right, Constant):
            self.operands.postpone("'contains' takes a value here, not a field", right)
        return right

    def _fitting(self, left: Operand, right: Operand) -> None:
        if not isinstance(right, Constant) and not compatible(left, right):
            message = (
                f"{label(left)} ({words(type_of(left))}) and {label(right)} "
                f"({words(type_of(right))}) cannot be compared"
            )
            raise refused("type", message, right)
        if isinstance(left, syntax.Slice) != isinstance(right, syntax.Slice):
            for side in (left, right):
                self.operands.octets_needed(side)

    def _membership(self, node: Membership) -> Node:
        left = self.operands.subject(node.left, compared=True)
        if not isinstance(left, syntax.FieldValue):
            raise refused("type", "only a field can be looked for in a set", node.left)
        if left.type is FieldType.NONE:
            message = f"'in' is not for {words(left.type)} ({label(left)})"
            raise refused("type", message, node)
        elements = tuple(self._element(left, element) for element in node.elements)
        if left.type is FieldType.PROTOCOL:
            self.operands.octets_needed(left)
        return replace(node, left=left, elements=elements)

    def _element(self, left: syntax.FieldValue, element: syntax.Element) -> syntax.Element:
        if isinstance(element.low, syntax.Slice):
            raise refused("type", "a slice may only end a range in a set", element.low)
        ends = [
            self.operands.look_up(end, kind_of(left))
            for end in (element.low, element.high)
            if end is not None
        ]
        for end in ends:
            self._fitting(left, end)
        return replace(element, low=ends[0], high=ends[1] if len(ends) > 1 else None)
