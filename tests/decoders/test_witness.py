"""An installed tshark, asked about the literal frames of these tests, agrees cell by cell.

Every :class:`Situation` of the modules below is put into a capture, one a module, with one pcapng
interface a link type. Guarded tests do the same for real captures that have truth files.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import pytest

from decoders.containers import capture_files, open_captures
from decoders.fields import FIELDS, FieldType
from decoders.reference import rows
from decoders.row import Row
from decoders.spelling import spell
from tests.decoders.capture_bytes import epb, idb, shb
from tests.decoders.frame_bytes import START_NS, Shot, Situation

MODULES = (
    "application",
    "conversations",
    "icmp",
    "ip",
    "link_layers",
    "ppp",
    "rare_frames",
    "reassembly",
    "tcp_analysis",
    "transport",
    "tunnels",
)

BETWEEN = "\x1f"
"""Stands between two values of a cell; no text that tshark prints holds it."""

NANOSECONDS = [(9, b"\x09")]
"""Option if_tsresol."""

NOT_COMPARED = {
    "frame.time": "is spelled as a date by tshark",
    "_ws.expert.message": "is in words of our own",
    "data": "depends on heuristics above TCP and UDP",
    **dict.fromkeys(("dns", "mdns", "llmnr", "ntp", "dhcp", "dhcpv6"), "is an application"),
    "dhcpv6.msgtype": "is an application's",
}
OURS_ALONE = "replicap."
COMPARED = [n for n in FIELDS if n not in NOT_COMPARED and not n.startswith(OURS_ALONE)]

UNORDERED = frozenset(("_ws.expert.severity", "_ws.expert.group"))
"""In the order of tshark's tree, which is not that of the headers."""


@cache
def parity() -> ModuleType:
    """The module ``benchmarks/parity.py``, which is no package's."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "parity.py"
    spec = importlib.util.spec_from_file_location("replicap_parity", path)
    if spec is None or spec.loader is None:
        pytest.fail(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def situations(module: str) -> dict[str, Situation]:
    found = vars(importlib.import_module(f"tests.decoders.test_{module}"))
    return {name: value for name, value in found.items() if isinstance(value, Situation)}


def written(path: Path, shots: list[Shot]) -> Path:
    links = sorted({shot.link for shot in shots})
    out, time = shb() + b"".join(idb(link, pairs=NANOSECONDS) for link in links), START_NS
    for shot in shots:
        time += shot.gap_ns
        out += epb(time, shot.data, links.index(shot.link), wire_length=shot.wire)
    path.write_bytes(out)
    return path


def asked(tshark: str, capture: Path, home: Path) -> list[list[str]]:
    command = [tshark, "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", f"aggregator={BETWEEN}"]
    for name in COMPARED:
        command += ["-e", name]
    environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8", HOME=str(home))
    environment.update(WIRESHARK_CONFIG_DIR=str(home), XDG_CONFIG_HOME=str(home))
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.decode().split("\n") if line]


def same(name: str, ours: list[str], theirs: list[str]) -> bool:
    if FIELDS[name].type is FieldType.PROTOCOL and not FIELDS[name].text:
        return len(ours) == len(theirs)
    if name == "frame.protocols":
        stacks = [(ours, theirs), (without_data(ours), without_data(theirs))]
        return any(parity().same_in_scope("".join(one), "".join(two)) for one, two in stacks)
    if name in UNORDERED:
        return Counter(ours) == Counter(theirs)
    return ours == theirs


def without_data(stack: list[str]) -> str:
    """A stack; whether TCP hands a segment up as data depends on what it desegments above."""
    return "".join(stack).removesuffix(":tcp:data").removesuffix(":tcp")


def differences(row: Row, cells: list[str]) -> Iterator[str]:
    for name, text in zip(COMPARED, cells, strict=True):
        ours = [spell(FIELDS[name], value) for value in row.occurrences(name)]
        theirs = text.split(BETWEEN) if text else []
        if not same(name, ours, theirs):
            yield f"{name}: {ours}, tshark {theirs}"


@pytest.mark.parametrize("module", MODULES)
def test_tshark_agrees(module: str, tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    version = subprocess.run([tshark, "--version"], capture_output=True, text=True, check=True)
    if " 4.0." not in version.stdout.partition("\n")[0]:
        pytest.skip("the fields are those of tshark 4.0")
    places = [
        (f"{name}[{nth}]", shot)
        for name, situation in situations(module).items()
        for nth, shot in enumerate(situation.shots)
    ]
    assert places, "a module of literal frames without frames"
    capture = written(tmp_path / f"{module}.pcapng", [shot for _, shot in places])
    theirs = asked(tshark, capture, tmp_path)
    ours = list(rows(open_captures([capture])))
    assert len(theirs) == len(ours) == len(places)
    found = [
        f"{place} frame {row.number}: {difference}"
        for (place, _), row, cells in zip(places, ours, theirs, strict=True)
        for difference in differences(row, cells)
    ]
    assert not found, "\n".join(found[:40])


def real_captures() -> list[Path]:
    """Captures with a truth file beside them, below the directories of REPLICAP_CAPTURES."""
    directories = [Path(d) for d in os.environ.get("REPLICAP_CAPTURES", "").split(os.pathsep) if d]
    beside = ".truth.tsv.gz"
    return [
        path
        for path in capture_files(directories)
        if not path.name.endswith(beside) and path.with_name(path.name + beside).exists()
    ]


def test_real_captures_agree() -> None:
    captures = real_captures()
    if not captures:
        pytest.skip("REPLICAP_CAPTURES names no directory with captures and truth files")
    cells, wrong, cells_seen, wrong_seen = 0, 0, 0, 0
    for capture in captures:
        for equal, undecoded in compared(capture):
            cells += 1
            wrong += not equal
            cells_seen += not undecoded
            wrong_seen += not equal and not undecoded
    assert cells > 0
    assert wrong <= cells * 0.01, f"{wrong} of {cells} cells differ"
    assert wrong_seen <= cells_seen * 0.001, f"{wrong_seen} of {cells_seen} cells differ"


def compared(capture: Path) -> Iterator[tuple[bool, bool]]:
    """For each cell: whether it is equal, and whether its packet is one we do not see all of."""
    tool = parity()
    names, truth = tool.truth_of(capture)
    declared = [(at, name) for at, name in enumerate(names) if name in FIELDS]
    for row, line in zip_longest(rows(open_captures([capture])), truth):
        if row is None or line is None:
            yield from ((False, False) for _ in declared)
            continue
        undecoded = "replicap.undecoded" in row.own
        for at, name in declared:
            mine = tool.cell(row, name)
            if name == "frame.protocols":
                yield bool(tool.same_in_scope(mine, line[at])), undecoded
            else:
                yield mine == line[at], undecoded


def test_truth_files_are_compressed_text() -> None:
    for capture in real_captures()[:1]:
        with gzip.open(f"{capture}.truth.tsv.gz", "rt", encoding="utf-8") as lines:
            assert "frame.number" in lines.readline().split("\t")
            return
    pytest.skip("REPLICAP_CAPTURES names no directory with captures and truth files")
