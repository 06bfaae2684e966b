"""Fixed headers: dpkt declares their fields, this reads them in place.

dpkt's packet classes decode everything above them and keep what fails as bytes; only their
declarative header tables are used here, so that lengths and limits stay with our layers.
"""

from __future__ import annotations

import struct
from typing import Any

from dpkt import arp, ethernet, gre, icmp, ip, ip6, ppp, pppoe, sll, sll2, tcp, udp

from decoders.octets import Octets


class Header:
    """The fixed part of a header, as dpkt declares it.

    ``size`` is in octets; ``ends`` gives for each of dpkt's field names the octets that must be
    there before the field is.
    """

    def __init__(self, packet: Any, formats: str | None = None) -> None:
        declared = [(name, code) for name, code, _ in packet.__hdr__]
        codes = formats.split() if formats else [code for _, code in declared]
        self.names = tuple(name for name, _ in declared)
        self.struct = struct.Struct("!" + "".join(codes))
        self.size = self.struct.size
        self.ends: dict[str, int] = {}
        end = 0
        for name, code in zip(self.names, codes, strict=True):
            end += struct.calcsize("!" + code)
            self.ends[name] = end

    def read(self, octets: Octets) -> tuple[Any, ...]:
        """The fields; those that are cut off read as if zeros followed."""
        start = octets.start
        if start + self.size <= octets.end:
            return self.struct.unpack_from(octets.data, start)
        rest = octets.data[start : octets.end]
        return self.struct.unpack(rest + bytes(self.size - len(rest)))


ETHERNET = Header(ethernet.Ethernet)
VLAN_TAG = Header(ethernet.VLANtag8021Q)
PPPOE = Header(pppoe.PPPoE)
PPP = Header(ppp.PPP)
ARP = Header(arp.ARP)
IPV4 = Header(ip.IP, "B B H H H B B H I I")
IPV6 = Header(ip6.IP6)
IPV6_OPTIONS = Header(ip6.IP6OptsHeader)
IPV6_ROUTING = Header(ip6.IP6RoutingHeader)
IPV6_FRAGMENT = Header(ip6.IP6FragmentHeader)
IPV6_AH = Header(ip6.IP6AHHeader)
TCP = Header(tcp.TCP)
UDP = Header(udp.UDP)
ICMP = Header(icmp.ICMP)
GRE = Header(gre.GRE)
SLL = Header(sll.SLL)
SLL2 = Header(sll2.SLL2)
