"""Tunnels that are entered: GRE (RFC 2784, 2890, 2637) and MPLS (RFC 3032).

IP in IP and 6in4 need no layer of their own. VXLAN, GTP and other tunnels over UDP are recognised
by their port in :mod:`decoders.layers.application` and not entered.
"""

from __future__ import annotations

from decoders.layers.dispatch import ETHERTYPES, IP_PROTOCOLS, Context, data, register
from decoders.octets import Octets

CHECKSUM, ROUTING, KEY, SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000
ACKNOWLEDGMENT = 0x0080
VERSION = 0x0007
PPP = 0x880B

_ENTERED = frozenset((0x0800, 0x86DD, 0x8847, 0x8848, 0x0806, 0x8100))

BOTTOM_OF_STACK = 0x100
EXPLICIT_NULL_V4, EXPLICIT_NULL_V6, ROUTER_ALERT = 0, 2, 1


@register(IP_PROTOCOLS, 47)
def gre(context: Context, octets: Octets) -> None:
    """GRE, version 0 and the enhanced version 1 of PPTP."""
    row = context.row
    row.enter("gre", "GRE")
    octets.require(4)
    flags = int.from_bytes(octets.data[octets.start : octets.start + 2], "big")
    kind = int.from_bytes(octets.data[octets.start + 2 : octets.start + 4], "big")
    row.put("gre", 1)
    size = 4
    size += 4 if flags & (CHECKSUM | ROUTING) else 0
    size += 4 if flags & KEY else 0
    size += 4 if flags & SEQUENCE else 0
    size += 4 if flags & ACKNOWLEDGMENT and flags & VERSION == 1 else 0
    if flags & ROUTING:
        row.undecoded("GRE with source routing is not entered")
        return
    rest = octets.after(size)
    if not rest.claimed:
        return
    if kind == PPP:
        _ppp(context, rest)
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
    while True:
        octets.require(4)
        entry = int.from_bytes(octets.data[octets.start : octets.start + 4], "big")
        row.put("mpls", 1)
        octets = octets.after(4)
        if entry & BOTTOM_OF_STACK:
            break
    label = entry >> 12
    if not octets.claimed:
        return
    octets.require(1)
    version = octets.data[octets.start] >> 4
    if label == EXPLICIT_NULL_V4 or version == 4:
        ETHERTYPES[0x0800](context, octets)
    elif label == EXPLICIT_NULL_V6 or version == 6:
        ETHERTYPES[0x86DD](context, octets)
    else:
        row.undecoded("the payload below MPLS labels is not entered")
        data(context, octets)
