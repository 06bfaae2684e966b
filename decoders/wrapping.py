"""Octets of a capture out of gzip, zstd, xz, bzip2 and zip, as a stream of bounded blocks.

What a file is wrapped in is told from its first octets, never from its name. Nothing is written
to disk, and no path of an archive is used for anything but choosing a member. At most two
wrappings are taken off (``capture.zip`` holding ``capture.pcap.gz``).
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, Protocol

from decoders.frames import CaptureError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

BLOCK = 1 << 20
"""Octets of a block that a reader is given; only the last one is shorter."""
FREE_OCTETS = 64 << 20
"""Decompressed octets that are always allowed."""
RATIO = 2000
"""Beyond FREE_OCTETS: decompressed octets allowed for each octet read from disk."""
OCTETS = 1 << 40
"""Decompressed octets that are never exceeded."""
DEPTH = 2
"""Wrappings around one capture."""

CAPTURE_MAGICS = frozenset(
    magic.to_bytes(4, "big")
    for magic in (
        *(0xA1B2C3D4, 0xD4C3B2A1, 0xA1B23C4D, 0x4D3CB2A1),
        *(0xA1B2CD34, 0x34CDB2A1, 0x0A0D0D0A),
    )
)
"""First four octets of pcap (three kinds, both byte orders) and pcapng captures."""

_READ = 1 << 16
# One call of the zstd decompressor gives all that its input holds, at most 128 KiB for each
# 4 octets (RFC 8878, RLE_Block): 1 KiB in is at most 32 MiB out. And a call that meets corrupt
# data gives nothing, with zstd, xz and bzip2: so little of what came before is lost.
_FEED = 1 << 10
# zipfile gives nothing of a read that meets corrupt data or a wrong CRC.
_ZIP_FEED = 1 << 12
_ZIP_DIRECTORY = 64 << 20
_ZIP_TAIL = 22 + 65535
_ZIP_MEMBERS = 1000
_XZ_MEMORY = 1 << 28
_ZSTD_WINDOW = 1 << 27
_SNIFF = 64


class Broken(Exception):
    """A stream or a capture that cannot be read further; ``offset`` None: where the reader is."""

    def __init__(self, found: str, expected: str, offset: int | None = None) -> None:
        super().__init__(found, expected, offset)
        self.found, self.expected, self.offset = found, expected, offset


Parts = Generator[bytes, tuple[int, int], None]
"""Is sent an offset and a number of octets, and gives these octets of a file, or as many as there
are; raises Broken when they cannot be read."""


class Stream(NamedTuple):
    """The octets of one capture."""

    blocks: Iterator[bytes]
    """Blocks of BLOCK octets; raises Broken behind the last octets that could be read."""
    wrappings: tuple[str, ...]
    """What was taken off, outermost first: ``("zip", "gz")``."""
    read: Callable[[], int] = lambda: 0
    """How many octets of the file, about, have been read so far."""
    parts: Parts | None = None
    """Any of the octets, when the file is not wrapped in anything."""


class Place(NamedTuple):
    """A capture: a file, and the member when the file is an archive."""

    file: str
    member: str | None

    def __str__(self) -> str:
        return self.file if self.member is None else f"{self.file}!{self.member}"


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            before = self._inner.copy()
            try:
                piece = self._inner.decompress(data, BLOCK)
            except zlib.error:
                yield from self._salvaged(before, data)
                raise
            yield piece
            data = self._inner.unconsumed_tail

    @staticmethod
    def _salvaged(inner: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        """What comes before the error: zlib keeps nothing of a call that fails."""
        for at in range(len(data)):
            try:
                yield inner.decompress(data[at : at + 1])
            except zlib.error:
                return


class _Limited:
    """bz2 and lzma, whose decompressors keep their own input."""

    def __init__(self, kind: str) -> None:
        if kind == "bz2":
            import bz2

            self._inner: bz2.BZ2Decompressor | lzma.LZMADecompressor = bz2.BZ2Decompressor()
        else:
            import lzma

            self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _FEED):
            yield self._inner.decompress(data[start : start + _FEED], BLOCK)
            while not self._inner.eof and not self._inner.needs_input:
                yield self._inner.decompress(b"", BLOCK)
            if self._inner.eof:
                self.unused_data = self._inner.unused_data + data[start + _FEED :]
                return


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        inner = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._inner = inner.decompressobj()
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _FEED):
            yield self._inner.decompress(data[start : start + _FEED])
            if self._inner.eof:
                self.unused_data = self._inner.unused_data + data[start + _FEED :]
                return


def _kinds() -> dict[str, tuple[bytes, Callable[[], _Decompressor]]]:
    return {
        "gz": (b"\x1f\x8b", _Gzip),
        "zst": (b"\x28\xb5\x2f\xfd", _Zstd),
        "xz": (b"\xfd7zXZ\x00", lambda: _Limited("xz")),
        "bz2": (b"BZh", lambda: _Limited("bz2")),
    }


def _errors(kind: str) -> tuple[type[BaseException], ...]:
    if kind == "zst":
        import zstandard

        return (zstandard.ZstdError,)
    if kind == "xz":
        import lzma

        return (lzma.LZMAError,)
    return (zlib.error,) if kind == "gz" else (OSError, ValueError)


_FOREIGN = (
    (b"\x04\x22\x4d\x18", "lz4-compressed data"),
    (b"\x02\x21\x4c\x18", "lz4-compressed data"),
    (b"\x1f\x9d", "data of compress(1)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"LZIP", "lzip-compressed data"),
    (b"snoop\0\0\0", "a snoop capture"),
    (b"PK\x05\x06", "an empty zip archive"),
)


def wrapping_of(head: bytes) -> str | None:
    """Name of the wrapping that starts with ``head``: gz, zst, xz, bz2, zip, or None."""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    # A zstd file may start with a skippable frame (RFC 8878 section 3.1.2).
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:
        return "zst"
    return next((kind for kind, (magic, _) in _kinds().items() if head.startswith(magic)), None)


def describe(head: bytes) -> str:
    """What the first octets of a file are, for an error line."""
    if not head:
        return "no octets at all"
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            return name
    shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in head[:4])
    if all(32 <= octet < 127 or octet in b"\t\r\n\f" for octet in head):
        line = head.decode("ascii").strip().split("\n")[0][:32].strip()
        return f"text ({line!r})"
    return f'{head[:4].hex(" ")} ("{shown}")'


def place_of(path: str | os.PathLike[str]) -> Place:
    """File and member of ``capture.pcap`` or ``archive.zip!member``.

    A file whose own name holds ``!`` wins over an archive. Raises CaptureError when there is no
    such file, or when it is not a regular file.
    """
    text = os.fsdecode(path)
    candidates: list[tuple[str, str | None]] = [(text, None)]
    candidates += [(text[:i], text[i + 1 :]) for i, letter in enumerate(text) if letter == "!"]
    for file, member in candidates:
        try:
            mode = os.stat(file).st_mode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            continue
        if not stat.S_ISREG(mode):
            raise CaptureError(text, None, _mode_name(mode), "a regular file")
        return Place(file, member)
    if text == "-":
        raise CaptureError(text, None, "standard input", "a file, which can be read more than once")
    raise CaptureError(text, None, reason.lower(), "a readable capture file")


def _mode_name(mode: int) -> str:
    names = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in names if test(mode)), "a device")


class _Budget:
    """Octets read from disk, and how many they may become."""

    def __init__(self) -> None:
        self.read = 0
        self.given = 0

    def check(self, octets: int) -> None:
        self.given += octets
        if self.given > FREE_OCTETS and self.given > min(OCTETS, RATIO * self.read):
            raise Broken(
                f"{self.given} octets decompressed from {self.read}",
                f"at most {RATIO} for each octet of the file, and at most {OCTETS}",
            )


def _file_blocks(file: str, size: int, budget: _Budget) -> Iterator[bytes]:
    try:
        with open(file, "rb", buffering=0) as handle:
            while data := handle.read(size):
                budget.read += len(data)
                yield data
    except OSError as error:
        raise Broken(f"a read error ({error.strerror})", "more of the file") from None


def _file_parts(file: str, budget: _Budget) -> Parts:
    try:
        with open(file, "rb", buffering=0) as handle:
            data = b""
            while True:
                offset, size = yield data
                handle.seek(offset)
                data = handle.read(size)
                budget.read = offset + len(data)
    except OSError as error:
        raise Broken(f"a read error ({error.strerror})", "more of the file") from None


def _decompress(kind: str, data: Iterator[bytes], budget: _Budget) -> Iterator[bytes]:
    make, errors = _kinds()[kind][1], _errors(kind)
    decompressor: _Decompressor | None = None
    begun = False
    try:
        for block in data:
            rest = block
            while rest:
                if decompressor is None:
                    # xz streams may be followed by zeros (xz format, 2.2 Stream Padding).
                    rest = rest.lstrip(b"\0") if kind == "xz" and begun else rest
                    if not rest:
                        break
                    decompressor, begun = make(), True
                for piece in decompressor.pieces(rest):
                    budget.check(len(piece))
                    yield piece
                rest = decompressor.unused_data if decompressor.eof else b""
                decompressor = None if decompressor.eof else decompressor
    except errors as error:
        raise Broken(
            f"corrupt {kind} data ({str(error).strip()})", f"a whole {kind} file"
        ) from None
    if decompressor is not None:
        raise Broken(f"{kind} data that ends too early", f"a whole {kind} file")


def _regroup(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same octets in blocks of BLOCK; what came before a Broken is given before it."""
    parts: list[bytes] = []
    size = 0
    broken: Broken | None = None
    try:
        for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
    except Broken as error:
        broken = error
    if size:
        yield b"".join(parts)
    if broken is not None:
        raise broken


def _peel(path: str, pieces: Iterator[bytes], budget: _Budget, outer: tuple[str, ...]) -> Stream:
    """Takes off wrappings until none is left; raises CaptureError for too many."""
    wrappings = outer
    while True:
        head, pieces = _peek(pieces)
        kind = wrapping_of(head)
        if kind is None:
            return Stream(_regroup(pieces), wrappings, lambda: budget.read)
        if kind == "zip":
            raise CaptureError(path, 0, f"a zip archive inside {wrappings[-1]}", "a capture")
        if len(wrappings) == DEPTH:
            chain = " in ".join((kind, *reversed(wrappings)))
            raise CaptureError(path, 0, chain, f"at most {DEPTH} wrappings")
        pieces = _decompress(kind, pieces, budget)
        wrappings = (*wrappings, kind)


def _peek(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first octets, and an iterator that still gives them."""
    head = b""
    broken: Broken | None = None
    try:
        while len(head) < _SNIFF and (piece := next(pieces, None)) is not None:
            head += piece
    except Broken as error:
        broken = error
    return head[:_SNIFF], _again(head, pieces, broken)


def _again(head: bytes, pieces: Iterator[bytes], broken: Broken | None) -> Iterator[bytes]:
    if head:
        yield head
    if broken is not None:
        raise broken
    yield from pieces


def open_stream(place: Place) -> Stream:
    """The octets of a capture, unwrapped.

    Raises CaptureError when the file cannot be opened, holds too many wrappings, is an archive
    without exactly one capture (or without the member asked for), or when that member is encrypted
    or compressed in a way that is not supported.
    """
    head = head_of(place.file)
    if wrapping_of(head) == "zip":
        return _open_zip(place)
    if place.member is not None:
        raise CaptureError(str(place), 0, describe(head), "a zip archive before the '!'")
    budget = _Budget()
    if wrapping_of(head) is not None:
        return _peel(place.file, _file_blocks(place.file, _READ, budget), budget, ())
    blocks = _file_blocks(place.file, BLOCK, budget)
    return Stream(_regroup(blocks), (), lambda: budget.read, _file_parts(place.file, budget))


def head_of(file: str) -> bytes:
    """The first octets of a file; raises CaptureError when they cannot be read."""
    try:
        with open(file, "rb") as handle:
            return handle.read(_SNIFF)
    except OSError as error:
        raise CaptureError(file, None, (error.strerror or "").lower(), "a readable file") from None


def _open_zip(place: Place) -> Stream:
    archive = _archive(place.file)
    with closing(archive):
        infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        if place.member is None:
            chosen = _only_capture(place.file, archive, infos)
        else:
            chosen = _named(place, infos)
    budget = _Budget()
    path = f"{place.file}!{chosen.filename}"
    _refuse_unreadable(path, chosen)
    stream = _peel(path, _zip_blocks(place.file, chosen, budget), budget, ("zip",))

    def read() -> int:
        part = min(budget.given, chosen.file_size)
        return chosen.compress_size * part // max(1, chosen.file_size)

    return stream._replace(read=read)


def _archive(file: str) -> ZipFile:
    from zipfile import BadZipFile, ZipFile

    expected = "a readable zip archive"
    size = _directory_octets(file)
    if size > _ZIP_DIRECTORY:
        raise CaptureError(file, None, f"a zip directory of {size} octets", expected)
    try:
        return ZipFile(file)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CaptureError(file, None, f"a damaged zip archive ({error})", expected) from None


def _directory_octets(file: str) -> int:
    """Size of the central directory as the end record says (APPNOTE 4.3.16), 0 without one."""
    with open(file, "rb") as handle:
        handle.seek(max(0, os.fstat(handle.fileno()).st_size - _ZIP_TAIL))
        tail = handle.read(_ZIP_TAIL)
    at = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0


def _refuse_unreadable(path: str, info: ZipInfo) -> None:
    if info.flag_bits & 1:
        raise CaptureError(path, None, "an encrypted zip member", "one without a password")
    if info.compress_type not in (0, 8, 12, 14):
        found = f"zip compression method {info.compress_type}"
        raise CaptureError(path, None, found, "stored, deflate, bzip2 or lzma")


def _named(place: Place, infos: list[ZipInfo]) -> ZipInfo:
    found = [info for info in infos if info.filename == place.member]
    if len(found) == 1:
        return found[0]
    if found:
        many = f"{len(found)} members named {place.member!r}"
        raise CaptureError(place.file, None, many, "one")
    from difflib import get_close_matches

    names = [info.filename for info in infos]
    near = get_close_matches(place.member or "", names[:_ZIP_MEMBERS], 1, 0.5)
    hint = f"{near[0]!r}" if near else f"one of: {_listed(names)}"
    raise CaptureError(place.file, None, f"no member {place.member!r}", hint)


def _only_capture(file: str, archive: ZipFile, infos: list[ZipInfo]) -> ZipInfo:
    """The only member that is a capture, or the only member at all (its trouble is told later)."""
    if len(infos) > _ZIP_MEMBERS:
        found = f"a zip archive of {len(infos)} members"
        raise CaptureError(file, None, found, f"the name of one, as in {file}!{infos[0].filename}")
    captures = infos if len(infos) == 1 else [i for i in infos if _is_capture(archive, i)]
    if len(captures) == 1:
        return captures[0]
    if not captures:
        found = f"a zip archive without a readable capture ({_listed([i.filename for i in infos])})"
        raise CaptureError(file, None, found, "a member that is a pcap or pcapng capture")
    found = f"{len(captures)} captures: {_listed([info.filename for info in captures])}"
    raise CaptureError(file, None, found, f"the name of one, as in {file}!{captures[0].filename}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(name[:200] for name in names[:10]) or "no members") + more


def _is_capture(archive: ZipFile, info: ZipInfo) -> bool:
    try:
        _refuse_unreadable("", info)
        budget = _Budget()
        stream = _peel("", _member_blocks(archive, info, budget), budget, ("zip",))
        return is_capture(next(stream.blocks, b""))
    except (CaptureError, Broken):
        return False


def _zip_blocks(file: str, info: ZipInfo, budget: _Budget) -> Iterator[bytes]:
    try:
        archive = _archive(file)
    except CaptureError as error:
        raise Broken(error.found, error.expected) from None
    with closing(archive):
        yield from _member_blocks(archive, info, budget)


def _member_blocks(archive: ZipFile, info: ZipInfo, budget: _Budget) -> Iterator[bytes]:
    """Octets of a zip member; zipfile checks its CRC at the end."""
    from lzma import LZMAError
    from zipfile import BadZipFile

    try:
        with archive.open(info) as member:
            budget.read = max(1, info.compress_size)
            while data := member.read(_ZIP_FEED):
                budget.check(len(data))
                yield data
    except (BadZipFile, zlib.error, LZMAError, EOFError, OSError, ValueError) as error:
        reason = str(error) or "it ends too early"
        raise Broken(f"a damaged zip member ({reason})", "a whole zip member") from None
    except (RuntimeError, NotImplementedError) as error:
        raise Broken(f"a zip member that cannot be read ({error})", "a plain one") from None


def is_capture(head: bytes) -> bool:
    """Whether octets start as a pcap or pcapng capture does."""
    return head[:4] in CAPTURE_MAGICS
