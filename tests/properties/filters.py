"""Filters at random against the interpreter of their syntax tree, row by row."""

from __future__ import annotations

from hypothesis import strategies as st

from decoders.displayfilter import parse
from tests.displayfilter import test_laws
from tests.displayfilter.interpreter import kept
from tests.displayfilter.tables import Packet, matches


def cases() -> st.SearchStrategy[tuple[str, str, list[Packet]]]:
    """Two filters and a small table of packets."""
    return st.tuples(test_laws._filters(), test_laws._filters(), test_laws._tables())


def agree(one: str, two: str, packets: list[Packet]) -> None:
    """The compiled filter is the interpreted one, and keeps the laws of logic."""
    from tests.properties.checks import demand

    found = matches(one, packets)
    demand(found == kept(parse(one).tree, packets), f"{one}: not what the tree says")
    demand(matches(f"!!{one}", packets) == found, f"!!{one}")
    both = matches(f"!({one} or {two})", packets)
    demand(both == matches(f"!{one} and !{two}", packets), f"De Morgan: {one}; {two}")
