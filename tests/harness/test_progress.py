"""The progress bar: silent but in a terminal, then frames, octets, rate and time left."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import pytest

from harness.report import progress
from harness.report.progress import FrameCounter


@dataclass
class Reading:
    octets: int = 1_000_000
    octets_read: int = 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def counted(out: io.StringIO, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    capture = Reading()
    with FrameCounter("verifying", capture) as counter:  # type: ignore[arg-type]
        counter(0)
        for seconds, frames in ((1.0, 5_000), (2.0, 10_000), (3.0, 2_000)):
            clock[0] = 100.0 + seconds
            capture.octets_read = 50 * frames
            counter(frames)
            if counter._bar is not None:
                counter._bar.refresh()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


def test_in_a_terminal(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = counted(Terminal(), clock, monkeypatch)
    assert "verifying: 5,000 frames, 5,000/s" in shown
    assert "verifying: 10,000 frames, 5,000/s" in shown
    assert "0.5/1.0 MB" in shown
    assert "verifying, pass 2: 2,000 frames" in shown


def test_elsewhere_nothing(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(io.StringIO(), clock, monkeypatch) == ""
