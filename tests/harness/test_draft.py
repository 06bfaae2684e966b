"""``replicap draft``: what it writes holds on its capture, and is no published figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.expectation import ExpectationError, load
from tests.harness.command_cases import HEAD, THREE, pcap

GOLDEN = Path(__file__).parent.parent / "golden"
NOISE = GOLDEN / "dialup_noise.pcapng"


def drafted(capture: Path, folder: Path) -> Path:
    path = folder / "draft.yaml"
    assert main(["draft", str(capture), "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize("name", ["dialup_noise.pcapng", "streams_mixed.pcap", "tcp_scan.pcap"])
def test_every_claim_of_a_draft_is_verified_on_its_capture(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drafted(GOLDEN / name, tmp_path)
    capsys.readouterr()
    assert main(["verify", str(GOLDEN / name), "-e", str(path), "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["draft"] is True
    assert report["summary"]["verified"] == len(report["claims"]) >= 8
    assert report["summary"]["verified"] == len(load(path).claims)


def test_what_a_writer_would_publish_is_found(tmp_path: Path) -> None:
    """A dial-up with link control, NTP, scans and the router's errors (tests/golden)."""
    draft = load(drafted(NOISE, tmp_path))
    assert draft.draft
    assert [stage.id for stage in draft.stages] == ["all", "without-link-control", "without-errors"]
    assert draft.stages[2].filter == "!(icmp.type#1 in {3} && ip.src#1 == 203.0.113.182)"
    found = {claim.id for claim in draft.claims}
    assert found >= {
        *("packets-all", "packets-without-link-control", "packets-without-errors", "duration"),
        *("vlans", "had-lcp", "sources", "packets-per-source", "tcp-streams", "udp-ports"),
        *("classes", "no-ipv6", "none-malformed"),
    }


def test_another_capture_refutes_the_draft(tmp_path: Path) -> None:
    path = drafted(NOISE, tmp_path)
    assert main(["verify", str(GOLDEN / "tcp_scan.pcap"), "-e", str(path)]) == 1


def test_the_verdicts_say_that_it_is_a_draft(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drafted(NOISE, tmp_path)
    capsys.readouterr()
    main(["verify", str(NOISE), "-e", str(path)])
    out = capsys.readouterr().out
    assert "nothing here counts as published" in out
    assert ", a draft, " in out.splitlines()[-1]


def test_without_its_mark_a_draft_must_be_filled_in(tmp_path: Path) -> None:
    path = drafted(NOISE, tmp_path)
    text = path.read_text("utf-8").replace("draft: true\n", "", 1)
    path.write_text(text, "utf-8")
    with pytest.raises(ExpectationError) as caught:
        load(path)
    first = caught.value.problems[0]
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "FILL IN" in one and n > 3)
    assert (first.line, first.message) == (
        line,
        "left by 'replicap draft': expected words of your own, or 'draft: true'",
    )
    assert main(["verify", str(NOISE), "-e", str(path)]) == 2


def test_a_finished_draft_counts_as_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drafted(NOISE, tmp_path)
    text = path.read_text("utf-8").replace("draft: true\n", "", 1)
    path.write_text(text.replace("FILL-IN", "page").replace("FILL IN", "Ours"), "utf-8")
    capsys.readouterr()
    assert main(["verify", str(NOISE), "-e", str(path), "--json", "-"]) == 0
    assert "draft" not in json.loads(capsys.readouterr().out)


def test_a_hostile_name_stays_a_name(tmp_path: Path) -> None:
    capture = tmp_path / "a'\"\n: {x}\x1b[31m #.pcap"
    capture.write_bytes(THREE)
    draft = load(drafted(capture, tmp_path))
    assert draft.title == "What is in a'\"\\n: {x}\\x1b[31m #.pcap"


def test_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draft", str(NOISE)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("# A draft: ")
    assert "fill in what says FILL IN" in captured.err


def test_nothing_to_claim_of_an_empty_capture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, out = tmp_path / "empty.pcap", tmp_path / "out.yaml"
    capture.write_bytes(pcap())
    assert main(["draft", str(capture), "-o", str(out)]) == 2
    assert "nothing to claim" in capsys.readouterr().err
    assert not out.exists()


def test_a_cut_capture_gives_a_draft_of_its_readable_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, out = tmp_path / "cut.pcap", tmp_path / "out.yaml"
    capture.write_bytes(THREE[:-5])
    assert main(["draft", str(capture), "-o", str(out)]) == 3
    assert "only the frames before it were read" in capsys.readouterr().err
    assert load(out).draft


def test_the_capture_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(THREE)
    assert main(["draft", str(capture), "-o", str(capture)]) == 2
    assert capture.read_bytes() == THREE


def test_a_draft_must_be_true_or_false(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("draft: maybe\n" + HEAD + "  []\n", "utf-8")
    with pytest.raises(ExpectationError):
        load(path)


@pytest.mark.parametrize("name", ["dialup_noise.pcapng", "ppp_protocols.pcap"])
def test_every_claim_of_a_draft_can_fail(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = drafted(GOLDEN / name, tmp_path)
    capsys.readouterr()
    assert main(["mutants", str(GOLDEN / name), "-e", str(path), "--json", "-"]) == 0
    outcomes = [claim["outcome"] for claim in json.loads(capsys.readouterr().out)["claims"]]
    assert outcomes == ["killed"] * len(load(path).claims)
