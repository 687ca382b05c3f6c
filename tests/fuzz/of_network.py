"""What arrives from name servers and over TCP: DNS messages, flights of TLS, HTTP."""

import asyncio
import contextlib
import functools
import ssl
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
from cryptography import x509
from padlock.network import browser_hello, hello, http, leaf_hello, leaves, limits
from padlock.network.dns import Resolver
from padlock.network.dns_message import Question, read
from padlock.network.failure import NetworkFailure
from padlock.network.tls import Offer, context
from padlock.probes.caa import of_reply
from padlock.probes.dns import resolve_host
from padlock.probes.zone_cuts import lookup_of

from tests.evidence_builder import with_caa, with_host
from tests.fuzz.judging import HEALTHY, judge
from tests.fuzz.target import Target
from tests.fuzz.wire import connected, run
from tests.issuers import Issuer
from tests.old_tls import alert, flight, record, server_hello
from tests.servers import redirect, reply

NAME = "www.example.com"
TYPES = ("A", "AAAA", "CNAME", "NS", "SOA", "CAA", "TXT")
OFFERS: tuple[Offer, ...] = ("main", "h2", "rsa", "ecdsa")
PIECES = (1, 3, 40, 300)
_NEXT = b"\n--\n"
"""Between two messages of a resolver that is asked twice."""


def message(rdtype: str, *records: str, name: str = NAME, **sections: Sequence[str]) -> bytes:
    """Return a DNS answer; each record is `owner TTL type data`."""
    made = dns.message.make_query(name, rdtype, id=0)
    made.flags |= dns.flags.QR | dns.flags.RA
    for section, texts in {"answer": records, **sections}.items():
        for text in texts:
            owner, ttl, kind, data = text.split(" ", 3)
            rrset = dns.rrset.from_text(owner, int(ttl), "IN", kind, data)
            getattr(made, section).append(rrset)
    return made.to_wire(max_size=65_535)


def _numbered(rdtype: str, wire: bytes) -> bytes:
    """Return a message as the target takes it: the number of its type, flags and counts, then its records."""
    return bytes([TYPES.index(rdtype)]) + wire[2:12] + wire[12 + len(_question(rdtype)) :]


def _question(rdtype: str, name: str = NAME) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0" + struct.pack("!2H", dns.rdatatype.from_text(rdtype), 1)


def _answered(rdtype: str, data: bytes) -> bytes:
    """Return an answer to the question of this type with such flags, counts and records."""
    head = data[:10].ljust(10, b"\0")
    return b"\0\0" + bytes([head[0] | 0x80]) + head[1:] + _question(rdtype) + data[10:]


def _records(rdtype: str) -> list[str]:
    soa = "example.com. 60 SOA ns1.example.net. host.example.com. 7 3600 600 864000 60"
    return {
        "A": ["www.example.com. 300 CNAME a.example.com.", "a.example.com. 300 A 192.0.2.1"],
        "AAAA": ["www.example.com. 300 AAAA 2001:db8::1"],
        "CNAME": ["www.example.com. 300 CNAME a.example.com."],
        "NS": ["www.example.com. 300 NS ns1.example.net."],
        "SOA": [soa.replace("example.com.", "www.example.com.", 1)],
        "CAA": ['www.example.com. 300 CAA 0 issue "letsencrypt.org; validationmethods=http-01"'],
        "TXT": ['www.example.com. 300 TXT "v=spf1 -all" "more"'],
    }[rdtype]


def dns_samples() -> Iterator[bytes]:
    """Yield one answer of each type, negative ones, a referral, and the largest messages that cost most."""
    for rdtype in TYPES:
        yield _numbered(rdtype, message(rdtype, *_records(rdtype)))
    soa = ["example.com. 60 SOA ns1.example.net. host.example.com. 7 3600 600 864000 60"]
    yield _numbered("A", message("A", authority=soa))
    referral = ["example.com. 300 NS ns1.example.com.", "example.com. 300 NS ns2.example.net."]
    yield _numbered("A", message("A", authority=referral, additional=["ns1.example.com. 300 A 192.0.2.53"]))
    loop = ["www.example.com. 300 CNAME a.example.com.", "a.example.com. 300 CNAME www.example.com."]
    yield _numbered("A", message("A", *loop))
    yield _numbered("CAA", message("CAA", *(f'{NAME}. 300 CAA 128 issue{n} "x{n}\\009\\200"' for n in range(200))))
    yield from _large()


def _large() -> Iterator[bytes]:
    """Yield messages of 64 KB: thousands of records under names of 127 labels, reached through pointers."""
    start = 12 + len(_question("A"))
    labels = b"\1a" * 120 + b"\xc0\x0c"
    for kind, data in ((1, b"\xc0\0\2\1"), (5, b"\xc0\x0c"), (2, b"\xc0\x0c"), (257, b"\0\5issue;"), (16, b"\1a")):
        one = (0xC000 | start).to_bytes(2) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
        first = labels + one[2:]
        count = (65_000 - len(first)) // len(one)
        for number in (0, 5):
            head = bytes([number, 0x81, 0x80]) + struct.pack("!4H", 1, count + 1, 0, 0)
            yield head + first + one * count
    # Each name is one label before the name of the record before it: 120 pointers are followed for most of them.
    chained, at = bytearray(), start
    for number in range(4000):
        above = 0x0C if number % 120 == 0 else at
        at = start + len(chained)
        chained += b"\1" + bytes([97 + number % 26]) + (0xC000 | above).to_bytes(2)
        chained += struct.pack("!HHIH", 1, 1, 60, 4) + number.to_bytes(4)
        if at > 16_000:
            break
    yield b"\0\x81\x80" + struct.pack("!4H", 1, number + 1, 0, 0) + bytes(chained)


def _dns(data: bytes) -> None:
    rdtype = TYPES[data[0] % len(TYPES)] if data else "A"
    answer = read(_answered(rdtype, data[1:]), Question(NAME, rdtype), 0)
    assert answer is not None, "an answer that repeats the question counts as one to another question"
    read(data, Question(NAME, rdtype), int.from_bytes(data[:2]))
    if rdtype == "CAA":
        judge(with_caa(HEALTHY, of_reply(answer)))
    elif rdtype in ("A", "AAAA"):
        judge(with_host(HEALTHY, NAME, **{rdtype.lower(): lookup_of(answer)}))


def caa_samples() -> Iterator[bytes]:
    """Yield the data of CAA records, one a line."""
    yield b"\x00\x05issueletsencrypt.org; validationmethods=http-01; accounturi=https://a/1\n\x80\x09issuewild;"
    yield b'\x00\x05iodefmailto:a@example.com\n\x00\x05issue\n\x01\x09issuemail\xff\x00\x80"\\'
    yield b"\x80\x03tbsUnknown\n\x00\x00\n\x00\xffissue"
    yield b"\x00\x05issue" + b"; a=b" * 8_000
    yield b"\x00\x05issue" + b"\\" * 40_000
    yield b"\n".join(b"\x00\x05issue%d.example" % number for number in range(1_500))


def _caa(data: bytes) -> None:
    records = [b"\xc0\x0c\x01\x01\0\1\0\0\0\x3c" + len(line).to_bytes(2) + line for line in data.split(b"\n")]
    counts = b"\x81\x80" + struct.pack("!4H", 1, len(records) & 0xFFFF, 0, 0)
    _dns(bytes([TYPES.index("CAA")]) + counts + b"".join(records))


class _Server(asyncio.DatagramProtocol):
    """Answers each question with the next message, the last one again and again."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = list(messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.messages.pop(0) if len(self.messages) > 1 else self.messages[0]
        end = 12
        while data[end]:
            end += 1 + data[end]
        question = data[12 : end + 5]
        head = answer[:10].ljust(10, b"\0")
        whole = data[:2] + bytes([head[0] | 0x80]) + head[1:] + question + answer[10:]
        assert isinstance(self.transport, asyncio.DatagramTransport)
        self.transport.sendto(whole[:60_000], addr)


def resolver_samples() -> Iterator[bytes]:
    """Yield what a resolver may answer to the questions for one host, in turn."""
    single = [_numbered(rdtype, message(rdtype, *_records(rdtype)))[1:] for rdtype in ("A", "AAAA", "CNAME")]
    yield from single
    yield _NEXT.join(single)
    # A CNAME whose target is asked for next, again and again.
    yield _NEXT.join(
        _numbered("A", message("A", f"www.example.com. 60 CNAME a{number}.example.com."))[1:] for number in range(30)
    )
    failed = message("A")
    yield _numbered("A", failed[:3] + b"\x82" + failed[4:])[1:]
    yield _NEXT.join([_numbered("A", failed[:3] + b"\x81" + failed[4:])[1:], single[0]])
    yield _numbered("A", failed[:2] + b"\x82" + failed[3:])[1:]


def _resolver(data: bytes) -> None:
    judge(with_host(HEALTHY, NAME, **run(_resolved(data))))


async def _resolved(data: bytes) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Server(data.split(_NEXT)), local_addr=("127.0.0.1", 0)
    )
    try:
        host = await resolve_host(Resolver([transport.get_extra_info("sockname")[:2]]), NAME)
    finally:
        transport.close()
    return {field: getattr(host, field) for field in ("a", "aaaa", "refused", "unchecked")}


def hello_samples() -> Iterator[bytes]:
    """Yield flights of old and new servers, alerts, and flights of records and messages as small as can be."""
    for number, version in enumerate(hello.VERSIONS.values()):
        yield bytes([number]) + flight(int.from_bytes(version), 0x0035, b"any certificate" * 20)
        yield bytes([number + 16]) + alert(int.from_bytes(version), 70)
    for made in _flights():
        for number in range(3, 7):
            yield bytes([number]) + made
            yield bytes([number + 16]) + made
    begun = record(22, 0x0301, server_hello(0x0301, 0x0035))
    for first in (1, 3, 4, 5, 0x11, 0x13, 0x15, 0x21, 0x23, 0x25, 0x31, 0x33, 0x35):
        yield bytes([first]) + (begun + record(22, 0x0301, b"") * 30_000)[:140_000]
        yield bytes([first]) + (begun + record(22, 0x0301, b"\0") * 30_000)[:140_000]
        yield bytes([first]) + (begun + record(22, 0x0301, bytes(16_000)) * 9)[:140_000]


def _hello(data: bytes) -> None:
    choice = data[0] if data else 0
    run(_asked((choice & 15) % 7, PIECES[choice >> 4 & 3], data[1:]))


async def _asked(choice: int, pieces: int, sent: bytes) -> None:
    async with connected(sent, pieces) as connection:
        with contextlib.suppress(NetworkFailure):
            if choice == 3:
                await browser_hello.ask(connection, "example.com")
            elif choice == 4:
                await hello.refuses_list(connection, "example.com")
            elif choice > 4:
                await leaf_hello.look(connection, "example.com", "rsa" if choice == 5 else "ecdsa")
            else:
                await hello.offer(connection, "example.com", tuple(hello.VERSIONS)[choice])


@functools.cache
def _flights() -> tuple[bytes, ...]:
    """Return the first flights of real servers: TLS 1.2 with certificates in clear, TLS 1.3, and one that refuses."""
    with tempfile.TemporaryDirectory() as folder:
        server = Issuer("Root").context(Path(folder), x509.KeyUsage(*[True] * 9))
    return tuple(_flight(server, offer) for offer in ("main", "h2", "ecdsa", "rsa"))


def _flight(server: ssl.SSLContext, offer: Offer) -> bytes:
    """Return what a server says to one of our offers."""
    server.maximum_version = ssl.TLSVersion.TLSv1_3 if offer == "h2" else ssl.TLSVersion.TLSv1_2
    asked, answered, unused = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(offer).wrap_bio(unused, asked, server_hostname="example.com")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with contextlib.suppress(ssl.SSLError):
        server.wrap_bio(asked, answered, server_side=True).do_handshake()
    return answered.read()


def handshake_samples() -> Iterator[bytes]:
    """Yield real first flights for each kind of offer, banners and alerts."""
    for number in range(len(OFFERS) + 2):
        for made in (*_flights(), alert(0x0303, 40), b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad\r\n\r\n"):
            yield bytes([number]) + made
    yield b"\0" + record(22, 0x0303, b"") * 20_000


def _handshake(data: bytes) -> None:
    run(_shaken(data[0] % 6 if data else 0, data[1:]))


async def _shaken(choice: int, sent: bytes) -> None:
    async with connected(sent) as connection:
        with contextlib.suppress(NetworkFailure):
            if choice < len(OFFERS):
                await connection.start_tls("example.com", OFFERS[choice])
            else:
                await leaves.shake_hands(connection, "example.com", "rsa" if choice == 4 else "ecdsa")


def http_samples() -> Iterator[bytes]:
    """Yield whole answers, answers that break HTTP, and heads and chunks made to take long."""
    yield reply(200, "<title>Shop</title>", ("Content-Type", "text/html"))
    yield redirect("https://example.com/")
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody"
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"
    yield b"HTTP/1.0 200\r\n\r\nto the end"
    yield b"HTTP/1.1 200 OK\nLocation: /a\nContent-Length: 1\n\nb"
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 1_100_000
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1" + b";a" * 100_000 + b"\r\nx\r\n0\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 40_000 + b"\r\n"
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"a:\r\n" * 40_000 + b"\r\n"
    yield b"HTTP/1.1 200 OK\r\na: b\r\n" + b" c\r\n" * 50_000 + b"\r\n"
    yield b"HTTP/1.1 200 OK\r\na:" + b" " * 60_000 + b"\0\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\na: b" + (b" " * 4_095 + b"b") * 70 + b"\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\n" + (b"a: b" + b"\t" * 2_900 + b"\r\n") * 95 + b"\r\n"
    yield b"HTTP/1.1 200 OK\r\na:" + b" \t" * 100_000 + b"b\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\na: b" + b"\r\n " * 60_000 + b"\0\r\n\r\n"
    yield b"HTTP/1.1 100 A\r\n\r\nHTTP/1.1 200 OK\r\na:" + b"\n " * 60_000 + b"\0\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\na: b" + b" b" * 60_000 + b"\0\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000
    yield b"\x15\x03\x03\0\2\2\x28"
    yield b"SSH-2.0-OpenSSH_9.2\r\n"


def _http(data: bytes) -> None:
    answer = run(_got(data))
    assert len(answer.body) <= limits.BODY_BYTES
    assert answer.failure or answer.status, "neither an answer nor a failure"
    for name, value in answer.headers if not answer.failure else ():
        assert "\r" not in value, f"a bare CR in {name}"
        assert "\n" not in value.removesuffix("\n" if name == "location" else ""), f"a bare LF in {name}"


async def _got(data: bytes) -> http.Response:
    async with connected(data) as connection:
        return await http.get(connection, "example.com", "/")


TARGETS = (
    Target("dns", "answers of name servers and resolvers, one by one", _dns, dns_samples, 500, 16_384),
    Target("caa", "values of CAA records", _caa, caa_samples, 300, 8_192),
    Target(
        "resolver", "answers of a resolver, until all of a name is known", _resolver, resolver_samples, 150, 4_096
    ),
    Target("hello", "first flights, to ClientHellos written by hand", _hello, hello_samples, 1_500, 16_384),
    Target("handshake", "first flights, to OpenSSL", _handshake, handshake_samples, 4_000),
    Target("http", "HTTP heads and bodies", _http, http_samples, 1_500, 310_000),
)
