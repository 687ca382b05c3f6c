"""Set-ups that are healthy, or broken in one way only, played by real servers: Padlock's own behaviour is no fault.

Padlock opens several connections at once and asks for odd things. Whoever limits, delays or turns away such a client
serves visitors well; whoever turns everybody away is still found.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Finding, Severity
from padlock.network import limits

from tests.servers import (
    HOSTS,
    Authority,
    Request,
    Script,
    closes,
    free_port,
    listen,
    pages,
    redirect,
    reply,
    stage,
)

TWO_HOSTS = dict.fromkeys(HOSTS, ("127.0.0.1",))
PAGE = reply(200, "<title>Shop</title>")

type Admits = Callable[[int], bool]
"""Connections now open → whether one more is taken."""


def findings(evidence: Evidence) -> list[Finding]:
    """Return the findings above a notice, those about the test's name servers left out."""
    found = assess(evidence).findings
    return [f for f in found if f.severity is not Severity.NOTICE and not f.code.startswith("dns.")]


def codes(evidence: Evidence) -> set[str]:
    """Return the codes of those findings."""
    return {finding.code for finding in findings(evidence)}


@contextlib.asynccontextmanager
async def seen_of(https: Script, *, plain: Script | None = None, **options: Any) -> AsyncIterator[Evidence]:
    """Yield what Padlock sees of a site whose plain HTTP redirects to HTTPS, unless `plain` says otherwise."""
    ports = free_port(), free_port()
    to_https = pages(lambda request: redirect(f"https://{request.host}:{ports[1]}{request.path}"))
    async with stage(https, plain or to_https, listen_on=ports, **options) as lab:
        yield await lab.gather()


def admitting(backend: int, admits: Admits, refusals: list[int]) -> Script:
    """Return a packet filter before a server: connections that it does not admit are reset."""
    is_open: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not admits(len(is_open)):
            refusals.append(len(is_open))
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            writer.transport.abort()
            return
        is_open.add(writer)
        try:
            behind, to_server = await asyncio.open_connection("127.0.0.1", backend)
            await asyncio.gather(_copy(reader, to_server), _copy(behind, writer))
        finally:
            is_open.discard(writer)

    return serve


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def per_second(most: int) -> Admits:
    """Admit so many connections in any second."""
    taken: list[float] = []

    def admits(_open: int) -> bool:
        now = time.monotonic()
        taken[:] = [when for when in taken if now - when < 0.45]
        taken.append(now)
        return len(taken) <= most

    return admits


@contextlib.asynccontextmanager
async def filtered(admits: Admits, refusals: list[int]) -> AsyncIterator[Evidence]:
    """Yield what Padlock sees of a healthy site behind a packet filter."""
    authority = Authority()
    async with listen(pages(canonical), tls=authority.context()) as backend:
        front = admitting(backend, admits, refusals)
        async with seen_of(front, plain_https=True, hosts=TWO_HOSTS, authority=authority) as seen:
            yield seen


def canonical(request: Request) -> bytes:
    """Answer for the apex, and redirect the other host to it."""
    if request.host != "example.com":
        return redirect(f"https://{request.headers['host'].removeprefix('www.')}{request.path}")
    return PAGE if request.path == "/" else reply(404, "no such page")


@pytest.mark.parametrize("most", [2, 4])
async def test_a_limit_of_connections_is_no_fault(most: int) -> None:
    """Resets of connections too many at once are not seen again in quiet."""
    refusals: list[int] = []
    async with filtered(lambda is_open: is_open < most, refusals) as seen:
        assert refusals  # the filter had something to do
        assert findings(seen) == []
        assert {state.failure for state in seen.ports or ()} == {None}


async def test_a_limit_of_connections_by_the_second_is_no_fault() -> None:
    """A client that waits a moment gets in again."""
    refusals: list[int] = []
    async with filtered(per_second(6), refusals) as seen:
        assert refusals
        assert findings(seen) == []


async def test_a_filter_that_turns_everybody_away_is_found() -> None:
    """Waiting in quiet hides nothing: the failure is seen twice and confirmed."""
    async with filtered(lambda _open: False, []) as seen:
        assert "tls.handshake_failed" in codes(seen)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_limit_of_requests_is_no_fault(status: int) -> None:
    """What a limit answers to the first burst (429, or nginx's 503) is asked again, and the second answer counts."""
    first: list[float] = []

    def site(request: Request) -> bytes:
        first.append(time.monotonic())
        return reply(status, "slow down") if first[-1] - first[0] < 0.3 else canonical(request)

    async with seen_of(pages(site)) as seen:
        assert {e.status for e in (seen.http.of("front") if seen.http else ())} == {200}
        assert findings(seen) == []


@pytest.mark.parametrize(
    "answers",
    [
        {"/": reply(401, "who are you?", ("WWW-Authenticate", 'Basic realm="shop"'))},
        {"/": redirect("/login", 302), "/login": PAGE},
        {"/": redirect("login", 303), "/login": PAGE},
        {"/": redirect("/en/", 302), "/en/": PAGE},
        {"/": redirect("//example.com.:{port}/en", 307), "/en": PAGE},
        {"/": redirect("https://EXAMPLE.com:{port}/home#top", 308), "/home": PAGE},
        {"/": redirect("https://brand.example.com:{port}/", 302)},
        {"/": reply(200, "<title>Shop</title>", ("Alt-Svc", 'h3=":443"; ma=86400'))},
        {"/": reply(403, "<title>Just a moment...</title>", ("cf-mitigated", "challenge"))},
    ],
    ids=["401", "login", "relative", "language", "trailing-dot", "upper-case", "foreign", "http3", "challenge"],
)
async def test_what_healthy_sites_answer(answers: dict[str, bytes]) -> None:
    """A password, a login, a language, another domain, a challenge: none is a fault of the set-up."""

    def site(request: Request) -> bytes:
        port = request.headers["host"].partition(":")[2].encode()
        if request.host.startswith("brand."):
            return PAGE
        return answers.get(request.path, reply(404, "none")).replace(b"{port}", port)

    authority = Authority()
    tls = authority.context("example.com", "brand.example.com")
    async with seen_of(pages(site), tls=tls, authority=authority, records=["brand A 127.0.0.1"]) as seen:
        assert findings(seen) == []


async def test_a_redirect_that_only_cookies_end_is_no_loop() -> None:
    """A consent page sets a cookie and leads back: browsers get through."""

    def site(request: Request) -> bytes:
        if request.path != "/":
            return reply(404, "none")
        if "consent=1" in request.headers.get("cookie", ""):
            return PAGE
        return redirect("/", 302, ("Set-Cookie", "consent=1; Path=/"))

    async with seen_of(pages(site)) as seen:
        assert findings(seen) == []


@pytest.mark.parametrize("stranger", [reply(400, "no"), reply(421, "misdirected"), reply(200, "another site"), b""])
async def test_what_a_server_says_to_strangers_is_no_fault(stranger: bytes) -> None:
    """A default server may refuse, answer otherwise, or hang up (nginx's 444) for names that it does not know."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            known = b"Host: example.com" in head
            if not known and not stranger:
                return
            writer.write(PAGE if known and head.startswith(b"GET / ") else reply(404, "none") if known else stranger)
            await writer.drain()

    async with seen_of(serve) as seen:
        assert findings(seen) == []


async def test_a_server_that_stalls_on_tls_1_2_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshakes that look for another certificate are Padlock's own; visitors never make them."""
    monkeypatch.setattr(limits, "TLS_SECONDS", 0.5)
    authority = Authority()
    async with listen(pages({"/": PAGE}), tls=authority.context()) as backend:

        async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            hello = await reader.read(65536)
            if b"\x03\x04" not in hello[40:]:  # supported_versions offers no TLS 1.3
                await asyncio.sleep(5)
            behind, to_server = await asyncio.open_connection("127.0.0.1", backend)
            to_server.write(hello)
            await asyncio.gather(_copy(reader, to_server), _copy(behind, writer))

        async with seen_of(front, plain_https=True, authority=authority) as seen:
            assert findings(seen) == []


@pytest.mark.parametrize("address", ["::1", "127.0.0.1"])
async def test_a_site_of_one_family_is_no_fault(address: str) -> None:
    """IPv6 alone, or IPv4 alone, is a choice."""
    ports = free_port(address), free_port(address)
    to_https = pages(lambda request: redirect(f"https://{request.host}:{ports[1]}{request.path}"))
    async with stage(pages({"/": PAGE}), to_https, hosts={"example.com": (address,)}, listen_on=ports) as lab:
        seen = await lab.gather()
    assert findings(seen) == []
    assert assess(seen).status != "inconclusive"


async def test_a_slow_page_is_no_failure() -> None:
    """The first octet may take its time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.7)
        writer.write(PAGE)
        await writer.drain()

    async with seen_of(serve) as seen:
        assert findings(seen) == []


async def test_maintenance_is_an_outage_that_says_how_long() -> None:
    """A 503 in quiet too is what visitors get; Retry-After is shown."""
    async with seen_of(pages(lambda _request: reply(503, "back soon", ("Retry-After", "3600")))) as seen:
        finding = next(f for f in findings(seen) if f.code == "app.bad_gateway")
        assert "3600" in finding.observed


async def test_plain_http_that_hangs_up_is_found() -> None:
    """A port 80 that opens and answers nothing leaves visitors who type the name with nothing."""
    async with seen_of(pages({"/": PAGE}), plain=closes) as seen:
        assert "port.http_closed" in codes(seen)
