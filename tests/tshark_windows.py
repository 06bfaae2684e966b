"""Figures as tshark alone shows them: what filters leave, and rows of its statistics windows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

CHECKSUMS = ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum")
BAD = (
    "_ws.malformed || _ws.short || "
    "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
    "icmp.checksum.status == 0 || icmpv6.checksum.status == 0"
)
"""Frames that are damaged, or have a checksum that tshark has looked at and found wrong."""
_TREE_ROW = re.compile(r"( *)(\S+(?: \S+)*?) {2,}([0-9]+) ")


def installed() -> bool:
    """Whether there is a tshark."""
    return shutil.which("tshark") is not None


def tshark(*arguments: object) -> str:
    """Standard output of tshark without name resolution; raises CalledProcessError."""
    done = subprocess.run(
        ["tshark", "-n", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def packets(path: Path, display_filter: str = "") -> int:
    """Number of packets of a file that a filter leaves."""
    chosen = ["-Y", display_filter] if display_filter else []
    return len(tshark("-r", path, *chosen, "-T", "fields", "-e", "frame.number").splitlines())


def saved(path: Path, display_filter: str, to: Path) -> Path:
    """The packets that a filter leaves, exported to a file of their own."""
    tshark("-r", path, "-Y", display_filter, "-w", to)
    return to


def tree(path: Path, window: str) -> dict[tuple[str, ...], int]:
    """Rows of a statistics tree such as ``ip_hosts``: path of labels -> count."""
    rows: dict[tuple[str, ...], int] = {}
    inside: list[str] = []
    for line in tshark("-q", "-r", path, "-z", f"{window},tree").splitlines():
        found = _TREE_ROW.match(line)
        if found is None:
            continue
        depth = len(found[1])
        inside[depth:] = [found[2]]
        rows[tuple(inside)] = int(found[3])
    return rows


def conversations(path: Path, protocol: str) -> int:
    """Rows of the tab of a protocol in the window Conversations."""
    lines = tshark("-q", "-r", path, "-z", f"conv,{protocol}").splitlines()
    return sum("<->" in line for line in lines)


def bad_frames(path: Path) -> list[str]:
    """Frames that are damaged or have a bad checksum, as tshark describes them."""
    checked = [word for name in CHECKSUMS for word in ("-o", f"{name}:TRUE")]
    return tshark("-r", path, *checked, "-Y", BAD).splitlines()
