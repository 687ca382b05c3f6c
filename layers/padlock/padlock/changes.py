"""(state, report) → (state, change): what is new since the last look, purely.

A site's state is its set of open findings, keyed by code and subject, each with the time since when it is open.
Errors make changes, and changes make alerts; warnings and notices are kept in the state without one. What a known
cause brings about makes no alert of its own.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.findings import Cause, Finding, NotAssessed, Report, Severity, Status, host_of

type Alarm = Literal["unknown", "ok", "error"]

MAX_SUBJECT = 300
"""Characters of a subject that are kept: it is a key, and a URL in it may have any length."""


class OpenFinding(Finding, frozen=True, kw_only=True):
    """A finding of the state."""

    since: datetime
    """UTC; the run that saw it first."""


class State(msgspec.Struct, frozen=True):
    """What is known of one site after a run."""

    findings: tuple[OpenFinding, ...] = ()
    """Every open finding, the worst first."""
    last_conclusive: datetime | None = None
    """UTC; the last run that could see the site; None: none could."""

    @property
    def status(self) -> Status:
        """The worst of the open findings."""
        if self.last_conclusive is None:
            return "inconclusive"
        return self.findings[0].severity.value if self.findings else "ok"

    @property
    def counts(self) -> dict[str, int]:
        """Severity → number of open findings; severities without any are left out."""
        return dict(Counter(finding.severity.value for finding in self.findings))


class Change(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """What one run changed; the occasion of one alert."""

    site: str
    checked_at: datetime
    before: Alarm
    """Whether an error was open before, `unknown` where nothing was: the first look at a site.

    Of two alerts that follow each other the later one's is the `after` of the earlier one.
    """
    after: Alarm
    opened: tuple[OpenFinding, ...]
    """Errors that were not there before."""
    worsened: tuple[OpenFinding, ...]
    """Errors that were warnings or notices before."""
    eased: tuple[OpenFinding, ...]
    """Warnings or notices that were errors before."""
    resolved: tuple[OpenFinding, ...]
    """Errors that are over."""
    still_open: tuple[OpenFinding, ...]
    """Errors known from before."""
    minor: Mapping[str, int]
    """Severity below error → number of open findings."""
    causes: tuple[Cause, ...]
    labels: Mapping[str, str] = {}
    """As the site declares them."""
    timezone: str = "UTC"
    """The owner's."""


def fold(state: State, report: Report) -> tuple[State, Change | None]:
    """Return the state after a run, and what an alert must tell; None where there is nothing to tell.

    A finding that could not be looked at this time stays open. A run that saw nothing changes nothing.
    """
    if report.status == "inconclusive":
        return state, None
    before = {finding.key: finding for finding in state.findings}
    after = _open_after(before, report)
    folded = State(tuple(sorted(after.values(), key=lambda finding: finding.severity.rank)), report.checked_at)
    now = {finding.key: finding for finding in folded.findings}
    return folded, _difference(before, now, report, seen_before=state.last_conclusive is not None)


type Key = tuple[str, str]
type Open = Mapping[Key, OpenFinding]


def _open_after(before: Open, report: Report) -> dict[Key, OpenFinding]:
    after: dict[Key, OpenFinding] = {}
    for finding in report.findings:
        subject = _bounded(finding.subject)
        known = before.get((finding.code, subject))
        fields = {name: getattr(finding, name) for name in Finding.__struct_fields__} | {"subject": subject}
        opened = OpenFinding(**fields, since=known.since if known else report.checked_at)
        # The report has the worst first, so that of two findings with one key the worse one stays.
        after.setdefault(opened.key, opened)
    gone = {key: finding for key, finding in before.items() if key not in after}
    return after | {key: finding for key, finding in gone.items() if _hidden(finding, report.not_assessed)}


def _hidden(finding: OpenFinding, not_assessed: tuple[NotAssessed, ...]) -> bool:
    """Return whether this run could not look at what the finding is about.

    A host that was not seen hides what was found at its addresses and URLs; one address of it that was not seen does
    not hide what was found of the host, or a vantage point without IPv6 could never see anything resolved. A machine
    that could not be audited hides what was found on it, whatever host that was about.
    """
    hiding = {finding.subject, host_of(finding.subject)}
    machine = _machine(finding.subject)
    return any(
        entry.code == finding.code
        and (entry.whole or _bounded(entry.subject) in hiding or (machine and _machine(entry.subject) == machine))
        for entry in not_assessed
    )


def _machine(subject: str) -> str:
    """Return the audited machine of a subject `host on machine`; empty where it has none."""
    return subject.partition(" on ")[2]


def _difference(before: Open, after: Open, report: Report, *, seen_before: bool) -> Change | None:
    was = {key for key, finding in before.items() if finding.severity is Severity.ERROR}
    now = {key for key, finding in after.items() if finding.severity is Severity.ERROR}
    if not was - now and now - was <= _inhibited(report, was & now):
        return None
    return Change(
        site=report.site,
        checked_at=report.checked_at,
        before="error" if was else "ok" if seen_before else "unknown",
        after="error" if now else "ok",
        opened=tuple(after[key] for key in after if key in now and key not in before),
        worsened=tuple(after[key] for key in after if key in now - was and key in before),
        eased=tuple(after[key] for key in after if key in was - now),
        resolved=tuple(before[key] for key in before if key in was and key not in after),
        still_open=tuple(after[key] for key in after if key in was & now),
        minor=dict(Counter(f.severity.value for f in after.values() if f.severity is not Severity.ERROR)),
        causes=report.causes,
        labels=report.labels,
        timezone=report.timezone,
    )


def _inhibited(report: Report, known: set[Key]) -> set[Key]:
    """Return the errors that raise no alert of their own: what a cause brings about that was alerted before.

    They stay in the state, and the next alert names them; once the cause is gone they stand for themselves.
    """
    inhibited: set[Key] = set()
    for cause in report.causes:
        keys = {f.label: (f.code, _bounded(f.subject)) for f in report.findings if f.code in cause.explains}
        shown = {key for label, key in keys.items() if label in cause.inhibits}
        if known & (set(keys.values()) - shown):
            inhibited |= shown
    return inhibited


def _bounded(subject: str) -> str:
    """Return a key of bounded length that is the same from run to run, and that can be stored."""
    subject = subject.encode("utf-8", "replace").decode()
    if len(subject) <= MAX_SUBJECT:
        return subject
    digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
    return f"{subject[: MAX_SUBJECT - 20]}… {digest}"
