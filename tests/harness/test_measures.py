"""Every measure on tables of a few literal packets."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.measures import MEASURES, measure_from
from harness.measuring import MeasureError, View
from tests.harness.measuring_tables import examples, frame, ip, measured, view

SECOND = 1_000_000_000

# A scan: three sources, an ICMP error (frame 5) that quotes the packet of frame 1.
SCAN = frame(
    {
        "ip_src": [
            ip("192.0.2.1"),
            ip("192.0.2.1"),
            ip("192.0.2.9"),
            ip("192.0.2.2"),
            ip("10.0.0.1"),
        ],
        "ip_dst": [ip("10.0.0.1")] * 3 + [ip("192.0.2.2"), ip("192.0.2.1")],
        "ip_src_quoted": [None, None, None, None, ip("192.0.2.1")],
        "ip_dst_quoted": [None, None, None, None, ip("10.0.0.1")],
        "tcp_dstport": [23, 23, 80, None, None],
        "tcp_dstport_quoted": [None, None, None, None, 23],
        "tcp_stream": [0, 1, 2, None, None],
        "tcp_stream_quoted": [None, None, None, None, 7],
        "udp_stream": [None, None, None, 0, None],
        "frame_len": [60, 70, 80, 100, 1000],
        "frame_time_epoch": [10 * SECOND, 12 * SECOND, 11 * SECOND, 20 * SECOND, 13 * SECOND],
    }
)
QINQ = frame(
    {
        "vlan_id": [7, 100, 7, None],
        "vlan_id_2": [7, 8, None, None],
        "vlan_priority": [1, 2, 3, None],
        "frame_len": [64, 65, 66, 67],
    }
)
NOTHING = SCAN.filter(pl.lit(False))


@pytest.mark.parametrize(
    ("notation", "value"),
    [
        ("packets", 5),
        ({"packets": {}}, 5),
        ({"sum": "frame.len"}, 1310),
        ({"sum": "tcp.dstport"}, 126),
        ({"distinct": "ip.src"}, 4),
        ({"distinct": {"field": "ip.src", "headers": "outermost"}}, 4),
        ({"distinct": "tcp.dstport"}, 2),
        ({"distinct": {"field": "tcp.stream", "headers": "all"}}, 4),
        ({"distinct": ["ip.src", "tcp.dstport"]}, 2),
        ({"distinct": {"field": ["ip.src", "tcp.dstport"], "headers": "all"}}, 2),
        ({"distinct": "ip.addr"}, 4),
        ({"streams": "tcp"}, 3),
        ({"streams": "udp"}, 1),
        ({"total": [{"distinct": "tcp.dstport"}, {"streams": "udp"}]}, 3),
        ({"total": ["packets", {"sum": "frame.len"}]}, 1315),
        ({"group_share": {"by": "ip.src", "sizes": 1}}, Fraction(3, 4)),
        ({"group_share": {"by": "ip.src", "sizes": "2-"}}, Fraction(1, 4)),
        (
            {"group_share": {"by": "ip.dst", "sizes": 2, "count": {"distinct": "tcp.dstport"}}},
            1,
        ),
    ],
)
def test_numbers(notation: object, value: int | Fraction) -> None:
    assert measured(notation, SCAN).value == value


@pytest.mark.parametrize("notation", ["packets", {"sum": "frame.len"}, {"distinct": "ip.src"}])
def test_counts_of_no_packet_are_zero(notation: object) -> None:
    assert measured(notation, NOTHING).value == 0


def test_sum_does_not_overflow_a_32_bit_column() -> None:
    ports = frame({"tcp_dstport": [65535] * 40_000})
    assert measured({"sum": "tcp.dstport"}, ports).value == 2_621_400_000


def test_a_tuple_with_a_missing_part_is_left_out_and_noted() -> None:
    found = measured({"distinct": ["ip.src", "tcp.dstport"]}, SCAN)
    assert found.note == "2 packets with only part of ip.src, tcp.dstport left out"
    assert measured({"distinct": ["ip.src", "ip.dst"]}, SCAN).note == ""


def test_occurrences_are_paired_by_position() -> None:
    table = frame({"ip_src": [1], "ip_src_2": [2], "ip_dst": [3], "ip_dst_2": [4]})
    assert measured({"table": ["ip.src", "ip.dst"]}, table).value == {
        "0.0.0.1 0.0.0.3": 1,
        "0.0.0.2 0.0.0.4": 1,
    }


def test_a_source_stands_beside_its_port_when_both_are_at_either_end() -> None:
    table = frame({"ip_src": [1], "ip_dst": [2], "tcp_srcport": [4000], "tcp_dstport": [23]})
    assert measured({"table": ["ip.addr", "tcp.port"]}, table).value == {
        "0.0.0.1 4000": 1,
        "0.0.0.2 23": 1,
    }


def test_table_counts_packets_of_each_header() -> None:
    assert measured({"table": "vlan.id"}, QINQ).value == {"7": 2, "8": 1, "100": 1}
    outermost = {"table": {"by": "vlan.id", "headers": "outermost"}}
    assert measured(outermost, QINQ).value == {"7": 2, "100": 1}


def test_table_with_quoted_headers() -> None:
    assert measured({"table": "tcp.dstport"}, SCAN).value == {"23": 2, "80": 1}
    with_quoted = {"table": {"by": "tcp.dstport", "headers": "all"}}
    assert measured(with_quoted, SCAN).value == {"23": 3, "80": 1}


def test_both_ends_of_one_packet_count_once_each() -> None:
    assert measured({"table": "ip.addr"}, SCAN).value == {
        "10.0.0.1": 4,
        "192.0.2.1": 3,
        "192.0.2.2": 2,
        "192.0.2.9": 1,
    }


@pytest.mark.parametrize(
    ("count", "value"),
    [
        ("packets", {"23": 2, "80": 1}),
        ({"distinct": "ip.src"}, {"23": 1, "80": 1}),
        ({"streams": "tcp"}, {"23": 2, "80": 1}),
        ({"sum": "frame.len"}, {"23": 130, "80": 80}),
    ],
)
def test_table_counts(count: object, value: dict[str, int]) -> None:
    assert measured({"table": {"by": "tcp.dstport", "count": count}}, SCAN).value == value


def test_a_frame_with_two_equal_tags_adds_its_length_once() -> None:
    notation = {"table": {"by": "vlan.id", "count": {"sum": "frame.len"}}}
    assert measured(notation, QINQ).value == {"7": 130, "8": 65, "100": 65}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("eth.src", b"\x00\x0c\x29\x3e\x5a\x01", "00:0c:29:3e:5a:01"),
        ("ipv6.dst", bytes.fromhex("20010db8") + bytes(11) + b"\x01", "2001:db8::1"),
        ("eth.trailer", b"\xca\xfe", "cafe"),
        ("tcp.flags.syn", True, "true"),
        ("frame.protocols", "eth:ethertype:ip", "eth:ethertype:ip"),
        ("frame.time", 1_507_878_000 * SECOND, "2017-10-13T07:00:00Z"),
        ("frame.time_delta", 1_500_000_000, "1.5"),
    ],
)
def test_keys_are_what_a_writer_writes(name: str, value: object, text: str) -> None:
    column = "frame_time_epoch" if name == "frame.time" else name.replace(".", "_")
    table = frame({column: [value]})
    assert measured({"table": name}, table).value == {text: 1}
    assert measure_from({"table": name}).key(text) == text


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("tcp.dstport", "23", "23"),
        ("tcp.dstport", "0x17", "23"),
        ("ip.proto", "UDP", "17"),
        ("eth.src", "00-0C-29-3E-5A-01", "00:0c:29:3e:5a:01"),
        ("ipv6.src", "2001:0db8:0:0::0001", "2001:db8::1"),
        ("tcp.flags.syn", True, "true"),
    ],
)
def test_keys_are_read_through_the_type_of_the_field(name: str, raw: object, text: str) -> None:
    assert measure_from({"table": name}).key(raw) == text


@pytest.mark.parametrize(
    ("notation", "raw", "message"),
    [
        ({"table": "tcp.dstport"}, 65536, "expected a number from 0 to 65535, found 65536"),
        ({"table": "tcp.dstport"}, True, "expected a number from 0 to 65535, found True"),
        ({"table": "ip.src"}, "192.0.2.300", "expected an IPv4 address"),
        ({"table": ["ip.src", "tcp.dstport"]}, "192.0.2.1", "expected a key of 2 parts"),
        ({"group_sizes": {"by": "ip.src", "bins": [1, "2-"]}}, "3-4", "none of the bins 1, 2-"),
        ("packets", 1, "packets has no keys"),
    ],
)
def test_what_cannot_be_a_key_is_told(notation: object, raw: object, message: str) -> None:
    [problem] = measure_from(notation).check_keys([raw])
    assert message in problem


def test_one_key_in_two_spellings_is_told() -> None:
    [problem] = measure_from({"table": "tcp.dstport"}).check_keys([23, "0x17"])
    assert problem == "the same key twice: 23 and '0x17'"


def test_group_sizes() -> None:
    sizes = {"by": "ip.addr", "bins": [1, "2-3", "10-"]}
    assert measured({"group_sizes": sizes}, SCAN).value == {"1": 1, "2-3": 2, "10-": 0, "other": 1}
    assert measured({"group_sizes": "ip.addr"}, SCAN).value == {"1": 1, "2": 1, "3": 1, "4": 1}


@pytest.mark.parametrize("bins", [[1, "1-2"], ["5-", 7], [], ["a"], ["3-2"], 4, [True]])
def test_bad_bins_are_refused(bins: object) -> None:
    with pytest.raises(ValidationError):
        measure_from({"group_sizes": {"by": "ip.src", "bins": bins}})


def test_largest_orders_equal_counts_by_key_and_notes_a_cut_tie() -> None:
    table = frame({"tcp_dstport": [9, 9, 9, 443, 443, 80, 80, 22]})
    found = measured({"largest": {"by": "tcp.dstport", "n": 2}}, table)
    assert found.value == (("9", 3), ("80", 2))
    assert found.tied == (("443", 2),)
    assert found.note == "2 groups of 2 stand around place 2"
    every = measured({"largest": "tcp.dstport"}, table)
    assert every.value == (("9", 3), ("80", 2), ("443", 2), ("22", 1))
    assert every.note == ""


def test_largest_of_nothing() -> None:
    assert measured({"largest": "tcp.dstport"}, NOTHING).value == ()


def test_first_and_last_are_the_earliest_and_the_latest_time() -> None:
    assert measured("first", SCAN).value == 10 * SECOND
    assert measured("last", SCAN).value == 20 * SECOND
    assert measured("duration", SCAN).value == 10


def test_duration_is_exact() -> None:
    table = frame({"frame_time_epoch": [1, 1_507_878_000_000_000_000, 1_507_878_000_000_000_002]})
    assert measured("duration", table.tail(2)).value == Fraction(2, SECOND)


@pytest.mark.parametrize("notation", ["first", "last", "duration", {"rate": "second"}])
def test_packets_without_a_time_are_noted_or_an_error(notation: object) -> None:
    table = frame({"frame_time_epoch": [None, SECOND, 3 * SECOND]})
    assert measured(notation, table).note == "1 packet without a time left out"
    with pytest.raises(MeasureError, match="no packet has a time"):
        measured(notation, table.head(1))
    with pytest.raises(MeasureError, match="no packet in the view"):
        measured(notation, table.head(0))


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ("minute", Fraction(30)),
        ({"per": "hour", "over": "24 h"}, Fraction(5, 24)),
        ({"per": "minute", "over": 3}, Fraction(100)),
    ],
)
def test_rate(parameters: object, value: Fraction) -> None:
    assert measured({"rate": parameters}, SCAN).value == value


def test_a_rate_over_no_time_is_an_error() -> None:
    with pytest.raises(MeasureError, match="the packets have one time"):
        measured({"rate": "second"}, SCAN.head(1))


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        # Bins of 2 s from 10 s: 10 and 11; 12 and 13; none; none; none; 20.
        ("max", 2),
        ("min", 0),
        ("empty", 3),
        ("largest_share", Fraction(2, 5)),
        ("smallest_share", 0),
        ("max_over_mean", Fraction(12, 5)),
        ("min_over_mean", 0),
    ],
)
def test_spread(statistic: str, value: Fraction) -> None:
    assert measured({"spread": {"bin": "2 s", "statistic": statistic}}, SCAN).value == value


def test_spread_over_a_stated_time() -> None:
    found = measured({"spread": {"bin": 2, "over": 4, "statistic": "min_over_mean"}}, SCAN)
    assert found.value == 1
    assert found.note == "1 packet behind the last bin left out"
    longer = {"spread": {"bin": "2 s", "over": "20 s", "statistic": "empty"}}
    assert measured(longer, SCAN).value == 7


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ("min", 1),
        ("max", 7),
        ("mean", Fraction(10, 4)),
        ("median", 1),
        ({"statistic": "max", "by": "ip.src"}, 2),
        ({"statistic": "median", "by": "ip.addr"}, Fraction(1)),
    ],
)
def test_intervals(parameters: object, value: Fraction) -> None:
    # Times 10 12 11 20 13; ip.addr: 10.0.0.1 has 1 1 1, 192.0.2.1 has 2 1.
    assert measured({"intervals": parameters}, SCAN).value == value


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    table = frame({"frame_time_epoch": [0, 1, 3, 7, 15]})
    assert measured({"intervals": "median"}, table).value == Fraction(3, SECOND)


def test_one_packet_has_no_interval() -> None:
    with pytest.raises(MeasureError, match="fewer than two packets"):
        measured({"intervals": "min"}, SCAN.head(1))


TELNET = nw.col("tcp_dstport") == 23
HAS_TCP = ~nw.col("tcp_stream").is_null()
FILTERS = {
    "telnet": nw.when(TELNET).then(nw.lit(True)).otherwise(nw.lit(False)),
    "tcp": HAS_TCP,
    "all": nw.col("frame_number") > 0,
    "late": nw.col("frame_number") >= 3,
    "none": nw.col("frame_number") < 0,
}


@pytest.mark.parametrize(
    ("notation", "value", "shown"),
    [
        ({"every": "all"}, 0, []),
        ({"every": "tcp"}, 2, ["frame 4", "frame 5"]),
        ({"no": "none"}, 0, []),
        ({"no": "telnet"}, 2, ["frame 1", "frame 2"]),
        ({"every_group": {"by": "ip.src", "some": "tcp"}}, 2, ["10.0.0.1", "192.0.2.2"]),
        ({"every_group": {"by": "tcp.dstport", "all": "tcp"}}, 0, []),
        (
            {"every_group": {"by": "ip.dst", "all": "telnet"}},
            3,
            ["10.0.0.1", "192.0.2.1", "192.0.2.2"],
        ),
        ({"every_group": {"by": "ip.dst", "none": "telnet"}}, 1, ["10.0.0.1"]),
        ({"every_group": {"by": "ip.src", "all": "telnet", "largest": 1}}, 0, []),
        (
            {"every_group": {"by": "ip.src", "all": "telnet", "largest": 2}},
            3,
            ["10.0.0.1", "192.0.2.2", "192.0.2.9"],
        ),
        (
            {"never_after": {"by": "ip.dst", "after": "telnet", "never": "late"}},
            1,
            ["10.0.0.1: frame 3 is behind frame 1"],
        ),
        ({"never_after": {"by": "ip.dst", "after": "late", "never": "telnet"}}, 0, []),
        ({"never_after": {"by": "ip.src", "after": "late", "never": "late"}}, 0, []),
    ],
)
def test_exceptions(notation: object, value: int, shown: list[str]) -> None:
    plan = measure_from(notation).plan(view(SCAN, FILTERS))
    found = measured(notation, SCAN, FILTERS)
    assert (found.value, found.vacuous) == (value, "")
    assert examples(plan) == shown


def test_contains() -> None:
    found = measured({"contains": {"field": "tcp.dstport", "values": [23, "0x19", 80]}}, SCAN)
    assert (found.value, found.what) == (1, "values do not occur: 25")
    sources = {"contains": {"field": "ip.src", "values": ["192.0.2.9", "10.0.0.1"]}}
    assert measured(sources, SCAN).value == 0
    macs = frame({"eth_src": [bytes(6), b"\x02" * 6]})
    known = {"contains": {"field": "eth.src", "values": ["02:02:02:02:02:02"]}}
    assert measured(known, macs).value == 0


@pytest.mark.parametrize(
    "notation",
    [
        {"every": "all"},
        {"no": "none"},
        {"every_group": {"by": "ip.src", "some": "all"}},
        {"contains": {"field": "ip.src", "values": ["192.0.2.1"]}},
        {"never_after": {"by": "ip.src", "after": "all", "never": "none"}},
    ],
)
def test_nothing_holds_for_no_packet(notation: object) -> None:
    assert "nothing to hold for" in measured(notation, NOTHING, FILTERS).vacuous


def test_never_after_needs_a_packet_to_be_after() -> None:
    found = measured(
        {"never_after": {"by": "ip.src", "after": "none", "never": "all"}}, SCAN, FILTERS
    )
    assert found.vacuous == "no packet in the view matches none, nothing to hold for"


def test_every_group_needs_a_group() -> None:
    table = frame({"ip_src": [None, None]})
    found = measured({"every_group": {"by": "ip.src", "none": "all"}}, table, FILTERS)
    assert found.vacuous == "no packet in the view has ip.src, nothing to hold for"


def test_there_is_no_share_of_no_group() -> None:
    with pytest.raises(MeasureError, match=r"has tcp\.dstport: no group"):
        measured({"group_share": {"by": "tcp.dstport", "sizes": 1}}, NOTHING)


def test_a_total_says_which_frames_count_and_reads_what_its_parts_read() -> None:
    total = measure_from({"total": [{"distinct": "tcp.dstport"}, {"distinct": "udp.stream"}]})
    assert total.fields() == {"tcp.dstport", "udp.stream"}
    assert total.witness() == "(tcp.dstport) || (udp.stream)"


def test_difference() -> None:
    left, right = view(SCAN), view(SCAN.head(3))
    both = View(left.frame, left.columns, left.compile, {"all": left, "three": right}.__getitem__)
    from tests.harness.measuring_tables import run

    packets = measure_from({"difference": ["all", "three"]})
    assert packets.stages() == ("all", "three")
    assert run(packets.plan(both)).value == 2
    seconds = measure_from({"difference": {"stages": ["three", "all"], "measure": "duration"}})
    assert seconds.result_unit() == "s"
    assert run(seconds.plan(both)).value == -8


@pytest.mark.parametrize(
    ("notation", "place", "message"),
    [
        ("packet", (), "did you mean 'packets'?"),
        ({"distinct": "ip.srcc"}, ("distinct",), "did you mean 'ip.src'?"),
        (
            {"distinct": {"field": "ip.src", "header": "own"}},
            ("distinct", "header"),
            "not permitted",
        ),
        ({"packets": 3}, ("packets",), "no parameter"),
        ({"sum": "ip.src"}, ("sum",), "no number"),
        ({"table": ["ip.src", "ip.src"]}, ("table",), "stands there twice"),
        ({"table": {"by": "ip.src", "count": {"streams": "sctp"}}}, ("table", "count"), "expected"),
        ({"table": {"by": "ip.src", "count": {"distinct": "ip.src"}}}, ("table",), "both counted"),
        ({"largest": {"by": "ip.src", "n": 0}}, ("largest", "n"), "greater than or equal to 1"),
        ({"every_group": {"by": "ip.src"}}, ("every_group",), "exactly one of some, all, none"),
        ({"every": " "}, ("every",), "an empty one"),
        ({"spread": {"bin": "7 s", "over": "24 h"}}, ("spread",), "a whole number of bins"),
        ({"rate": {"per": "minute", "over": "24 parsecs"}}, ("rate", "over"), "unknown unit"),
        (
            {"contains": {"field": "tcp.dstport", "values": [99999]}},
            ("contains",),
            "from 0 to 65535",
        ),
        ({"difference": ["a", "a"]}, ("difference",), "two different stages"),
        (
            {"difference": {"stages": ["a", "b"], "measure": {"distinct": "ip.scr"}}},
            ("difference", "measure", "distinct"),
            "did you mean 'ip.src'?",
        ),
        (
            {"difference": {"stages": ["a", "b"], "measure": {"table": "ip.src"}}},
            ("difference", "measure"),
            "a number",
        ),
        ({"total": ["packets"]}, ("total",), "at least 2"),
        ({"total": ["packets", {"table": "ip.src"}]}, ("total",), "value is a number"),
        ({"total": ["packets", "duration"]}, ("total",), "of one unit"),
        ({"group_share": {"by": "ip.src", "sizes": "2-1"}}, ("group_share", "sizes"), "smaller"),
        (
            {"every_group": {"by": "ip.src", "all": "tcp", "largest": 0}},
            ("every_group", "largest"),
            "greater",
        ),
        ({}, (), "one measure"),
        (7, (), "one measure"),
    ],
)
def test_wrong_notation_is_refused_at_its_place(
    notation: object, place: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        measure_from(notation)
    [error] = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]


def test_every_measure_has_a_json_schema_without_anything_heavy() -> None:
    for measure in MEASURES.values():
        schema = measure.model_json_schema()
        assert schema["additionalProperties"] is False
        assert not measure.main or measure.main in schema["properties"]


Packet = tuple[int | None, int | None, int | None, int]
ADDRESSES = st.one_of(st.none(), st.integers(0, 5))
PACKETS = st.lists(
    st.tuples(ADDRESSES, ADDRESSES, st.one_of(st.none(), st.integers(0, 3)), st.integers(0, 50)),
    min_size=2,
    max_size=30,
)


def _table(rows: list[Packet]) -> pl.DataFrame:
    source, destination, port, time = zip(*rows, strict=True)
    return frame(
        {"ip_src": source, "ip_dst": destination, "tcp_dstport": port, "frame_time_epoch": time}
    )


@settings(deadline=None)  # a busy machine is no failure
@given(PACKETS, st.randoms())
def test_order_of_rows_does_not_matter(rows: list[Packet], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = _table(rows), _table(shuffled)
    for notation in (
        "packets",
        "duration",
        {"distinct": ["ip.src", "tcp.dstport"]},
        {"table": "ip.addr"},
        {"largest": {"by": "ip.addr", "n": 2}},
        {"group_sizes": {"by": "ip.src", "bins": [1, "2-3"]}},
        {"intervals": "median"},
        {"spread": {"bin": "10 ns", "statistic": "empty"}},
    ):
        assert measured(notation, one).value == measured(notation, other).value


@given(PACKETS)
def test_group_sizes_add_up_to_the_groups(rows: list[Packet]) -> None:
    table = _table(rows)
    sizes = measured({"group_sizes": {"by": "ip.src", "bins": [2, "5-6"]}}, table).value
    assert isinstance(sizes, dict)
    assert sum(sizes.values()) == measured({"distinct": "ip.src"}, table).value


@given(PACKETS)
def test_a_table_adds_up_to_the_packets_with_the_field(
    rows: list[Packet],
) -> None:
    table = _table(rows)
    counts = measured({"table": "ip.src"}, table).value
    assert isinstance(counts, dict)
    assert sum(counts.values()) == sum(row[0] is not None for row in rows)
    ends = measured({"table": "ip.addr"}, table).value
    assert isinstance(ends, dict)
    assert sum(ends.values()) == sum((row[0] is not None) + (row[1] is not None) for row in rows)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=30))
def test_intervals_against_the_definition(times: list[int]) -> None:
    import statistics

    table = frame({"frame_time_epoch": times})
    ordered = sorted(times)
    gaps = [Fraction(b - a, SECOND) for a, b in pairwise(ordered)]
    for statistic, value in (
        ("min", min(gaps)),
        ("max", max(gaps)),
        ("mean", sum(gaps) / len(gaps)),
        ("median", statistics.median(gaps)),
    ):
        assert measured({"intervals": statistic}, table).value == value


@pytest.mark.parametrize(
    "notation",
    [
        {"distinct": ["ip.src", "tcp.srcport"]},
        {"table": {"by": ["ip.dst", "tcp.dstport"], "headers": "outermost"}},
        {"table": {"by": "ip.src", "count": {"distinct": "tcp.dstport"}}},
    ],
)
def test_headers_of_a_tunnel_are_not_mixed(notation: object) -> None:
    """IPv4 in IPv4: the port behind the inner header belongs to the inner address only."""
    tunnel = frame(
        {
            **{"ip_src": [1], "ip_dst": [2], "ip_src_2": [3], "ip_dst_2": [4]},
            **{"tcp_srcport": [4000], "tcp_dstport": [23]},
        }
    )
    with pytest.raises(MeasureError, match="1 packet with several IP headers"):
        measured(notation, tunnel)
