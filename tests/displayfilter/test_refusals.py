"""Filters that tshark 4.0.17 refuses, and those that need what the table does not hold."""

from __future__ import annotations

import pytest

from decoders.displayfilter import FilterError, parse

REFUSED = [
    ("TCP", "unknown-field"),
    ("foo", "unknown-field"),
    ("tcp.foo == 1", "unknown-field"),
    ('http.host == "x"', "unknown-field"),
    ("ip.src == 10.0.0.1 or 10.0.0.2", "unknown-field"),
    ('"foo"', "unknown-field"),
    ("tcp.port == .23", "unknown-field"),
    ("tcp AND ip", "syntax"),
    ("tcp and", "syntax"),
    ("and tcp", "syntax"),
    ("(tcp", "syntax"),
    ("tcp)", "syntax"),
    ("()", "syntax"),
    ("tcp udp", "syntax"),
    ("tcp xor udp", "syntax"),
    ("tcp ^^ udp", "syntax"),
    ("ip.src = 10.0.0.1", "syntax"),
    ("ip.src == ", "syntax"),
    ("== 23", "syntax"),
    ("tcp.port == (23)", "syntax"),
    ("tcp.port == 23;", "syntax"),
    ("tcp.port == 80,443", "syntax"),
    ("tcp.port in {}", "syntax"),
    ("tcp.port in {23 443}", "syntax"),
    ("tcp.port in {23,}", "syntax"),
    ("(tcp.flags & 0x12) == 0x12", "syntax"),
    ("any tcp", "syntax"),
    ("any (tcp.port == 80)", "syntax"),
    ("frame.number == --5", "syntax"),
    ("frame.protocols == eth:ethertype:arp", "syntax"),
    ('frame.protocols == "unterminated', "syntax"),
    ("tcp.port == 'ab'", "syntax"),
    ("ip.addr == 10.0.0.0/255.0.0.0", "syntax"),
    ("eth.src[0:0] == 02", "syntax"),
    ("eth.src[2-1]", "syntax"),
    ("eth.src[]", "syntax"),
    ("ip#-1", "syntax"),
    ("ip#[1--1]", "syntax"),
    ("tcp.port == $x", "syntax"),
    ("ip.proto == tcp", "type"),
    ("tcp.port == http", "type"),
    ("ip.src == eth.src", "type"),
    ("tcp.flags.syn == tcp.len", "type"),
    ("1 < tcp.port", "type"),
    ("10 < tcp.port < 100", "type"),
    ("tcp.srcport == 1024 == 1024", "type"),
    ('ip.src contains "10"', "type"),
    ("tcp.port contains 23", "type"),
    ('ip.src matches "10"', "type"),
    ("tcp.port[0] == 0", "type"),
    ("tcp.analysis.flags == 1", "type"),
    ("ip.src + 1", "type"),
    ("tcp.flags.syn & 1", "type"),
    ("frame.time_relative * 2 == 8", "type"),
    ("eth.src[0:2] in {02:00}", "type"),
    ("count(ip.src) in {1}", "type"),
    ("tcp.port == 65536", "value"),
    ("ip.ttl == 300 - 236", "value"),
    ("tcp.port == foo", "value"),
    ('tcp.port == "23"', "value"),
    ("tcp.port == 1.5", "value"),
    ("frame.number == 08", "value"),
    ('ip.proto == "6"', "value"),
    ("tcp.flags.syn == true", "value"),
    ("ip.addr == 10.0.0.1/33", "value"),
    ("ip.addr == 10.0.0", "value"),
    ("ip.addr == 010.0.0.1", "value"),
    ('ip.addr == "10.0.0.1"', "value"),
    ("ip.addr == localhost", "value"),
    ("ip.addr == 2001:db8::1", "value"),
    ("ipv6.addr == 2001:db8::1/129", "value"),
    ("eth.src == 00:1b:21", "value"),
    ('eth.src == "00:1b:21:aa:bb:cc"', "value"),
    ("frame.time >= 1500000010", "value"),
    ('frame.time > "yesterday"', "value"),
    ('frame.time_relative == "4"', "value"),
    ("frame.time_relative == 4.0000000001", "value"),
    ("frame contains 0x5363", "value"),
    ("tcp contains GET", "value"),
    ('frame.protocols matches "ip:icmp\\.ip"', "value"),
    ("foo(ip.src) == 1", "unknown-function"),
    ("tcp (udp)", "unknown-function"),
    ("len() == 1", "function-arguments"),
    ("len(ip.src, ip.dst) == 1", "function-arguments"),
    ('lower("X") == "x"', "function-arguments"),
    ('upper(eth.src) == "x"', "function-arguments"),
    ('string(frame.protocols) == "x"', "function-arguments"),
    ("max(ip.ttl, tcp.len) == 64", "function-arguments"),
    ("len(ip.src)", "function-arguments"),
    ('frame matches "["', "regex"),
    ("frame.protocols matches www", "regex"),
    ('frame.protocols matches "a(?=b)"', "regex"),
    ('frame.protocols matches "(e)\\\\1"', "regex"),
    ('frame.protocols matches "a++b"', "regex"),
    ('frame.protocols matches "[a&&b]"', "regex"),
    ('frame.protocols matches "(a{1000}){1000}"', "regex"),
    ("sctp[0:2] == 00:00", "unsupported"),
    ('tcp.payload contains "GET"', "unsupported"),
    ("len(sctp) == 12", "unsupported"),
    ("eth[12] & 0x1", "value"),
    ("tcp[13] == 0x2", "value"),
    ("tcp == 1", "unsupported"),
    ("_ws.expert#[-1]", "unsupported"),
    ("eth.src & eth.dst", "unsupported"),
    ('eth.src matches "x"', "unsupported"),
    ("ip#[-2--1]", "unsupported"),
    ("ip.src == ${ip.dst}", "unsupported"),
]


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_refused(text: str, kind: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.kind == kind
    assert 0 <= caught.value.start <= caught.value.end
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "tcp && tcp.prot == 1",
            "unknown field 'tcp.prot'\n"
            "    tcp && tcp.prot == 1\n"
            "           ^^^^^^^^\n"
            "did you mean 'tcp.port'?",
        ),
        (
            "tcp.port == 65536",
            "65536 is too large: tcp.port ends at 65535\n"
            "    tcp.port == 65536\n"
            "                ^^^^^",
        ),
        (
            "tcp AND udp",
            "'AND' is not an operator\n    tcp AND udp\n        ^^^\ndid you mean 'and'?",
        ),
        (
            "(tcp.flags & 2) == 2",
            "'==' was not expected here\n"
            "    (tcp.flags & 2) == 2\n"
            "                    ^^\n"
            "arithmetic is grouped with braces: {tcp.flags & 2} == 2",
        ),
        ("sip", "unknown field 'sip': Replicap does not decode sip\n    sip\n    ^^^"),
        (
            "tcp and\n  tcp.prt",
            "unknown field 'tcp.prt'\n      tcp.prt\n      ^^^^^^^\ndid you mean 'tcp.port'?",
        ),
        (
            'upperr(frame.protocols) == "X"',
            "unknown function 'upperr'\n"
            '    upperr(frame.protocols) == "X"\n'
            "    ^^^^^^^^^^^^^^^^^^^^^^^\n"
            "did you mean 'upper'?",
        ),
    ],
)
def test_an_error_shows_the_place(text: str, shown: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value) == shown


@pytest.mark.parametrize(
    "text",
    [
        "!" * 60_000 + "tcp",
        "(" * 60_000,
        "tcp." * 10_000,
        " || ".join(["tcp"] * 8_000 + ["tcp.port =="]),
        "tcp.port" + " + tcp.port" * 5_000,
        "frame.number == " + "9" * 60_000,
        "frame.len == " * 4_000 + "frame.len",
        "eth.src" + "[0:3]" * 5_000,
        "ip.src#[" + "1," * 20_000 + "1]",
        'frame.protocols == "' + "\\\\" * 30_000,
        " " * 70_000,
        "tcp.port in {" + ", ".join(f"{n}..{n + 1}" for n in range(5_000)) + "}",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert len(str(caught.value)) < 1_000


def test_old_spelling_is_a_warning() -> None:
    assert parse("ip.addr ~= 10.0.0.1").warnings == (
        "'~=' is old; write '!==' (some value differs)",
    )
    assert parse("ip.addr !== 10.0.0.1").warnings == ()


def test_a_meaning_that_changed_with_wireshark_4_is_warned_about() -> None:
    assert parse("ip.addr != 10.0.0.1").warnings == (
        "'!=' on ip.addr: since Wireshark 4.0 every value must differ, before some value; "
        "'!==' is the old meaning",
    )
    assert parse("ip.src != 10.0.0.1").warnings == ()
    assert parse("!(ip.addr == 10.0.0.1)").warnings == ()
