"""What the report's forms say alike: durations, counts, a site's state in a line, findings that are one.

Text from outside comes out of here as it was, or through `phrase`; each form escapes what it writes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from padlock.findings import Finding, Report, host_of
from padlock.render.escape import phrase


def duration(seconds: float) -> str:
    """Return a time span as people say it: `20 ms`, `1.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def remaining(until: datetime, now: datetime) -> str:
    """Return how long a certificate is still valid, in whole days, or since when it is not."""
    left = until - now
    if left < timedelta(0):
        return f"expired {_days(-left)} ago"
    return f"{_days(left)} left"


def _days(span: timedelta) -> str:
    if span < timedelta(days=1):
        return f"{int(span.total_seconds() // 3600)} h"
    return f"{span.days} day{'' if span.days == 1 else 's'}"


def counted(number: int, name: str) -> str:
    """Return `1 warning` or `2 warnings`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def summary_of(report: Report) -> Iterator[str]:
    """Yield the lines that say how a site is, before any detail."""
    severities = Counter(finding.severity.value for finding in report.findings)
    if report.status == "inconclusive":
        yield from _blind(report)
    elif not severities:
        yield "nothing to complain of"
    if severities:
        yield ", ".join(counted(number, severity) for severity, number in severities.items())
    if not report.checklist:
        return
    steps = Counter(record.status for record in report.checklist)
    parts = [f"{steps['pass']} of {len(report.checklist)} steps pass"]
    parts += [f"{steps[status]} {status}" for status in ("fail", "unknown", "not applicable") if steps[status]]
    yield ", ".join(parts)


def _blind(report: Report) -> Iterator[str]:
    """Yield why the site could not be seen, and what whoever asked can do."""
    reasons = {entry.code: phrase(entry.reason) for entry in reversed(report.not_assessed)}
    telling = ("dns.unresolvable", "port.https_closed", *reasons)
    why = next((reasons[code] for code in telling if code in reasons), "")
    yield "the site could not be seen from here" + (f": {why}" if why else "")
    if "dns.unresolvable" in reasons:
        yield "see whether this machine is on the network and its resolver answers, or name another with --resolver"


def alike(findings: Sequence[Finding]) -> dict[Finding, list[str]]:
    """Return findings → subjects, with those in one that differ in nothing but the host that they are about."""
    first: dict[tuple[str, ...], Finding] = {}
    subjects: dict[Finding, list[str]] = {}
    for finding in findings:
        host = host_of(finding.subject)
        texts = (finding.observed, finding.expected, finding.remediation)
        key = (finding.code, finding.severity.value, *(text.replace(host, "{host}") for text in texts))
        subjects.setdefault(first.setdefault(key, finding), []).append(finding.subject)
    return subjects


def title_of(finding: Finding) -> str:
    """Return what a finding is in a few words."""
    return phrase(finding.summary or finding.code.replace(".", " ").replace("_", " "), 120)
