"""The columnar decoder against the reference decoder: every cell, on every golden capture."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack

import numpy as np
import polars
import pytest

from decoders.columnar import running
from decoders.columnar.decoder import ColumnarDecoder
from decoders.columnar.records import batches
from decoders.containers import Capture, capture_files, open_captures
from decoders.fields import FIELDS
from decoders.frames import CaptureError
from decoders.table import Table, decode
from tests.decoders import test_rare_frames as rare
from tests.decoders.frame_bytes import Shot, ip4, ipv4, tcp
from tests.decoders.test_witness import MODULES, situations, written

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))
SMALL = 400_000
"""Octets of the real captures that are compared."""

EVERYTHING = list(FIELDS)


WITHOUT_MEMORY = ["eth", "ip", "ip.src", "ip.proto", "icmp", "tcp", "tcp.srcport", "tcp.flags.str"]
"""Fields that earlier frames do not change."""


def columnar(
    capture: Capture, wanted: list[str], keep: list[bool] | None = None
) -> tuple[ColumnarDecoder, polars.DataFrame]:
    decoder = ColumnarDecoder(wanted)
    parts = [decoder.empty()]
    for batch in batches(capture):
        first = batch.first - 1
        kept = None if keep is None else np.array(keep[first : first + len(batch)])
        parts.append(decoder.finish(decoder.decode(batch, kept)))
    return decoder, polars.concat(parts, how="diagonal")


def same(decoder: ColumnarDecoder, packets: polars.DataFrame, reference: Table) -> list[str]:
    """What differs: columns, cells or counters."""
    differences = sorted(set(packets.columns) ^ set(reference.packets.columns))
    for name in set(packets.columns) & set(reference.packets.columns):
        ours, theirs = packets[name], reference.packets[name]
        if ours.dtype != theirs.dtype or not ours.equals(theirs, null_equal=True):
            differences.append(name)
    counted = (decoder.count, decoder.malformed, decoder.short, dict(decoder.undecoded))
    if counted != (reference.count, reference.malformed, reference.short, reference.undecoded):
        differences.append("counters")
    if dict(decoder.classes) != reference.classes:
        differences.append("classes")
    return differences


def test_there_are_golden_captures() -> None:
    assert len(CAPTURES) > 30


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_cell_is_the_reference_decoders(path: Path) -> None:
    capture = open_captures([path])
    decoder, packets = columnar(capture, EVERYTHING)
    assert same(decoder, packets, decode(capture, EVERYTHING, decoder="reference")) == []


@pytest.mark.parametrize("module", MODULES)
def test_literal_frames_are_decoded_alike(module: str, tmp_path: Path) -> None:
    for name, situation in situations(module).items():
        capture = open_captures([written(tmp_path / f"{name}.pcapng", situation.shots)])
        decoder, packets = columnar(capture, EVERYTHING)
        assert decoder.count == len(situation.shots)
        reference = decode(capture, EVERYTHING, decoder="reference")
        assert (name, same(decoder, packets, reference)) == (name, [])


def test_frames_that_are_not_entered_are_said_alike(tmp_path: Path) -> None:
    shots = [Shot(frame) for frame in (*rare.NOT_ENTERED.values(), *rare.DEEP)]
    shots += rare.CUTS
    capture = open_captures([written(tmp_path / "rare.pcapng", shots)])
    decoder, packets = columnar(capture, EVERYTHING)
    assert packets["replicap_undecoded"].to_list()[: len(rare.NOT_ENTERED)] == [*rare.NOT_ENTERED]
    assert same(decoder, packets, decode(capture, EVERYTHING, decoder="reference")) == []


LYING = bytes((131, 3, 1)) * 13 + b"\0"
"""Thirteen source routes whose pointers lie, each with an expert item."""


def deep(seq: int) -> bytes:
    """A segment in eight IPv4 headers: 56 expert items of these."""
    packet = tcp(1, 2, "SAF", seq, 9, b"x")
    for nth, options in enumerate([LYING] * 4 + [b""] * 4):
        packet = ipv4(4 if nth else 6, packet, options=options, ttl=1)
    return ip4(packet)


def test_what_analysis_adds_beyond_the_columns_is_said(tmp_path: Path) -> None:
    shots = [Shot(deep(seq)) for seq in (5, 15, 0)]
    capture = open_captures([written(tmp_path / "deep.pcapng", shots)])
    said = "more than 64 values of _ws.expert.message"
    wanted = ["_ws.expert", "_ws.expert.message", "replicap.undecoded"]
    decoder, packets = columnar(capture, wanted)
    assert packets["replicap_undecoded"].to_list() == [None, said, said]
    assert dict(decoder.undecoded) == {said: 2}
    assert same(decoder, packets, decode(capture, wanted, decoder="reference")) == []
    decoder, _ = columnar(capture, ["frame.number"])
    assert dict(decoder.undecoded) == {}


@pytest.mark.parametrize(("name", "at_first"), [("_EVENTS", 1), ("_NODES", 2)])
def test_room_that_runs_out_changes_nothing(
    name: str, at_first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = open_captures([path for path in CAPTURES if path.stem == "icmp_embedded"])
    _, usual = columnar(capture, EVERYTHING)
    more, sizes = running._grown, []
    monkeypatch.setattr(running, name, at_first)
    monkeypatch.setattr(running, "_grown", lambda sink: sizes.append(len(sink)) or more(sink))
    _, packets = columnar(capture, EVERYTHING)
    assert len(sizes) > 2
    assert packets.equals(usual, null_equal=True)


def test_memory_of_finished_batches_leaves_no_trace(tmp_path: Path) -> None:
    (quoting,) = (path for path in CAPTURES if path.stem == "icmp_embedded")
    path = written(tmp_path / "plain.pcapng", [Shot(ip4(ipv4(6, tcp(1, 2, "S", 5, 0))))] * 5)
    decoder = ColumnarDecoder(WITHOUT_MEMORY)
    alone = ColumnarDecoder(WITHOUT_MEMORY)
    (plain,) = batches(open_captures([path]))
    (other,) = batches(open_captures([quoting]))
    expected = alone.finish(alone.decode(plain))
    decoder.finish(decoder.decode(other))
    found = decoder.finish(decoder.decode(plain)).drop("frame_number")
    assert found.equals(expected.drop("frame_number"), null_equal=True)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_frames_and_damage_are_those_of_the_container(path: Path) -> None:
    capture = open_captures([path])
    expected = list(capture.frames())
    damage = capture.damage
    found = [
        batch.frame(row, batch.first + row)
        for batch in batches(capture, octets=1)
        for row in range(len(batch))
    ]
    assert found == expected
    assert capture.damage == damage


def test_kept_frames_are_numbered_anew() -> None:
    (path,) = (path for path in CAPTURES if path.stem == "tcp_scan")
    capture = open_captures([path])
    total = sum(1 for _ in capture.frames())
    keep = [number % 3 != 0 for number in range(total)]
    decoder, packets = columnar(capture, EVERYTHING, keep)
    reference = decode(capture, EVERYTHING, keep=keep, decoder="reference")
    assert reference.count < total
    assert same(decoder, packets, reference) == []


ANOTHERS = {
    **{"frag_v4": 34, "frag_v6": 8, "tunnels": 8},  # fragments, tunnels
    **{"ng_blocks": 2, "ppp_protocols": 1, "eth_frames": 1},  # comments; LCP reject; MPLS
    **{"icmp_embedded": 1, "icmp_types": 1, "malformed_l4": 1},  # quoted fragments; version 6
}
"""Golden captures with frames that no kernel decodes wholly, and how many those are."""


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_kernels_decoded_all_but_these_frames(path: Path) -> None:
    decoder, packets = columnar(open_captures([path]), EVERYTHING)
    assert decoder.delegated == ANOTHERS.get(path.stem, 0)
    assert decoder.count == len(packets)


@pytest.mark.parametrize(
    "wanted",
    [
        ["replicap.item.data"],
        ["replicap.octets.dns", "replicap.length.ntp"],
        ["replicap.expert.layer"],
        ["replicap.octets.frame", "replicap.length.tcp", "replicap.class"],
    ],
    ids="+".join,
)
def test_octets_alone_are_the_reference_decoders(wanted: list[str]) -> None:
    """Whatever else is asked for: payloads that are not handed up have no octets either."""
    seen = delegated = 0
    for path in CAPTURES:
        capture = open_captures([path])
        decoder, packets = columnar(capture, wanted)
        assert same(decoder, packets, decode(capture, wanted, decoder="reference")) == []
        seen += sum(packets[name].count() for name in packets.columns[1:])
        delegated += decoder.delegated
    assert seen > 30
    assert delegated == sum(ANOTHERS.values())


def test_octets_are_text_of_one_character_each(tmp_path: Path) -> None:
    payload = bytes([0, 1, 0x7F, 0x80, 0xBF, 0xC0, 0xFF, *b"more than twelve"])
    frame = bytes(12) + b"\x12\x34" + payload
    path = tmp_path / "one.pcap"
    head = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    names = ["replicap.octets.data", "replicap.item.eth", "replicap.length.data"]
    decoder, packets = columnar(open_captures([path]), names)
    assert packets.row(0)[1:] == (payload.decode("latin-1"), "\0" * 12 + "\x124", len(payload))
    assert decoder.delegated == 0


def test_only_asked_columns_are_made() -> None:
    (path,) = (path for path in CAPTURES if path.stem == "tcp_scan")
    decoder, packets = columnar(open_captures([path]), ["tcp.dstport", "ip.src"])
    expected = ["frame_number", "ip_src", "ip_src_quoted", "tcp_dstport", "tcp_dstport_quoted"]
    assert sorted(packets.columns) == expected
    assert decoder.delegated == 0


def test_an_undeclared_field_is_refused() -> None:
    with pytest.raises(KeyError, match="no_such"):
        ColumnarDecoder(["no_such"])


@pytest.mark.parametrize("octets", [1, 2_000_000])
def test_the_table_does_not_depend_on_where_batches_end(octets: int, tmp_path: Path) -> None:
    path = tmp_path / "many.pcap"
    (scan,) = (path for path in CAPTURES if path.stem == "tcp_loss")
    data = scan.read_bytes()
    path.write_bytes(data[:24] + data[24:] * 400)
    capture = open_captures([path])
    wanted = ["frame.time_delta", "tcp.stream", "tcp.seq", "tcp.analysis.flags", "replicap.class"]
    decoder = ColumnarDecoder(wanted)
    parts = [decoder.finish(decoder.decode(batch)) for batch in batches(capture, octets)]
    whole = ColumnarDecoder(wanted)
    (batch,) = batches(capture, 1 << 30)
    assert octets > 1 or len(parts) > 1
    assert polars.concat(parts, how="diagonal").equals(
        whole.finish(whole.decode(batch)), null_equal=True
    )


def real_captures() -> list[Path]:
    directories = [Path(d) for d in os.environ.get("REPLICAP_CAPTURES", "").split(os.pathsep) if d]
    return [path for path in capture_files(directories) if path.stat().st_size < SMALL]


def test_real_captures_are_decoded_alike() -> None:
    paths = real_captures()
    if not paths:
        pytest.skip("REPLICAP_CAPTURES names no directory with captures")
    different = []
    for path in paths:
        try:
            capture = open_captures([path])
        except CaptureError:
            continue
        decoder, packets = columnar(capture, EVERYTHING)
        reference = decode(capture, EVERYTHING, decoder="reference")
        different += [(path.name, name) for name in same(decoder, packets, reference)]
    assert different == []
