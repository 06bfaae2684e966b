"""Rows of the reference decoder's layers -> what conversation and class kernels read of a frame.

For frames that no frame kernel decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decoders import classify
from decoders.columnar import classes
from decoders.columnar.kernels import sink
from decoders.columnar.transport import ABSENT, I64
from decoders.row import Address, Datagram, Row, Segment

_LOW = (1 << 64) - 1
_KINDS = {
    "": classes.KIND_OTHER,
    "tcp": classes.KIND_TCP,
    "udp": classes.KIND_UDP,
    "icmp": classes.KIND_ICMP,
    "icmpv6": classes.KIND_ICMPV6,
}
_VERSIONS = {"": 0, "ip": 4, "ipv6": 6}


def headers_of(row: Row, at: int) -> I64:
    """The TCP and UDP headers of row ``at`` of a batch: [header, HEADER_PLACES]."""
    made = np.zeros((len(row.transport), sink.HEADER_PLACES), np.int64)
    for places, header in zip(made, row.transport, strict=True):
        places[sink.HEADER_ROW] = at
        places[sink.HEADER_QUOTED] = header.quoted
        places[sink.HEADER_VERSION] = _version(header)
        places[sink.HEADER_SRC_HI : sink.HEADER_DST_LO + 1] = _pair(header.src, header.dst)
        places[sink.HEADER_SRCPORT] = header.srcport
        places[sink.HEADER_DSTPORT] = header.dstport
        if isinstance(header, Segment):
            places[sink.HEADER_TCP] = 1
            places[sink.HEADER_SEQ :] = _segment(row, header)
    return made


def _version(header: Segment | Datagram) -> int:
    return 6 if isinstance(header.src, bytes) else 4


def _segment(row: Row, segment: Segment) -> tuple[int, ...]:
    return (
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        ABSENT if segment.length is None else segment.length,
        segment.options_cut,
        ABSENT if segment.window_scale is None else segment.window_scale,
        "tcp.flags" in row.own,
        _handed_up(row, segment),
    )


def _handed_up(row: Row, segment: Segment) -> int:
    if segment.payload_at is None or segment.payload_at >= len(row.protocols):
        return sink.NOBODY
    return sink.AS_DATA if row.protocols[segment.payload_at] == "data" else sink.BY_NAME


def _halves(address: Address) -> tuple[int, int]:
    """An address as two halves, each as the int64 of the same bits."""
    whole = int.from_bytes(address, "big") if isinstance(address, bytes) else address
    high, low = whole >> 64, whole & _LOW
    return high - (high >> 63 << 64), low - (low >> 63 << 64)


def _pair(src: Address, dst: Address) -> tuple[int, int, int, int]:
    return (*_halves(src), *_halves(dst))


def facts_of(row: Row) -> I64:
    """The facts of a row whose layers are dissected: [FACTS]."""
    made = np.zeros(classes.FACTS, np.int64)
    packet = classify.packet_of(row.protocols, 0, row.own)
    made[: classes.FACT_DSTPORT + 1] = _common(packet)
    for place, bit, value in (
        (classes.FACT_FLAGS, classes.HAS_FLAGS, packet.first("flags")),
        (classes.FACT_SEQ, classes.HAS_SEQ, packet.first("seq_raw")),
        (classes.FACT_TYPE, classes.HAS_TYPE, packet.first("type")),
        (classes.FACT_ID, classes.HAS_ID, packet.ip("id")),
    ):
        if value is not None:
            made[place] = value
            made[classes.FACT_HAS] |= bit
    behind = packet.at + 1
    above = row.protocols[behind : behind + 1]
    if not classify.ADDRESS_CONTROL.isdisjoint(above):
        made[classes.FACT_HAS] |= classes.HAS_ADDRESS_CONTROL
    if above in (["ip"], ["ipv6"]):
        made[classes.FACT_HAS] |= classes.HAS_QUOTED
        about = classify.packet_of(row.protocols, behind, row.quoted)
        made[classes.QUOTED_KIND :] = _common(about)
    return made


def _common(packet: classify.Packet) -> tuple[int, ...]:
    """Kind, version, addresses, what there is, ports."""
    pair, has = packet.pair(), 0
    if pair is not None:
        has |= classes.HAS_PAIR
    ports = packet.first("srcport"), packet.first("dstport")
    if None not in ports:
        has |= classes.HAS_PORTS
    return (
        _KINDS.get(packet.protocol, classes.KIND_CONTROL),
        _VERSIONS[packet.version],
        *((0, 0, 0, 0) if pair is None else _pair(*pair)),
        has,
        *(port or 0 for port in ports),
    )


def pairs_of(row: Row, at: int) -> I64:
    """The pairs of addresses of a row's own IP headers: [pair, PAIR_PLACES]."""
    found: Sequence[tuple[int, ...]] = [
        (at, _VERSIONS[version], *_pair(src, dst))
        for version in ("ip", "ipv6")
        for src, dst in zip(
            row.own.get(f"{version}.src", []), row.own.get(f"{version}.dst", []), strict=False
        )
    ]
    return np.array(found, np.int64).reshape(-1, classes.PAIR_PLACES)
