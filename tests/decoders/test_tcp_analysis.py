"""TCP analysis: the marks of scans (one test a line of semantics 7.2) and of loss and windows."""

from __future__ import annotations

import time

import pytest

from decoders.tcp_analysis import after, before
from tests.decoders.frame_bytes import (
    MSS,
    A,
    B,
    Shot,
    Situation,
    ip4,
    ipv4,
    speakers,
    tcp,
    tcp4,
    unreachable,
)

MS, SECOND = 1_000_000, 1_000_000_000
X = b"x" * 100
PORT = 40001

a, b = speakers(50000, PORT)

FIRST_SYN = Situation(a(0, "S", 10))
SAME_SYN = Situation(*(speakers(p, PORT)[0](gap, "S", 10) for p in (1, 2) for gap in (0, 2 * MS)))
SYN_4_S = Situation(a(0, "S", 10), a(4 * SECOND, "S", 10), a(0, "S", 10))
OTHER_ISN = Situation(a(0, "S", 30), a(MS, "S", 29), a(MS, "S", 31))
SYN_THEN_DATA = Situation(
    a(0, "S", 5), a(SECOND, "S", 5, 0, b"data"), a(SECOND, "S", 5, 0, b"data"), a(0, "S", 5)
)
SYN_WITH_DATA = Situation(
    a(0, "S", 5, 0, b"data"), a(SECOND, "S", 5, 0, b"data"), a(SECOND, "S", 5)
)
LAST_ISN = Situation(a(0, "S", 0xFFFFFFFF), a(SECOND, "S", 0xFFFFFFFF), a(0, "S", 0xFFFFFFFF))
SYN_ACK = Situation(b(0, "SA", 100, 900), b(SECOND, "SA", 100, 900), b(SECOND, "SA", 100, 901))
SYN_ACK_HIGHER = Situation(b(0, "SA", 100, 900), b(SECOND, "SA", 200, 900))
SYN_ACK_LOWER_SOON = Situation(b(0, "SA", 1000, 7), b(MS, "SA", 900, 7), b(SECOND, "SA", 900, 7))
SYN_ACK_LOWER_LATE = Situation(b(0, "SA", 200, 900), b(SECOND, "SA", 100, 900))
RESETS = Situation(a(0, "S", 5), *(a(SECOND, "R", 6) for _ in range(3)))
FIN_AGAIN = Situation(a(0, "FA", 5, 1), a(SECOND, "FA", 5, 1))
ACK_AGAIN = Situation(a(0, "A", 5, 1), a(SECOND, "A", 5, 1), a(SECOND, "A", 4, 1))
RESET_THEN_OPEN = Situation(
    a(0, "S", 7), b(MS, "RA", 0, 8), a(SECOND, "S", 7), b(MS, "SA", 12345, 8)
)
IN_AN_ERROR = Situation(
    a(0, "S", 10),
    unreachable(ipv4(6, tcp(50000, PORT, "S", 10))),
    unreachable(ipv4(6, tcp(50000, PORT, "S", 11))),
)


@pytest.mark.parametrize(
    ("situation", "marks"),
    [
        pytest.param(FIRST_SYN, [""], id="first SYN"),
        pytest.param(SAME_SYN, ["", "retransmission"] * 2, id="same SYN after 2 ms"),
        pytest.param(SYN_4_S, ["", "retransmission", "retransmission"], id="same SYN after 4 s"),
        pytest.param(OTHER_ISN, ["", "reused_ports", "reused_ports"], id="other ISN"),
        pytest.param(SYN_THEN_DATA, ["", "", "", "retransmission"], id="data after a SYN"),
        pytest.param(
            SYN_WITH_DATA, ["", "retransmission", "retransmission"], id="data with each SYN"
        ),
        pytest.param(LAST_ISN, ["", "", ""], id="ISN 2^32 - 1"),
        pytest.param(SYN_ACK, ["", "retransmission", "retransmission tfo_ack"], id="SYN,ACK again"),
        pytest.param(SYN_ACK_HIGHER, ["", "lost_segment reused_ports"], id="SYN,ACK higher"),
        pytest.param(
            SYN_ACK_LOWER_SOON,
            ["", "out_of_order reused_ports", "retransmission"],
            id="SYN,ACK lower within 3 ms, and that one again",
        ),
        pytest.param(
            SYN_ACK_LOWER_LATE, ["", "retransmission reused_ports"], id="SYN,ACK lower, later"
        ),
        pytest.param(RESETS, ["", "", "", ""], id="RST any number of times"),
        pytest.param(FIN_AGAIN, ["", "retransmission"], id="FIN,ACK again"),
        pytest.param(ACK_AGAIN, ["", "duplicate_ack", "keep_alive"], id="ACK again, ACK below"),
        pytest.param(
            RESET_THEN_OPEN, ["", "", "retransmission", "reused_ports"], id="SYN,ACK after RST"
        ),
    ],
)
def test_marks_of_scans(situation: Situation, marks: list[str]) -> None:
    assert situation.marks() == marks


def test_a_quoted_syn_has_no_marks_unless_it_opens_a_stream() -> None:
    quoted = [row.quoted for row in IN_AN_ERROR.rows]
    assert "tcp.connection.syn" in quoted[1]
    assert "tcp.analysis.flags" not in quoted[1]
    assert quoted[2]["tcp.analysis.reused_ports"] == [True]
    assert quoted[2]["tcp.stream"] == [1]


c, s = speakers(1000, PORT)
LOSS = Situation(
    c(0, "S", 0),
    s(10 * MS, "SA", 0, 1),
    c(MS, "A", 1, 1),
    c(MS, "A", 1, 1, X),
    c(MS, "A", 201, 1, X),  # a hole before it
    c(MS, "A", 101, 1, X),  # sooner than the round trip
    c(50 * MS, "A", 101, 1, X),  # later
    c(MS, "A", 201, 1, X),  # ends where the newest ends
    s(10 * MS, "A", 1, 301),
    c(MS, "A", 1, 1, X),  # acknowledged already
    c(MS, "A", 301, 1, X),
    c(MS, "A", 501, 1, X),
    *(s(MS, "A", 1, 401) for _ in range(3)),
    c(5 * MS, "A", 401, 1, X),  # within 20 ms of the second duplicate
    s(MS, "A", 1, 601),
    s(MS, "A", 1, 999),  # never seen
    c(MS, "FA", 601, 1),
    c(300 * MS, "FA", 601, 1),
)


def test_marks_of_loss() -> None:
    assert LOSS.marks() == [
        *("", "", "", ""),
        "lost_segment",
        "out_of_order",
        "retransmission",
        "retransmission",
        "",
        "retransmission spurious_retransmission",
        "",
        "lost_segment",
        "",
        "duplicate_ack",
        "duplicate_ack",
        "fast_retransmission retransmission",
        "",
        "ack_lost_segment",
        "",
        "retransmission",
    ]


NO_TIME_AT_ALL = Situation(
    a(0, "S", 10),
    b(0, "SA", 20, 11),
    a(0, "A", 11, 21),
    b(5 * MS, "A", 21, 11, X),
    a(MS, "A", 11, 121),
)


def test_a_round_trip_of_no_time_is_none() -> None:
    assert NO_TIME_AT_ALL.first("tcp.analysis.initial_rtt") == [None, None, None, 5 * MS, 5 * MS]


def test_numbers_of_the_analysis() -> None:
    assert LOSS.first("tcp.analysis.duplicate_ack_num")[13:15] == [1, 2]
    assert LOSS.first("tcp.analysis.duplicate_ack_frame")[13:15] == [13, 13]
    assert LOSS.first("tcp.analysis.acks_frame")[1:4] == [1, 2, None]
    assert LOSS.first("tcp.analysis.ack_rtt")[1:3] == [10 * MS, MS]
    assert LOSS.first("tcp.analysis.initial_rtt")[4] == 11 * MS
    assert LOSS.first("tcp.analysis.rto_frame")[19] == 19
    assert LOSS.first("tcp.analysis.rto")[19] == 300 * MS


def test_octets_in_flight() -> None:
    assert LOSS.first("tcp.analysis.bytes_in_flight")[:4] == [None, None, None, 100]
    assert LOSS.first("tcp.analysis.push_bytes_sent")[3] == 100


WINDOW = {"window": 1000}
OPENING = {"window": 1000, "options": MSS}
k, z = speakers(1001, PORT)
KEPT = Situation(
    k(0, "S", 0, **OPENING),
    z(MS, "SA", 0, 1, **OPENING),
    k(MS, "A", 1, 1, **WINDOW),
    k(MS, "PA", 1, 1, X, **WINDOW),
    z(MS, "A", 1, 101, **WINDOW),
    k(SECOND, "A", 100, 1, **WINDOW),
    z(MS, "A", 1, 101, **WINDOW),
    k(SECOND, "A", 100, 1, b"x", **WINDOW),
    z(MS, "A", 1, 101, **WINDOW),
    z(SECOND, "A", 1, 101, window=2000),
    z(MS, "A", 1, 101, window=2000),
    z(MS, "A", 1, 101, window=0),
    k(SECOND, "A", 101, 1, b"p", **WINDOW),
    z(MS, "A", 1, 101, window=0),
    z(SECOND, "A", 1, 101, **WINDOW),
    k(MS, "A", 101, 1, b"f" * 1000, **WINDOW),
    z(MS, "A", 1, 1101, **WINDOW),
    k(MS, "R", 1101, 0, window=0),
)


@pytest.mark.parametrize(
    ("frame", "marks"),
    [
        (6, "keep_alive"),
        (7, "keep_alive_ack"),
        (8, "keep_alive"),
        (9, "keep_alive_ack"),
        (10, "window_update"),
        (11, "keep_alive_ack"),
        (12, "zero_window"),
        (13, "zero_window_probe"),
        (14, "zero_window zero_window_probe_ack"),
        (15, "window_update"),
        (16, "window_full"),
        (17, ""),
        (18, ""),
    ],
)
def test_marks_of_windows(frame: int, marks: str) -> None:
    assert KEPT.marks()[frame - 1] == marks


OPTIONS_CUT = Situation(
    tcp4(A, 2000, B, PORT, "S", 5, options=MSS),
    ip4(ipv4(6, tcp(2000, PORT, "S", 5, words=7))),
    tcp4(A, 2000, B, PORT, "S", 5, options=MSS),
)


def test_marks_are_not_shown_when_options_are_cut() -> None:
    assert OPTIONS_CUT.marks() == ["", "", "retransmission"]


SEVERITIES = {
    "retransmission": 0x400000,
    "lost_segment": 0x600000,
    "out_of_order": 0x600000,
    "reused_ports": 0x400000,
    "duplicate_ack": 0x400000,
    "zero_window": 0x600000,
    "window_update": 0x200000,
    "window_full": 0x600000,
    "keep_alive": 0x400000,
}


@pytest.mark.parametrize(
    ("situation", "at", "mark"),
    [
        (LOSS, 6, "retransmission"),
        (LOSS, 4, "lost_segment"),
        (LOSS, 5, "out_of_order"),
        (OTHER_ISN, 1, "reused_ports"),
        (LOSS, 13, "duplicate_ack"),
        (KEPT, 11, "zero_window"),
        (KEPT, 9, "window_update"),
        (KEPT, 15, "window_full"),
        (KEPT, 5, "keep_alive"),
    ],
)
def test_expert_items_of_marks(situation: Situation, at: int, mark: str) -> None:
    row = situation.rows[at]
    assert row.own[f"tcp.analysis.{mark}"][0] is True
    assert row.own["_ws.expert.severity"][-1] == SEVERITIES[mark]
    assert row.own["_ws.expert.group"][-1] == 0x02000000
    assert row.own["tcp.analysis.flags"] == [True]


@pytest.mark.parametrize(
    ("first", "second", "is_before", "is_after"),
    [
        (1, 2, True, False),
        (2, 1, False, True),
        (7, 7, False, False),
        (0xFFFFFFFF, 0, True, False),
        (0, 0x80000000, True, True),
    ],
)
def test_serial_arithmetic(first: int, second: int, is_before: bool, is_after: bool) -> None:
    assert before(first, second) == is_before
    assert after(first, second) == is_after


def test_a_segment_of_unknown_length_is_not_analysed() -> None:
    situation = Situation(ip4(ipv4(6, tcp(1, 2, "S", 5, words=7))), tcp4(A, 1, B, 2, "S", 5))
    assert situation.marks() == ["", ""]


def unacknowledged(count: int) -> float:
    """Seconds of the processor for so many segments that nobody acknowledges, and so many ACKs."""
    sent = [a(MS, "A", 10 + 10 * nth, 1, b"x" * 10) for nth in range(count)]
    start = time.process_time()
    rows = Situation(*sent, *[b(MS, "A", 1, 15) for _ in range(count)]).rows
    assert rows[count - 1].own["tcp.analysis.bytes_in_flight"] == [10 * count]
    assert rows[-1].own["tcp.analysis.duplicate_ack_num"] == [count - 1]
    return time.process_time() - start


def test_flows_that_nobody_acknowledges_take_bounded_time() -> None:
    few = min(unacknowledged(600), unacknowledged(600))
    # Looking at all that was sent for each packet would take a hundred times as long.
    assert unacknowledged(6_000) < 40 * few


def ourself(gap_ns: int, flags: str, seq: int, ack: int = 0) -> Shot:
    """A segment from an end to itself."""
    return Shot(tcp4(A, 7777, A, 7777, flags, seq, ack), gap_ns=gap_ns)


ITSELF = Situation(
    ourself(SECOND, "S", 1000),
    ourself(SECOND, "SA", 5000, 1001),
    ourself(SECOND, "A", 1001, 5001),
    ourself(SECOND, "FA", 1001, 5001),
    ourself(SECOND, "FA", 5001, 1002),
)


def test_an_end_that_talks_to_itself_is_never_answered() -> None:
    """All of its packets go one way; the other way's numbers begin with the first ACK."""
    assert ITSELF.first("tcp.stream") == [0] * 5
    assert ITSELF.first("tcp.seq") == [0, 0, 4294963297, 4294963297, 1]
    assert ITSELF.first("tcp.ack") == [0, 1, 4001, 4001, 2]
    assert ITSELF.each("tcp.connection.fin_passive") == [[]] * 5


m, n = speakers(1002, PORT)
CLOSED = Situation(
    m(SECOND, "FA", 10, 1),
    n(MS, "FA", 1, 11),
    m(SECOND, "FA", 10, 1),
    n(MS, "FA", 1, 11),
)


def test_who_closes_first_stays_the_active_one() -> None:
    passive = [bool(values) for values in CLOSED.each("tcp.connection.fin_passive")]
    assert passive == [False, True, False, True]
    active = [bool(values) for values in CLOSED.each("tcp.connection.fin_active")]
    assert active == [True, False, True, False]


o, p = speakers(1003, PORT)
LATE_SYN = Situation(
    o(SECOND, "RA", 1001, 1),
    o(SECOND, "S", 1000),  # the number that its direction is taken to have begun with
    o(SECOND, "A", 1001, 1),
    p(SECOND, "R", 1),
    p(SECOND, "R", 1),
)


def test_a_syn_with_the_number_that_is_known_does_not_make_a_conversation_complete() -> None:
    assert LATE_SYN.first("tcp.completeness") == [0, 0, 0, 4, 36]
    assert LATE_SYN.each("tcp.analysis")[1] == [True]


q, r = speakers(1004, PORT)
FIRST_ACK = Situation(
    q(SECOND, "S", 4294967295, 1),
    q(SECOND, "R", 1, 1),
    q(SECOND, "SA", 1001, 0),
    q(14 * SECOND, "FA", 4294967295, 1000),  # 16 s after its SYN, 14 s after what it repeats
)


def test_the_first_ack_is_judged_before_its_round_trip_is_known() -> None:
    assert FIRST_ACK.marks()[3] == "retransmission"
    assert FIRST_ACK.first("tcp.analysis.initial_rtt")[3] == 16 * SECOND


s, t = speakers(1005, PORT)
LOST = Situation(
    s(SECOND, "S", 3221225985),
    t(SECOND, "SA", 0, 1),
    s(SECOND, "S", 3221225985),
    t(SECOND, "RA", 0, 1),  # acknowledges what was lost, as before
    s(SECOND, "S", 3221225985),
)


def test_an_ack_for_what_was_lost_is_marked_once_and_shown_again() -> None:
    assert LOST.marks()[1] == "ack_lost_segment tfo_ack"
    assert LOST.each("tcp.analysis")[3] == [True]
    assert LOST.each("tcp.analysis.flags")[3] == []
    assert LOST.first("tcp.analysis.initial_rtt")[3:] == [SECOND, SECOND]
