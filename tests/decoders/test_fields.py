"""The registry: names and types are tshark's, columns are unique, misspelt names find theirs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from decoders.fields import FIELDS, UNSIGNED_BITS, ColumnType, FieldType, nearest, stored

OURS_ALONE = "replicap."


@pytest.fixture(scope="module")
def declared_by_tshark() -> dict[str, str]:
    """Name -> type, ``protocol`` for a protocol, as ``tshark -G fields`` says."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    version = subprocess.run([tshark, "--version"], capture_output=True, text=True, check=True)
    if " 4.0." not in version.stdout.partition("\n")[0]:
        pytest.skip("the fields are those of tshark 4.0")
    done = subprocess.run(
        [tshark, "-G", "fields"], capture_output=True, text=True, errors="replace", check=True
    )
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    kinds = {line[2]: "protocol" for line in lines if line[0] == "P"}
    return kinds | {line[2]: line[3] for line in lines if line[0] == "F"}


@pytest.mark.parametrize("name", [name for name in FIELDS if not name.startswith(OURS_ALONE)])
def test_name_and_type_are_those_of_tshark(name: str, declared_by_tshark: dict[str, str]) -> None:
    assert declared_by_tshark.get(name) == FIELDS[name].type.value


def test_our_own_prefix_is_nobody_elses(declared_by_tshark: dict[str, str]) -> None:
    assert len(declared_by_tshark) > 1000
    assert not [name for name in declared_by_tshark if name.startswith(OURS_ALONE)]


def test_names_of_columns_are_unique_and_never_another_occurrence() -> None:
    columns: dict[str, str] = {}
    for field in FIELDS.values():
        for column in (
            *map(field.own_column, range(1, 65)),
            *map(field.quoted_column, range(1, 65)),
        ):
            assert columns.setdefault(column, field.name) == field.name
    assert len({field.column for field in FIELDS.values()}) == len(FIELDS)


def test_columns_of_occurrences() -> None:
    field = FIELDS["tcp.dstport"]
    assert field.column == "tcp_dstport"
    assert field.own_column(1) == "tcp_dstport"
    assert field.own_column(3) == "tcp_dstport_3"
    assert field.quoted_column(1) == "tcp_dstport_quoted"
    assert field.quoted_column(2) == "tcp_dstport_quoted_2"


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("tcp", "tcp"),
        ("tcp.analysis.flags", "tcp"),
        ("_ws.expert.group", "_ws.expert"),
        ("_ws.malformed", "_ws.malformed"),
        ("frame.number", "frame"),
    ],
)
def test_the_protocol_of_a_field(name: str, protocol: str) -> None:
    assert FIELDS[name].protocol == protocol


@pytest.mark.parametrize(
    ("name", "column_type"),
    [
        ("tcp.dstport", ColumnType.INT32),
        ("tcp.seq_raw", ColumnType.INT64),
        ("ip.src", ColumnType.INT64),
        ("ipv6.src", ColumnType.BINARY),
        ("eth.src", ColumnType.BINARY),
        ("frame.time_epoch", ColumnType.INT64),
        ("frame.comment", ColumnType.STRING),
        ("tcp.flags.syn", ColumnType.BOOLEAN),
        ("tcp.analysis.retransmission", ColumnType.BOOLEAN),
        ("tcp", ColumnType.INT32),
        ("_ws.malformed", ColumnType.STRING),
    ],
)
def test_types_of_columns(name: str, column_type: ColumnType) -> None:
    assert FIELDS[name].column_type is column_type


def test_numbers_fit_their_columns() -> None:
    for field in FIELDS.values():
        bits = UNSIGNED_BITS.get(field.type, 0)
        assert field.column_type is not ColumnType.INT32 or bits < 32


def test_every_field_says_what_it_is() -> None:
    for name, field in FIELDS.items():
        assert field.name == name
        assert field.doc
        assert all(part in FIELDS and not FIELDS[part].of for part in field.of)
        if field.names:
            bits = UNSIGNED_BITS.get(field.type, 1)
            assert all(0 <= value < 1 << bits for value in field.names)
    assert FIELDS["tcp.port"].of == ("tcp.srcport", "tcp.dstport")
    assert FIELDS["tcp"].type is FieldType.PROTOCOL


def test_stored_takes_parts_once() -> None:
    names = [field.name for field in stored(("tcp.port", "tcp.dstport", "frame.number"))]
    assert names == ["tcp.srcport", "tcp.dstport", "frame.number"]
    with pytest.raises(KeyError):
        stored(("tcp.dstprot",))


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("tcp.dstprot", "tcp.dstport"), ("ip.scr", "ip.src"), ("vlan.ids", "vlan.id")],
)
def test_the_nearest_name(misspelt: str, meant: str) -> None:
    assert nearest(misspelt) == [meant]


def test_a_name_that_is_like_none() -> None:
    assert nearest("qqqqqqqq") == []
    assert len(nearest("tcp.flags", 3)) == 3
