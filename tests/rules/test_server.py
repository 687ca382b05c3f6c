"""Which site answers: default pages, declared expectations, and addresses that differ."""

from datetime import timedelta
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    ADDRESS_6,
    INTERMEDIATE,
    NOW,
    certificate,
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
    with_handshakes,
    with_leaf,
)

HTTP, HTTPS, WWW = "http://example.com/", "https://example.com/", "https://www.example.com/"
SHOP = {"status": 200, "title": "Shop", "contains": "Welcome to the shop"}
EXPECTED = {"name": "example.com", "expect": SHOP}
NGINX: dict[str, Any] = {"title": "Welcome to nginx!", "body": "<h1>Welcome to nginx!</h1>", "body_size": 615}
DEFAULT: dict[str, Any] = {
    "status": 404,
    "body": "no such site",
    "body_sha256": "f" * 64,
    "body_size": 12,
    "title": "404",
}
OTHER = "9" * 64


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("Welcome to nginx!", ""),
        ("Apache2 Debian Default Page: It works", ""),
        ("Test Page for the HTTP Server on AlmaLinux", ""),
        ("IIS Windows Server", ""),
        ("Caddy works!", ""),
        ("Web Server's Default Page", ""),
        ("", "<html><body><h1>It works!</h1></body></html>"),
        ("shop.test", '<script src="https://img.sedoparking.com/x.js"></script>'),
    ],
)
def test_welcome_page(title: str, body: str) -> None:
    """A server's welcome page or a parking page is not the site, whatever its certificate."""
    seen = with_exchange(healthy(), HTTPS, title=title, body=body, body_size=len(body))
    finding = fires("server.default_site", seen)
    assert finding.subject == "example.com"
    assert "server_name example.com;" in finding.remediation
    silent("server.default_site", healthy())


def test_page_that_quotes_a_welcome_page() -> None:
    """An article about nginx or Apache is not a welcome page."""
    body = "How to replace <h1>It works!</h1>, and Welcome to nginx!" + " text" * 2000
    silent(
        "server.default_site",
        with_exchange(healthy(), HTTPS, title="Welcome to nginx! Now what?", body=body, body_size=len(body)),
    )


def test_welcome_page_that_is_expected() -> None:
    """A declaration that asks for this very page holds."""
    declared = healthy({"name": "example.com", "expect": {"title": "Welcome to nginx!"}})
    silent("server.default_site", with_exchange(declared, HTTPS, **NGINX))


def test_welcome_page_before_https() -> None:
    """While HTTPS gives no answer, the welcome page is seen over HTTP."""
    seen = with_exchange(healthy(), HTTPS, status=None, failure=ev.Failure("refused"))
    seen = with_exchange(seen, HTTP, status=200, headers=(), **NGINX)
    assert HTTP in fires("server.default_site", seen).observed


def as_default(evidence: ev.Evidence, **answer: Any) -> ev.Evidence:
    """Return the evidence with the same answer for the site and for a name that the server cannot know."""
    assert evidence.http
    given = answer or DEFAULT
    exchanges = tuple(
        change(e, **given) if e.purpose == "random_host" or e.url == HTTPS else e for e in evidence.http.exchanges
    )
    return change(evidence, http=change(evidence.http, exchanges=exchanges))


def test_default_answer_with_a_foreign_certificate() -> None:
    """The default answer under a certificate for other names is another site's."""
    seen = with_leaf(as_default(healthy()), dns_names=("default.example.net",), dns_name_count=1)
    assert "certificate for other names" in fires("server.default_site", seen).observed


def test_single_site_server() -> None:
    """A site that is deliberately the default server gives its page to any name, under its own certificate."""
    silent("server.default_site", as_default(healthy(), status=200, body_sha256="a" * 64))
    silent("server.default_site", as_default(healthy(EXPECTED), status=200, body_sha256="a" * 64))


def test_default_answer_without_what_is_expected() -> None:
    """With a shared certificate only the declaration tells that the default answer is not the site's."""
    seen = as_default(healthy(EXPECTED))
    assert "the status is 404" in fires("server.default_site", seen).observed
    assert "server.unexpected_content" in codes(seen)


def test_catch_all_redirect() -> None:
    """A server that sends every name to the site is no fault."""
    moved = {"status": 301, "headers": (("location", HTTPS),), "body": "", "body_sha256": "b" * 64, "title": ""}
    silent("server.default_site", as_default(healthy(), **moved))


def test_blocked_checker_is_not_the_default_site() -> None:
    """A firewall gives its 403 to every name that the checker asks for."""
    unassessed("server.default_site", as_default(healthy(EXPECTED), **{**DEFAULT, "status": 403}))


def test_default_site_without_an_answer() -> None:
    """No answer and a demanded client certificate are not assessed."""
    dead = with_exchange(healthy(), HTTPS, status=None, failure=ev.Failure("timeout", "headers"))
    assert "do not come in time" in unassessed("server.default_site", dead)
    closed = with_handshakes(healthy(), "example.com", client_certificate=True)
    assert "client certificate" in unassessed("server.default_site", closed)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": [204]}, "the status is 200"),
        ({"title": "Store"}, 'the title is "Shop"'),
        ({"contains": "Basket"}, 'the body lacks "Basket"'),
        ({"header": {"X-App": "shop"}}, "the header X-App is absent"),
        ({"header": {"Server": "caddy"}}, 'the header Server is "nginx"'),
    ],
)
def test_unexpected_content(expect: dict[str, Any], told: str) -> None:
    """Each part of a declared expectation is held to the front page."""
    finding = fires("server.unexpected_content", healthy({"name": "example.com", "expect": expect}))
    assert told in finding.observed
    assert finding.subject == "example.com"


def test_expected_content() -> None:
    """What is declared is there; www redirects to the host that is judged itself; nothing declared, nothing held."""
    whole = {**SHOP, "header": {"SERVER": "nginx"}}
    silent("server.unexpected_content", healthy({"name": "example.com", "expect": whole}))
    silent("server.unexpected_content", healthy())


def test_declared_redirect() -> None:
    """A front page that is declared to redirect is judged as it stands, not where it leads."""
    declared = healthy({"name": "example.com", "hosts": ["www.example.com"], "expect": {"status": [301]}})
    assert "www.example.com" not in [f.subject for f in report(declared).findings if f.code.startswith("server")]


def test_expectation_at_the_end_of_redirects() -> None:
    """A front page that leads to /en/ is judged there."""
    goal = HTTPS + "en/"
    seen = with_exchange(healthy(EXPECTED), HTTPS, status=302, headers=(("location", "/en/"),), body="", title="")
    seen = with_chains(seen, chain(HTTPS, (HTTPS, 302, "/en/"), (goal, 200, None)))
    silent("server.unexpected_content", with_exchanges(seen, exchange(goal, purpose="hop")))
    wrong = with_exchanges(seen, exchange(goal, purpose="hop", title="Maintenance"))
    assert goal in fires("server.unexpected_content", wrong).observed
    unassessed("server.unexpected_content", seen)


def test_text_beyond_what_is_kept() -> None:
    """A text that stands far down in the page was found while it was read."""
    seen = with_exchange(healthy(EXPECTED), HTTPS, body="x" * 16384, body_size=90_000)
    fires("server.unexpected_content", seen)
    silent("server.unexpected_content", with_exchange(seen, HTTPS, found=("Welcome to the shop",)))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403},
        {"status": 202, "headers": (("x-amzn-waf-action", "challenge"),)},
        {"body": "", "failure": ev.Failure("incomplete_body")},
    ],
    ids=["403", "challenge", "cut short"],
)
def test_content_that_was_not_seen(answer: dict[str, Any]) -> None:
    """A blocked checker and a body that did not arrive are not assessed."""
    unassessed("server.unexpected_content", with_exchange(healthy(EXPECTED), HTTPS, **answer))


def other_leaf(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with a certificate of its own at the second address."""
    seen = with_handshakes(with_address(evidence), address=ADDRESS_6, chain=(OTHER, INTERMEDIATE))
    assert seen.tls
    looks = (*seen.tls.verifications, change(seen.tls.verifications[0], chain=(OTHER, INTERMEDIATE)))
    certificates = {**seen.tls.certificates, OTHER: certificate(OTHER, serial="05FF", **fields)}
    return change(seen, tls=change(seen.tls, certificates=certificates, verifications=looks))


def test_addresses_with_a_bad_certificate() -> None:
    """One address with an expired certificate is an error that names it."""
    finding = fires("server.addresses_disagree", other_leaf(healthy(), not_after=NOW - timedelta(days=1)))
    assert finding.severity is Severity.ERROR
    assert finding.subject == "example.com"
    assert f"{ADDRESS_6} serves a certificate that has expired" in finding.observed
    uncovered = other_leaf(healthy(), dns_names=("old.example.com",), dns_name_count=1)
    assert "does not cover the host" in fires("server.addresses_disagree", uncovered).observed


def test_rollout() -> None:
    """Two good certificates are a rollout: a warning."""
    finding = fires("server.addresses_disagree", other_leaf(healthy()))
    assert finding.severity is Severity.WARNING
    assert "05FF" in finding.observed


@pytest.mark.parametrize(
    ("answer", "severity"),
    [
        ({"status": 502}, Severity.ERROR),
        ({"status": 404}, Severity.ERROR),
        ({"status": 302, "headers": (("location", "/setup"),)}, Severity.WARNING),
    ],
)
def test_addresses_with_another_status(answer: dict[str, Any], severity: Severity) -> None:
    """An error at one address is an error; a redirect at one address is a warning."""
    seen = with_exchange(with_address(healthy()), HTTPS, address=ADDRESS_6, **answer)
    finding = fires("server.addresses_disagree", seen)
    assert finding.severity is severity
    assert ADDRESS_6 in finding.observed


def test_addresses_with_another_redirect() -> None:
    """Two addresses that redirect elsewhere warn; a query made for each visitor is no difference."""
    seen = with_address(healthy(), host="www.example.com")
    astray = with_exchange(seen, WWW, address=ADDRESS_6, headers=(("location", "https://old.example.com/"),))
    assert "https://old.example.com/" in fires("server.addresses_disagree", astray).observed
    session = with_exchange(seen, WWW, address=ADDRESS_6, headers=(("location", HTTPS + "?session=1"),))
    silent("server.addresses_disagree", session)
    plain = with_exchange(
        seen, "http://www.example.com/", address=ADDRESS_6, headers=(("location", "https://old.example.com/"),)
    )
    assert "over HTTP" in fires("server.addresses_disagree", plain).observed


def test_addresses_that_agree() -> None:
    """Equal addresses, and a host with one address, are fine; other content of the same status does not count."""
    silent("server.addresses_disagree", healthy())
    seen = with_address(healthy())
    silent("server.addresses_disagree", with_exchange(seen, HTTPS, address=ADDRESS_6, title="Shop 2", body="other"))


def test_one_of_three_is_odd() -> None:
    """The minority is named first."""
    seen = with_address(with_address(healthy()), "93.184.215.15")
    seen = with_exchange(seen, HTTPS, address=ADDRESS, status=500)
    assert fires("server.addresses_disagree", seen).observed.startswith(f"status 500 over HTTPS at {ADDRESS}")


@pytest.mark.parametrize(
    "answer",
    [{"status": None, "failure": ev.Failure("no_route")}, {"status": 403}],
    ids=["no route", "blocked"],
)
def test_addresses_that_cannot_be_compared(answer: dict[str, Any]) -> None:
    """An address that gave no answer of its own is not compared."""
    unassessed(
        "server.addresses_disagree", with_exchange(with_address(healthy()), HTTPS, address=ADDRESS_6, **answer)
    )


@pytest.mark.parametrize("end", ["loop", "too_long", "failure", "refused", "malformed"])
def test_redirects_without_a_page_show_no_site(end: Any) -> None:
    """Where redirects end at no page nobody knows which site answers: step 12 is open, not passed."""
    gone = healthy(EXPECTED)
    for host in gone.hosts:
        url, other = f"https://{host}/", WWW if host == "example.com" else HTTPS
        gone = with_exchange(gone, url, status=301, headers=(("location", other),))
        gone = with_chains(gone, chain(url, (url, 301, other), (other, 301, url), end=end))
    for code in ("server.default_site", "server.unexpected_content"):
        assert end.replace("_", " ") in unassessed(code, gone)
    assert report(gone).checklist[11].status == "unknown"


def test_error_page_shows_no_site() -> None:
    """A gateway's error stands in place of the page: whose site it is stays open, and 404 of the app does not."""
    down = with_exchange(with_exchange(healthy(), HTTPS, status=502), WWW, status=502)
    assert "502" in unassessed("server.default_site", down)
    assert report(down).checklist[11].status == "unknown"
    silent("server.default_site", with_exchange(healthy(), HTTPS, status=404))
