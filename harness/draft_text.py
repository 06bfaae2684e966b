"""A first expectation file, as text: measured figures, and what its author must fill in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import TYPE_CHECKING

from harness.measuring import Measured, Shape
from harness.problems import escaped
from harness.quantities import moment_text

if TYPE_CHECKING:
    from decoders.containers import Capture
    from harness.drafting import Candidate
    from harness.expectation import Stage

MOST_ROWS = 200
"""Rows of a table that a draft writes; a longer one is no figure that anybody prints."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off"))

_HEAD = """\
# A draft: replicap measured these figures on one capture. Say each of them in your own words
# ('says'), tell where you published it ('at'), throw out what you did not publish, add what is
# missing. Then remove 'draft: true': until then nothing here counts as published.
replicap: 1
draft: true
title: {title}
source:
  by: FILL IN
  url: https://example.org/FILL-IN
# Pin the capture, so that nobody measures another one by mistake:
# capture:
#   name: {name}
#   url: FILL IN
#   bytes: {size}
#   sha256: {sha256}
"""


def scalar(text: str) -> str:
    """A text as a YAML scalar."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(escaped(text), ensure_ascii=False)


def flow(value: object) -> str:
    """Names, texts and numbers in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return str(value) if isinstance(value, int) else scalar(str(value))


def head(capture: Capture, size: int) -> str:
    """Everything before the stages."""
    name = PurePath(capture.path).name or "capture"
    return _HEAD.format(
        title=scalar(f"What is in {name}"), name=scalar(name), size=size, sha256=capture.sha256
    )


def stages_text(stages: Iterable[Stage]) -> str:
    """The section of stages."""
    lines = ["stages:"]
    for stage in stages:
        lines += [f"  - id: {stage.id}", f"    says: {scalar(stage.says or stage.id)}"]
        if stage.parent is not None:
            lines += [f"    from: {stage.parent}", f"    filter: {scalar(stage.filter or '')}"]
    return "\n".join(lines) + "\n"


def claim_text(candidate: Candidate, measure: object, figure: Sequence[str], shown: str) -> str:
    """One claim; ``figure`` are the lines of its comparison, ``shown`` the figure in words."""
    comment = [f"  # {candidate.comment}"] if candidate.comment else []
    says = candidate.says.format(shown)
    lines = [
        *comment,
        f"  - id: {candidate.id}",
        f"    says: {scalar(f'FILL IN ({says})')}",
        "    at: {section: FILL IN}",
    ]
    if candidate.tag:
        lines.append(f"    tags: [{candidate.tag}]")
    lines.append(f"    stage: {candidate.stage}")
    if candidate.where:
        lines.append(f"    where: {scalar(candidate.where)}")
    lines += [f"    measure: {flow(measure)}", *figure]
    return "\n".join(lines) + "\n"


def figure_of(candidate: Candidate, found: Measured) -> tuple[list[str], str] | None:
    """The lines of the comparison and the figure in words; None for what nobody would print."""
    value = found.value
    if candidate.comparison == "holds":
        return ([], "") if value == 0 else None
    if isinstance(value, Mapping | tuple):
        rows = dict(value)
        if not 0 < len(rows) <= MOST_ROWS:
            return None
        lines = [f"      {scalar(key)}: {count}" for key, count in rows.items()]
        return [f"    {candidate.comparison}:", *lines], f"{len(rows)} rows"
    text = _number(found.shape, value, candidate.digits)
    return [f"    {candidate.comparison}: {text}"], text


def _number(shape: Shape, value: int | Fraction, digits: int | None) -> str:
    if shape is Shape.TIME:
        return moment_text(int(value))
    if digits is None:
        return str(value)
    units = math.floor(value * 10**digits + Fraction(1, 2))
    return f"{units // 10**digits}.{units % 10**digits:0{digits}d}"
