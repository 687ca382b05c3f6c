"""Causes in the certificate and its renewal (checklist steps 8 and 14)."""

from collections.abc import Iterator

from padlock.causes._clues import Clues, about, cause, host_set, hosts
from padlock.findings import Cause, host_of

_TOO_OLD = ("certificate.expired", "certificate.expiring", "renewal.overdue")
_RENEWAL = ("certbot.no_timer", "certbot.dry_run_failed", "certbot.expired")
_BESIDE = ("certificate.expiring", "port.http_closed", "renewal.challenge_unreachable", "dns.caa_forbids_issuer")
"""What shows why renewal stopped, and the warning of the expiry; none of them leads to it alone."""


def coverage(clues: Clues) -> Iterator[Cause]:
    """Look for a certificate without all names."""
    seen = clues.errors("certificate.name_mismatch", "certbot.names", "certbot.missing")
    if not seen:
        return
    shown = clues.any("hsts.premature")
    clues.take([*seen, *shown])
    # Without any certificate of certbot's there is none to expand.
    none = dict.fromkeys(finding.remediation for finding in seen if finding.code == "certbot.missing")
    missing = dict.fromkeys(host_of(f.subject) for f in seen if f.code == "certificate.name_mismatch")
    names = " ".join(f"-d {host}" for host in missing or host_set(seen))
    yield cause(
        "cause.certificate_coverage",
        seen,
        f"The certificate was issued without {hosts(seen)}. Or nginx serves it from another server block than the "
        "one that is meant for that name."
        if not any(finding.code.startswith("certbot.") for finding in seen)
        else f"certbot has no certificate that covers {hosts(seen)}.",
        "\n".join(none)
        or "`sudo certbot certificates` shows which names are covered; issue it again with all of them: `sudo "
        f"certbot --nginx --expand {names}` plus a `-d` for each name that it has now.",
        shown=shown,
    )


def renewal_broken(clues: Clues) -> Iterator[Cause]:
    """Look for a certificate that should have been renewed, or a host that would not renew it."""
    seen = [*clues.errors(*_TOO_OLD), *clues.errors(*_RENEWAL)]
    if not seen:
        return
    shown = [f for f in [*about(clues.any(*_BESIDE), seen), *clues.any("hsts.premature")] if f not in seen]
    clues.take([*seen, *shown])
    too_old = [finding for finding in seen if finding.code in _TOO_OLD]
    # What is broken on the host has a fix of its own.
    known = dict.fromkeys(f.remediation for f in seen if f.code in ("certbot.no_timer", "certbot.expired"))
    yield cause(
        "cause.renewal_broken",
        seen,
        f"The certificate of {hosts(too_old)} is long past the point at which it is renewed. Renewal fails or does "
        "not run, or nginx still serves the old file."
        if too_old
        else f"The certificate of {hosts(seen)} will not be renewed: certbot does not run by itself, or fails.",
        "\n".join(known)
        or "`systemctl list-timers | grep certbot`, `sudo certbot renew --dry-run`, `sudo tail -n 100 "
        "/var/log/letsencrypt/letsencrypt.log`; if `sudo certbot certificates` shows a newer one: `sudo systemctl "
        "reload nginx`, and a `--deploy-hook 'systemctl reload nginx'` for the next time.",
        shown=shown,
    )
