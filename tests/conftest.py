"""What all tests share: pytest's own test bench, and no network."""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# A tracer, such as that of coverage, slows down every line: then no example has a deadline.
settings.register_profile("traced", deadline=None)
if sys.gettrace() is not None:
    settings.load_profile("traced")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that is not on disk is never downloaded by a test."""
    monkeypatch.setenv("REPLICAP_OFFLINE", "1")
