"""What analysis says of a header: bits of MARKS, and expert items (Wireshark semantics 7.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoders.columnar.jit import part
from decoders.columnar.kernels.flows import EXPERTS
from decoders.columnar.kernels.sink import (
    CHAT,
    HEADER_QUOTED,
    HEADER_ROW,
    NOTE,
    SEQUENCE,
    WARNING,
)
from decoders.columnar.numbers import CONVERSATION_TEXTS
from decoders.columnar.transport import (
    EXPERT_GROUP,
    EXPERT_HEADER,
    EXPERT_MESSAGE,
    EXPERT_QUOTED,
    EXPERT_ROW,
    EXPERT_SEVERITY,
    MARK_FIELDS,
    MARKS,
)

I64 = NDArray[np.int64]


def _bit(name: str) -> int:
    return 1 << MARK_FIELDS.index(name)


ACK_LOST = _bit("tcp.analysis.ack_lost_segment")
DUPLICATE_ACK = _bit("tcp.analysis.duplicate_ack")
FAST_RETRANSMISSION = _bit("tcp.analysis.fast_retransmission")
KEEP_ALIVE = _bit("tcp.analysis.keep_alive")
KEEP_ALIVE_ACK = _bit("tcp.analysis.keep_alive_ack")
LOST = _bit("tcp.analysis.lost_segment")
OUT_OF_ORDER = _bit("tcp.analysis.out_of_order")
RETRANSMISSION = _bit("tcp.analysis.retransmission")
REUSED_PORTS = _bit("tcp.analysis.reused_ports")
SPURIOUS_RETRANSMISSION = _bit("tcp.analysis.spurious_retransmission")
WINDOW_FULL = _bit("tcp.analysis.window_full")
WINDOW_UPDATE = _bit("tcp.analysis.window_update")
ZERO_WINDOW = _bit("tcp.analysis.zero_window")
ZERO_WINDOW_PROBE = _bit("tcp.analysis.zero_window_probe")
ZERO_WINDOW_PROBE_ACK = _bit("tcp.analysis.zero_window_probe_ack")
ANALYSIS_BIT = _bit("tcp.analysis")
FLAGS_BIT = _bit("tcp.analysis.flags")
TFO_BIT = _bit("tcp.analysis.tfo_ack")
FIN_ACTIVE = _bit("tcp.connection.fin_active")
FIN_PASSIVE = _bit("tcp.connection.fin_passive")

SAID = MARK_FIELDS.index("tcp.analysis")
"""The bits below are the marks that an expert item says."""

_WARNINGS = OUT_OF_ORDER | LOST | ACK_LOST | WINDOW_FULL | ZERO_WINDOW
_TEXTS = np.array(CONVERSATION_TEXTS)
_FAST_OPEN_TEXT, _REUSED_TEXT, _FIN_TEXT = CONVERSATION_TEXTS[SAID:]


@part
def item(experts: I64, state: I64, headers: I64, at: int, severity: int, message: int) -> None:
    """One expert item of a header."""
    nth = state[EXPERTS]
    experts[nth, EXPERT_ROW] = headers[at, HEADER_ROW]
    experts[nth, EXPERT_QUOTED] = headers[at, HEADER_QUOTED]
    experts[nth, EXPERT_SEVERITY] = severity
    experts[nth, EXPERT_GROUP] = SEQUENCE
    experts[nth, EXPERT_MESSAGE] = message
    experts[nth, EXPERT_HEADER] = at
    state[EXPERTS] = nth + 1


@part
def note_fast_open(experts: I64, state: I64, headers: I64, at: int) -> None:
    """A SYN,ACK for more than the SYN."""
    item(experts, state, headers, at, NOTE, _FAST_OPEN_TEXT)


@part
def note_reused(experts: I64, state: I64, headers: I64, cells: I64, at: int) -> None:
    """Of a header that is not analysed only its reused ports are said."""
    cells[at, MARKS] |= ANALYSIS_BIT | FLAGS_BIT | REUSED_PORTS
    item(experts, state, headers, at, NOTE, _REUSED_TEXT)


@part
def note_fin(experts: I64, state: I64, headers: I64, cells: I64, at: int, answered: bool) -> None:
    """A FIN; ``answered``: the other side has sent one before."""
    cells[at, MARKS] |= FIN_PASSIVE if answered else FIN_ACTIVE
    item(experts, state, headers, at, NOTE, _FIN_TEXT)


@part
def note_marks(experts: I64, state: I64, headers: I64, cells: I64, at: int, marks: int) -> None:
    """Marks, and an item for each in the order of their names."""
    cells[at, MARKS] |= ANALYSIS_BIT | marks
    if marks & ~ANALYSIS_BIT == 0:
        return
    cells[at, MARKS] |= FLAGS_BIT
    for bit in range(SAID):
        mark = marks & (1 << bit)
        if mark:
            severity = NOTE
            if mark & _WARNINGS:
                severity = WARNING
            elif mark & WINDOW_UPDATE:
                severity = CHAT
            item(experts, state, headers, at, severity, _TEXTS[bit])
