"""Reports for people and programs, and what hostile text does to them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from decoders.containers import open_captures
from harness.engine import verify
from harness.expectation import load
from harness.report import json_report, junit, terminal
from harness.report.outcome import Outcome, not_run, worst
from harness.report.output import OutputError, check_output, write_text
from tests.harness import command_cases as cases

HOSTILE = "red \x1b[31m, turned \u202e, [bold]loud[/bold], \x9b, two\nlines \u2028"
ESCAPED = "red \\x1b[31m, turned \\u202e, [bold]loud[/bold], \\x9b, two\\nlines \\u2028"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def outcome(folder: Path, *claims: str) -> Outcome:
    expectation = load(cases.expectations(folder, *claims))
    return Outcome(verify(expectation, open_captures([cases.capture(folder)])), 0.5)


def hostile(found: Outcome) -> Outcome:
    """The same, as if the capture and the file were full of control characters."""
    verdicts = [
        replace(
            verdict,
            claim=replace(verdict.claim, says=HOSTILE, note=HOSTILE),
            measured_text=HOSTILE,
            differing=(HOSTILE,),
            filter=HOSTILE,
        )
        for verdict in found.report.verdicts
    ]
    return replace(found, report=replace(found.report, verdicts=tuple(verdicts)))


def shown(found: Outcome, out: io.StringIO) -> str:
    terminal.show([found], out)
    return out.getvalue()


def test_plain_text_is_not_cut(tmp_path: Path) -> None:
    reason = "no word " * 100 + "at all"
    claim = cases.UNTESTABLE.replace("needs the operator's word", reason)
    text = shown(outcome(tmp_path, cases.RIGHT, claim), io.StringIO())
    assert reason in text
    assert "\x1b" not in text


def test_a_terminal_gets_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mverified" in shown(outcome(tmp_path, cases.RIGHT), Terminal())


def test_no_color_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in shown(outcome(tmp_path, cases.RIGHT), Terminal())


def test_hostile_text_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for out in (io.StringIO(), Terminal()):
        text = shown(hostile(outcome(tmp_path, cases.WRONG)), out)
        assert text.count(ESCAPED) >= 5
        assert not set("\u202e\u2028\x9b") & set(text)
        assert "\x1b[31m" not in text


def test_junit_holds_every_claim(tmp_path: Path) -> None:
    found = outcome(tmp_path, cases.RIGHT, cases.WRONG, cases.UNTESTABLE)
    suite = ET.fromstring(junit.as_text([found]).encode()).find("testsuite")
    assert suite is not None
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["3", "1", "0", "1"]
    cases_by_name = {case.get("name"): case for case in suite.iter("testcase")}
    failure = cases_by_name["to-port-7"].find("failure")
    assert failure is not None
    assert failure.get("message") == "published 3, measured 2"
    assert cases_by_name["packets"].find("failure") is None
    assert cases_by_name["who"].find("skipped") is not None


def test_junit_of_hostile_text_is_well_formed(tmp_path: Path) -> None:
    text = junit.as_text([hostile(outcome(tmp_path, cases.WRONG))])
    failure = next(ET.fromstring(text.encode()).iter("failure"))
    assert failure.get("message") == f"published 3, measured {ESCAPED}"


def test_json_of_one_file_is_an_object_and_of_two_a_list(tmp_path: Path) -> None:
    found = outcome(tmp_path, cases.RIGHT)
    one = json.loads(json_report.as_text([found]))
    assert sorted(one) == [
        "capture",
        "claims",
        "decoder",
        "expectations",
        "summary",
        "twin",
        "version",
    ]
    assert json.loads(json_report.as_text([found, found])) == [one, one]


def test_a_file_that_was_not_run_has_no_success_anywhere(tmp_path: Path) -> None:
    expectation = load(cases.expectations(tmp_path, cases.RIGHT, cases.UNTESTABLE))
    found = not_run(expectation, "capture", "gone")
    assert found.exit_status == 3
    assert worst([outcome(tmp_path, cases.RIGHT), found]) == 3
    assert json.loads(json_report.as_text([found]))["summary"] == {
        "verified": 0,
        "refuted": 0,
        "not_testable": 1,
        "error": 1,
    }
    assert "not run    gone" in shown(found, io.StringIO())


def test_outputs_are_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    write_text(str(target), "new\udc80")
    assert target.read_text() == "new\\udc80"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("none/out", "no directory"), (".", "it is a directory"), ("in", "files that are read")],
)
def test_impossible_outputs_are_refused(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").touch()
    with pytest.raises(OutputError, match=said):
        check_output(name, ["in"])
