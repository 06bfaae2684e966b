"""Outcomes -> one HTML page: no request to anywhere, nothing of a capture or a YAML unescaped.

Three things guard the page: every text goes through :func:`words.plain` or :func:`words.prose`
(Jinja2's ``finalize``), Jinja2 escapes it, and the Content-Security-Policy allows no script and no
style but the page's own, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.report.html.claims import SIGNS, WORDS, ClaimView, anchor, claim_view, groups
from harness.report.html.plots import Plot, plot
from harness.report.html.words import plain, prose
from harness.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.report.outcome import Outcome

FOLDER = Path(__file__).parent
TWIN = "This capture was made from these claims; it proves nothing about the author's trace."


@dataclass(frozen=True)
class Share:
    """One status in the bar."""

    status: str
    words: str
    sign: str
    count: int
    start: int


@dataclass(frozen=True)
class Group:
    """Claims published in one place, and the plots that illustrate most of them."""

    heading: str
    claims: list[ClaimView]
    plots: list[Plot]


@dataclass(frozen=True)
class Section:
    """One expectation file on the page."""

    prefix: str
    outcome: Outcome
    name: str
    shares: list[Share]
    total: int
    groups: list[Group]
    plots: list[Plot]
    """Plots that illustrate no claim."""
    claims_of: dict[str, list[tuple[str, str]]]
    """Anchor and id of the claims that a plot illustrates, by kind of plot."""
    stages: list[str]
    tags: list[str]

    @property
    def sentence(self) -> str:
        """``28 of 30 claims are verified, 1 is refuted, 1 is not testable.``"""
        counts = {share.status: share.count for share in self.shares}
        parts = [f"{counts.get('verified', 0)} of {self.total} claims verified"]
        parts += [
            f"{counts[status]} {WORDS[status]}"
            for status in ("refuted", "not_testable", "error")
            if counts.get(status)
        ]
        return ", ".join(parts)


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The page of all outcomes; of several files it begins with an index."""
    sections = [
        _section(outcome, f"f{place}-" if len(outcomes) > 1 else "c-")
        for place, outcome in enumerate(outcomes, start=1)
    ]
    css, script = _asset("page.css"), _asset("page.js")
    title = sections[0].outcome.report.expectations.title if len(sections) == 1 else "Verdicts"
    template = _environment().get_template("page.html.j2")
    return template.render(
        title=title,
        sections=sections,
        css=Markup(css),
        script=Markup(script),
        policy=_policy(css, script),
        version=VERSION,
        twin=TWIN,
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    environment.filters["plain"] = plain
    return environment


def _finalize(value: Any) -> Any:
    """Every text that a template puts out, unless it is markup already."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain(value)


def _asset(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _policy(css: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _section(outcome: Outcome, prefix: str) -> Section:
    report = outcome.report
    plots = [plot(picture) for picture in report.pictures]
    by_claim: dict[str, list[str]] = defaultdict(list)
    for one in plots:
        for claim in one.claims:
            by_claim[claim].append(one.kind)
    source = report.expectations.source
    made = [
        Group(heading, [claim_view(v, prefix, source, by_claim) for v in verdicts], [])
        for heading, verdicts in groups(report.verdicts)
    ]
    return Section(
        prefix=prefix,
        outcome=outcome,
        name=Path(report.expectations.path).name,
        shares=_shares(outcome),
        total=len(report.verdicts),
        groups=made,
        plots=_placed(plots, made),
        claims_of={
            one.kind: [(anchor(prefix, claim), claim) for claim in one.claims] for one in plots
        },
        stages=list(dict.fromkeys(verdict.claim.stage for verdict in report.verdicts)),
        tags=sorted({tag for verdict in report.verdicts for tag in verdict.claim.tags}),
    )


def _placed(plots: Sequence[Plot], made: Sequence[Group]) -> list[Plot]:
    """Puts each plot to the group with most of the claims it illustrates; gives the others."""
    others: list[Plot] = []
    for one in plots:
        illustrated = set(one.claims)
        found = [
            sum(view.verdict.claim.id in illustrated for view in group.claims) for group in made
        ]
        most = max(found)
        if most:
            made[found.index(most)].plots.append(one)
        else:
            others.append(one)
    return others


def _shares(outcome: Outcome) -> list[Share]:
    shares: list[Share] = []
    start = 0
    for status, count in outcome.report.summary().items():
        shares.append(Share(status.value, WORDS[status.value], SIGNS[status.value], count, start))
        start += count
    return shares
