"""Generated captures against an installed tshark: field by field, filter by filter.

tshark is asked once for all fields of a capture, and once for all filters: frames are a second
apart, so that its statistics by second tell which frames a filter keeps.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import narwhals as nw

from decoders import tshark
from decoders.containers import open_captures
from decoders.displayfilter import expression, parse
from decoders.fields import FIELDS, FieldType
from decoders.reference import rows
from decoders.row import Row
from decoders.table import decode
from tests.decoders.test_witness import COMPARED, asked, differences

DIALECT = " 4.0."
"""In the version of a tshark whose fields and filters are the ones meant here."""

FILTERS_AT_A_TIME = 8
"""Filters that one table of statistics has columns for."""

SPOKEN_FOR = frozenset(
    name
    for name in FIELDS
    if name.startswith(("_ws.", "data")) or FIELDS[name].protocol in ("dns", "dhcpv6", "ntp")
)
"""Fields that dissectors of applications, which exist in tshark alone, have a say in."""

SECONDS = 120


def missing() -> str:
    """Why there is no witness on this machine; empty when there is one."""
    if not tshark.is_installed():
        return "tshark is not installed"
    version = tshark.version_text()
    return "" if DIALECT in version else f"the fields are those of tshark 4.0, this is {version}"


class Known(NamedTuple):
    """A difference that is known, and still open: fields, and the frames in which they may differ.

    docs/fuzzing.md has the same list in words.
    """

    says: str
    fields: frozenset[str]
    holds: Callable[[Row], bool]


def _cut(row: Row) -> bool:
    return bool(row.own["frame.cap_len"][0] < row.own["frame.len"][0])


def _has(row: Row, *protocols: str) -> bool:
    return any(name in row.protocols for name in protocols)


def _without_options(row: Row) -> bool:
    """TCP in an ICMP error, cut, or of a fragment: its length or its options are not known."""
    return "tcp" in row.quoted or ("tcp" in row.own and (_cut(row) or "tcp.len" not in row.own))


def _several_routes(row: Row) -> bool:
    sizes = [*row.own.get("ip.hdr_len", ()), *row.quoted.get("ip.hdr_len", ())]
    return max(sizes, default=0) >= 20 + len(SOURCE_ROUTE) or (_cut(row) and _has(row, "ip"))


SOURCE_ROUTE = bytes(8)
"""A loose or strict source route of one address takes up eight octets."""


def _chdlc_arp(row: Row) -> bool:
    return row.protocols[:2] == ["chdlc", "arp"]


KNOWN: tuple[Known, ...] = (
    Known(
        "a header in which the capture ends is there in tshark and not here, or the reverse",
        frozenset(
            name
            for name in FIELDS
            if FIELDS[name].type is FieldType.PROTOCOL or name.startswith("ieee8021ad.")
        ),
        _cut,
    ),
    Known(
        "octets of no known EtherType of which the capture holds none are data here only",
        frozenset(("frame.protocols",)),
        lambda row: _cut(row) and row.protocols[-2:] == ["ethertype", "data"],
    ),
    Known(
        "who closes, and data in a SYN,ACK, is said in tshark where no options were read",
        frozenset(
            f"tcp.{name}"
            for name in ("connection.fin_active", "connection.fin_passive", "analysis.tfo_ack")
        ),
        _without_options,
    ),
    Known(
        "a checksum of 0 in a quoted datagram, and in UDP-Lite",
        frozenset(("udp.checksum.status", "udp.length")),
        lambda row: "udplite" in row.protocols or "udp" in row.quoted,
    ),
    Known(
        "the destination of a second source route, and of one that is cut off",
        frozenset(("ip.dst", "ip.addr")),
        _several_routes,
    ),
    Known(
        "ARP over Cisco HDLC is data in tshark",
        frozenset(
            name for name in FIELDS if name == "frame.protocols" or FIELDS[name].protocol == "arp"
        ),
        _chdlc_arp,
    ),
)


def fields_differ(path: Path) -> tuple[list[str], set[int]]:
    """What differs and is not known, and the numbers of the frames in which nothing does."""
    with tempfile.TemporaryDirectory() as home:
        theirs = asked(_tshark(), path, Path(home))
    ours = list(rows(open_captures([path])))
    if len(ours) != len(theirs):
        return [f"{len(ours)} frames, {len(theirs)} by tshark"], set()
    told: list[str] = []
    alike: set[int] = set()
    for row, cells in zip(ours, theirs, strict=True):
        spoken_for = SPOKEN_FOR | _claimed(row.protocols, cells[_STACK].split(":"))
        found = [one for one in differences(row, cells) if _field(one) not in spoken_for]
        if not found:
            alike.add(row.number)
        told += [f"frame {row.number}: {one}" for one in found if not _is_known(_field(one), row)]
    return told, alike


def _claimed(ours: Sequence[str], theirs: Sequence[str]) -> set[str]:
    """Fields that differ because tshark lets many dissectors look at what is left of a frame.

    Stacks may differ in who gets the last payload or the trailer. Whether TCP or UDP is there is
    told by fields of their own.
    """
    shared = min(len(ours), len(theirs))
    if max(len(ours), len(theirs)) - shared > 1 or ours[: shared - 1] != theirs[: shared - 1]:
        return set()
    return {"frame.protocols"} | ({"eth.trailer"} if theirs[-1] == OF_TRAILERS else set())


OF_TRAILERS = "vssmonitoring"
"""A dissector that takes trailers that look like time stamps."""

_STACK = COMPARED.index("frame.protocols")


def _field(difference: str) -> str:
    return difference.partition(": ")[0]


def _is_known(field: str, row: Row) -> bool:
    return any(field in known.fields and known.holds(row) for known in KNOWN)


def _tshark() -> str:
    found = shutil.which("tshark")
    if found is None:
        raise LookupError("tshark is not installed")
    return found


def can_be_asked(text: str) -> bool:
    """Whether statistics take a filter, and only what is decoded here has a say in it.

    A comma begins another filter there. Where LLC and GRE end depends in tshark 4.0 on what else is
    asked. Sums wrap around there, and are exact here.
    """
    fields = parse(text).fields
    of_unsure_length = any(name.endswith((".llc", ".gre")) for name in fields)
    asked_alike = not _SUM.search(text) and "," not in text and not of_unsure_length
    return asked_alike and SPOKEN_FOR.isdisjoint(fields)


_SUM = re.compile(r" [-+*/%] ")


def filters_differ(path: Path, filters: Sequence[str], among: Collection[int]) -> list[str]:
    """Filters that keep other frames of a capture here than in tshark, by each of our decoders.

    ``among``: numbers of the frames that are looked at. Left out are the last two of the capture,
    which fall into one second of tshark's statistics, and those that statistics leave out: errors
    of ICMP of which tshark cannot read the quoted packet to its end.
    """
    last = sum(1 for _ in open_captures([path]).frames())
    counted, *kept = _kept_there(path, ["frame", *filters])
    looked_at = set(among) & counted - {last, last - 1}
    theirs = dict(zip(filters, kept, strict=True))
    told = []
    for decoder in ("reference", "columnar"):
        for text, ours in _kept_here(path, filters, decoder):
            wrong = sorted((ours ^ theirs[text]) & looked_at)
            if wrong:
                told.append(f"{decoder}: {text}: frames {wrong[:5]} of {len(wrong)}")
    return told


def _kept_here(
    path: Path, filters: Sequence[str], decoder: str
) -> Iterator[tuple[str, set[int]]]:  # fmt: skip
    parsed = {text: parse(text) for text in filters}
    wanted = {name for one in parsed.values() for name in one.fields}
    packets = decode(open_captures([path]), sorted(wanted), decoder=decoder).packets
    frame = nw.from_native(packets)
    for text, one in parsed.items():
        kept = frame.filter(expression(one, frozenset(packets.columns)))
        yield text, set(kept["frame_number"].to_list())


def _kept_there(path: Path, filters: Sequence[str]) -> list[set[int]]:
    command = [_tshark(), "-n", "-q", "-r", str(path)]
    for start in reversed(range(0, len(filters), FILTERS_AT_A_TIME)):
        # The table that was asked for last is printed first.
        command += ["-z", "io,stat,1," + ",".join(filters[start : start + FILTERS_AT_A_TIME])]
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8", HOME=home)
        environment.update(WIRESHARK_CONFIG_DIR=home, XDG_CONFIG_HOME=home)
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=SECONDS, check=True, text=True
        )
    return _tables(done.stdout, len(filters))


def _tables(printed: str, filters: int) -> list[set[int]]:
    """Of each filter the frames, read off one table of statistics a FILTERS_AT_A_TIME."""
    found: list[set[int]] = [set() for _ in range(filters)]
    first, number = -FILTERS_AT_A_TIME, 0
    for line in printed.splitlines():
        if line.startswith("| Interval:"):
            first, number = first + FILTERS_AT_A_TIME, 0
        if "<>" not in line:
            continue
        number += 1
        counts = [int(cell) for cell in line.split("|")[2:-1] if cell.strip()][::2]
        for nth, count in enumerate(counts):
            if count:
                found[first + nth].add(number)
    return found
