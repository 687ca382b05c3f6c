"""Every site of the lab. Each code has a broken one; the healthy ones are their twins."""

from tests.lab.scenarios import (
    apps,
    certificates,
    content,
    dns,
    healthy,
    hsts,
    ports,
    redirects,
    registrations,
    renewal,
    servers,
    tls,
)
from tests.lab.scenarios._scenario import Block, Scenario, Service

BROKEN: tuple[Scenario, ...] = tuple(
    scenario
    for module in (dns, ports, certificates, tls, servers, redirects, hsts, content, apps, renewal, registrations)
    for scenario in module.SCENARIOS
)
HEALTHY: tuple[Scenario, ...] = (
    healthy.SCENARIOS + tls.HEALTHY + content.HEALTHY + apps.HEALTHY + renewal.HEALTHY + registrations.HEALTHY
)
ALL = (*HEALTHY, *BROKEN)

__all__ = ["ALL", "BROKEN", "HEALTHY", "Block", "Scenario", "Service"]
