"""What holds of every twin, whatever the claims say: packets, flows, sources and ports add up.

Variables are named by what they count: ``packets NAME`` for each atom; ``sources ROLE PEERS BIN``
and ``sizes ROLE PEERS BIN`` for how many foreign addresses there are of each size and the packets
they have together; ``ports ROLE CLASS`` for how many ports of a class a role touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from generators.alphabet import NOBODY_NAMES, Peers, Span
from generators.kinds import (
    ANSWERED,
    OPTIONAL,
    PING,
    PROBES,
    ROLES,
    SETUP,
    Atom,
    Site,
    atoms,
)
from generators.program import ASSUMES, MANY, Program, Sum, total

ASSUMPTIONS = {
    "kinds": "the listed kinds of packet are all there are",
    "one-address": "every probe has the site's one address at one end, a foreign one at the other",
    "one-trade": "a foreign address does one thing: SYNs, SYN+ACKs, UDP or pings",
    "own-ports": "ports that no claim names are probed with one kind of packet only",
    "answers": "an ICMP error or a reset answers one packet of the capture",
    "alike": "what is claimed of the largest source holds for all who do the same",
}
ANYBODY_LIMIT = 1_000_000
COSTS = {
    "syn": 0, "syn-again": 60, "syn-error": 0, "synack": 4, "synack-again": 2, "synack-error": 1,
    "udp": 0, "udp-again": 3, "udp-error": 0, "ping": 2, "answered": 500, "reset": 500,
    "ntp-request": 1, "ntp-reply": 1, "echo-request": 3, "echo-reply": 3, "ra": 5,
}  # fmt: skip
"""How much one more packet of a kind is disliked; of the rest of the line 40."""


@dataclass
class Model:
    """The program of an expectation file, and what its variables mean."""

    site: Site
    atoms: list[Atom]
    cuts: list[int]
    """First size of every bin of source sizes after the first, ascending."""
    program: Program = field(default_factory=Program)

    def bins(self) -> list[tuple[int, int | None]]:
        """Smallest and largest size of each bin; None: no end."""
        lows = [1, *self.cuts]
        return [
            (low, None if at + 1 == len(lows) else lows[at + 1] - 1) for at, low in enumerate(lows)
        ]

    def peers(self, role: str) -> list[Peers]:
        """Classes of foreign addresses that may take a role."""
        return [NOBODY_NAMES] if role == ANSWERED else [NOBODY_NAMES, *self.site.names.peers]

    def spans(self, role: str) -> Sequence[Span]:
        """Classes of ports of a role."""
        if role == PING:
            return ()
        return self.site.names.udp if role == "udp" else self.site.names.tcp

    def count(self, found: Iterable[Atom]) -> Sum:
        """Packets of these atoms."""
        return total(packets_of(atom) for atom in found)

    def sources(self, role: str, peers: Peers) -> Sum:
        """How many addresses of a class take a role."""
        return total(sources_of(role, peers, low) for low, _ in self.bins())


def packets_of(atom: Atom) -> str:
    """Name of the variable that counts an atom's packets."""
    return f"packets {atom.name}"


def sources_of(role: str, peers: Peers, low: int) -> str:
    """Name of the variable that counts sources of the bin that begins with ``low``."""
    return f"sources {role} {peers.label} {low}"


def sizes_of(role: str, peers: Peers, low: int) -> str:
    """Name of the variable that counts their packets."""
    return f"sizes {role} {peers.label} {low}"


def ports_of(role: str, span: Span) -> str:
    """Name of the variable that counts the ports of a class that a role touches."""
    return f"ports {role} {span.label}"


def structure(site: Site, cuts: list[int]) -> Model:
    """The model without any claim."""
    model = Model(site, atoms(site), cuts)
    program = model.program
    for atom in model.atoms:
        program.variable(packets_of(atom))
        program.cost(packets_of(atom), COSTS.get(atom.kind, 40))
        # What claims ask for comes anyway; the rest is nobody's in particular.
        named = bool(atom.peer and atom.peer.members) + bool(atom.port and atom.port.named)
        program.cost(packets_of(atom), 2 * named)
    for name in ASSUMPTIONS:
        program.variable(ASSUMES + name, 0, 1)
        program.add(Sum({ASSUMES + name: 1}), 1, 1, ASSUMES + name)
    _flows(model)
    _answers(model)
    for role in ROLES:
        _sources(model, role)
        _ports(model, role)
    _capacity(model)
    _line(model)
    return model


def _by_kind(model: Model) -> dict[tuple[str, object, object, object], Atom]:
    return {(atom.kind, atom.peer, atom.port, atom.slot): atom for atom in model.atoms}


def _flows(model: Model) -> None:
    """Nothing is sent again that was not sent; a named stream is one flow."""
    known = _by_kind(model)
    for atom in model.atoms:
        if atom.kind in {f"{role}-again" for role in PROBES}:
            lead = known[atom.role, atom.peer, atom.port, None]
            sent = model.program.positive(f"any {lead.name}", model.count([lead]))
            model.program.add(model.count([atom]) - sent * MANY, None, 0)
    every = model.count(a for a in model.atoms if a.lead and "tcp" in a.fields)
    for slot in model.site.names.tcp_streams:
        leads = model.count(a for a in model.atoms if a.lead and a.slot == slot)
        model.program.add(leads, 0, 1)
        model.program.add(every - leads * (slot + 1), 0, None)


def _answers(model: Model) -> None:
    known = _by_kind(model)
    for atom in model.atoms:
        if atom.kind.endswith("-error"):
            asked = [
                known[kind, atom.peer, atom.port, None]
                for kind in (atom.role, f"{atom.role}-again")
            ]
        elif atom.kind == "reset":
            asked = [known[ANSWERED, atom.peer, atom.port, atom.slot]]
        else:
            continue
        answers = model.count([atom]) - model.count(asked)
        model.program.add(answers, None, 0, f"{ASSUMES}answers")


def _sources(model: Model, role: str) -> None:
    """Sizes of the sources add up to their packets; a class has no more addresses than it names."""
    program = model.program
    for peers in model.peers(role):
        for low, high in model.bins():
            many, size = sources_of(role, peers, low), sizes_of(role, peers, low)
            sources, sizes = program.variable(many, 0, ANYBODY_LIMIT), program.variable(size)
            program.add(sizes - sources * low, 0, None)
            program.add(sizes - sources * (MANY if high is None else high), None, 0)
            if role == ANSWERED:
                # One attempt, and perhaps one answer.
                program.add(sizes - sources * min(low, 2), 0, 0)
                if low > 2:
                    program.add(sources, 0, 0)
                if low == 1 and high != 1:
                    raise ValueError("sizes 1 and 2 must be two bins")
        mine = [a for a in model.atoms if a.role == role and a.peer == peers]
        sent = [a for a in mine if not a.kind.endswith("-error")]
        sizes = total(sizes_of(role, peers, low) for low, _ in model.bins())
        program.add(sizes - model.count(sent), 0, 0, f"{ASSUMES}one-address")
        flows = model.count(a for a in mine if a.lead)
        if role == ANSWERED:
            program.add(model.sources(role, peers) - flows, 0, 0)
            continue
        program.add(model.sources(role, peers) - flows, None, 0)
        # Who has one packet sends nothing again.
        again = model.count(a for a in mine if a.kind.endswith("-again"))
        large = [low for low, _ in model.bins() if low > 1]
        spare = total(sizes_of(role, peers, low) for low in large)
        spare = spare - total(sources_of(role, peers, low) for low in large)
        program.add(again - spare, None, 0)


def _ports(model: Model, role: str) -> None:
    for span in model.spans(role):
        leads = [a for a in model.atoms if a.role == role and a.lead and a.port == span]
        ports = model.program.variable(ports_of(role, span), 0, span.size)
        model.program.add(ports - model.count(leads), None, 0)
        model.program.add(ports * MANY - model.count(leads), 0, None)


def _capacity(model: Model) -> None:
    program = model.program
    for span in model.site.names.tcp:
        if not span.named:
            roles = ("syn", "synack", ANSWERED)
            program.add(total(ports_of(role, span) for role in roles), 0, span.size)
    for peers in model.site.names.peers:
        every = [model.sources(role, peers) for role in ROLES if role != ANSWERED]
        number = sum(every, Sum())
        program.add(number, 0, len(peers.members), f"{ASSUMES}one-trade")


def _line(model: Model) -> None:
    """A session begins as sessions do, if the claims let it; questions are answered in turn."""
    program = model.program
    line = {atom.kind: atom for atom in model.atoms if atom.kind in SETUP}
    for kind, atom in line.items():
        if kind not in OPTIONAL or kind == "ra":
            there = program.positive(f"any {atom.name}", model.count([atom]))
            program.cost(next(iter(there.terms)), -5_000)
    if line:
        echoes = model.count([line["echo-request"]]) - model.count([line["echo-reply"]])
        program.add(echoes, 0, 0)
    most = program.variable("packets of the busiest time server")
    for atom in model.atoms:
        if atom.kind == "ntp-request":
            answer = next(a for a in model.atoms if a.kind == "ntp-reply" and a.slot == atom.slot)
            program.add(model.count([atom]) - model.count([answer]), 0, 0)
            program.add(most - model.count([atom]), 0, None)
            there = program.positive(f"any {atom.name}", model.count([atom]))
            program.cost(next(iter(there.terms)), -5_000)
    program.cost("packets of the busiest time server", 20)
