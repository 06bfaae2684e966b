"""The twin that stands in for a capture which an expectation file does not pin.

Built once and kept in the user's cache, under a name made of all that decides its octets: the
expectation file, the stage, and the source text of the generators, their seed included.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.version import VERSION

if TYPE_CHECKING:
    from decoders.containers import Capture
    from harness.expectation import Expectation
    from harness.verdicts import Report


class TwinNotMade(Exception):
    """There is no capture to measure, and no twin can stand in for it; the text says why."""


def default_capture(expectation: Expectation, stage: str | None = None) -> str:
    """The capture that a file pins; when it pins none, its twin as that stage.

    Raises CaptureNotFound, TwinNotMade.
    """
    from harness.pinned import pinned_path

    if expectation.capture is not None:
        return pinned_path(expectation)
    return str(twin_path(expectation, stage))


def twin_path(expectation: Expectation, stage: str | None = None) -> Path:
    """The twin of a file as that stage (default: the first), from the cache or made now.

    Raises TwinNotMade.
    """
    wanted = stage or expectation.stages[0].id
    try:
        folder = _folder()
        path = folder / f"{_key(expectation, wanted)}.pcapng"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _keep(path, _made(expectation, wanted))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TwinNotMade(f"the twin cannot be kept: {error.filename}: {reason}") from None
    return path


def marked(report: Report, capture: Capture) -> Report:
    """The report, which says so when a file of the capture says that it is a twin."""
    from generators.capture_file import twin_of

    heads = (next(iter(file.blocks()), b"") for file in capture.files)
    return replace(report, twin=any(twin_of(head) is not None for head in heads))


def advice(expectation: Expectation) -> list[str]:
    """What to do with the capture that the figures are about, for who has it."""
    stages = ", ".join(stage.id for stage in expectation.stages)
    stage = " --stage NAME" if len(expectation.stages) > 1 else ""
    lines = [
        f"published by {expectation.source.by}: {expectation.source.url}",
        f"on the capture itself: replicap verify CAPTURE -e {expectation.path}{stage}",
        "CAPTURE is a file or a member of an archive, FILE.zip!MEMBER",
    ]
    return [*lines[:2], f"{lines[2]}; NAME is what it is: {stages}" if stage else lines[2]]


def _folder() -> Path:
    from harness.pinned import cache_folder

    return cache_folder() / "twins"


def _key(expectation: Expectation, stage: str) -> str:
    """Name of a twin: equal only when its octets are."""
    import generators

    digest = hashlib.sha256(f"{VERSION} {stage}\n".encode())
    sources = sorted(Path(str(generators.__file__)).parent.glob("**/*.py"))
    for path in (Path(expectation.path), *sources):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{Path(expectation.path).stem}-{stage}-{digest.hexdigest()[:16]}"


def _keep(path: Path, data: bytes) -> None:
    """Writes a whole file or none: another process may be making the same one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _made(expectation: Expectation, stage: str) -> bytes:
    """The octets of a new twin. Raises TwinNotMade."""
    from generators.twin import TwinError, build

    try:
        return build(expectation, stage).file()
    except TwinError as error:
        why = f"{expectation.path}: pins no capture, and there is no twin to stand in for it"
        raise TwinNotMade(f"{why}: {error}; see: replicap audit -e {expectation.path}") from None
