"""Chunks -> one table, in memory or in files: the same rows in the same order."""

from __future__ import annotations

import gc
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from decoders.store import Store

CHUNKS = [
    pl.DataFrame({"frame_number": [1, 2], "vlan_id": [7, None]}),
    pl.DataFrame({"frame_number": [3], "vlan_id": [8], "vlan_id_2": [9]}),
    pl.DataFrame({"frame_number": [4, 5], "vlan_id": [None, 1]}),
]
WHOLE = pl.DataFrame(
    {
        "frame_number": [1, 2, 3, 4, 5],
        "vlan_id": [7, None, 8, None, 1],
        "vlan_id_2": [None, None, 9, None, None],
    }
)


def filled(store: Store) -> pl.DataFrame | pl.LazyFrame:
    for chunk in CHUNKS:
        store.add(chunk)
    return store.rows()


def test_few_rows_stay_in_memory() -> None:
    store = Store()
    rows = filled(store)
    assert isinstance(rows, pl.DataFrame)
    assert store.files == []
    assert_frame_equal(rows, WHOLE)


@pytest.mark.parametrize("limits", [{"rows": 2}, {"rows": 3}, {"octets": 1}])
def test_many_rows_go_to_files_in_order(limits: dict[str, int]) -> None:
    store = Store(**limits)
    rows = filled(store)
    assert isinstance(rows, pl.LazyFrame)
    assert len(store.files) > 1
    assert_frame_equal(rows.collect(engine="streaming"), WHOLE)


def test_columns_without_a_value_cost_nothing_and_are_there_in_the_table() -> None:
    empty = pl.Series("vlan_id", [None, None], dtype=pl.Int32)
    schema = {"frame_number": pl.Int32, "vlan_id": pl.Int32, "ip_src": pl.Int64}
    chunks = [
        pl.DataFrame(schema=schema),
        pl.DataFrame({"frame_number": [1, 2], "vlan_id": empty}, schema_overrides=schema),
        pl.DataFrame({"frame_number": [3, 4], "vlan_id": [7, None]}, schema_overrides=schema),
        pl.DataFrame({"frame_number": [5, 6], "vlan_id": empty}, schema_overrides=schema),
    ]
    whole = pl.DataFrame(
        {"frame_number": range(1, 7), "vlan_id": [None, None, 7, None, None, None], "ip_src": None},
        schema=schema,
    )
    memory, files = Store(), Store(rows=2)
    for store in (memory, files):
        for chunk in chunks:
            store.add(chunk)
        assert_frame_equal(store.rows().lazy().collect(), whole)
    held = [pl.read_parquet_schema(path).names() for path in files.files]
    assert held == [[*schema], ["frame_number", "vlan_id"], ["frame_number"]]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    for store in (Store(), Store(tmp_path)):
        store.add(WHOLE.clear())
        assert_frame_equal(store.rows().lazy().collect(), WHOLE.clear())


def test_the_files_go_with_the_store() -> None:
    store = Store(rows=1)
    filled(store)
    folder = store.files[0].parent
    assert folder.is_dir()
    del store
    gc.collect()
    assert not folder.exists()


def test_a_folder_of_the_callers_is_filled_with_few_rows_as_well(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = filled(store)
    assert [path.parent for path in store.files] == [tmp_path]
    assert_frame_equal(rows.lazy().collect(), WHOLE)


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a chunk"):
        Store().rows()


@given(
    cuts=st.lists(st.integers(0, 40), max_size=6),
    limit=st.integers(1, 50),
    present=st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_neither_chunks_nor_parts_change_the_table(
    cuts: list[int], limit: int, present: list[bool]
) -> None:
    numbers = pl.DataFrame({"n": range(40)})
    edges = [0, *sorted(cuts), 40]
    pieces = []
    for start, end, further in zip(edges, edges[1:], present, strict=False):
        piece = numbers.slice(start, end - start)
        pieces.append(piece.with_columns(m=pl.col("n") * 2) if further else piece)
    store = Store(rows=limit)
    for piece in pieces:
        store.add(piece)
    assert_frame_equal(store.rows().lazy().collect(), pl.concat(pieces, how="diagonal"))


def test_a_part_that_cannot_be_written_is_no_success(tmp_path: Path) -> None:
    store = Store(tmp_path / "gone", rows=2)
    with pytest.raises(FileNotFoundError):
        filled(store)
