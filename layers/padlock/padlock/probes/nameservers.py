"""What each authoritative server of a host's zone says of it (checklist steps 1 and 2; RFC 1034 section 4.2).

The zone cut is found by asking for NS records upwards from the host. Where the recursive resolver cannot tell (a
CNAME at the apex hides the NS records, a broken zone is SERVFAIL), the servers of the zone above are asked for the
delegation. Servers that only the delegation names are asked as well: they are the forgotten ones.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from padlock.evidence import HostDns, Lookup, NameserverAnswer, Zone
from padlock.network.addresses import refusal
from padlock.network.dns import Direct, Resolver
from padlock.network.dns_message import Question, Reply
from padlock.network.limits import DELEGATION_STEPS, DNS_ZONE_SECONDS, NAMESERVERS

SECOND_LOOK_SECONDS = 1.2
"""Between two looks at servers that disagree: long enough for a zone transfer that is under way, and for a TTL that
counts down to show it."""
SECOND_LOOK_ROUNDS = 5
"""Times that they are asked then: of a weighted pool a server gives another address sooner or later."""
OTHER_TYPES = ("A", "AAAA", "MX", "TXT", "NS", "SOA")
"""Asked for beside a CNAME."""


class Delegation(msgspec.Struct, frozen=True):
    """A zone and the names of its servers."""

    apex: str
    nameservers: tuple[str, ...] = ()
    glue: Mapping[str, tuple[str, ...]] = {}
    """Server → addresses that came with a referral."""


class Server(msgspec.Struct, frozen=True):
    """One address of one server, or why it cannot be asked."""

    name: str
    address: str = ""
    unusable: Lookup | None = None


class Prober:
    """Asks the zones of one site's hosts."""

    def __init__(self, resolver: Resolver, direct: Direct, port: int, allowed: Sequence[str]) -> None:
        self.resolver, self.direct, self.port, self.allowed = resolver, direct, port, tuple(allowed)

    async def zones(self, hosts: Sequence[HostDns]) -> tuple[Zone, ...]:
        """Return the hosts' zones with what their servers say; a zone that cannot be found says why."""
        cuts = await asyncio.gather(*(self._bounded_cut(host.host) for host in hosts))
        grouped: dict[str, list[HostDns]] = defaultdict(list)
        for host, cut in zip(hosts, cuts, strict=True):
            grouped[cut.apex].append(host)
        found = {cut.apex: cut for cut in cuts}
        return tuple(await asyncio.gather(*(self._zone(found[apex], held) for apex, held in grouped.items())))

    async def _bounded_cut(self, host: str) -> Delegation:
        try:
            async with asyncio.timeout(DNS_ZONE_SECONDS):
                return await self.cut(host)
        except TimeoutError:
            return Delegation("")

    async def cut(self, host: str) -> Delegation:
        """Return the zone that holds a host; an empty apex where nothing tells."""
        first = await self.resolver.lookup(host, "NS")
        known = await self._told(host, first)
        if known:
            return known
        ancestors = _ancestors(host)
        replies = await asyncio.gather(*(self.resolver.lookup(name, "NS") for name in ancestors))
        for name, reply in zip(ancestors, replies, strict=True):
            known = await self._told(name, reply)
            if known:
                return await self._below(known, host)
        return Delegation("")

    async def _told(self, name: str, reply: Reply) -> Delegation | None:
        """Return the zone that an answer to a question for NS records proves."""
        if reply.status == "ok" and reply.direct:
            return Delegation(name, reply.records)
        if reply.status not in ("nodata", "nxdomain") or reply.cnames or reply.zone in ("", name):
            return None
        if reply.status == "nxdomain" and "." not in reply.zone:
            return Delegation("")  # the registry's zone denies the name: nobody holds it
        servers = await self.resolver.lookup(reply.zone, "NS")
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
        few = msgspec.structs.replace(zone, nameservers=zone.nameservers[:2])
        servers = [server for server in await self.servers(few) if server.unusable is None][:2]
        question = Question(name, "NS", recurse=False)
        return await asyncio.gather(*(self.direct.ask((s.address, self.port), question) for s in servers))

    async def servers(self, zone: Delegation) -> list[Server]:
        """Return every address of a zone's servers, IPv4 first, vetted."""
        found = await asyncio.gather(*(self._addresses(name, zone.glue.get(name, ())) for name in zone.nameservers))
        servers = [server for entries in found for server in entries]
        return sorted(servers, key=lambda server: ":" in server.address)[:NAMESERVERS]

    async def _addresses(self, name: str, glue: tuple[str, ...]) -> list[Server]:
        addresses = glue
        if not addresses:
            a, aaaa = await asyncio.gather(self.resolver.lookup(name, "A"), self.resolver.lookup(name, "AAAA"))
            addresses = a.records + aaaa.records
            if not addresses:
                return [Server(name, unusable=_without_address(a))]
        blocks = {address: refusal(address, self.allowed) for address in addresses}
        return [
            Server(name, address, Lookup(name, "A", "not_asked", detail=f"not vetted: {block}") if block else None)
            for address, block in blocks.items()
        ]

    async def _zone(self, cut: Delegation, hosts: Sequence[HostDns]) -> Zone:
        names = tuple(host.host for host in hosts)
        if not cut.apex:
            return Zone("", names, (), (), failure="no name server of its zone could be found")
        try:
            async with asyncio.timeout(DNS_ZONE_SECONDS):
                nameservers, servers = await self._all_servers(cut)
                answers = await self._look(servers, names)
        except TimeoutError:
            late = f"its servers took longer than {DNS_ZONE_SECONDS:g} s"
            return Zone(cut.apex, names, tuple(sorted(cut.nameservers)), (), failure=late)
        odd = [host for host in names if host in disagreeing(answers)]
        (second, serials), other = await asyncio.gather(
            self._in_time(cut.apex, servers, odd), self._other_data(answers)
        )
        return Zone(
            cut.apex,
            names,
            nameservers,
            answers,
            second_look=second,
            serials=serials,
            apex_cname=_apex_cname(cut.apex, answers, hosts),
            cname_with_other_data=other,
            failure=_failure(answers),
        )

    async def _all_servers(self, cut: Delegation) -> tuple[tuple[str, ...], list[Server]]:
        """Return the names and the addresses of the zone's own servers, and of those that only its parent names."""
        servers, delegated = await asyncio.gather(self.servers(cut), self._delegated(cut.apex))
        asked = {server.address for server in servers if server.address}
        forgotten = tuple(name for name in delegated.nameservers if name not in cut.nameservers)
        more = await self.servers(msgspec.structs.replace(delegated, nameservers=forgotten))
        servers += [server for server in more if server.address not in asked]
        return tuple(sorted({*cut.nameservers, *forgotten})), servers[:NAMESERVERS]

    async def _delegated(self, apex: str) -> Delegation:
        """Return the zone's servers as the zone above names them; none where that cannot be seen."""
        parent = apex.partition(".")[2]
        above = await self._told(parent, await self.resolver.lookup(parent, "NS")) if parent else None
        replies = await self._ask_two(above, apex) if above else []
        referral = next((reply for reply in replies if reply.delegation == apex), None)
        return Delegation(apex, referral.nameservers, _glue(referral)) if referral else Delegation(apex)

    async def _look(self, servers: Sequence[Server], hosts: Sequence[str]) -> tuple[NameserverAnswer, ...]:
        return tuple(await asyncio.gather(*(self._answer(server, host) for server in servers for host in hosts)))

    async def _answer(self, server: Server, host: str) -> NameserverAnswer:
        if server.unusable:
            a, aaaa = (msgspec.structs.replace(server.unusable, name=host, rdtype=rdtype) for rdtype in ("A", "AAAA"))
        else:
            a, aaaa = [lookup_of(reply) for reply in await self._ask(server.address, host, ("A", "AAAA"))]
        return NameserverAnswer(server.name, server.address, host, a, aaaa)

    async def _ask(self, address: str, host: str, rdtypes: Iterable[str]) -> list[Reply]:
        questions = [Question(host, rdtype, recurse=False) for rdtype in rdtypes]
        return await asyncio.gather(*(self.direct.ask((address, self.port), question) for question in questions))

    async def _in_time(
        self, apex: str, servers: Sequence[Server], odd: Sequence[str]
    ) -> tuple[tuple[NameserverAnswer, ...], dict[str, int]]:
        """Return what a second look shows; nothing where it takes too long: half of it would hide a pool."""
        try:
            async with asyncio.timeout(DNS_ZONE_SECONDS):
                return await self._second_look(apex, servers, odd)
        except TimeoutError:
            return (), {}

    async def _second_look(
        self, apex: str, servers: Sequence[Server], odd: Sequence[str]
    ) -> tuple[tuple[NameserverAnswer, ...], dict[str, int]]:
        """Ask again about hosts of which the servers say different things, and which version of the zone each has."""
        if not odd:
            return (), {}
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        rounds = [await self._look(servers, odd) for _ in range(SECOND_LOOK_ROUNDS)]
        asked = [server.address for server in servers if server.unusable is None]
        replies = await asyncio.gather(*(self._ask(address, apex, ("SOA",)) for address in asked))
        told = {address: _serial(reply) for address, (reply,) in zip(asked, replies, strict=True)}
        serials = {address: serial for address, serial in told.items() if serial is not None}
        return tuple(answer for answers in rounds for answer in answers), serials

    async def _other_data(self, answers: Sequence[NameserverAnswer]) -> dict[str, tuple[str, ...]]:
        """Return, for each host with a CNAME, the types that the same server publishes beside it."""
        aliased = {answer.host: answer.address for answer in answers if _alias(answer)}
        replies = await asyncio.gather(*(self._ask(server, host, OTHER_TYPES) for host, server in aliased.items()))
        beside = {
            host: tuple(reply.rdtype for reply in found if reply.authoritative and reply.direct)
            for host, found in zip(aliased, replies, strict=True)
        }
        return {host: types for host, types in beside.items() if types}


def _serial(reply: Reply) -> int | None:
    """Return the serial of an SOA record, the third of its fields (RFC 1035 section 3.3.13)."""
    fields = reply.records[0].split() if reply.authoritative and reply.direct and reply.records else []
    return int(fields[2]) if len(fields) == 7 and fields[2].isdecimal() else None


def lookup_of(reply: Reply) -> Lookup:
    """Return the part of a reply that is evidence."""
    return Lookup(**{field: getattr(reply, field) for field in Lookup.__struct_fields__})


def disagreeing(answers: Iterable[NameserverAnswer]) -> set[str]:
    """Return the hosts for which authoritative servers publish different addresses or CNAMEs."""
    seen: dict[str, set[object]] = defaultdict(set)
    for answer in answers:
        if all(
            look.authoritative and look.status in ("ok", "nodata", "nxdomain") for look in (answer.a, answer.aaaa)
        ):
            # Only the host's own CNAME counts: whether its target's addresses come along is each server's choice.
            seen[answer.host].add(_alias(answer) or (answer.a.records, answer.aaaa.records))
    return {host for host, contents in seen.items() if len(contents) > 1}


def _alias(answer: NameserverAnswer) -> str:
    """Return the target of the host's CNAME as an authoritative server gives it, or ""."""
    return next((look.cnames[0] for look in (answer.a, answer.aaaa) if look.authoritative and look.cnames), "")


def _apex_cname(apex: str, answers: Iterable[NameserverAnswer], hosts: Iterable[HostDns]) -> str:
    of_apex = [answer for answer in answers if answer.host == apex]
    given = next((_alias(answer) for answer in of_apex if _alias(answer)), "")
    if given or any(answer.a.authoritative for answer in of_apex):
        return given
    return next((look.cnames[0] for h in hosts if h.host == apex for look in (h.a, h.aaaa) if look.cnames), "")


def _failure(answers: Sequence[NameserverAnswer]) -> str:
    if not answers:
        return "no server of the zone is known"
    if all(answer.a.status == "not_asked" for answer in answers):
        return f"none of the zone's servers can be asked from here ({answers[0].a.detail})"
    return ""


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
