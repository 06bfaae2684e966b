"""Wireshark's display-filter language: text -> checked syntax tree -> expression on the table.

The dialect is Wireshark 4.0's. :func:`parse` refuses what tshark 4.0 refuses; a filter that needs
octets the table of packets has no column for is refused as ``unsupported``. Times without a zone
are UTC.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from decoders.displayfilter.errors import FilterError
from decoders.displayfilter.macros import Expansion
from decoders.displayfilter.syntax import Filter

if TYPE_CHECKING:
    import narwhals

__all__ = ["Filter", "FilterError", "expression", "parse", "used_for_display"]


def parse(text: str, macros: Mapping[str, str] | None = None) -> Filter:
    """The filter that a text means; ``${name}`` in it stands for a macro.

    Raises FilterError, whose place lies in ``text`` or in the macro it names.
    """
    from decoders.displayfilter.check import checked
    from decoders.displayfilter.parser import parse_tree

    expansion = Expansion(text, macros or {})
    try:
        tree, fields, warnings = checked(parse_tree(expansion.text))
    except FilterError as error:
        raise expansion.placed(error) from None
    return Filter(text, tree, fields, warnings, expansion.text)


def expression(filter: Filter, columns: Container[str]) -> narwhals.Expr:
    """A boolean expression, never null, on a table that has ``columns``.

    Raises LookupError when a field of ``filter.fields`` has no column, and FilterError
    (``unsupported``) when the columns are too many for what the filter compares.
    """
    from decoders.displayfilter.compile import compiled

    try:
        return compiled(filter.tree, columns)
    except FilterError as error:
        error.text = filter.expanded
        raise


def used_for_display(filter: Filter) -> str:
    """The filter with its macros put in, to paste into Wireshark."""
    return filter.expanded
