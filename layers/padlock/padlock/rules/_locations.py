"""Redirect chains taken apart: which host redirects where, what loops, and Locations that nobody meant."""

from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import parse_qsl, unquote

from padlock.evidence import Chain, Evidence, Exchange, Hop, Http
from padlock.rules._answers import REDIRECTS, chain_from, host_of, path_of, split, target
from padlock.rules._once import once
from padlock.rules._rule import Unknown

type Step = tuple[Hop, str]
"""A redirect, and the absolute URL that it leads to."""

APP_PORTS = frozenset({3000, 4000, 5000, 5001, 8000, 8001, 8008, 8080, 8081, 8888, 9000})
"""Where Flask, Gunicorn and other app servers listen behind the proxy."""
_ORDER = ("front", "deep", "health")
_SCHEME_LOST = (
    "Tell the app the scheme: in nginx `proxy_set_header X-Forwarded-Proto $scheme;`, in Flask `app.wsgi_app = "
    "ProxyFix(app.wsgi_app, x_proto=1, x_host=1)`. Behind a CDN that fetches the site over HTTP (Cloudflare's "
    "“Flexible” mode), switch it to fetch over HTTPS (“Full (strict)”)."
)
FLEXIBLE = (
    "A CDN answers for {host}. First have it fetch the site over HTTPS: at Cloudflare SSL/TLS, “Full (strict)” in "
    "place of “Flexible”; at CloudFront origin protocol policy “HTTPS only”. Otherwise nginx sees plain HTTP, and "
    "$scheme with it. Then pass the scheme on, in nginx `proxy_set_header X-Forwarded-Proto $scheme;`, and trust it "
    "in the app, in Flask `app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)`."
)
"""The fix for a lost scheme behind a CDN."""
_ONE_CANONICAL = (
    "Decide on one canonical host and remove the other's redirect; look in nginx (sudo nginx -T | grep -nE "
    "'server_name|return 30|rewrite'), in the app, and in the CDN's or registrar's redirect rules."
)


@once
def chains_of(evidence: Evidence, host: str) -> Sequence[Chain]:
    """Return the chains that start at a host, the front page's over HTTP first."""
    chains = evidence.http.chains if evidence.http else ()
    own = [chain for chain in chains if host_of(chain.start) == host]
    own.sort(key=lambda chain: (_ORDER.index(chain.purpose), chain.start.startswith("https")))
    return tuple(own)


def steps(chain: Chain) -> Iterator[Step]:
    """Yield each redirect of a chain with the URL it leads to, the last one too where it was not followed."""
    for hop, after in zip(chain.hops, chain.hops[1:], strict=False):
        yield hop, after.url
    if chain.hops and chain.hops[-1].location and chain.end in ("loop", "refused", "malformed", "too_long"):
        last = chain.hops[-1]
        unfollowed = chain.final_url if chain.end in ("refused", "malformed") else ""
        yield last, unfollowed if unfollowed not in ("", last.url) else target(last.url, last.location)


def cycle(chain: Chain) -> tuple[Hop, ...]:
    """Return the hops that a looping chain repeats, each once."""
    urls = [hop.url for hop in chain.hops]
    back = target(urls[-1], chain.hops[-1].location) if urls else ""
    if len(urls) > 1 and urls[-1] in urls[:-1]:
        return chain.hops[urls.index(urls[-1]) : -1]
    return chain.hops[urls.index(back) :] if back in urls else chain.hops


def sender(chain: Chain, hop: Hop, evidence: Evidence) -> str:
    """Return the site's host that a redirect is about: the one that sends it, or else the start of the chain."""
    host = host_of(hop.url)
    return host if host in evidence.hosts else host_of(chain.start)


def dead_end(chain: Chain, evidence: Evidence) -> bool:
    """Whether a redirect leads to a host, not one of the site's, that has no address."""
    goal = host_of(chain.final_url)
    redirected = any(hop.location for hop in chain.hops)
    unresolved = chain.end == "failure" and "does not resolve" in chain.detail
    return redirected and unresolved and goal not in evidence.hosts


def who_loops(urls: Sequence[str], cdn: str = "") -> tuple[str, str]:
    """Return who sends a looping request back and forth, and the fix (empty: the rule's own).

    `cdn` answers in the server's place: then it most likely asks the server over plain HTTP.
    """
    hosts = sorted({host_of(url) for url in urls})
    schemes = {url.partition(":")[0] for url in urls}
    if len(hosts) > 1:
        return f"the rules of {' and '.join(hosts)} disagree: each redirects to the other", _ONE_CANONICAL
    if cdn and "https" in schemes and (len(set(urls)) == 1 or len(schemes) == 2):
        return f"{cdn} asks the server over plain HTTP, and the server redirects that to HTTPS", FLEXIBLE
    if schemes == {"http", "https"}:
        return (
            "HTTP is sent to HTTPS, and HTTPS back to HTTP: the app takes every request for plain HTTP",
            _SCHEME_LOST,
        )
    if len(set(urls)) > 1:
        return f"two rules of {hosts[0]} disagree over the path", ""
    if schemes == {"https"}:
        return "HTTPS is redirected to itself: what answers there believes that it was asked over HTTP", _SCHEME_LOST
    return "the virtual host for HTTP redirects to itself", ""


def upgrade(http: Http, exchange: Exchange) -> Literal[False] | Unknown | None:
    """Return None where an exchange's redirects reach HTTPS, False where they do not, Unknown where that is open."""
    location = exchange.header("location")
    if exchange.status not in REDIRECTS or location is None:
        return False
    if target(exchange.url, location).startswith("https://"):
        return None
    chain = chain_from(http, exchange.url)
    if chain is None:
        return Unknown(exchange.url, "its redirects were not followed")
    if any(url.startswith("https://") for _, url in steps(chain)):
        return None
    return (
        False
        if chain.end == "answer"
        else Unknown(exchange.url, f"its redirects lead to no answer: {chain.detail or chain.end.replace('_', ' ')}")
    )


def canonicalises(evidence: Evidence, url: str, to: str) -> bool:
    """Whether a redirect leads to HTTPS, or from one of the site's hosts to another."""
    source, goal = host_of(url), host_of(to)
    if source not in evidence.hosts or goal not in evidence.hosts:
        return False
    return source != goal or (url.startswith("http://") and to.startswith("https://"))


def lost(url: str, to: str) -> str:
    """Return what a redirect drops, `path` or `query`; empty where both are kept.

    A prefix (/en/path), a trailing slash and a path carried along in a query (?next=/path) keep it.
    """
    wanted, got = split(url), split(to)
    if wanted is None or got is None or unquote(path_of(url)) in unquote(to):
        return ""
    if not got.path.rstrip("/").endswith(wanted.path.rstrip("/")):
        return "path"
    return "query" if set(parse_qsl(wanted.query)) - set(parse_qsl(got.query)) else ""


def way(chain: Chain, shown: int = 6) -> str:
    """Return a chain in one line: each URL with its status."""
    parts = [f"{hop.url} ({hop.status if hop.status is not None else 'no answer'})" for hop in chain.hops]
    if len(parts) > shown:
        parts = [*parts[: shown - 1], f"{len(parts) - shown} more", parts[-1]]
    return " → ".join(parts)


def names_app_port(chain: Chain, evidence: Evidence) -> bool:
    """Whether a redirect was refused because it names the app's own port, which is not open to visitors."""
    parts = split(chain.final_url) if chain.end == "refused" else None
    return parts is not None and parts.hostname in evidence.hosts and parts.port in APP_PORTS
