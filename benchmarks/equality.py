"""Both decoders, every cell: python benchmarks/equality.py [--frames N] [--damaged N] [--seed N]

Draws frames of every link type and layer, whole captures of scans with their replies, and TCP
conversations between few ends, puts them into captures, and compares the columnar decoder's table
with the reference decoder's: cells, counts, classes, damage. Then does the same with damaged frames
(octets of frames changed, cut, repeated, replaced) and damaged files. The same seed draws the same.

With NUMBA_BOUNDSCHECK=1 (and a NUMBA_CACHE_DIR of its own) an access beyond an array ends the run.
Exit status 0: no difference; 1: at least one; the capture is then kept in fuzz-failures/.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from generators.damage import random_damage
from generators.truth import Described

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
decoded = importlib.import_module("tests.properties.decoded")
equality = importlib.import_module("tests.properties.equality")
drawing = importlib.import_module("tests.properties.drawing")

FAILURES = Path("fuzz-failures")
BATCH = 500
"""Frames that are put into one capture."""

FILES_PER_FRAME = 100
"""One damaged file is made for so many damaged frames."""

WAYS = 5
"""Ways in which each drawn frame is damaged."""

IN_FRAMES = ("truncation", "flip", "lie", "splice", "loop")
LONGEST = 4_000
"""Octets of the longest damaged frame."""


class Drawn(NamedTuple):
    """A capture that is to be decoded."""

    kind: str
    data: bytes
    frames: tuple[int, ...] = ()
    """A number for the octets of each frame, the same for the same octets."""


@dataclasses.dataclass
class Total:
    """What was compared."""

    captures: int = 0
    frames: int = 0
    distinct: set[int] = dataclasses.field(default_factory=set)
    """Numbers of the frames' octets, where they are known."""
    delegated: int = 0
    cells: int = 0
    differing: int = 0
    """Captures with a difference."""
    seconds: float = 0.0


def drawn_frames(number: int, wanted: int) -> Iterator[Described]:
    """Generated frames: of any link type, of scans and their replies, of TCP conversations."""
    strategies = (
        *[drawing.of_all_kinds()] * 5,
        *[drawing.of_traffic()] * 3,
        *[drawing.of_conversations()] * 2,
    )
    left = wanted
    for nth in count():
        if left <= 0:
            return
        yield from drawing.drawn(strategies[nth % len(strategies)], number + nth, min(left, BATCH))
        left -= BATCH


def generated(number: int, wanted: int) -> Iterator[Drawn]:
    """Captures of BATCH generated frames each."""
    batch: list[Described] = []
    for frame in drawn_frames(number, wanted):
        batch.append(frame)
        if len(batch) == BATCH:
            yield _capture("generated", batch)
            batch = []
    if batch:
        yield _capture("generated", batch)


def _capture(kind: str, batch: Sequence[Described]) -> Drawn:
    numbers = tuple(hash((frame.linktype, frame.wire_length, frame.data)) for frame in batch)
    return Drawn(kind, decoded.in_one_file(batch).data, numbers)


def damaged(number: int, wanted: int) -> Iterator[Drawn]:
    """Captures of BATCH damaged frames each, and now and then a damaged capture."""
    chance = Random(number)
    batch: list[Described] = []
    drawn = drawn_frames(number + 1_000_000, -(-wanted // WAYS))
    for frame in islice((frame for frame in drawn for _ in range(WAYS)), wanted):
        batch.append(_damaged(frame, chance))
        if len(batch) == BATCH:
            yield from _damaged_captures(batch, chance)
            batch = []
    if batch:
        yield from _damaged_captures(batch, chance)


def _damaged(frame: Described, chance: Random) -> Described:
    """Octets that were damaged, and a length on the wire that may lie."""
    data = frame.data
    for _ in range(chance.randint(1, 2)):
        if data:
            data = random_damage(data, chance.getrandbits(32), kinds=IN_FRAMES).data[:LONGEST]
    wire = chance.choice((len(data), frame.wire_length, max(0, len(data) - chance.randrange(9))))
    return dataclasses.replace(frame, data=data, wire_length=wire)


def _damaged_captures(batch: Sequence[Described], chance: Random) -> Iterator[Drawn]:
    whole = _capture("damaged", batch)
    yield whole
    for _ in range(max(1, len(batch) // FILES_PER_FRAME)):
        yield Drawn("damaged file", random_damage(whole.data, chance.getrandbits(32)).data)


def compared(captures: Iterator[Drawn], totals: dict[str, Total]) -> None:
    """Compare every cell of some captures; what differs is told and kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.pcapng"
        for kind, data, numbers in captures:
            path.write_bytes(data)
            started = time.monotonic()
            found = equality.compare(path)
            total = totals.setdefault(kind, Total())
            total.seconds += time.monotonic() - started
            total.captures += 1
            total.frames += found.frames
            total.distinct.update(numbers)
            total.delegated += found.delegated
            total.cells += found.cells
            if found.differences:
                total.differing += 1
                _keep(kind, data, found.differences)


def _keep(kind: str, data: bytes, differences: Sequence[str]) -> None:
    FAILURES.mkdir(exist_ok=True)
    kept = FAILURES / f"equality-{zlib.crc32(data):08x}.pcapng"
    kept.write_bytes(data)
    for difference in differences:
        say(f"{kind}, {kept}: {difference}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def summary(totals: dict[str, Total]) -> str:
    """One line for each kind of capture."""
    lines = [
        "kind           captures    frames  distinct  by kernels        cells  differing  seconds"
    ]
    for kind, total in totals.items():
        kernels = total.frames - total.delegated
        lines.append(
            f"{kind:<14} {total.captures:>8} {total.frames:>9} {len(total.distinct) or '':>9} "
            f"{kernels:>11} {total.cells:>12} {total.differing:>10} {total.seconds:>8.0f}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_PLAIN)
    parser.add_argument("--frames", type=int, default=200_000, help="generated frames (200000)")
    parser.add_argument("--damaged", type=int, default=50_000, help="damaged frames (50000)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (1)")
    wanted = parser.parse_args(argv)
    if wanted.frames < 0 or wanted.damaged < 0 or not wanted.frames + wanted.damaged:
        parser.error("--frames and --damaged: expected a number of frames, and one above 0")
    totals: dict[str, Total] = {}
    compared(generated(wanted.seed, wanted.frames), totals)
    compared(damaged(wanted.seed, wanted.damaged), totals)
    say(summary(totals))
    checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
    say(f"seed {wanted.seed}, bounds {'checked' if checked else 'not checked'}")
    return 1 if any(total.differing for total in totals.values()) else 0


_PLAIN = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
