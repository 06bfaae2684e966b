"""Between frame kernels and conversation kernels: TCP and UDP headers, and what is found of them.

Headers are the rows of one matrix of 64-bit numbers, whose places are the ``HEADER_`` numbers of
:mod:`decoders.columnar.kernels.sink`: own and quoted headers, TCP and UDP, in the order of frames
and within a frame from the wire inwards. A header stands here when it takes a stream number:
16 octets of TCP, 8 of UDP and a length that is believed (semantics 2.2).

==================  ===============================================================================
HEADER_ROW          row of the batch, from 0
HEADER_TCP          1: TCP, 0: UDP and UDP-Lite, whose places from HEADER_SEQ on may hold anything
HEADER_QUOTED       1: of a packet that an ICMP error carries
HEADER_VERSION      4 or 6, of the IP header that carries it
HEADER_SRC_HI ...   addresses as two 64-bit halves in network order (bit patterns: an int64 may be
HEADER_DST_LO       negative); of IPv4 the high half is 0 and the low one the address
HEADER_SRCPORT ...  ports
HEADER_SEQ, _ACK    raw numbers
HEADER_FLAGS        twelve bits
HEADER_WINDOW       as it stands in the header
HEADER_LENGTH       octets of payload; ABSENT in fragments, quotations and segments shorter than
                    their header
HEADER_CUT          1: the capture ends before the header with its options does
HEADER_SCALE        window scale, at most 14; ABSENT: no option was looked at; NO_SCALE_OPTION
HEADER_SHOWN        1: the row has ``tcp.flags`` among its own fields (of whichever header)
HEADER_HANDS_UP     what ``frame.protocols`` calls the payload behind the header, last in the list:
                    NOBODY, AS_DATA, or BY_NAME
==================  ===============================================================================

The same number of rows, in the same order, comes back as :class:`Found`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

ABSENT = -1
"""A length, scale or place that is not known."""

NO_SCALE_OPTION = -2
"""``HEADER_SCALE`` of a SYN whose options were walked and hold no window scale."""

NOTHING = int(np.iinfo(np.int64).min)
"""What stands in a place of ``Found.cells`` when the header gets no such cell."""

(
    STREAM, COMPLETENESS, SEQ, ACK, NXTSEQ, MARKS,
    WINDOW_SIZE, DUPLICATE_ACK_NUM, DUPLICATE_ACK_FRAME, ACKS_FRAME, ACK_RTT, INITIAL_RTT,
    RTO_FRAME, RTO, BYTES_IN_FLIGHT, PUSH_BYTES_SENT,
) = range(16)  # fmt: skip
NUMBERED, ANALYSED = 6, 16
"""Places of a header that was only numbered, and with analysis."""

FIELD_OF = {
    STREAM: "tcp.stream",
    COMPLETENESS: "tcp.completeness",
    SEQ: "tcp.seq",
    ACK: "tcp.ack",
    NXTSEQ: "tcp.nxtseq",
    WINDOW_SIZE: "tcp.window_size",
    DUPLICATE_ACK_NUM: "tcp.analysis.duplicate_ack_num",
    DUPLICATE_ACK_FRAME: "tcp.analysis.duplicate_ack_frame",
    ACKS_FRAME: "tcp.analysis.acks_frame",
    ACK_RTT: "tcp.analysis.ack_rtt",
    INITIAL_RTT: "tcp.analysis.initial_rtt",
    RTO_FRAME: "tcp.analysis.rto_frame",
    RTO: "tcp.analysis.rto",
    BYTES_IN_FLIGHT: "tcp.analysis.bytes_in_flight",
    PUSH_BYTES_SENT: "tcp.analysis.push_bytes_sent",
}
"""Field of each place of a TCP header but MARKS; STREAM of a UDP header is ``udp.stream``.

Times are nanoseconds and may be negative. Of a quoted TCP header the layer itself puts ``tcp.seq``
and ``tcp.ack``: here they are NOTHING.
"""

MARK_FIELDS = (
    "tcp.analysis.ack_lost_segment",
    "tcp.analysis.duplicate_ack",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.keep_alive",
    "tcp.analysis.keep_alive_ack",
    "tcp.analysis.lost_segment",
    "tcp.analysis.out_of_order",
    "tcp.analysis.retransmission",
    "tcp.analysis.reused_ports",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.window_full",
    "tcp.analysis.window_update",
    "tcp.analysis.zero_window",
    "tcp.analysis.zero_window_probe",
    "tcp.analysis.zero_window_probe_ack",
    "tcp.analysis",
    "tcp.analysis.flags",
    "tcp.analysis.tfo_ack",
    "tcp.connection.fin_active",
    "tcp.connection.fin_passive",
)
"""Field of each bit of MARKS: true when the bit is set.

``tcp.analysis.duplicate_ack`` occurs twice, as in Wireshark, when DUPLICATE_ACK_NUM is there.
"""

TAKES_BACK = 1 << len(MARK_FIELDS)
"""Bit of MARKS: payload protocols of the row are taken back (semantics 6.3)."""

(
    EXPERT_ROW, EXPERT_QUOTED, EXPERT_SEVERITY, EXPERT_GROUP, EXPERT_MESSAGE, EXPERT_HEADER,
) = range(6)  # fmt: skip
EXPERT_PLACES = 6


class Found(NamedTuple):
    """What conversations tell of each header of a batch."""

    cells: I64
    """[header, NUMBERED or ANALYSED]; of a UDP header only STREAM is filled, MARKS is 0."""
    experts: I64
    """[item, EXPERT_PLACES], in order; they stand behind all other expert items of their row.

    The message is a code of :func:`decoders.columnar.numbers.spelled`, the header its place among
    those of the batch.
    """
