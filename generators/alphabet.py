"""What the claims name: addresses, ports and stream numbers, and with them the classes of values.

A value that some claim names is a class of its own; ports between two named limits, and addresses
that nobody names, are one class each, whose members are chosen when packets are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

from decoders.displayfilter import parse
from decoders.fields import Field, FieldType
from generators.filters import NotModelled, atoms_of, condition_of, constants, edges, value_of
from harness.expectation import Claim, Expectation

LAST_PORT = 65535
ANYBODY = "anybody"
DEFAULT_SITE = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class Span:
    """Ports from ``low`` to ``high`` without those in ``without``; one port when named."""

    low: int
    high: int
    without: frozenset[int] = frozenset()
    named: bool = False

    @property
    def label(self) -> str:
        return str(self.low) if self.named else f"{self.low}-{self.high}"

    @property
    def size(self) -> int:
        return self.high - self.low + 1 - len(self.without)

    @property
    def sample(self) -> int:
        """A port of the class, to try filters on."""
        return next(port for port in range(self.low, self.high + 1) if port not in self.without)


@dataclass(frozen=True, slots=True)
class Peers:
    """Foreign addresses that no claim tells apart; without members: those that nobody names."""

    label: str
    members: tuple[str, ...] = ()


NOBODY_NAMES = Peers(ANYBODY)


@dataclass
class Alphabet:
    """Named values of a file, by what they are values of."""

    filters: list[str] = field(default_factory=list)
    tcp: list[Span] = field(default_factory=list)
    udp: list[Span] = field(default_factory=list)
    peers: list[Peers] = field(default_factory=list)
    """Named IPv4 addresses that are not the site's, in classes."""
    networks: list[tuple[int, int]] = field(default_factory=list)
    """Named IPv4 networks, lowest and highest address: nobody else has an address there."""
    site: str = DEFAULT_SITE
    vlan_id: int | None = None
    pppoe: bool = False
    prefixes: list[tuple[str, int]] = field(default_factory=list)
    """Named IPv6 networks and their lengths."""
    tcp_streams: list[int] = field(default_factory=list)
    udp_streams: list[int] = field(default_factory=list)
    """Numbers in the first stage."""


def claim_filters(claim: Claim) -> Iterator[str]:
    """Every display filter of a claim."""
    if claim.where:
        yield claim.where
    if claim.measure is not None:
        yield from claim.measure.filters()


def published_keys(claim: Claim) -> list[object]:
    """Keys of the published table or order, as they are written."""
    return list(getattr(claim.comparison, "keys", list)())


def alphabet(expectation: Expectation) -> Alphabet:
    """Read everything the claims and stages name."""
    found = Alphabet()
    named: dict[str, list[tuple[Any, Any]]] = {}
    cuts: dict[str, list[int]] = {}
    written: list[tuple[str, str]] = [
        (stage.parent or "", stage.filter) for stage in expectation.stages if stage.filter
    ]
    testable = [claim for claim in expectation.claims if claim.measure is not None]
    written += [(claim.stage, text) for claim in testable for text in claim_filters(claim)]
    votes: Counter[str] = Counter()
    first = expectation.stages[0].id
    for stage, text in written:
        tree = parse(text, expectation.macros).tree
        found.filters.append(text)
        for named_field, low, high in constants(tree):
            named.setdefault(named_field.name, []).append((low, high))
            if named_field.type is FieldType.IPV4 and low == high:
                votes[str(IPv4Address(low))] += 1
            if named_field.name == "udp.stream" and stage == first and low == high:
                found.udp_streams.append(low)
        for named_field, value in edges(tree):
            cuts.setdefault(named_field.name, []).append(value)
    keys = list(_keys(testable))
    for name, value in keys:
        named.setdefault(name, []).append((value, value))
    found.udp_streams = sorted(set(found.udp_streams))
    found.tcp_streams = sorted({low for low, high in named.get("tcp.stream", ()) if low == high})
    trees = [parse(text, expectation.macros).tree for text in dict.fromkeys(found.filters)]
    _addresses(found, named, votes, trees, {value for name, value in keys if name[:3] == "ip."})
    for protocol, spans in (("tcp", found.tcp), ("udp", found.udp)):
        fields = [f"{protocol}.{end}" for end in ("port", "srcport", "dstport")]
        values = [pair for name in fields for pair in named.get(name, ())]
        spans += list(_spans(values, [cut for name in fields for cut in cuts.get(name, ())]))
    _link(found, named, trees)
    return found


def _keys(claims: Iterable[Claim]) -> Iterator[tuple[str, Any]]:
    """Field and value of every published key and of the values a claim asks for."""
    for claim in claims:
        measure = claim.measure
        by = getattr(measure, "by", None) or ()
        if getattr(measure, "name", "") in ("table", "largest"):
            for raw in published_keys(claim):
                yield from zip(by, key_values(by, raw), strict=False)
        if getattr(measure, "name", "") == "contains":
            name = getattr(measure, "field", "")
            for raw in getattr(measure, "values", ()):
                yield name, value_of(name, raw)


def key_values(by: tuple[str, ...], raw: object) -> list[Any]:
    """The stored values of a published key. Raises NotModelled."""
    parts = list(raw) if isinstance(raw, list | tuple) else [raw]
    if len(by) > 1 and len(parts) == 1:
        parts = list(str(raw).split(" "))
    if len(parts) != len(by):
        raise NotModelled(f"a key of {len(by)} parts, found {raw!r}")
    return [value_of(name, part) for name, part in zip(by, parts, strict=True)]


def _addresses(
    found: Alphabet,
    named: dict[str, list[tuple[Any, Any]]],
    votes: Counter[str],
    trees: Sequence[Any],
    keys: set[int],
) -> None:
    every = [pair for name in ("ip.addr", "ip.src", "ip.dst") for pair in named.get(name, ())]
    singles = sorted({low for low, high in every if low == high})
    if votes:
        # Filters name the site; tables and lists name the others.
        found.site = max(sorted(votes), key=lambda address: votes[address])
    others = [address for address in singles if str(IPv4Address(address)) != found.site]
    found.peers = list(_peer_classes(others, trees, keys))
    found.networks = sorted({(low, high) for low, high in every if low != high})
    for low, high in (
        pair for name in ("ipv6.addr", "ipv6.src", "ipv6.dst") for pair in named.get(name, ())
    ):
        first, last = int.from_bytes(low, "big"), int.from_bytes(high, "big")
        prefix = (str(IPv6Address(first)), 128 - (last - first).bit_length())
        if last > first and prefix not in found.prefixes:
            found.prefixes.append(prefix)


def _peer_classes(
    addresses: Sequence[int], trees: Sequence[Any], keys: set[int]
) -> Iterator[Peers]:
    """Addresses for which every comparison in every filter has one truth belong together."""
    compared = {
        node: condition_of(node)
        for tree in trees
        for node in atoms_of(tree)
        if any(one.type is FieldType.IPV4 for one in _fields(node))
    }
    classes: dict[object, list[str]] = {}
    for address in addresses:
        fields = {"ip": (1,), "ip.src": (address,), "ip.dst": (address,)}
        truths: object = tuple(test(fields) for test in compared.values())
        alike = address if address in keys else truths
        classes.setdefault(alike, []).append(str(IPv4Address(address)))
    for members in classes.values():
        label = members[0] if len(members) == 1 else f"{members[0]} and {len(members) - 1} more"
        yield Peers(label, tuple(members))


def _spans(values: Iterable[tuple[int, int]], cuts: Iterable[int]) -> Iterator[Span]:
    pairs = [pair for pair in values if all(0 < port <= LAST_PORT for port in pair)]
    singles = {low for low, high in pairs if low == high}
    ends = {0, LAST_PORT, *(cut for cut in cuts if 0 < cut < LAST_PORT)}
    ends |= {low - 1 for low, high in pairs if low != high and low > 1}
    ends |= {high for low, high in pairs if low != high}
    for port in sorted(singles):
        yield Span(port, port, named=True)
    ordered = sorted(ends)
    for below, top in pairwise(ordered):
        inside = frozenset(port for port in singles if below < port <= top)
        if top - below > len(inside):
            yield Span(below + 1, top, inside)


def _link(found: Alphabet, named: dict[str, list[tuple[Any, Any]]], trees: Iterable[Any]) -> None:
    vlans = Counter(low for low, high in named.get("vlan.id", ()) if low == high)
    if vlans:
        found.vlan_id = max(sorted(vlans), key=lambda number: vlans[number])
    words = {one.name for tree in trees for one in _fields(tree)}
    asked = {name.split(".")[0] for name in words}
    found.pppoe = bool(asked & {"pppoe", "pppoed", "pppoes", "ppp", "lcp", "pap", "ipcp", "ipv6cp"})


def _fields(node: Any) -> Iterator[Field]:
    from decoders.displayfilter import syntax

    if isinstance(node, syntax.FieldValue):
        yield node.field
    for child in syntax.children(node):
        yield from _fields(child)
