"""(state, looks) → (state, change): what is new since the last run, purely.

A site's state is its set of open findings, keyed by code and subject, each with the time since when it is seen. One
run is one look, or two where the first saw something that may pass by itself. What an alert must tell is the
difference between the open errors and those that an alert told of: whatever keeps an alert back (a maintenance
window, flapping, a cause that is known) only delays the telling, and nothing is told twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from padlock.changes.observing import MAX_SUBJECT, STALE, blinded, confirmed, observed
from padlock.changes.telling import told_of
from padlock.changes.types import Change, Flip, Kind, OpenFinding, Policy, Silence, SiteStatus, State
from padlock.findings import Report

__all__ = [
    "MAX_SUBJECT",
    "STALE",
    "Change",
    "Flip",
    "Kind",
    "OpenFinding",
    "Policy",
    "Silence",
    "SiteStatus",
    "State",
    "close",
    "fold",
]


def fold(state: State, looks: Sequence[Report], policy: Policy) -> tuple[State, Change | None]:
    """Return the state after a run of one or more looks, and what is to be told; None where there is nothing.

    A finding that could not be looked at this time stays as it is. A run that saw nothing opens and closes nothing.
    """
    last = looks[-1]
    after = msgspec.structs.replace(state, removed=False, first_run=state.first_run or looks[0].checked_at)
    for look in looks:
        after = observed(after, look, policy)
    after = blinded(confirmed(state, after), looks, policy)
    return told_of(state, after, last, policy)


def close(
    state: State, site: str, at: datetime, labels: Mapping[str, str], timezone: str
) -> tuple[State, Change | None]:
    """Return the state of a site that is no longer declared, and the one change that says so."""
    if state.removed or state.first_run is None:
        return state, None
    change = Change(
        site,
        at,
        "removed",
        state.site_status,
        "removed",
        resolved=tuple(finding for finding in (*state.findings, *state.over) if finding.told),
        labels=labels,
        timezone=timezone,
    )
    return State(removed=True, last_alert=at), change
