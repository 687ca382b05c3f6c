"""One URL over one connection, and what comes back as evidence: cut to what is kept, and escaped."""

import functools
import hashlib

from padlock.evidence import Exchange, Failure, Purpose, SelfReference
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure, printable
from padlock.network.http import BROKEN_HEAD, Headers, Response, get
from padlock.network.limits import (
    ADDRESSES_TRIED,
    BODY_BYTES,
    BODY_KEPT,
    CHALLENGE_BYTES,
    HEADER_VALUE_KEPT,
    HEADERS_KEPT,
    HEADERS_SIZE_KEPT,
)
from padlock.probes.run import Answer, Run, failure_of
from padlock.probes.self_references import self_references
from padlock.probes.text import decoded, title
from padlock.probes.tls import also_seen
from padlock.probes.urls import Url

_READ = (
    *("location", "strict-transport-security", "content-type", "content-encoding", "transfer-encoding"),
    *("retry-after", "x-content-type-options", "server", "x-powered-by", "content-security-policy", "set-cookie"),
)
"""Headers that rules and probes read, those first of which an answer has one, and a short one."""
_NGINX_WITHOUT_CERTIFICATE = "No required SSL certificate was sent"
_REMEMBERED = 2_048
"""Octets up to which a body is digested once in this process: many are a server's own few pages."""


async def ask_once(
    run: Run, url: Url, address: str, purpose: Purpose, headers: Headers = (), *, again: bool = False
) -> Answer:
    """Ask for one URL over a connection of its own; `again` is a second look."""
    try:
        async with run.connection(url.host, address, url.port, again=again) as connection:
            if url.scheme == "https":
                await connection.start_tls(url.host)
                also_seen(run, url.host, connection)
            return await request(run, connection, url, purpose, headers=headers)
    except NetworkFailure as failure:
        return unreached(url, address, purpose, failure)


async def request(
    run: Run,
    connection: Connection,
    url: Url,
    purpose: Purpose,
    *,
    first: bool = True,
    named: str = "",
    headers: Headers = (),
) -> Answer:
    """Ask for a URL over an open connection, under another name if one is given."""
    response = await get(connection, named or url.authority, url.target, headers, most_of(purpose), run.bodies)
    return answer_of(run, connection, response, url, purpose, first=first, named=named)


def most_of(purpose: Purpose) -> int:
    """Return how many octets of a body are read."""
    return CHALLENGE_BYTES if purpose == "challenge" else BODY_BYTES


def answer_of(
    run: Run,
    connection: Connection,
    response: Response,
    url: Url,
    purpose: Purpose,
    *,
    first: bool = True,
    named: str = "",
) -> Answer:
    """Return a response as evidence; the first one of a connection has that connection's times, too."""
    seconds = {"first_byte": response.first_byte, "total": response.seconds}
    if first:
        shaken = connection.session.seconds if connection.session else 0.0
        seconds = {
            "connect": connection.connect_seconds,
            "tls": shaken,
            "first_byte": response.first_byte,
            "total": connection.connect_seconds + shaken + response.seconds,
        }
    exchange = _exchange(run, response, url, connection.address, purpose, named or url.host, seconds)
    if purpose != "random_host" and _demands_certificate(exchange):
        run.demands_certificate(url.host, connection.address, url.port)
    page = response if _is_page(response, url, purpose) and _may_be_read(run, exchange) else None
    return Answer(exchange, response.all("location"), response.all("set-cookie"), response.reusable, page)


def _may_be_read(run: Run, seen: Exchange) -> bool:
    """Whether redirects may end at an address, where its page is read: it is one of the first of its host."""
    host = run.hosts.get(seen.host)
    return host is None or seen.address in run.vetted(host)[:ADDRESSES_TRIED]


def _is_page(response: Response, url: Url, purpose: Purpose) -> bool:
    kind = next(iter(response.all("content-type")), "text/html").lower()
    wanted = url.scheme == "https" and purpose in ("front", "health", "hop")
    if response.failure and response.failure.detail.startswith(BROKEN_HEAD):
        return False  # it has no body here, whatever browsers make of it
    return wanted and response.status is not None and 200 <= response.status < 300 and "html" in kind


def _exchange(
    run: Run,
    response: Response,
    url: Url,
    address: str,
    purpose: Purpose,
    host: str,
    seconds: dict[str, float],
) -> Exchange:
    text = decoded(response)
    declared = [part.contains for part in (run.site.expect, run.site.health) if part and part.contains]
    return Exchange(
        str(url),
        host,
        address,
        purpose,
        failure=failure_of(response.failure) if response.failure else None,
        status=response.status,
        headers=_headers(response.headers),
        body=text[:BODY_KEPT].encode()[:BODY_KEPT].decode("utf-8", "ignore"),
        body_sha256=_sha256(response.body) if response.status else "",
        body_size=len(response.body),
        truncated=response.truncated,
        title=title(text),
        found=tuple(dict.fromkeys(part for part in declared if part in text)),
        self_references=_self_references(response, text) if purpose in ("front", "health", "deep", "hop") else (),
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
    )


def _sha256(body: bytes) -> str:
    return (_digest if len(body) <= _REMEMBERED else _digest.__wrapped__)(body)


@functools.lru_cache(maxsize=64)
def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _headers(headers: Headers) -> Headers:
    """Return headers as they are kept, in their order: where there are too many, those first that rules read."""
    if len(headers) > HEADERS_KEPT:
        chosen = sorted(enumerate(headers), key=lambda one: _rank(one[1][0]))[:HEADERS_KEPT]
        headers = tuple(header for _, header in sorted(chosen))
    shown = tuple((name[:200], _value(name, value)) for name, value in headers)
    sizes = [len(name) + len(value) for name, value in shown]
    if sum(sizes) <= HEADERS_SIZE_KEPT:
        return shown
    kept, room = set[int](), HEADERS_SIZE_KEPT
    for number in sorted(range(len(shown)), key=lambda number: _rank(shown[number][0])):
        room -= sizes[number]
        if room < 0:
            break
        kept.add(number)
    return tuple(header for number, header in enumerate(shown) if number in kept)


def _rank(name: str) -> int:
    return _READ.index(name) if name in _READ else len(_READ)


def _value(name: str, value: str) -> str:
    """Return a header's value as it is kept; a tab is white space there (RFC 9110 section 5.5), which rules skip."""
    # Browsers drop a tab in a Location, which is no white space; chains show it escaped, too.
    return printable(value, HEADER_VALUE_KEPT, keep="" if name == "location" else "\t")


def _self_references(response: Response, text: str) -> tuple[SelfReference, ...]:
    kind = next(iter(response.all("content-type")), "text/html").lower()
    return self_references(text) if "html" in kind else ()


def unreached(
    url: Url, address: str, purpose: Purpose, failure: NetworkFailure, *, confirmed: bool = False
) -> Answer:
    """Return an answer that there is none, for a connection that did not come about."""
    seen = failure_of(failure)
    return Answer(Exchange(str(url), url.host, address, purpose, seen, confirmed=confirmed and not seen.is_ours))


def _demands_certificate(seen: Exchange) -> bool:
    if seen.failure == Failure("alert", "certificate_required"):
        return True
    return seen.status == 400 and _NGINX_WITHOUT_CERTIFICATE in seen.body
