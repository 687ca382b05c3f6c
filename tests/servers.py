"""Real servers on loopback for tests: scripted ones that speak, break or stall HTTP and TLS, and their own CA.

    async with stage(https=pages({"/": reply(body="shop")}), http=pages(to_https)) as lab:
        evidence = await lab.gather()

A `Script` is what a server does with one connection; `stage` adds DNS and a site that is declared to live there.
"""

import asyncio
import contextlib
import itertools
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trustme
from padlock.evidence import Evidence
from padlock.network.vantage import Vantage
from padlock.probes import gather
from padlock.site import Site, parse

from tests import dns_server

type Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
type Pages = Mapping[str, bytes] | Callable[["Request"], bytes]

LOOPBACK = ("127.0.0.0/8", "::1/128")
HOSTS = ("example.com", "www.example.com")


class Request(msgspec.Struct):
    """What a client asked for."""

    host: str
    """The Host header, without the port."""
    path: str
    headers: dict[str, str]
    scheme: str


def reply(status: int = 200, body: str | bytes = "", *headers: tuple[str, str], length: bool = True) -> bytes:
    """Return a whole HTTP/1.1 response."""
    octets = body.encode() if isinstance(body, str) else body
    fields = [*headers, ("Content-Length", str(len(octets)))] if length else list(headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Because\r\n{head}\r\n".encode("latin-1") + octets


def redirect(location: str, status: int = 301, *headers: tuple[str, str]) -> bytes:
    """Return a redirect."""
    return reply(status, "", ("Location", location), *headers)


def pages(answers: Pages, log: list[str] | None = None) -> Script:
    """Return a well-behaved server: path → response, 404 for the rest, connections kept alive."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        while head := await _head(reader):
            lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            path = lines[0].split(" ")[1]
            request = Request(fields.get("host", "").rsplit(":", 1)[0], path, fields, scheme)
            if log is not None:
                log.append(f"{request.scheme}://{request.host}{request.path}")
            found = answers(request) if callable(answers) else answers.get(path, reply(404, "no such page"))
            writer.write(found)
            await writer.drain()

    return serve


def sends(*parts: bytes, pause: float = 0.0, read: bool = True, hold: bool = False) -> Script:
    """Return a server that sends these octets whatever it is asked, then closes (or holds the connection)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if read:
            await _head(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if hold:
            await asyncio.sleep(60)

    return serve


def forever(beginning: bytes, part: bytes, pause: float = 0.0) -> Script:
    """Return a server that never stops sending `part`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(beginning)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, read, and never answer."""
    await reader.read(-1)


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the first octets with a reset."""
    await reader.read(1)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


async def closes(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read a little, then close."""
    await reader.read(4096)


async def _head(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(asyncio.IncompleteReadError, OSError, ssl.SSLError):
        return await reader.readuntil(b"\r\n\r\n")
    return b""


@contextlib.asynccontextmanager
async def listen(
    script: Script, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Run a server until the block ends; yields its port."""
    busy: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        busy.add(task)
        try:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, address, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(busy):
            task.cancel()


@contextlib.contextmanager
def listen_alerting(tls: ssl.SSLContext) -> Iterator[int]:
    """Run a TLS server on a thread until the block ends; yields its port.

    asyncio closes without the alert that OpenSSL made; blocking sockets send it. It answers each request with
    an empty page.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    raw, _ = server.accept()
                    raw.settimeout(5)
                    with contextlib.suppress(OSError), raw, tls.wrap_socket(raw, server_side=True) as secured:
                        secured.recv(65536)
                        secured.sendall(reply())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class Authority:
    """A CA of the tests' own."""

    def __init__(self) -> None:
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.pem = self.ca.cert_pem.bytes().decode()

    def context(self, *names: str, **options: Any) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names; `options` are trustme's."""
        options.setdefault("key_type", trustme.KeyType.ECDSA)
        return context_of(self.ca.issue_cert(*(names or HOSTS), **options))


def context_of(*leaves: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context that serves these certificates, by the kind of key that a client takes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for leaf in leaves:
        leaf.configure_cert(context)
    return context


_PORTS = itertools.cycle(random.sample(range(20000, 32000), 12000))
"""Below the ports that systems give to outgoing connections, which would take one between its choice and its use."""


def free_port(*addresses: str) -> int:
    """Return a port that is free on each of these addresses, each time another one."""
    for port in itertools.islice(_PORTS, 50):
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses or ("127.0.0.1",):
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    stack.enter_context(socket.socket(family)).bind((address, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free on " + ", ".join(addresses))


class Lab(msgspec.Struct):
    """A site's declaration and the vantage point that finds it on loopback."""

    site: Site
    vantage: Vantage
    authority: Authority
    http: str
    """`example.com:8080`."""
    https: str

    async def gather(self, now: datetime | None = None) -> Evidence:
        """Return what Padlock sees."""
        return await gather(self.site, now or datetime.now(UTC), self.vantage)


@contextlib.asynccontextmanager
async def stage(
    https: Script | None = None,
    http: Script | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    plain_https: bool = False,
    hosts: Mapping[str, Iterable[str]] | None = None,
    records: Iterable[str] = (),
    listen_on: tuple[int, int] | None = None,
    silent: Iterable[str] = (),
    deadline: float = 20.0,
    ca_file: Path | None = None,
    authority: Authority | None = None,
    **declared: Any,
) -> AsyncIterator[Lab]:
    """Run servers for a site: `hosts` are host → addresses, the same servers listen on each address.

    `records` are further lines of the zone, `listen_on` the ports for HTTP and HTTPS. A server that is None leaves
    its port closed, and on `silent` addresses both are.
    """
    authority = authority or Authority()
    hosts = hosts or {"example.com": ("127.0.0.1",)}
    addresses = sorted({address for each in hosts.values() for address in each})
    ports = listen_on or (free_port(*addresses), free_port(*addresses))
    lines = [
        f"{host.removesuffix('example.com').removesuffix('.') or '@'} {'AAAA' if ':' in address else 'A'} {address}"
        for host, each in hosts.items()
        for address in each
    ]
    async with contextlib.AsyncExitStack() as stack:
        resolver = await stack.enter_async_context(
            dns_server.serve(dns_server.recursive(("example.com", "@ NS ns.example.com.", *lines, *records)))
        )
        for script, port, context in ((http, ports[0], None), (https, ports[1], tls or authority.context())):
            for address in addresses:
                if script and address not in silent:
                    secured = None if plain_https else context
                    await stack.enter_async_context(listen(script, address, port, secured))
        declaration = {
            "name": "example.com",
            "hosts": list(hosts),
            "ports": {"http": ports[0], "https": ports[1]},
            "networks": list(LOOPBACK),
            "private_ca": authority.pem,
            **declared,
        }
        vantage = Vantage(
            resolvers=(resolver.endpoint,),
            public_resolvers=(),
            nameserver_port=resolver.endpoint[1],
            networks=LOOPBACK,
            ca_file=str(ca_file) if ca_file else "",
            deadline=deadline,
        )
        yield Lab(parse(declaration), vantage, authority, f"example.com:{ports[0]}", f"example.com:{ports[1]}")
