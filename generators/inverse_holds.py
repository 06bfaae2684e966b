"""Edits that make, or take away, exceptions: packets and groups for which a claim does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from generators.edits import Edit, Put, Replace, dropping, frames_text
from generators.inverse_counts import fresh, packets_of_values
from generators.inverse_groups import readdressed
from generators.rewriting import value_text
from generators.subject import Condition, Key, Made, Subject, granted
from generators.wishes import all_of
from harness.measures import Contains, EveryGroup, NeverAfter

MOST_EXCEPTIONS = 100_000
"""Exceptions that are made at most."""


def unlike(subject: Subject) -> Iterator[Edit]:
    """A packet of the view changed so that it does not match, or such a packet more."""
    yield from _exceptions(subject, (subject.measure.filters()[0], False), instead=True)


def like(subject: Subject) -> Iterator[Edit]:
    """A packet more that matches, or one changed so that it does."""
    yield from _exceptions(subject, (subject.measure.filters()[0], True), instead=False)


def _exceptions(subject: Subject, condition: Condition, *, instead: bool) -> Iterator[Edit]:
    there = subject.where(condition)
    more = subject.smallest(lambda k: len(there) + k, MOST_EXCEPTIONS)
    fewer = subject.smallest(lambda k: len(there) - k, len(there))
    if more is not None:
        for one in subject.made(condition):
            first, second = (
                (one.instead(), one.added()) if instead else (one.added(), one.instead())
            )
            if not one.words:
                first, second = one.added(), one.added()
            if more > 1:
                first = Edit(f"{more} times: {one.added().words}", one.added().changes * more)
            yield first
            if more == 1:
                yield second
    if fewer is not None:
        if len(there) < len(subject.positions):
            yield dropping(there[-fewer:], "all that match" if fewer == len(there) else "")
        yield from _turned(subject, there[-fewer:], (condition[0], not condition[1]))


def _turned(subject: Subject, positions: Sequence[int], condition: Condition) -> Iterator[Edit]:
    """Packets changed where they stand, so that they fulfil a condition and stay in the view."""
    alternatives = all_of([(subject.scene.parsed(condition[0]).tree, condition[1])])
    for wanted in alternatives:
        made = [granted(subject.records[at], wanted) for at in positions]
        done = [one for one in made if one is not None]
        if len(done) < len(positions):
            continue
        records = [record for record, _ in done]
        if all(subject.scene.content(records, subject.stage, subject.claim.where, condition)):
            pairs = zip(positions, records, strict=True)
            changes = tuple(Replace(at, record) for at, record in pairs)
            words = f"{frames_text(positions)} changed: {done[0][1] or 'nothing'}"
            if any(
                record != subject.records[at] for at, record in zip(positions, records, strict=True)
            ):
                yield Edit(words, changes)


# Groups -----------------------------------------------------------------------------------------


def one_group(subject: Subject) -> Iterator[Edit]:
    """A group for which the filter does not hold; or, when one is claimed, none of them left."""
    measure = subject.measure
    if not isinstance(measure, EveryGroup):
        return
    quantifier, text = measure.quantified()
    groups = _groups(subject, measure)
    matching = set(subject.where((text, True)))
    wrong = [key for key, found in groups.items() if _wrong(quantifier, found, matching)]
    if subject.refutes(len(wrong) + 1):
        yield from _broken(subject, quantifier, text, groups)
    if wrong and subject.refutes(0):
        yield from _repaired(subject, quantifier, text, [groups[key] for key in wrong])


def _groups(subject: Subject, measure: EveryGroup) -> dict[Key, list[int]]:
    """Positions of the groups that are looked at, the smallest ones first."""
    found = packets_of_values(subject, measure.by)
    if measure.largest is None:
        return found
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    least = len(ordered[: measure.largest][-1][1]) if ordered else 0
    return {key: positions for key, positions in ordered if len(positions) >= least}


def _wrong(quantifier: str, found: Sequence[int], matching: set[int]) -> bool:
    held = sum(at in matching for at in found)
    return {"some": held == 0, "all": held < len(found), "none": held > 0}[quantifier]


def _broken(
    subject: Subject, quantifier: str, text: str, groups: dict[Key, list[int]]
) -> Iterator[Edit]:
    """One packet of a group that does not match (``all``), that does (``none``); or none does."""
    if quantifier != "some":
        near = [at for found in groups.values() for at in found]
        if near and len(groups) == 1:
            near = next(iter(groups.values()))
        for one in subject.made((text, quantifier == "none"), near=near):
            if one.words:
                yield one.instead()
            yield one.added()
        return
    matching = set(subject.where((text, True)))
    held = {key: [at for at in found if at in matching] for key, found in groups.items()}
    ordered = sorted((key for key in held if held[key]), key=lambda key: len(held[key]))
    droppable = [key for key in ordered if len(held[key]) < len(groups[key])]
    offers = [dropping(held[key], "all that match in a group") for key in droppable[:2]]
    offers += (
        list(_lonely(subject, text, groups))
        if getattr(subject.measure, "largest", None) is None
        else []
    )
    for key in ordered[:2]:
        offers += list(_turned(subject, held[key], (text, False)))
    yield from sorted(offers, key=lambda edit: len(edit.changes))


def _lonely(subject: Subject, text: str, groups: dict[Key, list[int]]) -> Iterator[Edit]:
    """A packet of a group of its own that does not match."""
    by = getattr(subject.measure, "by", ())
    for one in islice(fresh(subject, by), 4):
        if subject.scene.content([one.record], subject.stage, subject.claim.where, (text, False))[
            0
        ]:
            yield one.added()
    for other in islice(subject.made((text, False)), 2):
        for one in fresh(subject, by):
            moved = granted(one.record, all_of([(subject.scene.parsed(text).tree, False)])[0])
            if moved is not None:
                yield Made(one.at, f"{one.words}, {moved[1]}", moved[0]).added()
            break
        yield other.added()


def _repaired(
    subject: Subject, quantifier: str, text: str, wrong: list[list[int]]
) -> Iterator[Edit]:
    """Every group that is an exception made to hold, or dropped."""
    gone = sorted({at for found in wrong for at in found})
    if quantifier == "some":
        added = list(_answers(subject, text, wrong))
        if len(added) == len(wrong):
            yield Edit(f"to each of {len(wrong)} groups a packet added that matches", tuple(added))
    if len(gone) < len(subject.positions):
        yield dropping(gone, "every group that is an exception")


def _answers(subject: Subject, text: str, wrong: list[list[int]]) -> Iterator[Put]:
    alternatives = all_of([(subject.scene.parsed(text).tree, True)])
    records = []
    for found in wrong:
        made = (granted(subject.records[found[-1]], wanted) for wanted in alternatives)
        one = next((done for done in made if done is not None), None)
        if one is None:
            return
        records.append((found[-1], one[0]))
    fit = subject.scene.content(
        [record for _, record in records], subject.stage, subject.claim.where, (text, True)
    )
    yield from (
        Put(at + 1, record) for (at, record), good in zip(records, fit, strict=True) if good
    )


# Values, order ----------------------------------------------------------------------------------


def absent(subject: Subject) -> Iterator[Edit]:
    """Every packet with one of the values dropped; or, when one is to be missing, one with each."""
    measure = subject.measure
    if not isinstance(measure, Contains):
        return
    wanted = {(value,) for value in measure.stored()}
    groups = packets_of_values(subject, (measure.field,))
    there = {key: found for key, found in groups.items() if key in wanted}
    missing = len(wanted) - len(there)
    gone = subject.smallest(lambda k: missing + k, len(there))
    if gone is not None:
        positions = sorted({at for found in list(there.values())[:gone] for at in found})
        yield dropping(positions, f"all with {gone} of the values of {measure.field}")
    back = subject.smallest(lambda k: missing - k, missing)
    if back is not None and subject.positions:
        at = subject.positions[-1]
        lost = sorted((key for key in wanted if key not in there), key=repr)[:back]
        made = [readdressed(subject.records[at], (measure.field,), key) for key in lost]
        puts = [Put(at + 1, record) for record in made if record is not None]
        if len(puts) == back:
            yield Edit(f"frame {at + 1} once more with each missing value", tuple(puts))


def afterwards(subject: Subject) -> Iterator[Edit]:
    """Behind the last packet of the file one of a group that must not come any more."""
    measure = subject.measure
    if not isinstance(measure, NeverAfter):
        return
    groups = packets_of_values(subject, measure.by)
    begun, never = (
        set(subject.where((measure.after, True))),
        set(subject.where((measure.never, True))),
    )
    first = {key: min(begun & set(found), default=-1) for key, found in groups.items()}
    wrong = [
        key
        for key, at in first.items()
        if at >= 0 and any(n > at for n in set(groups[key]) & never)
    ]
    if subject.refutes(len(wrong) + 1):
        keys = sorted((key for key, at in first.items() if at >= 0), key=lambda key: -first[key])
        yield from _behind(subject, measure, [k for k in keys if k not in wrong], groups)
    if wrong and subject.refutes(0):
        late = {at for key in wrong for at in groups[key] if at in never and at > first[key]}
        yield dropping(sorted(late), "all that came afterwards")


def _behind(
    subject: Subject, measure: NeverAfter, keys: Sequence[Key], groups: dict[Key, list[int]]
) -> Iterator[Edit]:
    records = subject.records
    end = max((record.time_ns for record in records if record.time_ns is not None), default=None)
    for key in keys[:3]:
        near = [*subject.where((measure.never, True))[-3:], *groups[key][-3:]]
        for one in subject.made((measure.never, True), near=near):
            moved = readdressed(one.record, measure.by, key)
            if moved is not None:
                moved = moved._replace(time_ns=end)
                who = ", ".join(
                    f"{name} {value_text(name, value)}"
                    for name, value in zip(measure.by, key, strict=True)
                    if not isinstance(value, str)
                )
                words = ", ".join(filter(None, (f"frame {one.at + 1}", one.words, who)))
                text = f"one packet added behind all frames: {words}"
                yield Edit(text, (Put(len(records), moved),))


__all__ = ["absent", "afterwards", "like", "one_group", "unlike"]
