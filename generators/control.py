"""Byte builders of what a router says to its provider: PPP control, addresses, the time of day.

Each returns the payload that ``generators.packets`` wraps. All numbers are those of the RFCs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from generators.packets import ICMPV6, icmpv6, ipv6, options, packed, udp
from generators.packets import UDP as UDP_PROTOCOL

# PPPoE discovery (RFC 2516) -------------------------------------------------------------------

PADI, PADO, PADR, PADS, PADT = 0x09, 0x07, 0x19, 0x65, 0xA7
SERVICE_NAME, AC_NAME, HOST_UNIQ, AC_COOKIE = 0x0101, 0x0102, 0x0103, 0x0104

# PPP control protocols (RFC 1661, 1334, 1332, 5072) -------------------------------------------

LCP, PAP, IPCP, IPV6CP = 0xC021, 0xC023, 0x8021, 0x8057
REQUEST, CONFIRM, NAK, REJECT = 1, 2, 3, 4
ECHO_REQUEST, ECHO_REPLY = 9, 10
MRU, AUTHENTICATION, MAGIC = 1, 3, 5


def control(code: int, ident: int, body: bytes) -> bytes:
    """A packet of LCP, PAP, IPCP or IPV6CP: code, identifier, length over all, body."""
    return struct.pack(">BBH", code, ident & 0xFF, 4 + len(body)) + body


def lcp_configure(
    code: int, ident: int, *, magic: int, pap: bool = False, mru: int = 1492
) -> bytes:
    """A configure request or its acknowledgement."""
    wanted = {MRU: struct.pack(">H", mru)}
    if pap:
        wanted[AUTHENTICATION] = struct.pack(">H", PAP)
    wanted[MAGIC] = struct.pack(">I", magic)
    return control(code, ident, options(wanted))


def lcp_echo(code: int, ident: int, magic: int) -> bytes:
    """An echo request (9) or reply (10): the sender's magic number."""
    return control(code, ident, struct.pack(">I", magic))


def pap_request(ident: int, user: bytes, secret: bytes) -> bytes:
    """An authenticate request (RFC 1334 section 2.2.1)."""
    return control(1, ident, bytes([len(user)]) + user + bytes([len(secret)]) + secret)


def pap_confirm(ident: int, message: bytes = b"") -> bytes:
    """An authenticate acknowledgement."""
    return control(2, ident, bytes([len(message)]) + message)


def ipcp(code: int, ident: int, address: str, dns: Sequence[str] = ()) -> bytes:
    """IPCP with an address and up to two DNS servers (RFC 1332, RFC 1877)."""
    wanted = {3: packed(address)}
    for kind, server in zip((129, 131), dns, strict=False):
        wanted[kind] = packed(server)
    return control(code, ident, options(wanted))


def ipv6cp(code: int, ident: int, interface: bytes) -> bytes:
    """IPV6CP with an interface identifier of 8 octets (RFC 5072 section 4.1)."""
    return control(code, ident, options({1: interface}))


# IPv6 addresses (RFC 4861, RFC 8415, RFC 8106) ------------------------------------------------

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
SOLICIT, ADVERTISE, DHCP_REQUEST, REPLY, INFORMATION = 1, 2, 3, 7, 11
ALL_ROUTERS, ALL_NODES, ALL_DHCP = "ff02::2", "ff02::1", "ff02::1:2"
CLIENT_PORT, SERVER_PORT = 546, 547


def router_solicitation(src: str) -> bytes:
    """An IPv6 packet that asks for routers; PPP has no link-layer address to tell."""
    message = icmpv6(ROUTER_SOLICITATION, 0, bytes(4), src=src, dst=ALL_ROUTERS)
    return ipv6(message, src=src, dst=ALL_ROUTERS, protocol=ICMPV6, hop_limit=255)


def router_advertisement(
    src: str, prefix: str, *, dst: str = ALL_NODES, length: int = 64, mtu: int = 1492
) -> bytes:
    """An IPv6 packet that announces a prefix for addresses of one's own making."""
    body = struct.pack(">BBHII", 64, 0x40, 1800, 0, 0)
    body += struct.pack(">BBBBIII", 3, 4, length, 0xC0, 14400, 14400, 0) + packed(prefix)
    body += struct.pack(">BBHI", 5, 1, 0, mtu)
    message = icmpv6(ROUTER_ADVERTISEMENT, 0, body, src=src, dst=dst)
    return ipv6(message, src=src, dst=dst, protocol=ICMPV6, hop_limit=255)


def dhcpv6(
    kind: int,
    transaction: int,
    *,
    client: bytes,
    server: bytes | None = None,
    prefix: tuple[str, int] | None = None,
    dns: Sequence[str] = (),
) -> bytes:
    """A DHCPv6 message: DUIDs, a delegated prefix and DNS servers when they are given."""

    def option(code: int, value: bytes) -> bytes:
        return struct.pack(">HH", code, len(value)) + value

    body = struct.pack(">I", kind << 24 | transaction & 0xFFFFFF) + option(1, client)
    if server is not None:
        body += option(2, server)
    delegated = b""
    if prefix is not None:
        lifetimes = struct.pack(">IIB", 1800, 14400, prefix[1])
        delegated = option(26, lifetimes + packed(prefix[0]))
    body += option(25, struct.pack(">III", 1, 900, 1440) + delegated)
    if dns:
        body += option(23, b"".join(packed(one) for one in dns))
    return body


def dhcpv6_packet(message: bytes, *, src: str, dst: str, from_client: bool) -> bytes:
    """The IPv6 packet of a DHCPv6 message."""
    ports = (CLIENT_PORT, SERVER_PORT) if from_client else (SERVER_PORT, CLIENT_PORT)
    datagram = udp(message, src=src, dst=dst, srcport=ports[0], dstport=ports[1])
    return ipv6(datagram, src=src, dst=dst, protocol=UDP_PROTOCOL)


# Time (RFC 5905) ------------------------------------------------------------------------------

NTP_PORT = 123
NTP_EPOCH = 2_208_988_800
"""Seconds from 1900-01-01 to 1970-01-01."""


def ntp_stamp(time_ns: int) -> bytes:
    """A 64-bit NTP time stamp of nanoseconds since 1970."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return struct.pack(">II", (seconds + NTP_EPOCH) & 0xFFFFFFFF, (rest << 32) // 1_000_000_000)


def ntp_client(time_ns: int) -> bytes:
    """What a simple client sends: version 4, mode 3, its transmit time (RFC 5905 section 14)."""
    return bytes([0x23]) + bytes(39) + ntp_stamp(time_ns)


def ntp_server(asked_ns: int, time_ns: int, reference: str) -> bytes:
    """The answer of a stratum 2 server; ``asked_ns`` is the client's transmit time."""
    head = struct.pack(">BBbbII", 0x24, 2, 6, -20, 0x0400, 0x0800) + packed(reference)
    stamps = (time_ns - 60_000_000_000, asked_ns, time_ns, time_ns)
    return head + b"".join(ntp_stamp(one) for one in stamps)
