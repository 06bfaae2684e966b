"""Words and numbers of the page of verdicts, and of the summary in Markdown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.expectation import Place, Source
from harness.report.html import claims as of_claims
from harness.report.html import svg
from harness.report.html.claims import _link, _measured
from harness.report.markdown import as_text
from harness.report.outcome import Outcome, not_run
from harness.verdicts import Status, Verdict
from tests.harness.engine_cases import claims
from tests.harness.test_verdicts import report, verdict

SECOND = 1_000_000_000
NEVER = 10**30
"""Nanoseconds after the last year of the calendar."""


def lasted(measured: object, text: str) -> Verdict:
    claim = claims("measure: duration, equals: 10 s").claims[0]
    return replace(verdict(Status.VERIFIED), claim=claim, measured=measured, measured_text=text)


@pytest.mark.parametrize(
    ("measured", "text", "shown"),
    [
        (119, "119", "119 s"),
        ("119.5", "119.5", "119.5 s"),
        (120, "120", "120 s (2 min 0 s)"),
        ("3725.25", "3725.25", "3725.25 s (1 h 2 min 5 s)"),
        (36_000_000, "36000000", "36000000 s (10,000 h 0 min 0 s)"),
        ("2607/1440", "2607/1440", "2607/1440 s"),
        (None, "", ""),
    ],
)
def test_a_long_time_is_also_told_in_hours(measured: object, text: str, shown: str) -> None:
    assert _measured(lasted(measured, text)) == shown


def test_a_count_is_told_as_it_is() -> None:
    assert _measured(verdict(Status.REFUTED)) == "5141"


@pytest.mark.parametrize(
    ("at", "commit", "url", "link"),
    [
        ({"url": "https://e.org/x"}, None, "https://github.com/a/b", "https://e.org/x"),
        ({"section": "Stats"}, "abc", "https://github.com/a/b", None),
        ({"file": "x y.log"}, None, "https://github.com/a/b", None),
        ({"file": "x.log"}, "abc", "https://e.org/a/b", None),
        ({"file": "x.log"}, "abc", "https://github.com/a", None),
        (
            {"file": "d/x y.log"},
            "abc",
            "https://github.com/a/b/",
            "https://github.com/a/b/blob/abc/d/x%20y.log",
        ),
        (
            {"file": "x.log", "commit": "def", "lines": 7},
            "abc",
            "https://github.com/a/b",
            "https://github.com/a/b/blob/def/x.log#L7",
        ),
        (
            {"file": "x.log", "lines": "7-9, 12"},
            "abc",
            "https://github.com/a/b/tree/main",
            "https://github.com/a/b/blob/abc/x.log#L7-L9",
        ),
    ],
)
def test_the_address_of_a_figure(
    at: dict[str, object], commit: str | None, url: str, link: str | None
) -> None:
    place = Place.model_construct(**dict.fromkeys(Place.model_fields) | at)
    source = Source.model_construct(by="x", url=url, commit=commit)
    assert of_claims.GITHUB == "https://github.com/"
    assert _link(place, source) == link


def test_ticks_of_an_axis() -> None:
    assert svg.linear_ticks(0, 5) == [(0, "0")]
    assert svg.linear_ticks(1000, 2) == [(0, "0"), (500, "500"), (1000, "1,000")]
    assert svg.log_ticks(30) == [(1, "1"), (10, "10")]
    assert svg.log_ticks(6) == [(1, "1"), (2, "2"), (5, "5")]
    assert svg.time_ticks(0, 3 * SECOND, 3)[1] == (SECOND, "00:00:01")
    assert svg.time_ticks(0, 3_000_000, 3) == [
        *((0, "+0 µs"), (1_000_000, "+1000 µs"), (2_000_000, "+2000 µs"), (3_000_000, "+3000 µs"))
    ]


@pytest.mark.parametrize(
    ("moment", "width", "words"),
    [
        (1_500_000_000 * SECOND, 86_400 * SECOND, "2017-07-14"),
        (1_500_000_000 * SECOND, 60 * SECOND, "2017-07-14 02:40"),
        (1_500_000_001 * SECOND, SECOND, "2017-07-14 02:40:01"),
        (1_500_000_001 * SECOND + 250_000_000, 10_000_000, "2017-07-14 02:40:01.25"),
        (1_500_000_001 * SECOND + 5, 1, "2017-07-14 02:40:01.000000005"),
        (NEVER, SECOND, f"{NEVER // SECOND} s after 1970"),
    ],
)
def test_the_begin_of_a_bin(moment: int, width: int, words: str) -> None:
    assert svg.moment_words(moment, width) == words


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (86_400 * SECOND, "day"),
        (7200 * SECOND, "2 hours"),
        (90 * SECOND, "90 seconds"),
        (1_000_000, "millisecond"),
        (20_000, "20 microseconds"),
        (7, "7 nanoseconds"),
        (0, "0 ns"),
    ],
)
def test_the_width_of_a_bin(width: int, words: str) -> None:
    assert svg.bin_words(width) == words


def test_no_calendar_holds_every_time() -> None:
    assert svg.when(NEVER) is None
    (first, *_) = svg.time_ticks(NEVER, NEVER + 100 * SECOND, 3)
    assert first[1].endswith(" s")


def test_a_summary_says_that_a_capture_is_a_twin_and_a_file_a_draft() -> None:
    plain = report(Status.VERIFIED)
    both = replace(plain, twin=True, expectations=replace(plain.expectations, draft=True))
    without, told = (as_text([Outcome(one, 0.5)]).splitlines() for one in (plain, both))
    quoted = [line for line in told if line.startswith("> ")]
    assert len(quoted) == 2
    assert "twin" in quoted[0]
    assert "draft" in quoted[1]
    assert not any(line.startswith("> ") for line in without)


def test_a_file_that_was_not_run_has_no_table() -> None:
    expectation = report().expectations
    text = as_text([not_run(expectation, "capture", "no capture")])
    assert "no capture" in text
    assert "| verdict |" not in text
