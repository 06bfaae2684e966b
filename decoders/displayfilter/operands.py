"""Operands: names become fields, literals values, and every operation a type.

The rules are those of Wireshark 4.0's semantic check. What it accepts and the table of packets
cannot answer is kept in :attr:`Operands.unsupported`, so that an error that Wireshark reports as
well comes first.
"""

from __future__ import annotations

from decoders.displayfilter import functions, syntax
from decoders.displayfilter.errors import FilterError, did_you_mean
from decoders.displayfilter.foreign import OCTETS, PROTOCOLS
from decoders.displayfilter.syntax import Arithmetic, Constant, FieldValue, Operand, Place
from decoders.displayfilter.values import Kind, constant
from decoders.fields import (
    EXPERT_LAYER,
    FIELDS,
    ITEM,
    LENGTH,
    PIECES,
    UNSIGNED_BITS,
    WITH_OCTETS,
    FieldType,
    nearest,
)

SLICEABLE = frozenset(
    {
        *(FieldType.IPV4, FieldType.IPV6, FieldType.ETHER, FieldType.BYTES),
        *(FieldType.STRING, FieldType.PROTOCOL),
    }
)
OCTET_STRINGS = frozenset({FieldType.BYTES, FieldType.ETHER})

_NUMBERS = frozenset(UNSIGNED_BITS)
_MASKED = _NUMBERS | {FieldType.IPV4, FieldType.IPV6, FieldType.ETHER, FieldType.BYTES}
_OPERANDS = {
    **dict.fromkeys("+-", _NUMBERS | {FieldType.RELATIVE_TIME}),
    **dict.fromkeys("*/%", _NUMBERS),
    "&": _MASKED,
}
"""Types that an operator of arithmetic takes."""


def refused(kind: str, message: str, place: Place, hint: str | None = None) -> FilterError:
    return FilterError(message, kind=kind, start=place.start, end=place.end, hint=hint)


def label(operand: Operand) -> str:
    """How messages call an operand."""
    match operand:
        case FieldValue(field=field):
            return field.name
        case syntax.Call(function=function):
            return f"{function}()"
        case syntax.Slice():
            return "a slice"
        case Arithmetic(left=left, right=right):
            return label(left if left is not None else right)
        case _:
            return "a value"


def type_of(operand: Operand) -> FieldType:
    """The type of an operand that was looked up."""
    return FieldType.NONE if isinstance(operand, syntax.Literal) else operand.type


def kind_of(operand: Operand, *, part: bool = False) -> Kind:
    """What a literal must be to stand beside this operand."""
    names = operand.field.names if isinstance(operand, FieldValue) else None
    return Kind(type_of(operand), label(operand), names, part)


def compatible(left: Operand, right: Operand) -> bool:
    """Whether the two may be compared. A slice is octets, and what can be sliced can be octets."""
    one, other = type_of(left), type_of(right)
    if one == other:
        return True
    if one in _NUMBERS:
        return other in _NUMBERS or other is FieldType.BOOLEAN
    if one in OCTET_STRINGS and other in OCTET_STRINGS:
        return True
    sliced = isinstance(left, syntax.Slice) or isinstance(right, syntax.Slice)
    return sliced and one in SLICEABLE and other in SLICEABLE


class Operands:
    """Looks operands up, one filter long."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.unsupported: FilterError | None = None

    def postpone(self, message: str, place: Place) -> None:
        """Note what the table cannot answer; the first place counts."""
        if self.unsupported is None:
            self.unsupported = refused("unsupported", message, place)

    def subject(self, operand: Operand, *, compared: bool) -> Operand:
        """The left side of a comparison, or an operand alone: it begins with a field."""
        first = _first(operand)
        literal = isinstance(first, syntax.Text | syntax.Character) or (
            isinstance(first, syntax.Word) and not first.forced and not _like_a_name(first.text)
        )
        if literal:
            alone = first is operand and not compared
            raise refused(
                "unknown-field" if alone else "type",
                "a value alone is no test, a field is expected"
                if alone
                else "the left side must be a field, not a value",
                first,
            )
        return self.look_up(operand, None)

    def look_up(self, operand: Operand, kind: Kind | None) -> Operand:
        """The operand with its names looked up; literals are read as ``kind`` asks.

        Raises FilterError for names, values and types that Wireshark refuses.
        """
        match operand:
            case syntax.Word():
                return self._word(operand, kind)
            case syntax.Text() | syntax.Character():
                if kind is None:
                    raise refused("type", "a field is expected, not a value", operand)
                return constant(operand, kind)
            case syntax.Slice():
                return self._slice(operand)
            case Arithmetic(left=None):
                return self._signed(operand, kind)
            case Arithmetic():
                return self._arithmetic(operand, kind)
            case syntax.Call():
                return self._call(operand)
            case _:
                return operand

    def _word(self, word: syntax.Word, kind: Kind | None) -> Operand:
        field = FIELDS.get(word.text)
        if field is not None:
            self.fields.add(field.name)
            if word.layers and field.protocol == "_ws.expert":
                self.fields.add(EXPERT_LAYER)
                if any(part.first < 0 or (part.last or 0) < 0 for part in word.layers):
                    self.postpone("layers of expert items are counted from the outermost", word)
            return FieldValue(word.start, word.end, field, word.layers)
        if word.text in OCTETS:
            message = f"{word.text} needs octets of the packet, which the table does not hold"
            raise refused("unsupported", message, word)
        if word.forced or kind is None:
            raise _unknown_field(word)
        if word.text in PROTOCOLS:
            message = f"{word.text} is a protocol, and {kind.label} cannot be compared with it"
            raise refused("type", message, word, f'a value is written "{word.text}", with quotes')
        return constant(word, kind)

    def _slice(self, node: syntax.Slice) -> Operand:
        operand = self.look_up(node.operand, None)
        if type_of(operand) not in SLICEABLE:
            raise refused("type", f"{label(operand)} has no octets to take a slice of", node)
        self.octets_needed(operand, ITEM)
        return syntax.Slice(node.start, node.end, operand, node.ranges)

    def octets_needed(self, operand: Operand, held: str | None = None) -> None:
        """Note when a field's octets are asked for one by one, and no column holds them so.

        ``held`` is the prefix of the fields that hold the octets of some protocols.
        """
        if isinstance(operand, FieldValue) and held and operand.field.name in WITH_OCTETS:
            self.fields.add(held + operand.field.name)
        elif isinstance(operand, FieldValue) and held and operand.field.name in PIECES:
            self.fields.add(ITEM + operand.field.name)
        elif type_of(operand) is FieldType.PROTOCOL:
            message = f"the octets of {label(operand)} are needed, which the table does not hold"
            self.postpone(message, operand)
        elif isinstance(operand, FieldValue) and operand.type is FieldType.BYTES:
            self.postpone(f"{operand.field.name} can only be compared as a whole", operand)

    def _signed(self, node: Arithmetic, kind: Kind | None) -> Operand:
        operand = self.look_up(node.right, kind)
        if node.operator == "+":
            return operand
        if type_of(operand) not in _OPERANDS["-"]:
            raise refused("type", f"{label(operand)} cannot have a sign", node)
        if isinstance(operand, Constant) and isinstance(operand.low, int):
            number = -operand.low
            return Constant(node.start, node.end, operand.type, number, number)
        return Arithmetic(node.start, node.end, "-", None, operand, type_of(operand))

    def _arithmetic(self, node: Arithmetic, kind: Kind | None) -> Operand:
        if node.left is None:
            return node
        left = self.look_up(node.left, kind)
        if type_of(left) not in _OPERANDS[node.operator]:
            message = f"'{node.operator}' is not for {words(type_of(left))} ({label(left)})"
            raise refused("type", message, node)
        if isinstance(node.right, syntax.Text):
            raise refused("type", "text cannot be part of arithmetic", node.right)
        right = self.look_up(node.right, kind_of(left))
        if type_of(right) not in _OPERANDS[node.operator] or not compatible(left, right):
            message = f"{label(left)} and {label(right)} do not fit '{node.operator}'"
            raise refused("type", message, node)
        if isinstance(left, Constant) and isinstance(right, Constant):
            return _folded(node, left, right)
        if type_of(left) not in _NUMBERS | {FieldType.RELATIVE_TIME, FieldType.IPV4}:
            self.octets_needed(left)
            if not isinstance(right, Constant):
                self.postpone("'&' takes octets that are written out, not a field", right)
        return Arithmetic(node.start, node.end, node.operator, left, right, type_of(left))

    def _call(self, node: syntax.Call) -> Operand:
        function = functions.FUNCTIONS.get(node.function)
        if function is None:
            import difflib

            near = difflib.get_close_matches(node.function[:60], functions.FUNCTIONS, n=1)
            hint = did_you_mean(near[0] if near else None)
            message = f"unknown function '{node.function[:60]}'"
            raise refused("unknown-function", message, node, hint)
        count = len(node.arguments)
        if count < 1 or (count > 1 and not function.several):
            wanted = "at least one argument" if function.several else "one argument"
            message = f"{node.function}() takes {wanted}, not {count}"
            raise refused("function-arguments", message, node)
        arguments = [self._argument(node, node.arguments[0], None)]
        for argument in node.arguments[1:]:
            arguments.append(self._argument(node, argument, kind_of(arguments[0])))
        return self._typed(node, function, tuple(arguments))

    def _argument(self, node: syntax.Call, argument: Operand, kind: Kind | None) -> Operand:
        first = _first(argument)
        value = isinstance(first, syntax.Text | syntax.Character) or (
            isinstance(first, syntax.Word) and not _like_a_name(first.text)
        )
        if kind is None and value:
            message = f"{node.function}() takes a field, not a value"
            wrong = "function-arguments" if first is argument else "type"
            raise refused(wrong, message, argument)
        return self.look_up(argument, kind)

    def _typed(
        self, node: syntax.Call, function: functions.Function, arguments: tuple[Operand, ...]
    ) -> Operand:
        first = arguments[0]
        for argument in arguments:
            fits = isinstance(argument, FieldValue) or not function.field_only
            if not fits or type_of(argument) not in function.takes:
                message = f"{node.function}() does not take {label(argument)}"
                raise refused("function-arguments", message, argument)
            if type_of(argument) is not type_of(first):
                message = f"{node.function}() takes values of one type"
                raise refused("function-arguments", message, argument)
            if node.function == "len" and type_of(argument) is FieldType.PROTOCOL:
                self.octets_needed(argument, LENGTH)
            elif type_of(argument) in function.unsupported:
                message = f"{node.function}({label(argument)}) needs what the table does not hold"
                self.postpone(message, node)
        result = function.gives or type_of(first)
        return syntax.Call(node.start, node.end, node.function, arguments, result)


def _first(operand: Operand) -> Operand:
    """The leaf that stands leftmost."""
    while True:
        match operand:
            case Arithmetic(left=left, right=right):
                operand = right if left is None else left
            case syntax.Slice(operand=inner):
                operand = inner
            case _:
                return operand


def _like_a_name(text: str) -> bool:
    """Whether an unknown word was meant as a field rather than as a number or an address."""
    return text in FIELDS or (not text[0].isdigit() and ":" not in text)


def _unknown_field(word: syntax.Word) -> FilterError:
    head = word.text.split(".", 1)[0]
    if head in PROTOCOLS and head not in FIELDS:
        message = f"unknown field '{word.text}': Replicap does not decode {head}"
        return refused("unknown-field", message, word)
    near = nearest(word.text[:100].lower())
    message = f"unknown field '{word.text[:100]}'"
    return refused("unknown-field", message, word, did_you_mean(near[0] if near else None))


def _folded(node: Arithmetic, left: Constant, right: Constant) -> Constant:
    """Arithmetic of two values, done now."""
    one, two = left.low, right.low
    found: int | bytes
    if isinstance(one, int) and isinstance(two, int):
        if node.operator in "/%" and two == 0:
            raise refused("value", "division by zero", node)
        found = functions.compute(node.operator, one, two)
    elif isinstance(one, bytes) and isinstance(two, bytes):
        found = bytes(a & b for a, b in zip(one, two, strict=False))
    else:
        raise refused("type", f"these values do not fit '{node.operator}'", node)
    return Constant(node.start, node.end, left.type, found, found)


def words(kind: FieldType) -> str:
    """A type in words."""
    return {
        FieldType.NONE: "marks",
        FieldType.PROTOCOL: "protocols",
        FieldType.BOOLEAN: "flags",
        FieldType.IPV4: "IPv4 addresses",
        FieldType.IPV6: "IPv6 addresses",
        FieldType.ETHER: "MAC addresses",
        FieldType.STRING: "text",
        FieldType.BYTES: "octets",
        FieldType.ABSOLUTE_TIME: "times of capture",
        FieldType.RELATIVE_TIME: "durations",
    }.get(kind, "numbers")
