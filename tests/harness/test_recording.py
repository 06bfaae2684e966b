"""``verify --write-measured``: figures stand beside published ones, nothing else changes."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from decoders.containers import open_captures
from harness.cli import main
from harness.engine import verify
from harness.expectation import read
from harness.recording import RecordingError, recorded
from harness.report.outcome import not_run
from harness.verdicts import CaptureFacts, Report, Status
from tests.harness.command_cases import HEAD, RIGHT, THREE, UNTESTABLE, WRONG, capture, expectations

FILES = sorted((Path(__file__).parents[2] / "expectations").glob("*.yaml"))

BEFORE = """\
# A file with everything in it.
replicap: 1
title: Three packets   # and a title
source: {by: A test, url: https://example.org/figures}

claims:
  # The first.
  - id: packets
    says: >
      There are three packets,
      in two lines.
    at: {section: Counts}
    measure: packets
    equals: 4   # published wrongly

  - {id: ports, says: Two ports., at: {section: Ports}, measure: {distinct: udp.dstport},
     equals: 2}   # short
  - id: none
    says: No packet is TCP.
    at: {section: Ports}
    measure:
      # a filter
      no: tcp

  # A table in several lines.
  - id: table
    says: |
      The ports.

    at: {section: Ports}
    table:
      7: 2   # echo
      # the other
      9: 1
    measure: {table: {by: udp.dstport}}
    note: the end
"""

AFTER = """\
# A file with everything in it.
replicap: 1
title: Three packets   # and a title
source: {by: A test, url: https://example.org/figures}

claims:
  # The first.
  - id: packets
    says: >
      There are three packets,
      in two lines.
    at: {section: Counts}
    measure: packets
    equals: 4   # published wrongly
    measured: 3

  - {id: ports, says: Two ports., at: {section: Ports}, measure: {distinct: udp.dstport},
     equals: 2, measured: 2}   # short
  - id: none
    says: No packet is TCP.
    at: {section: Ports}
    measure:
      # a filter
      no: tcp
    measured: "holds"

  # A table in several lines.
  - id: table
    says: |
      The ports.

    at: {section: Ports}
    table:
      7: 2   # echo
      # the other
      9: 1
    measured: {"7": 2, "9": 1}
    measure: {table: {by: udp.dstport}}
    note: the end
"""


def written(tmp_path: Path, before: str, content: bytes = THREE) -> str:
    raw = before.encode()
    given = open_captures([capture(tmp_path, content)])
    text, _ = recorded(raw, verify(read(raw, "three.yaml"), given))
    return text.decode()


def test_figures_stand_behind_what_was_published(tmp_path: Path) -> None:
    assert written(tmp_path, BEFORE) == AFTER


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    assert written(tmp_path, AFTER) == AFTER


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("measured: 9  # last year", "measured: 3  # last year"),
        ("measured: '9'", "measured: 3"),
        ("measured: true", "measured: 3"),
        ("measured:\n      9: 1\n      # what?\n      8: 1", "measured:\n      3"),
        ("measured: {a: 1,\n      b: 2}  # two", "measured: 3  # two"),
        ("measured: |\n      nine\n\n    # a comment\n    tags: [a]", None),
        ("measured: 0x3", "measured: 0x3"),
    ],
)
def test_an_older_figure_is_replaced_where_it_stands(
    tmp_path: Path, old: str, new: str | None
) -> None:
    before = HEAD + RIGHT + f"    {old}\n" + WRONG
    new = "measured: 3\n\n    # a comment\n    tags: [a]" if new is None else new
    before = before.replace("    tags: [counts, xfail]\n", "")
    after = (HEAD + RIGHT + f"    {new}\n" + WRONG + "    measured: 2\n").replace(
        "    tags: [counts, xfail]\n", ""
    )
    figure = "    equals: 3\n    interpretation"
    after = after.replace("    measured: 2\n", "").replace(
        figure, "    equals: 3\n    measured: 2\n    interpretation"
    )
    assert written(tmp_path, before) == after


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_the_byte_order_mark_stay(tmp_path: Path, ending: str, mark: str) -> None:
    before, after = (mark + text.replace("\n", ending) for text in (BEFORE, AFTER))
    assert written(tmp_path, before) == after


def test_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    text = written(tmp_path, (HEAD + RIGHT).rstrip("\n"))
    assert text == HEAD + RIGHT + "    measured: 3\n"


def test_a_figure_that_is_an_alias(tmp_path: Path) -> None:
    wrong = WRONG.replace("equals: 3", "equals: *three")
    before = HEAD + RIGHT.replace("equals: 3", "equals: &three 3") + wrong
    after = before.replace("&three 3\n", "&three 3\n    measured: 3\n")
    after = after.replace("*three\n", "*three\n    measured: 2\n")
    assert written(tmp_path, before) == after


def test_what_is_not_testable_gets_no_figure(tmp_path: Path) -> None:
    assert written(tmp_path, HEAD + RIGHT + UNTESTABLE).endswith(
        "    equals: 3\n    measured: 3\n" + UNTESTABLE
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_lines_are_added_to_the_files_of_this_project(path: Path) -> None:
    raw = path.read_bytes()
    expected = read(raw, str(path))
    run = not_run(expected, expected.stages[0].id, "")
    verdicts = tuple(
        replace(verdict, status=Status.VERIFIED, measured=7, measured_text="7")
        if verdict.claim.measure is not None
        else verdict
        for verdict in run.report.verdicts
    )
    facts = CaptureFacts("x", "0" * 64, "pcap", 1, 0, 0, {}, None, None)
    report = replace(run.report, verdicts=verdicts, capture=facts)
    text, count = recorded(raw, report)
    lines = text.decode().splitlines(keepends=True)
    added = [line for line in lines if line.strip() == "measured: 7"]
    assert len(added) == count
    assert count == sum(claim.measure is not None for claim in expected.claims)
    assert "".join(line for line in lines if line.strip() != "measured: 7").encode() == raw
    assert recorded(text, report) == (text, 0)


# What is refused


def refused(raw: bytes, report: Report) -> str:
    with pytest.raises(RecordingError) as caught:
        recorded(raw, report)
    return str(caught.value)


def test_figures_of_a_twin_are_never_written(tmp_path: Path) -> None:
    raw = (HEAD + RIGHT).encode()
    report = verify(read(raw, "three.yaml"), open_captures([capture(tmp_path)]))
    assert "a twin" in refused(raw, replace(report, twin=True))


def test_figures_of_a_damaged_capture_are_not_written(tmp_path: Path) -> None:
    raw = (HEAD + RIGHT).encode()
    report = verify(read(raw, "three.yaml"), open_captures([capture(tmp_path, THREE[:-3])]))
    assert "to its end" in refused(raw, report)


def test_a_file_that_changed_in_the_meantime_is_left_alone(tmp_path: Path) -> None:
    raw = (HEAD + RIGHT).encode()
    report = verify(read(raw, "three.yaml"), open_captures([capture(tmp_path)]))
    assert "changed" in refused(raw.replace(b"equals: 3", b"equals: 4"), report)


def test_a_claim_that_is_not_testable_has_no_measured_figure() -> None:
    with pytest.raises(ValueError, match="not testable has no 'measured'"):
        read((HEAD + UNTESTABLE + "    measured: 3\n").encode(), "three.yaml")


# The command


def test_the_command_writes_and_keeps_permissions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml = expectations(tmp_path, RIGHT, WRONG)
    yaml.chmod(0o640)
    arguments = ["verify", str(capture(tmp_path)), "-e", str(yaml), "--write-measured"]
    assert main(arguments) == 1
    assert "2 measured figures written" in capsys.readouterr().err
    assert stat.S_IMODE(yaml.stat().st_mode) == 0o640
    once = yaml.read_bytes()
    assert b"equals: 3\n    measured: 2\n" in once
    assert main(arguments) == 1
    assert yaml.read_bytes() == once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three.pcap", "three.yaml"]


def test_the_verdict_does_not_depend_on_what_was_written(tmp_path: Path) -> None:
    yaml = expectations(tmp_path, RIGHT + "    measured: 99\n")
    assert main(["verify", str(capture(tmp_path)), "-e", str(yaml)]) == 0
