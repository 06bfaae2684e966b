"""What is in a capture: the first look from which a draft of claims is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from decoders.containers import Capture
    from decoders.table import Table

LINK_CONTROL = (
    *("pppoed", "lcp", "pap", "chap", "eap", "ipcp", "ipv6cp", "ccp", "mplscp"),
    *("arp", "dhcp", "dhcpv6"),
)
"""Protocols that set up or keep a link; a writer removes them before counting scans."""
DISCOVERY = (133, 134, 135, 136, 137)
"""ICMPv6 types of router and neighbour discovery (RFC 4861 section 4)."""
ERRORS = (3, 4, 5, 11, 12)
"""ICMP types that report an error (RFC 1122 section 3.2.2)."""
SITE_SHARE = 0.8
"""Share of the IPv4 packets that an address must be an end of, to be taken for the site's."""

_FIELDS = (
    *("frame.time_epoch", "frame.len", "ip.src", "ip.dst", "ipv6", "vlan.id", "icmp.type"),
    *("icmpv6.type", "tcp.stream", "udp.stream", "tcp.dstport", "udp.dstport"),
    *("_ws.malformed", "_ws.short", "replicap.class", "replicap.scanner"),
)


@dataclass(frozen=True)
class Site:
    """The address whose traffic the capture seems to show."""

    address: str
    packets: int
    of: int
    """IPv4 packets in all."""

    @property
    def reason(self) -> str:
        """Why it was guessed, in words."""
        return f"it is an end of {self.packets} of the {self.of} IPv4 packets"


@dataclass(frozen=True)
class Survey:
    """What a capture holds. ``present`` counts the packets that have a field, by its name."""

    packets: int
    present: Mapping[str, int]
    link_control: tuple[str, ...]
    """Protocols of :data:`LINK_CONTROL` that occur."""
    discovery: tuple[int, ...]
    """ICMPv6 types of :data:`DISCOVERY` that occur."""
    errors: tuple[int, ...]
    """ICMP types of :data:`ERRORS` that occur in packets of the site, or of anybody without one."""
    echo_requests: int
    site: Site | None
    undecoded: Mapping[str, int]

    def has(self, field: str) -> bool:
        """Whether some packet has the field."""
        return self.present.get(field, 0) > 0


def survey(capture: Capture, progress: Callable[[int], None] | None = None) -> Survey:
    """Look at a capture once. Raises CaptureError when it cannot be read."""
    from decoders.table import decode

    table = decode(capture, (*_FIELDS, *LINK_CONTROL), progress=progress)
    present = _present(table)
    site = _site(table)
    return Survey(
        packets=table.count,
        present=present,
        link_control=tuple(name for name in LINK_CONTROL if present[name]),
        discovery=_types(table, "icmpv6_type", DISCOVERY, None),
        errors=_types(table, "icmp_type", ERRORS, site),
        echo_requests=len(_rows(table, "icmp_type", (8,))),
        site=site,
        undecoded=dict(table.undecoded),
    )


def _present(table: Table) -> dict[str, int]:
    import polars as pl

    from decoders.fields import FIELDS

    names = (*_FIELDS, *LINK_CONTROL)
    counted = [pl.col(FIELDS[name].column).count().alias(name) for name in names]
    row = table.lazy().select(counted).collect(engine=table.engine).row(0, named=True)
    return {name: int(count) for name, count in row.items()}


def _site(table: Table) -> Site | None:
    """The address at an end of most IPv4 packets; of two that are alike, the one sent to more."""
    import polars as pl

    from decoders.fields import FIELDS
    from harness.keys import key_text

    own = table.lazy().filter(pl.col("ip_src").is_not_null() & pl.col("ip_dst").is_not_null())
    ends = pl.concat(
        [
            own.select(end=pl.col("ip_src"), sent_to=pl.lit(0)),
            own.filter(pl.col("ip_src") != pl.col("ip_dst")).select(
                end=pl.col("ip_dst"), sent_to=pl.lit(1)
            ),
        ]
    )
    ranked = (
        ends.group_by("end")
        .agg(packets=pl.len(), received=pl.col("sent_to").sum())
        .sort("packets", "received", "end", descending=[True, True, False])
        .head(1)
    )
    total, best = pl.collect_all([own.select(pl.len()), ranked], engine=table.engine)
    packets = int(total.item())
    if not packets or best.item(0, "packets") < SITE_SHARE * packets:
        return None
    address = key_text([FIELDS["ip.src"]], (best.item(0, "end"),))
    return Site(address, int(best.item(0, "packets")), packets)


def _rows(table: Table, column: str, types: tuple[int, ...]) -> pl.DataFrame:
    import polars as pl

    found = table.lazy().filter(pl.col(column).is_in(types)).select(column, "ip_src")
    return found.collect(engine=table.engine)


def _types(table: Table, column: str, types: tuple[int, ...], site: Site | None) -> tuple[int, ...]:
    import polars as pl

    found = _rows(table, column, types)
    if site is not None:
        from ipaddress import IPv4Address

        found = found.filter(pl.col("ip_src") == int(IPv4Address(site.address)))
    return tuple(sorted({int(value) for value in found[column]}))
