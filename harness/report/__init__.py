"""Verdicts for people (terminal) and for programs (JSON, JUnit)."""
