"""Link parts: Ethernet and its tags, PPPoE, PPP and link control, every other supported link type.

Sources: IEEE 802.3, 802.1Q, 802.1ad; RFC 2516, 1661, 1332, 1334, 1994, 5072; the list of link
types of tcpdump.org; Wireshark semantics 1.3, 4.3, 6.2 and 9.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from generators.parts import opaque
from generators.truth import SMALLEST_FRAME, Enter, Event, Need, Part, Put, Tail

IPV4, ARP, VLAN, IPV6, OLD_TAG, SERVICE = 0x0800, 0x0806, 0x8100, 0x86DD, 0x9100, 0x88A8
DISCOVERY, SESSION, MPLS = 0x8863, 0x8864, 0x8847
TAGS = (VLAN, OLD_TAG, SERVICE)
LCP, IPCP, IPV6CP, CCP, MPLSCP, PAP, CHAP = (
    0xC021, 0x8021, 0x8057, 0x80FD, 0x8281, 0xC023, 0xC223,
)  # fmt: skip
PROTOCOL_REJECT = 8
PPP_IPV4, PPP_IPV6, PPP_MPLS = 0x0021, 0x0057, 0x0281
CONTROL = {LCP: "lcp", IPCP: "ipcp", IPV6CP: "ipv6cp", CCP: "ccp", MPLSCP: "mplscp"}
WITH_MAGIC = range(9, 13)
"""LCP codes that carry a magic number (RFC 1661 section 5.8)."""


class Payload(NamedTuple):
    """What a link carries: an EtherType and the part; and whether it knows where it ends."""

    kind: int
    part: Part | None
    ends: bool = True
    """Its own length says where it ends, so that what is behind is padding or a trailer."""


class Tag(NamedTuple):
    """One VLAN tag: its EtherType (0x8100, 0x9100 or 0x88a8), identifier, priority, DEI."""

    kind: int
    vlan_id: int
    priority: int = 0
    dei: bool = False

    @property
    def word(self) -> bytes:
        return struct.pack(">H", self.priority << 13 | self.dei << 12 | self.vlan_id)


def _data(part: Part | None) -> bytes:
    return b"" if part is None else part.data


def ethernet(
    dst: bytes,
    src: bytes,
    payload: Payload,
    *,
    tags: Sequence[Tag] = (),
    pad: bool = False,
    trailer: bytes = b"",
    snap: bool = False,
) -> Part:
    """An Ethernet frame, with a stack of tags from the wire inwards.

    ``pad`` fills it up to 60 octets with zeros, ``trailer`` stands behind that. ``snap``: an 802.3
    length and an LLC/SNAP header in place of the EtherType.
    Raises ValueError for a trailer of a frame that nothing pads and that is shorter than 60 octets,
    or behind a payload that does not know its end.
    """
    if trailer and not payload.ends:
        raise ValueError("a trailer needs a payload that says where it ends")
    if snap and (trailer or tags):
        raise ValueError("an LLC/SNAP frame is made without tags and trailer")
    size = 14 + 4 * len(tags) + len(_data(payload.part))
    padding = max(0, SMALLEST_FRAME - size) if pad else 0
    if trailer and size + padding < SMALLEST_FRAME:
        raise ValueError("a trailer needs a frame of at least 60 octets: pad it")
    behind = bytes(padding) + trailer
    if payload.part is None and behind:
        # Nobody says that there is nothing: the padding is data.
        payload, behind = payload._replace(part=opaque(behind)), b""
    if snap:
        return _snap(dst, src, payload)
    kind, inner, tail_at = payload.kind, payload.part, payload.ends and len(behind)
    for at, tag in _grouped(tags):
        inner = _tag(tag, kind, inner, padding, behind if tail_at else b"", at)
        kind, tail_at = tag[0].kind, 0
    carried = _data(inner)
    if not tags or not payload.ends:
        carried += behind
    fields = (
        Put(14, "eth", 1), Put(14, "eth.dst", dst), Put(14, "eth.src", src),
        Put(14, "eth.type", kind),
    )  # fmt: skip
    called = () if inner is None and not behind else (Enter("ethertype"),)
    tail = Tail(14 + len(_data(payload.part)), padding, False) if tail_at and not tags else None
    head = dst + src + struct.pack(">H", kind)
    return Part(head + carried, (Enter("eth"), Need(14), *fields, *called), inner, 14,
                contains=True, tail=tail)  # fmt: skip


def _grouped(tags: Sequence[Tag]) -> list[tuple[int, tuple[Tag, ...]]]:
    """Headers from the inside out: two service tags in a row, from the wire, are one."""
    groups: list[tuple[Tag, ...]] = []
    at = 0
    while at < len(tags):
        both = tags[at].kind == SERVICE and at + 1 < len(tags) and tags[at + 1].kind == SERVICE
        groups.append(tuple(tags[at : at + 1 + both]))
        at += 1 + both
    return list(enumerate(reversed(groups)))


def _tag(
    group: tuple[Tag, ...], kind: int, inner: Part | None, padding: int, behind: bytes, nth: int
) -> Part:
    tag = group[0]
    following = struct.pack(">H", kind)
    called = () if inner is None and not behind else (Enter("ethertype"),)
    if tag.kind != SERVICE:
        events: tuple[Event, ...] = (
            *(Enter("vlan"), Need(2), Put(2, "vlan", 1), Put(2, "vlan.priority", tag.priority)),
            *(Put(2, "vlan.dei", tag.dei), Put(2, "vlan.id", tag.vlan_id), Need(4)),
            *(Put(4, "vlan.etype", kind), *called),
        )
        head = tag.word + following
    elif len(group) == 1:
        events = (Enter("ieee8021ad"), Need(4), Put(4, "ieee8021ad", 1),
                  Put(4, "ieee8021ad.id", tag.vlan_id), *called)  # fmt: skip
        head = tag.word + following
    else:
        events = (
            *(Enter("ieee8021ad"), Need(4), Put(4, "ieee8021ad", 1)),
            *(Put(4, "ieee8021ad.svid", tag.vlan_id), Need(8)),
            *(Put(8, "ieee8021ad.cvid", group[1].vlan_id), *called),
        )
        head = tag.word + struct.pack(">H", SERVICE) + group[1].word + following
    tail = Tail(len(head) + len(_data(inner)), padding, True) if behind and nth == 0 else None
    carried = _data(inner) + (behind if nth == 0 else b"")
    return Part(head + carried, events, inner, len(head), contains=True, tail=tail)


def _snap(dst: bytes, src: bytes, payload: Payload) -> Part:
    carried = _data(payload.part)
    length = 8 + len(carried)
    if length > 1500:
        raise ValueError(f"an 802.3 frame carries at most 1500 octets, found {length}")
    logical = llc(payload)
    events: tuple[Event, ...] = (
        *(Enter("eth"), Need(14), Put(14, "eth", 1), Put(14, "eth.dst", dst)),
        *(Put(14, "eth.src", src), Put(14, "eth.len", length)),
    )
    head = dst + src + struct.pack(">H", length)
    return Part(head + logical.data, events, logical, 14, contains=True, inner_claims=length)


def llc(payload: Payload) -> Part:
    """LLC with a SNAP header of the organisation 00:00:00 (RFC 1042)."""
    head = b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", payload.kind)
    events = (Enter("llc"), Need(1), Put(1, "llc", 1), Need(2), Need(3), Need(8))
    return Part(head + _data(payload.part), events, payload.part, 8)


def cooked(payload: Payload, *, version: int = 1) -> tuple[int, Part]:
    """Linux cooked capture 1 or 2; the link type and the part."""
    if version == 1:
        head = struct.pack(">HHH8sH", 0, 1, 6, b"\x02\0\0\0\0\x01\0\0", payload.kind)
    else:
        head = struct.pack(">HHIHBB8s", payload.kind, 0, 1, 1, 0, 6, b"\x02\0\0\0\0\x01\0\0")
    called = () if payload.part is None else (Enter("ethertype"),)
    seen = 4 if version == 1 else len(head)
    events = (Enter("sll"), Need(seen), Put(seen, "sll", 1), Need(len(head)), *called)
    part = Part(
        head + _data(payload.part), events, payload.part, len(head), contains=True
    )  # fmt: skip
    return 113 if version == 1 else 276, part


def loopback(family: int, part: Part, *, big: bool = False, linktype: int = 0) -> Part:
    """BSD loopback: families 2 (IPv4), 24, 28 and 30 (IPv6); link type 108 is big-endian."""
    head = struct.pack(">I" if big or linktype == 108 else "<I", family)
    return Part(head + part.data, (Enter("null"), Need(4), Put(4, "null", 1)), part, 4)


def raw(part: Part) -> Part:
    """Packets without a link header, of either version."""
    return Part(part.data, (Enter("raw"), Put(0, "raw", 1), Need(8)), part, 0)


def cisco(payload: Payload) -> Part:
    """Cisco HDLC: address, control, EtherType."""
    head = struct.pack(">BBH", 0x0F, 0, payload.kind)
    events = (Enter("chdlc"), Need(4), Put(4, "chdlc", 1))
    return Part(head + _data(payload.part), events, payload.part, 4)


def fddi(payload: Payload) -> Part:
    """FDDI: frame control, two addresses, LLC with SNAP."""
    inner = llc(payload)
    head = b"\x50" + b"\x02\0\0\0\0\x0b" + b"\x02\0\0\0\0\x0a"
    return Part(head + inner.data, (Enter("fddi"), Need(13)), inner, 13)


def arp(opcode: int, sender: bytes, target: bytes, macs: tuple[bytes, bytes]) -> Payload:
    """ARP for IPv4 over Ethernet (RFC 826): 28 octets."""
    data = struct.pack(">HHBBH", 1, 0x0800, 6, 4, opcode) + macs[0] + sender + macs[1] + target
    events: tuple[Event, ...] = (
        *(Enter("arp"), Need(8), Put(8, "arp", 1), Put(8, "arp.opcode", opcode), Need(28)),
        Put(28, "arp.src.proto_ipv4", int.from_bytes(sender, "big")),
        Put(28, "arp.dst.proto_ipv4", int.from_bytes(target, "big")),
    )
    return Payload(ARP, Part(data, events, claims=28))


def mpls(labels: Sequence[int], part: Part) -> Payload:
    """A stack of labels with an IP packet below (RFC 3032)."""
    if not labels:
        raise ValueError("an MPLS stack needs at least one label")
    head = b""
    steps: list[Event] = [Enter("mpls")]
    for nth, label in enumerate(labels, start=1):
        head += struct.pack(">I", label << 12 | (nth == len(labels)) << 8 | 64)
        steps += [Need(4 * nth), Put(4 * nth, "mpls", 1)]
    steps.append(Need(len(head) + 1))
    return Payload(MPLS, Part(head + part.data, tuple(steps), part, len(head)))


# PPP ------------------------------------------------------------------------------------------


def ppp(protocol: int, part: Part | None, *, short: bool = False) -> Part:
    """The PPP protocol field, of one octet with ``short`` (RFC 1661 section 2), and its packet.

    Raises ValueError when a number cannot be said in one octet.
    """
    if short and (protocol > 0xFF or not protocol & 1):
        raise ValueError(f"PPP protocol {protocol:#06x} does not fit into one octet")
    head = bytes((protocol,)) if short else struct.pack(">H", protocol)
    events = (Need(1), Need(len(head)), Put(len(head), "ppp.protocol", protocol))
    return Part(head + _data(part), events, part, len(head))


def serial(inner: Part, *, framed: bool) -> Part:
    """PPP on a serial line, with or without HDLC's address and control (RFC 1662)."""
    head = b"\xff\x03" if framed else b""
    events = (Enter("ppp"), Need(1), Put(1, "ppp", 1), Need(2))
    return Part(head + inner.data, events, inner, len(head))


def control(protocol: int, code: int, body: bytes, *, ident: int = 1) -> tuple[int, Part]:
    """LCP and its kin: code, identifier, length and options (RFC 1661 section 5)."""
    if protocol not in CONTROL:
        raise ValueError(f"{protocol:#06x} is no control protocol")
    if protocol == LCP and code in WITH_MAGIC and len(body) < 4:
        raise ValueError(f"LCP code {code} carries a magic number of 4 octets")
    if protocol == LCP and code == PROTOCOL_REJECT:
        raise ValueError("a Protocol-Reject is made with rejected()")
    length = 4 + len(body)
    events = (
        *(Enter(CONTROL[protocol]), Need(4), Put(4, CONTROL[protocol], 1)),
        *(Put(4, "ppp.code", code), Need(length)),
    )
    return protocol, Part(struct.pack(">BBH", code, ident, length) + body, events)


def rejected(packet: tuple[int, Part]) -> tuple[int, Part]:
    """An LCP Protocol-Reject with the control packet that it rejects (RFC 1661 section 5.7)."""
    protocol, part = packet
    length = 6 + len(part.data)
    head = struct.pack(">BBHH", PROTOCOL_REJECT, 1, length, protocol)
    events = (
        *(Enter("lcp"), Need(4), Put(4, "lcp", 1)),
        *(Put(4, "ppp.code", PROTOCOL_REJECT), Need(6)),
    )
    return LCP, Part(head + part.data, events, part, 6, claims=length)


def authentication(protocol: int, code: int, body: bytes) -> tuple[int, Part]:
    """PAP (RFC 1334) and CHAP (RFC 1994)."""
    name = {PAP: "pap", CHAP: "chap"}[protocol]
    length = 4 + len(body)
    events = (
        *(Enter(name), Need(1), Put(1, name, 1), Put(1, f"{name}.code", code)),
        *(Need(4), Need(length)),
    )
    return protocol, Part(struct.pack(">BBH", code, 1, length) + body, events)


def session(
    number: int, inner: Part, *, padding: bytes = b"", credit: bool = False
) -> Payload:  # fmt: skip
    """A PPPoE session packet (RFC 2516 section 6) with octets behind what its length covers.

    A frame of more than 46 octets whose length is off by something else than a check sequence's 4
    is called malformed, unless it sets the link up (Wireshark semantics 1.3).
    """
    body = (b"\x01\x06\0\x04\0\0\0\0" if credit else b"") + inner.data
    head = struct.pack(">BBHH", 0x11, 0, number, len(body))
    put = _pppoe_fields("pppoes", 0, number, len(body))
    events: list[Event] = [Enter("pppoes"), Need(6), *put, Need(8)]
    if credit:
        events.append(Need(16))
    claimed = 6 + len(body) + len(padding)
    protocol = int.from_bytes(inner.data[:2], "big")
    if claimed > 46 and len(padding) not in (0, 4) and protocol not in (LCP, IPCP, IPV6CP):
        events.append(Put(8, "_ws.malformed", "_ws.malformed"))
    events += [Enter("ppp"), Put(8, "ppp", 1)]
    at = 6 + len(body) - len(inner.data)
    part = Part(head + body + padding, tuple(events), inner, at, inner_claims=len(inner.data))
    return Payload(SESSION, part, ends=False)


def _pppoe_fields(name: str, code: int, number: int, length: int) -> list[Event]:
    return [
        *(Put(6, name, 1), Put(6, "pppoe.version", 1), Put(6, "pppoe.type", 1)),
        *(Put(6, "pppoe.code", code), Put(6, "pppoe.session_id", number)),
        Put(6, "pppoe.payload_length", length),
    ]


def discovery(code: int, number: int, tags: Sequence[tuple[int, bytes]]) -> Payload:
    """A PPPoE discovery packet (RFC 2516 section 5)."""
    body = b""
    needed: list[Event] = []
    for kind, value in tags:
        needed += [Need(6 + len(body) + 4), Need(6 + len(body) + 4 + len(value))]
        body += struct.pack(">HH", kind, len(value)) + value
        if kind == 0:
            needed.pop()
            break
    head = struct.pack(">BBHH", 0x11, code, number, len(body))
    put = _pppoe_fields("pppoed", code, number, len(body))
    part = Part(head + body, (Enter("pppoed"), Need(6), *put, *needed))
    return Payload(DISCOVERY, part, ends=False)
