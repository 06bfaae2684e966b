"""What a packet is, in the terms of the telescope literature, and which scanner marked it.

Every packet gets exactly one of :data:`CLASSES`. What came earlier in the capture decides whether a
packet answers something (``reply``) or is an answer that nobody here asked for (``backscatter``).

The rules look at the outermost protocol that decides: control of a link, else the first TCP, UDP or
ICMP header, with the IP header before it. What a UDP tunnel carries does not matter.

Memory: one entry for each direction of a TCP or UDP conversation, for each pair of addresses, and
for each pair of which one pinged the other. Nothing is forgotten, so that no answer turns into
backscatter in a long capture; :mod:`decoders.conversations` keeps more for each conversation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from decoders.row import Address, Row
from decoders.tcp_flags import ACK, RST, SYN

CLASS, SCANNER = "replicap.class", "replicap.scanner"

LINK_CONTROL = "link-control"
TCP_SYN_PROBE = "tcp-syn-probe"
UDP_PROBE = "udp-probe"
PING = "ping"
BACKSCATTER = "backscatter"
REPLY = "reply"
OTHER = "other"

CLASSES: Mapping[str, str] = {
    LINK_CONTROL: "sets up or keeps a link: PPPoE discovery, PPP control, ARP, ND, DHCP",
    TCP_SYN_PROBE: "TCP segment with SYN and without ACK",
    UDP_PROBE: "UDP datagram in the direction that began the conversation",
    PING: "ICMP or ICMPv6 echo request",
    BACKSCATTER: "SYN+ACK, RST, ICMP error or echo reply that nothing in the capture caused",
    REPLY: "answer to a packet that stands earlier in the capture",
    OTHER: "everything else: data of TCP connections, other protocols, undecoded packets",
}
"""The values of ``replicap.class``, and what each holds."""

ZMAP, MASSCAN, MIRAI = "zmap", "masscan", "mirai"

SCANNERS = (ZMAP, MASSCAN, MIRAI)
"""The values of ``replicap.scanner``, in the order in which one packet shows several."""

NEEDS = (
    "icmp.type",
    "icmpv6.type",
    "ip.dst",
    "ip.id",
    "ip.src",
    "ipv6.dst",
    "ipv6.src",
    "ppp.protocol",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.srcport",
    "udp.dstport",
    "udp.srcport",
)
"""Fields that a row must have for its packet to be classified."""

LINK_CONTROL_PROTOCOLS = frozenset(
    ("arp", "ccp", "chap", "eap", "eapol", "ipcp", "ipv6cp", "lcp", "mplscp", "pap", "pppoed")
)
ADDRESS_CONTROL = frozenset(("dhcp", "dhcpv6"))
"""Protocols above UDP that give a host its address."""

PPP_CONTROL = 0x8000
"""The first PPP protocol number of control protocols."""


ECHO_REQUEST, ECHO_REPLY = 8, 0
ECHO_REQUEST_6, ECHO_REPLY_6 = 128, 129
ERRORS = frozenset((3, 4, 5, 11, 12))
ROUTER_DISCOVERY = frozenset((9, 10))
NEIGHBOUR_DISCOVERY = range(133, 138)
LAST_ERROR_6 = 127

ZMAP_ID = 54321

_IP = ("ip", "ipv6")
_DECISIVE = LINK_CONTROL_PROTOCOLS | {"tcp", "udp", "icmp", "icmpv6"}

Pair = tuple[Address, Address]
Flow = tuple[str, Address, int, Address, int]
"""One direction of a conversation: protocol, source and its port, destination and its port."""


def asked(wanted: Collection[str] | None) -> bool:
    """Whether somebody who reads the fields ``wanted`` (None: all) reads what is decided here."""
    return wanted is None or CLASS in wanted or SCANNER in wanted


class Packet(NamedTuple):
    """The header of a row, or of its quotation, that decides what the packet is."""

    protocol: str
    """The protocol that decides; empty when none does."""
    at: int
    """Its place in ``frame.protocols``."""
    version: str
    """``ip`` or ``ipv6``, the header before it; empty when there is none."""
    nth: int
    """Which header of that version it is, from 0."""
    fields: Mapping[str, list[Any]]

    def ip(self, name: str) -> Any:
        """A field of the IP header before it, or None."""
        return _nth(self.fields.get(f"{self.version}.{name}"), self.nth)

    def first(self, name: str) -> Any:
        """A field of the deciding header, or None when it was cut before it."""
        return _nth(self.fields.get(f"{self.protocol}.{name}"), 0)

    def pair(self) -> Pair | None:
        """Source and destination address."""
        src, dst = self.ip("src"), self.ip("dst")
        return None if src is None or dst is None else (src, dst)

    def flow(self) -> Flow | None:
        """The direction of a TCP or UDP conversation; None when addresses or ports are missing."""
        pair = self.pair()
        srcport, dstport = self.first("srcport"), self.first("dstport")
        if pair is None or srcport is None or dstport is None:
            return None
        return self.protocol, pair[0], srcport, pair[1], dstport


def packet_of(protocols: Sequence[str], start: int, fields: Mapping[str, list[Any]]) -> Packet:
    """What decides among ``protocols`` from ``start`` on, whose values are in ``fields``."""
    seen = dict.fromkeys((*_IP, "ppp"), -1)
    version = ""
    for at in range(start, len(protocols)):
        name = protocols[at]
        if name in seen:
            seen[name] += 1
            if name in _IP:
                version = name
        control = name == "ppp" and _ppp_control(_nth(fields.get("ppp.protocol"), seen[name]))
        if control or name in _DECISIVE:
            return Packet(name, at, version, seen.get(version, 0), fields)
    return Packet("", len(protocols), version, seen.get(version, 0), fields)


class Classifier:
    """Classifies the packets of one capture; feed it every row once, in file order."""

    def __init__(self) -> None:
        self._tcp: dict[Flow, int] = {}
        self._udp: dict[Flow, str] = {}
        self._pairs: set[Pair] = set()
        self._pings: set[Pair] = set()

    def annotate(self, row: Row) -> None:
        """Add ``replicap.class`` and ``replicap.scanner`` to a row."""
        packet = packet_of(row.protocols, 0, row.own)
        row.own[CLASS] = [self._class(row, packet)]
        marks = scanners(packet)
        if marks:
            row.own[SCANNER] = marks
        for version in _IP:
            src, dst = row.own.get(f"{version}.src"), row.own.get(f"{version}.dst")
            if src and dst:
                self._pairs.update(zip(src, dst, strict=False))

    def _class(self, row: Row, packet: Packet) -> str:
        if packet.protocol == "tcp":
            return self._segment(packet)
        if packet.protocol == "udp":
            return self._datagram(packet, row.protocols[packet.at + 1 : packet.at + 2])
        if packet.protocol == "icmp":
            return self._icmp(row, packet)
        if packet.protocol == "icmpv6":
            return self._icmpv6(row, packet)
        return LINK_CONTROL if packet.protocol else OTHER

    def _segment(self, packet: Packet) -> str:
        """SYN: probe. SYN+ACK and RST: answers; the other direction tells whether to somebody here.

        A SYN causes a SYN+ACK (RFC 9293 section 3.5), any segment a RST (section 3.5.2) but another
        RST (section 3.10.7.1). Without a cause both are backscatter: what victims of floods from
        forged addresses answer (Moore, Voelker and Savage, Inferring Internet Denial-of-Service
        Activity, USENIX Security 2001, section 3.1, table 1). A RST without a cause, by the side
        that itself sent a SYN or data, ends its own attempt: it is neither.
        """
        flags, flow = packet.first("flags"), packet.flow()
        if flags is None or flow is None:
            return OTHER
        before = self._tcp.get(flow, 0)
        back = self._tcp.get(_reversed(flow), 0)
        sent = 0 if flags & RST else _SENT_ANSWERABLE
        if flags & SYN and not flags & ACK:
            self._tcp[flow] = before | sent | _SENT_SYN | _SENT_OF_ITSELF
            return TCP_SYN_PROBE
        if flags & RST:
            self._tcp[flow] = before | sent
            if back & _SENT_ANSWERABLE:
                return REPLY
            return OTHER if before & _SENT_OF_ITSELF else BACKSCATTER
        if flags & SYN:
            self._tcp[flow] = before | sent
            return REPLY if back & _SENT_SYN else BACKSCATTER
        self._tcp[flow] = before | sent | _SENT_OF_ITSELF
        return OTHER

    def _datagram(self, packet: Packet, above: Sequence[str]) -> str:
        """The direction that a conversation began in probes, the other one replies (RFC 768).

        UDP has no flags that tell a request from its answer. What nobody asked for is the probing
        part of what Pang et al. call background radiation (Characteristics of Internet Background
        Radiation, IMC 2004); of a client that somebody here knows, it is a request.
        """
        if not ADDRESS_CONTROL.isdisjoint(above):
            return LINK_CONTROL
        flow = packet.flow()
        if flow is None:
            return OTHER
        found = self._udp.get(flow)
        if found is None:
            found = REPLY if _reversed(flow) in self._udp else UDP_PROBE
            self._udp[flow] = found
        return found

    def _icmp(self, row: Row, packet: Packet) -> str:
        """RFC 792; the error messages are those of RFC 1122 section 3.2.2.

        Router discovery (RFC 1256) is control of the link, as its successor for IPv6 is.
        """
        kind = packet.first("type")
        if kind == ECHO_REQUEST:
            return self._ping(packet)
        if kind == ECHO_REPLY:
            return self._echo_reply(packet)
        if kind in ERRORS:
            return self._error(row, packet)
        return LINK_CONTROL if kind in ROUTER_DISCOVERY else OTHER

    def _icmpv6(self, row: Row, packet: Packet) -> str:
        """RFC 4443 section 2.1: errors are the types up to 127. Discovery: RFC 4861 section 4."""
        kind = packet.first("type")
        if kind == ECHO_REQUEST_6:
            return self._ping(packet)
        if kind == ECHO_REPLY_6:
            return self._echo_reply(packet)
        if kind is not None and kind <= LAST_ERROR_6:
            return self._error(row, packet)
        return LINK_CONTROL if kind in NEIGHBOUR_DISCOVERY else OTHER

    def _ping(self, packet: Packet) -> str:
        """Echo request: RFC 792, "Echo or Echo Reply Message"; RFC 4443 section 4.1."""
        pair = packet.pair()
        if pair is not None:
            src, dst = pair
            self._pings.add((src, _EVERYBODY) if _is_group(dst) else pair)
        return PING

    def _echo_reply(self, packet: Packet) -> str:
        """To a request that was seen, also one to a group; else backscatter (Moore, table 1)."""
        pair = packet.pair()
        if pair is None:
            return BACKSCATTER
        src, dst = pair
        asked_for = (dst, src) in self._pings or (dst, _EVERYBODY) in self._pings
        return REPLY if asked_for else BACKSCATTER

    def _error(self, row: Row, packet: Packet) -> str:
        """An error is about the packet it quotes (RFC 792; RFC 4443 section 2.4 c): was it seen?

        A quoted TCP or UDP header must be that of a conversation's direction that was seen, of
        another packet only the addresses. An error that quotes nothing answers nothing. The victim
        of a flood answers with ICMP errors too: backscatter (Moore, table 1).
        """
        following = packet.at + 1
        if row.protocols[following : following + 1] not in (["ip"], ["ipv6"]):
            return BACKSCATTER
        about = packet_of(row.protocols, following, row.quoted)
        flow = about.flow() if about.protocol in ("tcp", "udp") else None
        if flow is not None:
            return REPLY if flow in self._tcp or flow in self._udp else BACKSCATTER
        return REPLY if about.pair() in self._pairs else BACKSCATTER


_SENT_SYN, _SENT_OF_ITSELF, _SENT_ANSWERABLE = 1, 2, 4
"""What one direction of a TCP conversation sent: a SYN; a segment that is no mere answer (neither
SYN+ACK nor RST); a segment that a RST may answer (not a RST)."""

_EVERYBODY: Address = -1
"""Stands for the destination of a ping to a group."""


def scanners(packet: Packet) -> list[str]:
    """The marks that an IPv4 probe (SYN without ACK, UDP, echo request) carries by itself.

    - ``zmap``: the identification is 54321 (ZMap, ``make_ip_header`` in
      ``src/probe_modules/packet.c``). One in 65,536 other probes has it.
    - ``masscan``, SYN: the identification is destination address ^ destination port ^ sequence
      number, of which the low 16 bits stay (Masscan, ``template_set_target`` in
      ``src/templ-pkt.c``). One in 65,536 other SYNs has it.
    - ``mirai``, SYN: the sequence number is the destination address (Antonakakis et al.,
      Understanding the Mirai Botnet, USENIX Security 2017, section 3.1).

    The first two are by which Durumeric, Bailey and Halderman tell both tools in a telescope (An
    Internet-Wide View of Internet-Wide Scanning, USENIX Security 2014, announced in section 1).
    """
    if packet.version != "ip":
        return []
    identification, target = packet.ip("id"), packet.ip("dst")
    is_syn = packet.protocol == "tcp" and _is_syn(packet.first("flags"))
    is_ping = packet.protocol == "icmp" and packet.first("type") == ECHO_REQUEST
    marks = []
    if identification == ZMAP_ID and (is_syn or is_ping or packet.protocol == "udp"):
        marks.append(ZMAP)
    seq, port = packet.first("seq_raw"), packet.first("dstport")
    if not is_syn or target is None or seq is None or port is None:
        return marks
    if identification == (target ^ port ^ seq) & 0xFFFF:
        marks.append(MASSCAN)
    if seq == target:
        marks.append(MIRAI)
    return marks


def _is_syn(flags: int | None) -> bool:
    return flags is not None and flags & (SYN | ACK) == SYN


def _ppp_control(number: int | None) -> bool:
    """RFC 1661 section 2: 8*** to b*** are network control protocols, c*** to f*** link control."""
    return number is not None and number >= PPP_CONTROL


def _is_group(address: Address) -> bool:
    """Multicast (RFC 5771, RFC 4291 section 2.7) or limited broadcast (RFC 919 section 7)."""
    if isinstance(address, bytes):
        return address[0] == 0xFF
    return address >> 28 == 0xE or address == 0xFFFFFFFF


def _reversed(flow: Flow) -> Flow:
    protocol, src, srcport, dst, dstport = flow
    return protocol, dst, dstport, src, srcport


def _nth(values: list[Any] | None, nth: int) -> Any:
    return values[nth] if values is not None and nth < len(values) else None
