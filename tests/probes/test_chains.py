"""Redirect chains: followed as browsers do, each hop vetted, loops confirmed."""

from typing import Any

import pytest
from padlock.evidence import Chain, Evidence
from padlock.network import limits

from tests.servers import Pages, Request, free_port, pages, redirect, reply, sends, stage

BOTH = {"example.com": ("127.0.0.1",), "www.example.com": ("127.0.0.1",)}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADERS_SECONDS", "TLS_SECONDS", "CONNECT_SECONDS"):
        monkeypatch.setattr(limits, name, 1.0)


def chain(evidence: Evidence, start: str) -> Chain:
    """Return the chain of a start URL, written without its port."""
    assert evidence.http
    return next(c for c in evidence.http.chains if plain(c.start) == start)


def plain(url: str) -> str:
    """Return a URL without its port."""
    scheme, rest = url.split("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host.split(':')[0]}/{path}"


async def gathered(https: Pages, http: Pages, **options: Any) -> Evidence:
    """Return the evidence of a site with these pages."""
    async with stage(pages(https), pages(http), **options) as lab:
        return await lab.gather()


async def test_the_way_of_a_healthy_site() -> None:
    """Http → https → canonical host, path and query kept, for each start URL."""
    ports = free_port(), free_port()

    def upgrade(request: Request) -> bytes:
        return redirect(f"https://{request.host}:{ports[1]}{request.path}")

    def site(request: Request) -> bytes:
        if request.host == "www.example.com":
            return redirect(f"https://example.com:{ports[1]}{request.path}", 308)
        return reply(200, "shop") if request.path == "/" else reply(404, "none")

    log: list[str] = []
    async with stage(pages(site, log), pages(upgrade), hosts=BOTH, listen_on=ports, health="/health") as lab:
        evidence = await lab.gather()
    assert evidence.http
    assert {(plain(c.start), c.purpose) for c in evidence.http.chains} == {
        (f"{scheme}://{host}{path}", purpose)
        for host in BOTH
        for scheme, path, purpose in [
            ("http", "/", "front"),
            ("http", "/padlock-probe/path?q=1", "deep"),
            ("http", "/health", "health"),
            ("https", "/", "front"),
            ("https", "/health", "health"),
        ]
    }
    www = chain(evidence, "http://www.example.com/padlock-probe/path?q=1")
    assert [(plain(hop.url), hop.status) for hop in www.hops] == [
        ("http://www.example.com/padlock-probe/path?q=1", 301),
        ("https://www.example.com/padlock-probe/path?q=1", 308),
        ("https://example.com/padlock-probe/path?q=1", 404),
    ]
    assert (www.end, plain(www.final_url)) == ("answer", "https://example.com/padlock-probe/path?q=1")
    assert www.hops[0].location == f"https://www.example.com:{ports[1]}/padlock-probe/path?q=1"
    assert {hop.address for hop in www.hops} == {"127.0.0.1"}
    assert log.count("https://example.com/padlock-probe/path?q=1") == 1, (
        "what was fetched anyway is not fetched again"
    )


async def test_a_hop_that_nobody_asked_for_before_is_fetched() -> None:
    """Its exchange is evidence too."""
    evidence = await gathered({"/": redirect("/start"), "/start": reply(200, "welcome")}, {})
    assert evidence.http
    assert chain(evidence, "https://example.com/").end == "answer"
    assert [(plain(e.url), e.body) for e in evidence.http.of("hop")] == [("https://example.com/start", "welcome")]


async def test_a_hop_to_another_host_is_resolved_and_its_certificate_is_kept() -> None:
    """A site may end elsewhere; what visitors meet there counts."""
    ports = free_port(), free_port()

    def site(request: Request) -> bytes:
        away = request.host == "example.com"
        return redirect(f"https://shop.example.com:{ports[1]}/") if away else reply(200, "shop")

    async with stage(pages(site), listen_on=ports, records=["shop A 127.0.0.1"]) as lab:
        evidence = await lab.gather()
    assert evidence.tls
    assert chain(evidence, "https://example.com/").end == "answer"
    assert "shop.example.com" in {handshake.host for handshake in evidence.tls.handshakes}


@pytest.mark.parametrize("status", [300, 304, 305, 306, 200, 404, 201])
async def test_other_statuses_with_a_location_are_answers(status: int) -> None:
    """Browsers follow 301, 302, 303, 307 and 308."""
    evidence = await gathered({"/": redirect("/elsewhere", status)}, {})
    assert chain(evidence, "https://example.com/").end == "answer"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_redirect_is_followed(status: int) -> None:
    """All five lead on."""
    evidence = await gathered({"/": redirect("/next", status), "/next": reply(200, "")}, {})
    assert [hop.status for hop in chain(evidence, "https://example.com/").hops] == [status, 200]


async def test_a_loop_is_confirmed_by_a_second_try() -> None:
    """It is the same with the cookies that it sets."""
    answers = {"/": redirect("/a", 302, ("Set-Cookie", "seen=1")), "/a": redirect("/", 302)}
    seen = chain(await gathered(answers, {}), "https://example.com/")
    assert (seen.end, seen.confirmed) == ("loop", True)
    assert [plain(hop.url) for hop in seen.hops] == ["https://example.com/", "https://example.com/a"]
    assert plain(seen.final_url) == "https://example.com/"


async def test_a_loop_that_a_cookie_ends_is_an_answer() -> None:
    """A consent or session check redirects to itself once; browsers get through."""

    def site(request: Request) -> bytes:
        if "checked=yes" in request.headers.get("cookie", ""):
            return reply(200, "welcome")
        return redirect("/", 302, ("Set-Cookie", "checked=yes; Path=/; Secure; HttpOnly"))

    seen = chain(await gathered(site, {}), "https://example.com/")
    assert seen.end == "answer"
    assert "cookies" in seen.detail
    assert [hop.status for hop in seen.hops] == [302, 200]


async def test_a_loop_for_the_checker_alone_is_an_answer() -> None:
    """A site that redirects whatever does not call itself a browser lets visitors in."""

    def site(request: Request) -> bytes:
        agent = request.headers.get("user-agent", "")
        assert "," not in agent.replace("KHTML, like", "")
        return reply(200, "welcome") if "Mozilla" in agent and "Padlock" in agent else redirect("/", 302)

    seen = chain(await gathered(site, {}), "https://example.com/")
    assert seen.end == "answer"
    assert "User-Agent" in seen.detail


@pytest.mark.parametrize("agent", ["Padlock", "Mozilla"])
async def test_a_loop_without_a_language_is_an_answer(agent: str) -> None:
    """A site that picks its language by the browser's, and goes round where none is named."""

    def site(request: Request) -> bytes:
        language = request.headers.get("accept-language", "")
        wanted = language == "en" and agent in request.headers.get("user-agent", "")
        return reply(200, "welcome") if wanted else redirect("/", 302)

    seen = chain(await gathered(site, {}), "https://example.com/")
    assert (seen.end, [hop.status for hop in seen.hops]) == ("answer", [200])
    assert "only with a browser's User-Agent and Accept-Language" in seen.detail


async def test_a_loop_whatever_a_browser_sends() -> None:
    """Four walks that all go round: visitors go round, too."""
    languages: list[str] = []

    def site(request: Request) -> bytes:
        languages.append(request.headers.get("accept-language", ""))
        return redirect("/", 302)

    seen = chain(await gathered(site, {}), "https://example.com/")
    assert (seen.end, seen.confirmed, seen.detail.startswith("it comes back")) == ("loop", True, True)
    assert "en" in languages


async def test_a_loop_of_cookies_without_a_language_is_none() -> None:
    """The cookie says that no language was named; browsers name one and get through."""

    def site(request: Request) -> bytes:
        if request.headers.get("accept-language"):
            return reply(200, "welcome")
        if request.path == "/":
            return redirect("/pick/", 302, ("Set-Cookie", "lang=none; Path=/"))
        return redirect("/", 302) if "lang=none" in request.headers.get("cookie", "") else reply(200, "pick")

    ports = free_port(), free_port()
    upgrade = pages(lambda request: redirect(f"https://example.com:{ports[1]}{request.path}"))
    async with stage(pages(site), upgrade, listen_on=ports) as lab:
        seen = chain(await lab.gather(), "http://example.com/")
    assert (seen.end, seen.detail) == ("answer", "")


async def test_a_loop_that_cookies_make() -> None:
    """A language is set by cookie on one page and refused on the other: only browsers, which send it, go round."""

    def site(request: Request) -> bytes:
        if request.path == "/":
            return redirect("/de/", 302, ("Set-Cookie", "lang=de; Path=/"))
        return redirect("/", 302) if "lang=de" in request.headers.get("cookie", "") else reply(200, "welcome")

    ports = free_port(), free_port()
    upgrade = pages(lambda request: redirect(f"https://example.com:{ports[1]}{request.path}"))
    async with stage(pages(site), upgrade, listen_on=ports) as lab:
        seen = chain(await lab.gather(), "http://example.com/")
    assert (seen.end, seen.confirmed) == ("loop", True)
    assert "cookies" in seen.detail


async def test_cookies_on_the_way_that_do_no_harm() -> None:
    """Most redirects that set cookies end with them too."""
    https = {"/": redirect("/de/", 302, ("Set-Cookie", "lang=de")), "/de/": reply(200, "welcome")}
    seen = chain(await gathered(https, {}), "https://example.com/")
    assert (seen.end, seen.detail) == ("answer", "")


async def test_a_cookie_stays_with_the_host_that_set_it() -> None:
    """The host www does not get the apex's cookie, so the loop stays one."""
    ports = free_port(), free_port()

    def site(request: Request) -> bytes:
        if request.host == "www.example.com":
            leaked = "apex=1" in request.headers.get("cookie", "")
            return reply(200, "leaked") if leaked else redirect(f"https://example.com:{ports[1]}/", 302)
        return redirect(f"https://www.example.com:{ports[1]}/", 302, ("Set-Cookie", "apex=1"))

    async with stage(pages(site), hosts=BOTH, listen_on=ports) as lab:
        seen = chain(await lab.gather(), "https://example.com/")
    assert (seen.end, seen.confirmed) == ("loop", True)


async def test_too_many_redirects_end_after_ten() -> None:
    """Eleven requests, then it is too long."""

    def site(request: Request) -> bytes:
        number = request.path[1:] or "0"
        return redirect(f"/{int(number) + 1}") if number.isdigit() else reply(404)

    seen = chain(await gathered(site, {}), "https://example.com/")
    assert (seen.end, len(seen.hops), seen.confirmed) == ("too_long", 11, True)


@pytest.mark.parametrize(
    ("location", "end", "word"),
    [
        ("ftp://example.com/", "refused", "ftp"),
        ("https://example.com:22/", "refused", "port 22"),
        ("http://169.254.169.254/latest/", "refused", "169.254.169.254"),
        ("http://localhost/", "refused", "localhost"),
        ("https://inner.example.com/", "refused", "10.0.0.5"),
        ("https://u:p@example.com/", "refused", "credentials"),
        ("https://", "malformed", "no host"),
        ("https://example.com:80/", "malformed", "port 80"),
        ("", "malformed", "empty"),
        ("https://nowhere.example.com/", "failure", "does not resolve"),
    ],
)
async def test_what_is_not_followed_is_told_apart(location: str, end: str, word: str) -> None:
    """Refused, malformed, or leading nowhere; the Location is shown."""
    evidence = await gathered({"/": redirect(location)}, {}, records=["inner A 10.0.0.5"])
    seen = chain(evidence, "https://example.com/")
    assert (seen.end, word in seen.detail) == (end, True), seen
    assert seen.hops[0].location == location


async def test_several_locations_that_differ_are_malformed() -> None:
    """Browsers refuse them (ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION); the same one twice is followed."""
    twice = redirect("/a", 301, ("Location", "/a"))
    answers = {"/": redirect("/a", 301, ("Location", "/b")), "/health": twice, "/a": reply(200, "")}
    evidence = await gathered(answers, {}, health="/health")
    assert chain(evidence, "https://example.com/").end == "malformed"
    assert chain(evidence, "https://example.com/health").end == "answer"


async def test_a_redirect_without_a_location_is_malformed() -> None:
    """Nobody can follow it."""
    seen = chain(await gathered({"/": reply(301, "")}, {}), "https://example.com/")
    assert (seen.end, seen.hops[0].location) == ("malformed", None)


@pytest.mark.parametrize("octets", [b"\x00", b"\r", b"\nX: y"])
async def test_control_characters_in_a_location_are_malformed(octets: bytes) -> None:
    """NUL, CR and LF are header injections; they are shown escaped."""
    head = b"HTTP/1.1 301 Moved\r\nLocation: https://example.com/" + octets + b"\r\nContent-Length: 0\r\n\r\n"
    async with stage(sends(head)) as lab:
        seen = chain(await lab.gather(), "https://example.com/")
    assert seen.end == "malformed"
    assert seen.hops[0].location
    assert seen.hops[0].location.isprintable()


async def test_a_missing_slash_is_malformed() -> None:
    """`return 301 https://example.com$uri` with a slash too few glues path to host."""

    def glue(request: Request) -> bytes:
        return redirect("https://example.com" + request.path.removeprefix("/"))

    evidence = await gathered({"/": reply(200, "")}, glue)
    assert chain(evidence, "http://example.com/padlock-probe/path?q=1").end == "malformed"


async def test_a_chain_that_ends_at_a_closed_port_says_so() -> None:
    """The hop without a status is the last."""
    evidence = await gathered({"/": redirect("http://closed.example.com/")}, {}, records=["closed A 127.0.0.99"])
    seen = chain(evidence, "https://example.com/")
    assert (seen.end, seen.hops[-1].status) == ("failure", None)
    assert seen.detail.startswith("the connection is refused")


async def test_a_chain_takes_the_address_that_answers() -> None:
    """One dead address of two is another finding; browsers go to the other."""
    hosts = {"example.com": ("127.0.0.1", "127.0.0.2")}
    async with stage(pages({"/": reply(200, "shop")}), hosts=hosts, silent=["127.0.0.1"]) as lab:
        seen = chain(await lab.gather(), "https://example.com/")
    assert (seen.end, seen.hops[0].address) == ("answer", "127.0.0.2")
