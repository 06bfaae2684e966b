"""What all tests share: pytest's own test bench, and no network."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that is not on disk is never downloaded by a test."""
    monkeypatch.setenv("REPLICAP_OFFLINE", "1")
