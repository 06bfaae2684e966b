"""A solution -> who sends what to which port: sources with addresses, flows with ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from random import Random

from generators.alphabet import Alphabet, Peers, Span
from generators.kinds import ANSWERED, PING, ROLES, Atom
from generators.structure import Model, packets_of, ports_of, sizes_of, sources_of

LOWEST_FREE_PORT = 1024
CLIENT_PORTS = (1024, 65000)
_RESERVED = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
)  # fmt: skip
"""Addresses that do not come in from the Internet (RFC 6890)."""


class NoPlan(Exception):
    """Counts that no assignment of flows to sources gives, though they add up."""


@dataclass
class Flow:
    """The packets of one stream: a first one, the same again, errors and a reset in answer."""

    role: str
    lead: Atom
    again: Atom | None
    error: Atom | None
    port: int
    packets: int = 1
    """The first one and the same again."""
    errors: int = 0
    """How many of them, from the first on, are answered with an ICMP error."""
    reset: Atom | None = None
    address: str = ""
    srcport: int = 0


class Addresses:
    """Addresses that no claim names, each given once."""

    def __init__(self, names: Alphabet, random: Random) -> None:
        self._random = random
        self._networks = names.networks
        self._taken = {int(IPv4Address(one)) for peers in names.peers for one in peers.members}
        self._taken.add(int(IPv4Address(names.site)))
        site = int(IPv4Address(names.site))
        self._neighbours = (site & 0xFFFF0000, site | 0xFFFF)

    def another(self) -> str:
        """A public IPv4 address."""
        while True:
            number = self._random.randrange(1 << 24, 224 << 24)
            address = IPv4Address(number)
            near = self._neighbours[0] <= number <= self._neighbours[1]
            named = any(low <= number <= high for low, high in self._networks)
            odd = number & 0xFF in (0, 255) or any(address in net for net in _RESERVED)
            if number not in self._taken and not (near or named or odd):
                self._taken.add(number)
                return str(address)


def plan(model: Model, values: dict[str, int], addresses: Addresses, random: Random) -> list[Flow]:
    """All flows of the probes. Raises NoPlan."""
    found: list[Flow] = []
    ports = _Ports(values, random)
    members = {peers: iter(peers.members) for peers in model.site.names.peers}

    def address(peers: Peers) -> str:
        return next(members[peers]) if peers.members else addresses.another()

    for role in ROLES:
        flows = {peers: list(_flows(model, values, role, peers)) for peers in model.peers(role)}
        ports.give(role, [flow for several in flows.values() for flow in several])
        for peers, several in flows.items():
            sizes = list(_sizes(model, values, role, peers, random))
            _settle(several, [(size, address(peers)) for size in sorted(sizes, reverse=True)])
            _answer(several)
            found += several
    _client_ports(found, ports, random)
    return found


def _flows(model: Model, values: dict[str, int], role: str, peers: Peers) -> Iterator[Flow]:
    mine = [atom for atom in model.atoms if (atom.role, atom.peer) == (role, peers)]
    kinds = {(atom.kind, atom.port, atom.slot): atom for atom in mine}

    def count(atom: Atom | None) -> int:
        return values[packets_of(atom)] if atom else 0

    for lead in (atom for atom in mine if atom.lead):
        number = count(lead)
        again = kinds.get((f"{role}-again", lead.port, None))
        error = kinds.get((f"{role}-error", lead.port, None))
        reset = kinds.get(("reset", lead.port, lead.slot)) if role == ANSWERED else None
        repeated, errors, resets = count(again), count(error), count(reset)
        for at in range(number):
            more = repeated // number + (at < repeated % number)
            flow = Flow(role, lead, again, error, 0, 1 + more)
            flow.errors = min(errors, flow.packets)
            flow.reset = reset if at < resets else None
            errors -= flow.errors
            yield flow


class _Ports:
    """Ports of each class, each touched by one role only unless a claim names it."""

    def __init__(self, values: dict[str, int], random: Random) -> None:
        self._values, self._random = values, random
        self._taken: dict[str, set[int]] = {"tcp": set(), "udp": set()}

    def give(self, role: str, flows: list[Flow]) -> None:
        """Ports to all flows of a role: as many as were solved for, equal ones side by side."""
        spans: dict[Span, list[Flow]] = {}
        for flow in flows:
            if flow.lead.port is not None:
                spans.setdefault(flow.lead.port, []).append(flow)
        for span, mine in spans.items():
            chosen = self._choose(role, span, self._values[ports_of(role, span)])
            for at, flow in enumerate(mine):
                flow.port = chosen[at * len(chosen) // len(mine)]

    def _choose(self, role: str, span: Span, number: int) -> list[int]:
        if span.named:
            return [span.low]
        taken = self._taken["udp" if role == "udp" else "tcp"]
        found: list[int] = []
        wide = list(range(max(span.low, LOWEST_FREE_PORT), span.high + 1))
        narrow = list(range(span.low, min(span.high + 1, LOWEST_FREE_PORT)))
        for pool in (wide, narrow):
            free = [port for port in pool if port not in taken and port not in span.without]
            found += self._random.sample(free, min(number - len(found), len(free)))
        if len(found) < number:
            raise NoPlan(f"{number} different ports are needed between {span.low} and {span.high}")
        taken.update(found)
        return sorted(found)

    def taken(self, port: int) -> bool:
        """Whether a port is probed by anybody."""
        return port in self._taken["tcp"] or port in self._taken["udp"]


def _sizes(
    model: Model, values: dict[str, int], role: str, peers: Peers, random: Random
) -> Iterator[int]:
    """Packets of each source, without errors: so many in each bin, so many together."""
    for low, high in model.bins():
        many, left = values[sources_of(role, peers, low)], values[sizes_of(role, peers, low)]
        sizes = [low] * many
        left -= low * many
        while left:
            at = random.randrange(many)
            room = left if high is None else min(left, high - sizes[at])
            more = min(room, random.randint(1, max(1, 2 * left // many + 1)))
            sizes[at] += more
            left -= more
        yield from sizes


@dataclass
class _Source:
    """An address, how many more packets it needs, and the ports it has."""

    address: str
    left: int
    ports: list[int]
    flows: list[Flow]

    def take(self, flow: Flow) -> None:
        flow.address = self.address
        self.left -= _weight(flow)
        self.ports.append(flow.port)
        self.flows.append(flow)


def _settle(flows: list[Flow], sizes: list[tuple[int, str]]) -> None:
    """Give every flow a source so that each has its size, large ones first. Raises NoPlan.

    Flows of several packets come first; then each source keeps to one port where it can.
    """
    sources = [_Source(address, size, [], []) for size, address in sizes]
    for flow in sorted((f for f in flows if _weight(f) > 1), key=lambda f: (-_weight(f), f.port)):
        fitting = next((one for one in sources if one.left >= _weight(flow)), None)
        if fitting is None:
            fitting = max(sources, key=lambda one: one.left)
            _shorten(flow, fitting.left, sources)
        fitting.take(flow)
    waiting: dict[int, list[Flow]] = {}
    for flow in flows:
        if _weight(flow) == 1:
            waiting.setdefault(flow.port, []).append(flow)
    for source in sources:
        while source.left:
            port = _next_port(source, waiting)
            several = waiting[port]
            while several and source.left:
                source.take(several.pop())
            if not several:
                del waiting[port]
    if waiting:
        raise NoPlan(f"{sum(map(len, waiting.values()))} flows are left over")


def _shorten(flow: Flow, room: int, sources: list[_Source]) -> None:
    """What does not fit is sent again in other flows of the kind instead. Raises NoPlan."""
    much = _weight(flow) - room
    if room < 1 or flow.reset is not None:
        raise NoPlan(f"no source has room for a flow of {_weight(flow)} packets")
    flow.packets -= much
    for source in sources:
        for other in source.flows:
            more = min(much, source.left) if other.lead is flow.lead else 0
            other.packets += more
            source.left -= more
            much -= more
    if much:
        raise NoPlan(f"no source has room for {much} packets sent again")


def _answer(flows: list[Flow]) -> None:
    """As many errors for each kind as before, now that flows may have other lengths."""
    left: dict[str, int] = {}
    for flow in flows:
        left[flow.lead.name] = left.get(flow.lead.name, 0) + flow.errors
    for flow in flows:
        flow.errors = min(left[flow.lead.name], flow.packets)
        left[flow.lead.name] -= flow.errors


def _next_port(source: _Source, waiting: dict[int, list[Flow]]) -> int:
    """The port that a source probes next: one it has, one that is enough, or the busiest."""
    if not waiting:
        raise NoPlan(f"{source.left} packets more are needed than there are flows")
    for port in source.ports:
        if port in waiting:
            return port
    if source.left == 1:
        return next(reversed(waiting))
    enough = [port for port, flows in waiting.items() if len(flows) >= source.left]
    if enough:
        return min(enough, key=lambda port: (len(waiting[port]), port))
    return max(waiting, key=lambda port: (len(waiting[port]), port))


def _weight(flow: Flow) -> int:
    return flow.packets + (flow.reset is not None)


def _client_ports(flows: list[Flow], ports: _Ports, random: Random) -> None:
    """Source ports, so that no two flows are one stream; never a port that somebody probes."""
    seen: set[tuple[bool, str, int, int]] = set()
    for flow in flows:
        if flow.role == PING:
            continue
        while True:
            port = random.randint(*CLIENT_PORTS)
            key = (flow.role == "udp", flow.address, flow.port, port)
            if key not in seen and not ports.taken(port) and port != flow.port:
                break
        seen.add(key)
        flow.srcport = port
