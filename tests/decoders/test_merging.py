"""Several captures read in batches: the frames, in the order, that the containers give."""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.columnar import merging
from decoders.columnar.records import batches
from decoders.containers import open_captures

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))


def same_frames(paths: list[Path], octets: int) -> None:
    capture = open_captures(paths)
    expected = list(capture.frames())
    damage = capture.damage
    found = [
        batch.frame(row, batch.first + row)
        for batch in batches(capture, octets)
        for row in range(len(batch))
    ]
    assert found == expected
    assert capture.damage == damage


def pcap(times: list[int]) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = (
        struct.pack("<IIII", time, 0, 3, 3) + bytes([time % 256, nth % 256, 7])
        for nth, time in enumerate(times)
    )
    return head + b"".join(records)


@settings(deadline=None, max_examples=60)
@given(
    files=st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=2, max_size=4),
    ordered=st.booleans(),
    frames=st.sampled_from([1, 3, 1 << 15]),
)
def test_files_that_overlap_and_repeat_times(
    files: list[list[int]], ordered: bool, frames: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "FRAMES", frames)
        patch.setattr(merging, "_WINDOW", 2)
        paths = []
        for number, times in enumerate(files):
            path = Path(folder, f"{number}.pcap")
            path.write_bytes(pcap(sorted(times) if ordered else times))
            paths.append(path)
        same_frames(paths, 1 << 20)


@settings(deadline=None, max_examples=60)
@given(paths=st.lists(st.sampled_from(CAPTURES), min_size=2, max_size=4))
def test_captures_of_every_kind(paths: list[Path]) -> None:
    same_frames(paths, 1)


def test_files_one_behind_another_are_taken_as_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    take = merging._Source.take

    def counted(self: merging._Source, end: int) -> merging._Run:
        runs.append(end)
        return take(self, end)

    monkeypatch.setattr(merging._Source, "take", counted)
    paths = [tmp_path / name for name in ("a.pcap", "b.pcap", "c.pcap")]
    for number, path in enumerate(paths):
        path.write_bytes(pcap(list(range(1_000 * number, 1_000 * number + 900))))
    same_frames(paths, 1 << 20)
    assert len(runs) == 3


def test_octets_of_several_files_are_the_kind_of_array_that_kernels_are_compiled_for(
    tmp_path: Path,
) -> None:
    """Else the first capture of several files would compile them once more."""
    paths = [tmp_path / name for name in ("a.pcap", "b.pcap")]
    for path in paths:
        path.write_bytes(pcap([0, 1, 2]))
    for capture in (open_captures(paths), open_captures(paths[:1])):
        assert [batch.octets.flags.writeable for batch in batches(capture)] == [False]
