"""The app behind HTTPS (checklist step 13): the front page and the declared health path answer as they should.

A gateway's own error (502, 503, 504) is app.bad_gateway alone: what the app would have said is not known. A front
page that redirects is judged where its redirects end, unless that is another of the site's hosts, judged itself.
"""

from collections.abc import Iterator, Mapping
from functools import partial as bound
from typing import Literal

import msgspec

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity
from padlock.rules._answers import (
    REDIRECTS,
    asked,
    blocked,
    broken_head,
    cut,
    final,
    host_of,
    hung,
    judge_each,
    look,
    path_of,
    refused_by_browsers,
    target,
)
from padlock.rules._front_pages import nothing_shown
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, place, quoted
from padlock.site import Health, Site

type _Judged = Problem | Unknown | None

GATEWAY = {
    502: "the proxy got no valid answer from the app",
    503: "the service is unavailable",
    504: "the app did not answer the proxy in time",
    520: "the CDN got no valid answer from the server",
    521: "the server refused the CDN's connection",
    522: "the CDN's connection to the server timed out",
    523: "the CDN does not reach the server",
    524: "the server did not answer the CDN in time",
    525: "the CDN's TLS handshake with the server failed",
    526: "the CDN does not accept the server's certificate",
}
"""Statuses with which a proxy speaks for an app that does not; from 520 on Cloudflare's own."""
_LOGS = (
    "`sudo systemctl status gunicorn`, `sudo journalctl -u gunicorn -n 50`, "
    "`sudo tail -n 50 /var/log/nginx/error.log`"
)


@rule(
    "app.bad_gateway",
    Severity.ERROR,
    step=13,
    reads="http",
    reachability=True,
    summary="app does not answer the proxy",
    impact="Visitors see an error page of the proxy instead of the site.",
    remediation=f"Look at the app first, HTTPS works: {_LOGS}. `connect() failed` or `No such file` there: start it, "
    "`sudo systemctl restart gunicorn`, and compare `proxy_pass` with what it listens on, `sudo ss -lxtnp | grep "
    "gunicorn`.",
    reference="checklist step 13; RFC 9110 section 15.6",
)
def bad_gateway(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find gateway errors at the front page or the health path."""
    for host in evidence.hosts:
        health = look(evidence, host, "health").seen
        yield from judge_each(host, look(evidence, host), bound(_bad_gateway, evidence, host, health))


def _bad_gateway(evidence: Evidence, host: str, health: Mapping[str, Exchange], exchange: Exchange) -> _Judged:
    ended = _own_end(evidence, host, exchange)
    for answer in (ended, health.get(exchange.address)):
        if not isinstance(answer, Exchange) or answer.status not in GATEWAY:
            continue
        if reason := blocked(answer):
            return Unknown(host, reason)
        retry = answer.header("retry-after")
        wait = f", Retry-After {quoted(retry, 40)}" if retry else ""
        observed = f"{answer.url} answered {answer.status}: {GATEWAY[answer.status]}{wait}"
        return Problem("", observed, "an answer of the app")
    return ended if isinstance(ended, Unknown) else None


@rule(
    "app.error",
    Severity.ERROR,
    step=13,
    reads="http",
    reachability=True,
    summary="app fails",
    impact="Visitors see an error page, or nothing at all, instead of the site.",
    remediation=f"Read the traceback: {_LOGS}; then `sudo systemctl restart gunicorn`.",
    reference="checklist step 13; RFC 9110 section 15.6.1",
)
def error(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find front pages that fail with 5xx, or whose server accepts TLS and then gives no HTTP answer."""
    for host in evidence.hosts:
        looked = look(evidence, host)
        silent = _silent(evidence, host)
        missed = {address: reason for address, reason in looked.missed.items() if address not in silent}
        yield from judge_each(
            host,
            msgspec.structs.replace(looked, seen={**looked.seen, **silent}, missed=missed),
            bound(_error, evidence, host),
        )


def _error(evidence: Evidence, host: str, exchange: Exchange) -> _Judged:
    if exchange.status is None or broken_head(exchange):
        return _no_answer(evidence, host, exchange)
    ended = _own_end(evidence, host, exchange)
    if not isinstance(ended, Exchange):
        return ended
    if ended.status in GATEWAY:
        return Unknown(host, f"the gateway answered {ended.status} in the app's place")
    if ended.status is not None and 500 <= ended.status <= 599:
        return Problem("", f"{ended.url} answered {ended.status}{_titled(ended)}", "a status under 500")
    return None


@rule(
    "app.unhealthy",
    Severity.ERROR,
    step=13,
    reads="http",
    reachability=True,
    summary="health check fails",
    impact="The app reports trouble of its own, or its health path is gone: parts of the site may fail.",
    remediation="Compare with the app itself on the server: `curl -i --unix-socket /run/gunicorn.sock "
    f"http://{{host}}PATH` with the health path; then {_LOGS}. If the answer is right, correct `health` in the "
    "declaration.",
    reference="checklist step 13",
)
def unhealthy(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find a declared health path that does not answer as declared."""
    health = site.health
    if health is None:
        reason = nothing_shown(site, evidence)
        yield Unknown(site.name, reason) if reason else NotApplicable("no health path is declared")
        return
    for host in evidence.hosts:
        looked = look(evidence, host, "health")
        silent = _silent(evidence, host, "health")
        missed = {address: reason for address, reason in looked.missed.items() if address not in silent}
        yield from judge_each(
            host,
            msgspec.structs.replace(looked, seen={**looked.seen, **silent}, missed=missed),
            bound(_unhealthy, health, evidence, host),
        )


def _unhealthy(health: Health, evidence: Evidence, host: str, exchange: Exchange) -> _Judged:
    if exchange.status is None or broken_head(exchange):
        return _no_answer(evidence, host, exchange)
    answer = _health_end(health, evidence, exchange)
    if isinstance(answer, Unknown):
        return answer
    if answer.status in GATEWAY and answer.status not in health.status:
        return Unknown(host, f"the gateway answered {answer.status} in the app's place")
    if answer.status not in health.status:
        if reason := blocked(answer):
            return Unknown(host, reason)
        led = f" to {quoted(answer.header('location') or '')}" if answer.status in REDIRECTS else ""
        expected = f"status {listed(map(str, health.status), last='or')}"
        return Problem("", f"{answer.url} answered {answer.status}{led}{_titled(answer)}", expected)
    return _wrong_body(health, answer)


def _health_end(health: Health, evidence: Evidence, exchange: Exchange) -> Exchange | Unknown:
    """Return the answer that the declaration is about.

    A redirect that keeps the path (to the canonical host) is followed where its status is not declared, or where the
    declaration asks for a body. Any other redirect is the answer: /health that leads to a login is not healthy.
    """
    seen = evidence.http.exchanges if evidence.http else ()
    answer, content = exchange, bool(health.contains or health.json)
    for _ in range(10):
        if answer.status not in REDIRECTS or (answer.status in health.status and not content):
            return answer
        goal = target(answer.url, answer.header("location"))
        if path_of(goal).rstrip("/") != path_of(answer.url).rstrip("/"):
            return answer
        following = next((e for e in seen if e.url == goal and e.status is not None), None)
        if following is None:
            return Unknown(answer.url, f"it redirects to {goal}, which was not fetched")
        answer = following
    return Unknown(exchange.url, "its redirects do not end")


def _wrong_body(health: Health, answer: Exchange) -> _Judged:
    if health.contains and health.contains not in answer.body and health.contains not in answer.found:
        if answer.failure:
            return Unknown(answer.url, "its body did not arrive whole")
        return Problem("", f"the body lacks {quoted(health.contains)}: {quoted(answer.body)}", "the declared text")
    if not health.json:
        return None
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        if cut(answer):
            return Unknown(answer.url, "only the beginning of its body is kept")
        return Problem("", f"the body is no JSON: {quoted(answer.body)}", "a JSON document")
    for name, wanted in health.json.items():
        present, value = _field(document, name)
        if not present or not _same(value, wanted):
            return Problem("", f"{name} is {_json(value) if present else 'missing'}", f"{name} is {_json(wanted)}")
    return None


def _field(document: object, name: str) -> tuple[bool, object]:
    """Return whether a top-level or dotted field is there, and its value."""
    if isinstance(document, dict) and name in document:
        return True, document[name]
    for part in name.split("."):
        if not isinstance(document, dict) or part not in document:
            return False, None
        document = document[part]
    return True, document


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."


def _same(value: object, wanted: object) -> bool:
    # In Python True equals 1; in JSON it does not.
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _own_end(evidence: Evidence, host: str, exchange: Exchange) -> Exchange | Unknown | None:
    """Return where a front page's redirects end; None where another of the site's hosts answers for it."""
    if evidence.http is None:
        return None
    if exchange.status in REDIRECTS:
        goal = host_of(target(exchange.url, exchange.header("location")))
        if goal != host and goal in evidence.hosts:
            return None
    return final(evidence.http, exchange)


def _silent(evidence: Evidence, host: str, purpose: Literal["front", "health"] = "front") -> dict[str, Exchange]:
    """Return address → request to which a server that speaks TLS gave no HTTP answer, or none that browsers take."""
    made = asked(evidence, host, purpose, "https")
    return {e.address: e for e in made if hung(evidence, host, e) or refused_by_browsers(evidence, e)}


def _no_answer(evidence: Evidence, host: str, exchange: Exchange) -> _Judged:
    refused = refused_by_browsers(evidence, exchange)
    reason = refused or hung(evidence, host, exchange)
    if not exchange.confirmed:
        return Unknown(place(host, exchange.address), f"{reason}; there was no second try to confirm it")
    if refused:
        return Problem("", f"browsers refuse the answer of {exchange.url}: {refused}", "an answer that follows HTTP")
    return Problem("", f"TLS works, but {exchange.url} gives no HTTP answer: {reason}", "an HTTP answer")


def _titled(answer: Exchange) -> str:
    return f" ({quoted(answer.title, 60)})" if answer.title else ""
