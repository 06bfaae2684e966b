"""IP fragments: which frame shows the datagram, what keeps datagrams apart, bounded memory."""

from __future__ import annotations

import struct
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import reassembly
from decoders.reassembly import Fragment, Reassembly
from tests.decoders.frame_bytes import (
    A6,
    B6,
    MSS,
    Shot,
    Situation,
    eth,
    icmp,
    icmpv6,
    ip4,
    ip6,
    ipv4,
    ipv6,
    parts4,
    parts6,
    tcp,
    udp,
    vlan,
)

PRIVATE = {"src": "10.0.0.1", "dst": "10.0.0.2"}

IN_ORDER = parts4(17, udp(2000, 9999, bytes(range(40))), [16, 16, 16], 100)
SWAPPED = parts4(17, udp(2001, 9999, b"B" * 40), [24, 24], 101)
SPLIT_TCP = parts4(6, tcp(3000, 80, "S", 1, options=MSS), [8, 16], 103)
ECHO = parts4(1, icmp(8, 0, b"\0\1\0\1", b"p" * 40), [24, 24], 108)

COMPLETED = Situation(
    *map(ip4, IN_ORDER),
    *map(ip4, reversed(SWAPPED)),
    *map(ip4, SPLIT_TCP),
    *map(ip4, ECHO),
)


def test_the_completing_frame_shows_the_datagram() -> None:
    assert [bool(values) for values in COMPLETED.each("udp")] == [
        *(False, False, True, False, True, False, False, False, False)
    ]
    assert COMPLETED.first("udp.srcport")[2:5] == [2000, None, 2001]
    assert COMPLETED.first("udp.length")[2] == 48
    assert COMPLETED.first("tcp.dstport")[5:7] == [None, 80]
    assert COMPLETED.first("tcp.len")[6] == 0
    assert COMPLETED.first("icmp.type")[7:] == [None, 8]
    assert COMPLETED.first("icmp.checksum.status")[8] == 1


def test_fragments_are_data() -> None:
    assert COMPLETED.stacks()[0] == "eth:ethertype:ip:data"
    assert COMPLETED.first("ip.frag_offset")[:3] == [0, 2, 4]
    assert COMPLETED.first("ip.flags.mf")[:3] == [True, True, False]
    assert COMPLETED.first("ip.proto")[:3] == [17, 17, 17]
    assert COMPLETED.first("ip.fragment.count")[:3] == [None, None, 3]


WAITING = parts4(17, udp(2002, 9999, b"C" * 40), [24, 24], 102)

INCOMPLETE = Situation(
    ip4(WAITING[0]),
    ip4(ipv4(17, udp(2005, 9999, b"F" * 8), ident=106, flags=1)),
    ip4(ipv4(17, b"G" * 16, ident=107, offset=64)),
    ip4(ipv4(17, udp(2006, 9999, b"whole"), ident=102)),
    Shot(ip4(WAITING[1]), gap_ns=86_400 * 10**9),
    ip4(ipv4(17, udp(2007, 9999, b""), ident=109, flags=4)),
    ip4(ipv4(17, udp(2008, 9999, b"x"), ident=110, flags=2)),
)


def test_datagrams_that_wait() -> None:
    assert INCOMPLETE.first("udp.srcport") == [None, None, None, 2006, 2002, 2007, 2008]


def test_the_reserved_bit_and_dont_fragment_make_no_fragment() -> None:
    assert INCOMPLETE.first("ip.flags.rb")[5:] == [True, False]
    assert INCOMPLETE.first("ip.flags.df")[5:] == [False, True]


SENT_TWICE = Situation(*(ip4(part) for part in IN_ORDER for _ in range(2)))


def test_duplicates_are_counted_and_a_new_datagram_begins() -> None:
    assert SENT_TWICE.first("udp.srcport") == [None, None, None, None, 2000, None]
    assert SENT_TWICE.first("ip.fragment.count")[4] == 5


HERE = parts4(17, udp(2003, 9999, b"D" * 40), [24, 24], 104, **PRIVATE)
THERE = parts4(17, udp(2004, 9999, b"E" * 40), [24, 24], 105)

VLANS = Situation(
    eth(0x8100, vlan(1, 0x0800, HERE[0])),
    eth(0x8100, vlan(2, 0x0800, HERE[1])),
    eth(0x8100, vlan(1, 0x0800, THERE[0])),
    eth(0x8100, vlan(2, 0x0800, THERE[1])),
    eth(0x8100, vlan(1, 0x0800, HERE[1])),
)


def test_private_addresses_are_kept_apart_by_vlan() -> None:
    assert VLANS.first("udp.srcport") == [None, None, None, 2004, 2003]


WHOLE = udp(2010, 9999, b"\xff" * 64)
FIRST, SECOND = parts4(17, WHOLE, [48, 24], 200)
TCP_FIRST, TCP_SECOND = parts4(6, tcp(3010, 80, "S", 1, payload=b"x" * 40), [40, 20], 201)

CUT = Situation(
    Shot(ip4(FIRST)[:50], wire=len(ip4(FIRST))),
    ip4(SECOND),
    Shot(ip4(TCP_FIRST)[:54], wire=len(ip4(TCP_FIRST))),
    Shot(ip4(TCP_SECOND)[:40], wire=len(ip4(TCP_SECOND))),
)


def test_a_fragment_cut_by_the_capture_is_decoded_at_once() -> None:
    assert CUT.first("udp.srcport") == [2010, None, None, None]
    assert CUT.first("tcp.dstport") == [None, None, 80, None]
    assert CUT.first("tcp.stream")[2] == 0
    assert CUT.first("tcp.len")[2] is None


ODD = Situation(
    ip4(ipv4(17, WHOLE[:48], ident=202, flags=1)),
    ip4(ipv4(17, b"!" * 16, ident=202, offset=40, flags=1)),
    ip4(ipv4(17, WHOLE[56:], ident=202, offset=56)),
    ip4(ipv4(17, WHOLE[:44], ident=203, flags=1)),
    ip4(ipv4(17, WHOLE[44:], ident=203, offset=48)),
    ip4(ipv4(17, WHOLE, ident=204, flags=1)),
    ip4(ipv4(17, b"", ident=204, offset=72)),
)


def test_overlaps_gaps_and_empty_ends() -> None:
    assert ODD.first("udp.srcport") == [None, None, 2010, None, None, None, None]


LONG = udp(2011, 9999, b"L" * 40)
BEYOND = Situation(
    ip4(ipv4(17, LONG[:24], ident=205, flags=1, length=60)),
    ip4(ipv4(17, LONG[24:], ident=205, offset=24)),
)


def test_a_fragment_whose_length_goes_beyond_the_frame_is_decoded_at_once() -> None:
    assert BEYOND.first("udp.srcport") == [2011, None]
    assert BEYOND.first("ip.fragment.count") == [None, None]


V6 = parts6(17, udp(2020, 9999, b"V" * 40), [24, 24], 1)
ATOMIC = struct.pack(">BBHI", 17, 0, 0, 3)

SIX = Situation(
    ip6(V6[1]),
    ip6(V6[0]),
    ip6(ipv6(44, ATOMIC + udp(2021, 9999, b"atom"))),
    ip6(parts6(17, udp(2022, 9999, b"V" * 40), [24, 24], 2)[0]),
    *map(ip6, parts6(58, icmpv6(128, 0, b"\0\1\0\1" + bytes(40), A6, B6), [24, 24], 4)),
)


def test_ipv6_fragments() -> None:
    assert SIX.first("udp.srcport") == [None, 2020, 2021, None, None, None]
    assert SIX.first("icmpv6.type") == [None] * 5 + [128]
    assert SIX.first("ipv6.fraghdr.offset")[:3] == [3, 0, 0]
    assert all(SIX.each("ipv6.fraghdr"))


@settings(deadline=None, max_examples=80, derandomize=True)
@given(st.data(), st.binary(min_size=1, max_size=200))
def test_any_split_in_any_order_gives_the_payload(data: st.DataObject, payload: bytes) -> None:
    bounds = sorted(
        {0, len(payload), *data.draw(st.sets(st.integers(0, len(payload)), max_size=9))}
    )
    parts = [
        Fragment(nth, start, end < len(payload), payload[start:end])
        for nth, (start, end) in enumerate(pairwise(bounds))
    ]
    waiting = Reassembly()
    found = [waiting.add(("key",), part) for part in data.draw(st.permutations(parts))]
    assert found[:-1] == [None] * (len(parts) - 1)
    whole = found[-1]
    assert whole is not None
    assert whole.data == payload
    assert len(whole.fragments) == len(parts)
    assert not whole.conflict


def test_a_contradiction_is_said() -> None:
    waiting = Reassembly()
    waiting.add((1,), Fragment(1, 0, True, b"aaaa"))
    whole = waiting.add((1,), Fragment(2, 2, False, b"bbbb"))
    assert whole is not None
    assert whole.conflict
    assert len(whole.data) == 6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "MOST_WAITING", 10 * (100 + reassembly.FRAGMENT_COST))
    waiting = Reassembly()
    for key in range(100):
        assert waiting.add((key,), Fragment(key, 8, True, b"x" * 100)) is None
    assert waiting.given_up == 90
    assert waiting.add((0,), Fragment(200, 0, False, b"y" * 8)) is not None
    assert waiting.add((99,), Fragment(201, 108, False, b"z")) is None
    done = waiting.add((99,), Fragment(202, 0, True, b"z" * 8))
    assert done is not None
    assert len(done.data) == 109


def test_many_tiny_fragments_take_bounded_time_and_memory() -> None:
    waiting = Reassembly()
    assert waiting.add(("one",), Fragment(0, 800, False, b"x" * 8)) is None
    start = time.process_time()
    for nth in range(60_000):
        assert waiting.add(("one",), Fragment(nth, 8, True, b"x" * 8)) is None
    # Looking at all fragments again for each new one would take minutes.
    assert time.process_time() - start < 5


def test_a_datagram_that_was_given_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "MOST_WAITING", 300)
    first, second = (ip4(ipv4(17, bytes(16), flags=1, ident=number)) for number in (1, 2))
    rows = Situation(first, second).rows
    said = [row.own.get("replicap.undecoded") for row in rows]
    assert said == [None, ["an incomplete datagram was given up to bound memory"]]
