"""A decoded row against the truth it was made with."""

from __future__ import annotations

from decoders.fields import FIELDS
from decoders.row import Row
from generators.truth import Truth

BETWEEN_FRAMES = (
    *("tcp.stream", "udp.stream", "tcp.completeness", "tcp.seq", "tcp.ack", "tcp.nxtseq"),
    *("tcp.window_size", "tcp.connection.fin_active", "tcp.connection.fin_passive"),
)
"""Fields that depend on other frames: the conversation model of test_streams checks them."""

OF_THE_FILE = (
    *("frame.number", "frame.time_epoch", "frame.time_relative", "frame.time_delta"),
    *("frame.interface_id", "frame.interface_name", "frame.section_number", "frame.comment"),
)
"""Fields that the container gives: test_captures checks them."""

IN_OUR_WORDS = ("tcp.analysis", "_ws.expert", "replicap.class", "replicap.scanner")
"""Prefixes of what is judged elsewhere: TCP analysis, expert items, classes (test_traffic)."""

CHECKED = tuple(
    name
    for name, field in FIELDS.items()
    if name not in (*BETWEEN_FRAMES, *OF_THE_FILE)
    and not name.startswith((*IN_OUR_WORDS, "replicap.octets.", "replicap.item."))
    and not field.of
)
"""Every field that one frame decides by itself."""

_SET = frozenset(CHECKED)


def differences(truth: Truth, row: Row) -> dict[str, tuple[object, object]]:
    """Field (``/quoted`` for the quoted side) -> (must be, is), where they differ."""
    found: dict[str, tuple[object, object]] = {}
    for side, right, decoded in (("", truth.own, row.own), ("/quoted", truth.quoted, row.quoted)):
        for name in right.keys() | (decoded.keys() & _SET):
            if name in _SET and right.get(name) != decoded.get(name):
                found[name + side] = (right.get(name), decoded.get(name))
    return found
