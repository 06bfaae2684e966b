"""A field that a decoder leaves empty in every packet gets no verdict: nothing would match."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoders import tshark
from decoders.choice import not_given
from harness.cli import main
from tests.harness import command_cases as cases

needs_tshark = pytest.mark.skipif(not tshark.is_installed(), reason="tshark is not installed")
OCTETS = """\
  - id: no-octets
    says: No datagram holds these octets.
    at: {section: Octets}
    measure: {"no": "udp contains 00:07"}
"""


def test_tshark_gives_wireshark_fields_and_classes() -> None:
    names = ["udp.port", "replicap.class", "replicap.undecoded", "replicap.octets.udp"]
    assert not_given("tshark", names) == ["replicap.octets.udp"]
    assert not_given("reference", names) == []


@needs_tshark
def test_a_claim_about_octets_is_not_testable_with_tshark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT, OCTETS)
    found = {}
    for decoder in ("reference", "tshark"):
        main(["verify", str(capture), "-e", str(file), "--decoder", decoder, "--json", "-"])
        claims = json.loads(capsys.readouterr().out)["claims"]
        found[decoder] = [claim["status"] for claim in claims]
    assert found == {
        "reference": ["verified", "refuted"],
        "tshark": ["verified", "not_testable"],
    }
    assert "'tshark' does not give replicap.octets.udp" in claims[1]["reason"]


@needs_tshark
def test_filters_of_stages_and_of_fields_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = "stages: [{id: all}, {id: some, from: all, filter: 'udp contains 00:07'}]\nclaims:"
    head = cases.HEAD.replace("claims:", stages)
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT, head=head)
    asked = ["--decoder", "tshark"]
    assert main(["verify", str(capture), "-e", str(file), *asked]) == 2
    assert "filter of stage 'some': decoder 'tshark' does not give" in capsys.readouterr().err
    command = ["fields", str(capture), "-e", "frame.number", "-Y", "udp contains 00:07"]
    assert main([*command, *asked]) == 2
    assert capsys.readouterr().err == (
        "replicap: error: --decoder: tshark does not give replicap.octets.udp\n"
    )
    assert main(command) == 0
    assert capsys.readouterr().out == "1\n2\n"
