"""The checks behind the properties, for tests, the fuzzing session and ``fuzz_one_input`` alike."""

from __future__ import annotations

from collections.abc import Sequence

from decoders.frames import Frame, Interface
from decoders.reference import Decoder
from generators.frames import Group
from tests.properties.compare import differences

START_NS = 1_600_000_000_000_000_000


class Broken(AssertionError):
    """A property does not hold."""


def round_trip(groups: Sequence[Group]) -> None:
    """Each group, decoded by itself, has the truth's value in every field of one frame."""
    for group in groups:
        decoder = Decoder()
        for number, frame in enumerate(group, start=1):
            read = Frame(number, START_NS, frame.wire_length, frame.data, Interface(frame.linktype))
            found = differences(frame.truth, decoder.row(read))
            if found:
                raise Broken(
                    f"link type {frame.linktype}, {frame.data.hex()}: "
                    + "; ".join(f"{name}: must be {a}, is {b}" for name, (a, b) in found.items())
                )
