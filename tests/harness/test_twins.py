"""What stands in for a capture that an expectation file does not pin, and that it is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from generators.capture_file import TWIN_MARK, Packet, pcapng
from harness.cli import main
from harness.commands import twins
from harness.expectation import Expectation
from tests.harness import command_cases as cases

DATA = pcapng(
    [Packet(second * 10**9, cases.udp(1000 + second, 7)) for second in range(3)],
    application=TWIN_MARK,
    comment="three packets",
)
STAGES = "stages: [{id: all}, {id: some, from: all, filter: udp.dstport == 7}]\nclaims:"
PROVES_NOTHING = "made from these claims; it proves nothing about the author's trace"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The stages of which twins were made; every twin is the same three packets."""
    stages: list[str] = []

    def make(expectation: Expectation, stage: str) -> bytes:
        stages.append(stage)
        return DATA

    monkeypatch.setattr(twins, "_made", make)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return stages


def verify(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["verify", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_a_file_without_capture_is_verified_on_its_twin(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = cases.HEAD.replace("claims:", STAGES)
    file = cases.expectations(tmp_path, cases.RIGHT, head=head)
    status, out, err = verify(capsys, "-e", file)
    assert (status, err) == (0, "")
    assert PROVES_NOTHING in out
    assert "published by A test: https://example.org/figures\n" in out
    assert f"replicap verify CAPTURE -e {file} --stage NAME\n" in out
    assert out.endswith("NAME is what it is: all, some\n")


def test_a_twin_is_made_once_for_each_text_and_stage(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = cases.HEAD.replace("claims:", STAGES)
    file = cases.expectations(tmp_path, cases.RIGHT, head=head)
    for arguments in ([], [], ["--stage", "some"], ["--stage", "all"]):
        verify(capsys, "-e", file, *arguments)
    assert made == ["all", "some"]
    cases.expectations(tmp_path, cases.RIGHT, cases.WRONG, head=head)
    verify(capsys, "-e", file)
    assert made == ["all", "some", "all"]
    left = sorted(path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert left.count(".pcapng") == len(made)
    assert "" not in left  # nothing half written


def test_json_says_twin_also_of_one_that_was_given(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases.expectations(tmp_path, cases.RIGHT)
    twin = cases.capture(tmp_path, DATA, "twin.pcapng")
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("a.pcapng", DATA)
        content.writestr("b.pcap", cases.THREE)
    real = cases.capture(tmp_path)
    found = {
        name: json.loads(verify(capsys, *captures, "-e", file, "--json", "-")[1])["twin"]
        for name, captures in {
            "none": [],
            "twin": [twin],
            "member": [f"{archive}!a.pcapng"],
            "both": [real, twin],
            "real": [real],
            "other member": [f"{archive}!b.pcap"],
        }.items()
    }
    assert found == {
        "none": True, "twin": True, "member": True, "both": True,
        "real": False, "other member": False,
    }  # fmt: skip


def test_a_given_twin_gets_no_advice(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases.expectations(tmp_path, cases.RIGHT)
    twin = cases.capture(tmp_path, DATA, "twin.pcapng")
    status, out, _ = verify(capsys, twin, "-e", file)
    assert (status, made) == (0, [])
    assert PROVES_NOTHING in out
    assert "published by" not in out


def test_a_twin_that_cannot_be_made_or_kept_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    made: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = cases.expectations(tmp_path, cases.RIGHT)
    (tmp_path / "cache").write_text("a file where a folder should be")
    status, out, err = verify(capsys, "-e", file)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the twin cannot be kept" in err

    def refuse(expectation: Expectation, stage: str) -> bytes:
        raise twins.TwinNotMade("no such capture exists")

    (tmp_path / "cache").unlink()
    monkeypatch.setattr(twins, "_made", refuse)
    status, out, err = verify(capsys, "-e", file)
    assert (status, out, err) == (2, "", "replicap: error: no such capture exists\n")


def test_nothing_measured_on_a_twin_is_written_into_the_file(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases.expectations(tmp_path, cases.RIGHT)
    before = file.read_bytes()
    status, _, err = verify(capsys, "-e", file, "--write-measured")
    assert status == 2
    assert "measured on a twin" in err
    assert file.read_bytes() == before
