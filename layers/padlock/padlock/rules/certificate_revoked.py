"""Whether the issuer took a certificate back (RFC 5280 section 5). Let's Encrypt has lists only, and no OCSP."""

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from padlock.evidence import Certificate, Evidence, Revocation
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, described, judge, served
from padlock.rules._subjects import moment
from padlock.site import Site

SHORT_LIVED = timedelta(days=10)
"""Lifetime up to which public authorities need publish no revocation (Baseline Requirements section 4.9.7)."""


@rule(
    "certificate.revoked",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="certificate revoked",
    impact="Browsers that know of it refuse the page with no way past; the others follow within days. If the key was "
    "stolen, somebody else can pose as this site.",
    remediation="Find out why it was revoked first. Then `sudo certbot renew --force-renewal --cert-name NAME && "
    "sudo systemctl reload nginx`, with the NAME in `sudo certbot certificates`; where the key leaked, `sudo certbot "
    "delete --cert-name NAME` and `sudo certbot --nginx -d {host}`, so that nothing of the old one is used again.",
    reference="RFC 5280 section 5.3.1; CA/Browser Forum Baseline Requirements section 4.9.1",
)
def revoked(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find leaves, and intermediates on their path, that their issuer's list names."""
    for outcome in judge(evidence, lambda item: _fault(evidence, item)):
        # That a list could not be had leaves this open, not whether HTTPS works.
        seen = isinstance(outcome, Unknown) and bool(served(evidence, outcome.subject.partition(" ")[0]))
        yield replace(outcome, partial=True) if seen else outcome


def _fault(evidence: Evidence, item: Served) -> Problem | Unknown | None:
    if evidence.tls is None or item.verification is None:
        return Unknown("", "its chain was not verified")
    if item.verification.status not in ("trusted", "incomplete"):
        return Unknown("", "its chain is not trusted")
    chain = [evidence.tls.certificates.get(digest) for digest in item.handshake.chain]
    for certificate in filter(None, chain):
        look = evidence.tls.revocation(certificate.sha256)
        if look and look.status == "revoked":
            return Problem("", _said(certificate, look), "a certificate that its issuer stands by")
    own = evidence.tls.revocation(item.leaf.sha256)
    if own and own.status == "good":
        return None
    if not item.leaf.crl_urls and _is_short_lived(item.leaf):
        return None
    return Unknown("", own.detail if own else "its issuer's list was not asked for")


def _said(certificate: Certificate, look: Revocation) -> str:
    when = f" on {moment(look.revoked_at)}" if look.revoked_at else ""
    reason = f", reason {look.reason}" if look.reason else ""
    return f"{described(certificate)} was revoked{when}{reason}, says {look.url}"


def _is_short_lived(leaf: Certificate) -> bool:
    if leaf.not_before is None or leaf.not_after is None:
        return False
    return leaf.not_after - leaf.not_before <= SHORT_LIVED
