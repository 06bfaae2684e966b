"""Plain byte builders: one function a header, innermost first, lengths and checksums right.

Every builder takes what it carries and returns octets, so that a packet reads from the wire
inwards: ``ethernet(vlan(pppoe_session(ppp(ipv4(udp(...))))))``. Link control, address
configuration and NTP are in ``generators.control``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

ETHERTYPE_IPV4, ETHERTYPE_VLAN, ETHERTYPE_IPV6 = 0x0800, 0x8100, 0x86DD
ETHERTYPE_PPPOE_DISCOVERY, ETHERTYPE_PPPOE_SESSION = 0x8863, 0x8864
PPP_IPV4, PPP_IPV6 = 0x0021, 0x0057
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
MINIMUM_FRAME = 60
"""Shortest Ethernet frame without its check sequence, octets (IEEE 802.3)."""
QUOTED_OCTETS = 8
"""Octets behind the IP header that an ICMP error quotes at least (RFC 792)."""

Address = IPv4Address | IPv6Address


def checksum(data: bytes) -> int:
    """The Internet checksum, 16 bits (RFC 1071): complement of the one's complement sum."""
    # 2^16 is 1 modulo 0xffff, so the sum of the words is the whole number modulo 0xffff.
    padded = data + b"\0" if len(data) % 2 else data
    total = int.from_bytes(padded, "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


# Link -----------------------------------------------------------------------------------------


def ethernet(
    payload: bytes, *, dst: bytes, src: bytes, ethertype: int, vlan_id: int | None = None
) -> bytes:
    """An Ethernet II frame, with one 802.1Q tag or none, padded to 60 octets; no check sequence.

    ``dst`` and ``src`` are 6 octets, ``vlan_id`` is 0 to 4095.
    """
    if vlan_id is None:
        tag = b""
    elif not 0 <= vlan_id <= 0xFFF:
        raise ValueError(f"a VLAN id has 12 bits, found {vlan_id}")
    else:
        tag = struct.pack(">HH", ETHERTYPE_VLAN, vlan_id)
    frame = dst + src + tag + struct.pack(">H", ethertype) + payload
    return frame + bytes(max(0, MINIMUM_FRAME - len(frame)))


def pppoe_discovery(code: int, session: int, tags: Sequence[tuple[int, bytes]]) -> bytes:
    """A PPPoE discovery packet (RFC 2516 section 5): ``tags`` are TAG_TYPE and TAG_VALUE."""
    body = b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in tags)
    return struct.pack(">BBHH", 0x11, code, session, len(body)) + body


def pppoe_session(session: int, protocol: int, payload: bytes) -> bytes:
    """A PPPoE session packet with its PPP protocol field of two octets (RFC 2516, RFC 1661)."""
    return struct.pack(">BBHHH", 0x11, 0, session, len(payload) + 2, protocol) + payload


# Network --------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def packed(address: str) -> bytes:
    """Octets of a written IPv4 or IPv6 address."""
    return IPv6Address(address).packed if ":" in address else IPv4Address(address).packed


def ipv4(
    payload: bytes, *, src: str, dst: str, protocol: int, ttl: int = 64, ident: int = 0,
    dont_fragment: bool = True, tos: int = 0,
) -> bytes:  # fmt: skip
    """An IPv4 packet without options (RFC 791)."""
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), ident & 0xFFFF,
        0x4000 if dont_fragment else 0, ttl, protocol, 0, packed(src), packed(dst),
    )  # fmt: skip
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(payload: bytes, *, src: str, dst: str, protocol: int, hop_limit: int = 64) -> bytes:
    """An IPv6 packet without extension headers (RFC 8200)."""
    head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, hop_limit)
    return head + packed(src) + packed(dst) + payload


def pseudo_header(src: str, dst: str, protocol: int, length: int) -> bytes:
    """What a transport checksum covers besides the segment (RFC 9293, RFC 8200 section 8.1)."""
    if ":" in src:
        return packed(src) + packed(dst) + struct.pack(">II", length, protocol)
    return packed(src) + packed(dst) + struct.pack(">BBH", 0, protocol, length)


# Transport ------------------------------------------------------------------------------------

MSS, SACK_PERMITTED = b"\x02\x04\x05\xb4", b"\x04\x02"
LINUX_OPTIONS = MSS + SACK_PERMITTED + b"\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
"""Options of a Linux SYN: MSS 1460, SACK permitted, time stamps (zero), no-op, window scale 7."""
WINDOWS_OPTIONS = MSS + b"\x01\x03\x03\x08" + b"\x01\x01" + SACK_PERMITTED


@dataclass(frozen=True, slots=True)
class Segment:
    """The TCP header fields that say something (RFC 9293 section 3.1)."""

    srcport: int
    dstport: int
    seq: int = 0
    ack: int = 0
    flags: int = SYN
    window: int = 65535
    options: bytes = b""
    payload: bytes = b""


def tcp(segment: Segment, *, src: str, dst: str) -> bytes:
    """A TCP segment with its checksum; options are padded with zeros to 4 octets."""
    options = segment.options + bytes(-len(segment.options) % 4)
    words = 5 + len(options) // 4
    if words > 15:
        raise ValueError(f"TCP options of {len(options)} octets, at most 40 fit")
    head = struct.pack(
        ">HHIIBBHHH", segment.srcport, segment.dstport, segment.seq & 0xFFFFFFFF,
        segment.ack & 0xFFFFFFFF, words << 4, segment.flags & 0xFF, segment.window, 0, 0,
    )  # fmt: skip
    data = head + options + segment.payload
    summed = checksum(pseudo_header(src, dst, TCP, len(data)) + data)
    return data[:16] + struct.pack(">H", summed) + data[18:]


def udp(payload: bytes, *, src: str, dst: str, srcport: int, dstport: int) -> bytes:
    """A UDP datagram with its checksum; a sum of 0 is sent as 0xffff (RFC 768)."""
    length = 8 + len(payload)
    data = struct.pack(">HHHH", srcport, dstport, length, 0) + payload
    summed = checksum(pseudo_header(src, dst, UDP, length) + data) or 0xFFFF
    return data[:6] + struct.pack(">H", summed) + payload


# ICMP -----------------------------------------------------------------------------------------

ECHO_REPLY, UNREACHABLE, ECHO_REQUEST = 0, 3, 8
ADMINISTRATIVELY_PROHIBITED = 13
"""Code of destination unreachable: communication administratively prohibited (RFC 1812)."""


def icmp(kind: int, code: int, rest: bytes, payload: bytes) -> bytes:
    """An ICMP message (RFC 792): ``rest`` are the 4 octets behind the checksum."""
    data = struct.pack(">BBH", kind, code, 0) + rest + payload
    return data[:2] + struct.pack(">H", checksum(data)) + data[4:]


def icmp_echo(kind: int, ident: int, sequence: int, payload: bytes) -> bytes:
    """An echo request (8) or reply (0)."""
    return icmp(kind, 0, struct.pack(">HH", ident & 0xFFFF, sequence & 0xFFFF), payload)


def icmp_error(kind: int, code: int, packet: bytes, octets: int = QUOTED_OCTETS) -> bytes:
    """An ICMP error about an IPv4 packet: quotes its header and ``octets`` of what follows."""
    header = (packet[0] & 0xF) * 4
    return icmp(kind, code, bytes(4), packet[: header + octets])


def icmpv6(kind: int, code: int, body: bytes, *, src: str, dst: str) -> bytes:
    """An ICMPv6 message with its checksum (RFC 4443 section 2.3)."""
    data = struct.pack(">BBH", kind, code, 0) + body
    summed = checksum(pseudo_header(src, dst, ICMPV6, len(data)) + data)
    return data[:2] + struct.pack(">H", summed) + data[4:]


@dataclass(frozen=True, slots=True)
class Wire:
    """How a site's packets are wrapped: Ethernet, perhaps a VLAN tag, perhaps PPPoE."""

    here: bytes
    """MAC address of the site's router."""
    there: bytes
    """MAC address of the provider's concentrator."""
    vlan_id: int | None = None
    session: int | None = None
    """PPPoE session; None: packets stand directly in Ethernet."""

    def frame(self, packet: bytes, *, outgoing: bool) -> bytes:
        """The Ethernet frame of an IPv4 or IPv6 packet."""
        version = packet[0] >> 4
        if self.session is None:
            ethertype = ETHERTYPE_IPV4 if version == 4 else ETHERTYPE_IPV6
            return self.raw(packet, ethertype, outgoing=outgoing)
        return self.link(PPP_IPV4 if version == 4 else PPP_IPV6, packet, outgoing=outgoing)

    def link(self, protocol: int, payload: bytes, *, outgoing: bool) -> bytes:
        """The Ethernet frame of a PPP packet in the session."""
        body = pppoe_session(self.session or 0, protocol, payload)
        return self.raw(body, ETHERTYPE_PPPOE_SESSION, outgoing=outgoing)

    def raw(
        self, payload: bytes, ethertype: int, *, outgoing: bool, to: bytes | None = None
    ) -> bytes:
        """An Ethernet frame of any type; ``to`` instead of the other end (a broadcast)."""
        dst, src = (self.there, self.here) if outgoing else (self.here, self.there)
        return ethernet(payload, dst=to or dst, src=src, ethertype=ethertype, vlan_id=self.vlan_id)


def options(values: Mapping[int, bytes]) -> bytes:
    """Options of one octet each for kind and length, the length counting both (RFC 1661)."""
    return b"".join(bytes([kind, len(value) + 2]) + value for kind, value in values.items())
