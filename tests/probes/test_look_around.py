"""What an app is asked beside its pages: its usual health paths, a debugger's file, and a slow page once more."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from padlock.assess import assess
from padlock.evidence import Evidence, Exchange, Failure, Purpose, SelfReference
from padlock.probes import gather
from padlock.probes.cache import MemoryCache
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.servers import Request, Script, pages, redirect, reply, stage

PAGE = "<title>Shop</title>"
RESOURCE, CONSOLE = "/?__debugger__=yes&cmd=resource&f=debugger.js", "/console"


def seen(evidence: Evidence, purpose: Purpose) -> list[tuple[str, int | None]]:
    """Return path and status of what was asked for a purpose over HTTPS."""
    assert evidence.http
    return [("/" + e.url.split("/", 3)[3], e.status) for e in evidence.http.of(purpose)]


def front(evidence: Evidence) -> Exchange:
    """Return the front page over HTTPS."""
    assert evidence.http
    return next(evidence.http.of("front"))


async def test_asking_stops_at_the_first_health_path() -> None:
    """An app with /healthz is asked for two paths, over the connection that is open anyway."""
    connections: list[int] = []
    shop = pages({"/": reply(200, PAGE), "/healthz": reply(200, "ok")})

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await shop(reader, writer)

    async with stage(counted) as lab:
        evidence = await lab.gather()
    assert seen(evidence, "usual_health") == [("/health", 404), ("/healthz", 200)]
    assert seen(evidence, "debugger") == [(RESOURCE, 404)]
    undeclared = len(connections)
    connections.clear()
    async with stage(counted, health="/healthz") as lab:
        await lab.gather()
    assert len(connections) == undeclared


async def test_no_health_path_is_four_requests() -> None:
    """Where there is none, or every path is the same page, four were asked."""
    for site in (pages({"/": reply(200, PAGE)}), pages(lambda _: reply(200, PAGE))):
        async with stage(site) as lab:
            evidence = await lab.gather()
        asked = [path for path, _ in seen(evidence, "usual_health")]
        assert asked == ["/health", "/healthz", "/status", "/ping"]


async def test_declared_health_is_all_that_is_asked() -> None:
    """A site that says where its health is is not asked for it elsewhere."""
    async with stage(pages({"/": reply(200, PAGE), "/ready": reply(200, "ok")}), health="/ready") as lab:
        evidence = await lab.gather()
    assert seen(evidence, "usual_health") == []
    assert len(seen(evidence, "debugger")) == 1


@pytest.mark.parametrize(
    "answer",
    [reply(403), reply(429), reply(503), redirect("https://www.example.com/")],
    ids=["forbidden", "too many", "unavailable", "elsewhere"],
)
async def test_nobody_is_asked_who_does_not_serve(answer: bytes) -> None:
    """A server that refuses, fails, or sends visitors to another host is left alone."""
    log: list[str] = []
    async with stage(pages(lambda _: answer, log)) as lab:
        evidence = await lab.gather()
    assert seen(evidence, "usual_health") == seen(evidence, "debugger") == []
    assert not [line for line in log if "debugger" in line or "/ping" in line]


async def test_a_server_that_closes_after_each_answer_is_asked_all_the_same() -> None:
    """Development servers keep no connection open."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        script = b"__debugger__" in head
        kind = ("Content-Type", "text/javascript") if script else ("Content-Type", "text/html")
        body = "if (!EVALEX_TRUSTED) {" + "x" * 5000 if script else PAGE
        writer.write(reply(200, body, kind, ("Connection", "close")))
        await writer.drain()

    async with stage(closing) as lab:
        evidence = await lab.gather()
    assert seen(evidence, "debugger") == [(RESOURCE, 200), (CONSOLE, 200)]
    assert evidence.http
    assert [len(e.body) for e in evidence.http.of("debugger")] == [1024, len(PAGE)]


def developed(log: list[str], *, debug: bool = True) -> Script:
    """Return an app under Werkzeug's own debugger, called as its server calls it."""
    app = DebuggedApplication(Response(PAGE, mimetype="text/html"), evalex=debug) if debug else Response(PAGE)

    def answer(request: Request) -> bytes:
        got: Response = Client(app).get(request.path, base_url="https://localhost/")
        return reply(got.status_code, got.get_data(), ("Content-Type", got.headers["Content-Type"]))

    return pages(answer, log)


BEGAN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def hours(count: float) -> datetime:
    """Return a time so long after the first check."""
    return BEGAN + timedelta(hours=count)


async def test_a_host_without_a_debugger_is_asked_once_a_day() -> None:
    """Firewalls ban who asks for it at every check; in between the look that was made stands as evidence."""
    log: list[str] = []
    cache = MemoryCache()
    async with stage(developed(log, debug=False)) as lab:
        first = await gather(lab.site, hours(0), lab.vantage, cache)
        again = await gather(lab.site, hours(23), lab.vantage, cache)
        asked = [line for line in log if "__debugger__" in line or "console" in line]
        await gather(lab.site, hours(24), lab.vantage, cache)
    assert asked == ["https://example.com" + RESOURCE]
    assert log.count(asked[0]) == 2
    assert first.http
    assert again.http
    (made,), (kept,) = first.http.of("debugger"), again.http.of("debugger")
    assert kept == Exchange(made.url, made.host, made.address, "debugger", status=200)
    assert made.body == PAGE


async def test_a_debugger_is_looked_at_each_time() -> None:
    """It is asked for its console too; once it is gone the next check says so."""
    log: list[str] = []
    cache = MemoryCache()
    async with stage(developed(log)) as lab:
        for minute in (0, 5):
            evidence = await gather(lab.site, hours(minute / 60), lab.vantage, cache)
            assert seen(evidence, "debugger") == [(RESOURCE, 200), (CONSOLE, 200)]
            assert evidence.http
            assert ["CONSOLE_MODE = true" in e.body for e in evidence.http.of("debugger")] == [False, True]
            assert "server.debugger_exposed" in {f.code for f in assess(evidence).findings}
    async with stage(developed(log, debug=False), listen_on=(lab.site.http_port or 0, lab.site.ports.https)) as lab:
        evidence = await gather(lab.site, hours(10 / 60), lab.vantage, cache)
    assert seen(evidence, "debugger") == [(RESOURCE, 200)]
    assert "server.debugger_exposed" not in {f.code for f in assess(evidence).findings}


@pytest.mark.parametrize("answer", [b"", reply(502, "Bad Gateway")], ids=["closed", "bad gateway"])
async def test_a_look_without_an_answer_counts_for_an_hour(answer: bytes) -> None:
    """What closes the connection, or fails, may have a debugger all the same: it is asked again, but not at once."""
    log: list[str] = []
    cache = MemoryCache()

    async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"__debugger__" in head:
                    log.append("debugger")
                    writer.write(answer)
                    return
                writer.write(reply(200 if head.startswith(b"GET / ") else 404, PAGE))
                await writer.drain()

    async with stage(hanging_up) as lab:
        await gather(lab.site, hours(0), lab.vantage, cache)
        asked = len(log)
        await gather(lab.site, hours(0.9), lab.vantage, cache)
        assert asked == len(log) <= 2
        await gather(lab.site, hours(1), lab.vantage, cache)
    assert len(log) == 2 * asked


async def test_a_damaged_memory_is_no_answer() -> None:
    """What cannot be read as a look is as good as nothing kept."""
    cache = MemoryCache()
    async with stage(pages({"/": reply(200, PAGE)})) as lab:
        await cache.put(f"debugger:example.com:{lab.site.ports.https}", b"\xff{", hours(5))
        evidence = await gather(lab.site, hours(0), lab.vantage, cache)
    assert seen(evidence, "debugger") == [(RESOURCE, 404)]


async def test_an_app_that_stalls_is_not_asked_for_long() -> None:
    """What was planned and did not come in time stands as not seen, and the run goes on."""

    def answer(request: Request) -> bytes:
        return reply(200, PAGE) if request.path == "/" else reply(404)

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        while head and b"__debugger__" not in head:
            writer.write(answer(Request("", head.split(b" ")[1].decode(), {}, "https")))
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(30)

    async with stage(stalling) as lab:
        evidence = await lab.gather()
    assert evidence.timings["total"] < 15
    assert evidence.http
    assert {e.failure for e in evidence.http.of("debugger")} == {Failure("deadline")}
    assert front(evidence).status == 200


def slowed(*seconds: float, path: str = "/") -> Script:
    """Return a site whose page takes so long, one time after the other, and then none."""
    left = list(seconds)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked = head.split(b" ")[1].decode()
                if asked == path and left and b"example.com" in head:
                    await asyncio.sleep(left.pop(0))
                if asked == "/" != path:
                    writer.write(redirect(path))
                else:
                    writer.write(reply(200 if asked == path else 404, PAGE))
                await writer.drain()

    return serve


@pytest.mark.parametrize("path", ["/", "/en/"])
async def test_a_slow_page_is_timed_twice(path: str) -> None:
    """The second look has its own times; the page is judged by the better one, at the end of redirects too."""
    async with stage(slowed(0.9, 0.3, path=path), slow=0.2) as lab:
        evidence = await lab.gather()
    assert evidence.http
    page = next(e for e in evidence.http.exchanges if e.url.endswith(path) and e.status == 200)
    assert page.seconds["first_byte"] >= 0.9
    assert 0.3 <= page.seconds_again["first_byte"] < 0.9
    assert 0.3 <= page.waited < 0.9
    assert set(page.seconds_again) == {"connect", "tls", "first_byte", "total"}


async def test_a_page_that_was_slow_once() -> None:
    """The second look clears it."""
    async with stage(slowed(0.9), slow=0.6) as lab:
        evidence = await lab.gather()
    assert front(evidence).waited < 0.6


async def test_a_fast_page_is_asked_once() -> None:
    """Nothing is asked twice that need not be."""
    log: list[str] = []
    async with stage(pages({"/": reply(200, PAGE)}, log)) as lab:
        evidence = await lab.gather()
    assert front(evidence).seconds_again == {}
    assert len([line for line in log if line == "https://example.com/"]) == 1


async def test_a_page_keeps_where_it_names_itself() -> None:
    """References far behind what is kept of the body are found; other kinds of document have none."""
    form = "<form action='http://example.com/pay'>"
    late = PAGE + "x" * 100_000 + form
    async with stage(pages({"/": reply(200, late, ("Content-Type", "text/html; charset=utf-8"))})) as lab:
        assert front(await lab.gather()).self_references == (SelfReference("form", "http://example.com/pay"),)
    async with stage(pages({"/": reply(200, form, ("Content-Type", "text/plain"))})) as lab:
        assert front(await lab.gather()).self_references == ()
