"""Padlock's look at the lab: every scenario gathered and judged from the checker's side."""

import asyncio
import datetime as dt
from typing import Any

import msgspec
from padlock import assess, probes, site
from padlock.evidence import Evidence
from padlock.findings import Report
from padlock.network.vantage import Vantage

from tests.lab import names, registry, services
from tests.lab.lab import Lab
from tests.lab.scenarios import Scenario

AT_ONCE = 20


class Seen(msgspec.Struct, frozen=True):
    """What Padlock saw of one scenario, and what it says of it."""

    evidence: Evidence
    report: Report


def vantage(lab: Lab) -> Vantage:
    """Return the checker's vantage point: public resolvers at their own addresses, one network opened."""
    return Vantage(
        resolvers=((names.RESOLVER, 53),),
        networks=("198.18.0.0/24",),
        ca_file=str(lab.ca_file),
        services={"ari": services.DIRECTORY, "ct": services.SEARCH, "rdap": registry.URL},
        region="lab",
    )


def declaration(lab: Lab, scenario: Scenario) -> dict[str, Any]:
    """Return what the scenario's owner declares."""
    private = {"private_ca": (lab.certificates / "private-root.pem").read_text()} if scenario.private_ca else {}
    return {"name": scenario.name, **private, **scenario.declare}


async def look(lab: Lab, scenarios: list[Scenario]) -> dict[str, Seen]:
    """Gather and judge scenarios, several at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(scenario: Scenario) -> Seen:
        async with slots:
            declared = site.parse(declaration(lab, scenario))
            evidence = await probes.gather(declared, dt.datetime.now(dt.UTC), vantage(lab))
        return Seen(evidence, assess.assess(evidence))

    results = await asyncio.gather(*(one(scenario) for scenario in scenarios))
    return dict(zip((scenario.name for scenario in scenarios), results, strict=True))
