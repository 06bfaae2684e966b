"""The captures of the benchmarks: so many packets, sound ones, of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.captures import write_capture
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
