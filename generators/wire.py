"""Events -> frames: numbers, options and payloads, as senders of such packets choose them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from generators import control, packets
from generators.capture_file import Packet
from generators.kinds import DHCPV6, DISCOVERY, HERE, LINKS, SESSION, THERE, Site, line_packet
from generators.packets import ACK, RST, SYN, Segment, Wire
from generators.plan import Flow
from generators.schedule import Event

MAGIC_HERE, MAGIC_THERE = 0x5EED0007, 0x0A1B2C3D
ZMAP_ID = 54321
"""An identification that marks a scanner; senders here choose others."""
CATCH_ALL_PAYLOADS = {
    53: b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03",
    161: bytes.fromhex("302602010104067075626c6963a01902044a5b6c7d0201000201003"
                       "00b300906052b060102010500"),
    1900: b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\n'
          b"MX: 1\r\nST: ssdp:all\r\n\r\n",
    53413: b"AA\0\0AAAA netcore\0",
}  # fmt: skip


@dataclass(frozen=True)
class Sender:
    """What one foreign host has in all its packets."""

    ttl: int
    ident: int
    window: int
    options: bytes
    seq: int


def sender(flow: Flow, seed: int) -> Sender:
    """The same for every packet of one address."""
    random = Random(f"{seed} sender {flow.address}")
    kind = random.randrange(10)
    hops = random.randint(8, 24)
    ident = random.randrange(1, 40000)
    seq = random.getrandbits(32)
    if kind < 5:  # worms on small devices, and scanners with their own TCP
        return Sender(64 - hops, ident, random.choice((1024, 14600, 65535)), packets.MSS, seq)
    if kind < 8:
        return Sender(64 - hops, ident, 29200, packets.LINUX_OPTIONS, seq)
    return Sender(128 - hops, ident, 8192, packets.WINDOWS_OPTIONS, seq)


class Writer:
    """Frames of one twin."""

    def __init__(self, site: Site, start_ns: int, seed: int) -> None:
        self.site, self.start, self.seed = site, start_ns, seed
        session = SESSION if site.names.pppoe else None
        self.wire = Wire(HERE, THERE, site.names.vlan_id, session)
        self._idents: dict[str, int] = {}
        self._senders: dict[str, Sender] = {}
        self._packets: dict[tuple[int, int], bytes] = {}
        self._asked: dict[tuple[int, int], int] = {}

    def frames(self, events: Iterable[Event]) -> Iterator[Packet]:
        """Each event as a frame, in order."""
        for event in events:
            yield Packet(self.start + event.time, self._frame(event))

    def _frame(self, event: Event) -> bytes:
        kind = event.atom.kind
        if event.flow is not None:
            return self._of_flow(event, event.flow)
        if kind in DISCOVERY:
            return self._discovery(kind)
        if kind in LINKS:
            return self._link(kind, event.number)
        if kind in ("rs", "ra", *DHCPV6):
            outgoing = kind == "rs" or (kind in DHCPV6 and DHCPV6[kind][1])
            return self.wire.frame(line_packet(self.site, kind), outgoing=outgoing)
        return self._time(event)

    # Probes ----------------------------------------------------------------------------------

    def _of_flow(self, event: Event, flow: Flow) -> bytes:
        key = (id(flow), event.number)
        kind = event.atom.kind
        if kind.endswith("-error"):
            error = packets.icmp_error(
                packets.UNREACHABLE, packets.ADMINISTRATIVELY_PROHIBITED, self._packets[key]
            )
            return self._out(error, flow.address, packets.ICMP)
        if kind == "reset":
            number = self._sender(flow).seq + flow.srcport + 1
            segment = Segment(flow.port, flow.srcport, 0, number, RST | ACK, window=0)
            site = self.site.names.site
            body = packets.tcp(segment, src=site, dst=flow.address)
            return self._out(body, flow.address, packets.TCP)
        packet = self._probe(event, flow)
        self._packets[key] = packet
        return self.wire.frame(packet, outgoing=False)

    def _sender(self, flow: Flow) -> Sender:
        if flow.address not in self._senders:
            self._senders[flow.address] = sender(flow, self.seed)
        return self._senders[flow.address]

    def _probe(self, event: Event, flow: Flow) -> bytes:
        host, site = self._sender(flow), self.site.names.site
        if flow.role == "udp":
            body = packets.udp(
                udp_payload(flow.port, self.start + event.time), src=flow.address, dst=site,
                srcport=flow.srcport, dstport=flow.port,
            )  # fmt: skip
            protocol = packets.UDP
        elif flow.role == "ping":
            payload = bytes(range(0x10, 0x38))
            body = packets.icmp_echo(packets.ECHO_REQUEST, host.ident, event.time >> 30, payload)
            protocol = packets.ICMP
        else:
            body = packets.tcp(self._segment(flow, host), src=flow.address, dst=site)
            protocol = packets.TCP
        return packets.ipv4(
            body, src=flow.address, dst=site, protocol=protocol, ttl=host.ttl,
            ident=self._ident(flow.address, host.ident), dont_fragment=host.options != packets.MSS,
        )  # fmt: skip

    def _segment(self, flow: Flow, host: Sender) -> Segment:
        seq = host.seq + flow.srcport
        if flow.role == "synack":
            return Segment(
                flow.srcport, flow.port, seq, seq * 7 + 1, SYN | ACK, host.window, packets.MSS
            )
        return Segment(flow.srcport, flow.port, seq, 0, SYN, host.window, host.options)

    def _ident(self, address: str, first: int) -> int:
        """Identification of the next packet of a host: counted up, so that none is twice."""
        number = self._idents.get(address, first)
        number += number == ZMAP_ID
        self._idents[address] = number + 1
        return number

    def _out(self, body: bytes, address: str, protocol: int) -> bytes:
        site = self.site.names.site
        ident = self._ident(site, 1)
        packet = packets.ipv4(
            body, src=site, dst=address, protocol=protocol, ttl=64, ident=ident,
            dont_fragment=protocol != packets.ICMP, tos=0xC0 if protocol == packets.ICMP else 0,
        )  # fmt: skip
        return self.wire.frame(packet, outgoing=True)

    # The line itself -------------------------------------------------------------------------

    def _discovery(self, kind: str) -> bytes:
        code, outgoing, session = DISCOVERY[kind]
        tags = [(control.SERVICE_NAME, b""), (control.HOST_UNIQ, b"\0\0\x2a\x07")]
        if not outgoing:
            tags.append((control.AC_NAME, b"BRAS-1"))
        if kind in ("pado", "padr"):
            tags.append((control.AC_COOKIE, bytes(range(0x40, 0x50))))
        body = packets.pppoe_discovery(code, session, tags)
        to = b"\xff" * 6 if kind == "padi" else None
        ethertype = packets.ETHERTYPE_PPPOE_DISCOVERY
        return self.wire.raw(body, ethertype, outgoing=outgoing, to=to)

    def _link(self, kind: str, number: int) -> bytes:
        name, protocol, code, outgoing = LINKS[kind]
        mine = outgoing == (code == control.REQUEST)
        if kind.startswith("echo"):
            body = control.lcp_echo(code, number, MAGIC_HERE if outgoing else MAGIC_THERE)
        elif name == "lcp":
            magic = MAGIC_HERE if mine else MAGIC_THERE
            body = control.lcp_configure(code, 1, magic=magic, pap=not mine)
        elif name == "pap":
            body = control.pap_request(1, b"0001@provider.example", b"secret")
            body = body if code == 1 else control.pap_confirm(1)
        elif name == "ipcp":
            body = self._ipcp(kind, code)
        else:
            there = bytes.fromhex("02a0a5fffe122607")
            body = control.ipv6cp(code, 1, bytes.fromhex("02040efffe5a4001") if mine else there)
        return self.wire.link(protocol, body, outgoing=outgoing)

    def _ipcp(self, kind: str, code: int) -> bytes:
        """The router asks for any address and is told the site's."""
        site = self.site.names.site
        if kind in ("ipcp-request-in", "ipcp-ack"):
            return control.ipcp(code, 1, "62.155.247.1")
        asks = kind == "ipcp-request"
        return control.ipcp(code, 1 if kind != "ipcp-ack-in" else 2, "0.0.0.0" if asks else site)

    def _time(self, event: Event) -> bytes:
        number = event.atom.slot or 0
        server, site = self.site.servers[number], self.site.names.site
        now = self.start + event.time
        key = (number, event.number)
        port = control.NTP_PORT
        if event.atom.kind == "ntp-request":
            self._asked[key] = now
            body = packets.udp(
                control.ntp_client(now), src=site, dst=server, srcport=port, dstport=port
            )
            return self._out(body, server, packets.UDP)
        answer = control.ntp_server(self._asked.get(key, now), now, "192.53.103.108")
        body = packets.udp(answer, src=server, dst=site, srcport=port, dstport=port)
        packet = packets.ipv4(
            body, src=server, dst=site, protocol=packets.UDP, ttl=54,
            ident=self._ident(server, 100 * number),
        )  # fmt: skip
        return self.wire.frame(packet, outgoing=False)


def udp_payload(port: int, time_ns: int) -> bytes:
    """What a scanner sends to a well-known port; to others a datagram without octets."""
    if port == control.NTP_PORT:
        return control.ntp_client(time_ns)
    if port == 5060:
        return _sip()
    return CATCH_ALL_PAYLOADS.get(port, b"")


def _sip() -> bytes:
    lines = (
        "OPTIONS sip:100@192.0.2.1 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-7",
        "Max-Forwards: 70",
        'From: "scan" <sip:100@192.0.2.1>;tag=7',
        'To: "scan" <sip:100@192.0.2.1>',
        "Call-ID: 7@192.0.2.9",
        "CSeq: 1 OPTIONS",
        "Contact: <sip:100@192.0.2.9:5060>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
