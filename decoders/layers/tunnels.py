"""Tunnels that are entered.

GRE (RFC 2784, 2890, 2637) with IP, PPP, MPLS, Ethernet and ERSPAN inside; MPLS (RFC 3032); VXLAN
(RFC 7348); GTP-U (3GPP TS 29.281); Teredo (RFC 4380). IP in IP and 6in4 need no layer of their own.
Other tunnels over UDP are recognised by their port in :mod:`decoders.layers.application` and not
entered.
"""

from __future__ import annotations

from decoders.layers.dispatch import (
    ETHERTYPES,
    IP_PROTOCOLS,
    LINK_TYPES,
    UDP_TUNNELS,
    Context,
    Layer,
    data,
    register,
)
from decoders.octets import Octets

CHECKSUM, ROUTING, KEY, SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000
ACKNOWLEDGMENT = 0x0080
VERSION = 0x0007
PPP = 0x880B
BRIDGED_ETHERNET, ERSPAN = 0x6558, 0x88BE
ETHERNET = 1

_ENTERED = frozenset((0x0800, 0x86DD, 0x8847, 0x8848, 0x0806, 0x8100))

BOTTOM_OF_STACK = 0x100
EXPLICIT_NULL_V4, EXPLICIT_NULL_V6 = 0, 2
_NO_PACKET_BELOW = frozenset((13, 14))
"""Generic associated channel (RFC 5586) and OAM alert (RFC 3429): their label decides."""


@register(IP_PROTOCOLS, 47)
def gre(context: Context, octets: Octets) -> None:
    """GRE, version 0 and the enhanced version 1 of PPTP."""
    row = context.row
    row.enter("gre", "GRE")
    octets.require(4)
    flags = int.from_bytes(octets.data[octets.start : octets.start + 2], "big")
    kind = int.from_bytes(octets.data[octets.start + 2 : octets.start + 4], "big")
    size = 4
    size += 4 if flags & (CHECKSUM | ROUTING) else 0
    size += 4 if flags & KEY else 0
    size += 4 if flags & SEQUENCE else 0
    size += 4 if flags & ACKNOWLEDGMENT and flags & VERSION == 1 else 0
    row.item("gre", octets, size)
    if flags & ROUTING:
        row.undecoded("GRE with source routing is not entered")
        return
    rest = octets.after(size)
    if not rest.claimed:
        return
    if kind == PPP:
        _ppp(context, rest)
    elif kind == BRIDGED_ETHERNET:
        LINK_TYPES[ETHERNET](context, rest)
    elif kind == ERSPAN:
        row.enter("erspan", "ERSPAN")
        LINK_TYPES[ETHERNET](context, rest.after(8 if flags & SEQUENCE else 0))
    elif kind in _ENTERED:
        ETHERTYPES[kind](context, rest)
    else:
        row.undecoded(f"GRE payload {kind:#06x} is not entered")
        data(context, rest)


def _ppp(context: Context, octets: Octets) -> None:
    from decoders.layers.ppp import serial

    serial(context, octets)


@register(ETHERTYPES, 0x8847, 0x8848)
def mpls(context: Context, octets: Octets) -> None:
    """A stack of labels; what is below is guessed from its first nibble, as Wireshark does."""
    row = context.row
    row.enter("mpls", "MPLS")
    outer = octets
    while True:
        octets.require(4)
        entry = int.from_bytes(octets.data[octets.start : octets.start + 4], "big")
        row.item("mpls", octets, 4)
        octets = octets.after(4)
        if entry & BOTTOM_OF_STACK:
            break
    label = entry >> 12
    octets.require(1)
    version = octets.data[octets.start] >> 4
    try:
        if label in _NO_PACKET_BELOW:
            row.undecoded(f"MPLS label {label} carries no packet that is entered")
            data(context, octets)
        elif label == EXPLICIT_NULL_V4 or version == 4:
            ETHERTYPES[0x0800](context, octets)
        elif label == EXPLICIT_NULL_V6 or version == 6:
            ETHERTYPES[0x86DD](context, octets)
        else:
            row.undecoded("the payload below MPLS labels is not entered")
            data(context, octets)
    finally:
        # What the packet leaves over is the frame's padding and trailer.
        outer.limit, outer.end = octets.limit, octets.end


_NOT_ENTERED = {97: "EtherIP", 98: "an encapsulation header", 115: "L2TP", 137: "MPLS in IP"}
"""IP protocols that carry packets which Wireshark enters and this decoder does not."""


def _carrier(name: str) -> Layer:
    def layer(context: Context, octets: Octets) -> None:
        context.row.undecoded(f"{name} is not entered")
        data(context, octets)

    return layer


for _number, _name in _NOT_ENTERED.items():
    register(IP_PROTOCOLS, _number)(_carrier(_name))

PIM_REGISTER = 0x21


@register(IP_PROTOCOLS, 103)
def pim(context: Context, octets: Octets) -> None:
    """PIM: recognised; what a Register carries (RFC 7761 section 4.9.3) is not entered."""
    context.row.enter("pim", "PIM")
    octets.require(1)
    if octets.data[octets.start] == PIM_REGISTER:
        context.row.undecoded("PIM Register is not entered")


@register(UDP_TUNNELS, 4789)
def vxlan(context: Context, octets: Octets) -> None:
    """VXLAN: eight octets, then Ethernet."""
    context.row.enter("vxlan", "VxLAN")
    octets.require(8)
    LINK_TYPES[ETHERNET](context, octets.after(8))


G_PDU = 0xFF
GTP_VERSION_1, GTP_OPTIONAL, GTP_EXTENSION = 0x30, 0x07, 0x04


@register(UDP_TUNNELS, 2152)
def gtp(context: Context, octets: Octets) -> None:
    """GTP-U: a G-PDU carries an IP packet; other messages carry none."""
    row = context.row
    row.enter("gtp", "GTP")
    octets.require(8)
    flags, kind = octets.data[octets.start], octets.data[octets.start + 1]
    if flags & GTP_VERSION_1 != GTP_VERSION_1 or kind != G_PDU:
        return
    rest = octets.after(8)
    if flags & GTP_OPTIONAL:
        rest.require(4)
        following = rest.data[rest.start + 3] if flags & GTP_EXTENSION else 0
        rest = rest.after(4)
        while following:
            rest.require(1)
            units = rest.data[rest.start] or 1
            rest.require(units * 4)
            following = rest.data[rest.start + units * 4 - 1]
            rest = rest.after(units * 4)
    if rest.claimed:
        rest.require(1)
        version = rest.data[rest.start] >> 4
        kinds = {4: 0x0800, 6: 0x86DD}
        (ETHERTYPES[kinds[version]] if version in kinds else data)(context, rest)


@register(UDP_TUNNELS, 3544)
def teredo(context: Context, octets: Octets) -> None:
    """Teredo: authentication and origin indications (RFC 4380 section 5.1.1), then IPv6."""
    context.row.enter("teredo", "TEREDO")
    octets.require(2)
    if octets.data[octets.start : octets.start + 2] == b"\0\1":
        octets.require(4)
        client, value = octets.data[octets.start + 2], octets.data[octets.start + 3]
        octets = octets.after(4 + client + value + 9)
        octets.require(2)
    if octets.data[octets.start : octets.start + 2] == b"\0\0":
        octets = octets.after(8)
    if octets.claimed:
        ETHERTYPES[0x86DD](context, octets)
