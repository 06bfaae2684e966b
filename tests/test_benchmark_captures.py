"""The captures of the benchmarks: so many packets, sound ones, of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.captures import shapes, write_capture
from decoders.containers import open_captures
from decoders.table import decode


@pytest.mark.parametrize(("traffic", "packets"), [("scan", 1), ("scan", 5_000), ("mix", 5_001)])
def test_they_hold_so_many_sound_packets(traffic: str, packets: int, tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    write_capture(path, packets, traffic)
    capture = open_captures([path])
    wanted = [
        "tcp",
        "udp",
        "ipv6",
        "icmp",
        "lcp",
        "pppoes",
        "vlan.id",
        "ip.src",
        "frame.time_delta",
    ]
    table = decode(capture, wanted, decoder="reference")
    assert (table.count, table.malformed, table.short, table.undecoded) == (packets, 0, 0, {})
    assert capture.damage is None
    seen = table.packets
    assert seen["vlan_id"].to_list() == [7] * packets
    assert seen["frame_time_delta"].min() >= 0
    if traffic == "mix":
        assert all(seen[name].count() > 10 for name in ("tcp", "udp", "ipv6", "icmp", "lcp"))
        assert "tcp_quoted" in seen.columns
    else:
        assert seen["tcp"].to_list() == [1] * packets


def test_a_cut_capture_is_the_same_in_other_shapes(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pcap"
    write_capture(whole, 5_000, "scan")
    wanted = ["frame.time_delta", "tcp.stream", "tcp.seq", "ip.src", "replicap.class"]
    made = shapes(whole, tmp_path, 7)
    assert [len(paths) for _, paths in made] == [1, 1, 7]
    tables = []
    for _, paths in made:
        capture = open_captures(paths)
        tables.append(decode(capture, wanted, decoder="columnar"))
        assert capture.damage is not None
        assert "52 octets of a pcap record" in capture.damage.found
    assert [table.count for table in tables] == [4_999] * 3
    assert tables[0].packets.equals(tables[1].packets)
    assert tables[0].packets.equals(tables[2].packets)
    assert tables[0].packets["tcp_stream"].n_unique() > 4_000
