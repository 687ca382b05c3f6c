"""Whether the certificate's renewal works, seen from outside, weeks before its expiry (checklist step 14).

Most is judged of certificates whose authority issues over ACME: one that is still served long after its client should
have renewed it shows that renewal is broken.
"""

from collections.abc import Callable, Container, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from padlock.evidence import Certificate, Evidence, Logged, RenewalInformation, Search, organisation
from padlock.findings import Severity
from padlock.rules._authorities import AUTOMATED, LONGEST_AUTOMATED_DAYS, WITH_RENEWAL_INFORMATION
from padlock.rules._lineages import number
from padlock.rules._renewed_files import holding, newer_on_disk
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, judge, served
from padlock.rules._subjects import listed, moment, quoted, span
from padlock.rules.certificate import RENEW, grace, renewal_point
from padlock.site import Site

_EARLY = 20
"""A window counts as moved where it ends more than this part of the lifetime before clients renew anyway."""
_REFUSED = ("expired", "self_signed", "unknown_issuer", "invalid")
"""Browsers refuse such a certificate already, and another finding says why."""


def _all_served(evidence: Evidence) -> list[Served]:
    return [item for host in evidence.hosts for item in served(evidence, host)]


def _renews_itself(leaf: Certificate) -> bool:
    if leaf.not_before is None or leaf.not_after is None or organisation(leaf.issuer) not in AUTOMATED:
        return False
    return leaf.not_after - leaf.not_before <= timedelta(days=LONGEST_AUTOMATED_DAYS)


def _told(evidence: Evidence, leaf: Certificate) -> RenewalInformation | None:
    return evidence.renewal.information.get(leaf.sha256) if evidence.renewal else None


@rule(
    "renewal.overdue",
    Severity.ERROR,
    step=14,
    reads="tls",
    summary="certificate renewal is overdue",
    impact="Renewal is broken: nothing shows yet, but on the day of expiry browsers refuse the site.",
    remediation="`sudo certbot renew --dry-run` shows why; `systemctl list-timers | grep certbot` whether it runs at "
    "all, `sudo tail -n 50 /var/log/letsencrypt/letsencrypt.log` what happened last. Does `sudo certbot "
    f"certificates` show a newer one, it is not served: `sudo systemctl reload nginx`. Otherwise {RENEW}.",
    reference="checklist step 14; RFC 9773 section 4.2",
)
def overdue(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find certificates that a program should have renewed, by its own rule or by the issuer's window."""
    seen = _all_served(evidence)
    if seen and not any(_renews_itself(item.leaf) or item.leaf.not_after is None for item in seen):
        yield NotApplicable("the certificate's authority does not issue over ACME alone")
        return
    now = evidence.gathered_at

    def fault(item: Served) -> Problem | Unknown | None:
        leaf, look = item.leaf, item.verification
        if leaf.not_before is None or leaf.not_after is None:
            return Unknown("", "the certificate cannot be parsed")
        if not _renews_itself(leaf) or (look and look.status in _REFUSED):
            return None
        due = _due(leaf.not_before, leaf.not_after, _told(evidence, leaf))
        if not due < now < leaf.not_after:
            return None
        observed = (
            f"issued on {moment(leaf.not_before)}, and not renewed {span(now - due)} after the last moment at which "
            f"a working client does; it expires in {span(leaf.not_after - now)}"
        )
        return Problem("", observed, f"renewed by {moment(due)}")

    yield from judge(evidence, fault)


def _due(start: datetime, end: datetime, told: RenewalInformation | None) -> datetime:
    """Return when a client that works has renewed: it goes by the lifetime, or by the issuer's window.

    Which of the two is not to be seen, so the later counts. A window that ends early says nothing of the client.
    """
    lifetime = end - start
    point = end - renewal_point(lifetime)
    if told and told.end and told.end < end:
        point = max(point, told.end)
    return point + grace(lifetime)


@rule(
    "renewal.suggested_now",
    Severity.WARNING,
    step=14,
    reads="renewal",
    summary="issuer wants it renewed now",
    impact="The site works today. Authorities ask so when they are about to revoke certificates, often within a day "
    "or five; then browsers refuse it.",
    remediation="Renew now, without waiting for the timer: `sudo certbot renew --force-renewal --cert-name NAME && "
    "sudo systemctl reload nginx`, with the NAME that `sudo certbot certificates` shows. certbot from 4.1 on does so "
    "by itself; `certbot --version`.",
    reference="RFC 9773 section 4.2; checklist step 14",
)
def suggested_now(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find windows that the issuer moved ahead of the time at which clients renew anyway."""
    seen = _all_served(evidence)
    if seen and not any(_may_be_told(evidence, item.leaf) for item in seen):
        yield NotApplicable("the certificate's authority is not known to offer renewal information")
        return
    yield from _partly(judge(evidence, lambda item: _suggested(evidence, item)))


def _may_be_told(evidence: Evidence, leaf: Certificate) -> bool:
    """Whether its issuer was asked, or would have been had there been time."""
    told = _told(evidence, leaf)
    if told:
        return told.offered
    return bool(evidence.incomplete) and organisation(leaf.issuer) in WITH_RENEWAL_INFORMATION


def _suggested(evidence: Evidence, item: Served) -> Problem | Unknown | None:
    now, leaf, told = evidence.gathered_at, item.leaf, _told(evidence, item.leaf)
    if told is None:
        return Unknown("", evidence.incomplete) if _may_be_told(evidence, leaf) else None
    if told.failure:
        return Unknown("", f"the issuer did not say when to renew it: {told.failure.words}")
    if not (told.start and told.end and leaf.not_before and leaf.not_after):
        return None
    lifetime = leaf.not_after - leaf.not_before
    usual = leaf.not_after - renewal_point(lifetime)
    # Every window begins a little before that point; only one that is over before was moved.
    moved = told.end < (usual if told.explanation else usual - lifetime / _EARLY)
    if not moved or not told.start <= now < usual + grace(lifetime):
        return None
    why = f"; its reason: {quoted(told.explanation, 300)}" if told.explanation else ""
    observed = (
        f"the issuer wants it renewed between {moment(told.start)} and {moment(told.end)}, "
        f"not on {moment(usual)} as usual{why}"
    )
    return Problem("", observed, "a certificate that its issuer does not want replaced")


def _partly(outcomes: Iterator[Problem | Unknown]) -> Iterator[Problem | Unknown]:
    """Yield outcomes of a look at somebody else's service: that it was down leaves the checklist's step closed."""
    for outcome in outcomes:
        yield replace(outcome, partial=True) if isinstance(outcome, Unknown) else outcome


@rule(
    "renewal.newer_certificate_not_served",
    Severity.ERROR,
    step=14,
    reads="renewal",
    summary="renewed certificate is not served",
    impact="Renewal works, and visitors do not get its result: when the old certificate expires, browsers refuse the "
    "site although a good one exists.",
    remediation="The server was not reloaded, or a proxy serves its own. `sudo nginx -t && sudo systemctl reload "
    "nginx`, then compare the serial: `openssl s_client -connect {host}:443 -servername {host} </dev/null | openssl "
    "x509 -noout -serial -dates` and `sudo certbot certificates`. For the next time: `sudo certbot renew "
    "--deploy-hook 'systemctl reload nginx' --dry-run`. Behind a CDN or load balancer, upload it there; if another "
    "machine had it issued, nothing is wrong here.",
    reference="checklist FAQ: renewed, but the old certificate is served; RFC 9162 section 8.3",
)
def newer_certificate_not_served(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare what is served with what lies on the audited machines, and with what the logs hold."""
    search = evidence.renewal.search if evidence.renewal else None
    audited = holding(evidence)
    if search is None and not audited:
        yield NotApplicable("no machine was audited, and no search of certificate-transparency logs is switched on")
        return
    if search and search.failure:
        reason = f"the search of certificate-transparency logs failed: {search.failure.words}"
        yield Unknown(site.name, reason, partial=True)
    known = frozenset(number(item.leaf.serial) for item in _all_served(evidence))
    logs = _superseded(evidence, search, known) if search and not search.failure else None
    if logs is None and not audited:
        return

    def fault(item: Served) -> Problem | Unknown | None:
        if item.leaf.not_before is None:
            return Unknown("", "the certificate cannot be parsed")
        return newer_on_disk(evidence, audited, item, known) or (logs(item) if logs else None)

    yield from judge(evidence, fault)


def _superseded(evidence: Evidence, search: Search, known: Container[int]) -> Callable[[Served], Problem | None]:
    # One of a pair of RSA and ECDSA certificates, or of two machines that renew each on its own, is newer than the
    # other; what is served at all is not missing.
    missing = [one for one in search.found if number(one.serial) not in known]

    def fault(item: Served) -> Problem | None:
        newer = [one for one in missing if _replaces(one, item.leaf, search.name, evidence.gathered_at)]
        if not newer or item.leaf.not_before is None:
            return None
        shown = listed((f"serial {one.serial} of {moment(one.not_before)}" for one in newer), 3)
        observed = (
            f"serial {item.leaf.serial} of {moment(item.leaf.not_before)} is served; since then "
            f"{organisation(item.leaf.issuer)} issued {shown} for the same names"
        )
        return Problem("", observed, f"serial {newer[0].serial}, valid until {moment(newer[0].not_after)}")

    return fault


def _replaces(one: Logged, leaf: Certificate, name: str, now: datetime) -> bool:
    """Whether a logged certificate is what should be served by now: newer, of the same issuer, for the same names."""
    if leaf.not_before is None or not leaf.not_before + timedelta(hours=1) < one.not_before < now - timedelta(days=1):
        return False
    if one.not_after <= now or organisation(one.issuer) != organisation(leaf.issuer) or not organisation(one.issuer):
        return False
    names = {known.lower() for known in leaf.dns_names if name in known.lower()}
    return bool(names) and names == set(one.names) and leaf.dns_name_count == len(leaf.dns_names)
