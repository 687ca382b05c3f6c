"""Measurements: Padlock beside its peers, what it costs, how it grows; `python -m tests.bench --help`."""
