"""Other packets in the place of one: over another protocol, or over less of a stack."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from generators import control
from generators.edits import Record
from generators.headers import ETHERNET, PPP, PPP_PROTOCOLS, Header, headers
from generators.packets import ICMP, ICMPV6, TCP, UDP, Segment, icmp_echo, icmpv6, ipv4, ipv6
from generators.packets import tcp as tcp_segment
from generators.packets import udp as udp_datagram
from generators.rewriting import replace_data

V4 = ("192.0.2.1", "192.0.2.2")
V6 = ("2001:db8::1", "2001:db8::2")
"""Addresses for documentation (RFC 5737, RFC 3849), of packets that have none of their own."""
PORTS = (54321, 9)
_WITH_LENGTH = frozenset(("lcp", "ipcp", "ipv6cp", "pap", "chap"))
"""Protocols of PPP with a length of their own behind code and identifier (RFC 1661 section 5)."""
LINK_LOCAL = "fe80::1"
_ETHERTYPE = {"ip": 0x0800, "ipv6": 0x86DD}
_PPP = {name: number for number, name in PPP_PROTOCOLS.items()}
_NETWORKS = ("ip", "ipv6", *(name for name in _PPP if name not in ("ip", "ipv6")), "pppoed")


def variants(record: Record) -> Iterator[tuple[str, Record]]:
    """Packets made from one, each with words on what was done; none of them is the packet itself.

    They keep its link layer, and its addresses and ports where they can.
    """
    found = headers(record.data, record.link)
    at = next((n for n, header in enumerate(found) if header.protocol in _NETWORKS), None)
    if at is None:
        return
    for words, kind, packet in _packets(record.data, found):
        changed = _carrying(record, found, at, kind, packet)
        if changed is not None:
            yield f"as {words}", changed
    yield from _link_variants(record, found, at)
    yield from _malformed(record, found)
    yield "cut by the capture", record._replace(data=record.data[: found[at].start + 1])


def _packets(data: bytes, found: list[Header]) -> Iterator[tuple[str, str, bytes]]:
    src, dst = _ends(data, found, "ip") or V4
    ports = _ports(data, found)
    segment = tcp_segment(Segment(*ports, seq=1), src=src, dst=dst)
    yield "TCP over IPv4", "ip", ipv4(segment, src=src, dst=dst, protocol=TCP)
    datagram = udp_datagram(b"", src=src, dst=dst, srcport=ports[0], dstport=ports[1])
    yield "UDP over IPv4", "ip", ipv4(datagram, src=src, dst=dst, protocol=UDP)
    yield "a ping over IPv4", "ip", ipv4(icmp_echo(8, 1, 1, b""), src=src, dst=dst, protocol=ICMP)
    src, dst = _ends(data, found, "ipv6") or V6
    segment = tcp_segment(Segment(*ports, seq=1), src=src, dst=dst)
    yield "TCP over IPv6", "ipv6", ipv6(segment, src=src, dst=dst, protocol=TCP)
    datagram = udp_datagram(b"", src=src, dst=dst, srcport=ports[0], dstport=ports[1])
    yield "UDP over IPv6", "ipv6", ipv6(datagram, src=src, dst=dst, protocol=UDP)
    echo = icmpv6(128, 0, bytes(4), src=src, dst=dst)
    yield "a ping over IPv6", "ipv6", ipv6(echo, src=src, dst=dst, protocol=ICMPV6)
    yield "a router solicitation", "ipv6", control.router_solicitation(LINK_LOCAL)
    yield "a router advertisement", "ipv6", control.router_advertisement(LINK_LOCAL, "2001:db8::")
    message = control.dhcpv6(1, 1, client=bytes(10))
    over = control.dhcpv6_packet(message, src=LINK_LOCAL, dst="ff02::1:2", from_client=True)
    yield "DHCPv6", "ipv6", over
    yield "LCP", "lcp", control.lcp_echo(9, 1, 1)
    yield "PAP", "pap", control.pap_request(1, b"user", b"secret")
    yield "IPCP", "ipcp", control.ipcp(1, 1, V4[0])
    yield "IPV6CP", "ipv6cp", control.ipv6cp(1, 1, bytes(8))


def _ends(data: bytes, found: list[Header], protocol: str) -> tuple[str, str] | None:
    header = next((one for one in found if one.protocol == protocol), None)
    if header is None:
        return None
    at = header.start
    if protocol == "ip":
        return str(IPv4Address(data[at + 12 : at + 16])), str(IPv4Address(data[at + 16 : at + 20]))
    return str(IPv6Address(data[at + 8 : at + 24])), str(IPv6Address(data[at + 24 : at + 40]))


def _ports(data: bytes, found: list[Header]) -> tuple[int, int]:
    header = next((one for one in found if one.protocol in ("tcp", "udp")), None)
    if header is None:
        return PORTS
    at = header.start
    return int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")


def _carrying(
    record: Record, found: list[Header], at: int, kind: str, packet: bytes
) -> Record | None:
    """The link layer of a packet in front of another packet."""
    header = found[at]
    over_ppp = record.link == PPP or any(one.protocol == "pppoes" for one in found[:at])
    number = (_PPP if over_ppp else _ETHERTYPE).get(kind)
    if number is None or header.protocol == "pppoed":
        return None
    head = bytearray(record.data[: header.start])
    if header.follows is not None:
        head[header.follows : header.follows + 2] = number.to_bytes(2, "big")
    elif kind not in _ETHERTYPE:
        return None
    for one in found[:at]:
        if one.protocol == "pppoes":
            head[one.start + 4 : one.start + 6] = (len(packet) + 2).to_bytes(2, "big")
    return replace_data(record, bytes(head) + packet)


def _link_variants(record: Record, found: list[Header], at: int) -> Iterator[tuple[str, Record]]:
    """Without a VLAN tag, without PPPoE, as PPPoE discovery: of Ethernet only."""
    if record.link != ETHERNET:
        return
    data, network = record.data, found[at]
    inner = data[network.start :]
    tag = next((one for one in found if one.protocol == "vlan"), None)
    if tag is not None:
        yield "without its VLAN tag", replace_data(record, data[:12] + data[tag.start + 2 :])
    session = next((one for one in found if one.protocol == "pppoes"), None)
    if session is not None:
        bare, discovery = bytearray(data[: session.start]), bytearray(data[: session.start])
        bare[-2:] = _ETHERTYPE.get(network.protocol, 0x0800).to_bytes(2, "big")
        if network.protocol in _ETHERTYPE:
            yield "without PPPoE", replace_data(record, bytes(bare) + inner)
        discovery[-2:] = b"\x88\x63"
        padi = b"\x11\x09\x00\x00\x00\x04" + b"\x01\x01\x00\x00"
        yield "as PPPoE discovery", replace_data(record, bytes(discovery) + padi)
    elif network.protocol in _ETHERTYPE and network.follows is not None:
        head = data[: network.follows] + b"\x81\x00\x0f\xa1"
        number = data[network.follows : network.follows + 2]
        yield "with a VLAN tag more", replace_data(record, head + number + inner)
    stripped = data[:12] + _ETHERTYPE.get(network.protocol, 0x0800).to_bytes(2, "big") + inner
    if network.protocol in _ETHERTYPE and network.start > 14:
        yield "directly in Ethernet", replace_data(record, stripped)


def _malformed(record: Record, found: list[Header]) -> Iterator[tuple[str, Record]]:
    """Cut behind the first octets of its transport header, with an IP length that says so.

    Without IP: a packet of link control that claims more octets than there are.
    """
    for ip, inner in pairwise(found):
        if ip.protocol == "ip" and inner.protocol in ("tcp", "udp", "icmp") and not inner.quoted:
            data = bytearray(record.data[: inner.start + 4])
            data[ip.start + 2 : ip.start + 4] = (inner.start + 4 - ip.start).to_bytes(2, "big")
            yield "cut in its transport header", replace_data(record, bytes(data))
            return
    for header in found:
        if header.protocol in _WITH_LENGTH and not header.quoted:
            data = bytearray(record.data)
            data[header.start + 2 : header.start + 4] = b"\xff\xff"
            yield (
                f"with {header.protocol} that claims 65535 octets",
                replace_data(record, bytes(data)),
            )
            return
