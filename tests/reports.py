"""Reports and findings as short as a test needs them."""

from datetime import UTC, datetime
from typing import Any

from padlock.findings import CertificateSummary, Finding, NotAssessed, Report, Severity

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SITE = "example.com"


def finding(code: str, subject: str = SITE, severity: str = "error", **fields: Any) -> Finding:
    """Return a finding with plausible texts."""
    defaults: dict[str, Any] = {
        "observed": "expired 3 days ago",
        "expected": "a valid certificate",
        "impact": "Browsers refuse to open the site.",
        "remediation": "sudo certbot renew",
        "reference": "RFC 5280 section 4.1.2.5",
        "step": 8,
        "summary": code.replace(".", " "),
    }
    return Finding(code, Severity(severity), subject, **{**defaults, **fields})


def report(
    *findings: Finding,
    at: datetime = NOW,
    status: str = "",
    not_assessed: tuple[NotAssessed, ...] = (),
    site: str = SITE,
    expires: datetime | None = None,
) -> Report:
    """Return a report of these findings; with `expires` it has a certificate."""
    worst: Any = status or (findings[0].severity.value if findings else "ok")
    served = (CertificateSummary(site, f"CN={site}", "CN=R11", "04A1", expires),) if expires else ()
    return Report(site, at, worst, findings, (), (), not_assessed, {"total": 0.1}, served, (site,))
