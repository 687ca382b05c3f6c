"""What of a run is to be told, and on which occasion."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from padlock.changes.observing import STALE, Key, bounded
from padlock.changes.types import Change, Flip, Kind, OpenFinding, Policy, State
from padlock.findings import Report, Severity, is_among

FLIPS = 5
"""Changes within FLAP_WINDOW that are told one by one; with the next one the site is flapping."""
FLAP_WINDOW = timedelta(hours=1)
"""A flapping site has settled once nothing has changed for this long."""


def told_of(before: State, after: State, last: Report, policy: Policy) -> tuple[State, Change | None]:
    """Return what is to be told of a run, and the state with that marked as told."""
    now = last.checked_at
    if policy.maintenance_until is None:
        after = _counted(before, after, policy, now)
    muted = _muted(after, now)
    errors = {finding.key: finding for finding in after.findings if finding.severity is Severity.ERROR}
    silent = {key for key, finding in errors.items() if _silenced(finding, policy, now)}
    told = {finding.key for finding in after.findings if finding.told}
    fresh = {key for key in errors.keys() - told - silent if not muted(errors[key])}
    if last.status == "inconclusive":
        # Nothing was seen, and so no cause either: what a cause has kept back stays back.
        fresh = {key for key in fresh if key[0] == STALE}
    eased = {f.key for f in after.findings if f.told and f.key not in errors and not muted(f)}
    over = tuple(finding for finding in after.over if not muted(finding))
    news = bool(fresh - _inhibited(last, (told | silent) & errors.keys()) or eased or over)

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
        declared=_declared(over, eased, policy),
        resolved=over,
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
    if state.flapping_since is not None and not state.flips:
        return "settled"
    if news:
        return "changed"
    due = policy.reminder is not None and (
        state.last_alert is None or now - state.last_alert >= timedelta(seconds=policy.reminder)
    )
    if state.flapping_since is not None:
        return "flapping" if due else "status"
    return "reminder" if waiting and due else "status"


def _silenced(finding: OpenFinding, policy: Policy, now: datetime) -> bool:
    return any(entry.covers(finding, now) for entry in policy.silences)


def _counted(before: State, after: State, policy: Policy, now: datetime) -> State:
    """Return the state with this run's change counted; one too many within the window, and the site is flapping."""
    was, is_ = (
        {f.key for f in state.findings if f.severity is Severity.ERROR and not _silenced(f, policy, now)}
        for state in (before, after)
    )
    recent = [flip for flip in after.flips if now - flip.at < FLAP_WINDOW]
    if was != is_ and not before.removed and before.first_run is not None:
        recent.append(Flip(now, tuple(sorted({code for code, _ in was ^ is_}))))
    since = after.flapping_since or (now if len(recent) > FLIPS else None)
    counts = Counter(code for flip in recent for code in flip.codes)
    repeated = {code for code, count in counts.items() if count > 1} if since else set()
    return msgspec.structs.replace(
        after,
        flips=tuple(recent[-FLIPS - 1 :]),
        flapping_since=since,
        flapping=tuple(sorted({*after.flapping, *repeated})),
    )


def _muted(state: State, now: datetime) -> Callable[[OpenFinding], bool]:
    """Return of what nobody is told until a flapping site settles: what may pass by itself, and what came and went.

    A certificate that expires meanwhile is neither. The alert that says that the site flaps tells everything.
    """
    if state.flapping_since in (None, now) or not state.flips:
        return lambda _: False
    return lambda finding: finding.reachability or finding.code in state.flapping


def _declared(over: tuple[OpenFinding, ...], eased: set[Key], policy: Policy) -> tuple[str, ...]:
    """Return the codes of what the declaration, and not a repair, has ended or made less than an error."""
    ended = {finding.code for finding in over if is_among(finding.code, policy.disabled)}
    return tuple(sorted(ended | {code for code, _ in eased if code in policy.severities}))


def _marked(state: State, change: Change, now: datetime) -> State:
    """Return the state after its change has been told."""
    begun = {finding.key for finding in (*change.opened, *change.worsened)}
    eased = {finding.key for finding in change.eased}
    ended = {finding.key for finding in change.resolved}
    return msgspec.structs.replace(
        state,
        findings=tuple(
            msgspec.structs.replace(finding, told=finding.key not in eased)
            if finding.key in begun | eased
            else finding
            for finding in state.findings
        ),
        over=tuple(finding for finding in state.over if finding.key not in ended),
        flapping_since=None if change.kind == "settled" else state.flapping_since,
        flapping=() if change.kind == "settled" else state.flapping,
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
