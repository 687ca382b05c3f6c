"""Rules over each certificate that a visitor may be given: dates, names and form (checklist steps 4, 8 and 10)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from padlock.evidence import Certificate, Evidence, Verification
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, covers, described, judge, served, unseen_certificates
from padlock.rules._subjects import listed, moment, not_seen, quoted, span, spread
from padlock.site import Site

RENEW = "`sudo certbot renew && sudo systemctl reload nginx`"


def _expired_issuer(evidence: Evidence, chain: Sequence[str], look: Verification) -> Certificate | None:
    """Return the certificate sent beside the leaf that made a path expire."""
    sent = [evidence.tls.certificates.get(digest) for digest in chain[1:]] if evidence.tls else []
    return next((c for c in sent if c and c.not_after == look.path_not_after), None)


@rule(
    "certificate.expired",
    Severity.ERROR,
    step=(8, 10),
    reads="tls",
    summary="certificate expired",
    impact="Browsers show a full-page warning and refuse the site; programs that call it fail.",
    remediation=f"{RENEW}; if the date stays, `sudo certbot certificates` and the `ssl_certificate` lines of "
    "`sudo nginx -T` must name the same files. Then find out why renewal stopped: `sudo certbot renew --dry-run`, "
    "`systemctl list-timers | grep certbot`.",
    reference="checklist steps 8 and 10; RFC 5280 section 4.1.2.5",
)
def expired(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge by the clock of the evidence. An expired certificate beside a valid path harms nobody."""
    now = evidence.gathered_at

    def fault(item: Served) -> Problem | Unknown | None:
        leaf, look = item.leaf, item.verification
        if leaf.not_after is None:
            return Unknown("", "the certificate cannot be parsed")
        expected = "a certificate that is valid today"
        if leaf.not_after <= now:
            return Problem("", _gone(leaf.not_after, now), expected)
        if look and look.status == "expired" and look.path_not_after and look.path_not_after <= now:
            issuer = _expired_issuer(evidence, item.handshake.chain, look)
            who = f"the intermediate {issuer.subject}" if issuer else "an issuer's certificate on its way to the root"
            fix = f"The issuer's certificate is stale: {RENEW} fetches a new chain; serve fullchain.pem, not a copy."
            return Problem("", f"{who} {_gone(look.path_not_after, now)}", expected, remediation=fix)
        return None

    yield from judge(evidence, fault)


def _gone(when: datetime, now: datetime) -> str:
    return f"expired {span(now - when)} ago, on {moment(when)}"


@rule(
    "certificate.not_yet_valid",
    Severity.ERROR,
    step=(8, 10),
    reads="tls",
    summary="certificate not yet valid",
    impact="Browsers show a full-page warning and refuse the site until that date.",
    remediation="Check the clock of the machine that issued it (`timedatectl`), and issue it again: `sudo certbot "
    "renew --force-renewal --cert-name NAME && sudo systemctl reload nginx`, with the NAME that "
    "`sudo certbot certificates` shows.",
    reference="RFC 5280 section 4.1.2.5",
)
def not_yet_valid(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the leaf, and what was sent beside it where that spoils the path."""
    now = evidence.gathered_at

    def fault(item: Served) -> Problem | Unknown | None:
        if item.leaf.not_before is None:
            return Unknown("", "the certificate cannot be parsed")
        if item.leaf.not_before > now:
            return Problem("", _coming("valid", item.leaf.not_before, now), "a certificate that is valid today")
        look = item.verification
        if not look or look.status != "expired" or not evidence.tls:
            return None
        sent = [evidence.tls.certificates.get(digest) for digest in item.handshake.chain[1:]]
        early = [c for c in sent if c and c.not_before and c.not_before > now and c.subject in look.path]
        if not early or not early[0].not_before:
            return None
        text = _coming(f"the intermediate {early[0].subject} is valid", early[0].not_before, now)
        return Problem("", text, "a certificate that is valid today")

    yield from judge(evidence, fault)


def _coming(what: str, when: datetime, now: datetime) -> str:
    return f"{what} only from {moment(when)}, in {span(when - now)}"


SHORT_LIVED = timedelta(days=10)
"""Lifetime below which clients renew at one half instead of at two thirds."""


LATEST_RENEWAL = timedelta(days=30)
"""Remaining time before which no renewal is late, however long the certificate lives: those of 198 or 398 days are
renewed 60 to 30 days before their end (AWS Certificate Manager: 45)."""
LATEST_ALARM = timedelta(days=14)
"""Remaining time before which no expiry is an error; time enough to buy a certificate by hand."""


def renewal_due(lifetime: timedelta) -> timedelta:
    """Return the remaining time below which renewal is late: a third of the lifetime, half of a short one.

    ACME clients renew at that point or where the issuer's window says, which may end a day later, and look once or
    twice a day; hence two days' grace (an eighth of short lifetimes), so that a renewal on time never shows. Long
    lifetimes count as if they were 90 days.
    """
    return renewal_point(lifetime) - grace(lifetime)


def renewal_point(lifetime: timedelta) -> timedelta:
    """Return the remaining time at which ACME clients renew."""
    return min(lifetime / (2 if lifetime < SHORT_LIVED else 3), LATEST_RENEWAL)


def grace(lifetime: timedelta) -> timedelta:
    """Return how late a client may be that is well."""
    return min(timedelta(days=2), lifetime / 8)


def critical(lifetime: timedelta, days: int | None) -> timedelta:
    """Return the remaining time below which an expiry is an error: the site's threshold in days, or a tenth."""
    return min(lifetime / 10, LATEST_ALARM) if days is None else timedelta(days=days)


@rule(
    "certificate.expiring",
    Severity.WARNING,
    step=8,
    reads="tls",
    summary="certificate expires soon",
    impact="The site works today; from that date on browsers refuse it.",
    remediation=f"Find out why it was not renewed: `sudo certbot renew --dry-run`, `systemctl list-timers | grep "
    f"certbot`, `sudo tail -n 50 /var/log/letsencrypt/letsencrypt.log`. Then {RENEW}.",
    reference="checklist step 8; RFC 9773 section 4.2",
)
def expiring(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the remaining time by the lifetime; of a trusted chain its earliest expiry counts."""
    now = evidence.gathered_at

    def fault(item: Served) -> Problem | Unknown | None:
        leaf, look = item.leaf, item.verification
        if leaf.not_before is None or leaf.not_after is None:
            return Unknown("", "the certificate cannot be parsed")
        if look and look.status in ("expired", "self_signed", "unknown_issuer", "invalid"):
            return None  # browsers refuse it already, and another finding says why
        until = min(filter(None, [leaf.not_after, look.path_not_after if look else None]))
        lifetime, remaining = leaf.not_after - leaf.not_before, until - now
        error = remaining < critical(lifetime, site.thresholds.certificate_days)
        if until <= now or (not error and remaining >= renewal_due(lifetime)):
            return None
        what = "expires" if until == leaf.not_after else "its issuer's certificate expires"
        observed = f"{what} in {span(remaining)}, on {moment(until)}; it lives for {span(lifetime)}"
        days = site.thresholds.certificate_days
        usual = until - renewal_due(lifetime)
        due = min(usual, until - timedelta(days=days)) if days and error else usual
        declared = f" ({days} days before its end, as declared)" if due != usual else ""
        expected = f"renewed by {moment(due)}{declared}"
        return Problem("", observed, expected, Severity.ERROR if error else Severity.WARNING)

    yield from judge(evidence, fault)


@rule(
    "certificate.name_mismatch",
    Severity.ERROR,
    step=(8, 10),
    reads="tls",
    summary="certificate does not cover host",
    impact="Browsers show a full-page warning: the certificate belongs to another name.",
    remediation="`sudo certbot certificates` lists the names of each certificate.",
    reference="checklist steps 8 and 10; RFC 9525 section 6.3",
)
def name_mismatch(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare the SANs with the host; a wildcard covers one label, the common name counts for nothing."""

    def fault(item: Served) -> Problem | Unknown | None:
        leaf, host = item.leaf, item.handshake.host
        if covers(leaf, host):
            return None
        if leaf.malformed:
            return Unknown("", "the certificate cannot be parsed")
        if leaf.dns_name_count > len(leaf.dns_names):
            return Unknown("", f"only {len(leaf.dns_names)} of its {leaf.dns_name_count} names were kept")
        expected = f"a certificate whose subjectAltName has {host}"
        return Problem(
            "", f"{_covered(leaf)}, not {host}", expected, remediation=_name_fix(leaf, host, evidence.hosts)
        )

    yield from judge(evidence, fault)


def _covered(leaf: Certificate) -> str:
    names = [*leaf.dns_names, *leaf.ip_addresses]
    if names:
        return f"covers {listed(names)}"
    common = f"; the common name {quoted(leaf.common_name)} does not count" if leaf.common_name else ""
    return f"covers no name at all (no subjectAltName{common})"


def _name_fix(leaf: Certificate, host: str, hosts: Sequence[str]) -> str:
    issue = f"`sudo certbot --nginx --expand {' '.join(f'-d {name}' for name in hosts)}`"
    if any(covers(leaf, name) for name in hosts):
        return f"Take every host of the site into the certificate: {issue}."
    return (
        f"The certificate belongs to other names, so another server block answers: check that one has "
        f"`server_name {host};` (`sudo nginx -T | grep -n server_name`). Is there no certificate yet: {issue}."
    )


@rule(
    "certificate.default_differs",
    Severity.NOTICE,
    step=4,
    reads="tls",
    summary="another default certificate",
    impact="None for browsers; programs that send no server name meet another certificate. Usual on shared servers.",
    remediation="To make it the default: `listen 443 ssl default_server;` in the server block of {host}.",
    reference="checklist step 4; RFC 6066 section 3",
)
def default_differs(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare what is served without SNI; a server that refuses such handshakes does so on purpose."""
    named = [item for host in evidence.hosts for item in served(evidence, host)]
    known = {item.handshake.address for item in named}
    tried = evidence.tls.handshakes if evidence.tls else ()
    looks = [look for look in tried if not look.sni and look.address in known]
    if not looks or not named:
        yield Unknown(site.name, "no certificate was seen both with and without a server name", partial=bool(named))
        return
    ours = {look.address: "no look without a server name" for look in looks if look.failure and look.failure.is_ours}
    yield from not_seen(site.name, ours, [look.address for look in looks])
    faults: dict[str, Problem] = {}
    for look in looks:
        leaf = evidence.tls.leaf(look) if evidence.tls else None
        here = [item for item in named if item.handshake.address == look.address]
        if leaf and here and not _same_site(leaf, here):
            expected = f"the same as for {here[0].handshake.host}, if programs without SNI matter"
            faults[look.address] = Problem("", f"without a server name {described(leaf)} is served", expected)
    yield from spread(site.name, faults, [look.address for look in looks])


def _same_site(leaf: Certificate, here: Sequence[Served]) -> bool:
    """Whether it is one of the site's certificates, or stands for the same hosts with another key."""
    same = any(item.leaf.sha256 == leaf.sha256 for item in here)
    return same or all(covers(leaf, item.handshake.host) for item in here)


def _by_message(
    evidence: Evidence, sign: str, expected: str, text: Callable[[Served], str]
) -> Iterator[Problem | Unknown]:
    """Judge what every address sends, and handshakes that broke over it with a sign in their failure."""
    for host in evidence.hosts:
        tried = [look for look in evidence.tls.named() if look.host == host] if evidence.tls else []
        broken = {look.address: look.failure.detail for look in tried if look.failure and sign in look.failure.detail}
        seen = {item.handshake.address for item in served(evidence, host)}
        if not broken:
            yield from unseen_certificates(evidence, host)
        texts = {address: detail for address, detail in broken.items() if address not in seen}
        for item in served(evidence, host):
            if observed := text(item):
                texts.setdefault(item.handshake.address, observed)
        faults = {address: Problem("", observed, expected) for address, observed in texts.items()}
        yield from spread(host, faults, {*seen, *texts})


@rule(
    "certificate.malformed",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="certificate cannot be parsed",
    impact="Browsers refuse the connection: what the server sends is no certificate that they can read.",
    remediation="Look at it with `openssl s_client -connect {host}:443 -servername {host} -showcerts </dev/null | "
    "openssl x509 -noout -text`, and issue it again: `sudo certbot renew --force-renewal --cert-name NAME && sudo "
    "systemctl reload nginx`, with the NAME in `sudo certbot certificates`.",
    reference="RFC 5280 section 4.1",
)
def malformed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find certificates of a chain that break X.509's grammar, and handshakes that broke over one."""
    expected = "certificates that follow RFC 5280"
    yield from _by_message(evidence, "malformed certificate", expected, lambda item: _unreadable(evidence, item))


def _unreadable(evidence: Evidence, item: Served) -> str:
    chain = [evidence.tls.certificates.get(digest) for digest in item.handshake.chain] if evidence.tls else []
    broken = [
        f"certificate {number} of the chain: {certificate.malformed}"
        for number, certificate in enumerate(chain, 1)
        if certificate and certificate.malformed
    ]
    return "; ".join(broken)


LARGEST_MESSAGE = 102_400
"""Octets of a Certificate message that OpenSSL and BoringSSL accept (SSL_MAX_CERT_LIST_DEFAULT, 100 KiB); most
clients build on one of them."""
MOST_NAMES = 1_000
"""Names beyond which a certificate is called too large whatever its octets; no public CA issues as many."""


@rule(
    "certificate.too_large",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="certificate too large",
    impact="Browsers and programs break the connection off, or wait for several round trips at each visit.",
    remediation="Split the names over several certificates, one for each site: "
    "`sudo certbot --nginx -d {host}`; and send no more than the leaf and its intermediates (fullchain.pem).",
    reference="RFC 8446 section 4.4.2; OpenSSL SSL_CTX_set_max_cert_list",
)
def too_large(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find chains beyond what clients accept, by octets or by names, and handshakes that broke over the size."""
    expected = f"at most {LARGEST_MESSAGE // 1024} KiB and {MOST_NAMES:,} names"
    yield from _by_message(evidence, "excessive message size", expected, lambda item: _oversize(evidence, item))


def _oversize(evidence: Evidence, item: Served) -> str:
    chain = [evidence.tls.certificates.get(digest) for digest in item.handshake.chain] if evidence.tls else []
    octets = sum(certificate.size for certificate in chain if certificate)
    if octets > LARGEST_MESSAGE:
        return f"{octets:,} octets of certificates"
    return f"{item.leaf.dns_name_count:,} names" if item.leaf.dns_name_count > MOST_NAMES else ""
