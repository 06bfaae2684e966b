"""ICMP (RFC 792, 4884) and ICMPv6 (RFC 4443), and the packet that an error quotes.

Rules of Wireshark semantics 1.1, 1.2, 2.2, 4.3, 6.5 and 8.2. Inside a quoted packet, reading
beyond what it claims is ignored: the quote is expected to be cut.
"""

from __future__ import annotations

from decoders import headers
from decoders.layers.dispatch import ETHERTYPES, IP_PROTOCOLS, Context, data, register
from decoders.octets import Malformed, Octets
from decoders.row import CHECKSUM, WARNING

DESTINATION_UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM = 3, 4, 5, 11, 12
ERRORS = frozenset(
    (DESTINATION_UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM)
)
WITH_LENGTH = frozenset((DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM))
"""Errors that say how long the quoted packet is (RFC 4884 section 5.1)."""

ECHO = frozenset((0, 8))
ECHO_V6 = frozenset((128, 129))
ERRORS_V6 = range(1, 5)
REDIRECT_V6, REDIRECTED_HEADER = 137, 4

BAD, GOOD, UNVERIFIED = 0, 1, 2

MOST_QUOTES = 8
"""Errors inside errors that are followed."""


def ones_complement_sum(octets: bytes) -> int:
    """The Internet checksum's sum (RFC 1071); 0xffff when a packet with its checksum is right."""
    if len(octets) % 2:
        octets += b"\0"
    total = int.from_bytes(octets, "big") % 0xFFFF
    return total or (0xFFFF if any(octets) else 0)


@register(IP_PROTOCOLS, 1)
def icmp(context: Context, octets: Octets) -> None:
    """ICMP: nothing of it is there before six octets are."""
    row = context.row
    row.enter("icmp", "ICMP")
    octets.require(6)
    kind, code, _ = headers.ICMP.read(octets)
    row.item("icmp", octets, octets.captured)
    row.put("icmp.type", kind)
    row.put("icmp.code", code)
    row.put("icmp.checksum.status", _checksum_status(context, octets))
    if kind in ERRORS:
        octets.require(8)
        rest = octets.after(8)
        words = octets.data[octets.start + 5]
        if kind in WITH_LENGTH and words and words * 4 <= rest.claimed:
            rest.trim(words * 4)
        if kind == REDIRECT and rest.captured:
            rest.trim((rest.data[rest.start] & 15) * 4 + 8)
        quoted_packet(context, rest, 0x0800)
    elif kind in ECHO:
        octets.require(8)
        data(context, octets.after(8))
    elif 13 <= kind <= 16:
        octets.require(20 if kind < 15 else 8)
    elif kind in (17, 18):
        octets.require(12)


def _checksum_status(context: Context, octets: Octets) -> int:
    if not octets.whole() or octets.fragment or context.row.quoting:
        return UNVERIFIED
    if ones_complement_sum(octets.bytes()) == 0xFFFF:
        return GOOD
    context.row.expert(WARNING, CHECKSUM, "ICMP checksum is bad")
    return BAD


def quoted_packet(context: Context, octets: Octets, kind: int) -> None:
    """The packet that an error carries, of an EtherType; its fields are the quoted ones."""
    row = context.row
    if not octets.claimed:
        return
    ends = row.src, row.dst
    before = row.quote()
    current = row.current
    context.depth += 1
    try:
        if context.depth <= MOST_QUOTES * 4:
            ETHERTYPES[kind](context, octets)
    except Malformed:
        row.current = current
    finally:
        row.unquote(before)
    row.src, row.dst = ends


@register(IP_PROTOCOLS, 58)
def icmpv6(context: Context, octets: Octets) -> None:
    """ICMPv6: ``icmpv6.code`` needs two octets."""
    row = context.row
    row.enter("icmpv6", "ICMPv6")
    octets.require(1)
    kind, code, _ = headers.ICMP.read(octets)
    row.item("icmpv6", octets, octets.captured)
    row.put("icmpv6.type", kind)
    octets.require(2)
    row.put("icmpv6.code", code)
    octets.require(4)
    _judge_checksum_v6(context, octets)
    if kind in ERRORS_V6:
        octets.require(8)
        rest = octets.after(8)
        words = octets.data[octets.start + 4]
        if kind in (1, 3) and words and words * 8 <= rest.claimed:
            rest.trim(words * 8)
        quoted_packet(context, rest, 0x86DD)
    elif kind in ECHO_V6:
        octets.require(8)
        data(context, octets.after(8))
    elif kind == REDIRECT_V6:
        _redirect(context, octets)


def _judge_checksum_v6(context: Context, octets: Octets) -> None:
    """The checksum covers a pseudo-header of addresses, length and next header (RFC 8200 8.1)."""
    row = context.row
    if not octets.whole() or octets.fragment or row.quoting or not isinstance(row.src, bytes):
        return
    pseudo = row.src + _bytes(row.dst) + octets.claimed.to_bytes(4, "big") + b"\0\0\0\x3a"
    if ones_complement_sum(pseudo + octets.bytes()) != 0xFFFF:
        row.expert(WARNING, CHECKSUM, "ICMPv6 checksum is bad")


def _bytes(address: int | bytes) -> bytes:
    return address if isinstance(address, bytes) else b""


def _redirect(context: Context, octets: Octets) -> None:
    """The redirected header option quotes a packet (RFC 4861 section 4.6.3)."""
    octets.require(40)
    at = 40
    while at + 8 <= octets.captured:
        kind, units = octets.data[octets.start + at], octets.data[octets.start + at + 1]
        if units == 0:
            return
        if kind == REDIRECTED_HEADER:
            option = octets.after(at)
            option.trim(units * 8)
            quoted_packet(context, option.after(8), 0x86DD)
        at += units * 8
