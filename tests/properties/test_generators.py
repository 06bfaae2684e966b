"""What strategies refuse, and what damage says of itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from generators import captures, links, parts
from generators.damage import KINDS, damaged, random_damage
from generators.parts import Ends
from generators.traffic import Traffic, traffic
from tests.properties.profiles import profile

FILE = bytes(range(1, 200))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: captures.captures(formats=["snoop"]), "formats="),
        (lambda: captures.captures(compressions=[]), "compressions="),
        (lambda: captures.captures(max_groups=0), "max_groups=0"),
        (lambda: damaged(st.just(FILE), kinds=["rust"]), "kinds rust"),
        (lambda: traffic(actors=("thief",)), "actors=.'thief'"),
        (lambda: traffic(actors=()), r"actors=\(\): expected"),
        (lambda: traffic(formats=("snoop",)), "formats="),
        (lambda: traffic(compressions=("zip",)), "compressions="),
        (lambda: traffic(max_actors=0), "max_actors=0"),
    ],
)
def test_strategies_refuse_impossible_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: links.ppp(0xC021, None, short=True), "does not fit into one octet"),
        (lambda: links.control(0x21, 1, b""), "no control protocol"),
        (lambda: links.mpls([], parts.ipv4(Ends(bytes(4), bytes(4)), None)), "at least one label"),
        (lambda: parts.extension(17, bytes(8)), "no extension header"),
        (lambda: parts.tcp(Ends(bytes(4), bytes(4)), 1, 2, options=[bytes(44)]), "at most 40"),
        (lambda: captures.pcap([], magic=7), "magic 0x7"),
        (lambda: random_damage(b"", 1), "an empty file"),
    ],
)
def test_parts_refuse_what_does_not_exist(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_leaves_what_it_says_it_leaves(kind: str) -> None:
    for seed in range(40):
        done = random_damage(FILE, seed, others=[FILE[::-1]], kinds=[kind])
        assert done == random_damage(FILE, seed, others=[FILE[::-1]], kinds=[kind])
        assert done.data[: done.intact] == FILE[: done.intact]
        assert done.what


def test_traffic_is_of_every_kind() -> None:
    """Formats, byte orders and the answers of victims, each as often as it takes to see it."""
    wanted = {
        "pcap",
        "pcap-ns",
        "pcap-modified",
        "pcapng",
        *captures.COMPRESSIONS,
        "quoting",
        "udp",
    }
    seen: set[str] = set()

    @settings(profile("ci"), max_examples=100, phases=[Phase.generate])
    @given(traffic(actors=("backscatter",)))
    def look(made: Traffic) -> None:
        seen.update((made.file.format, made.file.compression))
        for record, packet in zip(made.file.records, made.packets, strict=True):
            if record.frame.truth.quoted:
                assert packet.kind == "backscatter"
                seen.add("quoting")
            elif "udp" in record.frame.truth.own:
                assert packet.kind == "udp-probe"
                seen.add("udp")

    look()
    assert seen == wanted
