"""Every claim measured by each decoder: figures that agree, and where they do not, the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from decoders import reference, tshark
from decoders.columnar import pipeline
from decoders.containers import open_captures
from harness.cli import main
from harness.confirming import NO_DIFFERENCE, available, confirm
from harness.verdicts import Report, Status, Verdict
from tests.harness.command_cases import HEAD, THREE
from tests.harness.engine_cases import claims, only

GOLDEN = Path(__file__).parent.parent / "golden"
needs_tshark = pytest.mark.skipif(not tshark.is_installed(), reason="no tshark here")
CLAIMS = (
    "where: udp.dstport == 7, measure: packets, equals: 2",
    "measure: {distinct: udp.srcport}, equals: 4",
    "not_testable: needs a PTR snapshot",
)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.pcap"
    path.write_bytes(THREE)
    return path


@pytest.fixture
def without_tshark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("decoders.tshark.is_installed", lambda: False)


def confirmed(path: Path, *bodies: str, **options: Any) -> Report:
    before = options.pop("before", "")
    return confirm(claims(*bodies, before=before), open_captures([path]), **options)


@needs_tshark
def test_three_decoders_confirm_a_figure(three: Path) -> None:
    assert available() == ["reference", "columnar", "tshark"]
    found = confirmed(three, *CLAIMS)
    assert found.decoder == "reference"
    assert found.confirmed_by == ("reference", "columnar", "tshark")
    assert [verdict.status for verdict in found.verdicts] == [
        *(Status.VERIFIED, Status.REFUTED, Status.NOT_TESTABLE)
    ]
    assert [verdict.confirmed for verdict in found.verdicts] == [3, 3, None]


@pytest.mark.usefixtures("without_tshark")
def test_without_tshark_two_confirm_it(three: Path) -> None:
    found = confirmed(three, CLAIMS[0], decoder="columnar")
    assert found.decoder == "columnar"
    assert found.confirmed_by == ("columnar", "reference")
    assert only(found).confirmed == 2


def lying(monkeypatch: pytest.MonkeyPatch, number: int, field: str, value: int) -> None:
    """The reference decoder sees another value in one frame."""
    honest = reference.rows

    def rows(*arguments: Any, **options: Any) -> Iterator[Any]:
        for row in honest(*arguments, **options):
            if row.number == number and field in row.own:
                row.own[field] = [value]
            yield row

    monkeypatch.setattr(reference, "rows", rows)


def disagreement(path: Path, body: str, before: str = "") -> Verdict:
    verdict = only(confirmed(path, body, before=before))
    assert (verdict.status, verdict.measured, verdict.confirmed) == (Status.ERROR, None, 0)
    return verdict


@pytest.mark.usefixtures("without_tshark")
def test_a_disagreement_is_an_error_that_names_frame_and_field(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(monkeypatch, 2, "udp.dstport", 53)
    assert disagreement(three, CLAIMS[0]).reason == (
        "line 5: decoders disagree: reference 1, columnar 2; "
        "the first difference is frame 2, udp.dstport: reference 53, columnar 7"
    )


@pytest.mark.usefixtures("without_tshark")
def test_a_disagreement_in_a_stage_is_told_in_frames_of_the_capture(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(monkeypatch, 2, "udp.srcport", 53)
    stages = "stages: [{id: all}, {id: late, from: all, filter: frame.number > 1}]\n"
    body = "stage: late, measure: {sum: udp.srcport}, equals: 1"
    reason = disagreement(three, body, stages).reason
    assert "frame 3, udp.srcport: reference 53, columnar 1002" in reason


@pytest.mark.usefixtures("without_tshark")
def test_a_disagreement_about_which_packets_a_stage_has(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(monkeypatch, 2, "udp.dstport", 9)
    stages = "stages: [{id: all}, {id: nine, from: all, filter: udp.dstport == 9}]\n"
    reason = disagreement(three, "stage: nine, measure: packets, equals: 1", stages).reason
    assert "frame 2, udp.dstport: reference 9, columnar 7" in reason


@pytest.mark.usefixtures("without_tshark")
def test_an_absent_value_is_nothing(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = reference.rows

    def rows(*arguments: Any, **options: Any) -> Iterator[Any]:
        for row in honest(*arguments, **options):
            if row.number == 3:
                row.own.pop("udp.srcport", None)
            yield row

    monkeypatch.setattr(reference, "rows", rows)
    reason = disagreement(three, CLAIMS[1]).reason
    assert "frame 3, udp.srcport: reference nothing, columnar 1002" in reason


@pytest.mark.usefixtures("without_tshark")
def test_a_decoder_without_a_figure_does_not_confirm(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = property(lambda self: {"GRE": 1})
    monkeypatch.setattr(pipeline.Pipeline, "undecoded", hidden)
    verdict = only(confirmed(three, CLAIMS[0]))
    assert (verdict.status, verdict.confirmed) == (Status.VERIFIED, 1)
    assert verdict.reason.startswith("columnar: 1 of 3 packets holds what this decoder does not")


@pytest.mark.usefixtures("without_tshark")
def test_confirm_on_the_command_line(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expectations = tmp_path / "three.yaml"
    expectations.write_text(
        "replicap: 1\ntitle: Three\nsource: {by: A test, url: https://example.org/}\nclaims:\n"
        "  - {id: seven, says: Two., at: {section: S}, where: udp.dstport == 7, "
        "measure: packets, equals: 2}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out.json"
    given = ["verify", str(three), "-e", str(expectations), "--confirm", "--json", str(out)]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "confirmed  by reference, columnar\n" in shown
    assert "confirmed by 2" in shown
    found = json.loads(out.read_text())
    assert found["confirmed_by"] == ["reference", "columnar"]
    assert found["claims"][0]["confirmed"] == 2
    assert NO_DIFFERENCE not in shown


@pytest.mark.usefixtures("without_tshark")
def test_what_a_decoder_left_to_another_confirms_nothing() -> None:
    """Fragments: the reference decoder's work, asked twice."""
    verdict = only(confirmed(GOLDEN / "frag_v4.pcap", "measure: packets, equals: 37"))
    assert (verdict.status, verdict.confirmed) == (Status.VERIFIED, 1)
    assert "columnar: " in verdict.reason
    assert "left to the reference decoder's layers" in verdict.reason


@pytest.mark.usefixtures("without_tshark")
@pytest.mark.parametrize(
    ("capture", "body"),
    [
        ("tcp_scan.pcap", 'measure: {"no": "ip contains 61:61:61:61:61:61"}'),
        ("tcp_flags.pcap", 'measure: {"no": "_ws.expert#2"}'),
        ("tcp_flags.pcap", 'measure: {"no": "len(tcp) < 20"}'),
    ],
)
def test_octets_and_layers_of_expert_items_have_two_witnesses(capture: str, body: str) -> None:
    verdict = only(confirmed(GOLDEN / capture, body))
    assert (verdict.status, verdict.confirmed) == (Status.VERIFIED, 2)


def test_delegated_packets_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HEAD + "  - {id: a, says: x, at: {section: y}, measure: packets, equals: 37}\n")
    capture = str(GOLDEN / "frag_v4.pcap")
    assert main(["verify", capture, "-e", str(path), "--decoder", "columnar"]) == 0
    assert "of 37 packets to the layers of the reference decoder" in capsys.readouterr().out
    assert main(["verify", capture, "-e", str(path), "--decoder", "columnar", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["capture"]["delegated"] > 0
