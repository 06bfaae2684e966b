"""Edits that change the groups of a view: their sizes, their number, their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice

from generators.edits import Change, Drop, Edit, Put, Record, frames_text
from generators.inverse_counts import fresh, renewed
from generators.rewriting import assigned
from generators.subject import Key, Subject
from harness.measures import Grouped, Largest, MeasureError, Table

GROUPS = 24
"""Groups that are tried, for the sizes that occur."""
MOST_UNITS = 4096
"""By how much the size of one group is changed at most."""
OFFERED = 4
"""Edits that are handed over of those that suffice."""
Unit = object
"""What is counted for a group: a packet, a value, a stream."""


@dataclass(frozen=True)
class Groups:
    """The groups of a view, and of what their sizes are made."""

    subject: Subject
    measure: Grouped
    members: Mapping[Key, dict[Unit, list[int]]]
    """Group -> what is counted -> positions of its packets."""

    @cached_property
    def texts(self) -> dict[Key, str]:
        """The key text of each group, in its order."""
        texts = {key: self.measure.text(key) for key in self.members}
        return dict(sorted(texts.items(), key=lambda item: item[1]))

    @cached_property
    def sizes(self) -> dict[Key, int]:
        """How much of what is counted each group has, in the order of their texts."""
        return {key: len(self.members[key]) for key in self.texts}

    def refuted(self, changed: Mapping[Key, int]) -> bool:
        """Whether the claim would be refuted if some groups had these sizes."""
        comparison = self.subject.claim.comparison
        sizes = {**self.sizes, **changed}
        there = {
            self.texts.get(key) or self._text(key): size for key, size in sizes.items() if size > 0
        }
        try:
            measured = self.measure.of_groups(there)
            return comparison is not None and not comparison.judge(measured).holds
        except MeasureError:
            return False

    def _text(self, key: Key) -> str:
        return self.measure.text(key) if key else "a new one"

    def fewer(self, key: Key, units: int) -> tuple[Change, ...]:
        """So many units of a group taken away, those of the fewest packets."""
        ordered = sorted(self.members[key].values(), key=lambda found: (len(found), -found[-1]))
        gone = sorted({at for found in ordered[:units] for at in found})
        return tuple(Drop(at) for at in gone)

    def more(self, key: Key, units: int) -> tuple[Change, ...]:
        """So many units more in a group; empty when they cannot be made."""
        records = self.subject.records
        at = max(at for found in self.members[key].values() for at in found)
        if self.measure.count.kind in ("packets", "sum"):
            return (Put(at + 1, records[at]),) * units
        new = self._new(records[at], at) if units == 1 else []
        puts = new or [*self._moved(key), *self._new(records[at], at)]
        return tuple(puts[:units]) if len(puts) >= units else ()

    def _new(self, record: Record, at: int) -> list[Put]:
        """The group's packet with a value of what is counted that no packet has."""
        made = renewed(self.subject, record, self.measure.count.field)
        return [Put(at + 1, made)] if made is not None else []

    def _moved(self, key: Key) -> list[Put]:
        """Packets of other groups, with values that this one has not, readdressed to it."""
        have = set(self.members[key])
        puts: list[Put] = []
        for other, units in self.members.items():
            for unit, found in units.items() if other != key else ():
                moved = readdressed(self.subject.records[found[-1]], self.measure.by, key)
                if unit not in have and moved is not None:
                    have.add(unit)
                    puts.append(Put(found[-1] + 1, moved))
        return puts


def readdressed(record: Record, names: Sequence[str], key: Key) -> Record | None:
    """The packet with the values of another group."""
    found: Record | None = record
    for name, value in zip(names, key, strict=True):
        if not isinstance(value, int | bytes):
            return None
        found = assigned(found, name, value, 0) if found is not None else None
    return found


def groups_of(subject: Subject) -> Groups | None:
    """The groups of a subject whose measure has some."""
    measure = subject.measure
    if not isinstance(measure, Grouped):
        return None
    members: dict[Key, dict[Unit, list[int]]] = {}
    width = len(measure.by)
    counted = (measure.count.field,) if measure.count.kind in ("distinct", "streams") else ()
    for at, key in subject.rows((*measure.by, *counted), str(measure.headers)):
        unit: Unit = key[width:] if counted else at
        found = members.setdefault(key[:width], {}).setdefault(unit, [])
        if not found or found[-1] != at:
            found.append(at)
    return Groups(subject, measure, members)


def group(subject: Subject) -> Iterator[Edit]:
    """One group changed by as little as it takes: a packet or value fewer or more; or a new one."""
    groups = groups_of(subject)
    if groups is None:
        return
    offers: list[tuple[int, Edit]] = []
    for key in _chosen(groups):
        offers += _changed_by(groups, key)
        if sum(size == 1 for size, _ in offers) >= OFFERED:
            break
    offers.sort(key=lambda one: one[0])
    if not offers or offers[0][0] > 1:
        yield from _begun(groups)
    yield from (edit for _, edit in offers[:OFFERED])
    for one in islice(fresh(subject, groups.measure.by), OFFERED):
        yield one.added()
    for one in islice(subject.made(), OFFERED):
        yield one.added()


overtake = group
"""In a ranking it suffices as well that a group's size passes that of the next one."""


def _begun(groups: Groups) -> Iterator[Edit]:
    """The first packet of a group that a comparison names and that has none."""
    subject, measure = groups.subject, groups.measure
    if not isinstance(measure, Table | Largest) or not subject.positions:
        return
    keys: Iterable[object] = getattr(subject.claim.comparison, "keys", tuple)()
    for key in [key for key in map(measure.values, keys) if key not in groups.members][:GROUPS]:
        at = subject.positions[-1]
        made = readdressed(subject.records[at], measure.by, key)
        if made is not None and groups.refuted({key: 1}):
            name = f"{', '.join(measure.by)} {measure.text(key)}"
            yield Edit(f"one packet of {name} added behind frame {at + 1}", (Put(at + 1, made),))


def _chosen(groups: Groups) -> list[Key]:
    """A group of each size, the ones that a comparison names first."""
    sizes = groups.sizes
    comparison, measure = groups.subject.claim.comparison, groups.measure
    keys: Iterable[object] = getattr(comparison, "keys", tuple)()
    published = {measure.key(raw) for raw in keys}
    first = [key for key in sizes if measure.text(key) in published]
    # The largest first: in a ranking only they count.
    by_size: dict[int, Key] = {size: key for key, size in sizes.items()}
    others = [by_size[size] for size in sorted(by_size, reverse=True)]
    ends = others if len(others) <= GROUPS else others[: GROUPS // 2] + others[-GROUPS // 2 :]
    return list(dict.fromkeys([*first[:GROUPS], *ends]))


def _changed_by(groups: Groups, key: Key) -> list[tuple[int, Edit]]:
    """The smallest number of units fewer, and more, in one group that refutes the claim."""
    sizes = groups.sizes
    name = f"{', '.join(groups.measure.by)} {groups.measure.text(key)}"
    offers: list[tuple[int, Edit]] = []
    for sign, most in ((-1, sizes[key]), (1, MOST_UNITS)):
        units = _smallest(partial(_refuted_by, groups, key, sign), most)
        if units is None:
            continue
        changes = groups.fewer(key, units) if sign < 0 else groups.more(key, units)
        if changes:
            offers.append((len(changes), Edit(_words(name, changes), changes)))
    return offers


def _refuted_by(groups: Groups, key: Key, sign: int, units: int) -> bool:
    return groups.refuted({key: groups.sizes[key] + sign * units})


def _words(name: str, changes: Sequence[Change]) -> str:
    if isinstance(changes[0], Drop):
        return f"{frames_text(change.at for change in changes)} dropped, of {name}"
    number = "one packet" if len(changes) == 1 else f"{len(changes)} packets"
    return f"{number} of {name} added"


def _smallest(refuted: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 to ``most`` that refutes; powers of two are looked at first."""
    low, high = 0, 1
    while high < most and not refuted(high):
        low, high = high, high * 2
    high = min(high, most)
    if high < 1 or not refuted(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


# Shares -----------------------------------------------------------------------------------------


def share(subject: Subject) -> Iterator[Edit]:
    """So many groups of one size made another size, or dropped, that their share is another."""
    groups = groups_of(subject)
    if groups is None:
        return
    low, high = _range(groups.measure)
    offers: list[Edit] = []
    if groups.refuted({(): 1}):
        offers += [one.added() for one in islice(fresh(subject, groups.measure.by), 2)]
    for words, target in (
        ("made larger", high + 1 if high is not None else None),
        ("made smaller", low - 1),
        ("made as large", low),
        ("dropped", 0),
    ):
        edit = _resized(groups, words, target, (low, high)) if target is not None else None
        if edit is not None:
            offers.append(edit)
    yield from sorted(offers, key=lambda edit: len(edit.changes))


def _range(measure: Grouped) -> tuple[int, int | None]:
    sizes = getattr(measure, "sizes", None)
    return (sizes.low, sizes.high) if sizes is not None else (1, None)


def _resized(
    groups: Groups, words: str, target: int, range_: tuple[int, int | None]
) -> Edit | None:
    """As many groups brought to one size as it takes, those that need the least first."""
    sizes = groups.sizes
    low, high = range_
    inside = {key for key, size in sizes.items() if low <= size and (high is None or size <= high)}
    chosen = [key for key in sizes if (key in inside) != (words == "made as large")]
    chosen = [key for key in chosen if sizes[key] != target]
    chosen.sort(key=lambda key: abs(sizes[key] - target))
    number = _smallest(lambda k: groups.refuted(dict.fromkeys(chosen[:k], target)), len(chosen))
    if number is None:
        return None
    changes: list[Change] = []
    for key in chosen[:number]:
        by = target - sizes[key]
        one = groups.more(key, by) if by > 0 else groups.fewer(key, -by)
        if not one:
            return None
        changes += one
    what = ", ".join(groups.measure.by)
    many = "one group" if number == 1 else f"{number} groups"
    size = f" (size {target})" if target else ""
    return Edit(f"{many} of {what} {words}{size}: {len(changes)} packets changed", tuple(changes))
