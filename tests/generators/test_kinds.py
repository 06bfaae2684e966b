"""What the twin believes of its kinds of packet, against what the decoder finds in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from decoders.containers import open_captures
from decoders.displayfilter import parse
from decoders.fields import FIELDS
from decoders.reference import rows
from generators import capture_file, plan, schedule, wire
from generators.alphabet import alphabet
from generators.filters import OCTETS, NotModelled, condition_of
from generators.kinds import Atom, Site, atoms
from generators.schedule import Event
from harness.expectation import load

POST = Path(__file__).parents[2] / "expectations" / "internets-noise.yaml"
SERVERS = ("198.51.100.1", "198.51.100.2", "198.51.100.3")
SOMEBODY = "203.0.113.9"


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(alphabet(load(POST)), SERVERS, SOMEBODY)


def flow_of(atom: Atom) -> plan.Flow:
    """The flow that a sample packet of an atom belongs to."""
    source = "ip.dst" if atom.kind == "reset" or atom.kind.endswith("-error") else "ip.src"
    address = ".".join(str(octet) for octet in atom.fields[source][0].to_bytes(4, "big"))
    protocol = "udp" if atom.role == "udp" else "tcp"
    client = "dstport" if atom.kind == "reset" else "srcport"
    port = atom.port.sample if atom.port else 0
    srcport = atom.fields.get(f"{protocol}.{client}", (0,))[0]
    return plan.Flow(atom.role, atom, atom, atom, port, address=address, srcport=srcport)


def events(kinds: list[Atom]) -> list[Event]:
    """A packet of each kind; what is answered or sent again comes first."""
    found = []
    for number, atom in enumerate(kinds):
        flow = flow_of(atom) if atom.role else None
        time = number * schedule.SECOND
        if flow is not None and (atom.kind.endswith(("-error", "-again")) or atom.kind == "reset"):
            lead = Atom("lead", atom.role, {}, role=atom.role)
            found.append(Event(time, lead, flow))
        found.append(Event(time + 1, atom, flow))
    return found


OF_THE_CAPTURE = ("tcp.stream", "udp.stream", "replicap.class")


def test_the_decoder_finds_the_fields_that_the_twin_counts_on(site: Site, tmp_path: Path) -> None:
    kinds = atoms(site)
    made = events(kinds)
    path = tmp_path / "kinds.pcapng"
    path.write_bytes(capture_file.pcapng(wire.Writer(site, 0, 0).frames(made)))
    found = list(rows(open_captures([path])))
    assert len(found) == len(made) > len(kinds)
    for event, row in zip(made, found, strict=True):
        for name, expected in event.atom.fields.items():
            if name in OF_THE_CAPTURE or name.endswith(OCTETS):
                continue
            measured = tuple(row.occurrences(name))
            if name.startswith("tcp.analysis"):  # marks; only that they are there
                measured = tuple(map(int, measured))
            assert measured == expected, (event.atom.name, name)


def holds(text: str, fields: dict[str, tuple[Any, ...]]) -> bool:
    return condition_of(parse(text).tree)(fields)


ERROR: dict[str, tuple[Any, ...]] = {
    "ip": (1, 1), "ip.src": (1, 2), "ip.dst": (2, 1), "icmp": (1,), "tcp": (1,),
    "tcp.dstport": (23,), "tcp.srcport": (4000,),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("ip.src == 0.0.0.2", True),
        ("ip.src#1 == 0.0.0.2", False),
        ("ip.src#2 == 0.0.0.2", True),
        ("ip.src#[-1] == 0.0.0.2", True),
        ("ip.src != 0.0.0.1", False),
        ("!(ip.src == 0.0.0.1)", False),
        ("any ip.addr == 0.0.0.1", True),
        ("all ip.src == 0.0.0.0/24", True),
        ("tcp.port in {22, 23..25}", True),
        ("tcp.port in {24..25}", False),
        ("tcp.dstport > 22 && tcp.dstport <= 23", True),
        ("udp || arp", False),
        ("udp.dstport == 23", False),
    ],
)
def test_filters_mean_what_wireshark_means(text: str, expected: bool) -> None:
    assert holds(text, ERROR) is expected


@pytest.mark.parametrize(
    "text", ["ip.ttl == 64", "frame.len > 60", "tcp.srcport + 1 == 4001", "tcp contains 00:17"]
)
def test_what_is_left_open_is_no_answer(text: str) -> None:
    with pytest.raises(NotModelled):
        holds(text, ERROR)


def test_every_field_is_declared(site: Site) -> None:
    names = {name for atom in atoms(site) for name in atom.fields if not name.endswith(OCTETS)}
    assert names <= set(FIELDS)
