"""Whole processes, measured: seconds, processor seconds and peak memory of each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DONE = (0, 1)
"""Exit statuses of a run that did its work; verdicts may be refuted."""


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    processor: float
    """Seconds of processors, in it and in the kernel for it."""
    peak_mb: float
    """Largest resident memory, 10^6 octets."""
    out: str


def run(
    command: Sequence[str],
    *,
    cores: int | None = None,
    keep: bool = True,
    done: Collection[int] = DONE,
) -> Run:
    """Runs a command to its end; one that fails ends the benchmark.

    ``cores``: on so many processors at most. Without ``keep`` its output is thrown away.
    ``done``: the exit statuses of one that did its work.
    """
    allowed = os.sched_getaffinity(0)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if cores is not None:
        environment["POLARS_MAX_THREADS"] = str(cores)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        target = out if keep else subprocess.DEVNULL
        os.sched_setaffinity(0, sorted(allowed)[:cores])  # a child has its parent's
        process = subprocess.Popen(list(command), stdout=target, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        os.sched_setaffinity(0, allowed)
        taken = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = err.read().decode(errors="replace")
        if process.returncode not in done:
            sys.exit(f"{' '.join(command)[:300]}: exit status {process.returncode}\n{said}")
        text = out.read().decode(errors="replace") if keep else ""
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Run(taken, usage.ru_utime + usage.ru_stime, peak, text)
