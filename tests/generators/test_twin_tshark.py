"""tshark alone, with no code of ours, on the twin of the post."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from generators.twin import build
from harness.expectation import Claim, Expectation, load

POST = Path(__file__).parents[2] / "expectations" / "internets-noise.yaml"
pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark not installed")
CHECKS = [
    word
    for layer in ("ip", "tcp", "udp")
    for word in ("-o", f"{layer}.check_checksum:TRUE")
]  # fmt: skip


def tshark(*arguments: str) -> str:
    done = subprocess.run(
        ["tshark", "-n", *arguments], capture_output=True, text=True, check=True, timeout=180
    )
    return done.stdout


@pytest.fixture(scope="module")
def post() -> Expectation:
    return load(POST)


@pytest.fixture(scope="module")
def stages(post: Expectation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each stage as a file; tshark makes the later ones with the filters that were printed."""
    folder = tmp_path_factory.mktemp("twin")
    found = {}
    for stage in post.stages:
        path = folder / f"{stage.id}.pcapng"
        if stage.parent is None:
            path.write_bytes(build(post).file())
        else:
            tshark("-r", found[stage.parent], "-Y", stage.filter or "", "-w", str(path))
        found[stage.id] = str(path)
    return found


def figure(post: Expectation, name: str) -> int:
    """The published figure of a claim, from the file, where it stands once."""
    [claim] = [claim for claim in post.claims if claim.id == name]
    return int(published(claim))


def published(claim: Claim) -> str:
    assert claim.comparison is not None
    return claim.comparison.published_text.rpartition(" ")[2]


def row_of(post: Expectation, name: str) -> dict[str, int]:
    """The published rows of a claim about sizes."""
    [claim] = [claim for claim in post.claims if claim.id == name]
    rows = claim.comparison.published_json() if claim.comparison else None
    assert isinstance(rows, dict), name
    return rows


def rows(text: str, pattern: str) -> list[tuple[str, int]]:
    found = (re.fullmatch(pattern, line) for line in text.splitlines())
    return [(row[1], int(row[2])) for row in found if row]


@pytest.mark.parametrize("stage", ["original", "cleaned", "scans"])
def test_packets(post: Expectation, stages: dict[str, str], stage: str) -> None:
    lines = tshark("-r", stages[stage], "-T", "fields", "-e", "frame.number").splitlines()
    assert len(lines) == figure(post, f"packets-{stage}")


def test_nothing_malformed_and_no_bad_checksum(stages: dict[str, str]) -> None:
    wrong = (
        "_ws.malformed || _ws.short || ip.checksum.status == 0 || tcp.checksum.status == 0"
        " || udp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0"
        " || _ws.expert.severity >= 0x800000"
    )
    assert tshark("-r", stages["original"], *CHECKS, "-Y", wrong) == ""
    checked = tshark("-r", stages["original"], *CHECKS, "-Y", "tcp.checksum.status == 1")
    assert len(checked.splitlines()) > 1000


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_connections(post: Expectation, stages: dict[str, str], protocol: str) -> None:
    table = tshark("-r", stages["scans"], "-q", "-z", f"conv,{protocol}")
    assert table.count("<->") == figure(post, f"{protocol}-connections")


def test_all_addresses(post: Expectation, stages: dict[str, str]) -> None:
    table = tshark("-r", stages["scans"], "-q", "-z", "ip_hosts,tree")
    sizes = dict(rows(table, r" ([0-9.]+) +([0-9]+) .*"))
    del sizes[post.macros["site"]]
    assert len(sizes) == figure(post, "sources")
    many = list(sizes.values())
    assert many.count(1) == figure(post, "sources-of-1")
    assert sum(2 <= size <= 9 for size in many) == figure(post, "sources-of-2-9")
    assert sum(10 <= size <= 99 for size in many) == figure(post, "sources-of-10-99")
    for name in ("source-of-152", "source-of-833"):
        for size, number in row_of(post, name).items():
            assert many.count(int(size)) == number, name


def ports_of_the_site(post: Expectation, path: str) -> dict[str, dict[str, int]]:
    """Packets to each port of the site, by protocol, from Destinations and Ports."""
    table = tshark("-r", path, "-q", "-z", "dests,tree")
    found: dict[str, dict[str, int]] = {}
    address = protocol = ""
    for line in table.splitlines():
        row = re.fullmatch(r"( {1,3})(\S+) +([0-9]+) .*", line)
        if row is None:
            continue
        depth, name, count = len(row[1]), row[2], int(row[3])
        if depth == 1:
            address = name
        elif depth == 2:
            protocol = name
        elif address == post.macros["site"]:
            found.setdefault(protocol, {})[name] = count
    return found


def test_destinations_and_ports(post: Expectation, stages: dict[str, str]) -> None:
    ports = ports_of_the_site(post, stages["scans"])
    assert len(ports["TCP"]) == figure(post, "tcp-ports")
    assert len(ports["UDP"]) == figure(post, "udp-ports")
    listed = [
        claim
        for claim in post.claims
        if "port-table" in claim.tags and claim.measure and claim.measure.name == "packets"
    ]
    assert len(listed) == 20
    for claim in listed:
        number = re.search(r"dstport == \$\{(\w+)\}", claim.where or "")
        assert number is not None, claim.id
        table = ports[claim.id.partition("-")[0].upper()]
        assert table.pop(post.macros[number[1]]) == int(published(claim)), claim.id
    assert len(ports["TCP"]) == figure(post, "tcp-rest")
    assert len(ports["UDP"]) == figure(post, "udp-rest")
