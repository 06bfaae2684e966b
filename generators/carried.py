"""Hypothesis strategies for what IP carries: TCP, UDP, ICMP and its errors, tunnels, fragments.

Each strategy draws a description and yields the :class:`~generators.parts.Upper` or
:class:`~generators.truth.Part` made of it. Drawing is what takes long, so each is a plain function
of ``draw`` besides (``tcp_segment`` of :func:`tcp_segments`), strategies for single numbers are
made once, and small choices that belong together are one draw. All shrink to the first of their
choices, to zeros and to fewer octets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators import links, parts
from generators.links import Payload
from generators.parts import Ends, Extension, Upper
from generators.truth import Enter, Part, Put

UNCLAIMED_PORTS = (49152, 65535)
"""Ports, from first to last, whose payload no dissector claims."""

One = TypeVar("One")
Makes = Callable[[st.DrawFn, Ends], Upper | None]


def lists(choices: Iterable[One], most: int) -> list[tuple[One, ...]]:
    """Every list of up to ``most`` of the choices; as often as all others together, none."""
    kinds = tuple(choices)
    some = [found for size in range(1, most + 1) for found in product(kinds, repeat=size)]
    return [()] * len(some) + some


# Numbers --------------------------------------------------------------------------------------

_WORD_EDGES = (1, 23, 80, 0x7FFF, 0x8000, 0xFFFF)
_LONG_EDGES = (1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_words = st.integers(0, 0x10FFF)
_longs = st.integers(0, 0xFFFFFF)
_unclaimed = st.integers(*UNCLAIMED_PORTS)
_bits = st.integers(0, 0xFFFFFF)
"""24 bits for choices that are taken from them; Hypothesis draws so many evenly."""
_cuts = st.integers(0, 0x3FF)


def word(draw: st.DrawFn) -> int:
    """16 bits, one in 17 at an edge."""
    number = draw(_words)
    return number if number <= 0xFFFF else _WORD_EDGES[number % len(_WORD_EDGES)]


def long(draw: st.DrawFn) -> int:
    """32 bits (multiples of 257), one in 16 at an edge."""
    number = draw(_longs)
    return number * 0x101 if number < 0xF00000 else _LONG_EDGES[number % len(_LONG_EDGES)]


def part_of(draw: st.DrawFn, least: int, most: int) -> int:
    """``most`` half of the time, else so many less, down to ``least``.

    The draw says how much is missing, so that it means the same while the whole shrinks.
    """
    number = draw(_cuts)
    missing = (number >> 1) * (number & 1)
    return most - (missing if missing <= most - least else missing % (most - least + 1))


# Addresses ------------------------------------------------------------------------------------

_FEW = {
    4: (b"\xc0\0\x02\x01", b"\xc6\x33\x64\x01", b"\x0a\0\0\x01", b"\xe0\0\0\x01"),
    6: (
        *(bytes.fromhex(f"20010db8{n:024x}") for n in (1, 2)),
        *(bytes.fromhex(head + "0" * 27 + "1") for head in ("fe80", "ff02")),
    ),
}
_PAIRS = {
    version: sorted(
        (Ends(src, dst) for src, dst in product(few, repeat=2)), key=lambda ends: ends[0] == ends[1]
    )
    for version, few in _FEW.items()
}
"""Two of the few, equal ones last."""
_pair = st.integers(0, 23)
_octets_of_two = {4: st.binary(min_size=8, max_size=8), 6: st.binary(min_size=32, max_size=32)}


def _known(version: int) -> None:
    if version not in (4, 6):
        raise InvalidArgument(f"version={version!r} is no version of IP, expected 4 or 6")


def addresses(version: int) -> st.SearchStrategy[bytes]:
    """IPv4 (4) or IPv6 (6) addresses, packed; a few that meet often, and any other.

    Shrinks to the first documentation address (RFC 5737, RFC 3849). Raises InvalidArgument.
    """
    _known(version)
    size = 4 if version == 4 else 16
    return st.one_of(st.sampled_from(_FEW[version]), st.binary(min_size=size, max_size=size))


def ends(version: int) -> st.SearchStrategy[Ends]:
    """Source and destination address, equal ones now and then; shrinks to two documentation ones.

    Raises InvalidArgument.
    """
    _known(version)
    return st.composite(two_ends)(version)


def two_ends(draw: st.DrawFn, version: int) -> Ends:
    nth = draw(_pair)
    if nth < len(_PAIRS[version]):
        return _PAIRS[version][nth]
    octets = draw(_octets_of_two[version])
    half = len(octets) // 2
    return Ends(octets[:half], octets[half:])


# TCP and UDP ----------------------------------------------------------------------------------

_FLAGS = (2, 0x12, 4, 0x10, 0x18, 0x11)
_flags = st.sampled_from((*_FLAGS * 700, *range(0x1000)))
"""The usual ones half of the time, else any 12 bits."""
_TCP_OPTIONS = (
    *(b"\x02\x04\x05\xb4", b"\x01", b"\x03\x03\x07", b"\x04\x02", b"\x08\x0a" + bytes(8)),
    *(b"\x05\x0a" + bytes(8), b"\xfd\x04\x12\x34"),
)
_tcp_options = st.sampled_from([*lists(_TCP_OPTIONS, 3), (_TCP_OPTIONS[4],) * 4])
_data = st.binary(max_size=24)
_window = st.integers(0, 0x1FFFF)
_udp_style = st.sampled_from([*product((False,), (1, 0, 0xFFFF))] * 9 + [(True, 1), (True, 0)])


def tcp_segment(draw: st.DrawFn, between: Ends) -> Upper:
    """TCP headers with any flags and options; ports are unclaimed ones when there is a payload."""
    payload = parts.opaque(draw(_data))
    window = draw(_window)
    return parts.tcp(
        between,
        word(draw) if payload is None else draw(_unclaimed),
        word(draw) if payload is None else draw(_unclaimed),
        seq=long(draw),
        ack=long(draw),
        flags=draw(_flags),
        window=window & 0xFFFF,
        urgent=7 * (window >> 16),
        options=draw(_tcp_options),
        payload=payload,
    )


def udp_datagram(draw: st.DrawFn, between: Ends) -> Upper:
    """UDP and now and then UDP-Lite; ports are unclaimed ones when there is a payload."""
    data = draw(_data)
    if len(data) > 12:
        # Flags that no DNS message has (RFC 1035 section 4.1.1), for those who look for DNS.
        data = b"\x78\x78\x78\x78" + data[4:]
    payload = parts.opaque(data)
    lite, check = draw(_udp_style)
    srcport = word(draw) if payload is None else draw(_unclaimed)
    dstport = word(draw) if payload is None else draw(_unclaimed)
    return parts.udp(between, srcport, dstport, check=check, payload=payload, lite=lite)


_applications = st.sampled_from(("dns", "ntp", *(["dhcpv6"] * 2)))
_few_octets = st.binary(max_size=8)
_dhcpv6_kinds = st.integers(1, 13)


def application(draw: st.DrawFn, between: Ends) -> Upper:
    """Datagrams that a port names: DNS, NTP, DHCPv6."""
    which = draw(_applications)
    port = {"dns": 53, "ntp": 123, "dhcpv6": 547}[which]
    extra = draw(_few_octets)
    if which == "dhcpv6":
        kind = draw(_dhcpv6_kinds)
        part = parts.application(
            which, bytes((kind, 0, 0, 1)) + extra, also=[("dhcpv6.msgtype", kind)]
        )
    else:
        part = parts.application(which, bytes(48) + extra)
    return parts.udp(between, draw(_unclaimed), port, payload=part)


tcp_segments = st.composite(tcp_segment)
udp_datagrams = st.composite(udp_datagram)
applications = st.composite(application)

# ICMP -----------------------------------------------------------------------------------------

_RESTS = (bytes(4), b"\x12\x34\0\x01")
_icmp = st.sampled_from([*product((8, 0, 13, 9, 30), (0, 255), _RESTS, (False,) * 4 + (True,))])
_icmpv6 = st.sampled_from([*product((128, 129, 135, 134), _RESTS)])
_errors = st.sampled_from([*product((3, 11, 12, 4), (0, 1, 3, 13), (False,) * 4 + (True,))])
_v6_errors = st.sampled_from((1, 2, 3))
_about = st.integers(0, 2)


def icmp_message(draw: st.DrawFn, between: Ends) -> Upper:
    """Echo requests and replies, and messages without further parts, of ICMP or ICMPv6."""
    body = parts.opaque(draw(_data))
    if between.version == 4:
        kind, code, rest, wrong = draw(_icmp)
        if kind == 13:
            body = parts.opaque(bytes(12))
        return parts.icmp(kind, code, rest, body, wrong=wrong)
    kind, rest = draw(_icmpv6)
    return parts.icmpv6(between, kind, 0, rest, body)


def icmp_error(draw: st.DrawFn, between: Ends) -> Upper:
    """ICMP errors about a TCP, UDP or ICMP packet of the same IP version, quoted whole or in part.

    IPv4 quotes at least one octet of the packet and can carry an RFC 4884 length; IPv6 quotes at
    least the headers and 8 octets of what follows.
    """
    about = (tcp_segment, udp_datagram, icmp_message)[draw(_about)]
    inside = two_ends(draw, between.version)
    if between.version == 6:
        quoted = parts.ipv6(inside, about(draw, inside), hops=draw(_octet))
        size = len(quoted.data)
        octets = part_of(draw, min(48, size), size)
        return parts.icmpv6(between, draw(_v6_errors), 0, bytes(4), quoted, quotes=octets)
    quoted = _ipv4(draw, inside, about)
    kind, code, extended = draw(_errors)
    size = len(quoted.data)
    if extended and kind != 4:
        words = max(32, (size + 3) // 4)
        return parts.icmp_error(kind, 1, quoted, size, words=words, extension=b"\x20\0\0\0")
    return parts.icmp_error(kind, code, quoted, part_of(draw, 1, size))


icmp_messages = st.composite(icmp_message)
icmp_errors = st.composite(icmp_error)

# Tunnels and others ---------------------------------------------------------------------------

_RECOGNISED = (
    parts.recognised(132, "sctp", 12, bytes(16)),
    parts.recognised(50, "esp", 8, bytes(20)),
    parts.recognised(2, "igmp", 1, b"\x16" + bytes(7), twice=True),
)
_recognised = st.sampled_from(_RECOGNISED)
_how = st.sampled_from([*product((4, 6), ("ip", "gre", "gre with a key", "vxlan"), range(3))])


def tunnel(draw: st.DrawFn, between: Ends) -> Upper:
    """IP in IP, 6in4, GRE and VXLAN, with one plain packet inside."""
    version, how, carries = draw(_how)
    inside = two_ends(draw, version)
    makes: tuple[Makes, ...] = (lambda _, __: None, tcp_segment, udp_datagram)
    packet = (parts.ipv4 if version == 4 else parts.ipv6)(inside, makes[carries](draw, inside))
    kind = links.IPV4 if version == 4 else links.IPV6
    if how == "ip":
        return Upper(parts.IPIP if version == 4 else parts.IN_6, packet)
    if how != "vxlan":
        return parts.gre(kind, packet, key=None if how == "gre" else 7)
    frame = links.ethernet(b"\x02" + bytes(5), b"\x02" + bytes(5), Payload(kind, packet))
    return parts.udp(between, draw(_unclaimed), 4789, payload=parts.vxlan(frame))


tunnels = st.composite(tunnel)

UPPERS: dict[str, Makes] = {
    "none": lambda _, __: None,
    "tcp": tcp_segment,
    "udp": udp_datagram,
    "icmp": icmp_message,
    "icmp-error": icmp_error,
    "application": application,
    "recognised": lambda draw, _: draw(_recognised),
    "tunnel": tunnel,
}
"""What an IP packet can carry: name -> what draws it, of the two ends."""

# IP -------------------------------------------------------------------------------------------

_IP_OPTIONS = (
    b"\x01", b"\x94\x04\0\0", b"\x07\x07\x04\0\0\0\0", b"\x44\x0c\x05\0" + bytes(8),
    b"\x83\x07\x04\xc6\x33\x64\x09", b"\x89\x0b\x0c" + bytes(8), b"\x82\x0b" + bytes(9),
)  # fmt: skip
_ip_options = st.sampled_from(lists(_IP_OPTIONS, 3))
_ip_flags = (0, 2, 4, 0)
_octet = st.integers(0, 255)


def _routing(units: int, left: int) -> bytes:
    return bytes((0, 2 * units, 4, left)) + bytes(4 + 16 * units)


_EXTENSIONS: tuple[Extension, ...] = (
    parts.extension(parts.HOP_BY_HOP, b"\0\0\x01\x04\0\0\0\0"),
    parts.extension(parts.DESTINATION, bytes((0, 1, 1, 12)) + bytes(12)),
    parts.extension(parts.ROUTING, _routing(1, 0)),
    parts.extension(parts.AUTHENTICATION, bytes((0, 4)) + bytes(22)),
    parts.extension(parts.FRAGMENT, bytes((0, 0, 0, 0, 0, 0, 0, 9))),
)
_extensions = st.sampled_from(lists(_EXTENSIONS, 3))


def ip_packet(draw: st.DrawFn, version: int, layer: str) -> Part:
    """An IP packet that carries one of :data:`UPPERS`; IPv4 options, IPv6 extensions."""
    between = two_ends(draw, version)
    if version == 4:
        return _ipv4(draw, between, UPPERS[layer])
    extensions = draw(_extensions)
    upper = UPPERS[layer](draw, between)
    return parts.ipv6(between, upper, hops=draw(_octet), extensions=extensions)


ip_packets = st.composite(ip_packet)


def _ipv4(draw: st.DrawFn, between: Ends, makes: Makes) -> Part:
    options = draw(_ip_options)
    final = parts.routed(options)
    upper = makes(draw, between if final is None else Ends(between.src, final))
    number = draw(_bits)
    return parts.ipv4(
        between,
        upper,
        ttl=number >> 16,
        ident=number & 0xFFFF,
        flags=_ip_flags[number % 4],
        options=options,
    )


# Fragments ------------------------------------------------------------------------------------

_FRAGMENT_DATA = (Enter("data"), Put(0, "data", 1))
_sizes = st.sampled_from([*product((8, 16, 24), (tcp_segment, udp_datagram))])


def fragment_run(draw: st.DrawFn, version: int) -> list[Part]:
    """All fragments of one datagram in any order, some of them twice.

    Until one completes the datagram, a fragment is data; that one has the header of what was
    carried (Wireshark semantics 8.3). What comes after it begins anew. Shrinks to their order.
    """
    between = two_ends(draw, version)
    size, makes = draw(_sizes)
    upper = makes(draw, between)
    octets = upper.part.data
    pieces = [(at, octets[at : at + size]) for at in range(0, len(octets), size)]
    if len(pieces) < 2:
        at = len(octets)
        pieces = [(0, octets), (at, b"")] if at % 8 == 0 else [(0, octets[:8]), (8, octets[8:])]
        pieces = [piece for piece in pieces if piece[1]]
    if len(pieces) < 2:
        return [parts.ipv4(between, upper) if version == 4 else parts.ipv6(between, upper)]
    ident, made = word(draw), list[Part]()
    waiting: list[int] = []
    for nth in _order(draw, len(pieces)):
        waiting.append(nth)
        complete = len(set(waiting)) == len(pieces)
        joined = (upper.part, len(waiting)) if complete else None
        at, piece = pieces[nth]
        more = nth < len(pieces) - 1
        made.append(_fragment(between, upper, at, piece, more, ident, joined))
        if complete:
            waiting = []
    return made


def _order(draw: st.DrawFn, count: int) -> list[int]:
    """A permutation of so many fragments, and up to two of them again."""
    code, again, left = draw(_bits), draw(_bits), list(range(count))
    order: list[int] = []
    while left:
        code, nth = divmod(code, len(left))
        order.append(left.pop(nth))
    again, twice = divmod(again, 3)
    for _ in range(min(twice, count - 1)):
        again, nth = divmod(again, count)
        order.append(order[nth])
    return order


def _fragment(
    between: Ends,
    upper: Upper,
    at: int,
    piece: bytes,
    more: bool,
    ident: int,
    joined: tuple[Part, int] | None,
) -> Part:
    data = Part(piece, () if joined else _FRAGMENT_DATA, joined=joined and joined[0])
    if between.version == 4:
        carried = Upper(upper.protocol, data)
        return parts.ipv4(
            between, carried, ident=ident, flags=int(more), offset=at // 8,
            joined=(joined[0], joined[1]) if joined else None,
        )  # fmt: skip
    head = struct.pack(">BBHI", 0, 0, at | more, ident)
    return parts.ipv6(
        between,
        Upper(upper.protocol, data),
        extensions=[parts.extension(parts.FRAGMENT, head)],
    )


fragment_runs = st.composite(fragment_run)
