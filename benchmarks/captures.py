"""Captures of millions of packets for benchmarks: templates of generators, varied by the column.

Two kinds of traffic: ``scan`` is TCP SYNs to one site in VLAN 7 and PPPoE, 66 octets each; ``mix``
has also UDP probes, pings, IPv6, fragmented datagrams, probes that are answered with an ICMP error,
and LCP echoes. Checksums of varied packets are those of their template.
"""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators import packets as p

SITE, SITE6 = "203.0.113.1", "2001:db8:1::1"
PROBER, PROBER6 = "198.51.100.7", "2001:db8:2::7"
WIRE = p.Wire(bytes.fromhex("020000000101"), bytes.fromhex("020000000202"), 7, 0x1234)
PORTS = np.array([23, 1433, 22, 2323, 445, 8545, 3389, 80, 81, 8080])
SOURCES = 50_000
LCP = 0xC021
DAY_US = 86_400 * 10**6
START_US = 1_500_000_000 * 10**6
UNITS = 100_000
"""Units that are made at a time."""
RECORD = 16


@dataclass(frozen=True)
class Unit:
    """Frames that belong together, and where they vary: frame, offset, octets, variable."""

    frames: tuple[bytes, ...]
    vary: tuple[tuple[int, int, int, str], ...]


def _framed(*packets: tuple[bytes, bool]) -> tuple[tuple[bytes, ...], int]:
    frames = tuple(WIRE.frame(packet, outgoing=outgoing) for packet, outgoing in packets)
    return frames, len(frames[0]) - len(packets[0][0])


def _syn() -> bytes:
    segment = p.tcp(p.Segment(40_000, 23), src=PROBER, dst=SITE)
    return p.ipv4(segment, src=PROBER, dst=SITE, protocol=p.TCP)


def _probe_at(frame: int, at: int) -> tuple[tuple[int, int, int, str], ...]:
    """A probe's source, ident and ports, its IPv4 header beginning at ``at``."""
    return (
        (frame, at + 4, 2, "ident"),
        (frame, at + 12, 4, "source"),
        (frame, at + 20, 2, "port"),
        (frame, at + 22, 2, "service"),
    )


def _syn_unit() -> Unit:
    frames, at = _framed((_syn(), False))
    return Unit(frames, (*_probe_at(0, at), (0, at + 24, 4, "sequence")))


def _udp_unit() -> Unit:
    datagram = p.udp(bytes(24), src=PROBER, dst=SITE, srcport=5060, dstport=5060)
    packet = p.ipv4(datagram, src=PROBER, dst=SITE, protocol=p.UDP)
    frames, at = _framed((packet, False))
    return Unit(frames, _probe_at(0, at))


def _ping_unit() -> Unit:
    echo = p.icmp_echo(p.ECHO_REQUEST, 1, 1, bytes(32))
    packet = p.ipv4(echo, src=PROBER, dst=SITE, protocol=p.ICMP)
    frames, at = _framed((packet, False))
    return Unit(frames, ((0, at + 12, 4, "source"), (0, at + 26, 2, "ident")))


def _ipv6_unit() -> Unit:
    segment = p.tcp(p.Segment(40_000, 23), src=PROBER6, dst=SITE6)
    frames, at = _framed((p.ipv6(segment, src=PROBER6, dst=SITE6, protocol=p.TCP), False))
    return Unit(frames, ((0, at + 20, 4, "source"), (0, at + 42, 2, "service")))


def _fragments_unit() -> Unit:
    datagram = p.udp(bytes(600), src=PROBER, dst=SITE, srcport=53, dstport=53)
    pieces = []
    for start, end, word in ((0, 400, 0x2000), (400, len(datagram), 400 // 8)):
        packet = p.ipv4(datagram[start:end], src=PROBER, dst=SITE, protocol=p.UDP)
        pieces.append((packet[:6] + struct.pack(">H", word) + packet[8:], False))
    frames, at = _framed(*pieces)
    vary = [(nth, at + offset, size, name) for nth in (0, 1)
            for offset, size, name in ((4, 2, "ident"), (12, 4, "source"))]  # fmt: skip
    return Unit(frames, tuple(vary))


def _rejected_unit() -> Unit:
    probe = _syn()
    error = p.icmp_error(p.UNREACHABLE, p.ADMINISTRATIVELY_PROHIBITED, probe)
    answer = p.ipv4(error, src=SITE, dst=PROBER, protocol=p.ICMP)
    frames, at = _framed((probe, False), (answer, True))
    return Unit(frames, (*_probe_at(0, at), (1, at + 16, 4, "source"), *_probe_at(1, at + 28)))


def _lcp_unit() -> Unit:
    echo = struct.pack(">BBHI", 9, 1, 8, 0x01020304) + bytes(32)
    return Unit((WIRE.link(LCP, echo, outgoing=True),), ())


def kinds(traffic: str) -> list[tuple[Unit, float]]:
    """Units of a kind of traffic with their shares; the first holds one frame."""
    if traffic == "scan":
        return [(_syn_unit(), 1.0)]
    return [
        (_syn_unit(), 0.50),
        (_rejected_unit(), 0.20),
        (_udp_unit(), 0.12),
        (_ipv6_unit(), 0.06),
        (_ping_unit(), 0.05),
        (_lcp_unit(), 0.05),
        (_fragments_unit(), 0.02),
    ]


def write_capture(path: Path, packets: int, traffic: str, seed: int = 7) -> None:
    """A pcap of exactly ``packets`` frames over a day."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for part in _parts(packets, kinds(traffic), np.random.default_rng(seed)):
            file.write(part.data)


def _parts(
    packets: int, known: Sequence[tuple[Unit, float]], random: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    counts = np.array([len(unit.frames) for unit, _ in known])
    shares = [share for _, share in known]
    written = 0
    while written < packets:
        chosen = random.choice(len(known), UNITS, p=shares)
        frames = np.cumsum(counts[chosen])
        units = int(np.searchsorted(frames, packets - written)) + 1
        if units <= UNITS:
            chosen, frames = chosen[:units], frames[:units]
            if frames[-1] > packets - written:
                chosen[-1], frames[-1] = 0, packets - written
        first = written + frames - counts[chosen]
        yield _part(known, chosen, first, packets, random)
        written += int(frames[-1])


def _part(
    known: Sequence[tuple[Unit, float]],
    chosen: NDArray[np.int64],
    first: NDArray[np.int64],
    packets: int,
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    sizes = np.array([sum(RECORD + len(f) for f in unit.frames) for unit, _ in known])[chosen]
    starts = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), np.uint8)
    for kind, (unit, _) in enumerate(known):
        places = np.flatnonzero(chosen == kind)
        if len(places):
            records = _records(unit, first[places], packets, random)
            out[starts[places][:, None] + np.arange(records.shape[1])] = records
    return out


def _records(
    unit: Unit, first: NDArray[np.int64], packets: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    template = b"".join(
        struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in unit.frames
    )
    records = np.tile(np.frombuffer(template, np.uint8), (len(first), 1))
    starts = np.cumsum([0, *(RECORD + len(frame) for frame in unit.frames)])
    for nth in range(len(unit.frames)):
        time = START_US + (first + nth) * DAY_US // packets
        _put(records, starts[nth], 4, time // 10**6, "<")
        _put(records, starts[nth] + 4, 4, time % 10**6, "<")
    values = _variables(first, random)
    for frame, offset, size, name in unit.vary:
        _put(records, starts[frame] + RECORD + offset, size, values[name], ">")
    return records


def _variables(
    first: NDArray[np.int64], random: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    count = len(first)
    common = PORTS[random.integers(0, len(PORTS), count)]
    rare = random.integers(1, 65_536, count)
    return {
        "source": 0x0B000000 + random.integers(0, SOURCES, count) * 4099,
        "ident": first & 0xFFFF,
        "port": 32_768 + first % 28_000,
        "service": np.where(random.random(count) < 0.6, common, rare),
        "sequence": first * 2_654_435_761 & 0xFFFFFFFF,
    }


def _put(
    records: NDArray[np.uint8], at: int, size: int, values: NDArray[np.int64], order: str
) -> None:
    octets = values.astype(f"{order}u8").view(np.uint8).reshape(-1, 8)
    records[:, at : at + size] = octets[:, :size] if order == "<" else octets[:, 8 - size :]


def shapes(whole: Path, folder: Path, count: int = 50) -> list[tuple[str, list[Path]]]:
    """A ``scan`` capture cut off in the middle of its last record, and its packets otherwise."""
    cut = folder / "cut.pcap"
    with whole.open("rb") as source, cut.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 24)
        target.truncate(whole.stat().st_size - 30)
    packed = folder / "cut.pcap.gz"
    with cut.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as squeezed:
        shutil.copyfileobj(plain, squeezed, 1 << 24)
    pieces = _pieces(cut, folder, count)
    return [("cut", [cut]), ("cut, .gz", [packed]), (f"cut, {count} files", pieces)]


def _pieces(capture: Path, folder: Path, count: int) -> list[Path]:
    """The records of a ``scan`` capture, all of one size, in files; the last one is cut."""
    octets = capture.read_bytes()
    head, records = octets[:24], octets[24:]
    size = 16 + int.from_bytes(records[8:12], "little")
    each = -(-len(records) // size // count) * size
    paths = []
    for nth in range(count):
        path = folder / f"piece-{nth:02}.pcap"
        path.write_bytes(head + records[nth * each : (nth + 1) * each])
        paths.append(path)
    return paths
