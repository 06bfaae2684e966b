"""The reference decoder as a whole: one row a frame, nothing lost, in order, lazily."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.containers import Capture, open_captures
from decoders.frames import Frame, Interface
from decoders.layers.dispatch import LINK_TYPES
from decoders.reference import Decoder, kept, rows
from tests.decoders.capture_bytes import custom, epb, idb, pcap_header, pcap_record, shb, spb
from tests.decoders.frame_bytes import (
    A,
    B,
    eth,
    ip4,
    ipv4,
    number,
    ppp,
    pppoe,
    tcp,
    udp,
    udp4,
    unreachable,
    vlan,
)

COMMENT, IF_NAME = 1, 2


def capture(path: Path, data: bytes) -> Capture:
    path.write_bytes(data)
    return open_captures([path])


def frame_of(data: bytes, number: int = 1, link: int = 1) -> Frame:
    return Frame(number, 10**9 * number, len(data), data, Interface(link))


def test_fields_of_frames(tmp_path: Path) -> None:
    pairs = [(COMMENT, b"first"), (COMMENT, b"second")]
    data = shb() + idb(1, pairs=[(IF_NAME, b"wan")]) + idb(101)
    data += epb(5_000_000, udp4(A, 1, B, 2), wire_length=1500, pairs=pairs)
    data += epb(4_000_000, ipv4(17, udp(1, 2)), 1) + spb(udp4(A, 1, B, 2)) + custom(1, b"\xa5" * 8)
    first, second, third, fourth = rows(capture(tmp_path / "x.pcapng", data))
    assert first.own["frame.number"] == [1]
    assert first.own["frame.len"] == [1500]
    assert first.own["frame.time_epoch"] == [5_000_000_000]
    assert first.own["frame.time_relative"] == [0]
    assert first.own["frame.interface_name"] == ["wan"]
    assert first.own["frame.comment"] == ["first", "second"]
    assert first.own["frame.section_number"] == [1]
    assert second.own["frame.time_relative"] == [-1_000_000_000]
    assert second.own["frame.time_delta"] == [-1_000_000_000]
    assert second.own["frame.interface_name"] == ["unknown"]
    assert second.own["frame.interface_id"] == [1]
    assert "frame.time_epoch" not in third.own
    assert third.own["udp.stream"] == [0]
    assert fourth.own["frame.protocols"] == ["data"]
    assert "frame.interface_id" not in fourth.own


def test_several_captures_are_one(tmp_path: Path) -> None:
    for name, seconds, port in (("a", 1, 7), ("b", 2, 8), ("c", 0, 7)):
        data = pcap_header() + pcap_record(seconds, 0, udp4(A, port, B, 9))
        (tmp_path / f"{name}.pcap").write_bytes(data)
    paths = [tmp_path / f"{name}.pcap" for name in "abc"]
    found = list(rows(open_captures(paths)))
    assert [row.own["frame.number"] for row in found] == [[1], [2], [3]]
    assert [row.own["udp.srcport"] for row in found] == [[7], [7], [8]]
    assert [row.own["udp.stream"] for row in found] == [[0], [0], [1]]


PARTS = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda data: eth(0x0800, data), st.binary(max_size=60)),
    st.builds(lambda data: ip4(ipv4(6, tcp(1, 2, "A", 1, 1, data))), st.binary(max_size=20)),
    st.builds(unreachable, st.binary(max_size=60)),
)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.tuples(PARTS, st.sampled_from([1, 101, 113, 51, 65000])), max_size=12))
def test_one_row_a_frame_whatever_it_holds(frames: list[tuple[bytes, int]]) -> None:
    decoder = Decoder()
    made = [frame_of(data, nth, link) for nth, (data, link) in enumerate(frames, start=1)]
    found = [decoder.row(frame) for frame in made]
    assert [row.own["frame.number"][0] for row in found] == list(range(1, len(frames) + 1))
    assert [row.own["frame.cap_len"][0] for row in found] == [len(data) for data, _ in frames]


HEADERS = st.sampled_from(
    [
        lambda data: eth(0x8100, vlan(7, 0x8864, pppoe(ppp(0x0021, data)))),
        lambda data: ip4(ipv4(6, data)),
        lambda data: ip4(ipv4(17, data)),
        lambda data: ip4(ipv4(1, data)),
        lambda data: ip4(ipv4(47, data)),
        lambda data: eth(0x86DD, struct.pack(">IHBB", 6 << 28, len(data), 0, 1) + data),
        unreachable,
    ]
)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(HEADERS, st.binary(max_size=100), st.integers(0, 100))
def test_no_octets_raise_at_any_depth(build: object, data: bytes, cut: int) -> None:
    assert callable(build)
    frame = build(data)
    row = Decoder().row(frame_of(frame[: len(frame) - cut]))
    assert row.own["frame.number"] == [1]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(sorted(LINK_TYPES)), st.integers(0, 80), st.data())
def test_presence_grows_with_what_was_captured(link: int, size: int, data: st.DataObject) -> None:
    octets = data.draw(st.binary(min_size=size, max_size=size))
    present: set[str] = set()
    for captured in range(size + 1):
        frame = Frame(1, 0, size, octets[:captured], Interface(link))
        row = Decoder().row(frame)
        names = {name for name in row.own if name in GROWING}
        assert present <= names
        present = names


GROWING = ("frame", "eth", "vlan", "ip", "ipv6", "arp", "ip.src", "ip.dst", "tcp", "pppoes", "ppp")


def test_wanted_fields_only() -> None:
    frame = frame_of(udp4(A, 1, B, 2))
    row = Decoder(["udp.stream", "ip.src"]).row(frame)
    assert row.own["udp.stream"] == [0]
    assert row.own["ip.src"] == [number(A)]
    assert "ip.dst" not in row.own
    assert "frame.protocols" not in row.own


@pytest.mark.parametrize("wanted", ["tcp.stream", "tcp.analysis.retransmission", "eth.padding"])
def test_a_field_does_not_depend_on_which_others_are_wanted(wanted: str) -> None:
    syn = ip4(ipv4(6, tcp(1, 2, "S", 5))) + bytes(6)
    frames = [frame_of(syn, nth) for nth in (1, 2)]
    everything, only = Decoder(), Decoder([wanted])
    for frame in frames:
        assert everything.row(frame).own.get(wanted) == only.row(frame).own.get(wanted)


class Endless:
    """A capture that never ends."""

    path, damage = "endless", None

    def frames(self) -> Iterator[Frame]:
        number = 0
        while True:
            number += 1
            yield frame_of(udp4(A, number & 0xFFFF, B, 9), number)


def test_rows_are_made_one_at_a_time() -> None:
    endless: object = Endless()
    found = list(islice(rows(endless), 3))  # type: ignore[arg-type]  # any source of frames does
    assert [row.own["udp.stream"] for row in found] == [[0], [1], [2]]


def test_kept_frames_are_numbered_anew() -> None:
    frames = [frame_of(bytes((nth,)), nth) for nth in range(1, 6)]
    left = list(kept(frames, [False, True, False, True, True]))
    assert [(frame.number, frame.data) for frame in left] == [(1, b"\2"), (2, b"\4"), (3, b"\5")]
    assert list(kept(frames, None)) == frames
    assert list(kept(frames, [False] * 5)) == []
