"""Display filters put to captures here and in an installed tshark, and what comes of it."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.random_filters import make_filters
from decoders.containers import open_captures
from decoders.fields import FIELDS

TSHARK_SECONDS = 120
FIXED_CAPTURES = 3
"""Captures that each filter of the fixed list is put to."""

NOISE = (
    "!(pppoed) && !(lcp) && !(pap) && !(ipcp) && !(ipv6cp) && !(icmpv6.type == 133) && "
    "!(icmpv6.type == 134) && !(dhcpv6) && !(udp.stream == 2) && !(udp.stream == 3) && "
    "!(udp.stream == 4)"
)
FIXED = (
    NOISE,
    "!(icmp.code == 13)",
    "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    "tcp.flags == 0x012",
    "tcp.flags.reset == 1",
    "tcp.analysis.retransmission || tcp.analysis.fast_retransmission",
    "tcp.analysis.flags && !tcp.analysis.window_update",
    "tcp.stream == 0",
    "udp.stream eq 1",
    "tcp.port in {80, 443, 8000..8100}",
    "udp.port == 53 || dns",
    "ip.addr == 10.0.0.0/8",
    "!(ip.addr == 192.168.0.0/16)",
    "ip.src != 192.168.1.1",
    "icmp.type == 3 and icmp.code in {1, 3, 13}",
    "icmp.type == 8 && icmp.code == 0",
    "icmpv6.type in {133..137}",
    "arp.opcode == 1",
    "eth.dst == ff:ff:ff:ff:ff:ff",
    "eth.addr[0:3] == 00:00:5e",
    "ip.ttl < 5 && !igmp",
    "ip.flags.mf == 1 || ip.frag_offset > 0",
    "frame.len > 1000",
    "tcp.len > 0 && !tcp.analysis.retransmission",
    "tcp.window_size == 0 && tcp.flags.reset != 1",
    'tcp contains "HTTP"',
    "vlan.id || pppoes",
    "ipv6.dst == ff02::/16",
)
"""The filters of a published analysis of a home router's noise, then filters of daily use."""

SPOKEN_FOR = frozenset(
    ["frame.protocols", "_ws.malformed", "_ws.short", "_ws.unreassembled", "data"]
) | {name for name in FIELDS if name.startswith("_ws.expert")}
"""Fields that dissectors of applications have a say in."""


@dataclass
class FilterResult:
    """What came of one filter. ``outcome`` is one of OUTCOMES."""

    capture: str
    filter: str
    outcome: str
    detail: str = ""
    spoken_for: bool = False
    """The filter reads a field that dissectors of applications have a say in."""
    undecoded: bool = False
    """Every frame that differs says itself that it is not decoded to its end."""
    behind_damage: bool = False
    """Every frame that differs stands behind the place where the capture is said to be damaged."""


OUTCOMES = ("same", "different", "refused by both", "refused here", "refused by tshark", "failed")


@cache
def tshark() -> str:
    """Where tshark is; raises LookupError without it."""
    found = shutil.which("tshark")
    if found is None:
        raise LookupError("tshark is not installed")
    return found


def run_tshark(arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """tshark with an empty profile, in UTC. Raises LookupError without it, TimeoutExpired."""
    with tempfile.TemporaryDirectory() as profile:
        environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8", HOME=profile)
        environment.update(WIRESHARK_CONFIG_DIR=profile, XDG_CONFIG_HOME=profile)
        return subprocess.run(
            [tshark(), "-n", *arguments],
            env=environment,
            capture_output=True,
            timeout=TSHARK_SECONDS,
            check=False,
        )


def their_frames(capture: Path, filter: str) -> set[int] | str:
    """The frames that tshark keeps, or its refusal; raises ChildProcessError when it crashes."""
    done = run_tshark(["-r", str(capture), "-Y", filter, "-T", "fields", "-e", "frame.number"])
    if done.returncode < 0:
        raise ChildProcessError(f"{capture}: tshark ended by signal {-done.returncode}: {filter}")
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and not done.stdout and _REFUSED.search(said):
        return said[said.index("tshark: ") :].partition("\n")[0]
    return {int(line) for line in done.stdout.split()}


_REFUSED = re.compile(r"^tshark: (?!The file|An error|.*damaged|.*cut short)", re.MULTILINE)


class OurFrames:
    """One capture, decoded once for all filters that are put to it."""

    def __init__(self, capture: Path, filters: Sequence[str]) -> None:
        from decoders.displayfilter import FilterError, parse
        from decoders.table import decode

        wanted = {"replicap.undecoded"}
        for filter in filters:
            with suppress(FilterError):
                wanted.update(parse(filter).fields)
        opened = open_captures([str(capture)])
        self.packets = decode(opened, sorted(wanted)).packets
        self.damaged = opened.damage is not None

    def keep(self, filter: str) -> tuple[set[int] | str, bool]:
        """The frames that are kept, or the refusal; whether applications have a say in them."""
        import narwhals as nw

        from decoders.displayfilter import FilterError, expression, parse

        try:
            parsed = parse(filter)
            kept = nw.from_native(self.packets).filter(expression(parsed, self.packets.columns))
        except FilterError as error:
            return error.message, False
        frames = {int(number) for number in kept["frame_number"].to_list()}
        return frames, not SPOKEN_FOR.isdisjoint(parsed.fields)

    def undecoded(self) -> set[int]:
        """Frames that say that they are not decoded to their end."""
        said = zip(self.packets["frame_number"], self.packets["replicap_undecoded"], strict=True)
        return {int(number) for number, text in said if text is not None}


def judge(ours: set[int] | str, theirs: set[int] | str) -> tuple[str, str]:
    """Outcome and, where it is not the same, what differs in words."""
    if isinstance(ours, str) or isinstance(theirs, str):
        if isinstance(ours, str) and isinstance(theirs, str):
            return "refused by both", ""
        if isinstance(ours, str):
            return "refused here", ours
        return "refused by tshark", str(theirs)
    if ours == theirs:
        return "same", ""
    first = min(ours ^ theirs)
    who = "here" if first in ours else "tshark"
    return (
        "different",
        f"{len(ours)} frames here, {len(theirs)} tshark; first: frame {first}, kept by {who} only",
    )


def compare_filters(
    capture: Path, count: int, fixed: Sequence[str], seed: str
) -> list[FilterResult]:
    """``count`` random filters and the ``fixed`` ones, put to one capture."""
    from decoders.frames import CaptureError

    try:
        filters = [*fixed, *make_filters(capture, count, seed)]
        decoded = OurFrames(capture, filters)
        return [_one_filter(capture, filter, decoded) for filter in filters]
    except (CaptureError, LookupError, OSError, subprocess.TimeoutExpired) as error:
        return [FilterResult(str(capture), "", "failed", str(error))]


def _one_filter(capture: Path, filter: str, decoded: OurFrames) -> FilterResult:
    ours, spoken_for = decoded.keep(filter)
    theirs = their_frames(capture, filter)
    outcome, detail = judge(ours, theirs)
    result = FilterResult(str(capture), filter, outcome, detail, spoken_for)
    if outcome == "different" and isinstance(ours, set) and isinstance(theirs, set):
        result.undecoded = ours ^ theirs <= decoded.undecoded()
        result.behind_damage = decoded.damaged and min(ours ^ theirs) > len(decoded.packets)
    return result


def ask_filters(small: Sequence[Path], count: int, seed: int, processes: int) -> list[FilterResult]:
    """``count`` random filters, spread over the captures, and the fixed ones. Shuffled by seed."""
    if not small:
        return []
    small = list(small)
    choice = random.Random(seed)
    choice.shuffle(small)
    shares = Counter(small[at % len(small)] for at in range(count))
    fixed: dict[Path, list[str]] = {}
    for filter in FIXED:
        for path in choice.sample(small, min(FIXED_CAPTURES, len(small))):
            fixed.setdefault(path, []).append(filter)
            shares[path] += 0
    with ProcessPoolExecutor(processes) as pool:
        asked = [
            pool.submit(compare_filters, path, share, fixed.get(path, ()), f"{seed} {path.name}")
            for path, share in shares.items()
        ]
        return [result for one in asked for result in one.result()]


def print_filters(results: Sequence[FilterResult], most: int) -> None:
    """How many filters gave the same frames, then those that did not."""
    outcomes = Counter(result.outcome for result in results)
    ours = [
        result
        for result in results
        if not (result.spoken_for or result.undecoded or result.behind_damage)
    ]
    narrow = Counter(result.outcome for result in ours)
    print(f"\n{'filters':<34}{'all':>10}{'in scope':>10}")
    for outcome in OUTCOMES:
        print(f"{outcome:<34}{outcomes[outcome]:>10}{narrow[outcome]:>10}")
    print(f"{'equal %':<34}{_agreed(outcomes):>10}{_agreed(narrow):>10}")
    differing = [result for result in results if result.outcome not in ("same", "refused by both")]
    for result in differing[:most]:
        note = " [undecoded]" * result.undecoded + " [applications]" * result.spoken_for
        note += " [behind damage]" * result.behind_damage
        print(f"{result.outcome}{note}: {Path(result.capture).name}: {result.filter}")
        print(f"    {result.detail}")
    if len(differing) > most:
        print(f"... and {len(differing) - most} more")


def _agreed(outcomes: Counter[str]) -> str:
    total = outcomes.total()
    return percent(outcomes["same"] + outcomes["refused by both"], total) if total else "-"


def percent(equal: int, cells: int) -> str:
    """A share that is never rounded up to 100."""
    if equal == cells:
        return "100"
    return f"{min(equal * 100 / cells, 99.9999):.4f}"
