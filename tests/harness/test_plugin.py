"""pytest as the runner of expectation files."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from generators.capture_file import TWIN_MARK, Packet, pcapng
from harness.cli import main
from harness.commands import twins
from harness.expectation import Expectation
from tests.harness import command_cases as cases

ROOT = Path(__file__).parents[2]
INSTALLED = any(point.value == "harness.plugin" for point in entry_points(group="pytest11"))
LOADED = () if INSTALLED else ("-p", "harness.plugin")
TWIN = pcapng([Packet(0, cases.udp(1, 7))] * 3, application=TWIN_MARK)
HEAVY = ("polars", "narwhals", "pydantic", "lark", "rich", "dpkt", "yaml", "pooch")


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a capture and an expectation file of three claims."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("REPLICAP_CAPTURES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path))
    cases.capture(pytester.path)
    cases.expectations(pytester.path, cases.RIGHT, cases.WRONG, cases.UNTESTABLE)
    return pytester


@pytest.fixture(autouse=True, scope="module")
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Imports all that a run needs: pytester forgets what is imported inside of it."""
    folder = tmp_path_factory.mktemp("imported")
    capture, file = cases.capture(folder), cases.expectations(folder, cases.RIGHT, cases.WRONG)
    assert main(["verify", str(capture), "-e", str(file)]) == 1


def run(bench: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return bench.runpytest(*LOADED, "-p", "no:cacheprovider", *arguments)


def given(bench: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return run(bench, "three.yaml", "--capture-file", "three.pcap", *arguments)


def test_one_item_a_claim(bench: pytest.Pytester) -> None:
    found = run(bench, "--co", "-q", "three.yaml")
    assert found.outlines[:3] == [
        "three.yaml::packets",
        "three.yaml::to-port-7",
        "three.yaml::who",
    ]


def test_outcomes_and_first_lines(bench: pytest.Pytester) -> None:
    found = given(bench, "-rs")
    found.assert_outcomes(passed=1, failed=1, skipped=1)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(
        [
            "published 3, measured 2",
            "  claim to-port-7 (*three.yaml:11)",
            "  filter          udp.dstport == 7",
            "  interpretation  Only UDP was looked at.",
            "SKIPPED*three.yaml*not testable: needs the operator's word",
        ]
    )


def test_short_summary_says_published_and_measured(bench: pytest.Pytester) -> None:
    given(bench).stdout.fnmatch_lines(["FAILED three.yaml::to-port-7 - published 3, measured 2"])


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (("-k", "packets"), {"passed": 1}),
        (("-k", "to-port-7"), {"failed": 1}),
        (("-k", "counts"), {"passed": 1}),
        (("-m", "counts"), {"passed": 1}),
        (("-m", "ports"), {"failed": 1}),
        (("-m", "tag_xfail"), {"passed": 1}),
        (("three.yaml::packets",), {"passed": 1, "failed": 1, "skipped": 1}),
    ],
)
def test_selection(
    bench: pytest.Pytester, arguments: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    found = given(bench, "--strict-markers", *arguments)
    deselected = 3 - sum(outcomes.values())
    found.assert_outcomes(**outcomes, deselected=deselected)


def test_a_node_id_selects_one_claim(bench: pytest.Pytester) -> None:
    found = run(bench, "three.yaml::packets", "--capture-file", "three.pcap")
    found.assert_outcomes(passed=1)
    assert found.ret == 0


def test_a_tag_named_like_a_mark_of_pytest_changes_nothing(bench: pytest.Pytester) -> None:
    wrong = cases.WRONG.replace("[ports]", "[xfail, skip, not, 7up, a-b]")
    cases.expectations(bench.path, wrong)
    found = given(bench, "--strict-markers")
    found.assert_outcomes(failed=1)
    given(bench, "-m", "a_b").assert_outcomes(failed=1)


def test_junit_properties(bench: pytest.Pytester) -> None:
    given(bench, "--junitxml", "out.xml")
    case = next(
        case for case in ET.parse("out.xml").iter("testcase") if case.get("name") == "to-port-7"
    )
    found = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert found == {
        "claim": "to-port-7",
        "status": "refuted",
        "published": "3",
        "measured": "2",
        "at": "section Ports, item 1",
    }


def test_under_xdist(bench: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    given(bench, "-n", "2").assert_outcomes(passed=1, failed=1, skipped=1)


def test_nothing_verified_is_no_success(bench: pytest.Pytester) -> None:
    cases.expectations(bench.path, cases.UNTESTABLE)
    found = given(bench)
    found.assert_outcomes(skipped=1)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["replicap: error: none of 1 claims could be measured*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_without_the_pinned_capture_everything_is_skipped(
    bench: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    pin = "capture: {name: a.pcap, url: 'https://example.org/a', bytes: 9, sha256: '" + "0" * 64
    head = cases.HEAD.replace("claims:", pin + "'}\nclaims:")
    cases.expectations(bench.path, cases.RIGHT, cases.WRONG, head=head)
    found = run(bench, "three.yaml", "-rs", *workers)
    found.assert_outcomes(skipped=2)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["SKIPPED [[]2[]] three.yaml:1: not run: not in REPLICAP_CAPTURES*"])


def test_without_a_pin_the_twin_is_measured_and_the_header_says_so(
    bench: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins, "_made", lambda expectation, stage: TWIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.path / "cache"))
    found = run(bench, "three.yaml::packets", "--junitxml=out.xml")
    found.assert_outcomes(passed=1)
    header = (
        "replicap: three.yaml is measured on its twin, made from its claims; that proves nothing*"
    )
    found.stdout.fnmatch_lines([header])
    [case] = ET.parse(bench.path / "out.xml").getroot().iter("testcase")
    assert {"twin"} <= {one.attrib["name"] for one in case.iter("property")}
    run(bench, "--co").stdout.fnmatch_lines(["collected 3 items", header])  # found in a folder
    given(bench).stdout.no_fnmatch_line("*its twin*")


def test_a_twin_that_cannot_be_made_is_no_success(
    bench: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(expectation: Expectation, stage: str) -> bytes:
        raise twins.TwinNotMade("no such capture exists")

    monkeypatch.setattr(twins, "_made", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.path / "cache"))
    found = run(bench, "three.yaml")
    found.assert_outcomes(failed=2, skipped=1)
    found.stdout.fnmatch_lines(["*no such capture exists*"])


def test_a_damaged_capture_is_no_success(bench: pytest.Pytester) -> None:
    cases.capture(bench.path, cases.pcap(*[cases.udp(1, 2)] * 4)[:-5])
    cases.expectations(bench.path, cases.RIGHT)
    found = given(bench)
    found.assert_outcomes(passed=1)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["replicap: error: damaged: three.pcap: offset *"])


def test_a_capture_that_cannot_be_read_fails(bench: pytest.Pytester) -> None:
    found = run(bench, "three.yaml", "--capture-file", "none.pcap")
    found.assert_outcomes(failed=2, skipped=1)
    found.stdout.fnmatch_lines(["not measured: none.pcap: found no such file or directory*"])
    assert "Traceback" not in found.stdout.str()


def test_an_unknown_stage_fails(bench: pytest.Pytester) -> None:
    found = given(bench, "--capture-stage", "cleaned")
    found.assert_outcomes(failed=2, skipped=1)
    found.stdout.fnmatch_lines(["not measured: unknown stage 'cleaned'*"])


def test_a_wrong_expectation_file_is_a_collection_error(bench: pytest.Pytester) -> None:
    cases.expectations(bench.path, cases.RIGHT.replace("equals", "eqals"))
    found = given(bench)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    found.stdout.fnmatch_lines(["*three.yaml:10:*eqals*"])
    assert "Traceback" not in found.stdout.str()


def test_other_yaml_is_an_error_only_when_named(bench: pytest.Pytester) -> None:
    bench.path.joinpath("other.yaml").write_text("jobs: [replicap]\n")
    run(bench, "--co", "-q").stdout.no_fnmatch_line("*other.yaml*")
    named = run(bench, "other.yaml")
    assert named.ret == pytest.ExitCode.INTERRUPTED
    named.stdout.fnmatch_lines(["*other.yaml: not an expectation file*"])


def test_reportinfo_is_the_claims_line(bench: pytest.Pytester) -> None:
    bench.makeconftest(
        "def pytest_itemcollected(item):\n"
        "    path, line, name = item.reportinfo()\n"
        "    print(f'at {path.name}:{line + 1} {name}')\n"
    )
    found = run(bench, "--co", "-q", "-s", "three.yaml")
    found.stdout.fnmatch_lines(["*at three.yaml:11 claim to-port-7"])


def test_sessions_without_expectations_import_nothing_heavy(bench: pytest.Pytester) -> None:
    bench.makeconftest(
        "import sys\n"
        "def pytest_sessionfinish():\n"
        f"    print('heavy:', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    bench.makepyfile("def test_nothing(): pass")
    bench.path.joinpath("three.yaml").unlink()
    before = {path.name for path in bench.path.iterdir()}
    done = bench.runpytest_subprocess(*LOADED, "-p", "no:cacheprovider", "--co", "-s")
    assert "heavy: []" in done.stdout.str()
    benchs_own = {"__pycache__", "runpytest-0", "runpytest-current", "stdout", "stderr"}
    assert {path.name for path in bench.path.iterdir()} - before <= benchs_own
