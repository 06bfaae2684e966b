"""Keys of published tables: what is read as which value of a field, and what is refused."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from harness.keys import key_of, key_values


@pytest.mark.parametrize(
    ("names", "raw", "values"),
    [
        (["tcp.dstport"], 23, (23,)),
        (["tcp.dstport"], Decimal("23.0"), (23,)),
        (["tcp.dstport"], " 0x17 ", (23,)),
        (["tcp.dstport"], "23", (23,)),
        (["tcp.flags.syn"], True, (True,)),
        (["tcp.flags.syn"], "False", (False,)),
        (["tcp"], 1, (1,)),
        (["tcp"], "1", (1,)),
        (["ip.src"], "192.0.2.1", (0xC0000201,)),
        (["ipv6.src"], "2001:db8::1", (bytes.fromhex("20010db8000000000000000000000001"),)),
        (["ipv6.src"], "fe80::1%eth0", (bytes.fromhex("fe800000000000000000000000000001"),)),
        (["eth.src"], "00:0c:29:3e:5a:01", (bytes.fromhex("000c293e5a01"),)),
        (["eth.src"], "00-0c-29-3e-5a-01", (bytes.fromhex("000c293e5a01"),)),
        (["eth.padding"], "00:ff", (b"\0\xff",)),
        (["eth.padding"], "00ff", (b"\0\xff",)),
        (["frame.protocols"], "eth:ip", ("eth:ip",)),
        (["frame.time_relative"], "1.5", (1_500_000_000,)),
        (["frame.time_relative"], "10 s", (10_000_000_000,)),
        (["frame.time"], "2017-07-14T02:40:00Z", (1_500_000_000_000_000_000,)),
        (["ip.src", "tcp.dstport"], "192.0.2.1 23", (0xC0000201, 23)),
        (["ip.src", "tcp.dstport"], ["192.0.2.1", 23], (0xC0000201, 23)),
        (["tcp.dstport", "_ws.expert.message"], "23 a b c", (23, "a b c")),
        (["_ws.expert.message", "tcp.dstport"], "a b 23", ("a b", 23)),
    ],
)
def test_the_values_of_a_key(names: list[str], raw: object, values: tuple[object, ...]) -> None:
    assert key_values(names, raw) == values


@pytest.mark.parametrize(
    ("names", "raw", "text"),
    [
        (["ip.src", "tcp.dstport"], "192.0.2.1 0x17", "192.0.2.1 23"),
        (["frame.time_relative"], "1.50", "1.5"),
        (["eth.src"], "00-0C-29-3e-5a-01", "00:0c:29:3e:5a:01"),
        (["eth.padding"], "00:FF", "00ff"),
        (["tcp.flags.syn"], "TRUE", "true"),
        (["tcp"], "1", "1"),
    ],
)
def test_the_text_of_a_key(names: list[str], raw: object, text: str) -> None:
    assert key_of(names, raw) == text


@pytest.mark.parametrize(
    ("names", "raw", "said"),
    [
        (["tcp.dstport"], 65536, "tcp.dstport: expected a number from 0 to 65535, found 65536"),
        (["tcp.dstport"], -1, "tcp.dstport: expected a number from 0 to 65535, found -1"),
        (["tcp.dstport"], True, "tcp.dstport: expected a number from 0 to 65535, found True"),
        (["tcp.dstport"], Decimal("1.5"), "expected a number from 0 to 65535"),
        (["tcp.dstport"], Decimal("Infinity"), "expected a number from 0 to 65535"),
        (["tcp.dstport"], "telnet", "expected a number from 0 to 65535, found 'telnet'"),
        (["tcp.dstport"], "9" * 30, "expected a number from 0 to 65535"),
        (["tcp.flags.syn"], "maybe", "tcp.flags.syn: expected true or false, found 'maybe'"),
        (["tcp"], 2, "tcp: expected 1: a protocol is there, or it is not, found 2"),
        (["ip.src"], "192.0.2", "ip.src: expected an IPv4 address, found '192.0.2'"),
        (["ipv6.src"], "192.0.2.1", "ipv6.src: expected an IPv6 address, found '192.0.2.1'"),
        (["eth.src"], "00:0c:29", "expected a MAC address such as 00:0c:29:3e:5a:01"),
        (["eth.padding"], "xyz", "eth.padding: expected octets in hexadecimal, found 'xyz'"),
        (["frame.time"], "5 s", "frame.time: expected a time such as 2017-10-13T07:00:00Z"),
        (["frame.time_relative"], "2017-07-14T02:40:00Z", "expected a number of seconds"),
        (["frame.time_relative"], "0.0000000001", "expected whole nanoseconds"),
        (
            ["ip.src", "tcp.dstport"],
            "192.0.2.1",
            "expected a key of 2 parts (ip.src tcp.dstport), found '192.0.2.1'",
        ),
        (["ip.src", "tcp.dstport"], "192.0.2.1 23 24", "expected a key of 2 parts"),
        (["ip.src", "frame.protocols"], ["192.0.2.1", "a", "b"], "expected a key of 2 parts"),
    ],
)
def test_what_is_no_key(names: list[str], raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        key_values(names, raw)
