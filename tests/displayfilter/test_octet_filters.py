"""Filters that look into octets, on golden captures; the frames are those of tshark 4.0.17."""

from __future__ import annotations

from pathlib import Path

import narwhals as nw
import pytest

from decoders.containers import open_captures
from decoders.displayfilter import expression, parse
from decoders.table import decode
from tests.harness.command_cases import pcap

GOLDEN = Path(__file__).parent.parent / "golden"


def frames(capture: str, text: str) -> list[int]:
    parsed = parse(text)
    packets = decode(open_captures([GOLDEN / capture]), parsed.fields).packets
    kept = nw.from_native(packets).filter(expression(parsed, packets.columns))
    return [int(number) for number in kept["frame_number"]]


@pytest.mark.parametrize(
    ("capture", "text", "expected"),
    [
        ("ppp_protocols.pcap", "len(lcp) == 8", [3, 4, 23, 34]),
        ("ppp_protocols.pcap", "lcp[0] == 9", [3, 23, 24]),
        ("ppp_protocols.pcap", "len(pap) > 7", [6]),
        ("ppp_protocols.pcap", "len(chap) == 25", [8]),
        ("ppp_protocols.pcap", "len(ccp) == 4", [12]),
        ("ppp_protocols.pcap", 'ppp contains "a"', [6, 8, 15, 23]),
        ("ppp_protocols.pcap", "ip[0:1] == 45 && len(ip) == 20", [13, 16, 27, 28, 29, 30, 31]),
        ("pppoe_discovery.pcap", "len(pppoed) == 19", [2]),
        ("eth_frames.pcap", "len(llc) == 8", [7, 8, 13]),
        ("eth_frames.pcap", "len(llc) == 3", [9]),
        ("eth_frames.pcap", "len(mpls) == 4", [26]),
        ("udp_ports.pcap", "len(ntp) == 48", [9, 10, 12]),
        ("udp_ports.pcap", "len(mdns) == 29", [21]),
        ("tunnels.pcap", "len(gre) == 12", [9]),
        ("tunnels.pcap", "gre[2:2] == 08:00", [5]),
        ("link_types.pcapng", "len(sll) == 20", [17, 18, 19]),
        ("link_types.pcapng", "len(null) == 4", [1, 2, 3, 4, 5, 6, 7]),
        ("truncated.pcap", "len(udp) == 8", [34, 35, 36, 37, 38, 39, 40]),
    ],
)
def test_octets_of_a_protocol(capture: str, text: str, expected: list[int]) -> None:
    assert frames(capture, text) == expected


@pytest.mark.parametrize(
    "text",
    ["eth.padding[0:2] == 00:00", "eth.padding contains 00:00", r'eth.padding matches "\x00"'],
)
def test_octets_of_padding(text: str) -> None:
    padded = frames("eth_frames.pcap", "len(eth.padding) > 1")
    assert padded
    assert frames("eth_frames.pcap", text) == padded


# IPv4 in IPv4 with a UDP datagram: a TTL of 3 in the inner header, then in the outer one.
INNER = (
    "0000000000000000000000000800450000300001000040040000c0000201c6336401"
    "4500001c0001000003110000c0000201c63364010001000200080000"
)
OUTER = (
    "0000000000000000000000000800450000300001000003040000c0000201c6336401"
    "4500001c0001000040110000c0000201c63364010001000200080000"
)


@pytest.mark.parametrize("decoder", ["reference", "columnar"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_ws.expert#1", [2]),
        ("_ws.expert#2", [1]),
        ("_ws.expert.severity#2 == 0x400000", [1]),
        ("!(_ws.expert#2)", [2]),
    ],
)
def test_the_header_that_an_expert_item_is_about(
    text: str, expected: list[int], decoder: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(bytes.fromhex(INNER), bytes.fromhex(OUTER)))
    parsed = parse(text)
    packets = decode(open_captures([path]), parsed.fields, decoder=decoder).packets
    kept = nw.from_native(packets).filter(expression(parsed, packets.columns))
    assert [int(number) for number in kept["frame_number"]] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eth.dst[3:1] != ff", []),
        ("eth.dst[3:1] == ff", []),
        ("!(eth.dst[3:1] == ff)", list(range(1, 18))),
        ("eth.dst[3:1] == 0xff", [10]),
    ],
)
def test_a_lone_ff_is_a_protocol(text: str, expected: list[int]) -> None:
    assert frames("filters_mix.pcap", text) == expected
    assert bool(parse(text).warnings) == ("0x" not in text)
