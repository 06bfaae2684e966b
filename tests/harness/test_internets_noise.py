"""The expectation file of Internet's Noise: nothing of the post is left out, nothing is copied.

Figures are read from the YAML. The post itself is not in the repository: REPLICAP_SEED names the
folder with ``internets-noise.txt``, or it stands in ``seed`` beside a folder of REPLICAP_CAPTURES.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.expectation import Expectation, load, read
from tests.harness.published_text import copied, figure, missing, numbers, prose, published

ROOT = Path(__file__).parents[2]
FILE = ROOT / "expectations" / "internets-noise.yaml"
PAGE = ROOT / "docs" / "internets-noise.md"
LEAST_TESTABLE = 70


@pytest.fixture(scope="module")
def expectation() -> Expectation:
    return load(FILE)


@pytest.fixture(scope="module")
def post() -> str:
    path = published("internets-noise.txt")
    if path is None:
        pytest.skip("the post is not at hand: neither REPLICAP_SEED nor a seed folder has it")
    return path.read_text(encoding="utf-8")


def test_every_number_of_the_post_is_in_a_claim(expectation: Expectation, post: str) -> None:
    assert len(numbers(post)) > 100
    assert missing(post, expectation) == []


@pytest.mark.parametrize("name", ["sources", "ports", "tcp-telnet", "page-furniture"])
def test_a_number_without_its_claim_is_missed(
    expectation: Expectation, post: str, name: str
) -> None:
    [claim] = [claim for claim in expectation.claims if claim.id == name]
    left = [other for other in expectation.claims if other is not claim]
    gone = missing(post, dataclasses.replace(expectation, claims=left))
    assert gone
    assert set(gone) <= set(numbers(f"{claim.says} {claim.published}"))


def test_printed_filters_stand_as_they_are(expectation: Expectation, post: str) -> None:
    printed = " ".join(post.split())
    derived = [stage for stage in expectation.stages if stage.parent is not None]
    assert [stage.id for stage in derived] == ["cleaned", "scans"]
    assert [stage.filter for stage in derived if f" {stage.filter}" not in printed] == []


def test_no_prose_is_copied(expectation: Expectation, post: str) -> None:
    assert copied(post, prose(expectation.claims)) == []
    comments = " ".join(
        line.lstrip(" #") for line in FILE.read_text().splitlines() if line.lstrip()[:1] == "#"
    )
    assert copied(post, comments) == []
    assert copied(post, PAGE.read_text(encoding="utf-8")) == []


def test_numbers_and_copies_are_found() -> None:
    text = "1. From 192.0.2.1 and 2001:db8::/32, 85x TCP 3 (IPv6: v2) in two nights, 50/10 a, 06.06"
    assert numbers(text) == [
        "192.0.2.1", "2001:db8::/32", "85", "3", "2", "50", "10", "06.06", "two",
    ]  # fmt: skip
    assert copied("a b c d e f g h i", "x b c d e f g h i", run=8) == ["b c d e f g h i"]
    assert copied("a b c d e f g h i", "x b c d e f g y i", run=8) == []


def test_there_are_enough_claims_and_each_says_where(expectation: Expectation) -> None:
    testable = [claim for claim in expectation.claims if claim.measure is not None]
    assert len(testable) >= LEAST_TESTABLE
    assert all(claim.at.section and claim.tags for claim in expectation.claims)
    assert all(claim.quote is None for claim in expectation.claims)


def test_figures_fit_one_another(expectation: Expectation) -> None:
    def of(*names: str) -> int:
        return sum(figure(expectation, name) for name in names)

    classes = ("source-of-833", "source-of-152", "sources-of-10-99", "sources-of-2-9")
    assert of(*classes, "sources-of-1") == of("sources")
    assert of("tcp-ports", "udp-ports") == of("ports")
    table = [claim.id for claim in expectation.claims if "port-table" in claim.tags]
    for protocol in ("tcp", "udp"):
        rows = [name for name in table if name.startswith(protocol) and not name.endswith("-rest")]
        assert len(rows) + of(f"{protocol}-rest") == of(f"{protocol}-ports")
        assert of(*rows) < of("packets-scans")


def test_one_misread_figure_is_seen(expectation: Expectation) -> None:
    rest = figure(expectation, "tcp-rest")
    text = FILE.read_text(encoding="utf-8").replace(f"equals: {rest}", f"equals: {rest + 1}")
    with pytest.raises(AssertionError):
        test_figures_fit_one_another(read(text.encode(), "changed.yaml"))
