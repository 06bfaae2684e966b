"""Kernels of PPPoE (RFC 2516) and of the packets inside PPP (RFC 1661, 1334, 1994)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.classes import KIND_CONTROL
from decoders.columnar.jit import inlined, part
from decoders.columnar.kernels.facts import decide
from decoders.columnar.kernels.sink import (
    DELEGATE,
    MALFORMED_GROUP,
    OK,
    WARNING,
    Sink,
    data,
    enter,
    expert,
    go_on,
    item,
    lacks,
    put,
    u8,
    u16,
    u16_or_0,
    undecoded,
)
from decoders.columnar.numbers import field, protocol, text

IPV4, IPV6 = 0x0800, 0x86DD
PPP_IPV4, PPP_IPV6, PPP_MPLS, PPP_MULTILINK = 0x0021, 0x0057, 0x0281, 0x003D
LCP, IPCP, IPV6CP, CCP, MPLSCP = 0xC021, 0x8021, 0x8057, 0x80FD, 0x8281
PAP, CHAP, EAP = 0xC023, 0xC223, 0xC227
CREDIT_TAG = 0x0106
FIRST_CONTROL = 0x8000
SMALLEST_PAYLOAD = 46
PROTOCOL_REJECT, ECHO_REQUEST, TIME_REMAINING = 8, 9, 13

_PPPOED, _PPPOES, _PPP = protocol("pppoed"), protocol("pppoes"), protocol("ppp")
_LCP, _IPCP, _IPV6CP = protocol("lcp"), protocol("ipcp"), protocol("ipv6cp")
_CCP, _MPLSCP = protocol("ccp"), protocol("mplscp")
_PAP, _CHAP, _EAP = protocol("pap"), protocol("chap"), protocol("eap")
_MP, _DATA = protocol("mp"), protocol("data")

_F_PPPOED, _F_PPPOES, _F_PPP = field("pppoed"), field("pppoes"), field("ppp")
_F_VERSION, _F_TYPE, _F_CODE = field("pppoe.version"), field("pppoe.type"), field("pppoe.code")
_F_SESSION, _F_LENGTH = field("pppoe.session_id"), field("pppoe.payload_length")
_F_PROTOCOL, _F_PPP_CODE = field("ppp.protocol"), field("ppp.code")
_F_LCP, _F_IPCP, _F_IPV6CP = field("lcp"), field("ipcp"), field("ipv6cp")
_F_CCP, _F_MPLSCP = field("ccp"), field("mplscp")
_F_PAP, _F_PAP_CODE = field("pap"), field("pap.code")
_F_CHAP, _F_CHAP_CODE = field("chap"), field("chap.code")
_F_EAP, _F_MP = field("eap"), field("mp")

_LENGTH_LIES = text("PPPoE payload length is not what is there")
_MULTILINK = text("PPP Multilink is not entered")


@inlined
def _header(
    sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int, present: int
) -> int:
    status = lacks(start, end, limit, 6)
    if status:
        return status
    tags = u16(octets, start + 4) if present == _F_PPPOED else 0
    item(sink, present, start, end, 6 + tags)
    put(sink, _F_VERSION, u8(octets, start) >> 4)
    put(sink, _F_TYPE, u8(octets, start) & 15)
    put(sink, _F_CODE, u8(octets, start + 1))
    put(sink, _F_SESSION, u16(octets, start + 2))
    put(sink, _F_LENGTH, u16(octets, start + 4))
    return OK


@part
def discovery(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """PPPoE discovery: header and tags."""
    enter(sink, _PPPOED)
    decide(sink, KIND_CONTROL)
    status = _header(sink, octets, start, end, limit, _F_PPPOED)
    if status:
        return status
    at = start + 6
    stop = min(limit, at + u16(octets, start + 4))
    while at + 4 <= stop:
        status = lacks(at, end, limit, 4)
        if status:
            return status
        if u16(octets, at) == 0:
            return OK
        size = 4 + u16(octets, at + 2)
        status = lacks(at, end, limit, size)
        if status:
            return status
        at += size
    return OK


@inlined
def session(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """PPPoE session: its length field says where the PPP packet ends."""
    enter(sink, _PPPOES)
    status = _header(sink, octets, start, end, limit, _F_PPPOES)
    if status:
        return status
    length = u16(octets, start + 4)
    at = start + 6
    status = lacks(at, end, limit, 2)
    if status:
        return status
    proto = u16(octets, at)
    if proto == CREDIT_TAG:
        status = lacks(at, end, limit, 8) or lacks(at + 8, end, limit, 2)
        if status:
            return status
        at += 8
        proto = u16(octets, at)
    claimed = limit - start
    off_by = claimed - 6 - length
    checked = proto not in (LCP, IPCP, IPV6CP)
    if claimed > SMALLEST_PAYLOAD and off_by not in (0, 4) and checked:
        expert(sink, WARNING, MALFORMED_GROUP, _LENGTH_LIES)
    enter(sink, _PPP)
    limit = min(limit, at + length)
    end = min(end, limit)
    item(sink, _F_PPP, at, end, 1 if u8(octets, at) & 1 else 2)
    return control_packet(sink, octets, at, end, limit)


@inlined
def control_packet(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """The PPP protocol field and its packet; IP is left to come next."""
    status = lacks(start, end, limit, 1)
    if status:
        return status
    size = 1 if u8(octets, start) & 1 else 2
    status = lacks(start, end, limit, size)
    if status:
        return status
    proto = u8(octets, start) if size == 1 else u16(octets, start)
    put(sink, _F_PROTOCOL, proto)
    if proto >= FIRST_CONTROL:
        decide(sink, KIND_CONTROL)
    start += size
    if proto == PPP_IPV4:
        go_on(sink, IPV4, start, end, limit)
        return OK
    if proto == PPP_IPV6:
        go_on(sink, IPV6, start, end, limit)
        return OK
    if proto == PPP_MPLS:
        return DELEGATE
    return _other_packet(sink, octets, proto, start, end, limit)


@part
def _other_packet(
    sink: Sink, octets: NDArray[np.uint8], proto: int, start: int, end: int, limit: int
) -> int:
    if proto == LCP:
        return _control(sink, octets, start, end, limit, _LCP, _F_LCP)
    if proto == IPCP:
        return _control(sink, octets, start, end, limit, _IPCP, _F_IPCP)
    if proto == IPV6CP:
        return _control(sink, octets, start, end, limit, _IPV6CP, _F_IPV6CP)
    if proto == CCP:
        return _control(sink, octets, start, end, limit, _CCP, _F_CCP)
    if proto == MPLSCP:
        return _control(sink, octets, start, end, limit, _MPLSCP, _F_MPLSCP)
    if proto == PAP:
        return _authentication(sink, octets, start, end, limit, _PAP, _F_PAP, _F_PAP_CODE)
    if proto == CHAP:
        return _authentication(sink, octets, start, end, limit, _CHAP, _F_CHAP, _F_CHAP_CODE)
    if proto == EAP:
        enter(sink, _EAP)
        status = lacks(start, end, limit, 4)
        if status == OK:
            put(sink, _F_EAP, 1)
        return status
    if proto == PPP_MULTILINK:
        enter(sink, _MP)
        status = lacks(start, end, limit, 4)
        if status == OK:
            put(sink, _F_MP, 1)
            undecoded(sink, _MULTILINK)
            status = lacks(start, end, limit, 6)
        return status
    data(sink, start, end, limit, _DATA)
    return OK


@part
def _control(
    sink: Sink,
    octets: NDArray[np.uint8],
    start: int,
    end: int,
    limit: int,
    name: int,
    present: int,
) -> int:
    """LCP and its kin; a Protocol-Reject that carries a packet is left to another decoder."""
    enter(sink, name)
    status = lacks(start, end, limit, 4)
    if status:
        return status
    code, length = u8(octets, start), u16(octets, start + 2)
    item(sink, present, start, end, max(length, 4))
    put(sink, _F_PPP_CODE, code)
    if name == _LCP and code == PROTOCOL_REJECT:
        status = lacks(start, end, limit, 6)
        if status:
            return status
        claimed = min(limit, start + max(length, 6)) - (start + 6)
        return DELEGATE if claimed > 0 else OK
    if name == _LCP and ECHO_REQUEST <= code <= TIME_REMAINING:
        return lacks(start, end, limit, max(12 if code == TIME_REMAINING else 8, length))
    return lacks(start, end, limit, length) if length > 4 else OK


@part
def _authentication(
    sink: Sink,
    octets: NDArray[np.uint8],
    start: int,
    end: int,
    limit: int,
    name: int,
    present: int,
    code: int,
) -> int:
    """PAP and CHAP."""
    enter(sink, name)
    status = lacks(start, end, limit, 1)
    if status:
        return status
    item(sink, present, start, end, u16_or_0(octets, start + 2, end))
    put(sink, code, u8(octets, start))
    status = lacks(start, end, limit, 4)
    if status:
        return status
    return lacks(start, end, limit, u16(octets, start + 2))


@part
def serial(sink: Sink, octets: NDArray[np.uint8], start: int, end: int, limit: int) -> int:
    """PPP behind its name, with or without HDLC's address and control."""
    framed = end - start >= 2 and u8(octets, start) == 0xFF and u8(octets, start + 1) == 0x03
    size = 1 if u8(octets, start) & 1 else 2
    item(sink, _F_PPP, start, end, 4 if framed else size)
    status = lacks(start, end, limit, 2)
    if status:
        return status
    if framed:
        start += 2
    return control_packet(sink, octets, start, end, limit)
