#!/usr/bin/env python3
"""Replicap against tshark, tcpdump, dpkt and scapy, in one run; writes docs/benchmarks.md and .svg.

    python benchmarks/bench.py [--packets N] [--large N] [--folder DIR] [--only PART ...]

Makes its own captures (see captures.py). Every program is a whole process; what takes too long on
the whole capture runs on its first packets, and the table says how many.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from captures import shapes, write_capture
from measuring import Run, run
from page import Figures, Rate, Shape, machine, write_pages

HERE = Path(__file__).resolve().parent
EXPECTATIONS = HERE.parent / "expectations" / "internets-noise.yaml"
REPLICAP = [sys.executable, "-m", "harness"]
TEN_FIELDS = (
    *("frame.time_epoch", "frame.len", "vlan.id", "ip.src", "ip.dst", "ip.id"),
    *("tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.flags"),
)
TIMES = 3
"""How often tshark prints the same fields; the median counts."""
PARTS = ("decode", "verify", "memory", "cores", "same")


@dataclass(frozen=True)
class Setting:
    """What is measured on."""

    folder: Path
    packets: int
    large: int
    some: int
    """Packets for programs that are too slow for all of them."""
    few: int
    """Packets for those that are slower still."""

    def capture(self, packets: int, traffic: str = "scan") -> Path:
        """A capture of so many packets; made once."""
        path = self.folder / f"{traffic}-{packets}.pcap"
        if not path.exists():
            write_capture(path, packets, traffic)
        return path


def decoding(setting: Setting, figures: Figures) -> None:
    """The same fields by every program."""
    for traffic in ("scan", "mix"):
        whole, some, few = (
            setting.capture(count, traffic)
            for count in (setting.packets, setting.some, setting.few)
        )
        for name, fields in (("10 fields", TEN_FIELDS), ("all fields", all_fields())):
            rates = [
                _rate("columnar", _decode(whole, "columnar", fields), setting.packets),
                _rate("columnar, 1 core", _decode(whole, "columnar", fields, 1), setting.packets),
                _rate("reference", _decode(few, "reference", fields), setting.few),
                _rate("tshark -T fields", _tshark_fields(some, fields), setting.some),
            ]
            if name == "10 fields":
                rates += _others(setting, traffic)
            figures.decoding[f"{traffic}, {name}"] = [rate for rate in rates if rate is not None]


def all_fields() -> tuple[str, ...]:
    """Every declared field that tshark knows."""
    from decoders.fields import FIELDS

    return tuple(name for name in FIELDS if not name.startswith("replicap."))


def _rate(name: str, found: tuple[float, Run] | None, packets: int) -> Rate | None:
    if found is None:
        return None
    seconds, whole = found
    return Rate(name, packets, seconds, whole.seconds, whole.processor)


def _decode(
    capture: Path, decoder: str, fields: Sequence[str], cores: int | None = None
) -> tuple[float, Run]:
    """Decoding into a table, by this project; both sorts of seconds are medians of warm times."""
    script = [sys.executable, str(HERE / "decode_once.py"), str(capture), decoder, *fields]
    whole = run(script, cores=cores)
    seconds, processor = map(float, whole.out.split())
    return seconds, replace(whole, processor=processor)


def _tshark_fields(capture: Path, fields: Sequence[str]) -> tuple[float, Run] | None:
    if shutil.which("tshark") is None:
        return None
    asked = [part for name in fields for part in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", *asked]
    runs = [run(command, keep=False, done=(0,)) for _ in range(TIMES)]
    whole = sorted(runs, key=lambda one: one.seconds)[TIMES // 2]
    return whole.seconds, whole


def _others(setting: Setting, traffic: str) -> list[Rate | None]:
    some = setting.capture(setting.some, traffic)
    few = setting.capture(setting.few, traffic)
    found: list[Rate | None] = []
    if shutil.which("tcpdump"):
        whole = run(["tcpdump", "-n", "-r", str(some)], keep=False, done=(0,))
        found.append(
            Rate("tcpdump -n", setting.some, whole.seconds, whole.seconds, whole.processor)
        )
    for library, capture, packets in (("dpkt", some, setting.some), ("scapy", few, setting.few)):
        script = [sys.executable, str(HERE / "libraries.py"), library, str(capture)]
        whole = run(script)
        if whole.out.strip() != "missing":
            seconds = float(whole.out)
            found.append(Rate(library, packets, seconds, whole.seconds, whole.processor))
    return found


def _verify(capture: Path, out: Path, *more: str, cores: int | None = None) -> Run:
    command = [*REPLICAP, "verify", str(capture), "--json", str(out), *more]
    return run(command, cores=cores)


def verifying(setting: Setting, figures: Figures) -> None:
    """All claims of the post, and tshark asked for the same figures."""
    out = setting.folder / "out.json"
    asked = ("-e", str(EXPECTATIONS))
    _verify(
        setting.capture(setting.packets), out, *asked
    )  # what it takes to compile is not measured
    for packets in (setting.packets, setting.large):
        found = _verify(setting.capture(packets), out, *asked)
        report = json.loads(out.read_text("utf-8"))
        measured = sum(claim["measured"] is not None for claim in report["claims"])
        figures.verifying.append((f"verify, {report['decoder']}", packets, found, measured))
        if packets == setting.large:
            figures.slowest = sorted(
                ((claim["id"], claim["seconds"]) for claim in report["claims"]),
                key=lambda row: -row[1],
            )[:10]
    if shutil.which("tshark"):
        figures.verifying.append(("tshark, one pass", setting.some, _tshark_figures(setting), 0))


def _without_sets(text: str) -> str:
    """A filter whose sets are alternatives: to ``io,stat`` a comma is the end of a filter."""

    def alternatives(found: re.Match[str]) -> str:
        field, elements = found.groups()
        each = (element.strip().partition("..") for element in elements.split(","))
        return " || ".join(
            f"({field} >= {low} && {field} <= {high})" if dots else f"{field} == {low}"
            for low, dots, high in each
        ).join("()")

    return re.sub(r"([\w.#]+) in \{([^}]*)\}", alternatives, text)


def _tshark_figures(setting: Setting) -> Run:
    """What the claims read, in as few passes as tshark can: filters and statistics in one."""
    from decoders.displayfilter import parse
    from harness.expectation import load

    expectation = load(EXPECTATIONS)
    filters = dict.fromkeys(
        parse(claim.where, expectation.macros).expanded
        for claim in expectation.claims
        if claim.where is not None
    )
    asked = ["-z", ",".join(["io,stat,0", *map(_without_sets, filters)])]
    for statistic in ("conv,tcp", "conv,udp", "ip_hosts,tree", "dests,tree", "expert"):
        asked += ["-z", statistic]
    capture = str(setting.capture(setting.some))
    return run(["tshark", "-n", "-q", "-r", capture, *asked], keep=False, done=(0,))


PLAIN = """\
replicap: 1
title: claims without groups
source: {by: a benchmark, url: https://example.org/}
claims:
"""
CONDITIONS = ("tcp.dstport == 23", "vlan.id == 7", "ip.src < 12.0.0.0", "frame.len == 66", "udp")


def memory(setting: Setting, figures: Figures) -> None:
    """Peak memory for claims without groups."""
    path = setting.folder / "plain.yaml"
    claims = [
        f"  - {{id: c{nth}, says: a figure, at: {{section: S}}, where: '{text}', "
        "measure: packets, at_least: 0}\n"
        for nth, text in enumerate(CONDITIONS)
    ]
    path.write_text(PLAIN + "".join(claims), "utf-8")
    out = setting.folder / "out.json"
    for packets in (setting.packets, setting.large):
        figures.memory.append((packets, _verify(setting.capture(packets), out, "-e", str(path))))


def cores(setting: Setting, figures: Figures) -> None:
    """All claims on one processor and on all."""
    out = setting.folder / "out.json"
    asked = ("-e", str(EXPECTATIONS))
    for count in (1, None):
        found = _verify(setting.capture(setting.packets), out, *asked, cores=count)
        figures.cores.append((count, found))


def same(setting: Setting, figures: Figures) -> None:
    """A capture that is cut, compressed, or in 50 files: the same figures."""
    out = setting.folder / "same.json"
    asked = ["--decoder", "columnar", "-e", str(EXPECTATIONS)]
    for name, paths in shapes(setting.capture(setting.large), setting.folder):
        command = [sys.executable, str(HERE / "damaged.py"), *REPLICAP, "verify"]
        found = run([*command, *map(str, paths), *asked, "--json", str(out)])
        report = json.loads(out.read_text("utf-8"))
        said = {claim["id"]: (claim["status"], claim["measured"]) for claim in report["claims"]}
        figures.same.append(Shape(name, report["capture"]["packets"], found, said))


MEASUREMENTS: dict[str, Callable[[Setting, Figures], None]] = {
    "decode": decoding,
    "verify": verifying,
    "memory": memory,
    "cores": cores,
    "same": same,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--some", type=int, default=100_000)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where captures are made and kept")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replicap-bench-") as folder:
        home = options.folder or Path(folder)
        sizes = (options.packets, options.large, options.some, options.few)
        setting = Setting(home, *sizes)
        figures = Figures(machine())
        for part in options.only:
            print(f"{part} ...", file=sys.stderr)
            MEASUREMENTS[part](setting, figures)
    write_pages(figures, options.docs)
    return 0 if figures.all_the_same() else 1


if __name__ == "__main__":
    sys.exit(main())
