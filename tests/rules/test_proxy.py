"""Behind the proxy: a lost scheme, a lost host, and session cookies that go over plain HTTP."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS_6,
    chain,
    codes,
    exchange,
    fires,
    healthy,
    silent,
    unassessed,
    with_address,
    with_chains,
    with_exchange,
    with_exchanges,
)

HTTPS, WWW, LOGIN = "https://example.com/", "https://www.example.com/", "https://example.com/login"


def with_page(*references: tuple[ev.Place, str], **fields: Any) -> ev.Evidence:
    """Return a site whose front page names itself so."""
    written = tuple(ev.SelfReference(place, url) for place, url in references)
    return with_exchange(healthy(), HTTPS, self_references=written, **fields)


def with_location(location: str, *hops: tuple[str, int | None, str | None], **fields: Any) -> ev.Evidence:
    """Return a site whose front page redirects there; `hops` are what follows in the chains."""
    seen = with_exchange(healthy(), HTTPS, status=302, headers=(("location", location),))
    return with_chains(
        seen, *(chain(start, (HTTPS, 302, location), *hops, **fields) for start in (HTTPS, "http://example.com/"))
    )


def with_cookies(*cookies: str, url: str = HTTPS) -> ev.Evidence:
    """Return a site whose answer sets these cookies."""
    return with_exchange(healthy(), url, headers=tuple(("set-cookie", cookie) for cookie in cookies))


@pytest.mark.parametrize(
    ("place", "told"), [("form", "form's action"), ("base", "base"), ("canonical", "canonical"), ("og:url", "og:url")]
)
def test_page_that_names_itself_in_clear(place: ev.Place, told: str) -> None:
    """Each place in which an app writes its own address shows the lost scheme, once."""
    finding = fires(
        "proxy.scheme_lost", with_page((place, "http://example.com/pay"), (place, "http://example.com/pay"))
    )
    assert finding.severity is Severity.ERROR
    assert finding.subject == "example.com"
    assert finding.observed.count("http://example.com/pay") == 1
    assert told in finding.observed
    assert "X-Forwarded-Proto" in finding.remediation


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/pay",
        "//example.com/pay",
        "http://other.example/pay",
        "http://[",
        "https://www.example.com/",
    ],
)
def test_addresses_that_are_right(url: str) -> None:
    """HTTPS, the page's own scheme, another site's address and what is no address are no lost scheme."""
    silent("proxy.scheme_lost", with_page(("form", url), ("canonical", url)))
    silent("proxy.host_lost", with_page(("form", url), ("canonical", url)))


def test_scheme_lost_by_a_sibling() -> None:
    """The canonical link of one host may name the other; in clear it is as wrong."""
    assert (
        "http://www.example.com/"
        in fires("proxy.scheme_lost", with_page(("canonical", "http://www.example.com/"))).observed
    )


def test_scheme_lost_in_a_location() -> None:
    """A redirect of the app to http:// that is sent back to HTTPS works, and shows the lost scheme."""
    seen = with_location("http://example.com/login", ("http://example.com/login", 301, LOGIN), (LOGIN, 200, None))
    seen = with_exchanges(seen, exchange(LOGIN, purpose="hop"))
    assert "Location" in fires("proxy.scheme_lost", seen).observed
    silent(
        "proxy.scheme_lost", with_exchanges(with_location(LOGIN, (LOGIN, 200, None)), exchange(LOGIN, purpose="hop"))
    )


def test_scheme_lost_in_a_loop_is_the_loop_alone() -> None:
    """Redirects that never end are told once; of the app's page nothing was seen."""
    seen = with_location("http://example.com/", ("http://example.com/", 301, HTTPS), end="loop", confirmed=True)
    assert "redirect.loop" in codes(seen)
    assert "loop" in unassessed("proxy.scheme_lost", seen)


def test_redirect_between_hosts_is_no_lost_scheme() -> None:
    """What www answers is a server's rule; the downgrade has its own code."""
    moved = with_exchange(healthy(), WWW, headers=(("location", "http://example.com/"),))
    silent("proxy.scheme_lost", moved)


@pytest.mark.parametrize(("name", "cdn"), [("cf-ray", "Full (strict)"), ("x-amz-cf-id", "CloudFront")])
def test_lost_scheme_behind_a_cdn(name: str, cdn: str) -> None:
    """A CDN that fetches over plain HTTP has a fix of its own, which comes first."""
    seen = with_page(("form", "http://example.com/pay"), headers=((name, "8e4"),))
    assert cdn in fires("proxy.scheme_lost", seen).remediation.partition("X-Forwarded-Proto")[0]
    assert "CDN" not in fires("proxy.scheme_lost", with_page(("form", "http://example.com/pay"))).remediation


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/login",
        "https://127.0.0.1/login",
        "http://localhost/login",
        "//localhost:5000/login",
        "http://app_server/login",
        "http://web:8000/login",
        "https://example.com:8000/login",
        "http://[::1]:8000/login",
        "http://10.0.0.5/login",
        "http://172.18.0.3:5000/login",
        "http://gunicorn.sock/login",
        "http://ip-10-0-0-5.eu-west-1.compute.internal/login",
        "http://shop.default.svc.cluster.local/login",
    ],
)
def test_page_that_names_its_upstream(url: str) -> None:
    """Loopback, private addresses, names without a dot and the app's own port are not what visitors can reach."""
    for place in ("form", "base", "canonical", "og:url"):
        finding = fires("proxy.host_lost", with_page((place, url)))
        assert url in finding.observed
        assert "proxy_set_header Host" in finding.remediation
    assert "proxy.scheme_lost" not in codes(with_page(("form", url)))


def test_location_that_names_its_upstream() -> None:
    """A redirect to the upstream is refused, which is what visitors meet, and the lost host says why."""
    goal = "http://localhost/login"
    seen = with_location(goal, end="refused", final_url=goal, detail="it leads to 'localhost'")
    assert goal in fires("proxy.host_lost", seen).observed
    assert "redirect.refused" in codes(seen)


def test_declared_port_is_no_upstream() -> None:
    """A site that lives on an app's usual port may name it."""
    seen = healthy({"name": "example.com", "ports": {"https": 8080}})
    written = (ev.SelfReference("form", "https://example.com:8080/pay"),)
    silent("proxy.host_lost", with_exchange(seen, HTTPS, self_references=written))


def test_pages_that_were_not_seen() -> None:
    """A page that the checker is refused, or that gave no answer, says nothing of the proxy."""
    unassessed("proxy.scheme_lost", with_exchange(healthy(), HTTPS, status=403))
    gone = with_exchange(healthy(), HTTPS, status=None, failure=ev.Failure("timeout", "headers"))
    for code in ("proxy.scheme_lost", "proxy.host_lost", "proxy.insecure_cookie"):
        unassessed(code, gone)


def test_a_fault_at_one_address_is_the_hosts() -> None:
    """What the app writes is its own matter, whichever address shows it: the subject stays the host."""
    written = (ev.SelfReference("form", "http://example.com/pay"),)
    seen = with_exchange(with_address(healthy()), HTTPS, ADDRESS_6, self_references=written)
    assert fires("proxy.scheme_lost", seen).subject == "example.com"


@pytest.mark.parametrize(
    "cookie",
    [
        "session=eyJ1Ijox.Zz.x; HttpOnly; Path=/",
        "sessionid=abc; SameSite=Lax",
        "PHPSESSID=abc; path=/",
        "JSESSIONID=abc",
        "ASP.NET_SessionId=abc",
        "connect.sid=s%3Aabc",
        "laravel_session=abc",
        "_shop_session=abc",
        "remember_token=1|abc",
        "access_token=abc",
        "wordpress_logged_in_0123456789fedcba=abc",
        "who=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln; Path=/",
        "session=abc; Max-Age=3600; insecure",
        "session=abc; Comment=secure",
    ],
)
def test_session_cookie_in_the_open(cookie: str) -> None:
    """Cookies that tell who a visitor is, by their name or because they are a JWT, need Secure."""
    finding = fires("proxy.insecure_cookie", with_cookies(cookie))
    assert finding.severity is Severity.WARNING
    assert cookie.partition("=")[0] in finding.observed
    assert "abc" not in finding.observed
    silent("proxy.insecure_cookie", with_cookies(cookie + "; Secure"))
    silent("proxy.insecure_cookie", with_cookies(cookie + ";SECURE"))
    silent("proxy.insecure_cookie", with_cookies(cookie + "\t;\tsecure"))


@pytest.mark.parametrize(
    "cookie",
    [
        "session=; Max-Age=0; Path=/",
        "session=abc; Max-Age=-1",
        "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "session=abc; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
        "session=abc; Expires=never; Max-Age=0",
        "lang=de",
        "theme=dark; Path=/",
        "csrftoken=abc",
        "_ga=GA1.2.3",
        "__cf_bm=abc",
        "AWSALB=abc",
        "session_hint=1",
        "obsession=1",
        "inside=1",
        "",
        "=",
        "session",
    ],
)
def test_cookies_that_need_no_secure(cookie: str) -> None:
    """Deleting a session, a language, a load balancer's choice: nobody is robbed of anything."""
    silent("proxy.insecure_cookie", with_cookies(cookie))


@pytest.mark.parametrize(
    ("cookie", "told"),
    [
        ("__Host-session=abc; Secure; Path=/; Domain=example.com", "Domain"),
        ("__Host-session=abc; Secure", "Path=/"),
        ("__Secure-lang=de", "Secure is missing"),
        ("__host-id=abc; Path=/", "Secure is missing"),
        ("__Http-id=abc; Secure", "HttpOnly is missing"),
        ("__Host-Http-id=abc; Secure; Path=/", "HttpOnly is missing"),
    ],
)
def test_prefix_that_browsers_hold_to(cookie: str, told: str) -> None:
    """A name with __Secure- or __Host- is a promise; where it is broken browsers drop the cookie."""
    assert told in fires("proxy.insecure_cookie", with_cookies(cookie)).observed


def test_prefix_that_is_kept() -> None:
    """What the prefixes ask for is there."""
    kept = ("__Host-session=abc; Secure; Path=/", "__Secure-id=1; Secure; Domain=example.com", "__Hostess=1")
    silent("proxy.insecure_cookie", with_cookies(*kept, "__Http-id=1; Secure; HttpOnly"))


@pytest.mark.parametrize("attribute", ["SameSite=None", "samesite=NONE", "Partitioned"])
def test_cookies_that_chromium_drops_without_secure(attribute: str) -> None:
    """A session for other sites' pages, or one jar of each, needs Secure to be kept at all; others are no session."""
    assert "do not take" in fires("proxy.insecure_cookie", with_cookies(f"session=abc; {attribute}")).observed
    silent("proxy.insecure_cookie", with_cookies(f"session=abc; {attribute}; Secure", f"lang=de; {attribute}"))


def test_cookies_for_another_domain() -> None:
    """No browser takes them, so that nothing goes in clear; those for the host itself or above it count."""
    silent(
        "proxy.insecure_cookie",
        with_cookies(*(f"session=abc; Domain={d}" for d in ("other.net", "com", "ample.com"))),
    )
    for domain in ("example.com", ".EXAMPLE.com", ""):
        fires("proxy.insecure_cookie", with_cookies(f"session=abc; Domain={domain}"))


def test_long_session_cookie_is_not_judged_by_its_beginning() -> None:
    """Secure may stand behind what the evidence keeps."""
    assert "too long" in unassessed("proxy.insecure_cookie", with_cookies("session=" + "x" * 2039 + "…"))


def test_cookies_elsewhere() -> None:
    """A cookie of any answer over HTTPS counts, once; one over plain HTTP is not what is asked here."""
    deep = "https://example.com/padlock-probe/path?q=1"
    both = with_exchange(with_cookies("sid=1"), deep, headers=(("set-cookie", "sid=2"),))
    assert fires("proxy.insecure_cookie", both).observed.count("sid") == 1
    moved = (("location", HTTPS), ("set-cookie", "sid=1"))
    silent("proxy.insecure_cookie", with_exchange(healthy(), "http://example.com/", headers=moved))
