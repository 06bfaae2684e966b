"""The outside witness: the same rows, asked of an installed tshark.

tshark prints the occurrences of a field in the order of the headers, but not which of them an ICMP
error quotes; that is read off ``frame.protocols``: what follows an ``icmp`` or ``icmpv6`` that is
followed by ``ip`` or ``ipv6`` is quoted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from decoders import classify
from decoders.containers import Capture
from decoders.fields import FIELDS, Field, FieldType
from decoders.frames import CaptureError
from decoders.pcapng_writer import write_pcapng
from decoders.reference import kept
from decoders.row import Row
from decoders.spelling import NS

VALUES, CELLS = "\x1f", "\x1e"
"""What separates the values of a cell and the cells of a line."""

PREFERENCES = {
    "ip.defragment": "TRUE",
    "ip.check_checksum": "FALSE",
    "ipv6.defragment": "TRUE",
    "tcp.desegment_tcp_streams": "TRUE",
    "tcp.analyze_sequence_numbers": "TRUE",
    "tcp.relative_sequence_numbers": "TRUE",
    "tcp.check_checksum": "FALSE",
    "udp.check_checksum": "FALSE",
}
"""Wireshark 4.0's own defaults on which columns depend, pinned against other versions'."""

_STACK = "frame.protocols"


def is_installed() -> bool:
    """Whether this machine has a tshark."""
    return shutil.which("tshark") is not None


def version_text() -> str:
    """What ``tshark --version`` says in its first line; empty without a tshark."""
    tshark = shutil.which("tshark")
    if tshark is None:
        return ""
    asked = subprocess.run([tshark, "--version"], capture_output=True, text=True, check=False)
    return asked.stdout.partition("\n")[0]


def rows(
    capture: Capture,
    wanted: Collection[str] | None = None,
    *,
    keep: Iterable[bool] | None = None,
) -> Iterator[Row]:
    """The rows of a capture, as :func:`decoders.reference.rows` gives them.

    Raises CaptureError when tshark is missing or gives another number of packets than the capture
    has. What tshark cannot read as it is (several files, archives, chosen frames) is copied first.
    """
    tshark = shutil.which("tshark")
    if tshark is None:
        raise CaptureError(capture.path, None, "no tshark on this machine", "an installed tshark")
    names = {name for name in FIELDS if not FIELDS[name].of} if wanted is None else set(wanted)
    classifier = classify.Classifier() if classify.asked(wanted) else None
    if classifier is not None:
        names.update(classify.NEEDS)
    asked = [name for name in FIELDS if name in names | {_STACK, "_ws.malformed", "_ws.short"}]
    asked = [name for name in asked if not name.startswith("replicap.")]
    with tempfile.TemporaryDirectory(prefix="replicap-") as folder:
        source = capture.plain_path
        if source is not None and keep is None:
            count = sum(1 for _ in capture.frames())
        else:
            source = str(Path(folder, "frames.pcapng"))
            count = write_pcapng(Path(source), kept(capture.frames(), keep))
        for row in _checked(_ask(tshark, source, folder, asked), asked, capture.path, count):
            if classifier is not None:
                classifier.annotate(row)
            yield row


def _checked(
    lines: Iterator[list[str]], asked: Sequence[str], path: str, expected: int
) -> Iterator[Row]:
    number = 0
    for number, cells in enumerate(lines, start=1):
        yield _row(number, dict(zip(asked, cells, strict=True)))
    if number != expected:
        raise CaptureError(path, None, f"{number} packets from tshark", f"{expected} packets")


def _ask(tshark: str, capture: str, profile: str, asked: Sequence[str]) -> Iterator[list[str]]:
    """Cells of each packet, as tshark prints them with an empty profile."""
    command = [tshark, "-n", "-r", capture, "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", f"aggregator={VALUES}", "-E", f"separator={CELLS}"]
    for name, value in PREFERENCES.items():
        command += ["-o", f"{name}:{value}"]
    for name in asked:
        command += ["-e", name]
    environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8", HOME=profile)
    environment.update(WIRESHARK_CONFIG_DIR=profile, XDG_CONFIG_HOME=profile)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        if process.stdout is not None:
            for line in process.stdout:
                text = line.decode("utf-8", "replace").rstrip("\n")
                if text:
                    yield text.split(CELLS)


def _row(number: int, cells: Mapping[str, str]) -> Row:
    time = cells.get("frame.time_epoch")
    row = Row(number, _nanoseconds(time) if time else None)
    row.protocols = cells[_STACK].split(":") if cells[_STACK] else []
    own = _own_headers(row.protocols)
    for name, cell in cells.items():
        if cell:
            field = FIELDS[name]
            values = [_value(field, text) for text in cell.split(VALUES)]
            cut = len(values) if own is None else _own_values(field, len(values), own)
            if cut:
                row.own[name] = values[:cut]
            if values[cut:]:
                row.quoted[name] = values[cut:]
    return row


def _own_headers(protocols: Sequence[str]) -> Counter[str] | None:
    """How often each protocol stands before a quoted packet; None when nothing is quoted."""
    for at in range(len(protocols) - 1):
        if protocols[at] in ("icmp", "icmpv6") and protocols[at + 1] in ("ip", "ipv6"):
            return Counter(protocols[: at + 1])
    return None


_OWN_ONLY = frozenset(("frame", "eth", "vlan", "pppoe", "ppp", "arp", "_ws.malformed", "_ws.short"))


def _own_values(field: Field, count: int, own: Counter[str]) -> int:
    protocol = field.protocol
    if protocol in _OWN_ONLY or protocol.startswith("_ws."):
        return count
    if protocol == "ip" and field.name == "ip.version":
        return min(count, own["ip"] + own["ipv6"])
    return min(count, own[protocol])


def _nanoseconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    seconds, _, fraction = text.lstrip("-").partition(".")
    return sign * (int(seconds) * NS + int(fraction.ljust(9, "0") or 0))


def _plain(text: str) -> str:
    for shown, meant in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r")):
        text = text.replace(shown, meant)
    return text


_READERS: Mapping[FieldType, Callable[[str], Any]] = {
    FieldType.NONE: lambda text: True,
    FieldType.PROTOCOL: lambda text: 1,
    FieldType.BOOLEAN: lambda text: text in ("1", "True"),
    FieldType.IPV4: lambda text: int(IPv4Address(text)),
    FieldType.IPV6: lambda text: IPv6Address(text).packed,
    FieldType.ETHER: lambda text: bytes.fromhex(text.replace(":", "")),
    FieldType.BYTES: lambda text: bytes.fromhex(text.replace(":", "")),
    FieldType.STRING: _plain,
    FieldType.ABSOLUTE_TIME: _nanoseconds,
    FieldType.RELATIVE_TIME: _nanoseconds,
}


def _value(field: Field, text: str) -> Any:
    if field.text:
        return text
    reader = _READERS.get(field.type)
    return int(text, 0) if reader is None else reader(text)
