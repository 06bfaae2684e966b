"""Small tables of packets, from what each packet holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from decoders.displayfilter import expression, parse
from decoders.fields import FIELDS, ColumnType, FieldType

Packet = Mapping[str, Sequence[Any]]
"""Field -> its own values; ``field/quoted`` -> those of the packet an ICMP error quotes."""

_DTYPES = {
    ColumnType.INT32: pl.Int32(),
    ColumnType.INT64: pl.Int64(),
    ColumnType.STRING: pl.String(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.BINARY: pl.Binary(),
}


def table(packets: Sequence[Packet], needed: frozenset[str]) -> pl.DataFrame:
    """A table of packets with the columns of ``needed`` and of all that the packets hold."""
    columns: dict[str, list[Any]] = {"frame_number": list(range(1, len(packets) + 1))}
    dtypes: dict[str, Any] = {"frame_number": pl.Int64()}

    def column(name: str, field: str) -> list[Any]:
        dtypes[name] = _DTYPES[FIELDS[field].column_type]
        return columns.setdefault(name, [None] * len(packets))

    for field in needed:
        for part in FIELDS[field].of or (field,):
            column(FIELDS[part].column, part)
    for row, packet in enumerate(packets):
        for key, values in packet.items():
            field, _, quoted = key.partition("/")
            name = FIELDS[field].quoted_column if quoted else FIELDS[field].own_column
            column(FIELDS[field].column, field)
            for occurrence, value in enumerate(values, start=1):
                column(name(occurrence), field)[row] = value
    return pl.DataFrame({name: pl.Series(v, dtype=dtypes[name]) for name, v in columns.items()})


def matches(text: str, packets: Sequence[Packet], **macros: str) -> list[int]:
    """Numbers of the packets that a filter lets through."""
    found = parse(text, macros)
    frame = table(packets, found.fields)
    test = expression(found, set(frame.columns))
    result = nw.from_native(frame.lazy()).select("frame_number", kept=test).collect().to_native()
    assert isinstance(result, pl.DataFrame)
    assert result["kept"].dtype == pl.Boolean
    assert result["kept"].null_count() == 0
    return result.filter("kept")["frame_number"].to_list()


def occurrences(packet: Packet, field: str) -> list[Any]:
    """All values of a field in a packet, in the order Wireshark has them."""
    found: list[Any] = []
    for part in FIELDS[field].of or (field,):
        found += [*packet.get(part, ()), *packet.get(f"{part}/quoted", ())]
    if FIELDS[field].type is FieldType.BOOLEAN:
        return [int(value) for value in found]
    return found
