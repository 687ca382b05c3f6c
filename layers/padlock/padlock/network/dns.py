"""DNS over UDP and TCP (RFC 1035, RFC 7766): one question to one server, and a resolver that remembers.

Messages are handled one by one, as dnspython's own resolver raises NoNameservers alike for truncation, SERVFAIL,
REFUSED and CNAME loops, and does not retry without EDNS. Each datagram has a socket of its own, connected: the kernel
drops what other addresses send, and reports a closed port at once.
"""

import asyncio
import errno
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import dns.exception
import msgspec

from padlock.network.dns_message import BADVERS, FORMERR, NOTIMP, Question, Reply, Status, encode, failed, read
from padlock.network.limits import CNAMES, DNS_ATTEMPTS, DNS_IGNORED, DNS_OUTSTANDING, DNS_SECONDS, DNS_TOTAL_SECONDS
from padlock.network.patience import Patience
from padlock.network.vantage import Endpoint

RESOLV_CONF = Path("/etc/resolv.conf")
_NO_EDNS = (FORMERR, NOTIMP, BADVERS)
_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM)
_ANSWERS = ("ok", "nodata", "nxdomain", "loop")
"""What ends a lookup; after the other words another resolver is asked."""
_DATAGRAM = 65_535


async def ask(endpoint: Endpoint, question: Question, attempts: int = DNS_ATTEMPTS) -> Reply:
    """Ask one server one question; every failure is a Reply.

    The first try uses EDNS; after an error that means "no EDNS", or silence, as from firewalls that drop it, the next
    try goes without.
    """
    started = time.monotonic()
    reply = await _attempt(endpoint, question, edns=True)
    if reply.status == "timeout" and attempts > 1:
        try:
            async with _rest(started):
                for _ in range(1, attempts):
                    reply = await _attempt(endpoint, question, edns=False)
                    if reply.status != "timeout":
                        break
        except TimeoutError:
            reply = failed(question, "timeout", f"no answer in {DNS_TOTAL_SECONDS:g} s")
    return _timed(reply, started)


def _rest(started: float) -> Patience:
    """Return what is left of a question's time; its first attempt takes no longer than all of that by itself."""
    return Patience(max(0.0, DNS_TOTAL_SECONDS - (time.monotonic() - started)))


async def _attempt(endpoint: Endpoint, question: Question, *, edns: bool) -> Reply:
    reply = await _over_udp(endpoint, question, edns=edns)
    if edns and (reply.rcode in _NO_EDNS or reply.status == "malformed"):
        edns = False
        reply = await _over_udp(endpoint, question, edns=False)
    if reply.truncated:
        return await _over_tcp(endpoint, question, edns=edns)
    return reply


async def _over_udp(endpoint: Endpoint, question: Question, *, edns: bool) -> Reply:
    identifier = secrets.randbits(16)
    ignored = 0
    try:
        wire = encode(question, identifier, edns=edns)
    except dns.exception.DNSException as error:
        return failed(question, "malformed", f"this is no DNS name: {error}")
    try:
        connected = _connected(endpoint)
    except OSError as error:
        return failed(question, *_unsent(endpoint, error))
    with connected:
        try:
            async with Patience(DNS_SECONDS):
                await _sent(connected, wire)
                while ignored < DNS_IGNORED:
                    reply = read(await _received(connected, wait=ignored == 0), question, identifier)
                    if reply is not None:
                        return reply
                    ignored += 1
                    # What is waiting is had at once: a flood would keep the loop to itself.
                    await asyncio.sleep(0)
        except TimeoutError:
            forged = f"; {ignored} answers to another question were ignored" if ignored else ""
            return failed(question, "timeout", f"no answer in {DNS_SECONDS:g} s{forged}")
        except ConnectionRefusedError:
            return failed(question, "timeout", f"nothing listens at {endpoint[0]} port {endpoint[1]}")
        except OSError as error:
            return failed(question, "timeout", f"{endpoint[0]}: {error.strerror}")
    return failed(question, "timeout", f"{ignored} answers to another question came, and none to this one")


def _connected(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
    connected = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        connected.connect(endpoint)
    except OSError:
        connected.close()
        raise
    return connected


async def _sent(connected: socket.socket, wire: bytes) -> None:
    try:
        connected.send(wire)
    except (BlockingIOError, InterruptedError):
        await asyncio.get_running_loop().sock_sendall(connected, wire)


async def _received(connected: socket.socket, *, wait: bool) -> bytes:
    """Return the next datagram; `wait` where none can have come yet, so that it need not be tried."""
    while True:
        if wait:
            await _readable(connected.fileno())
        try:
            return connected.recv(_DATAGRAM)
        except (BlockingIOError, InterruptedError):
            wait = True


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, _note, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _note(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _unsent(endpoint: Endpoint, error: OSError) -> tuple[Status, str]:
    if error.errno in _NO_ROUTE:
        return "not_asked", f"no route to {endpoint[0]} from this vantage point"
    return "not_asked", f"nothing could be sent to {endpoint[0]}: {error.strerror or error}"


async def _over_tcp(endpoint: Endpoint, question: Question, *, edns: bool) -> Reply:
    """Ask again over TCP what did not fit a datagram."""
    identifier = secrets.randbelow(65536)
    wire = encode(question, identifier, edns=edns)
    writer: asyncio.StreamWriter | None = None
    try:
        async with Patience(DNS_SECONDS):
            reader, writer = await asyncio.open_connection(*endpoint)
            writer.write(len(wire).to_bytes(2) + wire)
            size = int.from_bytes(await reader.readexactly(2))
            reply = read(await reader.readexactly(size), question, identifier)
    except TimeoutError:
        return failed(
            question, "truncated", f"the answer does not fit a datagram, and TCP port {endpoint[1]} is silent"
        )
    except (OSError, EOFError) as error:
        number = getattr(error, "errno", None)  # asyncio puts words of its own in the place of strerror
        reason = os.strerror(number) if number else "closed before an answer"
        return failed(question, "truncated", f"the answer does not fit a datagram, and TCP fails: {reason}")
    finally:
        if writer:
            writer.transport.abort()
    return reply or failed(question, "malformed", "the answer over TCP belongs to another question")


class Direct:
    """Asks servers by their address, one run's questions at most so many at once.

    A server that has been silent is not waited for again, so that a dead one costs one timeout however many questions
    there are for it.
    """

    def __init__(self) -> None:
        self._silent: set[Endpoint] = set()
        self._heard: dict[tuple[Endpoint, Question], Reply] = {}
        self._outstanding = asyncio.Semaphore(DNS_OUTSTANDING)

    async def ask(self, endpoint: Endpoint, question: Question, attempts: int = DNS_ATTEMPTS) -> Reply:
        """Ask one server one question; what it has answered in this run stands."""
        known = self._heard.get((endpoint, question))
        return known or await self.ask_again(endpoint, question, attempts)

    async def ask_again(self, endpoint: Endpoint, question: Question, attempts: int = DNS_ATTEMPTS) -> Reply:
        """Ask one server one question, whatever it answered before."""
        async with self._outstanding:
            if endpoint in self._silent:
                return failed(question, "timeout", "silent to the question before")
            reply = await ask(endpoint, question, attempts)
        if reply.status == "timeout":
            self._silent.add(endpoint)
        else:
            self._heard[endpoint, question] = reply
        return reply

    async def ask_both(
        self, endpoint: Endpoint, one: Question, other: Question, attempts: int = DNS_ATTEMPTS
    ) -> tuple[Reply, Reply]:
        """Ask one server two questions at the same time."""
        asked = asyncio.create_task(self.ask(endpoint, other, attempts))
        try:
            return await self.ask(endpoint, one, attempts), await asked
        finally:
            asked.cancel()


class Resolver:
    """Asks the operator's recursive resolvers; one object per run, as it remembers each answer for good."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.random_label = f"padlock-{secrets.token_hex(6)}"
        """A label that nobody has published, the same for the whole run."""
        self._answers: dict[tuple[str, str], asyncio.Task[Reply]] = {}
        self._silent: set[Endpoint] = set()
        self._plain: set[Endpoint] = set()
        """Resolvers that answered only once EDNS was left out."""
        self._outstanding = asyncio.Semaphore(DNS_OUTSTANDING)

    async def lookup(self, name: str, rdtype: str) -> Reply:
        """Return the answer, with CNAMEs followed to their end even where the resolver leaves that to us."""
        reply = await self._remembered(name, rdtype)
        if reply.status == "servfail" and rdtype in ("A", "AAAA") and not reply.cnames:
            return await self._explained(reply)
        while reply.is_partial:
            rest = await self._remembered(reply.cnames[-1], rdtype)
            reply = _joined(reply, rest)
            if not rest.cnames:
                break  # no CNAME more: neither data nor an SOA stands at the end
        return reply

    def begin(self, name: str, rdtype: str) -> None:
        """Ask ahead, for somebody who will look it up."""
        self._under_way(name, rdtype)

    def begin_both(self, name: str) -> None:
        """Ask ahead for A and AAAA."""
        self.begin(name, "A")
        self.begin(name, "AAAA")

    async def lookup_both(self, name: str) -> tuple[Reply, Reply]:
        """Return the answers for A and AAAA, which are asked for at the same time."""
        self.begin_both(name)
        return await self.lookup(name, "A"), await self.lookup(name, "AAAA")

    async def unchecked(self, reply: Reply) -> Reply | None:
        """Repeat a lookup that ended in SERVFAIL with DNSSEC validation off; None where it ends so no more."""
        answer, again = await asyncio.gather(
            self._asked(Question(reply.name, reply.rdtype, checking_disabled=True)),
            self._asked(Question(reply.name, reply.rdtype)),
        )
        return answer if again.status == "servfail" else None

    async def _explained(self, reply: Reply) -> Reply:
        """Walk the CNAMEs of a failed lookup one by one: resolvers answer SERVFAIL to a loop, or a long chain."""
        name = reply.name
        cnames: list[str] = []
        while len(cnames) < CNAMES:
            step = await self._remembered(name, "CNAME")
            if step.status != "ok":
                break
            name = step.records[0]
            cnames.append(name)
            if name == reply.name or name in cnames[:-1]:
                detail = f"the CNAME chain returns to {name}"
                return msgspec.structs.replace(reply, status="loop", cnames=tuple(cnames), detail=detail)
        return msgspec.structs.replace(reply, cnames=tuple(cnames))

    async def _remembered(self, name: str, rdtype: str) -> Reply:
        answer = self._under_way(name, rdtype)
        # A caller that is cancelled must not take the answer away from the others that wait for it.
        return answer.result() if answer.done() else await asyncio.shield(answer)

    def _under_way(self, name: str, rdtype: str) -> asyncio.Task[Reply]:
        key = name.lower(), rdtype
        if key not in self._answers:
            self._answers[key] = asyncio.create_task(self._asked(Question(name, rdtype)))
        return self._answers[key]

    async def _asked(self, question: Question) -> Reply:
        """Ask the resolvers in turn until one answers; SERVFAIL may be one resolver's own trouble."""
        started = time.monotonic()
        async with self._outstanding:
            began, turns = time.monotonic(), self._turns()
            first = next(turns, None)
            if first is None:
                return failed(question, "not_asked", "no resolver is configured")
            reply = await self._one(first, question)
            if reply.status not in _ANSWERS:
                reply = await self._of_others(reply, question, turns, began)
        return _timed(reply, started)

    def _turns(self) -> Iterator[Endpoint]:
        """Yield whom to ask, one after the other."""
        for _ in range(1 if self._silent.issuperset(self.endpoints) else DNS_ATTEMPTS):
            # A dead resolver costs its timeout once: those that were silent come last.
            yield from sorted(self.endpoints, key=self._silent.__contains__)

    async def _of_others(self, reply: Reply, question: Question, turns: Iterator[Endpoint], began: float) -> Reply:
        """Return what those say whose turn it still is, or the failure that tells most."""
        try:
            async with _rest(began):
                for endpoint in turns:
                    latest = await self._one(endpoint, question)
                    if latest.status in _ANSWERS:
                        return latest
                    reply = _telling(reply, latest)
        except TimeoutError:
            if reply.status == "not_asked":
                return failed(question, "timeout", f"no answer in {DNS_TOTAL_SECONDS:g} s")
        return reply

    async def _one(self, endpoint: Endpoint, question: Question) -> Reply:
        reply = await _attempt(endpoint, question, edns=not {endpoint} & (self._silent | self._plain))
        if reply.status == "timeout":
            self._silent.add(endpoint)
        elif endpoint in self._silent:
            self._silent.discard(endpoint)
            self._plain.add(endpoint)
        return reply


def _joined(reply: Reply, rest: Reply) -> Reply:
    """Return the answer of a chain's first part, carried on with the answer for its last target."""
    cnames = (*reply.cnames, *rest.cnames)
    ttls = [ttl for ttl in (reply.ttl, rest.ttl) if ttl is not None]
    joined = msgspec.structs.replace(
        rest,
        name=reply.name,
        cnames=cnames[:CNAMES],
        ttl=min(ttls, default=None),
        direct=False,
        seconds=reply.seconds + rest.seconds,
    )
    if reply.name in cnames or len(set(cnames)) < len(cnames):
        return msgspec.structs.replace(
            joined, status="loop", records=(), count=0, detail=f"the CNAME chain returns to {cnames[-1]}"
        )
    if len(cnames) > CNAMES:
        return msgspec.structs.replace(joined, status="servfail", detail=f"the CNAME chain is longer than {CNAMES}")
    return joined


def _telling(one: Reply, other: Reply) -> Reply:
    """Return the failure that tells more: any message over silence, silence over nothing sent."""
    order = ("not_asked", "timeout", "malformed", "refused", "truncated", "servfail")
    return other if order.index(other.status) >= order.index(one.status) else one


def _timed(reply: Reply, started: float) -> Reply:
    return msgspec.structs.replace(reply, seconds=round(time.monotonic() - started, 4))


def system_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Return the resolvers that the text of /etc/resolv.conf names; this host's own where it names none."""
    lines = (line.split() for line in text.splitlines())
    named = tuple((words[1], 53) for words in lines if len(words) > 1 and words[0] == "nameserver")
    return named[:3] or (("127.0.0.1", 53),)


def system_resolver() -> Resolver:
    """Return a resolver that asks what the operating system asks."""
    try:
        text = RESOLV_CONF.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return Resolver(system_endpoints(text))
