"""Whether a certificate authority reaches the place of HTTP-01 challenges (checklist steps 7 and 14; RFC 8555).

The token that was asked for is nobody's: a server that is well answers 404, and so does one that redirects to HTTPS
first. What is wrong with the whole host is another finding's: here stands what is wrong on this way alone.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from padlock.evidence import Challenge, Evidence, Exchange, Failure, organisation
from padlock.findings import Severity
from padlock.rules._answers import blocked, challenged, host_of, look
from padlock.rules._authorities import EDGES, WITHOUT_CHALLENGE
from padlock.rules._default_pages import default_page
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._served import served
from padlock.rules._subjects import Scheme, not_seen, ports, spread, unseen
from padlock.rules.ports import wants_tls
from padlock.site import Site

_HEALTHY = (404, 405, 410)
"""Beside 2xx: what servers say of a file that is not there. An app that answers 200 to anything is well, too."""
_TOO_MANY_REQUESTS = 429
_EXPECTED = "404 for a token that nobody has, directly or over redirects with 301, 302, 307 or 308"


@rule(
    "renewal.challenge_unreachable",
    Severity.ERROR,
    step=(14, 7),
    reads="renewal",
    reachability=True,
    summary="ACME challenge is unreachable",
    impact="The certificate authority cannot check that the domain is yours: the next renewal over HTTP-01 fails.",
    remediation="Give challenges a location before every other rule, in the block of {host} with `listen 80`: "
    "`location ^~ /.well-known/acme-challenge/ { auth_basic off; allow all; root /var/www/html; }`, with the "
    "webroot that `sudo grep -r webroot /etc/letsencrypt/renewal/` shows; `^~` also wins over `location ~ /\\. "
    "{ deny all; }`. Then `sudo nginx -t && sudo systemctl reload nginx && sudo certbot renew --dry-run`. A firewall "
    "or WAF in front must let that path through. Is it renewed over DNS or TLS-ALPN, declare "
    '`"disable": ["renewal.challenge_unreachable"]`.',
    reference="checklist steps 7 and 14; RFC 8555 section 8.3",
)
def challenge_unreachable(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge where the way of a challenge ends, for certificates that may be renewed by one."""
    if site.http_port is None:
        yield NotApplicable("plain HTTP is closed on purpose")
        return
    elsewhere = {host: why for host in evidence.hosts if (why := _renewed_otherwise(evidence, host))}
    if len(elsewhere) == len(evidence.hosts):
        yield NotApplicable(next(iter(elsewhere.values()), "the site has no host"))
    for host in evidence.hosts:
        if host not in elsewhere:
            yield from _of_host(evidence, host)


def _renewed_otherwise(evidence: Evidence, host: str) -> str:
    """Return how a host's certificate is renewed without this challenge; empty where it may need one."""
    leaves = [item.leaf for item in served(evidence, host)]
    if leaves and all(any(name.startswith("*.") for name in leaf.dns_names) for leaf in leaves):
        return "a wildcard certificate is renewed over DNS"
    if leaves and all(organisation(leaf.issuer) in WITHOUT_CHALLENGE for leaf in leaves):
        return f"certificates of {organisation(leaves[0].issuer)} are renewed without a request to port 80"
    return ""


def _of_host(evidence: Evidence, host: str) -> Iterator[Outcome]:
    ways = [way for way in evidence.renewal.challenges if way.host == host] if evidence.renewal else []
    if not ways:
        yield Unknown(host, unseen(evidence, host) or evidence.incomplete or "the way was not tried")
        return
    faults: dict[str, Problem] = {}
    doubts: dict[str, str] = {}
    for way in ways:
        outcome = _judged(evidence, way)
        if isinstance(outcome, Problem):
            faults[way.address] = outcome
        elif outcome is not None:
            doubts[way.address] = outcome.reason
    looked = [way.address for way in ways if way.address not in doubts]
    yield from not_seen(host, doubts, looked)
    yield from spread(host, faults, looked)


def _judged(evidence: Evidence, way: Challenge) -> Problem | Unknown | None:
    """Judge one address's way: a fault, a doubt, or nothing to say."""
    fault = _fault(way)
    if not fault or isinstance(fault, Unknown):
        return fault or None
    if reason := _told_elsewhere(evidence, way):
        return Unknown("", reason)
    return Problem("", f"{_path(way)} {fault}", _EXPECTED)


def _fault(way: Challenge) -> str | Unknown:
    """Return what an authority would stumble over; empty: nothing."""
    if way.failure:
        if way.failure.is_ours or not way.confirmed:
            return Unknown("", way.failure.words + ("" if way.failure.is_ours else "; seen once only"))
        return f"gives no answer: {_failed(way.failure)}"
    if way.end == "not_followed":
        return f"ends at a redirect that authorities do not follow: {way.detail}"
    return _bad_answer(way.answer) if way.answer else Unknown("", "its answer was not kept")


def _failed(failure: Failure) -> str:
    does_not_resolve = failure.kind == "unreachable" and "resolve" in failure.detail
    return failure.detail if does_not_resolve else failure.words


def _bad_answer(answer: Exchange) -> str | Unknown:
    if reason := challenged(answer):
        return Unknown("", reason)
    if page := default_page(answer):
        return f"shows {page}"
    status = answer.status or 0
    if 200 <= status < 300 or status in _HEALTHY:
        return ""
    if status == _TOO_MANY_REQUESTS:
        return Unknown("", blocked(answer))
    if any(name in EDGES for name, _ in answer.headers):
        return Unknown("", f"a network in front of the site answers {status}; it may renew the certificate itself")
    return f"answers {status}"


def _told_elsewhere(evidence: Evidence, way: Challenge) -> str:
    """Return what is wrong with the whole host at which the way ends; empty where the fault is this path's alone."""
    for state in ports(evidence, way.host, "http"):
        if state.address == way.address and state.failure:
            return f"port {state.port}: {state.failure.words}"
    if not way.hops:
        return ""
    last = way.hops[-1]
    scheme: Scheme = "https" if last.url.startswith("https:") else "http"
    fronts = look(evidence, host_of(last.url), "front", scheme)
    if last.address in fronts.missed:
        return f"{scheme}://{host_of(last.url)}/ does not answer either: {fronts.missed[last.address]}"
    front = fronts.seen.get(last.address)
    if front and wants_tls(front):
        return "the HTTP port wants TLS"
    if (
        front
        and way.end == "answer"
        and front.status == last.status
        and (blocked(front) or (last.status or 0) >= 500)
    ):
        return f"the front page answers {last.status} as well"
    return _front_lost(evidence, way) if way.end == "not_followed" else ""


def _front_lost(evidence: Evidence, way: Challenge) -> str:
    """Return that the front page's redirects end nowhere either, which another finding says."""
    chains = evidence.http.chains if evidence.http else ()
    fronts = [chain for chain in chains if chain.start.startswith("http:") and host_of(chain.start) == way.host]
    lost = next((chain for chain in fronts if chain.end in ("loop", "too_long", "refused", "malformed")), None)
    if lost:
        return f"the redirects of {lost.start} end nowhere either"
    picky = next((chain for chain in fronts if chain.detail.startswith("only with")), None)
    return f"the redirects of {picky.start} end {picky.detail}: what an authority meets is not known" if picky else ""


def _path(way: Challenge) -> str:
    """Return where the way ends, without the token, which differs from run to run."""
    at = urlsplit(way.hops[-1].url if way.hops else way.url)
    token = way.url.rpartition("/")[2]
    return f"{at.scheme}://{at.netloc}{at.path.replace(token, '<token>') if token else at.path}"
