"""Progress of long work: on standard error, in a terminal, after half a second; else silent."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from decoders.containers import Capture

PATIENCE = 0.5
"""Seconds before anything is shown."""


class FrameCounter:
    """Called with the number of frames done so far, as decoders do.

    Shows frames, octets of the files read, frames a second and the time left. A number that is
    smaller than the one before begins another pass over the capture.
    """

    def __init__(self, what: str, capture: Capture) -> None:
        self._what = what
        self._capture = capture
        self._start: float | None = None
        self._shown = sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._pass = 1
        self._pass_start = 0.0
        self._frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, frames: int) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = self._pass_start = now
        again = frames < self._frames
        if again:
            self._pass += 1
            self._pass_start = now
        self._frames = frames
        if not self._shown or now - self._start < PATIENCE:
            return
        if self._bar is None or self._task is None:
            self._bar, self._task = self._begin()
        elif again:
            self._bar.reset(self._task)
        self._bar.update(
            self._task,
            completed=self._capture.octets_read,
            description=self._description(frames, now),
        )

    def _description(self, frames: int, now: float) -> str:
        from rich.markup import escape

        what = f"{self._what}, pass {self._pass}" if self._pass > 1 else self._what
        seconds = now - self._pass_start
        rate = f", {frames / seconds:,.0f}/s" if seconds > 0 else ""
        return f"{escape(what)}: {frames:,} frames{rate}"

    def _begin(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar, bar.add_task("", total=max(1, self._capture.octets))
