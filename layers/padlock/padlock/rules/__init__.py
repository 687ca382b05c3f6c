"""The catalogue of checks. A new subject adds one import line; the order is the order of a report."""

from padlock.rules._rule import RULES, NotApplicable, Problem, Rule, Unknown

# isort: off
from padlock.rules import dns, dns_addresses, dns_servers, dnssec, registration  # noqa: F401
from padlock.rules import ports, certificate, certificate_chain  # noqa: F401
from padlock.rules import certificate_revoked, caa, tls  # noqa: F401
from padlock.rules import server, server_exposed, app, app_service, redirects, canonical, hsts, content, proxy  # noqa: F401
from padlock.rules import renewal, renewal_challenge  # noqa: F401
from padlock.rules import nginx, nginx_names, nginx_redirects, nginx_certificates, nginx_reload, nginx_proxy  # noqa: F401
from padlock.rules import certbot, certbot_renewal, firewall, upstream, logs  # noqa: F401
# isort: on

__all__ = ["RULES", "NotApplicable", "Problem", "Rule", "Unknown"]
