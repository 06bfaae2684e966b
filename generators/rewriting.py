"""Rewrites fields of a frame, and puts its lengths and checksums right again.

``assigned`` sets one field to one value. What a packet does not have, or what is not known how
to set, gives None: the caller tries another packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from decoders.fields import FIELDS
from generators.edits import Record
from generators.headers import Header, headers
from generators.packets import checksum

Value = int | bytes | bool
CONTROL = ("lcp", "pap", "ipcp", "ipv6cp")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a field stands in a header: octets from its start, and the bits that are its own."""

    protocols: tuple[str, ...]
    offset: int
    size: int
    mask: int = -1
    shift: int = 0


def _spot(protocol: str, offset: int, size: int, mask: int = -1, shift: int = 0) -> Spot:
    return Spot((protocol,), offset, size, mask, shift)


def _flag(bit: int) -> Spot:
    return _spot("tcp", 12, 2, 1 << bit, bit)


SPOTS: dict[str, Spot] = {
    "eth.dst": _spot("eth", 0, 6),
    "eth.src": _spot("eth", 6, 6),
    "vlan.id": _spot("vlan", 0, 2, 0x0FFF),
    "pppoe.session_id": Spot(("pppoes", "pppoed"), 2, 2),
    "pppoe.code": Spot(("pppoes", "pppoed"), 1, 1),
    "ppp.code": Spot(CONTROL, 0, 1),
    "ip.id": _spot("ip", 4, 2),
    "ip.flags.df": _spot("ip", 6, 2, 0x4000, 14),
    "ip.flags.mf": _spot("ip", 6, 2, 0x2000, 13),
    "ip.ttl": _spot("ip", 8, 1),
    "ip.proto": _spot("ip", 9, 1),
    "ip.src": _spot("ip", 12, 4),
    "ip.dst": _spot("ip", 16, 4),
    "ipv6.nxt": _spot("ipv6", 6, 1),
    "ipv6.hlim": _spot("ipv6", 7, 1),
    "ipv6.src": _spot("ipv6", 8, 16),
    "ipv6.dst": _spot("ipv6", 24, 16),
    "tcp.srcport": _spot("tcp", 0, 2),
    "tcp.dstport": _spot("tcp", 2, 2),
    "tcp.seq_raw": _spot("tcp", 4, 4),
    "tcp.ack_raw": _spot("tcp", 8, 4),
    "tcp.flags": _spot("tcp", 12, 2, 0x0FFF),
    "tcp.flags.fin": _flag(0),
    "tcp.flags.syn": _flag(1),
    "tcp.flags.reset": _flag(2),
    "tcp.flags.push": _flag(3),
    "tcp.flags.ack": _flag(4),
    "tcp.flags.urg": _flag(5),
    "tcp.window_size_value": _spot("tcp", 14, 2),
    "udp.srcport": _spot("udp", 0, 2),
    "udp.dstport": _spot("udp", 2, 2),
    "icmp.type": _spot("icmp", 0, 1),
    "icmp.code": _spot("icmp", 1, 1),
    "icmpv6.type": _spot("icmpv6", 0, 1),
    "icmpv6.code": _spot("icmpv6", 1, 1),
}
LENGTHS = ("frame.len", "ip.len", "tcp.len", "udp.length")
"""Fields that are set by making a packet longer or shorter."""


def assigned(record: Record, name: str, value: Value, place: int | None = None) -> Record | None:
    """The packet with a field of this value, in one occurrence (counted from 0) or in all.

    A packet that has this value already is given back as it is.
    """
    if name in LENGTHS:
        return _of_length(record, name, int(value))
    spot = SPOTS.get(name)
    if spot is None:
        return None
    found = [h for h in headers(record.data, record.link) if h.protocol in spot.protocols]
    if place is not None:
        found = found[place : place + 1]
    data = record.data
    for header in found:
        changed = _written(data, header.start + spot.offset, spot, value)
        if changed is None:
            return None
        data = changed
    if not found:
        return None
    return record if data == record.data else mended(record._replace(data=data))


def value_of(record: Record, name: str) -> int | bytes | None:
    """What ``assigned`` would replace, in the first header that has the field."""
    spot = SPOTS.get(name)
    for header in headers(record.data, record.link) if spot else ():
        at = header.start + spot.offset if spot else 0
        octets = record.data[at : at + spot.size] if spot else b""
        if spot is None or header.protocol not in spot.protocols or len(octets) < spot.size:
            continue
        if spot.size > 4:
            return octets
        return (int.from_bytes(octets, "big") & _mask(spot)) >> spot.shift
    return None


def _mask(spot: Spot) -> int:
    return spot.mask if spot.mask > 0 else (1 << 8 * spot.size) - 1


def _written(data: bytes, at: int, spot: Spot, value: Value) -> bytes | None:
    end = at + spot.size
    if end > len(data):
        return None
    if isinstance(value, bytes):
        return data[:at] + value + data[end:] if len(value) == spot.size else None
    mask, number = _mask(spot), int(value) << spot.shift
    if number < 0 or number & ~mask:
        return None
    kept = int.from_bytes(data[at:end], "big") & ~mask
    return data[:at] + (kept | number).to_bytes(spot.size, "big") + data[end:]


# Lengths and checksums --------------------------------------------------------------------------


def mended(record: Record) -> Record:
    """Checksums put right, from the inside outwards; those of a packet cut short are left."""
    data = bytearray(record.data)
    found = headers(record.data, record.link)
    for at in range(len(found) - 1, -1, -1):
        header = found[at]
        if header.protocol == "ip":
            _sum_ip(data, header)
        elif not header.quoted and record.wire_length == len(record.data):
            around = next((h for h in reversed(found[:at]) if h.protocol in ("ip", "ipv6")), None)
            if around is not None and not _fragment(data, around):
                _sum_transport(data, header, around)
    return record._replace(data=bytes(data))


def _fragment(data: bytearray, ip: Header) -> bool:
    return ip.protocol == "ip" and bool(data[ip.start + 6] & 0x3F or data[ip.start + 7])


def _sum_ip(data: bytearray, header: Header) -> None:
    end = header.start + (data[header.start] & 0xF) * 4
    if end <= len(data):
        _put_sum(data, header.start + 10, bytes(data[header.start : end]), 10, b"")


def _sum_transport(data: bytearray, header: Header, ip: Header) -> None:
    place = {"tcp": 16, "udp": 6, "icmp": 2, "icmpv6": 2}.get(header.protocol)
    if place is None:
        return
    body = bytes(data[header.start : header.end])
    if header.protocol == "udp" and ip.protocol == "ip" and body[6:8] == b"\0\0":
        return  # the sender made no checksum
    pseudo = b"" if header.protocol == "icmp" else _pseudo(data, header, ip, len(body))
    _put_sum(data, header.start + place, body, place, pseudo, never_zero=header.protocol == "udp")


def _pseudo(data: bytearray, header: Header, ip: Header, length: int) -> bytes:
    number = {"tcp": 6, "udp": 17, "icmpv6": 58}[header.protocol]
    if ip.protocol == "ip":
        ends = bytes(data[ip.start + 12 : ip.start + 20])
        return ends + struct.pack(">BBH", 0, number, length)
    return bytes(data[ip.start + 8 : ip.start + 40]) + struct.pack(">II", length, number)


def _put_sum(
    data: bytearray, at: int, body: bytes, place: int, pseudo: bytes, *, never_zero: bool = False
) -> None:
    summed = checksum(pseudo + body[:place] + b"\0\0" + body[place + 2 :])
    data[at : at + 2] = (summed or (0xFFFF if never_zero else 0)).to_bytes(2, "big")


def grown(record: Record, octets: bytes) -> Record | None:
    """The packet with more octets at its end, counted by every length around them."""
    if record.wire_length != len(record.data):
        return None
    found = [h for h in headers(record.data, record.link) if not h.quoted]
    if not found:
        return None
    end = found[-1].end
    data = bytearray(record.data)
    for header in found:
        at = {"ip": 2, "ipv6": 4, "udp": 4, "pppoes": 4, "pppoed": 4}.get(header.protocol)
        at = 2 if header.protocol in CONTROL else at
        if at is not None:
            place = header.start + at
            length = int.from_bytes(data[place : place + 2], "big") + len(octets)
            if not 0 <= length <= 0xFFFF:
                return None
            data[place : place + 2] = length.to_bytes(2, "big")
    data[end:end] = octets
    return mended(replace_data(record, bytes(data)))


def shrunk(record: Record, octets: int) -> Record | None:
    """The packet with fewer octets at its end, of the innermost payload."""
    found = [h for h in headers(record.data, record.link) if not h.quoted]
    if not found or record.wire_length != len(record.data):
        return None
    data = bytearray(record.data)
    end = found[-1].end
    if end - octets < found[-1].start + {"tcp": 20, "udp": 8}.get(found[-1].protocol, 8):
        return None
    for header in found:
        at = {"ip": 2, "ipv6": 4, "udp": 4, "pppoes": 4, "pppoed": 4}.get(header.protocol)
        if at is not None:
            place = header.start + at
            length = int.from_bytes(data[place : place + 2], "big") - octets
            data[place : place + 2] = max(0, length).to_bytes(2, "big")
    del data[end - octets : end]
    return mended(replace_data(record, bytes(data)))


def replace_data(record: Record, data: bytes) -> Record:
    """The packet with other octets, all of them captured."""
    return record._replace(data=data, wire_length=len(data))


def _of_length(record: Record, name: str, value: int) -> Record | None:
    now = _length_now(record, name)
    if now is None or value < 0:
        return None
    more = value - now
    if more > 0:
        if name == "frame.len" and record.wire_length == len(record.data):
            return grown(record, bytes(more)) or replace_data(record, record.data + bytes(more))
        return grown(record, bytes(more)) if more < 0x10000 else None
    if more == 0:
        return record
    if name == "frame.len":
        smaller = shrunk(record, -more)
        return smaller or replace_data(record, record.data[:value])
    return shrunk(record, -more)


def _length_now(record: Record, name: str) -> int | None:
    if name == "frame.len":
        return record.wire_length
    protocol = name.split(".", maxsplit=1)[0]
    found = [h for h in headers(record.data, record.link) if h.protocol == protocol]
    if not found:
        return None
    header, data = found[0], record.data
    if name == "ip.len":
        return int.from_bytes(data[header.start + 2 : header.start + 4], "big")
    if name == "udp.length":
        return int.from_bytes(data[header.start + 4 : header.start + 6], "big")
    return header.end - header.start - (data[header.start + 12] >> 4) * 4


def without_octets(record: Record, octets: bytes) -> Record | None:
    """The packet with one bit turned wherever these octets stand."""
    if not octets or octets not in record.data:
        return None
    other = octets[:-1] + bytes([octets[-1] ^ 0x80])
    return mended(record._replace(data=record.data.replace(octets, other)))


def value_text(name: str, value: Value) -> str:
    """A value as people write it."""
    kind = FIELDS[name].type.name
    if kind == "IPV4" and isinstance(value, int):
        return str(IPv4Address(value))
    if isinstance(value, bytes):
        return str(IPv6Address(value)) if len(value) == 16 else value.hex(":")
    return str(int(value))


__all__ = [
    "LENGTHS",
    "SPOTS",
    "assigned",
    "grown",
    "mended",
    "replace_data",
    "shrunk",
    "value_of",
    "value_text",
    "without_octets",
]
