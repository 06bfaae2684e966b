"""Whole columns are spelled as single values are."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from decoders.columns_as_text import cells, lines, occurrences
from decoders.containers import open_captures
from decoders.fields import FIELDS, ITEM, OCTETS, stored
from decoders.reference import rows
from decoders.spelling import spell
from decoders.table import decode

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))
SHOWN = [field for name, field in FIELDS.items() if not name.startswith((OCTETS, ITEM))]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("decoder", ["reference", "columnar"])
def test_every_cell_is_spelled_as_a_single_value(path: Path, decoder: str) -> None:
    capture = open_captures([path])
    table = decode(capture, [field.name for field in SHOWN], decoder=decoder)
    found = cells(table.packets, SHOWN, ";")
    expected = list(rows(capture, [field.name for field in stored(field.name for field in SHOWN)]))
    for place, field in enumerate(SHOWN):
        part = FIELDS[field.of[0]] if field.of else field
        texts = [
            ";".join(spell(part, value) for value in row.occurrences(field.name))
            for row in expected
        ]
        assert found[str(place)].to_list() == texts, field.name


def test_times_at_the_ends_of_the_range() -> None:
    delta = FIELDS["frame.time_delta"]
    values = [0, 1, -1, -1_000_000_001, 2**63 - 1, -(2**63), None]
    packets = pl.DataFrame({"frame_time_delta": values})
    assert lines(packets, [delta], ",").to_list() == [
        "0.000000000",
        "0.000000001",
        "-0.000000001",
        "-1.000000001",
        "9223372036.854775807",
        "-9223372036.854775808",
        "",
    ]


def test_numbers_addresses_and_what_is_missing() -> None:
    packets = pl.DataFrame(
        {
            "ip_src": [0, 0xC0000201, None],
            "ip_src_quoted": [None, 0xFFFFFFFF, None],
            "ip_dst": [1, None, None],
            "ip_id": [10, None, 0xABCD],
        }
    )
    names = ["ip.addr", "ip.src", "ip.id", "tcp.port"]
    assert lines(packets, [FIELDS[name] for name in names], ",").to_list() == [
        "0.0.0.0,0.0.0.1\t0.0.0.0\t0x000a\t",
        "192.0.2.1,255.255.255.255\t192.0.2.1,255.255.255.255\t\t",
        "\t\t0xabcd\t",
    ]


def test_a_field_of_several_parts_goes_header_by_header() -> None:
    columns = ["tcp_srcport_2", "tcp_dstport", "tcp_dstport_quoted", "tcp_srcport", "tcp_dstport_2"]
    found = [name for _, name in occurrences(FIELDS["tcp.port"], columns)]
    assert found == [
        *("tcp_srcport", "tcp_dstport", "tcp_srcport_2", "tcp_dstport_2"),
        "tcp_dstport_quoted",
    ]
