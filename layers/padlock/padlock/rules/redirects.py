"""Redirects from HTTP to HTTPS, and chains of them (checklist steps 7 and 11; RFC 9110 section 15.4).

Only what leads a visitor to HTTPS or to the canonical host is judged; what an app does with its own paths (a login
page, a language, a trailing slash) is its own matter. A redirect to a host which is not the site's may be temporary
and may drop the path: a domain that was moved, a campaign. A 404 or 401 in clear counts as served: it shows that the
redirect is bound to a location. A 403 or 429 may be meant for the checker alone and is not assessed.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial as bound
from itertools import pairwise
from typing import Literal

from padlock.evidence import Chain, Evidence, Exchange, Http
from padlock.findings import Severity
from padlock.rules._answers import REDIRECTS, blocked, fronted_by, host_of, judge_each, look, path_of
from padlock.rules._locations import (
    canonicalises,
    chains_of,
    cycle,
    dead_end,
    lost,
    names_app_port,
    sender,
    steps,
    upgrade,
    way,
    who_loops,
)
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import quoted, unseen
from padlock.rules.ports import wants_tls
from padlock.site import Site

LONG = 3
"""Redirects that a chain may have: to HTTPS, to the canonical host, to a language."""
_TEMPORARY = frozenset({302, 303, 307})
_HTTP_CLOSED = NotApplicable("plain HTTP is closed on purpose")
_BLOCK = (
    "`server { listen 80; listen [::]:80; server_name {host}; return 301 https://$host$request_uri; }`, "
    "then `sudo nginx -t && sudo systemctl reload nginx`."
)


@rule(
    "redirect.missing",
    Severity.ERROR,
    step=(7, 11),
    reads="http",
    reachability=True,  # a 5xx of port 80 alone is one of its problems
    summary="HTTP is not redirected",
    impact="Visitors who type the name stay on plain HTTP: anyone on their way can read and change what they see.",
    remediation="Redirect all of HTTP in nginx: " + _BLOCK,
    reference="checklist step 7; RFC 9110 section 15.4.2",
)
def missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find plain HTTP that answers something else than a redirect that reaches HTTPS."""
    http = evidence.http
    if site.http_port is None or http is None:
        yield _HTTP_CLOSED
        return
    for host in evidence.hosts:
        sound = {address for address, answer in look(evidence, host).seen.items() if _status(answer) < 500}
        yield from judge_each(host, look(evidence, host, scheme="http"), bound(_missing, site, http, sound))


def _missing(site: Site, http: Http, sound: Container[str], exchange: Exchange) -> Problem | Unknown | None:
    upgraded = upgrade(http, exchange)
    if upgraded is not False:
        return upgraded
    if reason := blocked(exchange) or wants_tls(exchange):
        return Unknown(exchange.url, reason)
    # A 5xx is the redirect's own fault only where the same server answers well over HTTPS.
    if _status(exchange) >= 500 and exchange.address not in sound:
        return Unknown(exchange.url, f"it answered {exchange.status}, and over HTTPS it is no better")
    status = "a redirect" if site.redirect == "temporary" else "301 or 308"
    return Problem("", _in_clear(exchange), f"{status} to https:// with the same host and path")


@rule(
    "redirect.partial",
    Severity.ERROR,
    step=7,
    reads="http",
    summary="HTTP is redirected in part",
    impact="Links to these pages stay on plain HTTP, where anyone on the way can read and change them.",
    remediation="The redirect is bound to one location. Take every `location` and `proxy_pass` out of the server "
    "block for port 80 and redirect all of it: " + _BLOCK,
    reference="checklist step 7",
)
def partial(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find paths that are answered in clear while the front page is redirected to HTTPS."""
    http = evidence.http
    if site.http_port is None or http is None:
        yield _HTTP_CLOSED
        return
    purposes: tuple[Literal["deep", "health"], ...] = ("health", "deep") if site.health else ("deep",)
    for host in evidence.hosts:
        fronts = look(evidence, host, scheme="http").seen
        judge = bound(_partial, http, fronts)
        outcomes = [o for purpose in purposes for o in judge_each(host, look(evidence, host, purpose, "http"), judge)]
        # Both paths may be in clear; the first of them is the finding about the host.
        problems = {outcome.subject: outcome for outcome in reversed(outcomes) if isinstance(outcome, Problem)}
        yield from problems.values() or outcomes[:1]


def _partial(http: Http, fronts: Mapping[str, Exchange], exchange: Exchange) -> Problem | Unknown | None:
    front = fronts.get(exchange.address)
    if front is None:
        return Unknown(exchange.url, "the front page was not seen over HTTP")
    if upgrade(http, front) is False:
        return None  # redirect.missing names it
    upgraded = upgrade(http, exchange)
    if upgraded is not False:
        return upgraded
    if reason := blocked(exchange):
        return Unknown(exchange.url, reason)
    if _status(exchange) >= 500:
        return Unknown(exchange.url, f"it answered {exchange.status}, which need not be its usual answer")
    return Problem("", _in_clear(exchange), "a redirect to HTTPS for every path, as for /")


@rule(
    "redirect.temporary",
    Severity.WARNING,
    step=7,
    reads="http",
    summary="redirect to HTTPS is temporary",
    impact="Browsers and search engines keep the old address and ask over plain HTTP again each time.",
    remediation="Answer 301 (or 308): in nginx `return 301 https://$host$request_uri;`, in Flask `redirect(url, "
    "code=301)`. If it is meant, declare `redirect: temporary`.",
    reference="RFC 9110 section 15.4; checklist step 7",
)
def temporary(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find temporary redirects to HTTPS or to the site's other host, the path unchanged."""
    if site.redirect == "temporary":
        yield NotApplicable("temporary redirects are declared")
        return

    def judge(chain: Chain) -> Problem | None:
        for hop, url in steps(chain):
            same_path = path_of(hop.url) == path_of(url)
            if hop.status in _TEMPORARY and same_path and canonicalises(evidence, hop.url, url):
                return Problem(host_of(hop.url), f"{hop.url} redirects to {url} with {hop.status}", "301 or 308")
        return None

    yield from _per_start(evidence, judge)


@rule(
    "redirect.loop",
    Severity.ERROR,
    step=11,
    reads="http",
    summary="redirect loop",
    impact="Browsers give up with “too many redirects”: nobody sees the page.",
    remediation="Find the two rules that send the request back and forth, `sudo nginx -T | grep -nE "
    "'server_name|return 30|rewrite|proxy_set_header'`, and remove one of them.",
    reference="RFC 9110 section 15.4; checklist step 11",
)
def loop(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find chains that return to where they were, with their cookies too; one finding per set of hosts."""
    found: set[frozenset[str]] = set()
    for host in evidence.hosts:
        looping = [chain for chain in chains_of(evidence, host) if chain.end == "loop" and chain.hops]
        for chain in looping:
            hops = cycle(chain)
            members = frozenset(host_of(hop.url) for hop in hops)
            if chain.confirmed and members not in found:
                found.add(members)
                subject = next((name for name in evidence.hosts if name in members), host)
                who, fix = who_loops([hop.url for hop in hops], fronted_by(evidence, subject))
                only = f", {chain.detail}" if chain.detail.startswith("only") else ""
                yield Problem(subject, f"{way(chain)} and again{only}: {who}", "redirects that end", remediation=fix)
        if not looping:
            yield from _unfollowed(evidence, host)
        elif not any(chain.confirmed for chain in looping):
            yield Unknown(host, "a redirect loop was seen once; there was no second try to confirm it")


@rule(
    "redirect.too_long",
    Severity.WARNING,
    step=11,
    reads="http",
    summary="too many redirects",
    impact="Each redirect costs visitors a round trip; browsers give up after about 20, other clients after 10.",
    remediation="Redirect to the final URL at once, `return 301 https://NAME$request_uri;` with the canonical name "
    "in each server block, instead of one rule after the other; `sudo nginx -T | grep -n 'return 30'` lists them.",
    reference="checklist step 11; Fetch standard, HTTP-redirect fetch",
)
def too_long(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find chains of more than 3 redirects; more than 10 are an error."""

    def judge(chain: Chain) -> Problem | None:
        count = len(chain.hops) - 1
        endless = chain.end == "too_long" or (chain.end == "answer" and count > 10)
        if not endless and (chain.end != "answer" or count <= LONG):
            return None
        seen = "more than 10" if endless else str(count)
        severity = Severity.ERROR if endless else Severity.WARNING
        return Problem(host_of(chain.start), f"{seen} redirects: {way(chain)}", f"at most {LONG} redirects", severity)

    yield from _per_start(evidence, judge)


@rule(
    "redirect.downgrade",
    Severity.ERROR,
    step=11,
    reads="http",
    summary="HTTPS redirects to HTTP",
    impact="Visitors who came over HTTPS are sent to plain HTTP, where anyone on their way can read the page.",
    remediation="The app builds its URLs as http: pass the scheme in nginx, `proxy_set_header X-Forwarded-Proto "
    "$scheme;`, and trust it in Flask, `app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)`. If nginx itself "
    "does it: `sudo nginx -T | grep -nE '(return|rewrite).*http://'`.",
    reference="checklist step 11; RFC 9110 section 4.2.2",
)
def downgrade(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find redirects from https to http that were followed; a loop between the two is redirect.loop alone."""

    def judge(chain: Chain) -> Problem | None:
        for hop, after in pairwise(chain.hops if chain.end != "loop" else ()):
            if hop.url.startswith("https://") and after.url.startswith("http://"):
                observed = f"{hop.url} redirects to {after.url} ({hop.status})"
                return Problem(sender(chain, hop, evidence), observed, "an https:// target")
        return None

    yield from _per_start(evidence, judge)


@rule(
    "redirect.malformed",
    Severity.ERROR,
    step=11,
    reads="http",
    summary="redirect target is malformed",
    impact="Browsers cannot follow the redirect, or land somewhere that does not exist.",
    remediation="See it with `curl -sI` and correct the rule that writes it; in nginx a complete target is `return "
    "301 https://$host$request_uri;`. `port_in_redirect off;` keeps nginx's port out of it, `proxy_set_header Host "
    "$host;` the app's own.",
    reference="RFC 9110 section 10.2.2; RFC 3986",
)
def malformed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find Locations that a browser cannot follow, or that nobody meant."""

    def judge(chain: Chain) -> Problem | None:
        if not chain.hops:
            return None
        if chain.end == "malformed":
            fault = chain.detail
        elif names_app_port(chain, evidence):
            fault = "it names the port on which the app listens behind the proxy"
        elif dead_end(chain, evidence):
            fault = f"{host_of(chain.final_url)} does not resolve"
        else:
            return None
        return _misled(chain, evidence, fault, "a complete https:// URL that browsers can follow")

    yield from _per_start(evidence, judge)


@rule(
    "redirect.drops_path",
    Severity.WARNING,
    step=11,
    reads="http",
    summary="redirect drops the path",
    impact="Whoever follows a link to an inner page over HTTP, or at the other host, lands on another page.",
    remediation="Keep path and query: in nginx `return 301 https://$host$request_uri;` instead of a fixed target "
    "($request_uri has both; $uri alone loses the query).",
    reference="checklist step 7",
)
def drops_path(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find redirects to HTTPS or to the canonical host that lose the path or the query."""
    if site.http_port is None:
        yield _HTTP_CLOSED
        return

    def judge(chain: Chain) -> Problem | None:
        for hop, url in steps(chain) if chain.purpose == "deep" else ():
            if canonicalises(evidence, hop.url, url) and (gone := lost(hop.url, url)):
                observed = f"{hop.url} redirects to {url}: the {gone} is lost"
                return Problem(host_of(hop.url), observed, "the same path and query")
        return None

    yield from _per_start(evidence, judge)


@rule(
    "redirect.refused",
    Severity.ERROR,
    step=11,
    reads="http",
    summary="redirect leads nowhere public",
    impact="Visitors are sent to an internal address, another scheme or a closed port: they see an error page.",
    remediation="Correct the target. If it names 127.0.0.1, localhost or the app's own port, the app does not know "
    "its public name: in nginx `proxy_set_header Host $host;` and `proxy_set_header X-Forwarded-Host $host;`, in "
    "Flask `app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)`.",
    reference="RFC 9110 section 10.2.2; RFC 6890",
)
def refused(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find redirects to an internal address, another scheme or a forbidden port, which were not followed."""

    def judge(chain: Chain) -> Problem | None:
        if chain.end != "refused" or not chain.hops or names_app_port(chain, evidence):
            return None
        return _misled(chain, evidence, chain.detail, "a public https:// URL")

    yield from _per_start(evidence, judge)


def _status(exchange: Exchange) -> int:
    return exchange.status or 0


def _in_clear(exchange: Exchange) -> str:
    location = exchange.header("location")
    if exchange.status in REDIRECTS and location:
        return f"{exchange.url} answered {exchange.status} to {quoted(location)}, which never reaches HTTPS"
    return f"{exchange.url} answered {exchange.status} in clear"


def _misled(chain: Chain, evidence: Evidence, fault: str, expected: str) -> Problem:
    """Return the problem of the host whose Location leads to where nobody can follow."""
    last = next((hop for hop in reversed(chain.hops) if hop.location), chain.hops[-1])
    observed = f"{last.url} sends Location: {quoted(last.location or '')}" + (f": {fault}" if fault else "")
    return Problem(sender(chain, last, evidence), observed, expected)


def _per_start(evidence: Evidence, judge: Callable[[Chain], Problem | None]) -> Iterator[Outcome]:
    """Yield one problem for each subject, and why the chains of a host without a problem were not followed."""
    reported: set[str] = set()
    for host in evidence.hosts:
        problems = [problem for chain in chains_of(evidence, host) if (problem := judge(chain))]
        for problem in sorted(problems, key=lambda problem: problem.severity is not Severity.ERROR):
            if problem.subject not in reported:
                reported.add(problem.subject)
                yield problem
        if not problems:
            yield from _unfollowed(evidence, host)


def _unfollowed(evidence: Evidence, host: str) -> Iterator[Unknown]:
    chains = chains_of(evidence, host)
    if not chains:
        yield Unknown(host, unseen(evidence, host) or evidence.incomplete or "no redirect was followed")
        return
    failed = [chain for chain in chains if chain.end == "failure" and not dead_end(chain, evidence)]
    if failed:
        reason = f"{failed[0].final_url or failed[0].start}: {failed[0].detail or 'no answer'}"
        yield Unknown(host, reason, partial=len(failed) < len(chains))
