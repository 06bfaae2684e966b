"""Quoted strings and character constants: C's escapes, as Wireshark 4.0 reads them."""

from __future__ import annotations

import re

from decoders.displayfilter.errors import FilterError

_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL
)
_LETTERS = {
    "a": 7,
    "b": 8,
    "f": 12,
    "n": 10,
    "r": 13,
    "t": 9,
    "v": 11,
    "\\": 0x5C,
    "'": 0x27,
    '"': 0x22,
}
_CHARACTER = re.compile(r"'(?:([^'\\])|\\x([0-9A-Fa-f]{1,2})|\\([0-7]{1,3}))'", re.DOTALL)


def quoted(text: str, start: int) -> bytes:
    r"""The octets of ``"..."`` or, with an ``r`` before it, of the text as it stands.

    ``start`` is the offset of the string in the filter. Raises FilterError for an escape that C
    does not know, such as ``\.`` (write the string as ``r"..."`` or double the backslash).
    """
    if text[0] in "rR":
        return text[2:-1].encode()
    octets = bytearray()
    position = 1
    for escape in _ESCAPE.finditer(text, 1, len(text) - 1):
        octets += text[position : escape.start()].encode()
        octets += _escaped(escape, start)
        position = escape.end()
    return bytes(octets + text[position:-1].encode())


def _escaped(escape: re.Match[str], start: int) -> bytes:
    one, octal, short, long, letter = escape.groups()
    if one is not None:
        return bytes([int(one, 16)])
    if octal is not None and int(octal, 8) <= 0xFF:
        return bytes([int(octal, 8)])
    if short is not None or long is not None:
        number = int(short or long, 16)
        # C forbids universal names for what can be typed, and for surrogates.
        if 0xA0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF:
            return chr(number).encode()
    if letter in _LETTERS:
        return bytes([_LETTERS[letter]])
    raise FilterError(
        f"{escape[0]} is not an escape that strings know",
        kind="value",
        start=start + escape.start(),
        end=start + escape.end(),
        hint='a pattern is easier to write as r"...", without escapes',
    )


def character(text: str, start: int) -> int:
    r"""The number of ``'a'``, ``'\x61'`` or ``'\141'``; raises FilterError for anything else."""
    found = _CHARACTER.fullmatch(text)
    number = -1
    if found is not None:
        letter, hexadecimal, octal = found.groups()
        number = ord(letter) if letter else int(hexadecimal, 16) if hexadecimal else int(octal, 8)
    if not 0 <= number <= 0xFF:
        raise FilterError(
            f"{text} is not a character constant",
            kind="syntax",
            start=start,
            end=start + len(text),
        )
    return number
