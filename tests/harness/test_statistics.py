"""Wireshark's statistics windows, row by row, from the measures of ``docs/statistics.md``.

Which measure gives which window stands on that page, and these tests run its very snippets:

- Conversations: ``table`` by both ends, in TCP and UDP by stream as well, folded into two
  directions; ``streams`` is the number of rows of TCP and UDP.
- Endpoints: ``table`` by ``ip.addr`` (and ``tcp.port``), by sources, by destinations; ``distinct``
  is the number of rows.
- All Addresses: ``table: ip.addr``.
- Destinations and Ports follows "the state at the end of the packet": an ICMP error stands under
  its own destination with the quoted packet's port. Own ports: ``table: {by: [ip.dst,
  tcp.dstport]}``; quoted ones: ``table: ip.dst`` where ``icmp && tcp.dstport == PORT``, for each
  port that ``table: {by: tcp.dstport, headers: all}`` where ``icmp`` shows; the rest is ``NONE``.

Octets are the same tables with ``count: {sum: frame.len}``. The truth is tshark 4.0.17's.
"""

from __future__ import annotations

import pytest

from decoders.containers import open_captures
from harness.engine import verify
from harness.measuring import MeasureError
from harness.verdicts import Status
from tests.harness.engine_cases import expectation
from tests.harness.statistics_windows import (
    GOLDEN,
    NAMES,
    PAGE,
    WINDOWS,
    Difference,
    capture,
    difference,
    page,
)

LEAST_ROWS = {"conversations": 20, "endpoints": 40, "addresses": 60, "destinations": 60}
"""Rows a kind of window has in all captures together, at least: far below what there is."""

EACH_HEADER = "two nested headers with equal addresses count twice in Wireshark, once in measures"
INNERMOST = "the trees count every header of a tunnel under the innermost addresses, IPv4 or IPv6"
SOURCE_ROUTE = "a routing header's last address is Wireshark's destination above IPv6, and no field"
SCTP = "SCTP's ports are no field yet"
APPLICATION = "SNMP's dissector starts a second conversation for the same ends"

MIXED = "several IP headers"
REFUSED = {
    ("tunnels", window)
    for window in (
        *("conversations tcp", "conversations udp", "endpoints tcp", "endpoints udp"),
        *("destinations ip", "destinations ipv6"),
    )
}
"""Windows of addresses and ports: in a tunnel a measure would pair those of different headers."""

EXCEPTIONS: dict[tuple[str, str], tuple[str, Difference]] = {
    ("tunnels", "conversations ipv6"): (
        EACH_HEADER,
        Difference(
            ("2001:db8:1::2 <> 2001:db8::1  0/0 3/291",),
            ("2001:db8:1::2 <> 2001:db8::1  0/0 4/394",),
        ),
    ),
    ("tunnels", "endpoints ipv6"): (
        EACH_HEADER,
        Difference(
            ("2001:db8:1::2  3/291 0/0 3/291", "2001:db8::1  3/291 3/291 0/0"),
            ("2001:db8:1::2  4/394 0/0 4/394", "2001:db8::1  4/394 4/394 0/0"),
        ),
    ),
    ("tunnels", "addresses ip"): (
        INNERMOST,
        Difference(
            (
                *("  8", "10.1.1.1  7", "10.2.2.2  7", "192.0.2.1  6"),
                *("192.0.2.50  1", "198.51.100.1  6", "203.0.113.7  1"),
            ),
            ("  14", "10.1.1.1  13", "10.2.2.2  13", "2001:db8:1::2  1", "2001:db8::1  1"),
        ),
    ),
    ("tunnels", "addresses ipv6"): (
        INNERMOST,
        Difference(("  3",), ("  4", "10.1.1.1  1", "10.2.2.2  1")),
    ),
    ("ipv6_ext", "conversations tcp"): (
        SOURCE_ROUTE,
        Difference(
            ("2001:db8:1::2:80 <> 2001:db8::1:1000  0/0 1/98",),
            ("2001:db8:9::9:80 <> 2001:db8::1:1000  0/0 1/98",),
        ),
    ),
    ("ipv6_ext", "endpoints tcp"): (
        SOURCE_ROUTE,
        Difference(
            ("2001:db8:1::2 80  6/572 0/0 6/572",),
            ("2001:db8:1::2 80  5/474 0/0 5/474", "2001:db8:9::9 80  1/98 0/0 1/98"),
        ),
    ),
    ("streams_mixed", "destinations ip"): (
        SCTP,
        Difference((), ("198.51.100.1 / SCTP  1", "198.51.100.1 / SCTP / 80  1")),
    ),
    ("streams_udp_upper", "conversations udp"): (
        APPLICATION,
        Difference(
            ("192.0.2.1:50000 <> 198.51.100.1:161  2/164 1/82",),
            (
                "192.0.2.1:50000 <> 198.51.100.1:161  1/82 0/0",
                "192.0.2.1:50000 <> 198.51.100.1:161  1/82 1/82",
            ),
        ),
    ),
}
"""Windows that measures do not give, with the reason and exactly the rows that differ."""

NONE_DIFFERS = ("", Difference())


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", NAMES)
def test_every_row(name: str, window: str) -> None:
    """The rows that differ are those of the exception: none where there is no exception."""
    if (name, window) in REFUSED:
        with pytest.raises(MeasureError, match=MIXED):
            difference(name, window)
        return
    assert difference(name, window) == EXCEPTIONS.get((name, window), NONE_DIFFERS)[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_streams_are_the_number_of_conversations(name: str, protocol: str) -> None:
    theirs = len(capture(name).stats[f"conv,{protocol}"])
    if (name, protocol) == ("streams_udp_upper", "udp"):
        theirs -= 1  # the second conversation that SNMP starts
    assert capture(name).value(f"conv-{protocol}-rows") == theirs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["ip", "ipv6", "tcp", "udp"])
def test_distinct_ends_are_the_number_of_endpoints(name: str, protocol: str) -> None:
    if (name, f"endpoints {protocol}") in REFUSED:
        with pytest.raises(MeasureError, match=MIXED):
            capture(name).value(f"endpoints-{protocol}-rows")
        return
    both = ("", "-over-ipv6") if protocol in ("tcp", "udp") else ("",)
    ours = sum(capture(name).value(f"endpoints-{protocol}{over}-rows") for over in both)
    _, rows = EXCEPTIONS.get((name, f"endpoints {protocol}"), NONE_DIFFERS)
    theirs = len(capture(name).stats[f"endpoints,{protocol}"])
    assert ours - len(rows.ours) == theirs - len(rows.theirs)


def test_all_captures_and_rows_are_there() -> None:
    assert len(NAMES) == 40
    rows = dict.fromkeys(LEAST_ROWS, 0)
    for window, (_, their, protocol) in WINDOWS.items():
        for name in NAMES:
            rows[window.partition(" ")[0]] += their(capture(name), protocol).total()
    assert {kind for kind, least in LEAST_ROWS.items() if rows[kind] < least} == set()


def test_exceptions_are_needed_and_explained() -> None:
    """Together with the comparison of rows: an exception that is not needed turns red."""
    text = " ".join(PAGE.read_text("utf-8").split())
    for (name, window), (reason, rows) in EXCEPTIONS.items():
        assert name in NAMES
        assert window in WINDOWS
        assert rows != Difference()
        assert f"`{name}`" in text, reason


ENDPOINTS = """\
macros: {macros}
claims:
  - id: endpoints
    says: what the window Endpoints, TCP shows
    at: {{section: Stats}}
    where: {where}
    measure: {measure}
    table: {table}
"""


@pytest.mark.parametrize(("extra", "status"), [(0, Status.VERIFIED), (1, Status.REFUTED)])
def test_a_window_as_a_claim(extra: int, status: Status) -> None:
    """A snippet of the page in an expectation file, with tshark's rows as what was published."""
    snippet = page().snippets["endpoints-tcp"]
    table = {
        f"{row['address']} {row['port']}": row["packets"] + extra
        for row in capture("dialup_noise").stats["endpoints,tcp"]
    }
    assert table
    macros = "{" + ", ".join(f"{name}: {_quoted(text)}" for name, text in page().macros.items())
    claim = ENDPOINTS.format(
        macros=macros + "}",
        where=_quoted(str(snippet.where)),
        measure=snippet.measure,
        table=table,
    )
    found = verify(expectation(claim), open_captures([GOLDEN / "dialup_noise.pcapng"]))
    assert [verdict.status for verdict in found.verdicts] == [status]


def _quoted(text: str) -> str:
    """A YAML scalar in single quotes."""
    return "'" + text.replace("'", "''") + "'"
