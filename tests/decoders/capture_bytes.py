"""Small builders of pcap and pcapng bytes, independent of the readers they test."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

US, NS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
SHB, IDB, OPB, SPB, EPB = 0x0A0D0D0A, 1, 2, 3, 6
CUSTOM, CUSTOM_NO_COPY, JOURNAL = 0xBAD, 0x40000BAD, 9

Option = tuple[int, bytes]


def pcap_header(
    magic: int = US, order: str = "<", link: int = 1, version: tuple[int, int] = (2, 4)
) -> bytes:
    """The 24 octets before the first record."""
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, 262144, link)


def pcap_record(
    seconds: int,
    fraction: int,
    data: bytes,
    wire_length: int | None = None,
    *,
    order: str = "<",
    modified: bool = False,
) -> bytes:
    """One record; ``modified`` adds the 8 octets of the a1b2cd34 format."""
    wire = len(data) if wire_length is None else wire_length
    head = struct.pack(order + "IIII", seconds, fraction, len(data), wire)
    if modified:
        head += struct.pack(order + "IHBB", 3, 0x0008, 0, 0)
    return head + data


def options(order: str, pairs: Iterable[Option]) -> bytes:
    """An option list with its end mark; empty for no options."""
    out = b"".join(struct.pack(order + "HH", c, len(value)) + pad(value) for c, value in pairs)
    return out + bytes(4) if out else b""


def pad(data: bytes) -> bytes:
    """Filled up with zeros to a multiple of four octets."""
    return data + bytes(-len(data) % 4)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block around a body that is already padded."""
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def shb(order: str = "<", pairs: Sequence[Option] = (), version: tuple[int, int] = (1, 0)) -> bytes:
    """A Section Header Block of unknown section length."""
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + options(order, pairs)
    return block(SHB, body, order)


def idb(link: int = 1, snaplen: int = 0, pairs: Sequence[Option] = (), order: str = "<") -> bytes:
    """An Interface Description Block."""
    return block(IDB, struct.pack(order + "HHI", link, 0, snaplen) + options(order, pairs), order)


def epb(
    ticks: int,
    data: bytes,
    interface: int = 0,
    *,
    wire_length: int | None = None,
    pairs: Sequence[Option] = (),
    order: str = "<",
) -> bytes:
    """An Enhanced Packet Block; ``ticks`` in the interface's resolution."""
    wire = len(data) if wire_length is None else wire_length
    fields = (interface, ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF, len(data), wire)
    return block(EPB, struct.pack(order + "5I", *fields) + pad(data) + options(order, pairs), order)


def opb(ticks: int, data: bytes, interface: int = 0, drops: int = 0, order: str = "<") -> bytes:
    """An obsolete Packet Block."""
    fields = (interface, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(OPB, struct.pack(order + "HH4I", *fields) + pad(data), order)


def spb(data: bytes, wire_length: int | None = None, order: str = "<") -> bytes:
    """A Simple Packet Block."""
    wire = len(data) if wire_length is None else wire_length
    return block(SPB, struct.pack(order + "I", wire) + pad(data), order)


def custom(pen: int, data: bytes, kind: int = CUSTOM, order: str = "<") -> bytes:
    """A Custom Block of the Private Enterprise Number ``pen``."""
    return block(kind, struct.pack(order + "I", pen) + pad(data), order)
