"""The columnar decoder in threads: the table depends on nothing but the capture."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from decoders.columnar.pipeline import Pipeline, ahead
from decoders.containers import open_captures
from decoders.store import Store
from decoders.table import Table, decode

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))
WANTED = [
    *("frame.len", "frame.time_relative", "vlan.id", "ip.src", "ipv6.src", "tcp.dstport"),
    *("tcp.stream", "udp.stream", "icmp.type", "replicap.undecoded", "_ws.malformed"),
]


def delayed(pipeline: Pipeline, delays: list[float]) -> None:
    """Batches are done in another order than they were begun."""
    decoder: Any = pipeline._decoder
    done = decoder.decode
    pauses = iter(delays)

    def slowly(*arguments: Any) -> Any:
        time.sleep(next(pauses, 0.0))
        return done(*arguments)

    decoder.decode = slowly


@settings(deadline=None, max_examples=40)
@given(
    path=st.sampled_from(CAPTURES),
    octets=st.sampled_from([1, 50, 1_000, 1 << 22]),
    workers=st.integers(1, 4),
    delays=st.lists(st.sampled_from([0.0, 0.002]), max_size=6),
    rows=st.sampled_from([1, 7, 1 << 18]),
    third=st.booleans(),
)
def test_batches_threads_and_order_of_completion_change_nothing(
    path: Path, octets: int, workers: int, delays: list[float], rows: int, third: bool
) -> None:
    capture = open_captures([path])
    total = sum(1 for _ in capture.frames())
    keep = [number % 3 == 0 for number in range(total)] if third else None
    reference = decode(capture, WANTED, keep=keep, decoder="reference")
    damage = capture.damage
    wanted = ["frame.number", *WANTED]
    pipeline = Pipeline(capture, wanted, keep, octets=octets, workers=workers)
    delayed(pipeline, delays)
    store = Store(rows=rows)
    for chunk in pipeline:
        store.add(chunk)
    found = store.rows().lazy().collect()
    assert_frame_equal(found.select(reference.columns), reference.packets)
    assert set(found.columns) == set(reference.columns)
    assert counts(pipeline) == counts(reference)
    assert capture.damage == damage


def counts(of: Pipeline | Table) -> tuple[int, int, int, dict[str, int]]:
    return of.count, of.malformed, of.short, dict(of.undecoded)


def test_what_stops_a_thread_is_raised_where_it_is_waited_for() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    found = ahead(items(), 2)
    assert next(found) == 1
    with pytest.raises(ValueError, match="no more"):
        next(found)


def test_a_reader_nobody_waits_for_ends() -> None:
    given_up = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            given_up.set()

    made = items()
    found = ahead(made, 2)
    assert next(found) == 0
    found.close()
    made.close()
    assert given_up.is_set()
    assert [thread.name for thread in threading.enumerate() if "replicap" in thread.name] == []


def test_a_table_in_files_is_the_table_in_memory(tmp_path: Path) -> None:
    (path,) = (path for path in CAPTURES if path.stem == "tcp_scan")
    whole = decode(open_captures([path]), WANTED)
    parts = decode(open_captures([path]), WANTED, store=Store(rows=5))
    assert isinstance(whole.rows, pl.DataFrame)
    assert isinstance(parts.rows, pl.LazyFrame)
    assert (whole.engine, parts.engine) == ("auto", "streaming")
    assert_frame_equal(parts.packets, whole.packets)
    assert parts.columns == whole.columns
    for name, table in (("whole", whole), ("parts", parts)):
        table.write_parquet(tmp_path / name)
        assert_frame_equal(pl.read_parquet(tmp_path / name), whole.packets)
