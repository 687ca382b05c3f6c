"""How the app serves (checklist step 13): how long it takes, whether it can be asked for its health, whether we may.

A time counts where two looks agree. A health path is one that answers by itself: where every path gets the same
page, as in a single-page app, none of them says anything about health.
"""

from collections.abc import Iterator, Mapping
from functools import partial as bound

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity
from padlock.rules._answers import REDIRECTS, blocked, challenged, final, host_of, judge_each, look, path_of, target
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, resolved
from padlock.site import Site

_HEALTHY = (200, 204)
_LOCKED = (401, 403, 407, 429)
"""Statuses of a path that may well be there, for others."""


@rule(
    "app.slow",
    Severity.WARNING,
    step=13,
    reads="http",
    reachability=True,
    summary="front page is slow",
    impact="Visitors wait before anything shows; many leave after three seconds.",
    remediation="See it: `curl -sv --trace-time -o /dev/null https://{host}/`. Where the first byte takes the time, "
    "look at the app: `sudo journalctl -u gunicorn -n 50`, its database, and whether Gunicorn has enough workers "
    "(`--workers`, `--threads`); where connect or TLS does, at the machine: `uptime`, `ss -s`. If such a time is "
    "right, declare `slow`.",
    reference="checklist step 13",
)
def slow(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find front pages whose first octet takes longer than declared, at the end of their redirects, seen twice."""
    for host in evidence.hosts:
        yield from judge_each(host, look(evidence, host), bound(_slow, site, evidence, host))


def _slow(site: Site, evidence: Evidence, host: str, exchange: Exchange) -> Problem | Unknown | None:
    page: Exchange | Unknown = exchange
    if exchange.waited <= site.slow and evidence.http:
        goal = host_of(target(exchange.url, exchange.header("location")))
        if exchange.status in REDIRECTS and goal != host:
            return None  # the site's other host is judged itself, and a stranger's is not the site's matter
        page = final(evidence.http, exchange)
    if isinstance(page, Unknown):
        return page
    if page.waited <= site.slow:
        return None
    if not page.seconds_again:
        return Unknown(page.url, f"it took {page.waited:.1f} s once; there was no second look to confirm it")
    phases = min(page.seconds, page.seconds_again, key=lambda seconds: seconds.get("first_byte", 0.0))
    found = resolved(evidence, host)
    dns = max(found.a.seconds, found.aaaa.seconds) if found else 0.0
    where = listed(
        f"{name} {seconds:.2f} s"
        for name, seconds in (
            ("DNS", dns),
            ("connect", phases.get("connect", 0.0)),
            ("TLS", phases.get("tls", 0.0)),
            ("first byte", phases.get("first_byte", 0.0)),
        )
    )
    return Problem("", f"{page.url} took {page.waited:.1f} s twice: {where}", f"a first byte within {site.slow:g} s")


@rule(
    "app.health_missing",
    Severity.NOTICE,
    step=13,
    reads="http",
    summary="no health path",
    impact="That the front page answers says little about the database and whatever else the app needs.",
    remediation="Add a path that asks what the app needs and answers 200 or 503, in Flask `@app.get('/health')`, and "
    "declare it: `health: /health`.",
    reference="checklist step 13",
)
def health_missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find sites that declare no health path and answer none of the usual ones."""
    if site.health:
        yield NotApplicable("a health path is declared")
        return
    asked = list(evidence.http.of("usual_health")) if evidence.http else []
    if any(_is_healthy(evidence, exchange) for exchange in asked):
        return
    if not asked:
        yield _unasked(site, evidence)
        return
    unseen = [e for e in asked if e.status is None or e.status in _LOCKED or e.status >= 500 or challenged(e)]
    if unseen:
        told = f"answered {unseen[0].status}" if unseen[0].status else "gave no answer"
        yield Unknown(site.name, f"{unseen[0].url} {told}")
        return
    paths = listed(dict.fromkeys(path_of(exchange.url) for exchange in asked))
    yield Problem(site.name, f"none is declared, and none of {paths} is one", "a health path, declared")


def _is_healthy(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether a path answers well, and otherwise than one that nothing owns."""
    if exchange.status not in _HEALTHY or challenged(exchange):
        return False
    deep = evidence.http.of("deep") if evidence.http else iter(())
    others = [e for e in deep if (e.host, e.address) == (exchange.host, exchange.address)]
    return not any(_is_alike(exchange, other) for other in others)


def _is_alike(one: Exchange, other: Exchange) -> bool:
    """Whether two answers are the same page; a token or a time in it may differ."""
    if one.status != other.status:
        return False
    if one.body_sha256 == other.body_sha256:
        return True
    # What a single-page app sends for every path is a document; a health check's seldom is.
    return "html" in (one.header("content-type") or "") and one.title == other.title


def _unasked(site: Site, evidence: Evidence) -> Unknown | NotApplicable:
    deep = list(evidence.http.of("deep")) if evidence.http else []
    reasons: Mapping[str, None] = dict.fromkeys(
        f"{e.url} answered {e.status}" for e in deep if e.status is not None and e.status not in REDIRECTS
    )
    if deep and not reasons and all(e.status in REDIRECTS for e in deep):
        return NotApplicable("every host redirects elsewhere")
    return Unknown(site.name, next(iter(reasons), "") or evidence.incomplete or "no host answered over HTTPS")


@rule(
    "app.blocked",
    Severity.NOTICE,
    step=13,
    reads="http",
    summary="checker is blocked",
    impact="What visitors see is not known: the checker gets an answer of its own.",
    remediation="Let the checker in: allow its address or its User-Agent, Padlock, in the firewall in front of "
    "{host} (Cloudflare: Security, WAF, a custom rule that skips), or declare the status under `expect` if it is "
    "meant.",
    reference="checklist step 13; RFC 6585 section 4",
)
def is_blocked(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Tell of front pages that only the checker is refused; never a finding, as visitors may well get in."""
    for host in evidence.hosts:
        yield from judge_each(host, look(evidence, host), bound(_blocked, site, evidence))


def _blocked(site: Site, evidence: Evidence, exchange: Exchange) -> Unknown | None:
    page = final(evidence.http, exchange) if evidence.http else exchange
    if isinstance(page, Unknown) or (site.expect and page.status in site.expect.status):
        return None
    reason = blocked(page)
    return Unknown(page.url, reason) if reason else None
