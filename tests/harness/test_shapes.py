"""One capture in many shapes: cut, compressed, in fifty files, by either decoder: equal figures."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from benchmarks.captures import write_capture
from decoders.containers import open_captures
from harness.engine import verify
from tests.harness.engine_cases import claims

PACKETS = 1_501
CLAIMS = claims(
    "measure: packets, equals: 1500",
    "where: tcp.dstport == 23 && !icmp, measure: packets, at_least: 1",
    "measure: {distinct: {field: ip.src, headers: all}}, at_least: 1",
    "measure: {streams: tcp}, at_least: 1",
    "measure: {largest: {by: tcp.dstport, n: 5}}, order: [23]",
    "stage: answered, measure: packets, at_least: 1",
    "measure: {spread: {bin: 1 h, statistic: max}}, at_least: 1",
    before="stages: [{id: all}, {id: answered, from: all, filter: icmp.code == 13}]\n",
)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The first 1500 packets of a capture whose last record is cut."""
    folder = tmp_path_factory.mktemp("shapes")
    whole = folder / "whole.pcap"
    write_capture(whole, PACKETS, "mix")
    octets = whole.read_bytes()[:-20]
    cut = folder / "cut.pcap"
    cut.write_bytes(octets)
    packed = folder / "cut.pcap.gz"
    packed.write_bytes(gzip.compress(octets))
    return {"cut": [cut], "cut.gz": [packed], "fifty": pieces(octets, folder)}


def pieces(octets: bytes, folder: Path) -> list[Path]:
    edges, at = [24], 24
    while at + 16 <= len(octets):
        at += 16 + struct.unpack_from("<I", octets, at + 8)[0]
        edges.append(min(at, len(octets)))
    step = -(-(len(edges) - 1) // 50)
    paths = []
    for nth, first in enumerate(range(0, len(edges) - 1, step)):
        last = min(first + step, len(edges) - 1)
        path = folder / f"piece-{nth:02}.pcap"
        path.write_bytes(octets[:24] + octets[edges[first] : edges[last]])
        paths.append(path)
    return paths


def figures(paths: list[Path], decoder: str) -> list[object]:
    report = verify(CLAIMS, open_captures(paths), decoder=decoder)
    assert report.decoder == decoder
    assert report.capture is not None
    assert report.capture.damage is not None
    assert report.exit_status() == 3
    return [report.capture.packets, *(verdict.measured for verdict in report.verdicts)]


@pytest.mark.parametrize("decoder", ["reference", "columnar"])
def test_every_shape_gives_the_same_figures(shapes: dict[str, list[Path]], decoder: str) -> None:
    assert len(shapes["fifty"]) >= 49
    expected = figures(shapes["cut"], "reference")
    assert expected[:2] == [1500, 1500]
    assert None not in expected
    for paths in shapes.values():
        assert figures(paths, decoder) == expected
