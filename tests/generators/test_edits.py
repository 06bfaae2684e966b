"""A mutant differs from the capture in exactly the packets that its edit declares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.edits import (
    Change,
    Drop,
    Edit,
    Put,
    Record,
    Replace,
    applied,
    dropping,
    frames_text,
    repeating,
)


def record(name: int) -> Record:
    return Record(name, bytes([name]), 1, 1)


FOUR = [record(number) for number in range(4)]


def names(records: list[Record]) -> list[int | None]:
    return [one.time_ns for one in records]


def test_dropping() -> None:
    edit = dropping([1, 3])
    assert names(applied(FOUR, edit)) == [0, 2]
    assert edit.words == "frames 2, 4 dropped"


def test_repeating_puts_copies_behind_their_packets() -> None:
    assert names(applied(FOUR, repeating(FOUR, [0, 2]))) == [0, 0, 1, 2, 2, 3]


@pytest.mark.parametrize(("more", "expected"), [(1, 1), (3, 3), (5, 5), (8, 8), (9, 9)])
def test_repeating_adds_as_many_as_it_says(more: int, expected: int) -> None:
    made = applied(FOUR, repeating(FOUR, [0, 1, 2, 3], more))
    assert len(made) == len(FOUR) + expected


def test_putting_in_front_between_and_behind() -> None:
    edit = Edit("", (Put(0, record(7)), Put(2, record(8)), Put(2, record(9)), Put(4, record(6))))
    assert names(applied(FOUR, edit)) == [7, 0, 1, 8, 9, 2, 3, 6]


def test_replacing() -> None:
    assert names(applied(FOUR, Edit("", (Replace(1, record(9)),)))) == [0, 9, 2, 3]


@pytest.mark.parametrize(
    "changes",
    [
        (Drop(4),),
        (Drop(-1),),
        (Put(5, FOUR[0]),),
        (Drop(1), Drop(1)),
        (Drop(1), Replace(1, FOUR[0])),
    ],
)
def test_edits_that_make_no_sense_are_refused(changes: tuple[Change, ...]) -> None:
    with pytest.raises(ValueError, match="position"):
        applied(FOUR, Edit("", changes))


@given(st.data())
def test_everything_but_the_declared_packets_stays(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 30))
    records = [record(number) for number in range(size)]
    touched = data.draw(st.sets(st.integers(0, size - 1)) if size else st.just(set[int]()))
    dropped = {at for at in touched if data.draw(st.booleans())}
    new = [record(200), record(201)]
    puts = [Put(data.draw(st.integers(0, size)), one) for one in new]
    changes: list[Change] = [
        Drop(at) if at in dropped else Replace(at, record(100)) for at in touched
    ]
    made = applied(records, Edit("", (*changes, *puts)))
    assert len(made) == size - len(dropped) + len(puts)
    untouched = [one for at, one in enumerate(records) if at not in touched]
    assert [one for one in made if one.data[0] < 100] == untouched
    assert sum(one.data[0] == 100 for one in made) == len(touched) - len(dropped)


def test_many_frames_are_counted() -> None:
    assert frames_text(range(5)) == "5 packets (frames 1, 2, 3, ...)"
    assert frames_text([16]) == "frame 17"
