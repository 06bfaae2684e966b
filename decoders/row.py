"""What a decoder found in one frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from decoders.fields import EXPERT_LAYER, FIELDS, ITEM, LENGTH, OCTETS, PIECES, WITH_OCTETS
from decoders.octets import Malformed, Octets, OutOfOctets, Short

CHAT, NOTE, WARNING, ERROR = 0x200000, 0x400000, 0x600000, 0x800000
COMMENT = 0x100000
"""Severities of expert items, in Wireshark's numbers."""

CHECKSUM, SEQUENCE, UNDECODED, MALFORMED, PROTOCOL = (
    0x01000000,
    0x02000000,
    0x05000000,
    0x07000000,
    0x09000000,
)
COMMENT_GROUP, DEPRECATED = 0x0B000000, 0x0E000000
"""Groups of expert items, in Wireshark's numbers."""

Address = int | bytes

_OCTET_FIELDS = frozenset(
    prefix + protocol for prefix in (OCTETS, ITEM, LENGTH) for protocol in (*WITH_OCTETS, *PIECES)
)


_OF_ANALYSIS = (
    "tcp.analysis",
    "tcp.connection.fin_",
    "tcp.window_size",
    "_ws.expert",
    EXPERT_LAYER,
    "frame.protocols",
    *(prefix + name for name in ("data", "dns", "ntp") for prefix in ("", *(OCTETS, ITEM, LENGTH))),
)
"""Fields that depend on TCP analysis; a payload that was sent again is not handed up."""


class Wanted:
    """The fields that are read of a capture's rows, and what follows from them.

    ``names`` is None when all are. The flags tell layers what need not be worked out.
    """

    __slots__ = ("analysis", "ends", "expert", "layers", "names", "octets", "tcp_flags")

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self.names = None if names is None else frozenset(names)
        self.octets = self.names is not None and not self.names.isdisjoint(_OCTET_FIELDS)
        """Whether a filter looks into octets; asking for all fields does not ask for these."""
        self.tcp_flags = self._any("tcp.flags.")
        self.analysis = self._any(*_OF_ANALYSIS)
        self.expert = self._any("_ws.expert", EXPERT_LAYER)
        self.ends = self._any("replicap.tcp.", "replicap.udp.")
        self.layers = frozenset(
            name.partition(".")[0] for name in (FIELDS if self.names is None else self.names)
        )
        """First parts of the names: a layer that is not among them puts nothing."""

    def _any(self, *prefixes: str) -> bool:
        names = self.names
        return names is None or any(name.startswith(prefixes) for name in names)


EVERYTHING = Wanted()


class Segment:
    """A TCP header, for the conversation it belongs to. Numbers are raw, lengths in octets."""

    __slots__ = (
        "ack",
        "dst",
        "dstport",
        "flags",
        "has_options",
        "length",
        "options_cut",
        "payload_at",
        "quoted",
        "seq",
        "src",
        "srcport",
        "window",
        "window_scale",
    )

    def __init__(self, src: Address, dst: Address, srcport: int, dstport: int) -> None:
        self.src = src
        self.dst = dst
        self.srcport = srcport
        self.dstport = dstport
        self.seq = 0
        self.ack = 0
        self.flags = 0
        self.window = 0
        self.length: int | None = None
        self.quoted = False
        self.has_options = False
        self.options_cut = False
        self.window_scale: int | None = None
        self.payload_at: int | None = None


class Datagram:
    """A UDP header, for the conversation it belongs to."""

    __slots__ = ("dst", "dstport", "quoted", "src", "srcport")

    def __init__(
        self, src: Address, dst: Address, srcport: int, dstport: int, quoted: bool
    ) -> None:
        self.src = src
        self.dst = dst
        self.srcport = srcport
        self.dstport = dstport
        self.quoted = quoted


class Row:
    """The fields of one frame, each with all its occurrences.

    ``own`` and ``quoted`` map Wireshark's field names to values in the order of the headers:
    ``own`` those of the packet itself, ``quoted`` those of the packet that an ICMP error carries.
    """

    __slots__ = (
        "_into",
        "_names",
        "current",
        "dst",
        "expert_layer",
        "first_vlan",
        "number",
        "own",
        "protocols",
        "quoted",
        "src",
        "time_ns",
        "transport",
        "wanted",
    )

    def __init__(self, number: int, time_ns: int | None, wanted: Wanted = EVERYTHING) -> None:
        self.wanted = wanted
        self._names = wanted.names
        self.number = number
        self.time_ns = time_ns
        self.own: dict[str, list[Any]] = {}
        self.quoted: dict[str, list[Any]] = {}
        self._into = self.own
        self.protocols: list[str] = []
        self.current = "Frame"
        self.src: Address = 0
        self.dst: Address = 0
        self.first_vlan = 0
        self.transport: list[Segment | Datagram] = []
        self.expert_layer = 0
        """Header that expert items are about; 0: the last one of the protocol at work."""

    @property
    def quoting(self) -> bool:
        """Whether what is decoded now is carried by an ICMP error."""
        return self._into is self.quoted

    def quote(self) -> bool:
        """Put what follows under ``quoted``; returns the state to give to :meth:`unquote`."""
        before = self.quoting
        self._into = self.quoted
        return before

    def unquote(self, before: bool) -> None:
        """Return to the state before :meth:`quote`."""
        self._into = self.quoted if before else self.own

    def enter(self, protocol: str, name: str) -> None:
        """A dissector is called: ``protocol`` goes into ``frame.protocols``.

        ``name`` is what Wireshark calls it when it says that it ran out of octets.
        """
        self.protocols.append(protocol)
        self.current = name

    def forget_from(self, layer: int) -> None:
        """Take back the protocols from a place in the list on: their dissector was not called."""
        for protocol in self.protocols[layer:]:
            for name in (protocol, OCTETS + protocol, ITEM + protocol, LENGTH + protocol):
                values = self.own.get(name)
                if values:
                    values.pop()
                    if not values:
                        del self.own[name]
        del self.protocols[layer:]

    def item(self, protocol: str, octets: Octets, size: int) -> None:
        """A protocol is present; ``size`` octets are its own, what it carries follows them."""
        self.put(protocol, 1)
        if self.wanted.octets:
            text = octets.bytes().decode("latin-1")
            self.put(OCTETS + protocol, text)
            self.put(ITEM + protocol, text[:size])
            self.put(LENGTH + protocol, size)

    def piece(self, field: str, octets: bytes) -> None:
        """One more occurrence of a field of octets that a filter can look into."""
        self.put(field, octets)
        if self.wanted.octets:
            self.put(ITEM + field, octets.decode("latin-1"))

    def put(self, field: str, value: Any) -> None:
        """One more occurrence of a field."""
        if self._names is not None and field not in self._names:
            return
        into = self._into
        if field in into:
            into[field].append(value)
        else:
            into[field] = [value]

    def put_until(self, octets: int, declared: tuple[tuple[int, str, Any], ...]) -> None:
        """Those of ``(octets needed, field, value)`` that ``octets`` captured octets reach."""
        for needed, field, value in declared:
            if needed > octets:
                return
            self.put(field, value)

    def expert(self, severity: int, group: int, message: str) -> None:
        """An expert item; Wireshark's ``_ws.malformed`` also stands for each of group Malformed."""
        if group == MALFORMED:
            self.put("_ws.malformed", "_ws.malformed")
        if not self.wanted.expert:
            return
        self.put("_ws.expert", 1)
        self.put("_ws.expert.severity", severity)
        self.put("_ws.expert.group", group)
        self.put("_ws.expert.message", message)
        if self._names is not None and EXPERT_LAYER in self._names:
            at_work = self.protocols[-1] if self.protocols else ""
            self.put(EXPERT_LAYER, self.expert_layer or self.protocols.count(at_work) or 1)

    def ran_out(self, error: OutOfOctets) -> None:
        """What Wireshark shows when a dissector reads further than it can."""
        if isinstance(error, Short):
            self.put("_ws.short", 1)
        elif isinstance(error, Malformed):
            self.put("_ws.malformed", f"[Malformed Packet: {self.current}]")
            self.expert(ERROR, MALFORMED, "Malformed Packet (Exception occurred)")
        else:
            self.put("_ws.unreassembled", 1)

    def undecoded(self, reason: str) -> None:
        """Say what this decoder does not see inside the frame."""
        self.own.setdefault("replicap.undecoded", [reason])

    def occurrences(self, field: str) -> list[Any]:
        """All values of a field, own ones first; a field of several parts header by header."""
        parts = FIELDS[field].of
        if not parts:
            return self.own.get(field, []) + self.quoted.get(field, [])
        return [value for side in (self.own, self.quoted) for value in _by_header(side, parts)]


def _by_header(side: dict[str, list[Any]], parts: tuple[str, ...]) -> Iterator[Any]:
    lists = [side.get(part, []) for part in parts]
    for nth in range(max(map(len, lists))):
        for values in lists:
            if nth < len(values):
                yield values[nth]
