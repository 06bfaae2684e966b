"""Small captures and expectation files for tests of the command and the pytest plugin."""

from __future__ import annotations

import struct
from pathlib import Path

ETHERNET = 1


def pcap(*frames: bytes, link: int = ETHERNET) -> bytes:
    """A little-endian microsecond capture, one frame a second from 2020-01-01T00:00:00Z."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    return head + b"".join(
        struct.pack("<IIII", 1577836800 + second, 0, len(frame), len(frame)) + frame
        for second, frame in enumerate(frames)
    )


def udp(source_port: int, target_port: int) -> bytes:
    """Ethernet, IPv4 192.0.2.1 -> 192.0.2.2, UDP without payload."""
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 17, 0) + bytes(
        [192, 0, 2, 1, 192, 0, 2, 2]
    )
    return ethernet + ip + struct.pack(">HHHH", source_port, target_port, 8, 0)


THREE = pcap(udp(1000, 7), udp(1001, 7), udp(1002, 9))
"""Three UDP packets: two to port 7, one to port 9."""


def block(kind: int, body: bytes) -> bytes:
    """One little-endian pcapng block."""
    body += bytes(-len(body) % 4)
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
INTERFACE = block(1, struct.pack("<HHI", ETHERNET, 0, 0))


def packet_block(data: bytes, comment: bytes = b"", interface: int = 0) -> bytes:
    """An Enhanced Packet Block at time 0, with a comment when one is given."""
    body = struct.pack("<IIIII", interface, 0, 0, len(data), len(data)) + data
    body += bytes(-len(data) % 4)
    if comment:
        body += struct.pack("<HH", 1, len(comment)) + comment + bytes(-len(comment) % 4)
        body += struct.pack("<HH", 0, 0)
    return block(6, body)


HEAD = """\
replicap: 1
title: Three packets
source: {by: A test, url: https://example.org/figures}
claims:
"""

RIGHT = """\
  - id: packets
    says: There are three packets.
    at: {section: Counts, item: 1}
    tags: [counts, xfail]
    measure: packets
    equals: 3
"""
WRONG = """\
  - id: to-port-7
    says: Three packets go to port 7.
    at: {section: Ports, item: 1}
    tags: [ports]
    where: udp.dstport == 7
    measure: packets
    equals: 3
    interpretation: Only UDP was looked at.
    note: The page counts port 9 as well.
"""
UNTESTABLE = """\
  - id: who
    says: The owner is known.
    at: {section: Owner}
    tags: [people]
    not_testable: needs the operator's word
"""


def expectations(folder: Path, *claims: str, name: str = "three.yaml", head: str = HEAD) -> Path:
    """An expectation file with these claims."""
    path = folder / name
    path.write_text(head + "".join(claims), "utf-8")
    return path


def capture(folder: Path, content: bytes = THREE, name: str = "three.pcap") -> Path:
    """A file with these octets."""
    path = folder / name
    path.write_bytes(content)
    return path
