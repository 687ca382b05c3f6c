"""The zone above, asked beside the zone's own servers: nothing waits for what it does not need."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import dns.message
import dns.rdatatype
import pytest
from padlock.network import dns as network_dns
from padlock.network.vantage import Vantage
from padlock.probes import nameservers

from tests.dns_server import Answer, Query, Server, rcode, recursive, silent, text, when, zone
from tests.dns_world import COM, DATA, DELEGATION, LOOPBACK, NAME, NS1, NS2, PARENT, WWW, World, world

OWN = ("@ NS ns1", f"ns1 A {NS1}", "@ A 192.0.2.1", "www A 192.0.2.1")
"""The zone says nothing of the second server that its delegation names."""
BOTH, ONE = ("ns1.example.com", "ns2.example.com"), ("ns1.example.com",)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.3)
    monkeypatch.setattr(nameservers, "SECOND_LOOK_SECONDS", 0.05)


@asynccontextmanager
async def registry(answer: Answer) -> AsyncIterator[World]:
    """Run a site whose zone names one server, and the registry's server, which may name another."""
    own, second = zone(NAME, *OWN), rcode("REFUSED")
    above = ("com", "@ NS a.gtld.com.", f"a.gtld A {PARENT}")
    async with world(recursive((NAME, *OWN), above), {PARENT: answer, NS1: own, NS2: second}) as seen:
        yield seen


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


async def test_healthy_zone_takes_three_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone; its servers' addresses and its parent; each server. The sibling keeps pace."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 20)
    data = recursive((NAME, *DATA), COM)
    servers = {PARENT: DELEGATION, NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}
    async with in_rounds(data, servers) as (seen, rounds):
        found = await seen.zone()
    assert [(answer.host, answer.a.status) for answer in found.answers] == [(NAME, "ok"), (WWW, "ok")] * 2
    assert len(rounds.seen) == 3
    first, second, third = rounds.seen
    assert {(NAME, "NS"), ("com", "NS")} <= set(first)
    assert first.count((NAME, "A")) == 2, "by the resolver and by a public one"
    assert {(WWW, "NS"), ("ns1.example.com", "A")} <= set(second)
    assert {(NAME, "A"), (WWW, "AAAA"), (NAME, "NS")} <= set(third), "the question to the registry's server too"


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
