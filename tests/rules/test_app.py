"""The app behind HTTPS: gateway errors, its own errors, and the declared health path."""

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
    outcomes,
    report,
    silent,
    unassessed,
    with_address,
    with_chains,
    with_exchange,
    with_exchanges,
    with_handshakes,
)

HTTPS, WWW = "https://example.com/", "https://www.example.com/"
HEALTH, WWW_HEALTH = "https://example.com/health", "https://www.example.com/health"


def with_health(declared: Any = "/health", answer: dict[str, Any] | None = None) -> ev.Evidence:
    """Return a site that declares a health path, and the answers to it; www leads to the apex."""
    given: dict[str, Any] = {"body": '{"status": "ok"}', "title": "", **(answer or {})}
    seen = healthy({"name": "example.com", "health": declared})
    return with_exchanges(
        seen,
        exchange(HEALTH, purpose="health", **given),
        exchange(WWW_HEALTH, purpose="health", status=301, headers=(("location", HEALTH),)),
    )


def app_codes(evidence: ev.Evidence) -> list[str]:
    """Return the findings about the app."""
    return [code for code in codes(evidence) if code.startswith("app.")]


@pytest.mark.parametrize("status", [502, 503, 504, 521, 522])
def test_bad_gateway(status: int) -> None:
    """A gateway's error on the front page is that alone, and the remediation goes to the app."""
    seen = with_exchange(healthy(), HTTPS, status=status, confirmed=True)
    finding = fires("app.bad_gateway", seen)
    assert finding.subject == "example.com"
    assert str(status) in finding.observed
    assert "journalctl -u gunicorn" in finding.remediation
    assert app_codes(seen) == ["app.bad_gateway"]
    silent("app.bad_gateway", healthy())


def test_bad_gateway_at_the_health_path() -> None:
    """A gateway's error on the health path alone is the same finding, and not app.unhealthy as well."""
    seen = with_health(answer={"status": 502})
    assert "/health" in fires("app.bad_gateway", seen).observed
    assert app_codes(seen) == ["app.bad_gateway"]
    both = with_exchange(seen, HTTPS, status=502)
    assert app_codes(both) == ["app.bad_gateway"]


def test_bad_gateway_is_told_once_for_the_canonical_host() -> None:
    """Www redirects to the host that fails: one finding, about that host."""
    found = [f.subject for f in report(with_exchange(healthy(), HTTPS, status=502)).findings if "app" in f.code]
    assert found == ["example.com"]


def test_bad_gateway_at_one_address() -> None:
    """One address of two that fails is named."""
    seen = with_exchange(with_address(healthy()), HTTPS, address=ADDRESS_6, status=502)
    assert fires("app.bad_gateway", seen).subject == f"example.com at {ADDRESS_6}"


def test_challenge_with_503() -> None:
    """A challenge that comes as 503 is for the checker alone."""
    seen = with_exchange(healthy(), HTTPS, status=503, headers=(("cf-mitigated", "challenge"),))
    assert "challenge" in unassessed("app.bad_gateway", seen)


def test_planned_downtime_is_told() -> None:
    """A 503 with Retry-After is down for visitors too, and says for how long."""
    seen = with_exchange(healthy(), HTTPS, status=503, headers=(("retry-after", "3600"),))
    assert "3600" in fires("app.bad_gateway", seen).observed


@pytest.mark.parametrize("status", [500, 501, 507])
def test_error(status: int) -> None:
    """The app's own 5xx on the front page."""
    seen = with_exchange(healthy(), HTTPS, status=status, title="Internal Server Error")
    finding = fires("app.error", seen)
    assert f'{status} ("Internal Server Error")' in finding.observed
    assert app_codes(seen) == ["app.error"]


@pytest.mark.parametrize("status", [200, 204, 401, 404, 999])
def test_no_error(status: int) -> None:
    """Any other status is the app's own choice for its front page."""
    silent("app.error", with_exchange(healthy(), HTTPS, status=status))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "answers 401; declare"), (403, "may be blocked"), (404, "answers 404; declare"), (429, "may be blocked")],
)
def test_front_pages_that_show_nothing(status: int, reason: str) -> None:
    """Where no host has a page at `/` and nothing is declared, whether site and app work is open, and no finding."""
    seen = with_exchange(healthy(), HTTPS, status=status)
    assert reason in unassessed("app.unhealthy", seen)
    assert reason in unassessed("server.unexpected_content", seen)
    steps = {row.step: row for row in report(seen).checklist}
    assert (steps[12].status, steps[13].status) == ("unknown", "unknown")
    (response,) = [one for one in report(seen).results if one.title == "successful response over HTTPS"]
    assert response.status == "unknown"
    assert reason in response.reason
    assert [code for code in codes(seen) if code.startswith(("app.", "server."))] == []


@pytest.mark.parametrize("declaration", [{"expect": {"status": 404}}, {"health": "/health"}])
def test_front_page_that_is_absent_on_purpose(declaration: dict[str, Any]) -> None:
    """An API declares what to look at instead, and its steps pass."""
    answers = (
        exchange(HEALTH, purpose="health", body="ok"),
        exchange(WWW_HEALTH, purpose="health", status=301, headers=(("location", HEALTH),)),
    )
    seen = with_exchanges(healthy({"name": "example.com", **declaration}), *answers)
    seen = with_exchange(seen, HTTPS, status=404)
    steps = {row.step: row.status for row in report(seen).checklist}
    assert (steps[12], steps[13]) == ("pass", "pass")


def test_one_host_that_shows_a_page() -> None:
    """A host of several need not have one."""
    seen = with_exchange(with_exchange(healthy(), HTTPS, status=404), WWW, status=200, headers=())
    steps = {row.step: row.status for row in report(seen).checklist}
    assert (steps[12], steps[13]) == ("pass", "pass")


def test_error_at_the_end_of_redirects() -> None:
    """A front page that leads to a page that fails is judged there."""
    goal = HTTPS + "en/"
    seen = with_exchange(healthy(), HTTPS, status=302, headers=(("location", "/en/"),))
    seen = with_chains(seen, chain(HTTPS, (HTTPS, 302, "/en/"), (goal, 500, None)))
    assert goal in fires("app.error", with_exchanges(seen, exchange(goal, purpose="hop", status=500))).observed
    fine = with_chains(seen, chain(HTTPS, (HTTPS, 302, "/en/"), (goal, 200, None)))
    silent("app.error", with_exchanges(fine, exchange(goal, purpose="hop")))
    unassessed("app.error", fine)


@pytest.mark.parametrize("end", ["loop", "failure", "refused"])
def test_front_page_that_never_ends(end: ev.ChainEnd) -> None:
    """Redirects without an end are told elsewhere; of the app nothing was seen."""
    seen = with_exchange(healthy(), HTTPS, status=302, headers=(("location", "/en/"),))
    seen = with_chains(seen, chain(HTTPS, (HTTPS, 302, "/en/"), end=end, confirmed=True))
    for code in ("app.error", "app.bad_gateway"):
        assert end in unassessed(code, seen)


@pytest.mark.parametrize(
    "failure",
    [
        ev.Failure("timeout", "headers"),
        ev.Failure("closed", "headers"),
        ev.Failure("protocol_error", "bad status line"),
    ],
)
def test_server_that_gives_no_answer(failure: ev.Failure) -> None:
    """TLS works and no HTTP answer comes: visitors see nothing, once a second try confirms it."""
    seen = with_exchange(healthy(), HTTPS, status=None, failure=failure, confirmed=True)
    finding = fires("app.error", seen)
    assert finding.severity is Severity.ERROR
    assert failure.detail in finding.observed
    unassessed("app.error", with_exchange(seen, HTTPS, confirmed=False))


@pytest.mark.parametrize("kind", ["refused", "alert", "no_route", "deadline"])
def test_failures_before_http_are_told_elsewhere(kind: ev.FailureKind) -> None:
    """A closed port, a failed handshake and our own limits say nothing of the app."""
    seen = with_exchange(healthy(), HTTPS, status=None, failure=ev.Failure(kind), confirmed=True)
    unassessed("app.error", seen)
    unassessed("app.bad_gateway", seen)


def test_failed_handshake_is_not_the_app() -> None:
    """A reset that ended the handshake too is TLS's matter."""
    reset = ev.Failure("reset", "tls")
    seen = with_handshakes(healthy(), "example.com", failure=reset, chain=())
    unassessed("app.error", with_exchange(seen, HTTPS, status=None, failure=reset, confirmed=True))


def test_healthy_paths() -> None:
    """200, 204 and a redirect to the canonical host are healthy; nothing declared is nothing to check."""
    silent("app.unhealthy", healthy())
    for status in (200, 204):
        silent("app.unhealthy", with_health(answer={"status": status}))
    strict = {"path": "/health", "status": [200], "contains": "ok", "json": {"status": "ok"}}
    silent("app.unhealthy", with_health(strict))


@pytest.mark.parametrize("status", [401, 404, 500, 418])
def test_unhealthy_status(status: int) -> None:
    """A status that is not declared fires with the page's title."""
    finding = fires("app.unhealthy", with_health(answer={"status": status, "title": "Oops"}))
    assert f"{HEALTH} answered {status}" in finding.observed
    assert finding.expected == "status 200, 204 or 301"


def test_health_that_leads_to_a_login() -> None:
    """A redirect elsewhere is no healthy answer, although the login page is 200."""
    seen = with_health(answer={"status": 302, "headers": (("location", "/login"),)})
    assert "/login" in fires("app.unhealthy", with_exchanges(seen, exchange(HTTPS + "login", purpose="hop"))).observed


def test_health_behind_the_canonical_host() -> None:
    """Where only 200 is declared, www's redirect is followed to the canonical host's answer."""
    strict = {"path": "/health", "status": [200]}
    silent("app.unhealthy", with_health(strict))
    seen = with_exchange(with_health(strict), WWW_HEALTH, headers=(("location", "https://other.example/health"),))
    assert "not fetched" in unassessed("app.unhealthy", seen)


@pytest.mark.parametrize("status", [403, 429])
def test_blocked_health_check(status: int) -> None:
    """A firewall's status is not the app's, unless it is the declared one."""
    unassessed("app.unhealthy", with_health(answer={"status": status}))
    silent("app.unhealthy", with_health({"path": "/health", "status": [status, 301]}, {"status": status}))


def test_health_text() -> None:
    """The declared text must stand in the body, wherever; a body that was cut short is not judged."""
    declared = {"path": "/health", "contains": "database up"}
    assert 'lacks "database up"' in fires("app.unhealthy", with_health(declared)).observed
    silent("app.unhealthy", with_health(declared, {"body": "all fine, database up"}))
    silent("app.unhealthy", with_health(declared, {"body": "x", "body_size": 50_000, "found": ("database up",)}))
    unassessed("app.unhealthy", with_health(declared, {"body": "", "failure": ev.Failure("incomplete_body")}))


@pytest.mark.parametrize(
    ("declared", "body", "told"),
    [
        ({"status": "ok"}, '{"status": "down"}', 'status is "down"'),
        ({"db.up": True}, '{"db": {"up": false}}', "db.up is"),
        ({"db.up": True}, '{"db": {"up": 1}}', "db.up is"),
        ({"queue": 1}, '{"queue": true}', "queue is"),
        ({"queue": 0}, '{"other": 0}', "queue is missing"),
        ({"queue": None}, "{}", "queue is missing"),
        ({"a.b": 1}, '{"a": [1]}', "a.b is missing"),
        ({"a": 1}, "[1]", "a is missing"),
        ({"a": 1}, "up", "no JSON"),
        ({"a": 1}, "[" * 8000, "no JSON"),
    ],
)
def test_unhealthy_document(declared: dict[str, Any], body: str, told: str) -> None:
    """Fields are compared with their types; what is no JSON, however deep, is unhealthy."""
    seen = with_health({"path": "/health", "json": declared}, {"body": body})
    assert told in fires("app.unhealthy", seen).observed


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        ({"db.up": True}, '{"db": {"up": true}}'),
        ({"db.up": True}, '{"db.up": true}'),
        ({"load": 1}, '{"load": 1.0}'),
        ({"error": None}, '{"error": null}'),
    ],
)
def test_healthy_document(declared: dict[str, Any], body: str) -> None:
    """Dotted fields, numbers of equal value and null are found."""
    silent("app.unhealthy", with_health({"path": "/health", "json": declared}, {"body": body}))


def test_document_beyond_what_is_kept() -> None:
    """JSON of which only the beginning is kept is not judged."""
    seen = with_health({"path": "/health", "json": {"a": 1}}, {"body": '{"x": "' + "y" * 16000, "body_size": 90_000})
    assert "beginning" in unassessed("app.unhealthy", seen)


def test_health_path_that_hangs() -> None:
    """A health path without an answer, while TLS works, is unhealthy; a front page that answers is no error."""
    seen = with_health(answer={"status": None, "failure": ev.Failure("timeout", "headers"), "confirmed": True})
    assert "the headers of the answer do not come in time" in fires("app.unhealthy", seen).observed
    silent("app.error", seen)


def test_health_path_that_was_not_asked() -> None:
    """A declared path without any request, by the deadline, is not assessed."""
    declared = healthy({"name": "example.com", "health": "/health"})
    assert (
        unassessed("app.unhealthy", change(declared, incomplete="the deadline ended it")) == "the deadline ended it"
    )


_HEAD = "its head breaks HTTP: "
_LENGTHS, _LINE, _NUL = "conflicting Content-Length headers", "illegal header line: b'X Y: b'", "a NUL octet"


def broken(why: str, *headers: tuple[str, str], alpn: str = "http/1.1") -> ev.Evidence:
    """Return a site whose front page has a head that was not accepted, seen twice."""
    seen = with_handshakes(healthy(), "example.com", alpn=alpn)
    failure = ev.Failure("protocol_error", _HEAD + why)
    return with_exchange(seen, HTTPS, headers=headers, body="", title="", failure=failure, confirmed=True)


@pytest.mark.parametrize(
    ("why", "headers", "alpn"),
    [
        (_LENGTHS, (), "http/1.1"),
        (_NUL, (), "http/1.1"),
        (_NUL, (), "h2"),
        (_LINE, (("server", "nginx/1.26.3"),), "h2"),
    ],
)
def test_a_head_that_browsers_refuse(why: str, headers: tuple[tuple[str, str], ...], alpn: str) -> None:
    """As Chromium 156 shows each: an error page, although a status came."""
    seen = broken(why, *headers, alpn=alpn)
    finding = fires("app.error", seen)
    assert finding.observed.startswith(f"browsers refuse the answer of {HTTPS}: {_HEAD}{why}")
    unassessed("app.error", with_exchange(seen, HTTPS, confirmed=False))


@pytest.mark.parametrize(
    ("why", "headers", "alpn"),
    [
        (_LENGTHS, (("transfer-encoding", "chunked"),), "http/1.1"),
        (_LENGTHS, (), "h2"),
        (_LENGTHS, (), ""),
        (_LINE, (("server", "nginx"),), "http/1.1"),
        (_LINE, (("server", "Apache"),), "h2"),
        ("bad Content-Length", (), "http/1.1"),
    ],
)
def test_a_head_that_browsers_may_take_is_not_assessed(
    why: str, headers: tuple[tuple[str, str], ...], alpn: str
) -> None:
    """Browsers open it, or it is not known what they get: neither a fault nor a page, nor a missing header."""
    seen = broken(why, *headers, alpn=alpn)
    assert why in unassessed("app.error", seen)
    for code in ("app.bad_gateway", "server.default_site", "hsts.missing", "hsts.invalid"):
        assert why in unassessed(code, seen)
    assert "no answer of example.com was read" in str(outcomes("hsts.missing", seen))


def test_a_health_path_with_a_head_that_browsers_refuse() -> None:
    """Programs that watch it refuse it as well."""
    failure = ev.Failure("protocol_error", _HEAD + _LENGTHS)
    seen = with_health(answer={"failure": failure, "confirmed": True, "body": ""})
    seen = with_handshakes(seen, "example.com", alpn="http/1.1")
    assert "browsers refuse" in fires("app.unhealthy", seen).observed
