"""Columns of the columnar decoder are what their cells say, each kind of value in its coding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.columnar.columns import Cells, Pool, column, flags_text
from decoders.columnar.kernels.frames import decode_frames
from decoders.columnar.kernels.sink import SPAN_BITS, V6_ADDRESS
from decoders.columnar.numbers import (
    ARGUMENT_BITS,
    MALFORMED_MARK,
    MALFORMED_PACKET,
    PROTOCOL_NAMES,
    TEXTS,
    protocol,
    spelled,
    text,
)
from decoders.fields import FIELDS
from decoders.spelling import spell_ipv4, spell_ipv6

POISON = -0x5A5A_5A5A
SYN_TO = text("SYN to server port {}")
IS_LOW = text("TTL {} is low")
RST_SEEN = text("RST")
REUSED = text("port numbers reused")
TEMPLATES = (SYN_TO, IS_LOW, RST_SEEN, REUSED, MALFORMED_MARK)

OCTETS = np.frombuffer(bytes(range(256)), np.uint8)


def bitmap(truths: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What is not None and not False, with octets behind that nobody looks at."""
    shown = [truth is not None and truth is not False for truth in truths]
    shown += [at % 2 == 0 for at in range(-len(truths) % 8)]
    packed = np.packbits(np.array(shown, np.bool_), bitorder="little")
    return np.concatenate((packed, np.full(3, 0xA5, np.uint8)))


def made(name: str, values: Sequence[Any], pool: Pool, dtype: Any = np.int64) -> list[Any]:
    """The column of a field's values or codes; where there is none stands poison."""
    numbers = np.array([POISON if value is None else value for value in values], dtype)
    cells = Cells(numbers, bitmap(values))
    return shown(name, cells, len(values), pool).to_list()


def shown(name: str, cells: Cells, rows: int, pool: Pool) -> polars.Series:
    """A column as Polars takes it over."""
    return polars.Series(name, column(FIELDS[name], cells, rows, pool))


def span(start: int, size: int) -> int:
    return start << SPAN_BITS | size


@pytest.fixture
def pool() -> Pool:
    return Pool(OCTETS)


def test_numbers_stay_where_they_are(pool: Pool) -> None:
    assert made("tcp.srcport", [80, None, 65535], pool, np.int32) == [80, None, 65535]
    assert made("frame.number", [1, None, 2**63 - 1], pool) == [1, None, 2**63 - 1]
    values = np.arange(9, dtype=np.int64)
    cells = Cells(values, np.full(2, 255, np.uint8))
    series = shown("frame.number", cells, 9, pool)
    assert np.shares_memory(series.to_numpy(allow_copy=False), values)


def test_truth_values_are_bitmaps(pool: Pool) -> None:
    truths = [True, False, None, True, False, None, False, True, True, False]
    cells = Cells(bitmap(truths), np.array([0b11011011, 0b11111111], np.uint8))
    assert shown("tcp.flags.syn", cells, 10, pool).to_list() == truths


def test_a_text_has_a_number_filled_in(pool: Pool) -> None:
    arguments = [0, 9, 10, 99, 23, 23, 65535, 99_999_999, 100_000_000, 4_294_967_295]
    assert made("_ws.expert.message", [SYN_TO + each for each in arguments], pool) == [
        "SYN to server port 0",
        "SYN to server port 9",
        "SYN to server port 10",
        "SYN to server port 99",
        "SYN to server port 23",
        "SYN to server port 23",
        "SYN to server port 65535",
        "SYN to server port 99999999",
        "SYN to server port 100000000",
        "SYN to server port 4294967295",
    ]


def test_texts_come_again_among_many(pool: Pool) -> None:
    arguments = [37 * at % 1999 for at in range(3000)]
    found = made("_ws.expert.message", [IS_LOW + each for each in arguments], pool)
    assert found == [f"TTL {each} is low" for each in arguments]


def test_texts_of_all_sorts_stand_in_one_column(pool: Pool) -> None:
    ours = pool.text("näher besehen, nichts")
    codes = [
        IS_LOW + 1,
        None,
        RST_SEEN,
        ours,
        IS_LOW + 12,
        MALFORMED_PACKET + (protocol("tcp") << 32),
        REUSED,
        MALFORMED_MARK,
        pool.text(""),
    ]
    assert made("_ws.malformed", codes, pool) == [
        "TTL 1 is low",
        None,
        "RST",
        "näher besehen, nichts",
        "TTL 12 is low",
        "[Malformed Packet: TCP]",
        "port numbers reused",
        "_ws.malformed",
        "",
    ]


def test_every_text_of_kernels_is_spelled(pool: Pool) -> None:
    assert decode_frames
    assert len(TEXTS) > 50
    codes = [number << ARGUMENT_BITS | 1234 for number in TEXTS]
    assert made("_ws.expert.message", codes, pool) == [spelled(code) for code in codes]


def test_a_code_without_a_text_is_told(pool: Pool) -> None:
    with pytest.raises(KeyError, match=r"no text of _ws\.expert\.message has the code 0x500000000"):
        made("_ws.expert.message", [RST_SEEN, 5 << 32], pool)


def test_a_long_text_that_repeats_is_kept_once(pool: Pool) -> None:
    code = pool.text("eth:ethertype:ip:tcp")
    cells = Cells(np.full(1000, code), np.full(125, 255, np.uint8))
    series = shown("frame.protocols", cells, 1000, pool)
    assert series.to_list() == ["eth:ethertype:ip:tcp"] * 1000
    kept = series.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()[2:]
    assert sum(buffer.size for buffer in kept) < 1000 * len("eth:ethertype:ip:tcp") / 2


def test_texts_told_later_are_found(pool: Pool) -> None:
    assert made("frame.protocols", [pool.text("eth:arp")], pool) == ["eth:arp"]
    codes = [pool.text("eth:ethertype:ip:udp:dns"), pool.text("eth:arp")]
    assert made("frame.protocols", codes, pool) == ["eth:ethertype:ip:udp:dns", "eth:arp"]


def test_flags_are_letters(pool: Pool) -> None:
    of_others = pool.text("············")
    assert made("tcp.flags.str", [0x002, 0x012, None, 0xFFF, 0, of_others], pool) == [
        "··········S·",
        "·······A··S·",
        None,
        "RRRACEUAPRSF",
        "············",
        "············",
    ]
    assert made("tcp.flags.str", range(4096), pool) == [flags_text(flags) for flags in range(4096)]


def test_ends_are_addresses_of_both_kinds(pool: Pool) -> None:
    octets = (
        bytes.fromhex("20010db8000000000000000000000001") * 2 + bytes(10) + b"\xff\xff\x01\2\3\4"
    )
    pool = Pool(np.frombuffer(octets, np.uint8))
    codes = [0, 0xFFFFFFFF, V6_ADDRESS, None, V6_ADDRESS | 16, V6_ADDRESS | 32, 0x0A00640A]
    assert made("replicap.tcp.src", [*codes, pool.text("of others")], pool) == [
        "0.0.0.0",
        "255.255.255.255",
        "2001:db8::1",
        None,
        "2001:db8::1",
        "::ffff:1.2.3.4",
        "10.0.100.10",
        "of others",
    ]


def test_octets_of_each_size_up_to_the_end(pool: Pool) -> None:
    codes = [*(span(256 - size, size) for size in range(18)), None, span(0, 256)]
    codes += [pool.span(b"short"), pool.span(b"more than twelve"), pool.span(b"")]
    expected = [*(bytes(range(256 - size, 256)) for size in range(18)), None, bytes(range(256))]
    expected += [b"short", b"more than twelve", b""]
    assert made("eth.padding", codes, pool) == expected


def test_octets_as_text_are_characters(pool: Pool) -> None:
    codes = [span(65, 3), span(0x7E, 3), span(0xF8, 6), span(0xF8, 7), span(65, 12), span(65, 13)]
    assert made("replicap.octets.tcp", [*codes, None, span(0, 256)], pool) == [
        "ABC",
        "~\x7f\x80",
        "øùúûüý",
        "øùúûüýþ",
        "ABCDEFGHIJKL",
        "ABCDEFGHIJKLM",
        None,
        bytes(range(256)).decode("latin-1"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("tcp.srcport", "frame.number", "tcp.flags.syn", "tcp.flags.str", "frame.protocols"),
        *("_ws.expert.message", "replicap.tcp.src", "eth.src", "replicap.octets.tcp"),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 8, 13])
def test_columns_without_rows_or_values(name: str, rows: int, pool: Pool) -> None:
    dtype = np.int32 if name == "tcp.srcport" else np.int64
    assert made(name, [None] * rows, pool, dtype) == [None] * rows


Coded = tuple[Callable[[Pool], int], Any]
"""What codes a value in a pool, and what stands in the column."""


def of_pool(value: str) -> Coded:
    return lambda pool: pool.text(value), value


def of_code(code: int, shown: str) -> Coded:
    return lambda _: code, shown


def of_extra(value: bytes) -> Coded:
    return lambda pool: pool.span(value), value


def of_octets(start: int, size: int) -> Coded:
    size = min(size, 256 - start)
    return lambda _: span(start, size), bytes(range(start, start + size))


def as_text(coded: Coded) -> Coded:
    return coded[0], coded[1].decode("latin-1")


U32 = st.integers(0, 2**32 - 1)
POOLED = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(of_pool)
SPANS = st.one_of(
    st.builds(of_octets, st.integers(0, 256), st.integers(0, 30)),
    st.binary(max_size=20).map(of_extra),
)
CODINGS: dict[str, st.SearchStrategy[Coded]] = {
    "_ws.expert.message": st.one_of(
        POOLED,
        st.builds(int.__add__, st.sampled_from(TEMPLATES), U32 | st.integers(0, 300)).map(
            lambda code: of_code(code, spelled(code))
        ),
        st.integers(0, len(PROTOCOL_NAMES) - 1)
        .map(lambda number: MALFORMED_PACKET + (number << 32))
        .map(lambda code: of_code(code, spelled(code))),
    ),
    "tcp.flags.str": POOLED | st.integers(0, 4095).map(lambda n: of_code(n, flags_text(n))),
    "replicap.udp.dst": st.one_of(
        POOLED,
        U32.map(lambda address: of_code(address, spell_ipv4(address))),
        st.integers(0, 240).map(
            lambda at: of_code(V6_ADDRESS | at, spell_ipv6(bytes(range(at, at + 16))))
        ),
    ),
    "eth.trailer": SPANS,
    "replicap.item.udp": SPANS.map(as_text),
}


@pytest.mark.parametrize("name", CODINGS)
@settings(deadline=None)  # The first example may wait for a kernel to be compiled.
@given(data=st.data())
def test_a_column_is_what_its_codes_stand_for(name: str, data: st.DataObject) -> None:
    coded = data.draw(st.lists(st.none() | CODINGS[name], max_size=40))
    pool = Pool(OCTETS)
    codes = [None if each is None else each[0](pool) for each in coded]
    assert made(name, codes, pool) == [None if each is None else each[1] for each in coded]
