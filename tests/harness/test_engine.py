"""From an expectation file and rows to verdicts."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import polars as pl
import pytest

from decoders.displayfilter import Filter, FilterError
from decoders.frames import Damage
from harness.engine import UsageError, verify
from harness.verdicts import Status
from tests.harness.engine_cases import FakeCapture, FakeDecoder, claims, only, report
from tests.harness.measuring_tables import frame, ip

SCAN = frame(
    {
        "ip": [1, 1, 1, 1],
        "ip_src": [ip("192.0.2.1"), ip("192.0.2.1"), ip("192.0.2.9"), ip("192.0.2.2")],
        "tcp": [1, 1, 1, None],
        "udp": [None, None, None, 1],
        "tcp_dstport": [23, 23, 80, None],
        "tcp_stream": [0, 1, 2, None],
        "frame_len": [60, 70, 80, 100],
        "frame_time_epoch": [0, 10, 20, 30],
    }
)
NO_PACKET = SCAN.head(0)


@pytest.mark.parametrize(
    ("body", "status", "published", "measured"),
    [
        ("measure: packets, equals: 4", "verified", 4, 4),
        ("measure: packets, equals: 5", "refuted", 5, 4),
        ("where: tcp, measure: packets, at_least: 4", "refuted", {"at_least": 4}, 3),
        ("where: ipv6, measure: packets, equals: 0", "verified", 0, 0),
        ("measure: {distinct: ip.src}, equals: 3", "verified", 3, 3),
        ("measure: {streams: tcp}, equals: 3", "verified", 3, 3),
        ("measure: {table: tcp.dstport}, rows: {23: 2}", "verified", {"23": 2}, {"23": 2}),
        ("measure: {table: tcp.dstport}, rows: {23: 1}", "refuted", {"23": 1}, {"23": 2}),
        ("measure: {largest: tcp.dstport}, order: [23]", "verified", ["23"], [["23", 2]]),
        ("measure: duration, equals: 30 ns", "verified", "30 ns", "0.00000003"),
        ("measure: {no: ipv6}", "verified", True, True),
        ("measure: {every: tcp}", "refuted", True, False),
        ("measure: {every: tcp}, holds: false", "verified", False, False),
        (
            "not_testable: needs a PTR snapshot, published: 11 names",
            "not_testable",
            "11 names",
            None,
        ),
    ],
)
@pytest.mark.parametrize("in_files", [False, True], ids=["in memory", "in files"])
def test_verdicts(
    body: str, status: str, published: object, measured: object, in_files: bool
) -> None:
    verdict = only(report(claims(body), SCAN, in_files=in_files))
    assert (verdict.status.value, verdict.published, verdict.measured) == (
        status,
        published,
        measured,
    )
    assert verdict.seconds >= 0


@pytest.mark.parametrize(
    ("body", "differing", "shown"),
    [
        ("where: tcp, measure: packets, equals: 4", ("frame 1", "frame 2", "frame 3"), "tcp"),
        ("measure: packets, equals: 5", (), None),
        ("where: ip, measure: {every: tcp}", ("frame 4",), "(ip) && (!(tcp))"),
        ("measure: {no: '${web}'}", ("frame 3",), "tcp.dstport == 80"),
        (
            "measure: {table: tcp.dstport}, rows: {23: 1, 80: 1}",
            ("23: published 1, measured 2",),
            "tcp.dstport",
        ),
        ("measure: {every_group: {by: ip.src, some: tcp}}", ("192.0.2.2",), "ip.src"),
        (
            "where: tcp, measure: {distinct: ip.src}, equals: 1",
            ("192.0.2.1", "192.0.2.9"),
            "(tcp) && (ip.src)",
        ),
    ],
)
@pytest.mark.parametrize("in_files", [False, True], ids=["in memory", "in files"])
def test_a_refuted_claim_shows_what_refutes_it(
    body: str, differing: tuple[str, ...], shown: str | None, in_files: bool
) -> None:
    expected = claims(body, before="macros: {web: tcp.dstport == 80}\n")
    verdict = only(report(expected, SCAN, in_files=in_files))
    assert verdict.status is Status.REFUTED
    assert verdict.differing == differing
    if shown == "tcp.dstport == 80":
        assert verdict.filter in (shown, f"({shown})")
    else:
        assert verdict.filter == shown


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("where: ipv6, measure: {every: tcp}", "no packet in the view, nothing to hold for"),
        ("where: ipv6, measure: {every: tcp}, holds: false", "nothing to hold for"),
        ("where: ipv6, measure: {no: tcp}", "nothing to hold for"),
        ("where: ipv6, measure: duration, at_least: 0", "no packet in the view"),
    ],
)
def test_what_cannot_be_judged_is_an_error_at_its_line(body: str, reason: str) -> None:
    verdict = only(report(claims(body), SCAN))
    assert verdict.status is Status.ERROR
    assert reason in verdict.reason
    assert verdict.reason.startswith("line 5: ")
    assert verdict.measured is None


def test_a_comparison_that_does_not_suit_the_measure_is_an_error() -> None:
    expected = claims("measure: {table: ip.src}, rows: {192.0.2.1: 2}")
    other = claims("measure: packets, equals: 4").claims[0].comparison
    wrong = replace(expected, claims=[replace(expected.claims[0], comparison=other)])
    verdict = only(report(wrong, SCAN))
    assert verdict.status is Status.ERROR
    assert "equals cannot be compared with table" in verdict.reason


@pytest.mark.parametrize(
    "body",
    [
        "where: tcp, measure: packets, equals: 0",
        "measure: {no: ipv6}",
        "measure: {distinct: ip.src}, equals: 0",
        "measure: {rate: {per: minute, over: 24 h}}, at_most: 3",
    ],
)
def test_a_stage_without_packets_verifies_nothing(body: str) -> None:
    found = report(claims(body), NO_PACKET)
    assert only(found).status is Status.ERROR
    assert only(found).reason == "line 5: stage 'capture' has no packet"
    assert found.exit_status() == 2


def test_a_stage_without_packets_has_none() -> None:
    assert only(report(claims("measure: packets, equals: 0"), NO_PACKET)).status is Status.VERIFIED
    assert only(report(claims("measure: packets, equals: 1"), NO_PACKET)).status is Status.REFUTED


HIDDEN = SCAN.with_columns(
    pl.Series("replicap_undecoded", [None, None, None, "GRE"], dtype=pl.String)
)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("measure: packets, equals: 4", "verified"),
        ("measure: {sum: frame.len}, equals: 310", "verified"),
        ("where: frame.len < 100, measure: {distinct: ip.src}, equals: 2", "verified"),
        ("where: frame.number > 3, measure: {distinct: ip.src}, equals: 1", "not_testable"),
        ("measure: {distinct: ip.src}, equals: 3", "not_testable"),
        ("where: tcp, measure: packets, equals: 3", "not_testable"),
        ("where: tcp, measure: {sum: frame.len}, equals: 4", "not_testable"),
        ("measure: {no: ipv6}", "not_testable"),
        ("measure: {table: frame.protocols}, rows: {eth: 1}", "not_testable"),
    ],
)
def test_what_is_not_decoded_is_no_evidence(body: str, status: str) -> None:
    verdict = only(report(claims(body), HIDDEN, undecoded={"GRE": 1}))
    assert verdict.status.value == status


def test_undecoded_packets_are_told_with_the_figure_on_the_rest() -> None:
    verdict = only(
        report(claims("measure: {distinct: ip.src}, equals: 3"), HIDDEN, undecoded={"GRE": 1})
    )
    assert verdict.reason == (
        "1 of 4 packets holds what this decoder does not see (GRE): the figure on the rest is 3"
    )
    assert verdict.measured is None


def test_undecoded_things_that_no_row_tells_of_count_as_well() -> None:
    body = "where: frame.len < 100, measure: {distinct: ip.src}, equals: 2"
    verdict = only(report(claims(body), SCAN, undecoded={"more than 64 values of ip.src": 1}))
    assert verdict.status is Status.NOT_TESTABLE


def test_a_stage_whose_packets_are_uncertain_verifies_nothing() -> None:
    expected = claims("stage: scans, measure: packets, equals: 3", before=STAGES)
    verdict = only(report(expected, HIDDEN, undecoded={"GRE": 1}))
    assert verdict.status is Status.NOT_TESTABLE
    assert "whether 'ip' keeps them is not known; the figure on the rest is 3" in verdict.reason


def test_a_damaged_capture_is_marked_and_its_exit_status_is_3() -> None:
    damage = Damage("noise.pcapng", 4711, "16 octets", "a record of 60 octets")
    found = report(claims("measure: packets, equals: 4"), SCAN, capture=FakeCapture(damage=damage))
    assert only(found).status is Status.VERIFIED
    assert only(found).reason == "(on the readable part)"
    assert found.capture is not None
    assert found.capture.damaged_at == 4711
    assert found.exit_status() == 3


STAGES = """\
stages:
  - {id: original}
  - {id: cleaned, from: original, filter: ip}
  - {id: scans, from: cleaned, filter: tcp}
"""


@pytest.mark.parametrize(
    ("given", "statuses"),
    [
        (None, ["refuted", "verified", "verified"]),
        ("original", ["refuted", "verified", "verified"]),
        ("cleaned", ["not_testable", "verified", "verified"]),
        ("scans", ["not_testable", "verified", "not_testable"]),
    ],
)
@pytest.mark.parametrize("in_files", [False, True], ids=["in memory", "in files"])
def test_claims_of_stages_that_cannot_be_derived(
    given: str | None, statuses: list[str], in_files: bool
) -> None:
    expected = claims(
        "stage: original, measure: packets, equals: 3",
        "stage: scans, measure: packets, equals: 3",
        "measure: {difference: [cleaned, scans]}, equals: 1",
        before=STAGES,
    )
    table = SCAN if given != "scans" else SCAN.head(3)
    found = report(expected, table, stage=given, in_files=in_files)
    assert [verdict.status.value for verdict in found.verdicts] == statuses
    assert found.stage == (given or "original")
    if given == "cleaned":
        assert found.verdicts[0].reason == "needs stage 'original', given was 'cleaned'"


def test_the_pinned_capture_is_the_stage_it_is_pinned_as() -> None:
    pin = (
        "capture: {name: a.pcap, url: 'https://example.org/a.pcap', bytes: 9, "
        f"sha256: {'5e' * 32}, stage: cleaned}}\n"
    )
    expected = claims("stage: original, measure: packets, equals: 4", before=pin + STAGES)
    assert report(expected, SCAN).stage == "cleaned"
    assert report(expected, SCAN, capture=FakeCapture(sha256="00" * 32)).stage == "original"
    assert report(expected, SCAN, stage="original").stage == "original"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage": "claned"}, "unknown stage 'claned'.*did you mean 'cleaned'"),
        ({"decoder": "guess"}, "decoder 'guess' is not available"),
    ],
)
def test_wrong_usage(options: dict[str, str], message: str) -> None:
    expected = claims("measure: packets, equals: 4", before=STAGES)
    capture: object = FakeCapture()
    with pytest.raises(UsageError, match=message):
        verify(expected, capture, **options)  # type: ignore[arg-type]


def test_a_stage_filter_that_cannot_be_applied_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(filter: Filter, columns: Container[str]) -> object:
        raise FilterError("too many columns", kind="unsupported", start=0, end=2, text=filter.text)

    monkeypatch.setattr("decoders.displayfilter.expression", refuse)
    expected = claims("stage: scans, measure: packets, equals: 4", before=STAGES)
    with pytest.raises(UsageError, match=r"^filter of a stage: too many columns: ip$"):
        report(expected, SCAN)


def test_a_claim_filter_that_cannot_be_applied_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(filter: Filter, columns: Container[str]) -> object:
        raise FilterError("too many columns", kind="unsupported", start=0, end=2, text=filter.text)

    monkeypatch.setattr("decoders.displayfilter.expression", refuse)
    found = report(claims("where: ip, measure: packets, equals: 4"), SCAN)
    assert only(found).status is Status.ERROR
    assert only(found).reason == "line 5: display filter: too many columns"


def test_only_what_the_claims_read_is_decoded_and_once_a_stage() -> None:
    decoder = FakeDecoder(SCAN)
    expected = claims(
        "where: udp, measure: packets, equals: 1",
        "measure: {table: ip.src}, rows: {192.0.2.2: 1}",
    )
    capture: object = FakeCapture()
    verify(expected, capture, decode=decoder)  # type: ignore[arg-type]
    [(asked, keep)] = decoder.asked
    assert asked == {"frame.number", "replicap.undecoded", "udp", "ip.src"}
    assert keep is None


def test_selected_claims_only() -> None:
    expected = claims("measure: packets, equals: 4", "measure: packets, equals: 5")
    found = report(expected, SCAN, select=lambda claim: claim.id == "c1")
    assert only(found).claim.id == "c1"
    assert found.exit_status() == 0


def test_a_claim_that_fails_in_the_engine_does_not_take_the_others_along() -> None:
    wrong_type = SCAN.with_columns(pl.col("frame_len").cast(pl.String).alias("frame_len") + "x")
    expected = claims("measure: {sum: frame.len}, equals: 310", "measure: packets, equals: 4")
    found = report(expected, wrong_type)
    assert [verdict.status.value for verdict in found.verdicts] == ["error", "verified"]
    assert "\n" not in found.verdicts[0].reason


def test_an_old_spelling_in_a_filter_is_warned_about() -> None:
    found = only(report(claims('where: "tcp.dstport ~= 23", measure: packets, equals: 1'), SCAN))
    assert found.status is Status.VERIFIED
    assert found.reason == "'~=' is old; write '!==' (some value differs)"
