"""The door: captures on disk -> frames.

A capture is pcap or pcapng, alone or wrapped (see ``decoders.wrapping``), recognised by content.
Several captures are read as one, ordered by time as ``mergecap`` orders them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, count
from pathlib import Path

from decoders import pcap, pcapng
from decoders.frames import (
    CUSTOM_BLOCK,
    JOURNAL_BLOCK,
    CaptureError,
    Damage,
    Frame,
    Interface,
)
from decoders.wrapping import (
    CAPTURE_MAGICS,
    Broken,
    Place,
    Stream,
    describe,
    head_of,
    open_stream,
    place_of,
    wrapping_of,
)

__all__ = ["Capture", "capture_files", "open_captures"]

_HASH_BLOCK = 1 << 20
_HEADER_OCTETS = 28
_EXPECTED = "a pcap or pcapng magic"


class CaptureFile:
    """One capture file: checked once when it is made, read anew for every iteration."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.place = place_of(path)
        self.path = os.fsdecode(path)
        self.damage: Damage | None = None
        self._stream: Stream | None = None
        self.format = self._check()
        self._state = self._on_disk()
        self.octets = self._state[0] if self._state is not None else 0

    def _on_disk(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.place.file)
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns, found.st_ino

    @property
    def unchanged(self) -> bool:
        """Whether the file on disk is, by size and time, the one that was opened."""
        return self._state is not None and self._on_disk() == self._state

    @property
    def octets_read(self) -> int:
        """How many octets of the file, about, the iteration at hand has read."""
        return self._stream.read() if self._stream is not None else 0

    def stream(self) -> Stream:
        """The octets of the capture, without wrappings, from their beginning."""
        self._stream = open_stream(self.place)
        return self._stream

    def blocks(self) -> Iterator[bytes]:
        """The octets of the capture, without wrappings, in blocks; raises Broken at their end."""
        return self.stream().blocks

    def _check(self) -> str:
        """Name of the format; raises CaptureError when the file header cannot be read."""
        stream = self.stream()
        try:
            head = next(stream.blocks, b"")
            if len(head) < _HEADER_OCTETS:
                # The stream's own trouble, if any, is why the header is short.
                next(stream.blocks, None)
            if not head:
                what = "capture" if stream.wrappings else "file"
                raise Broken(f"an empty {what} (0 octets)", _EXPECTED)
            return "+".join((_format_of(head), *reversed(stream.wrappings)))
        except Broken as broken:
            offset = broken.offset or 0
            raise CaptureError(self.path, offset, broken.found, broken.expected) from None

    def frames(self) -> Iterator[Frame]:
        """Frames numbered from 1; sets ``damage`` when the file stops being readable."""
        self.damage = None
        blocks = self.stream().blocks
        try:
            first = next(blocks, b"")
            reader = pcapng if pcap.kind_of(first) is None else pcap
            for batch in reader.batches(chain((first,), blocks)):
                yield from batch
        except Broken as broken:
            self.damage = Damage(self.path, broken.offset or 0, broken.found, broken.expected)


def _format_of(head: bytes) -> str:
    kind = pcap.kind_of(head)
    if kind is not None:
        pcap.header_of(kind, head)
        return kind.format
    if head[:4] not in CAPTURE_MAGICS:
        raise Broken(describe(head), _EXPECTED, 0)
    pcapng.check_first_block(head)
    return "pcapng"


class Capture:
    """One capture, or several read as one. Re-iterable: ``frames`` may be called several times.

    Attributes:
        path: as given; several are joined by `` + ``.
        format: ``pcap``, ``pcap-ns``, ``pcap-modified`` or ``pcapng``, each wrapping appended from
            the inside out (``pcap+gz+zip``); several different ones are joined by ``,``.
        damage: None until an iteration ran into it; then the first damage.
    """

    def __init__(self, files: Sequence[CaptureFile]) -> None:
        self._files = tuple(files)
        self.path = " + ".join(file.path for file in files)
        self.format = ",".join(dict.fromkeys(file.format for file in files))
        self.damage: Damage | None = None

    @property
    def files(self) -> tuple[CaptureFile, ...]:
        """The files that are read as one."""
        return self._files

    def unchanged(self) -> bool:
        """Whether the files on disk are, by size and time, those that were opened."""
        return all(file.unchanged for file in self._files)

    @property
    def octets(self) -> int:
        """Octets of the files on disk when they were opened, as they are: compressed or not."""
        return sum(file.octets for file in self._files)

    @property
    def octets_read(self) -> int:
        """How many of them, about, the iteration at hand has read."""
        return sum(file.octets_read for file in self._files)

    @property
    def plain_path(self) -> str | None:
        """Path of a single file without wrapping, which other programs can read as it is."""
        alone = len(self._files) == 1 and "+" not in self.format
        return self.path if alone else None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file on disk, in hex.

        Of several files: SHA-256 of their hex digests joined by newlines. Of a member of an
        archive: that of the archive. Raises CaptureError when a file cannot be read any more.
        """
        digests = [_sha256(file.place) for file in self._files]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def frames(self) -> Iterator[Frame]:
        """Every frame, lazily, numbered from 1.

        Stops at damage, with ``damage`` set; of several captures the others are read on. Raises
        CaptureError when a file has gone since it was opened.
        """
        frames = _merge(self._files) if len(self._files) > 1 else self._files[0].frames()
        self.damage = None
        yield from frames
        self.damage = next((file.damage for file in self._files if file.damage), None)


def _merge(files: Sequence[CaptureFile]) -> Iterator[Frame]:
    """Several captures as one, as mergecap 4.0 orders them.

    The heads of all files are compared, nothing is sorted inside a file: the first file whose head
    has no time goes first, else the earliest head, and of equal ones that of the LAST file. Each
    interface gets a number of its own (``mergecap -I none``), all in section 1.
    """
    sources = [file.frames() for file in files]
    known: dict[tuple[int, Interface], Interface] = {}
    ids: dict[tuple[int, int | None, int | None], int] = {}

    def renumbered(source: int, interface: Interface) -> Interface:
        if interface.linktype in (CUSTOM_BLOCK, JOURNAL_BLOCK):
            return interface._replace(section=1)
        place = (source, interface.section, interface.id)
        return interface._replace(id=ids.setdefault(place, len(ids)), section=1)

    def pull(source: int) -> Frame | None:
        frame = next(sources[source], None)
        if frame is not None:
            key = (source, frame.interface)
            if key not in known:
                known[key] = renumbered(source, frame.interface)
        return frame

    heads = [pull(source) for source in range(len(sources))]
    for number in count(1):
        source, frame = _earliest(heads)
        if frame is None:
            return
        _, time, wire, data, interface, comments = frame
        yield Frame(number, time, wire, data, known[source, interface], comments)
        heads[source] = pull(source)


def _earliest(heads: Sequence[Frame | None]) -> tuple[int, Frame | None]:
    best: Frame | None = None
    best_source = best_time = 0
    for source, frame in enumerate(heads):
        if frame is None:
            continue
        if frame.time_ns is None:
            return source, frame
        if best is None or frame.time_ns <= best_time:
            best, best_source, best_time = frame, source, frame.time_ns
    return best_source, best


def _sha256(place: Place) -> str:
    digest = hashlib.sha256()
    try:
        with open(place.file, "rb", buffering=0) as handle:
            while data := handle.read(_HASH_BLOCK):
                digest.update(data)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise CaptureError(place.file, None, found, "a readable file") from None
    return digest.hexdigest()


def open_captures(paths: Sequence[str | os.PathLike[str]]) -> Capture:
    """One capture made of all ``paths`` (``archive.zip!member`` names a member of an archive).

    Raises CaptureError for the first path that is no readable capture: missing, not a regular
    file, empty, text, of another format, a header that is cut; ValueError without any path.
    """
    if not paths:
        raise ValueError("open_captures needs at least one path")
    return Capture([CaptureFile(path) for path in paths])


def capture_files(directories: Sequence[Path]) -> Iterator[Path]:
    """Every file below ``directories`` that is a capture, or may hold one, by its first octets.

    Sorted within each directory; files that cannot be read are passed over, each file is given
    once, and symbolic links to directories are not followed.
    """
    seen: set[Path] = set()
    for directory in directories:
        for folder, subfolders, names in os.walk(directory):
            subfolders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and path.resolve() not in seen and _looks_like_capture(path):
                    seen.add(path.resolve())
                    yield path


def _looks_like_capture(path: Path) -> bool:
    try:
        head = head_of(str(path))
    except CaptureError:
        return False
    return head[:4] in CAPTURE_MAGICS or wrapping_of(head) is not None
