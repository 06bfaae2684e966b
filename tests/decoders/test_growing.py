"""Tables that grow: what they hold stays, however they get more room."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.columnar import growing
from decoders.columnar.growing import STEP, Growing, GrowingKeys
from decoders.columnar.kernels import hashing


@pytest.fixture(params=[True, False], ids=["mapped", "not mapped"])
def maps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """On a system that makes mappings longer, and on one that does not."""
    if request.param and not growing._MAPS:
        pytest.skip("this system does not make mappings longer")
    monkeypatch.setattr(growing, "_MAPS", request.param)
    return bool(request.param)


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(("kind", "places"), [(np.uint8, ()), (np.uint32, (5,)), (np.int64, (24,))])
def test_rows_stay_and_new_ones_are_zero(kind: type, places: tuple[int, ...]) -> None:
    table, used = Growing(kind, *places, rows=1), 0
    table.array[:] = 0
    while table.array.nbytes < 3 * STEP:
        assert not table.array[used:].any()
        table.array[used:] = (
            np.arange(used, len(table.array)).reshape(-1, *(1,) * len(places)) % 251
        )
        used = len(table.array)
        table.make_room(used + 1)
        assert table.array.shape == (len(table.array), *places)
        assert len(table.array) > used
    expected = np.arange(used).reshape(-1, *(1,) * len(places)) % 251
    assert (table.array[:used] == expected).all()


@pytest.mark.usefixtures("maps")
def test_room_is_made_for_many_rows_at_once_and_never_taken_back() -> None:
    table = Growing(np.int64, 3)
    for rows in (growing.FIRST_ROWS, 10, 2000, 1_000_000, 5):
        before = len(table.array)
        table.make_room(rows)
        assert len(table.array) >= max(rows, before)
        assert len(table.array) == before or rows > before
    assert table.array.nbytes < 1_000_000 * 24 + STEP


def test_a_table_takes_little_more_than_its_rows(maps: bool) -> None:
    table = Growing(np.int64, 8)
    for rows in range(1000, 100_000, 1000):
        table.make_room(rows)
    assert table.array.nbytes <= 99_000 * 64 + (STEP if maps else 99_000 * 8)


@pytest.mark.skipif(not growing._MAPS, reason="this system does not make mappings longer")
def test_without_memory_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Growing(np.int64)
    table.make_room(STEP)
    table.array[-1] = 7
    rows = len(table.array)
    with pytest.raises(MemoryError, match="no mapping of"):
        table.make_room(1 << 58)
    assert len(table.array) == rows
    assert table.array[-1] == 7

    def refuse(*args: object, **kws: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(MemoryError, match="no mapping of"):
        Growing(np.int64).make_room(STEP)


def test_more_keys_than_can_be_told_apart() -> None:
    with pytest.raises(MemoryError, match="told apart"):
        GrowingKeys().make_room(1 << 31, 0)


def chained(index: np.ndarray, held: int) -> bool:
    """Whether a search that begins where the hash tells comes upon an entry."""
    mask = len(index) - 1
    place = held >> 31 & mask
    while index[place] != held and index[place] != 0:
        place = (place + 1) & mask
    return bool(index[place] == held)


@given(
    st.lists(
        st.one_of(st.integers(0, 63), st.sampled_from((0, 1, 6, 7, 14, 15, 30, 31))), max_size=20
    ),
    st.sampled_from((1, 3, 64)),
)
@settings(max_examples=500, deadline=None)
def test_an_index_of_twice_the_length_holds_the_same(hashes: list[int], together: int) -> None:
    """Also what has come around its end, and comes around the end of the longer one."""
    places = 8
    while 8 * len(hashes) > 5 * places:
        places *= 2
    index, entries = np.zeros(places, np.int64), []
    for nth, hashed in enumerate(hashes, 1):
        place = hashed % places
        while index[place] != 0:
            place = (place + 1) % places
        index[place] = hashed << 31 | nth
        entries.append(hashed << 31 | nth)
    longer = np.concatenate((index, np.zeros(places, np.int64)))
    hashing.spread(longer, places, np.empty(together, np.int64))
    assert sorted(longer[longer != 0].tolist()) == sorted(entries)
    assert all(chained(longer, held) for held in entries)
