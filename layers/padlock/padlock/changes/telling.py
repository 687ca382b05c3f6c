"""What of a run is to be told, and on which occasion."""

from collections import Counter
from datetime import datetime, timedelta

import msgspec

from padlock.changes.observing import STALE, Key, bounded
from padlock.changes.types import Change, Kind, OpenFinding, Policy, State
from padlock.findings import Report, Severity

FLIPS = 5
"""Changes within FLAP_WINDOW that are told one by one; with the next one the site is flapping."""
FLAP_WINDOW = timedelta(hours=1)
"""A flapping site has settled once nothing has changed for this long."""


def told_of(before: State, after: State, last: Report, policy: Policy) -> tuple[State, Change | None]:
    """Return what is to be told of a run, and the state with that marked as told."""
    now = last.checked_at
    errors = {finding.key: finding for finding in after.findings if finding.severity is Severity.ERROR}
    silent = {key for key, finding in errors.items() if _silenced(finding, policy, now)}
    told = {finding.key for finding in after.findings if finding.told}
    fresh = errors.keys() - told - silent
    if last.status == "inconclusive":
        # Nothing was seen, and so no cause either: what a cause has kept back stays back.
        fresh = {key for key in fresh if key[0] == STALE}
    eased = told - errors.keys()
    news = bool(fresh - _inhibited(last, (told | silent) & errors.keys()) or eased or after.over)

    if policy.maintenance_until is None:
        after = _counted(before, after, policy, now)
    kind = _occasion(after, policy, now, news=news, waiting=bool(told & errors.keys() - silent))
    if kind == "settled" and last.status == "inconclusive":
        kind = "status"  # how it settled is still to be seen
    if kind == "status" and before.site_status == after.site_status:
        return after, None
    lesser = {finding.key for finding in before.findings if finding.severity is not Severity.ERROR}
    change = Change(
        site=last.site,
        checked_at=now,
        kind=kind,
        before=before.site_status,
        after=after.site_status,
        opened=tuple(finding for key, finding in errors.items() if key in fresh - lesser),
        worsened=tuple(finding for key, finding in errors.items() if key in fresh & lesser),
        eased=tuple(finding for finding in after.findings if finding.key in eased),
        resolved=after.over,
        still_open=tuple(finding for key, finding in errors.items() if key in told - silent),
        acknowledged=tuple(finding for key, finding in errors.items() if key in silent),
        silences=tuple(entry for entry in policy.silences if any(entry.covers(f, now) for f in errors.values())),
        minor=dict(Counter(f.severity.value for f in after.findings if f.severity is not Severity.ERROR)),
        causes=last.causes,
        labels=last.labels,
        timezone=last.timezone,
        flips=len(after.flips),
    )
    return (after if kind == "status" else _marked(after, change, now)), change


def _occasion(state: State, policy: Policy, now: datetime, *, news: bool, waiting: bool) -> Kind:
    """Return why somebody is to be told now; `status` where nobody is."""
    if policy.maintenance_until is not None:
        return "status"
    if state.flapping_since == now:
        return "flapping"
    if state.flapping_since is not None:
        return "status" if state.flips else "settled"
    if news:
        return "changed"
    due = policy.reminder is not None and (
        state.last_alert is None or now - state.last_alert >= timedelta(seconds=policy.reminder)
    )
    return "reminder" if waiting and due else "status"


def _silenced(finding: OpenFinding, policy: Policy, now: datetime) -> bool:
    return any(entry.covers(finding, now) for entry in policy.silences)


def _counted(before: State, after: State, policy: Policy, now: datetime) -> State:
    """Return the state with this run's change counted; one too many within the window, and the site is flapping."""
    was, is_ = (
        {f.key for f in state.findings if f.severity is Severity.ERROR and not _silenced(f, policy, now)}
        for state in (before, after)
    )
    recent = [moment for moment in after.flips if now - moment < FLAP_WINDOW]
    if was != is_ and not before.removed and before.first_run is not None:
        recent.append(now)
    flapping = after.flapping_since or (now if len(recent) > FLIPS else None)
    return msgspec.structs.replace(after, flips=tuple(recent[-FLIPS - 1 :]), flapping_since=flapping)


def _marked(state: State, change: Change, now: datetime) -> State:
    """Return the state after its change has been told."""
    told = {finding.key for finding in (*change.opened, *change.worsened, *change.still_open)}
    known = {finding.key for finding in change.acknowledged if finding.told}
    return msgspec.structs.replace(
        state,
        findings=tuple(
            finding
            if finding.told == (finding.key in told | known)
            else msgspec.structs.replace(finding, told=not finding.told)
            for finding in state.findings
        ),
        over=(),
        flapping_since=None if change.kind == "settled" else state.flapping_since,
        flips=() if change.kind == "settled" else state.flips,
        last_alert=now,
    )


def _inhibited(report: Report, known: set[Key]) -> set[Key]:
    """Return the errors that raise no alert of their own: what a cause brings about that was alerted before.

    They stay in the state, and the next alert names them; once the cause is gone they stand for themselves.
    """
    inhibited: set[Key] = set()
    for cause in report.causes:
        keys = {f.label: (f.code, bounded(f.subject)) for f in report.findings if f.code in cause.explains}
        shown = {key for label, key in keys.items() if label in cause.inhibits}
        if known & (set(keys.values()) - shown):
            inhibited |= shown
    return inhibited
