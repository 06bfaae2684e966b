"""The comparison of decoders finds what differs, and each decoder is the one that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoders.columnar.decoder import ColumnarDecoder, Decoded
from decoders.columnar.running import Kernels
from decoders.frames import Frame
from decoders.reference import Decoder
from tests.properties.decoded import rows_by
from tests.properties.equality import compare
from tests.properties.planted import BUGS

SCAN = Path(__file__).parent.parent / "golden" / "tcp_scan.pcap"
FIELDS = ("tcp.dstport", "tcp.stream")


class Ran(Exception):
    """A decoder was called."""


def test_sound_decoders_do_not_differ() -> None:
    found = compare(SCAN)
    assert found.differences == ()
    assert found.frames == 40
    assert found.delegated == 0
    assert found.cells > 40 * 190


def test_a_bug_of_one_decoder_is_told_with_frame_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS["signed-port"].plant(monkeypatch)
    (told,) = compare(SCAN, FIELDS).differences
    assert told == "frame 12, tcp_dstport: columnar 50001, reference -15535"


def test_a_frame_too_many_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = ColumnarDecoder.follow

    def counted(self: ColumnarDecoder, decoded: Decoded) -> None:
        follow(self, decoded)
        self.count += 1

    monkeypatch.setattr(ColumnarDecoder, "follow", counted)
    assert compare(SCAN, FIELDS).differences == ("count: columnar 41, reference 40",)


def test_what_both_refuse_is_no_difference(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pcap"
    junk.write_bytes(b"no capture")
    found = compare(junk)
    assert (found.frames, found.differences) == (0, ())


def test_the_reference_decoder_is_the_one_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(_: Decoder, frame: Frame) -> object:
        raise Ran(frame.number)

    monkeypatch.setattr(Decoder, "row", row)
    assert len(rows_by("columnar", SCAN, FIELDS)) == 40
    with pytest.raises(Ran):
        rows_by("reference", SCAN, FIELDS)


def test_the_columnar_decoder_is_the_one_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> object:
        raise Ran(len(_))

    monkeypatch.setattr(Kernels, "run", run)
    assert len(rows_by("reference", SCAN, FIELDS)) == 40
    with pytest.raises(Ran):
        rows_by("columnar", SCAN, FIELDS)


def test_no_other_decoder_has_rows() -> None:
    with pytest.raises(KeyError, match="tshark"):
        rows_by("tshark", SCAN, FIELDS)
