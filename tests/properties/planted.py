"""Bugs that decoders really had, planted one at a time by changing one line of the source."""

from __future__ import annotations

import inspect
import textwrap
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

from decoders import conversations, pcap, pcapng, tcp_analysis
from decoders.layers import dispatch, icmp, ipv4, ipv6, link, ppp, transport

_TABLES = (
    dispatch.ETHERTYPES,
    dispatch.PPP_PROTOCOLS,
    dispatch.IP_PROTOCOLS,
    dispatch.LINK_TYPES,
    dispatch.UDP_TUNNELS,
)


class Bug(NamedTuple):
    """One line that goes wrong, and the property that must find it."""

    says: str
    property: str
    module: ModuleType
    where: str
    """A function, or ``Class.method``."""
    right: str
    wrong: str

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts the bug into the function; raises LookupError when its line is not there once."""
        *holders, name = self.where.split(".")
        holder: Any = self.module
        for part in holders:
            holder = getattr(holder, part)
        sound: FunctionType = getattr(holder, name)
        source = textwrap.dedent(inspect.getsource(sound))
        source = source[source.index("def ") :]
        if source.count(self.right) != 1:
            raise LookupError(f"{self.where} does not hold {self.right!r} once")
        space = sound.__globals__
        made: dict[str, Any] = {}
        header = "from __future__ import annotations\n"
        exec(header + source.replace(self.right, self.wrong), space, made)
        broken = made[name]
        monkeypatch.setattr(holder, name, broken)
        for table in _TABLES:
            for number, layer in list(table.items()):
                if layer is sound:
                    monkeypatch.setitem(table, number, broken)


BUGS = {
    "pppoe-length-ignored": Bug(
        "PPPoE length ignored, so that padding becomes data",
        "pppoe-round-trip", ppp, "session", "rest.trim(length)", "pass",
    ),
    "ppp-protocol-of-one-octet": Bug(
        "1-octet PPP protocol not handled",
        "frame-round-trip", ppp, "_protocol_size", "octets.data[octets.start] & 1", "False",
    ),
    "pppoe-read-over": Bug(
        "over-read at the end of a PPPoE frame",
        "pppoe-round-trip", ppp, "session", "rest.trim(length)", "rest.trim(length + 1)",
    ),
    "old-tag": Bug(
        "0x9100 not a tag",
        "frame-round-trip", link, "ethertype", "ETHERTYPES.get(kind)",
        "(None if kind == 0x9100 else ETHERTYPES.get(kind))",
    ),
    "second-interface": Bug(
        "the first interface's timestamp resolution used for all",
        "capture-round-trip", pcapng, "Reader._packets",
        "offset = ports[index]", "offset = (ports[index][0], *ports[0][1:])",
    ),
    "cut-record": Bug(
        "cut-off last record counted",
        "damage", pcap, "_scan", "stop > size", "False",
    ),
    "ip-header-length": Bug(
        "IPv4 header length ignored",
        "frame-round-trip", ipv4, "ipv4", "(octets.data[octets.start] & 15) * 4", "20",
    ),
    "fragment-offset": Bug(
        "fragment offset ignored, so that a later fragment gets ports",
        "frame-round-trip", ipv4, "_payload", "offset & (MORE_FRAGMENTS | OFFSET_MASK)",
        "offset & MORE_FRAGMENTS",
    ),
    "quoted-as-own": Bug(
        "headers quoted in ICMP errors counted as traffic",
        "frame-round-trip", icmp, "quoted_packet", "row.quote()", "row.quoting",
    ),
    "byte-order-of-sections": Bug(
        "big-endian section after a little-endian one",
        "capture-round-trip", pcapng, "Reader._turn", "order != self.order",
        "order != self.order and not self.section",
    ),
    "syn-with-another-number": Bug(
        "a new stream missed on SYN with a new sequence number",
        "streams", conversations, "Conversations._segment", "if segment.seq != forward.base:",
        "if False:",
    ),
    "closed-twice": Bug(
        "who closed second is taken for the one who closes, too",
        "conversations", conversations, "analyse",
        "forward.closes = forward.closes or not backward.closes", "forward.closes = True",
    ),
    "alive-is-lost": Bug(
        "a question whether the other end is alive is taken for a segment sent again",
        "conversations", tcp_analysis, "_sent_again",
        'if "keep_alive" in found.marks:', "if False:",
    ),
    "signed-port": Bug(
        "signed port",
        "frame-round-trip", transport, "tcp", 'row.put("tcp.dstport", dstport)',
        'row.put("tcp.dstport", dstport - 65536 if dstport > 32767 else dstport)',
    ),
    "udp-port-of-the-other-end": Bug(
        "UDP destination port read as the source port",
        "frame-round-trip", transport, "_udp_header", 'row.put("udp.dstport", dstport)',
        'row.put("udp.dstport", srcport)',
    ),
    "authentication-header-length": Bug(
        "an authentication header measured as other IPv6 extension headers are",
        "ipv6-round-trip", ipv6, "_extension", "(units + 2) * 4", "(units + 1) * 8",
    ),
    "syn-ack-opens-a-stream": Bug(
        "a SYN,ACK with another sequence number opens a stream",
        "streams", conversations, "Conversations._segment",
        "if segment.flags & (SYN | ACK) == SYN and", "if segment.flags & SYN and",
    ),
}  # fmt: skip
