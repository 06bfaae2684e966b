"""Expectation files at random: text that must not end in a traceback, models that must survive."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from harness.expectation import ExpectationError, read

_HEAD = "replicap: 1\ntitle: t\nsource: {by: me, url: https://example.org/}\nclaims:\n"
_PIECES = (
    *("- id: a\n", "  says: b\n", "  at: {section: S}\n", "  measure: packets\n", "  equals: 1\n"),
    *("  where: tcp\n", "  measure: {table: tcp.dstport}\n", "  holds: true\n", "stages:\n", "&a "),
    *("*a", "? ", "!!python/object:os.system ", "|\n", "{", "}", "[", "]", "\t", "%YAML 1.1\n"),
    *("  within: {of: 1, by: 5%}\n", "9" * 400, ": ", "\x00", "\N{BYTE ORDER MARK}", "<<: *a\n"),
)


def texts() -> st.SearchStrategy[str]:
    """Any text, and pieces of expectation files in any order."""
    pieces = st.lists(st.sampled_from(_PIECES), max_size=20).map("".join)
    return st.one_of(st.text(max_size=80), pieces, pieces.map(lambda text: _HEAD + text))


def readable(text: str) -> None:
    """It is an expectation file, or all that is wrong with it is said."""
    from tests.properties.checks import demand

    try:
        read(text.encode("utf-8", "surrogatepass"), "random.yaml")
    except ExpectationError as error:
        demand(bool(error.problems), "an error without a problem")


_words = st.text("abc xyz", min_size=1, max_size=12).filter(str.strip)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """The data of a valid expectation file."""
    claims = []
    for number in range(draw(st.integers(1, 5))):
        measure, comparison = draw(
            st.sampled_from(
                (
                    ("packets", {"equals": 3}),
                    ({"distinct": "ip.src"}, {"at_most": 7}),
                    ({"sum": "frame.len"}, {"between": [1, 9]}),
                    ({"table": {"by": "tcp.dstport"}}, {"rows": {"23": 4}}),
                    ({"every": "tcp"}, {"holds": True}),
                )
            )
        )
        claim = {"id": f"c{number}", "says": draw(_words), "at": {"section": draw(_words)},
                 "measure": measure, **comparison}  # fmt: skip
        if draw(st.booleans()):
            claim["where"] = draw(st.sampled_from(("tcp", "udp && !icmp", "tcp.dstport == 23")))
        claims.append(claim)
    source = {"by": draw(_words), "url": "https://example.org/"}
    return {"replicap": 1, "title": draw(_words), "source": source, "claims": claims}


def survives(model: dict[str, Any]) -> None:
    """What was dumped is what is loaded."""
    from tests.properties.checks import demand

    found = read(yaml.safe_dump(model, sort_keys=False).encode(), "model.yaml")
    demand([claim.id for claim in found.claims] == [c["id"] for c in model["claims"]], "ids")
    for claim, given in zip(found.claims, model["claims"], strict=True):
        demand(claim.says == given["says"].strip() or claim.says == given["says"], "says")
        measure = given["measure"]
        name = measure if isinstance(measure, str) else next(iter(measure))
        demand(claim.measure is not None and claim.measure.name == name, "measure")
