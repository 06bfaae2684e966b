"""Hostile captures in bulk: python benchmarks/hostile.py DIR... [--damaged N] [--seed N] [--jobs N]

Runs fields, verify (with a generic expectation file) and decode over every capture of the
directories, each capture in a process of its own that was forked warm, with a limit of 10 seconds
and of 512 MB of further address space. With --damaged N, N damaged files are made of the captures,
always the same for a seed; the frames before the damage must be counted as in the undamaged file.
Prints files, packets, tracebacks, signals, timeouts, over-memory, damaged-and-said-so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from decoders.containers import capture_files, open_captures
from decoders.frames import CaptureError
from generators.damage import Damaged, random_damage

SECONDS = 10
OCTETS = 512 << 20
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


class Outcome(NamedTuple):
    """What came of one capture."""

    kind: str
    """``fine``, ``said`` (damage or refusal in one line), or what must not be."""
    packets: int
    note: str


BAD = ("traceback", "timeout", "over-memory", "signal", "status", "frames-changed")


def count(path: Path) -> tuple[int, bool]:
    """Frames that can be read of a file, and whether it said that it is damaged."""
    try:
        capture = open_captures([path])
        frames = sum(1 for _ in capture.frames())
    except CaptureError:
        return 0, True
    return frames, capture.damage is not None


def commands(path: Path, expectation: Path, out: Path) -> Iterator[list[str]]:
    yield ["fields", str(path), "-e", "frame.number", "-e", "ip.src", "-e", "tcp.dstport"]
    yield ["verify", str(path), "-e", str(expectation)]
    yield ["decode", str(path), "--to", str(out)]


def run(path: Path, expectation: Path, before: int) -> Outcome:
    """The three commands over one capture, in this process."""
    from harness.cli import main

    frames, said = count(path)
    if frames < before:
        return Outcome("frames-changed", frames, f"{before} frames stand before the damage")
    with tempfile.TemporaryDirectory() as folder:
        for command in commands(path, expectation, Path(folder, "out.parquet")):
            heard = io.StringIO()
            with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(io.StringIO()):
                try:
                    status = main(command)
                except SystemExit as stop:
                    status = stop.code if isinstance(stop.code, int) else 2
            if "Traceback" in heard.getvalue():
                return Outcome("traceback", frames, heard.getvalue()[-500:])
            if status not in (0, 1, 2, 3):
                return Outcome("status", frames, f"{command[0]}: {status}")
            said = said or status == 3
    return Outcome("said" if said else "fine", frames, "")


def child(path: Path, expectation: Path, before: int, pipe: int) -> None:
    """What the forked process does; it never returns."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1, SECONDS + 2))
    with open("/proc/self/statm", encoding="ascii") as handle:
        used = int(handle.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + OCTETS, used + OCTETS))
    try:
        found = run(path, expectation, before)
    except MemoryError:
        found = Outcome("over-memory", 0, "")
    except BaseException:  # noqa: BLE001 - whatever it is, it is what this program looks for
        found = Outcome("traceback", 0, traceback.format_exc()[-800:])
    os.write(pipe, pickle.dumps(found))
    os._exit(0)


def forked(path: Path, expectation: Path, before: int = 0) -> Outcome:
    """One capture in a process of its own."""
    reading, writing = os.pipe()
    started, process = time.monotonic(), os.fork()
    if process == 0:
        os.close(reading)
        child(path, expectation, before, writing)
    os.close(writing)
    os.set_blocking(reading, False)
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            break
        if time.monotonic() - started > SECONDS:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(reading)
            return Outcome("timeout", 0, f"after {SECONDS} s")
        time.sleep(0.002)
    with open(reading, "rb") as handle:
        data = handle.read() or b""
    if os.WIFSIGNALED(status):
        return Outcome("signal", 0, signal.Signals(os.WTERMSIG(status)).name)
    found: Outcome = pickle.loads(data)
    return found


def before_damage(data: bytes, done: Damaged, folder: Path) -> int:
    """Frames of the undamaged file whose octets all stand before the damage."""
    path = folder / "before"
    path.write_bytes(data[: done.intact])
    return count(path)[0]


def worker(files: Sequence[Path], numbers: Sequence[int], seed: int) -> Counter[str]:
    """Runs whole captures, or damaged files by number, one after the other."""
    total: Counter[str] = Counter()
    contents = [path.read_bytes() for path in files]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expectation = folder / "generic.yaml"
        expectation.write_text(GENERIC, encoding="utf-8")
        for number in numbers:
            at = number % len(files)
            if seed < 0:
                path, before, what = files[at], 0, "as it is"
            else:
                other = contents[(number * 7 + 1) % len(contents)]
                done = random_damage(contents[at], seed * 1_000_003 + number, others=[other])
                path, what = folder / f"damaged{files[at].suffix}", done.what
                path.write_bytes(done.data)
                plain = contents[at][:4] not in (b"\x1f\x8b\x08\0", b"PK\x03\x04")
                before = before_damage(contents[at], done, folder) if plain else 0
            found = forked(path, expectation, before)
            total[found.kind] += 1
            total["files"] += 1
            total["packets"] += found.packets
            if found.kind in BAD:
                print(f"{files[at]}: {what} (number {number}): {found.kind}: {found.note}")
    return total


def shared(files: Sequence[Path], numbers: Sequence[int], seed: int, jobs: int) -> Counter[str]:
    """The work in ``jobs`` processes."""
    if jobs == 1:
        return worker(files, numbers, seed)
    pipes = []
    for job in range(jobs):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            found = worker(files, numbers[job::jobs], seed)
            sys.stdout.flush()
            os.write(writing, pickle.dumps(found))
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    total: Counter[str] = Counter()
    for reading in pipes:
        with open(reading, "rb") as handle:
            data = handle.read()
        total += pickle.loads(data) if data else Counter({"signal": 1})
        os.wait()
    return total


def warmed(capture: Path) -> None:
    """Imports here what the commands import, as a first run in another process tells.

    Nothing of Polars may run before a fork: its threads would not be there afterwards.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        with tempfile.TemporaryDirectory() as name:
            expectation = Path(name, "generic.yaml")
            expectation.write_text(GENERIC, encoding="utf-8")
            run(capture, expectation, 0)
        with open(writing, "wb") as told:
            told.write(pickle.dumps(sorted(sys.modules)))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as handle:
        names = pickle.loads(handle.read())
    os.wait()
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from decoders.displayfilter import parse

    parse("tcp")


def report(title: str, total: Counter[str], seconds: float) -> int:
    print(
        f"{title}: {total['files']} files, {total['packets']} packets, "
        + ", ".join(f"{total[kind]} {kind}" for kind in BAD)
        + f", {total['said']} damaged and said so, {total['files'] / max(seconds, 0.001):.0f}/s"
    )
    return sum(total[kind] for kind in BAD)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--damaged", type=int, default=0, metavar="N")
    parser.add_argument("--first", type=int, default=0, help="number of the first damaged file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    files = list(capture_files(given.directories))
    if not files:
        print("no capture in these directories", file=sys.stderr)
        return 2
    os.environ["POLARS_MAX_THREADS"] = "1"
    warmed(min(files, key=lambda path: path.stat().st_size))
    bad, started = 0, time.monotonic()
    if not given.first:
        whole = shared(files, range(len(files)), -1, given.jobs)
        bad += report("as they are", whole, time.monotonic() - started)
    if given.damaged:
        small = [path for path in files if path.stat().st_size <= LARGEST]
        started = time.monotonic()
        numbers = range(given.first, given.first + given.damaged)
        bad += report("damaged", shared(small, numbers, given.seed, given.jobs),
                      time.monotonic() - started)  # fmt: skip
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
