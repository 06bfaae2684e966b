"""Messages of the command: each on a line of standard error."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


class UsageMistake(Exception):
    """Wrong arguments, told in one line."""


def say(line: str) -> None:
    """One message on standard error; nothing happens when nobody can read it."""
    try:
        sys.stderr.write(f"replicap: {line}\n")
        sys.stderr.flush()
    except OSError:
        drop(sys.stderr)


def say_error(error: object) -> None:
    """An error: the first line of its text is the message, further ones show the place."""
    from harness.problems import escaped

    first, *more = str(error).split("\n")
    say("\n".join([f"error: {escaped(first)}", *map(escaped, more)]))


def tell(*lines: str) -> None:
    """Lines of a result on standard output."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def drop(stream: object) -> None:
    """Sends what is still buffered nowhere, so that the interpreter's own flush does not fail."""
    if isinstance(stream, TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
