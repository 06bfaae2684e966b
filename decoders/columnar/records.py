"""Captures -> batches of frames: kernels walk the records, readers of one record do the rest.

The same frames and the same damage as :meth:`decoders.containers.Capture.frames`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders import pcap, pcapng
from decoders.columnar.kernels.scan import LARGEST_TIME, Clocks, Found, scan_pcap, scan_pcapng
from decoders.containers import Capture, CaptureFile
from decoders.frames import Damage, Frame, Interface
from decoders.pcap import MAX_CAPLEN, Window
from decoders.wrapping import BLOCK, Broken, Parts

OCTETS = 6 * BLOCK
"""Octets of a capture that make a batch."""

_SMALLEST_DENOMINATOR = 1
_LARGEST_BINARY = 1 << 32


@dataclass(frozen=True)
class Batch:
    """Frames that stand together in a capture; arrays have one entry a frame.

    Attributes: octets (uint8; the frames lie in it, starts and captured lengths in octets tell
    where); wire (octets on the wire, as the record says); time_ns (0 where ``timed`` is False);
    interface (place in ``interfaces``); comments (row -> comments of the frame); first (number of
    the first frame, from 1).
    """

    octets: NDArray[np.uint8]
    starts: NDArray[np.int64]
    captured: NDArray[np.int64]
    wire: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    timed: NDArray[np.bool_]
    interface: NDArray[np.int32]
    interfaces: tuple[Interface, ...]
    comments: dict[int, tuple[str, ...]]
    first: int

    def __post_init__(self) -> None:
        # Octets of a file cannot be written to, those of several put together could: kernels
        # would be compiled once more for them.
        self.octets.setflags(write=False)

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: NDArray[np.int64]) -> Batch:
        """A batch of some of the frames."""
        places = {int(row): place for place, row in enumerate(rows)} if self.comments else {}
        return Batch(
            octets=self.octets,
            starts=self.starts[rows],
            captured=self.captured[rows],
            wire=self.wire[rows],
            time_ns=self.time_ns[rows],
            timed=self.timed[rows],
            interface=self.interface[rows],
            interfaces=self.interfaces,
            comments={places[row]: said for row, said in self.comments.items() if row in places},
            first=self.first,
        )

    def frame(self, row: int, number: int) -> Frame:
        """One frame, under a number of the caller's choice."""
        start, captured = int(self.starts[row]), int(self.captured[row])
        return Frame(
            number,
            int(self.time_ns[row]) if self.timed[row] else None,
            int(self.wire[row]),
            self.octets[start : start + captured].tobytes(),
            self.interfaces[self.interface[row]],
            self.comments.get(row, ()),
        )


def batches(capture: Capture, octets: int = OCTETS) -> Iterator[Batch]:
    """The frames of a capture, lazily, in batches of about ``octets`` octets of the file.

    Sets ``capture.damage`` as :meth:`~decoders.containers.Capture.frames` does. Raises
    CaptureError when a file has gone since it was opened.
    """
    capture.damage = None
    if len(capture.files) == 1:
        yield from _watched(capture.files[0], octets)
    else:
        from decoders.columnar.merging import merged

        each = max(1, octets // len(capture.files))
        yield from merged([_watched(file, each) for file in capture.files])
    capture.damage = next((file.damage for file in capture.files if file.damage), None)


def _watched(file: CaptureFile, octets: int) -> Iterator[Batch]:
    """The batches of one file; sets its ``damage``."""
    file.damage = None
    try:
        yield from _of_file(file, octets)
    except Broken as broken:
        file.damage = Damage(file.path, broken.offset or 0, broken.found, broken.expected)


def _of_file(file: CaptureFile, octets: int) -> Iterator[Batch]:
    stream = file.stream()
    window = (
        _Window(stream.blocks, octets)
        if stream.parts is None
        else _FileWindow(stream.parts, max(octets, BLOCK))
    )
    yield from (_pcapng if pcap.kind_of(window.buffer) is None else _pcap)(window)


class _FileWindow(Window):
    """Reads so many octets of a file at once, and what is left of a window once more: that is less
    than putting all of them behind it."""

    __slots__ = ("_octets", "_parts")

    def __init__(self, parts: Parts, octets: int) -> None:
        self._parts = parts
        self._octets = octets
        next(parts)
        super().__init__(iter(()))

    def advance(self, octets: int) -> bool:
        self.base += octets
        left, block = self.buffer[octets:], b""
        try:
            if self.trouble is None:
                block = self._parts.send((self.base, len(left) + self._octets))
        except Broken as trouble:
            self.trouble = trouble
        more = len(block) > len(left)
        self.buffer = block if more else left
        return more


class _Window(Window):
    """Takes so many octets at a time, in whole blocks, and puts them together once."""

    __slots__ = ("_held", "_octets")

    def __init__(self, blocks: Iterator[bytes], octets: int) -> None:
        self._octets = octets
        self._held: Broken | None = None
        super().__init__(blocks)

    def advance(self, octets: int) -> bool:
        self.base += octets
        parts = [self.buffer[octets:]] if octets < len(self.buffer) else []
        size = 0
        while size < self._octets and self._held is None:
            try:
                block = next(self._blocks, b"")
            except Broken as trouble:
                self._held = trouble
                break
            if not block:
                break
            parts.append(block)
            size += len(block)
        self.buffer = b"".join(parts)
        if not size:  # What came before the trouble is told before it.
            self.trouble = self._held
        return size > 0


def _room(octets: int, smallest: int) -> Found:
    most = octets // smallest + 1
    return Found(
        starts=np.empty(most, np.int64),
        captured=np.empty(most, np.int64),
        wire=np.empty(most, np.int64),
        time_ns=np.empty(most, np.int64),
        interface=np.empty(most, np.int32),
    )


def _room_of(room: Found, octets: int, smallest: int) -> Found:
    """The same arrays, if they are large enough."""
    return room if len(room.starts) > octets // smallest else _room(octets, smallest)


def _first(room: Found, count: int) -> Found:
    """The frames that a kernel put into its arrays; the rest of them is given back."""
    return Found(
        starts=room.starts[:count].copy(),
        captured=room.captured[:count].copy(),
        wire=room.wire[:count].copy(),
        time_ns=room.time_ns[:count].copy(),
        interface=room.interface[:count].copy(),
    )


def _pcap(window: Window) -> Iterator[Batch]:
    header = pcap.read_header(window)
    kind = header.kind
    layout = (kind.record_octets, kind.nanoseconds, kind.order == ">", header.swap, MAX_CAPLEN)
    position, number = pcap.HEADER_OCTETS, 1
    room = _room(0, 1)
    while True:
        octets = np.frombuffer(window.buffer, np.uint8)
        room = _room_of(room, len(octets), kind.record_octets)
        count, position, oversized = scan_pcap(octets, position, layout, room)
        found = _first(room, count)
        yield from _batch([_Piece(window.buffer, found, [])], number, [header.interface])
        number += count
        if oversized:
            expected = f"at most {MAX_CAPLEN}"
            raise Broken(f"a captured length of {oversized}", expected, window.base + position)
        if not window.advance(position):
            break
        position = 0
    if window.trouble is not None or window.buffer:
        raise window.end("pcap record", window.base)


@dataclass(frozen=True)
class _Piece:
    """Frames found by a kernel in a buffer, or one by one."""

    buffer: bytes
    found: Found | None
    frames: list[Frame]


class _Records(pcapng.Reader):
    """Reads blocks one by one, but for those that the kernel finds sound."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self.pieces: list[_Piece] = []
        self.interfaces: list[Interface] = []
        self._first = 0
        self._clocks: Clocks | None = None
        self._clocks_of: tuple[int, int] = (0, 0)

    def _packets(self) -> bool:
        self.collect()
        clocks = self._known_clocks()
        octets = np.frombuffer(self.window.buffer, np.uint8)
        room = _room(len(octets) - self.position, 32)
        layout = (self.order == ">", MAX_CAPLEN, self._first)
        count, self.position = scan_pcapng(octets, self.position, layout, clocks, room)
        if count:
            found = _first(room, count)
            self.pieces.append(_Piece(self.window.buffer, found, []))
            self.number += count
        return bool(self.position < len(octets))

    def collect(self) -> None:
        """Keep the frames that were read one by one."""
        if self.frames:
            self.pieces.append(_Piece(b"", None, self.frames))
            self.frames = []

    def _known_clocks(self) -> Clocks:
        state = (self.section, len(self.ports))
        if self._clocks is None or state != self._clocks_of:
            if self.section != self._clocks_of[0] or self._clocks is None:
                self._first = len(self.interfaces)
            known = len(self.interfaces) - self._first
            self.interfaces += [port.interface for port in self.ports[known:]]
            self._clocks, self._clocks_of = _clocks(self.ports), state
        return self._clocks


def _clocks(ports: Sequence[pcapng.Port]) -> Clocks:
    rows = [_clock(port) for port in ports]
    return Clocks(*(np.array([row[at] for row in rows], np.int64) for at in range(5)))


def _clock(port: pcapng.Port) -> tuple[int, int, int, int, int]:
    fcs = port.interface.fcs_octets
    known = -1 if fcs is None else fcs
    large = port.denominator > (LARGEST_TIME if port.numerator == 1 else _LARGEST_BINARY)
    if large or abs(port.offset_ns) >= LARGEST_TIME:
        return 1, 1, -1, 0, known
    most = LARGEST_TIME // port.numerator
    return port.numerator, port.denominator, most, port.offset_ns, known


def _pcapng(window: Window) -> Iterator[Batch]:
    reader = _Records(window)
    number = 1
    while True:
        broken, more = None, False
        try:
            more = reader.scan()
        except Broken as error:
            broken = error
        reader.collect()
        for batch in _batch(reader.pieces, number, reader.interfaces):
            yield batch
            number += len(batch)
        reader.pieces = []
        if broken is not None:
            raise broken
        if not more:
            return


def _batch(
    pieces: Sequence[_Piece], number: int, interfaces: Sequence[Interface]
) -> Iterator[Batch]:
    """One batch of pieces of the same buffer; none of no frames."""
    known = {interface: place for place, interface in enumerate(interfaces)}
    buffers = {id(piece.buffer): piece.buffer for piece in pieces if piece.found is not None}
    extra = [frame.data for piece in pieces for frame in piece.frames]
    octets = b"".join((*buffers.values(), *extra))
    bases = _bases(list(buffers.values()))
    at = sum(map(len, buffers.values()))
    parts: list[Found] = []
    timed: list[NDArray[np.bool_]] = []
    comments: dict[int, tuple[str, ...]] = {}
    rows = 0
    for piece in pieces:
        if piece.found is not None:
            base = bases[id(piece.buffer)]
            part = piece.found._replace(starts=piece.found.starts + base) if base else piece.found
            timed.append(np.ones(len(part.starts), np.bool_))
        else:
            part = _of_frames(piece.frames, at, known)
            at += int(part.captured.sum())
            timed.append(np.array([frame.time_ns is not None for frame in piece.frames]))
            comments |= {
                rows + nth: frame.comments
                for nth, frame in enumerate(piece.frames)
                if frame.comments
            }
        rows += len(part.starts)
        parts.append(part)
    if rows:
        joined = (
            parts[0] if len(parts) == 1 else Found(*map(np.concatenate, zip(*parts, strict=True)))
        )
        yield Batch(
            octets=np.frombuffer(octets, np.uint8),
            starts=joined.starts,
            captured=joined.captured,
            wire=joined.wire,
            time_ns=joined.time_ns,
            timed=timed[0] if len(timed) == 1 else np.concatenate(timed),
            interface=joined.interface,
            interfaces=tuple(known),
            comments=comments,
            first=number,
        )


def _bases(buffers: Sequence[bytes]) -> dict[int, int]:
    """Where each buffer begins when they are put one behind another."""
    bases: dict[int, int] = {}
    at = 0
    for buffer in buffers:
        bases[id(buffer)] = at
        at += len(buffer)
    return bases


def _of_frames(frames: Sequence[Frame], at: int, known: dict[Interface, int]) -> Found:
    """Frames that were read one by one; ``known`` gets their interfaces."""
    captured = np.array([len(frame.data) for frame in frames], np.int64)
    return Found(
        starts=at + np.cumsum(captured) - captured,
        captured=captured,
        wire=np.array([frame.wire_length for frame in frames], np.int64),
        time_ns=np.array([frame.time_ns or 0 for frame in frames], np.int64),
        interface=np.array(
            [known.setdefault(frame.interface, len(known)) for frame in frames], np.int32
        ),
    )
