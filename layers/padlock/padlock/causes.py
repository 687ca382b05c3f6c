"""Findings → causes: why they are there, inferred from outside, in the order in which one debugs.

The order is the checklist's: DNS, firewall, nginx, certificate, redirects, app. What is seen from outside never makes
a cause certain.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

from padlock.findings import Cause, Finding, Severity, host_of

_DNS_BROKEN = (
    "dns.unresolvable",
    "dns.dangling_cname",
    "dns.cname_at_apex",
    "dns.cname_and_other_data",
    "dns.nameservers_disagree",
)
_DNS_WRONG = ("dns.unexpected_address", "dns.reserved_address")
_PORTS = ("port.https_closed", "port.http_closed")
_HEADERS_LOST = ("proxy.scheme_lost", "proxy.host_lost")
_HEADERS_LOST_SHOWN = ("redirect.downgrade", "redirect.refused", "redirect.malformed", "content.mixed_active")
"""What visitors meet where an app writes a wrong scheme or host."""
_ELSEWHERE = (
    "dns.missing_address",
    "server.default_site",
    "server.unexpected_content",
    "certificate.name_mismatch",
    "certificate.untrusted",
)
"""What comes with a wrong address: the right one is missing, and another server answers in the site's place."""

_NOT_RENEWED = ("certificate.expired", "certificate.expiring", "renewal.overdue")
_RENEWAL_STOPPED = (
    "certificate.expiring",
    "port.http_closed",
    "renewal.challenge_unreachable",
    "renewal.newer_certificate_not_served",
)
"""Why a certificate is not renewed, and what shows it beside the errors: a warning of its expiry."""


def infer(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """Return the causes of the findings, in the order in which to look into them."""
    return tuple(cause for find in _ORDER for cause in find(findings))


def _dns_broken(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, _DNS_BROKEN)
    if seen:
        yield Cause(
            "cause.dns_broken",
            "likely",
            f"The records of {_hosts(seen)} are wrong where the domain is managed. Nothing after DNS can work, or "
            f"only for some visitors, until they are right.",
            f"Correct the zone at the DNS provider, then compare: `dig +short {_first(seen)}`, `dig @1.1.1.1 "
            f"{_first(seen)}`, and each server that `dig +short NS {_first(seen)}` names (for a subdomain, ask for "
            f"NS of the domain).",
            _codes(seen),
        )


def _dns_wrong_server(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, _DNS_WRONG)
    if seen:
        hosts = {host_of(finding.subject) for finding in seen}
        shown = [finding for finding in _errors(findings, _ELSEWHERE) if host_of(finding.subject) in hosts]
        yield Cause(
            "cause.dns_wrong_server",
            "likely",
            f"DNS leads visitors of {_hosts(seen)} to an address that is not the declared server's. What answers "
            f"there is an old server or a stranger's, whatever the right server does.",
            f"Set the A and AAAA records of {_hosts(seen)} to the declared addresses, remove the stale ones, wait "
            f"for their TTL and look: `dig +short {_first(seen)} A`, `dig +short {_first(seen)} AAAA`.",
            _codes([*seen, *shown]),
        )


def _port_blocked(findings: Sequence[Finding]) -> Iterator[Cause]:
    # A port that opens and then hangs up is blocked by nobody.
    seen = [f for f in findings if f.code in _PORTS and not f.observed.startswith("the port opens")]
    if not seen:
        return
    # A firewall drops packets without an answer; a refusal comes from the machine, where nothing listens.
    dropped = any("no answer" in finding.observed or "firewall" in finding.observed for finding in seen)
    confidence: Literal["likely", "possible"] = "likely" if dropped else "possible"
    yield Cause(
        "cause.port_blocked",
        confidence,
        f"A firewall in front of {_hosts(seen)} keeps visitors away from the port."
        if dropped
        else f"Nothing listens on the port of {_hosts(seen)}, or a firewall rejects it. nginx may be stopped.",
        "`sudo ufw status` and `sudo ufw allow 'Nginx Full'`; the provider's firewall or security group must let TCP "
        "80 and 443 in over IPv4 and IPv6. Then `sudo systemctl status nginx` and `sudo ss -ltnp '( sport = :80 or "
        "sport = :443 )'`.",
        _codes(seen),
    )


def _server_name(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, ("server.default_site",))
    if seen:
        hosts = {host_of(finding.subject) for finding in seen}
        also = _errors(findings, ("certificate.name_mismatch", "server.unexpected_content"))
        shown = [finding for finding in also if host_of(finding.subject) in hosts]
        yield Cause(
            "cause.server_name",
            "likely",
            f"No server block of nginx names {_hosts(seen)}, so the default server answers. It has its own "
            f"certificate and its own pages.",
            f"`sudo nginx -T | grep -n server_name` must show {_hosts(seen)} in the block with `listen 443 ssl;`; "
            f"link the site into /etc/nginx/sites-enabled if it is missing, then `sudo nginx -t && sudo systemctl "
            f"reload nginx`.",
            _codes([*seen, *shown]),
        )


def _certificate_coverage(findings: Sequence[Finding]) -> Iterator[Cause]:
    default = {host_of(finding.subject) for finding in _errors(findings, ("server.default_site",))}
    seen = [f for f in _errors(findings, ("certificate.name_mismatch",)) if host_of(f.subject) not in default]
    if seen:
        names = " ".join(f"-d {host}" for host in dict.fromkeys(host_of(finding.subject) for finding in seen))
        yield Cause(
            "cause.certificate_coverage",
            "likely",
            f"The certificate was issued without {_hosts(seen)}. Or nginx serves it from another server block than "
            f"the one that is meant for that name.",
            f"`sudo certbot certificates` shows which names are covered; issue it again with all of them: `sudo "
            f"certbot --nginx --expand {names}` plus a `-d` for each name that it has now.",
            _codes([*seen, *_premature(findings)]),
        )


def _renewal_broken(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, _NOT_RENEWED)
    if seen:
        beside = [finding for finding in findings if finding.code in _RENEWAL_STOPPED]
        yield Cause(
            "cause.renewal_broken",
            "likely",
            f"The certificate of {_hosts(seen)} is long past the point at which it is renewed. Renewal fails or "
            "does not run, or nginx still serves the old file.",
            "`systemctl list-timers | grep certbot`, `sudo certbot renew --dry-run`, `sudo tail -n 100 "
            "/var/log/letsencrypt/letsencrypt.log`; if `sudo certbot certificates` shows a newer one: `sudo "
            "systemctl reload nginx`, and a `--deploy-hook 'systemctl reload nginx'` for the next time.",
            _codes([*seen, *beside, *_premature(findings)]),
        )


def _redirect_loop(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, ("redirect.loop",))
    if seen:
        yield Cause(
            "cause.redirect_loop",
            "likely",
            f"Two rules send visitors of {_hosts(seen)} back and forth: nginx, the app, or a CDN. Each is right by "
            "itself; together they never end.",
            seen[0].remediation,
            _codes(seen),
        )


def _upstream_down(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, ("app.bad_gateway",))
    if seen:
        shown = _errors(findings, ("server.unexpected_content", "server.addresses_disagree"))
        hosts = {host_of(finding.subject) for finding in seen}
        yield Cause(
            "cause.upstream_down",
            "likely",
            f"nginx answers for {_hosts(seen)} but gets nothing from the app behind it. The app has stopped, hangs, "
            f"or listens elsewhere than `proxy_pass` says; HTTPS is not the trouble.",
            "`sudo systemctl status gunicorn`, `sudo journalctl -u gunicorn -n 50`, `sudo tail -n 50 "
            "/var/log/nginx/error.log`, then `sudo systemctl restart gunicorn`.",
            _codes([*seen, *(finding for finding in shown if host_of(finding.subject) in hosts)]),
        )


def _proxy_headers(findings: Sequence[Finding]) -> Iterator[Cause]:
    seen = _errors(findings, _HEADERS_LOST)
    if seen:
        hosts = {host_of(finding.subject) for finding in seen}
        shown = [f for f in _errors(findings, _HEADERS_LOST_SHOWN) if host_of(f.subject) in hosts]
        what = " and the ".join(dict.fromkeys("host" if f.code == "proxy.host_lost" else "scheme" for f in seen))
        yield Cause(
            "cause.proxy_headers",
            "likely",
            f"The app behind {_hosts(seen)} does not know the {what} that visitors use: nginx (or a CDN) does not "
            "pass it on, or the app does not trust what is passed.",
            seen[0].remediation,
            _codes([*seen, *shown]),
        )


type _Find = Callable[[Sequence[Finding]], Iterator[Cause]]

_ORDER: tuple[_Find, ...] = (
    _dns_broken,
    _dns_wrong_server,
    _port_blocked,
    _server_name,
    _certificate_coverage,
    _renewal_broken,
    _redirect_loop,
    _proxy_headers,
    _upstream_down,
)


def _errors(findings: Sequence[Finding], codes: Collection[str]) -> list[Finding]:
    return [finding for finding in findings if finding.code in codes and finding.severity is Severity.ERROR]


def _premature(findings: Sequence[Finding]) -> list[Finding]:
    """Return the finding that HSTS is sent too early, which a certificate at fault brings about."""
    return [finding for finding in findings if finding.code == "hsts.premature"]


def _codes(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.code for finding in findings))


def _first(findings: Sequence[Finding]) -> str:
    return host_of(findings[0].subject)


def _hosts(findings: Sequence[Finding]) -> str:
    """Return the hosts that findings are about, in words."""
    names = list(dict.fromkeys(host_of(finding.subject) for finding in findings))
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
