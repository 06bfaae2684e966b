"""Damaged frames: octets changed, frames cut and filled up; every cell as the reference has it."""

from __future__ import annotations

import random
from pathlib import Path
from struct import pack

import polars
import pytest

from decoders.columnar.decoder import ColumnarDecoder
from decoders.columnar.records import batches
from decoders.containers import open_captures
from decoders.fields import FIELDS
from decoders.table import decode

GOLDEN = Path(__file__).parent.parent / "golden"
EVERYTHING = list(FIELDS)
ETHERNET, WITH_FCS = 1, 0x2400_0000
FRAMES = 600
TELLING = (0, 1, 2, 4, 6, 8, 0x11, 0x45, 0x60, 0x81, 0xFF)
"""Octets that mean something in many places: versions, lengths, protocol numbers, types."""


def sound_frames() -> list[bytes]:
    paths = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))
    return [
        frame.data
        for path in paths
        for frame in open_captures([path]).frames()
        if frame.interface.linktype == ETHERNET and len(frame.data) < 2000
    ]


def damaged(frame: bytes, chance: random.Random) -> tuple[bytes, int]:
    """Octets of a record, and what it says of the wire."""
    octets = bytearray(frame)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8)) if octets else 0):
        octets[min(int(chance.expovariate(1 / 30)), len(octets) - 1)] = chance.choice(TELLING)
    wire = len(octets)
    what = chance.randrange(6)
    if what == 0:
        octets = octets[: chance.randrange(len(octets) + 1)]
    elif what == 1:
        octets = octets[: chance.randrange(len(octets) + 1)]
        wire = len(octets)
    elif what == 2:
        octets += bytes(chance.choice((1, 4, 10, 30)))
        wire = len(octets)
    elif what == 3:
        wire = max(0, wire - chance.randrange(5))
    return bytes(octets), wire


def written(path: Path, seed: int, fcs: int) -> Path:
    chance = random.Random(seed)
    frames = sound_frames()
    octets = pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, ETHERNET | fcs)
    for number in range(FRAMES):
        data, wire = damaged(chance.choice(frames), chance)
        octets += pack("<IIII", number, chance.randrange(1_000_000), len(data), wire) + data
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize(("seed", "fcs"), [(1, 0), (2, 0), (3, WITH_FCS)])
def test_damage_is_shown_alike(seed: int, fcs: int, tmp_path: Path) -> None:
    capture = open_captures([written(tmp_path / "damaged.pcap", seed, fcs)])
    decoder = ColumnarDecoder(EVERYTHING)
    parts = [decoder.finish(decoder.decode(batch)) for batch in batches(capture)]
    packets = polars.concat((decoder.empty(), *parts), how="diagonal")
    reference = decode(capture, EVERYTHING, decoder="reference")
    theirs = reference.packets
    assert set(packets.columns) == set(theirs.columns)
    different = [n for n in packets.columns if not packets[n].equals(theirs[n], null_equal=True)]
    assert different == []
    assert decoder.malformed == reference.malformed > 0
    assert decoder.short == reference.short > 0
    assert dict(decoder.undecoded) == reference.undecoded
    assert decoder.delegated < FRAMES / 4
