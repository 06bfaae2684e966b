"""pcapng: sections, interfaces, clocks, blocks, and where reading stops."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders import pcapng
from decoders.frames import Frame, Interface
from decoders.wrapping import Broken
from tests.decoders.capture_bytes import (
    CUSTOM,
    CUSTOM_NO_COPY,
    EPB,
    IDB,
    JOURNAL,
    OPB,
    SHB,
    SPB,
    block,
    custom,
    epb,
    idb,
    opb,
    options,
    shb,
    spb,
)

DATA = bytes(range(60))
HEAD = shb() + idb()
# A section, an Ethernet interface, one packet of three octets out of 60 at 1.000002 s.
LITERAL = bytes.fromhex(
    "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"
    "01000000 14000000 0100 0000 00000400 14000000"
    "06000000 24000000 00000000 00000000 42420f00 03000000 3c000000 a5b6c700 24000000"
)


def read(blocks: bytes | Iterable[bytes]) -> tuple[list[Frame], Broken | None]:
    source = iter((blocks,)) if isinstance(blocks, bytes) else iter(blocks)
    frames: list[Frame] = []
    try:
        for batch in pcapng.batches(source):
            frames += batch
    except Broken as broken:
        return frames, broken
    return frames, None


def whole(data: bytes) -> list[Frame]:
    frames, broken = read(data)
    assert broken is None
    return frames


def test_literal_capture() -> None:
    assert whole(LITERAL) == [
        Frame(1, 1_000_002_000, 60, b"\xa5\xb6\xc7", Interface(1, 0, 1, None, None))
    ]


@pytest.mark.parametrize(
    ("option", "ticks", "time"),
    [
        ((9, b"\x06"), 1_500_000_000_123_456, 1_500_000_000_123_456_000),
        ((9, b"\x09"), 1_500_000_000_123_456_789, 1_500_000_000_123_456_789),
        ((9, b"\x03"), 1_500_000_000_250, 1_500_000_000_250_000_000),
        ((9, b"\x00"), 1_500_000_000, 1_500_000_000_000_000_000),
        ((9, b"\x8a"), 1_500_000_000 * 1024 + 512, 1_500_000_000_500_000_000),
        ((9, b"\xa0"), (7 << 32) + (1 << 31), 7_500_000_000),
        ((9, b"\x0a"), 15_000_000_001_234_567_891, 1_500_000_000_123_456_789),
        # Where tshark 4.0 overflows 64 bits: 1000.5 s in units of 10^-12 s.
        ((9, b"\x0c"), 1_000_500_000_000_000, 1_000_500_000_000),
        ((9, b"\x14"), 2**64 - 1, 184_467_440),
        ((9, b"\xff"), 2**64 - 1, 0),
        ((9, b"\x09\x00"), 500_000, 500_000_000),
        ((14, struct.pack("<q", -10)), 500_000, -9_500_000_000),
        ((14, struct.pack("<q", 1_000_000_000)), 250_000, 1_000_000_000_250_000_000),
    ],
)
def test_clocks(option: tuple[int, bytes], ticks: int, time: int) -> None:
    assert whole(shb() + idb(pairs=[option]) + epb(ticks, DATA))[0].time_ns == time


def test_time_that_does_not_fit_is_damage() -> None:
    start = shb() + idb(pairs=[(9, b"\x00")])
    frames, broken = read(start + epb(9_223_372_036, DATA) + epb(9_223_372_037, DATA))
    assert [frame.time_ns for frame in frames] == [9_223_372_036_000_000_000]
    assert broken is not None
    assert "64-bit nanoseconds" in broken.found
    assert broken.offset == len(start) + len(epb(0, DATA))


def test_interfaces_have_their_own_clock_link_type_and_name() -> None:
    data = shb() + idb(pairs=[(2, b"eth0"), (3, b"first"), (9, b"\x06")])
    data += idb(101, pairs=[(2, b"tun0"), (9, b"\x09")]) + epb(5, b"a", 1) + epb(5, b"b", 0)
    data += idb(113) + epb(5, b"c", 2)
    assert [(f.time_ns, f.interface) for f in whole(data)] == [
        (5, Interface(101, 1, 1, "tun0")),
        (5000, Interface(1, 0, 1, "eth0")),
        (5000, Interface(113, 2, 1, None)),
    ]


def test_sections_change_byte_order_and_restart_interfaces() -> None:
    data = shb("<") + idb() + epb(1, b"a")
    data += shb(">", [(1, b"two")]) + idb(order=">", pairs=[(9, b"\x09")]) + epb(2, b"b", order=">")
    data += shb("<") + idb(101) + idb(1) + epb(3, b"c", 1) + epb(4, b"d", 0)
    assert [(f.number, f.time_ns, f.data, f.interface) for f in whole(data)] == [
        (1, 1000, b"a", Interface(1, 0, 1)),
        (2, 2, b"b", Interface(1, 0, 2)),
        (3, 3000, b"c", Interface(1, 1, 3)),
        (4, 4000, b"d", Interface(101, 0, 3)),
    ]


def test_interface_of_an_earlier_section_is_gone() -> None:
    _, broken = read(shb() + idb() + idb() + shb() + idb() + epb(1, DATA, 1))
    assert broken is not None
    assert broken.found == "a packet of interface 1"


def test_blocks_that_are_frames_and_blocks_that_are_not() -> None:
    s = 1_500_000_000 * 10**6
    data = shb(pairs=[(1, b"a comment"), (4, b"app")]) + block(4, struct.pack("<HH", 0, 0))
    data += idb(snaplen=60, pairs=[(1, b"about it"), (2, b"eth0")])
    data += epb(s, DATA, pairs=[(1, b"packet comment"), (2, struct.pack("<I", 1))])
    data += spb(DATA[:44]) + spb(DATA, 104) + opb(s + 1, DATA) + block(10, b"tlsk\4\0\0\0keys")
    data += block(5, struct.pack("<III", 0, 0, 0)) + block(0x0BADF00D, b"unknown.")
    data += custom(32473, b"custom data!") + custom(32473, b"not to be copied", CUSTOM_NO_COPY)
    data += epb(s + 3, DATA, pairs=[(1, b"one"), (1, b"two"), (4, bytes(8))]) + epb(s + 4, b"")
    eth0 = Interface(1, 0, 1, "eth0")
    nowhere = Interface(-1, None, 1)
    assert whole(data) == [
        Frame(1, s * 1000, 60, DATA, eth0, ("packet comment",)),
        Frame(2, None, 44, DATA[:44], eth0),
        Frame(3, None, 104, DATA, eth0),
        Frame(4, s * 1000 + 1000, 60, DATA, eth0),
        Frame(5, None, 12, b"custom data!", nowhere),
        Frame(6, None, 16, b"not to be copied", nowhere),
        Frame(7, s * 1000 + 3000, 60, DATA, eth0, ("one", "two")),
        Frame(8, s * 1000 + 4000, 0, b"", eth0),
    ]


def test_simple_packet_without_snap_length() -> None:
    assert [len(f.data) for f in whole(HEAD + spb(DATA) + spb(b""))] == [60, 0]


def test_custom_block_keeps_its_padding_and_may_be_empty() -> None:
    frames = whole(shb() + custom(32473, b"abcde") + custom(32473, b""))
    assert [(f.wire_length, f.data) for f in frames] == [(8, b"abcde\0\0\0"), (0, b"")]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b"A=1\n__REALTIME_TIMESTAMP=1500000000123456\nMESSAGE=hi\n", 1_500_000_000_123_456_000),
        (b"__REALTIME_TIMESTAMP=12x\n__REALTIME_TIMESTAMP=9\n", 12_000),
        (b"MESSAGE=no time stamp anywhere in it\n", None),
    ],
)
def test_journal_entry_is_a_frame(text: bytes, time: int | None) -> None:
    padded = text + bytes(8 - len(text) % 4)
    nowhere = Interface(-2, None, 1)
    assert whole(shb() + block(JOURNAL, padded)) == [Frame(1, time, len(text), text, nowhere)]


@pytest.mark.parametrize(
    ("interface", "flags", "fcs"),
    [([], 0, None), ([(13, b"\x04")], 0, 4), ([], 4 << 5, 4), ([(13, b"\x04")], 2 << 5, 2)],
)
def test_fcs_octets(interface: list[tuple[int, bytes]], flags: int, fcs: int | None) -> None:
    flag = [(2, struct.pack("<I", flags))]
    packet = struct.pack("<HH4I", 0, 0, 0, 5, 60, 60) + DATA
    data = shb() + idb(pairs=interface) + epb(5, DATA, pairs=flag)
    data += block(OPB, packet + options("<", flag))
    assert [f.interface for f in whole(data)] == [Interface(1, 0, 1, None, fcs)] * 2


def test_comments_are_replaced_where_not_utf8_and_end_at_a_zero_octet() -> None:
    frame = whole(HEAD + epb(5, DATA, pairs=[(1, b"a\xffb"), (1, b"z\0y"), (1, b"")]))[0]
    assert frame.comments == ("a\ufffdb", "z", "")


def with_lengths(kind: int, body: bytes, first: int, last: int) -> bytes:
    return struct.pack("<II", kind, first) + body + struct.pack("<I", last)


BAD_BLOCKS = {
    "trailer": (epb(2, DATA)[:-4] + struct.pack("<I", 99), "block length 92 at the start and 99"),
    "length 0": (with_lengths(EPB, b"", 0, 0), "Enhanced Packet Block of 0 octets"),
    "length 3": (with_lengths(99, b"", 3, 3), "a block of type 0x00000063 of 3 octets"),
    "length 4 GB": (with_lengths(EPB, DATA, 2**32 - 4, 0), "Enhanced Packet Block of 4294967292"),
    "unknown of 4 GB": (
        with_lengths(99, DATA, 2**32 - 4, 0),
        "the end of the file after 72 octets",
    ),
    "short packet": (block(EPB, b""), "Enhanced Packet Block of 12 octets"),
    "short interface": (block(IDB, b""), "Interface Description Block of 12 octets"),
    "short section": (block(SHB, b"\x4d\x3c\x2b\x1a\1\0\0\0"), "Section Header Block of 20 octets"),
    "short simple": (block(SPB, b""), "Simple Packet Block of 12 octets"),
    "short custom": (block(CUSTOM, b""), "Custom Block of 12 octets"),
    "byte order": (block(SHB, b"abcd" + bytes(12)), "byte-order magic 61 62 63 64"),
    "major": (shb(version=(2, 0)), "pcapng version 2.0"),
    "minor": (shb(version=(1, 3)), "pcapng version 1.3"),
    "interface": (epb(1, DATA, 1), "a packet of interface 1"),
    "old interface": (opb(1, DATA, 7), "a packet of interface 7"),
    "caplen": (
        block(EPB, struct.pack("<5I", 0, 0, 5, 100, 100) + DATA),
        "Enhanced Packet Block of",
    ),
    "caplen 4 GB": (
        block(EPB, struct.pack("<5I", 0, 0, 5, 2**32 - 1, 100) + DATA),
        "a captured length of 4294967295",
    ),
    "large caplen": (epb(1, bytes(262_145)), "a captured length of 262145"),
    "large custom": (custom(1, bytes(262_148)), "a captured length of 262148"),
    "simple": (spb(DATA, 100), "Simple Packet Block of 76 octets"),
    "option": (
        block(EPB, struct.pack("<5I", 0, 0, 5, 60, 60) + DATA + b"\1\0\x90\1abcd"),
        "option 1 of 400 octets",
    ),
    "flags": (epb(1, DATA, pairs=[(2, b"\0\0")]), "epb_flags of 2 octets"),
}


@pytest.mark.parametrize("name", BAD_BLOCKS)
def test_damage_stands_at_the_block_and_keeps_what_came_before(name: str) -> None:
    bad, found = BAD_BLOCKS[name]
    before = HEAD + epb(1, DATA)
    frames, broken = read(before + bad + (b"" if "4 GB" in name else epb(3, DATA)))
    assert len(frames) == 1
    assert broken is not None
    assert broken.found.startswith(found)
    assert broken.offset == len(before)


def test_simple_packet_before_any_interface() -> None:
    assert read(shb() + spb(DATA))[1] is not None


@pytest.mark.parametrize(("first", "last"), [(77, 77), (77, 80), (80, 77), (80, 80)])
def test_lengths_are_rounded_up_to_four_octets(first: int, last: int) -> None:
    body = struct.pack("<5I", 0, 0, 5, 45, 45) + DATA[:48]
    frames = whole(HEAD + with_lengths(EPB, body, first, last) + epb(1, b"next"))
    assert [f.data for f in frames] == [DATA[:45], b"next"]


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_minor_versions_that_are_read(minor: int) -> None:
    assert len(whole(shb(version=(1, minor)) + idb() + epb(1, DATA))) == 1


def test_cut_at_every_octet() -> None:
    blocks = [shb(), idb(pairs=[(2, b"eth0")]), epb(1, b"abc"), block(99, b"skip"), spb(b"abcdef")]
    blocks += [custom(1, b"data"), epb(2, b"", pairs=[(1, b"hello")]), opb(3, b"abcd")]
    is_frame = [False, False, True, False, True, True, True, True]
    data = b"".join(blocks)
    ends = [sum(map(len, blocks[: i + 1])) for i in range(len(blocks))]
    for cut in range(len(blocks[0]), len(data) + 1):
        frames, broken = read(data[:cut])
        done = sum(end <= cut for end in ends)
        assert len(frames) == sum(is_frame[:done])
        if cut in ends:
            assert broken is None
        else:
            assert broken is not None
            assert broken.offset == ends[done - 1]


def test_unknown_block_larger_than_any_block_of_input_is_passed_over() -> None:
    data = HEAD + epb(1, DATA) + block(99, bytes(100_000)) + epb(2, DATA)
    frames, broken = read(data[i : i + 777] for i in range(0, len(data), 777))
    assert [f.number for f in frames] == [1, 2]
    assert broken is None


def test_unknown_block_that_is_cut_is_damage_at_its_start() -> None:
    start = HEAD + epb(1, DATA)
    data = start + block(99, bytes(100_000))[:-5]
    frames, broken = read(data[i : i + 777] for i in range(0, len(data), 777))
    assert len(frames) == 1
    assert broken is not None
    assert (broken.offset, broken.found) == (
        len(start),
        "the end of the file after 100007 octets of a pcapng block",
    )


CLOCKS = {b"\x06": (1000, 1), b"\x09": (1, 1), b"\x03": (10**6, 1), b"\x0b": (1, 100)}
CLOCKS |= {b"\x94": (10**9, 1 << 20), b"\xa0": (10**9, 1 << 32), b"\x00": (10**9, 1)}
PACKETS = st.lists(
    st.tuples(
        st.integers(0, 9_000_000_000),
        st.binary(max_size=70),
        st.integers(0, 2),
        st.lists(
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9), max_size=2
        ),
    ),
    max_size=12,
)
CLOCK = st.sampled_from(sorted(CLOCKS))


@given(
    st.lists(
        st.tuples(st.sampled_from("<>"), st.tuples(CLOCK, CLOCK, CLOCK), PACKETS),
        min_size=1,
        max_size=3,
    ),
    st.integers(128, 500),
)
def test_round_trip(
    sections: list[tuple[str, tuple[bytes, bytes, bytes], list[tuple[int, bytes, int, list[str]]]]],
    size: int,
) -> None:
    data = b""
    expected: list[Frame] = []
    for section, (order, clocks, packets) in enumerate(sections, 1):
        data += shb(order)
        data += b"".join(idb(i, pairs=[(9, c)], order=order) for i, c in enumerate(clocks))
        for ticks, octets, port, comments in packets:
            pairs = [(1, comment.encode()) for comment in comments]
            data += epb(ticks, octets, port, pairs=pairs, order=order)
            numerator, denominator = CLOCKS[clocks[port]]
            time = ticks * numerator // denominator
            interface = Interface(port, port, section)
            number = len(expected) + 1
            expected.append(Frame(number, time, len(octets), octets, interface, tuple(comments)))
    frames, broken = read(data[i : i + size] for i in range(0, len(data), size))
    assert broken is None
    assert frames == expected
