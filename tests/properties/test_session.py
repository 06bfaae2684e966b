"""The fuzzing session: the corpus first, failures as captures, replay."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from decoders import reference
from decoders.containers import open_captures
from generators.truth import Described, Truth
from tests.properties import checks, profiles, session
from tests.properties.profiles import profile
from tests.properties.properties import PROPERTIES
from tests.properties.streams import Step


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


def test_a_failure_keeps_frames_as_they_were_cut() -> None:
    frame = Described(bytes(20), 60, 101, Truth())
    with checks.on_disk(session.capture_of([(frame,)])) as path:
        (row,) = reference.rows(open_captures([path]))
    assert (row.own["frame.cap_len"], row.own["frame.len"]) == ([20], [60])


@pytest.mark.parametrize(("profile_", "kept"), [("nightly", 1), ("ci", 0)])
def test_what_a_random_run_finds_goes_into_the_corpus(
    profile_: str,
    kept: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(session, "FAILURES", tmp_path / "fuzz-failures")
    monkeypatch.setattr(session, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(profiles, "DATABASE", tmp_path / "database")

    def no_reset(steps: list[Step]) -> None:
        checks.demand(not [step for step in steps if step.flags == 4], "a reset")

    sound = PROPERTIES["streams"]
    monkeypatch.setitem(PROPERTIES, "streams", sound._replace(check=no_reset))  # type: ignore[arg-type]
    given = ["--only", "streams", "--profile", profile_, "--minutes", "0.5", "--seed", "7"]
    assert session.main(given) == 1
    said = capsys.readouterr().out
    assert f"1 failures in {tmp_path / 'fuzz-failures'}/, {kept} new corpus entries" in said
    assert ", 1 frames" in said
    notes = [json.loads(path.read_text()) for path in (tmp_path / "corpus").glob("*.json")]
    assert [(note["property"], note["seed"]) for note in notes] == [("streams", 7)] * kept
    assert [note["replay"] for note in notes] == ["nox -s fuzz -- --only streams --seed 7"] * kept
    assert session.replay_corpus() == (kept, [])
    (failure,) = (tmp_path / "fuzz-failures").glob("*.pcapng")
    assert session.main(["--keep", str(failure)]) == 0
    assert session.replay_corpus() == (1, [])
    assert session.main(["--keep", str(tmp_path / "nothing.pcapng")]) == 2


def test_atheris_that_is_not_installed_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert session.main(["--engine", "atheris", "--only", "damage"]) == 2
    said = capsys.readouterr().out
    assert said == "--engine atheris: atheris is not installed here (pip install atheris)\n"


def test_usage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--minutes", "0"], ["--only", "nothing"], ["--engine", "atheris"]):
        with pytest.raises(SystemExit, match="2"):
            session.main(wrong)
    assert "--minutes 0: expected more than 0" in capsys.readouterr().err
