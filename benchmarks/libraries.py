"""What dpkt and scapy take to get the benchmark's fields out of VLAN, PPPoE, PPP, IPv4 and TCP.

    python benchmarks/libraries.py dpkt|scapy CAPTURE

Prints seconds, or ``missing`` when the library is not installed.
"""

from __future__ import annotations

import importlib.util
import sys
import time


def by_dpkt(path: str) -> int:
    import dpkt

    found = 0
    with open(path, "rb") as file:
        for _time, data in dpkt.pcap.Reader(file):
            frame = dpkt.ethernet.Ethernet(data)
            layer = frame.data
            while layer is not None and not isinstance(layer, (bytes, dpkt.ip.IP)):
                layer = getattr(layer, "data", None)
            if isinstance(layer, dpkt.ip.IP) and isinstance(layer.data, dpkt.tcp.TCP):
                tcp = layer.data
                values = (layer.src, layer.dst, layer.id, tcp.sport, tcp.dport, tcp.seq, tcp.flags)
                found += len(values) > 0
    return found


def by_scapy(path: str) -> int:
    import scapy.layers.ppp  # noqa: F401 - binds what PPPoE carries
    from scapy.layers.inet import IP, TCP
    from scapy.utils import PcapReader

    found = 0
    with PcapReader(path) as reader:
        for packet in reader:
            if IP in packet and TCP in packet:
                ip, tcp = packet[IP], packet[TCP]
                values = (ip.src, ip.dst, tcp.sport, tcp.dport, tcp.seq, int(tcp.flags))
                found += len(values) > 0
    return found


def main() -> int:
    library, path = sys.argv[1:]
    if importlib.util.find_spec(library) is None:
        print("missing")
        return 0
    read = {"dpkt": by_dpkt, "scapy": by_scapy}[library]
    start = time.perf_counter()
    found = read(path)
    if not found:
        sys.exit(f"{library} found no TCP packet")
    print(time.perf_counter() - start)
    return 0


if __name__ == "__main__":
    sys.exit(main())
