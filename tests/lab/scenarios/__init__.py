"""Every site of the lab. Each code has a broken one; the healthy ones are their twins."""

from tests.lab.scenarios import certificates, dns, healthy, hsts, ports, redirects, servers
from tests.lab.scenarios._scenario import Block, Scenario, Service

BROKEN: tuple[Scenario, ...] = tuple(
    scenario for module in (dns, ports, certificates, servers, redirects, hsts) for scenario in module.SCENARIOS
)
HEALTHY: tuple[Scenario, ...] = healthy.SCENARIOS
ALL = (*HEALTHY, *BROKEN)

__all__ = ["ALL", "BROKEN", "HEALTHY", "Block", "Scenario", "Service"]
