"""Every filter that tshark 4.0.17 answered, on the golden captures through the real decoder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import narwhals as nw
import pytest
import yaml

from decoders.containers import Capture, open_captures
from decoders.displayfilter import FilterError, expression, parse
from decoders.table import decode

GOLDEN = Path(__file__).parent.parent / "golden"
ENTRIES: list[dict[str, Any]] = yaml.safe_load((GOLDEN / "filters.yaml").read_text("utf-8"))
REQUIRED = [entry for entry in ENTRIES if not entry.get("optional")]

DIFFERENT = {
    ("streams_udp_upper.pcap", "udp.stream == 0"): "SNMP starts a second conversation",
    ("streams_udp_upper.pcap", "udp.stream == 1"): "SNMP starts a second conversation",
    ("streams_udp_upper.pcap", "udp.stream == 5"): "TFTP makes packets of other ports one stream",
    ("pcap_times.pcap", "_ws.expert"): "tshark notes a fraction of a second or more; it is a time",
    ("eth_frames.pcap", "_ws.malformed"): "IDP and LLDP are malformed inside, and not dissected",
}
"""What is answered differently, with the reason."""


@cache
def capture(name: str) -> Capture:
    return open_captures([GOLDEN / name])


def answer(entry: dict[str, Any]) -> list[int] | str:
    """Frame numbers, or the kind of the refusal."""
    try:
        parsed = parse(entry["filter"])
        packets = decode(capture(entry["capture"]), parsed.fields).packets
        kept = nw.from_native(packets).filter(expression(parsed, packets.columns))
    except FilterError as error:
        return error.kind
    return [int(number) for number in kept["frame_number"].to_list()]


def truth(entry: dict[str, Any]) -> list[int] | str:
    found: list[int] | str = entry.get("error", entry.get("matches"))
    return found


def test_every_filter_that_is_not_optional() -> None:
    different = {}
    for entry in REQUIRED:
        if answer(entry) != truth(entry):
            different[entry["capture"], entry["filter"]] = answer(entry)
    assert len(REQUIRED) == 703
    assert set(different) == set(DIFFERENT)


@pytest.mark.parametrize(
    "filter",
    [
        "!(pppoed) && !(lcp) && !(pap) && !(ipcp) && !(ipv6cp) && !(icmpv6.type == 133) && "
        "!(icmpv6.type == 134) && !(dhcpv6) && !(udp.stream == 2) && !(udp.stream == 3) && "
        "!(udp.stream == 4)",
        "!(icmp.code == 13)",
    ],
)
def test_the_filters_of_the_first_post_work_as_printed(filter: str) -> None:
    entries = [
        entry
        for entry in ENTRIES
        if entry["capture"] == "dialup_noise.pcapng" and entry["filter"] == filter
    ]
    assert len(entries) == 1
    assert answer(entries[0]) == entries[0]["matches"]
    assert entries[0]["matches"]
