"""Hypothesis strategies for frames: octets together with the row they must decode to.

Everything is public API. A strategy draws a description; the octets and the truth
(:class:`~generators.truth.Described`) are both made from it, so that no decoder has a say in what
is right. What IP carries is in :mod:`generators.carried`.

``frames()`` is the one to begin with: each value is a group of one frame, or of all fragments of
one datagram, which belong together; groups do not depend on each other. Values shrink to fewer
frames, then to the simplest link (Ethernet) and the simplest packet (IPv4 without upper
layer), then to fewer and smaller octets. Arguments that cannot be met are refused
with ``InvalidArgument`` when the strategy is made, not when it is drawn from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from itertools import product

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators import links, parts
from generators.carried import UPPERS, fragment_run, ip_packet, part_of, two_ends, word
from generators.links import Payload, Tag
from generators.truth import Described, Part, described

LINKTYPES = (1, 0, 9, 10, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276)
"""Link types that frames are made for; every one that the decoders support but user types."""

LAYERS = (
    *("none", "tcp", "udp", "icmp", "icmp-error", "application", "recognised", "tunnel"),
    *("fragments", "arp", "control", "discovery", "unknown", "mpls"),
)
"""What a frame can carry; ``layers`` of :func:`frames` chooses among them."""

_LINKS_OF: dict[str, Collection[int]] = {
    "arp": (1, 10, 104, 113, 276),
    "control": (1, 9, 50, 51),
    "discovery": (1, 113),
    "unknown": (1, 113, 276),
    "mpls": (1, 9, 50, 51, 113),
}
_OVER_PPP = frozenset(("mpls", "fragments", *UPPERS))
"""Layers that an Ethernet frame also carries in a PPPoE session; link control always is."""

Wrap = Callable[[Payload], tuple[int, Part]]
Group = tuple[Described, ...]
Choice = tuple[int, str, int]
"""Link type, layer, and version of IP, which some layers do not ask for."""


# Tags -----------------------------------------------------------------------------------------


def tag_stacks(
    max_tags: int = 4, kinds: Collection[int] = links.TAGS
) -> st.SearchStrategy[list[Tag]]:
    """Up to ``max_tags`` VLAN tags of some ``kinds``, from the wire inwards; shrinks to none.

    Raises InvalidArgument for more than 16 tags and for EtherTypes that are no tag's.
    """
    if not 0 <= max_tags <= 16:
        raise InvalidArgument(f"max_tags={max_tags} is out of range, expected 0 to 16")
    if not set(kinds) <= set(links.TAGS) or not kinds:
        raise InvalidArgument(f"kinds={kinds!r}: expected some of {links.TAGS}")
    some = sorted(kinds)
    one = st.integers(0, len(some) * 0x10000 - 1)
    return st.lists(one.map(lambda number: _tag(some, number)), max_size=max_tags)


def _tag(kinds: list[int], number: int) -> Tag:
    kind, control = kinds[number >> 16], number & 0xFFFF
    return Tag(kind, control & 0xFFF, control >> 13, bool(control >> 12 & 1))


_tag_count = st.sampled_from((0, 0, 0, 1, 1, 2, 2, 3))
_one_tag = st.integers(0, len(links.TAGS) * 0x10000 - 1)
_TAG_KINDS = sorted(links.TAGS)


# Links ----------------------------------------------------------------------------------------

_styles = st.sampled_from([*product((False, True), repeat=2)])
_families = st.sampled_from([*product((24, 28, 30), (False, True))])
_ethernet_styles = st.sampled_from([*product((False, True), (False, True), (False,) * 9 + (True,))])
_ppp_styles = st.sampled_from([*product((False, True), (False, True))])
_macs = st.integers(0, 0xFFFFFF)
_padding = st.binary(max_size=30)
_trailer = st.binary(max_size=9)


def _wrap(draw: st.DrawFn, linktype: int, kind: str) -> Wrap:
    """How payloads of a ``kind`` (of :data:`LAYERS`) are put into frames of a link type."""
    if linktype == 1:
        return _ethernet(draw, kind)
    if linktype in (9, 50):
        framed, short = draw(_styles)
        return lambda payload: (linktype, links.serial(_ppp(payload, short), framed=framed))
    if linktype == 51:
        number, (_, short) = word(draw), draw(_styles)
        return lambda payload: (linktype, _part(links.session(number, _ppp(payload, short))))
    if linktype in (0, 108):
        return _loopback(*draw(_families), linktype)
    return _plain(linktype)


def _plain(linktype: int) -> Wrap:
    """Links that leave nothing to choose."""
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


def _loopback(family: int, big: bool, linktype: int) -> Wrap:
    def wrap(payload: Payload) -> tuple[int, Part]:
        told = 2 if payload.kind == links.IPV4 else family
        return linktype, links.loopback(told, _part(payload), big=big, linktype=linktype)

    return wrap


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


def _ethernet(draw: st.DrawFn, kind: str) -> Wrap:
    hosts = draw(_macs)
    dst, src = (b"\x02\0\0\0" + struct.pack(">H", n) for n in (hosts >> 12, hosts & 0xFFF))
    tags = [_tag(_TAG_KINDS, draw(_one_tag)) for _ in range(draw(_tag_count))]
    session, pad, snap = draw(_ethernet_styles)
    if kind == "control" or (session and kind in _OVER_PPP):
        return _pppoe(draw, dst, src, tags, pad)
    trailer = draw(_trailer)

    def direct(payload: Payload) -> tuple[int, Part]:
        size = 0 if payload.part is None else len(payload.part.data)
        if snap and not tags and payload.part is not None and size < 1400:
            return 1, links.ethernet(dst, src, payload, snap=True)
        fits = payload.ends and (pad or 14 + 4 * len(tags) + size >= 60)
        return 1, links.ethernet(
            dst, src, payload, tags=tags, pad=pad, trailer=trailer if fits else b""
        )

    return direct


def _pppoe(draw: st.DrawFn, dst: bytes, src: bytes, tags: list[Tag], padded: bool) -> Wrap:
    number, (_, short) = word(draw), draw(_ppp_styles)
    padding = draw(_padding) if padded else b""

    def over_pppoe(payload: Payload) -> tuple[int, Part]:
        packet = links.session(number, _ppp(payload, short), padding=padding)
        return 1, links.ethernet(dst, src, packet, tags=tags)

    return over_pppoe


# Payloads -------------------------------------------------------------------------------------

_NOBODYS = 0x4001
"""A PPP protocol number whose packets are data, when there is any (Cray Communications)."""

_protocols = st.sampled_from((*[_NOBODYS] * 7, *links.CONTROL, links.PAP, links.CHAP))
_body = st.one_of(st.just(b""), st.binary(max_size=12))
_codes = st.integers(1, 12)
_rejected = st.sampled_from((links.IPV6CP, links.IPCP))


def control_packet(draw: st.DrawFn) -> tuple[int, Part | None]:
    """LCP with Protocol-Rejects, IPCP and their kin, PAP, CHAP, and a number that nobody claims."""
    protocol, body = draw(_protocols), draw(_body)
    if protocol == _NOBODYS:
        return protocol, parts.opaque(body)
    code = draw(_codes)
    if protocol not in links.CONTROL:
        return links.authentication(protocol, 1 + code % 4, body)
    if protocol == links.LCP and code == links.PROTOCOL_REJECT:
        return links.rejected(links.control(draw(_rejected), 1, body))
    if protocol == links.LCP and code in links.WITH_MAGIC:
        body = bytes(4) + body
    return links.control(protocol, code, body)


control_packets = st.composite(control_packet)

_MACS_OF_ARP = (b"\x02" + bytes(5), bytes(6))
_opcodes = st.sampled_from((1, 2))
_pppoe_tags = st.lists(
    st.tuples(st.sampled_from((0x0101, 0x0103, 0)), st.binary(max_size=8)), max_size=3
)
_pppoe_codes = st.sampled_from((0x09, 0x07, 0x19, 0x65, 0xA7))
_anything = st.binary(max_size=40)
_nobodys_ethertypes = st.sampled_from((0x88B5, 0x9200, 0x6000))
_labels = st.integers(16, 0xFFFFF)
_label_count = st.integers(1, 3)


def _arp(draw: st.DrawFn) -> Payload:
    between = two_ends(draw, 4)
    return links.arp(draw(_opcodes), between.src, between.dst, _MACS_OF_ARP)


def _control(draw: st.DrawFn) -> Payload:
    return Payload(*control_packet(draw))


def _discovery(draw: st.DrawFn) -> Payload:
    tags = [(kind, value if kind else b"") for kind, value in draw(_pppoe_tags)]
    return links.discovery(draw(_pppoe_codes), word(draw), tags)


def _unknown(draw: st.DrawFn) -> Payload:
    return Payload(draw(_nobodys_ethertypes), parts.opaque(draw(_anything)), ends=False)


_WITHOUT_IP: dict[str, Callable[[st.DrawFn], Payload]] = {
    "arp": _arp,
    "control": _control,
    "discovery": _discovery,
    "unknown": _unknown,
}


def _payloads(draw: st.DrawFn, layer: str, version: int) -> list[Payload]:
    """What the frames of one group carry."""
    if layer in _WITHOUT_IP:
        return [_WITHOUT_IP[layer](draw)]
    kind = links.IPV4 if version == 4 else links.IPV6
    if layer == "fragments":
        return [Payload(kind, part) for part in fragment_run(draw, version)]
    if layer == "mpls":
        labels = [draw(_labels) for _ in range(draw(_label_count))]
        return [links.mpls(labels, ip_packet(draw, version, "udp"))]
    return [Payload(kind, ip_packet(draw, version, layer))]


# Frames ---------------------------------------------------------------------------------------


@st.composite
def _groups(draw: st.DrawFn, choices: st.SearchStrategy[Choice], cut: bool) -> Group:
    linktype, layer, version = draw(choices)
    payloads = _payloads(draw, layer, version)
    wrap = _wrap(draw, linktype, layer)
    made = [wrap(payload) for payload in payloads]
    if cut and len(made) == 1:
        number, part = made[0]
        return (described(part, number, part_of(draw, 0, len(part.data))),)
    return tuple(described(part, number) for number, part in made)


def frames(
    *,
    linktypes: Collection[int] = LINKTYPES,
    layers: Collection[str] = LAYERS,
    cut: bool = True,
) -> st.SearchStrategy[Group]:
    """Groups of frames that belong together: one frame, or the fragments of one datagram.

    ``linktypes`` chooses among :data:`LINKTYPES`, ``layers`` among :data:`LAYERS`; combinations
    that do not exist (ARP in raw IP) are left out, and half of all is Ethernet, if any. ``cut``:
    single frames are cut by a snap length half of the time. Shrinks to whole frames of the first
    link type and layer, then to fewer octets. Raises InvalidArgument for an unknown name, and when
    no combination is left.
    """
    unknown = [str(name) for name in linktypes if name not in LINKTYPES]
    if unknown:
        raise InvalidArgument(f"linktypes {', '.join(unknown)}: expected some of {LINKTYPES}")
    unknown = [name for name in layers if name not in LAYERS]
    if unknown:
        raise InvalidArgument(f"layers {', '.join(unknown)}: expected some of {LAYERS}")
    choices = _choices(linktypes, layers)
    if not choices:
        raise InvalidArgument(
            f"no frame of link types {sorted(linktypes)} carries {', '.join(sorted(layers))}"
        )
    return _groups(st.sampled_from(choices), cut)


def _choices(linktypes: Collection[int], layers: Collection[str]) -> list[Choice]:
    """Every combination, those of Ethernet as often as all others."""
    found = [
        (linktype, layer, version)
        for linktype in LINKTYPES
        if linktype in linktypes
        for layer in LAYERS
        if layer in layers and linktype in _LINKS_OF.get(layer, LINKTYPES)
        for version in {228: (4, 4), 229: (6, 6)}.get(linktype, (4, 6))
    ]
    ethernet = [choice for choice in found if choice[0] == 1]
    others = found[len(ethernet) :]
    return ethernet * max(1, round(len(others) / max(1, len(ethernet)))) + others
