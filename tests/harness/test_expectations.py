"""The project's expectation files: every one loads, and what they say holds where it can be tried.

Figures stand in the YAML files only. Captures are taken from the directories of REPLICAP_CAPTURES.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from decoders.containers import open_captures
from harness.engine import verify
from harness.expectation import Expectation, Pin, load
from harness.pinned import DIRECTORIES, OFFLINE, CaptureNotFound, find
from harness.verdicts import Status, Verdict

FOLDER = Path(__file__).parents[2] / "expectations"
FILES = sorted(FOLDER.glob("*.yaml"))
NAMES = [path.stem for path in FILES]
LEAST_FILES = 15
LEAST_CLAIMS = 100
COMMIT = re.compile(r"/[0-9a-f]{40}/")


def pinned() -> list[tuple[str, Pin]]:
    """The files that pin a capture, by name."""
    found = [(path.stem, load(path).capture) for path in FILES]
    return [(name, pin) for name, pin in found if pin is not None]


def unexplained(verdict: Verdict) -> bool:
    """Whether this verdict may not stand in a file of the project.

    A refuted claim stays as it was published, if its ``note`` says why the figures differ.
    """
    if verdict.status is Status.REFUTED:
        return verdict.claim.note is None
    return verdict.status is Status.ERROR


def described(verdict: Verdict) -> str:
    figures = f"published {verdict.published_text}, measured {verdict.measured_text}"
    frames = f" [{', '.join(verdict.differing)}]" if verdict.differing else ""
    return f"{verdict.claim.id}: {verdict.status.value}: {figures} {verdict.reason}{frames}"


def capture_of(expectation: Expectation, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pinned capture, from disk; skips the test when there is none."""
    if expectation.capture is None:
        pytest.skip("the file pins no capture")
    if not os.environ.get(DIRECTORIES):
        pytest.skip(f"{DIRECTORIES} is not set")
    monkeypatch.setenv(OFFLINE, "1")
    try:
        return find(expectation.capture)
    except CaptureNotFound as missing:
        pytest.skip(missing.reason)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_file_loads(path: Path) -> None:
    assert load(path).claims


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_pinned_capture_gives_the_published_figures(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expectation = load(path)
    capture = open_captures([capture_of(expectation, monkeypatch)])
    report = verify(expectation, capture)
    assert [described(verdict) for verdict in report.verdicts if unexplained(verdict)] == []
    assert len(report.verdicts) == len(expectation.claims)
    assert report.summary()[Status.VERIFIED] > 0


def test_there_are_enough_files_of_real_captures() -> None:
    names = {name for name, _ in pinned()}
    claims = [claim for path in FILES if path.stem in names for claim in load(path).claims]
    assert len(names) >= LEAST_FILES
    assert len(claims) >= LEAST_CLAIMS


def test_most_claims_are_measured() -> None:
    claims = [claim for path in FILES if path.stem.startswith(PEERS) for claim in load(path).claims]
    untested = [claim.id for claim in claims if claim.not_testable is not None]
    assert len(untested) * 10 < len(claims)


def test_captures_are_pinned_at_a_commit() -> None:
    assert [name for name, pin in pinned() if not COMMIT.search(str(pin.url))] == []


def test_no_capture_is_pinned_twice() -> None:
    hashes = [pin.sha256 for _, pin in pinned()]
    assert len(set(hashes)) == len(hashes)


PEERS = ("zeek-", "ndpi-", "suricata-")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_figures_of_other_projects_say_where_they_were_read(path: Path) -> None:
    if not path.stem.startswith(PEERS):
        pytest.skip("figures of another kind of source")
    places = [claim.at for claim in load(path).claims]
    assert all(place.file and place.commit for place in places)
