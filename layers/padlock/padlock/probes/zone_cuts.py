"""Where a host's zone begins, and which servers it has: by the resolver, and by the zone above it.

The zone cut is found by asking for NS records upwards from the host. Where the recursive resolver cannot tell (a
CNAME at the apex hides the NS records, a broken zone is SERVFAIL), the servers of the zone above are asked for the
delegation (RFC 1034 section 4.2).
"""

import asyncio
import operator
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from padlock.evidence import Lookup
from padlock.network.addresses import refusal
from padlock.network.dns import Direct, Resolver
from padlock.network.dns_message import Question, Reply
from padlock.network.limits import DELEGATION_STEPS, DNS_ZONE_SECONDS, NAMESERVERS
from padlock.probes import registry

_OF_LOOKUP = operator.attrgetter(*Lookup.__struct_fields__)
_ASKED_ABOVE = 2
"""Servers of a zone that are asked for what it delegates."""


class Means(msgspec.Struct, frozen=True):
    """What a look around in DNS has at hand."""

    resolver: Resolver
    direct: Direct
    port: int
    """Of authoritative servers."""
    allowed: tuple[str, ...]
    """CIDR ranges that may be asked, beyond the public ones."""


class Delegation(msgspec.Struct, frozen=True):
    """A zone and the names of its servers."""

    apex: str
    nameservers: tuple[str, ...] = ()
    glue: Mapping[str, tuple[str, ...]] = {}
    """Server → addresses that came with a referral, or were kept."""


class Server(msgspec.Struct, frozen=True):
    """One address of one server, or why it cannot be asked."""

    name: str
    address: str = ""
    unusable: Lookup | None = None


class Cuts:
    """Finds the zones of one site's hosts."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._registries: dict[str, asyncio.Task[Delegation | None]] = {}

    def begin(self, host: str) -> None:
        """Ask ahead for what nearly every host needs: the servers of its domain, and of the registry above that."""
        domain = registry.registrable(host)
        if domain:
            self._means.resolver.begin(domain, "NS")
            self._registry(domain.partition(".")[2])

    def end(self) -> None:
        """Give up what was asked for ahead and is not needed."""
        for look in self._registries.values():
            look.cancel()

    async def bounded(self, host: str) -> Delegation:
        """Return the zone that holds a host; an empty apex where nothing tells in time."""
        try:
            async with asyncio.timeout(DNS_ZONE_SECONDS):
                return await self.cut(host)
        except TimeoutError:
            return Delegation("")

    async def cut(self, host: str) -> Delegation:
        """Return the zone that holds a host; an empty apex where nothing tells."""
        first = await self._means.resolver.lookup(host, "NS")
        known = await self._told(host, first)
        if known:
            return known
        ancestors = _ancestors(host)
        replies = await asyncio.gather(*(self._means.resolver.lookup(name, "NS") for name in ancestors))
        for name, reply in zip(ancestors, replies, strict=True):
            known = await self._told(name, reply)
            if known:
                return await self._below(known, host)
        return Delegation("")

    async def delegated(self, apex: str) -> Delegation:
        """Return the zone's servers as the zone above names them; none where that cannot be seen."""
        parent = apex.partition(".")[2]
        if not parent:
            return Delegation(apex)
        is_registrys = registry.registrable(apex) == apex
        # Shielded: it may be asked for two zones, and one of them may run out of time.
        above = await (asyncio.shield(self._registry(parent)) if is_registrys else self._looked_up(parent))
        replies = await self._ask_two(above, apex) if above else []
        referral = next((reply for reply in replies if reply.delegation == apex), None)
        return Delegation(apex, referral.nameservers, _glue(referral)) if referral else Delegation(apex)

    async def servers(self, zone: Delegation) -> list[Server]:
        """Return every address of a zone's servers, IPv4 first, vetted."""
        looks = [self._addresses(name, zone.glue.get(name, ())) for name in zone.nameservers]
        all_known = all(zone.glue.get(name) for name in zone.nameservers)
        found = [await look for look in looks] if all_known else await asyncio.gather(*looks)
        servers = [server for entries in found for server in entries]
        return sorted(servers, key=lambda server: ":" in server.address)[:NAMESERVERS]

    async def _addresses(self, name: str, glue: tuple[str, ...]) -> list[Server]:
        addresses = glue
        if not addresses:
            a, aaaa = await self._means.resolver.lookup_both(name)
            addresses = a.records + aaaa.records
            if not addresses:
                return [Server(name, unusable=_without_address(a))]
        blocks = {address: refusal(address, self._means.allowed) for address in addresses}
        return [
            Server(name, address, Lookup(name, "A", "not_asked", detail=f"not vetted: {block}") if block else None)
            for address, block in blocks.items()
        ]

    async def _told(self, name: str, reply: Reply) -> Delegation | None:
        """Return the zone that an answer to a question for NS records proves."""
        if reply.status == "ok" and reply.direct:
            return Delegation(name, reply.records)
        if reply.status not in ("nodata", "nxdomain") or reply.cnames or reply.zone in ("", name):
            return None
        if reply.status == "nxdomain" and "." not in reply.zone:
            return Delegation("")  # the registry's zone denies the name: nobody holds it
        servers = await self._means.resolver.lookup(reply.zone, "NS")
        return Delegation(reply.zone, servers.records) if servers.status == "ok" and servers.direct else None

    async def _below(self, above: Delegation, host: str) -> Delegation:
        """Follow referrals from a zone down to the one that holds the host, as far as servers answer."""
        for _ in range(DELEGATION_STEPS):
            replies = await self._ask_two(above, host)
            referral = next((reply for reply in replies if reply.delegation.endswith("." + above.apex)), None)
            if referral is None:
                is_certain = "." in above.apex or any(reply.authoritative for reply in replies)
                return above if is_certain else Delegation("")
            above = Delegation(referral.delegation, referral.nameservers, _glue(referral))
        return above

    async def _ask_two(self, zone: Delegation, name: str) -> list[Reply]:
        """Ask two servers of a zone for the NS records of a name below it."""
        few = msgspec.structs.replace(zone, nameservers=zone.nameservers[:_ASKED_ABOVE])
        servers = [server for server in await self.servers(few) if server.unusable is None][:_ASKED_ABOVE]
        question = Question(name, "NS", recurse=False)
        return await asyncio.gather(
            *(self._means.direct.ask((server.address, self._means.port), question) for server in servers)
        )

    def _registry(self, zone: str) -> asyncio.Task[Delegation | None]:
        """Return the look for a registry's servers, which is made once."""
        if zone not in self._registries:
            self._registries[zone] = asyncio.create_task(self._looked_up(zone))
        return self._registries[zone]

    async def _looked_up(self, zone: str) -> Delegation | None:
        """Return the servers of a zone, those that are asked with their addresses."""
        reply = await self._means.resolver.lookup(zone, "NS")
        told = await self._told(zone, reply)
        if not told:
            return None
        asked = told.nameservers[:_ASKED_ABOVE]
        pairs = [(name, rdtype) for name in asked for rdtype in ("A", "AAAA")]
        replies = await asyncio.gather(*(self._means.resolver.lookup(*pair) for pair in pairs))
        glue: dict[str, tuple[str, ...]] = defaultdict(tuple)
        for (name, _), found in zip(pairs, replies, strict=True):
            glue[name] += found.records
        return Delegation(told.apex, asked, {name: glue[name] for name in asked if glue[name]})


def lookup_of(reply: Reply) -> Lookup:
    """Return the part of a reply that is evidence."""
    return Lookup(*_OF_LOOKUP(reply))


def _without_address(reply: Reply) -> Lookup:
    """Return why a server's name gives no address; only a proven absence is the server's own fault."""
    lookup = lookup_of(reply)
    if lookup.status in ("nxdomain", "nodata"):
        return msgspec.structs.replace(
            lookup, cnames=(), authoritative=False, detail="the server's name has no address"
        )
    why = lookup.detail or lookup.status
    return Lookup(reply.name, "A", "not_asked", detail=f"the address of the server's name is not known: {why}")


def _glue(referral: Reply) -> dict[str, tuple[str, ...]]:
    glue: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for name, address in referral.glue:
        glue[name] += (address,)
    return dict(glue)


def _ancestors(name: str) -> list[str]:
    """Return the names above a name, down to the top-level domain."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]
