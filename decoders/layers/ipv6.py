"""IPv6 and its extension headers (RFC 8200, RFC 4302), with the rules of semantics 6.4 and 8.4."""

from __future__ import annotations

from decoders import headers
from decoders.layers.dispatch import ETHERTYPES, IP_PROTOCOLS, Context, data, register
from decoders.layers.ipv4 import ip_payload
from decoders.octets import Octets
from decoders.reassembly import Fragment
from decoders.row import CHAT, DEPRECATED, ERROR, MALFORMED, NOTE, PROTOCOL, WARNING

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NO_NEXT = 0, 43, 44, 51, 59
DESTINATION, MOBILITY, SHIM6 = 60, 135, 140
JUMBO_PAYLOAD = 0xC2

_OPTION_HEADERS = {
    HOP_BY_HOP: ("ipv6.hopopts", "IPv6 Hop-by-Hop"),
    DESTINATION: ("ipv6.dstopts", "IPv6 Destination"),
}
_EXTENSIONS = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY))

MOST_EXTENSIONS = 64
"""Extension headers in a row that are followed."""


def _as_ip_protocol(kind: int) -> None:
    """Extension headers are IP protocol numbers too, whatever IP carries them."""

    def layer(context: Context, octets: Octets) -> None:
        extension_headers(context, octets, kind)

    register(IP_PROTOCOLS, kind)(layer)


for _kind in (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION):
    _as_ip_protocol(_kind)


@register(ETHERTYPES, 0x86DD)
@register(IP_PROTOCOLS, 41)
def ipv6(context: Context, octets: Octets) -> None:
    """An IPv6 packet: its payload length cuts what follows."""
    row = context.row
    row.enter("ipv6", "IPv6")
    row.item("ipv6", octets, headers.IPV6.size)
    octets.require(1)
    version = octets.data[octets.start] >> 4
    row.put("ip.version", version)
    if version != 6:
        row.expert(ERROR, MALFORMED, f"IP version {version} in an IPv6 packet")
        row.protocols.pop()
        data(context, octets)
        return
    if octets.claimed < headers.IPV6.size:
        row.expert(ERROR, MALFORMED, "IPv6 header of less than 40 octets")
    _, length, following, hops, src, dst = headers.IPV6.read(octets)
    row.put_until(
        octets.captured,
        (
            (7, "ipv6.plen", length),
            (7, "ipv6.nxt", following),
            (8, "ipv6.hlim", hops),
            (24, "ipv6.src", src),
            (40, "ipv6.dst", dst),
        ),
    )
    octets.require(headers.IPV6.size)
    row.src, row.dst = src, dst
    _payload(context, octets, length, following)


def _payload(context: Context, octets: Octets, length: int, following: int) -> None:
    row = context.row
    available = octets.claimed - headers.IPV6.size
    if length == 0 and following == HOP_BY_HOP:
        length = _jumbo(octets)
        if not length:
            row.expert(ERROR, MALFORMED, "IPv6 payload length is 0 without a jumbo payload")
    elif length == 0 and following != NO_NEXT:
        row.expert(CHAT, PROTOCOL, "IPv6 payload length is 0")
    elif length > available and not row.quoting:
        row.expert(WARNING, PROTOCOL, f"IPv6 payload length {length} goes beyond the packet")
    octets.trim(headers.IPV6.size + length)
    extension_headers(context, octets.after(headers.IPV6.size), following)


def _jumbo(octets: Octets) -> int:
    """Length in a jumbo payload option that begins the hop-by-hop header (RFC 2675); else 0."""
    at = octets.start + headers.IPV6.size + 2
    option = octets.data[at : min(at + 6, octets.end)]
    if len(option) < 6 or option[:2] != bytes((JUMBO_PAYLOAD, 4)):
        return 0
    length = int.from_bytes(option[2:], "big")
    return length if length > 0xFFFF else 0


def extension_headers(context: Context, octets: Octets, following: int) -> None:
    """Follow extension headers to the upper layer."""
    row = context.row
    for _ in range(MOST_EXTENSIONS):
        if following == FRAGMENT:
            _fragment(context, octets)
            return
        if following == NO_NEXT:
            data(context, octets)
            return
        if following not in _EXTENSIONS:
            ip_payload(context, octets, following)
            return
        following, octets = _extension(context, octets, following)
    row.undecoded(f"more than {MOST_EXTENSIONS} extension headers")


def _extension(context: Context, octets: Octets, kind: int) -> tuple[int, Octets]:
    """One extension header; the number of the next one and what follows."""
    row = context.row
    if kind in _OPTION_HEADERS:
        name, title = _OPTION_HEADERS[kind]
    elif kind == ROUTING:
        name, title = "ipv6.routing", "IPv6 Routing"
    elif kind == AUTHENTICATION:
        name, title = "ah", "AH"
    else:
        name, title = "mipv6", "MIPv6"
    row.enter(name, title)
    octets.require(2)
    following, units = headers.IPV6_OPTIONS.read(octets)
    size = (units + 2) * 4 if kind == AUTHENTICATION else (units + 1) * 8
    if name != "mipv6":
        row.put(name, 1)
    octets.require(size)
    if kind == ROUTING:
        _final_destination(context, octets, size)
    return following, octets.after(size)


def _final_destination(context: Context, octets: Octets, size: int) -> None:
    """With segments left, conversations use the last address (semantics 6.4)."""
    _, _, kind, segments_left, _ = headers.IPV6_ROUTING.read(octets)
    if kind == 0:
        context.row.expert(NOTE, DEPRECATED, "routing header type 0 (RFC 5095)")
    if segments_left == 0 or size < 24:
        return
    last = octets.start + size - 16 if kind in (0, 2) else octets.start + 8
    if kind in (0, 2, 4):
        context.row.dst = octets.data[last : last + 16]


def _fragment(context: Context, octets: Octets) -> None:
    """A part of a datagram; an atomic fragment (RFC 6946) is decoded at once."""
    row = context.row
    row.enter("ipv6.fraghdr", "IPv6 Fragment")
    octets.require(headers.IPV6_FRAGMENT.size)
    following, _, offset_more, identification = headers.IPV6_FRAGMENT.read(octets)
    offset, more = offset_more >> 3, bool(offset_more & 1)
    row.put("ipv6.fraghdr", 1)
    row.put("ipv6.fraghdr.offset", offset)
    rest = octets.after(headers.IPV6_FRAGMENT.size)
    if offset == 0 and not more:
        extension_headers(context, rest, following)
        return
    if not (rest.claimed > 0 and rest.whole()):
        data(context, rest)
        return
    key = (6, row.src, row.dst, identification)
    part = Fragment(row.number, offset * 8, more, rest.bytes())
    datagram = context.reassemble(key, part)
    if datagram is None:
        data(context, rest)
        return
    whole = Octets(datagram.data, 0, len(datagram.data), len(datagram.data))
    extension_headers(context, whole, following)
