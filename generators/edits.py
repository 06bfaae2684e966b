"""An edit of a capture: packets dropped, put in or replaced, in words and as a list of changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

SHOWN = 3
"""Frames that an edit names at most."""


class Record(NamedTuple):
    """A packet of a capture, with what its file says of it."""

    time_ns: int | None
    """Nanoseconds since 1970-01-01 UTC; None when the file does not say."""
    data: bytes
    wire_length: int
    """Octets on the wire, at least those captured."""
    link: int
    """LINKTYPE_ number."""
    origin: Any = None
    """What the reader of the file keeps with a packet; handed through."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The packet at a position, counted from 0, is not there."""

    at: int


@dataclass(frozen=True, slots=True)
class Put:
    """A packet more, in front of the one at a position; behind all at their number."""

    at: int
    record: Record


@dataclass(frozen=True, slots=True)
class Replace:
    """Another packet at a position."""

    at: int
    record: Record


Change: TypeAlias = Drop | Put | Replace


@dataclass(frozen=True, slots=True)
class Edit:
    """What is changed, and the same in words for people."""

    words: str
    changes: tuple[Change, ...]


def applied(records: Sequence[Record], edit: Edit) -> list[Record]:
    """The packets after an edit, in order. Packets put in at one position keep their order.

    Raises ValueError when two changes concern one packet or a position is none.
    """
    dropped: set[int] = set()
    replaced: dict[int, Record] = {}
    added: dict[int, list[Record]] = {}
    for change in edit.changes:
        highest = len(records) if isinstance(change, Put) else len(records) - 1
        if not 0 <= change.at <= highest:
            raise ValueError(f"position {change.at} of {len(records)} packets")
        match change:
            case Put(at=at, record=record):
                added.setdefault(at, []).append(record)
            case _ if change.at in dropped or change.at in replaced:
                raise ValueError(f"two changes of the packet at position {change.at}")
            case Drop(at=at):
                dropped.add(at)
            case Replace(at=at, record=record):
                replaced[at] = record
    result: list[Record] = []
    for at, record in enumerate(records):
        result += added.get(at, ())
        if at not in dropped:
            result.append(replaced.get(at, record))
    return result + added.get(len(records), [])


def frames_text(positions: Iterable[int]) -> str:
    """``frame 3``, ``frames 3, 4``, ``833 packets (frames 3, 4, 7, ...)``: numbers from 1."""
    numbers = [position + 1 for position in positions]
    if len(numbers) == 1:
        return f"frame {numbers[0]}"
    shown = ", ".join(map(str, numbers[:SHOWN]))
    if len(numbers) <= SHOWN:
        return f"frames {shown}"
    return f"{len(numbers)} packets (frames {shown}, ...)"


def dropping(positions: Sequence[int], why: str = "") -> Edit:
    """These packets are taken away."""
    words = f"{frames_text(positions)} dropped{f' ({why})' if why else ''}"
    return Edit(words, tuple(Drop(at) for at in positions))


def repeating(records: Sequence[Record], positions: Sequence[int], more: int = 0) -> Edit:
    """Packets once more, right behind themselves: ``more`` in all, by default one each."""
    times, rest = divmod(more or len(positions), len(positions))
    chosen = positions if times else positions[-rest:]
    often = [times + (at < rest) if times else 1 for at in range(len(chosen))]
    puts = [
        Put(at + 1, records[at])
        for at, number in zip(chosen, often, strict=True)
        for _ in range(number)
    ]
    words = f"{frames_text(chosen)} repeated"
    return Edit(words if times < 2 else f"{words}, {len(puts)} packets more", tuple(puts))
