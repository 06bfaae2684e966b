"""Rows -> columns: occurrences, types, chunks, kept frames, counts, bounds."""

from __future__ import annotations

from pathlib import Path

import polars
import pytest

from decoders import table
from decoders.containers import Capture, open_captures
from decoders.table import Table, decode
from tests.decoders.capture_bytes import pcap_header, pcap_record
from tests.decoders.frame_bytes import (
    A,
    B,
    C,
    eth,
    icmp,
    ip4,
    ipv4,
    number,
    tcp,
    tcp4,
    udp,
    udp4,
    unreachable,
    vlan,
)

PROBE = ipv4(6, tcp(40000, 23, "S", 5), C, B)
FRAMES = (
    ip4(PROBE),
    unreachable(PROBE),
    eth(0x8100, vlan(100, 0x8100, vlan(7, 0x0800, ipv4(17, udp(1, 2, b"x"))))),
    ip4(ipv4(4, ipv4(17, udp(1, 2, b"x"), "10.0.0.1", "10.0.0.2"))),
    unreachable(ipv4(1, icmp(3, 3, bytes(4), PROBE), B, A)),
    eth(0x0806, b"\xa5" * 4),
    udp4(A, 3, B, 4),
)
WANTED = (
    "vlan.id",
    "ip.src",
    "tcp.dstport",
    "tcp.stream",
    "udp.stream",
    "ip.addr",
    "_ws.malformed",
)


def capture(path: Path, frames: tuple[bytes, ...] = FRAMES, link: int = 1) -> Capture:
    records = (pcap_record(1000 + nth, 0, frame) for nth, frame in enumerate(frames))
    path.write_bytes(pcap_header(link=link) + b"".join(records))
    return open_captures([path])


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("table") / "x.pcap"
    return decode(capture(path), WANTED, decoder="reference")


def column(of: Table, name: str) -> list[object]:
    return of.packets[name].to_list()


def test_a_column_for_each_occurrence(decoded: Table) -> None:
    none = None
    assert column(decoded, "vlan_id") == [none, none, 100, none, none, none, none]
    assert column(decoded, "vlan_id_2") == [none, none, 7, none, none, none, none]
    assert "vlan_id_3" not in decoded.packets.columns
    assert column(decoded, "ip_src_2") == [none, none, none, number("10.0.0.1"), none, none, none]
    assert column(decoded, "tcp_dstport") == [23, none, none, none, none, none, none]
    assert column(decoded, "tcp_dstport_quoted") == [none, 23, none, none, 23, none, none]
    quoted = [none, number(C), none, none, number(B), none, none]
    assert column(decoded, "ip_src_quoted") == quoted
    assert column(decoded, "ip_src_quoted_2") == [none] * 4 + [number(C), none, none]


def test_types_of_columns(decoded: Table) -> None:
    schema = decoded.packets.schema
    assert schema["frame_number"] == polars.Int64
    assert schema["vlan_id"] == schema["vlan_id_2"] == polars.Int32
    assert schema["ip_src"] == schema["ip_src_quoted"] == polars.Int64
    assert schema["_ws_malformed"] == polars.String


def test_an_alias_has_the_columns_of_its_parts(decoded: Table) -> None:
    assert "ip_addr" not in decoded.packets.columns
    assert column(decoded, "ip_dst")[:2] == [number(B), number(A)]


def test_counts(decoded: Table) -> None:
    assert decoded.count == decoded.packets.height == 7
    assert decoded.malformed == 1
    assert decoded.short == 0
    assert decoded.undecoded == {}
    assert decoded.decoder == "reference"
    assert column(decoded, "frame_number") == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_boundaries_of_chunks_do_not_show(
    size: int, decoded: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "CHUNK", size)
    again = decode(capture(tmp_path / "x.pcap"), WANTED)
    assert again.count == 7
    assert sorted(again.packets.columns) == sorted(decoded.packets.columns)
    assert again.packets.select(decoded.packets.columns).equals(decoded.packets)
    assert dict(again.packets.schema) == dict(decoded.packets.schema)


def test_kept_frames_are_a_file_of_their_own(tmp_path: Path) -> None:
    whole = capture(tmp_path / "whole.pcap")
    keep = [False, False, False, True, False, True, True]
    part = capture(tmp_path / "part.pcap", tuple(f for f, k in zip(FRAMES, keep, strict=True) if k))
    wanted = (*WANTED, "frame.time_relative", "frame.time_delta")
    kept, alone = decode(whole, wanted, keep=keep), decode(part, wanted)
    assert column(kept, "frame_number") == [1, 2, 3]
    assert column(kept, "udp_stream") == [0, None, 1]
    columns = sorted(alone.packets.columns)
    assert sorted(kept.packets.columns) == columns
    seconds = [3_000_000_000, 5_000_000_000, 6_000_000_000]
    assert column(kept, "frame_time_relative") == [at - seconds[0] for at in seconds]
    others = [name for name in columns if not name.startswith("frame_time")]
    assert kept.packets.select(others).equals(alone.packets.select(others))


def test_an_empty_capture_has_columns(tmp_path: Path) -> None:
    empty = decode(capture(tmp_path / "x.pcap", ()), WANTED)
    assert empty.count == empty.packets.height == 0
    assert "tcp_dstport" in empty.packets.columns
    assert empty.packets.schema["tcp_dstport"] == polars.Int32
    none_kept = decode(capture(tmp_path / "y.pcap"), WANTED, keep=[False] * 7)
    assert none_kept.count == 0


def test_what_is_not_seen_is_counted(tmp_path: Path) -> None:
    found = decode(capture(tmp_path / "x.pcap", (b"\xa5" * 30,) * 3, link=127), ["frame.len"])
    assert found.undecoded == {"link type 127 is not supported": 3}
    assert found.count == 3


def test_cut_frames_are_counted(tmp_path: Path) -> None:
    records = pcap_record(1, 0, tcp4(A, 1, B, 2)[:40], 54) + pcap_record(2, 0, tcp4(A, 1, B, 2))
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap_header() + records)
    found = decode(open_captures([path]), [])
    assert (found.count, found.short, found.malformed) == (2, 1, 0)


def test_occurrences_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_OCCURRENCES", 3)
    packet = ipv4(17, udp(1, 2, b"x"))
    for _ in range(9):
        packet = ipv4(4, packet)
    found = decode(capture(tmp_path / "x.pcap", (ip4(packet),)), ["ip.ttl"])
    columns = [name for name in found.packets.columns if name.startswith("ip_ttl")]
    assert columns == ["ip_ttl", "ip_ttl_2", "ip_ttl_3"]
    assert found.undecoded == {"more than 3 values of ip.ttl": 1}


def test_a_field_that_is_not_declared(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        decode(capture(tmp_path / "x.pcap"), ["tcp.dstprot"])


def test_progress_ends_at_the_number_of_frames(tmp_path: Path) -> None:
    told: list[int] = []
    decode(capture(tmp_path / "x.pcap"), [], progress=told.append)
    assert told[-1] == 7
