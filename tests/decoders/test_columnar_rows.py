"""Rows are written into columns eight at a time; a value that all rows have is held once."""

from __future__ import annotations

import random
from pathlib import Path

import polars
import pytest

from decoders.classify import CLASS
from decoders.columnar import constants, running
from decoders.columnar.annotation import Classes
from decoders.columnar.columns import Cells
from decoders.columnar.decoder import ColumnarDecoder
from decoders.columnar.numbers import FIELD_NUMBERS
from decoders.columnar.records import batches
from decoders.containers import open_captures
from decoders.fields import FIELDS
from decoders.frames import CaptureError
from decoders.table import decode
from tests.decoders.frame_bytes import Shot, eth, ip4, ipv4, tcp, udp
from tests.decoders.test_witness import written

USUAL = ip4(ipv4(6, tcp(1, 2, "S", 5, 0)))
OTHER_TTL = ip4(ipv4(6, tcp(1, 2, "S", 5, 0), ttl=9))
WITHOUT_IP = eth(0x1234, b"\0" * 46)
DATAGRAM = ip4(ipv4(17, udp(1, 2, b"")))

WANTED = ["ip.ttl", "ip.flags.df", "tcp.seq_raw", "tcp.flags.syn", "udp.srcport"]


def decoded(frames: list[bytes], tmp_path: Path) -> tuple[ColumnarDecoder, dict[str, list[object]]]:
    path = written(tmp_path / "rows.pcapng", [Shot(data) for data in frames])
    decoder = ColumnarDecoder(WANTED)
    (batch,) = batches(open_captures([path]))
    table = decoder.finish(decoder.decode(batch))
    return decoder, table.to_dict(as_series=False)


def test_a_value_that_all_rows_have_is_held_once(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.pcapng", [Shot(USUAL)] * 19)
    (batch,) = batches(open_captures([path]))
    found = ColumnarDecoder(WANTED).decode(batch).run.cells()
    held = {name: found.get(FIELD_NUMBERS[name]) for name in WANTED}
    assert held == {
        **{"ip.ttl": 64, "ip.flags.df": 0, "tcp.seq_raw": 5, "tcp.flags.syn": 1},
        "udp.srcport": None,
    }


@pytest.mark.parametrize("place", [0, 1, 7, 8, 9, 15, 16, 18])
@pytest.mark.parametrize("rows", [19, 24])
def test_one_row_that_differs_is_found_wherever_it_stands(
    place: int, rows: int, tmp_path: Path
) -> None:
    for other, ttl, seq, syn, port in (
        (OTHER_TTL, 9, 5, True, None),
        (WITHOUT_IP, None, None, None, None),
        (DATAGRAM, 64, None, None, 1),
    ):
        frames = [USUAL] * rows
        frames[place] = other
        _, columns = decoded(frames, tmp_path)
        expected = {
            **{"ip_ttl": (64, ttl), "ip_flags_df": (False, None if ttl is None else False)},
            **{"tcp_seq_raw": (5, seq), "tcp_flags_syn": (True, syn), "udp_srcport": (None, port)},
        }
        for name, (usual, odd) in expected.items():
            values = [usual] * rows
            values[place] = odd
            assert columns.get(name, [None] * rows) == values, name


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16, 17])
def test_rows_of_an_unfinished_group_are_written(rows: int, tmp_path: Path) -> None:
    frames = [ip4(ipv4(6, tcp(1, 2, "S", row, 0), ttl=row + 1)) for row in range(rows)]
    _, columns = decoded(frames, tmp_path)
    assert columns["ip_ttl"] == list(range(1, rows + 1))
    assert columns["tcp_seq_raw"] == list(range(rows))
    assert columns["tcp_flags_syn"] == [True] * rows


def test_room_for_columns_grows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frames = [ip4(ipv4(6, tcp(1, 2, "S", row, 0), ttl=row + 1)) for row in range(19)]
    usual = decoded(frames, tmp_path)[1]
    more, sizes = running._larger, []
    monkeypatch.setattr(running, "_FIRST_COLUMNS", 0)
    monkeypatch.setattr(running, "_MORE_COLUMNS", 0)
    monkeypatch.setattr(
        running, "_larger", lambda words, *a: sizes.append(len(words)) or more(words, *a)
    )
    assert decoded(frames, tmp_path)[1] == usual
    assert sizes
    assert sizes == sorted(set(sizes))


def test_cells_that_differ_are_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.pcapng", [Shot(USUAL)] * 9 + [Shot(OTHER_TTL)])
    (batch,) = batches(open_captures([path]))
    cells = ColumnarDecoder(WANTED).decode(batch).run.cells()[FIELD_NUMBERS["ip.ttl"]]
    assert isinstance(cells, Cells)
    assert cells.values.tolist() == [64] * 9 + [9]
    assert [octet & mask for octet, mask in zip(cells.bits.tolist(), (255, 3), strict=True)] == [
        255,
        3,
    ]


@pytest.mark.parametrize("place", [None, 0, 1, 8, 18])
def test_octets_that_all_rows_have_are_held_once(place: int | None, tmp_path: Path) -> None:
    frames = [USUAL] * 19
    if place is not None:
        frames[place] = USUAL[:5] + b"\x99" + USUAL[6:]
    path = written(tmp_path / "rows.pcapng", [Shot(data) for data in frames])
    decoder = ColumnarDecoder(["eth.dst", "replicap.octets.tcp"])
    (batch,) = batches(open_captures([path]))
    found = decoder.decode(batch)
    table = decoder.finish(found)
    assert table["eth_dst"].to_list() == [frame[:6] for frame in frames]
    assert table["replicap_octets_tcp"].to_list() == [USUAL[34:].decode("latin-1")] * 19
    once = isinstance(found.assembly.first(FIELDS["eth.dst"]), polars.Expr)
    assert once == (place is None)


def test_long_constants_are_not_kept(tmp_path: Path) -> None:
    constants._constant.cache_clear()
    payload = b"x" * 10_000
    frames = [ip4(ipv4(17, udp(1, 2, payload)))] * 9
    path = written(tmp_path / "rows.pcapng", [Shot(data) for data in frames])
    decoder = ColumnarDecoder(["replicap.octets.data"])
    (batch,) = batches(open_captures([path]))
    table = decoder.finish(decoder.decode(batch))
    assert table["replicap_octets_data"].to_list() == [payload.decode()] * 9
    assert constants._constant.cache_info().currsize <= 2


@pytest.mark.parametrize("seed", range(12))
def test_runs_of_like_frames_are_decoded_alike(seed: int, tmp_path: Path) -> None:
    """Runs that begin and end anywhere among groups of eight, of frames that share most fields."""
    chance = random.Random(seed)
    kinds = [
        USUAL,
        OTHER_TTL,
        WITHOUT_IP,
        DATAGRAM,
        USUAL[:20],
        ip4(ipv4(6, tcp(1, 2, "SA", 5, 9))),
    ]
    frames: list[bytes] = []
    while len(frames) < 90:
        frames += [chance.choice(kinds)] * chance.choice((1, 2, 7, 8, 9, 30))
    path = written(tmp_path / "rows.pcapng", [Shot(data) for data in frames])
    capture, fields = open_captures([path]), list(FIELDS)
    theirs = decode(capture, fields, decoder="reference").packets
    ours = decode(capture, fields, decoder="columnar").packets
    assert set(ours.columns) == set(theirs.columns)
    assert [n for n in ours.columns if not ours[n].equals(theirs[n], null_equal=True)] == []


FIN = ip4(ipv4(6, tcp(1, 2, "FA", 6, 9)))
"""Two expert items: that of the layer, and that it closes the connection."""
SYN_WITHOUT_SIZE = ip4(ipv4(6, tcp(1, 2, "S", 5, 0, options=b"\1\1\1\0")))


def test_second_expert_items_of_layers_and_of_the_analysis_share_columns(tmp_path: Path) -> None:
    wanted = ["_ws.expert", "_ws.expert.message", "replicap.expert.layer"]
    frames = [SYN_WITHOUT_SIZE] * 9 + [USUAL, FIN] + [SYN_WITHOUT_SIZE] * 3
    path = written(tmp_path / "rows.pcapng", [Shot(data) for data in frames])
    capture = open_captures([path])
    theirs = decode(capture, wanted, decoder="reference").packets
    ours = decode(capture, wanted, decoder="columnar").packets
    assert ours.to_dict(as_series=False) == theirs.to_dict(as_series=False)
    seconds = ours["_ws_expert_message_2"].to_list()
    assert seconds[0] == "SYN with options but without a maximum segment size"
    assert seconds[10] == "this FIN closes the connection"


def test_a_row_without_a_class_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.pcapng", [Shot(USUAL)] * 9)
    assert decode(open_captures([path]), [CLASS], decoder="columnar").classes == {
        "tcp-syn-probe": 9
    }
    monkeypatch.setattr(Classes, "annotate", lambda *_: None)
    with pytest.raises(CaptureError, match="0 packets with one class"):
        decode(open_captures([path]), [CLASS], decoder="columnar")
