"""Who claims the next octets: EtherTypes, PPP and IP protocol numbers, link types.

Each layer registers itself here under the number by which others call it.
"""

from __future__ import annotations

from collections.abc import Callable

from decoders.octets import Octets
from decoders.reassembly import Datagram, Fragment, Reassembly
from decoders.row import Row


class Context:
    """What a layer needs besides its octets."""

    __slots__ = ("datagrams", "depth", "fcs_octets", "row")

    def __init__(self, row: Row, datagrams: Reassembly, fcs_octets: int | None = None) -> None:
        self.row = row
        self.datagrams = datagrams
        self.fcs_octets = fcs_octets
        self.depth = 0

    def reassemble(self, key: tuple[object, ...], fragment: Fragment) -> Datagram | None:
        """The datagram that a fragment completes; says so when others were given up for memory."""
        before = self.datagrams.given_up
        datagram = self.datagrams.add(key, fragment)
        if self.datagrams.given_up > before:
            self.row.undecoded("an incomplete datagram was given up to bound memory")
        return datagram


Layer = Callable[[Context, Octets], None]

ETHERTYPES: dict[int, Layer] = {}
PPP_PROTOCOLS: dict[int, Layer] = {}
IP_PROTOCOLS: dict[int, Layer] = {}
LINK_TYPES: dict[int, Layer] = {}
UDP_TUNNELS: dict[int, Layer] = {}


def register(table: dict[int, Layer], *numbers: int) -> Callable[[Layer], Layer]:
    """Enter a layer under its numbers; raises ValueError when one is taken."""

    def enter(layer: Layer) -> Layer:
        for number in numbers:
            if number in table:
                raise ValueError(f"{number:#x} is claimed twice")
            table[number] = layer
        return layer

    return enter


def data(context: Context, octets: Octets) -> None:
    """Octets that no dissector claims; nothing when there are none."""
    if octets.claimed > 0:
        context.row.protocols.append("data")
        context.row.item("data", octets, octets.claimed)
