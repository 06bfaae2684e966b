"""``replicap twin`` and ``replicap audit`` as a user runs them, on a small file of claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from generators.capture_file import twin_of
from harness.cli import main

CLAIMS = """
replicap: 1
title: A quiet line
source: {by: somebody, url: https://example.org/line}
macros: {site: 192.0.2.77}
stages:
  - id: all
  - {id: probes, from: all, filter: "!(icmp.code == 13)"}
claims:
  - id: packets
    says: There are 30 packets.
    at: {section: One}
    measure: packets
    equals: 30
  - id: left
    says: 20 are left without the errors.
    at: {section: One}
    stage: probes
    measure: packets
    equals: 20
  - id: telnet
    says: 12 go to Telnet.
    at: {section: Two}
    stage: probes
    where: "tcp && ip.dst == ${site}"
    measure: {table: tcp.dstport}
    rows: {23: 12}
  - id: sources
    says: They come from 15 addresses.
    at: {section: Two}
    stage: probes
    where: "ip.dst == ${site}"
    measure: {distinct: ip.src}
    equals: 15
"""


def a_file(folder: Path, text: str = CLAIMS) -> str:
    path = folder / "line.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_twin_is_written_measured_and_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "twin.pcapng"
    assert main(["twin", "-e", a_file(tmp_path), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "stage all, seed 0, 30 packets" in text
    assert "proves nothing about the published capture" in text
    assert "measured on it: 4 claims verified, 0 not satisfied" in text
    assert "twin of line.yaml (A quiet line)" in (twin_of(out.read_bytes()) or "")
    assert main(["verify", str(out), "-e", a_file(tmp_path)]) == 0


def test_a_later_stage_has_its_packets_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "twin.pcapng"
    assert main(["twin", "-e", a_file(tmp_path), "-o", str(out), "--stage", "probes"]) == 0
    assert "stage probes, seed 0, 20 packets" in capsys.readouterr().out


def test_contradicting_claims_are_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "twin.pcapng"
    name = a_file(tmp_path, CLAIMS.replace("equals: 20", "equals: 11"))
    assert main(["twin", "-e", name, "-o", str(out)]) == 1
    assert not out.exists()
    text = capsys.readouterr().out
    assert "these 2 claims contradict one another" in text
    line = CLAIMS.split("\n").index("  - id: left") + 1
    assert f"left ({name}:{line})" in text
    assert "says       12 go to Telnet." in text
    assert "at         section Two" in text
    assert main(["audit", "-e", name]) == 1


def test_a_claim_beyond_the_known_kinds_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = """
  - id: fragments
    says: One packet is SCTP.
    at: {section: Two}
    where: sctp
    measure: packets
    equals: 1
"""
    out = tmp_path / "twin.pcapng"
    assert main(["twin", "-e", a_file(tmp_path, CLAIMS + more[1:]), "-o", str(out)]) == 1
    assert "not satisfied: fragments (refuted)" in capsys.readouterr().out
    assert "does not satisfy fragments" in (twin_of(out.read_bytes()) or "")
    assert main(["audit", "-e", a_file(tmp_path, CLAIMS + more[1:])]) == 0
    assert "kinds that are not known:\n  fragments" in capsys.readouterr().out


def test_an_audit_without_an_understood_claim_is_no_success(tmp_path: Path) -> None:
    claims = """
  - id: octets
    says: 100 octets.
    at: {section: Two}
    measure: {sum: frame.len}
    equals: 100
"""
    text = CLAIMS[: CLAIMS.index("claims:\n") + len("claims:\n")] + claims[1:]
    assert main(["audit", "-e", a_file(tmp_path, text)]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "--without", "luck"], "unknown assumption 'luck'"),
        (["twin", "-o", "OUT", "--stage", "none"], "no stage 'none'"),
        (["twin", "-o", "-"], "expected a file"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = (word.replace("OUT", str(tmp_path / "o.pcapng")) for word in arguments)
    assert main([command, "-e", a_file(tmp_path), *rest]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
