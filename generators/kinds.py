"""The kinds of packet a twin is made of, each with the fields that claims can ask about.

An :class:`Atom` is a kind together with a class of foreign addresses, a class of ports and perhaps
a stream number. How many packets of each atom there are is what the solver finds out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from generators import control, packets
from generators.alphabet import LAST_PORT, NOBODY_NAMES, Alphabet, Peers, Span
from generators.filters import OCTETS

HERE, THERE = bytes.fromhex("00040e5a4001"), bytes.fromhex("00a0a5122607")
SESSION = 0x1A2B
HERE6, THERE6 = "fe80::204:eff:fe5a:4001", "fe80::2a0:a5ff:fe12:2607"
DNS6 = ("2001:db8::53", "2001:db8::54")
SERVERS = 3
"""Time servers that the router asks."""

PROBES = ("syn", "synack", "udp")
ANSWERED = "answered"
PING = "ping"
ROLES = (*PROBES, PING, ANSWERED)
"""What a foreign address does; each does one of them (assumption ``one-trade``)."""


@dataclass(frozen=True)
class Atom:
    """A kind of packet; ``name`` is unique."""

    name: str
    kind: str
    fields: dict[str, tuple[Any, ...]]
    role: str = ""
    """Role of the foreign address; empty for what belongs to the line itself."""
    lead: bool = False
    """The first packet of a flow."""
    peer: Peers | None = None
    port: Span | None = None
    slot: int | None = None
    """Number of the TCP stream, when a claim names it."""
    flow: str = ""
    """All packets of one such name are one flow; of the others every lead packet is one."""
    free: dict[str, str] = field(default_factory=dict)
    """Fields whose value stands for a class: ``peer``, ``port`` or ``client``."""

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Site:
    """The line that was captured: what the kinds need to know of it."""

    names: Alphabet
    servers: tuple[str, ...]
    somebody: str
    """An address that no claim names."""

    @property
    def router(self) -> int:
        return int(IPv4Address(self.names.site))


def atoms(site: Site) -> list[Atom]:
    """Every kind of packet, for every class of addresses and ports that the claims tell apart."""
    found = list(_line(site)) if site.names.pppoe else []
    if site.names.pppoe or site.names.udp_streams:
        found += _time(site)
    peers = [NOBODY_NAMES, *site.names.peers]
    for peer in peers:
        for span in site.names.tcp:
            found += _tcp(site, peer, span)
        for span in site.names.udp:
            found += _udp(site, peer, span)
        found.append(_ping(site, peer))
    for span in site.names.tcp:
        for slot in (None, *site.names.tcp_streams):
            found += _answered(site, span, slot)
    return found


# Fields ---------------------------------------------------------------------------------------


def _link(site: Site, outgoing: bool, ethertype: int, protocol: int | None) -> dict[str, Any]:
    dst, src = (THERE, HERE) if outgoing else (HERE, THERE)
    tagged = site.names.vlan_id is not None
    fields: dict[str, tuple[Any, ...]] = {
        "frame": (1,), "eth": (1,), "eth.src": (src,), "eth.dst": (dst,),
        "eth.type": (packets.ETHERTYPE_VLAN if tagged else ethertype,),
    }  # fmt: skip
    if tagged:
        fields |= {
            "vlan": (1,), "vlan.id": (site.names.vlan_id,), "vlan.etype": (ethertype,),
            "vlan.priority": (0,), "vlan.dei": (False,),
        }  # fmt: skip
    if protocol is not None:
        fields |= {
            "pppoes": (1,), "pppoe.version": (1,), "pppoe.type": (1,), "pppoe.code": (0,),
            "pppoe.session_id": (SESSION,), "ppp": (1,), "ppp.protocol": (protocol,),
        }  # fmt: skip
    return fields


def _ip(site: Site, src: int, dst: int, protocol: int) -> dict[str, Any]:
    ethertype = packets.ETHERTYPE_IPV4
    outgoing = src == site.router
    if site.names.pppoe:
        session = packets.ETHERTYPE_PPPOE_SESSION
        fields = _link(site, outgoing, session, packets.PPP_IPV4)
    else:
        fields = _link(site, outgoing, ethertype, None)
    return fields | {
        "ip": (1,), "ip.version": (4,), "ip.src": (src,), "ip.dst": (dst,), "ip.proto": (protocol,),
        "ip.hdr_len": (20,), "ip.frag_offset": (0,), "ip.flags.mf": (False,),
        "ip.flags.rb": (False,),
    }  # fmt: skip


_FLAGS = {"fin": 1, "syn": 2, "reset": 4, "push": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}


def _tcp_fields(srcport: int, dstport: int, flags: int, stream: int) -> dict[str, Any]:
    fields: dict[str, tuple[Any, ...]] = {
        "tcp": (1,), "tcp.srcport": (srcport,), "tcp.dstport": (dstport,), "tcp.flags": (flags,),
        "tcp.stream": (stream,), "tcp.len": (0,), "tcp.flags.res": (False,),
        "tcp.flags.ae": (False,), "tcp.urgent_pointer": (0,),
    }  # fmt: skip
    for name, bit in _FLAGS.items():
        fields[f"tcp.flags.{name}"] = (bool(flags & bit),)
    if flags & packets.SYN:
        fields["tcp.connection.synack" if flags & packets.ACK else "tcp.connection.syn"] = (True,)
    if flags & packets.RST:
        fields["tcp.connection.rst"] = (True,)
    return fields


def _again(fields: dict[str, Any]) -> dict[str, Any]:
    marks = ("tcp.analysis", "tcp.analysis.flags", "tcp.analysis.retransmission")
    return fields | dict.fromkeys(marks, (1,))


def _quoting(site: Site, peer: int, quoted: dict[str, Any], protocol: int) -> dict[str, Any]:
    """Fields of an ICMP error about a packet: of TCP 8 octets are quoted, its ports and number."""
    own = _ip(site, site.router, peer, packets.ICMP)
    inner = _ip(site, peer, site.router, protocol)
    for name in [name for name in own if name == "ip" or name.startswith("ip.")]:
        own[name] += inner[name]
    return own | {
        "icmp": (1,), "icmp.type": (packets.UNREACHABLE,),
        "icmp.code": (packets.ADMINISTRATIVELY_PROHIBITED,),
        "replicap.class": ("reply",),
    } | quoted  # fmt: skip


# Probes ---------------------------------------------------------------------------------------


def _address(site: Site, peer: Peers) -> tuple[int, bool]:
    address = peer.members[0] if peer.members else site.somebody
    return int(IPv4Address(address)), len(peer.members) != 1


def _free(anybody: bool, span: Span, *, source: str, destination: str) -> dict[str, str]:
    free = {"ip.src": "peer"} if anybody else {}
    free |= {source: "client"}
    return free | ({} if span.named else {destination: "port"})


def client_port(names: Alphabet) -> int:
    """A port for those who ask: high, and named by nobody."""
    named = {span.low for span in (*names.tcp, *names.udp) if span.named}
    return next(port for port in range(40000, LAST_PORT) if port not in named)


def unnamed_stream(names: Alphabet) -> int:
    """A stream number that no claim names."""
    named = {*names.tcp_streams, *names.udp_streams}
    return next(number for number in range(5000, 10000) if number not in named)


def _tcp(site: Site, peer: Peers, span: Span) -> Iterator[Atom]:
    address, anybody = _address(site, peer)
    client, stream = client_port(site.names), unnamed_stream(site.names)
    free = _free(anybody, span, source="tcp.srcport", destination="tcp.dstport")
    for role, flags in (("syn", packets.SYN), ("synack", packets.SYN | packets.ACK)):
        fields = _ip(site, address, site.router, packets.TCP)
        fields |= _tcp_fields(client, span.sample, flags, stream)
        fields["replicap.class"] = ("tcp-syn-probe" if role == "syn" else "backscatter",)
        common: dict[str, Any] = {"role": role, "peer": peer, "port": span}
        at = f"{peer.label} tcp {span.label}"
        yield Atom(f"{role} {at}", role, fields, lead=True, free=free, **common)
        yield Atom(f"{role}-again {at}", f"{role}-again", _again(fields), free=free, **common)
        unquoted = dict.fromkeys(_tcp_fields(client, span.sample, flags, stream), ())
        quoted = unquoted | {
            "tcp": (1,), "tcp.srcport": (client,), "tcp.dstport": (span.sample,),
        }  # fmt: skip
        error = _quoting(site, address, quoted, packets.TCP)
        out = {"ip.dst": "peer"} if anybody else {}
        yield Atom(f"{role}-error {at}", f"{role}-error", error, free=out, **common)


def _udp(site: Site, peer: Peers, span: Span) -> Iterator[Atom]:
    address, anybody = _address(site, peer)
    client, stream = client_port(site.names), unnamed_stream(site.names)
    free = _free(anybody, span, source="udp.srcport", destination="udp.dstport")
    transport = {
        "udp": (1,), "udp.srcport": (client,), "udp.dstport": (span.sample,),
        "udp.stream": (stream,),
    }  # fmt: skip
    fields = _ip(site, address, site.router, packets.UDP) | transport
    fields |= application_of(span)
    fields["replicap.class"] = ("udp-probe",)
    common: dict[str, Any] = {"role": "udp", "peer": peer, "port": span}
    at = f"{peer.label} udp {span.label}"
    yield Atom(f"udp {at}", "udp", fields, lead=True, free=free, **common)
    yield Atom(f"udp-again {at}", "udp-again", fields, free=free, **common)
    error = _quoting(site, address, transport, packets.UDP)
    out = {"ip.dst": "peer"} if anybody else {}
    yield Atom(f"udp-error {at}", "udp-error", error, free=out, **common)


def application_of(span: Span) -> dict[str, Any]:
    """The protocol that a probe of a named UDP port speaks, as far as it is a field."""
    if not span.named:
        return {}
    return {53: {"dns": (1,)}, 123: {"ntp": (1,)}}.get(span.low, {})


def _ping(site: Site, peer: Peers) -> Atom:
    address, anybody = _address(site, peer)
    fields = _ip(site, address, site.router, packets.ICMP) | {
        "icmp": (1,), "icmp.type": (packets.ECHO_REQUEST,), "icmp.code": (0,), "data": (1,),
        "replicap.class": ("ping",),
    }  # fmt: skip
    free = {"ip.src": "peer"} if anybody else {}
    return Atom(f"ping {peer.label}", "ping", fields, role=PING, lead=True, peer=peer, free=free)


def _answered(site: Site, span: Span, slot: int | None) -> Iterator[Atom]:
    """A connection attempt that the router answers with a reset, each from somebody new."""
    address, _ = _address(site, NOBODY_NAMES)
    client = client_port(site.names)
    stream = unnamed_stream(site.names) if slot is None else slot
    at = f"tcp {span.label}" + ("" if slot is None else f" stream {slot}")
    common: dict[str, Any] = {"role": ANSWERED, "peer": NOBODY_NAMES, "port": span, "slot": slot}
    fields = _ip(site, address, site.router, packets.TCP)
    fields |= _tcp_fields(client, span.sample, packets.SYN, stream)
    fields["replicap.class"] = ("tcp-syn-probe",)
    free = _free(True, span, source="tcp.srcport", destination="tcp.dstport")
    yield Atom(f"{ANSWERED} {at}", ANSWERED, fields, lead=True, free=free, **common)
    answer = _ip(site, site.router, address, packets.TCP)
    answer |= _tcp_fields(span.sample, client, packets.RST | packets.ACK, stream)
    answer["replicap.class"] = ("reply",)
    back = {"ip.dst": "peer", "tcp.dstport": "client"}
    back |= {} if span.named else {"tcp.srcport": "port"}
    yield Atom(f"reset {at}", "reset", answer, free=back, **common)


# The line itself ------------------------------------------------------------------------------

DISCOVERY = {
    "padi": (control.PADI, True, 0),
    "pado": (control.PADO, False, 0),
    "padr": (control.PADR, True, 0),
    "pads": (control.PADS, False, SESSION),
}
LINKS = {
    "lcp-request": ("lcp", control.LCP, control.REQUEST, True),
    "lcp-request-in": ("lcp", control.LCP, control.REQUEST, False),
    "lcp-ack": ("lcp", control.LCP, control.CONFIRM, True),
    "lcp-ack-in": ("lcp", control.LCP, control.CONFIRM, False),
    "echo-request": ("lcp", control.LCP, control.ECHO_REQUEST, True),
    "echo-reply": ("lcp", control.LCP, control.ECHO_REPLY, False),
    "pap-request": ("pap", control.PAP, 1, True),
    "pap-ack": ("pap", control.PAP, 2, False),
    "ipcp-request": ("ipcp", control.IPCP, control.REQUEST, True),
    "ipcp-request-in": ("ipcp", control.IPCP, control.REQUEST, False),
    "ipcp-nak": ("ipcp", control.IPCP, control.NAK, False),
    "ipcp-ack": ("ipcp", control.IPCP, control.CONFIRM, True),
    "ipcp-ack-in": ("ipcp", control.IPCP, control.CONFIRM, False),
    "ipv6cp-request": ("ipv6cp", control.IPV6CP, control.REQUEST, True),
    "ipv6cp-request-in": ("ipv6cp", control.IPV6CP, control.REQUEST, False),
    "ipv6cp-ack": ("ipv6cp", control.IPV6CP, control.CONFIRM, True),
    "ipv6cp-ack-in": ("ipv6cp", control.IPV6CP, control.CONFIRM, False),
}
DHCPV6 = {
    "dhcpv6-solicit": (control.SOLICIT, True),
    "dhcpv6-advertise": (control.ADVERTISE, False),
    "dhcpv6-request": (control.DHCP_REQUEST, True),
    "dhcpv6-reply": (control.REPLY, False),
}
SETUP = (*DISCOVERY, *LINKS, "rs", "ra", *DHCPV6)
"""Every kind of the line, in the order in which a session begins."""
PERIODIC = ("echo-request", "echo-reply")
OPTIONAL = ("echo-request", "echo-reply", "ra")


def _line(site: Site) -> Iterator[Atom]:
    control_class = {"replicap.class": ("link-control",)}
    for kind, (code, outgoing, session) in DISCOVERY.items():
        fields = _link(site, outgoing, packets.ETHERTYPE_PPPOE_DISCOVERY, None) | {
            "pppoed": (1,), "pppoe.version": (1,), "pppoe.type": (1,), "pppoe.code": (code,),
            "pppoe.session_id": (session,),
        }  # fmt: skip
        if kind == "padi":
            fields["eth.dst"] = (b"\xff" * 6,)
        yield Atom(kind, kind, fields | control_class)
    session_type = packets.ETHERTYPE_PPPOE_SESSION
    for kind, (name, protocol, code, outgoing) in LINKS.items():
        fields = _link(site, outgoing, session_type, protocol) | {name: (1,)}
        fields["pap.code" if name == "pap" else "ppp.code"] = (code,)
        yield Atom(kind, kind, fields | control_class)
    for kind, number, outgoing in (("rs", 133, True), ("ra", 134, False)):
        dst = control.ALL_ROUTERS if outgoing else control.ALL_NODES
        fields = _ipv6(site, outgoing, dst, packets.ICMPV6, 255)
        fields |= {"icmpv6": (1,), "icmpv6.type": (number,), "icmpv6.code": (0,)}
        fields[f"icmpv6{OCTETS}"] = (line_packet(site, kind)[40:],)
        yield Atom(kind, kind, fields | control_class)
    yield from _dhcpv6(site)


def _ipv6(site: Site, outgoing: bool, dst: str, nxt: int, hops: int) -> dict[str, Any]:
    fields = _link(site, outgoing, packets.ETHERTYPE_PPPOE_SESSION, packets.PPP_IPV6)
    src = HERE6 if outgoing else THERE6
    return fields | {
        "ip.version": (6,), "ipv6": (1,), "ipv6.src": (IPv6Address(src).packed,),
        "ipv6.dst": (IPv6Address(dst).packed,), "ipv6.nxt": (nxt,), "ipv6.hlim": (hops,),
    }  # fmt: skip


def _dhcpv6(site: Site) -> Iterator[Atom]:
    for kind, (number, outgoing) in DHCPV6.items():
        fields = _ipv6(site, outgoing, control.ALL_DHCP if outgoing else HERE6, packets.UDP, 64)
        ports = (control.CLIENT_PORT, control.SERVER_PORT)
        source, destination = ports if outgoing else ports[::-1]
        stream = free_streams(site.names)[0 if outgoing else 1]
        fields |= {
            "udp": (1,), "udp.srcport": (source,), "udp.dstport": (destination,),
            "udp.stream": (stream,), "dhcpv6": (1,), "dhcpv6.msgtype": (number,),
            "replicap.class": ("link-control",),
            f"udp{OCTETS}": (line_packet(site, kind)[40:],),
            f"dhcpv6{OCTETS}": (line_packet(site, kind)[48:],),
        }  # fmt: skip
        yield Atom(kind, kind, fields, flow="dhcpv6 out" if outgoing else "dhcpv6 in")


def line_packet(site: Site, kind: str) -> bytes:
    """The IPv6 packet of RS, RA and DHCPv6: what the claims name stands in it."""
    transfer, delegated = prefixes(site.names)
    if kind == "rs":
        return control.router_solicitation(HERE6)
    if kind == "ra":
        return control.router_advertisement(THERE6, transfer[0], length=transfer[1])
    number, outgoing = DHCPV6[kind]
    client, server = b"\0\x03\0\x01" + HERE, b"\0\x03\0\x01" + THERE
    message = control.dhcpv6(
        number, 0x5A4001, client=client,
        server=None if kind == "dhcpv6-solicit" else server,
        prefix=None if kind == "dhcpv6-solicit" else delegated,
        dns=() if outgoing else DNS6,
    )  # fmt: skip
    src, dst = (HERE6, control.ALL_DHCP) if outgoing else (THERE6, HERE6)
    return control.dhcpv6_packet(message, src=src, dst=dst, from_client=outgoing)


def prefixes(names: Alphabet) -> tuple[tuple[str, int], tuple[str, int]]:
    """The prefix of the line, of 64 bits, and the one delegated to the site."""
    line = next((one for one in names.prefixes if one[1] == 64), ("2001:db8::", 64))
    delegated = (one for one in names.prefixes if one[1] < 64)
    return line, next(delegated, ("2001:db8:1::", 56))


def free_streams(names: Alphabet) -> list[int]:
    """The two lowest UDP stream numbers that no claim names: those of DHCPv6."""
    return [number for number in range(200) if number not in names.udp_streams[:SERVERS]][:2]


def server_streams(names: Alphabet) -> list[int]:
    """UDP stream numbers of the time servers: the named ones, then the next free ones."""
    taken = names.udp_streams[:SERVERS]
    rest = (n for n in range(200) if n not in taken and n not in free_streams(names))
    return [*taken, *(next(rest) for _ in range(SERVERS - len(taken)))]


def _time(site: Site) -> Iterator[Atom]:
    port = control.NTP_PORT
    for number, (server, stream) in enumerate(
        zip(site.servers, server_streams(site.names), strict=True)
    ):
        address = int(IPv4Address(server))
        for kind, src, dst, what in (
            ("ntp-request", site.router, address, "udp-probe"),
            ("ntp-reply", address, site.router, "reply"),
        ):
            fields = _ip(site, src, dst, packets.UDP) | {
                "udp": (1,), "udp.srcport": (port,), "udp.dstport": (port,),
                "udp.stream": (stream,), "ntp": (1,), "replicap.class": (what,),
            }  # fmt: skip
            yield Atom(f"{kind} {number}", kind, fields, slot=number, flow=f"ntp {number}")
