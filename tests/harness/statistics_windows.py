"""Wireshark's statistics windows, as rows: made of measures, and as tshark shows them.

The measures are the snippets of ``docs/statistics.md``; here they are run and put together. A row
is a line of text, a window a multiset of rows: tshark orders rows of equal counts by appearance.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from decoders.containers import open_captures
from decoders.displayfilter import Filter, expression, parse
from decoders.table import decode
from harness.measures import measure_from
from harness.measuring import View
from harness.yaml12 import parse as parse_yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "statistics.md"
GOLDEN = ROOT / "tests" / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))

Rows = Counter[str]


@dataclass(frozen=True)
class Snippet:
    """An entry of the page: a part of a claim."""

    id: str
    measure: Any
    where: str | None = None

    def octets(self) -> Snippet:
        """The same table, counting octets."""
        [(name, given)] = self.measure.items()
        parameters = given if isinstance(given, Mapping) else {"by": given}
        return replace(self, measure={name: {**parameters, "count": {"sum": "frame.len"}}})


@dataclass(frozen=True)
class Page:
    """What ``docs/statistics.md`` says."""

    macros: Mapping[str, str]
    snippets: Mapping[str, Snippet]


@cache
def page() -> Page:
    macros: dict[str, str] = {}
    snippets: dict[str, Snippet] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S):
        document = parse_yaml(block.encode())
        assert not document.flaws
        assert document.root is not None
        data: Any = document.root.data
        if isinstance(data, dict):
            macros.update(data["macros"])
            continue
        for entry in data:
            assert entry["id"] not in snippets
            snippets[entry["id"]] = Snippet(**entry)
    return Page(macros, snippets)


@cache
def fields() -> frozenset[str]:
    """Every field that a snippet reads."""
    found = {"frame.len"}
    for snippet in page().snippets.values():
        found |= measure_from(snippet.measure).fields()
        if snippet.where is not None:
            found |= compiled_filter(snippet.where).fields
    return frozenset(found)


@cache
def compiled_filter(text: str, port: str = "") -> Filter:
    """A snippet's filter; ``port`` stands in for the page's macro of that name."""
    return parse(text, {**page().macros, "port": port} if port else page().macros)


@dataclass(frozen=True)
class Capture:
    """A golden capture: the table of its packets and what tshark shows of it."""

    packets: pl.DataFrame
    stats: Mapping[str, Any]

    def measured(self, snippet: Snippet, port: str = "") -> Any:
        """The value of a snippet's measure, through the measures' own plans."""
        columns = frozenset(self.packets.columns)

        def compiled(text: str) -> nw.Expr:
            return expression(compiled_filter(text, port), columns)

        frame = nw.from_native(self.packets.lazy())
        if snippet.where is not None:
            frame = frame.filter(compiled(snippet.where))
        plan = measure_from(snippet.measure).plan(View(frame, columns, compiled))
        found = pl.collect_all([nw.to_native(query) for query in plan.queries])
        return plan.finish([one.rows() for one in found]).value

    def value(self, name: str, port: str = "") -> Any:
        return self.measured(page().snippets[name], port)

    def both(self, name: str) -> dict[str, tuple[int, int]]:
        """Packets and octets by key."""
        snippet = page().snippets[name]
        packets = self.measured(snippet)
        octets = self.measured(snippet.octets()) if packets else {}
        assert packets.keys() == octets.keys()
        return {key: (packets[key], octets[key]) for key in packets}


@cache
def capture(name: str) -> Capture:
    (path,) = GOLDEN.glob(f"{name}.pcap*")
    stats = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["stats"]
    return Capture(decode(open_captures([path]), fields()).packets, stats)


def shown(counts: Iterable[int]) -> str:
    """Packets and octets: ``7/586``."""
    return "/".join(map(str, counts))


def _families(protocol: str) -> tuple[str, ...]:
    """Snippets of a tab: those of TCP and UDP are there for IPv4 and for IPv6."""
    return (protocol, f"{protocol}-over-ipv6") if protocol in ("tcp", "udp") else (protocol,)


# Conversations: "A <> B  packets/octets from A to B  and back", the ends in the order of their text


def _pair(ends: tuple[str, str], there: Iterable[int], back: Iterable[int]) -> str:
    if ends[0] > ends[1]:
        ends, there, back = (ends[1], ends[0]), back, there
    return f"{ends[0]} <> {ends[1]}  {shown(there)} {shown(back)}"


def our_conversations(found: Capture, protocol: str) -> Rows:
    rows: Rows = Counter()
    for family in _families(protocol):
        ways: dict[tuple[str, str, str], tuple[int, int]] = {}
        for key, counts in found.both(f"conv-{family}").items():
            stream, source, destination = _ends(key.split(" "))
            ways[stream, source, destination] = counts
        for (stream, source, destination), counts in ways.items():
            back = (stream, destination, source)
            if source == destination:
                rows[_pair((source, destination), counts, (0, 0))] += 1
            elif source < destination or back not in ways:
                rows[_pair((source, destination), counts, ways.get(back, (0, 0)))] += 1
    return rows


def _ends(parts: list[str]) -> tuple[str, str, str]:
    """Stream, source and destination of a key; ports stand behind a colon."""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    stream, source, srcport, destination, dstport = parts
    return stream, f"{source}:{srcport}", f"{destination}:{dstport}"


def their_conversations(found: Capture, protocol: str) -> Rows:
    return Counter(
        _pair((row["a"], row["b"]), row["a_to_b"], row["b_to_a"])
        for row in found.stats[f"conv,{protocol}"]
    )


# Endpoints: "address port  packets/octets  tx  rx"


def our_endpoints(found: Capture, protocol: str) -> Rows:
    rows: Rows = Counter()
    for family in _families(protocol):
        name = f"endpoints-{family}"
        total = found.both(name)
        if not total:
            continue
        sent, received = found.both(f"{name}-tx"), found.both(f"{name}-rx")
        for key, counts in total.items():
            tx, rx = sent.get(key, (0, 0)), received.get(key, (0, 0))
            rows[f"{key}  {shown(counts)} {shown(tx)} {shown(rx)}"] += 1
    return rows


def their_endpoints(found: Capture, protocol: str) -> Rows:
    rows: Rows = Counter()
    for row in found.stats[f"endpoints,{protocol}"]:
        key = f"{row['address']} {row['port']}" if "port" in row else row["address"]
        counts = (row["packets"], row["bytes"])
        rows[f"{key}  {shown(counts)} {shown(row['tx'])} {shown(row['rx'])}"] += 1
    return rows


# Trees: the labels down to the node, "address / TCP / 23  count"; the top has no label


def _node(labels: Iterable[str], count: int) -> str:
    return f"{' / '.join(labels)}  {count}"


def our_hosts(found: Capture, protocol: str) -> Rows:
    rows = Counter([_node((), found.value(f"hosts-{protocol}-top"))])
    for address, count in found.value(f"hosts-{protocol}").items():
        rows[_node((address,), count)] += 1
    return rows


def our_destinations(found: Capture, protocol: str) -> Rows:
    leaves = _leaves(found, f"dests-{protocol}")
    kinds: Counter[tuple[str, ...]] = Counter()
    for (address, kind, _), count in leaves.items():
        kinds[address, kind] += count
    nodes: dict[tuple[str, ...], int] = {(): found.value(f"dests-{protocol}-top")}
    for address, count in found.value(f"dests-{protocol}").items():
        nodes[(address,)] = count
    return Counter(_node(labels, count) for labels, count in (nodes | kinds | leaves).items())


def _leaves(found: Capture, name: str) -> Counter[tuple[str, ...]]:
    """Packets by destination, transport and port."""
    leaves: Counter[tuple[str, ...]] = Counter()
    for transport in ("tcp", "udp"):
        kind = transport.upper()
        for key, count in found.value(f"{name}-{transport}").items():
            address, port = key.split(" ")
            leaves[address, kind, port] += count
        for port in found.value(f"{name}-{transport}-ports"):
            quoted = found.value(f"{name}-{transport}-quoted", port=port)
            for address, count in quoted.items():
                leaves[address, kind, port] += count
    for address, count in found.value(f"{name}-none").items():
        leaves[address, "NONE", "0"] += count
    return leaves


def _their_tree(found: Capture, tap: str) -> Rows:
    rows: Rows = Counter()
    labels: list[str] = []
    for depth, label, count in found.stats[f"{tap},tree"]:
        labels[max(depth - 1, 0) :] = [label] if depth else []
        rows[_node(labels, count)] += 1
    return rows


_PREFIX = {"ip": "", "ipv6": "ipv6_"}


def their_hosts(found: Capture, protocol: str) -> Rows:
    return _their_tree(found, f"{_PREFIX[protocol] or 'ip_'}hosts")


def their_destinations(found: Capture, protocol: str) -> Rows:
    return _their_tree(found, f"{_PREFIX[protocol]}dests")


Side = Callable[[Capture, str], Rows]

WINDOWS: Mapping[str, tuple[Side, Side, str]] = {
    **{
        f"conversations {protocol}": (our_conversations, their_conversations, protocol)
        for protocol in ("ip", "ipv6", "tcp", "udp")
    },
    **{
        f"endpoints {protocol}": (our_endpoints, their_endpoints, protocol)
        for protocol in ("ip", "ipv6", "tcp", "udp")
    },
    **{f"addresses {protocol}": (our_hosts, their_hosts, protocol) for protocol in _PREFIX},
    **{
        f"destinations {protocol}": (our_destinations, their_destinations, protocol)
        for protocol in _PREFIX
    },
}
"""Each window: how measures give it, how tshark shows it, and its tab."""


@dataclass(frozen=True)
class Difference:
    """Rows that only one side has, sorted."""

    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


def difference(name: str, window: str) -> Difference:
    our, their, protocol = WINDOWS[window]
    ours, theirs = our(capture(name), protocol), their(capture(name), protocol)
    return Difference(
        tuple(sorted((ours - theirs).elements())), tuple(sorted((theirs - ours).elements()))
    )
