"""What DNS says of a site's hosts (checklist steps 1 and 2)."""

import asyncio
import functools
import ipaddress
from collections.abc import Sequence

import msgspec

from padlock.evidence import HostDns, Lookup, PublicResolver, Zone
from padlock.network.addresses import refusal
from padlock.network.dns import Direct, Resolver, system_resolver
from padlock.network.dns_message import Question, Reply, failed
from padlock.network.limits import OTHER_FAMILY_SECONDS
from padlock.network.vantage import Endpoint, Vantage
from padlock.probes.nameservers import Look, Prober
from padlock.probes.zone_cuts import Means, lookup_of
from padlock.site import Site

type Surroundings = tuple[tuple[Zone, ...], tuple[PublicResolver, ...], dict[str, tuple[str, ...]], dict[str, Lookup]]
"""The fields zones, public, wildcard and targets of padlock.evidence.Dns."""


def resolver_of(vantage: Vantage) -> Resolver:
    """Return the vantage point's resolver, with an empty memory: use it for one run of one site."""
    return Resolver(vantage.resolvers) if vantage.resolvers else system_resolver()


async def resolve_host(
    resolver: Resolver, host: str, *, derived: bool = False, allowed: Sequence[str] = ()
) -> HostDns:
    """Look up a host's addresses, and vet each of them; `allowed` are CIDR ranges beyond the public ones."""
    a, aaaa = await _both(resolver, host)
    named = ((address, refusal(address, allowed)) for address in a.records + aaaa.records)
    refused = {address: block for address, block in named if block}
    failing = next((reply for reply in (a, aaaa) if reply.status == "servfail"), None)
    unchecked = await resolver.unchecked(failing) if failing else None
    return HostDns(
        host, lookup_of(a), lookup_of(aaaa), derived, refused, unchecked=lookup_of(unchecked) if unchecked else None
    )


async def _both(resolver: Resolver, host: str) -> tuple[Reply, Reply]:
    """Look up both families; where one has addresses, the other is not waited for much longer."""
    looks = [asyncio.create_task(resolver.lookup(host, rdtype)) for rdtype in ("A", "AAAA")]
    try:
        done, waiting = await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            found = any(look.result().records for look in done)
            await asyncio.wait(waiting, timeout=OTHER_FAMILY_SECONDS if found else None)
        late = f"no answer {OTHER_FAMILY_SECONDS:g} s after the other family's"
        a, aaaa = (
            look.result() if look.done() else failed(Question(host, rdtype), "timeout", late)
            for look, rdtype in zip(looks, ("A", "AAAA"), strict=True)
        )
    finally:
        for look in looks:
            look.cancel()
    return a, aaaa


def sibling_of(name: str) -> str:
    """Return the host that visitors take for the same site: with www, or without."""
    bare = name.removeprefix("www.")
    return bare if bare != name and "." in bare else f"www.{name}"


def begin_looks(
    tasks: asyncio.TaskGroup, resolver: Resolver, site: Site, allowed: Sequence[str] = ()
) -> tuple[Look, ...]:
    """Start to look up the declared hosts' addresses; without a declaration the name's and its sibling's."""
    declared = tuple(
        Look(host, tasks.create_task(resolve_host(resolver, host, allowed=allowed)))
        for host in site.hosts or (site.name,)
    )
    if site.hosts:
        return declared
    sibling = tasks.create_task(_sibling(resolver, site.name, declared[0].found, allowed))
    return (*declared, Look(sibling_of(site.name), sibling, derived=True))


async def _sibling(resolver: Resolver, name: str, of_name: asyncio.Task[HostDns], allowed: Sequence[str]) -> HostDns:
    """Return the addresses of a name's www or apex sibling; none where it exists by a wildcard only."""
    resolver.begin_both(_random_beside(resolver, _www(name)))
    sibling = await resolve_host(resolver, sibling_of(name), derived=True, allowed=allowed)
    if sibling.exists and await _exists_by_wildcard(resolver, await of_name, sibling):
        return _without_addresses(sibling)
    return sibling


async def random_beside(resolver: Resolver, host: str) -> tuple[Reply, Reply]:
    """Look up a name that nobody published, beside a host: its addresses come from a wildcard (RFC 4592)."""
    return await resolver.lookup_both(_random_beside(resolver, host))


def _random_beside(resolver: Resolver, host: str) -> str:
    return f"{resolver.random_label}.{host.partition('.')[2]}"


def _www(name: str) -> str:
    """Return the longer one of a name and its sibling."""
    return max(name, sibling_of(name), key=len)


async def _exists_by_wildcard(resolver: Resolver, name: HostDns, sibling: HostDns) -> bool:
    """Whether the sibling has no records of its own. At an apex even so it is a host that visitors use."""
    www, bare = (sibling, name) if len(sibling.host) > len(name.host) else (name, sibling)
    if not _equal(www, await random_beside(resolver, www.host)):
        return False  # www has records of its own, so that the name above exists too (RFC 4592 section 2.2.2)
    if not await _is_below_apex(resolver, bare.host):
        return False
    return _equal(sibling, await random_beside(resolver, sibling.host))


async def _is_below_apex(resolver: Resolver, name: str) -> bool:
    """Whether the name is certainly no zone's apex: a CNAME stands there, or another zone's SOA answers for it."""
    reply = await resolver.lookup(name, "NS")
    return bool(reply.cnames) or (reply.status in ("nodata", "nxdomain") and reply.zone not in ("", name))


def _equal(host: HostDns, other: tuple[Reply, Reply]) -> bool:
    a, aaaa = other
    if host.a.cnames or a.cnames:  # the target's addresses may rotate, the target does not
        return host.a.cnames[:1] == a.cnames[:1]
    return host.addresses == a.records + aaaa.records


def _without_addresses(sibling: HostDns) -> HostDns:
    detail = "exists only by a DNS wildcard, as every other name beside it does"
    absent = {"status": "nodata", "records": (), "count": 0, "cnames": (), "detail": detail}
    a, aaaa = (msgspec.structs.replace(lookup, **absent) for lookup in (sibling.a, sibling.aaaa))
    return msgspec.structs.replace(sibling, a=a, aaaa=aaaa, refused={})


async def surroundings(
    means: Means, public_resolvers: Sequence[Endpoint], site: Site, looks: Sequence[Look]
) -> Surroundings:
    """Ask everyone else who may know the hosts: authoritative servers, public resolvers, a wildcard, CNAME targets.

    Nothing that probes an address needs to wait for it, nor it for the addresses of a declared host.
    """
    return await asyncio.gather(
        Prober(means).zones(looks),
        _public(means.direct, public_resolvers, looks),
        _wildcard(means.resolver, site.name),
        _targets(means.resolver, site.addresses),
    )


async def _public(direct: Direct, resolvers: Sequence[Endpoint], looks: Sequence[Look]) -> tuple[PublicResolver, ...]:
    """Return each public resolver's answer for each host, resolver by resolver."""

    async def about(look: Look) -> list[PublicResolver]:
        if not await look.counts():
            return []
        return await asyncio.gather(*(_public_answer(direct, resolver, look.host) for resolver in resolvers))

    by_host = [answers for answers in await asyncio.gather(*map(about, looks)) if answers]
    return tuple(answer for of_resolver in zip(*by_host, strict=True) for answer in of_resolver)


async def _public_answer(direct: Direct, resolver: Endpoint, host: str) -> PublicResolver:
    # One try each: they are never required, and where port 53 is closed outwards they would hold up every run.
    a, aaaa = await direct.ask_both(resolver, Question(host, "A"), Question(host, "AAAA"), attempts=1)
    failing = next((reply for reply in (a, aaaa) if reply.status == "servfail"), None)
    if failing is None:
        return PublicResolver(resolver[0], host, lookup_of(a), lookup_of(aaaa))
    question = Question(host, failing.rdtype, checking_disabled=True)
    unchecked = await direct.ask(resolver, question, attempts=1)
    return PublicResolver(resolver[0], host, lookup_of(a), lookup_of(aaaa), lookup_of(unchecked))


async def _wildcard(resolver: Resolver, name: str) -> dict[str, tuple[str, ...]]:
    """Return the addresses of a random name beside the www host."""
    a, aaaa = await random_beside(resolver, _www(name))
    return {name: a.records + aaaa.records}


async def _targets(resolver: Resolver, declared: Sequence[str]) -> dict[str, Lookup]:
    """Return the addresses, of both families, of each declared CNAME target."""
    names = [text for text in declared if not _is_network(text)]
    found = await asyncio.gather(*(resolve_host(resolver, name) for name in names))
    return {
        name: msgspec.structs.replace(
            host.a if host.a.records or not host.aaaa.records else host.aaaa,
            records=host.addresses,
            count=host.a.count + host.aaaa.count,
        )
        for name, host in zip(names, found, strict=True)
    }


@functools.lru_cache(maxsize=256)
def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
