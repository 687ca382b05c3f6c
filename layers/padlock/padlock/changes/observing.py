"""A state and a look → the state after it: what opens, what closes, and what only may."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from padlock.changes.types import OpenFinding, Policy, State
from padlock.findings import Finding, NotAssessed, Report, Severity, host_of, is_among

MAX_SUBJECT = 300
"""Characters of a subject that are kept: it is a key, and a URL in it may have any length."""
STALE_RUNS = 3
"""Runs in a row that could not see the site, and intervals that they cover, until that is an error itself."""
STALE = "site.stale"

type Key = tuple[str, str]


def observed(state: State, look: Report, policy: Policy) -> State:
    """Return the state after one look."""
    if look.status == "inconclusive":
        return state
    known = {finding.key: finding for finding in state.findings}
    suspected = {finding.key: finding for finding in state.pending}
    found: dict[Key, OpenFinding] = {}
    for finding in look.findings:
        seen = _seen(finding, known, suspected, look.checked_at)
        # The report has the worst first, so that of two findings with one key the worse one stays.
        found.setdefault(seen.key, seen)
    opened = {key for key, finding in found.items() if key in known or finding.bad >= _needed(finding, policy)}
    untold = {finding.key for finding in state.over} & opened
    found |= {key: msgspec.structs.replace(found[key], told=True) for key in untold}
    left = {key: _missed(finding, look) for key, finding in known.items() if key not in found}
    stays = {
        key: finding
        for key, finding in left.items()
        if key[0] != STALE
        and not is_among(key[0], policy.disabled)
        and (finding.good < policy.successes or finding is known[key])
    }
    closed = [
        msgspec.structs.replace(finding, ended=look.checked_at)
        for key, finding in left.items()
        if key not in stays and finding.told
    ]
    hidden = [
        finding for key, finding in suspected.items() if key not in found and _hidden(finding, look.not_assessed)
    ]
    return msgspec.structs.replace(
        state,
        findings=_worst_first([*(found[key] for key in found if key in opened), *stays.values()]),
        pending=(*(finding for key, finding in found.items() if key not in opened), *hidden),
        over=(*(finding for finding in state.over if finding.key not in opened), *closed),
        last_conclusive=look.checked_at,
    )


def confirmed(before: State, after: State) -> State:
    """Return a run's state in which what its first look opened and its last one did not see is suspected only."""
    known = {finding.key for finding in before.findings}
    doubted = {finding.key: finding for finding in after.findings if finding.good and finding.key not in known}
    suspected = (msgspec.structs.replace(finding, told=False, bad=0, good=0) for finding in doubted.values())
    return msgspec.structs.replace(
        after,
        findings=tuple(finding for finding in after.findings if finding.key not in doubted),
        pending=(*after.pending, *suspected),
        # What an alert told of is over still: only an open finding takes it back.
        over=(*after.over, *(finding for finding in before.over if finding.key in doubted)),
    )


def _seen(
    finding: Finding, known: Mapping[Key, OpenFinding], suspected: Mapping[Key, OpenFinding], now: datetime
) -> OpenFinding:
    """Return a finding of a look with what the state knows of it."""
    fields = {name: getattr(finding, name) for name in Finding.__struct_fields__}
    fields["subject"] = bounded(finding.subject)
    key = finding.code, fields["subject"]
    before = known.get(key) or suspected.get(key)
    if before is None:
        return OpenFinding(**fields, since=now)
    bad = before.bad if key in known else before.bad + 1
    return OpenFinding(**fields, since=before.since, told=before.told, bad=bad)


def _needed(finding: Finding, policy: Policy) -> int:
    """Return how many looks in a row open a finding: what is configured is so at the first."""
    return policy.failures if finding.reachability else 1


def _missed(finding: OpenFinding, look: Report) -> OpenFinding:
    """Return an open finding after a look that did not see it: closer to its end, unless it could not look."""
    if _hidden(finding, look.not_assessed):
        return finding
    return msgspec.structs.replace(finding, good=finding.good + 1)


def _worst_first(findings: Iterable[OpenFinding]) -> tuple[OpenFinding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.severity.rank))


def _hidden(finding: OpenFinding, not_assessed: tuple[NotAssessed, ...]) -> bool:
    """Return whether this look could not see what the finding is about.

    A host that was not seen hides what was found at its addresses and URLs; one address of it that was not seen does
    not hide what was found of the host, or a vantage point without IPv6 could never see anything resolved. A machine
    that could not be audited hides what was found on it, whatever host that was about.
    """
    hiding = {finding.subject, host_of(finding.subject)}
    machine = _machine(finding.subject)
    return any(
        entry.code == finding.code
        and (entry.whole or bounded(entry.subject) in hiding or (machine and _machine(entry.subject) == machine))
        for entry in not_assessed
    )


def _machine(subject: str) -> str:
    """Return the audited machine of a subject `host on machine`; empty where it has none."""
    return subject.partition(" on ")[2]


def blinded(state: State, looks: Sequence[Report], policy: Policy) -> State:
    """Return the state with runs counted that could not see; too many of them in a row are an error themselves."""
    last = looks[-1]
    if any(look.status != "inconclusive" for look in looks):
        return msgspec.structs.replace(state, blind=0)
    state = msgspec.structs.replace(state, blind=state.blind + 1)
    since = state.last_conclusive or state.first_run or last.checked_at
    # The runs are counted as well as the time: a queue that was held up delivers several of them at once.
    long = last.checked_at - since >= timedelta(seconds=policy.interval * (STALE_RUNS - 1))
    if policy.outage or state.blind < STALE_RUNS or not long or any(f.code == STALE for f in state.findings):
        return state
    reason = last.not_assessed[0].reason if last.not_assessed else "nothing could be seen"
    stale = OpenFinding(
        code=STALE,
        severity=Severity.ERROR,
        subject=bounded(last.site),
        observed=f"no conclusive result since {since:%Y-%m-%d %H:%M} UTC; the last attempt: {reason}",
        expected="a conclusive result at every interval",
        impact="The site is not watched: nobody would notice if it broke.",
        remediation="Check it with `padlock check`; the check function's log says why it could not be looked at.",
        reference="README, what watches Padlock",
        step=None,
        summary="no conclusive result",
        since=since,
    )
    return msgspec.structs.replace(state, findings=_worst_first([*state.findings, stale]))


def bounded(subject: str) -> str:
    """Return a key of bounded length that is the same from run to run, and that can be stored."""
    subject = subject.encode("utf-8", "replace").decode()
    if len(subject) <= MAX_SUBJECT:
        return subject
    digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
    return f"{subject[: MAX_SUBJECT - 20]}… {digest}"
