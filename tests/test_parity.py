"""The comparison with tshark: what counts as equal, and that a planted difference is found."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from benchmarks.filter_parity import FIXED, compare_filters, judge, percent
from benchmarks.parity import compare, compare_all, resumed, same_in_scope, same_malformed
from benchmarks.random_filters import make_filters
from decoders.displayfilter import FilterError, parse

GOLDEN = Path(__file__).parent / "golden"
MIX = GOLDEN / "filters_mix.pcap"
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("eth:ethertype:ip:tcp", "eth:ethertype:ip:tcp", True),
        ("eth:ethertype:ip:tcp", "eth:ethertype:ip:tcp:tls:x509sat", True),
        ("eth:ethertype:ip:tcp:data", "eth:ethertype:ip:tcp:smb", True),
        ("eth:ethertype:ip:tcp:http", "eth:ethertype:ip:tcp:tls", True),
        ("eth:ethertype:ip:tcp", "eth:ethertype:ip:udp", False),
        ("eth:ethertype:ip:tcp", "eth:ethertype:ip", False),
        ("eth:ethertype:ip:data", "eth:ethertype:ip:udp:dns", False),
        ("eth:ethertype:ip", "eth:ethertype:vlan:ethertype:ip", False),
    ],
)
def test_stacks_are_compared_up_to_the_first_protocol_that_is_not_ours(
    ours: str, theirs: str, same: bool
) -> None:
    assert same_in_scope(ours, theirs) is same


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("", "", True),
        ("", "[Malformed Packet: DNS];_ws.malformed", True),
        ("", "[Malformed Packet: TCP];_ws.malformed", False),
        ("[Malformed Packet: UDP];_ws.malformed", "", False),
        ("[Malformed Packet: IPv4]", "[Malformed Packet: IPv4];[Malformed Packet: TLS]", True),
        ("[Malformed Packet: IPv4]", "[Malformed Packet: IPv4];[Malformed Packet: IPv4]", False),
    ],
)
def test_exceptions_are_compared_of_our_own_layers(ours: str, theirs: str, same: bool) -> None:
    assert same_malformed(ours, theirs) is same


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert percent(7, 7) == "100"
    assert percent(99_999_999, 100_000_000) == "99.9999"
    assert percent(1, 3) == "33.3333"


@pytest.fixture
def with_truth(tmp_path: Path) -> Path:
    """A capture whose truth file gives three fields."""
    capture = tmp_path / "scan.pcap"
    shutil.copy(GOLDEN / "tcp_scan.pcap", capture)
    frames = json.loads((GOLDEN / "tcp_scan.json").read_text("utf-8"))["frames"]
    write_truth(capture, [(str(n), ";".join(f["ip.ttl"])) for n, f in enumerate(frames, 1)])
    return capture


def write_truth(capture: Path, cells: list[tuple[str, str]]) -> None:
    lines = ["frame.number\tip.ttl", *("\t".join(row) for row in cells)]
    beside = capture.with_name(capture.name + ".truth.tsv.gz")
    beside.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def read_truth(capture: Path) -> list[tuple[str, str]]:
    text = gzip.decompress(capture.with_name(capture.name + ".truth.tsv.gz").read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return [(number, ttl) for number, ttl in rows]


def test_equal_cells_are_counted(with_truth: Path) -> None:
    result = compare(with_truth)
    packets = len(read_truth(with_truth))
    assert packets > 5
    assert result.failure == ""
    assert result.cells == {"frame.number": packets, "ip.ttl": packets}
    assert result.differing.total() == 0


def test_a_planted_difference_is_found_and_named(with_truth: Path) -> None:
    cells = read_truth(with_truth)
    cells[2] = ("3", "201")
    cells[4] = ("5", "202")
    write_truth(with_truth, cells)
    result = compare(with_truth)
    assert result.differing == {"ip.ttl": 2}
    assert result.first["ip.ttl"].startswith("packet 3: ")
    assert result.first["ip.ttl"].endswith(", tshark '201'")


def test_a_missing_packet_is_a_failure_and_all_its_cells_differ(with_truth: Path) -> None:
    write_truth(with_truth, read_truth(with_truth)[:-1])
    result = compare(with_truth)
    assert "expected" in result.failure
    assert result.differing == {"frame.number": 1, "ip.ttl": 1}


def test_what_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"nothing of the kind")
    assert compare(broken).failure


def test_captures_that_were_compared_are_not_compared_again(
    with_truth: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    (first,) = compare_all([with_truth], 1, kept)
    assert list(resumed(kept)) == [str(with_truth)]
    cells = read_truth(with_truth)
    cells[0] = ("1", "203")
    write_truth(with_truth, cells)
    assert compare_all([with_truth], 1, kept) == [first]
    with with_truth.open("ab") as out:
        out.write(b"\0")
    assert resumed(kept) == {}


def test_a_torn_line_is_compared_again(with_truth: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    compare_all([with_truth], 1, kept)
    kept.write_text(kept.read_text("utf-8")[:-9], encoding="utf-8")
    assert resumed(kept) == {}
    compare_all([with_truth], 1, kept)
    assert list(resumed(kept)) == [str(with_truth)]


def test_random_filters_can_be_read_and_are_the_same_for_a_seed() -> None:
    filters = make_filters(MIX, 300, "7")
    assert filters == make_filters(MIX, 300, "7")
    assert filters != make_filters(MIX, 300, "8")
    assert len(set(filters)) > 250
    refused = []
    for filter in filters:
        try:
            parse(filter)
        except FilterError as error:
            refused.append((filter, error.kind))
    assert not [filter for filter, kind in refused if kind in ("syntax", "unknown-field")]
    assert len(refused) < 30


def test_random_filters_use_the_whole_language() -> None:
    text = "\n".join(make_filters(MIX, 600, "1"))
    for construct in ("===", "!==", " in {", "..", "contains", "matches", "any ", "all ", "#2"):
        assert construct in text
    for construct in ("!(", "not (", " && ", " or ", "count(", "len(", "upper(", "/24", "[", " & "):
        assert construct in text
    assert "replicap." not in text


def test_filters_of_the_fixed_list_can_be_read() -> None:
    for filter in FIXED:
        assert parse(filter).fields


def test_answers_are_judged() -> None:
    assert judge({1, 2}, {1, 2}) == ("same", "")
    assert judge("no", "neither") == ("refused by both", "")
    assert judge("no", set()) == ("refused here", "no")
    assert judge(set(), "no") == ("refused by tshark", "no")
    assert judge({1, 4}, {1, 2, 4}) == (
        "different",
        "2 frames here, 3 tshark; first: frame 2, kept by tshark only",
    )


@needs_tshark
def test_filters_are_put_to_both() -> None:
    filters = ["tcp", 'eth.type == "nonsense"', "len(sctp) > 8"]
    found = compare_filters(MIX, 0, filters, "1")
    assert [result.outcome for result in found] == ["same", "refused by both", "refused here"]
