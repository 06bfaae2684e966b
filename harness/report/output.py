"""Result files: written whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path


class OutputError(Exception):
    """A result that cannot be written: path and reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: cannot be written: {self.reason}"


def check_output(path: str, inputs: Iterable[str] = ()) -> None:
    """Refuses an output that could never be written, or that would overwrite an input.

    ``-`` is standard output. Raises OutputError: no such directory, a directory, an input file.
    """
    if path == "-":
        return
    parent = Path(path).parent
    if not parent.is_dir():
        raise OutputError(path, f"no directory {str(parent)!r}")
    if Path(path).is_dir():
        raise OutputError(path, "it is a directory")
    for name in inputs:
        if _same(path, name):
            raise OutputError(path, "it is one of the files that are read")


def _same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def make_folder(path: str) -> None:
    """A folder for results, made when it is not there. Raises OutputError."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(path, "it is a file, expected a folder") from None
    except OSError as error:
        raise OutputError(path, (error.strerror or str(error)).lower()) from None


def write_whole(path: str, write: Callable[[Path], object]) -> None:
    """Calls ``write`` with a file beside ``path`` and renames it when it is complete.

    A device or pipe at ``path`` is written directly. Raises OutputError; nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            write(target)
            return
        part = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
        try:
            write(part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(path, (error.strerror or str(error)).lower()) from None


def write_over(path: str, content: bytes) -> None:
    """New content for a file that exists, whole or not at all; its permissions stay."""

    def write(part: Path) -> None:
        part.write_bytes(content)
        shutil.copymode(path, part)

    write_whole(path, write)


def write_text(path: str, text: str) -> None:
    """``text`` as UTF-8 to a file, or to standard output when ``path`` is ``-``."""
    if path == "-":
        import sys

        sys.stdout.write(text)
        return
    write_whole(path, lambda part: part.write_text(text, "utf-8", errors="backslashreplace"))
