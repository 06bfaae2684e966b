"""Claims about groups of packets: sizes of sources, what the largest does, answers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from generators.alphabet import Peers, published_keys
from generators.filters import NotModelled
from generators.kinds import ANSWERED, ROLES, Atom
from generators.program import ASSUMES, Sum, total
from generators.structure import Model, sources_of
from generators.views import View, Views, own_values, sizes_in
from harness.comparisons import Comparison
from harness.expectation import Claim, Expectation
from harness.measures import OTHER, Measure

ADDRESSES = ("ip.addr", "ip.src", "ip.dst")
STREAMS = ("tcp.stream", "udp.stream")


def cuts(expectation: Expectation) -> list[int]:
    """First sizes of the bins that the claims about sources tell apart, without 1."""
    found = {2, 3}
    for claim in expectation.claims:
        measure: Any = claim.measure
        if getattr(measure, "name", "") != "group_sizes" or measure.by[0] not in ADDRESSES:
            continue
        for low, high in _ranges(measure, published_keys(claim)):
            found |= {low} | (set() if high is None else {high + 1})
    return sorted(cut for cut in found if cut > 1)


def _ranges(measure: Any, keys: list[object]) -> list[tuple[int, int | None]]:
    labels = [one.label for one in measure.bins] if measure.bins else []
    texts = [*labels, *(measure.key(key) for key in keys)]
    return [_range(text) for text in texts if text != OTHER]


def _range(label: str) -> tuple[int, int | None]:
    low, dash, high = label.partition("-")
    if not dash:
        return int(low), int(low)
    return int(low), int(high) if high else None


def group_claims(views: Views, claim: Claim, measure: Measure, comparison: Comparison) -> bool:
    """Add what a claim about groups says; False when it is none. Raises NotModelled."""
    match measure.name:
        case "group_sizes":
            _group_sizes(views, claim, measure, comparison)
        case "group_share":
            _group_share(views, claim, measure, comparison)
        case "every_group":
            _every_group(views, claim, measure, comparison)
        case _:
            return False
    return True


def _group_sizes(views: Views, claim: Claim, measure: Any, comparison: Comparison) -> None:
    view = views.of(claim.stage, claim.where)
    by = measure.by[0]
    if len(measure.by) != 1 or by not in ADDRESSES or measure.count.kind != "packets":
        raise NotModelled(f"the twin leaves open how many groups of {by} have which size")
    if str(measure.headers) == "all" or comparison.name not in ("rows", "table"):
        raise NotModelled("the twin leaves such sizes of groups open")
    _whole_sources(views.model, view, by)
    published: Any = getattr(comparison, "value", {})
    rows = {measure.key(key): count for key, count in published.items()}
    if comparison.name == "table":
        if measure.bins is None:
            raise NotModelled("the twin leaves open how many groups have another size")
        rows = {one.label: 0 for one in measure.bins} | {OTHER: 0} | rows
    for label, count in rows.items():
        number = views.others(view, f"groups of {by} of size {label}")
        for low, high in _between(measure) if label == OTHER else [_range(label)]:
            number += sizes_in(views.model, low, high) + _sites_in(views, view, by, low, high)
        when = ((f"{ASSUMES}one-trade", True),)
        views.model.program.add(number, count, count, claim.id, when)


def _between(measure: Any) -> list[tuple[int, int | None]]:
    """The ranges of sizes that are in no bin, the last one without end where no bin has none."""
    found: list[tuple[int, int | None]] = []
    next_size: int | None = 1
    for low, high in sorted((one.low, one.high) for one in measure.bins or ()):
        if next_size is not None and next_size < low:
            found.append((next_size, low - 1))
        next_size = None if high is None else high + 1
    return found if next_size is None else [*found, (next_size, None)]


def _whole_sources(model: Model, view: View, by: str) -> None:
    """Raises NotModelled unless the view holds exactly what each source sends or is answered."""
    mine = {atom for atom in model.atoms if atom.role and not atom.kind.endswith("-error")}
    if by != "ip.addr":
        mine = {atom for atom in mine if (atom.kind == "reset") == (by == "ip.dst")}
    here = {atom for atom in view.atoms if atom.role}
    # By sender the two packets of an answered attempt are those of two groups.
    lacking = {atom for atom in mine - here if by == "ip.addr" or atom.role != ANSWERED}
    strange = {atom for atom in here - mine if atom.kind != "reset"}
    if lacking or strange or by == "ip.dst":
        raise NotModelled("the twin leaves open how many of these packets each source has")


def _sites_in(views: Views, view: View, by: str, low: int, high: int | None) -> Sum:
    """How many of the addresses of the site and of its time servers have a size in a range."""
    program = views.model.program
    parts = {"ip.addr": ("ip.src", "ip.dst")}.get(by, (by,))
    groups: dict[int, list[Atom]] = {}
    for atom in view.atoms:
        for part in parts:
            for value in own_values(atom, part):
                own = atom.peer is None or value == views.model.site.router
                if own and part not in atom.free:
                    groups.setdefault(value, []).append(atom)
    found = Sum()
    for value, atoms in groups.items():
        name = f"size of {value} in {view.name} from {low} to {high}"
        found += program.inside(name, views.model.count(atoms), low, high)
    return found


def _group_share(views: Views, claim: Claim, measure: Any, comparison: Comparison) -> None:
    from generators.claims import bounds

    view = views.of(claim.stage, claim.where)
    low, _, _ = bounds(comparison)
    _prefer_single(views.model, measure, view, low)
    several = measure.sizes.low == 2 and measure.sizes.high is None
    if measure.by[0] not in STREAMS or len(measure.by) != 1 or not several or low is None:
        raise NotModelled(f"the twin leaves open which part of the {measure.by[0]} groups it is")
    if measure.count.kind != "packets":
        raise NotModelled("the twin leaves such sizes of groups open")
    program = views.model.program
    protocol = measure.by[0].partition(".")[0]
    named = {atom.flow for atom in view.atoms if atom.flow}
    if named and low == 1:
        for name in sorted(named):
            packets = views.model.count(a for a in view.atoms if a.flow == name)
            there = program.positive(f"flow {name} in {view.name}", packets)
            program.add(packets - there * 2, 0, None, claim.id)
        return
    if named:
        raise NotModelled("the twin leaves open how many packets these streams have")
    # As many streams as packets that were sent again have several packets, at most.
    again = views.model.count(a for a in view.atoms if a.kind.endswith("-again"))
    again += views.others(view, "streams of several packets")
    flows = views.streams(view, protocol)
    program.add(again * low.denominator - flows * low.numerator, 0, None, claim.id)


def _prefer_single(model: Model, measure: Any, view: View, low: Fraction | None) -> None:
    """Where sources of one port are claimed, sources of one packet are liked: they have one."""
    if measure.by != ("ip.src",) or measure.sizes.label != "1" or low is None:
        return
    pairs = dict.fromkeys((a.role, a.peer) for a in view.atoms if a.lead and a.peer is not None)
    single = total(sources_of(role, peers, 1) for role, peers in pairs if peers)
    every = sum((model.sources(role, peers) for role, peers in pairs if peers), Sum())
    name = f"lacking sources of one packet in {view.name}"
    lacking = model.program.variable(name)
    wanted = single * low.denominator - every * low.numerator + lacking * low.denominator
    model.program.add(wanted, 0, None)
    model.program.cost(name, 1_000)


# Every group ----------------------------------------------------------------------------------


def _every_group(views: Views, claim: Claim, measure: Any, comparison: Comparison) -> None:
    view = views.of(claim.stage, claim.where)
    holds = comparison.name == "holds" and bool(getattr(comparison, "value", True))
    largest = getattr(measure, "largest", None)
    if largest == 1 and measure.by == ("ip.src",) and holds:
        _largest_source(views, claim, measure, view)
    elif "ip.id" in measure.by and str(measure.headers) == "all" and measure.some and holds:
        _answered(views, claim, measure, view)
    elif measure.by[0] in STREAMS and len(measure.by) == 1 and measure.some and not holds:
        _some_flow_without(views, claim, measure, view)
    else:
        raise NotModelled("the twin leaves open what each of these groups holds")


def _largest_source(views: Views, claim: Claim, measure: Any, view: View) -> None:
    """Some role has the largest source, and all who have that role do what is claimed of it."""
    program = views.model.program
    pairs = [(role, peers) for role in ROLES for peers in views.model.peers(role)]
    chosen = [_largest_is(views, role, peers, pairs) for role, peers in pairs]
    program.add(sum(chosen, Sum()), 1, 1, claim.id)
    alike = (f"{ASSUMES}alike", True)
    for (role, peers), one in zip(pairs, chosen, strict=True):
        [name] = one.terms
        mine = [a for a in view.atoms if (a.role, a.peer) == (role, peers)]
        text = measure.some or measure.all or measure.none
        wanted = set(views.matching(mine, text))
        if measure.some:
            program.add(views.model.count(wanted), 1, None, claim.id, ((name, True), alike))
            continue
        wrong = [a for a in mine if (a in wanted) != bool(measure.all)]
        program.add(views.model.count(wrong), 0, 0, claim.id, ((name, True), alike))


def _largest_is(views: Views, role: str, peers: Peers, pairs: list[tuple[str, Peers]]) -> Sum:
    """A variable that is 1 only when the largest source has this role and is of this class."""
    program = views.model.program
    name = f"largest source {role} {peers.label}"
    if name in program.bounds:
        return Sum({name: 1})
    found = program.variable(name, 0, 1)
    bins = views.model.bins()
    for low, _ in bins:
        # When it is in no bin from this one on, nobody else is.
        higher = [one for one, _ in bins if one >= low]
        mine = program.positive(
            f"any {role} {peers.label} from {low}",
            total(sources_of(role, peers, one) for one in higher),
        )
        rest = total(
            sources_of(*pair, one) for pair in pairs if pair != (role, peers) for one in higher
        )
        [there] = mine.terms
        program.add(rest, 0, 0, when=((name, True), (there, False)))
        if low > 1:
            # Others of the same bin may be larger, unless the bin is theirs alone.
            beside = total(sources_of(*pair, low) for pair in pairs if pair != (role, peers))
            above = total(sources_of(role, peers, one) for one in higher if one > low)
            alone = program.positive(f"any {role} {peers.label} above {low}", above)
            [beyond] = alone.terms
            conditions = ((name, True), (there, True), (beyond, False))
            program.add(beside, 0, 0, when=conditions)
    return found


def _answered(views: Views, claim: Claim, measure: Any, view: View) -> None:
    """A group is one packet with what quotes it: each has some packet that matches."""
    program = views.model.program
    program.add(views.packets(view), 1, None, claim.id)
    wanted = set(views.matching(view.atoms, measure.some))
    lacking: dict[tuple[Any, ...], list[Atom]] = {}
    for atom in view.atoms:
        if atom not in wanted and not atom.kind.endswith("-error"):
            lacking.setdefault((atom.role, atom.peer, atom.port), []).append(atom)
    for key, atoms in lacking.items():
        errors = [
            atom
            for atom in wanted
            if (atom.role, atom.peer, atom.port) == key and atom.kind.endswith("-error")
        ]
        program.add(views.model.count(errors) - views.model.count(atoms), 0, None, claim.id)


def _some_flow_without(views: Views, claim: Claim, measure: Any, view: View) -> None:
    """Some stream has no packet that matches."""
    wanted = set(views.matching(view.atoms, measure.some))
    matching = {(a.role, a.peer, a.port, a.slot) for a in wanted}
    without = [a for a in view.atoms if (a.role, a.peer, a.port, a.slot) not in matching]
    leads = views.model.count(a for a in without if a.lead)
    others = views.others(view, "streams without")
    views.model.program.add(leads + others, 1, None, claim.id)
