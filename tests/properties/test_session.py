"""The fuzzing session: the corpus first, failures as captures, replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoders.containers import open_captures
from tests.properties import checks, session
from tests.properties.profiles import profile
from tests.properties.properties import PROPERTIES


def test_the_corpus_is_read_without_an_exception() -> None:
    replayed, failed = session.replay_corpus()
    assert replayed >= 2
    assert failed == []


def test_a_failure_is_an_ordinary_capture_that_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(_: object) -> None:
        raise checks.Broken("planted")

    monkeypatch.setattr(session, "FAILURES", tmp_path / "fuzz-failures")
    sound = PROPERTIES["streams"]
    monkeypatch.setitem(PROPERTIES, "streams", sound._replace(check=never))  # type: ignore[arg-type]
    drawn, failure = session.run_property("streams", 5, profile("ci"), 1)
    assert drawn >= 1
    assert failure is not None
    assert "planted" in failure.message
    assert open_captures([failure.file]).format == "pcapng"
    assert session.replay(failure.file) == 1
    monkeypatch.setitem(PROPERTIES, "streams", sound)  # type: ignore[arg-type]
    assert session.replay(failure.file) == 0
    assert session.replay(tmp_path / "nothing.pcapng") == 2
    said = capsys.readouterr().out
    assert "still failing" in said
    assert "fixed" in said


def test_what_cannot_be_checked_here_is_said_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = PROPERTIES["witness"]._replace(missing=lambda: "tshark is not installed")
    monkeypatch.setitem(PROPERTIES, "witness", alone)  # type: ignore[arg-type]
    assert session.main(["--minutes", "0.01", "--only", "witness"]) == 2
    assert capsys.readouterr().out == "witness: not run: tshark is not installed\n"


def test_usage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--minutes", "0"], ["--only", "nothing"], ["--engine", "atheris"]):
        with pytest.raises(SystemExit, match="2"):
            session.main(wrong)
    assert "--minutes 0: expected more than 0" in capsys.readouterr().err
