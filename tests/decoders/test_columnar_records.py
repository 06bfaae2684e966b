"""Records as the kernels scan them: lengths that lie, options, times that no column holds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from decoders.columnar.records import batches
from decoders.containers import open_captures
from decoders.frames import Frame
from tests.decoders.capture_bytes import (
    MODIFIED,
    epb,
    idb,
    pcap_header,
    pcap_record,
    shb,
)

DATA = bytes(range(40))
SECONDS, NANOSECONDS, PICOSECONDS = (9, b"\0"), (9, b"\x09"), (9, b"\x0c")
HALVES = (9, b"\x81")
FCS = (13, b"\x04")
"""Options if_tsresol and if_fcslen."""


def scanned(path: Path) -> tuple[list[Frame], str]:
    """Frames of all batches, and what damage was found; the plain reader finds the same."""
    capture = open_captures([path])
    expected = list(capture.frames())
    damage = capture.damage
    found = [
        batch.frame(row, batch.first + row)
        for batch in batches(capture)
        for row in range(len(batch))
    ]
    assert found == expected
    assert capture.damage == damage
    return found, "" if damage is None else damage.found


def written(path: Path, *octets: bytes) -> Path:
    path.write_bytes(b"".join(octets))
    return path


def flags(word: int, *, octets: int = 4) -> tuple[int, bytes]:
    return 2, word.to_bytes(4, "little")[:octets]


@pytest.mark.parametrize(
    "pairs",
    [
        [flags(1)],
        [flags(4 << 5)],
        [flags(2 << 5)],
        [(4, bytes(8)), flags(0)],
        [(1, b"a comment")],
        [(4, bytes(8)), (1, b"a comment")],
        [(3, bytes(8)), (5, bytes(8))],
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_options_of_a_packet(pairs: list[tuple[int, bytes]], order: str, tmp_path: Path) -> None:
    section = shb(order=order) + idb(pairs=[FCS], order=order)
    packets = epb(5, DATA, order=order), epb(6, DATA, pairs=pairs, order=order)
    found, said = scanned(written(tmp_path / "a.pcapng", section, *packets, packets[0]))
    assert [(frame.time_ns, frame.data, said) for frame in found] == [
        *((5_000, DATA, ""), (6_000, DATA, ""), (5_000, DATA, ""))
    ]


def test_options_without_an_end_mark(tmp_path: Path) -> None:
    body = struct.pack("<5I", 0, 0, 7, len(DATA), len(DATA)) + DATA + struct.pack("<HHQ", 4, 8, 1)
    length = struct.pack("<I", len(body) + 12)
    packet = struct.pack("<I", 6) + length + body + length
    found, said = scanned(written(tmp_path / "a.pcapng", shb(), idb(), packet, packet))
    assert [(frame.time_ns, said) for frame in found] == [(7_000, ""), (7_000, "")]


def test_flags_of_three_octets_are_damage(tmp_path: Path) -> None:
    packets = epb(5, DATA), epb(6, DATA, pairs=[flags(1, octets=3)])
    found, said = scanned(written(tmp_path / "a.pcapng", shb(), idb(), *packets))
    assert (len(found), said) == (1, "epb_flags of 3 octets")


@pytest.mark.parametrize(
    ("resolution", "ticks", "frames"),
    [
        (SECONDS, 2**33, 2),
        (SECONDS, 2**40, 1),
        (SECONDS, 2**63, 1),
        (NANOSECONDS, 2**63 + 5, 1),
        (PICOSECONDS, 2**63 + 10**12, 2),
        (HALVES, 2**64 - 1, 1),
    ],
)
def test_a_time_that_no_column_holds_is_damage(
    resolution: tuple[int, bytes], ticks: int, frames: int, tmp_path: Path
) -> None:
    section = shb() + idb(pairs=[resolution])
    found, said = scanned(written(tmp_path / "a.pcapng", section, epb(1, DATA), epb(ticks, DATA)))
    assert len(found) == frames
    assert bool(said) == (frames == 1)


def test_a_block_whose_two_lengths_differ(tmp_path: Path) -> None:
    broken = bytearray(epb(2, DATA))
    broken[-4] ^= 8
    found, said = scanned(written(tmp_path / "a.pcapng", shb(), idb(), epb(1, DATA), bytes(broken)))
    assert len(found) == 1
    assert said


@pytest.mark.parametrize(
    ("version", "lengths", "octets"),
    [((2, 4), (40, 60), (40, 60)), ((2, 3), (60, 40), (40, 60)), ((2, 2), (60, 40), (40, 60))],
)
def test_old_files_have_their_lengths_the_other_way_round(
    version: tuple[int, int], lengths: tuple[int, int], octets: tuple[int, int], tmp_path: Path
) -> None:
    record = struct.pack("<4I", 1, 0, *lengths) + DATA
    found, said = scanned(
        written(tmp_path / "a.pcap", pcap_header(version=version), record, record)
    )
    assert [(len(frame.data), frame.wire_length) for frame in found] == [octets, octets]
    assert said == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_record_larger_than_any(order: str, tmp_path: Path) -> None:
    records = pcap_record(1, 0, DATA, order=order), struct.pack(order + "4I", 2, 0, 300_000, 9)
    found, said = scanned(
        written(tmp_path / "a.pcap", pcap_header(order=order), *records, bytes(99))
    )
    assert len(found) == 1
    assert "300000" in said


def test_modified_records(tmp_path: Path) -> None:
    record = pcap_record(1, 5, DATA, 44, modified=True)
    found, said = scanned(written(tmp_path / "a.pcap", pcap_header(MODIFIED), record, record[:-1]))
    assert [(frame.time_ns, frame.wire_length) for frame in found] == [(1_000_005_000, 44)]
    assert said
