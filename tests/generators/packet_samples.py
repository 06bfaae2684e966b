"""One packet of every builder, in one session: what a decoder and tshark must find flawless."""

from __future__ import annotations

from generators import control, packets
from generators.capture_file import Packet
from generators.packets import Segment, Wire

HERE, THERE = bytes.fromhex("00040e000001"), bytes.fromhex("00a0c9000002")
WIRE = Wire(HERE, THERE, vlan_id=7, session=0x1234)
SITE, PEER = "192.0.2.1", "198.51.100.9"
SITE6, ROUTER6 = "fe80::1", "fe80::2"
NOW = 1_500_000_000_000_000_000


def discovery() -> list[bytes]:
    tags = [(control.SERVICE_NAME, b""), (control.HOST_UNIQ, b"\1\2\3\4")]
    kinds = (control.PADI, control.PADO, control.PADR, control.PADS)
    return [
        WIRE.raw(
            packets.pppoe_discovery(code, 0x1234 if code == control.PADS else 0, tags),
            packets.ETHERTYPE_PPPOE_DISCOVERY,
            outgoing=code in (control.PADI, control.PADR),
        )
        for code in kinds
    ]


def links() -> list[bytes]:
    pairs = [
        (control.LCP, control.lcp_configure(control.REQUEST, 1, magic=7, pap=True)),
        (control.LCP, control.lcp_echo(control.ECHO_REQUEST, 2, 7)),
        (control.PAP, control.pap_request(1, b"user", b"secret")),
        (control.PAP, control.pap_confirm(1)),
        (control.IPCP, control.ipcp(control.REQUEST, 1, "0.0.0.0", ["0.0.0.0", "0.0.0.0"])),
        (control.IPV6CP, control.ipv6cp(control.REQUEST, 1, bytes(7) + b"\1")),
    ]
    return [WIRE.link(protocol, payload, outgoing=True) for protocol, payload in pairs]


def ipv6_packets() -> list[bytes]:
    solicit = control.dhcpv6(control.SOLICIT, 5, client=b"\0\3\0\1" + HERE)
    reply = control.dhcpv6(
        control.REPLY, 5, client=b"\0\3\0\1" + HERE, server=b"\0\3\0\1" + THERE,
        prefix=("2001:db8:1::", 56), dns=["2001:db8::53"],
    )  # fmt: skip
    return [
        control.router_solicitation(SITE6),
        control.router_advertisement(ROUTER6, "2001:db8::"),
        control.dhcpv6_packet(solicit, src=SITE6, dst=control.ALL_DHCP, from_client=True),
        control.dhcpv6_packet(reply, src=ROUTER6, dst=SITE6, from_client=False),
    ]


def ipv4_packets() -> list[bytes]:
    syn = Segment(40000, 23, seq=9, options=packets.LINUX_OPTIONS)
    probe = packets.ipv4(packets.tcp(syn, src=PEER, dst=SITE), src=PEER, dst=SITE, protocol=6)
    asked = control.ntp_client(NOW)
    answer = control.ntp_server(NOW, NOW + 1000, "192.0.2.123")
    found = [probe]
    for payload, src, dst, ports in (
        (asked, SITE, PEER, (123, 123)),
        (answer, PEER, SITE, (123, 123)),
        (b"odd", PEER, SITE, (5000, 53413)),
    ):
        datagram = packets.udp(payload, src=src, dst=dst, srcport=ports[0], dstport=ports[1])
        found.append(packets.ipv4(datagram, src=src, dst=dst, protocol=17))
    ping = packets.icmp_echo(packets.ECHO_REQUEST, 1, 2, b"abcdefgh")
    found.append(packets.ipv4(ping, src=PEER, dst=SITE, protocol=1))
    error = packets.icmp_error(3, packets.ADMINISTRATIVELY_PROHIBITED, probe)
    found.append(packets.ipv4(error, src=SITE, dst=PEER, protocol=1))
    return found


def capture() -> list[Packet]:
    wrapped = [WIRE.frame(packet, outgoing=False) for packet in ipv6_packets() + ipv4_packets()]
    frames = [*discovery(), *links(), *wrapped]
    return [Packet(NOW + number * 1_000_000, data) for number, data in enumerate(frames)]
