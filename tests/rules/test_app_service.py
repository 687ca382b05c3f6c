"""How the app serves: slow pages, the health path that nobody made, and answers meant for the checker alone."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

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
)

HTTPS, WWW, PAGE = "https://example.com/", "https://www.example.com/", "https://example.com/en/"
HEALTH = "https://example.com/health"
DEEP = "https://example.com/padlock-probe/path?q=1"
SPA: dict[str, Any] = {"status": 200, "title": "Shop", "headers": (("content-type", "text/html"),)}


def phases(first_byte: float, connect: float = 0.02, tls: float = 0.03) -> dict[str, float]:
    """Return the times of one request."""
    return {"connect": connect, "tls": tls, "first_byte": first_byte, "total": connect + tls + first_byte}


def test_slow_page() -> None:
    """Two slow looks are the finding, with the better one's phases."""
    seen = with_exchange(healthy(), HTTPS, seconds=phases(4.5), seconds_again=phases(3.2))
    finding = fires("app.slow", seen)
    assert finding.severity is Severity.WARNING
    assert finding.subject == "example.com"
    assert "took 3.2 s twice: DNS 0.00 s, connect 0.02 s, TLS 0.03 s and first byte 3.20 s" in finding.observed
    assert finding.expected == "a first byte within 3 s"


def test_slow_once() -> None:
    """A second look that was fast clears the page; without one nothing is known."""
    seen = with_exchange(healthy(), HTTPS, seconds=phases(4.5))
    assert "no second look" in unassessed("app.slow", seen)
    silent("app.slow", with_exchange(seen, HTTPS, seconds_again=phases(0.1)))
    silent("app.slow", healthy())


def test_slow_connect_counts() -> None:
    """Visitors wait for the handshakes too."""
    slow = phases(0.5, connect=2.0, tls=1.0)
    seen = with_exchange(healthy(), HTTPS, seconds=slow, seconds_again=slow)
    assert "connect 2.00 s" in fires("app.slow", seen).observed


def test_declared_time() -> None:
    """The site says what is slow for it."""
    times: dict[str, Any] = {"seconds": phases(4.5), "seconds_again": phases(4.6)}
    silent("app.slow", with_exchange(healthy({"name": "example.com", "slow": 5}), HTTPS, **times))
    fires("app.slow", with_exchange(healthy({"name": "example.com", "slow": 4}), HTTPS, **times))


def test_slow_page_behind_a_redirect() -> None:
    """The page at the end of the redirects is what visitors wait for."""
    seen = with_exchange(healthy(), HTTPS, status=302, headers=(("location", "/en/"),))
    seen = with_chains(seen, chain(HTTPS, (HTTPS, 302, "/en/"), (PAGE, 200, None)))
    slow = exchange(PAGE, purpose="hop", seconds=phases(5), seconds_again=phases(5))
    assert PAGE in fires("app.slow", with_exchanges(seen, slow)).observed
    silent("app.slow", with_exchanges(seen, exchange(PAGE, purpose="hop")))


def test_slow_at_one_address() -> None:
    """The odd address is named."""
    times: dict[str, Any] = {"seconds": phases(5), "seconds_again": phases(5)}
    seen = with_exchange(with_address(healthy()), HTTPS, ADDRESS_6, **times)
    assert fires("app.slow", seen).subject == f"example.com at {ADDRESS_6}"


def test_page_that_gave_no_answer_has_no_time() -> None:
    """A closed port is not slow."""
    unassessed("app.slow", with_exchange(healthy(), HTTPS, status=None, failure=ev.Failure("refused"), seconds={}))


def without_health(**answer: Any) -> ev.Evidence:
    """Return a site whose usual health paths all answer so."""
    given = {"status": 404, "body": "no such page", "body_sha256": "e" * 64, "title": "404", **answer}
    seen = with_exchange(healthy(), HEALTH, **given)
    more = (exchange(f"{HTTPS}{path}", purpose="usual_health", **given) for path in ("healthz", "status", "ping"))
    return with_exchanges(seen, *more)


def test_no_health_path() -> None:
    """None of the usual paths exists: a notice about the site, with the paths."""
    finding = fires("app.health_missing", without_health())
    assert finding.severity is Severity.NOTICE
    assert finding.subject == "example.com"
    assert "/health, /healthz, /status and /ping" in finding.observed


@pytest.mark.parametrize("status", [200, 204])
def test_usual_health_path(status: int) -> None:
    """One that answers by itself is enough."""
    silent(
        "app.health_missing", with_exchange(without_health(), HEALTH, status=status, body_sha256="d" * 64, title="")
    )


def test_every_path_is_the_same_page() -> None:
    """A single-page app answers 200 everywhere, with tokens that differ: that is no health path."""
    fires("app.health_missing", with_exchange(without_health(**SPA, body_sha256="1" * 64), DEEP, **SPA))
    same: dict[str, Any] = {"status": 200, "body_sha256": "2" * 64, "headers": (("content-type", "text/plain"),)}
    fires("app.health_missing", with_exchange(without_health(**same), DEEP, **same))
    found = with_exchange(without_health(**SPA), DEEP, **SPA)
    json = (("content-type", "application/json"),)
    silent(
        "app.health_missing", with_exchange(found, HEALTH, headers=json, body="{}", body_sha256="3" * 64, title="")
    )


def test_redirect_to_a_login_is_no_health_path() -> None:
    """What asks for a login tells a monitor nothing."""
    fires("app.health_missing", without_health(status=302, headers=(("location", "/login"),)))


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, None])
def test_health_path_that_cannot_be_judged(status: int | None) -> None:
    """A path that is locked, fails or gave no answer may well be one."""
    failure = None if status else ev.Failure("deadline")
    seen = with_exchange(without_health(), HEALTH, status=status, failure=failure)
    assert HEALTH in unassessed("app.health_missing", seen)


def test_declared_health_path_is_not_missing() -> None:
    """Nothing else is asked where one is declared."""
    silent("app.health_missing", healthy({"name": "example.com", "health": "/ready"}))


def unasked(**deep: Any) -> ev.Evidence:
    """Return a site that was not asked for its health, because its deep path answered so."""
    seen = with_exchange(healthy(), DEEP, **deep)
    assert seen.http
    kept = tuple(e for e in seen.http.exchanges if e.purpose not in ("usual_health", "debugger"))
    return change(seen, http=change(seen.http, exchanges=kept))


def test_site_that_was_not_asked_for_its_health() -> None:
    """A server that refuses or fails has not shown what it has; a site that only redirects has nothing to show."""
    assert "503" in unassessed("app.health_missing", unasked(status=503))
    assert unassessed("app.health_missing", unasked(status=None, failure=ev.Failure("deadline")))
    silent("app.health_missing", unasked(status=301, headers=(("location", "https://other.example/"),)))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403},
        {"status": 429},
        {"status": 403, "headers": (("cf-mitigated", "challenge"),)},
        {"status": 202, "headers": (("x-amzn-waf-action", "challenge"),)},
        {
            "status": 200,
            "title": "Making sure you're not a bot!",
            "body": "<script src=/.within.website/x/cmd/anubis/",
        },
        {"status": 503, "title": "Just a moment...", "body": "<script src='/cdn-cgi/challenge-platform/h/b'>"},
        {"status": 200, "title": "", "body": "<iframe src='/_Incapsula_Resource?SWUDNSAI=31'>"},
    ],
)
def test_blocked(answer: dict[str, Any]) -> None:
    """An answer for the checker alone is neither pass nor finding, and leaves the step open."""
    seen = with_exchange(healthy(), HTTPS, **answer)
    assert "the checker was answered" in unassessed("app.blocked", seen)
    assert [code for code in codes(seen) if code.startswith(("app.", "server.", "proxy."))] == []
    step = next(row for row in report(seen).checklist if row.step == 13)
    assert step.status == "unknown"


def test_not_blocked() -> None:
    """Pages, errors and a status that is declared are answers for everybody."""
    silent("app.blocked", healthy())
    for status in (200, 401, 404, 500):
        silent("app.blocked", with_exchange(healthy(), HTTPS, status=status))
    meant = healthy({"name": "example.com", "expect": {"status": 403}})
    silent("app.blocked", with_exchange(meant, HTTPS, status=403))


def test_page_about_challenges_is_a_page() -> None:
    """The title alone, or the words in a page's text, are no challenge."""
    silent("app.blocked", with_exchange(healthy(), HTTPS, title="Just a moment..."))
    silent("app.blocked", with_exchange(healthy(), HTTPS, body="<p>How challenge-platform works at Cloudflare</p>"))
