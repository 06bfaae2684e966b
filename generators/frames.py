"""Hypothesis strategies for frames: octets together with the row they must decode to.

Everything is public API. A strategy draws a description; the octets and the truth
(:class:`~generators.truth.Described`) are both made from it, so that no decoder has a say in what
is right.

``frames()`` is the one to begin with: each value is a group of one frame, or of all fragments of
one datagram, which belong together; groups do not depend on each other. Values shrink to fewer
frames, then to the simplest link (Ethernet) and the simplest packet (IPv4 without upper
layer), then to fewer and smaller octets. Arguments that cannot be met are refused
with ``InvalidArgument`` when the strategy is made, not when it is drawn from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators import links, parts
from generators.links import Payload, Tag
from generators.parts import Ends, Upper
from generators.truth import Described, Enter, Part, Put, described

LINKTYPES = (1, 0, 9, 10, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276)
"""Link types that frames are made for; every one that the decoders support but user types."""

LAYERS = (
    *("none", "tcp", "udp", "icmp", "icmp-error", "application", "recognised", "tunnel"),
    *("fragments", "arp", "control", "discovery", "unknown", "mpls"),
)
"""What a frame can carry; ``layers`` of :func:`frames` chooses among them."""

UNCLAIMED_PORTS = (49152, 65535)
"""Ports, from first to last, whose payload no dissector claims."""

_IP_ONLY = frozenset((0, 108, 101, 12, 14, 228, 229))
_WITH_PPP = frozenset((1, 9, 50, 51))
_ETHERTYPED = frozenset((1, 10, 104, 113, 276))
_LINKS_OF: dict[str, Collection[int]] = {
    "arp": (1, 10, 104, 113, 276),
    "control": (1, 9, 50, 51),
    "discovery": (1, 113),
    "unknown": (1, 113, 276),
    "mpls": (1, 9, 50, 51, 113),
}

Wrap = Callable[[Payload], tuple[int, Part]]
Group = tuple[Described, ...]

_byte = st.integers(0, 255)
_word = st.one_of(st.sampled_from((0, 1, 23, 80, 32768, 65535)), st.integers(0, 0xFFFF))
_EDGES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_long = st.one_of(st.sampled_from(_EDGES), st.integers(0, 2**32 - 1))
_unclaimed = st.integers(*UNCLAIMED_PORTS)


def ports() -> st.SearchStrategy[int]:
    """Every port, 0 and those above 32767 among them; shrinks to 0."""
    return _word


def macs() -> st.SearchStrategy[bytes]:
    """MAC addresses of six octets, of single hosts; shrinks to locally administered ones."""
    return st.integers(0, 0xFFFF).map(lambda n: b"\x02\0\0\0" + struct.pack(">H", n))


def addresses(version: int) -> st.SearchStrategy[bytes]:
    """IPv4 (4) or IPv6 (6) addresses, packed; a few that meet often, and any other.

    Shrinks to the first documentation address (RFC 5737, RFC 3849).
    """
    if version not in (4, 6):
        raise InvalidArgument(f"version={version!r} is no version of IP, expected 4 or 6")
    if version == 4:
        few = [b"\xc0\0\x02\x01", b"\xc6\x33\x64\x01", b"\x0a\0\0\x01", b"\xe0\0\0\x01"]
    else:
        few = [bytes.fromhex(f"20010db8{n:024x}") for n in (1, 2)]
        few += [bytes.fromhex("fe80" + "0" * 27 + "1"), bytes.fromhex("ff02" + "0" * 27 + "1")]
    size = 4 if version == 4 else 16
    return st.one_of(st.sampled_from(few), st.binary(min_size=size, max_size=size))


def ends(version: int) -> st.SearchStrategy[Ends]:
    """Source and destination address, equal ones now and then."""
    return st.builds(Ends, addresses(version), addresses(version))


def tag_stacks(
    max_tags: int = 4, kinds: Collection[int] = links.TAGS
) -> st.SearchStrategy[list[Tag]]:
    """VLAN tags from the wire inwards; shrinks to none."""
    if not 0 <= max_tags <= 16:
        raise InvalidArgument(f"max_tags={max_tags} is out of range, expected 0 to 16")
    if not set(kinds) <= set(links.TAGS) or not kinds:
        raise InvalidArgument(f"kinds={kinds!r}: expected some of {links.TAGS}")
    one = st.builds(
        Tag, st.sampled_from(sorted(kinds)), st.integers(0, 4095), st.integers(0, 7), st.booleans()
    )
    return st.lists(one, max_size=max_tags)


# What IP carries ------------------------------------------------------------------------------

_SYN, _SYNACK, _RST, _ACK, _PUSH, _FIN = 2, 0x12, 4, 0x10, 0x18, 0x11
_flags = st.one_of(st.sampled_from((_SYN, _SYNACK, _RST, _ACK, _PUSH, _FIN)), st.integers(0, 0xFFF))
_TCP_OPTIONS = (
    *(b"\x02\x04\x05\xb4", b"\x01", b"\x03\x03\x07", b"\x04\x02", b"\x08\x0a" + bytes(8)),
    *(b"\x05\x0a" + bytes(8), b"\xfd\x04\x12\x34"),
)
_tcp_options = st.lists(st.sampled_from(_TCP_OPTIONS), max_size=5).filter(
    lambda found: sum(map(len, found)) <= 40
)
_IP_OPTIONS = (
    b"\x01", b"\x94\x04\0\0", b"\x07\x07\x04\0\0\0\0", b"\x44\x0c\x05\0" + bytes(8),
    b"\x83\x07\x04\xc6\x33\x64\x09", b"\x89\x0b\x0c" + bytes(8), b"\x82\x0b" + bytes(9),
)  # fmt: skip
_ip_options: st.SearchStrategy[list[bytes]] = st.one_of(
    st.builds(list[bytes]), st.lists(st.sampled_from(_IP_OPTIONS), max_size=3)
)


@st.composite
def tcp_segments(draw: st.DrawFn, between: Ends) -> Upper:
    """TCP headers with any flags and options; ports are unclaimed ones when there is a payload."""
    payload = parts.opaque(draw(st.binary(max_size=24)))
    port = _word if payload is None else _unclaimed
    return parts.tcp(
        between,
        draw(port),
        draw(port),
        seq=draw(_long),
        ack=draw(_long),
        flags=draw(_flags),
        window=draw(_word),
        urgent=draw(st.sampled_from((0, 7))),
        options=draw(_tcp_options),
        payload=payload,
    )


@st.composite
def udp_datagrams(draw: st.DrawFn, between: Ends) -> Upper:
    """UDP and now and then UDP-Lite; ports are unclaimed ones when there is a payload."""
    data = draw(st.binary(max_size=24))
    if len(data) > 12:
        # Flags that no DNS message has (RFC 1035 section 4.1.1), for those who look for DNS.
        data = b"\x78\x78\x78\x78" + data[4:]
    payload = parts.opaque(data)
    port = _word if payload is None else _unclaimed
    lite = draw(st.integers(0, 9)) == 9
    check = draw(st.sampled_from((1, 0, 0xFFFF)))
    return parts.udp(between, draw(port), draw(port), check=check, payload=payload, lite=lite)


@st.composite
def applications(draw: st.DrawFn, between: Ends) -> Upper:
    """Datagrams that a port names: DNS, NTP, DHCPv6."""
    which = draw(st.sampled_from(("dns", "ntp", "dhcpv6")))
    port = {"dns": 53, "ntp": 123, "dhcpv6": 547}[which]
    extra = draw(st.binary(max_size=8))
    if which == "dhcpv6":
        kind = draw(st.integers(1, 13))
        part = parts.application(
            which, bytes((kind, 0, 0, 1)) + extra, also=[("dhcpv6.msgtype", kind)]
        )
    else:
        part = parts.application(which, bytes(48) + extra)
    return parts.udp(between, draw(_unclaimed), port, payload=part)


@st.composite
def icmp_messages(draw: st.DrawFn, between: Ends) -> Upper:
    """Echo requests and replies, and messages without further parts, of ICMP or ICMPv6."""
    body = parts.opaque(draw(st.binary(max_size=24)))
    rest = draw(st.sampled_from((bytes(4), b"\x12\x34\0\x01")))
    if between.version == 4:
        kind = draw(st.sampled_from((8, 0, 13, 9, 30)))
        if kind == 13:
            body = parts.opaque(bytes(12))
        wrong = draw(st.integers(0, 4)) == 4
        return parts.icmp(kind, draw(st.sampled_from((0, 255))), rest, body, wrong=wrong)
    return parts.icmpv6(between, draw(st.sampled_from((128, 129, 135, 134))), 0, rest, body)


@st.composite
def icmp_errors(draw: st.DrawFn, between: Ends) -> Upper:
    """ICMP errors about a TCP, UDP or ICMP packet of the same IP version, quoted whole or in part.

    IPv4 quotes at least one octet of the packet and can carry an RFC 4884 length; IPv6 quotes at
    least the headers and 8 octets of what follows.
    """
    inside = draw(ends(between.version))
    options = draw(_ip_options) if between.version == 4 else []
    final = parts.routed(options)
    seen = inside if final is None else Ends(inside.src, final)
    upper = draw(st.one_of(tcp_segments(seen), udp_datagrams(seen), icmp_messages(seen)))
    if between.version == 4:
        quoted = parts.ipv4(inside, upper, ttl=draw(_byte), ident=draw(_word), options=options)
        kind = draw(st.sampled_from((3, 11, 12, 4)))
        size = len(quoted.data)
        octets = draw(st.one_of(st.just(size), st.integers(1, size)))
        if kind != 4 and draw(st.integers(0, 4)) == 4:
            words = max(32, (size + 3) // 4)
            return parts.icmp_error(kind, 1, quoted, size, words=words, extension=b"\x20\0\0\0")
        return parts.icmp_error(kind, draw(st.sampled_from((0, 1, 3, 13))), quoted, octets)
    quoted = parts.ipv6(inside, upper, hops=draw(_byte))
    size = len(quoted.data)
    octets = draw(st.one_of(st.just(size), st.integers(min(48, size), size)))
    return parts.icmpv6(
        between, draw(st.sampled_from((1, 2, 3))), 0, bytes(4), quoted, quotes=octets
    )


_RECOGNISED = (
    parts.recognised(132, "sctp", 12, bytes(16)),
    parts.recognised(50, "esp", 8, bytes(20)),
    parts.recognised(2, "igmp", 1, b"\x16" + bytes(7), twice=True),
)


@st.composite
def tunnels(draw: st.DrawFn, between: Ends) -> Upper:
    """IP in IP, 6in4, GRE and VXLAN, with one plain packet inside."""
    version = draw(st.sampled_from((4, 6)))
    inside = draw(ends(version))
    upper = draw(st.one_of(st.none(), tcp_segments(inside), udp_datagrams(inside)))
    packet = (parts.ipv4 if version == 4 else parts.ipv6)(inside, upper)
    kind = links.IPV4 if version == 4 else links.IPV6
    how = draw(st.sampled_from(("ip", "gre", "vxlan")))
    if how == "ip":
        return Upper(parts.IPIP if version == 4 else parts.IN_6, packet)
    if how == "gre":
        return parts.gre(kind, packet, key=draw(st.sampled_from((None, 7))))
    frame = links.ethernet(b"\x02" + bytes(5), b"\x02" + bytes(5), Payload(kind, packet))
    return parts.udp(between, draw(_unclaimed), 4789, payload=parts.vxlan(frame))


_UPPERS: dict[str, Callable[[Ends], st.SearchStrategy[Upper | None]]] = {
    "none": lambda _: st.none(),
    "tcp": tcp_segments,
    "udp": udp_datagrams,
    "icmp": icmp_messages,
    "icmp-error": icmp_errors,
    "application": applications,
    "recognised": lambda _: st.sampled_from(_RECOGNISED),
    "tunnel": tunnels,
}

# IP -------------------------------------------------------------------------------------------


def _routing(units: int, left: int) -> bytes:
    return bytes((0, 2 * units, 4, left)) + bytes(4 + 16 * units)


_EXTENSIONS = (
    parts.extension(parts.HOP_BY_HOP, b"\0\0\x01\x04\0\0\0\0"),
    parts.extension(parts.DESTINATION, bytes((0, 1, 1, 12)) + bytes(12)),
    parts.extension(parts.ROUTING, _routing(1, 0)),
    parts.extension(parts.AUTHENTICATION, bytes((0, 4)) + bytes(22)),
    parts.extension(parts.FRAGMENT, bytes((0, 0, 0, 0, 0, 0, 0, 9))),
)


@st.composite
def ip_packets(draw: st.DrawFn, version: int, layer: str) -> Part:
    """An IP packet that carries a ``layer`` of :data:`LAYERS`; IPv4 options, IPv6 extensions."""
    between = draw(ends(version))
    if version == 4:
        options = draw(_ip_options)
        final = parts.routed(options)
        seen = between if final is None else Ends(between.src, final)
        upper = draw(_UPPERS[layer](seen))
        return parts.ipv4(
            between,
            upper,
            ttl=draw(_byte),
            ident=draw(_word),
            flags=draw(st.sampled_from((0, 2, 4))),
            options=options,
        )
    extensions = draw(st.one_of(st.just([]), st.lists(st.sampled_from(_EXTENSIONS), max_size=3)))
    upper = draw(_UPPERS[layer](between))
    return parts.ipv6(between, upper, hops=draw(_byte), extensions=extensions)


_FRAGMENT_DATA = (Enter("data"), Put(0, "data", 1))


@st.composite
def fragment_runs(draw: st.DrawFn, version: int) -> list[Part]:
    """All fragments of one datagram in any order, some of them twice.

    Until one completes the datagram, a fragment is data; that one has the header of what was
    carried (Wireshark semantics 8.3). What comes after it begins anew.
    """
    between = draw(ends(version))
    upper = draw(st.one_of(tcp_segments(between), udp_datagrams(between)))
    octets = upper.part.data
    size = 8 * draw(st.integers(1, 3))
    pieces = [(at, octets[at : at + size]) for at in range(0, len(octets), size)]
    if len(pieces) < 2:
        at = len(octets)
        pieces = [(0, octets), (at, b"")] if at % 8 == 0 else [(0, octets[:8]), (8, octets[8:])]
        pieces = [piece for piece in pieces if piece[1]]
    order = list(draw(st.permutations(range(len(pieces)))))
    order += draw(st.lists(st.sampled_from(order), max_size=min(2, len(pieces) - 1)))
    ident = draw(_word)
    made: list[Part] = []
    waiting: list[int] = []
    for nth in order if len(pieces) > 1 else []:
        waiting.append(nth)
        complete = len(set(waiting)) == len(pieces)
        joined = (upper.part, len(waiting)) if complete else None
        at, piece = pieces[nth]
        more = nth < len(pieces) - 1
        made.append(_fragment(between, upper, at, piece, more, ident, joined))
        if complete:
            waiting = []
    return made or [parts.ipv4(between, upper) if version == 4 else parts.ipv6(between, upper)]


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


# Links ----------------------------------------------------------------------------------------


_NOBODYS = 0x4001
"""A PPP protocol number whose packets are data, when there is any (Cray Communications)."""


@st.composite
def control_packets(draw: st.DrawFn) -> tuple[int, Part | None]:
    """LCP with Protocol-Rejects, IPCP and their kin, PAP, CHAP, and a number that nobody claims."""
    known = (*links.CONTROL, links.PAP, links.CHAP)
    protocol = draw(st.one_of(st.just(_NOBODYS), st.sampled_from(known)))
    body = draw(st.one_of(st.just(b""), st.binary(max_size=12)))
    if protocol == _NOBODYS:
        return protocol, parts.opaque(body)
    if protocol not in links.CONTROL:
        return links.authentication(protocol, draw(st.integers(1, 4)), body)
    code = draw(st.integers(1, 12))
    if protocol == links.LCP and code == links.PROTOCOL_REJECT:
        inner = links.control(draw(st.sampled_from((links.IPV6CP, links.IPCP))), 1, body)
        return links.rejected(inner)
    if protocol == links.LCP and code in links.WITH_MAGIC:
        body = bytes(4) + body
    return links.control(protocol, code, body)


@st.composite
def wraps(draw: st.DrawFn, linktype: int, kind: str) -> Wrap:
    """How payloads of a ``kind`` (of :data:`LAYERS`) are put into frames of a link type."""
    if linktype == 1:
        return draw(_ethernet_wraps(kind))
    if linktype in (9, 50):
        framed, short = draw(st.booleans()), draw(st.booleans())
        return lambda payload: (
            linktype,
            links.serial(_ppp(payload, short), framed=framed),
        )
    if linktype == 51:
        number, short = draw(_word), draw(st.booleans())
        return lambda payload: (
            linktype,
            _part(links.session(number, _ppp(payload, short))),
        )
    if linktype in (0, 108):
        family, big = draw(st.sampled_from((24, 28, 30))), draw(st.booleans())
        return lambda payload: (
            linktype,
            links.loopback(
                2 if payload.kind == links.IPV4 else family,
                _part(payload),
                big=big,
                linktype=linktype,
            ),
        )
    plain: dict[int, Wrap] = {
        10: lambda payload: (10, links.fddi(payload)),
        104: lambda payload: (104, links.cisco(payload)),
        113: links.cooked,
        276: lambda payload: links.cooked(payload, version=2),
    }
    if linktype in plain:
        return plain[linktype]
    if linktype in (228, 229):
        return lambda payload: (228 if payload.kind == links.IPV4 else 229, _part(payload))
    return lambda payload: (linktype, links.raw(_part(payload)))


def _part(payload: Payload) -> Part:
    if payload.part is None:
        raise ValueError("this link needs something to carry")
    return payload.part


_PPP_NUMBERS = {
    links.IPV4: links.PPP_IPV4,
    links.IPV6: links.PPP_IPV6,
    links.MPLS: links.PPP_MPLS,
}


def _ppp(payload: Payload, short: bool) -> Part:
    """A PPP packet; protocol numbers that fit are said in one octet with ``short``."""
    number = _PPP_NUMBERS.get(payload.kind, payload.kind)
    return links.ppp(number, payload.part, short=short and number < 0x100)


@st.composite
def _ethernet_wraps(draw: st.DrawFn, kind: str) -> Wrap:
    dst, src = draw(macs()), draw(macs())
    tags = draw(tag_stacks(3))
    in_session = kind == "control" or (
        kind in ("mpls", *_UPPERS, "fragments") and draw(st.booleans())
    )
    if in_session:
        number, short = draw(_word), draw(st.booleans())
        padding = draw(st.one_of(st.just(b""), st.binary(max_size=30)))

        def over_pppoe(payload: Payload) -> tuple[int, Part]:
            packet = links.session(number, _ppp(payload, short), padding=padding)
            return 1, links.ethernet(dst, src, packet, tags=tags)

        return over_pppoe
    pad = draw(st.booleans())
    trailer = draw(st.one_of(st.just(b""), st.binary(max_size=9)))
    snap = not tags and draw(st.integers(0, 9)) == 9

    def direct(payload: Payload) -> tuple[int, Part]:
        if snap and payload.part is not None and len(payload.part.data) < 1400:
            return 1, links.ethernet(dst, src, payload, snap=True)
        size = 14 + 4 * len(tags) + (0 if payload.part is None else len(payload.part.data))
        fits = payload.ends and (pad or size >= 60)
        return 1, links.ethernet(
            dst, src, payload, tags=tags, pad=pad, trailer=trailer if fits else b""
        )

    return direct


@st.composite
def _payloads(draw: st.DrawFn, layer: str, versions: Sequence[int]) -> list[Payload]:
    """What the frames of one group carry."""
    if layer == "arp":
        macs_ = (b"\x02" + bytes(5), bytes(6))
        sender, target = draw(addresses(4)), draw(addresses(4))
        return [links.arp(draw(st.sampled_from((1, 2))), sender, target, macs_)]
    if layer == "control":
        number, part = draw(control_packets())
        return [Payload(number, part)]
    if layer == "discovery":
        tag = st.tuples(st.sampled_from((0x0101, 0x0103, 0)), st.binary(max_size=8))
        tags = [(kind, value if kind else b"") for kind, value in draw(st.lists(tag, max_size=3))]
        code = draw(st.sampled_from((0x09, 0x07, 0x19, 0x65, 0xA7)))
        return [links.discovery(code, draw(_word), tags)]
    if layer == "unknown":
        data = parts.opaque(draw(st.binary(max_size=40)))
        return [Payload(draw(st.sampled_from((0x88B5, 0x9200, 0x6000))), data, ends=False)]
    version = draw(st.sampled_from(versions))
    kind = links.IPV4 if version == 4 else links.IPV6
    if layer == "fragments":
        return [Payload(kind, part) for part in draw(fragment_runs(version))]
    if layer == "mpls":
        packet = draw(ip_packets(version, "udp"))
        labels = draw(st.lists(st.integers(16, 0xFFFFF), min_size=1, max_size=3))
        return [links.mpls(labels, packet)]
    return [Payload(kind, draw(ip_packets(version, layer)))]


@st.composite
def _groups(draw: st.DrawFn, choices: Sequence[tuple[int, str]], cut: bool) -> Group:
    ethernet = [choice for choice in choices if choice[0] == 1]
    half = ethernet and draw(st.booleans()) is False
    linktype, layer = draw(st.sampled_from(ethernet if half else choices))
    versions = {228: (4,), 229: (6,)}.get(linktype, (4, 6))
    payloads = draw(_payloads(layer, versions))
    wrap = draw(wraps(linktype, layer))
    made = [wrap(payload) for payload in payloads]
    if cut and len(made) == 1:
        number, part = made[0]
        size = draw(st.one_of(st.none(), st.integers(0, len(part.data))))
        return (described(part, number, size),)
    return tuple(described(part, number) for number, part in made)


def frames(
    *,
    linktypes: Collection[int] = LINKTYPES,
    layers: Collection[str] = LAYERS,
    cut: bool = True,
) -> st.SearchStrategy[Group]:
    """Groups of frames that belong together: one frame, or the fragments of one datagram.

    ``linktypes`` chooses among :data:`LINKTYPES`, ``layers`` among :data:`LAYERS`; combinations
    that do not exist (ARP in raw IP) are left out. ``cut``: single frames are cut by a snap length
    now and then. Raises InvalidArgument for an unknown name, and when no combination is left.
    """
    unknown = [str(name) for name in linktypes if name not in LINKTYPES]
    if unknown:
        raise InvalidArgument(f"linktypes {', '.join(unknown)}: expected some of {LINKTYPES}")
    unknown = [name for name in layers if name not in LAYERS]
    if unknown:
        raise InvalidArgument(f"layers {', '.join(unknown)}: expected some of {LAYERS}")
    choices = [
        (linktype, layer)
        for linktype in LINKTYPES
        if linktype in linktypes
        for layer in LAYERS
        if layer in layers and linktype in _LINKS_OF.get(layer, LINKTYPES)
    ]
    if not choices:
        raise InvalidArgument(
            f"no frame of link types {sorted(linktypes)} carries {', '.join(sorted(layers))}"
        )
    return _groups(choices, cut)
