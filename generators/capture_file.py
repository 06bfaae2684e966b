"""Frames with times -> a pcapng file in memory: one section, one interface, the same bytes always.

Format: the pcapng draft, little-endian. The section header may carry who wrote the file and a
comment; a twin is recognised by both (``TWIN_MARK``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

SECTION, INTERFACE, ENHANCED = 0x0A0D0D0A, 1, 6
END, COMMENT, IF_NAME, IF_TSRESOL, SHB_USERAPPL = 0, 1, 2, 9, 4
LINKTYPE_ETHERNET = 1
TWIN_MARK = "replicap twin"
"""With what ``shb_userappl`` of a twin begins."""
MAX_HEADER = 1 << 20
"""Octets of a section header that are looked at."""


class Packet(NamedTuple):
    """One frame: nanoseconds since 1970-01-01 UTC, and its octets."""

    time_ns: int
    data: bytes


def pcapng(
    packets: Iterable[Packet],
    *,
    application: str = "",
    comment: str = "",
    linktype: int = LINKTYPE_ETHERNET,
    tsresol: int = 9,
    interface: str = "",
) -> bytes:
    """A whole file. ``tsresol``: time stamps count 10^-tsresol seconds (9 or less)."""
    if not 0 <= tsresol <= 9:
        raise ValueError(f"a resolution of 10^-{tsresol} s; expected 0 to 9")
    about = _option(COMMENT, comment.encode()) if comment else b""
    about += _option(SHB_USERAPPL, application.encode()) if application else b""
    parts = [_block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _ended(about))]
    seen = _option(IF_NAME, interface.encode()) if interface else b""
    seen += _option(IF_TSRESOL, bytes([tsresol]))
    parts.append(_block(INTERFACE, struct.pack("<HHI", linktype, 0, 0) + _ended(seen)))
    unit = 10 ** (9 - tsresol)
    parts += [_packet(packet.time_ns // unit, packet.data) for packet in packets]
    return b"".join(parts)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _ended(options: bytes) -> bytes:
    return options + struct.pack("<HH", END, 0) if options else b""


def _packet(time: int, data: bytes) -> bytes:
    size = len(data)
    head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, size, size)
    return _block(ENHANCED, head + data)


def section_options(data: bytes) -> dict[int, str]:
    """Options of the first section header of a pcapng file, by code; empty for anything else.

    Never raises: the file is somebody else's. Later ones of the same code win.
    """
    if len(data) < 28 or data[:4] != struct.pack(">I", SECTION):
        return {}
    order = "<" if data[8:12] == struct.pack("<I", 0x1A2B3C4D) else ">"
    (total,) = struct.unpack(f"{order}I", data[4:8])
    end = min(total - 4, len(data), MAX_HEADER)
    found: dict[int, str] = {}
    at = 24
    while at + 4 <= end:
        code, length = struct.unpack(f"{order}HH", data[at : at + 4])
        if code == END or at + 4 + length > end:
            break
        found[code] = data[at + 4 : at + 4 + length].decode("utf-8", "replace")
        at += 4 + length + -length % 4
    return found


def twin_of(head: bytes) -> str | None:
    """What a capture says it is the twin of; None when it does not say that it is a twin.

    ``head``: the first octets of the file, its section header at least.
    """
    about = section_options(head)
    if not about.get(SHB_USERAPPL, "").startswith(TWIN_MARK):
        return None
    return about.get(COMMENT, "") or "an expectation file"
