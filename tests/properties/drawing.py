"""Many values of a strategy, decided by octets at random.

What Hypothesis generates are variations of a few values, so that failures shrink well; where many
frames are put into one capture they should differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generators.frames import Group, frames
from generators.traffic import traffic
from generators.truth import Described, Truth
from tests.properties.streams import frame_of, steps

MOST_OCTETS = 8_192
"""Octets that decide what is drawn at a time."""

Groups = Sequence[Group | Sequence[Described]]


def drawn(strategy: st.SearchStrategy[Any], number: int, wanted: int) -> list[Described]:
    """So many frames of a strategy for groups of frames; the same ones for the same ``number``."""
    found: list[Described] = []

    def collect(groups: Groups) -> None:
        found.extend(frame for group in groups for frame in group)

    base = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    draw: Callable[[bytes], object] = base(given(strategy)(collect)).hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    chance = Random(number)
    while len(found) < wanted:
        draw(chance.randbytes(MOST_OCTETS))
    return found[:wanted]


def of_all_kinds() -> st.SearchStrategy[Groups]:
    """Groups of frames of every link type and layer."""
    return st.lists(frames(), min_size=8, max_size=16)


def of_traffic() -> st.SearchStrategy[Groups]:
    """The frames of scans with their replies, backscatter, pings."""
    return traffic().map(lambda made: [[record.frame for record in made.file.records]])


def of_conversations() -> st.SearchStrategy[Groups]:
    """TCP and UDP between few ends."""
    return st.lists(steps(), max_size=20).map(
        lambda run: [[Described(data := frame_of(step), len(data), 101, Truth()) for step in run]]
    )
