"""The twelve flag bits of a TCP header (RFC 9293 section 3.1, RFC 3168, RFC 7560)."""

from __future__ import annotations

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = 1, 2, 4, 8, 16, 32, 64, 128, 256
RESERVED = 0xE00
