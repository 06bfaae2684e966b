"""``replicap.class`` and ``replicap.scanner`` of many frames: what they need to know of each.

The rules are those of :mod:`decoders.classify`: what decides is the outermost control of a link, or
TCP, UDP or ICMP header, together with the IP header before it (the *deciding* header and *its*
addresses); of an ICMP error, the same of the packet that it quotes.

The facts of a frame are one row of a matrix of 64-bit numbers. All of a row is 0 (OTHER) unless it
is said otherwise: kernels write only what they find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

(
    FACT_KIND, FACT_VERSION, FACT_SRC_HI, FACT_SRC_LO, FACT_DST_HI, FACT_DST_LO,
    FACT_HAS, FACT_SRCPORT, FACT_DSTPORT, FACT_FLAGS, FACT_SEQ, FACT_TYPE, FACT_ID,
    QUOTED_KIND, QUOTED_VERSION, QUOTED_SRC_HI, QUOTED_SRC_LO, QUOTED_DST_HI, QUOTED_DST_LO,
    QUOTED_HAS, QUOTED_SRCPORT, QUOTED_DSTPORT,
) = range(22)  # fmt: skip
FACTS = 22
"""Places of a frame's facts.

KIND: what decides (below). VERSION: 4 or 6, of the last IP header before it (also one too short to
show anything), 0 without. Addresses as in :mod:`decoders.columnar.transport`. HAS: bits (below).
FLAGS, SEQ (raw), TYPE (of ICMP and ICMPv6), ID (identification of the IPv4 header): there when HAS
says so. The QUOTED places: the same of what an ICMP or ICMPv6 error quotes; QUOTED_KIND is of
interest as KIND_TCP, KIND_UDP or anything else.
"""

KIND_OTHER, KIND_CONTROL, KIND_TCP, KIND_UDP, KIND_ICMP, KIND_ICMPV6 = range(6)
"""Nothing decides; control of a link (``LINK_CONTROL_PROTOCOLS`` of :mod:`decoders.classify`, or
PPP of a protocol number from ``PPP_CONTROL`` on); the header of that name."""

HAS_PAIR, HAS_PORTS, HAS_FLAGS, HAS_SEQ, HAS_TYPE, HAS_ID = 1, 2, 4, 8, 16, 32
"""Both addresses of the IP header before; both ports; ``tcp.flags``; ``tcp.seq_raw``;
``icmp.type`` or ``icmpv6.type``; ``ip.id``."""

HAS_ADDRESS_CONTROL = 64
"""The protocol that ``frame.protocols`` names behind ``udp`` is one of ``ADDRESS_CONTROL``."""

HAS_QUOTED = 128
"""The protocol that ``frame.protocols`` names behind the deciding ICMP header is IP or IPv6: the
QUOTED places hold what is known of it, from the outermost quoted header inwards."""

(PAIR_ROW, PAIR_VERSION, PAIR_SRC_HI, PAIR_SRC_LO, PAIR_DST_HI, PAIR_DST_LO) = range(6)
PAIR_PLACES = 6
"""Places of a pair of addresses of an own IP header (headers of tunnels, or of fragments: all that
stand in the frame with both addresses). The pair of the facts itself need not be among them."""

CLASS_NAMES = (
    "other",
    "link-control",
    "tcp-syn-probe",
    "udp-probe",
    "ping",
    "backscatter",
    "reply",
)
"""Classes by their numbers."""

SCANNER_NAMES = ("zmap", "masscan", "mirai")
"""Scanners by their bits, in the order of their occurrences."""


class Classified(NamedTuple):
    """What became of each row of a batch."""

    classes: NDArray[np.uint8]
    """Place in CLASS_NAMES."""
    scanners: NDArray[np.uint8]
    """Bits of SCANNER_NAMES, the lowest for the first."""
