"""Every cell of the golden captures, as tshark 4.0.17 prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from decoders.containers import open_captures
from decoders.fields import FIELDS
from decoders.names import EXPERT_SEVERITY
from decoders.reference import rows
from decoders.row import Row
from decoders.spelling import spell

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))

APPLICATION = "what only an application's dissector can know"
OVERFLOW = "tshark's 64 bits overflow above a resolution of about 10^-10; ours is the true time"
FRACTION = "tshark does not carry a fraction of a second or more over to the seconds"
AFTER_NO_TIME = "tshark takes the time before a frame without a time stamp for 0"
EXPERT = ("_ws.expert.severity", "_ws.expert.group", "_ws.malformed")
TIMES = ("frame.time_epoch", "frame.time_relative", "frame.time_delta")

LEFT_OUT: dict[tuple[str, int], tuple[str, tuple[str, ...]]] = {
    **{
        ("streams_udp_upper", n): (APPLICATION, ("udp.stream", "data", *EXPERT))
        for n in range(2, 12)
    },
    **{("tcp_ports", n): (APPLICATION, (*EXPERT, "data")) for n in (19, 21, 22)},
    ("eth_frames", 9): (APPLICATION, ("data",)),
    ("eth_frames", 12): (APPLICATION, (*EXPERT, "data")),
    ("eth_frames", 20): (APPLICATION, (*EXPERT, "data")),
    ("link_types", 30): ("the link type is not supported, and counted", EXPERT),
    ("ng_blocks", 4): (AFTER_NO_TIME, ("frame.time_delta",)),
    ("ng_interfaces", 12): (OVERFLOW, TIMES),
    ("pcap_times", 9): (FRACTION, (*TIMES, *EXPERT)),
}
"""Cells that are not compared, with the reason."""


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def decoded(name: str) -> list[Row]:
    (capture,) = GOLDEN.glob(f"{name}.pcap*")
    return list(rows(open_captures([capture])))


def cell(row: Row, field: str) -> list[str]:
    values = row.occurrences(field)
    if field == "_ws.expert.severity":
        return sorted(EXPERT_SEVERITY[value].lower() for value in values)
    if field == "_ws.expert.group":
        return sorted(f"0x{value:08x}" for value in values)
    return [spell(FIELDS[field], value) for value in values]


def expected(frame: dict[str, Any], field: str) -> list[str]:
    values: list[str] = frame.get(field, [])
    return sorted(values) if field.startswith("_ws.expert") else values


def known_stack(ours: str, theirs: str) -> bool:
    """Whether the stacks agree up to the first protocol that is recognised and not dissected."""
    known = ours.split(":")
    if known[-1] == "data" or known[-1] not in FIELDS:
        known.pop()
    named = theirs.split(":")
    return named[: len(known)] == known and (
        len(named) == len(known) or named[len(known)] == "data" or named[len(known)] not in FIELDS
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_cell(name: str) -> None:
    truth = golden(name)
    ours = decoded(name)
    assert len(ours) == len(truth["frames"])
    fields = [name for name in truth["fields"] if name in FIELDS and name != "frame.protocols"]
    wrong = []
    for row, frame in zip(ours, truth["frames"], strict=True):
        left_out = LEFT_OUT.get((name, row.number), ("", ()))[1]
        for field in fields:
            if field not in left_out and cell(row, field) != expected(frame, field):
                wrong.append((row.number, field, cell(row, field), expected(frame, field)))
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_that_is_present(name: str) -> None:
    truth = golden(name)
    protocols = [protocol for protocol in truth["protocols"] if protocol in FIELDS]
    wrong = []
    for row, frame in zip(decoded(name), truth["frames"], strict=True):
        left_out = LEFT_OUT.get((name, row.number), ("", ()))[1]
        for protocol in protocols:
            if protocol not in left_out:
                present = bool(row.occurrences(protocol))
                if present != (protocol in frame.get("present", ())):
                    wrong.append((row.number, protocol, present))
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "link_types"])
def test_stacks_up_to_the_first_protocol_that_is_not_dissected(name: str) -> None:
    wrong = []
    for row, frame in zip(decoded(name), golden(name)["frames"], strict=True):
        ours, theirs = ":".join(row.protocols), frame["frame.protocols"][0]
        if ours != theirs and not known_stack(ours, theirs):
            wrong.append((row.number, ours, theirs))
    assert wrong == []


def test_nothing_is_left_out_without_need() -> None:
    needless = []
    for (name, number), (_, fields) in LEFT_OUT.items():
        row, truth = decoded(name)[number - 1], golden(name)
        frame = truth["frames"][number - 1]
        compared = [field for field in fields if field in truth["fields"] and field in FIELDS]
        differs = any(cell(row, field) != expected(frame, field) for field in compared)
        shown = [field for field in fields if field in truth["protocols"]]
        differs = differs or any(
            bool(row.occurrences(field)) != (field in frame.get("present", ())) for field in shown
        )
        if not differs:
            needless.append((name, number))
    assert needless == []
