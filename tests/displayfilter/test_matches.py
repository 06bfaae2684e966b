"""What filters let through, on packets one can see."""

from __future__ import annotations

import pytest

from decoders.displayfilter import expression, parse
from tests.displayfilter.tables import Packet, matches

SCANNER, HOST, ROUTER = 0xC0000209, 0x0A000001, 0x0A000002
SECOND = 1_000_000_000

PACKETS: list[Packet] = [
    {  # 1: a SYN to Telnet
        "eth.src": [bytes.fromhex("020000000001")],
        "eth.dst": [bytes.fromhex("ffffffffffff")],
        "ip": [1],
        "ip.src": [SCANNER],
        "ip.dst": [HOST],
        "ip.ttl": [64],
        "ip.proto": [6],
        "tcp": [1],
        "tcp.srcport": [40000],
        "tcp.dstport": [23],
        "tcp.flags": [2],
        "tcp.flags.syn": [True],
        "tcp.flags.str": ["\u00b7" * 10 + "S\u00b7"],
        "frame.protocols": ["eth:ethertype:ip:tcp"],
        "frame.time_relative": [0],
        "frame.time_epoch": [1_500_000_000 * SECOND],
    },
    {  # 2: the error about it, which quotes it
        "ip": [1],
        "ip/quoted": [1],
        "ip.src": [ROUTER],
        "ip.src/quoted": [SCANNER],
        "ip.dst": [SCANNER],
        "ip.dst/quoted": [HOST],
        "ip.ttl": [255],
        "ip.ttl/quoted": [3],
        "icmp": [1],
        "icmp.type": [3],
        "icmp.code": [13],
        "tcp/quoted": [1],
        "tcp.srcport/quoted": [40000],
        "tcp.dstport/quoted": [23],
        "frame.protocols": ["eth:ethertype:ip:icmp:ip:tcp"],
        "frame.time_relative": [SECOND + SECOND // 2],
        "frame.time_epoch": [1_500_000_001 * SECOND + SECOND // 2],
    },
    {  # 3: two tags, IPv6
        "vlan": [1, 1],
        "vlan.id": [100, 7],
        "ipv6": [1],
        "ipv6.src": [bytes.fromhex("fe80") + bytes(13) + b"\x01"],
        "ipv6.dst": [bytes.fromhex("20010db8") + bytes(11) + b"\x01"],
        "udp": [1],
        "udp.srcport": [123],
        "udp.dstport": [123],
        "_ws.malformed": ["text"],
        "frame.time_relative": [-SECOND],
    },
    {"icmp": [1], "icmp.type": [8], "icmp.code": [0], "tcp.analysis.flags": [True]},
]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", [1, 2, 3, 4]),
        ("tcp", [1, 2]),
        ("!tcp", [3, 4]),
        ("_ws.malformed", [3]),
        ("tcp.analysis.flags", [4]),
        ("!(icmp.code == 13)", [1, 3, 4]),
        ("icmp.code != 13", [4]),
        ("ip.src == 192.0.2.9", [1, 2]),
        ("ip.src != 192.0.2.9", []),
        ("ip.src !== 192.0.2.9", [2]),
        ("any ip.src != 192.0.2.9", [2]),
        ("ip.src === 192.0.2.9", [1]),
        ("ip.src#1 == 192.0.2.9", [1]),
        ("ip.src#2 == 192.0.2.9", [2]),
        ("ip.src#[-1] == 192.0.2.9", [1, 2]),
        ("ip#2", [2]),
        ("vlan#2", [3]),
        ("vlan.id#2 == 7", [3]),
        ("vlan.id == 7 and vlan.id == 100", [3]),
        ("vlan.id != 7", []),
        ("count(vlan.id) == 2", [3]),
        ("count(vlan) == 0", []),
        ("ip.src == ip.dst", [2]),
        ("ip.addr == 10.0.0.0/8", [1, 2]),
        ("ip.addr != 10.0.0.0/8", []),
        ("ip.addr > 10.0.0.0/8", [1, 2]),
        ("ip.addr < 10.0.0.0/8", []),
        ("ip.addr in {10.0.0.2 .. 10.0.0.9}", [2]),
        ("ipv6.addr == fe80::/10", [3]),
        ("ipv6.src == 2001:DB8::1", []),
        ("ipv6.addr == 2001:DB8::1", [3]),
        ("ipv6.src[0:2] == fe:80", [3]),
        ("tcp.port > 1000 and tcp.port < 1100", [1, 2]),
        ("tcp.port in {1000..1100}", []),
        ("tcp.port in {24..100}", []),
        ("tcp.port not in {23}", [3, 4]),
        ("tcp.port == 027", [1, 2]),
        ("tcp or udp and icmp", [1, 2]),
        ("not tcp or udp", [3, 4]),
        ("tcp.flags.syn == Set", [1]),
        ("tcp.flags.syn == 2", [1]),
        ("tcp.flags.syn > 0", [1]),
        ("tcp.flags & 2 == 2", [1]),
        ("{tcp.flags & 0x12} == 2", [1]),
        ("tcp.srcport - tcp.dstport == 39977", [1, 2]),
        ("tcp.srcport / 0 == 0", []),
        ("ip.proto == TCP", [1]),
        ('ip.proto == "tcp"', [1]),
        ("eth.src == 02-00-00-00-00-01", [1]),
        ("eth.addr == ffff.FFFF.ffff", [1]),
        ("eth.src[0:3] == 02:00:00", [1]),
        ("eth.src[5] == 1", [1]),
        ("eth.src[6]", []),
        ("eth.dst[0] & 1", [1]),
        ("eth.src contains 00:01", [1]),
        ("ip.src[0] == 0a", [2]),
        ("ip.src[0] == 10", []),
        ("ip.src[0:2] < 02", []),
        ("tcp.flags.str[0:2] == c2:b7", [1]),
        ("len(tcp.flags.str) == 23", [1]),
        ('frame.protocols contains "icmp"', [2]),
        ('frame.protocols contains "ICMP"', []),
        ('frame.protocols matches "ICMP"', [2]),
        ('frame.protocols matches "(?-i)ICMP"', []),
        ('frame.protocols ~ r":tcp$"', [1, 2]),
        ('frame.protocols[0:3] == "eth"', [1, 2]),
        ('upper(frame.protocols) == "ETH:ETHERTYPE:IP:TCP"', [1]),
        ('string(ip.src) matches r"^10\\."', [2]),
        ('string(eth.src) == "02:00:00:00:00:01"', [1]),
        ("max(ip.ttl) == 255", [2]),
        ("min(ip.ttl) == 3", [2]),
        ("frame.time_relative == 1.5", [2]),
        ("frame.time_relative >= 0", [1, 2]),
        ("frame.time_relative == -1", [3]),
        ('frame.time == "2017-07-14 02:40:00"', [1]),
        ('frame.time == "Jul 14, 2017 02:40:01.5"', [2]),
        ('frame.time >= "2017-07-14T04:40:01+02:00"', [2]),
        ('frame.time < "2017-07-15"', [1, 2]),
    ],
)
def test_matches(text: str, frames: list[int]) -> None:
    assert matches(text, PACKETS) == frames


@pytest.mark.parametrize(
    "text",
    [
        "!(pppoed) && !(lcp) && !(pap) && !(ipcp) && !(ipv6cp) && !(icmpv6.type == 133) && "
        "!(icmpv6.type == 134) && !(dhcpv6) && !(udp.stream == 2) && !(udp.stream == 3) && "
        "!(udp.stream == 4)",
        "pppoe || !udp.stream",
    ],
)
def test_filters_of_fields_no_packet_has(text: str) -> None:
    assert matches(text, PACKETS) == [1, 2, 3, 4]


def test_fields_are_what_must_be_decoded() -> None:
    found = parse("ip.addr == 10.0.0.1 && count(vlan) == 1 && eth.src[0] == 0 && frame.time")
    assert found.fields == {"ip.addr", "vlan", "eth.src", "frame.time"}


def test_a_field_that_was_not_decoded_is_never_just_absent() -> None:
    with pytest.raises(LookupError, match="tcp_stream"):
        expression(parse("!(tcp.stream == 1)"), {"frame_number"})
