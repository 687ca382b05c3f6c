"""The zone above: asked beside the zone's own servers, and its servers kept for a while."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import dns.message
import dns.rdatatype
import pytest
from padlock.network import dns as network_dns
from padlock.network.vantage import Vantage
from padlock.probes import nameservers
from padlock.probes.cache import MemoryCache

from tests.dns_server import Answer, Query, Server, rcode, recursive, silent, text, when, zone
from tests.dns_world import BELOW, COM, DATA, DELEGATION, LOOPBACK, NAME, NOW, NS1, NS2, PARENT, WWW, World, world

OLD = "127.0.0.22"
"""Where the registry's server was before."""
OWN = ("@ NS ns1", f"ns1 A {NS1}", "@ A 192.0.2.1", "www A 192.0.2.1")
"""The zone says nothing of the second server that its delegation names."""
BOTH, ONE = ("ns1.example.com", "ns2.example.com"), ("ns1.example.com",)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.3)
    monkeypatch.setattr(nameservers, "SECOND_LOOK_SECONDS", 0.05)


@asynccontextmanager
async def registry(answer: Answer, *, at: str = PARENT) -> AsyncIterator[World]:
    """Run a site whose zone names one server, and the registry's server, which may name another."""
    own, second = zone(NAME, *OWN), rcode("REFUSED")
    above = ("com", "@ NS a.gtld.com.", f"a.gtld A {at}")
    async with world(recursive((NAME, *OWN), above), {at: answer, NS1: own, NS2: second}) as seen:
        yield seen


def about_registry(seen: World) -> set[tuple[str, str]]:
    """Return what the resolver was asked about the registry since it was last looked at."""
    asked = {(name, rdtype) for name, rdtype, _ in seen.resolving.asked if not name.endswith(NAME)}
    seen.resolving.asked.clear()
    return asked


KEY = "dns-servers:com"
LOOKED_UP = {("com", "NS"), ("a.gtld.com", "A"), ("a.gtld.com", "AAAA")}


async def test_registrys_servers_are_looked_up_once() -> None:
    """The next run asks the same servers the same, without the way to them; what it finds is the same."""
    cache = MemoryCache()
    async with registry(DELEGATION) as seen:
        first = await seen.zone(cache=cache)
        assert await cache.get(KEY, NOW)
        assert about_registry(seen) == LOOKED_UP
        again = await seen.zone(cache=cache, now=NOW + timedelta(seconds=299))
        assert about_registry(seen) == set()
        assert [entry for entry in seen.servers[PARENT].asked if entry[1] == "NS"] == [(NAME, "NS", "udp")] * 2
    assert (first.nameservers, again.nameservers) == (BOTH, BOTH)
    assert [(a.nameserver, a.host, a.a.status) for a in first.answers] == [
        (a.nameserver, a.host, a.a.status) for a in again.answers
    ]


async def test_registrys_servers_are_kept_no_longer_than_their_ttl() -> None:
    """After 300 s, as the records say, they are looked up anew."""
    cache = MemoryCache()
    async with registry(DELEGATION) as seen:
        await seen.zone(cache=cache)
        about_registry(seen)
        await seen.zone(cache=cache, now=NOW + timedelta(seconds=301))
        assert about_registry(seen) == LOOKED_UP


@pytest.mark.parametrize(
    "outdated",
    [
        silent,
        rcode("REFUSED"),
        rcode("SERVFAIL"),
        zone(".", "com NS elsewhere.test."),
        zone("com", "@ NS a.gtld.com."),
    ],
    ids=["silent", "refuses", "fails", "refers upwards", "denies the name"],
)
async def test_registrys_server_that_is_outdated_is_looked_up_anew(outdated: Answer) -> None:
    """The delegation is seen although the kept server is none of the registry's any more; the new one is kept."""
    cache = MemoryCache()
    async with registry(DELEGATION, at=OLD) as seen:
        await seen.zone(cache=cache)
    servers = {PARENT: DELEGATION, OLD: outdated, NS1: zone(NAME, *OWN), NS2: rcode("REFUSED")}
    async with world(recursive((NAME, *OWN), COM), servers) as seen:
        assert (await seen.zone(cache=cache)).nameservers == BOTH
        assert (NAME, "NS", "udp") in seen.servers[OLD].asked
        assert about_registry(seen) == LOOKED_UP
        seen.servers[OLD].asked.clear()
        assert (await seen.zone(cache=cache)).nameservers == BOTH
        assert seen.servers[OLD].asked == []
        assert about_registry(seen) == set()


async def test_registrys_server_that_is_gone_is_looked_up_anew() -> None:
    """A kept address at which nobody listens any more hides no delegation."""
    cache = MemoryCache()
    async with registry(DELEGATION, at=OLD) as seen:
        await seen.zone(cache=cache)
    async with registry(DELEGATION) as seen:
        assert (await seen.zone(cache=cache)).nameservers == BOTH


@pytest.mark.parametrize("answer", [silent, rcode("REFUSED"), zone(".", "com NS x.test.")])
async def test_registrys_server_that_tells_nothing_is_not_kept(answer: Answer) -> None:
    """Only what has answered is kept."""
    cache = MemoryCache()
    async with registry(answer) as seen:
        assert (await seen.zone(cache=cache)).nameservers == ONE
        assert await cache.get(KEY, NOW) is None
        about_registry(seen)
        await seen.zone(cache=cache)
        assert about_registry(seen) == LOOKED_UP


async def test_what_is_kept_may_not_be_asked_by_another_site() -> None:
    """A kept address is vetted anew, for the networks of the site that is looked at."""
    cache = MemoryCache()
    async with registry(DELEGATION) as seen:
        await seen.zone(cache=cache)
        seen.servers[PARENT].asked.clear()
        seen.allowed = ()
        await seen.zone(cache=cache)
        assert seen.servers[PARENT].asked == []


class Garbled:
    """A cache that lost its contents' meaning."""

    async def get(self, key: str, now: datetime) -> bytes | None:
        """Return octets that mean nothing."""
        return f"{key} {now} ".encode() + b"\xff"

    async def put(self, key: str, value: bytes, expires: datetime) -> None:
        """Keep nothing."""


async def test_unreadable_cache_costs_a_look_up() -> None:
    """What cannot be read is as if it had not been kept."""
    async with registry(DELEGATION) as seen:
        assert (await seen.zone(cache=Garbled())).nameservers == BOTH
        assert about_registry(seen) == LOOKED_UP


async def test_owners_zone_above_is_not_kept() -> None:
    """The servers of a zone that somebody registered are looked up at each run: its owner may move them today."""
    cache = MemoryCache()
    shop = ("shop.example.com", "@ NS ns", f"ns A {NS2}", "@ A 192.0.2.7")
    above = (NAME, "@ NS ns1", f"ns1 A {NS1}", "shop NS ns.shop", f"ns.shop A {NS2}")
    site = {"name": "shop.example.com", "hosts": ["shop.example.com"]}
    async with world(recursive((NAME, *above[1:]), shop), {NS1: zone(*above), NS2: zone(*shop)}) as seen:
        for _ in range(2):
            seen.resolving.asked.clear()
            assert (await seen.zone(site, cache)).apex == "shop.example.com"
            assert {(NAME, "NS", "udp"), ("ns1.example.com", "A", "udp")} <= set(seen.resolving.asked)


async def test_disagreeing_registry_is_seen_when_kept() -> None:
    """A delegation that changed since the registry's servers were kept is seen at once."""
    cache = MemoryCache()
    async with registry(zone(*COM, *BELOW[::2])) as seen:
        assert (await seen.zone(cache=cache)).nameservers == ONE
    async with registry(DELEGATION) as seen:
        assert (await seen.zone(cache=cache)).nameservers == BOTH
        assert about_registry(seen) == set()


def after(asked: list[tuple[str, str, str]], first: tuple[str, str], then: Answer) -> Answer:
    """Answer only once another server was asked this question, and stay silent until then."""
    return lambda query, transport: then(query, transport) if (*first, "udp") in asked else None


async def test_zones_servers_are_asked_before_its_parent_answers() -> None:
    """A registry that takes its time delays no question to the zone's own servers."""
    async with registry(silent) as seen:
        asked = seen.servers[NS1].asked
        seen.servers[PARENT].answer = after(asked, (NAME, "A"), DELEGATION)
        assert (await seen.zone()).nameservers == BOTH


async def test_nothing_waits_for_the_hosts_own_addresses() -> None:
    """Sibling, random name, zone and public resolvers are asked before the name's addresses are known."""
    data = recursive((NAME, *DATA))
    for first in ((WWW, "A"), (NAME, "NS"), ("com", "NS")):
        async with world(data, {NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}) as seen:
            waiting = after(seen.resolving.asked, first, data)
            seen.resolving.answer = when(lambda name, t: name == NAME and t in ("A", "AAAA"), waiting, data)
            hosts, _ = await seen.look()
        assert [(host.host, host.a.status) for host in hosts] == [(NAME, "ok"), (WWW, "ok")], first


class Rounds:
    """Servers that answer together, each time that nobody asks anything more: one round trip after the other."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, str]]] = []
        """(name, type) of what was asked, round by round."""
        self._waiting: list[tuple[Answer, Query, asyncio.DatagramTransport, object]] = []

    def hold(self, answer: Answer, wire: bytes, transport: asyncio.DatagramTransport, asker: object) -> None:
        """Take in a question."""
        self._waiting.append((answer, dns.message.from_wire(wire), transport, asker))

    async def turn(self) -> None:
        """Answer round after round, until cancelled."""
        quiet, before = 0, 0
        while True:
            await asyncio.sleep(0.002)
            quiet = quiet + 1 if len(self._waiting) == before > 0 else 0
            before = len(self._waiting)
            if quiet == 20:
                held, self._waiting, before = self._waiting, [], 0
                self.seen.append([_asked(query) for _, query, _, _ in held])
                for answer, query, transport, asker in held:
                    answered = answer(query, "udp")
                    assert isinstance(answered, dns.message.Message)
                    transport.sendto(answered.to_wire(), asker)  # type: ignore[arg-type]


def _asked(query: Query) -> tuple[str, str]:
    (question,) = query.question
    return text(question.name), dns.rdatatype.to_text(question.rdtype)


class _Listener(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, rounds: Rounds, answer: Answer) -> None:
        self.rounds, self.answer = rounds, answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.rounds.hold(self.answer, data, self.transport, addr)


@asynccontextmanager
async def in_rounds(resolver: Answer, servers: Mapping[str, Answer]) -> AsyncIterator[tuple[World, Rounds]]:
    """Run a resolver, which is a public one too, and authoritative servers that answer in rounds."""
    rounds, port, transports = Rounds(), 0, []
    for address, answer in {**servers, "127.0.0.1": resolver}.items():
        listening = partial(_Listener, rounds, answer)
        place = (address, port if address != "127.0.0.1" else 0)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(listening, local_addr=place)
        transports.append(transport)
        port = port or transport.get_extra_info("sockname")[1]
    endpoint = transports[-1].get_extra_info("sockname")[:2]
    turning = asyncio.create_task(rounds.turn())
    try:
        yield World(Vantage((endpoint,), (endpoint,), port), Server(resolver), {}, LOOPBACK), rounds
    finally:
        turning.cancel()
        for transport in transports:
            transport.close()


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_healthy_zone_takes_three_round_trips(monkeypatch: pytest.MonkeyPatch, warm: bool) -> None:
    """The zone; its servers' addresses and its parent; each server. The sibling keeps pace."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 20)
    cache = MemoryCache()
    data = recursive((NAME, *DATA), COM)
    async with in_rounds(data, {PARENT: DELEGATION, NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}) as (
        seen,
        rounds,
    ):
        if warm:
            await seen.zone(cache=cache)
            rounds.seen.clear()
        found = await seen.zone(cache=cache)
    assert [(answer.host, answer.a.status) for answer in found.answers] == [(NAME, "ok"), (WWW, "ok")] * 2
    assert len(rounds.seen) == 3
    first, second, third = rounds.seen
    assert (NAME, "NS") in first
    assert first.count((NAME, "A")) == 2, "by the resolver and by a public one"
    assert (("com", "NS") in first) is not warm
    assert {(WWW, "NS"), ("ns1.example.com", "A")} <= set(second)
    assert (NAME, "NS") in (second if warm else third), "the question to the registry's server"
    assert {(NAME, "A"), (WWW, "AAAA")} <= set(third)


async def test_forgotten_server_takes_one_round_trip_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked as soon as the registry has named it, with an address."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 20)
    servers = {PARENT: DELEGATION, NS1: zone(NAME, *OWN), NS2: rcode("REFUSED")}
    async with in_rounds(recursive((NAME, *OWN), COM), servers) as (seen, rounds):
        assert (await seen.zone()).nameservers == BOTH
    assert len(rounds.seen) == 4
    assert set(rounds.seen[3]) == {(name, rdtype) for name in (NAME, WWW) for rdtype in ("A", "AAAA")}


async def test_host_below_the_apex_takes_three_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of its domain are asked for before it is known that they hold the host."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 20)
    data = (*DATA, "shop A 192.0.2.7")
    servers = {PARENT: DELEGATION, NS1: zone(NAME, *data), NS2: zone(NAME, *data)}
    async with in_rounds(recursive((NAME, *data), COM), servers) as (seen, rounds):
        found = await seen.zone("shop.example.com")
    assert (found.apex, found.hosts, found.nameservers) == (NAME, ("shop.example.com",), BOTH)
    assert len(rounds.seen) == 3
