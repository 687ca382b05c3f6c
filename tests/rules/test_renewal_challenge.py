"""renewal.challenge_unreachable: the place of challenges answers as it should, or what stands in the way."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.evidence import Evidence

from tests.evidence_builder import (
    ADDRESS,
    ADDRESS_6,
    change,
    codes,
    fires,
    healthy,
    outcomes,
    silent,
    unassessed,
    with_address,
    with_exchange,
    with_handshakes,
    with_leaf,
    with_port,
    with_renewal,
)

CODE = "renewal.challenge_unreachable"
PATH = ".well-known/acme-challenge/token"


def ways(seen: Evidence, host: str = "", **fields: Any) -> Evidence:
    """Return the evidence with other fields of every way, or of one host's."""
    assert seen.renewal
    changed = tuple(change(way, **fields) if host in ("", way.host) else way for way in seen.renewal.challenges)
    return with_renewal(seen, challenges=changed)


def answered(status: int, seen: Evidence | None = None, host: str = "", **fields: Any) -> Evidence:
    """Return the evidence with this answer at the end of the way, over HTTP and without a redirect."""
    url = f"http://example.com/{PATH}"
    answer = ev.Exchange(url, "example.com", ADDRESS, "challenge", status=status, **fields)
    return ways(seen or healthy(), host, hops=(ev.Hop(url, status, None, ADDRESS),), answer=answer)


def failed(kind: ev.FailureKind, detail: str = "headers", seen: Evidence | None = None, **fields: Any) -> Evidence:
    """Return the evidence with a failure at the end of the way."""
    hop = ev.Hop(f"http://example.com/{PATH}", None, None, ADDRESS)
    broken: dict[str, Any] = {
        "end": "failure",
        "failure": ev.Failure(kind, detail),
        "confirmed": True,
        "hops": (hop,),
    }
    return ways(seen or healthy(), answer=None, **{**broken, **fields})


@pytest.mark.parametrize("status", [200, 204, 404, 405, 410])
def test_answers_of_a_server_that_is_well(status: int) -> None:
    """A file that is not there, or an app that answers anything, keeps no challenge away."""
    silent("renewal.challenge_unreachable", answered(status))


@pytest.mark.parametrize("status", [400, 401, 403, 421, 500, 502, 503, 300])
def test_answers_that_a_challenge_meets_too(status: int) -> None:
    """Access rules, errors and redirects without a target, although the front page is well."""
    found = fires("renewal.challenge_unreachable", answered(status))
    assert f"answers {status}" in found.observed
    assert f"http://example.com/.well-known/acme-challenge/<token> answers {status}" in found.observed
    assert ".well-known/acme-challenge/" in found.remediation


def test_a_welcome_or_parking_page() -> None:
    """Another server, or another site, stands where the challenge is looked for."""
    assert "nginx" in fires("renewal.challenge_unreachable", answered(200, title="Welcome to nginx!")).observed


def test_a_redirect_that_authorities_do_not_follow() -> None:
    """Browsers follow a 303, authorities do not."""
    found = fires(
        "renewal.challenge_unreachable", ways(healthy(), end="not_followed", detail="status 303 is not followed")
    )
    assert "303" in found.observed


def test_the_token_is_not_told() -> None:
    """It differs from run to run, wherever in the path the way ends."""
    url, end = f"http://example.com/{PATH}".replace("token", "Zr9-x_1"), "http://example.com/verify/Zr9-x_1/"
    hops = (ev.Hop(url, 301, end, ADDRESS), ev.Hop(end, 403, None, ADDRESS))
    answer = ev.Exchange(end, "example.com", ADDRESS, "challenge", status=403)
    found = fires(CODE, ways(healthy(), url=url, hops=hops, answer=answer))
    assert "http://example.com/verify/<token>/ answers 403" in found.observed
    assert "Zr9-x_1" not in found.observed


def test_no_answer_on_this_path_alone() -> None:
    """A firewall or WAF swallows it; a single time-out proves nothing."""
    assert "gives no answer" in fires("renewal.challenge_unreachable", failed("timeout")).observed
    assert "once only" in unassessed(CODE, failed("timeout", confirmed=False))


def test_a_redirect_to_a_name_that_is_gone() -> None:
    """The name is said."""
    found = fires("renewal.challenge_unreachable", failed("unreachable", "old.example does not resolve"))
    assert "old.example" in found.observed


def test_the_odd_address_is_named() -> None:
    """An authority may pick either address."""
    seen = with_address(healthy(), ADDRESS_6)
    assert seen.renewal
    odd = ev.Challenge("example.com", ADDRESS_6, f"http://example.com/{PATH}", "not_followed", detail="status 303")
    seen = with_renewal(seen, challenges=(*seen.renewal.challenges, odd))
    assert fires("renewal.challenge_unreachable", seen).subject == f"example.com at {ADDRESS_6}"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (with_port(failed("timeout", "connect"), "http", "timeout"), "port 80"),
        (answered(502, with_exchange(healthy(), "http://example.com/", status=502)), "as well"),
        (answered(403, with_exchange(healthy(), "http://example.com/", status=403)), "as well"),
        (answered(403, headers=(("cf-mitigated", "challenge"),)), "browsers pass"),
        (answered(403, headers=(("x-amz-cf-id", "abc"),)), "a network in front"),
        (answered(429), "429"),
        (failed("deadline", ""), "ran out"),
        (with_renewal(healthy(), challenges=()), "was not tried"),
    ],
    ids=["port closed", "app down", "blocked", "browser check", "edge", "rate limit", "cut off", "never begun"],
)
def test_what_another_finding_says_or_nobody_can_know(seen: Evidence, reason: str) -> None:
    """A fault of the whole host, an answer meant for the checker, and a run cut off are not judged."""
    assert reason in unassessed(CODE, seen)


def test_a_broken_https_is_not_told_twice() -> None:
    """The way leads over HTTPS, whose failure has its own finding."""
    dead = ev.Failure("refused", "connect")
    hop = ev.Hop(f"https://example.com/{PATH}", None, None, ADDRESS)
    seen = with_exchange(healthy(), "https://example.com/", status=None, failure=dead)
    broken = ways(seen, "example.com", end="failure", failure=dead, confirmed=True, hops=(hop,), answer=None)
    assert "does not answer either" in unassessed(CODE, broken)


def test_a_redirect_loop_of_the_whole_site_is_not_told_twice() -> None:
    """The front page loops as well."""
    seen = healthy()
    assert seen.http
    looping = tuple(
        change(each, end="loop") if each.start == "http://example.com/" else each for each in seen.http.chains
    )
    seen = change(seen, http=change(seen.http, chains=looping))
    lost = ways(seen, "example.com", end="not_followed", detail="it comes back")
    assert CODE not in codes(lost)
    assert "end nowhere either" in unassessed(CODE, lost)


def test_a_redirect_loop_for_those_who_are_no_browser() -> None:
    """Visitors get in; whether an authority does, which sends other headers again, nobody can know from here."""
    seen = healthy()
    assert seen.http
    told = "only with a browser's User-Agent; without, it loops"
    picky = tuple(
        change(each, detail=told) if each.start == "http://example.com/" else each for each in seen.http.chains
    )
    lost = ways(change(seen, http=change(seen.http, chains=picky)), end="not_followed", detail="it comes back")
    assert "not known" in unassessed(CODE, ways(lost, "www.example.com", end="answer", detail=""))


def test_a_client_certificate_hides_the_way() -> None:
    """Nobody without one gets further."""
    seen = with_handshakes(healthy(), client_certificate=True)
    hop = ev.Hop(f"https://example.com/{PATH}", 400, None, ADDRESS)
    answer = ev.Exchange(hop.url, "example.com", ADDRESS, "challenge", status=400)
    assert "client certificate" in unassessed(CODE, ways(seen, hops=(hop,), answer=answer))


@pytest.mark.parametrize(
    "seen",
    [
        answered(403, healthy({"name": "example.com", "ports": {"http": "closed"}})),
        with_leaf(answered(403), issuer="CN=Amazon RSA 2048 M02,O=Amazon,C=US"),
        with_leaf(answered(403), dns_names=("*.example.com", "example.com"), dns_name_count=2),
    ],
    ids=["closed on purpose", "managed", "wildcard"],
)
def test_certificates_that_need_no_challenge(seen: Evidence) -> None:
    """Declared intent, an authority that sells or manages, and a wildcard, which takes DNS."""
    assert outcomes(CODE, seen) == []
