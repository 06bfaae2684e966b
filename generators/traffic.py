"""Hypothesis strategies for whole captures with time: what a site sees, each packet classed.

A :class:`Traffic` is a list of packets in the order of their time, each with the class and the
scanner marks that it has by construction, and the capture they make over VLAN and PPPoE. Sources
of different actors never meet, so that what one does decides no class of another's packets. Values
shrink to fewer actors, then to fewer packets.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators import captures, links, parts
from generators.captures import CaptureFile
from generators.links import Payload, Tag
from generators.parts import Ends, Upper
from generators.truth import Described, Part, described

ACTORS = ("scan", "backscatter", "ping", "link-control", "port-reuse")
BACKSCATTER = ("synack", "rst", "echo", "unreachable-tcp", "unreachable-udp", "udp-answer")
"""What a victim of packets with the site's addresses forged into them answers. That of UDP cannot
be told from a request, and is classed as one."""
SHAPES = ("horizontal", "vertical", "single-port")
"""A scan of many hosts at a few ports, of one host at many ports, of many hosts at one port."""

MARKS = ("", "zmap", "masscan", "mirai")
SYN, RST, SYNACK = 2, 0x14, 0x12
ZMAP_ID = 54321
SITE = b"\xc0\0\x02"
"""The site's network, 192.0.2.0/24 (RFC 5737)."""


class Packet(NamedTuple):
    """One packet with what it is by construction."""

    part: Payload
    kind: str
    """Its ``replicap.class``."""
    marks: tuple[str, ...] = ()
    """Its ``replicap.scanner``."""
    opens: bool = False
    """It is the first of a TCP stream."""


class Traffic(NamedTuple):
    """What a site sees: packets, and the file they make."""

    packets: tuple[Packet, ...]
    file: CaptureFile


def _ip(ends: Ends, upper: Upper, ident: int = 1) -> Payload:
    return Payload(links.IPV4, parts.ipv4(ends, upper, ident=ident))


def _probe(ends: Ends, ports: tuple[int, int], seq: int, mark: str, udp: bool) -> Packet:
    """A SYN or UDP probe with the mark of a scanner, or surely without any."""
    target = int.from_bytes(ends.dst, "big")
    if udp:
        zmap = mark == "zmap"
        datagram = parts.udp(ends, *ports)
        return Packet(_ip(ends, datagram, ZMAP_ID if zmap else 1), "udp-probe", ("zmap",) * zmap)
    seq = target if mark == "mirai" else seq if seq != target else seq ^ 1
    masscan = (target ^ ports[1] ^ seq) & 0xFFFF
    ident = {"zmap": ZMAP_ID, "masscan": masscan}.get(mark, masscan ^ 1)
    if not mark or mark == "mirai":
        ident = ident if ident != ZMAP_ID else masscan ^ 2
    marks = [name for name, bears in (("zmap", ident == ZMAP_ID), ("masscan", ident == masscan),
                                      ("mirai", seq == target)) if bears]  # fmt: skip
    segment = parts.tcp(ends, *ports, seq=seq)
    return Packet(_ip(ends, segment, ident), "tcp-syn-probe", tuple(marks), opens=True)


def _answer(ends: Ends, ports: tuple[int, int], udp: bool, flags: int) -> Packet:
    back, turned = Ends(ends.dst, ends.src), (ports[1], ports[0])
    upper = parts.udp(back, *turned) if udp else parts.tcp(back, *turned, flags=flags, ack=1)
    return Packet(_ip(back, upper), "reply")


@st.composite
def _scan(draw: st.DrawFn, source: bytes) -> list[Packet]:
    shape = draw(st.sampled_from(SHAPES))
    mark, udp = draw(st.sampled_from(MARKS)), draw(st.booleans())
    ports = [draw(st.integers(1, 0xFFFF))] if shape == "single-port" else [23, 2323, 8080, 49500]
    hosts = [7] if shape == "vertical" else list(range(1, 5))
    targets = [(host, port) for host in hosts for port in ports]
    made: list[Packet] = []
    for host, port in targets[: draw(st.integers(1, len(targets)))]:
        ends = Ends(source, SITE + bytes((host,)))
        both = (draw(st.sampled_from((49153, 65535))), port)
        made.append(_probe(ends, both, draw(st.integers(0, 2**32 - 1)), mark, udp))
        if draw(st.booleans()):
            made.append(_answer(ends, both, udp, draw(st.sampled_from((RST, SYNACK)))))
    return made


@st.composite
def _backscatter(draw: st.DrawFn, source: bytes) -> list[Packet]:
    made = []
    for _ in range(draw(st.integers(1, 3))):
        ends = Ends(source, SITE + bytes((draw(st.integers(1, 4)),)))
        how = draw(st.sampled_from(BACKSCATTER))
        kind = "udp-probe" if how == "udp-answer" else "backscatter"
        made.append(Packet(_ip(ends, _victims_answer(ends, how, draw(_quoted))), kind))
    return made


_quoted = st.integers(28, 40)
"""Octets that an ICMP error quotes: an IP header and at least 8 more (RFC 792)."""


def _victims_answer(ends: Ends, how: str, octets: int) -> Upper:
    """What ``ends.src`` answers to a packet that seemed to come from ``ends.dst``."""
    if how == "echo":
        return parts.icmp(0, 0, bytes(4), None)
    if how == "udp-answer":
        return parts.udp(ends, 53, 50002, payload=parts.application("dns", bytes(12)))
    if how in ("synack", "rst"):
        return parts.tcp(ends, 80, 50000, flags=SYNACK if how == "synack" else RST, ack=1)
    forged = Ends(ends.dst, ends.src)
    asked = (parts.tcp if how == "unreachable-tcp" else parts.udp)(forged, 50001, 7)
    packet = parts.ipv4(forged, asked)
    code = 1 if how == "unreachable-tcp" else 3
    return parts.icmp_error(3, code, packet, min(octets, len(packet.data)))


@st.composite
def _pings(draw: st.DrawFn, source: bytes) -> list[Packet]:
    ends = Ends(source, SITE + b"\x01")
    zmap = draw(st.booleans())
    request = parts.icmp(8, 0, bytes(4), parts.opaque(b"ping"))
    made = [Packet(_ip(ends, request, ZMAP_ID if zmap else 1), "ping", ("zmap",) * zmap)]
    if draw(st.booleans()):
        reply = parts.icmp(0, 0, bytes(4), parts.opaque(b"ping"))
        made.append(Packet(_ip(Ends(ends.dst, ends.src), reply), "reply"))
    return made


@st.composite
def _port_reuse(draw: st.DrawFn, source: bytes) -> list[Packet]:
    """The same ports again with another sequence number: another stream (semantics 2.1)."""
    ends, ports = Ends(source, SITE + b"\x02"), (49153, 23)
    first = draw(st.integers(0, 2**31))
    return [_probe(ends, ports, first + 1000 * nth, "", False) for nth in range(2)]


@st.composite
def _link_control(draw: st.DrawFn, source: bytes) -> list[Packet]:
    code = draw(st.sampled_from((9, 10)))
    number, part = links.control(links.LCP, code, source)
    return [Packet(Payload(number, part), "link-control")]


_MAKERS = {
    "scan": _scan,
    "backscatter": _backscatter,
    "ping": _pings,
    "link-control": _link_control,
    "port-reuse": _port_reuse,
}


def _frame(payload: Payload, tags: list[Tag], number: int) -> Described:
    kind = links.PPP_IPV4 if payload.kind == links.IPV4 else payload.kind
    inner: Part = links.ppp(kind, payload.part)
    here, there = b"\x02" + bytes(4) + b"\x0a", b"\x02" + bytes(4) + b"\x0b"
    return described(links.ethernet(there, here, links.session(number, inner), tags=tags), 1)


@st.composite
def _pcapng(draw: st.DrawFn, frames: list[Described]) -> CaptureFile:
    """One or two sections, each in its byte order with up to three interfaces."""
    first = draw(st.integers(0, len(frames)))
    sections = []
    for part in (frames[:first], frames[first:]) if first else (frames,):
        resolutions = draw(st.lists(st.sampled_from(captures.RESOLUTIONS), min_size=1, max_size=3))
        places = [divmod(draw(_places), len(resolutions)) for _ in part]
        lines = [(port, gap, frame) for (gap, port), frame in zip(places, part, strict=True)]
        ports = tuple((1, resolution) for resolution in resolutions)
        sections.append(captures.Section(draw(st.booleans()), ports, tuple(lines)))
    return captures.pcapng(sections)


_places = st.integers(0, 299)
"""Eighths of a second before a frame, and its interface."""


@st.composite
def _traffic(
    draw: st.DrawFn, actors: tuple[str, ...], most: int, formats: tuple[str, ...],
    compressions: tuple[str, ...],
) -> Traffic:  # fmt: skip
    packets: list[Packet] = []
    chosen = draw(st.lists(st.sampled_from(actors), min_size=1, max_size=most))
    for nth, actor in enumerate(chosen):
        packets += draw(_MAKERS[actor](b"\xc6\x33" + struct.pack(">H", nth + 1)))
    tags = [Tag(links.VLAN, draw(st.integers(1, 4094)))] * draw(st.integers(0, 1))
    frames = [_frame(packet.part, tags, 9) for packet in packets]
    if draw(st.sampled_from(formats)) == "pcap":
        gaps = draw(st.lists(st.integers(0, 10**7), max_size=len(frames)))
        file = captures.pcap(
            [(frame,) for frame in frames],
            big_endian=draw(st.booleans()),
            magic=draw(st.sampled_from(captures.MAGICS)),
            gaps=gaps,
        )
    else:
        file = draw(_pcapng(frames))
    return Traffic(tuple(packets), captures.compressed(file, draw(st.sampled_from(compressions))))


def traffic(
    *,
    actors: Collection[str] = ACTORS,
    max_actors: int = 6,
    formats: Collection[str] = captures.FORMATS,
    compressions: Collection[str] = captures.COMPRESSIONS,
) -> st.SearchStrategy[Traffic]:
    """Captures of scans, backscatter, pings, replies, link control and reused ports.

    ``actors`` chooses among :data:`ACTORS`, of whom up to ``max_actors`` act one after the other,
    each from an address of its own; an actor can come several times. ``formats`` and
    ``compressions`` are those of :func:`generators.captures.captures`; byte order, resolution and,
    in pcapng, sections and interfaces vary with the format. Shrinks to one actor and fewer packets,
    then to a little-endian pcap of microseconds. Raises InvalidArgument for unknown names, for
    none, and for less than one or more than 1000 actors.
    """
    for name, given, known in (
        ("actors", actors, ACTORS),
        ("formats", formats, captures.FORMATS),
        ("compressions", compressions, captures.COMPRESSIONS),
    ):
        captures.check_choice(name, given, known)
    if not 1 <= max_actors <= 1000:
        raise InvalidArgument(f"max_actors={max_actors}: expected 1 to 1000")
    return _traffic(
        *(tuple(actors), max_actors),
        tuple(one for one in captures.FORMATS if one in formats),
        tuple(one for one in captures.COMPRESSIONS if one in compressions),
    )
