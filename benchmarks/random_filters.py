"""Display filters made at random from what a capture holds, for one capture at a time.

A filter is aimed at one capture: its fields are present there (or, sometimes, are not), its values
occur there, or miss one that occurs by little. What a seed makes of a capture is always the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import islice
from pathlib import Path
from typing import Any

from decoders.containers import open_captures
from decoders.fields import FIELDS, UNSIGNED_BITS, WITH_OCTETS, Field, FieldType
from decoders.reference import rows
from decoders.spelling import spell

SAMPLED_ROWS = 5000
SAMPLED_VALUES = 12

OF_APPLICATIONS = frozenset(("data", "dns", "mdns", "llmnr", "ntp", "dhcp", "dhcpv6"))
PROTOCOL_OCTETS = tuple(name for name in WITH_OCTETS if name not in OF_APPLICATIONS)
"""Protocols whose octets a filter can look into, of the layers that are dissected here."""


@dataclass
class Sample:
    """Values that occur in a capture; each at most once, SAMPLED_VALUES a field."""

    values: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, name: str, found: Iterable[Any]) -> None:
        kept = self.values.setdefault(name, [])
        for value in found:
            if len(kept) < SAMPLED_VALUES and value not in kept:
                kept.append(value)


def usable(name: str) -> bool:
    """Whether a field is Wireshark's, and its values are not a matter of wording."""
    return not name.startswith("replicap.") and name != "_ws.expert.message"


def sample(capture: Path) -> Sample:
    """Values of the first rows of a capture; raises CaptureError."""
    found = Sample()
    composed = [declared for declared in FIELDS.values() if declared.of]
    for row in islice(rows(open_captures([str(capture)])), SAMPLED_ROWS):
        for name in {*row.own, *row.quoted}:
            if usable(name):
                found.add(name, row.occurrences(name))
    for declared in composed:
        parts = [value for part in declared.of for value in found.values.get(part, ())]
        if parts:
            found.add(declared.name, parts)
    return found


class FilterMaker:
    """Makes filters for one capture."""

    def __init__(self, found: Sample, random: random.Random) -> None:
        self.values = found.values
        self.random = random
        self.names = sorted(found.values)

    def filter(self) -> str:
        """A filter of one to four tests."""
        text = self._test()
        for _ in range(self.random.choices((0, 1, 2, 3), (5, 4, 2, 1))[0]):
            joint = self.random.choice((" && ", " || ", " and ", " or "))
            other = self._test()
            text = self.random.choice((f"({text}){joint}{other}", f"{text}{joint}{other}"))
        return text

    def _test(self) -> str:
        text = self._plain_test()
        if self.random.random() < 0.2:
            text = self.random.choice((f"!({text})", f"not ({text})"))
        return text

    def _plain_test(self) -> str:
        chance = self.random.random()
        if chance < 0.06:
            return self._of_octets()
        if chance < 0.10:
            return self._of_two_fields()
        if chance < 0.13:
            return self.random.choice(sorted(filter(usable, FIELDS)))
        declared = FIELDS[self.random.choice(self.names)]
        makers = _MAKERS[_kind(declared)]
        return self.random.choice(makers)(self, declared)

    # What each test looks like.

    def presence(self, declared: Field) -> str:
        return self._reference(declared)

    def comparison(self, declared: Field) -> str:
        operators = ["==", "!=", "eq", "ne", "===", "!=="]
        if _kind(declared) not in ("text", "octets", "bytes", "boolean"):
            operators += ["<", "<=", ">", ">=", "gt", "le"]
        operator = self.random.choice(operators)
        quantifier = ""
        if operator not in ("===", "!=="):
            quantifier = self.random.choice(("", "", "", "any ", "all "))
        return f"{quantifier}{self._reference(declared)} {operator} {self._literal(declared)}"

    def named(self, declared: Field) -> str:
        words = (
            [declared.names[v] for v in self.values[declared.name] if v in declared.names or ()]
            if (declared.names)
            else []
        )
        if not words:
            return self.comparison(declared)
        return f"{declared.name} {self.random.choice(('==', '!='))} {_quoted(words[0])}"

    def membership(self, declared: Field) -> str:
        members = [self._literal(declared) for _ in range(self.random.randint(1, 3))]
        if _kind(declared) in ("number", "duration"):
            first, last = sorted((self._value(declared), self._value(declared)))
            members.append(f"{_literal(declared, first)}..{_literal(declared, last)}")
        return f"{declared.name} in {{{', '.join(members)}}}"

    def bits(self, declared: Field) -> str:
        mask = 1 << self.random.randrange(UNSIGNED_BITS[declared.type])
        if self.random.random() < 0.5:
            return f"{declared.name} & {mask:#x}"
        return f"{declared.name} & {mask:#x} == {mask}"

    def counted(self, declared: Field) -> str:
        return f"count({declared.name}) {self.random.choice(('==', '>', '>='))} 2"

    def network(self, declared: Field) -> str:
        value = self._value(declared)
        if declared.type is FieldType.IPV4:
            text = str(
                IPv4Network((value, self.random.choice((8, 12, 16, 20, 24, 31, 32))), strict=False)
            )
        else:
            text = str(IPv6Network((value, self.random.choice((3, 10, 32, 64, 127))), strict=False))
        return f"{declared.name} {self.random.choice(('==', '!=', '==='))} {text}"

    def slice(self, declared: Field) -> str:
        octets = self._value(declared)
        if not octets:
            return declared.name
        at = self.random.randrange(len(octets))
        length = self.random.randint(1, min(3, len(octets) - at))
        piece = octets[at : at + length].hex(":")
        return f"{declared.name}[{at}:{length}] {self.random.choice(('==', '!='))} {piece}"

    def contains(self, declared: Field) -> str:
        value = self._value(declared)
        if isinstance(value, bytes):
            at = self.random.randrange(max(1, len(value) - 1))
            return f"{declared.name} contains {value[at : at + 2].hex(':') or '00'}"
        if declared.name == "frame.protocols":
            return f"{declared.name} contains {_quoted(self._known_pair(value))}"
        at = self.random.randrange(max(1, len(value)))
        return f"{declared.name} contains {_quoted(value[at : at + 4] or 'x')}"

    def pattern(self, declared: Field) -> str:
        value = self._value(declared)
        if declared.name == "frame.protocols":
            value = self._known_pair(value)
            return f"{declared.name} matches {_quoted(value)}"
        word = re.match(r"\w*", value[:6])
        text = word.group() if word else ""
        return f"{declared.name} matches {_quoted(self.random.choice(('^', '')) + (text or '.'))}"

    def text_function(self, declared: Field) -> str:
        value = self._value(declared)
        if self.random.random() < 0.5:
            return f"len({declared.name}) {self.random.choice(('==', '<', '>='))} {len(value)}"
        return f"upper({declared.name}) == {_quoted(value.upper())}"

    # What they are made of.

    def _known_pair(self, stack: str) -> str:
        known = []
        for name in stack.split(":"):
            if name not in FIELDS and name != "ethertype":
                break
            known.append(name)
        at = self.random.randrange(max(1, len(known) - 1))
        return ":".join(known[at : at + 2]) or "eth:ethertype"

    def _reference(self, declared: Field) -> str:
        if self.random.random() < 0.06:
            return f"{declared.name}#{self.random.randint(1, 2)}"
        return declared.name

    def _value(self, declared: Field) -> Any:
        return self.random.choice(self.values[declared.name])

    def _literal(self, declared: Field) -> str:
        value = self._value(declared)
        if self.random.random() < 0.3:
            value = self._near(declared, value)
        if declared.type in UNSIGNED_BITS and self.random.random() < 0.3:
            return f"{value:#x}"
        return _literal(declared, value)

    def _near(self, declared: Field, value: Any) -> Any:
        """A value that is off by one; of a number's width, and not below zero."""
        step = self.random.choice((-1, 1))
        if declared.type is FieldType.BOOLEAN:
            return not value
        if declared.type in UNSIGNED_BITS:
            return min(max(value + step, 0), (1 << UNSIGNED_BITS[declared.type]) - 1)
        if isinstance(value, bytes):
            return value[:-1] + bytes([(value[-1] + step) % 256]) if value else value
        if isinstance(value, int):
            return max(value + step, 0)
        return f"{value}x"

    def _of_octets(self) -> str:
        known = [name for name in PROTOCOL_OCTETS if name in self.values]
        if not known:
            return "frame"
        name, at = self.random.choice(known), self.random.randrange(20)
        return self.random.choice(
            (
                f"{name}[{at}] & {1 << self.random.randrange(8):#04x}",
                f"{name}[{at}:2] == 00:{self.random.choice((0, 1, 6, 17, 80)):02x}",
                f"{name}[{at}] == {self.random.choice((0, 1, 6, 17, 64, 255))}",
                f"len({name}) {self.random.choice(('==', '>', '<='))} {self.random.randrange(45)}",
                f"{name} contains {self.random.choice(('00:50', '45:00', 'ff:ff', '08:00'))}",
            )
        )

    def _of_two_fields(self) -> str:
        numbers = [name for name in self.names if FIELDS[name].type in UNSIGNED_BITS]
        pairs = [
            p
            for p in (
                ("ip.src", "ip.dst"),
                ("tcp.srcport", "tcp.dstport"),
                ("eth.src", "eth.dst"),
                ("ip.ttl", "ip.proto"),
                ("udp.srcport", "udp.dstport"),
            )
            if set(p) <= set(self.names)
        ]
        if pairs and self.random.random() < 0.6:
            first, second = self.random.choice(pairs)
            return f"{first} {self.random.choice(('==', '!=', '<', '>='))} {second}"
        if not numbers:
            return "frame"
        declared = FIELDS[self.random.choice(numbers)]
        value = self._value(declared)
        return f"{declared.name} + 4 {self.random.choice(('==', '>'))} {value + 4}"


_Maker = Callable[[FilterMaker, Field], str]

_MAKERS: Mapping[str, tuple[_Maker, ...]] = {
    "presence": (FilterMaker.presence,),
    "boolean": (FilterMaker.presence, FilterMaker.comparison, FilterMaker.comparison),
    "number": (
        FilterMaker.presence,
        *(FilterMaker.comparison,) * 4,
        FilterMaker.named,
        FilterMaker.membership,
        FilterMaker.membership,
        FilterMaker.bits,
        FilterMaker.counted,
    ),
    "address": (
        *(FilterMaker.comparison,) * 2,
        *(FilterMaker.network,) * 2,
        FilterMaker.membership,
        FilterMaker.counted,
    ),
    "bytes": (FilterMaker.presence, FilterMaker.comparison),
    "octets": (
        FilterMaker.comparison,
        FilterMaker.slice,
        FilterMaker.contains,
        FilterMaker.membership,
    ),
    "text": (
        FilterMaker.comparison,
        FilterMaker.contains,
        FilterMaker.pattern,
        FilterMaker.text_function,
    ),
    "stack": (FilterMaker.contains, FilterMaker.pattern),
    "duration": (FilterMaker.comparison, FilterMaker.comparison, FilterMaker.membership),
    "time": (FilterMaker.comparison,),
}


def _kind(declared: Field) -> str:
    if declared.name == "frame.protocols":
        return "stack"
    return _KINDS.get(declared.type, "number")


_KINDS: Mapping[FieldType, str] = {
    FieldType.NONE: "presence",
    FieldType.PROTOCOL: "presence",
    FieldType.BOOLEAN: "boolean",
    FieldType.IPV4: "address",
    FieldType.IPV6: "address",
    FieldType.ETHER: "octets",
    FieldType.BYTES: "bytes",
    FieldType.STRING: "text",
    FieldType.RELATIVE_TIME: "duration",
    FieldType.ABSOLUTE_TIME: "time",
}


def _literal(declared: Field, value: Any) -> str:
    """A value as it is written in a filter."""
    if declared.type is FieldType.STRING:
        return _quoted(value)
    if declared.type is FieldType.BYTES:
        return str(value.hex(":")) or '""'
    if declared.type is FieldType.ABSOLUTE_TIME:
        from datetime import UTC, datetime

        whole = datetime.fromtimestamp(value // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f'"{whole}.{value % 10**9:09d}"'
    return spell(declared, value)


def _quoted(text: str) -> str:
    """A string of the filter language; what is not printed ASCII stands for itself as octets."""
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif character.isascii() and character.isprintable():
            out.append(character)
        else:
            out.extend(f"\\x{octet:02x}" for octet in character.encode("utf-8", "replace"))
    return f'"{"".join(out)}"'


def make_filters(capture: Path, count: int, seed: str) -> list[str]:
    """``count`` filters for one capture; the same ones for the same seed."""
    maker = FilterMaker(sample(capture), random.Random(seed))
    if not maker.names:
        return []
    return [maker.filter() for _ in range(count)]
