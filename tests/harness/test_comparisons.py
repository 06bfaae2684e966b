"""Published against measured, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.comparisons import COMPARISONS, Comparison, Json, value_json, value_text
from harness.measures import measure_from
from harness.measuring import Measured, MeasureError, Shape

TIME = 1_507_878_000_000_000_000  # 2017-10-13T07:00:00Z


def comparison(name: str, data: object) -> Comparison:
    model = COMPARISONS[name]
    return model.model_validate({model.main: data} if model.main else data)


def number(value: int | Fraction, shape: Shape = Shape.NUMBER) -> Measured:
    return Measured(shape, value)


@pytest.mark.parametrize(
    ("name", "published", "holds", "fails"),
    [
        ("equals", 1018, [1018], [1017, 1019, Fraction(10181, 10)]),
        ("equals", Decimal("0.1"), [Fraction(1, 10)], [Fraction(1, 3)]),
        ("equals", "24 h", [86400], [86399]),
        ("equals", "1 h 30 min", [5400], [5399]),
        ("equals", "5%", [Fraction(1, 20)], [5]),
        ("at_least", 3, [3, 4], [2, Fraction(29, 10)]),
        ("at_most", 3, [3, 2], [4, Fraction(31, 10)]),
        ("between", [2, 3], [2, 3, Fraction(5, 2)], [1, Fraction(31, 10)]),
        ("about", 2, [Fraction(3, 2), 2, Fraction(249, 100)], [Fraction(149, 100), Fraction(5, 2)]),
        ("about", Decimal("1.8"), [Fraction(7, 4), Fraction(184, 100)], [Fraction(185, 100), 2]),
        ("about", Decimal("2.0"), [Fraction(195, 100)], [Fraction(19, 10), Fraction(205, 100)]),
        ("about", -2, [Fraction(-3, 2), -2], [Fraction(-5, 2), Fraction(-149, 100)]),
        ("about", 0, [0, Fraction(49, 100), Fraction(-49, 100)], [Fraction(1, 2), Fraction(-1, 2)]),
        ("about", "2.9E+4", [28500, 29499], [28499, 29500]),
        ("about", "1.5 min", [87, 92], [86, 93]),
        ("about", "33%", [Fraction(1, 3)], [Fraction(34, 100), Fraction(32, 100)]),
        ("within", {"of": 10, "by": "5%"}, [Fraction(21, 2), Fraction(19, 2)], [Fraction(211, 20)]),
        ("within", {"of": 10, "by": 2, "because": "read off a plot"}, [8, 12], [7, 13]),
    ],
)
def test_numbers(name: str, published: object, holds: list[int], fails: list[int]) -> None:
    judge = comparison(name, published).judge
    assert [judge(number(value)).holds for value in holds] == [True] * len(holds)
    assert [judge(number(value)).holds for value in fails] == [False] * len(fails)


@pytest.mark.parametrize(
    ("name", "published", "holds", "fails"),
    [
        ("equals", "2017-10-13T07:00:00Z", [0], [1, -1]),
        ("equals", "2017-10-13T07:00:00.000000001Z", [1], [0]),
        ("about", "2017-10-13T07:00:00Z", [-500_000_000, 499_999_999], [500_000_000]),
        ("about", "2017-10-13T07:00Z", [29_999_999_999], [30_000_000_000]),
        ("between", ["2017-10-13T07:00Z", "2017-10-13T08:00Z"], [0, 3600 * 10**9], [-1]),
        ("within", {"of": "2017-10-13T07:00:00Z", "by": "1 min"}, [60 * 10**9], [60 * 10**9 + 1]),
    ],
)
def test_times(name: str, published: object, holds: list[int], fails: list[int]) -> None:
    judge = comparison(name, published).judge
    for offset in holds:
        assert judge(number(TIME + offset, Shape.TIME)).holds
    for offset in fails:
        assert not judge(number(TIME + offset, Shape.TIME)).holds


PORTS = measure_from({"table": "tcp.dstport"})


def table(**rows: int) -> Measured:
    return Measured(Shape.TABLE, {key[1:]: count for key, count in rows.items()}, key=PORTS.key)


def ranking(*rows: tuple[str, int], tied: tuple[tuple[str, int], ...] = ()) -> Measured:
    return Measured(Shape.RANKING, rows, key=PORTS.key, tied=tied)


@pytest.mark.parametrize(
    ("name", "published", "differing"),
    [
        ("rows", {23: 385}, []),
        ("rows", {"0x17": 385, 25: 0}, []),
        ("rows", {23: 384, 22: 92}, ["23: published 384, measured 385"]),
        ("rows", {25: 1}, ["25: published 1, measured 0"]),
        ("table", {23: 385, 22: 92}, []),
        ("table", {23: 385, 22: 92, 25: 0}, []),
        ("table", {23: 385}, ["22: published 0, measured 92"]),
        ("table", {23: 385, 22: 91}, ["22: published 91, measured 92"]),
    ],
)
def test_tables(name: str, published: object, differing: list[str]) -> None:
    judgement = comparison(name, published).judge(table(p22=92, p23=385))
    assert list(judgement.differing) == differing
    assert judgement.holds is not bool(differing)


def test_at_most_ten_rows_are_shown() -> None:
    published = dict.fromkeys(range(1, 30), 7)
    judgement = comparison("rows", published).judge(table(p23=385))
    assert not judgement.holds
    assert len(judgement.differing) == 10


@pytest.mark.parametrize(
    ("published", "holds"),
    [
        ({9: 3, 80: 2}, True),
        ({9: 3, 443: 2}, True),
        ({9: 3, 22: 2}, False),
        ({9: 3}, False),
        ({9: 3, 80: 2, 443: 2}, False),
        ({80: 2, 443: 2}, False),
    ],
)
def test_the_table_of_a_ranking_with_a_tie(published: object, holds: bool) -> None:
    measured = ranking(("9", 3), ("80", 2), tied=(("443", 2),))
    judgement = comparison("table", published).judge(measured)
    assert judgement.holds is holds
    assert bool(judgement.differing) is not holds


@pytest.mark.parametrize(
    ("published", "holds"),
    [
        ([9, 80], True),
        ([9, 443], True),
        (["9"], True),
        ([80, 9], False),
        ([9, 25], False),
        ([9, 9], False),
        ([9, 80, 443, 22], False),
    ],
)
def test_order(published: list[object], holds: bool) -> None:
    measured = ranking(("9", 3), ("80", 2), tied=(("443", 2),))
    judgement = comparison("order", published).judge(measured)
    assert judgement.holds is holds
    assert bool(judgement.differing) is not holds


def test_order_says_which_place_differs() -> None:
    judgement = comparison("order", [23, 22]).judge(table(p22=92, p23=385, p80=100))
    assert judgement.differing == ("place 2: published 22 (92), measured 80 (100)",)


def test_a_key_that_cannot_be_one_is_an_error() -> None:
    with pytest.raises(MeasureError, match="from 0 to 65535"):
        comparison("rows", {"telnet": 3}).judge(table(p23=385))


@pytest.mark.parametrize(
    ("published", "exceptions", "holds"),
    [
        (True, 0, True),
        (True, 2, False),
        (False, 0, False),
        (False, 2, True),
    ],
)
def test_holds(published: bool, exceptions: int, holds: bool) -> None:
    measured = Measured(Shape.EXCEPTIONS, exceptions, what="packets match")
    one = comparison("holds", published)
    assert one.judge(measured).holds is holds
    assert one.measured_json(measured) is (exceptions == 0)
    assert one.measured_text(measured) == ("2 packets match" if exceptions else "holds")


@pytest.mark.parametrize(
    ("name", "published", "text", "json"),
    [
        ("equals", 1018, "1018", 1018),
        ("equals", Decimal("2.0"), "2.0", "2.0"),
        ("at_least", 3, "at least 3", {"at_least": 3}),
        ("about", Decimal("2.0"), "about 2.0", {"about": "2.0"}),
        ("between", [1, "24 h"], "between 1 and 24 h", {"between": [1, "24 h"]}),
        ("within", {"of": 10, "by": "5%"}, "10 within 5%", {"within": {"of": 10, "by": "5%"}}),
        ("rows", {23: 385}, "23: 385", {"23": 385}),
        ("order", [23, "22"], "23, 22", ["23", "22"]),
        ("holds", True, "holds", True),
    ],
)
def test_published(name: str, published: object, text: str, json: Json) -> None:
    one = comparison(name, published)
    assert one.published_text == text
    assert one.published_json() == json


@pytest.mark.parametrize(
    ("measured", "text", "json"),
    [
        (number(2607), "2607", 2607),
        (number(Fraction(181, 100)), "1.81", "1.81"),
        (number(Fraction(-1, 8)), "-0.125", "-0.125"),
        (number(Fraction(1, 10**9)), "0.000000001", "0.000000001"),
        (number(Fraction(2606, 1439)), "≈1.81098 (exact 2606/1439)", "2606/1439"),
        (number(Fraction(1, 3000)), "≈0.00033333 (exact 1/3000)", "1/3000"),
        (
            number(TIME + 5, Shape.TIME),
            "2017-10-13T07:00:00.000000005Z",
            "2017-10-13T07:00:00.000000005Z",
        ),
        (table(p22=92, p23=385), "22: 92, 23: 385", {"22": 92, "23": 385}),
        (ranking(("9", 3)), "9: 3", [["9", 3]]),
        (table(), "nothing", {}),
    ],
)
def test_measured(measured: Measured, text: str, json: Json) -> None:
    assert value_text(measured) == text
    assert value_json(measured) == json


@pytest.mark.parametrize(
    ("name", "published", "message"),
    [
        ("equals", True, "found True"),
        ("equals", "many", "found 'many'"),
        ("equals", Decimal("1E+999999999"), "at most 100 digits"),
        ("equals", "1e9999", "at most 100 digits"),
        ("equals", Decimal("NaN"), "finite"),
        ("equals", "10 parsecs", "unknown unit 'parsecs'"),
        ("equals", "2017-13-13T07:00:00Z", "month must be in 1..12"),
        ("equals", "2017-10-13T07:00:00", "expected a UTC time"),
        ("between", [3, 2], "the smaller figure first"),
        ("between", [3], "required"),
        ("within", {"of": 3}, "required"),
        ("within", {"of": 3, "by": -1}, "an amount or a percentage"),
        ("within", {"of": 3, "by": 1, "becuase": "x"}, "not permitted"),
        ("table", {}, "rows of key: count"),
        ("rows", {23: "many"}, "row 23: expected a count"),
        ("rows", {23: True}, "row 23: expected a count"),
        ("rows", [23], "rows of key: count"),
        ("order", [], "a list of keys"),
        ("holds", "yes", "boolean"),
    ],
)
def test_wrong_figures_are_refused(name: str, published: object, message: str) -> None:
    with pytest.raises(ValidationError, match="(?i)" + message.replace("..", r"\.\.")):
        comparison(name, published)


@pytest.mark.parametrize(
    ("name", "published", "measure", "problem"),
    [
        ("equals", 3, "packets", None),
        ("equals", "24 h", "duration", None),
        ("equals", 3, {"no": "tcp"}, None),
        ("equals", 3, {"table": "ip.src"}, "whose value is a table"),
        ("holds", True, "packets", "whose value is a number"),
        ("equals", "24 h", "packets", "packets is no duration"),
        ("equals", 3, "first", "first is a time, '3' is a number"),
        ("equals", "2017-10-13T07:00:00Z", "duration", "is a time"),
        ("within", {"of": 3, "by": "1 s"}, "packets", "packets is no duration"),
        ("rows", {"ip": 3}, {"table": "ip.src"}, "an IPv4 address"),
        ("order", [1, 2], {"largest": {"by": "tcp.dstport", "n": 1}}, "largest has n: 1"),
        ("order", [1, 2], {"largest": {"by": "tcp.dstport", "n": 2}}, None),
    ],
)
def test_what_cannot_be_compared(
    name: str, published: object, measure: object, problem: str | None
) -> None:
    found = comparison(name, published).problem_with(measure_from(measure))
    assert (found is None) if problem is None else (problem in (found or ""))


FRACTIONS = st.fractions(max_denominator=10**6)


@given(FRACTIONS, FRACTIONS)
def test_the_order_of_fractions_decides(published: Fraction, value: Fraction) -> None:
    exact = f"{published.numerator * 10**6 // published.denominator}E-6"
    bound = Fraction(published.numerator * 10**6 // published.denominator, 10**6)
    assert comparison("at_least", exact).judge(number(value)).holds is (value >= bound)
    assert comparison("at_most", exact).judge(number(value)).holds is (value <= bound)
    assert comparison("equals", exact).judge(number(value)).holds is (value == bound)


@given(st.decimals(-(10**6), 10**6, places=2), FRACTIONS)
def test_about_is_half_a_unit_either_way(printed: Decimal, value: Fraction) -> None:
    about = comparison("about", printed)
    half = Fraction(1, 200)
    exact = Fraction(printed)
    assert about.judge(number(exact)).holds
    inside, outside = half * Fraction(999, 1000), half * Fraction(1001, 1000)
    for sign in (1, -1):
        assert about.judge(number(exact + sign * inside)).holds
        assert not about.judge(number(exact + sign * outside)).holds
    assert not about.judge(number(value)).holds or abs(value - exact) <= half


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_every_number_is_about_exactly_one_print(thousandths: int, places: int) -> None:
    value, unit = Fraction(thousandths, 1000), Fraction(1, 10**places)
    below = value // unit * unit
    prints = [below - unit, below, below + unit]
    holding = [
        printed
        for printed in prints
        if comparison("about", Decimal(int(printed / unit)).scaleb(-places))
        .judge(number(value))
        .holds
    ]
    assert len(holding) == 1
