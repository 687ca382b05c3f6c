"""A resolver and the authoritative servers of one zone on loopback, and Padlock's look around at them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from padlock import evidence as ev
from padlock.network.dns import Direct
from padlock.network.vantage import Endpoint, Vantage
from padlock.probes.dns import Surroundings, begin_looks, resolver_of, surroundings
from padlock.probes.zone_cuts import Means
from padlock.site import parse

from tests.dns_server import Answer, Server, serve, zone

NAME, WWW = "example.com", "www.example.com"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LOOPBACK = ("127.0.0.0/8",)
NS1, NS2, PARENT = "127.0.0.11", "127.0.0.12", "127.0.0.21"
DELEGATED = ("@ NS ns1", "@ NS ns2", f"ns1 A {NS1}", f"ns2 A {NS2}")
DATA = (*DELEGATED, "@ A 192.0.2.1", "www A 192.0.2.1")
COM = ("com", "@ NS a.gtld.com.", f"a.gtld A {PARENT}")
BELOW = ("example NS ns1.example", "example NS ns2.example", f"ns1.example A {NS1}", f"ns2.example A {NS2}")
DELEGATION = zone(*COM, *BELOW)


class World:
    """A resolver, authoritative servers on one port of several addresses, and who was asked what."""

    def __init__(
        self, vantage: Vantage, resolving: Server, servers: Mapping[str, Server], allowed: tuple[str, ...]
    ) -> None:
        self.vantage, self.servers, self.allowed = vantage, servers, allowed
        self.resolving = resolving
        self.resolver = resolver_of(vantage)

    async def siblings(self, declaration: str | Mapping[str, object] = NAME) -> tuple[ev.HostDns, ...]:
        """Look up the hosts of a site."""
        async with asyncio.TaskGroup() as tasks:
            looks = begin_looks(tasks, self.resolver, parse(declaration), self.allowed)
        return tuple(look.found.result() for look in looks)

    async def look(
        self, declaration: str | Mapping[str, object] = NAME
    ) -> tuple[tuple[ev.HostDns, ...], Surroundings]:
        """Look up the hosts of a site and everything around them, with a resolver that remembers nothing yet."""
        self.resolver = resolver_of(self.vantage)
        port = self.vantage.nameserver_port
        means = Means(self.resolver, Direct(), port, self.allowed)
        async with asyncio.TaskGroup() as tasks:
            looks = begin_looks(tasks, self.resolver, parse(declaration), self.allowed)
            around = await surroundings(means, self.vantage.public_resolvers, parse(declaration), looks)
        return tuple(look.found.result() for look in looks), around

    async def zone(self, declaration: str | Mapping[str, object] = NAME) -> ev.Zone:
        """Look at the site's only zone."""
        _, (zones, *_) = await self.look(declaration)
        (only,) = zones
        return only


@asynccontextmanager
async def world(
    resolver: Answer,
    servers: Mapping[str, Answer] | None = None,
    *,
    public: tuple[Endpoint, ...] = (),
    allowed: tuple[str, ...] = LOOPBACK,
) -> AsyncIterator[World]:
    """Run a resolver and the authoritative servers, address → behaviour."""
    async with AsyncExitStack() as running:
        resolving = await running.enter_async_context(serve(resolver))
        started: dict[str, Server] = {}
        port = 0
        for address, answer in (servers or {}).items():
            started[address] = await running.enter_async_context(serve(answer, address, port))
            port = started[address].endpoint[1]
        vantage = Vantage((resolving.endpoint,), public, port or 1)
        yield World(vantage, resolving, started, allowed)
