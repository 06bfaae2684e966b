"""Which decoder runs: the one that was asked for, else by the size of the capture."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from decoders import choice, table
from decoders.choice import chosen
from decoders.columnar import pipeline
from decoders.containers import open_captures
from decoders.table import decode
from tests.harness.command_cases import RIGHT, THREE, expectations


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.pcap"
    path.write_bytes(THREE)
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The decoders that really ran."""
    names: list[str] = []
    by_rows, piped = table.rows_by, pipeline.Pipeline.__iter__

    def rows_by(name: str) -> Any:
        names.append(name)
        return by_rows(name)

    def iterate(self: pipeline.Pipeline) -> Any:
        names.append("columnar")
        return piped(self)

    monkeypatch.setattr(table, "rows_by", rows_by)
    monkeypatch.setattr(pipeline.Pipeline, "__iter__", iterate)
    return names


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "kernels_are_compiled", lambda: True)


def test_kernels_that_are_not_compiled_pay_off_later(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = open_captures([three])
    monkeypatch.setattr(choice, "LARGE_OCTETS", 1)
    monkeypatch.setattr(choice, "kernels_are_compiled", lambda: False)
    assert chosen("auto", capture) == "reference"
    monkeypatch.setattr(choice, "UNCOMPILED_OCTETS", len(THREE))
    assert chosen("auto", capture) == "columnar"


def test_compiled_kernels_are_found_when_they_are_newer_than_their_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not choice.kernels_are_compiled()
    assert "def decode_frames(" in (choice._KERNELS / "frames.py").read_text("utf-8")
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    index = tmp_path / "replicap-0" / "kernels_0" / f"frames.decode_frames-1.{version}.nbi"
    index.parent.mkdir(parents=True)
    index.write_bytes(b"")
    assert choice.kernels_are_compiled()
    os.utime(index, (1, 1))
    assert not choice.kernels_are_compiled()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("asked", ["auto", "reference", "columnar"])
def test_the_table_names_the_decoder_that_ran(
    three: Path, ran: list[str], asked: str, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(choice, "LARGE_OCTETS", len(THREE))
    by_size = "columnar" if large else "reference"
    found = decode(open_captures([three]), ["ip.src"], decoder=asked)
    assert ran == [found.decoder] == [by_size if asked == "auto" else asked]


def test_the_octets_of_all_files_count(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "LARGE_OCTETS", 2 * len(THREE))
    assert chosen("auto", open_captures([three])) == "reference"
    assert chosen("auto", open_captures([three, three])) == "columnar"


def test_a_compressed_capture_counts_for_more(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = three.with_suffix(".pcap.gz")
    packed.write_bytes(gzip.compress(THREE))
    monkeypatch.setattr(choice, "LARGE_OCTETS", 2 * packed.stat().st_size)
    assert packed.stat().st_size > len(THREE) / 4
    assert chosen("auto", open_captures([packed])) == "columnar"


def test_small_captures_do_not_load_what_large_ones_need(three: Path, tmp_path: Path) -> None:
    file = expectations(tmp_path, RIGHT)
    script = (
        "import sys; from harness.cli import main; "
        f"status = main(['verify', {str(three)!r}, '-e', {str(file)!r}]); "
        "assert status == 0; print('numba' in sys.modules, 'decoders.columnar' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "decoder    reference" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"
