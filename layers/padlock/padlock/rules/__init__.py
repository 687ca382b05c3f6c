"""The catalogue of checks. A new subject adds one import line; the order is the order of a report."""

from padlock.rules._rule import RULES, NotApplicable, Problem, Rule, Unknown

# isort: off
from padlock.rules import dns, dns_addresses, dns_servers, ports, certificate, certificate_chain, tls  # noqa: F401
from padlock.rules import server, app, redirects, canonical, hsts  # noqa: F401
# isort: on

__all__ = ["RULES", "NotApplicable", "Problem", "Rule", "Unknown"]
