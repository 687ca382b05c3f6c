"""A real DNS server on loopback for tests, UDP and TCP, whose behaviours are scripted.

    async with serve(zone("example.com", "@ A 192.0.2.1")) as server:
        resolver = Resolver([server.endpoint])

What a server does is an `Answer`: a function from the query to a message, to raw octets, or to None for silence.
`zone` and `recursive` make well-behaved ones; the other functions here wrap an answer and break one thing of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.rdatatype import CNAME, NS, SOA

type Query = dns.message.Message
type Answer = Callable[[Query, str], dns.message.Message | bytes | Sequence[bytes] | None]
"""(query, "udp" or "tcp") → what is sent back; several octet strings are several datagrams."""


class Server:
    """One running server and the questions that it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.endpoint = ("", 0)
        self.asked: list[tuple[str, str, str]] = []
        """(name, type, transport) in order of arrival."""

    def respond(self, wire: bytes, transport: str) -> list[bytes]:
        """Return the messages to send back."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append((text(question.name), dns.rdatatype.to_text(question.rdtype), transport))
        answer = self.answer(query, transport)
        if answer is None:
            return []
        if isinstance(answer, dns.message.Message):
            size = 65535 if transport == "tcp" else max(query.payload, 512)
            return [answer.to_wire(max_size=size) if transport == "tcp" else fitting(answer, size)]
        return [answer] if isinstance(answer, bytes) else list(answer)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for message in self.server.respond(data, "udp"):
            self.transport.sendto(message, addr)


@contextlib.asynccontextmanager
async def serve(
    answer: Answer, address: str = "127.0.0.1", port: int = 0, *, tcp: bool = True
) -> AsyncIterator[Server]:
    """Run a server until the block ends; port 0 takes a free one."""
    server = Server(answer)
    loop = asyncio.get_running_loop()
    for _ in range(20):
        transport, _protocol = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=(address, port))
        server.endpoint = transport.get_extra_info("sockname")[:2]
        try:
            stream = await asyncio.start_server(_tcp(server), *server.endpoint) if tcp else None
            break
        except OSError:  # the free UDP port is taken on TCP
            transport.close()
    try:
        yield server
    finally:
        transport.close()
        if stream:
            stream.close()


def _tcp(server: Server) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            for message in server.respond(wire, "tcp"):
                writer.write(len(message).to_bytes(2) + message)
            await writer.drain()
        writer.close()

    return handle


def fitting(message: dns.message.Message, size: int) -> bytes:
    """Return the message, cut and marked as truncated where it does not fit a datagram."""
    try:
        return message.to_wire(max_size=size)
    except dns.exception.TooBig:
        message.answer, message.authority, message.additional = [], [], []
        message.flags |= dns.flags.TC
        return message.to_wire()


def text(name: dns.name.Name) -> str:
    """Return a name as the product writes it."""
    return name.to_text(omit_final_dot=True).lower()


def zone(apex: str, *lines: str, soa: bool = True) -> Answer:
    """Return an authoritative server of one zone; a line is `name type data`, with @ and relative names.

    It follows CNAMEs inside the zone, expands wildcards, refers to delegated zones (an NS line below the apex), and
    refuses other zones.
    """
    return _Data([_Zone(apex, lines, soa=soa)], recursive=False).answer


def recursive(*zones: tuple[str, ...]) -> Answer:
    """Return a recursive resolver that knows these zones, each (apex, line, line...), and NXDOMAIN for the rest."""
    return _Data([_Zone(apex, lines) for apex, *lines in zones], recursive=True).answer


class _Zone:
    def __init__(self, apex: str, lines: Iterable[str], *, soa: bool = True) -> None:
        self.apex = dns.name.from_text(apex)
        data: dict[tuple[dns.name.Name, str], list[str]] = {}
        for line in ["@ SOA ns1.test. admin.test. 1 3600 600 86400 60" if soa else "", *lines]:
            if line:
                name, rdtype, value = line.split(None, 2)
                data.setdefault((dns.name.from_text(name, self.apex), rdtype), []).append(value)
        self.sets = {(owner, dns.rdatatype.from_text(t)): self._set(owner, t, v) for (owner, t), v in data.items()}
        self.names = {parent for name, _ in self.sets for parent in _parents(name, self.apex)}

    def _set(self, owner: dns.name.Name, rdtype: str, values: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(owner, 300, "IN", rdtype, values, origin=self.apex, relativize=False)

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the records of a name, from a wildcard where the name does not exist."""
        if name in self.names:
            return self.sets.get((name, rdtype))
        star = dns.name.from_text("*", next(parent for parent in _parents(name) if parent in self.names))
        found = self.sets.get((star, rdtype))
        return dns.rrset.from_rdata_list(name, found.ttl, list(found)) if found else None

    def exists(self, name: dns.name.Name) -> bool:
        """Whether a name exists, an empty one between others and one below a wildcard included."""
        above = next((parent for parent in _parents(name) if parent in self.names), None)
        return name in self.names or (above is not None and dns.name.from_text("*", above) in self.names)


class _Data:
    def __init__(self, zones: list[_Zone], *, recursive: bool) -> None:
        self.zones, self.recursive = zones, recursive

    def answer(self, query: Query, _transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA if self.recursive else dns.flags.AA
        self._fill(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
        for _ in range(64):
            held = self._zone_of(name)
            if held is None:
                if not response.answer:
                    self._outside(response)
                return
            cut = None if self.recursive else _delegation(held, name)
            if cut:
                _refer(response, held, cut)
                return
            found = held.find(name, rdtype)
            alias = held.find(name, CNAME)
            if found or not alias:
                _finish(response, held, name, found)
                return
            if alias in response.answer:
                return
            response.answer.append(alias)
            name = alias[0].target

    def _zone_of(self, name: dns.name.Name) -> _Zone | None:
        holding = [held for held in self.zones if name.is_subdomain(held.apex)]
        return max(holding, key=lambda held: len(held.apex), default=None)

    def _outside(self, response: dns.message.Message) -> None:
        response.flags &= ~dns.flags.AA
        response.set_rcode(dns.rcode.NXDOMAIN if self.recursive else dns.rcode.REFUSED)


def _finish(response: dns.message.Message, held: _Zone, name: dns.name.Name, found: dns.rrset.RRset | None) -> None:
    if found:
        response.answer.append(found)
        return
    if not held.exists(name):
        response.set_rcode(dns.rcode.NXDOMAIN)
    if (held.apex, SOA) in held.sets:
        response.authority.append(held.sets[held.apex, SOA])


def _delegation(held: _Zone, name: dns.name.Name) -> dns.name.Name | None:
    below = [parent for parent in _parents(name, held.apex) if parent != held.apex]
    return next((parent for parent in below if (parent, NS) in held.sets), None)


def _refer(response: dns.message.Message, held: _Zone, cut: dns.name.Name) -> None:
    response.flags &= ~dns.flags.AA
    servers = held.sets[cut, NS]
    response.authority.append(servers)
    for server in servers:
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            if (server.target, rdtype) in held.sets:
                response.additional.append(held.sets[server.target, rdtype])


def _parents(name: dns.name.Name, top: dns.name.Name = dns.name.root) -> list[dns.name.Name]:
    """Return the name and every name above it, down to the top."""
    found = [name]
    while found[-1] != top and found[-1] != dns.name.root:
        found.append(found[-1].parent())
    return found


def silent(_query: Query, _transport: str) -> None:
    """Never answer."""


def rcode(name: str, extended: tuple[int, str] | None = None) -> Answer:
    """Answer every question with an error code, and an extended DNS error if given."""

    def answer(query: Query, _transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.from_text(name))
        if extended and query.edns >= 0:
            code, words = extended
            response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode(code), words)])
        return response

    return answer


def when(match: Callable[[str, str], bool], then: Answer, otherwise: Answer) -> Answer:
    """Do one thing for questions (name, type) that match, another for the rest."""

    def answer(query: Query, transport: str) -> Any:
        question = query.question[0]
        matches = match(text(question.name), dns.rdatatype.to_text(question.rdtype))
        return (then if matches else otherwise)(query, transport)

    return answer


def truncated(whole: Answer) -> Answer:
    """Answer every datagram with an empty message that says: ask over TCP."""

    def answer(query: Query, transport: str) -> Any:
        if transport == "tcp":
            return whole(query, transport)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response

    return answer


def not_authoritative(whole: Answer) -> Answer:
    """Answer without the AA flag, as a server does that was never told of the zone."""

    def answer(query: Query, transport: str) -> Any:
        response = whole(query, transport)
        assert isinstance(response, dns.message.Message)
        response.flags &= ~dns.flags.AA
        return response

    return answer


def without_edns(whole: Answer, *, formerr: bool) -> Answer:
    """Know no EDNS: answer FORMERR to it, or drop it as an old firewall does."""

    def answer(query: Query, transport: str) -> Any:
        if query.edns < 0:
            return whole(query, transport)
        return rcode("FORMERR")(query, transport) if formerr else None

    return answer


def forged_first(whole: Answer, *, and_then: bool = True) -> Answer:
    """Send an answer with a wrong id, one to another question and one that is none, then the true one or nothing."""

    def answer(query: Query, transport: str) -> list[bytes]:
        true = whole(query, transport)
        assert isinstance(true, dns.message.Message)
        wire = true.to_wire()
        other = dns.message.make_response(dns.message.make_query("forged.test", "A", id=query.id)).to_wire()
        wrong_id = ((query.id + 1) % 65536).to_bytes(2) + wire[2:]
        forged = [wrong_id, other, query.to_wire(), b"\0"]
        return [*forged, wire] if and_then else forged

    return answer
