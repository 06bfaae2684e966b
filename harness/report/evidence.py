"""For each refuted claim the packets it is about, as a pcapng file that Wireshark opens.

Each packet bears a comment: its number in the capture, the claim and the display filter. At most so
many packets are written as the report holds, and at most :data:`MOST_OCTETS` octets of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from decoders.pcapng_writer import write_pcapng
from harness.problems import escaped
from harness.report.output import check_output, write_whole

if TYPE_CHECKING:
    from decoders.containers import Capture
    from decoders.frames import Frame
    from harness.evidence import Concerned
    from harness.verdicts import Report

MOST_OCTETS = 4 * 1024 * 1024
"""Octets of packets in one file."""
MOST_FILTER = 4_000
"""Characters of the filter in a comment."""


def write(
    folder: str, prefix: str, report: Report, capture: Capture, inputs: Iterable[str]
) -> list[str]:
    """Write the files, one a claim; what to tell about each. Raises OutputError, CaptureError."""
    inputs = [*inputs, *capture.path.split(" + ")]
    paths = {
        one.claim: str(Path(folder) / f"{prefix}{one.claim}.pcapng") for one in report.evidence
    }
    for path in paths.values():
        check_output(path, inputs)
    frames = _frames(report.evidence, capture)
    told: list[str] = []
    for one in report.evidence:
        if not one.count:
            what = f"no packet of stage {one.stage!r} matches {one.filter!r}"
            told.append(f"evidence: {one.claim}: {what}")
            continue
        kept = frames[one.claim]
        commented = [_commented(frame, one, capture.path) for frame in kept]
        write_whole(paths[one.claim], partial(write_pcapng, frames=commented))
        rest = f" of {one.count}" if len(kept) < one.count else ""
        told.append(f"evidence: {paths[one.claim]}: {len(kept)}{rest} packets")
    return told


def _frames(evidence: Iterable[Concerned], capture: Capture) -> dict[str, list[Frame]]:
    """The frames of each claim, in one reading of the capture."""
    wanted: dict[int, list[str]] = defaultdict(list)
    for one in evidence:
        for number in one.frames:
            wanted[number].append(one.claim)
    last = max(wanted, default=0)
    found: dict[str, list[Frame]] = defaultdict(list)
    octets: dict[str, int] = defaultdict(int)
    for frame in capture.frames() if last else ():
        for claim in wanted.get(frame.number, ()):
            octets[claim] += len(frame.data)
            if octets[claim] <= MOST_OCTETS or not found[claim]:
                found[claim].append(frame)
        if frame.number >= last:
            break
    return found


def _commented(frame: Frame, one: Concerned, path: str) -> Frame:
    text = f"replicap: frame {frame.number} of {Path(path).name[:200]}; claim {one.claim}"
    if one.filter:
        stage = f" in stage {one.stage}"
        text += f"; display filter{stage}: {one.filter[:MOST_FILTER]}"
    return frame._replace(comments=(*frame.comments, escaped(text)))
