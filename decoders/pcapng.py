"""pcapng captures.

Source: draft-ietf-opsawg-pcapng, and what Wireshark 4.0 does where that is silent: which blocks
become frames, how block lengths are rounded, what ends the reading of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from struct import Struct
from typing import NamedTuple

from decoders.frames import CUSTOM_BLOCK, JOURNAL_BLOCK, Frame, Interface
from decoders.pcap import MAX_CAPLEN, Window
from decoders.wrapping import BLOCK, Broken

SHB, IDB, OPB, SPB, EPB = 0x0A0D0D0A, 1, 2, 3, 6
JOURNAL, CUSTOM, CUSTOM_NO_COPY = 9, 0xBAD, 0x4000_0BAD

_MAX_BLOCK = 16 << 20
_INT64 = 1 << 63
_SECOND = 1_000_000_000
_MIN_OCTETS = {SHB: 28, IDB: 20, OPB: 32, SPB: 16, EPB: 32, JOURNAL: 35}
_MIN_OCTETS |= {CUSTOM: 16, CUSTOM_NO_COPY: 16}
_NAMES = {SHB: "Section Header", IDB: "Interface Description", OPB: "Packet", SPB: "Simple Packet"}
_NAMES |= {EPB: "Enhanced Packet", JOURNAL: "systemd Journal Export"}
_NAMES |= {CUSTOM: "Custom", CUSTOM_NO_COPY: "Custom"}
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

_COMMENT, _NAME, _FLAGS, _TSRESOL, _FCSLEN, _TSOFFSET = 1, 2, 2, 9, 13, 14
_REALTIME = b"__REALTIME_TIMESTAMP="
_new_frame = partial(tuple.__new__, Frame)


class Port(NamedTuple):
    """An interface of the section being read."""

    interface: Interface
    snaplen: int
    """Largest captured length; 0 without a limit."""
    numerator: int
    """Nanoseconds of ``denominator`` ticks of its clock."""
    denominator: int
    offset_ns: int


def byte_order_of(head: bytes) -> str | None:
    """``<`` or ``>`` for the first 12 octets of a Section Header Block, None for others."""
    if head[:4] != b"\x0a\x0d\x0d\x0a":
        return None
    return _BYTE_ORDERS.get(head[8:12])


def batches(blocks: Iterator[bytes]) -> Iterator[list[Frame]]:
    """Frames of a pcapng stream, in lists of at most what one block holds.

    Raises Broken, with the offset of the block that cannot be read, after the frames before it.
    Custom and systemd Journal Export Blocks are frames without interface, as in Wireshark.
    """
    reader = Reader(Window(blocks))
    while True:
        broken = None
        try:
            more = reader.scan()
        except Broken as error:
            broken, more = error, False
        yield reader.frames
        reader.frames = []
        if broken is not None:
            raise broken
        if not more:
            return


class Reader:
    """What is known of the section being read, and the frames not yet handed on."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.frames: list[Frame] = []
        self.number = 0
        self.position = 0
        self.section = 0
        self.ports: list[Port] = []
        self.with_fcs: dict[tuple[int, int], Interface] = {}
        self.order = byte_order_of(window.buffer[:12]) or "<"
        self._compile()

    def _compile(self) -> None:
        self.u16_pair = Struct(self.order + "2H").unpack_from
        self.u32 = Struct(self.order + "I").unpack_from
        self.head = Struct(self.order + "7I").unpack_from

    def scan(self) -> bool:
        """Reads what the window holds; False when the capture ends, Broken when it is damaged."""
        base = self.window.base
        while self._packets() and self.read_block():
            if self.window.base != base:
                return True
        if self.window.advance(self.position):
            self.position = 0
            return True
        self.position = 0
        if self.window.trouble is not None or self.window.buffer:
            raise self.window.end("pcapng block", self.window.base)
        return False

    def _packets(self) -> bool:
        """Sound Enhanced Packet Blocks, quickly; True when the window holds more than those."""
        buffer, position, ports = self.window.buffer, self.position, self.ports
        head, u32 = self.head, self.u32
        append, new_frame, number = self.frames.append, _new_frame, self.number
        count, size = len(ports), len(buffer)
        last = size - 32
        while position <= last:
            kind, length, index, high, low, caplen, wire = head(buffer, position)
            stop = position + length
            end = position + 28 + (caplen + 3 & -4)
            sound = kind == EPB and index < count and caplen <= MAX_CAPLEN and end <= stop - 4
            if not sound or stop > size or length & 3 or u32(buffer, stop - 4)[0] != length:
                break
            interface, _, numerator, denominator, offset = ports[index]
            time = (high << 32 | low) * numerator // denominator + offset
            if not -_INT64 <= time < _INT64:
                break
            comments: tuple[str, ...] = ()
            if end < stop - 4:
                self.position, self.number = position, number
                interface, comments = self._packet_options(index, buffer, end, stop - 4)
            start = position + 28
            number += 1
            data = buffer[start : start + caplen]
            append(new_frame((number, time, wire, data, interface, comments)))
            position = stop
        self.position, self.number = position, number
        return position < size

    def read_block(self) -> bool:
        """Any one block, the slow way; False when the window does not hold all of it."""
        buffer, at = self.window.buffer, self.position
        if len(buffer) - at < 12:
            return False
        kind = self.u32(buffer, at)[0]
        if kind == SHB:
            self._turn(buffer, at)
        length = self.u32(buffer, at + 4)[0]
        size = length + 3 & -4
        self._check_length(kind, length, size)
        if kind not in _NAMES:
            self._skip(length, size)
            return True
        if at + size > len(buffer):
            return False
        self._check_trailer(length, self.u32(buffer, at + size - 4)[0])
        self._read(kind, buffer[at : at + size])
        self.position = at + size
        return True

    def _turn(self, buffer: bytes, at: int) -> None:
        """Takes the byte order of the section that starts here."""
        magic = buffer[at + 8 : at + 12]
        order = _BYTE_ORDERS.get(magic)
        if order is None:
            raise self._broken(f"byte-order magic {magic.hex(' ')}", "1a 2b 3c 4d or 4d 3c 2b 1a")
        if order != self.order:
            self.order = order
            self._compile()

    def _broken(self, found: str, expected: str) -> Broken:
        return Broken(found, expected, self.window.base + self.position)

    def _check_length(self, kind: int, length: int, size: int) -> None:
        least = _MIN_OCTETS.get(kind, 12)
        if length < least:
            name = _name(kind)
            raise self._broken(f"{name} of {length} octets", f"at least {least}")
        if kind in _NAMES and size > _MAX_BLOCK:
            raise self._broken(f"{_name(kind)} of {length} octets", f"at most {_MAX_BLOCK}")

    def _check_trailer(self, length: int, trailer: int) -> None:
        # Wireshark rounds both lengths up to four octets before it compares them.
        if length + 3 & -4 != trailer + 3 & -4:
            found = f"block length {length} at the start and {trailer} at the end of a block"
            raise self._broken(found, "the same twice")

    def _skip(self, length: int, size: int) -> None:
        """Passes over a block of any size without holding it."""
        window = self.window
        start = window.base + self.position
        while window.base + len(window.buffer) < start + size:
            if not window.advance(max(0, len(window.buffer) - 4)):
                raise window.end("pcapng block", start)
        self.position = start - window.base
        self._check_trailer(length, self.u32(window.buffer, self.position + size - 4)[0])
        self.position += size

    def _read(self, kind: int, block: bytes) -> None:
        if kind == SHB:
            self._start_section(block)
        elif kind == IDB:
            self._add_interface(block)
        elif kind in (EPB, OPB):
            self._packet(kind, block)
        elif kind == SPB:
            self._simple_packet(block)
        elif kind == JOURNAL:
            self._journal(block)
        else:
            # What Wireshark shows of a Custom Block: all behind the Private Enterprise Number.
            nowhere = Interface(CUSTOM_BLOCK, section=self.section)
            self._append(None, block[12:-4], len(block) - 16, nowhere)

    def _append(
        self,
        time: int | None,
        data: bytes,
        wire: int,
        interface: Interface,
        comments: tuple[str, ...] = (),
    ) -> None:
        if len(data) > MAX_CAPLEN:
            raise self._broken(f"a captured length of {len(data)}", f"at most {MAX_CAPLEN}")
        if time is not None and not -_INT64 <= time < _INT64:
            found = f"a time of {time // _SECOND} s, outside of 64-bit nanoseconds"
            raise self._broken(found, "a time between the years 1677 and 2262")
        self.number += 1
        self.frames.append(Frame(self.number, time, wire, data, interface, comments))

    def _start_section(self, block: bytes) -> None:
        major, minor = Struct(self.order + "2H").unpack_from(block, 12)
        # Wireshark takes minor 2, which some writers put for 0 (draft, section 4.1), and 1.
        if major != 1 or minor > 2:
            raise self._broken(f"pcapng version {major}.{minor}", "version 1.0")
        self._options(block, 24, len(block) - 4)
        self.section += 1
        self.ports = []
        self.with_fcs = {}

    def _add_interface(self, block: bytes) -> None:
        link, snaplen = Struct(self.order + "H2xI").unpack_from(block, 8)
        name = fcs = None
        numerator, denominator, offset = 1000, 1, 0
        for code, value in self._options(block, 16, len(block) - 4):
            if code == _NAME and name is None:
                name = _text(value)
            elif code == _TSRESOL and len(value) == 1:
                numerator, denominator = _resolution(value[0])
            elif code == _FCSLEN and len(value) == 1:
                fcs = value[0]
            elif code == _TSOFFSET and len(value) == 8:
                offset = Struct(self.order + "q").unpack(value)[0] * _SECOND
        interface = Interface(link, len(self.ports), self.section, name, fcs)
        self.ports.append(Port(interface, snaplen, numerator, denominator, offset))

    def _packet(self, kind: int, block: bytes) -> None:
        index, high, low, caplen, wire = Struct(self.order + "5I").unpack_from(block, 8)
        if kind == OPB:
            index = Struct(self.order + "H").unpack_from(block, 8)[0]
        if index >= len(self.ports):
            found = f"a packet of interface {index}"
            raise self._broken(found, f"one of the {len(self.ports)} interfaces of the section")
        end = self._data_end(kind, block, 28, caplen)
        _, _, numerator, denominator, offset = self.ports[index]
        interface, comments = self._packet_options(index, block, end, len(block) - 4)
        time = (high << 32 | low) * numerator // denominator + offset
        self._append(time, block[28 : 28 + caplen], wire, interface, comments)

    def _packet_options(
        self, index: int, buffer: bytes, at: int, end: int
    ) -> tuple[Interface, tuple[str, ...]]:
        interface = self.ports[index].interface
        comments = []
        for code, value in self._options(buffer, at, end):
            if code == _COMMENT:
                comments.append(_text(value))
            elif code == _FLAGS:
                interface = self._flagged(index, value)
        return interface, tuple(comments)

    def _data_end(self, kind: int, block: bytes, start: int, caplen: int) -> int:
        """Where options begin, behind the padded packet data."""
        if caplen > MAX_CAPLEN:
            raise self._broken(f"a captured length of {caplen}", f"at most {MAX_CAPLEN}")
        end = start + (caplen + 3 & -4)
        if end > len(block) - 4:
            found = f"{_name(kind)} of {len(block)} octets"
            raise self._broken(found, f"at least {end + 4} for {caplen} octets of packet data")
        return end

    def _flagged(self, index: int, value: bytes) -> Interface:
        """The interface as epb_flags has it: bits 5 to 8, when not 0, are the FCS octets."""
        if len(value) != 4:
            raise self._broken(f"epb_flags of {len(value)} octets", "4")
        fcs = self.u32(value)[0] >> 5 & 15
        interface = self.ports[index].interface
        if not fcs or fcs == interface.fcs_octets:
            return interface
        return self.with_fcs.setdefault((index, fcs), interface._replace(fcs_octets=fcs))

    def _simple_packet(self, block: bytes) -> None:
        if not self.ports:
            raise self._broken("a Simple Packet Block", "an Interface Description Block before it")
        wire = self.u32(block, 8)[0]
        caplen = min(wire, self.ports[0].snaplen or wire)
        self._data_end(SPB, block, 12, caplen)
        self._append(None, block[12 : 12 + caplen], wire, self.ports[0].interface)

    def _journal(self, block: bytes) -> None:
        data = block[8:-4].rstrip(b"\0")
        at = data.find(_REALTIME) + len(_REALTIME)
        digits = bytearray()
        if at >= len(_REALTIME):
            for octet in data[at : at + 20]:
                if not 48 <= octet <= 57:
                    break
                digits.append(octet)
        nowhere = Interface(JOURNAL_BLOCK, section=self.section)
        self._append(int(digits) * 1000 if digits else None, data, len(data), nowhere)

    def _options(self, buffer: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
        """Code and value of each option between two places of the buffer."""
        unpack = self.u16_pair
        found = []
        while at + 4 <= end:
            code, length = unpack(buffer, at)
            if code == 0:
                break
            at += 4
            if at + length > end:
                text = f"option {code} of {length} octets"
                raise self._broken(text, f"at most the {end - at} that are left in the block")
            found.append((code, buffer[at : at + length]))
            at += length + 3 & -4
        return found


def _name(kind: int) -> str:
    return f"{_NAMES[kind]} Block" if kind in _NAMES else f"a block of type 0x{kind:08x}"


def _text(value: bytes) -> str:
    # Wireshark keeps C strings: what follows a zero octet is not seen.
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def _resolution(value: int) -> tuple[int, int]:
    """Nanoseconds of a tick as a fraction, for an if_tsresol octet."""
    exponent = value & 127
    if value & 128:
        return _SECOND, 1 << exponent
    return (10 ** (9 - exponent), 1) if exponent <= 9 else (1, 10 ** (exponent - 9))


def check_first_block(head: bytes) -> None:
    """Raises Broken when the first Section Header Block, or what there is of it, is no good."""
    least = _MIN_OCTETS[SHB]
    if len(head) < least:
        found = f"the end of the file after {len(head)} octets"
        raise Broken(found, f"a Section Header Block of at least {least} octets", 0)
    reader = Reader(Window(iter((head,))))
    if not reader.read_block() and len(head) < BLOCK:
        raise reader.window.end("Section Header Block", 0)
