"""Storing a report as the check function does, without the check."""

import itertools

from padlock.checking import save
from padlock.findings import Report
from padlock.storage import Outcome, Results, Run

_slots = itertools.count(1)


def run_of(report: Report, ticket: int = 0, slot: str = "") -> Run:
    """Return a run of a slot of its own, unless one is named."""
    return Run(report.site, f"RUN#{slot or f'2026-11-20T12:00:00Z-{next(_slots):06}'}", ticket, 0.1, 2_000_000_000)


def stored(results: Results, report: Report, slot: str = "") -> Outcome:
    """Start a run, apply its report, and return what became of it."""
    return save(results, run_of(report, results.start_run(report.site), slot), report)
