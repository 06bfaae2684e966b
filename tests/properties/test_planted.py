"""A test of the fuzzer itself: each planted bug is found within the examples of the CI profile."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.properties.planted import BUGS
from tests.properties.profiles import CI_EXAMPLES, profile
from tests.properties.properties import PROPERTIES, Property

NEEDED: dict[str, int] = {}
"""Examples that each bug needed, reported at the end of the module."""


class Found(Exception):
    """The property does not hold: the bug is found."""


def examples_until_found(checked: Property) -> tuple[int, Any] | None:
    """Examples of the CI profile until the property fails, and the last one, or None."""
    drawn, found = 0, None

    def counted(value: object) -> None:
        nonlocal drawn, found
        drawn += 1
        try:
            checked.check(value)
        except Exception as error:
            found = value
            raise Found from error

    only = settings(profile("ci"), phases=[Phase.generate], report_multiple_bugs=False)
    try:
        checked._replace(check=counted).test(only)()
    except Found:
        return drawn, found
    return None


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch, record_property: pytest.RecordProperty
) -> None:
    bug = BUGS[name]
    bug.plant(monkeypatch)
    found = examples_until_found(PROPERTIES[bug.property])
    assert found is not None, f"{bug.says}: not found in {CI_EXAMPLES} examples"
    needed, value = found
    assert needed <= CI_EXAMPLES
    monkeypatch.undo()
    PROPERTIES[bug.property].check(value)  # it was the bug that was found
    record_property("examples", needed)
    NEEDED[name] = needed


def test_at_least_twelve_bugs_are_planted() -> None:
    assert len(BUGS) >= 12


def test_a_line_that_is_not_there_cannot_be_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = BUGS["signed-port"]._replace(right="no such line")
    with pytest.raises(LookupError, match="no such line"):
        bug.plant(monkeypatch)


def test_the_examples_needed_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    listed = [
        f"\n{needed:>5} examples: {BUGS[name].says} ({BUGS[name].property})"
        for name, needed in NEEDED.items()
    ]
    with capsys.disabled():
        sys.stdout.writelines(listed)
    assert all(needed > 0 for needed in NEEDED.values())
