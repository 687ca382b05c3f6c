"""Probes: one protocol each; they do I/O and record what they saw."""
