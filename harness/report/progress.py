"""Progress of long work: on standard error, in a terminal, after half a second; else silent."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 0.5
"""Seconds before anything is shown."""


class FrameCounter:
    """Called with the number of frames done so far, as decoders do."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._start: float | None = None
        self._shown = sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

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
        if self._start is None:
            self._start = time.monotonic()
        if not self._shown or time.monotonic() - self._start < PATIENCE:
            return
        if self._bar is None or self._task is None:
            self._bar, self._task = self._begin()
        self._bar.update(self._task, completed=frames)

    def _begin(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        bar = Progress(
            SpinnerColumn(),
            TextColumn(f"{escape(self._what)}: {{task.completed:.0f}} frames"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar, bar.add_task("")
