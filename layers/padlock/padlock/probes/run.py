"""What the probes of one run share: the site, its resolver, and everything seen so far.

Pieces are recorded as they come, and every look that is planned stands there as cut off until it is done, so that the
deadline loses nothing and hides nothing.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from padlock.evidence import (
    Certificate,
    Chain,
    Dns,
    Evidence,
    Exchange,
    Failure,
    Handshake,
    HostDns,
    Http,
    Lookup,
    ObsoleteOffer,
    PortState,
    PublicResolver,
    Purpose,
    Revocation,
    Tls,
    Verification,
    Zone,
)
from padlock.network.addresses import allowed_networks
from padlock.network.connection import has_route
from padlock.network.failure import NetworkFailure, printable
from padlock.network.http import Response
from padlock.network.limits import ADDRESSES_PER_HOST, BODIES_AT_ONCE, CONNECTIONS_PER_SITE
from padlock.network.vantage import Vantage
from padlock.probes import trust
from padlock.probes.cache import Cache
from padlock.probes.dns import resolve_host, resolver_of
from padlock.probes.turns import Turns
from padlock.probes.urls import DEFAULT_PORTS, Refused, Url
from padlock.probes.visit import Visit
from padlock.site import Site

type Surroundings = tuple[
    tuple[Zone, ...], tuple[PublicResolver, ...], Mapping[str, tuple[str, ...]], Mapping[str, Lookup]
]

CUT_OFF = Failure("deadline")
CHALLENGES = "/.well-known/acme-challenge/"
"""Where authorities ask for a token (RFC 8555 section 8.3)."""
_FEWEST_CONNECTIONS = 6
"""Open at once to one host, however many hosts a site has."""


class Answer(msgspec.Struct, frozen=True):
    """An exchange, and what following it needs as it was sent."""

    exchange: Exchange
    locations: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    reusable: bool = False
    """The connection can carry another request."""
    page: Response | None = None
    """The whole of what came, where it is an HTML page over HTTPS that is read further."""


class Run:
    """One run of one site."""

    tasks: asyncio.TaskGroup
    """Where its probes run; set once the run's time has begun."""

    def __init__(self, site: Site, now: datetime, vantage: Vantage, cache: Cache) -> None:
        self.site = site
        self.cache = cache
        self.pieces: dict[str, Any] = {}
        """Field of the evidence → what a probe of its own gathered for it."""
        self.now = now
        self.vantage = vantage
        self.allowed = allowed_networks(site.networks, vantage.networks)
        self.resolver = resolver_of(vantage)
        self.began = time.perf_counter()
        self.hosts: dict[str, HostDns] = {}
        self.around: Surroundings | None = None
        """What DNS says beside the addresses."""
        self.ports: dict[tuple[str, str, int], PortState] = {}
        self.handshakes: dict[tuple[str, str, int, str], Handshake] = {}
        """The main look at each host and address, and the one without SNI."""
        self.more_handshakes: list[Handshake] = []
        """Further looks, kept where they show another leaf."""
        self.alpn: dict[tuple[str, str, int], str] = {}
        """What an address speaks for a host if both h2 and HTTP/1.1 are offered."""
        self.certificates: dict[str, Certificate] = {}
        self.verifications: dict[tuple[str, ...], Verification | None] = {}
        """None: under way."""
        self.obsolete: dict[tuple[str, str, str], ObsoleteOffer] = {}
        """Host, address and version → how an obsolete version was taken."""
        self.revocations: dict[str, Revocation] = {}
        """Digest → what is known of a certificate's revocation."""
        self.exchanges: dict[tuple[str, str, str], Exchange] = {}
        self.chains: dict[tuple[str, str], Chain] = {}
        self.timings: dict[str, float] = {}
        self.faults: list[str] = []
        """Faults of Padlock's."""
        self.trusted = trust.anchors(now, vantage.ca_file)
        try:
            self.trusted = trust.anchors(now, vantage.ca_file, site.private_ca)
        except ValueError as error:
            self.faults.append(f"the site's private_ca cannot be read: {printable(str(error))}")
        self.looked_at: set[str] = set()
        """Addresses whose default site was asked for."""
        self.page_files = asyncio.Lock()
        """Held while the files of a page are asked for: one page at a time."""
        self.bodies = asyncio.Semaphore(BODIES_AT_ONCE)
        """Held while a large body is read."""
        self.token = secrets.token_urlsafe(32)
        """Of challenges: nobody has it, and all are asked for the same, so that redirects between them are known."""
        self._answers: dict[tuple[str, str], asyncio.Future[Answer]] = {}
        self._challenges: dict[tuple[str, str], asyncio.Future[Answer]] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._turns = Turns()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Start work that belongs to this run; a fault in it is noted and ends nothing else."""
        task = self.tasks.create_task(self._guarded(work))
        # The deadline may end a task before it begins; its work would be reported as never awaited.
        task.add_done_callback(lambda _: work.close())

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 — a fault of ours must not take the other probes along
            self.faults.append(f"a fault of Padlock's: {printable(repr(error))}")

    def vetted(self, host: HostDns) -> tuple[str, ...]:
        """Return the addresses of a host that are used; some of each family where there are too many."""
        usable = [address for address in host.addresses if address not in host.refused]
        v6 = [address for address in usable if ":" in address]
        v4 = [address for address in usable if ":" not in address][: ADDRESSES_PER_HOST - min(len(v6), 4)]
        return tuple(v4 + v6[: ADDRESSES_PER_HOST - len(v4)])

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the vetted addresses of a redirect's target; Refused where it has others only."""
        found = self.hosts.get(host) or await resolve_host(self.resolver, host, allowed=self.allowed)
        usable = self.vetted(found)
        if found.refused and not usable:
            address, block = next(iter(found.refused.items()))
            raise Refused(f"{host} has the address {address} ({block})")
        return usable

    def port(self, scheme: str) -> int:
        """Return the site's port for a scheme."""
        return self.site.ports.https if scheme == "https" else self.site.http_port or DEFAULT_PORTS["http"]

    def is_open(self, host: str, address: str, scheme: str) -> bool:
        """Whether a port was seen open."""
        state = self.ports.get((host, address, self.port(scheme)))
        return state is not None and state.failure is None

    def url(self, scheme: str, host: str, target: str) -> Url:
        """Return a URL of the site."""
        return Url(scheme, host, self.port(scheme), target)

    def challenge(self, scheme: str, host: str) -> Url:
        """Return the URL of a challenge."""
        return self.url(scheme, host, CHALLENGES + self.token)

    def demands_certificate(self, host: str, address: str, port: int) -> None:
        """Note that an address wants a client certificate, which only an answer showed."""
        key = host, address, port, host
        if key in self.handshakes:
            self.handshakes[key] = msgspec.structs.replace(self.handshakes[key], client_certificate=True)

    def connection(self, host: str, address: str, port: int, *, again: bool = False) -> Visit:
        """Return a connection for one host to be opened, in turn.

        `again` is a second look, which waits until nothing else is open at the address.
        """
        slots = self._slots.get(host)
        if slots is None:
            share = max(_FEWEST_CONNECTIONS, CONNECTIONS_PER_SITE // (len(self.site.hosts) or 2))
            slots = self._slots[host] = asyncio.Semaphore(share)
        return Visit(self._turns, slots, address, port, self.allowed, again=again)

    def record_port(self, state: PortState) -> None:
        """Keep what a port does; a failure after a failure is confirmed."""
        key = state.host, state.address, state.port
        before = self.ports.get(key)
        self.ports[key] = _confirmed(state, before.failure if before else None)

    def record_handshake(self, handshake: Handshake) -> None:
        """Keep the main look at an address, or the one without SNI."""
        key = handshake.host, handshake.address, handshake.port, handshake.sni
        before = self.handshakes.get(key)
        self.handshakes[key] = _confirmed(handshake, before.failure if before else None)

    def expect(self, url: Url, address: str, purpose: Purpose) -> asyncio.Future[Answer]:
        """Announce an exchange, for redirects that lead to it and for the deadline."""
        self.exchanges[str(url), address, purpose] = Exchange(str(url), url.host, address, purpose, CUT_OFF)
        return self._answers.setdefault((str(url), address), asyncio.get_running_loop().create_future())

    def record(self, answer: Answer) -> None:
        """Keep an exchange; redirects see it only once it is settled."""
        seen = answer.exchange
        self.exchanges[seen.url, seen.address, seen.purpose] = seen

    def settle(self, answer: Answer) -> None:
        """Keep an exchange for good, and hand it to the redirects that wait for it."""
        self.record(answer)
        waiting = self._answers.get((answer.exchange.url, answer.exchange.address))
        if waiting and not waiting.done():
            waiting.set_result(_without_cookies(answer))

    def expect_challenge(self, url: Url, address: str) -> None:
        """Announce a challenge, which is kept by whoever goes its way and nowhere else."""
        self._challenges.setdefault((str(url), address), asyncio.get_running_loop().create_future())

    def settle_challenge(self, answer: Answer) -> None:
        """Hand a challenge's answer to the ways that lead over it."""
        waiting = self._challenges.get((answer.exchange.url, answer.exchange.address))
        if waiting and not waiting.done():
            waiting.set_result(_without_cookies(answer))

    async def after_main_looks(self, seconds: float) -> None:
        """Wait, at most so long, until every exchange that is announced by now is settled."""
        if self._answers:
            await asyncio.wait(list(self._answers.values()), timeout=seconds)

    def announced(self, url: Url | str, address: str) -> asyncio.Future[Answer] | None:
        """Return the exchange that was announced for this URL and address, done or not."""
        return self._answers.get((str(url), address))

    def announced_challenge(self, url: Url, address: str) -> asyncio.Future[Answer] | None:
        """Return the challenge that was announced for this URL and address, answered or not."""
        return self._challenges.get((str(url), address))

    def record_chain(self, chain: Chain) -> None:
        """Keep a redirect chain, whole or so far."""
        self.chains[chain.start, chain.purpose] = chain

    def evidence(self, incomplete: str) -> Evidence:
        """Return everything that was seen."""
        order = {host: number for number, host in enumerate(self.hosts)}
        addresses: dict[str, int] = {}
        for address in (address for host in self.hosts.values() for address in host.addresses):
            addresses.setdefault(address, len(addresses))

        def place(seen: PortState | Handshake | ObsoleteOffer | Exchange) -> tuple[int, int]:
            return order.get(seen.host, len(order)), addresses.get(seen.address, len(addresses))

        spoken = [
            msgspec.structs.replace(seen, alpn=self.alpn.get((seen.host, seen.address, seen.port), ""))
            if seen.sni and not seen.failure
            else seen
            for seen in self.handshakes.values()
        ]
        handshakes = sorted(_distinct(spoken, self.more_handshakes), key=place)
        exchanges = sorted(self.exchanges.values(), key=place)
        verifications = tuple(look for look in self.verifications.values() if look)
        self.timings["tls"] = max((handshake.seconds for handshake in handshakes), default=0.0)
        self.timings["http"] = max((exchange.seconds.get("total", 0.0) for exchange in exchanges), default=0.0)
        self.timings["total"] = time.perf_counter() - self.began
        return Evidence(
            site=self.site,
            gathered_at=self.now,
            dns=self._dns(),
            ports=tuple(sorted(self.ports.values(), key=place)) if self.hosts else None,
            tls=Tls(
                tuple(handshakes),
                self.certificates,
                verifications,
                tuple(sorted(self.obsolete.values(), key=place)),
                tuple(self.revocations.values()),
            )
            if self.hosts
            else None,
            http=Http(tuple(exchanges), tuple(self.chains.values())) if self.hosts else None,
            timings={phase: round(seconds, 4) for phase, seconds in self.timings.items()},
            vantage={
                "region": self.vantage.region,
                "resolver": ", ".join(address for address, _ in self.resolver.endpoints),
                "ipv4": "yes" if has_route(4) else "no",
                "ipv6": "yes" if has_route(6) else "no",
            },
            incomplete="; ".join(filter(None, [incomplete, *self.faults])),
            **self.pieces,
        )

    def _dns(self) -> Dns | None:
        """Return what DNS said, as far as it was heard."""
        if not self.hosts:
            return None
        declared = self.site.hosts or (self.site.name,)
        order = {host: number for number, host in enumerate(declared)}
        hosts = tuple(sorted(self.hosts.values(), key=lambda host: order.get(host.host, len(order))))
        if self.around is None:
            unasked = Zone("", tuple(self.hosts), (), (), failure="the time for this site ran out")
            return Dns(hosts, (unasked,))
        zones, public, wildcard, targets = self.around
        return Dns(hosts, zones, public, wildcard, targets)


def failure_of(failure: NetworkFailure) -> Failure:
    """Return what the network package raised as evidence."""
    return Failure(failure.kind, failure.detail)  # type: ignore[arg-type]  # its kinds are these


def _without_cookies(answer: Answer) -> Answer:
    # Who walks with cookies asks anew; kept for each URL and address they may take megabytes.
    return msgspec.structs.replace(answer, cookies=()) if answer.cookies else answer


def _confirmed[T: PortState | Handshake](seen: T, before: Failure | None) -> T:
    twice = seen.failure is not None and before is not None and not before.is_ours
    return msgspec.structs.replace(seen, confirmed=True) if twice else seen


def _distinct(main: Iterable[Handshake], more: Iterable[Handshake]) -> list[Handshake]:
    """Return the main looks, and of the others those that show a leaf which no look at that address showed."""
    kept = list(main)
    shown = {(h.host, h.address, h.port, h.chain[0]) for h in kept if h.chain and h.sni}
    for handshake in more:
        leaf = handshake.host, handshake.address, handshake.port, handshake.chain[0] if handshake.chain else ""
        if leaf not in shown:
            shown.add(leaf)
            kept.append(handshake)
    return kept
