"""Causes in redirects, forwarded headers and the app (checklist steps 11, 13, 16 and 17)."""

from collections.abc import Iterator

from padlock.causes._clues import Clues, about, cause, first, hosts
from padlock.findings import Cause, Finding, NotAssessed, Severity

_LOST = ("proxy.scheme_lost", "proxy.host_lost")
_LOST_SHOWN = (
    "redirect.downgrade",
    "redirect.refused",
    "redirect.malformed",
    "content.mixed_active",
    "content.mixed_passive",
    "proxy.insecure_cookie",
)
"""What visitors meet where an app writes a wrong scheme or host."""


def redirect_loop(clues: Clues) -> Iterator[Cause]:
    """Look for rules that send visitors in a circle."""
    loops = clues.errors("redirect.loop")
    if not loops:
        return
    # An app that never learns of HTTPS redirects to it for ever: nginx's missing header is why.
    headers = about(_dropped(clues), loops)
    shown = about(clues.any(*_LOST, *_LOST_SHOWN, "app.unhealthy"), loops)
    clues.take([*loops, *headers, *shown])
    yield cause(
        "cause.redirect_loop",
        [*loops, *headers],
        f"Two rules send visitors of {hosts(loops)} back and forth: nginx, the app, or a CDN. Each is right by "
        "itself; together they never end.",
        loops[0].remediation,
        shown=shown,
    )


def _dropped(clues: Clues) -> list[Finding]:
    """Return where nginx drops headers that an app needs; one that it can do without leads to nothing."""
    return [f for f in clues.any("nginx.proxy_headers") if f.severity is not Severity.NOTICE]


def proxy_headers(clues: Clues) -> Iterator[Cause]:
    """Look for an app that does not learn which scheme or host visitors use."""
    lost = clues.errors(*_LOST)
    if not lost:
        return
    headers = about(_dropped(clues), lost)
    shown = about(clues.any(*_LOST_SHOWN), lost)
    clues.take([*lost, *headers, *shown])
    what = " and the ".join(dict.fromkeys("host" if f.code == "proxy.host_lost" else "scheme" for f in lost))
    yield cause(
        "cause.proxy_headers",
        [*lost, *headers],
        f"The app behind {hosts(lost)} does not know the {what} that visitors use: nginx (or a CDN) does not pass it "
        "on, or the app does not trust what is passed.",
        lost[0].remediation,
        shown=shown,
    )


def upstream_down(clues: Clues) -> Iterator[Cause]:
    """Look for an app that does not answer nginx."""
    seen = clues.errors("app.bad_gateway", "upstream.unreachable")
    if not seen:
        return
    shown = about(clues.any("server.unexpected_content", "server.addresses_disagree", "app.unhealthy"), seen)
    shown += about(clues.any("logs.upstream_errors", "app.health_missing"), seen)
    clues.take([*seen, *shown])
    by_host = [finding for finding in seen if finding.code == "upstream.unreachable"]
    denied = by_host and all(finding.observed.count("(permission denied") for finding in by_host)
    yield cause(
        "cause.upstream_down",
        seen,
        f"nginx answers for {hosts(seen)} but may not open the socket of the app behind it: its user lacks the "
        "permission. The app itself may well run; HTTPS is not the trouble."
        if denied
        else f"nginx answers for {hosts(seen)} but gets nothing from the app behind it. The app has stopped, hangs, "
        "or listens elsewhere than `proxy_pass` says; HTTPS is not the trouble.",
        "\n".join(dict.fromkeys(finding.remediation for finding in by_host))
        or "`sudo systemctl status gunicorn`, `sudo journalctl -u gunicorn -n 50`, `sudo tail -n 50 "
        "/var/log/nginx/error.log`, then `sudo systemctl restart gunicorn`.",
        shown=shown,
    )


def insecure_urls(clues: Clues) -> Iterator[Cause]:
    """Look for pages that name their parts by http://."""
    seen = clues.errors("content.mixed_active")
    if not seen:
        return
    seen += about(clues.any("content.mixed_passive"), seen)
    clues.take(seen)
    yield cause(
        "cause.insecure_urls",
        seen,
        f"Pages of {hosts(seen)} name scripts, styles or forms by http:// URLs, which browsers block or warn of on a "
        "page that came over HTTPS.",
        f"Write those URLs with https:// or without a scheme: in the templates, in the database, and where the app "
        f"builds absolute ones (Flask: `url_for(..., _external=True)` needs ProxyFix, or PREFERRED_URL_SCHEME). "
        f"`curl -s https://{first(seen)}/ | grep -n 'http://'` shows them.",
    )


def prober_blocked(clues: Clues) -> Iterator[Cause]:
    """Look for a firewall that lets people in, and Padlock not."""
    # Of a host that did not answer at all nobody knows whether it turns anybody away.
    turned_away: list[NotAssessed] = [
        entry for entry in clues.not_assessed if entry.code == "app.blocked" and "://" in entry.subject
    ]
    if turned_away:
        names = ", ".join(dict.fromkeys(entry.subject for entry in turned_away))
        yield Cause(
            "cause.prober_blocked",
            "likely",
            f"A web application firewall or a bot check turns Padlock away from {names}. Visitors may well get in; "
            "what they see was not assessed.",
            "Let Padlock's user agent through where that firewall is managed, or declare a health path that it "
            "leaves open, then check again.",
            ("app.blocked",),
        )
