"""DNS servers that mean harm, beside tests/dns_server.py's: slow ones, floods, octets that no library writes."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from tests import dns_server
from tests.dns_server import Answer, Query, text
from tests.hostile.behaviour import Place
from tests.hostile.serving import Serve, certified, shop, to_https
from tests.servers import listen, pages

type Twist = Callable[[Answer, Place], Answer]
"""(healthy server of the zone, place) → what answers instead."""

HIP = 55
FLOOD = 50_000
"""Datagrams for one."""


def records(*lines: str) -> Callable[[Place], str]:
    """Return the text of a zone at a place; `{4}` and `{6}` in a line stand for its addresses."""
    own = ("@ NS ns", "ns A {4}", *lines)
    return lambda place: "\n".join(own).replace("{4}", place.address).replace("{6}", place.address6)


def healthy(_place: Place, data: str) -> Answer:
    """Return a well-behaved server of a zone."""
    return dns_server.zone(_place.host, *data.splitlines())


def served(
    data: Callable[[Place], str],
    twist: Twist,
    *,
    tcp: bool = True,
    other: Answer | None = None,
    seconds: float = 0.0,
    flood: bool = False,
) -> Serve:
    """Return a healthy site whose zone is served so: after `seconds`, or with a flood; `other` stands at its IPv6."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        answer = twist(healthy(place, data(place)), place)
        async with contextlib.AsyncExitStack() as stack:
            if seconds:
                await stack.enter_async_context(slow(answer, place.address, seconds))
            elif flood:
                stack.enter_context(flooding(answer, place.address))
            else:
                await stack.enter_async_context(dns_server.serve(answer, place.address, 53, tcp=tcp))
            if other:
                await stack.enter_async_context(dns_server.serve(other, place.address6, 53))
            tls = certified(place, place.host, f"*.{place.host}")
            await stack.enter_async_context(listen(pages(shop), place.address, 443, tls))
            await stack.enter_async_context(listen(pages(to_https), place.address, 80))
            yield

    return serve


@contextlib.asynccontextmanager
async def slow(answer: Answer, address: str, seconds: float) -> AsyncIterator[None]:
    """Run a server that takes its time for each datagram."""
    loop = asyncio.get_running_loop()
    server = dns_server.Server(answer)

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            for message in server.respond(data, "udp"):
                loop.call_later(seconds, self._send, message, addr)

        def _send(self, message: bytes, addr: Any) -> None:
            if not self.transport.is_closing():
                self.transport.sendto(message, addr)

    transport, _ = await loop.create_datagram_endpoint(Udp, local_addr=(address, 53))
    try:
        yield
    finally:
        transport.close()


def for_us(then: Answer, otherwise: Answer) -> Answer:
    """Answer differently where no DNSSEC records are asked for (DO): resolvers ask for them, Padlock does not."""
    return lambda query, transport: (otherwise if query.ednsflags & dns.flags.DO else then)(query, transport)


def wire_of(answer: Answer, query: Query, transport: str) -> bytes:
    """Return a whole message of another server, however long."""
    whole = answer(query, transport)
    assert isinstance(whole, dns.message.Message)
    whole.use_edns(-1)
    return whole.to_wire(max_size=65535)


def beside_alias(whole: Answer) -> Answer:
    """Return a server that has 60 KB of TXT records beside the alias at `www`."""
    strings = (b"\xff" + b"\x1b" * 255) * 230
    huge: Answer = lambda query, _: headed(query, 1, record(dns.rdatatype.TXT, strings))  # noqa: E731 — one answer
    return dns_server.when(lambda name, rdtype: name.startswith("www.") and rdtype == "TXT", huge, whole)


def with_records(whole: Answer, *more: bytes) -> Answer:
    """Return a server that adds records, as octets, to another one's answers, where these end with their answer."""

    def answer(query: Query, transport: str) -> bytes:
        wire = wire_of(whole, query, transport)
        answers, *others = struct.unpack_from("!3H", wire, 6)
        if not answers or any(others):
            return wire
        return wire[:6] + struct.pack("!3H", answers + len(more), 0, 0) + wire[12:] + b"".join(more)

    return answer


def _end_of_question(query: Query) -> int:
    return 12 + len(query.question[0].name.to_wire() or b"") + 4


def record(rdtype: int, data: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    """Return a record as octets; by default it belongs to the name that was asked for."""
    return owner + struct.pack("!2HIH", rdtype, 1, 300, len(data)) + data


def headed(query: Query, count: int, body: bytes, *, rcode: int = 0) -> bytes:
    """Return an authoritative answer with these octets for its records."""
    question = query.question[0]
    section = (question.name.to_wire() or b"") + struct.pack("!2H", question.rdtype, 1)
    return struct.pack("!6H", query.id, 0x8400 | rcode, 1, count, 0, 0) + section + body


def pointing_in_circles(query: Query, _transport: str) -> bytes:
    """Answer with names whose compression pointers lead to themselves, to each other, and forwards."""
    at = _end_of_question(query)
    itself = struct.pack("!H", 0xC000 | at)
    other = struct.pack("!H", 0xC000 | (at + 16))
    address = struct.pack("!2HIH", 1, 1, 300, 4) + b"\x01\x02\x03\x04"
    return headed(query, 3, itself + address + other + address + itself + address)


def bomb(query: Query, _transport: str) -> bytes:
    """Answer with 60 KB in which 29,000 pointers each stand for a name of 100 labels."""
    long = b"\x01a" * 98 + b"\xc0\x0c"
    first = record(dns.rdatatype.NS, long)
    place = _end_of_question(query) + 12
    packed = struct.pack("!H", 0xC000 | place)
    host = b"\0\0\0\0" + packed * 29_000  # a HIP record without key, and 29,000 rendezvous servers (RFC 8005)
    return headed(query, 2, first + record(HIP, host))


def many_names(rdtype: int) -> Answer:
    """Return a server that answers with 3,000 long names in 54 KB."""

    def answer(query: Query, _transport: str) -> bytes:
        long = b"\x01a" * 96 + b"\xc0\x0c"
        place = struct.pack("!H", 0xC000 | (_end_of_question(query) + 12))
        rest = b"".join(record(rdtype, b"\x03%03x" % number + place) for number in range(3000))
        return headed(query, 3001, record(rdtype, long) + rest)

    return answer


def of_others(whole: Answer) -> Answer:
    """Return a server that adds records of other names: of a neighbour's, and of the name's own servers."""

    def answer(query: Query, transport: str) -> Any:
        response = whole(query, transport)
        assert isinstance(response, dns.message.Message)
        forged = (
            "shop.test. 300 IN A 192.0.2.66",
            "hostile.test. 300 IN NS ns.thief.test.",
            "test. 300 IN NS ns.thief.test.",
        )
        for line in forged:
            name, ttl, _, rdtype, value = line.split()
            made = dns.rrset.from_text(name, int(ttl), "IN", rdtype, value)
            response.answer.append(made)
            response.authority.append(made)
            response.additional.append(made)
        return response

    return answer


def empty_but_of_others(query: Query, _transport: str) -> dns.message.Message:
    """Answer with authority, and with an address of another name only."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    response.answer.append(dns.rrset.from_text("shop.test.", 300, "IN", "A", "45.83.1.1"))
    return response


def endless_aliases(whole: Answer) -> Answer:
    """Return a server of which each name below `www` is an alias of another one."""

    def answer(query: Query, transport: str) -> Any:
        name = text(query.question[0].name)
        label, _, rest = name.partition(".")
        if not label.startswith("www"):
            return whole(query, transport)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        target = f"www{int(label[3:] or 0) + 1}.{rest}."
        response.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "CNAME", target))
        return response

    return answer


@contextlib.contextmanager
def flooding(answer: Answer, address: str) -> Iterator[None]:
    """Run a server that answers resolvers, and floods whoever asks for no DNSSEC records with wrong ids."""
    server = dns_server.Server(answer)
    ended = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((address, 53))
        listener.settimeout(0.2)
        threads = [threading.Thread(target=_flood, args=(listener, server, ended), daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(5)


def _flood(listener: socket.socket, server: dns_server.Server, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(OSError):
            query, client = listener.recvfrom(4096)
            if dns.message.from_wire(query).ednsflags & dns.flags.DO:
                for message in server.respond(query, "udp"):
                    listener.sendto(message, client)
                continue
            wrong = bytes([query[0] ^ 0xFF]) + query[1:2] + b"\x84" + query[3:]
            for _ in range(FLOOD):
                listener.sendto(wrong, client)
