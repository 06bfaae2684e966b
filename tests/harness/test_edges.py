"""Edges of what is read from files and the command line: quantities, counts, comparisons."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from decoders.containers import open_captures
from decoders.frames import Frame, Interface
from decoders.pcapng_writer import write_pcapng
from harness.cli import main
from harness.comparisons import COMPARISONS
from harness.measures import measure_from
from harness.measuring import Measured, MeasureError, Shape
from harness.quantities import Kind, quantity, seconds
from harness.yaml12 import MAX_NUMBER
from tests.harness.command_cases import HEAD, RIGHT, capture, expectations


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        (0.1, Kind.NUMBER, Fraction(1, 10)),
        (Decimal("2.50"), Kind.NUMBER, Fraction(5, 2)),
        ("5%", Kind.NUMBER, Fraction(1, 20)),
        (" 1.5 min ", Kind.DURATION, 90),
        ("1970-01-01T00:00:01Z", Kind.TIME, 1_000_000_000),
    ],
)
def test_quantities(raw: object, kind: Kind, value: object) -> None:
    found = quantity(raw)
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (True, "expected a number, a duration or a time, found True"),
        (None, "expected a number, a duration or a time, found None"),
        ("soon", "found 'soon'"),
    ],
)
def test_what_is_no_quantity(raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        quantity(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("5%", r"expected a duration \(24 h, 1.5 min, 10 s\), found '5%'"),
        ("2017-10-13T07:00:00Z", "expected a duration"),
        (0, "expected a duration above zero, found 0"),
        ("-1 s", "-1 s"),
    ],
)
def test_what_is_no_duration(raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        seconds(raw)
    assert seconds("1.5 min") == 90


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (5, "expected packets, {distinct: FIELD}, {streams: tcp or udp} or {sum: FIELD}, found 5"),
        ({}, "found {}"),
        ({"distinct": "ip.src", "sum": "frame.len"}, "found {"),
        ({"streams": "sctp"}, "sctp"),
    ],
)
def test_what_is_no_count(count: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        measure_from({"table": {"by": "ip.src", "count": count}})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("within", "said"),
    [
        ({"of": "2017-10-13T07:00:00Z", "by": "5%"}, "by: expected a duration, a time has no perc"),
        ({"of": 5, "by": "2017-10-13T07:00:00Z"}, "by: expected an amount or a percentage"),
        ({"of": 5, "by": -1}, "by: expected an amount or a percentage, found '-1'"),
    ],
)
def test_a_distance_that_is_none(within: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        COMPARISONS["within"].model_validate(within)
    assert said in str(caught.value)


def test_what_cannot_be_judged_is_an_error_and_no_verdict() -> None:
    table = Measured(Shape.TABLE, {"a": 1})
    with pytest.raises(MeasureError, match="needs a number"):
        COMPARISONS["within"].model_validate({"of": 5, "by": 1}).judge(table)


def test_files_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(capture(tmp_path)), "-e", str(expectations(tmp_path, RIGHT))]
    out = str(tmp_path / "out")
    assert main(["verify", *given, "--json", out, "--junit", out]) == 2
    said = capsys.readouterr().err
    assert f"both {out!r}, expected two files" in said
    assert not Path(out).exists()


def test_the_page_on_standard_output_has_no_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(capture(tmp_path)), "-e", str(expectations(tmp_path, RIGHT))]
    assert main(["verify", *given, "--html", "-", "--junit", str(tmp_path / "j.xml")]) == 0
    told = capsys.readouterr()
    assert "<html" in told.out
    assert "page:" not in told.err + told.out
    assert "<testsuite" in (tmp_path / "j.xml").read_text("utf-8")


def test_a_filter_that_warns_or_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["fields", str(capture(tmp_path)), "-e", "frame.number"]
    assert main([*given, "-Y", "eth.dst[3:1] == ff"]) == 0
    assert "warning: -Y: " in capsys.readouterr().err
    many = ", ".join(f"{n}..{n + 1}" for n in range(0, 6000, 5))
    assert main([*given, "-Y", f"frame.number in {{{many}}}"]) == 2
    assert "-Y: a set may have 1024 ranges and fields" in capsys.readouterr().err


def test_a_number_of_too_many_digits_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = "9" * (MAX_NUMBER + 1)
    file = tmp_path / "long.yaml"
    file.write_text(HEAD + RIGHT.replace("equals: 3", f"equals: {digits}.5"), "utf-8")
    assert main(["check", str(file)]) == 2
    assert f"{file}:" in capsys.readouterr().err


def test_a_written_frame_keeps_what_its_interface_says(tmp_path: Path) -> None:
    frame = Frame(1, 5_000, 44, bytes(40), Interface(1, fcs_octets=4), ("why",))
    custom = Frame(2, None, 12, b"abcdefgh", Interface(-1))
    path = tmp_path / "a.pcapng"
    assert write_pcapng(path, [frame, custom]) == 2
    first, second = open_captures([path]).frames()
    assert (first.data, first.time_ns, first.wire_length) == (bytes(40), 5_000, 44)
    assert (first.interface.fcs_octets, first.comments) == (4, ("why",))
    assert second.data == b"abcdefgh"
    assert second.interface.linktype < 0
