"""The class kernel against the reference: rows of literal protocols, and every golden capture."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import classify
from decoders.classify import CLASS, SCANNER, ZMAP_ID
from decoders.columnar import classes
from decoders.columnar.classes import CLASS_NAMES, SCANNER_NAMES
from decoders.columnar.classifier import Classifier
from decoders.columnar.kernels import classes as kernels
from decoders.columnar.rows import facts_of, pairs_of
from decoders.containers import open_captures
from decoders.reference import Decoder
from decoders.row import Address, Row
from decoders.tcp_flags import ACK, FIN, RST, SYN
from tests.decoders.conversation_rows import told_by_kernels, told_by_reference

GOLDEN = Path(__file__).parent.parent / "golden"
CAPTURES = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".pcap", ".pcapng"))

Told = tuple[str, list[str]]

# Few addresses and ports, so that packets meet their answers.
V4 = st.sampled_from((1, 1, 1, 1, 2, 2, 2, 2, 3, 0xE0000001, 0xFFFFFFFF))
LOW, HIGH = bytes(15) + b"\1", b"\xfe" * 16
V6 = st.sampled_from((LOW, LOW, LOW, HIGH, HIGH, HIGH, bytes(16), b"\xff\2" + bytes(14)))
PORTS = st.sampled_from((1, 1, 1, 53))


def add(draw: st.DrawFn, into: dict[str, list[object]], cut: bool, **values: object) -> None:
    """Fields of a header; when it is ``cut`` only some of the first ones."""
    names = list(values)
    kept = draw(st.integers(0, len(names))) if cut else len(names)
    for name in names[:kept]:
        into.setdefault(name.replace("_", ".", 1), []).append(values[name])


def ip_header(draw: st.DrawFn, row: Row, into: dict[str, list[object]], cut: bool) -> str:
    version = draw(st.sampled_from(("ip", "ip", "ip", "ip", "ipv6")))
    row.protocols.append(version)
    addresses: st.SearchStrategy[Address] = V4 if version == "ip" else V6
    pair = {f"{version}_src": draw(addresses), f"{version}_dst": draw(addresses)}
    if version == "ip":
        ident = draw(st.sampled_from((0, ZMAP_ID, 2 ^ 53 ^ 2, 1 ^ 1 ^ 7)))
        add(draw, into, cut, ip_id=ident, **pair)
    else:
        add(draw, into, cut, **pair)
    return version


def transport(draw: st.DrawFn, row: Row, into: dict[str, list[object]], cut: bool) -> str:
    name = draw(st.sampled_from(("tcp", "tcp", "udp", "udp", "icmp", "icmpv6", "esp", "gre")))
    row.protocols.append(name)
    if name == "tcp":
        flags = draw(st.sampled_from((SYN, SYN | ACK, RST, RST | ACK, ACK, FIN, SYN | RST, 0)))
        add(draw, into, cut, tcp_srcport=draw(PORTS), tcp_dstport=draw(PORTS),
            tcp_seq_raw=draw(st.sampled_from((1, 2, 7))), tcp_flags=flags)  # fmt: skip
    elif name == "udp":
        add(draw, into, cut, udp_srcport=draw(PORTS), udp_dstport=draw(PORTS))
        above = draw(st.sampled_from(("data", "dhcp", "dhcpv6", "dns", "")))
        row.protocols += [above] if above else []
    elif name == "icmp":
        add(draw, into, cut, icmp_type=draw(st.sampled_from((0, 0, 3, 3, 5, 8, 8, 9, 13, 200))))
    elif name == "icmpv6":
        kinds = (1, 3, 127, 128, 128, 129, 129, 133, 137, 138, 255)
        add(draw, into, cut, icmpv6_type=draw(st.sampled_from(kinds)))
    return name


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A frame: links, IP headers, a transport, and of an error the packet that it quotes."""
    row = Row(1, 0)
    row.protocols = ["eth", "ethertype"]
    link = draw(st.sampled_from((*[""] * 12, "arp", "pppoed", "ppp", "lcp")))
    if link == "ppp":
        row.own["ppp.protocol"] = [draw(st.sampled_from((0x21, 0x7FFF, 0x8000, 0xC021)))]
    row.protocols += [link] if link else []
    cut = draw(st.sampled_from((False, False, False, True)))
    for nth in range(draw(st.sampled_from((1, 1, 1, 1, 1, 1, 0, 2, 3)))):
        ip_header(draw, row, row.own, cut and nth > 1)
    name = transport(draw, row, row.own, cut)
    if name.startswith("icmp") and draw(st.sampled_from((True, True, True, False))):
        for _ in range(draw(st.sampled_from((1, 1, 2)))):
            ip_header(draw, row, row.quoted, cut)
        transport(draw, row, row.quoted, cut)
    return row


def by_reference(made: list[Row]) -> list[Told]:
    classifier, told = classify.Classifier(), []
    for row in made:
        fresh = Row(1, 0)
        fresh.protocols, fresh.own, fresh.quoted = row.protocols, dict(row.own), row.quoted
        classifier.annotate(fresh)
        told.append((fresh.own[CLASS][0], fresh.own.get(SCANNER, [])))
    return told


def by_kernels(made: list[Row], sizes: list[int]) -> tuple[list[Told], Counter[str]]:
    classifier = Classifier()
    told: list[Told] = []
    start = 0
    for size in (*sizes, len(made)):
        batch = made[start : start + size]
        start += size
        facts = np.array([facts_of(row) for row in batch], np.int64).reshape(-1, classes.FACTS)
        pairs = [pairs_of(row, at) for at, row in enumerate(batch)]
        none = np.zeros((0, classes.PAIR_PLACES), np.int64)
        found = classifier.annotate(facts, np.concatenate([*pairs, none]))
        for number, bits in zip(found.classes.tolist(), found.scanners.tolist(), strict=True):
            marks = [name for bit, name in enumerate(SCANNER_NAMES) if bits >> bit & 1]
            told.append((CLASS_NAMES[number], marks))
    return told, classifier.counts


@given(st.lists(rows(), max_size=60), st.lists(st.integers(0, 9), max_size=4))
@settings(max_examples=200, deadline=None)
def test_every_row_is_what_the_reference_says(made: list[Row], sizes: list[int]) -> None:
    told, counts = by_kernels(made, sizes)
    assert told == by_reference(made)
    assert counts == Counter(name for name, _ in told)


def meetings(random_: random.Random, count: int) -> list[Row]:
    """TCP segments and datagrams between a few ends, and errors about them."""
    made = []
    for _ in range(count):
        row, name = Row(1, 0), random_.choice(("tcp", "tcp", "udp"))
        ends = random_.sample([(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)], 2)
        into = row.own
        row.protocols = ["eth", "ethertype"]
        if random_.random() < 0.2:
            row.protocols += ["ip", "icmp"]
            row.own.update({"ip.src": [9], "ip.dst": [1], "ip.id": [0], "icmp.type": [3]})
            into = row.quoted
        row.protocols += ["ip", name]
        into.update({"ip.src": [ends[0][0]], "ip.dst": [ends[1][0]], "ip.id": [0]})
        into.update({f"{name}.srcport": [ends[0][1]], f"{name}.dstport": [ends[1][1]]})
        if name == "tcp":
            into["tcp.seq_raw"] = [0]
            into["tcp.flags"] = [random_.choice((SYN, SYN | ACK, RST, ACK))]
        made.append(row)
    return made


def test_packets_meet_their_answers() -> None:
    """Few packets each time, so that what one of them left out is still to be seen."""
    seen: set[str] = set()
    for seed in range(150):
        made = meetings(random.Random(seed), 25)
        told = by_kernels(made, [7])[0]
        assert told == by_reference(made)
        seen |= {name for name, _ in told}
    assert seen >= {"other", "tcp-syn-probe", "udp-probe", "backscatter", "reply"}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_golden_captures(path: Path) -> None:
    """Facts and headers of real frames; classes and conversations of every golden capture."""
    frames = list(open_captures([path]).frames())
    decoders = [Decoder() for _ in range(3)]
    whole = [decoders[0].row(frame) for frame in frames]
    once, again = ([decoder.dissect(frame) for frame in frames] for decoder in decoders[1:])
    told, counts = by_kernels(once, [3])
    assert told == [(row.own[CLASS][0], row.own.get(SCANNER, [])) for row in whole]
    assert counts == Counter(row.own[CLASS][0] for row in whole)
    assert told_by_kernels(once, [3]) == told_by_reference(again)


def test_names_are_the_references() -> None:
    assert set(CLASS_NAMES) == set(classify.CLASSES)
    assert SCANNER_NAMES == classify.SCANNERS
    assert (CLASS_NAMES[kernels.REPLY], CLASS_NAMES[kernels.PING]) == ("reply", "ping")


def probes(ports: np.ndarray) -> np.ndarray:
    facts = np.zeros((len(ports), classes.FACTS), np.int64)
    facts[:, classes.FACT_KIND], facts[:, classes.FACT_VERSION] = classes.KIND_UDP, 4
    facts[:, classes.FACT_HAS] = classes.HAS_PAIR | classes.HAS_PORTS
    facts[:, classes.FACT_SRC_LO], facts[:, classes.FACT_DST_LO] = ports >> 16, 9
    facts[:, classes.FACT_SRCPORT], facts[:, classes.FACT_DSTPORT] = ports & 0xFFFF, 53
    return facts


def test_tables_grow() -> None:
    """Each of 100,000 probes is remembered: its answer is a reply, and a second probe a probe."""
    ports = np.arange(100_000)
    asked = probes(ports)
    answers = asked.copy()
    for one, other in (
        (classes.FACT_SRC_LO, classes.FACT_DST_LO),
        (classes.FACT_SRCPORT, classes.FACT_DSTPORT),
    ):
        answers[:, one], answers[:, other] = asked[:, other], asked[:, one]
    classifier = Classifier()
    none = np.zeros((0, classes.PAIR_PLACES), np.int64)
    for facts in (asked, answers, asked):
        classifier.annotate(facts, none)
    assert classifier.counts == {"udp-probe": 200_000, "reply": 100_000}


def test_more_pairs_in_a_frame_than_the_table_has_room_for() -> None:
    pairs = np.zeros((5000, classes.PAIR_PLACES), np.int64)
    pairs[:, classes.PAIR_VERSION] = 4
    pairs[:, classes.PAIR_SRC_LO] = np.arange(5000)
    error = np.zeros((2, classes.FACTS), np.int64)
    error[1, classes.FACT_KIND], error[1, classes.FACT_TYPE] = classes.KIND_ICMP, 3
    error[1, classes.FACT_HAS] = classes.HAS_TYPE | classes.HAS_QUOTED
    error[1, classes.QUOTED_HAS], error[1, classes.QUOTED_VERSION] = classes.HAS_PAIR, 4
    error[1, classes.QUOTED_SRC_LO] = 4999
    found = Classifier().annotate(error, pairs)
    assert CLASS_NAMES[found.classes[1]] == "reply"


@pytest.mark.parametrize("order", [(1, 0), (0, 2), (-1, 0)])
def test_pairs_out_of_order_are_refused(order: tuple[int, int]) -> None:
    pairs = np.zeros((2, classes.PAIR_PLACES), np.int64)
    pairs[:, classes.PAIR_ROW] = order
    with pytest.raises(ValueError, match="order of their rows"):
        Classifier().annotate(np.zeros((2, classes.FACTS), np.int64), pairs)
