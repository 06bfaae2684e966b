"""Link layers: Ethernet, 802.3, tags, Linux cooked capture, loopback, raw IP, Cisco HDLC.

Sources: IEEE 802.3, 802.1Q, 802.1ad; the tcpdump.org list of link types; Wireshark semantics 1.1,
6.1 and 9.3.
"""

from __future__ import annotations

from dpkt import ethernet as dpkt_ethernet

from decoders import headers
from decoders.layers.dispatch import ETHERTYPES, LINK_TYPES, Context, data, register
from decoders.octets import Octets, OutOfOctets, Short
from decoders.row import ERROR, MALFORMED, NOTE, PROTOCOL, UNDECODED, WARNING

SMALLEST_FRAME = 60
"""Octets of an Ethernet frame without FCS that needs no padding (IEEE 802.3)."""

LARGEST_LENGTH = 1500
"""A type field up to this is a length (IEEE 802.3); 0 is taken as a type."""

SMALLEST_TYPE = 1536

MOST_TAGS = 20
"""Nested tags that are followed."""

SERVICE_TAG = 0x88A8

SAP_SNAP, SAP_IP = 0xAA, 0x06

_ENTERED_BY_WIRESHARK = {
    0x8903: "Cisco FabricPath",
    0x8926: "VN-Tag",
    0x893F: "802.1BR E-Tag",
    0x88E7: "802.1ah backbone tag",
    0x6558: "bridged Ethernet",
    0x88E5: "MACsec",
    0x894F: "network service header",
    0xC0DE: "BATMAN",
    0x4305: "BATMAN",
    0x22F3: "TRILL",
    0xD28B: "Arista time stamps",
}
"""EtherTypes whose payload Wireshark enters and this decoder does not."""


@register(LINK_TYPES, 1)
def ethernet(context: Context, octets: Octets) -> None:
    """Ethernet II or 802.3. The field ``eth`` needs all 14 octets."""
    row = context.row
    row.enter("eth", "Ethernet")
    octets.require(headers.ETHERNET.size)
    row.item("eth", octets, headers.ETHERNET.size)
    dst, src, kind = headers.ETHERNET.read(octets)
    if "eth" in row.wanted.layers:
        row.put("eth.dst", dst)
        row.put("eth.src", src)
    if src[0] & 1:
        row.expert(WARNING, PROTOCOL, "source address is a group address")
    payload = octets.after(headers.ETHERNET.size)
    if 0 < kind <= LARGEST_LENGTH:
        _length_frame(context, octets, payload, kind)
    elif LARGEST_LENGTH < kind < SMALLEST_TYPE:
        row.expert(WARNING, PROTOCOL, "type/length field is neither a type nor a length")
        data(context, payload)
    else:
        row.put("eth.type", kind)
        frame = Trailer(octets, "eth.trailer", context.fcs_octets)
        ethertype(context, payload, kind, frame)


class Trailer:
    """Where the octets behind an Ethernet payload are looked for, and what they are called."""

    __slots__ = ("fcs_octets", "field", "frame")

    def __init__(self, frame: Octets, field: str | None, fcs_octets: int | None) -> None:
        self.frame = frame
        self.field = field
        self.fcs_octets = fcs_octets


def ethertype(context: Context, octets: Octets, kind: int, trailer: Trailer | None = None) -> None:
    """Hand octets to the layer of an EtherType, then look at what that layer left over."""
    row = context.row
    row.protocols.append("ethertype")
    before = octets.limit
    layer = ETHERTYPES.get(kind)
    if layer is None:
        if kind in _ENTERED_BY_WIRESHARK:
            row.undecoded(f"{_ENTERED_BY_WIRESHARK[kind]} is not entered")
        if not octets.claimed:
            # A dissector that finds nothing to do is taken off the list (semantics 1.1).
            row.protocols.pop()
        data(context, octets)
        return
    try:
        layer(context, octets)
    except OutOfOctets as error:
        row.ran_out(error)
    if trailer is not None and octets.limit < before:
        try:
            _left_over(context, octets, before, trailer)
        except OutOfOctets as error:
            row.current = "Ethernet"
            row.ran_out(error)


def _left_over(context: Context, payload: Octets, limit: int, trailer: Trailer) -> None:
    """Padding, frame check sequence and trailer behind a payload that ended early."""
    row, frame = context.row, trailer.frame
    at = payload.limit
    end = max(min(len(payload.data), frame.end), min(at, frame.end))
    if end <= at:
        return
    whole = row.own["frame.len"][0]
    short_of = SMALLEST_FRAME - (whole - (limit - at))
    if whole >= SMALLEST_FRAME and short_of > 0:
        padding = payload.data[at : min(at + short_of, end)]
        if not any(padding):
            if len(padding) < short_of:
                raise Short
            row.piece("eth.padding", padding)
            at += short_of
    reach = limit
    limit, end, fcs = _check_sequence(frame, trailer.fcs_octets, at, end, limit)
    if limit > at:
        if end > at and trailer.field:
            row.piece(trailer.field, payload.data[at:end])
        if whole >= SMALLEST_FRAME and short_of > 0 and payload.limit == at:
            row.expert(NOTE, PROTOCOL, "no padding of zeros, and a trailer that nobody claims")
    if fcs is not None:
        row.put("eth.fcs", fcs)
    if end < limit or (fcs is None and limit < reach):
        raise Short


def _check_sequence(
    frame: Octets, known: int | None, at: int, end: int, limit: int
) -> tuple[int, int, int | None]:
    """Take an FCS off a trailer: one that the file announces, or one that fits.

    Without word from the file, Wireshark takes the last four octets of a trailer for the FCS when
    the frame has at least 64 octets and the trailer at least 4 (semantics 6.1).
    """
    guessed = known is None and frame.claimed >= SMALLEST_FRAME + 4
    if not guessed or limit - at < 4:
        return limit, end, None
    limit -= 4
    if end < limit + 4:
        return limit, min(end, limit), None
    return limit, limit, int.from_bytes(frame.data[limit : limit + 4], "big")


def _length_frame(context: Context, octets: Octets, payload: Octets, length: int) -> None:
    """802.3: the type field is a length; LLC follows, or Novell's IPX."""
    row = context.row
    row.put("eth.len", length)
    before = payload.limit
    if length > payload.claimed:
        row.expert(ERROR, MALFORMED, "802.3 length goes beyond the frame")
    payload.trim(length)
    inner = Octets(payload.data, payload.start, payload.end, payload.limit)
    try:
        if payload.data[payload.start : payload.start + 2] == b"\xff\xff":
            row.enter("ipx", "IPX")
            inner.require(30)
        else:
            llc(context, inner)
    except OutOfOctets as error:
        row.ran_out(error)
    if payload.limit < before:
        trailer = Trailer(octets, "eth.trailer", context.fcs_octets)
        _left_over(context, payload, before, trailer)


def _llc_size(head: bytes) -> int:
    """Octets of an LLC header, with SNAP's: its three first octets tell."""
    if head[:2] == bytes((SAP_SNAP, SAP_SNAP)):
        return 8
    return 3 if head[2:3] and head[2] & 3 == 3 else 4


def llc(context: Context, octets: Octets) -> None:
    """802.2: recognised; SNAP with an EtherType is followed, as is IP by its own SAP."""
    row = context.row
    row.enter("llc", "LLC")
    octets.require(1)
    row.item("llc", octets, _llc_size(octets.bytes()[:3]))
    octets.require(2)
    dsap, ssap = octets.data[octets.start], octets.data[octets.start + 1]
    octets.require(3)
    information = octets.data[octets.start + 2] & 3
    if (dsap, ssap) == (SAP_SNAP, SAP_SNAP):
        octets.require(8)
        organisation = octets.data[octets.start + 3 : octets.start + 6]
        kind = int.from_bytes(octets.data[octets.start + 6 : octets.start + 8], "big")
        layer = ETHERTYPES.get(kind) if organisation in (b"\0\0\0", b"\0\0\xf8") else None
        (layer or data)(context, octets.after(8))
        return
    rest = octets.after(3 if information == 3 else 4)
    ip_layer = ETHERTYPES.get(0x0800)
    if dsap == SAP_IP and ip_layer is not None:
        ip_layer(context, rest)
    else:
        data(context, rest)


@register(ETHERTYPES, dpkt_ethernet.ETH_TYPE_8021Q, 0x9100)
def vlan(context: Context, octets: Octets) -> None:
    """802.1Q tag: ``vlan.id`` needs 2 octets, ``vlan.etype`` 4."""
    row = context.row
    row.enter("vlan", "VLAN")
    octets.require(2)
    control, kind = headers.VLAN_TAG.read(octets)
    row.item("vlan", octets, headers.VLAN_TAG.size)
    if "vlan" in row.wanted.layers:
        row.put("vlan.priority", control >> 13)
        row.put("vlan.dei", bool(control & 0x1000))
        row.put("vlan.id", control & 0xFFF)
    row.first_vlan = row.first_vlan or control & 0xFFF
    payload = octets.after(headers.VLAN_TAG.size)
    _behind_tag(context, octets, payload, kind, "vlan")


def _behind_tag(context: Context, octets: Octets, payload: Octets, kind: int, tag: str) -> None:
    """What follows a tag: an EtherType or, behind 802.1Q alone, an 802.3 length."""
    row = context.row
    context.depth += 1
    if tag == "vlan" and 0 < kind <= LARGEST_LENGTH:
        row.put("vlan.len", kind)
        before = payload.limit
        payload.trim(kind)
        try:
            llc(context, Octets(payload.data, payload.start, payload.end, payload.limit))
        except OutOfOctets as error:
            row.ran_out(error)
        if payload.limit < before:
            _left_over(context, payload, before, Trailer(octets, None, 0))
        return
    if tag == "vlan":
        row.put("vlan.etype", kind)
    if context.depth > MOST_TAGS:
        row.undecoded(f"more than {MOST_TAGS} nested tags")
        return
    ethertype(context, payload, kind, Trailer(octets, None, 0))


@register(ETHERTYPES, SERVICE_TAG)
def service_tag(context: Context, octets: Octets) -> None:
    """802.1ad tag; two in a row are one header with ``svid`` and ``cvid`` (semantics 4.3)."""
    row = context.row
    row.enter("ieee8021ad", "802.1AD")
    octets.require(4)
    control, kind = headers.VLAN_TAG.read(octets)
    row.put("ieee8021ad", 1)
    payload = octets.after(headers.VLAN_TAG.size)
    if kind != SERVICE_TAG:
        row.put("ieee8021ad.id", control & 0xFFF)
    else:
        row.put("ieee8021ad.svid", control & 0xFFF)
        payload.require(4)
        control, kind = headers.VLAN_TAG.read(payload)
        row.put("ieee8021ad.cvid", control & 0xFFF)
        payload = payload.after(headers.VLAN_TAG.size)
    _behind_tag(context, octets, payload, kind, "ieee8021ad")


@register(LINK_TYPES, 10)
def fddi(context: Context, octets: Octets) -> None:
    """FDDI: frame control, two addresses, LLC (ANSI X3.139)."""
    context.row.enter("fddi", "FDDI")
    octets.require(13)
    llc(context, octets.after(13))


@register(LINK_TYPES, 113)
def cooked(context: Context, octets: Octets) -> None:
    """Linux cooked capture, version 1."""
    context.row.enter("sll", "SLL")
    octets.require(4)
    context.row.item("sll", octets, headers.SLL.size)
    octets.require(headers.SLL.size)
    *_, hardware, _, _, protocol = (0, *headers.SLL.read(octets))
    _cooked_payload(context, octets.after(headers.SLL.size), hardware, protocol)


@register(LINK_TYPES, 276)
def cooked_2(context: Context, octets: Octets) -> None:
    """Linux cooked capture, version 2."""
    context.row.enter("sll", "SLL")
    octets.require(headers.SLL2.size)
    context.row.item("sll", octets, headers.SLL2.size)
    protocol, _, _, hardware, *_ = headers.SLL2.read(octets)
    _cooked_payload(context, octets.after(headers.SLL2.size), hardware, protocol)


HARDWARE_GRE = 778
"""ARPHRD_IPGRE: the protocol field is GRE's, and no ``ethertype`` layer stands between."""


def _cooked_payload(context: Context, octets: Octets, hardware: int, protocol: int) -> None:
    if protocol == 0x0004:
        llc(context, octets)
    elif protocol < SMALLEST_TYPE:
        data(context, octets)
    elif hardware == HARDWARE_GRE:
        ETHERTYPES.get(protocol, data)(context, octets)
    else:
        ethertype(context, octets, protocol)


_FAMILIES = {2: 0x0800, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}
"""BSD address families, and the EtherType that says the same."""


@register(LINK_TYPES, 0, 108)
def loopback(context: Context, octets: Octets) -> None:
    """BSD loopback: four octets of address family, in either byte order."""
    row = context.row
    row.enter("null", "Null/Loopback")
    octets.require(4)
    row.item("null", octets, 4)
    family = int.from_bytes(octets.data[octets.start : octets.start + 4], "little")
    if family & 0xFFFF0000:
        family = int.from_bytes(octets.data[octets.start : octets.start + 4], "big")
    rest = octets.after(4)
    if family in _FAMILIES:
        ETHERTYPES[_FAMILIES[family]](context, rest)
    elif SMALLEST_TYPE <= family in ETHERTYPES:
        ETHERTYPES[family](context, rest)
    else:
        data(context, rest)


@register(LINK_TYPES, 101, 12, 14)
def raw(context: Context, octets: Octets) -> None:
    """Packets without a link header: the version nibble says which IP it is."""
    row = context.row
    row.enter("raw", "Raw")
    row.put("raw", 1)
    octets.require(8)
    version = octets.data[octets.start] >> 4
    if version in (4, 6):
        ETHERTYPES[0x0800 if version == 4 else 0x86DD](context, octets)
    else:
        data(context, octets)


@register(LINK_TYPES, 228)
def raw_ipv4(context: Context, octets: Octets) -> None:
    """IPv4 without a link header."""
    ETHERTYPES[0x0800](context, octets)


@register(LINK_TYPES, 229)
def raw_ipv6(context: Context, octets: Octets) -> None:
    """IPv6 without a link header."""
    ETHERTYPES[0x86DD](context, octets)


_TAGS = frozenset((dpkt_ethernet.ETH_TYPE_8021Q, 0x9100, SERVICE_TAG))
"""EtherTypes that Cisco HDLC does not know."""


@register(LINK_TYPES, 104)
def cisco_hdlc(context: Context, octets: Octets) -> None:
    """Cisco HDLC: address, control, EtherType."""
    row = context.row
    row.enter("chdlc", "CHDLC")
    octets.require(4)
    row.put("chdlc", 1)
    kind = int.from_bytes(octets.data[octets.start + 2 : octets.start + 4], "big")
    rest = octets.after(4)
    if kind == 0x8035:
        row.protocols.append("slarp")
    elif kind in _TAGS:
        data(context, rest)
    else:
        ETHERTYPES.get(kind, data)(context, rest)


def user_type(context: Context, octets: Octets) -> None:
    """Link types 147 to 162 mean what their user wants."""
    context.row.enter("user_dlt", "DLT User")
    context.row.expert(WARNING, UNDECODED, "a link type of the user's own")
    data(context, octets)


for _number in range(147, 163):
    register(LINK_TYPES, _number)(user_type)


@register(ETHERTYPES, dpkt_ethernet.ETH_TYPE_ARP, 0x8035)
def arp(context: Context, octets: Octets) -> None:
    """ARP and RARP for any hardware, IPv4 addresses when the protocol is IPv4 (RFC 826)."""
    row = context.row
    row.enter("arp", "ARP/RARP")
    octets.require(8)
    _, protocol, hardware_octets, protocol_octets, opcode, *_ = headers.ARP.read(octets)
    total = 8 + 2 * hardware_octets + 2 * protocol_octets
    octets.trim(total)
    row.item("arp", octets, total)
    row.put("arp.opcode", opcode)
    octets.require(total)
    if protocol == 0x0800 and protocol_octets == 4:
        at = octets.start + 8 + hardware_octets
        sender = octets.data[at : at + 4]
        at += 4 + hardware_octets
        target = octets.data[at : at + 4]
        row.put("arp.src.proto_ipv4", int.from_bytes(sender, "big"))
        row.put("arp.dst.proto_ipv4", int.from_bytes(target, "big"))
