"""What a described frame must decode to: read off its description, never by a decoder.

A :class:`Part` is one header with what it carries: its octets and, beside them, the facts that a
decoder must find, each with the number of octets that must have been captured for it. From the
same description follows what is left when a snap length cuts the frame, when an ICMP error quotes
only its beginning, and when padding stands behind it. The rules are Wireshark's: what was cut by
the capture is ``_ws.short``, what a quotation leaves out is nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Values = dict[str, list[Any]]
"""Wireshark's field -> its values, in the order of the headers."""

SMALLEST_FRAME = 60
"""Octets that an Ethernet frame has at least, without its check sequence (IEEE 802.3)."""

BAD, GOOD, UNVERIFIED = 0, 1, 2
"""Wireshark's words for the state of a checksum."""


class Put(NamedTuple):
    """A field is there once ``needs`` octets of the part were captured."""

    needs: int
    field: str
    value: Any
    own_only: bool = False
    """Not shown of a packet that an ICMP error quotes."""


class Need(NamedTuple):
    """Without so many octets of the part nothing that follows is read."""

    octets: int


class Enter(NamedTuple):
    """A dissector is called: an entry of ``frame.protocols``."""

    protocol: str


class Checked(NamedTuple):
    """The state of a checksum that is only looked at when the whole part was captured."""

    needs: int
    field: str
    value: int


Event = Put | Need | Enter | Checked


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands behind the payload of an Ethernet frame (Wireshark semantics 1.3, 6.1)."""

    at: int
    """Octets of the part before the tail."""
    padding: int
    """Zeros that fill the frame up to 60 octets."""
    tagged: bool
    """Behind a tag a trailer is not shown and no check sequence is looked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One header and what it carries.

    ``data`` are all its octets, with those of ``inner``, which begins at ``at``. ``claims`` says
    where the part ends by its own length field; ``inner_claims`` where the inner one does.
    """

    data: bytes
    events: tuple[Event, ...] = ()
    inner: Part | None = None
    at: int = 0
    claims: int | None = None
    inner_claims: int | None = None
    quotes: bool = False
    """The inner part is the packet that an ICMP error quotes."""
    contains: bool = False
    """What ends early inside does not keep this part from being read to its end."""
    tail: Tail | None = None
    joined: Part | None = None
    """The payload that this fragment, the last to arrive, completes."""
    handed_up: bool = False
    """The inner part is only looked at when an octet of it was captured (TCP)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The row that a frame must decode to: own occurrences, and those of a quoted packet."""

    own: Values = field(default_factory=dict)
    quoted: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Described:
    """A frame: its captured octets and the row they must decode to."""

    data: bytes
    wire_length: int
    """Octets on the wire, those that the capture cut included."""
    linktype: int
    truth: Truth


class _Cut(Exception):
    """The capture ends before the header does."""


class _Over(Exception):
    """The quotation ends before the header does."""


class _Reading:
    def __init__(self, captured: int, wire: int) -> None:
        self.own: Values = {}
        self.quoted: Values = {}
        self.into = self.own
        self.protocols: list[str] = []
        self.captured = captured
        self.wire = wire

    def put(self, name: str, value: Any) -> None:
        self.into.setdefault(name, []).append(value)

    def part(self, part: Part, base: int, end: int, limit: int) -> None:
        if part.claims is not None:
            limit = min(limit, base + part.claims)
            end = min(end, limit)
        for event in part.events:
            self._event(event, base, end, limit)
        try:
            self._carried(part, base, end, limit)
        except _Cut:
            if not part.contains:
                raise
            self.put("_ws.short", 1)
        if part.tail is not None:
            self._tail(part.tail, part.data, base)

    def _event(self, event: Event, base: int, end: int, limit: int) -> None:
        quoting = self.into is self.quoted
        if isinstance(event, Put):
            if base + event.needs <= end and not (quoting and event.own_only):
                self.put(event.field, event.value)
        elif isinstance(event, Need):
            if base + event.octets > end:
                raise _Cut if base + event.octets <= limit else _Over
        elif isinstance(event, Enter):
            self.protocols.append(event.protocol)
        elif base + event.needs <= end:
            unread = quoting or end < limit
            self.put(event.field, UNVERIFIED if unread else event.value)

    def _carried(self, part: Part, base: int, end: int, limit: int) -> None:
        if part.joined is not None:
            size = len(part.joined.data)
            self.part(part.joined, 0, size, size)
            return
        if part.inner is None:
            return
        start = base + part.at
        if part.handed_up and start >= end:
            return
        if part.inner_claims is not None:
            limit = min(limit, start + part.inner_claims)
            end = min(end, limit)
        if start >= limit and (part.quotes or self.into is self.quoted):
            return
        before = self.into
        if part.quotes:
            self.into = self.quoted
        try:
            self.part(part.inner, start, end, limit)
        except _Over:
            if not part.quotes:
                raise
        finally:
            self.into = before

    def _tail(self, tail: Tail, data: bytes, base: int) -> None:
        """Padding, trailer and check sequence, as far as they were captured."""
        at, limit = base + tail.at, base + len(data)
        end = min(self.captured, limit)
        if end <= at:
            return
        octets = bytes(base) + data
        if tail.padding:
            if end < at + tail.padding:
                self.put("_ws.short", 1)
                return
            self.put("eth.padding", octets[at : at + tail.padding])
            at += tail.padding
        checked = not tail.tagged and len(data) >= SMALLEST_FRAME + 4 and limit - at >= 4
        trailer = min(end, limit - 4) if checked else end
        if trailer > at and not tail.tagged:
            self.put("eth.trailer", octets[at:trailer])
        if end < limit:
            self.put("_ws.short", 1)
        elif checked:
            self.put("eth.fcs", int.from_bytes(octets[limit - 4 : limit], "big"))


def described(part: Part, linktype: int, captured: int | None = None) -> Described:
    """The frame of a part as a capture holds it, cut to ``captured`` octets, and its truth.

    Raises ValueError when more octets are to be captured than the frame has.
    """
    wire = len(part.data)
    kept = wire if captured is None else captured
    if not 0 <= kept <= wire:
        raise ValueError(f"a frame of {wire} octets cannot be cut to {kept}")
    reading = _Reading(kept, wire)
    reading.own.update({"frame": [1], "frame.len": [wire], "frame.cap_len": [kept]})
    try:
        reading.part(part, 0, kept, wire)
    except _Cut:
        reading.put("_ws.short", 1)
    if reading.protocols:
        reading.own["frame.protocols"] = [":".join(reading.protocols)]
    return Described(part.data[:kept], wire, linktype, Truth(reading.own, reading.quoted))
