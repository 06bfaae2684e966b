"""The reference decoder: one frame -> one row, readable, the decoder people check by eye.

Layers stand in :mod:`decoders.layers`; this puts the frame's own fields beside what they find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from decoders import classify
from decoders.containers import Capture
from decoders.conversations import Conversations
from decoders.frames import CUSTOM_BLOCK, JOURNAL_BLOCK, Frame
from decoders.layers import icmp, ipv6, link, ppp, transport, tunnels
from decoders.layers.dispatch import LINK_TYPES, Context, data
from decoders.octets import Octets, OutOfOctets
from decoders.reassembly import Reassembly
from decoders.row import COMMENT, COMMENT_GROUP, ERROR, MALFORMED, Row, Wanted

LAYERS = (icmp, ipv6, link, ppp, transport, tunnels)
"""Modules that registered themselves when they were imported."""

ALWAYS = ("frame.len", "tcp.flags", "_ws.malformed", "_ws.short", "replicap.undecoded")
"""Fields that the decoder itself reads, or that are counted in every report."""


class Decoder:
    """Decodes the frames of one capture, in file order."""

    def __init__(self, wanted: Collection[str] | None = None) -> None:
        self._classifier = classify.Classifier() if classify.asked(wanted) else None
        needs = (*ALWAYS, *classify.NEEDS) if self._classifier else ALWAYS
        self._wanted = Wanted(None if wanted is None else (*wanted, *needs))
        self._datagrams = Reassembly()
        self._conversations = Conversations()
        self._first_time: int | None = None
        self._last_time: int | None = None

    def row(self, frame: Frame) -> Row:
        """The fields of the next frame."""
        row = self.dissect(frame)
        self._conversations.annotate(row)
        if row.protocols:
            row.put("frame.protocols", ":".join(row.protocols))
        if self._classifier is not None:
            self._classifier.annotate(row)
        return row

    def dissect(self, frame: Frame) -> Row:
        """What the next frame says by itself and by its fragments: no conversations, no class."""
        row = Row(frame.number, frame.time_ns, self._wanted)
        octets = self._frame_fields(row, frame)
        context = Context(row, self._datagrams, frame.interface.fcs_octets)
        try:
            _link_layer(context, octets, frame)
        except OutOfOctets as error:
            row.unquote(False)
            row.ran_out(error)
        return row

    def _frame_fields(self, row: Row, frame: Frame) -> Octets:
        put = row.put
        captured = len(frame.data)
        length = (
            min(frame.wire_length, captured)
            if frame.wire_length < captured
            else (frame.wire_length)
        )
        put("frame.number", frame.number)
        put("frame.len", length)
        put("frame.cap_len", captured)
        self._times(row, frame)
        interface = frame.interface
        if interface.id is not None:
            put("frame.interface_id", interface.id)
            put("frame.interface_name", interface.name or "unknown")
        if interface.section is not None:
            put("frame.section_number", interface.section)
        for comment in frame.comments:
            put("frame.comment", comment)
            row.expert(COMMENT, COMMENT_GROUP, comment)
        if frame.wire_length < captured:
            row.expert(ERROR, MALFORMED, "frame length is less than captured length")
        octets = Octets(frame.data, 0, captured, max(length, captured))
        row.item("frame", octets, captured)
        return octets

    def _times(self, row: Row, frame: Frame) -> None:
        time = frame.time_ns
        if time is None:
            return
        if self._first_time is None:
            self._first_time = time
        row.put("frame.time_epoch", time)
        row.put("frame.time_relative", time - self._first_time)
        row.put("frame.time_delta", time - (time if self._last_time is None else self._last_time))
        self._last_time = time


def _link_layer(context: Context, octets: Octets, frame: Frame) -> None:
    row = context.row
    if frame.interface.linktype == CUSTOM_BLOCK:
        data(context, octets)
        return
    if frame.interface.linktype == JOURNAL_BLOCK:
        row.protocols.append("systemd_journal")
        return
    fcs = frame.interface.fcs_octets
    if fcs and frame.interface.linktype == 1:
        _take_fcs(context, octets, fcs)
    layer = LINK_TYPES.get(frame.interface.linktype)
    if layer is None:
        row.undecoded(f"link type {frame.interface.linktype} is not supported")
        return
    layer(context, octets)


def _take_fcs(context: Context, octets: Octets, size: int) -> None:
    """A frame check sequence that the file announces is no part of the packet."""
    if octets.claimed < size:
        return
    octets.limit -= size
    if octets.end > octets.limit:
        if octets.end == octets.limit + size == len(octets.data) and size == 4:
            value = int.from_bytes(octets.data[octets.limit : octets.end], "big")
            context.row.put("eth.fcs", value)
        octets.end = octets.limit


def rows(
    capture: Capture,
    wanted: Collection[str] | None = None,
    *,
    keep: Iterable[bool] | None = None,
) -> Iterator[Row]:
    """The rows of a capture; with ``keep``, as if the file held only the frames it is true for.

    ``wanted`` names the fields that the caller reads (parts, not aliases such as ``tcp.port``);
    None is all of them.
    """
    decoder = Decoder(wanted)
    for frame in kept(capture.frames(), keep):
        yield decoder.row(frame)


def kept(frames: Iterable[Frame], keep: Iterable[bool] | None) -> Iterator[Frame]:
    """The frames that ``keep`` is true for, numbered anew as a saved file would be."""
    if keep is None:
        yield from frames
        return
    number = 0
    for frame, wanted in zip(frames, keep, strict=False):
        if wanted:
            number += 1
            yield frame._replace(number=number)
