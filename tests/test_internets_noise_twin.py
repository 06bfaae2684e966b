"""The twin of Internet's Noise, as tshark alone sees it, and as every stage of its own.

Figures are read from the YAML; on tshark's side there is no code of ours.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from decoders.containers import open_captures
from decoders.displayfilter.macros import Expansion
from generators.groups import _between
from generators.twin import audit
from harness.commands.twins import twin_path
from harness.comparisons import Order, Rows
from harness.engine import verify
from harness.expectation import Expectation, load, read
from harness.measures import measure_from
from harness.verdicts import Status
from tests import tshark_windows as windows
from tests.harness import command_cases as cases
from tests.harness.published_text import figure

FILE = Path(__file__).parents[1] / "expectations" / "internets-noise.yaml"
needs_tshark = pytest.mark.skipif(not windows.installed(), reason="tshark is not installed")


@pytest.fixture(scope="module")
def expectation() -> Expectation:
    return load(FILE)


@pytest.fixture(scope="module")
def stages(expectation: Expectation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The twin, and the files that tshark exports from it with the printed filters."""
    folder = tmp_path_factory.mktemp("stages")
    files = {expectation.stages[0].id: twin_path(expectation)}
    for stage in expectation.stages[1:]:
        assert stage.parent is not None
        assert stage.filter is not None
        file = folder / f"{stage.id}.pcapng"
        files[stage.id] = windows.saved(files[stage.parent], stage.filter, file)
    return files


@needs_tshark
def test_the_printed_filters_leave_what_was_published(
    expectation: Expectation, stages: dict[str, Path]
) -> None:
    found = {name: windows.packets(path) for name, path in stages.items()}
    assert found == {name: figure(expectation, f"packets-{name}") for name in stages}


@needs_tshark
def test_no_packet_is_damaged_and_no_checksum_wrong(stages: dict[str, Path]) -> None:
    for path in stages.values():
        assert windows.bad_frames(path) == []


@needs_tshark
def test_damage_and_wrong_checksums_would_be_seen(tmp_path: Path) -> None:
    wrong = cases.udp(1, 7)  # its IP checksum is 0
    assert len(windows.bad_frames(cases.capture(tmp_path, cases.pcap(wrong, wrong)))) == 2
    cut = cases.udp(1, 7)[:-4]
    assert len(windows.bad_frames(cases.capture(tmp_path, cases.pcap(cut)))) == 1


@needs_tshark
def test_all_addresses(expectation: Expectation, stages: dict[str, Path]) -> None:
    rows = {
        path[-1]: n for path, n in windows.tree(stages["scans"], "ip_hosts").items() if path[1:]
    }
    assert rows.pop(expectation.macros["site"]) == figure(expectation, "packets-scans")
    assert len(rows) == figure(expectation, "sources")
    sizes = Counter(rows.values())
    for name, low, high in _classes(expectation):
        found = sum(count for size, count in sizes.items() if low <= size <= high)
        assert (name, found) == (name, figure(expectation, name))


def _classes(expectation: Expectation) -> list[tuple[str, int, int]]:
    """Claims about classes of sources, with the sizes that each takes in."""
    found = []
    for claim in expectation.claims:
        if claim.id.startswith(("sources-of-", "source-of-")):
            assert isinstance(claim.comparison, Rows)
            [label] = claim.comparison.value
            low, _, high = str(label).partition("-")
            found.append((claim.id, int(low), int(high or low)))
    assert len(found) == 5
    return found


@needs_tshark
def test_destinations_and_ports(expectation: Expectation, stages: dict[str, Path]) -> None:
    rows = windows.tree(stages["scans"], "dests")
    site = expectation.macros["site"]
    ports = {
        protocol: {path[-1]: n for path, n in rows.items() if path[1:-1] == (site, protocol)}
        for protocol in ("TCP", "UDP")
    }
    assert len(ports["TCP"]) == figure(expectation, "tcp-ports")
    assert len(ports["UDP"]) == figure(expectation, "udp-ports")
    table = _port_table(expectation)
    assert len(table) == 20
    assert {name: ports[protocol].get(port, 0) for name, (protocol, port) in table.items()} == {
        name: figure(expectation, name) for name in table
    }
    for protocol, counts in ports.items():
        named = {port for kind, port in table.values() if kind == protocol}
        rest = set(counts) - named
        assert len(rest) == figure(expectation, f"{protocol.lower()}-rest")


def _port_table(expectation: Expectation) -> dict[str, tuple[str, str]]:
    """Claims with a row of the port table: their protocol and port."""
    found = {}
    for claim in expectation.claims:
        if "port-table" in claim.tags and not claim.id.endswith("-rest"):
            where = Expansion(claim.where or "", expectation.macros).text
            [(protocol, port)] = re.findall(r"\b(tcp|udp)\.dstport == ([0-9]+)", where)
            found[claim.id] = (protocol.upper(), port)
    return found


@needs_tshark
def test_the_peaks_are_the_largest_rows(expectation: Expectation, stages: dict[str, Path]) -> None:
    [claim] = [claim for claim in expectation.claims if claim.id == "peaks"]
    assert isinstance(claim.comparison, Order)
    rows = windows.tree(stages["scans"], "dests")
    site = expectation.macros["site"]
    counts = {
        path[-1]: n for path, n in rows.items() if path[1:-1] in ((site, "TCP"), (site, "UDP"))
    }
    largest = sorted(counts, key=counts.__getitem__, reverse=True)
    assert largest[: len(claim.comparison.value)] == [str(key) for key in claim.comparison.value]


@needs_tshark
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_conversations(expectation: Expectation, stages: dict[str, Path], protocol: str) -> None:
    found = windows.conversations(stages["scans"], protocol)
    assert found == figure(expectation, f"{protocol}-connections")


def statuses(
    expectation: Expectation, capture: str | Path, stage: str, decoder: str = "auto"
) -> dict[str, Status]:
    report = verify(expectation, open_captures([capture]), stage=stage, decoder=decoder)
    return {verdict.claim.id: verdict.status for verdict in report.verdicts}


def expected(expectation: Expectation, given: str) -> dict[str, Status]:
    """Verified is what can be told from a stage: its own claims and those of later stages."""
    order = [stage.id for stage in expectation.stages]
    known = order[order.index(given) :]
    return {
        claim.id: Status.VERIFIED
        if claim.measure is not None and set(claim.measure.stages() or (claim.stage,)) <= set(known)
        else Status.NOT_TESTABLE
        for claim in expectation.claims
    }


def test_every_claim_that_can_be_measured_is_verified(expectation: Expectation) -> None:
    first = expectation.stages[0].id
    found = statuses(expectation, twin_path(expectation), first)
    assert found == expected(expectation, first)
    measured = [claim.id for claim in expectation.claims if claim.measure is not None]
    assert [name for name, status in found.items() if status is Status.VERIFIED] == measured


@needs_tshark
def test_tshark_as_the_decoder_gives_the_same_verdicts(expectation: Expectation) -> None:
    first = expectation.stages[0].id
    found = statuses(expectation, twin_path(expectation), first, decoder="tshark")
    wanted = expected(expectation, first)
    octets = {claim.id for claim in expectation.claims if " contains " in str(claim.measure)}
    assert len(octets) == 2  # the prefixes, for which tshark gives no octets
    assert found == wanted | dict.fromkeys(octets, Status.NOT_TESTABLE)


@needs_tshark
def test_published_files_verify_alone_and_in_an_archive(
    expectation: Expectation, stages: dict[str, Path], tmp_path: Path
) -> None:
    archive = tmp_path / "Internets-Noise.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        for name in ("cleaned", "scans"):
            content.write(stages[name], f"{name}.pcapng")
    for name in ("cleaned", "scans"):
        wanted = expected(expectation, name)
        assert statuses(expectation, stages[name], name) == wanted
        assert statuses(expectation, f"{archive}!{name}.pcapng", name) == wanted


@pytest.mark.parametrize("stage", ["cleaned", "scans"])
def test_a_twin_made_as_a_published_file_verifies(expectation: Expectation, stage: str) -> None:
    found = statuses(expectation, twin_path(expectation, stage), stage)
    assert found == expected(expectation, stage)


@pytest.mark.parametrize("difference", [-1, 1])
def test_the_classes_hold_all_sources(expectation: Expectation, difference: int) -> None:
    sources = figure(expectation, "sources")
    text = FILE.read_text(encoding="utf-8")
    changed = text.replace(f"equals: {sources}\n", f"equals: {sources + difference}\n")
    assert changed != text
    found = audit(read(changed.encode(), "changed.yaml")).contradiction
    assert found is not None
    named = {claim.id for claim in found.claims}
    assert {"sources", "sources-of-1", "sources-of-2-9", "sources-of-10-99"} <= named
    assert ("no-other-sizes" in named) == (difference > 0)


def test_ranges_of_sizes_between_bins() -> None:
    def between(bins: list[object]) -> list[tuple[int, int | None]]:
        return _between(measure_from({"group_sizes": {"by": "ip.src", "bins": bins}}))

    assert between([1, "2-9", "10-99"]) == [(100, None)]
    assert between(["3-4", 6, "8-"]) == [(1, 2), (5, 5), (7, 7)]
    assert between(["1-"]) == []
