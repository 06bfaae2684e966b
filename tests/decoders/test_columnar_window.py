"""Octets of a capture, put together for kernels: the same as block by block, and trouble last."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from decoders.columnar.records import _FileWindow, _Window
from decoders.wrapping import Broken, Parts, Place, open_stream


def blocks(*parts: bytes) -> Iterator[bytes]:
    yield from parts
    raise Broken("the end of a disk", "more")


@pytest.mark.parametrize(
    ("octets", "buffers"),
    [(1, [b"abc", b"cde", b"efgh"]), (4, [b"abcde", b"efgh"]), (99, [b"abcdefgh"])],
)
def test_blocks_are_put_behind_what_is_left(octets: int, buffers: list[bytes]) -> None:
    window = _Window(blocks(b"abc", b"de", b"fgh"), octets)
    seen = [window.buffer]
    base = 0
    while True:
        kept = 1 if len(seen) < len(buffers) else 0
        base += len(window.buffer) - kept
        if not window.advance(len(window.buffer) - kept):
            break
        assert window.base == base
        assert window.trouble is None
        seen.append(window.buffer)
    assert seen == buffers
    assert window.buffer == b""
    assert window.trouble is not None
    assert window.trouble.found == "the end of a disk"
    assert not window.advance(0)


def test_no_block_is_an_empty_window_without_trouble() -> None:
    window = _Window(iter(()), 8)
    assert window.buffer == b""
    assert not window.advance(0)
    assert window.trouble is None


def file_window(path: Path, octets: int) -> _FileWindow:
    parts = open_stream(Place(str(path), None)).parts
    assert parts is not None
    return _FileWindow(parts, octets)


def test_a_file_is_read_on_from_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "octets"
    path.write_bytes(b"abcdefgh")
    window = file_window(path, 3)
    seen = [(window.base, window.buffer)]
    for dropped in (2, 0):
        assert window.advance(dropped)
        seen.append((window.base, window.buffer))
    assert seen == [(0, b"abc"), (2, b"cdef"), (2, b"cdefgh")]
    assert not window.advance(5)
    assert (window.base, window.buffer, window.trouble) == (7, b"h", None)
    assert not window.advance(0)


def test_trouble_with_a_file_is_told_behind_what_was_read() -> None:
    def parts() -> Parts:
        yield b""
        yield b"abcd"
        raise Broken("a read error", "more of the file")

    window = _FileWindow(parts(), 4)
    assert (window.buffer, window.trouble) == (b"abcd", None)
    for _ in range(2):
        assert not window.advance(0)
        assert window.buffer == b"abcd"
        assert window.trouble is not None
        assert window.trouble.found == "a read error"


def test_a_wrapped_file_has_no_parts(tmp_path: Path) -> None:
    path = tmp_path / "octets.gz"
    path.write_bytes(gzip.compress(b"abcdefgh"))
    assert open_stream(Place(str(path), None)).parts is None
