"""Redirects: each fault fires once, and what owners do on purpose stays silent."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity
from padlock.rules._locations import lost

from tests.evidence_builder import (
    ADDRESS_6,
    chain,
    change,
    codes,
    exchange,
    fires,
    healthy,
    report,
    silent,
    unassessed,
    with_address,
    with_chains,
    with_exchange,
    with_exchanges,
    with_port,
)

HTTP, HTTPS, WWW = "http://example.com/", "https://example.com/", "https://www.example.com/"
HTTP_WWW = "http://www.example.com/"
DEEP = "padlock-probe/path?q=1"
CLOSED = {"name": "example.com", "ports": {"http": "closed"}}
CHAIN_CODES = ["temporary", "loop", "too_long", "downgrade", "malformed", "drops_path", "refused"]


def in_clear(evidence: ev.Evidence, url: str, status: int = 200, **fields: Any) -> ev.Evidence:
    """Return the evidence with an answer over HTTP that is no redirect."""
    seen = with_exchange(evidence, url, status=status, headers=(), body="page", **fields)
    return with_chains(seen, chain(url, (url, status, None), purpose="deep" if "?" in url else "front"))


@pytest.mark.parametrize("status", [200, 204, 401, 404, 410])
def test_plain_http_with_content_is_missing(status: int) -> None:
    """An answer that is no redirect fires, a 404 or a login as well as a page."""
    finding = fires("redirect.missing", in_clear(healthy(), HTTP, status))
    assert finding.subject == "example.com"
    assert str(status) in finding.observed
    assert "server_name example.com; return 301 https://$host$request_uri;" in finding.remediation
    silent("redirect.missing", healthy())


def test_missing_alone_is_told() -> None:
    """A site all in clear is one finding for the host: not partial as well."""
    found = codes(in_clear(in_clear(healthy(), HTTP), HTTP + DEEP))
    assert [code for code in found if code.startswith("redirect")] == ["redirect.missing"]


def test_missing_names_the_odd_address() -> None:
    """Where one of two addresses lacks the redirect, the finding is about that one."""
    seen = with_address(healthy())
    seen = with_exchange(seen, HTTP, address=ADDRESS_6, status=200, headers=())
    assert fires("redirect.missing", seen).subject == f"example.com at {ADDRESS_6}"


@pytest.mark.parametrize("status", [403, 429])
def test_blocked_checker_is_not_missing(status: int) -> None:
    """A status that a firewall gives to checkers says nothing of the redirect."""
    assert "blocked" in unassessed("redirect.missing", in_clear(healthy(), HTTP, status))


def test_challenge_is_not_missing() -> None:
    """A challenge that only browsers pass says nothing of the redirect."""
    seen = with_exchange(healthy(), HTTP, status=202, headers=(("x-amzn-waf-action", "challenge"),))
    assert "challenge" in unassessed("redirect.missing", seen)


def test_server_error_on_http() -> None:
    """A 5xx over HTTP is the redirect's fault only where HTTPS of the same server is fine."""
    seen = in_clear(healthy(), HTTP, 502)
    fires("redirect.missing", seen)
    unassessed("redirect.missing", with_exchange(seen, HTTPS, status=502))


def test_upgrade_by_way_of_another_http_host() -> None:
    """HTTP may lead to another HTTP host first, if that one leads to HTTPS."""
    seen = with_exchange(healthy(), HTTP_WWW, headers=(("location", HTTP),))
    way = chain(HTTP_WWW, (HTTP_WWW, 301, HTTP), (HTTP, 301, HTTPS), (HTTPS, 200, None))
    silent("redirect.missing", with_chains(seen, way))
    astray = chain(HTTP_WWW, (HTTP_WWW, 301, "http://old.example.net/"), ("http://old.example.net/", 200, None))
    seen = with_exchange(healthy(), HTTP_WWW, headers=(("location", "http://old.example.net/"),))
    assert "never reaches HTTPS" in fires("redirect.missing", with_chains(seen, astray)).observed


def test_tls_on_the_http_port_is_not_missing() -> None:
    """A port that wants TLS is port.tls_on_http, and not a redirect that is missing."""
    body = "<center>The plain HTTP request was sent to HTTPS port</center>"
    seen = with_exchange(healthy(), HTTP, status=400, headers=(), body=body)
    unassessed("redirect.missing", seen)
    assert "port.tls_on_http" in codes(seen)


@pytest.mark.parametrize("code", ["missing", "partial", "drops_path"])
def test_closed_http_is_intent(code: str) -> None:
    """A declaration that plain HTTP is closed leaves nothing to redirect."""
    silent(f"redirect.{code}", healthy(CLOSED))


@pytest.mark.parametrize("code", ["missing", "partial"])
def test_closed_port_is_not_assessed(code: str) -> None:
    """A port 80 that is closed without a word is somebody else's finding, and no pass here."""
    seen = with_port(healthy(), "http", "timeout")
    assert seen.http
    answers = tuple(e for e in seen.http.exchanges if e.url.startswith("https"))
    seen = change(seen, http=change(seen.http, exchanges=answers))
    assert "port 80" in unassessed(f"redirect.{code}", seen)


@pytest.mark.parametrize("status", [200, 404])
def test_partial(status: int) -> None:
    """`location = /` redirects the front page only; the deep path answers in clear, with a page or a 404."""
    finding = fires("redirect.partial", in_clear(healthy(), HTTP + DEEP, status))
    assert finding.subject == "example.com"
    assert DEEP in finding.observed
    silent("redirect.partial", healthy())


def test_partial_health_path() -> None:
    """A health path in clear fires too, and with the deep path it stays one finding."""
    declaration = {"name": "example.com", "health": "/health"}
    plain = [exchange(f"http://{h}/health", purpose="health") for h in ("example.com", "www.example.com")]
    seen = with_exchanges(healthy(declaration), *plain)
    silent("redirect.partial", seen)
    clear = with_exchange(seen, "http://example.com/health", status=200, headers=())
    assert "/health" in fires("redirect.partial", clear).observed
    both = report(in_clear(clear, HTTP + DEEP))
    assert [f.subject for f in both.findings if f.code == "redirect.partial"] == ["example.com"]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_partial_leaves_doubt_alone(status: int) -> None:
    """A rate limit, a firewall or a server error on the deep path shows no redirect that is bound to a location."""
    unassessed("redirect.partial", in_clear(healthy(), HTTP + DEEP, status))


@pytest.mark.parametrize("status", [302, 303, 307])
def test_temporary(status: int) -> None:
    """The way to HTTPS with a temporary status is a warning."""
    seen = with_chains(healthy(), chain(HTTP, (HTTP, status, HTTPS), (HTTPS, 200, None)))
    assert fires("redirect.temporary", seen).severity is Severity.WARNING
    declared = healthy({"name": "example.com", "redirect": "temporary"})
    silent("redirect.temporary", with_chains(declared, chain(HTTP, (HTTP, status, HTTPS), (HTTPS, 200, None))))


@pytest.mark.parametrize(
    "way",
    [
        [(HTTP, 308, HTTPS), (HTTPS, 200, None)],
        [(HTTP, 301, HTTPS), (HTTPS, 302, "/en/"), (HTTPS + "en/", 200, None)],
        [(HTTP, 302, HTTPS + "en/"), (HTTPS + "en/", 200, None)],
        [(HTTP, 302, "https://brand.example/"), ("https://brand.example/", 200, None)],
        [(HTTP, 301, HTTPS), (HTTPS, 302, "https://sso.example.net/"), ("https://sso.example.net/", 200, None)],
    ],
    ids=["308", "language", "language at once", "another domain", "login"],
)
def test_temporary_on_purpose(way: list[tuple[str, int | None, str | None]]) -> None:
    """A language, a login or a campaign is redirected to for a time, and that is right."""
    silent("redirect.temporary", with_chains(healthy(), chain(HTTP, *way)))


def looping(*urls: str, confirmed: bool = True, start: str = "") -> ev.Chain:
    """Return a loop through the URLs and back to the first."""
    hops = [(url, 301, urls[(i + 1) % len(urls)]) for i, url in enumerate(urls)]
    return chain(start or urls[0], *hops, end="loop", confirmed=confirmed, final_url=urls[0])


@pytest.mark.parametrize(
    ("urls", "who", "fix"),
    [
        ((HTTPS, HTTP), "HTTPS back to HTTP", "X-Forwarded-Proto"),
        ((HTTPS,), "believes that it was asked over HTTP", "Flexible"),
        ((HTTPS, WWW), "example.com and www.example.com disagree", "canonical"),
        ((HTTPS, HTTPS + "a"), "disagree over the path", "nginx -T"),
        ((HTTP,), "virtual host for HTTP redirects to itself", "nginx -T"),
    ],
    ids=["scheme", "self", "apex and www", "path", "plain"],
)
def test_loop_names_who_loops(urls: tuple[str, ...], who: str, fix: str) -> None:
    """The finding tells which side sends the request back, and that side's fix."""
    finding = fires("redirect.loop", with_chains(healthy(), looping(*urls)))
    assert finding.subject == "example.com"
    assert who in finding.observed
    assert fix in finding.remediation


def test_loop_is_one_finding() -> None:
    """The same loop met from each start is one finding, and no downgrade."""
    from_www = chain(WWW, (WWW, 301, HTTPS), (HTTPS, 301, HTTP), (HTTP, 301, HTTPS), end="loop", confirmed=True)
    found = codes(with_chains(healthy(), looping(HTTPS, HTTP), looping(HTTP, HTTPS), from_www))
    assert found.count("redirect.loop") == 1
    assert "redirect.downgrade" not in found


def test_unconfirmed_loop() -> None:
    """A loop that no second try confirmed is neither a finding nor a pass; a chain that ends is one."""
    unassessed("redirect.loop", with_chains(healthy(), looping(HTTPS, confirmed=False)))
    silent("redirect.loop", healthy())


def long_way(count: int, end: ev.ChainEnd = "answer") -> ev.Chain:
    """Return a chain of so many redirects."""
    urls = [HTTP, HTTPS, *(f"{HTTPS}{n}" for n in range(count - 1))]
    hops = [(url, 301, urls[i + 1]) for i, url in enumerate(urls[:-1])]
    return chain(HTTP, *hops, (urls[-1], 200 if end == "answer" else 301, None), end=end)


@pytest.mark.parametrize(
    ("way", "severity"),
    [(long_way(4), Severity.WARNING), (long_way(10), Severity.WARNING), (long_way(10, "too_long"), Severity.ERROR)],
)
def test_too_long(way: ev.Chain, severity: Severity) -> None:
    """More than 3 redirects warn, more than 10 are an error."""
    assert fires("redirect.too_long", with_chains(healthy(), way)).severity is severity


def test_three_redirects_are_fine() -> None:
    """HTTPS, the canonical host and a language make three."""
    silent("redirect.too_long", with_chains(healthy(), long_way(3)))


def test_one_long_finding_per_host() -> None:
    """Two paths of one start host that are both too long are one finding, the worst."""
    deep = change(long_way(10, "too_long"), start=HTTP + DEEP, purpose="deep")
    found = [f for f in report(with_chains(healthy(), long_way(5), deep)).findings if f.code == "redirect.too_long"]
    assert [(f.subject, f.severity) for f in found] == [("example.com", Severity.ERROR)]


def test_the_sender_is_named_once() -> None:
    """A bad target that www reaches by way of the apex is the apex's, once, and no downgrade beside it."""
    bad = "http://127.0.0.1:8000/"
    own = chain(HTTPS, (HTTPS, 302, bad), end="refused", final_url=bad, detail="a bare address")
    via = chain(WWW, (WWW, 301, HTTPS), (HTTPS, 302, bad), end="refused", final_url=bad, detail="a bare address")
    found = report(with_chains(healthy(), own, via)).findings
    assert [(f.code, f.subject) for f in found if f.code.startswith("redirect")] == [
        ("redirect.refused", "example.com")
    ]


def test_downgrade() -> None:
    """Https that leads to http fires at the host that does it, once."""
    down = chain(HTTPS, (HTTPS, 302, HTTP + "login"), (HTTP + "login", 200, None))
    via = chain(WWW, (WWW, 301, HTTPS), (HTTPS, 302, HTTP + "login"), (HTTP + "login", 200, None))
    found = [f for f in report(with_chains(healthy(), down, via)).findings if f.code == "redirect.downgrade"]
    assert [f.subject for f in found] == ["example.com"]
    assert "X-Forwarded-Proto" in found[0].remediation
    fires("redirect.downgrade", with_chains(healthy(), down))
    silent("redirect.downgrade", healthy())


def test_malformed() -> None:
    """A Location that cannot be followed fires with the Location and why."""
    bad = chain(
        HTTP,
        (HTTP, 301, "https://example.compath"),
        end="malformed",
        final_url="https://example.compath",
        detail="the path follows the host without a slash",
    )
    finding = fires("redirect.malformed", with_chains(healthy(), bad))
    assert '"https://example.compath": the path follows' in finding.observed
    silent("redirect.malformed", healthy())


def test_malformed_app_port() -> None:
    """The app's own port in a Location to the site itself is not meant; another forbidden port is refused."""

    def to(url: str) -> ev.Evidence:
        return with_chains(
            healthy(), chain(HTTPS, (HTTPS, 302, url), end="refused", final_url=url, detail="it leads")
        )

    fires("redirect.malformed", to("http://example.com:8000/login"))
    silent("redirect.refused", to("http://example.com:8000/login"))
    fires("redirect.refused", to("https://example.com:22/"))
    silent("redirect.malformed", to("https://example.com:22/"))


def test_redirect_to_a_dead_name() -> None:
    """A redirect to another host that does not resolve leads nowhere; the site's own names belong to dns."""

    def to(host: str) -> ev.Evidence:
        goal = f"https://{host}/"
        way = chain(HTTPS, (HTTPS, 301, goal), (goal, None, None), end="failure", detail=f"{host} does not resolve")
        return with_chains(healthy(), way)

    assert "exmaple.org does not resolve" in fires("redirect.malformed", to("exmaple.org")).observed
    silent("redirect.too_long", to("exmaple.org"))
    assert "redirect.malformed" not in codes(to("www.example.com"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "https://localhost/", "ftp://example.com/"])
def test_refused(url: str) -> None:
    """An internal address, name or another scheme fires and names the target."""
    bad = chain(HTTPS, (HTTPS, 302, url), end="refused", final_url=url, detail="it leads to an internal address")
    finding = fires("redirect.refused", with_chains(healthy(), bad))
    assert url in finding.observed
    assert "Host $host" in finding.remediation
    silent("redirect.refused", healthy())


@pytest.mark.parametrize("goal", [HTTPS, HTTPS + "home", HTTPS + "padlock-probe/path"])
def test_drops_path(goal: str) -> None:
    """A fixed target loses the path, $uri the query."""
    start = HTTP + DEEP
    seen = with_chains(healthy(), chain(start, (start, 301, goal), (goal, 200, None), purpose="deep"))
    lost_part = "query" if goal.endswith("path") else "path"
    assert f"the {lost_part} is lost" in fires("redirect.drops_path", seen).observed


@pytest.mark.parametrize(
    "way",
    [
        [HTTPS + DEEP],
        [HTTPS + "padlock-probe/path/?q=1"],
        [HTTPS + "en/padlock-probe/path?q=1"],
        [HTTPS + DEEP, HTTPS],
        [HTTPS + "login?next=%2Fpadlock-probe%2Fpath%3Fq%3D1"],
        ["https://brand.example/"],
    ],
    ids=["kept", "slash", "language", "app sends home", "carried along", "another domain"],
)
def test_path_that_is_kept(way: list[str]) -> None:
    """What an app does over HTTPS, a prefix, a slash and another domain drop nothing."""
    urls = [HTTP + DEEP, *way]
    hops = [(url, 301, urls[i + 1]) for i, url in enumerate(urls[:-1])]
    silent(
        "redirect.drops_path", with_chains(healthy(), chain(urls[0], *hops, (urls[-1], 200, None), purpose="deep"))
    )


def test_lost_bears_hostile_urls() -> None:
    """A URL that cannot be parsed is not judged, and raises nothing."""
    assert lost(HTTP + DEEP, "https://[::bad/") == ""


@pytest.mark.parametrize("code", CHAIN_CODES)
def test_chains_that_were_not_followed(code: str) -> None:
    """Without an answer at the end, or without any chain, nothing passes."""
    seen = healthy()
    assert seen.http
    failed = tuple(
        chain(
            c.start,
            (c.start, None, None),
            purpose=c.purpose,
            end="failure",
            detail=ev.Failure("timeout", "connect").words,
        )
        for c in seen.http.chains
    )
    reason = unassessed(f"redirect.{code}", change(seen, http=change(seen.http, chains=failed)))
    assert reason.endswith("no answer to the connection: a firewall drops it, or the machine is off")
    unassessed(f"redirect.{code}", change(seen, http=change(seen.http, chains=()), incomplete="the deadline"))


def test_one_failed_chain_leaves_the_step_open_to_pass() -> None:
    """Where only port 80 gave no answer, the rest of a rule's question was seen: partly assessed."""
    seen = with_chains(
        healthy(), chain(HTTP, (HTTP, None, None), end="failure", detail=ev.Failure("timeout", "connect").words)
    )
    unassessed("redirect.downgrade", seen)
    assert next(row for row in report(seen).checklist if row.step == 11).status == "pass"


@pytest.mark.parametrize(
    ("hops", "fix"),
    [
        (((HTTPS, 301, HTTPS),), "Full (strict)"),
        ((("http://example.com/", 301, HTTPS), (HTTPS, 301, "http://example.com/")), "Full (strict)"),
    ],
)
def test_loop_behind_a_cdn(hops: tuple[tuple[str, int, str], ...], fix: str) -> None:
    """A CDN that fetches over plain HTTP is named, with its own switch first; without a CDN nginx comes first."""
    looping = chain(HTTPS, *hops, end="loop", confirmed=True)
    seen = with_exchange(healthy(), HTTPS, status=301, headers=(("location", hops[-1][2]), ("cf-ray", "8e4")))
    finding = fires("redirect.loop", with_chains(seen, looping))
    assert "Cloudflare asks the server over plain HTTP" in finding.observed
    assert fix in finding.remediation.partition("X-Forwarded-Proto")[0]
    alone = fires("redirect.loop", with_chains(healthy(), looping))
    assert "Cloudflare" not in alone.observed
    assert "X-Forwarded-Proto" in alone.remediation.partition("Full (strict)")[0]


def test_loop_under_a_condition() -> None:
    """What only browsers meet is told, so that curl's success does not mislead."""
    told = "only with the cookies that it sets"
    looping = chain(HTTPS, (HTTPS, 302, "/de/"), (HTTPS + "de/", 302, "/"), end="loop", confirmed=True, detail=told)
    assert told in fires("redirect.loop", with_chains(healthy(), looping)).observed


def test_expected_redirect_follows_the_declaration() -> None:
    """Where temporary redirects are declared the finding does not ask for a permanent one."""
    declared = in_clear(healthy({"name": "example.com", "redirect": "temporary"}), HTTP, 200)
    assert fires("redirect.missing", declared).expected.startswith("a redirect to https://")
    assert fires("redirect.missing", in_clear(healthy(), HTTP, 200)).expected.startswith("301 or 308 to https://")
