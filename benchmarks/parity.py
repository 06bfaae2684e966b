#!/usr/bin/env python3
"""How far the table of packets equals tshark's, cell by cell, for every capture of a directory.

    python benchmarks/parity.py DIR [DIR ...] [--filters N] [--seed S] [--resume FILE]
                                [--differences N] [--json OUT] [--processes N]

A capture with a truth file beside it (NAME.truth.tsv.gz: one header line of field names, then one
line a packet, several values of a cell joined by ';') is compared with that file; any other is
compared with an installed tshark. A cell is one field of one packet, with all its occurrences.

``frame.protocols`` and ``_ws.malformed`` are counted twice: as they are, and without what only an
application's dissector can know (names from the first protocol on that is not dissected here,
exceptions of dissectors that are not ours). "In scope" is the second count, of packets that do not
say ``replicap.undecoded``.

With ``--filters N`` an installed tshark also answers N display filters made at random from what the
captures hold, and a list of filters of daily use (filter_parity.py).

With ``--resume FILE`` the cells of each capture are kept in FILE as soon as they are counted; a
capture that stands there with its size and time of change is not read again. Start a new file when
the decoders have changed.

Exit status: 0 when everything could be compared, 1 when a capture could not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.filter_parity import ask_filters, percent, print_filters, run_tshark
from decoders.containers import capture_files, open_captures
from decoders.fields import FIELDS
from decoders.frames import CaptureError
from decoders.reference import rows
from decoders.row import Row
from decoders.spelling import spell

TRUTH = ".truth.tsv.gz"
SEPARATOR = ";"
MOST_PACKETS = 5000
"""Captures of more packets are not asked filters of."""
IN_SCOPE = {
    "frame.protocols": "frame.protocols (in scope)",
    "_ws.malformed": "_ws.malformed (in scope)",
}
"""Fields that applications have a say in, and what they are called without that say."""

OUR_LAYERS = frozenset(
    [
        "Ethernet",
        "VLAN",
        "PPPoED",
        "PPPoES",
        "PPP",
        "IPv4",
        "IPv6",
        "TCP",
        "UDP",
        "ICMP",
        "ICMPv6",
        "ARP/RARP",
        "GRE",
        "LLC",
        "SLL",
    ]
) | {"802.1AD", "IPv6 Hop-by-Hop", "IPv6 Routing", "IPv6 Fragment", "IPv6 Destination", "PPP LCP"}
"""Wireshark's names of the layers that are dissected here, in ``[Malformed Packet: NAME]``."""

TSHARK_FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "frame.protocols",
    "eth.type",
    "vlan.id",
    "pppoe.code",
    "pppoe.session_id",
    "ppp.protocol",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ip.ttl",
    "ipv6.src",
    "ipv6.dst",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
    "tcp.analysis.retransmission",
    "udp.stream",
    "udp.srcport",
    "udp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "arp.opcode",
    "_ws.malformed",
)


@dataclass
class Comparison:
    """What came of one capture."""

    capture: str
    packets: int = 0
    cells: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    undecoded: Counter[str] = field(default_factory=Counter)
    """Differing cells of packets that say themselves that they are not decoded to their end."""
    undecoded_packets: int = 0
    first: dict[str, str] = field(default_factory=dict)
    """Field -> the first packet that differs, in words."""
    failure: str = ""


def truth_of(capture: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Field names and cells, from the truth file or from tshark."""
    beside = capture.with_name(capture.name + TRUTH)
    if beside.exists():
        with gzip.open(beside, "rt", encoding="utf-8", newline="\n") as lines:
            text = lines.read().split("\n")
        return text[0].split("\t"), (line.split("\t") for line in text[1:] if line)
    return list(TSHARK_FIELDS), ask_tshark(capture)


def ask_tshark(capture: Path) -> Iterator[list[str]]:
    """Cells of TSHARK_FIELDS; raises LookupError without tshark, TimeoutExpired when it hangs."""
    command = ["-r", str(capture), "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", f"aggregator={SEPARATOR}"]
    for name in TSHARK_FIELDS:
        command += ["-e", name]
    done = run_tshark(command)
    said = done.stderr.decode("utf-8", "replace")
    if not done.stdout and "tshark: The file" in said:
        raise LookupError("tshark: " + said.partition("tshark: ")[2].replace("\n", " ").strip())
    lines = done.stdout.decode("utf-8", "replace").split("\n")
    return (line.split("\t") for line in lines if line)


def cell(row: Row, name: str) -> str:
    """One cell in tshark's spelling."""
    declared = FIELDS[name]
    return SEPARATOR.join(spell(declared, value) for value in row.occurrences(name))


def same_in_scope(ours: str, theirs: str) -> bool:
    """Whether two protocol stacks agree up to the first protocol that is not dissected here."""
    if ours == theirs:
        return True
    known = ours.split(":")
    if known[-1] == "data" or known[-1] not in FIELDS:
        known.pop()
    named = theirs.split(":")
    if named[: len(known)] != known:
        return False
    return len(named) == len(known) or named[len(known)] not in FIELDS


def same_malformed(ours: str, theirs: str) -> bool:
    """Whether two cells agree about what is malformed in the layers that are dissected here."""
    return ours == theirs or _of_our_layers(ours) == _of_our_layers(theirs)


def _of_our_layers(cell: str) -> list[str]:
    """The exceptions of our layers; expert remarks of applications cannot be told from ours."""
    kept = []
    for text in cell.split(SEPARATOR):
        name = text.removeprefix("[Malformed Packet: ").removesuffix("]")
        if name != text and name in OUR_LAYERS:
            kept.append(text)
    return kept


SAME_IN_SCOPE = {"frame.protocols": same_in_scope, "_ws.malformed": same_malformed}


def compare(capture: Path) -> Comparison:
    """Every cell of one capture."""
    result = Comparison(str(capture))
    try:
        names, truth = truth_of(capture)
        ours = rows(open_captures([str(capture)]))
        _compare_rows(result, names, list(truth), ours)
    except (CaptureError, LookupError, OSError, subprocess.TimeoutExpired) as error:
        result.failure = str(error)
    return result


def _compare_rows(
    result: Comparison, names: list[str], truth: list[list[str]], ours: Iterator[Row]
) -> None:
    declared = [(at, name) for at, name in enumerate(names) if name in FIELDS]
    count = 0
    for row in ours:
        count += 1
        if count > len(truth):
            continue
        theirs = truth[count - 1]
        result.undecoded_packets += "replicap.undecoded" in row.own
        for at, name in declared:
            mine = cell(row, name)
            _note(result, name, row, (mine, theirs[at]), mine == theirs[at])
            if name in IN_SCOPE:
                same = SAME_IN_SCOPE[name](mine, theirs[at])
                _note(result, IN_SCOPE[name], row, (mine, theirs[at]), same)
    result.packets = len(truth)
    if count != len(truth):
        result.failure = f"{count} packets read, {len(truth)} expected"
        missing = abs(len(truth) - count)
        for _, name in declared:
            result.cells[name] += missing
            result.differing[name] += missing


def _note(result: Comparison, name: str, row: Row, cells: tuple[str, str], same: bool) -> None:
    result.cells[name] += 1
    if same:
        return
    result.differing[name] += 1
    result.undecoded[name] += "replicap.undecoded" in row.own
    mine, theirs = cells
    result.first.setdefault(name, f"packet {row.number}: {mine!r}, tshark {theirs!r}")


def state(capture: str) -> list[Any]:
    """What tells a capture from a changed one: path, octets, time of change."""
    status = Path(capture).stat()
    return [capture, status.st_size, status.st_mtime_ns]


def resumed(file: Path | None) -> dict[str, Comparison]:
    """Captures that were compared before and are still the same. A torn last line is no line."""
    found: dict[str, Comparison] = {}
    if file is None or not file.exists():
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            kept = json.loads(line)
            if kept["state"] == state(kept["result"]["capture"]):
                found[kept["result"]["capture"]] = _comparison(kept["result"])
        except (ValueError, KeyError, OSError):
            continue
    return found


def _comparison(kept: Mapping[str, Any]) -> Comparison:
    counters = {
        name: Counter(value)
        for name, value in kept.items()
        if name in ("cells", "differing", "undecoded")
    }
    return Comparison(**{**kept, **counters})


def compare_all(captures: Sequence[Path], processes: int, resume: Path | None) -> list[Comparison]:
    """Every capture, in the order given; those that are kept in ``resume`` are not read."""
    found = resumed(resume)
    with ProcessPoolExecutor(processes) as pool:
        waiting = [pool.submit(compare, path) for path in captures if str(path) not in found]
        for done in as_completed(waiting):
            result = done.result()
            found[result.capture] = result
            if resume is not None:
                kept = {"state": state(result.capture), "result": vars(result)}
                with resume.open("a", encoding="utf-8") as out:
                    out.write("\n" + json.dumps(kept))
    return [found[str(path)] for path in captures]


def print_table(results: Sequence[Comparison], differences: int) -> None:
    """Per field, then the captures that differ most."""
    cells: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    for result in results:
        cells.update(result.cells)
        differing.update(result.differing)
    print(f"{'field':<34}{'cells':>10}{'differ':>10}{'equal %':>10}")
    for name in sorted(cells, key=lambda name: (-differing[name], name)):
        equal = percent(cells[name] - differing[name], cells[name])
        print(f"{name:<34}{cells[name]:>10}{differing[name]:>10}{equal:>10}")
    packets = sum(result.packets for result in results)
    _print_total("all", cells, differing, set(IN_SCOPE.values()))
    decoded = Counter(differing)
    for result in results:
        decoded.subtract(result.undecoded)
    _print_total("in scope, of decoded packets", cells, decoded, set(IN_SCOPE))
    said = sum(
        count
        for result in results
        for name, count in result.undecoded.items()
        if name not in IN_SCOPE.values()
    )
    undecoded = sum(result.undecoded_packets for result in results)
    print(f"\n{len(results)} captures, {packets} packets")
    print(f"{undecoded} packets say replicap.undecoded; {said} of the differing cells are theirs")
    for result in results:
        if result.failure:
            print(f"not compared: {result.capture}: {result.failure}")
    _print_differences(results, differences)


def _print_total(
    label: str, cells: Counter[str], differing: Counter[str], without: set[str]
) -> None:
    total = sum(count for name, count in cells.items() if name not in without)
    wrong = sum(count for name, count in differing.items() if name not in without)
    equal = percent(total - wrong, total) if total else "-"
    print(f"{label:<34}{total:>10}{wrong:>10}{equal:>10}")


def _print_differences(results: Sequence[Comparison], most: int) -> None:
    listed = [
        (count, result.capture, name, result.first.get(name, ""))
        for result in results
        for name, count in result.differing.items()
        if name not in IN_SCOPE
    ]
    listed.sort(key=lambda entry: (-entry[0], *entry[1:]))
    if listed:
        print("\ndifferences, most cells first:")
    for count, capture, name, first in listed[:most]:
        print(f"{count:>7}  {Path(capture).name}  {name}  {first[:200]}")
    if len(listed) > most:
        print(f"... and {len(listed) - most} more")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("directory", nargs="+", type=Path)
    parser.add_argument("--filters", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--resume", type=Path, metavar="FILE")
    parser.add_argument("--differences", type=int, default=40, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args(arguments)
    for directory in options.directory:
        if not directory.is_dir():
            parser.error(f"{directory} is not a directory")
    captures = [path for path in capture_files(options.directory) if not path.name.endswith(TRUTH)]
    if not captures:
        parser.error("no capture found")
    results = compare_all(captures, options.processes, options.resume)
    print_table(results, options.differences)
    failed = any(result.failure for result in results)
    if options.filters:
        small = [Path(one.capture) for one in results if 0 < one.packets < MOST_PACKETS]
        asked = ask_filters(small, options.filters, options.seed, options.processes)
        print_filters(asked, options.differences)
        failed = failed or not asked or any(one.outcome == "failed" for one in asked)
    if options.json:
        options.json.write_text(
            json.dumps([vars(result) for result in results], indent=1), encoding="utf-8"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
