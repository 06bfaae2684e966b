"""Profiles: ``ci`` is derandomized and short, ``pr`` and ``nightly`` are random.

``REPLICAP_PROFILE`` names one; without it, it is ``ci``, which is part of ``nox -s tests``.
Hypothesis's own CI profile is not relied on: it finds nothing new.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

VARIABLE = "REPLICAP_PROFILE"
DATABASE = Path(".hypothesis/replicap")
"""The directory that a CI caches between runs of ``pr`` and ``nightly``."""

PROFILES = ("ci", "pr", "nightly")
CI_EXAMPLES, PR_EXAMPLES = 150, 600
NIGHTLY_EXAMPLES = 1_000_000
"""Never reached: the session's minutes end a nightly run."""


def profile(name: str) -> settings:
    """The settings of a profile; raises KeyError for one that does not exist."""
    if name not in PROFILES:
        raise KeyError(f"profile {name!r}: expected one of {', '.join(PROFILES)}")
    examples = {"ci": CI_EXAMPLES, "pr": PR_EXAMPLES, "nightly": NIGHTLY_EXAMPLES}
    return settings(
        max_examples=examples[name],
        derandomize=name == "ci",
        database=None if name == "ci" else DirectoryBasedExampleDatabase(DATABASE),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


CHECKED = profile(os.environ.get(VARIABLE, "ci"))
"""What the properties of ``pytest`` run with."""
