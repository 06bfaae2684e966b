"""Hostile captures in bulk: python benchmarks/hostile.py DIR... [--damaged N] [--seed N] [--jobs N]

Runs fields, verify (with a generic expectation file) and decode over every capture of the
directories, by the reference and the columnar decoder in turn, each command in a process of its
own that is forked from a warm one, with limits of 10 seconds and 512 MB (see confined.py). With
--damaged N, N damaged files are made of the captures, always the same for a seed; the frames before
the damage must be printed as the reference decoder prints them of the undamaged file. Prints files,
packets, tracebacks, signals, timeouts, over-memory, damaged-and-said-so.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import pickle
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.confined import Ended, Limits, confined
from decoders.containers import capture_files
from generators import captures, parts
from generators.damage import Damaged, random_damage
from generators.truth import described

LARGEST = 400_000
"""Octets of the largest capture that is damaged; larger ones are only run whole."""

GENERIC = """replicap: 1
title: Anything at all
source: {by: hostile, url: https://example.org/}
claims:
  - {id: packets, says: packets, at: {section: all}, measure: packets, at_least: 0}
  - {id: sources, says: sources, at: {section: all}, measure: {distinct: ip.src}, at_least: 0}
  - {id: ports, says: ports, at: {section: all}, where: tcp, measure: {streams: tcp}, at_least: 0}
"""

FIELDS = ("frame.number", "frame.time_epoch", "frame.len", "frame.protocols", "ip.src",
          "ipv6.src", "tcp.dstport", "udp.dstport", "tcp.stream", "replicap.class")  # fmt: skip

BAD = (
    "traceback",
    "timeout",
    "over-memory",
    "signal",
    "status",
    "frames-changed",
)
STATUSES = {"fields": (0, 3), "decode": (0, 3), "verify": (0, 2, 3)}
"""What the commands may end with: 2 is what verify says when nothing could be verified."""


class Outcome(NamedTuple):
    """What came of one capture."""

    kind: str
    """``fine``, ``said`` (damage or refusal in one line), or one of :data:`BAD`."""
    note: str
    lines: tuple[bytes, ...]
    """What ``fields`` printed, one line a frame."""
    octets: int
    """The greatest peak of resident memory among its processes."""


def commands(path: Path, expectation: Path, out: Path, number: int) -> Iterator[list[str]]:
    """The decoders take turns, in one order for even numbers and in the other for odd ones."""
    decoders = ("reference", "columnar") if number % 2 == 0 else ("columnar", "reference")
    fields = ["fields", str(path), *(part for name in FIELDS for part in ("-e", name))]
    yield [*fields, "--decoder", decoders[0]]
    yield ["verify", str(path), "-e", str(expectation), "--decoder", decoders[1]]
    yield ["decode", str(path), "--to", str(out), "--decoder", decoders[0]]


def _command(words: list[str]) -> int:
    from harness.cli import main

    return main(words)


def run(path: Path, expectation: Path, number: int) -> Outcome:
    """The commands over one capture, each in a process of its own."""
    lines: tuple[bytes, ...] = ()
    said, most = False, 0
    with tempfile.TemporaryDirectory() as folder:
        for words in commands(path, expectation, Path(folder, "out.parquet"), number):
            ended = confined(partial(_command, words))
            most = max(most, ended.octets)
            if kind := bad(words[0], ended):
                note = f"{' '.join(words)}: status {ended.status}: {ended.heard[-800:]}"
                return Outcome(kind, note, lines, most)
            said = said or ended.status == 3
            if words[0] == "fields":
                lines = tuple(ended.out.splitlines())
    return Outcome("said" if said else "fine", "", lines, most)


def bad(command: str, ended: Ended) -> str:
    """What must not be; empty when all is well."""
    if ended.kind != "ended":
        return ended.kind
    return "" if ended.status in STATUSES[command] else "status"


def differing(must: Sequence[bytes], found: Sequence[bytes]) -> str:
    """The first line that two lists do not share."""
    for number, (a, b) in enumerate(zip(must, found, strict=False), start=1):
        if a != b:
            return f"frame {number}: {a!r} and {b!r}"
    return f"{len(must)} frames and {len(found)}"


# What stands before the damage ----------------------------------------------------------------


def record_ends(data: bytes) -> list[int]:
    """Where the frames of an undamaged, plain capture end, by its lengths alone; else nothing.

    A walk of its own, beside the readers: pcap records, and the packet blocks 2, 3 and 6 of pcapng.
    """
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return _block_ends(data)
    heads = {b"\xd4\xc3\xb2\xa1": ("<", 16), b"\xa1\xb2\xc3\xd4": (">", 16),
             b"\x4d\x3c\xb2\xa1": ("<", 16), b"\xa1\xb2\x3c\x4d": (">", 16),
             b"\x34\xcd\xb2\xa1": ("<", 24), b"\xa1\xb2\xcd\x34": (">", 24)}  # fmt: skip
    if data[:4] not in heads:
        return []
    order, size = heads[data[:4]]
    ends, at = [], 24
    while at + size <= len(data):
        at += size + struct.unpack_from(order + "I", data, at + 8)[0]
        if at <= len(data):
            ends.append(at)
    return ends


def _block_ends(data: bytes) -> list[int]:
    ends, at, order = [], 0, "<"
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, length = struct.unpack_from(order + "II", data, at)
        at += max(12, length)
        if kind in (2, 3, 6) and at <= len(data):
            ends.append(at)
    return ends


class Sound(NamedTuple):
    """An undamaged capture."""

    path: Path
    data: bytes
    lines: tuple[bytes, ...]
    ends: tuple[int, ...]
    """Where its frames end; nothing when that cannot be told without a reader."""

    def before(self, intact: int) -> tuple[bytes, ...]:
        """What must be printed of the frames in the first ``intact`` octets."""
        return self.lines[: sum(end <= intact for end in self.ends)]


def sound(path: Path, lines: tuple[bytes, ...]) -> Sound:
    data = path.read_bytes()
    ends = record_ends(data)
    return Sound(path, data, lines, tuple(ends) if len(ends) == len(lines) else ())


# Runs -----------------------------------------------------------------------------------------

Total = Counter[str]


def worker(one: Callable[[int, Path], tuple[str, Outcome]], numbers: Sequence[int]) -> Total:
    """Runs captures by number, one after the other."""
    total: Total = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "generic.yaml").write_text(GENERIC, encoding="utf-8")
        for number in numbers:
            what, found = one(number, folder)
            total[found.kind] += 1
            total["files"] += 1
            total["packets"] += len(found.lines)
            total["most"] = max(total["most"], found.octets)
            if found.kind in BAD:
                print(f"{what} (number {number}): {found.kind}: {found.note}", flush=True)
            if total["files"] % 1000 == 0:
                print(f"... {total['files']} files", flush=True)
    return total


def as_it_is(files: Sequence[Path], number: int, folder: Path) -> tuple[str, Outcome]:
    path = files[number]
    return f"{path}: as it is", run(path, folder / "generic.yaml", number)


def damaged(sounds: Sequence[Sound], seed: int, number: int, folder: Path) -> tuple[str, Outcome]:
    capture = sounds[number % len(sounds)]
    other = sounds[(number * 7 + 1) % len(sounds)].data
    done: Damaged = random_damage(capture.data, seed * 1_000_003 + number, others=[other])
    path = folder / f"damaged{capture.path.suffix}"
    path.write_bytes(done.data)
    found = run(path, folder / "generic.yaml", number // len(sounds))
    before = capture.before(done.intact)
    if found.kind not in BAD and found.lines[: len(before)] != before:
        note = differing(before, found.lines)
        found = found._replace(kind="frames-changed", note=f"before the damage: {note}")
    return f"{capture.path}: {done.what}", found


def shared(
    one: Callable[[int, Path], tuple[str, Outcome]], numbers: Sequence[int], jobs: int
) -> Total:
    """The work in ``jobs`` processes."""
    if jobs == 1:
        return worker(one, numbers)
    pipes = []
    for job in range(jobs):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            found = worker(one, numbers[job::jobs])
            sys.stdout.flush()
            os.write(writing, pickle.dumps(found))
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    total: Total = Counter()
    most = 0
    for reading in pipes:
        with open(reading, "rb") as handle:
            data = handle.read()
        part: Total = pickle.loads(data) if data else Counter({"signal": 1})
        most = max(most, part.pop("most", 0))
        total += part
        os.wait()
    total["most"] = most
    return total


def soundness(files: Sequence[Path]) -> tuple[list[Sound], int]:
    """The captures that can be read and damaged, and how many of the files cannot be read."""
    found, unread = [], 0
    for path in files:
        if path.stat().st_size > LARGEST:
            continue
        words = next(commands(path, path, path, 0))
        ended = confined(partial(_command, words))
        if ended.status == 3 and not ended.out:
            unread += 1  # text in gzip, mostly: no capture
            continue
        found.append(sound(path, tuple(ended.out.splitlines())))
    return found, unread


def warmed() -> None:
    """Imports here what the commands import, as a first run in another process tells.

    Nothing of Polars may run before a fork: its threads would not be there afterwards. The first
    run also compiles kernels when there is need to, without limits.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture, expectation = folder / "first.pcap", folder / "generic.yaml"
        capture.write_bytes(_first_capture())
        expectation.write_text(GENERIC, encoding="utf-8")
        modules = folder / "modules"

        def first() -> int:
            found = [
                _command(words)
                for words in commands(capture, expectation, folder / "out.parquet", 1)
            ]
            modules.write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
            return max(found)

        ended = confined(first, Limits(3600.0, 1 << 40))
        if ended != ended._replace(kind="ended", status=0):
            raise RuntimeError(f"the first run failed: {ended}")
        for module in modules.read_text(encoding="utf-8").split("\n"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        _load_kernels(capture)
    from decoders.displayfilter import parse

    parse("tcp")
    gc.freeze()


def _first_capture() -> bytes:
    """A TCP segment and a UDP datagram: enough to call each kernel."""
    ends = parts.Ends(b"\xc0\0\x02\x01", b"\xc0\0\x02\x02")
    packets = [parts.ipv4(ends, make(ends, 49153, 80)) for make in (parts.tcp, parts.udp)]
    return captures.pcap([(described(packet, 101),) for packet in packets]).data


def _load_kernels(capture: Path) -> None:
    """Calls each compiled kernel once; what comes after them belongs to Polars."""
    from decoders.columnar.annotation import Annotation, Classes
    from decoders.columnar.decoder import ColumnarDecoder
    from decoders.columnar.records import OCTETS, batches
    from decoders.containers import open_captures
    from decoders.fields import FIELDS as DECLARED

    whole = ("replicap.octets.", "replicap.item.", "replicap.length.")
    decoder = ColumnarDecoder([name for name in DECLARED if not name.startswith(whole)])
    for batch in batches(open_captures([capture]), OCTETS):
        found = decoder.decode(batch)
        times = found.batch.time_ns, found.batch.timed
        for analysed in (True, False):
            Annotation(analysed).annotate(found.assembly, found.run.headers, [], 1, times)
        Classes().annotate(found.assembly, found.run.rows.facts, [])


def report(title: str, total: Total, seconds: float) -> int:
    print(
        f"{title}: {total['files']} files, {total['packets']} packets, "
        + ", ".join(f"{total[kind]} {kind}" for kind in BAD)
        + f", {total['said']} damaged and said so; at most {total['most'] >> 20} MB resident, "
        f"{total['files'] / max(seconds, 0.001):.0f}/s",
        flush=True,
    )
    return sum(total[kind] for kind in BAD)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--damaged", type=int, default=0, metavar="N")
    parser.add_argument("--first", type=int, default=0, help="number of the first damaged file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    given = arguments()
    files = list(capture_files(given.directories))
    if not files:
        print("no capture in these directories", file=sys.stderr)
        return 2
    os.environ["POLARS_MAX_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    warmed()
    bad, started = 0, time.monotonic()
    if not given.first:
        whole = shared(partial(as_it_is, files), range(len(files)), given.jobs)
        bad += report("as they are", whole, time.monotonic() - started)
    if given.damaged:
        sounds, unread = soundness(files)
        walked = sum(bool(one.ends) for one in sounds)
        print(f"{len(sounds)} captures to damage ({unread} files hold none), places of frames "
              f"known of {walked}", flush=True)  # fmt: skip
        started = time.monotonic()
        numbers = range(given.first, given.first + given.damaged)
        made = shared(partial(damaged, sounds, given.seed), numbers, given.jobs)
        bad += report("damaged", made, time.monotonic() - started)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
