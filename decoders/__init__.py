"""Bytes -> table of packets. Knows nothing of expectations."""
