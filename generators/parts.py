"""Transport, ICMP and network parts: octets together with what must be found in them.

Each function makes a :class:`~generators.truth.Part` around what it carries, innermost first, with
lengths and checksums that are right. Sources: RFC 791, 792, 768, 4443, 8200, 9293; which octets a
field needs: Wireshark semantics 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from generators.packets import checksum
from generators.truth import BAD, GOOD, UNVERIFIED, Checked, Enter, Event, Need, Part, Put

FLAGS = (
    ("res", 0xE00),
    ("ae", 0x100),
    ("cwr", 0x80),
    ("ece", 0x40),
    ("urg", 0x20),
    ("ack", 0x10),
    ("push", 0x08),
    ("reset", 0x04),
    ("syn", 0x02),
    ("fin", 0x01),
)
LETTERS = "RRRACEUAPRSF"
NO_CHECKSUM, ILLEGAL_CHECKSUM = 3, 4
ICMP, IPIP, TCP, UDP, IN_6, GRE, ICMPV6, NO_NEXT, SCTP, LITE = 1, 4, 6, 17, 41, 47, 58, 59, 132, 136
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60


class Ends(NamedTuple):
    """The addresses that a transport header stands between, packed: 4 or 16 octets each."""

    src: bytes
    dst: bytes

    @property
    def version(self) -> int:
        return 4 if len(self.src) == 4 else 6


class Upper(NamedTuple):
    """What IP carries: its protocol number and the part."""

    protocol: int
    part: Part


def spelled(address: bytes) -> str:
    """An address as Wireshark writes it."""
    if len(address) == 4:
        return ".".join(map(str, address))
    import ipaddress

    return str(ipaddress.IPv6Address(address))


def opaque(data: bytes) -> Part | None:
    """Octets that nobody claims; None when there are none."""
    return Part(data, (Enter("data"), Put(0, "data", 1))) if data else None


def _ends(protocol: str, ends: Ends) -> tuple[Put, Put]:
    return (
        Put(4, f"replicap.{protocol}.src", spelled(ends.src)),
        Put(4, f"replicap.{protocol}.dst", spelled(ends.dst)),
    )


def flags_text(flags: int) -> str:
    """``tcp.flags.str``."""
    return "".join(
        LETTERS[nth] if flags >> (11 - nth) & 1 else "\N{MIDDLE DOT}" for nth in range(12)
    )


def tcp(
    ends: Ends,
    srcport: int,
    dstport: int,
    *,
    seq: int = 0,
    ack: int = 0,
    flags: int = 2,
    window: int = 65535,
    urgent: int = 0,
    options: Sequence[bytes] = (),
    check: int = 0xA5A5,
    payload: Part | None = None,
) -> Upper:
    """A TCP segment (RFC 9293). ``options`` are whole options; zeros fill up to 4 octets."""
    listed = b"".join(options)
    filled = listed + bytes(-len(listed) % 4)
    size = 20 + len(filled)
    if size > 60:
        raise ValueError(f"TCP options of {len(filled)} octets, at most 40 fit")
    carried = b"" if payload is None else payload.data
    head = struct.pack(
        ">HHIIHHHH",
        *(srcport, dstport, seq, ack, size // 4 << 12 | flags, window, check, urgent),
    )
    no_raw = ends.version == 4
    events: list[Event] = [
        *(Enter("tcp"), Need(4), Put(4, "tcp", 1)),
        *(Put(4, "tcp.srcport", srcport), Put(4, "tcp.dstport", dstport), *_ends("tcp", ends)),
        *(Need(16), Put(16, "tcp.hdr_len", size), Put(16, "tcp.len", len(carried), True)),
        *(Put(16, "tcp.seq_raw", seq, no_raw), Put(16, "tcp.ack_raw", ack)),
        *(Put(16, "tcp.window_size_value", window), Put(16, "tcp.flags", flags)),
        *(Put(16, f"tcp.flags.{name}", bool(flags & bit)) for name, bit in FLAGS),
        Put(16, "tcp.flags.str", flags_text(flags)),
        *(Put(16, f"tcp.connection.{name}", True) for name in _connection(flags)),
        *(Need(18), Put(18, "tcp.checksum", check), Put(18, "tcp.checksum.status", UNVERIFIED)),
        *(Need(20), Put(20, "tcp.urgent_pointer", urgent)),
        *_walk(options, 20, size),
        Need(size),
    ]
    handed_up = payload if not flags & 4 else None
    data = head + filled + carried
    return Upper(TCP, Part(data, tuple(events), handed_up, size, handed_up=True))


def _connection(flags: int) -> list[str]:
    syn = ["synack" if flags & 0x10 else "syn"] if flags & 2 else []
    return syn + ["fin"] * (flags & 1) + ["rst"] * (flags >> 2 & 1)


def _walk(options: Sequence[bytes], at: int, end: int) -> list[Event]:
    """Options are read one by one: kind, length, the rest."""
    steps: list[Event] = []
    for option in options:
        steps += [Need(at + 1)] if len(option) == 1 else [Need(at + 2), Need(at + len(option))]
        at += len(option)
    return [*steps, Need(end)] if at < end else steps


def udp(
    ends: Ends,
    srcport: int,
    dstport: int,
    *,
    check: int = 1,
    payload: Part | None = None,
    lite: bool = False,
) -> Upper:
    """A UDP datagram (RFC 768), or a UDP-Lite one (RFC 3828), which shares UDP's fields."""
    carried = b"" if payload is None else payload.data
    length = 8 + len(carried)
    name = "udplite" if lite else "udp"
    status = (NO_CHECKSUM if ends.version == 4 else ILLEGAL_CHECKSUM) if not check else UNVERIFIED
    events: list[Event] = [
        *(Enter(name), Need(4), Put(4, name, 1)),
        *(Put(4, "udp.srcport", srcport), Put(4, "udp.dstport", dstport), *_ends("udp", ends)),
        *(Need(6), Put(6, "udp.length", length), Need(8), Put(8, "udp.checksum", check)),
        Put(8, "udp.checksum.status", status),
    ]
    if payload is not None:
        events.append(Need(9))
    head = struct.pack(">HHHH", srcport, dstport, length, check)
    part = Part(head + carried, tuple(events), payload, 8, None if lite else length)
    return Upper(LITE if lite else UDP, part)


def application(protocol: str, data: bytes, *, also: Sequence[tuple[str, int]] = ()) -> Part:
    """A payload that a dissector claims by its port, whole."""
    fields = tuple(Put(1, name, value) for name, value in also)
    return Part(data, (Enter(protocol), Need(1), Put(1, protocol, 1), *fields, Need(len(data))))


def icmp(kind: int, code: int, rest: bytes, payload: Part | None, *, wrong: bool = False) -> Upper:
    """An ICMP message that carries octets: echo and others (RFC 792)."""
    needs = {0: 8, 8: 8, 13: 20, 14: 20}.get(kind, 6)
    return _icmp(kind, code, rest, payload, b"", wrong, needs)


def icmp_error(
    kind: int, code: int, quoted: Part, octets: int, *, words: int = 0, extension: bytes = b""
) -> Upper:
    """An ICMP error about an IPv4 packet, of which it quotes the first ``octets``.

    With ``words`` the whole packet is quoted, filled with zeros to so many 4-octet words, and an
    extension follows (RFC 4884). Raises ValueError when it would not fit.
    """
    data = quoted.data[:octets]
    if words:
        if octets < len(quoted.data) or words * 4 < octets:
            raise ValueError(f"{len(quoted.data)} octets do not fit into {words} words")
        data += bytes(words * 4 - len(data))
    rest = bytes((0, words, 0, 0))
    part = Part(data, quoted.events, quoted.inner, quoted.at, quoted.claims, quoted.inner_claims,
                quoted.quotes, quoted.contains, quoted.tail)  # fmt: skip
    return _icmp(kind, code, rest, part, extension, False, 8, quotes=len(data))


def _icmp(
    kind: int, code: int, rest: bytes, payload: Part | None, behind: bytes, wrong: bool,
    needs: int, *, quotes: int | None = None,
) -> Upper:  # fmt: skip
    carried = (b"" if payload is None else payload.data) + behind
    data = struct.pack(">BBH", kind, code, 0) + rest + carried
    summed = checksum(data) ^ (0x0101 if wrong else 0)
    data = data[:2] + struct.pack(">H", summed) + data[4:]
    events: tuple[Event, ...] = (
        *(Enter("icmp"), Need(6), Put(6, "icmp", 1)),
        *(Put(6, "icmp.type", kind), Put(6, "icmp.code", code)),
        *(Checked(6, "icmp.checksum.status", BAD if wrong else GOOD), Need(needs)),
    )
    entered = payload if quotes is not None or kind in (0, 8) else None
    return Upper(
        ICMP, Part(data, events, entered, 8, inner_claims=quotes, quotes=quotes is not None)
    )


def icmpv6(
    ends: Ends, kind: int, code: int, rest: bytes, payload: Part | None, *,
    quotes: int | None = None,
) -> Upper:  # fmt: skip
    """An ICMPv6 message; ``quotes``: an error that quotes so many octets of ``payload``."""
    carried = b"" if payload is None else payload.data[:quotes]
    data = struct.pack(">BBH", kind, code, 0) + rest + carried
    pseudo = ends.src + ends.dst + struct.pack(">II", len(data), ICMPV6)
    data = data[:2] + struct.pack(">H", checksum(pseudo + data)) + data[4:]
    events: list[Event] = [
        *(Enter("icmpv6"), Need(1), Put(1, "icmpv6", 1), Put(1, "icmpv6.type", kind)),
        *(Need(2), Put(2, "icmpv6.code", code), Need(4)),
    ]
    entered = quotes is not None or kind in (128, 129)
    if entered:
        events.append(Need(8))
    part = Part(
        data, tuple(events), payload if entered else None, 8, quotes=quotes is not None,
        inner_claims=None if quotes is None else len(carried),
    )  # fmt: skip
    return Upper(ICMPV6, part)


def recognised(protocol: int, name: str, needs: int, data: bytes, *, twice: bool = False) -> Upper:
    """A transport that is only named: SCTP, ESP, IGMP (whose versions are dissectors too)."""
    events: list[Event] = [Enter(name), Need(needs), Put(needs, name, 1)]
    if twice:
        events.append(Enter(name))
    return Upper(protocol, Part(data, tuple(events)))


def ipv4(
    ends: Ends,
    upper: Upper | None,
    *,
    ttl: int = 64,
    ident: int = 1,
    flags: int = 0,
    offset: int = 0,
    options: Sequence[bytes] = (),
    protocol: int = 253,
    joined: tuple[Part | None, int] | None = None,
) -> Part:
    """An IPv4 packet (RFC 791). ``flags``: 1 more fragments, 2 don't fragment, 4 reserved.

    ``offset`` counts units of 8 octets. A source route among the options that still has addresses
    to go to makes its last one the destination. ``joined``: the payload that this fragment
    completes, and the number of fragments.
    """
    listed = b"".join(options)
    filled = listed + bytes(-len(listed) % 4)
    size = 20 + len(filled)
    if size > 60:
        raise ValueError(f"IPv4 options of {len(filled)} octets, at most 40 fit")
    carried = b"" if upper is None else upper.part.data
    number = protocol if upper is None else upper.protocol
    length = size + len(carried)
    head = struct.pack(
        ">BBHHHBBH", 0x40 | size // 4, 0, length, ident, flags << 13 | offset, ttl, number, 0
    )
    head += ends.src + ends.dst + filled
    summed = checksum(head)
    head = head[:10] + struct.pack(">H", summed) + head[12:]
    events: list[Event] = [
        *(Enter("ip"), Need(1), Put(1, "ip", 1), Put(1, "ip.version", 4)),
        *(Put(1, "ip.hdr_len", size), Need(4), Put(4, "ip.len", length)),
        *(Put(6, "ip.id", ident), Put(8, "ip.flags.rb", bool(flags & 4))),
        *(Put(8, "ip.flags.df", bool(flags & 2)), Put(8, "ip.flags.mf", bool(flags & 1))),
        *(Put(8, "ip.frag_offset", offset), Put(9, "ip.ttl", ttl), Put(10, "ip.proto", number)),
        *(Put(12, "ip.checksum", summed), Put(12, "ip.checksum.status", UNVERIFIED)),
        *(Put(16, "ip.src", int.from_bytes(ends.src, "big")), Need(20)),
        *_destination(ends.dst, options),
        Need(size),
    ]
    if joined is not None:
        events.append(Put(size, "ip.fragment.count", joined[1]))
        return Part(head + carried, tuple(events), None, size, length, joined=joined[0])
    return Part(head + carried, tuple(events), upper and upper.part, size, length)


def routed(options: Sequence[bytes]) -> bytes | None:
    """The address that a source route still leads to, or None."""
    for option in options:
        if option[0] in (131, 137):
            return option[-4:] if option[2] <= len(option) else None
    return None


def _destination(dst: bytes, options: Sequence[bytes]) -> list[Event]:
    """``ip.dst`` is shown when the options have told whether a source route changes it."""
    steps: list[Event] = []
    at = 20
    final = routed(options)
    for option in options:
        if len(option) == 1:
            steps.append(Need(at + 1))
        else:
            steps.append(Need(at + 2))
            if option[0] in (131, 137):
                steps.append(Need(at + len(option)))
                break
        at += len(option)
    else:
        if at % 4:
            steps.append(Need(at + 1))
    reached = steps[-1].octets if steps and isinstance(steps[-1], Need) else 20
    shown = Put(max(20, reached), "ip.dst", int.from_bytes(final or dst, "big"))
    return [*steps, shown]


class Extension(NamedTuple):
    """An IPv6 extension header: its number, its name in ``frame.protocols``, its octets.

    The first octet (next header) is filled in when the packet is put together.
    """

    kind: int
    name: str
    data: bytes


def extension(kind: int, data: bytes) -> Extension:
    """A hop-by-hop, destination, routing, authentication or atomic fragment header."""
    names = {
        HOP_BY_HOP: "ipv6.hopopts",
        DESTINATION: "ipv6.dstopts",
        ROUTING: "ipv6.routing",
        AUTHENTICATION: "ah",
        FRAGMENT: "ipv6.fraghdr",
    }
    if kind not in names:
        raise ValueError(f"{kind} is no extension header, expected one of {sorted(names)}")
    units = 4 if kind == AUTHENTICATION else 8
    if len(data) < 8 or len(data) % units:
        raise ValueError(f"an extension header of {len(data)} octets, expected a multiple of 8")
    return Extension(kind, names[kind], data)


def _extended(extensions: Sequence[Extension], upper: Upper | None) -> Upper | None:
    """The chain of extension headers with what stands behind it, from the inside out."""
    for kind, name, data in reversed(extensions):
        inner = None if upper is None else upper.part
        following = NO_NEXT if upper is None else upper.protocol
        octets = bytes((following,)) + data[1:] + (b"" if inner is None else inner.data)
        needs = 8 if kind == FRAGMENT else 2
        events: list[Event] = [Enter(name), Need(needs), Put(needs, name, 1), Need(len(data))]
        if kind == FRAGMENT:
            offset = int.from_bytes(data[2:4], "big") >> 3
            events.append(Put(8, "ipv6.fraghdr.offset", offset))
        upper = Upper(kind, Part(octets, tuple(events), inner, len(data)))
    return upper


def ipv6(
    ends: Ends,
    upper: Upper | None,
    *,
    hops: int = 64,
    extensions: Sequence[Extension] = (),
) -> Part:
    """An IPv6 packet (RFC 8200); without an upper layer its next header is "none"."""
    upper = _extended(extensions, upper)
    inner = None if upper is None else upper.part
    carried = b"" if inner is None else inner.data
    following = NO_NEXT if upper is None else upper.protocol
    head = struct.pack(">IHBB", 6 << 28, len(carried), following, hops) + ends.src + ends.dst
    events: tuple[Event, ...] = (
        *(Enter("ipv6"), Put(0, "ipv6", 1), Need(1), Put(1, "ip.version", 6)),
        *(Put(7, "ipv6.plen", len(carried)), Put(7, "ipv6.nxt", following)),
        *(Put(8, "ipv6.hlim", hops), Put(24, "ipv6.src", ends.src), Put(40, "ipv6.dst", ends.dst)),
        Need(40),
    )
    return Part(head + carried, events, inner, 40, 40 + len(carried))


def gre(kind: int, inner: Part, *, key: int | None = None) -> Upper:
    """GRE, version 0, with or without a key (RFC 2784, 2890)."""
    head = struct.pack(">HH", 0x2000 if key is not None else 0, kind)
    head += b"" if key is None else struct.pack(">I", key)
    events: tuple[Event, ...] = (Enter("gre"), Need(4), Put(4, "gre", 1), Need(len(head)))
    return Upper(GRE, Part(head + inner.data, events, inner, len(head)))


def vxlan(inner: Part) -> Part:
    """VXLAN around an Ethernet frame (RFC 7348); UDP port 4789."""
    head = struct.pack(">II", 0x08000000, 77 << 8)
    return Part(head + inner.data, (Enter("vxlan"), Need(8)), inner, 8)
