"""PPPoE, PPP and the protocols that set a session up.

Sources: RFC 2516 (PPPoE), RFC 1661 (PPP, LCP), RFC 1334 (PAP), RFC 1994 (CHAP), RFC 1332 (IPCP),
RFC 5072 (IPV6CP); Wireshark semantics 1.1, 1.3 and 6.2.
"""

from __future__ import annotations

from dpkt import ethernet as dpkt_ethernet

from decoders import headers
from decoders.layers.dispatch import (
    ETHERTYPES,
    LINK_TYPES,
    PPP_PROTOCOLS,
    Context,
    Layer,
    data,
    register,
)
from decoders.octets import Octets
from decoders.row import MALFORMED, WARNING

LCP, IPCP, IPV6CP = 0xC021, 0x8021, 0x8057
LCP_PROTOCOL_REJECT = 8

CREDIT_TAG = 0x0106
"""A session payload that begins so carries a credit tag of eight octets (semantics 6.2)."""

_NO_LENGTH_CHECK = frozenset((LCP, IPCP, IPV6CP))

SMALLEST_PAYLOAD = 46
"""Octets behind the EtherType of the smallest Ethernet frame."""


@register(ETHERTYPES, dpkt_ethernet.ETH_TYPE_PPPoE_DISC)
def discovery(context: Context, octets: Octets) -> None:
    """PPPoE discovery: header and tags."""
    row = context.row
    row.enter("pppoed", "PPPoED")
    _pppoe_header(context, octets, "pppoed")
    *_, length = headers.PPPOE.read(octets)
    rest = octets.after(headers.PPPOE.size)
    end = min(rest.limit, rest.start + length)
    at = rest.start
    while at + 4 <= end:
        tag, tag_length = rest.data[at : at + 2], int.from_bytes(rest.data[at + 2 : at + 4], "big")
        rest.require(at + 4 - rest.start)
        if tag == b"\0\0":
            return
        rest.require(at + 4 + tag_length - rest.start)
        at += 4 + tag_length


def _pppoe_header(context: Context, octets: Octets, protocol: str) -> None:
    row = context.row
    octets.require(headers.PPPOE.size)
    version_type, code, session, length = headers.PPPOE.read(octets)
    tags = length if protocol == "pppoed" else 0
    row.item(protocol, octets, headers.PPPOE.size + tags)
    if "pppoe" in row.wanted.layers:
        row.put("pppoe.version", version_type >> 4)
        row.put("pppoe.type", version_type & 15)
        row.put("pppoe.code", code)
        row.put("pppoe.session_id", session)
        row.put("pppoe.payload_length", length)


@register(ETHERTYPES, dpkt_ethernet.ETH_TYPE_PPPoE)
@register(LINK_TYPES, 51)
def session(context: Context, octets: Octets) -> None:
    """PPPoE session: the length field says where the PPP packet ends; padding is not data."""
    row = context.row
    row.enter("pppoes", "PPPoES")
    _pppoe_header(context, octets, "pppoes")
    *_, length = headers.PPPOE.read(octets)
    rest = octets.after(headers.PPPOE.size)
    rest.require(2)
    start = rest.start
    protocol = int.from_bytes(rest.data[start : start + 2], "big")
    if protocol == CREDIT_TAG:
        rest = rest.after(8)
        rest.require(2)
        protocol = int.from_bytes(rest.data[rest.start : rest.start + 2], "big")
    off_by = octets.claimed - headers.PPPOE.size - length
    if (
        octets.claimed > SMALLEST_PAYLOAD
        and off_by not in (0, 4)
        and protocol not in _NO_LENGTH_CHECK
    ):
        row.expert(WARNING, MALFORMED, "PPPoE payload length is not what is there")
    row.enter("ppp", "PPP")
    size = _protocol_size(rest)
    rest.trim(length)
    row.item("ppp", rest, size)
    ppp_payload(context, rest)


def _protocol_size(octets: Octets) -> int:
    """Octets of the PPP protocol field, of which the first is there."""
    return 1 if octets.data[octets.start] & 1 else 2


def ppp_payload(context: Context, octets: Octets) -> None:
    """The PPP protocol field, of one octet when it is odd (RFC 1661 section 2), and its packet."""
    row = context.row
    octets.require(1)
    size = _protocol_size(octets)
    octets.require(size)
    protocol = int.from_bytes(octets.data[octets.start : octets.start + size], "big")
    row.put("ppp.protocol", protocol)
    rest = octets.after(size)
    PPP_PROTOCOLS.get(protocol, data)(context, rest)


@register(LINK_TYPES, 9, 50)
def serial(context: Context, octets: Octets) -> None:
    """PPP with or without HDLC's address and control (RFC 1662); 0f and 8f begin Cisco HDLC."""
    row = context.row
    row.enter("ppp", "PPP")
    octets.require(1)
    if octets.data[octets.start] in (0x0F, 0x8F):
        LINK_TYPES[104](context, octets)
        return
    framed = octets.data[octets.start : octets.start + 2] == b"\xff\x03"
    row.item("ppp", octets, 4 if framed else _protocol_size(octets))
    octets.require(2)
    ppp_payload(context, octets.after(2) if framed else octets)


def _control_protocol(name: str, title: str) -> Layer:
    """LCP and its kin: code, identifier, length, options (RFC 1661 section 5)."""

    def layer(context: Context, octets: Octets) -> None:
        row = context.row
        row.enter(name, title)
        octets.require(4)
        start = octets.start
        code = octets.data[start]
        length = int.from_bytes(octets.data[start + 2 : start + 4], "big")
        row.item(name, octets, max(length, 4))
        row.put("ppp.code", code)
        _control_body(context, octets, code, length)

    return layer


MOST_REJECTS = 32
"""Protocol-Rejects inside one another that are followed."""

_LCP_OCTETS = {9: 8, 10: 8, 11: 8, 12: 8, 13: 12}
"""Octets that LCP codes with a magic number need, whatever their length says (RFC 1661 5.8)."""


def _control_body(context: Context, octets: Octets, code: int, length: int) -> None:
    row = context.row
    if code == LCP_PROTOCOL_REJECT and row.protocols[-1] == "lcp":
        octets.require(6)
        octets.trim(max(length, 6))
        protocol = int.from_bytes(octets.data[octets.start + 4 : octets.start + 6], "big")
        rejected = octets.after(6)
        context.depth += 1
        if context.depth > MOST_REJECTS:
            row.undecoded(f"more than {MOST_REJECTS} packets rejected inside one another")
        elif rejected.claimed:
            PPP_PROTOCOLS.get(protocol, data)(context, rejected)
    elif row.protocols[-1] == "lcp" and code in _LCP_OCTETS:
        octets.require(max(_LCP_OCTETS[code], length))
    elif length > 4:
        octets.require(length)


for _number, _name, _title in (
    (LCP, "lcp", "PPP LCP"),
    (IPCP, "ipcp", "PPP IPCP"),
    (IPV6CP, "ipv6cp", "PPP IPV6CP"),
    (0x80FD, "ccp", "PPP CCP"),
    (0x8281, "mplscp", "PPP MPLSCP"),
):
    register(PPP_PROTOCOLS, _number)(_control_protocol(_name, _title))


def _authentication(name: str, title: str) -> Layer:
    """PAP and CHAP: code, identifier, length."""

    def layer(context: Context, octets: Octets) -> None:
        row = context.row
        row.enter(name, title)
        octets.require(1)
        row.item(name, octets, int.from_bytes(octets.bytes()[2:4].ljust(2, b"\0"), "big"))
        row.put(f"{name}.code", octets.data[octets.start])
        octets.require(4)
        start = octets.start
        octets.require(int.from_bytes(octets.data[start + 2 : start + 4], "big"))

    return layer


register(PPP_PROTOCOLS, 0xC023)(_authentication("pap", "PPP PAP"))
register(PPP_PROTOCOLS, 0xC223)(_authentication("chap", "PPP CHAP"))


@register(PPP_PROTOCOLS, 0xC227)
def eap(context: Context, octets: Octets) -> None:
    """EAP: recognised."""
    context.row.enter("eap", "EAP")
    octets.require(4)
    context.row.put("eap", 1)


@register(PPP_PROTOCOLS, 0x003D)
def multilink(context: Context, octets: Octets) -> None:
    """PPP Multilink: recognised; its fragments are not put together."""
    row = context.row
    row.enter("mp", "PPP MP")
    octets.require(4)
    row.put("mp", 1)
    row.undecoded("PPP Multilink is not entered")
    octets.require(6)


@register(PPP_PROTOCOLS, 0x0021)
def ipv4(context: Context, octets: Octets) -> None:
    """IPv4 over PPP."""
    ETHERTYPES[0x0800](context, octets)


@register(PPP_PROTOCOLS, 0x0057)
def ipv6(context: Context, octets: Octets) -> None:
    """IPv6 over PPP."""
    ETHERTYPES[0x86DD](context, octets)


@register(PPP_PROTOCOLS, 0x0281)
def mpls(context: Context, octets: Octets) -> None:
    """MPLS over PPP (RFC 3032 section 4)."""
    ETHERTYPES[0x8847](context, octets)


__all__ = ["discovery", "ppp_payload", "serial", "session"]
