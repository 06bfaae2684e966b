"""IPv4 (RFC 791), with the rules of Wireshark semantics 1.3, 7.3 and 8.3."""

from __future__ import annotations

from decoders import headers
from decoders.layers.dispatch import ETHERTYPES, IP_PROTOCOLS, Context, data, register
from decoders.octets import Octets
from decoders.reassembly import Fragment
from decoders.row import ERROR, NOTE, PROTOCOL, SEQUENCE, WARNING

MORE_FRAGMENTS, DONT_FRAGMENT, RESERVED = 0x2000, 0x4000, 0x8000
OFFSET_MASK = 0x1FFF

OSPF, PIM = 89, 103

UNVERIFIED = 2
"""Checksum status: not checked, Wireshark's default for IPv4, TCP and UDP (semantics 8.2)."""

MOST_HEADERS = 32
"""IP headers inside one another that are followed."""

_LOCAL_CONTROL_TTL = {0xE0000012: 255, 0xE0000066: 255, 0xE00000FB: 255, 0xE00000FC: None}
"""TTL expected in 224.0.0.0/24 where it is not 1: VRRP, GLBP, mDNS; any for LLMNR."""


@register(ETHERTYPES, 0x0800)
@register(IP_PROTOCOLS, 4)
def ipv4(context: Context, octets: Octets) -> None:
    """An IPv4 packet: its total length cuts what follows, whatever the frame holds."""
    row = context.row
    row.enter("ip", "IPv4")
    octets.require(1)
    version, header_length = octets.data[octets.start] >> 4, (octets.data[octets.start] & 15) * 4
    row.item("ip", octets, header_length)
    row.put("ip.version", version)
    if version != 4:
        row.expert(ERROR, PROTOCOL, f"IP version {version} in an IPv4 packet")
        if version == 6:
            ETHERTYPES[0x86DD](context, octets)
        return
    row.put("ip.hdr_len", header_length)
    if header_length < headers.IPV4.size:
        row.expert(ERROR, PROTOCOL, f"IPv4 header length of {header_length} octets, below 20")
        return
    if not _total_length(context, octets, header_length):
        return
    _header_fields(context, octets)
    octets.require(headers.IPV4.size)
    destination = headers.IPV4.read(octets)[-1]
    if header_length > headers.IPV4.size:
        destination = _end_of_source_route(octets, header_length) or destination
    row.put("ip.dst", destination)
    row.dst = destination
    if header_length > headers.IPV4.size:
        _options(context, octets, header_length)
    _payload(context, octets, header_length)


def _total_length(context: Context, octets: Octets, header_length: int) -> bool:
    """Put ``ip.len`` and believe it; False when the packet stops here."""
    row = context.row
    octets.require(4)
    length = int.from_bytes(octets.data[octets.start + 2 : octets.start + 4], "big")
    offloaded = length == 0
    if offloaded:
        length = octets.claimed
    row.put("ip.len", length)
    if length < header_length and not offloaded:
        row.expert(ERROR, PROTOCOL, f"IPv4 total length {length} below its header's length")
        return False
    if length > octets.claimed and not row.quoting:
        row.expert(ERROR, PROTOCOL, f"IPv4 total length {length} goes beyond the packet")
    octets.trim(length)
    return True


def _header_fields(context: Context, octets: Octets) -> None:
    row = context.row
    _, _, _, identification, offset, ttl, protocol, checksum, src, dst = headers.IPV4.read(octets)
    row.put_until(
        octets.captured,
        (
            (6, "ip.id", identification),
            (8, "ip.flags.rb", bool(offset & RESERVED)),
            (8, "ip.flags.df", bool(offset & DONT_FRAGMENT)),
            (8, "ip.flags.mf", bool(offset & MORE_FRAGMENTS)),
            (8, "ip.frag_offset", offset & OFFSET_MASK),
            (9, "ip.ttl", ttl),
            (10, "ip.proto", protocol),
            (12, "ip.checksum", checksum),
            (12, "ip.checksum.status", UNVERIFIED),
            (16, "ip.src", src),
        ),
    )
    if octets.captured >= headers.IPV4.size:
        row.src = src
        _judge_ttl(context, ttl, protocol, dst)


def _judge_ttl(context: Context, ttl: int, protocol: int, dst: int) -> None:
    if dst >> 8 == 0xE00000:
        expected = _LOCAL_CONTROL_TTL.get(dst, 1)
        if expected is not None and ttl != expected:
            context.row.expert(NOTE, SEQUENCE, f"TTL {ttl} to a local control address")
    elif ttl < 5 and dst >> 28 != 0xE and protocol not in (PIM, OSPF):
        context.row.expert(NOTE, SEQUENCE, f"TTL {ttl} is low")


NO_OPERATION, END_OF_LIST = 1, 0
SOURCE_ROUTES = (131, 137)
"""Loose and strict source route (RFC 791 section 3.1)."""


def _lies(pointer: int) -> bool:
    """Whether a source route's pointer points to no address (RFC 791 section 3.1)."""
    return pointer < 4 or pointer % 4 != 0


def _end_of_source_route(octets: Octets, header_length: int) -> int:
    """The last address of a source route that still goes on, else 0.

    Wireshark shows that address as ``ip.dst`` and uses it for conversations.
    """
    at = headers.IPV4.size
    while at < header_length:
        octets.require(at + 1)
        kind = octets.data[octets.start + at]
        if kind == END_OF_LIST:
            return 0
        if kind == NO_OPERATION:
            at += 1
            continue
        octets.require(at + 2)
        length = octets.data[octets.start + at + 1]
        if length < 2 or at + length > header_length:
            return 0
        if kind in SOURCE_ROUTES:
            octets.require(at + max(length, 3))
            pointer = octets.data[octets.start + at + 2]
            if _lies(pointer) or pointer > length:
                return 0
            end = octets.start + at + length
            return int.from_bytes(octets.data[end - 4 : end], "big")
        at += length
    return 0


def _options(context: Context, octets: Octets, header_length: int) -> None:
    """Walk the options for what is wrong with them."""
    octets.require(header_length)
    row = context.row
    at, end = octets.start + headers.IPV4.size, octets.start + header_length
    fillers = 0
    while at < end:
        kind = octets.data[at]
        if kind == END_OF_LIST:
            break
        if kind == NO_OPERATION:
            fillers += 1
            if fillers == 4:
                row.expert(WARNING, PROTOCOL, "four NOP options in a row")
            at += 1
            continue
        fillers = 0
        length = octets.data[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            row.expert(WARNING, PROTOCOL, "bad option length")
            break
        if kind in SOURCE_ROUTES and length > 2 and _lies(octets.data[at + 2]):
            row.expert(WARNING, PROTOCOL, "a source route's pointer points to no address")
        at += length


def _payload(context: Context, octets: Octets, header_length: int) -> None:
    _, _, length, identification, offset, _, protocol, _, src, dst = headers.IPV4.read(octets)
    beyond = length > octets.claimed
    rest = octets.after(header_length)
    if offset & (MORE_FRAGMENTS | OFFSET_MASK):
        _fragment(context, rest, identification, offset, protocol, (src, dst), beyond)
    elif rest.claimed > 0:
        ip_payload(context, rest, protocol)


def ip_payload(context: Context, octets: Octets, protocol: int) -> None:
    """Hand octets to the layer of an IP protocol number; nothing of an empty quote."""
    if context.row.quoting and not octets.claimed:
        return
    context.depth += 1
    if context.depth > MOST_HEADERS:
        context.row.undecoded(f"more than {MOST_HEADERS} nested headers")
        return
    IP_PROTOCOLS.get(protocol, data)(context, octets)


def is_private(address: int) -> bool:
    """10/8, 172.16/12, 192.168/16 and 169.254/16: their fragments stay within a VLAN."""
    return (
        address >> 24 == 10
        or address >> 20 == 0xAC1
        or address >> 16 == 0xC0A8
        or address >> 16 == 0xA9FE
    )


def _fragment(
    context: Context,
    rest: Octets,
    identification: int,
    offset: int,
    protocol: int,
    ends: tuple[int, int],
    beyond: bool,
) -> None:
    """A part of a datagram: shown as data until the datagram is complete (semantics 8.3)."""
    row = context.row
    more, at = bool(offset & MORE_FRAGMENTS), (offset & OFFSET_MASK) * 8
    if rest.claimed > 0 and rest.whole() and not beyond:
        vlan = row.first_vlan if any(map(is_private, ends)) else 0
        key = (4, *ends, identification, protocol, vlan)
        part = Fragment(row.number, at, more, rest.bytes())
        datagram = context.reassemble(key, part)
        if datagram is None:
            data(context, rest)
            return
        row.put("ip.fragment.count", len(datagram.fragments))
        whole = Octets(datagram.data, 0, len(datagram.data), len(datagram.data))
        ip_payload(context, whole, protocol)
    elif at == 0:
        first = Octets(rest.data, rest.start, rest.end, rest.limit, fragment=more)
        if first.claimed > 0:
            ip_payload(context, first, protocol)
    else:
        data(context, rest)
