"""Exchanges as evidence: what each address answers, looked at twice before it counts as bad."""

import asyncio
import gzip

import pytest
from padlock.evidence import Evidence, Exchange, Failure, Purpose
from padlock.network import limits

from tests.servers import Request, Script, forever, pages, redirect, reply, resets, sends, silence, stage

SHOP = "<title>Shop</title>Welcome"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADERS_SECONDS", "BODY_SECONDS", "BANNER_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


def seen(evidence: Evidence, purpose: Purpose = "front", scheme: str = "https") -> Exchange:
    """Return the first exchange of a kind."""
    assert evidence.http
    return next(evidence.http.of(purpose, scheme))


async def front(script: Script, **declared: object) -> Exchange:
    """Return what a site's front page over HTTPS yields."""
    async with stage(script, **declared) as lab:  # type: ignore[arg-type]
        return seen(await lab.gather())


async def test_everything_is_asked_of_every_address() -> None:
    """Front page and health path over both schemes, a deep path, and a name that nobody configured."""
    log: list[str] = []
    site = pages({"/": reply(200, SHOP), "/health": reply(200, "ok")}, log)
    hosts = {"example.com": ("127.0.0.1", "127.0.0.2", "::1"), "www.example.com": ("127.0.0.1",)}
    async with stage(site, site, hosts=hosts, health="/health") as lab:
        evidence = await lab.gather()
    assert evidence.http
    made = {(e.host, e.address, e.purpose, e.url.split("://")[0]) for e in evidence.http.exchanges}
    for host, addresses in hosts.items():
        for address in addresses:
            for purpose in ("front", "health"):
                assert {(host, address, purpose, "http"), (host, address, purpose, "https")} <= made
            assert (host, address, "deep", "http") in made
    default = [e for e in evidence.http.exchanges if e.purpose == "random_host"]
    assert sorted(e.address for e in default) == ["127.0.0.1", "127.0.0.2", "::1"]
    assert all(e.host.startswith("padlock-") and e.host.endswith(".invalid") for e in default)
    assert {e.status for e in evidence.http.exchanges if e.purpose not in ("deep", "debugger")} == {200}
    assert any(line.startswith("https://padlock-") for line in log)
    assert not evidence.incomplete


async def test_a_tab_in_a_header_stays_white_space() -> None:
    """Rules read it as such; other control characters, and a tab in a Location, are escaped."""
    got = await front(
        pages({"/": reply(302, "", ("Set-Cookie", "session=1;\tsecure"), ("Location", "/a\tb"), ("X", "\x85"))})
    )
    assert (got.header("set-cookie"), got.header("location"), got.header("x")) == (
        "session=1;\tsecure",
        "/a\\tb",
        "\\x85",
    )


async def test_an_exchange_keeps_what_rules_read() -> None:
    """Status, headers, the beginning of the body, its digest and size, the title, and the phases' times."""
    got = await front(pages({"/": reply(200, SHOP, ("Server", "nginx"))}))
    assert (got.status, got.title, got.body, got.body_size) == (200, "Shop", SHOP, len(SHOP))
    assert got.header("server") == "nginx"
    assert len(got.body_sha256) == 64
    assert set(got.seconds) == {"connect", "tls", "first_byte", "total"}


async def test_header_values_are_escaped() -> None:
    """Escape sequences and bidi controls do not reach a terminal."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Odd: a\x1b[31m\xe2\x80\xaeb\r\n\r\n"
    assert (await front(sends(head))).header("x-odd") == "a\\x1b[31m\\u202eb"


async def test_declared_texts_are_looked_for_in_the_whole_body() -> None:
    """Evidence keeps 16 KB; a text that stands further down is not missing."""
    page = SHOP + "x" * 100_000 + "Imprint"
    declared = {"expect": {"contains": "Imprint"}, "health": {"path": "/h", "contains": "?"}}
    got = await front(pages({"/": reply(200, page)}), **declared)
    assert got.found == ("Imprint",)
    assert len(got.body) == limits.BODY_KEPT
    assert got.body_size == len(page)


async def test_a_long_body_of_wide_characters_keeps_16_kb() -> None:
    """The bound is in octets."""
    got = await front(pages({"/": reply(200, "ü" * 50_000)}))
    assert len(got.body.encode()) <= limits.BODY_KEPT
    assert set(got.body) == {"ü"}


async def test_a_compressed_page_is_read() -> None:
    """Some servers compress whatever was asked; the text is there, the size is that of the wire."""
    packed = gzip.compress(SHOP.encode())
    got = await front(pages({"/": reply(200, packed, ("Content-Encoding", "gzip"))}))
    assert (got.title, got.body_size) == ("Shop", len(packed))


@pytest.mark.parametrize(
    ("script", "failure", "status"),
    [
        (silence, Failure("timeout", "headers"), None),
        (resets, Failure("reset", "headers"), None),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), None, 200),
        (forever(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x", 0.05), Failure("timeout", "body"), 200),
        (pages({"/": reply(502, "bad gateway")}), None, 502),
        (pages({"/": reply(500, "oops")}), None, 500),
    ],
)
async def test_bad_answers_are_looked_at_twice(script: Script, failure: Failure | None, status: int | None) -> None:
    """A failure or an error of the server that shows again is confirmed."""
    got = await front(script)
    assert got.confirmed
    assert got.status == status
    assert got.failure == failure or (got.failure and got.failure.kind == "incomplete_body")


async def test_an_error_that_goes_away_is_none() -> None:
    """One 502 while an app restarts is nothing to tell."""
    errors = 1

    def page(request: Request) -> bytes:
        nonlocal errors
        if request.path == "/" and not request.host.startswith("padlock") and errors:
            errors -= 1
            return reply(502, "restarting")
        return reply(200, SHOP)

    got = await front(pages(page))
    assert (got.status, got.failure, got.confirmed) == (200, None, False)


async def test_a_server_that_closes_after_each_answer_is_asked_again() -> None:
    """Without keep-alive each path gets a connection of its own."""
    page = reply(200, SHOP, ("Connection", "close"))
    async with stage(sends(page), sends(page), health="/health") as lab:
        evidence = await lab.gather()
    for scheme in ("http", "https"):
        assert [seen(evidence, purpose, scheme).status for purpose in ("front", "health")] == [200, 200]


async def test_a_kept_connection_that_dies_says_nothing_about_the_next_path() -> None:
    """A server may promise keep-alive and close; the path is asked on a new connection."""

    async def forgetful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(200, SHOP))
        await writer.drain()

    async with stage(forgetful, health="/health") as lab:
        health = seen(await lab.gather(), "health")
    assert (health.status, health.failure) == (200, None)


async def test_where_the_port_is_closed_each_exchange_says_so() -> None:
    """What was wanted and could not be asked is a failure, not a gap."""
    async with stage(None, pages({}), health="/health") as lab:
        evidence = await lab.gather()
    assert seen(evidence).failure == Failure("refused")
    assert seen(evidence, "health").failure == Failure("refused")
    assert evidence.http
    assert not [e for e in evidence.http.exchanges if e.purpose == "random_host"]


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (sends(b"\x15\x03\x01\0\2\2\x46", read=False), "tls record: "),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n", read=False), "not HTTP: SSH-2.0-OpenSSH_9.2"),
    ],
)
async def test_another_protocol_on_port_80_is_named(script: Script, detail: str) -> None:
    """TLS and banners of other services."""
    async with stage(None, script) as lab:
        failure = seen(await lab.gather(), scheme="http").failure
    assert failure
    assert failure.kind == "protocol_error"
    assert failure.detail.startswith(detail)


async def test_a_huge_page_is_cut_and_is_no_failure() -> None:
    """A gigabyte costs a megabyte."""
    got = await front(forever(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65_536))
    assert (got.truncated, got.failure, got.body_size) == (True, None, limits.BODY_BYTES)


@pytest.mark.parametrize("size", [9, 900, 2500])
async def test_many_headers_are_capped(size: int) -> None:
    """A hundred are kept, each of them short and all of them not long; what rules read is among them."""
    many = [(f"X-{n}", "y" * size) for n in range(110)]
    got = await front(sends(reply(200, "", *many, ("Server", "shop"), ("Strict-Transport-Security", "max-age=300"))))
    assert len(got.headers) <= limits.HEADERS_KEPT
    assert max(len(value) for _, value in got.headers) <= limits.HEADER_VALUE_KEPT
    kept = sum(len(name) + len(value) for name, value in got.headers)
    assert limits.HEADERS_SIZE_KEPT // 2 < kept <= limits.HEADERS_SIZE_KEPT or len(got.headers) == limits.HEADERS_KEPT
    assert (got.header("server"), got.header("strict-transport-security")) == ("shop", "max-age=300")


async def test_cookies_do_not_hide_hsts() -> None:
    """A site that sets a dozen large cookies is not accused of a policy that stands behind them."""
    cookies = [("Set-Cookie", f"c{n}={'y' * 2000}") for n in range(12)]
    got = await front(sends(reply(200, "", *cookies, ("Strict-Transport-Security", "max-age=300"))))
    assert got.header("strict-transport-security") == "max-age=300"
    assert 5 < len(got.all("set-cookie")) < 12


async def test_a_redirect_keeps_its_location() -> None:
    """Rules read the header as it was sent."""
    assert (await front(pages({"/": redirect("/start", 302)}))).header("location") == "/start"
