"""The report: its JSON and its exit status."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.verdicts import CaptureFacts, Report, Status, Verdict
from tests.harness.engine_cases import claims

EXPECTATION = claims("measure: packets, equals: 5140")
FACTS = CaptureFacts(
    path="noise.pcapng",
    sha256="5e" * 32,
    format="pcapng",
    packets=5141,
    malformed=2,
    short=1,
    undecoded={},
    damaged_at=None,
    damage=None,
)


def verdict(status: Status) -> Verdict:
    return Verdict(
        claim=EXPECTATION.claims[0],
        status=status,
        published=5140,
        measured=5141,
        published_text="5140",
        measured_text="5141",
        reason="why",
        differing=("frame 1",),
        filter="ip",
        seconds=0.25,
    )


def report(*statuses: Status, facts: CaptureFacts | None = FACTS) -> Report:
    return Report(
        expectations=EXPECTATION,
        capture=facts,
        decoder="reference",
        twin=False,
        stage="capture",
        verdicts=tuple(verdict(status) for status in statuses),
    )


def test_json_has_further_keys_only_when_there_is_something_to_say() -> None:
    plain = report(Status.VERIFIED)
    told = replace(
        plain,
        expectations=replace(EXPECTATION, draft=True),
        capture=replace(FACTS, delegated=3),
        verdicts=(replace(verdict(Status.VERIFIED), confirmed=2, seconds=0.12345678),),
        confirmed_by=("reference", "tshark"),
    )
    found = told.as_json()
    assert found["confirmed_by"] == ["reference", "tshark"]
    assert found["draft"] is True
    assert isinstance(found["capture"], dict)
    assert found["capture"]["delegated"] == 3
    assert isinstance(found["claims"], list)
    assert found["claims"][0]["confirmed"] == 2
    assert found["claims"][0]["seconds"] == 0.123457
    assert not {"confirmed_by", "draft"} & plain.as_json().keys()


def test_json_has_the_keys_of_the_contract() -> None:
    found = report(Status.REFUTED).as_json()
    version = found.pop("version")
    assert isinstance(version, str)
    assert found == {
        "expectations": "test.yaml",
        "capture": {
            "path": "noise.pcapng",
            "sha256": "5e" * 32,
            "format": "pcapng",
            "packets": 5141,
            "malformed": 2,
            "damaged_at": None,
        },
        "decoder": "reference",
        "twin": False,
        "claims": [
            {
                "id": "c1",
                "says": "something",
                "at": {"section": "Stats"},
                "stage": "capture",
                "status": "refuted",
                "published": 5140,
                "measured": 5141,
                "reason": "why",
                "seconds": 0.25,
            }
        ],
        "summary": {"verified": 0, "refuted": 1, "not_testable": 0, "error": 0},
    }
    json.dumps(found)


@pytest.mark.parametrize(
    ("statuses", "exit_status"),
    [
        ([Status.VERIFIED], 0),
        ([Status.VERIFIED, Status.NOT_TESTABLE], 0),
        ([Status.VERIFIED, Status.ERROR, Status.REFUTED], 1),
        ([Status.VERIFIED, Status.ERROR], 2),
        ([Status.NOT_TESTABLE], 2),
        ([], 2),
    ],
)
def test_exit_status(statuses: list[Status], exit_status: int) -> None:
    assert report(*statuses).exit_status() == exit_status


def test_no_capture_or_a_damaged_one_is_3() -> None:
    from dataclasses import replace

    damaged = replace(FACTS, damaged_at=24, damage="cut off")
    assert report(Status.VERIFIED, facts=damaged).exit_status() == 3
    assert report(Status.REFUTED, facts=damaged).exit_status() == 3
    assert report(Status.ERROR, facts=None).exit_status() == 3
    assert report(Status.ERROR, facts=None).as_json()["capture"] is None
