"""Which packets decide about a claim, and what of a figure is written beside the published one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence import narrowed, witness_fields
from harness.measures import measure_from
from harness.recording import measured_data
from harness.verdicts import Status
from tests.harness.engine_cases import claims
from tests.harness.test_verdicts import verdict


@pytest.mark.parametrize(
    ("notation", "published", "measured", "filter"),
    [
        ({"table": "ip.src"}, {"192.0.2.1": 2}, {"192.0.2.1": 3}, "ip.src in {192.0.2.1}"),
        (
            {"table": "tcp.dstport"},
            {"23": 2, "80": 1},
            {"23": 2, "80": 2, "81": 5},
            "tcp.dstport in {80, 81}",
        ),
        ({"table": "tcp.dstport"}, {"23": 2}, {"23": 2}, "tcp.dstport"),
        ({"table": "tcp.dstport"}, {"telnet": 2}, {"23": 2}, "tcp.dstport"),
        ({"table": "tcp.dstport"}, {"telnet": 0}, {"23": 2}, "tcp.dstport in {23}"),
        ({"table": "tcp.dstport"}, "many", {"23": 2}, "tcp.dstport"),
        ({"table": "frame.protocols"}, {"eth:ip": 2}, {"eth:ip": 3}, "frame.protocols"),
        (
            {"table": {"by": ["ip.src", "tcp.dstport"]}},
            {"192.0.2.1 23": 2},
            {"192.0.2.1 23": 3},
            "ip.src && tcp.dstport",
        ),
        ({"distinct": "tcp.dstport"}, 2, 3, "tcp.dstport"),
    ],
)
def test_the_packets_that_decide(
    notation: object, published: object, measured: object, filter: str
) -> None:
    one = replace(verdict(Status.REFUTED), published=published, measured=measured)
    assert narrowed(measure_from(notation), one) == filter


def test_fields_of_the_packets_that_decide() -> None:
    assert witness_fields(measure_from({"distinct": "tcp.dstport"}), {}) == {"tcp.dstport"}
    assert witness_fields(measure_from("packets"), {}) == frozenset()
    assert witness_fields(measure_from({"no": "tcp == 1"}), {}) == frozenset()


@pytest.mark.parametrize(
    ("body", "measured", "data"),
    [
        ("measure: packets, equals: 1", 5, 5),
        ("measure: {sum: frame.len}, equals: 1", "1.5\x1b", "1.5\\x1b"),
        ("measure: {table: ip.src}, table: {192.0.2.1: 2}", {"a\n": 3}, {"a\\n": 3}),
        ("measure: {table: ip.src}, table: {192.0.2.1: 2}", dict.fromkeys(range(9999), 1), "5141"),
        (
            "measure: {largest: {by: ip.src, n: 1}}, order: [192.0.2.1]",
            [["192.0.2.1\t", 3]],
            [["192.0.2.1\\t", 3]],
        ),
        ("measure: {no: tcp}", True, "5141"),
    ],
)
def test_what_is_written_beside_a_published_figure(
    body: str, measured: object, data: object
) -> None:
    claim = claims(body).claims[0]
    found = measured_data(replace(verdict(Status.VERIFIED), claim=claim, measured=measured))
    assert found == data
