"""pcap: kinds, byte orders, times, lengths, and where reading stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders import pcap
from decoders.frames import Frame, Interface
from decoders.wrapping import Broken
from tests.decoders.capture_bytes import MODIFIED, NS, US, pcap_header, pcap_record

# Little-endian, microseconds, Ethernet; one record of three octets out of 60, at 1.000002 s.
LITERAL = bytes.fromhex(
    "d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000"
    "01000000 02000000 03000000 3c000000 a5b6c7"
)


def read(blocks: bytes | Iterable[bytes]) -> tuple[list[Frame], Broken | None]:
    source = iter((blocks,)) if isinstance(blocks, bytes) else iter(blocks)
    frames: list[Frame] = []
    try:
        for batch in pcap.batches(source):
            frames += batch
    except Broken as broken:
        return frames, broken
    return frames, None


def test_literal_capture() -> None:
    frames, broken = read(LITERAL)
    assert frames == [Frame(1, 1_000_002_000, 60, b"\xa5\xb6\xc7", Interface(1))]
    assert broken is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "name", "time"),
    [
        (US, "pcap", 7_000_005_000),
        (NS, "pcap-ns", 7_000_000_005),
        (MODIFIED, "pcap-modified", 7_000_005_000),
    ],
)
def test_kinds_and_byte_orders(magic: int, name: str, order: str, time: int) -> None:
    record = pcap_record(7, 5, b"\xa5" * 9, order=order, modified=magic == MODIFIED)
    data = pcap_header(magic, order, 101) + record * 2
    frames, broken = read(data)
    kind = pcap.kind_of(data)
    assert kind is not None
    assert kind.format == name
    assert [(f.number, f.time_ns, f.data) for f in frames] == [
        (1, time, b"\xa5" * 9),
        (2, time, b"\xa5" * 9),
    ]
    assert frames[0].interface == Interface(101, None, None, None, None)
    assert broken is None


def test_fraction_of_a_second_or_more_is_carried_over() -> None:
    data = pcap_header() + pcap_record(1_500_000_030, 1_500_000, b"x")
    assert read(data)[0][0].time_ns == 1_500_000_031_500_000_000


def test_seconds_and_fraction_are_unsigned() -> None:
    data = pcap_header(NS) + pcap_record(0xFFFFFFFF, 0xFFFFFFFF, b"x")
    assert read(data)[0][0].time_ns == 4_294_967_295 * 10**9 + 4_294_967_295


@pytest.mark.parametrize(
    ("link", "linktype", "fcs"),
    [
        (1, 1, None),
        (0x24000001, 1, 4),
        (0x14000071, 113, 2),
        (0x20000001, 1, None),
        (0x04000001, 1, 0),
    ],
)
def test_fcs_bits_of_the_link_type(link: int, linktype: int, fcs: int | None) -> None:
    frame = read(pcap_header(link=link) + pcap_record(1, 0, b"x"))[0][0]
    assert frame.interface == Interface(linktype, fcs_octets=fcs)


@pytest.mark.parametrize(
    ("version", "captured", "wire"),
    [((2, 4), 60, 50), ((2, 3), 50, 60), ((2, 2), 50, 60), ((543, 0), 50, 60)],
)
def test_order_of_lengths_by_version(version: tuple[int, int], captured: int, wire: int) -> None:
    frame = read(pcap_header(version=version) + pcap_record(1, 0, bytes(60), 50))[0][0]
    assert (len(frame.data), frame.wire_length) == (captured, wire)


def test_version_2_2_has_lengths_the_other_way_even_when_plausible() -> None:
    frames, broken = read(pcap_header(version=(2, 2)) + pcap_record(1, 0, bytes(60), 70))
    assert frames == []
    assert broken is not None
    assert broken.offset == 24


@pytest.mark.parametrize("version", [(1, 0), (3, 0), (0, 0)])
def test_unknown_version(version: tuple[int, int]) -> None:
    _, broken = read(pcap_header(version=version))
    assert broken is not None
    assert broken.found == f"pcap version {version[0]}.{version[1]}"


def test_reserved_link_type_bits() -> None:
    _, broken = read(pcap_header(link=0x00010001))
    assert broken is not None
    assert broken.offset == 20


@pytest.mark.parametrize("length", [262_145, 256 << 20, 0xFFFFFFFF])
def test_oversized_record_is_damage_at_its_offset(length: int) -> None:
    bad = pcap_record(1, 0, b"", order="<")[:8] + length.to_bytes(4, "little") * 2
    frames, broken = read(LITERAL + bad + b"\xa5" * 50)
    assert len(frames) == 1
    assert broken is not None
    assert (broken.offset, broken.found) == (len(LITERAL), f"a captured length of {length}")


def test_largest_record() -> None:
    frames, broken = read(pcap_header() + pcap_record(1, 0, bytes(262_144)))
    assert len(frames[0].data) == 262_144
    assert broken is None


@pytest.mark.parametrize("magic", [US, MODIFIED])
def test_cut_at_every_octet(magic: int) -> None:
    modified = magic == MODIFIED
    records = [pcap_record(n, n, b"\xa5" * n, modified=modified) for n in (5, 0, 3)]
    data = pcap_header(magic) + b"".join(records)
    starts = [24]
    for record in records:
        starts.append(starts[-1] + len(record))
    for cut in range(24, len(data) + 1):
        frames, broken = read(data[:cut])
        whole = max(i for i, start in enumerate(starts) if start <= cut)
        assert [f.time_ns for f in frames] == [n * 1_000_001_000 for n in (5, 0, 3)[:whole]]
        if cut in starts:
            assert broken is None
        else:
            assert broken is not None
            assert broken.offset == starts[whole]


@pytest.mark.parametrize("cut", [4, 20, 23])
def test_cut_header(cut: int) -> None:
    frames, broken = read(LITERAL[:cut])
    assert frames == []
    assert broken is not None
    assert broken.found == f"the end of the file after {cut} octets"


RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=80),
        st.integers(0, 2**32 - 1),
    ),
    max_size=20,
)


@given(
    RECORDS,
    st.sampled_from([US, NS, MODIFIED]),
    st.sampled_from("<>"),
    st.integers(0, 65535),
    st.integers(64, 300),
)
def test_round_trip(
    records: list[tuple[int, int, bytes, int]], magic: int, order: str, link: int, block: int
) -> None:
    data = pcap_header(magic, order, link) + b"".join(
        pcap_record(s, f, d, w, order=order, modified=magic == MODIFIED) for s, f, d, w in records
    )
    scale = 1 if magic == NS else 1000
    frames, broken = read(data[i : i + block] for i in range(0, len(data), block))
    assert broken is None
    assert frames == [
        Frame(n, s * 10**9 + f * scale, w, d, Interface(link))
        for n, (s, f, d, w) in enumerate(records, 1)
    ]


def test_blocks_are_asked_for_only_when_needed() -> None:
    asked = []

    def blocks() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield LITERAL if number == 0 else LITERAL[24:]

    batches = pcap.batches(blocks())
    assert len(next(batches)) == 1
    assert asked == [0]


@pytest.mark.parametrize(
    ("magic", "extra"), [(US, b"\x01\0\0\0\x08\0\0\0"), (US, b"\x5a" * 4), (MODIFIED, b"\x5a" * 4)]
)
def test_larger_record_headers_under_the_usual_magic(magic: int, extra: bytes) -> None:
    # As tcpdump of Red Hat 6.1, Nokia and SuSE 6.3 wrote them; the header says nothing of it.
    record = pcap_record(7, 5, b"\xa5" * 9, modified=magic == MODIFIED)
    odd = record[:-9] + extra + record[-9:]
    frames, broken = read(pcap_header(magic) + odd * 4)
    assert [frame.data for frame in frames] == [b"\xa5" * 9] * 4
    assert broken is None


def test_a_file_that_is_only_cut_keeps_the_usual_record_headers() -> None:
    # Eight octets of a second record: read with larger headers the file would be whole.
    record = pcap_record(7, 5, b"\xa5" * 9)
    frames, broken = read(pcap_header(US) + record + record[:8])
    assert [frame.data for frame in frames] == [b"\xa5" * 9]
    assert broken is not None


def test_one_odd_record_does_not_change_the_layout_of_the_others() -> None:
    # A fraction beyond a second: the other sizes fit even less.
    odd = pcap_record(7, 1_500_000, b"\xa5" * 9)
    frames, broken = read(pcap_header(US) + odd + pcap_record(8, 5, b"\xb6" * 9))
    assert [(frame.time_ns, len(frame.data)) for frame in frames] == [
        (8_500_000_000, 9),
        (8_000_005_000, 9),
    ]
    assert broken is None
