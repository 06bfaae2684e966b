"""The expectation file: what is read, and what each mistake is told as."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.expectation import ExpectationError, Problem, load, read
from harness.problems import escaped
from tests.harness.expectation_text import VALID


def claim(*lines: str, **changes: str) -> str:
    """A file with one claim; its keys replaced by ``changes`` (an empty text leaves one out)."""
    keys = {"id": "a", "says": "s", "at": "{section: S}", "measure": "packets", "equals": "5"}
    keys |= changes
    rows = [f"{key}: {value}" for key, value in keys.items() if value != ""] + list(lines)
    head = VALID.partition("claims:")[0]
    return head + "claims:\n  - " + "\n    ".join(rows) + "\n"


def problems(text: str) -> list[Problem]:
    with pytest.raises(ExpectationError) as caught:
        read(text.encode(), "f.yaml")
    return caught.value.problems


_TWICE = "  - id: cleaned\n    from: original\n    filter: tcp\n"


def only(text: str) -> str:
    (problem,) = problems(text)
    return str(problem)


def test_a_valid_file() -> None:
    expectation = read(VALID.encode(), "f.yaml")
    assert expectation.path == "f.yaml"
    assert expectation.source.by == "Somebody"
    assert expectation.capture is not None
    assert expectation.capture.sha256 == "7be2" + "0" * 60
    assert expectation.capture.stage == "original"
    assert expectation.macros == {"site": "ip.addr == 192.0.2.1"}
    assert [(stage.id, stage.parent, stage.filter) for stage in expectation.stages] == [
        ("original", None, None),
        ("cleaned", "original", "!(lcp)"),
    ]
    first, ports, none, lost, who = expectation.claims
    assert (first.id, first.stage, first.where, first.line, first.column) == (
        "udp-connections",
        "cleaned",
        "udp && ${site}",
        23,
        5,
    )
    assert first.measure is not None
    assert first.comparison is not None
    assert (first.measure.name, first.comparison.name) == ("streams", "equals")
    assert (first.at.file, first.at.lines) == ("conn.log", "9-15")
    assert ports.stage == "original"
    assert none.comparison is not None
    assert none.comparison.published_json() is True
    assert lost.comparison is not None
    assert lost.comparison.published_text == "about 2.0"
    assert (who.measure, who.comparison, who.published) == (None, None, "yes")


def test_the_default_stage_is_called_capture() -> None:
    head, _, tail = VALID.partition("stages:")
    rest = tail.partition("claims:")[2].split("  - id: who")[1]
    expectation = read(f"{head}claims:\n  - id: who{rest}".encode(), "f.yaml")
    assert [stage.id for stage in expectation.stages] == ["capture"]
    assert expectation.claims[0].stage == "capture"


def test_a_problem_shows_its_line_and_a_caret() -> None:
    assert only(VALID.replace("title:", "titel:").replace("titel:", "title: x\ntitel:")) == (
        "f.yaml:3:1: unknown key 'titel'; did you mean 'title'?\n"
        "    titel: Connections of a PPPoE session\n"
        "    ^"
    )


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("replicap: 1", "replicap: 2", "1:11", "unknown version of the format: expected 1"),
        ("replicap: 1", "replicap: true", "1:11", "unknown version of the format: expected 1"),
        ("replicap: 1", "replicap: 1.0", "1:11", "unknown version of the format: expected 1"),
        ("replicap: 1\n", "", "1:1", "'replicap' is missing"),
        ("title: Conn", "title: ''\n#", "2:8", "a text that is not empty"),
        ("title: Connections of a PPPoE session", "title:", "2:1", "'title' has no value"),
        ("title: Connections of a PPPoE session", "title: 7", "2:8", "must stand in quotes"),
        ("https://example.org/figures\n", "ftp://x/y\n", "5:8", "an http or https address"),
        ("https://example.org/figures\n", "'https://[x'\n", "5:8", "Invalid IPv6 URL"),
        ("commit: a13de64\n", "commit: 1234567\n", "6:11", "must stand in quotes"),
        ("wireshark-4.0", "wireshark-4.2", "8:10", "did you mean 'wireshark-4.0'?"),
        ("name: pppoe.pcap", "name: ../pppoe.pcap", "10:9", "without folders"),
        ("bytes: 6296", "bytes: 0", "12:10", "a number above 0"),
        ("bytes: 6296", "bytes: true", "12:10", "a whole number"),
        ("7BE2", "7BE", "13:11", "64 hexadecimal digits"),
        ("site: ip", "a-b: ip.addr == 1.2.3.4\n  site: ip", "15:3", "a name of letters, digits"),
        ("    says: everything", "    filter: tcp", "18:5", "the first stage has no 'filter'"),
        ("from: original", "from: orignal", "20:11", "did you mean 'original'?"),
        ("from: original", "from: cleaned", "20:11", "is not earlier"),
        ("    from: original\n", "", "19:5", "'from' is missing"),
        ('    filter: "!(lcp)"\n', "", "19:5", "'filter' is missing"),
        ('filter: "!(lcp)"', 'filter: "!(lcp"', "21:19", "display filter: "),
        ("claims:", f"{_TWICE}claims:", "22:9", "stands here twice; first on line 19"),
        ("stage: cleaned", "stage: claened", "27:12", "did you mean 'cleaned'?"),
        ("where: udp &&", "where: udp &&&", "28:18", "display filter: "),
        ("where: udp && ${site}", "where: ip.scr", "28:12", "did you mean 'ip.src'?"),
        ("where: udp && ${site}", "where:", "28:5", "'where' has no value"),
        ("lines: 9-15", "lines: nine", "25:33", "line numbers such as 9 or 9-15"),
        ("{url:", "{uri:", "38:10", "did you mean 'url'?"),
        ("at: {section: Stats}", "at: {item: 2}", "42:9", "at least one of 'file'"),
        ("by: tcp.dstport", "by: tcp.dstprot", "34:27", "did you mean 'tcp.dstport'?"),
        ("count: {dis", "cuont: {dis", "34:40", "did you mean 'count'?"),
        ("{no: icmp}", "{no: icmpp}", "39:19", "display filter: "),
        ("{no: icmp}", "{not: icmp}", "39:15", "did you mean 'no'?"),
        ("{no: icmp}", "{no: icmp, every: udp}", "39:14", "found 2 keys"),
        ("[original, cleaned]", "[original, claened]", "43:47", "did you mean 'cleaned'?"),
        (
            "measure: {distinct: ip.src",
            "measure: {distinct: ip.scr",
            "43:77",
            "did you mean 'ip.src'?",
        ),
        ("about: 2.0", "abuot: 2.0", "44:5", "did you mean 'about'?"),
        ("about: 2.0", "within: 2.0", "44:13", "takes parameters"),
        ("about: 2.0", "within: {of: 2}", "44:13", "'by' is missing"),
        ("id: ports", "id: lost", "40:9", "stands here twice; first on line 31"),
        ("id: ports", "id: a b", "31:9", "letters, digits"),
        ('published: "yes"', "published: yes\n    equals: 3", "50:5", "has no 'equals'"),
        ("    equals: 2\n", "", "29:5", "the measure needs a comparison: one of equals"),
        ("    equals: 2\n", "    equals: 2\n    at_most: 3\n", "31:5", "has one comparison"),
        ("    equals: 2\n", "    equals: 2\n    published: a\n", "31:5", "only beside"),
        ("    measure: {no: icmp}\n", "", "36:5", "neither a 'measure' nor 'not_testable'"),
        ("rows: {23: 4", "equals: {23: 4", "35:13", "expected a number"),
        ("rows: {23: 4", "rows: {x: 4", "35:12", "tcp.dstport"),
    ],
)
def test_one_mistake_is_one_problem_at_its_place(
    old: str, new: str, place: str, message: str
) -> None:
    assert old in VALID
    text = only(VALID.replace(old, new, 1))
    first, _, shown = text.partition("\n")
    assert first.startswith(f"f.yaml:{place}: ")
    assert message in first
    assert shown.endswith("^")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equals": "", "rows": "{1: 2}"}, "rows cannot be compared with packets"),
        ({"equals": "", "order": "[1]"}, "order cannot be compared with packets"),
        ({"equals": "", "holds": "true"}, "holds cannot be compared with packets"),
        ({"measure": "first"}, "first is a time"),
        ({"measure": "{table: ip.src}"}, "equals cannot be compared with table"),
    ],
)
def test_a_comparison_that_does_not_fit(changes: dict[str, str], message: str) -> None:
    assert message in only(claim(**changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("just text", "f.yaml:1:1: expected a mapping with 'replicap: 1'"),
        ("[1, 2]", "expected a mapping"),
        (VALID.partition("claims:")[0] + "claims: []\n", "expected at least 1 item, found 0"),
        (VALID.partition("claims:")[0], "'claims' is missing"),
        (VALID.replace("title:", "\ttitle:"), "f.yaml:2:1: a tab"),
    ],
)
def test_a_file_without_claims_is_a_problem(text: str, message: str) -> None:
    assert message in only(text)


def test_an_error_in_a_macro_is_told_at_the_macro() -> None:
    (problem,) = problems(VALID.replace("ip.addr ==", "ip.adr =="))
    assert (problem.line, problem.column) == (15, 9)


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = VALID.replace("equals: 2", "equlas: 2").replace("title", "titel", 1)
    text = text.replace("udp && ", "udp && && ").replace("from: original", "from: orig")
    found = [(problem.line, problem.message.split(" '")[0]) for problem in problems(text)]
    assert found == [
        (1, "'title' is missing"),
        (2, "unknown key"),
        (20, "unknown stage"),
        (28, found[3][1]),
        (30, "unknown key"),
    ]


def test_missing_keys_of_one_claim_are_all_told() -> None:
    found = [
        problem.message for problem in problems(VALID.partition("claims:")[0] + "claims: [{}]")
    ]
    assert found[:3] == ["'id' is missing", "'says' is missing", "'at' is missing"]


def test_many_problems_are_counted() -> None:
    text = VALID.partition("claims:")[0] + "claims:\n" + "  - 5\n" * 60
    with pytest.raises(ExpectationError) as caught:
        read(text.encode(), "f.yaml")
    assert len(caught.value.problems) == 50
    assert str(caught.value).endswith("\nand 10 more problems")


def test_a_hundred_thousand_problems_end_soon() -> None:
    few = min(_processor_time(6_000), _processor_time(6_000))
    # Ten times the problems take ten times as long; in the square it would be a hundred times.
    assert _processor_time(60_000) < 40 * few


def _processor_time(problems: int) -> float:
    """Seconds of the processor to refuse a file of so many wrong claims, two problems each."""
    text = VALID.partition("claims:")[0] + "claims:\n" + "  - {}\n" * problems
    started = time.process_time()
    with pytest.raises(ExpectationError, match="and at least 950 more problems"):
        read(text.encode(), "f.yaml")
    return time.process_time() - started


def test_what_is_shown_cannot_steer_a_terminal() -> None:
    problem = Problem("a\x1b[2J", 1, 3, "\x1b]0;x\x07 y", "found '\x1b'", "")
    assert "\x1b" not in str(problem)
    assert escaped("\u202e") == "\\u202e"


def test_a_long_line_is_cut_around_the_place() -> None:
    shown = str(Problem("f", 1, 501, "x" * 500 + "y" + "z" * 500, "m", "")).splitlines()
    assert len(shown[1]) < 120
    assert shown[1][len(shown[2]) - 1] == "y"


def test_missing_file_and_directory(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "a directory"), (tmp_path / "x", "no such file")):
        with pytest.raises(ExpectationError, match=message) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_load_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(VALID, "utf-8")
    assert load(path).path == str(path)


def test_numbers_reach_the_comparison_exactly() -> None:
    expectation = read(claim(equals="", about="0.10").encode(), "f.yaml")
    comparison = expectation.claims[0].comparison
    assert comparison is not None
    assert comparison.published_text == f"about {Decimal('0.10')}"


def test_loading_imports_no_engine() -> None:
    code = (
        "import sys; from harness.expectation import read; read(sys.stdin.buffer.read(), 'f')\n"
        "print([m for m in ('polars', 'narwhals', 'rich', 'pooch') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=VALID.encode(), capture_output=True, check=True
    )
    assert run.stdout.strip() == b"[]"


def read_or_refused(text: str) -> None:
    refused: list[Problem] = []
    claims = 0
    try:
        claims = len(read(text.encode("utf-8", "surrogatepass"), "f.yaml").claims)
    except ExpectationError as error:
        refused = error.problems
    assert bool(claims) != bool(refused)
    assert all(problem.line >= 1 for problem in refused)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refused(text)


_PIECES = [
    "null",
    "[]",
    "{}",
    "5",
    "2.5",
    "true",
    "''",
    "&x ",
    "*x",
    "- ",
    ": ",
    "\n",
    "  ",
    "!",
    "'",
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_is_read_or_refused(data: st.DataObject) -> None:
    """A few places of a valid file are replaced by another piece of it, or by bits of YAML."""
    text = VALID
    words = VALID.split()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        piece = data.draw(st.sampled_from([*_PIECES, *words]) | st.text(max_size=3))
        text = text[:start] + piece + text[start + length :]
    read_or_refused(text)


_VALUES = [
    *(*_PIECES[:7], "[[]]", "[{a: b}]", "{1: 2}", "{a: {b: c}}", "{[a, b]: 1}", "1e99", "0x10"),
    *("{streams: {}}", "{table: []}", "{largest: {by: [1]}}", "{sum: {field: {}}}", "{true: x}"),
    *("{contains: {field: 5, values: [[]]}}", "{group_sizes: {by: ip.src, bins: {}}}"),
    *("[1, {}]", "{of: [], by: {}}", "{difference: [a, b]}", "{difference: {stages: [1, {}]}}"),
    *("{contains: {field: tcp.port, values: [[1], {}]}}", "{intervals: {statistic: []}}"),
    *("{group_sizes: {by: ip.src, bins: [1, {}, 2-1]}}", "{spread: {bin: []}}", "{rate: 1e99}"),
    *("{every_group: {by: [[]], some: {}}}", "{never_after: {after: tcp}}", "{spread: -1 s}"),
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    """Values of a valid file are replaced by values of another kind; the YAML stays right."""
    lines = VALID.splitlines()
    places = [n for n, line in enumerate(lines) if ": " in line]
    for n in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        key = lines[n].partition(": ")[0]
        value = data.draw(st.sampled_from(_VALUES))
        lines[n] = f"{key}: {value}"
    read_or_refused("\n".join(lines))
