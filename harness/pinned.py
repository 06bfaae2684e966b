"""Finds the capture that an expectation file pins, by its SHA-256.

Looked up in the directories of ``REPLICAP_CAPTURES`` (with their subfolders), in the cache, and
then at the pinned URL, unless ``REPLICAP_OFFLINE`` is set. Only a file with the pinned size and
hash is ever given back.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.problems import escaped

if TYPE_CHECKING:
    from harness.expectation import Expectation, Pin

DIRECTORIES = "REPLICAP_CAPTURES"
"""Environment variable: directories, separated as in PATH."""
OFFLINE = "REPLICAP_OFFLINE"
"""Environment variable: nothing is downloaded when it is set to anything but ``0``."""
TIMEOUT = 30
"""Seconds that a server may be silent."""
DEADLINE = 1800
"""Seconds that a whole download may take."""

_BLOCK = 1 << 20
_hashes: dict[tuple[str, int, int], str] = {}


class CaptureNotFound(Exception):
    """A pinned capture that is nowhere to be had.

    ``reason``: where it was looked for, and what to do; one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def find(pin: Pin) -> Path:
    """A local file with the size and SHA-256 of ``pin``, downloaded when none is there.

    Raises CaptureNotFound.
    """
    troubles: list[str] = []
    directories = _directories()
    for directory in directories:
        found = _in_directory(directory, pin, troubles.append)
        if found is not None:
            return found
    cache = cache_folder()
    if cache.is_dir():
        found = _in_directory(cache, pin, troubles.append)
        if found is not None:
            return found
    looked = f"not in {DIRECTORIES} ({_listed(directories)}) nor in the cache ({cache})"
    return _download(pin, cache, "; ".join([looked, *troubles]))


def pinned_path(expectation: Expectation) -> str:
    """The capture that a file pins, found or downloaded; raises CaptureNotFound."""
    pin = expectation.capture
    if pin is None:
        raise CaptureNotFound(f"{expectation.path} pins no capture")
    path = str(find(pin))
    return path if pin.member is None else f"{path}!{pin.member}"


def _directories() -> list[Path]:
    return [Path(name) for name in os.environ.get(DIRECTORIES, "").split(os.pathsep) if name]


def _listed(directories: list[Path]) -> str:
    return os.pathsep.join(map(str, directories)) if directories else "not set"


def cache_folder() -> Path:
    """Where captures that were downloaded are kept, and with ``--cache`` decoded tables."""
    import pooch

    return Path(pooch.os_cache("replicap"))


def _in_directory(directory: Path, pin: Pin, trouble: Callable[[str], None]) -> Path | None:
    if not directory.is_dir():
        trouble(f"{directory} is no directory")
        return None
    for path in _files(directory, trouble):
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != pin.bytes:
                continue
            if _sha256(path, status) == pin.sha256:
                return path
        except OSError as error:
            trouble(f"{path} cannot be read ({(error.strerror or str(error)).lower()})")
    return None


def _files(directory: Path, trouble: Callable[[str], None]) -> Iterator[Path]:
    """Every file below ``directory``; a folder that several links lead to is entered once."""

    def failed(error: OSError) -> None:
        trouble(f"{error.filename} cannot be read ({(error.strerror or str(error)).lower()})")

    entered: set[tuple[int, int]] = set()
    _new("", str(directory), entered)
    for folder, subfolders, names in os.walk(directory, followlinks=True, onerror=failed):
        subfolders[:] = [name for name in sorted(subfolders) if _new(folder, name, entered)]
        yield from (Path(folder, name) for name in sorted(names))


def _new(folder: str, name: str, entered: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(os.path.join(folder, name))
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    if key in entered:
        return False
    entered.add(key)
    return True


def _sha256(path: Path, status: os.stat_result) -> str:
    """Hex digest of a file, remembered in this process while size and time stamp stay the same."""
    key = (str(path), status.st_mtime_ns, status.st_size)
    if key not in _hashes:
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as handle:
            while data := handle.read(_BLOCK):
                digest.update(data)
        _hashes[key] = digest.hexdigest()
    return _hashes[key]


def _download(pin: Pin, cache: Path, looked: str) -> Path:
    wanted = f"{pin.bytes} octets, sha256 {pin.sha256}"
    advice = f"put the file ({wanted}) into a directory of {DIRECTORIES}"
    if os.environ.get(OFFLINE, "0") not in ("", "0"):
        raise _not_found(f"{looked}; not downloaded from {pin.url}: {OFFLINE} is set; {advice}")
    if not re.match(r"https?://", str(pin.url or ""), re.IGNORECASE):
        raise _not_found(f"{looked}; its url {pin.url} is neither http nor https; {advice}")
    try:
        return _fetch(pin, cache)
    except (OSError, ValueError) as error:
        raise _not_found(f"{looked}; {pin.url}: {_failure(error)}; {advice}") from None


def _failure(error: Exception) -> str:
    """A download's failure in a few words; requests nests several exceptions in one text."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)[:300]


def _not_found(reason: str) -> CaptureNotFound:
    return CaptureNotFound(escaped(" ".join(reason.split())))


def _fetch(pin: Pin, cache: Path) -> Path:
    import logging

    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", str(pin.name or "capture"))[-80:]
    return Path(
        pooch.retrieve(
            str(pin.url),
            known_hash=f"sha256:{pin.sha256}",
            fname=f"{pin.sha256[:16]}-{name}",
            path=cache,
            downloader=_Bounded(pin.bytes),
        )
    )


class _Bounded:
    """A pooch downloader that takes no more octets and no more time than it should."""

    def __init__(self, octets: int) -> None:
        self.octets = octets

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Raises OSError (of requests too) or ValueError when the answer is not what is pinned."""
        import requests

        end = time.monotonic() + DEADLINE
        got = 0
        with requests.get(url, stream=True, timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            with open(output_file, "wb") as out:
                for block in answer.iter_content(1 << 16):
                    got += len(block)
                    if got > self.octets:
                        raise ValueError(f"more than the pinned {self.octets} octets")
                    if time.monotonic() > end:
                        raise ValueError(f"not finished after {DEADLINE} s")
                    out.write(block)
        if got != self.octets:
            raise ValueError(f"{got} octets instead of the pinned {self.octets}")
