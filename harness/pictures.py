"""What the pictures of a report show: counts of the packets of a stage, by lazy queries.

Each picture is a table of aggregated rows, never of packets; ``harness.report.html`` draws them.
A picture looks at the stage of most claims that it illustrates, else at the given one. Only a
packet's own headers are counted, its first occurrence of a field each: not those that an ICMP error
quotes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.quantities import NS_PER_SECOND

if TYPE_CHECKING:
    import narwhals as nw

    from harness.measuring import LazyFrame, Row

MOST_BINS = 1500
"""Bins of time in a picture at most: a day has 1440 minutes."""
MOST_PORTS = 20
"""Ports that stand in the picture of ports, TCP and UDP apart."""
PORT_COLUMNS = 128
SOURCE_ROWS = 64
ADDRESSES_IN_A_ROW = 1 << 26

_WIDTHS_NS = (
    *(10**power for power in range(9)),
    *(NS_PER_SECOND * seconds for seconds in (1, 10, 60, 600, 3600, 6 * 3600, 86_400)),
    *(NS_PER_SECOND * 86_400 * days for days in (10, 100, 1000, 10_000, 100_000)),
)
_TIMED = frozenset({"first", "last", "duration", "rate", "spread", "intervals"})
_PORTS = frozenset({"tcp.dstport", "udp.dstport", "tcp.port", "udp.port"})
_SOURCES = frozenset({"ip.src", "ip.addr", "ipv6.src", "ipv6.addr"})
_KINDS = frozenset(
    {"replicap.class", "replicap.scanner", "icmp", "icmp.type", "icmp.code", "icmpv6"}
    | {"icmpv6.type", "pppoed", "lcp", "pap", "ipcp", "ipv6cp", "dhcp", "dhcpv6", "arp"}
)
_STREAMS = frozenset({"tcp.stream", "udp.stream"})


@dataclass(frozen=True)
class Interest:
    """What one claim looks at, so that a picture can be put beside it."""

    claim: str
    stage: str
    measure: str
    fields: frozenset[str]


@dataclass(frozen=True)
class Span:
    """The time of a stage's packets, cut into bins."""

    start_ns: int
    """Begin of the first bin: ns since 1970-01-01 UTC, a multiple of ``bin_ns``."""
    bin_ns: int
    bins: int
    last_ns: int = 0
    """Time of the last packet."""


@dataclass(frozen=True)
class Picture:
    """One picture's figures; what the rows hold stands at its entry in ``KINDS``."""

    kind: str
    stage: str
    claims: tuple[str, ...]
    """Ids of the claims it illustrates."""
    rows: tuple[Row, ...]
    span: Span


Queries = Callable[["LazyFrame", Span], "list[LazyFrame]"]


@dataclass(frozen=True)
class Kind:
    """A kind of picture: the fields it needs, the claims it illustrates, its queries."""

    name: str
    needs: tuple[str, ...]
    illustrates: Callable[[Interest], bool]
    queries: Queries
    order: Callable[[Row], Any] = lambda row: row


@dataclass(frozen=True)
class Sketch:
    """A picture that is going to be drawn, of one stage."""

    kind: Kind
    stage: str
    claims: tuple[str, ...]


def sketches(interests: Sequence[Interest], given: str) -> list[Sketch]:
    """Every kind of picture with the claims it illustrates and the stage it shows."""
    made: list[Sketch] = []
    for kind in KINDS:
        about = [interest for interest in interests if kind.illustrates(interest)]
        stages = Counter(interest.stage for interest in about)
        stage = stages.most_common(1)[0][0] if stages else given
        claims = tuple(interest.claim for interest in about if interest.stage == stage)
        made.append(Sketch(kind, stage, claims))
    return made


def needed(made: Sequence[Sketch]) -> dict[str, set[str]]:
    """Fields that the pictures read, by stage."""
    fields: dict[str, set[str]] = {}
    for sketch in made:
        fields.setdefault(sketch.stage, {"frame.time_epoch"}).update(sketch.kind.needs)
    return fields


def draw(
    made: Sequence[Sketch],
    frames: Mapping[str, LazyFrame],
    columns: Mapping[str, Collection[str]],
    collect: Callable[[Sequence[LazyFrame]], list[list[Row]]],
) -> tuple[Picture, ...]:
    """Run the queries of all pictures together, after one for the time that each stage spans.

    ``frames`` are the packets of the stages, ``collect`` gives the rows of each query. A picture
    of which the capture has nothing is left out, and so is one whose columns were not decoded.
    """
    made = [sketch for sketch in made if _decoded(sketch, columns.get(sketch.stage, ()))]
    stages = list(dict.fromkeys(sketch.stage for sketch in made))
    ends = collect([_ends(frames[stage]) for stage in stages])
    spans = {stage: _span(rows[0]) for stage, rows in zip(stages, ends, strict=True)}
    queries = [sketch.kind.queries(frames[sketch.stage], spans[sketch.stage]) for sketch in made]
    found = iter(collect([query for several in queries for query in several]))
    pictures: list[Picture] = []
    for sketch, several in zip(made, queries, strict=True):
        rows = sorted((row for _ in several for row in next(found)), key=sketch.kind.order)
        if rows:
            pictures.append(
                Picture(
                    sketch.kind.name,
                    sketch.stage,
                    sketch.claims,
                    tuple(rows),
                    spans[sketch.stage],
                )
            )
    return tuple(pictures)


def _decoded(sketch: Sketch, columns: Collection[str]) -> bool:
    wanted = ("frame.time_epoch", *sketch.kind.needs)
    return all(name.replace(".", "_") in columns for name in wanted)


def _ends(frame: LazyFrame) -> LazyFrame:
    import narwhals as nw

    time = nw.col("frame_time_epoch")
    return frame.select(time.min().alias("first"), time.max().alias("last"))


def _span(ends: Row) -> Span:
    first, last = ends
    if first is None:
        return Span(0, NS_PER_SECOND, 0)
    width = next((one for one in _WIDTHS_NS if (last - first) // one < MOST_BINS), _WIDTHS_NS[-1])
    # Nothing shorter than what the capture lasts: a handful of packets needs no thousand bins.
    start = first - first % width
    return Span(start, width, int((last - start) // width) + 1, last)


def _bin(span: Span) -> nw.Expr:
    import narwhals as nw

    # Divided first: from the first to the last time can be more than 64 bits hold.
    number = nw.col("frame_time_epoch") // span.bin_ns - span.start_ns // span.bin_ns
    return number.alias("bin")


def _counted(frame: LazyFrame, *keys: nw.Expr, of: str = "") -> LazyFrame:
    """Key columns ``k0``, ``k1`` ... and the number of rows of each; nulls left out."""
    import narwhals as nw

    names = [f"k{place}" for place in range(len(keys))]
    rows = frame.select(*(key.alias(name) for key, name in zip(keys, names, strict=True)))
    counted = rows.drop_nulls().group_by(*names).agg(nw.len().alias("packets"))
    return counted.select(nw.lit(of).alias("of"), nw.all()) if of else counted


def _time(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(bin, class, packets)."""
    import narwhals as nw

    return [_counted(frame, _bin(span), nw.col("replicap_class"))]


def _ports(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(protocol, port, packets, ports, packets of all ports) of the busiest ports."""
    import narwhals as nw

    queries: list[LazyFrame] = []
    for of, column in (("TCP", "tcp_dstport"), ("UDP", "udp_dstport")):
        ports = _counted(frame, nw.col(column), of=of)
        total = ports.select(nw.len().alias("ports"), nw.col("packets").sum().alias("all"))
        first = ports.sort("packets", "k0", descending=[True, False]).head(MOST_PORTS)
        queries.append(first.join(total, how="cross"))
    return queries


def _sources(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(protocol, packets, sources that sent so many)."""
    import narwhals as nw

    queries: list[LazyFrame] = []
    for of, column in (("IPv4", "ip_src"), ("IPv6", "ipv6_src")):
        sources = _counted(frame, nw.col(column)).select(nw.col("packets").alias("size"))
        queries.append(_counted(sources, nw.col("size"), of=of))
    return queries


def _map(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(row of sources, column of ports, packets), IPv4 only.

    A row holds 2**26 addresses, a column the ports from (2c)**2 to below (2c + 2)**2.
    """
    import narwhals as nw

    port = nw.coalesce(nw.col("tcp_dstport"), nw.col("udp_dstport"))
    column = (port.cast(nw.Float64).sqrt() / 2).floor().cast(nw.Int32)
    row = (nw.col("ip_src") // ADDRESSES_IN_A_ROW).cast(nw.Int32)
    return [_counted(frame, row, column)]


def _ttl(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(time to live, packets)."""
    import narwhals as nw

    return [_counted(frame, nw.col("ip_ttl"))]


def _classes(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """("class" or "scanner", its name, packets)."""
    import narwhals as nw

    return [
        _counted(frame, nw.col("replicap_class"), of="class"),
        _counted(frame, nw.col("replicap_scanner"), of="scanner"),
    ]


def _streams(frame: LazyFrame, span: Span) -> list[LazyFrame]:
    """(protocol, bin, streams that began in it)."""
    import narwhals as nw

    queries: list[LazyFrame] = []
    for of, column in (("TCP", "tcp_stream"), ("UDP", "udp_stream")):
        rows = frame.select(nw.col(column).alias("stream"), _bin(span)).drop_nulls()
        first = rows.group_by("stream").agg(nw.col("bin").min())
        queries.append(_counted(first, nw.col("bin"), of=of))
    return queries


def _looks_at(*names: frozenset[str]) -> Callable[[Interest], bool]:
    """Claims that read a field of each set."""
    return lambda interest: all(interest.fields & several for several in names)


KINDS: tuple[Kind, ...] = (
    Kind(
        "time",
        ("replicap.class",),
        lambda interest: (
            interest.measure in _TIMED or (interest.measure == "packets" and not interest.fields)
        ),
        _time,
    ),
    Kind(
        "ports",
        ("tcp.dstport", "udp.dstport"),
        _looks_at(_PORTS),
        _ports,
        lambda row: (-row[2], row[:2]),
    ),
    Kind("sources", ("ip.src", "ipv6.src"), _looks_at(_SOURCES), _sources),
    Kind("map", ("ip.src", "tcp.dstport", "udp.dstport"), _looks_at(_SOURCES, _PORTS), _map),
    Kind("ttl", ("ip.ttl",), _looks_at(frozenset({"ip.ttl"})), _ttl),
    Kind(
        "classes",
        ("replicap.class", "replicap.scanner"),
        _looks_at(_KINDS),
        _classes,
        lambda row: (row[0], -row[2], row[1]),
    ),
    Kind(
        "streams",
        ("tcp.stream", "udp.stream"),
        lambda interest: interest.measure == "streams" or bool(interest.fields & _STREAMS),
        _streams,
    ),
)
"""Every kind of picture, in the order of a page."""
