"""Look-ups that fail by validation: asked again without it, and only where the first ended in SERVFAIL."""

import asyncio

import dns.flags
from padlock.network.dns import Direct, Resolver
from padlock.probes.dns import begin_looks, resolve_host, surroundings
from padlock.probes.zone_cuts import Means
from padlock.site import parse

from tests import dns_server
from tests.dns_server import Query, rcode, recursive, when

ZONE = recursive(("shop.test", "@ A 192.0.2.1"))
BOGUS = rcode("SERVFAIL", (6, "signature expired"))


def validating(query: Query, transport: str) -> object:
    """Answer as a validating resolver does for a zone with broken signatures."""
    return (ZONE if query.flags & dns.flags.CD else BOGUS)(query, transport)


async def test_bogus_zone_is_asked_without_validation() -> None:
    """The resolver's own words and the answer behind them are both kept."""
    async with dns_server.serve(validating) as server:  # type: ignore[arg-type]
        found = await resolve_host(Resolver([server.endpoint]), "shop.test")
    assert (found.a.status, found.a.extended_error) == ("servfail", "6 DNSSEC Bogus: signature expired")
    assert found.unchecked
    assert (found.unchecked.status, found.unchecked.records) == ("ok", ("192.0.2.1",))
    assert found.addresses == (), "an answer that does not validate is no address to connect to"


async def test_broken_proof_of_absence() -> None:
    """Where only AAAA fails, AAAA is what is asked again."""
    answer = when(lambda _, rdtype: rdtype == "AAAA", validating, ZONE)  # type: ignore[arg-type]
    async with dns_server.serve(answer) as server:
        found = await resolve_host(Resolver([server.endpoint]), "shop.test")
    assert found.addresses == ("192.0.2.1",)
    assert found.unchecked
    assert (found.unchecked.rdtype, found.unchecked.status) == ("AAAA", "nodata")


async def test_passing_trouble_is_not_bogus() -> None:
    """A look-up that works on the second try says nothing of validation."""
    asked = 0

    def moody(query: Query, transport: str) -> object:
        nonlocal asked
        asked += 1
        return (BOGUS if asked <= 4 else ZONE)(query, transport)

    async with dns_server.serve(moody) as server:  # type: ignore[arg-type]
        found = await resolve_host(Resolver([server.endpoint]), "shop.test")
    assert found.a.status == "servfail"
    assert found.unchecked is None


async def test_healthy_name_costs_no_further_question() -> None:
    """Only SERVFAIL is looked into."""
    async with dns_server.serve(ZONE) as server:
        found = await resolve_host(Resolver([server.endpoint]), "shop.test")
        assert len(server.asked) == 2
    assert found.unchecked is None


async def test_public_resolver_that_validates() -> None:
    """A public resolver that refuses what the system's own gives out is asked without validation, too."""
    async with dns_server.serve(ZONE) as own, dns_server.serve(validating) as public:  # type: ignore[arg-type]
        resolver = Resolver([own.endpoint])
        site = parse({"name": "shop.test", "hosts": ["shop.test"]})
        means = Means(resolver, Direct(), 53, ())
        async with asyncio.TaskGroup() as tasks:
            (look,) = begin_looks(tasks, resolver, site)
            _, (seen,), _, _ = await surroundings(means, (public.endpoint,), site, [look])
    assert look.found.result().unchecked is None
    assert seen.a.extended_error.startswith("6 DNSSEC Bogus")
    assert seen.unchecked
    assert seen.unchecked.records == ("192.0.2.1",)
