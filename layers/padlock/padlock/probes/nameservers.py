"""What each authoritative server of a host's zone says of it (checklist steps 1 and 2; RFC 1034 section 4.2).

Servers that only the delegation names are asked as well: they are the forgotten ones. Nothing waits for what it does
not need: the zone's own servers are asked while the zone above is asked for others, and each host as soon as its zone
is known.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec

from padlock.evidence import HostDns, Lookup, NameserverAnswer, Zone
from padlock.network.dns_message import Question, Reply
from padlock.network.limits import DNS_ZONE_SECONDS, NAMESERVERS
from padlock.network.vantage import Endpoint
from padlock.probes.zone_cuts import Cuts, Delegation, Means, Server, lookup_of

SECOND_LOOK_SECONDS = 1.2
"""Between two looks at servers that disagree: long enough for a zone transfer that is under way, and for a TTL that
counts down to show it."""
SECOND_LOOK_ROUNDS = 5
"""Times that they are asked then: of a weighted pool a server gives another address sooner or later."""
_FAMILIES = ("A", "AAAA")
OTHER_TYPES = ("A", "AAAA", "MX", "TXT", "NS", "SOA")
"""Asked for beside a CNAME."""

type Ask = Callable[[Endpoint, Question], Awaitable[Reply]]


class Look(msgspec.Struct, frozen=True):
    """The look at one host's addresses, which may be under way."""

    host: str
    found: asyncio.Task[HostDns]
    derived: bool = False

    async def counts(self) -> bool:
        """Whether others are asked about the host: a declared one at once, a sibling once it is known to be there."""
        if not self.derived:
            return True
        known = await self.found
        absent = ("nodata", "nxdomain")
        return known.a.status not in absent or known.aaaa.status not in absent


class _Serving(msgspec.Struct, frozen=True):
    """The servers of one zone, as they become known."""

    cut: Delegation
    own: asyncio.Task[list[Server]]
    """As the zone names them."""
    others: asyncio.Task[tuple[tuple[str, ...], list[Server]]]
    """Names that only the zone above gives, and those servers."""

    def end(self) -> None:
        """Give up what is no longer waited for."""
        self.own.cancel()
        self.others.cancel()


class _Held(msgspec.Struct, frozen=True):
    """One host with its zone and what each of its servers, in order, says of the host."""

    host: HostDns
    cut: Delegation
    answers: Sequence[NameserverAnswer] | None = ()
    """None: it took too long."""


class Prober:
    """Asks the zones of one site's hosts."""

    def __init__(self, means: Means) -> None:
        self._direct, self._port = means.direct, means.port
        self._cuts = Cuts(means)
        self._serving: dict[str, _Serving] = {}

    async def zones(self, looks: Sequence[Look]) -> tuple[Zone, ...]:
        """Return the hosts' zones with what their servers say; a zone that cannot be found says why."""
        try:
            grouped: dict[str, list[_Held]] = defaultdict(list)
            for held in await asyncio.gather(*map(self._held, looks)):
                if held:
                    grouped[held.cut.apex].append(held)
            return tuple(await asyncio.gather(*map(self._zone, grouped.values())))
        finally:
            self._cuts.end()
            for serving in self._serving.values():
                serving.end()

    async def _held(self, look: Look) -> _Held | None:
        """Ask the servers of a host's zone about it; None for a sibling that is not there."""
        if not look.derived:
            self._cuts.begin(look.host)
        if not await look.counts():
            return None
        cut = await self._cuts.bounded(look.host)
        answers = await self._in_time(self._servings(cut), look.host) if cut.apex else ()
        return _Held(await look.found, cut, answers)

    def _servings(self, cut: Delegation) -> _Serving:
        """Return the look for a zone's servers, which is made once."""
        if cut.apex not in self._serving:
            own = asyncio.create_task(self._cuts.servers(cut))
            self._serving[cut.apex] = _Serving(cut, own, asyncio.create_task(self._others(cut, own)))
        return self._serving[cut.apex]

    async def _others(self, cut: Delegation, own: asyncio.Task[list[Server]]) -> tuple[tuple[str, ...], list[Server]]:
        """Return the names, and the further addresses, of the servers that only the zone's parent names."""
        delegated = await self._cuts.delegated(cut.apex)
        forgotten = tuple(name for name in delegated.nameservers if name not in cut.nameservers)
        more = await self._cuts.servers(msgspec.structs.replace(delegated, nameservers=forgotten))
        asked = await asyncio.shield(own)
        known = {server.address for server in asked if server.address}
        return forgotten, [server for server in more if server.address not in known][: NAMESERVERS - len(asked)]

    async def _in_time(self, serving: _Serving, host: str) -> tuple[NameserverAnswer, ...] | None:
        """Return what each of the zone's servers says of a host; None where that takes too long."""

        async def others() -> tuple[NameserverAnswer, ...]:
            _, servers = await asyncio.shield(serving.others)
            return await self._look(servers, [host], self._direct.ask)

        more = asyncio.create_task(others())
        try:
            async with asyncio.timeout(DNS_ZONE_SECONDS):
                own = await asyncio.shield(serving.own)
                return await self._look(own, [host], self._direct.ask) + await more
        except TimeoutError:
            return None
        finally:
            more.cancel()

    async def _zone(self, held: Sequence[_Held]) -> Zone:
        apex, hosts = held[0].cut.apex, [one.host for one in held]
        names = tuple(host.host for host in hosts)
        if not apex:
            return Zone("", names, (), (), failure="no name server of its zone could be found")
        serving = self._serving[apex]
        said = [one.answers for one in held if one.answers is not None]
        if len(said) < len(held):
            late = f"its servers took longer than {DNS_ZONE_SECONDS:g} s"
            return Zone(apex, names, tuple(sorted(serving.cut.nameservers)), (), failure=late)
        answers = tuple(answer for of_server in zip(*said, strict=True) for answer in of_server)
        forgotten, more = serving.others.result()
        odd = [host for host in names if host in disagreeing(answers)]
        second: tuple[NameserverAnswer, ...] = ()
        serials: dict[str, int] = {}
        if odd:
            (second, serials), other = await asyncio.gather(
                self._second_in_time(apex, [*serving.own.result(), *more], odd), self._other_data(answers)
            )
        else:
            other = await self._other_data(answers)
        return Zone(
            apex,
            names,
            tuple(sorted({*serving.cut.nameservers, *forgotten})),
            answers,
            second_look=second,
            serials=serials,
            apex_cname=_apex_cname(apex, answers, hosts),
            cname_with_other_data=other,
            failure=_failure(answers),
        )

    async def _look(self, servers: Sequence[Server], hosts: Sequence[str], ask: Ask) -> tuple[NameserverAnswer, ...]:
        asked = [(server.address, host) for server in servers if not server.unusable for host in hosts]
        replies = await asyncio.gather(
            *(
                ask((address, self._port), Question(host, rdtype, recurse=False))
                for address, host in asked
                for rdtype in _FAMILIES
            )
        )
        told = map(lookup_of, replies)
        return tuple(_answer(server, host, told) for server in servers for host in hosts)

    async def _asked(self, address: str, host: str, rdtypes: Iterable[str], ask: Ask) -> list[Reply]:
        questions = [Question(host, rdtype, recurse=False) for rdtype in rdtypes]
        return await asyncio.gather(*(ask((address, self._port), question) for question in questions))

    async def _second_in_time(
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
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        again = self._direct.ask_again
        rounds = [await self._look(servers, odd, again) for _ in range(SECOND_LOOK_ROUNDS)]
        asked = [server.address for server in servers if server.unusable is None]
        replies = await asyncio.gather(*(self._asked(address, apex, ("SOA",), again) for address in asked))
        told = {address: _serial(reply) for address, (reply,) in zip(asked, replies, strict=True)}
        serials = {address: serial for address, serial in told.items() if serial is not None}
        return tuple(answer for answers in rounds for answer in answers), serials

    async def _other_data(self, answers: Sequence[NameserverAnswer]) -> dict[str, tuple[str, ...]]:
        """Return, for each host with a CNAME, the types that the same server publishes beside it."""
        aliased = {answer.host: answer.address for answer in answers if _alias(answer)}
        ask = self._direct.ask
        replies = await asyncio.gather(*(self._asked(at, host, OTHER_TYPES, ask) for host, at in aliased.items()))
        beside = {
            host: tuple(reply.rdtype for reply in found if reply.authoritative and reply.direct)
            for host, found in zip(aliased, replies, strict=True)
        }
        return {host: types for host, types in beside.items() if types}


def _answer(server: Server, host: str, told: Iterator[Lookup]) -> NameserverAnswer:
    """Return what a server says of a host: the next two answers, or why it could not be asked."""
    if server.unusable:
        a, aaaa = (msgspec.structs.replace(server.unusable, name=host, rdtype=rdtype) for rdtype in _FAMILIES)
    else:
        a, aaaa = next(told), next(told)
    return NameserverAnswer(server.name, server.address, host, a, aaaa)


def _serial(reply: Reply) -> int | None:
    """Return the serial of an SOA record, the third of its fields (RFC 1035 section 3.3.13)."""
    fields = reply.records[0].split() if reply.authoritative and reply.direct and reply.records else []
    return int(fields[2]) if len(fields) == 7 and fields[2].isdecimal() else None


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
