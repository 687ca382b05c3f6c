"""Findings → causes: why they are there, in the order in which one debugs (the checklist's debugging section).

DNS, firewall, nginx, certificate, redirects, app. What is seen from outside makes a cause likely at most; what the
host says of itself makes it certain. Each finding leads to one cause; what a cause brings about leads to no other.
"""

from collections.abc import Sequence

from padlock.causes import app, certificates, dns, nginx, ports
from padlock.causes._clues import Clues
from padlock.findings import Cause, Finding, NotAssessed

_ORDER = (
    dns.broken,
    dns.wrong_server,
    ports.nginx_down,
    ports.blocked,
    nginx.stale_config,
    nginx.not_reloaded,
    nginx.server_name,
    certificates.coverage,
    certificates.renewal_broken,
    app.redirect_loop,
    app.proxy_headers,
    app.upstream_down,
    app.insecure_urls,
    app.prober_blocked,
)


def infer(findings: Sequence[Finding], not_assessed: Sequence[NotAssessed] = ()) -> tuple[Cause, ...]:
    """Return the causes of the findings, in the order in which to look into them."""
    clues = Clues(findings, not_assessed)
    return tuple(cause for find in _ORDER for cause in find(clues))
