"""Octets of a capture, put together for kernels: the same as block by block, and trouble last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from decoders.columnar.records import _Window
from decoders.wrapping import Broken


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
