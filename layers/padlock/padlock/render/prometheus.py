"""Reports in Prometheus' text format, version 0.0.4, for the textfile collector of its node exporter or a gateway.

Names follow Prometheus' conventions: base units, and a timestamp's name says so. Labels take few values: sites and
hosts are declared, codes, severities, steps' states and phases are ours. What servers say stands in none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from padlock.findings import Report, Status, StepStatus
from padlock.render.escape import printable

STATUSES: Sequence[Status] = ("ok", "notice", "warning", "error", "inconclusive")
_STEPS: Sequence[StepStatus] = ("pass", "fail", "unknown", "not applicable")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

type Labels = Mapping[str, str]


class Gauge(msgspec.Struct, frozen=True):
    """One metric with its samples."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, float]]


def render(reports: Sequence[Report], faults: int = 0) -> str:
    """Return the reports as metrics, with the number of entries that could not be checked."""
    return exposition(_gauges(reports, faults))


def exposition(gauges: Iterator[Gauge]) -> str:
    """Return metrics in the text format, those without a sample left out."""
    return "".join(line for gauge in gauges if gauge.samples for line in _lines(gauge))


def states(labels: Labels, name: str, known: Sequence[str], current: str) -> list[tuple[Labels, float]]:
    """Return one sample for each state that something may be in: 1 for the one that it is in."""
    return [({**labels, name: state}, float(state == current)) for state in known]


def _gauges(reports: Sequence[Report], faults: int) -> Iterator[Gauge]:
    yield Gauge("padlock_unchecked_sites", "Entries that could not be checked.", [({}, faults)])
    yield Gauge(
        "padlock_site_status",
        "Whether the site's status is the one of the label.",
        [sample for report in reports for sample in states({"site": report.site}, "status", STATUSES, report.status)],
    )
    yield Gauge(
        "padlock_site_findings",
        "Findings of the site by code and severity.",
        [sample for report in reports for sample in _findings(report)],
    )
    yield Gauge(
        "padlock_site_steps",
        "Steps of the deployment checklist by their state.",
        [sample for report in reports for sample in _steps(report)],
    )
    yield Gauge(
        "padlock_certificate_expiry_timestamp_seconds",
        "When the first of the host's certificates expires.",
        [sample for report in reports for sample in _expiries(report)],
    )
    yield Gauge(
        "padlock_check_timestamp_seconds",
        "When the site was checked.",
        [({"site": report.site}, report.checked_at.timestamp()) for report in reports],
    )
    spans = [(report.site, phase, seconds) for report in reports for phase, seconds in report.timings.items()]
    yield Gauge(
        "padlock_check_duration_seconds",
        "How long the check took.",
        [({"site": site}, seconds) for site, phase, seconds in spans if phase == "total"],
    )
    yield Gauge(
        "padlock_check_phase_duration_seconds",
        "How long each phase of the check took; phases run side by side.",
        [({"site": site, "phase": phase}, seconds) for site, phase, seconds in spans if phase != "total"],
    )


def _findings(report: Report) -> Iterator[tuple[Labels, float]]:
    counted = Counter((finding.code, finding.severity.value) for finding in report.findings)
    for (code, severity), number in counted.items():
        yield {"site": report.site, "code": code, "severity": severity}, number


def _steps(report: Report) -> Iterator[tuple[Labels, float]]:
    counted = Counter(step.status for step in report.checklist)
    if counted:
        yield from (({"site": report.site, "state": state}, counted[state]) for state in _STEPS)


def _expiries(report: Report) -> Iterator[tuple[Labels, float]]:
    first: dict[str, float] = {}
    for certificate in report.certificates:
        expiry = certificate.not_after.timestamp()
        first[certificate.host] = min(expiry, first.get(certificate.host, expiry))
    yield from (({"site": report.site, "host": host}, expiry) for host, expiry in first.items())


def _lines(gauge: Gauge) -> Iterator[str]:
    yield f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} gauge\n"
    # Where a site was checked twice the latter counts: the same labels may stand there once only.
    latest = {_series(gauge.name, labels): value for labels, value in gauge.samples}
    yield from (f"{series} {_number(value)}\n" for series, value in latest.items())


def _series(name: str, labels: Labels) -> str:
    pairs = ",".join(f'{label}="{printable(text).translate(_ESCAPES)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}}" if pairs else name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")
