"""Which claims a draft makes of a capture, from what a survey found in it.

A candidate is a claim without its figure: the figure is measured, by the same measure that will
check the claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.expectation import Stage

if TYPE_CHECKING:
    from harness.survey import Survey

ALL = "all"
CLEANED = "without-link-control"
PROBES = "without-errors"
LISTED_PORTS = 10
"""Rows of a table of ports that a writer would print."""


@dataclass(frozen=True)
class Candidate:
    """A claim whose figure is still to be measured."""

    id: str
    says: str
    """A suggestion of what to say; ``{}`` stands for the figure."""
    measure: object
    """As in an expectation file."""
    comparison: str
    stage: str
    where: str = ""
    tag: str = ""
    digits: int | None = None
    """Digits behind the point of an ``about`` figure."""
    comment: str = ""


def stages(found: Survey) -> list[Stage]:
    """The files that a writer would save: everything, without link control, without errors."""
    made = [Stage(id=ALL, says="the capture as it is")]
    parts = [f"!({name})" for name in found.link_control]
    parts += [f"!(icmpv6.type == {kind})" for kind in found.discovery]
    if parts:
        says = "without what sets up or keeps the link"
        made.append(_stage(CLEANED, says, made[-1].id, " && ".join(parts)))
    if found.errors:
        kinds = ", ".join(str(kind) for kind in found.errors)
        by = f" && ip.src#1 == {found.site.address}" if found.site else ""
        says = "without the ICMP errors of the site" if found.site else "without ICMP errors"
        made.append(_stage(PROBES, says, made[-1].id, f"!(icmp.type#1 in {{{kinds}}}{by})"))
    return made


def _stage(name: str, says: str, parent: str, text: str) -> Stage:
    return Stage.model_validate({"id": name, "says": says, "from": parent, "filter": text})


def candidates(found: Survey, made: list[Stage]) -> Iterator[Candidate]:
    """What a writer would publish, in the order of a page."""
    for stage in made:
        yield Candidate(
            f"packets-{stage.id}", "{} packets", "packets", "equals", stage.id, tag="packets"
        )
    yield from _time(found)
    yield from _link(found)
    last = made[-1].id
    yield from _addresses(found, last)
    yield from _ports(found, last)
    yield from _kinds(found, last)
    yield from _damage(found)


def _time(found: Survey) -> Iterator[Candidate]:
    if not found.has("frame.time_epoch"):
        return
    yield Candidate("first", "It begins at {}", "first", "equals", ALL, tag="time")
    yield Candidate(
        "duration", "It lasts {} seconds", "duration", "about", ALL, tag="time", digits=3
    )
    yield Candidate("octets", "{} octets on the wire", {"sum": "frame.len"}, "equals", ALL)


def _link(found: Survey) -> Iterator[Candidate]:
    if found.has("vlan.id"):
        yield Candidate("vlans", "Packets in each VLAN", {"table": "vlan.id"}, "table", ALL)
    for name in found.link_control:
        yield Candidate(
            f"had-{name}", f"{{}} packets of {name}", "packets", "equals", ALL, name, "link"
        )


def _addresses(found: Survey, stage: str) -> Iterator[Candidate]:
    if found.has("ip.src"):
        incoming = f"!(ip.src#1 == {found.site.address})" if found.site else ""
        where = f"ip && {incoming}" if incoming else "ip"
        sources = {"by": "ip.src", "headers": "outermost"}
        yield Candidate(
            "sources",
            "{} IPv4 addresses send packets",
            {"distinct": {"field": "ip.src", "headers": "outermost"}},
            *("equals", stage, where, "sources"),
            comment=f"the site's own address is left out: {found.site.reason}"
            if found.site
            else "no address is an end of most packets, so all sources count",
        )
        sizes = {"group_sizes": {**sources, "bins": ["1", "2-9", "10-99", "100-999", "1000-"]}}
        yield Candidate(
            *("packets-per-source", "Sources by the packets that they send", sizes, "table"),
            *(stage, where, "sources"),
        )
    if found.has("ipv6"):
        yield Candidate("ipv6", "{} packets over IPv6", "packets", "equals", ALL, "ipv6", "ipv6")
    # Where link control was all of IPv6, what is left has none.
    yield Candidate(
        "no-ipv6", "Nothing comes over IPv6", {"no": "ipv6"}, "holds", stage, tag="ipv6"
    )


def _ports(found: Survey, stage: str) -> Iterator[Candidate]:
    for protocol in ("tcp", "udp"):
        if not found.has(f"{protocol}.stream"):
            continue
        upper, port = protocol.upper(), f"{protocol}.dstport"
        # A connection is answered: only what the site receives tells the ports that are probed.
        to_site = f" && ip.dst#1 == {found.site.address}" if found.site else ""
        where = f"{protocol} && !(icmp) && !(icmpv6){to_site}"
        yield Candidate(
            f"{protocol}-streams",
            f"{{}} {upper} connections",
            {"streams": protocol},
            *("equals", stage, "", "ports"),
        )
        yield Candidate(
            f"{protocol}-ports",
            f"{{}} different {upper} ports",
            {"distinct": port},
            *("equals", stage, where, "ports"),
        )
        yield Candidate(
            f"{protocol}-largest-ports",
            f"The {upper} ports with the most packets",
            {"largest": {"by": port, "n": LISTED_PORTS}},
            *("rows", stage, where, "ports"),
        )


def _kinds(found: Survey, stage: str) -> Iterator[Candidate]:
    yield Candidate(
        "classes", "What the packets are", {"table": "replicap.class"}, "table", stage, tag="kinds"
    )
    if found.has("replicap.scanner"):
        yield Candidate(
            "scanners",
            "Packets that bear the mark of a scanner",
            {"table": "replicap.scanner"},
            *("table", stage, "", "kinds"),
        )
    if found.echo_requests:
        yield Candidate("pings", "{} pings", "packets", "equals", stage, "icmp.type#1 == 8", "ping")
        yield Candidate(
            "ping-sources",
            "{} addresses ping",
            {"distinct": {"field": "ip.src", "headers": "outermost"}},
            *("equals", stage, "icmp.type#1 == 8", "ping"),
        )


def _damage(found: Survey) -> Iterator[Candidate]:
    for name, words in (("_ws.malformed", "malformed"), ("_ws.short", "cut by the capture")):
        if found.has(name):
            yield Candidate(
                f"some-{words.split()[0]}",
                f"{{}} packets are {words}",
                "packets",
                "equals",
                ALL,
                name,
            )
        else:
            yield Candidate(
                f"none-{words.split()[0]}", f"No packet is {words}", {"no": name}, "holds", ALL
            )
