"""Pages read whole: at the end of their redirects, with their stylesheets and a sample of their files."""

import asyncio
import contextlib
import ssl

import pytest
import trustme
from padlock.evidence import Asset, Evidence, Page
from padlock.network import limits
from padlock.network.limits import ASSETS_AT_ONCE

from tests.servers import (
    Authority,
    Request,
    context_of,
    forever,
    pages,
    redirect,
    reply,
    resets,
    sends,
    stage,
)

HTML = ("Content-Type", "text/html; charset=utf-8")
CSS = ("Content-Type", "text/css")
JS = ("Content-Type", "text/javascript")
PNG = ("Content-Type", "image/png")
MIXED = "<script src=http://cdn.example/a.js></script>"


def html(body: str, *headers: tuple[str, str]) -> bytes:
    """Return an HTML page."""
    return reply(200, f"<!doctype html><title>Shop</title>{body}", HTML, *headers)


def front(evidence: Evidence) -> Page:
    """Return the one front page of the evidence."""
    assert evidence.page is not None
    assert not evidence.incomplete
    (page,) = [page for page in evidence.page if page.purpose == "front"]
    return page


async def read(answers: dict[str, bytes], **staged: object) -> Page:
    """Return what a site's front page yields."""
    async with stage(pages(answers), pages({}), **staged) as lab:  # type: ignore[arg-type]
        return front(await lab.gather())


async def file(answer: bytes, element: str, *headers: tuple[str, str]) -> Asset:
    """Return what one file of a page yields; `element` refers to /file."""
    page = await read({"/": html(element, *headers), "/file": answer})
    (asset,) = page.assets
    return asset


async def _path(reader: asyncio.StreamReader) -> str:
    """Return the path of the next request; empty where there is none."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError, ssl.SSLError):
        return (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
    return ""


async def test_a_page_without_faults() -> None:
    """It is read, its files load, nothing is over plain HTTP."""
    page = await read(
        {
            "/": html("<link rel=stylesheet href=/a.css><script src=b.js></script><img src=c.png>"),
            "/a.css": reply(200, "b { color: red }", CSS),
            "/b.js": reply(200, "let a", JS),
            "/c.png": reply(200, b"\x89PNG", PNG),
        }
    )
    assert (page.is_html, page.unread, page.counts, page.references) == (True, "", {}, ())
    assert [(a.kind, a.status, a.fault, a.failure) for a in page.assets] == [
        ("stylesheet", 200, "", None),
        ("script", 200, "", None),
        ("image", 200, "", None),
    ]


async def test_mixed_content_beyond_what_is_kept_of_a_body() -> None:
    """Evidence keeps 16 KB of a body, the page is read to its end."""
    page = await read({"/": html("x" * 100_000 + MIXED)})
    assert page.counts == {"active": 1}
    assert page.references[0].url == "http://cdn.example/a.js"


async def test_stylesheets_are_read() -> None:
    """URLs in them count from the stylesheet, and the page's policy holds for them."""
    sheets = {
        "/css/a.css": reply(200, "@import 'http://cdn.example/b.css'; b { background: url(http://x.example/y) }", CSS)
    }
    page = await read({"/": html("<link rel=stylesheet href=/css/a.css>"), **sheets})
    assert page.counts == {"active": 1, "passive": 1}
    assert {r.stylesheet.rpartition("/")[2] for r in page.references} == {"a.css"}
    policy = ("Content-Security-Policy", "upgrade-insecure-requests")
    page = await read({"/": html("<link rel=stylesheet href=/css/a.css>", policy), **sheets})
    assert page.counts == {"active upgraded": 1, "passive upgraded": 1}


async def test_a_long_policy_is_read_to_its_end() -> None:
    """Evidence keeps 2 KB of a header, browsers all of it."""
    policy = "script-src " + "https://cdn.example/ " * 200 + "; upgrade-insecure-requests"
    page = await read({"/": html(MIXED, ("Content-Security-Policy", policy))})
    assert page.counts == {"active upgraded": 1}


async def test_the_page_at_the_end_of_redirects() -> None:
    """Apex and www lead to one page, which is read once."""

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        if request.host == "www.example.com":
            return redirect(f"https://example.com:{port}{request.path}")
        return {"/": redirect("/en/", 302), "/en/": html(MIXED)}.get(request.path, reply(404))

    hosts = {"example.com": ("127.0.0.1",), "www.example.com": ("127.0.0.1",)}
    async with stage(pages(answer), pages({}), hosts=hosts) as lab:
        page = front(await lab.gather())
    assert page.url.endswith("/en/")
    assert page.counts == {"active": 1}


async def test_the_health_page_is_read_if_it_is_html() -> None:
    """JSON loads nothing."""
    json = reply(200, "{}", ("Content-Type", "application/json"))
    for answer, found in ((html(MIXED), {"active": 1}), (json, {})):
        async with stage(pages({"/": html(""), "/health": answer}), pages({}), health="/health") as lab:
            evidence = await lab.gather()
        assert evidence.page
        (health,) = [page for page in evidence.page if page.purpose == "health"]
        assert (health.unread, health.counts, health.is_html) == ("", found, bool(found))


@pytest.mark.parametrize(
    ("answer", "unread"),
    [
        (reply(403, "no", HTML), "it answered 403"),
        (reply(502, "no", HTML), "it answered 502"),
        (redirect("/"), "there is no page: it comes back to"),
        (redirect("https://127.0.0.1/"), "there is no page: it leads to the bare address"),
    ],
)
async def test_no_page_to_read(answer: bytes, unread: str) -> None:
    """An error page or a loop says nothing of what the site loads."""
    assert (await read({"/": answer})).unread.startswith(unread)


async def test_a_page_of_another_site() -> None:
    """A redirect to another name is followed, the page there is not the site's."""

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        elsewhere = request.host == "example.com"
        return redirect(f"https://www.another.example:{port}/") if elsewhere else html(MIXED)

    hosts = {"example.com": ("127.0.0.1",)}
    records = ("www.another.example. A 127.0.0.1",)
    async with stage(pages(answer), pages({}), hosts=hosts, records=records) as lab:
        page = front(await lab.gather())
    assert page.counts == {}
    assert page.foreign or page.unread


async def test_where_nothing_answers() -> None:
    """A closed port leaves the page unread."""
    async with stage(None, pages({})) as lab:
        assert "no page" in front(await lab.gather()).unread


@pytest.mark.parametrize(
    ("element", "answer", "fault"),
    [
        (
            "<script src=/file></script>",
            reply(200, "<!DOCTYPE html><p>", HTML),
            "an HTML page came in place of the script",
        ),
        (
            "<script src=/file></script>",
            reply(200, "\n<html lang=en>", JS),
            "an HTML page came in place of the script",
        ),
        (
            "<link rel=stylesheet href=/file>",
            reply(200, "<!doctype html>", HTML),
            "an HTML page came in place of the styl",
        ),
        ("<img src=/file>", reply(200, "<!doctype html>", HTML), "an HTML page came in place of the image"),
        (
            "<script src=/file></script>",
            reply(200, "a", ("Content-Type", "image/png")),
            "browsers do not run a script of",
        ),
        (
            "<script src=/file></script>",
            reply(200, "a", ("Content-Type", "text/plain"), ("X-Content-Type-Options", "nosniff")),
            "browsers do not run a script of the type text/plain with nosniff",
        ),
        (
            "<script type=module src=/file></script>",
            reply(200, "a", ("Content-Type", "text/plain")),
            "browsers do not run a script of the type text/plain",
        ),
        (
            "<link rel=stylesheet href=/file>",
            reply(200, "a", ("Content-Type", "application/octet-stream")),
            "browsers do not apply a stylesheet of the type application/octet-stream",
        ),
        ("<script src=/file></script>", redirect("http://example.com/file"), "it redirects to"),
    ],
)
async def test_what_browsers_do_not_use(element: str, answer: bytes, fault: str) -> None:
    """A soft 404, a wrong type, a redirect to plain HTTP."""
    assert (await file(answer, element)).fault.startswith(fault)


@pytest.mark.parametrize(
    ("element", "answer"),
    [
        ("<script src=/file></script>", reply(200, "<!-- old comment\na", HTML)),
        ("<script src=/file></script>", reply(200, "a", ("Content-Type", "text/plain"))),
        ("<script src=/file></script>", reply(200, "a", ("Content-Type", "application/x-javascript; charset=utf-8"))),
        ("<script src=/file></script>", reply(200, "a")),
        ("<link rel=stylesheet href=/file>", reply(200, "b {}")),
        ("<img src=/file>", reply(200, "GIF89a", ("Content-Type", "text/plain"))),
        ("<img src=/file>", reply(200, b"x" * 3_000_000, PNG)),
        ("<img src=/file>", reply(416)),
        ("<img src=/file>", reply(206, "GIF", PNG)),
    ],
)
async def test_what_browsers_use_all_the_same(element: str, answer: bytes) -> None:
    """They are lenient about old types, and large images and empty files are whole."""
    asset = await file(answer, element)
    assert (asset.fault, asset.failure, asset.status) in {("", None, 200), ("", None, 206)}


async def test_a_missing_file_and_its_status() -> None:
    """The status is that of the second look."""
    assert (await file(reply(404, "no"), "<img src=/file>")).status == 404
    assert (await file(redirect("/gone"), "<img src=/file>")).status == 404


async def test_an_error_that_goes_away_is_none() -> None:
    """One 503 during a deployment is nothing to tell."""
    errors = 1

    def answer(request: Request) -> bytes:
        nonlocal errors
        if request.path == "/file" and errors:
            errors -= 1
            return reply(503)
        return html("<script src=/file></script>") if request.path == "/" else reply(200, "a", JS)

    async with stage(pages(answer), pages({})) as lab:
        (asset,) = front(await lab.gather()).assets
    assert (asset.status, asset.failure) == (200, None)


async def test_files_of_other_sites_are_not_asked_for() -> None:
    """Only the site's own hosts are; ten files at most, five of them stylesheets."""
    log: list[str] = []
    elements = "".join(
        f"<link rel=stylesheet href=/{n}.css><script src=/{n}.js></script><img src=/{n}.png>"
        f"<script src=https://cdn.example/{n}.js></script>"
        for n in range(20)
    )
    async with stage(pages({"/": html(elements)}, log), pages({})) as lab:
        page = front(await lab.gather())
    kinds = [asset.kind for asset in page.assets]
    assert (len(kinds), kinds.count("stylesheet")) == (10, 5)
    assert {asset.status for asset in page.assets} == {404}
    assert not [line for line in log if "cdn.example" in line]


async def test_files_of_a_host_below() -> None:
    """static.example.com is the site's; its certificate is looked at, as nothing else does it."""
    authority = Authority()
    answers = {"/": b"", "/a.js": reply(200, "a", JS)}

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        return (
            html(f"<script src=https://static.example.com:{port}/a.js></script>")
            if request.path == "/"
            else answers[request.path]
        )

    for names, failed in ((("example.com", "static.example.com"), False), (("example.com",), True)):
        tls = authority.context(*names)
        async with stage(
            pages(answer), pages({}), tls=tls, authority=authority, records=("static A 127.0.0.1",)
        ) as lab:
            (asset,) = front(await lab.gather()).assets
        assert bool(asset.failure) == failed
        if asset.failure:
            assert (asset.failure.kind, asset.failure.is_ours) == ("tls", False)
            assert "does not cover static.example.com" in asset.failure.detail


async def test_a_host_below_with_an_unknown_certificate() -> None:
    """Browsers load nothing from a server that they do not trust."""
    other = trustme.CA()
    tls = context_of(other.issue_cert("example.com", "static.example.com"))

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        return html(f"<img src=https://static.example.com:{port}/a.png>")

    async with stage(pages(answer), pages({}), tls=tls, records=("static A 127.0.0.1",)) as lab:
        (asset,) = front(await lab.gather()).assets
    assert asset.failure
    assert "not trusted" in asset.failure.detail


async def test_an_internal_address_is_not_asked() -> None:
    """A name of the site that leads inwards is not connected to, and says nothing about the site."""

    def answer(request: Request) -> bytes:
        port = request.headers["host"].rpartition(":")[2]
        return html(f"<img src=https://intern.example.com:{port}/a.png>")

    async with stage(pages(answer), pages({}), records=("intern A 169.254.169.254",)) as lab:
        (asset,) = front(await lab.gather()).assets
    assert asset.failure
    assert (asset.failure.kind, asset.failure.is_ours) == ("not_vetted", True)


async def test_files_wait_for_the_main_looks_and_few_are_asked_at_once() -> None:
    """Nothing else is slower for them: at most four connections, after every other answer."""
    busy = most = 0
    order: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal busy, most
        while line := await _path(reader):
            order.append(line)
            if line.endswith(".png"):
                busy += 1
                most = max(most, busy)
                await asyncio.sleep(0.05)
                busy -= 1
                writer.write(reply(200, "x", PNG))
            else:
                await asyncio.sleep(0.2 if line != "/" else 0)
                writer.write(html("".join(f"<img src=/{n}.png>" for n in range(10))))
            await writer.drain()

    async with stage(serve, pages({}), health="/health") as lab:
        page = front(await lab.gather())
    assert [asset.status for asset in page.assets] == [200] * 10
    assert 1 < most <= ASSETS_AT_ONCE
    assert order.index("/health") < next(n for n, path in enumerate(order) if path.endswith(".png"))


@pytest.mark.parametrize("broken", [resets, sends(b"nonsense"), forever(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05)])
async def test_a_server_that_breaks_off_files(broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it does, one failure for each file comes out of it, seen twice."""
    monkeypatch.setattr(limits, "HEADERS_SECONDS", 0.5)
    seen: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /a.png" in head:
            seen.append(True)
            again = asyncio.StreamReader()
            again.feed_data(head)
            again.feed_eof()
            await broken(again, writer)  # type: ignore[operator]
            return
        writer.write(html("<img src=/a.png>", ("Connection", "close")))

    async with stage(serve, pages({})) as lab:
        (asset,) = front(await lab.gather()).assets
    assert asset.failure
    assert not asset.failure.is_ours
    assert len(seen) == 2


async def test_what_the_deadline_cuts_off_is_not_read() -> None:
    """A page that was not read in time is no page without faults."""
    async with stage(forever(b"HTTP/1.1 200 OK\r\n\r\n", b"<p>", 0.2), pages({}), deadline=1) as lab:
        evidence = await lab.gather()
    assert evidence.page
    assert "ran out" in evidence.page[0].unread


async def test_files_that_the_deadline_cuts_off_are_not_assessed() -> None:
    """The page was read, its file was not."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while path := await _path(reader):
            if path == "/slow.js":
                await asyncio.sleep(30)
            writer.write(html(MIXED + "<script src=/slow.js></script>"))
            await writer.drain()

    async with stage(serve, pages({}), deadline=2) as lab:
        evidence = await lab.gather()
    assert evidence.page
    (page,) = evidence.page
    assert (page.counts, page.unread) == ({"active": 1}, "")
    assert page.assets[0].failure
    assert page.assets[0].failure.kind == "deadline"


async def test_a_page_of_a_million_references() -> None:
    """Fifty megabytes are cut at one, counted, and fifty references kept, well within the time."""
    beginning = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 50000000\r\n\r\n"
    async with stage(forever(beginning, b"<img src=http://a.example/>" * 2000), pages({}), deadline=20) as lab:
        page = front(await lab.gather())
    assert page.truncated
    assert page.counts["passive"] == limits.BODY_BYTES // len("<img src=http://a.example/>")
    assert len(page.references) == 50
