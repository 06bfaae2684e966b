"""Frames -> a pcapng file that a witness can read: one section, nanoseconds, one interface each.

Format: the pcapng draft (Section Header, Interface Description, Enhanced, Simple and Custom
Packet Blocks), little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from decoders.frames import Frame, Interface

SECTION, INTERFACE, SIMPLE, ENHANCED, CUSTOM = 0x0A0D0D0A, 1, 3, 6, 0x0BAD
IF_NAME, IF_TSRESOL, IF_FCSLEN, COMMENT = 2, 9, 13, 1
NANOSECONDS = 9
PRIVATE_ENTERPRISE = 0


def write_pcapng(path: Path, frames: Iterable[Frame]) -> int:
    """Write all frames, in order; returns how many."""
    count = 0
    interfaces: dict[Interface, int] = {}
    with path.open("wb") as file:
        file.write(_block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for frame in frames:
            if frame.interface not in interfaces and frame.interface.linktype >= 0:
                interfaces[frame.interface] = len(interfaces)
                file.write(_interface(frame.interface))
            file.write(_packet(frame, interfaces))
            count += 1
    return count


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    total = len(body) + 12
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _interface(interface: Interface) -> bytes:
    options = _option(IF_TSRESOL, bytes([NANOSECONDS]))
    if interface.name is not None:
        options += _option(IF_NAME, interface.name.encode())
    if interface.fcs_octets is not None:
        options += _option(IF_FCSLEN, bytes([interface.fcs_octets]))
    return _block(INTERFACE, struct.pack("<HHI", interface.linktype, 0, 0) + options + bytes(4))


def _packet(frame: Frame, interfaces: dict[Interface, int]) -> bytes:
    data = frame.data + bytes(-len(frame.data) % 4)
    if frame.interface.linktype < 0:
        return _block(CUSTOM, struct.pack("<I", PRIVATE_ENTERPRISE) + frame.data)
    number = interfaces[frame.interface]
    whole = len(frame.data) == frame.wire_length
    if frame.time_ns is None and number == 0 and whole and not frame.comments:
        return _block(SIMPLE, struct.pack("<I", frame.wire_length) + data)
    time = frame.time_ns or 0
    head = struct.pack(
        "<IIIII",
        number,
        time >> 32 & 0xFFFFFFFF,
        time & 0xFFFFFFFF,
        len(frame.data),
        frame.wire_length,
    )
    options = b"".join(_option(COMMENT, comment.encode()) for comment in frame.comments)
    return _block(ENHANCED, head + data + (options + bytes(4) if options else b""))
