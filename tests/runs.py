"""Storing reports as the check function does, without the check."""

import itertools

from padlock.changes import Policy
from padlock.findings import Report
from padlock.message import Further
from padlock.running import save
from padlock.storage import Outcome, Results, Run

FURTHER = Further(table="padlock-results")
POLICY = Policy()
_slots = itertools.count(1)


def run_of(report: Report, ticket: int = 0, slot: str = "") -> Run:
    """Return a run of a slot of its own, unless one is named."""
    return Run(report.site, f"RUN#{slot or f'2026-11-20T12:00:00Z-{next(_slots):06}'}", ticket, 0.1, 2_000_000_000)


def saved(results: Results, run: Run, report: Report, policy: Policy = POLICY, looks: int = 2) -> Outcome:
    """Apply a run all of whose looks saw the same; two of them open and close whatever they see."""
    return save(results, run, [report] * looks, policy, FURTHER)


def next_ticket(results: Results, site: str) -> int:
    """Return the ticket of a run that follows the latest one."""
    return results.load(site).applied_ticket + 1


def stored(results: Results, report: Report, slot: str = "", policy: Policy = POLICY, looks: int = 2) -> Outcome:
    """Apply a run that follows the latest one, and return what became of it."""
    return saved(results, run_of(report, next_ticket(results, report.site), slot), report, policy, looks)
