"""What happens to a site from run to run, and the alert at its end: every kind that a person can meet."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from padlock.changes import Change, Policy, Silence, State, close, fold
from padlock.checking import invalid
from padlock.digest import Digest, DigestCertificate, DigestSite
from padlock.evidence import Evidence, Reference
from padlock.findings import NotAssessed, Report
from padlock.message import Further, Message, compose, compose_digest, compose_test
from padlock.outage import report_of
from padlock.storage import Sample

from tests import evidence_builder
from tests.evidence_builder import (
    NOW,
    certificate,
    with_exchange,
    with_leaf,
    with_page,
    with_port,
    with_trust,
)
from tests.evidence_builder import report as judged
from tests.host_builder import certificate_file, nginx, with_audit

ALERT = "5f0c3a1e-7d1b-4c56-9a35-2f6f4d0e8b11"
FURTHER = Further(
    table="padlock-ResultsTable-1KX7",
    function="padlock-CheckFunction-1AB2",
    sites_table="padlock-SitesTable-9QZ4",
    dashboard="https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/padlock",
    place="eu-central-1",
)
SITE, LABELS, ZONE = "example.com", {"team": "shop"}, "Europe/Berlin"
ONCE = Policy(failures=1, successes=1)
DAYS = timedelta(days=1)


class Story:
    """One site's runs."""

    def __init__(self, policy: Policy = ONCE, **declared: Any) -> None:
        self.policy = policy
        self.declared = declared or {"labels": LABELS, "timezone": ZONE}
        self.state = State()
        self.change: Change | None = None

    def run(self, report: Report, hours: float = 0) -> "Story":
        """Fold a run that ends so many hours after noon."""
        at = NOW + timedelta(hours=hours)
        look = msgspec.structs.replace(report, checked_at=at, **self.declared)
        self.state, self.change = fold(self.state, (look,), self.policy)
        return self

    @property
    def told(self) -> Change:
        """What the last run changed."""
        assert self.change is not None
        return self.change


def healthy(**keys: Any) -> Evidence:
    """Return what a healthy site shows whose declaration has these keys."""
    return evidence_builder.healthy({"name": SITE, "disable": ["hsts.missing"], **keys})


def expired(evidence: Evidence) -> Evidence:
    """Return the evidence with a certificate that nobody renewed."""
    stale = with_leaf(evidence, not_before=NOW - 93 * DAYS, not_after=NOW - 3 * DAYS)
    return with_trust(stale, "expired")


def expiring(days: float) -> Evidence:
    """Return a healthy site's evidence with so many days left of its certificate."""
    return with_leaf(healthy(), not_before=NOW - (90 - days) * DAYS, not_after=NOW + days * DAYS)


def insecure(evidence: Evidence) -> Evidence:
    """Return the evidence with a page that loads a script over HTTP."""
    return with_page(evidence, Reference("active", "http://cdn.example/jquery.js", "script src", line=7))


def bad_gateway(evidence: Evidence) -> Evidence:
    """Return the evidence with an app that is down behind nginx."""
    return with_exchange(evidence, "https://example.com/", status=502, body="", title="")


WELL = judged(healthy())
EXPIRED = judged(expired(healthy()))
CLOSED = judged(with_port(healthy(), "https", "timeout"))
DOWN = judged(bad_gateway(healthy()))
BOTH = judged(bad_gateway(expired(healthy())))
INSECURE = judged(insecure(healthy()))
INSECURE_DOWN = judged(insecure(bad_gateway(healthy())))
INSECURE_EXPIRED = judged(insecure(expired(healthy())))
ALL = judged(bad_gateway(insecure(expired(healthy()))))
RENEWED = certificate("9" * 64, serial="05FF", not_before=NOW - 33 * DAYS)
UNLOADED = judged(
    with_audit(
        expired(healthy()),
        certificates=(certificate_file(certificate=RENEWED),),
        nginx=nginx(master_started=NOW - 100 * DAYS, workers_started=(NOW - 100 * DAYS,) * 2),
    )
)
BLIND = Report(
    SITE,
    NOW,
    "inconclusive",
    (),
    (),
    (),
    (NotAssessed("dns.unresolvable", SITE, "the run took longer than 55 s and was ended", whole=True),),
    {},
)
SILENT = Policy(
    failures=1,
    successes=1,
    silences=(Silence("certificate.expired", datetime(2026, 11, 23, 12, tzinfo=UTC), note="new issuer on Monday"),),
)

MILD = Policy(failures=1, successes=1, severities=("certificate.expired",))
OFF = Policy(failures=1, disabled=("content",))


def new() -> Change:
    """Let a healthy site's certificate expire."""
    return Story().run(WELL, -1).run(EXPIRED).told


def first() -> Change:
    """Close the port of a site that was never checked."""
    return Story().run(CLOSED).told


def several() -> Change:
    """Break two things of a healthy site at once."""
    return Story().run(WELL, -1).run(BOTH).told


def still_open() -> Change:
    """Let the certificate expire while the page loads a script over HTTP."""
    return Story().run(INSECURE, -5).run(INSECURE_EXPIRED).told


def several_still_open() -> Change:
    """Break more while the page loads a script over HTTP."""
    return Story().run(INSECURE, -5).run(ALL).told


def caused() -> Change:
    """Forget to reload nginx on an audited machine: its word makes the cause certain, and brings the commands."""
    return Story().run(WELL, -1).run(UNLOADED).told


def worse() -> Change:
    """Let a warning become an error."""
    return Story().run(judged(expiring(12)), -168).run(judged(expiring(5))).told


def resolved() -> Change:
    """Mend all."""
    return Story().run(EXPIRED, -3.2).run(WELL).told


def partly_resolved() -> Change:
    """Mend one of two problems."""
    return Story().run(BOTH, -26).run(EXPIRED).told


def mixed() -> Change:
    """Break one thing as another one is mended, while a third stays broken."""
    return Story().run(INSECURE_DOWN, -26).run(INSECURE_EXPIRED).told


def eased() -> Change:
    """Declare that an error is a warning here."""
    mild = judged(expired(healthy(severity={"certificate.expired": "warning"})))
    return Story(MILD).run(EXPIRED, -3).run(mild).told


def disabled() -> Change:
    """Switch off the check that has found something."""
    return Story(OFF).run(INSECURE, -20).run(WELL).told


def while_flapping() -> Change:
    """Let the certificate expire while the app comes and goes."""
    return _flapping().run(EXPIRED, 0.3).told


def acknowledged() -> Change:
    """Break something else while the certificate is acknowledged."""
    return Story(SILENT).run(EXPIRED, -20).run(BOTH).told


def _flapping() -> Story:
    story = Story().run(WELL, -2)
    for number in range(6):
        story.run(WELL if number % 2 else DOWN, -0.5 + number / 10)
    return story


def flapping() -> Change:
    """Stop and start the app too often."""
    return _flapping().told


def settled_well() -> Change:
    """Leave it up for an hour."""
    return _flapping().run(WELL, 1.1).told


def settled_open() -> Change:
    """Leave it down for an hour."""
    return _flapping().run(DOWN, 0.1).run(DOWN, 1.2).told


def reminder() -> Change:
    """Leave the certificate expired for days."""
    return Story().run(EXPIRED, -76).run(EXPIRED).told


def removed() -> Change:
    """Take the site out of the table while its certificate is expired."""
    told = close(Story().run(EXPIRED, -26).state, SITE, NOW, LABELS, ZONE)[1]
    assert told is not None
    return told


def removed_well() -> Change:
    """Take a healthy site out of the table."""
    told = close(Story().run(WELL, -26).state, SITE, NOW, LABELS, ZONE)[1]
    assert told is not None
    return told


def _stale() -> Story:
    return Story().run(WELL, -0.25).run(BLIND, -1 / 6).run(BLIND, -1 / 12).run(BLIND)


def stale() -> Change:
    """Keep three runs in a row from looking."""
    return _stale().told


def stale_over() -> Change:
    """Let the next run look."""
    return _stale().run(WELL, 0.75).told


def invalid_site() -> Change:
    """Write a wrong key into the declaration."""
    wrong = "site 'example.com': unknown key 'tresholds'; did you mean 'thresholds'?"
    return Story().run(WELL, -1).run(invalid({"name": SITE}, wrong, NOW)).told


def _outage() -> Story:
    seen = frozenset(str(number) for number in range(64))
    return Story(timezone="UTC").run(report_of(Sample(seen, frozenset(sorted(seen)[:49])), NOW))


def outage() -> Change:
    """Cut the checker off from most of what it could reach."""
    return _outage().told


def outage_over() -> Change:
    """Give it back its network."""
    seen = frozenset(str(number) for number in range(64))
    return _outage().run(report_of(Sample(seen, frozenset()), NOW), 0.5).told


def status() -> Change:
    """Open a warning: no mail, machines are told."""
    return Story().run(WELL, -1).run(judged(with_port(healthy(), "http", "refused"))).told


def _day(days: float) -> datetime:
    return NOW + days * DAYS


DIGEST = Digest(
    warnings=(
        DigestSite("blog.example.com", _day(-41), "HTTP port closed"),
        DigestSite("www.example.org", _day(-12.5), "HSTS missing"),
        DigestSite("api.example.com", _day(-1), "certificate expires soon"),
    ),
    failing=(DigestSite("example.com", _day(-3.2), "certificate expired"),),
    certificates=(
        DigestCertificate("api.example.com", "api.example.com", "C=US, O=Let's Encrypt, CN=R11", _day(9)),
        DigestCertificate("shop.example.com", "www.shop.example.com", "C=US, O=Let's Encrypt, CN=E7", _day(16.3)),
    ),
    warnings_total=3,
    failing_total=1,
    certificates_total=2,
    at=NOW,
    sites_total=120,
)
CHANGES: tuple[Callable[[], Change], ...] = (
    new,
    first,
    several,
    still_open,
    several_still_open,
    caused,
    worse,
    resolved,
    partly_resolved,
    mixed,
    eased,
    disabled,
    acknowledged,
    flapping,
    while_flapping,
    settled_well,
    settled_open,
    reminder,
    removed,
    removed_well,
    stale,
    stale_over,
    invalid_site,
    outage,
    outage_over,
    status,
)


def alerts() -> dict[str, Message]:
    """Return every alert, by the name of its golden files."""
    composed = {
        build.__name__.replace("_", "-"): compose(build(), ALERT, number, FURTHER)
        for number, build in enumerate(CHANGES, 7)
    }
    return composed | {
        "digest": compose_digest(DIGEST, ALERT, 3, FURTHER),
        "test": compose_test(ALERT, 4, NOW, FURTHER),
    }
