"""Literals: what stands for a value of a field's type, and the value the column holds.

Every literal becomes a lowest and a highest value, which are equal except for a network
(``10.0.0.0/8``). Refused is what Wireshark 4.0 refuses. Times without a zone are UTC: Wireshark
takes the machine's local time, which would make a filter mean something else on each machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from decoders.displayfilter.errors import FilterError, did_you_mean
from decoders.displayfilter.syntax import Character, Constant, Literal, Text, Word
from decoders.fields import UNSIGNED_BITS, FieldType

SECOND = 1_000_000_000

_NUMBER = re.compile(r"0[xX]([0-9A-Fa-f]+)|0[bB]([01]+)|(0[0-7]*)|([1-9][0-9]*)")
_SECONDS = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?")
_OCTETS = re.compile(r"(?:[0-9A-Fa-f]{2}[:.-]?)*[0-9A-Fa-f]{0,2}")
_IPV4 = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d|[1-9]\d))?", re.ASCII)
_CLOCK = r"(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?)?"
_ZONE = r"(?P<zone>Z| UTC|[+-]\d\d:?\d\d)?"
_TIMES = (
    re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ]{_CLOCK})?{_ZONE}", re.A),
    re.compile(
        r"(?P<month>[A-Za-z]{3}) +(?P<day>\d{1,2}), (?P<year>\d{4}) "
        rf"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d+))?{_ZONE}",
        re.ASCII,
    ),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a literal is read for: a type, its named values, and who asks, for messages.

    ``part``: the literal may be shorter than a whole value (the needle of ``contains``).
    """

    type: FieldType
    label: str
    names: Mapping[int, str] | None = None
    part: bool = False


def constant(literal: Literal, kind: Kind) -> Constant:
    """The literal as a value of that kind; raises FilterError (``value``)."""
    low, high = _read(literal, kind)
    return Constant(literal.start, literal.end, kind.type, low, high)


def _read(literal: Literal, kind: Kind) -> tuple[int, int] | tuple[str, str] | tuple[bytes, bytes]:
    if kind.type in UNSIGNED_BITS:
        return (_unsigned(literal, kind),) * 2
    match kind.type:
        case FieldType.BOOLEAN:
            return (_boolean(literal, kind),) * 2
        case FieldType.IPV4:
            return _ipv4(literal, kind)
        case FieldType.IPV6:
            return _ipv6(literal, kind)
        case FieldType.ETHER:
            return (_ether(literal, kind),) * 2
        case FieldType.STRING:
            return (_string(literal, kind),) * 2
        case FieldType.RELATIVE_TIME:
            return (_seconds(literal, kind),) * 2
        case FieldType.ABSOLUTE_TIME:
            return (_time(literal, kind),) * 2
        case _:
            return (_octets(literal, kind),) * 2


def _refused(literal: Literal, what: str, hint: str | None = None) -> FilterError:
    return FilterError(what, kind="value", start=literal.start, end=literal.end, hint=hint)


def _shown(literal: Literal) -> str:
    """The literal in a message, never longer than a line."""
    match literal:
        case Text(octets=octets):
            text = '"' + octets.decode("utf-8", "replace") + '"'
        case Character(text=text) | Word(text=text):
            pass
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unsigned(literal: Literal, kind: Kind) -> int:
    number = _number(literal)
    if number is None:
        number = _named(literal, kind)
    if number is None:
        raise _no_name(literal, kind, "a number")
    largest = 2 ** UNSIGNED_BITS[kind.type] - 1
    if number > largest:
        raise _refused(literal, f"{_shown(literal)} is too large: {kind.label} ends at {largest}")
    return number


def _number(literal: Literal) -> int | None:
    """The number that is written; None for anything else. Leading 0 is octal, as in C."""
    match literal:
        case Character(number=number):
            return number
        case Word(text=text):
            parts = _NUMBER.fullmatch(text)
            if parts is None:
                return None
            if len(text) > 100:
                return 2**64
            for digits, base in zip(parts.groups(), (16, 2, 8, 10), strict=True):
                if digits is not None:
                    return int(digits, base)
    return None


def _named(literal: Literal, kind: Kind) -> int | None:
    """The number of a named value; case does not matter."""
    if kind.names is None or isinstance(literal, Character):
        return None
    text = _text(literal).lower()
    return next((n for n, name in kind.names.items() if name.lower() == text), None)


def _text(literal: Word | Text) -> str:
    return literal.text if isinstance(literal, Word) else literal.octets.decode("utf-8", "replace")


def _no_name(literal: Literal, kind: Kind, expected: str) -> FilterError:
    hint = None
    if kind.names and not isinstance(literal, Character):
        import difflib

        alike = {name.lower(): name for name in kind.names.values()}
        near = difflib.get_close_matches(_text(literal)[:100].lower(), list(alike), n=1)
        hint = did_you_mean(alike[near[0]] if near else None)
        expected += " or a named value"
    elif isinstance(literal, Text):
        hint = "numbers are written without quotes"
    return _refused(literal, f"{_shown(literal)} is not {expected}, as {kind.label} has", hint)


def _boolean(literal: Literal, kind: Kind) -> int:
    number = _number(literal)
    if number is not None:
        return int(number != 0)
    if isinstance(literal, Word) and literal.text in {"True", "TRUE", "False", "FALSE"}:
        return int(literal.text[0] == "T")
    number = _named(literal, kind)
    if number is None:
        error = _no_name(literal, kind, "0, 1, True, False")
        if isinstance(literal, Word) and literal.text in {"true", "false"}:
            error.hint = did_you_mean(literal.text.title())
        raise error
    return number


def _ipv4(literal: Literal, kind: Kind) -> tuple[int, int]:
    parts = _IPV4.fullmatch(literal.text) if isinstance(literal, Word) else None
    if parts is not None:
        address, bits = parts.groups()[:4], int(parts[5] or 32)
        fits = all(int(part) < 256 and str(int(part)) == part for part in address)
        if fits and bits <= 32:
            number = int.from_bytes(map(int, address), "big")
            hosts = (1 << (32 - bits)) - 1
            return number & ~hosts, number | hosts
        what = "a prefix length (0 to 32)" if fits else "an IPv4 address"
        raise _refused(literal, f"{_shown(literal)} has not {what}")
    hint = "addresses are written without quotes" if isinstance(literal, Text) else None
    message = f"{_shown(literal)} is not an IPv4 address, as {kind.label} has"
    raise _refused(literal, message, hint)


def _ipv6(literal: Literal, kind: Kind) -> tuple[bytes, bytes]:
    import ipaddress

    text = literal.text if isinstance(literal, Word) else ""
    address, _, prefix = text.partition("/")
    try:
        number = int(ipaddress.IPv6Address(address))
    except ValueError:
        hint = "addresses are written without quotes" if isinstance(literal, Text) else None
        message = f"{_shown(literal)} is not an IPv6 address, as {kind.label} has"
        raise _refused(literal, message, hint) from None
    bits = int(prefix or 128)
    if bits > 128:
        raise _refused(literal, f"{_shown(literal)} has not a prefix length (0 to 128)")
    hosts = (1 << (128 - bits)) - 1
    return (number & ~hosts).to_bytes(16, "big"), (number | hosts).to_bytes(16, "big")


def _hexadecimal(text: str) -> bytes | None:
    """Pairs of digits with ``:`` ``-`` ``.`` or nothing between; the last may be one digit."""
    if not text or _OCTETS.fullmatch(text) is None or text[-1] in ":.-":
        return None
    digits = re.split("[:.-]", text)
    digits[-1] = digits[-1][:-1] + "0" + digits[-1][-1] if len(digits[-1]) % 2 else digits[-1]
    return bytes.fromhex("".join(digits))


def _ether(literal: Literal, kind: Kind) -> bytes:
    octets = _hexadecimal(literal.text) if isinstance(literal, Word) else None
    if octets is None:
        hint = "addresses are written without quotes" if isinstance(literal, Text) else None
        message = f"{_shown(literal)} is not a MAC address, as {kind.label} has"
        raise _refused(literal, message, hint)
    if len(octets) > 6 or (len(octets) < 6 and not kind.part):
        message = f"{_shown(literal)} is {len(octets)} octets long, a MAC address is 6"
        raise _refused(literal, message)
    return octets


def _octets(literal: Literal, kind: Kind) -> bytes:
    match literal:
        case Text(octets=octets):
            return octets
        case Character(number=number):
            return bytes([number])
        case Word(text=text):
            short = re.fullmatch(r"0[xX]([0-9A-Fa-f]{2})", text)
            found = bytes([int(short[1], 16)]) if short else _hexadecimal(text)
    if found is None:
        message = f'{_shown(literal)} is not octets, which are written 0a:1b:2c or "text"'
        raise _refused(literal, message)
    return found


def _string(literal: Literal, kind: Kind) -> str:
    match literal:
        case Character(number=number):
            return chr(number)
        case Word(text=text):
            return text
        case Text(octets=octets):
            try:
                return octets.decode()
            except UnicodeDecodeError:
                message = f"{_shown(literal)} is not UTF-8, as the text of {kind.label} is"
                raise _refused(literal, message) from None


def _seconds(literal: Literal, kind: Kind) -> int:
    parts = _SECONDS.fullmatch(literal.text) if isinstance(literal, Word) else None
    if parts is None or int(parts[1]) >= 2**63 // SECOND:
        message = f"{_shown(literal)} is not a number of seconds with at most 9 decimals"
        hint = "seconds are written without quotes" if isinstance(literal, Text) else None
        raise _refused(literal, message, hint)
    return int(parts[1]) * SECOND + int((parts[2] or "").ljust(9, "0"))


def _time(literal: Literal, kind: Kind) -> int:
    """Nanoseconds since 1970-01-01 UTC of a date with or without a time of day."""
    text = "" if isinstance(literal, Character) else _text(literal).strip()
    for pattern in _TIMES:
        parts = pattern.fullmatch(text)
        if parts is not None:
            found = _moment(parts.groupdict())
            if found is not None:
                return found
    message = f"{_shown(literal)} is not a time of capture, as {kind.label} has"
    hint = 'write "2017-07-14 02:40:04.5" or "Jul 14, 2017 02:40:04", in UTC'
    raise _refused(literal, message, hint)


def _moment(parts: dict[str, str | None]) -> int | None:
    """The time; None when there is no such day or time, or it is beyond 64 bits of ns."""
    month = parts["month"] or ""
    if not month.isdigit():
        if month.lower() not in _MONTHS:
            return None
        month = str(_MONTHS.index(month.lower()) + 1)
    year, day, hour, minute, second = (
        int(parts[name] or 0) for name in ("year", "day", "hour", "minute", "second")
    )
    zone = parts["zone"]
    offset = timedelta()
    if zone is not None and zone[0] in "+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        offset = -offset if zone[0] == "-" else offset
    try:
        zoned = timezone(offset)
        moment = datetime(year, int(month), day, hour, minute, second, tzinfo=zoned)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    fraction = int((parts["fraction"] or "")[:9].ljust(9, "0"))
    found = (since.days * 86400 + since.seconds) * SECOND + fraction
    return found if abs(found) < 2**63 else None
