"""Kept tables: used when everything is the same, never otherwise, and shared by runs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from decoders import cache as caching
from decoders.cache import Cache
from decoders.containers import Capture, open_captures
from decoders.table import Table, decode
from tests.harness.command_cases import THREE

WANTED = ["udp.dstport", "ip.src"]


class Kept:
    """A cache in a folder, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.cache = Cache(folder, self.said.append)

    def __call__(self, capture: Capture, wanted: list[str] = WANTED, **options: Any) -> Table:
        return self.cache.decode(capture, wanted, **options)

    @property
    def hits(self) -> int:
        return sum("as decoded before" in line for line in self.said)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "cache")


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.pcap"
    path.write_bytes(THREE)
    return path


def same(found: Table, expected: Table) -> None:
    assert_frame_equal(found.packets.select(expected.columns), expected.packets)
    assert set(found.columns) == set(expected.columns)
    for name in ("count", "malformed", "short", "undecoded", "classes", "decoder"):
        assert getattr(found, name) == getattr(expected, name)


def never(*_: Any, **__: Any) -> Table:
    raise AssertionError("it was decoded again")


@pytest.mark.parametrize("decoder", ["reference", "columnar"])
def test_the_second_time_nothing_is_decoded(
    kept: Kept, three: Path, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [*WANTED, "replicap.class"]
    expected = decode(open_captures([three]), wanted, decoder=decoder)
    same(kept(open_captures([three]), wanted, decoder=decoder), expected)
    assert kept.said == []
    monkeypatch.setattr(caching, "decode", never)
    same(kept(open_captures([three]), wanted[::-1], decoder=decoder), expected)
    assert kept.hits == 1


def test_anything_else_is_decoded(
    kept: Kept, three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pcap"
    other.write_bytes(THREE[:-1] + b"\1")
    kept(open_captures([three]))
    kept(open_captures([three]), ["udp.dstport"])
    kept(open_captures([three]), decoder="columnar")
    kept(open_captures([three]), keep=[True, True, False])
    kept(open_captures([three]), keep=[True, True])
    kept(open_captures([three, three]))
    kept(open_captures([other]))
    caching._version.cache_clear()
    monkeypatch.setattr(caching, "LIBRARIES", ("dpkt",))
    kept(open_captures([three]))
    caching._version.cache_clear()
    assert kept.hits == 0
    assert len(list(kept.cache.folder.iterdir())) == 8


def test_the_same_capture_under_another_name(kept: Kept, three: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(THREE[:-1])
    kept(open_captures([cut]))
    again = tmp_path / "again.pcap"
    again.write_bytes(THREE[:-1])
    capture = open_captures([again])
    assert kept(capture).count == 2
    assert kept.hits == 1
    assert capture.damage is not None
    assert capture.damage.path == str(again)
    expected = open_captures([again])
    decode(expected, WANTED)
    assert capture.damage == expected.damage


def test_a_capture_that_changes_is_never_kept(kept: Kept, three: Path) -> None:
    capture = open_captures([three])
    capture.sha256  # noqa: B018 - asked for before the file is another one
    three.write_bytes(THREE[:-1])
    os.utime(three, ns=(1, 1))
    assert kept(capture).count == 2
    assert not kept.cache.folder.exists()


def test_a_broken_table_is_decoded_and_replaced(kept: Kept, three: Path) -> None:
    expected = kept(open_captures([three]))
    for name in ("000000.parquet", "table.json"):
        (home,) = kept.cache.folder.iterdir()
        (home / name).write_bytes((home / name).read_bytes()[:-5])
        same(kept(open_captures([three])), expected)
        assert kept.hits == 0
    same(kept(open_captures([three])), expected)
    assert kept.hits == 1
    assert len(list(kept.cache.folder.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_done_without(three: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    kept = Kept(in_the_way / "cache")
    same(kept(open_captures([three])), decode(open_captures([three]), WANTED))
    assert len(kept.said) == 1
    assert kept.said[0].startswith("warning: ")
    assert "the table is not kept" in kept.said[0]


def test_runs_at_the_same_time_share_it(three: Path, tmp_path: Path) -> None:
    expected = decode(open_captures([three]), WANTED)

    def run(_: int) -> Table:
        return Kept(tmp_path / "cache")(open_captures([three]))

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(run, range(16)):
            same(found, expected)
    assert len(list((tmp_path / "cache").iterdir())) == 1
