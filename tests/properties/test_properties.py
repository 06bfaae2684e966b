"""Every property, by name, in the profile of ``REPLICAP_PROFILE`` (``ci`` when nothing is said)."""

from __future__ import annotations

import pytest

from tests.properties.profiles import CHECKED
from tests.properties.properties import PROPERTIES


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name: str) -> None:
    if missing := PROPERTIES[name].missing():
        pytest.skip(missing)
    PROPERTIES[name].test(CHECKED)()


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_can_be_driven_by_octets(name: str) -> None:
    if missing := PROPERTIES[name].missing():
        pytest.skip(missing)
    fuzz = PROPERTIES[name].test(CHECKED).hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    for octets in (b"", bytes(200), bytes(range(256)) * 4):
        fuzz(octets)
