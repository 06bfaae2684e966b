"""TCP (RFC 9293), UDP (RFC 768), UDP-Lite (RFC 3828) and transports that are only recognised.

Rules of Wireshark semantics 1.1, 1.2, 2.2 and 7.3.
"""

from __future__ import annotations

from decoders import headers
from decoders.fields import FIELDS
from decoders.layers.application import tcp_payload, udp_payload
from decoders.layers.dispatch import IP_PROTOCOLS, Context, Layer, register
from decoders.layers.ipv4 import UNVERIFIED
from decoders.octets import Octets
from decoders.row import (
    CHAT,
    CHECKSUM,
    ERROR,
    MALFORMED,
    NOTE,
    PROTOCOL,
    SEQUENCE,
    WARNING,
    Datagram,
    Segment,
)
from decoders.spelling import spell_address
from decoders.tcp_flags import ACK, AE, CWR, ECE, FIN, PSH, RESERVED, RST, SYN, URG

FLAG_LETTERS = "RRRACEUAPRSF"
FLAG_UNSET = "\N{MIDDLE DOT}"

_FLAG_FIELDS = (
    ("tcp.flags.res", RESERVED),
    ("tcp.flags.ae", AE),
    ("tcp.flags.cwr", CWR),
    ("tcp.flags.ece", ECE),
    ("tcp.flags.urg", URG),
    ("tcp.flags.ack", ACK),
    ("tcp.flags.push", PSH),
    ("tcp.flags.reset", RST),
    ("tcp.flags.syn", SYN),
    ("tcp.flags.fin", FIN),
)
if any(name not in FIELDS for name, _ in _FLAG_FIELDS):
    raise LookupError("a TCP flag is not declared in decoders.fields")

HEADER_WITH_STREAM = 16
"""Octets of a TCP header that are needed for a stream number (semantics 2.2)."""

NO_CHECKSUM, ILLEGAL_CHECKSUM = 3, 4

TRACEROUTE_PORTS = range(33435, 33465)


def flags_text(flags: int) -> str:
    """``tcp.flags.str``: twelve characters, a letter for each set bit."""
    return "".join(
        letter if flags & (0x800 >> bit) else FLAG_UNSET for bit, letter in enumerate(FLAG_LETTERS)
    )


@register(IP_PROTOCOLS, 6)
def tcp(context: Context, octets: Octets) -> None:
    """A TCP header and what it carries."""
    row = context.row
    row.enter("tcp", "TCP")
    octets.require(4)
    srcport, dstport, seq, ack, offset_flags, window, checksum, urgent = headers.TCP.read(octets)
    whole = (offset_flags >> 12) * 4
    row.item("tcp", octets, whole if octets.captured >= whole else headers.TCP.size)
    row.put("tcp.srcport", srcport)
    row.put("tcp.dstport", dstport)
    _ends(context, "tcp")
    quoting = row.quoting
    segment = Segment(row.src, row.dst, srcport, dstport)
    segment.quoted = quoting
    if octets.captured < HEADER_WITH_STREAM:
        if quoting and isinstance(row.src, int) and octets.captured >= 8:
            row.put("tcp.seq", seq)
        octets.require(HEADER_WITH_STREAM)
    segment.seq, segment.ack, segment.window = seq, ack, window
    segment.flags = offset_flags & 0xFFF
    row.transport.append(segment)
    size = (offset_flags >> 12) * 4
    row.put("tcp.hdr_len", size)
    if octets.claimed >= size and not octets.fragment and not quoting:
        segment.length = octets.claimed - size
        row.put("tcp.len", segment.length)
    if not (quoting and isinstance(segment.src, int)):
        row.put("tcp.seq_raw", seq)
    if size < headers.TCP.size:
        row.expert(ERROR, PROTOCOL, f"TCP header length of {size} octets, below 20")
        return
    _numbers(context, segment, octets)
    _flags(context, segment.flags)
    if octets.claimed < size and not quoting:
        row.expert(WARNING, MALFORMED, "segment shorter than its header")
    _judge_flags(context, segment, urgent)
    _rest_of_header(context, octets, segment, size, (checksum, urgent))


def _ends(context: Context, protocol: str) -> None:
    """The addresses of the IP header that carries this one."""
    row = context.row
    if row.wanted.ends:
        row.put(f"replicap.{protocol}.src", spell_address(row.src))
        row.put(f"replicap.{protocol}.dst", spell_address(row.dst))


def _numbers(context: Context, segment: Segment, octets: Octets) -> None:
    row = context.row
    if row.quoting:
        row.put("tcp.seq", segment.seq)
        row.put("tcp.ack", segment.ack)
    row.put("tcp.ack_raw", segment.ack)
    row.put("tcp.window_size_value", segment.window)


def _flags(context: Context, flags: int) -> None:
    row = context.row
    row.put("tcp.flags", flags)
    if not row.wanted.tcp_flags:
        return
    for name, bit in _FLAG_FIELDS:
        row.put(name, bool(flags & bit))
    row.put("tcp.flags.str", flags_text(flags))


def _judge_flags(context: Context, segment: Segment, urgent: int) -> None:
    """Expert items of a connection's beginning and end (semantics 7.3)."""
    row, flags = context.row, segment.flags
    if flags & SYN:
        if flags & ACK:
            row.put("tcp.connection.synack", True)
            row.expert(CHAT, SEQUENCE, f"SYN+ACK from server port {segment.srcport}")
        else:
            row.put("tcp.connection.syn", True)
            row.expert(CHAT, SEQUENCE, f"SYN to server port {segment.dstport}")
    if flags & FIN:
        row.put("tcp.connection.fin", True)
        row.expert(CHAT, SEQUENCE, "FIN")
    if flags & RST:
        row.put("tcp.connection.rst", True)
        row.expert(WARNING, SEQUENCE, "RST")
    if segment.ack and not flags & ACK:
        row.expert(NOTE, PROTOCOL, "acknowledgment number without ACK flag")


def _rest_of_header(
    context: Context, octets: Octets, segment: Segment, size: int, behind: tuple[int, int]
) -> None:
    """Checksum, urgent pointer, options and payload."""
    row = context.row
    segment.has_options = size > headers.TCP.size
    segment.options_cut = octets.captured < size
    checksum, urgent = behind
    octets.require(18)
    row.put("tcp.checksum", checksum)
    row.put("tcp.checksum.status", UNVERIFIED)
    octets.require(20)
    row.put("tcp.urgent_pointer", urgent)
    if urgent and not segment.flags & URG:
        row.expert(NOTE, PROTOCOL, "urgent pointer without URG flag")
    if segment.has_options:
        _options(context, octets, segment, size)
    rest = octets.after(size)
    if rest.claimed > 0 and not segment.flags & RST:
        segment.payload_at = len(row.protocols)
        tcp_payload(context, rest, segment)


END_OF_LIST, NO_OPERATION, MSS, WINDOW_SCALE = 0, 1, 2, 3
OPTION_LENGTHS = {MSS: 4, WINDOW_SCALE: 3, 4: 2, 8: 10}


def _options(context: Context, octets: Octets, segment: Segment, size: int) -> None:
    """Read the window scale, and say what is wrong with the options."""
    row = context.row
    at, end = octets.start + headers.TCP.size, octets.start + size
    kinds: list[int] = []
    walked = True
    try:
        while at < end:
            octets.require(at + 1 - octets.start)
            kind = octets.data[at]
            kinds.append(kind)
            if kind == END_OF_LIST:
                octets.require(size)
                if any(octets.data[at + 1 : end]):
                    row.expert(ERROR, PROTOCOL, "octets behind the end of options")
                break
            if kind == NO_OPERATION:
                if kinds[-4:] == [NO_OPERATION] * 4 and kinds[-5:-4] != [NO_OPERATION]:
                    row.expert(WARNING, PROTOCOL, "four NOP options in a row")
                at += 1
                continue
            octets.require(at + 2 - octets.start)
            length = octets.data[at + 1]
            if length < 2 or at + length > end or length != OPTION_LENGTHS.get(kind, length):
                row.expert(NOTE, SEQUENCE, "bad option length")
                if length < 2 or at + length > end:
                    walked = False
                    break
            octets.require(at + length - octets.start)
            _option(context, octets.data[at : at + length], segment)
            at += length
    finally:
        if segment.flags & SYN and segment.window_scale is None and not segment.options_cut:
            segment.window_scale = -2
    if walked and segment.flags & SYN and MSS not in kinds:
        row.expert(NOTE, PROTOCOL, "SYN with options but without a maximum segment size")


def _option(context: Context, option: bytes, segment: Segment) -> None:
    row = context.row
    if option[0] == MSS and not segment.flags & SYN:
        row.expert(WARNING, PROTOCOL, "maximum segment size without SYN")
    if option[0] == WINDOW_SCALE and len(option) == 3:
        if option[2] > 14:
            row.expert(WARNING, PROTOCOL, f"window scale {option[2]}, above 14")
        segment.window_scale = min(option[2], 14)


@register(IP_PROTOCOLS, 17)
def udp(context: Context, octets: Octets) -> None:
    """A UDP header and what it carries; its length field cuts the payload."""
    context.row.enter("udp", "UDP")
    _udp_header(context, octets, "udp")


@register(IP_PROTOCOLS, 136)
def udp_lite(context: Context, octets: Octets) -> None:
    """UDP-Lite shares UDP's fields and conversations (semantics 2.1 rule 1)."""
    context.row.enter("udplite", "UDPlite")
    _udp_header(context, octets, "udplite")


def _udp_header(context: Context, octets: Octets, protocol: str) -> None:
    row = context.row
    octets.require(4)
    srcport, dstport, length, checksum = headers.UDP.read(octets)
    if protocol == "udp":
        row.item("udp", octets, headers.UDP.size)
    else:
        row.put(protocol, 1)
    row.put("udp.srcport", srcport)
    row.put("udp.dstport", dstport)
    _ends(context, "udp")
    octets.require(6)
    row.put("udp.length", length)
    if protocol == "udp" and not _believe_length(context, octets, length):
        return
    octets.require(8)
    row.put("udp.checksum", checksum)
    row.put("udp.checksum.status", _checksum_status(context, checksum))
    row.transport.append(Datagram(row.src, row.dst, srcport, dstport, row.quoting))
    if srcport in TRACEROUTE_PORTS or dstport in TRACEROUTE_PORTS:
        row.expert(CHAT, SEQUENCE, "possible traceroute")
    rest = octets.after(8)
    if rest.claimed > 0 or (protocol == "udp" and length > 8):
        udp_payload(context, rest, srcport, dstport)


def _believe_length(context: Context, octets: Octets, length: int) -> bool:
    """Trim to the length field; False when it is below 8 (0 is allowed over IPv6, RFC 2675)."""
    row = context.row
    if length == 0 and isinstance(row.src, bytes):
        row.expert(WARNING, PROTOCOL, "UDP length 0 of a datagram that is no jumbogram")
    if length < 8 and not (length == 0 and isinstance(row.src, bytes)):
        row.expert(ERROR, MALFORMED, f"UDP length {length}, below 8")
        return False
    if length > octets.claimed and not octets.fragment and not row.quoting:
        row.expert(ERROR, MALFORMED, f"UDP length {length} goes beyond the IP payload")
    if length:
        octets.trim(length)
    return True


def _checksum_status(context: Context, checksum: int) -> int:
    if checksum:
        return UNVERIFIED
    if isinstance(context.row.src, int):
        return NO_CHECKSUM
    context.row.expert(ERROR, CHECKSUM, "UDP checksum 0 over IPv6")
    return ILLEGAL_CHECKSUM


IGMP_TYPES = frozenset((0x11, 0x12, 0x16, 0x17, 0x22))
"""Types of IGMP versions 1 to 3 (RFC 1112, 2236, 3376); each version has a dissector of its own."""


@register(IP_PROTOCOLS, 2)
def igmp(context: Context, octets: Octets) -> None:
    """IGMP: recognised, and its version's dissector under the same name."""
    context.row.enter("igmp", "IGMP")
    octets.require(1)
    context.row.put("igmp", 1)
    if octets.data[octets.start] in IGMP_TYPES:
        context.row.protocols.append("igmp")


def _recognised(protocol: str, title: str, octets_needed: int) -> Layer:
    """A transport that is named and not dissected."""

    def layer(context: Context, octets: Octets) -> None:
        context.row.enter(protocol, title)
        octets.require(octets_needed)
        context.row.put(protocol, 1)

    return layer


for _number, _protocol, _title, _needed in (
    (50, "esp", "ESP", 8),
    (132, "sctp", "SCTP", 12),
):
    register(IP_PROTOCOLS, _number)(_recognised(_protocol, _title, _needed))

__all__ = ["FLAG_LETTERS", "flags_text", "tcp", "udp", "udp_lite"]
