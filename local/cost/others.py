"""What others ask for the part of the same that they can do: Synthetics, Route 53 and hosted monitors."""

from collections.abc import Callable, Sequence

import msgspec

from local.cost.prices import Plan, plans, tariff, unchecked
from local.cost.stack import MINUTES_A_MONTH

NOT_OF_MONITORS = (
    "the chain and each address for itself, DNS and its servers, both hosts and both ports, redirects, headers, "
    "causes and commands that fix them"
)


class Other(msgspec.Struct, frozen=True):
    """One of the others."""

    name: str
    checks: str
    misses: str
    cost: Callable[[int, float], float | None]
    """Sites, minutes → USD a month without AWS's free tier; None where it cannot do that often or so many."""
    checked: bool
    """Whether all its prices were looked up."""


def others(region: str) -> Sequence[Other]:
    """Return all of them, with Amazon's prices of a region."""
    return (*_of_amazon(region), *(_hosted(name) for name in sorted({plan.name for plan in plans()})))


def canaries(sites: int, minutes: float, region: str) -> float:
    """Return what one canary for each site costs, its runs alone."""
    return tariff("canary_runs", region).charge(sites * MINUTES_A_MONTH / minutes)


def health_checks(sites: int, region: str, *, endpoints: str = "other") -> float:
    """Return what one health check for each site costs, with HTTPS and a string, whatever the interval."""
    check, feature = tariff(f"health_{endpoints}", region), tariff(f"health_feature_{endpoints}", region)
    return check.charge(sites) + feature.charge(2 * sites)


def cheapest(offers: Sequence[Plan], sites: int, minutes: float) -> float | None:
    """Return the price of the cheapest plan that checks so many sites so often; None: there is none."""
    able = (plan.cost(sites) for plan in offers if plan.seconds <= minutes * 60)
    return min((cost for cost in able if cost is not None), default=None)


def _of_amazon(region: str) -> Sequence[Other]:
    return (
        Other(
            "CloudWatch Synthetics, one canary",
            "what its script does, in a browser or by requests",
            "all that nobody writes into the script; its Lambda seconds, storage and logs cost extra",
            lambda sites, minutes: canaries(sites, minutes, region),
            not unchecked(tariff("canary_runs", region).tiers),
        ),
        Other(
            "Route 53, one health check, HTTPS and a string, a server outside AWS",
            "connection, status code and a string, every 30 s from many places",
            "the certificate (one that is expired or of another name passes), DNS, redirects, the second host",
            lambda sites, _: health_checks(sites, region),
            not unchecked(tariff("health_other", region).tiers),
        ),
        Other(
            "The same, a server in AWS",
            "the same",
            "the same",
            lambda sites, _: health_checks(sites, region, endpoints="aws"),
            not unchecked(tariff("health_aws", region).tiers),
        ),
    )


def _hosted(name: str) -> Other:
    offers = [plan for plan in plans() if plan.name == name]
    checks = f"one URL: {offers[-1].checks}"
    return Other(
        f"{name}, one monitor",
        checks,
        NOT_OF_MONITORS,
        lambda sites, minutes: cheapest(offers, sites, minutes),
        not unchecked(offers),
    )
