"""An action in a process of its own, forked from this one, with limits; seen from outside.

Memory is limited twice. ``RLIMIT_AS``: the process can map so many octets more than this one had
when it forked, and the kernel refuses what goes beyond. Resident memory: its peak, libraries and
all that it shares with this process counted in full, is looked at when it has ended.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

OUT_OF_MEMORY = ("out of memory", "MemoryError", "memory allocation of", "Cannot allocate memory")
"""What is said by the commands, Python, Rust and C when the kernel refuses memory."""


class Limits(NamedTuple):
    """What a process may take."""

    seconds: float = 10.0
    octets: int = 512 << 20


COMMAND = Limits()
"""The limits of a command."""


class Ended(NamedTuple):
    """How a process ended."""

    kind: str
    """``ended``, or ``timeout``, ``signal``, ``over-memory``, ``traceback``."""
    status: int
    """Its exit status; -1 when it has none."""
    out: bytes
    heard: str
    """Standard error; of a signal, its name."""
    octets: int
    """Its peak of resident memory."""


def confined(action: Callable[[], int], limits: Limits = COMMAND) -> Ended:
    """Runs an action that returns an exit status."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as heard:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            _child(action, limits, out, heard)
        in_time = _waited(process, limits.seconds)
        if not in_time:
            os.kill(process, signal.SIGKILL)
        _, status, used = os.wait4(process, 0)
        out.seek(0)
        heard.seek(0)
        text = heard.read().decode("utf-8", "replace")
        octets = used.ru_maxrss * 1024
        kind, text = (
            _kind(status, text) if in_time else ("timeout", f"after {limits.seconds} s {text}")
        )
        if kind == "ended" and octets > limits.octets:
            kind, text = "over-memory", f"{octets >> 20} MB resident"
        code = os.waitstatus_to_exitcode(status)
        return Ended(kind, max(code, -1), out.read(), text, octets)


def _child(action: Callable[[], int], limits: Limits, out: IO[bytes], heard: IO[bytes]) -> None:
    """What the forked process does; it never returns."""
    status = 70
    try:
        os.dup2(out.fileno(), 1)
        os.dup2(heard.fileno(), 2)
        # A test has others in their place.
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = mapped() + limits.octets
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        status = action()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 2
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def mapped() -> int:
    """Octets of address space that this process has mapped."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _waited(process: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    handle = os.pidfd_open(process)
    try:
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if ready.poll(left * 1000):
                return True
        return False
    finally:
        os.close(handle)


def _kind(status: int, text: str) -> tuple[str, str]:
    if any(said in text for said in OUT_OF_MEMORY):
        return "over-memory", text
    if os.WIFSIGNALED(status):
        return "signal", f"{signal.Signals(os.WTERMSIG(status)).name} {text}"
    return ("traceback" if "Traceback (most recent call last)" in text else "ended"), text
