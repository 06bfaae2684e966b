"""What can be drawn of a capture: every packet counted once, in the stage its claims are about."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from harness.pictures import KINDS, MOST_BINS, Interest, Picture, Sketch, draw, needed, sketches
from harness.report.html.plots import plot

SECOND = 10**9
COLUMNS: dict[str, Any] = {
    "frame_time_epoch": pl.Int64,
    "replicap_class": pl.String,
    "replicap_scanner": pl.String,
    "ip_src": pl.Int64,
    "ipv6_src": pl.Binary,
    "tcp_dstport": pl.Int32,
    "udp_dstport": pl.Int32,
    "ip_ttl": pl.Int32,
    "tcp_stream": pl.Int64,
    "udp_stream": pl.Int64,
}


def frame(**columns: list[Any]) -> pl.DataFrame:
    rows = max(map(len, columns.values()))
    return pl.DataFrame(
        {
            name: pl.Series(columns.get(name, [None] * rows), dtype=kind)
            for name, kind in COLUMNS.items()
        }
    )


def drawn(table: pl.DataFrame) -> dict[str, Picture]:
    def collect(queries: Any) -> list[list[Any]]:
        return [found.rows() for found in pl.collect_all([nw.to_native(q) for q in queries])]

    made = [Sketch(kind, "all", ()) for kind in KINDS]
    frames = {"all": nw.from_native(table.lazy())}
    pictures = draw(made, frames, {"all": table.columns}, collect)
    return {picture.kind: picture for picture in pictures}


def test_packets_are_counted_by_minute_and_class() -> None:
    start = 1_507_878_000 * SECOND
    minutes = [0, 0, 1, 1439]
    table = frame(
        frame_time_epoch=[start + minute * 60 * SECOND + 5 for minute in minutes],
        replicap_class=["ping", "ping", "link-control", "ping"],
    )
    picture = drawn(table)["time"]
    assert picture.rows == ((0, "ping", 2), (1, "link-control", 1), (1439, "ping", 1))
    assert (picture.span.start_ns, picture.span.bin_ns) == (start, 60 * SECOND)
    assert picture.span.bins == 1440


def test_only_what_occurs_is_drawn() -> None:
    table = frame(frame_time_epoch=[None, None], ip_ttl=[64, 64])
    assert {kind: picture.rows for kind, picture in drawn(table).items()} == {"ttl": ((64, 2),)}
    assert drawn(frame(frame_time_epoch=[])) == {}


def test_ports_are_those_of_one_protocol_each_busiest_first() -> None:
    table = frame(
        frame_time_epoch=[0] * 4, tcp_dstport=[23, 23, 22, None], udp_dstport=[None] * 3 + [53]
    )
    assert drawn(table)["ports"].rows == (
        ("TCP", 23, 2, 2, 3),
        ("TCP", 22, 1, 2, 3),
        ("UDP", 53, 1, 1, 1),
    )


def test_streams_begin_once() -> None:
    table = frame(
        frame_time_epoch=[0, SECOND, 2 * SECOND, 2 * SECOND],
        tcp_stream=[0, 0, 1, None],
        udp_stream=[None, None, None, 0],
    )
    picture = drawn(table)["streams"]
    assert [(of, at * picture.span.bin_ns, n) for of, at, n in picture.rows] == [
        ("TCP", 0, 1),
        ("TCP", 2 * SECOND, 1),
        ("UDP", 2 * SECOND, 1),
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.sampled_from(["ping", "reply", "other", "link-control", "backscatter"]),
            st.integers(0, 2**32 - 1),
            st.integers(0, 65535),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_packet_is_counted_once_at_any_time_and_port(rows: list[Any]) -> None:
    times, classes, sources, ports = (list(column) for column in zip(*rows, strict=True))
    table = frame(frame_time_epoch=times, replicap_class=classes, ip_src=sources, tcp_dstport=ports)
    found = drawn(table)
    for kind in ("time", "map"):
        assert sum(row[-1] for row in found[kind].rows) == len(rows)
    assert sum(size * count for _, size, count in found["sources"].rows) == len(rows)
    span = found["time"].span
    assert span.bins <= MOST_BINS + 1
    assert all(0 <= row[0] < span.bins for row in found["time"].rows)
    cells = {(row, column) for row, column, _ in found["map"].rows}
    for source, port in zip(sources, ports, strict=True):
        [place] = [
            column
            for row, column in cells
            if row == source >> 26 and (2 * column) ** 2 <= port < (2 * column + 2) ** 2
        ]
        assert 0 <= place < 128
    for picture in found.values():
        made = plot(picture)
        assert made.rows
        assert made.variants[0].svg


def interest(claim: str, stage: str, *fields: str, measure: str = "packets") -> Interest:
    return Interest(claim, stage, measure, frozenset(fields))


def test_a_picture_shows_the_stage_of_most_claims_that_it_illustrates() -> None:
    made = sketches(
        [
            interest("a", "original", "ip.ttl"),
            interest("b", "scans", "tcp.dstport"),
            interest("c", "scans", "udp.dstport", "ip.src"),
            interest("d", "original", "tcp.dstport"),
            interest("e", "original"),
        ],
        "given",
    )
    found = {sketch.kind.name: (sketch.stage, sketch.claims) for sketch in made}
    assert found["ports"] == ("scans", ("b", "c"))
    assert found["map"] == ("scans", ("c",))
    assert found["ttl"] == ("original", ("a",))
    assert found["time"] == ("original", ("e",))
    assert found["classes"] == ("given", ())
    assert needed(made)["scans"] >= {"frame.time_epoch", "tcp.dstport", "udp.dstport", "ip.src"}


def test_a_claim_about_packets_filtered_by_a_field_is_not_about_time() -> None:
    [time, *_] = sketches([interest("a", "all", "tcp.dstport")], "all")
    assert time.claims == ()
