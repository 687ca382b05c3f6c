"""Reports with everything that a reader may meet, written by hand so that no rule's wording moves them."""

from datetime import timedelta

from padlock.checklist import FINAL, TITLES
from padlock.findings import (
    Cause,
    CertificateSummary,
    Finding,
    LineRecord,
    NotAssessed,
    Report,
    Severity,
    StepRecord,
    StepStatus,
)

from tests.evidence_builder import NOW

EXPIRED = Finding(
    code="certificate.expired",
    severity=Severity.ERROR,
    subject="shop.example.com",
    observed="expired 2 days ago, on 2026-11-18 12:00 UTC (at 93.184.215.14)",
    expected="a certificate that is valid now",
    impact="Browsers refuse to open the site and show a full-page warning instead.",
    remediation="Renew it and load it with `sudo certbot renew --cert-name shop.example.com && sudo systemctl reload "
    "nginx`; then find out why renewal stopped: `sudo certbot renew --dry-run`.",
    reference="RFC 5280 section 4.1.2.5",
    step=8,
)
TEMPORARY = Finding(
    code="redirect.temporary",
    severity=Severity.WARNING,
    subject="http://shop.example.com/",
    observed="302 to https://shop.example.com/",
    expected="301 or 308",
    impact="Browsers ask over plain HTTP again at every visit.",
    remediation="In the server block of port 80: `return 301 https://$host$request_uri;`",
    reference="checklist step 7",
    step=7,
)
NO_HTTP2 = Finding(
    code="tls.no_http2",
    severity=Severity.NOTICE,
    subject="shop.example.com",
    observed="ALPN selects http/1.1",
    expected="h2",
    impact="Pages load slower than they could.",
    remediation="Write `listen 443 ssl http2;` in the server block.",
    reference="RFC 7301",
    step=None,
)


def broken() -> Report:
    """Return the report of a site with a finding of each severity, a cause and something not assessed."""
    statuses: dict[int, tuple[StepStatus, tuple[str, ...], str]] = {
        4: ("unknown", (), "only the host itself can tell"),
        7: ("fail", ("redirect.temporary",), ""),
        8: ("fail", ("certificate.expired",), ""),
        13: ("not applicable", (), "no health path is declared"),
        18: ("fail", ("certificate.expired",), "not proven: valid certificate"),
    }
    rows = tuple(StepRecord(n, title, *statuses.get(n, ("pass", (), ""))) for n, title in TITLES.items())
    return Report(
        site="shop.example.com",
        checked_at=NOW,
        status="error",
        findings=(EXPIRED, TEMPORARY, NO_HTTP2),
        causes=(
            Cause(
                code="cause.renewal_broken",
                confidence="likely",
                explanation="The certificate was not renewed when it was due. Something stops certbot on the host.",
                remediation="See what stops it: `sudo certbot renew --dry-run`.",
                explains=("certificate.expired",),
                commands=("nginx -t && systemctl reload nginx", "certbot renew --dry-run"),
            ),
        ),
        checklist=rows,
        not_assessed=(
            NotAssessed("dns.ipv6_broken", "shop.example.com", "this vantage point has no IPv6 route"),
            NotAssessed("port.https_closed", "www.shop.example.com", "this vantage point has no IPv6 route"),
        ),
        timings={"dns": 0.02, "tls": 0.05, "http": 0.31, "total": 1.42},
        certificates=(
            CertificateSummary(
                "shop.example.com",
                "CN=shop.example.com",
                "CN=R11,O=Let's Encrypt,C=US",
                "04A1B2",
                NOW - timedelta(days=2),
            ),
            CertificateSummary(
                "www.shop.example.com",
                "CN=shop.example.com",
                "CN=R11,O=Let's Encrypt,C=US",
                "04A1B2",
                NOW - timedelta(days=2),
            ),
        ),
        hosts=("shop.example.com", "www.shop.example.com"),
        results=tuple(
            LineRecord(title, "fail", ("certificate.expired",)) if 8 in steps else LineRecord(title, "pass")
            for title, steps in FINAL.items()
        ),
    )
