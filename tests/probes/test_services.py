"""Services are verified, bounded and vetted; whatever they do is an answer or a failure, never an exception."""

import asyncio
import time

import pytest
from padlock.probes.services import Fetched, fetch

from tests.registry_service import NAME, Asked, services
from tests.servers import Request, Script, closes, forever, pages, redirect, reply, resets, silence

LIMIT = 1000


async def fetched(asked: Asked, url: str, *, limit: int = LIMIT, accept: str = "*/*") -> Fetched:
    """Ask as the operator's service is asked."""
    return await fetch(asked.run(), url, limit=limit, accept=accept, service="rdap")


async def test_answer_is_returned() -> None:
    """Status, headers and body come back, and the service sees what is accepted."""
    seen: list[str] = []

    def answer(request: Request) -> bytes:
        seen.append(request.headers["accept"])
        return reply(429, "busy", ("Retry-After", "7"))

    async with services(pages(answer)) as asked:
        found = await fetched(asked, asked.url("/x?y=1"), accept="application/rdap+json")
    assert (found.status, found.body, found.failure) == (429, b"busy", None)
    assert (found.header("retry-after"), found.header("absent")) == ("7", "")
    assert seen == ["application/rdap+json"]


async def test_certificate_is_verified() -> None:
    """A service is not believed without its chain, nor under a certificate for another name."""
    async with services(pages({"/": reply(body="x")})) as asked:
        stranger = await fetched(asked.where(ca_file=""), asked.url("/"))
    async with services(pages({"/": reply(body="x")}), names=("elsewhere.example",)) as asked:
        renamed = await fetched(asked, asked.url("/"))
    assert stranger.failure
    assert "certificate not trusted" in stranger.failure.detail
    assert renamed.failure
    assert "service.example" in renamed.failure.detail
    assert (stranger.status, renamed.status, stranger.body, renamed.body) == (None, None, b"", b"")


async def test_body_over_the_limit_is_a_failure() -> None:
    """A longer answer than wanted is none, and no more of it is read."""
    async with services(pages({"/": reply(body="x" * (LIMIT + 1)), "/fits": reply(body="x" * LIMIT)})) as asked:
        found = await fetched(asked, asked.url("/"))
        fits = await fetched(asked, asked.url("/fits"))
    assert found.failure
    assert found.failure.kind == "incomplete_body"
    assert len(found.body) == LIMIT
    assert (fits.failure, len(fits.body)) == (None, LIMIT)


async def test_redirects_are_vetted_anew() -> None:
    """A redirect is followed to another vetted service, not to an internal address, another port or plain HTTP."""

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        targets = {
            "/relative": "/end",
            "/inside": "https://inside.service.example/",
            "/port": f"https://{NAME}:{int(port) ^ 1}/",
            "/plain": f"http://{NAME}/",
            "/credentials": f"https://me@{NAME}:{port}/",
            "/loop": f"https://{NAME}:{port}/loop",
        }
        return reply(body="end") if request.path == "/end" else redirect(targets[request.path])

    async with services(pages(answer)) as asked:
        found = {
            path: await fetched(asked, asked.url(path))
            for path in ("/relative", "/inside", "/port", "/plain", "/credentials", "/loop")
        }
    assert found.pop("/relative").body == b"end"
    loop = found.pop("/loop").failure
    assert loop
    assert loop.detail == "more than 3 redirects"
    assert {path: f.failure.kind for path, f in found.items() if f.failure} == dict.fromkeys(found, "not_vetted")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://service.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://inside.service.example/",
        "https://service.example:22/",
        "https://a@service.example/",
        "https://service.example/a b",
        "https://service.example/\u00e9",
        "https://service.example:port/",
        "no url",
        "",
    ],
)
async def test_what_is_not_asked(url: str) -> None:
    """Nothing is sent to other schemes, addresses, ports and internal names."""
    async with services(resets) as asked:
        found = await fetched(asked, url)
    assert found.failure
    assert found.failure.kind == "not_vetted"


async def test_loopback_only_where_the_operator_named_it() -> None:
    """The operator's networks are open to the operator's services alone, not to what a certificate names."""
    async with services(pages({"/": reply()})) as asked:
        found = await fetched(asked.where(services={}), "https://service.example/")
    assert found.failure
    assert found.failure.detail == "service.example has the address 127.0.0.1, which is not public"


@pytest.mark.parametrize("service", ["", "ct", "crl"])
async def test_the_operators_place_is_open_to_its_own_service_alone(service: str) -> None:
    """Its port and its networks stay closed to what another service, or a certificate, says is there."""
    log: list[str] = []
    async with services(pages({"/": reply()}, log)) as asked:
        port = await fetch(asked.run(), asked.url("/"), limit=LIMIT, service=service)
        named = asked.where(services={"rdap": f"https://{NAME}"})
        network = await fetch(named.run(), f"https://{NAME}/", limit=LIMIT, service=service)
    assert port.failure
    assert network.failure
    assert port.failure.detail == f"https://{NAME}:{asked.port}/ names the port {asked.port}"
    assert network.failure.detail == f"{NAME} has the address 127.0.0.1, which is not public"
    assert log == []


@pytest.mark.parametrize(("script", "kind"), [(resets, "reset"), (closes, "closed")], ids=["resets", "closes"])
async def test_broken_service_is_tried_twice(script: Script, kind: str) -> None:
    """A service that breaks off is asked once more, then it is a failure."""
    tries = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await script(reader, writer)

    async with services(counted) as asked:
        found = await fetched(asked, asked.url("/"))
    assert found.failure
    assert found.failure.kind in (kind, "closed", "reset")
    assert tries == 2


@pytest.mark.parametrize(
    "script",
    [silence, forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05)],
    ids=["silent", "drips"],
)
async def test_slow_service_ends_in_time(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence and a dripped answer end within the time for one answer."""
    monkeypatch.setattr("padlock.network.limits.SERVICE_SECONDS", 0.5)
    async with services(script) as asked:
        began = time.monotonic()
        found = await fetched(asked, asked.url("/"), limit=100_000)
    assert found.failure
    assert found.failure.kind == "timeout"
    assert time.monotonic() - began < 2


async def test_service_without_address() -> None:
    """A service whose name does not resolve is a failure that says so."""
    async with services(pages({})) as asked:
        found = await fetched(asked, "https://gone.service.example/")
    assert found.failure
    assert found.failure.detail == "gone.service.example has no address (nxdomain)"
