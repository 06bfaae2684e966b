"""Kernels: octets -> cells. They share names and numbers with the reference decoder, no logic."""
