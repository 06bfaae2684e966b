"""Generated captures are read by an installed tshark as they are read here; see witness.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.random_filters import make_filters
from generators.truth import Described, Truth
from tests.decoders.frame_bytes import A, B, tcp4
from tests.properties import drawing, witness
from tests.properties.decoded import in_one_file

FILTERS = 60

needs_tshark = pytest.mark.skipif(bool(witness.missing()), reason=witness.missing())


@needs_tshark
@pytest.mark.parametrize(
    ("kind", "frames", "seed"),
    [
        (drawing.of_all_kinds, 400, 1),
        (drawing.of_traffic, 300, 2),
        (drawing.of_conversations, 600, 3),
    ],
)
def test_generated_captures_are_read_alike(
    kind: Callable[[], object], frames: int, seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "drawn.pcapng"
    path.write_bytes(in_one_file(drawing.drawn(kind(), seed, frames)).data)  # type: ignore[arg-type]
    told, alike = witness.fields_differ(path)
    assert told == []
    assert len(alike) > 0.9 * frames
    filters = [one for one in make_filters(path, FILTERS, str(seed)) if witness.can_be_asked(one)]
    assert len(filters) > FILTERS / 2
    assert witness.filters_differ(path, filters, alike) == []


def segments(path: Path) -> Path:
    data = [
        tcp4(A, 40000, B, 40001, "S", 1),
        tcp4(B, 40001, A, 40000, "SA", 7, 2),
        *[b"x" * 60] * 2,
    ]
    path.write_bytes(in_one_file([Described(one, len(one), 1, Truth()) for one in data]).data)
    return path


@needs_tshark
def test_a_field_that_differs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = segments(tmp_path / "two.pcapng")
    assert witness.fields_differ(path) == ([], {1, 2, 3, 4})
    sound = witness.asked

    def lying(tshark: str, capture: Path, home: Path) -> list[list[str]]:
        lines = sound(tshark, capture, home)
        lines[1][witness.COMPARED.index("tcp.seq_raw")] = "8"
        return lines

    monkeypatch.setattr(witness, "asked", lying)
    told, alike = witness.fields_differ(path)
    assert told == ["frame 2: tcp.seq_raw: ['7'], tshark ['8']"]
    assert alike == {1, 3, 4}


@needs_tshark
def test_a_filter_that_differs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = segments(tmp_path / "two.pcapng")
    filters = [f"tcp.flags.syn == 1 and frame.number > {n}" for n in range(9)] + ["tcp.ack == 1"]
    assert witness.filters_differ(path, filters, {1, 2, 3, 4}) == []
    sound = witness._kept_there

    def lying(capture: Path, asked: list[str]) -> list[set[int]]:
        return [*sound(capture, asked)[:-1], {1}]

    monkeypatch.setattr(witness, "_kept_there", lying)
    assert witness.filters_differ(path, filters, {1, 2, 3, 4}) == [
        "reference: tcp.ack == 1: frames [1, 2] of 2",
        "columnar: tcp.ack == 1: frames [1, 2] of 2",
    ]


def test_why_there_is_no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness.tshark, "is_installed", lambda: False)
    assert witness.missing() == "tshark is not installed"
    monkeypatch.setattr(witness.tshark, "is_installed", lambda: True)
    monkeypatch.setattr(witness.tshark, "version_text", lambda: "TShark (Wireshark) 4.4.1")
    assert "this is TShark (Wireshark) 4.4.1" in witness.missing()
    monkeypatch.setattr(witness.tshark, "version_text", lambda: "TShark (Wireshark) 4.0.17 (x)")
    assert witness.missing() == ""
