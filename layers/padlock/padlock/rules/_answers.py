"""What HTTP answered, as the rules over HTTP read it: per host and address, and why an answer is missing."""

import functools
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from padlock.evidence import Chain, Evidence, Exchange, Handshake, Http, Purpose
from padlock.rules._once import once
from padlock.rules._rule import Outcome, Problem, Unknown
from padlock.rules._subjects import Scheme, not_seen, ports, spread, unseen

REDIRECTS = frozenset({301, 302, 303, 307, 308})
BODY_KEPT = 16_384
"""Octets of a body that the evidence keeps; a text that is not in them may still be in the rest."""
_REMEMBERED = 1024
"""Characters of a URL, and of a Location with it, up to which what it comes to is remembered in this process."""
_PROBER_ONLY = {"cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated"}
"""Headers of challenges that a browser passes and a checker does not."""
_CHALLENGES: tuple[tuple[str | None, str], ...] = (
    ("Just a moment...", "/cdn-cgi/challenge-platform/"),
    ("", "/_Incapsula_Resource?SWUDNSAI"),
    ("You are being redirected...", "sucuri_cloudproxy_js"),
    (None, "/.within.website/x/cmd/anubis/"),
)
"""Title (None: any) and text of challenge pages; ordinary pages of the same providers hold some of these texts."""
_CHALLENGED = "the checker was answered with a challenge that only browsers pass"
_CDNS = {"cf-ray": "Cloudflare", "x-amz-cf-id": "CloudFront"}
"""Headers of CDNs that can fetch a site over plain HTTP while visitors use HTTPS."""
_BROKEN_HEAD = "its head breaks HTTP: "
"""Begins the detail of such a failure."""
_AFTER_TLS = frozenset({"timeout", "reset", "closed", "protocol_error"})


class Look(msgspec.Struct, frozen=True):
    """The answers of one host to one request, per address."""

    seen: Mapping[str, Exchange]
    missed: Mapping[str, str]
    """Address → why it gave no answer; the address is empty where the host was not asked at all."""


def split(url: str) -> SplitResult | None:
    """Return a URL's parts; None where it is none (text from outside may be anything)."""
    return _parts(url)[0]


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, empty where there is none."""
    return _parts(url)[1]


def target(url: str, location: str | None) -> str:
    """Return the URL that a Location leads to from `url`, without its fragment; empty where there is none."""
    if not location:
        return ""
    join = _joined if len(url) + len(location) <= _REMEMBERED else _joined.__wrapped__
    return join(url, location)


def path_of(url: str) -> str:
    """Return the path and query of a URL."""
    parts = split(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "") if parts else ""


def _parts(url: str) -> tuple[SplitResult | None, str]:
    take_apart = _apart if len(url) <= _REMEMBERED else _apart.__wrapped__
    return take_apart(url)


@functools.lru_cache(maxsize=512)
def _apart(url: str) -> tuple[SplitResult | None, str]:
    """Return a URL's parts and its host."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None, ""
    return parts, (parts.hostname or "").removesuffix(".")


@functools.lru_cache(maxsize=512)
def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        return ""


@once
def handshake(evidence: Evidence, host: str, address: str) -> Handshake | None:
    """Return the first handshake that a visitor of the host has with an address."""
    named = evidence.tls.named() if evidence.tls else iter(())
    return next((h for h in named if h.host == host and h.address == address), None)


@once
def asked(evidence: Evidence, host: str, purpose: Purpose, scheme: Scheme) -> tuple[Exchange, ...]:
    """Return the requests to one host, one per address."""
    made = evidence.http.of(purpose, scheme) if evidence.http else iter(())
    return tuple(exchange for exchange in made if exchange.host == host)


@once
def look(evidence: Evidence, host: str, purpose: Purpose = "front", scheme: Scheme = "https") -> Look:
    """Return what one host answered, and why some of its addresses did not."""
    seen: dict[str, Exchange] = {}
    missed: dict[str, str] = {}
    for exchange in asked(evidence, host, purpose, scheme):
        shaken = handshake(evidence, host, exchange.address) if scheme == "https" else None
        if shaken and shaken.client_certificate:
            missed[exchange.address] = "the server demands a client certificate"
        elif exchange.status is not None and not broken_head(exchange):
            seen[exchange.address] = exchange
        else:
            missed[exchange.address] = exchange.failure.words if exchange.failure else "no answer was recorded"
    for state in ports(evidence, host, scheme):
        if state.failure and state.address not in seen:
            missed[state.address] = f"port {state.port}: {state.failure.words}"
    if not seen and not missed:
        missed[""] = unseen(evidence, host) or evidence.incomplete or f"it was not asked over {scheme.upper()}"
    return Look(seen, missed)


def judge_each(host: str, looked: Look, judge: Callable[[Exchange], Problem | Unknown | None]) -> Iterator[Outcome]:
    """Yield the problems of a host's answers, merged over its addresses, and what could not be judged."""
    faults: dict[str, Problem] = {}
    missed = dict(looked.missed)
    for address, exchange in looked.seen.items():
        outcome = judge(exchange)
        if isinstance(outcome, Problem):
            faults[address] = outcome
        elif isinstance(outcome, Unknown):
            missed[address] = outcome.reason
    if not faults and not missed:
        return
    judged = [address for address in looked.seen if address not in missed]
    yield from spread(host, faults, judged)
    yield from not_seen(host, missed, judged)


@once
def fronted_by(evidence: Evidence, host: str) -> str:
    """Return the CDN whose headers a host's answers over HTTPS carry; empty where there is none."""
    for exchange in evidence.http.exchanges if evidence.http else ():
        if exchange.host == host and exchange.url.startswith("https://"):
            for name, cdn in _CDNS.items():
                if exchange.header(name) is not None:
                    return cdn
    return ""


def challenged(exchange: Exchange) -> str:
    """Return that an answer is a challenge which browsers pass and the checker does not; empty where it is none."""
    for title, text in _CHALLENGES:
        if text in exchange.body and title in (None, exchange.title):
            return _CHALLENGED
    for name, _ in exchange.headers:
        if name in _PROBER_ONLY:
            return _CHALLENGED
    return ""


def blocked(exchange: Exchange) -> str:
    """Return why an answer is meant for the checker alone; empty where visitors get it too."""
    if reason := challenged(exchange):
        return reason
    if exchange.status in (403, 429):
        return f"the checker was answered {exchange.status}: it may be blocked where visitors are not"
    return ""


def hung(evidence: Evidence, host: str, exchange: Exchange) -> str:
    """Return how a server failed to answer HTTP although TLS worked; empty where it answered or TLS is at fault."""
    failure = exchange.failure
    if exchange.status is not None or failure is None or failure.kind not in _AFTER_TLS:
        return ""
    shaken = handshake(evidence, host, exchange.address)
    if shaken is None or shaken.failure or shaken.client_certificate or failure.detail in ("connect", "tls"):
        return ""
    return failure.words


def broken_head(exchange: Exchange) -> str:
    """Return why an answer's head was not accepted: of it a status and some headers are kept, and no body."""
    failure = exchange.failure
    if exchange.status is None or failure is None or not failure.detail.startswith(_BROKEN_HEAD):
        return ""
    return failure.detail


def refused_by_browsers(evidence: Evidence, exchange: Exchange) -> str:
    """Return what of a broken head makes browsers show an error in place of the page; empty where they open it.

    Over HTTP/1.1 they pass over illegal lines, and refuse lengths that differ unless the body is chunked. HTTP/2
    takes no illegal line (RFC 9113 section 8.2.1), and nginx sends there what it sends here.
    """
    why, shaken = broken_head(exchange), handshake(evidence, exchange.host, exchange.address)
    if not why or shaken is None:
        return ""
    lengths = "conflicting Content-Length" in why and exchange.header("transfer-encoding") is None
    nginx = (exchange.header("server") or "").lower().startswith("nginx")
    refused = {
        "http/1.1": lengths,
        "h2": "illegal header line" in why and nginx,
    }
    return why if "NUL octet" in why or refused.get(shaken.alpn) else ""


def cut(exchange: Exchange) -> bool:
    """Whether the evidence holds only the beginning of the body."""
    return exchange.body_size > BODY_KEPT or exchange.truncated or exchange.failure is not None


def chain_from(http: Http, url: str) -> Chain | None:
    """Return the redirect chain that starts at a URL."""
    return next((chain for chain in http.chains if chain.start == url), None)


def final(http: Http, exchange: Exchange) -> Exchange | Unknown:
    """Return the answer at which an exchange's redirects end, itself where it is no redirect."""
    if exchange.status not in REDIRECTS:
        return exchange
    chain = chain_from(http, exchange.url)
    if chain is None or chain.end != "answer" or not chain.hops:
        ended = chain.detail or chain.end.replace("_", " ") if chain else "they were not followed"
        return Unknown(exchange.url, f"its redirects lead to no answer: {ended}")
    last = chain.hops[-1]
    if target(chain.start, chain.hops[0].location) != target(exchange.url, exchange.header("location")):
        return Unknown(exchange.url, "it redirects elsewhere than when its redirects were followed")
    answers = [e for e in http.exchanges if e.url == last.url and e.status == last.status]
    answers.sort(key=lambda answer: answer.address != last.address)
    return answers[0] if answers else Unknown(exchange.url, "the answer at the end of its redirects was not kept")
