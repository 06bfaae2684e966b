"""What is said of a measure that is written wrongly, and what measures made of others say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from harness.counting import Packets
from harness.measures import measure_from
from harness.measuring import Measured, MeasureError, Plan, Shape, View
from tests.harness.measuring_tables import frame, ip, run, view

TABLE = frame(
    {
        "ip_src": [ip("192.0.2.1"), ip("192.0.2.2"), None],
        "tcp_dstport": [23, 80, 80],
        "udp_dstport": [None, None, 53],
        "frame_len": [60, 70, 80],
    }
)


def problem(notation: object) -> tuple[str, tuple[str | int, ...], str, object]:
    """The one problem of a measure: whose it is, its place, what is said, what was found."""
    with pytest.raises(ValidationError) as caught:
        measure_from(notation)
    (found,) = caught.value.errors()
    return caught.value.title, found["loc"], found["msg"], found["input"]


@pytest.mark.parametrize(
    ("notation", "title", "place", "said", "found"),
    [
        (5, "measure", (), "expected one measure: its name, or {name: parameters}", 5),
        (
            {"sum": "frame.len", "packets": None},
            "measure",
            (),
            "expected one measure: its name, or {name: parameters}",
            {"sum": "frame.len", "packets": None},
        ),
        ("pakets", "measure", (), "unknown measure 'pakets'; did you mean 'packets'?", "pakets"),
        (
            {"tabel": "ip.src"},
            "measure",
            ("tabel",),
            "unknown measure 'tabel'; did you mean 'table'?",
            "tabel",
        ),
        ({"packets": 5}, "measure", ("packets",), "packets takes no parameter of its own", 5),
        (
            {"sum": "ip.scr"},
            "sum",
            ("sum",),
            "Value error, unknown field 'ip.scr'; did you mean 'ip.src'?",
            "ip.scr",
        ),
        ({"table": {"by": "ip.src", "bye": 1}}, "table", ("table", "bye"), None, 1),
        (
            {"difference": {"stages": ["a", "b"], "measure": "pakets"}},
            "difference",
            ("difference", "measure"),
            "unknown measure 'pakets'; did you mean 'packets'?",
            "pakets",
        ),
        (
            {"total": ["packets", {"table": "ip.src"}]},
            "total",
            ("total",),
            "Value error, expected measures whose value is a number, found 'table'",
            None,
        ),
        (
            {"total": ["packets", "duration"]},
            "total",
            ("total",),
            "Value error, expected measures of one unit",
            None,
        ),
    ],
)
def test_a_wrong_measure(
    notation: object,
    title: str,
    place: tuple[str | int, ...] | None,
    said: str | None,
    found: object,
) -> None:
    about, where, message, there = problem(notation)
    assert about == title
    assert place is None or where == place
    assert said is None or message == said
    assert found is None or there == found


def test_all_measures_are_named_when_none_is_near() -> None:
    _, _, said, _ = problem("xyzzy")
    assert said.startswith("unknown measure 'xyzzy'; known: packets, sum, distinct, ")
    assert said.endswith(", difference, total")


def test_the_place_of_a_part_does_not_name_the_main_parameter() -> None:
    with pytest.raises(ValidationError) as caught:
        measure_from({"table": {"by": "ip.scr"}})
    assert [found["loc"] for found in caught.value.errors()] == [("table", "by")]
    with pytest.raises(ValidationError) as caught:
        measure_from({"total": ["packets", "pakets"]})
    assert caught.value.errors()[0]["loc"] == ("total", 1)


def noted(value: Any, note: str) -> Measured:
    return Measured(Shape.NUMBER, value, note=note)


Parts = Callable[..., Measured]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """What a measure makes of what its parts, which count packets, are said to have measured."""

    def made(notation: object, *found: Measured) -> Measured:
        whole, inner = view(TABLE), iter(found)

        def plan(_: Packets, view: View) -> Plan:
            one = next(inner)
            return Plan((view.frame.select("frame_number"),), lambda _: one)

        monkeypatch.setattr(Packets, "plan", plan)
        return run(measure_from(notation).plan(replace(whole, other=lambda _: whole)))

    return made


DIFFERENCE, TOTAL = {"difference": ["first", "second"]}, {"total": ["packets", "packets"]}


def test_notes_of_a_difference_name_their_stages(parts: Parts) -> None:
    both = parts(DIFFERENCE, noted(5, "one left out"), noted(Fraction(1, 2), "two left out"))
    assert both == noted(Fraction(9, 2), "first: one left out; second: two left out")
    assert parts(DIFFERENCE, noted(5, ""), noted(2, "x")).note == "second: x"
    assert parts(DIFFERENCE, noted(5, ""), noted(2, "")).note == ""


def test_notes_of_a_total_are_put_together(parts: Parts) -> None:
    assert parts(TOTAL, noted(5, "a"), noted(7, "b")) == noted(Fraction(12), "a; b")
    assert parts(TOTAL, noted(5, ""), noted(7, "b")).note == "b"
    assert isinstance(parts(TOTAL, noted(5, ""), noted(7, "")).value, Fraction)


@pytest.mark.parametrize("notation", [DIFFERENCE, TOTAL])
def test_only_numbers_are_added(notation: object, parts: Parts) -> None:
    with pytest.raises(MeasureError, match=r"^a difference or a total needs numbers$"):
        parts(notation, noted("x", ""), noted(7, ""))


def test_a_difference_needs_another_stage() -> None:
    with pytest.raises(MeasureError, match=r"^there is no other stage to compare with$"):
        measure_from(DIFFERENCE).plan(view(TABLE))


def test_what_a_total_asks_for() -> None:
    total = measure_from({"total": [{"distinct": "tcp.dstport"}, {"distinct": "udp.dstport"}]})
    assert total.fields() == {"tcp.dstport", "udp.dstport"}
    assert total.result_unit() == measure_from({"distinct": "udp.dstport"}).result_unit()
    assert total.witness() == "(tcp.dstport) || (udp.dstport)"


def test_a_total_with_a_part_of_all_frames_has_no_filter() -> None:
    assert measure_from({"total": [{"sum": "frame.len"}, {"sum": "ip.len"}]}).witness() == ""
    assert measure_from({"total": [{"sum": "ip.len"}, {"sum": "ip.len"}]}).witness() != ""
