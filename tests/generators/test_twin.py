"""The twin of the post: made from the claims alone, and every claim verified on it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ortools.sat.python.cp_model import CpSolver

from decoders.containers import open_captures
from generators import solver
from generators.capture_file import twin_of
from generators.twin import Contradictory, Twin, TwinError, audit, build
from harness.engine import verify
from harness.expectation import Expectation, load, read
from harness.verdicts import Status

POST = Path(__file__).parents[2] / "expectations" / "internets-noise.yaml"


@pytest.fixture(scope="module")
def post() -> Expectation:
    return load(POST)


@pytest.fixture(scope="module")
def twin(post: Expectation) -> Twin:
    return build(post)


def with_figures(changes: dict[str, tuple[str, int]]) -> bytes:
    """The file with some claims' figures changed: id -> (pattern of the figure, what to add)."""
    text = POST.read_text(encoding="utf-8")
    for name, (pattern, more) in changes.items():
        start = text.index(f"  - id: {name}\n")
        end = text.find("\n  - id: ", start + 1)
        block = text[start : end if end > 0 else len(text)]
        found = re.search(pattern, block)
        assert found is not None, (name, pattern)
        at, to = found.span(1)
        text = text[: start + at] + str(int(found[1]) + more) + text[start + to :]
    return text.encode()


EQUALS = r"\n    equals: (\d+)"
ONE_PACKET = r"\n    rows: \{1: (\d+)\}"


def refuted(expectation: Expectation, twin: Twin, path: Path) -> list[str]:
    """Ids of the claims that are not verified, of those that can be tested."""
    path.write_bytes(twin.file())
    report = verify(expectation, open_captures([path]), stage=twin.stage)
    wrong = [v for v in report.verdicts if v.status in (Status.REFUTED, Status.ERROR)]
    assert report.summary()[Status.VERIFIED] > 50
    return [verdict.claim.id for verdict in wrong]


def test_every_claim_is_verified_on_the_twin(post: Expectation, twin: Twin, tmp_path: Path) -> None:
    assert refuted(post, twin, tmp_path / "twin.pcapng") == []
    assert twin.impossible == {}


@pytest.mark.parametrize("stage", ["cleaned", "scans"])
def test_a_twin_of_a_later_stage_verifies_as_that_stage(
    post: Expectation, stage: str, tmp_path: Path
) -> None:
    assert refuted(post, build(post, stage), tmp_path / "twin.pcapng") == []


def test_the_same_seed_gives_the_same_octets_and_another_seed_others(
    post: Expectation, twin: Twin, tmp_path: Path
) -> None:
    assert build(post).file() == twin.file()
    other = build(post, seed=7)
    assert other.file() != twin.file()
    assert refuted(post, other, tmp_path / "twin.pcapng") == []


def test_the_file_says_that_it_is_a_twin_and_of_what(twin: Twin) -> None:
    about = twin_of(twin.file())
    assert about is not None
    assert "internets-noise.yaml" in about
    assert "stage original" in about
    assert "proves nothing" in about


def test_it_says_which_claims_it_does_not_satisfy(twin: Twin) -> None:
    assert "does not satisfy some-claim" in (twin_of(twin.file(["some-claim"])) or "")


def test_the_twin_follows_the_figures(tmp_path: Path) -> None:
    changed = with_figures(
        {
            "sources": (EQUALS, 1),
            "sources-of-1": (ONE_PACKET, 1),
            "packets-scans": (EQUALS, 1),
        }
    )
    expectation = read(changed, "changed.yaml")
    assert refuted(expectation, build(expectation), tmp_path / "twin.pcapng") == []
    assert len(build(expectation, "scans").frames) == len(build(load(POST), "scans").frames) + 1


CONTRADICTIONS = {
    "fewer sources than the sizes have": {"sources": (EQUALS, -1)},
    "one more port than the table has": {"tcp-ports": (EQUALS, 1)},
    "more connections than packets": {"tcp-connections": (EQUALS, 1000)},
    "more left after cleaning than before": {"packets-cleaned": (EQUALS, 100_000)},
    "more pings than packets of pinging sources": {"ping-sources": (EQUALS, 100)},
}


@pytest.mark.parametrize("changes", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradicting_figures_are_named(changes: dict[str, tuple[str, int]]) -> None:
    expectation = read(with_figures(changes), "changed.yaml")
    with pytest.raises(Contradictory) as caught:
        build(expectation)
    found = caught.value.contradiction
    [changed] = changes
    assert changed in {claim.id for claim in found.claims}
    assert len(found.claims) < 15


def test_a_contradiction_is_a_smallest_one() -> None:
    changes = CONTRADICTIONS["one more port than the table has"]
    expectation = read(with_figures(changes), "changed.yaml")
    found = audit(expectation).contradiction
    assert found is not None
    assert audit(replace(expectation, claims=list(found.claims))).contradiction == found
    for left_out in found.claims:
        rest = [claim for claim in found.claims if claim is not left_out]
        assert audit(replace(expectation, claims=rest)).contradiction is None, left_out.id


def test_an_assumption_that_is_not_made_is_not_listed(post: Expectation) -> None:
    assert "one-trade" in audit(post).assumptions
    assert "one-trade" not in audit(post, ["one-trade"]).assumptions


def test_unknown_assumptions_and_stages_are_refused(post: Expectation) -> None:
    with pytest.raises(TwinError, match="unknown assumption 'nothing'"):
        audit(post, ["nothing"])
    with pytest.raises(TwinError, match="unknown stage 'nothing'"):
        build(post, "nothing")


def test_the_cheapest_solution_is_one_however_it_is_searched_for(
    post: Expectation, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = solver._parameters

    def other() -> CpSolver:
        changed = parameters()
        changed.parameters.random_seed = 77
        changed.parameters.linearization_level = 2
        return changed

    monkeypatch.setattr(solver, "_parameters", other)
    assert build(post).file() == twin.file()
