"""The properties by name: a strategy for what is drawn, and the check that must hold of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from generators.captures import CaptureFile, captures
from generators.damage import Damaged, damaged, lying_frames
from generators.frames import Group, frames
from generators.traffic import traffic
from tests.properties import checks, expectations, filters, machine, witness
from tests.properties.decoded import in_one_file
from tests.properties.streams import steps


class Property(NamedTuple):
    """Something that holds for everything a strategy draws."""

    says: str
    drawn: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    share: float = 1
    """Part of a profile's examples that it gets: less when an example takes long."""
    missing: Callable[[], str] = str
    """Why it cannot be checked on this machine; nothing when it can."""

    def test(self, profile: settings) -> Callable[[], None]:
        """A function that runs it under Hypothesis; its ``fuzz_one_input`` takes octets."""

        def run(drawn: Any) -> None:
            self.check(drawn)

        run.__qualname__ = run.__name__ = self.check.__name__
        fewer = settings(profile, max_examples=max(1, round(profile.max_examples * self.share)))
        return fewer(given(self.drawn)(run))


@st.composite
def _damaged_captures(draw: st.DrawFn) -> tuple[CaptureFile, Damaged]:
    file = draw(captures(max_groups=3))
    return file, draw(damaged(st.just(file.plain)))


@st.composite
def _lying(draw: st.DrawFn) -> tuple[Group, bytes]:
    group = draw(frames())
    return group, draw(lying_frames(st.just(group[0].data)))


@st.composite
def _honest_or_lying(draw: st.DrawFn) -> Group:
    group = draw(frames())
    if draw(st.booleans()):
        return group
    lies = [draw(lying_frames(st.just(frame.data))) for frame in group]
    return [dataclasses.replace(frame, data=data) for frame, data in zip(group, lies, strict=True)]


PROPERTIES: Mapping[str, Property] = {
    "frame-round-trip": Property(
        "a frame decodes to its truth, in every field",
        st.lists(frames(), min_size=1, max_size=16),
        checks.round_trip,
    ),
    "pppoe-round-trip": Property(
        "link control over Ethernet and PPPoE, with padding, decodes to its truth",
        st.lists(frames(linktypes=(1,), layers=("control",)), min_size=1, max_size=16),
        checks.round_trip,
    ),
    "ipv6-round-trip": Property(
        "IPv6 with extension headers and fragments decodes to its truth",
        st.lists(frames(linktypes=(229,)), min_size=1, max_size=16),
        checks.round_trip,
    ),
    "capture-round-trip": Property(
        "a file gives its records with time and interface; packets = classes = rows",
        captures(),
        checks.capture,
    ),
    "streams": Property(
        "streams are those of the readable model of Wireshark's rules",
        st.lists(st.lists(steps(), max_size=9), max_size=6).map(
            lambda runs: [step for run in runs for step in run]
        ),
        checks.streams,
    ),
    "conversations": Property(
        "marks of TCP conversations that are played are those of the rules they were played by",
        machine.moves(),
        lambda drawn: machine.played(drawn).teardown(),
    ),
    "traffic": Property(
        "packets of scans, backscatter, pings and replies have the class they were made with",
        traffic(),
        checks.classes,
    ),
    "damage": Property(
        "damage ends in no exception and no hang, and changes nothing before it",
        _damaged_captures(),
        lambda drawn: checks.damage(*drawn),
    ),
    "lying-lengths": Property(
        "a frame whose lengths lie is decoded at once",
        _lying(),
        lambda drawn: checks.wild(*drawn),
    ),
    "filters": Property(
        "a compiled filter is the interpreted one; !!f is f; De Morgan",
        filters.cases(),
        lambda drawn: filters.agree(*drawn),
    ),
    "measures": Property(
        "measures do not depend on the size of chunks, the order of rows, nor the decoder",
        captures(max_groups=4),
        checks.measures,
        share=0.2,
    ),
    "witness": Property(
        "an installed tshark reads frames as they are read here, field by field",
        st.lists(frames(), min_size=8, max_size=16),
        lambda drawn: checks.witnessed([one for group in drawn for one in group]),
        share=0.03,
        missing=witness.missing,
    ),
    "columnar-frames": Property(
        "every cell of frames, honest and lying, is the same by both decoders",
        st.lists(_honest_or_lying(), min_size=1, max_size=16),
        lambda drawn: checks.alike(in_one_file([one for group in drawn for one in group]).data),
        share=0.5,
    ),
    "columnar-files": Property(
        "every cell of files, damaged or not, and their damage are the same by both decoders",
        st.one_of(captures(max_groups=3), _damaged_captures()),
        lambda drawn: checks.alike((drawn if isinstance(drawn, CaptureFile) else drawn[1]).data),
        share=0.5,
    ),
    "columnar-traffic": Property(
        "every cell of scans, backscatter, pings and replies is the same by both decoders",
        traffic(),
        lambda drawn: checks.alike(drawn.file.data),
        share=0.2,
    ),
    "expectation-text": Property(
        "any text is an expectation file or has problems, never a traceback",
        expectations.texts(),
        expectations.readable,
    ),
    "expectation-models": Property(
        "a valid expectation file survives dump and load",
        expectations.models(),
        expectations.survives,
    ),
}
