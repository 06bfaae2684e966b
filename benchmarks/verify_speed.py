#!/usr/bin/env python3
"""How long ``replicap verify`` takes on a small capture, against one pass of tshark.

    python benchmarks/verify_speed.py [--packets N] [--claims N] [--runs N] [--imports]

Makes a capture of scan traffic in VLAN 7 and PPPoE and an expectation file about it, then runs
``replicap verify`` and ``tshark -q -z conv,tcp -z ip_hosts,tree -z dests,tree`` in turn, each as a
whole process. Prints the medians and the ratio; with ``--imports`` also where start-up goes.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PORTS = (23, 1433, 22, 2323, 445, 8545, 3389, 80, 81, 8080)
SITE = 0xCB007101
SECONDS = 86_400
DONE = (0, 1)
"""Exit statuses of a run that gave verdicts."""


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = int.from_bytes(data, "big") % 0xFFFF
    return 0xFFFF - total


def probe(number: int) -> bytes:
    """One SYN to the site: Ethernet, VLAN 7, PPPoE session, IPv4, TCP."""
    source = 0xC6336400 + number % 1018
    port = PORTS[number * number % len(PORTS)]
    tcp = struct.pack("!HHIIHHHH", 40_000 + number % 20_000, port, number, 0, 0x5002, 1024, 0, 0)
    pseudo = struct.pack("!IIHH", source, SITE, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 40, number & 0xFFFF, 0, 52, 6, 0, source, SITE)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    link = bytes.fromhex("020000000101 020000000202 8100 0007 8864 1100 1234".replace(" ", ""))
    return link + struct.pack("!HH", 42, 0x21) + ip + tcp


def write_capture(path: Path, packets: int) -> None:
    """A pcap of ``packets`` probes, spread over a day."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(packets):
            frame = probe(number)
            at = 1_500_000_000 + number * SECONDS // packets
            file.write(struct.pack("<IIII", at, number % 1_000_000, len(frame), len(frame)))
            file.write(frame)


def write_expectations(path: Path, packets: int, claims: int) -> None:
    """``claims`` claims of several measures about that capture."""
    lines = [
        "replicap: 1",
        "title: speed",
        "source: {by: a benchmark, url: https://example.org/}",
        "claims:",
    ]
    kinds = (
        ("measure: packets", f"equals: {packets}"),
        ("measure: {distinct: ip.src}", "at_least: 1"),
        ("measure: {streams: tcp}", "at_least: 1"),
        ("measure: {largest: {by: tcp.dstport, n: 3}}", "rows: {}"),
        ('measure: {every: "vlan.id == 7"}', "holds: true"),
        ('measure: {no: "ipv6"}', "holds: true"),
    )
    for number in range(claims):
        port = PORTS[number % len(PORTS)]
        if number % 2:
            lines += [f"  - id: port-{number}", f'    where: "tcp.dstport == {port} && !icmp"']
            lines += ["    measure: packets", "    at_least: 0"]
        else:
            measure, comparison = kinds[number // 2 % len(kinds)]
            comparison = comparison.replace("rows: {}", f"rows: {{{PORTS[0]}: {number}}}")
            lines += [f"  - id: claim-{number}", f"    {measure}", f"    {comparison}"]
        lines += ["    says: a figure", "    at: {section: Speed, item: 1}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seconds(command: Sequence[str]) -> float:
    """Wall time of one whole process; a process that did not do its work ends the benchmark."""
    start = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    taken = time.perf_counter() - start
    if done.returncode not in DONE:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return taken


def show_imports(command: Sequence[str]) -> None:
    """The packages that cost most at start-up, by the interpreter's own account."""
    traced = [command[0], "-X", "importtime", *command[1:]]
    done = subprocess.run(traced, capture_output=True, text=True, check=False)
    rows = []
    for line in done.stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[1].strip().isdigit():
            name = parts[2].strip()
            if "." not in name or name.startswith(("harness", "decoders")):
                rows.append((int(parts[1]), name))
    print("\nimports, with what they import, ms:")
    for microseconds, name in sorted(rows, reverse=True)[:24]:
        print(f"{microseconds / 1000:>8.1f}  {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--packets", type=int, default=5_000)
    parser.add_argument("--claims", type=int, default=50)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        capture, expectations = Path(folder, "scan.pcap"), Path(folder, "scan.yaml")
        write_capture(capture, options.packets)
        write_expectations(expectations, options.packets, options.claims)
        verify = [sys.executable, "-m", "harness", "verify", str(capture)]
        verify += ["-e", str(expectations)]
        tshark = shutil.which("tshark")
        trees = [tshark or "", "-q", "-r", str(capture), "-z", "conv,tcp"]
        trees += ["-z", "ip_hosts,tree", "-z", "dests,tree"]
        seconds(verify)
        times: list[tuple[float, float]] = []
        for _ in range(options.runs):
            times.append((seconds(verify), seconds(trees) if tshark else float("nan")))
        ours = statistics.median(first for first, _ in times)
        print(f"replicap verify, {options.packets} packets, {options.claims} claims: {ours:.2f} s")
        if tshark:
            theirs = statistics.median(second for _, second in times)
            ratio = statistics.median(first / second for first, second in times)
            print(f"tshark, three statistics in one pass: {theirs:.2f} s; ratio {ratio:.2f}")
        if options.imports:
            show_imports(verify)
    return 0


if __name__ == "__main__":
    sys.exit(main())
