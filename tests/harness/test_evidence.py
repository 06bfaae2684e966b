"""``verify --evidence``: the packets that a refuted claim is about, for Wireshark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from decoders.containers import open_captures
from decoders.frames import Frame
from harness.cli import main
from harness.engine import verify
from harness.expectation import read
from harness.report.evidence import MOST_OCTETS, write
from tests.harness.command_cases import (
    HEAD,
    INTERFACE,
    RIGHT,
    SECTION,
    WRONG,
    block,
    capture,
    expectations,
    pcap,
    udp,
)

SIX = pcap(udp(1, 7), udp(2, 9), udp(3, 7), udp(4, 11), udp(5, 9), udp(6, 7))
STAGES = HEAD.replace(
    "claims:\n",
    """\
macros: {seven: "7"}
stages:
  - id: all
  - id: rest
    from: all
    filter: "udp.dstport != ${seven}"
claims:
""",
)


def claim(name: str, body: str, stage: str = "all") -> str:
    head = f"  - {{id: {name}, says: something, at: {{section: Stats}}, stage: {stage},"
    return f"{head}\n     {body}}}\n"


def evidence(tmp_path: Path, *claims: str, content: bytes = SIX) -> dict[str, list[Frame]]:
    """Frames of the files that were written, by claim."""
    yaml = expectations(tmp_path, *claims, head=STAGES)
    folder = tmp_path / "evidence"
    status = main(
        ["verify", str(capture(tmp_path, content)), "-e", str(yaml), "--evidence", str(folder)]
    )
    assert status == 1
    return {path.stem: list(open_captures([path]).frames()) for path in sorted(folder.iterdir())}


def sources(frames: list[Frame]) -> list[int]:
    """UDP source ports: they number the packets of the capture."""
    return [int.from_bytes(frame.data[34:36], "big") for frame in frames]


def test_each_refuted_claim_has_a_file_with_the_packets_it_counts(tmp_path: Path) -> None:
    found = evidence(
        tmp_path,
        claim("nines", "where: udp.dstport == 9, measure: packets, equals: 3"),
        claim("right", "measure: packets, equals: 6"),
        claim("none", "measure: {no: udp.dstport == 11}"),
    )
    assert {name: sources(frames) for name, frames in found.items()} == {
        "nines": [2, 5],
        "none": [4],
    }


def test_frames_keep_their_octets_and_times_and_say_why_they_are_there(tmp_path: Path) -> None:
    found = evidence(
        tmp_path, claim("sevens", 'where: "udp.dstport == ${seven}", measure: packets, equals: 9')
    )
    originals = list(open_captures([tmp_path / "three.pcap"]).frames())
    for frame, number in zip(found["sevens"], (1, 3, 6), strict=True):
        assert (frame.data, frame.time_ns) == (
            originals[number - 1].data,
            originals[number - 1].time_ns,
        )
        assert frame.comments == (
            f"replicap: frame {number} of three.pcap; claim sevens; "
            "display filter in stage all: udp.dstport == 7",
        )


def test_numbers_are_those_of_the_capture_also_in_a_later_stage(tmp_path: Path) -> None:
    found = evidence(
        tmp_path, claim("nine", "where: frame.number == 3, measure: packets, equals: 0", "rest")
    )
    [frame] = found["nine"]
    assert sources([frame]) == [5]
    assert "frame 5 of three.pcap" in frame.comments[0]
    assert "in stage rest: frame.number == 3" in frame.comments[0]


def test_of_a_table_the_rows_that_differ_are_shown(tmp_path: Path) -> None:
    found = evidence(
        tmp_path,
        claim("rows", "measure: {table: {by: udp.dstport}}, rows: {7: 3, 9: 1}"),
        claim("table", "measure: {table: {by: udp.dstport}}, table: {7: 3, 9: 2}"),
        claim("sources", "measure: {table: {by: ip.src}}, table: {192.0.2.1: 5}"),
    )
    assert sources(found["rows"]) == [2, 5]
    assert sources(found["table"]) == [4]
    assert sources(found["sources"]) == [1, 2, 3, 4, 5, 6]


def test_a_protocol_that_only_the_witness_names_is_asked_for(tmp_path: Path) -> None:
    found = evidence(tmp_path, claim("streams", "measure: {streams: udp}, equals: 2"))
    assert sources(found["streams"]) == [1, 2, 3, 4, 5, 6]
    assert found["streams"][0].comments[0].endswith("display filter in stage all: udp")


def test_when_nothing_matches_it_says_so_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evidence(
        tmp_path, claim("none", "where: udp.dstport == 99, measure: packets, equals: 1")
    )
    assert found == {}
    said = capsys.readouterr().err
    assert "evidence: none: no packet of stage 'all' matches 'udp.dstport == 99'" in said


def test_packets_and_octets_are_bounded(tmp_path: Path) -> None:
    raw = (STAGES + claim("all", "measure: packets, equals: 0")).encode()
    large = [udp(port, 7) + bytes(60_000) for port in range(100)]
    given = open_captures([capture(tmp_path, pcap(*large))])
    report = verify(read(raw, "three.yaml"), given, evidence=90)
    assert [(len(one.frames), one.count) for one in report.evidence] == [(90, 100)]
    told = write(str(tmp_path), "", report, given, [])
    frames = list(open_captures([tmp_path / "all.pcapng"]).frames())
    assert 0 < len(frames) <= MOST_OCTETS // 60_000
    assert f"{len(frames)} of 100 packets" in told[0]


def test_a_packet_without_a_time_keeps_its_comment(tmp_path: Path) -> None:
    simple = block(3, len(udp(1, 7)).to_bytes(4, "little") + udp(1, 7))
    found = evidence(
        tmp_path, claim("one", "measure: packets, equals: 0"), content=SECTION + INTERFACE + simple
    )
    assert "claim one" in found["one"][0].comments[0]


def test_several_files_do_not_mix_their_claims(tmp_path: Path) -> None:
    one = expectations(tmp_path, WRONG, name="one.yaml")
    two = expectations(tmp_path, WRONG, name="two.yaml")
    folder = tmp_path / "new" / "evidence"
    arguments = ["verify", str(capture(tmp_path)), "-e", str(one), "-e", str(two)]
    assert main([*arguments, "--evidence", str(folder)]) == 1
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["one-to-port-7.pcapng", "two-to-port-7.pcapng"]


def test_nothing_that_is_read_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = capture(tmp_path, name="to-port-7.pcapng")
    before = given.read_bytes()
    yaml = expectations(tmp_path, WRONG)
    assert main(["verify", str(given), "-e", str(yaml), "--evidence", str(tmp_path)]) == 2
    assert given.read_bytes() == before
    assert "it is one of the files that are read" in capsys.readouterr().err
    assert main(["verify", str(given), "-e", str(yaml), "--evidence", str(yaml)]) == 2
    assert "it is a file, expected a folder" in capsys.readouterr().err


def test_without_a_refuted_claim_there_is_no_evidence(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    yaml = expectations(tmp_path, RIGHT)
    assert main(["verify", str(capture(tmp_path)), "-e", str(yaml), "--evidence", str(folder)]) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_wireshark_opens_it(tmp_path: Path) -> None:
    evidence(tmp_path, claim("nines", "where: udp.dstport == 9, measure: packets, equals: 3"))
    path = tmp_path / "evidence" / "nines.pcapng"
    shown = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-e", "udp.srcport", "-e", "frame.comment"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split("\t")[0] for line in shown.stdout.splitlines()] == ["2", "5"]
    assert "claim nines; display filter in stage all: udp.dstport == 9" in shown.stdout
