"""Which atoms a claim looks at, and what can be said of them as sums of variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from decoders.displayfilter import parse
from decoders.fields import FIELDS
from generators.alphabet import Peers, Span
from generators.filters import NotModelled, Test, condition_of, occurrences
from generators.kinds import ANSWERED, ROLES, Atom
from generators.program import ASSUMES, Sum, total
from generators.structure import Model, ports_of
from harness.expectation import Expectation

NOT_THERE = "no kind of packet that the twin knows has it"


@dataclass(frozen=True)
class View:
    """The atoms of a stage that a filter leaves; ``name`` is unique."""

    name: str
    stage: str
    atoms: tuple[Atom, ...]


class Views:
    """Stages and filters of one expectation file, on the atoms of its model."""

    def __init__(self, expectation: Expectation, model: Model) -> None:
        self.expectation, self.model = expectation, model
        self._tests: dict[str, Test] = {}
        self._stages: dict[str, View | NotModelled] = {}
        for stage in expectation.stages:
            self._stages[stage.id] = self._stage(stage.id, stage.parent, stage.filter)

    def _stage(self, name: str, parent: str | None, text: str | None) -> View | NotModelled:
        if parent is None:
            found = View(name, name, tuple(self.model.atoms))
        else:
            try:
                above = self.stage(parent)
                found = View(name, name, tuple(self.matching(above.atoms, text or "")))
            except NotModelled as error:
                return error
        others = self.model.program.variable(f"others {name}")
        if parent is None:
            self.model.program.add(others, 0, 0, f"{ASSUMES}kinds")
        else:
            above_others = Sum({f"others {parent}": 1})
            self.model.program.add(above_others - others, 0, None)
        return found

    def stage(self, name: str) -> View:
        """All of a stage. Raises NotModelled."""
        found = self._stages[name]
        if isinstance(found, NotModelled):
            raise found
        return found

    def test(self, text: str) -> Test:
        """A filter as a test on fields. Raises NotModelled."""
        if text not in self._tests:
            self._tests[text] = condition_of(parse(text, self.expectation.macros).tree)
        return self._tests[text]

    def matching(self, atoms: Iterable[Atom], text: str) -> list[Atom]:
        """The atoms that match. Raises NotModelled."""
        test = self.test(text)
        return [atom for atom in atoms if test(atom.fields)]

    def of(self, stage: str, where: str | None) -> View:
        """A stage, filtered. Raises NotModelled."""
        whole = self.stage(stage)
        return whole if not where else self.within(whole, where)

    def within(self, view: View, text: str, *, matching: bool = True) -> View:
        """The part of a view that matches a filter, or does not. Raises NotModelled."""
        test = self.test(text)
        kept = tuple(atom for atom in view.atoms if test(atom.fields) is matching)
        return self.part(view, f"{view.name} | {'' if matching else 'not '}{text}", kept)

    def part(self, view: View, name: str, atoms: Iterable[Atom]) -> View:
        """A part of a view, and how many packets of other kinds it may hold."""
        if f"others {name}" not in self.model.program.bounds:
            others = self.model.program.variable(f"others {name}")
            self.model.program.add(Sum({f"others {view.name}": 1}) - others, 0, None)
        return View(name, view.stage, tuple(atoms))

    # What can be said of a view --------------------------------------------------------------

    def others(self, view: View, what: str) -> Sum:
        """What packets of other kinds add to a figure: at most one each."""
        name = f"others {view.name} : {what}"
        if name not in self.model.program.bounds:
            more = self.model.program.variable(name)
            self.model.program.add(Sum({f"others {view.name}": 1}) - more, 0, None)
        return Sum({name: 1})

    def packets(self, view: View) -> Sum:
        """Number of packets."""
        return self.model.count(view.atoms) + Sum({f"others {view.name}": 1})

    def streams(self, view: View, protocol: str) -> Sum:
        """Number of streams with a packet of their own. Raises NotModelled."""
        field = FIELDS[f"{protocol}.stream"]
        mine = [atom for atom in view.atoms if own_values(atom, field.name)]
        whole_roles(mine, "packets again without the first of their stream")
        leads = self.model.count(firsts(mine))
        named = [self.model.program.positive(
            f"flow {name} in {view.name}",
            self.model.count(atom for atom in mine if atom.flow == name),
        ) for name in dict.fromkeys(atom.flow for atom in mine if atom.flow)]  # fmt: skip
        return sum(named, leads) + self.others(view, field.name)

    def distinct(self, view: View, name: str) -> Sum:
        """Number of values of a field. Raises NotModelled."""
        parts = FIELDS[name].of or (name,)
        found = self.others(view, f"distinct {name}")
        values: dict[Any, list[Atom]] = {}
        free: dict[str, list[Atom]] = {}
        for atom in view.atoms:
            for part in parts:
                for value in own_values(atom, part):
                    if part in atom.free:
                        free.setdefault(atom.free[part], []).append(atom)
                    else:
                        values.setdefault(value, []).append(atom)
        for value, atoms in values.items():
            label = f"value {value!r} of {name} in {view.name}"
            found += self.model.program.positive(label, self.model.count(atoms))
        for kind, atoms in free.items():
            found += self._free(view, kind, list(dict.fromkeys(atoms)))
        return found

    def _free(self, view: View, kind: str, atoms: Sequence[Atom]) -> Sum:
        if kind == "client":
            if any(atom.kind != "reset" for atom in atoms):
                raise NotModelled("the twin leaves open how many source ports there are")
            return self.model.count(atoms)
        whole_roles(atoms, "a part of what a source sends")
        if kind == "port":
            return self._ports(view, atoms)
        return self._sources(view, atoms)

    def _sources(self, view: View, atoms: Sequence[Atom]) -> Sum:
        pairs: dict[tuple[str, Peers], list[Atom]] = {}
        for atom in atoms:
            if atom.peer is not None:
                pairs.setdefault((atom.role, atom.peer), []).append(atom)
        classes: dict[Peers, list[Sum]] = {}
        for (role, peers), mine in pairs.items():
            if role == ANSWERED:  # each attempt is somebody else's
                classes.setdefault(peers, []).append(self.model.count(firsts(mine)))
                continue
            leads = {a for a in self.model.atoms if (a.role, a.peer) == (role, peers) and a.lead}
            if not leads <= set(mine):
                raise NotModelled("the twin leaves open how sources are divided over ports")
            classes.setdefault(peers, []).append(self.model.sources(role, peers))
        found = Sum()
        for peers, parts in classes.items():
            found += self._union(f"sources {peers.label} in {view.name}", parts, "one-trade")
        return found

    def _ports(self, view: View, atoms: Sequence[Atom]) -> Sum:
        spans: dict[Span, list[str]] = {}
        for atom in atoms:
            if atom.port is not None and atom.role not in spans.setdefault(atom.port, []):
                spans[atom.port].append(atom.role)
        found = Sum()
        for span, roles in spans.items():
            for role in roles:
                mine = {a for a in atoms if a.role == role and a.port == span and a.lead}
                every = {a for a in self.model.atoms if a.role == role and a.port == span}
                if mine != {a for a in every if a.lead}:
                    raise NotModelled("the twin leaves open which sources probe which ports")
            parts = [Sum({ports_of(role, span): 1}) for role in roles]
            found += self._union(f"ports {span.label} in {view.name}", parts, "own-ports")
        return found

    def _union(self, name: str, parts: Sequence[Sum], assumption: str) -> Sum:
        """How many there are in all when parts are assumed to have none in common."""
        every = sum(parts, Sum())
        if len(parts) == 1:
            return every
        program = self.model.program
        common = program.variable(f"common {name}")
        program.add(common, 0, 0, f"{ASSUMES}{assumption}")
        for part in parts:
            program.add(every - common - part, 0, None)
        return every - common


def own_values(atom: Atom, name: str) -> tuple[Any, ...]:
    """Values of a field in the packet's own headers. Raises NotModelled."""
    found = occurrences(atom.fields, FIELDS[name])
    if atom.kind.endswith("-error"):
        if name.startswith(("tcp", "udp")):
            return ()
        if name.startswith("ip"):
            return found[:1]
    return found


def firsts(atoms: Iterable[Atom]) -> list[Atom]:
    """The first packet of every flow among these; of some there may be the answer only."""
    found = [atom for atom in atoms if atom.lead]
    known = {(atom.port, atom.slot) for atom in found if atom.role == ANSWERED}
    answers = (atom for atom in atoms if atom.kind == "reset")
    return found + [atom for atom in answers if (atom.port, atom.slot) not in known]


def whole_roles(atoms: Sequence[Atom], what: str) -> None:
    """Raises NotModelled when packets are looked at without the first of their flow."""
    known = {(a.role, a.peer, a.port) for a in atoms if a.lead}
    for atom in atoms:
        if atom.kind.endswith("-again") and (atom.role, atom.peer, atom.port) not in known:
            raise NotModelled(f"the twin leaves open {what}")


def sizes_in(model: Model, low: int, high: int | None) -> Sum:
    """How many sources have a size in a range that is made of whole bins."""
    from generators.structure import sources_of

    found = Sum()
    for role in ROLES:
        for peers in model.peers(role):
            names = [
                sources_of(role, peers, first)
                for first, last in model.bins()
                if first >= low and (high is None or (last is not None and last <= high))
            ]
            found += total(names)
    return found
