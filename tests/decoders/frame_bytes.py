"""Small builders of headers with struct, for tests only: every length and every number can lie.

A :class:`Situation` is a sequence of literal frames; tests ask it for the values our decoder finds,
and ``test_witness.py`` asks an installed tshark about the same frames.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cached_property
from ipaddress import ip_address
from typing import Any, NamedTuple

from decoders.fields import FIELDS
from decoders.frames import Frame, Interface
from decoders.reference import Decoder
from decoders.row import Row
from decoders.spelling import spell

MS, SECOND = 1_000_000, 1_000_000_000
START_NS = 1_500_000_000 * SECOND

# Documentation addresses (RFC 5737, RFC 3849) and locally administered MAC addresses.
A, B, C = "192.0.2.1", "198.51.100.1", "203.0.113.7"
A6, B6 = "2001:db8::1", "2001:db8:1::2"
MAC_A, MAC_B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")

FLAG = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
MSS = bytes.fromhex("020405b4")


class Shot(NamedTuple):
    """One frame of a situation."""

    data: bytes
    link: int = 1
    wire: int | None = None
    """Octets on the wire, when it is not what was captured."""
    gap_ns: int = 100 * MS
    """Time since the frame before."""


class Situation:
    """Literal frames in order, and what the reference decoder finds in them."""

    def __init__(self, *frames: Shot | bytes) -> None:
        self.shots = [shot if isinstance(shot, Shot) else Shot(shot) for shot in frames]

    def frames(self) -> list[Frame]:
        time, made = START_NS, []
        for number, shot in enumerate(self.shots, start=1):
            time += shot.gap_ns
            wire = len(shot.data) if shot.wire is None else shot.wire
            made.append(Frame(number, time, wire, shot.data, Interface(shot.link)))
        return made

    @cached_property
    def rows(self) -> list[Row]:
        decoder = Decoder()
        return [decoder.row(frame) for frame in self.frames()]

    def each(self, field: str) -> list[list[Any]]:
        """For every frame all values of a field, own ones first."""
        return [row.occurrences(field) for row in self.rows]

    def first(self, field: str) -> list[Any]:
        """For every frame the first value of a field, or None."""
        return [next(iter(values), None) for values in self.each(field)]

    def text(self, field: str) -> list[list[str]]:
        """Like :meth:`each`, as tshark spells the values."""
        return [[spell(FIELDS[field], value) for value in values] for values in self.each(field)]

    def stacks(self) -> list[str]:
        """``frame.protocols`` of every frame."""
        return [row.own.get("frame.protocols", [""])[0] for row in self.rows]

    def marks(self) -> list[str]:
        """For every frame the marks of TCP analysis, sorted, without ``tcp.analysis.``."""
        skipped = ("tcp.analysis.flags", "tcp.analysis.initial_rtt")
        found = []
        for row in self.rows:
            names = [name for name, values in row.own.items() if values[0] is True]
            marks = [n for n in names if n.startswith("tcp.analysis.") and n not in skipped]
            found.append(" ".join(sorted(mark.removeprefix("tcp.analysis.") for mark in marks)))
        return found


def decoded(*frames: Shot | bytes) -> list[Row]:
    """The rows of frames that are on nobody's list for tshark."""
    return Situation(*frames).rows


def cuts(frame: bytes) -> Situation:
    """A frame as captures of every snap length would hold it, the whole one last."""
    return Situation(*(Shot(frame[:n], wire=len(frame)) for n in range(len(frame) + 1)))


def packed(address: str) -> bytes:
    return ip_address(address).packed


def number(address: str) -> int:
    return int(ip_address(address))


def checksum(octets: bytes) -> int:
    """RFC 1071, word by word."""
    octets += b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eth(kind: int, payload: bytes, *, dst: bytes = MAC_B, src: bytes = MAC_A) -> bytes:
    return dst + src + struct.pack(">H", kind) + payload


def vlan(tag: int, kind: int, payload: bytes, *, priority: int = 0, dei: int = 0) -> bytes:
    return struct.pack(">HH", priority << 13 | dei << 12 | tag, kind) + payload


def pppoe(
    payload: bytes, *, code: int = 0, session: int = 9, length: int | None = None, kind: int = 0x11
) -> bytes:
    claimed = len(payload) if length is None else length
    return struct.pack(">BBHH", kind, code, session, claimed) + payload


def ppp(protocol: int, payload: bytes) -> bytes:
    return struct.pack(">H", protocol) + payload


def control(code: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """LCP and its kin: code, identifier 1, length."""
    return struct.pack(">BBH", code, 1, 4 + len(payload) if length is None else length) + payload


def ipv4(
    protocol: int,
    payload: bytes,
    src: str = A,
    dst: str = B,
    *,
    ttl: int = 64,
    ident: int = 1,
    flags: int = 0,
    offset: int = 0,
    options: bytes = b"",
    length: int | None = None,
    words: int | None = None,
    version: int = 4,
) -> bytes:
    """``offset`` in octets; ``flags``: 1 more fragments, 2 don't fragment, 4 reserved."""
    size = 20 + len(options)
    claimed = size + len(payload) if length is None else length
    first = version << 4 | (size // 4 if words is None else words)
    cut = flags << 13 | offset // 8
    head = struct.pack(">BBHHHBBH", first, 0, claimed, ident, cut, ttl, protocol, 0)
    head += packed(src) + packed(dst) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(
    following: int,
    payload: bytes,
    src: str = A6,
    dst: str = B6,
    *,
    hops: int = 64,
    length: int | None = None,
    version: int = 6,
) -> bytes:
    claimed = len(payload) if length is None else length
    head = struct.pack(">IHBB", version << 28, claimed, following, hops)
    return head + packed(src) + packed(dst) + payload


def tcp(
    srcport: int,
    dstport: int,
    flags: str = "S",
    seq: int = 0,
    ack: int = 0,
    payload: bytes = b"",
    *,
    window: int = 65535,
    options: bytes = b"",
    urgent: int = 0,
    words: int | None = None,
) -> bytes:
    size = 5 + len(options) // 4 if words is None else words
    bits = size << 12 | sum(FLAG[letter] for letter in flags)
    head = struct.pack(">HHIIHHHH", srcport, dstport, seq, ack, bits, window, 0xA5A5, urgent)
    return head + options + payload


def udp(
    srcport: int, dstport: int, payload: bytes = b"", *, length: int | None = None, check: int = 1
) -> bytes:
    claimed = 8 + len(payload) if length is None else length
    return struct.pack(">HHHH", srcport, dstport, claimed, check) + payload


def icmp(
    kind: int, code: int, rest: bytes = bytes(4), payload: bytes = b"", *, wrong: int = 0
) -> bytes:
    body = struct.pack(">BBH", kind, code, 0) + rest + payload
    return body[:2] + struct.pack(">H", checksum(body) ^ wrong) + body[4:]


def icmpv6(kind: int, code: int, body: bytes, src: str = A6, dst: str = B6) -> bytes:
    whole = struct.pack(">BBH", kind, code, 0) + body
    pseudo = packed(src) + packed(dst) + struct.pack(">II", len(whole), 58)
    return whole[:2] + struct.pack(">H", checksum(pseudo + whole)) + whole[4:]


def arp(operation: int, sender: str, target: str) -> bytes:
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    return head + MAC_A + packed(sender) + bytes(6) + packed(target)


def ip4(packet: bytes) -> bytes:
    return eth(0x0800, packet)


def ip6(packet: bytes) -> bytes:
    return eth(0x86DD, packet)


def tcp4(
    src: str,
    srcport: int,
    dst: str,
    dstport: int,
    flags: str = "S",
    seq: int = 0,
    ack: int = 0,
    payload: bytes = b"",
    **header: Any,
) -> bytes:
    """TCP in IPv4 in Ethernet."""
    return ip4(ipv4(6, tcp(srcport, dstport, flags, seq, ack, payload, **header), src, dst))


def udp4(src: str, srcport: int, dst: str, dstport: int, payload: bytes = b"x") -> bytes:
    """UDP in IPv4 in Ethernet."""
    return ip4(ipv4(17, udp(srcport, dstport, payload), src, dst))


def unreachable(quote: bytes, *, kind: int = 3, code: int = 13, rest: bytes = bytes(4)) -> bytes:
    """An ICMP error from B to A that carries ``quote``."""
    return ip4(ipv4(1, icmp(kind, code, rest, quote), B, A))


Say = Callable[..., Shot]


def speakers(port: int, server: int = 9999, *, client: str = A, host: str = B) -> tuple[Say, Say]:
    """Two ends of a TCP conversation: each makes a Shot of (gap_ns, flags, seq, ack, payload)."""

    def end(src: str, srcport: int, dst: str, dstport: int) -> Say:
        def say(
            gap_ns: int,
            flags: str = "A",
            seq: int = 0,
            ack: int = 0,
            payload: bytes = b"",
            **header: Any,
        ) -> Shot:
            frame = tcp4(src, srcport, dst, dstport, flags, seq, ack, payload, **header)
            return Shot(frame, gap_ns=gap_ns)

        return say

    return end(client, port, host, server), end(host, server, client, port)


def parts4(
    protocol: int, payload: bytes, sizes: Sequence[int], ident: int, **header: Any
) -> list[bytes]:
    """IPv4 packets that carry ``payload`` in pieces of ``sizes`` octets."""
    made, offset = [], 0
    for nth, size in enumerate(sizes):
        more = nth < len(sizes) - 1
        piece = payload[offset : offset + size]
        made.append(ipv4(protocol, piece, ident=ident, flags=int(more), offset=offset, **header))
        offset += size
    return made


def parts6(following: int, payload: bytes, sizes: Sequence[int], ident: int) -> list[bytes]:
    """IPv6 packets that carry ``payload`` in pieces of ``sizes`` octets."""
    made, offset = [], 0
    for nth, size in enumerate(sizes):
        more = int(nth < len(sizes) - 1)
        head = struct.pack(">BBHI", following, 0, offset | more, ident)
        made.append(ipv6(44, head + payload[offset : offset + size]))
        offset += size
    return made
