"""Stages: filters in a row, each on the packets that the one before left."""

from __future__ import annotations

from typing import Any

from decoders.displayfilter import parse
from harness.stages import certain_in_frames, reachable, stage_tables
from tests.harness.engine_cases import FakeCapture, FakeDecoder, claims
from tests.harness.measuring_tables import frame

STAGES = """\
stages:
  - {id: original}
  - {id: cleaned, from: original, filter: "!(lcp)"}
  - {id: scans, from: cleaned, filter: tcp}
  - {id: late, from: cleaned, filter: frame.number > 2}
"""
EXPECTATION = claims("measure: packets, equals: 1", before=STAGES)
PACKETS = frame(
    {
        "lcp": [1, None, None, 1, None, None],
        "tcp": [None, 1, None, None, 1, None],
        "frame_len": [10, 20, 30, 40, 50, 60],
    }
)


def tables(decoder: FakeDecoder, given: str, wanted: dict[str, set[str]]) -> dict[str, Any]:
    capture: Any = FakeCapture()
    return stage_tables(EXPECTATION, capture, given, wanted, parse=parse, decode=decoder)


def lengths(stage: Any) -> list[int]:
    found: list[int] = stage.table.packets["frame_len"].to_list()
    return found


def test_filters_follow_one_another_on_renumbered_frames() -> None:
    decoder = FakeDecoder(PACKETS)
    length = {"frame.len"}
    found = tables(
        decoder,
        "original",
        {"original": length, "cleaned": length, "scans": length, "late": length},
    )
    assert lengths(found["original"]) == [10, 20, 30, 40, 50, 60]
    assert lengths(found["cleaned"]) == [20, 30, 50, 60]
    assert lengths(found["scans"]) == [20, 50]
    assert lengths(found["late"]) == [50, 60]
    assert found["late"].table.packets["frame_number"].to_list() == [1, 2]


def test_the_capture_is_decoded_once_a_stage_with_the_fields_of_its_filters() -> None:
    decoder = FakeDecoder(PACKETS)
    tables(decoder, "original", {"scans": {"frame.len"}})
    always = {"frame.number", "replicap.undecoded"}
    assert decoder.asked == [
        ({*always, "lcp"}, None),
        ({*always, "tcp"}, [False, True, True, False, True, True]),
        ({*always, "frame.len"}, [False, True, False, False, True, False]),
    ]


def test_from_a_later_stage_only_what_comes_from_it_is_derived() -> None:
    decoder = FakeDecoder(PACKETS)
    found = tables(decoder, "scans", {"original": {"frame.len"}, "late": {"frame.len"}})
    assert list(found) == ["scans"]
    assert reachable(EXPECTATION, "original") == ["original", "cleaned", "scans", "late"]
    assert reachable(EXPECTATION, "cleaned") == ["cleaned", "scans", "late"]
    assert reachable(EXPECTATION, "scans") == ["scans"]


def test_a_stage_that_comes_from_undecoded_packets_is_uncertain() -> None:
    decoder = FakeDecoder(PACKETS, {"GRE": 2})
    found = tables(decoder, "original", {"scans": set(), "original": set()})
    assert found["original"].uncertain == ""
    assert found["scans"].uncertain == (
        "2 of 6 packets hold what this decoder does not see (GRE): "
        "whether '!(lcp)' keeps them is not known"
    )
    from_cleaned = tables(FakeDecoder(PACKETS, {"GRE": 2}), "cleaned", {"late": set()})
    assert from_cleaned["late"].uncertain == ""


def test_a_stage_of_no_packet() -> None:
    found = tables(FakeDecoder(PACKETS.head(1)), "original", {"scans": {"frame.len"}})
    assert lengths(found["scans"]) == []
    assert found["scans"].table.count == 0


def test_what_is_known_of_every_frame() -> None:
    assert certain_in_frames(set())
    assert certain_in_frames({"frame", "frame.len", "frame.time"})
    assert not certain_in_frames({"frame.len", "ip.src"})
    assert not certain_in_frames({"frame.protocols"})
