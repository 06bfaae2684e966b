"""``replicap mutants``: claims that can fail are killed, one that cannot is a survivor."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from decoders.containers import open_captures
from generators.edits import Drop, Put, applied
from generators.mutants import MAKERS, edits
from harness.cli import main
from harness.commands.laboratory import Laboratory
from harness.expectation import load
from harness.inverse import Inverse
from harness.measures import MEASURES
from tests.harness.command_cases import (
    RIGHT,
    THREE,
    UNTESTABLE,
    WRONG,
    capture,
    expectations,
    pcap,
    udp,
)

HEAD = """\
replicap: 1
title: Packets of a test
source: {by: A test, url: https://example.org/figures}
"""


def claims(*bodies: str) -> str:
    """Claims c1, c2 ... whose measure and comparison are given."""
    lines = ["claims:"]
    for number, body in enumerate(bodies, start=1):
        lines.append(f"  - {{id: c{number}, says: something, at: {{section: S}}, {body}}}")
    return "\n".join(lines) + "\n"


def tried(
    tmp_path: Path, *bodies: str, content: bytes = THREE, before: str = ""
) -> tuple[int, dict[str, dict[str, object]]]:
    """Exit status, and the JSON of each claim."""
    file = expectations(tmp_path, before + claims(*bodies), head=HEAD)
    out = tmp_path / "out.json"
    given = capture(tmp_path, content)
    status = main(["mutants", "-e", str(file), str(given), "--json", str(out)])
    found = json.loads(out.read_text("utf-8"))
    return status, {claim["id"]: claim for claim in found["claims"]}


def test_every_measure_declares_what_changes_it() -> None:
    assert [name for name, measure in MEASURES.items() if not measure.inverse] == []
    assert set(MAKERS) == set(Inverse)


def test_a_count_is_killed_by_one_packet(tmp_path: Path) -> None:
    status, found = tried(tmp_path, "measure: packets, equals: 3")
    assert status == 0
    assert found["c1"]["outcome"] == "killed"
    assert found["c1"]["edit"] == "frame 3 dropped"
    assert found["c1"]["packets_changed"] == 1
    assert found["c1"]["measured"] == "2"


def test_what_falls_with_it_is_named(tmp_path: Path) -> None:
    _, found = tried(
        tmp_path,
        "measure: packets, equals: 3",
        "where: udp.dstport == 9, measure: packets, equals: 1",
        "where: udp.dstport == 7, measure: packets, equals: 2",
    )
    assert found["c1"]["also_refuted"] == ["c2"]
    assert found["c3"]["edit"] == "frame 2 dropped"


@pytest.mark.parametrize(
    ("body", "edit"),
    [
        ("measure: {'no': tcp.dstport == 25}", "tcp.dstport 25"),
        ("measure: {'no': ipv6}", "over IPv6"),
        ("measure: {'no': udp.dstport == 9}, holds: false", "frame 3 dropped"),
        ("measure: {every: udp}", "as TCP over IPv4"),
        ("measure: {every: udp.srcport >= 1000}", "udp.srcport 999"),
        ("measure: {every: frame.len == 42}", "frame.len 43"),
        ("measure: {'no': _ws.malformed}", "cut in its transport header"),
    ],
)
def test_holds(tmp_path: Path, body: str, edit: str) -> None:
    status, found = tried(tmp_path, body)
    assert status == 0
    assert found["c1"]["outcome"] == "killed"
    assert found["c1"]["edits_tried"] == 1
    assert edit in str(found["c1"]["edit"])


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("measure: packets, between: [2, 5]", 2),
        ("measure: packets, at_least: 2", 2),
        ("measure: packets, at_most: 7", 5),
        ("measure: {sum: frame.len}, at_most: 150", 1),
        ("measure: {sum: frame.len}, within: {of: 126, by: 50}", 2),
        ("measure: {distinct: udp.dstport}, at_most: 2", 1),
        ("measure: {distinct: udp.dstport}, equals: 2", 1),
        ("measure: {streams: udp}, at_least: 2", 2),
        ("measure: duration, about: 2", 1),
        ("measure: duration, equals: 2", 1),
        ("measure: first, equals: '2020-01-01T00:00:00Z'", 1),
        ("measure: last, equals: '2020-01-01T00:00:02Z'", 1),
        ("measure: {rate: {per: minute, over: 60 s}}, about: 3", 1),
        ("measure: {rate: {per: minute, over: 60 s}}, between: [1, 6]", 4),
        ("measure: {intervals: max}, equals: 1", 1),
        ("measure: {intervals: min}, about: 1", 1),
        ("measure: {spread: {bin: 1 s, statistic: max}}, equals: 1", 1),
        ("measure: {table: udp.dstport}, table: {7: 2, 9: 1}", 1),
        ("measure: {table: udp.dstport}, rows: {7: 2}", 1),
        ("measure: {table: udp.dstport}, rows: {99: 0}", 1),
        ("measure: {table: {by: udp.dstport, count: {distinct: udp.srcport}}}, rows: {9: 1}", 1),
        ("measure: {group_sizes: udp.dstport}, rows: {2: 1}", 1),
        ("measure: {group_share: {by: udp.dstport, sizes: 2-}}, equals: 0.5", 1),
        ("measure: {largest: {by: udp.dstport, n: 2}}, order: [7, 9]", 1),
        ("measure: {contains: {field: udp.dstport, values: [7, 9]}}", 1),
        ("measure: {every_group: {by: udp.dstport, all: udp.dstport < 10}}", 1),
        ("measure: {every_group: {by: udp.dstport, none: udp.srcport == 5}}", 1),
        ("measure: {every_group: {by: ip.src, some: udp.dstport == 9}}", 1),
        ("measure: {every_group: {by: udp.dstport, some: udp.srcport == 1002}}, holds: false", 1),
        (
            "measure: {never_after: {by: ip.src, after: udp.dstport == 9, "
            "never: udp.dstport == 7}}",
            1,
        ),
        ("measure: {total: [packets, {streams: udp}]}, equals: 6", 1),
    ],
)
def test_every_measure_has_a_smallest_edit(tmp_path: Path, body: str, changed: int) -> None:
    status, found = tried(tmp_path, body)
    assert (status, found["c1"]["outcome"]) == (0, "killed"), found
    assert found["c1"]["packets_changed"] == changed, found
    assert found["c1"]["edits_tried"] == 1, found


STAGES = """\
stages:
  - {id: all}
  - {id: sevens, from: all, filter: udp.dstport == 7}
"""


def test_a_difference_is_killed_by_a_packet_that_one_stage_has(tmp_path: Path) -> None:
    status, found = tried(
        tmp_path,
        "measure: {difference: [all, sevens]}, equals: 1",
        "where: udp.dstport == 8, measure: {difference: [all, sevens]}, equals: 0",
        before=STAGES,
    )
    assert status == 0
    assert found["c1"]["edit"] == "frame 3 dropped (it is in one of the stages only)"
    assert "udp.dstport 8" in str(found["c2"]["edit"])


def test_a_claim_that_cannot_fail_is_a_survivor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = tried(tmp_path, "measure: packets, at_least: 0", "measure: packets, equals: 3")
    assert status == 1
    assert found["c1"]["outcome"] == "survived"
    assert found["c2"]["outcome"] == "killed"
    assert "three.yaml: 1 killed, 1 survived" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body",
    [
        "measure: {spread: {bin: 1 s, statistic: smallest_share}}, at_least: 0",
        "measure: {group_share: {by: udp.dstport, sizes: 1-}}, between: [0, 1]",
        "measure: {every: udp || !udp}",
        "measure: {'no': udp && !udp}",
    ],
)
def test_other_claims_that_cannot_fail(tmp_path: Path, body: str) -> None:
    status, found = tried(tmp_path, body)
    assert (status, found["c1"]["outcome"]) == (1, "survived")


def test_what_is_not_verified_as_it_is_is_not_tried(tmp_path: Path) -> None:
    file = expectations(tmp_path, RIGHT, WRONG, UNTESTABLE)
    out = tmp_path / "out.json"
    assert main(["mutants", "-e", str(file), str(capture(tmp_path)), "--json", str(out)]) == 0
    found = json.loads(out.read_text("utf-8"))
    assert found["summary"] == {"killed": 1, "survived": 0, "no_edit": 0, "not_tried": 2}
    assert found["claims"][1]["reason"].startswith("refuted as it is")


def test_fields_that_no_claim_reads_are_decoded_when_an_edit_needs_them(tmp_path: Path) -> None:
    before = """\
stages:
  - {id: all}
  - {id: rest, from: all, filter: "!(udp.stream == 1)"}
"""
    status, found = tried(
        tmp_path, "where: frame, measure: {difference: [all, rest]}, equals: 1", before=before
    )
    assert (status, found["c1"]["outcome"]) == (0, "killed")


def test_a_copy_of_a_packet_that_the_stage_leaves_out_is_no_edit(tmp_path: Path) -> None:
    before = """\
stages:
  - {id: all}
  - {id: rest, from: all, filter: "!(udp.stream == 2)"}
"""
    status, found = tried(tmp_path, "stage: rest, measure: {'no': udp.dstport == 9}", before=before)
    assert (status, found["c1"]["outcome"]) == (0, "killed")
    assert "udp.dstport 9" in str(found["c1"]["edit"])


def test_nothing_to_try_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = expectations(tmp_path, WRONG)
    assert main(["mutants", "-e", str(file), str(capture(tmp_path))]) == 2
    assert "no claim could be tried" in capsys.readouterr().err


def test_kept_mutants_are_captures_that_refute(tmp_path: Path) -> None:
    file = expectations(tmp_path, RIGHT)
    kept = tmp_path / "kept"
    given = capture(tmp_path)
    assert main(["mutants", "-e", str(file), str(given), "--keep", str(kept)]) == 0
    assert len(list(open_captures([str(kept / "packets.pcapng")]).frames())) == 2
    assert main(["verify", "-e", str(file), str(kept / "packets.pcapng")]) == 1


@pytest.mark.parametrize(
    "body",
    [
        "measure: packets, equals: 3",
        "measure: {'no': ipv6}",
        "measure: {every: udp.srcport >= 1000}",
        "measure: {streams: udp}, equals: 3",
        "measure: duration, equals: 2",
    ],
)
def test_a_mutant_differs_in_the_packets_that_its_edit_declares(tmp_path: Path, body: str) -> None:
    file = expectations(tmp_path, claims(body), head=HEAD)
    given = capture(tmp_path)
    laboratory = Laboratory(
        load(file), open_captures([str(given)]), "capture", "reference", tmp_path
    )
    [claim] = laboratory.expectation.claims
    for edit in edits(claim, laboratory):
        path = tmp_path / "mutant.pcapng"
        laboratory.write(edit, path)
        written = [
            (frame.time_ns, frame.data, frame.wire_length)
            for frame in open_captures([str(path)]).frames()
        ]
        expected = [
            (one.time_ns, one.data, one.wire_length) for one in applied(laboratory.records, edit)
        ]
        assert written == expected
        before = [(one.time_ns, one.data, one.wire_length) for one in laboratory.records]
        removed = sum((Counter(before) - Counter(written)).values())
        added = sum((Counter(written) - Counter(before)).values())
        dropped = sum(not isinstance(change, Put) for change in edit.changes)
        put = sum(not isinstance(change, Drop) for change in edit.changes)
        assert (removed, added) == (dropped, put), edit.words


def test_the_same_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, given = expectations(tmp_path, RIGHT), capture(tmp_path)
    printed = []
    for folder in ("one", "two"):
        main(["mutants", "-e", str(file), str(given), "--keep", str(tmp_path / folder)])
        printed.append(capsys.readouterr().out.rsplit(";", 1)[0])
    assert printed[0] == printed[1]
    one, two = (tmp_path / folder / "packets.pcapng" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_several_processes_find_what_one_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = ("measure: packets, equals: 3", "measure: {streams: udp}, equals: 3")
    _, alone = tried(tmp_path, *bodies)
    monkeypatch.setattr("harness.commands.trials.WORTH_A_PROCESS", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    _, together = tried(tmp_path, *bodies)
    for found in (*alone.values(), *together.values()):
        found["seconds"] = 0
    assert alone == together


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--claim", "pakets"], "no claim 'pakets'; did you mean 'packets'?"),
        (["--stage", "cleaned"], "no stage 'cleaned'"),
        (["--decoder", "none"], "decoder 'none' is not available"),
        (["--json", "nowhere/out.json"], "no directory"),
        (["--keep", "three.pcap"], "three.pcap: cannot be written"),
    ],
)
def test_wrong_usage(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    file, given = expectations(tmp_path, RIGHT), capture(tmp_path)
    assert main(["mutants", "-e", str(file), str(given), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_captures_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = expectations(tmp_path, RIGHT)
    assert main(["mutants", "-e", str(file), str(tmp_path / "none.pcap")]) == 3
    assert main(["mutants", "-e", str(file), str(capture(tmp_path, b"\xa5" * 40))]) == 3
    assert main(["mutants", "-e", str(file), str(capture(tmp_path, pcap()))]) == 2
    assert "no packet that could be changed" in capsys.readouterr().err
    assert main(["mutants", "-e", str(tmp_path / "none.yaml"), str(capture(tmp_path))]) == 2


def test_a_damaged_capture_is_tried_on_its_readable_part(tmp_path: Path) -> None:
    status, found = tried(
        tmp_path, "measure: packets, equals: 2", content=pcap(udp(1, 7), udp(2, 7), udp(3, 7))[:-5]
    )
    assert status == 3
    assert found["c1"]["outcome"] == "killed"


PLAIN = """\
replicap: 1
title: Packets of a twin
source: {by: A test, url: https://example.org/figures}
macros: {site: 192.0.2.1}
claims:
  - id: packets
    says: Three packets reach the site.
    at: {section: S}
    where: "tcp && ip.dst == 192.0.2.1"
    measure: packets
    equals: 3
"""


def test_without_a_capture_the_twin_is_used_and_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN, "utf-8")
    assert main(["mutants", "-e", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "says nothing about the capture itself" in printed
    assert "1 killed, 0 survived" in printed
