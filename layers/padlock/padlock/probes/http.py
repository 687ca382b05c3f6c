"""What one address answers over HTTP and HTTPS (checklist steps 7 and 11 to 13), and to a name that it cannot know.

One connection carries all that is asked of an address over one scheme. An answer that is a failure or an error of the
server is looked at again at once, on a connection of its own.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec

from padlock.evidence import Exchange, Failure, Purpose
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure, printable
from padlock.network.http import Headers, Response, get
from padlock.network.limits import BODY_KEPT, HEADER_VALUE_KEPT, HEADERS_KEPT
from padlock.probes.run import Answer, Run, failure_of
from padlock.probes.text import decoded, title
from padlock.probes.tls import also_seen, reach, without_name
from padlock.probes.urls import Url

type Scheme = Literal["http", "https"]
type Wanted = tuple[Url, Asked]
type Asked = Literal["front", "health", "deep"]

DEEP = "/padlock-probe/path?q=1"
"""A path with a query that nothing owns: what a redirect makes of it shows what it keeps."""
_NGINX_WITHOUT_CERTIFICATE = "No required SSL certificate was sent"


def wanted(run: Run, scheme: Scheme, host: str) -> list[Wanted]:
    """Return what every address of a host is asked over a scheme."""
    urls: list[Wanted] = [(run.url(scheme, host, "/"), "front")]
    if scheme == "http":
        urls.append((run.url(scheme, host, DEEP), "deep"))
    if run.site.health:
        urls.append((run.url(scheme, host, run.site.health.path), "health"))
    return urls


async def ask(run: Run, scheme: Scheme, host: str, address: str) -> None:
    """Ask one address for all that is wanted of it."""
    urls = wanted(run, scheme, host)
    seen: dict[Wanted, Answer] = {}
    try:
        async with reach(run, host, address, scheme) as connection:
            await _ask_in_turn(run, connection, urls, seen)
    except NetworkFailure as failure:
        for url, purpose in urls:
            run.settle(_unreached(url, address, purpose, failure, confirmed=True))
        return
    await asyncio.gather(*(_ask_again(run, address, item, seen.get(item)) for item in urls))


async def ask_deep(run: Run, host: str, address: str) -> None:
    """Ask over HTTPS what plain HTTP will most likely redirect to, before it says so."""
    run.settle(await ask_once(run, run.url("https", host, DEEP), address, "deep"))


async def ask_once(run: Run, url: Url, address: str, purpose: Purpose, headers: Headers = ()) -> Answer:
    """Ask for one URL over a connection of its own."""
    try:
        async with run.connection(url.host, address, url.port) as connection:
            if url.scheme == "https":
                await connection.start_tls(url.host)
                also_seen(run, url.host, connection)
            return await _request(run, connection, url, purpose, headers=headers)
    except NetworkFailure as failure:
        return _unreached(url, address, purpose, failure)


async def ask_default_site(run: Run, host: str, address: str) -> None:
    """Ask an address without SNI, for a host name that nobody can have configured (RFC 6761 section 6.4)."""
    url = run.url("https", host, "/")
    nobody = f"padlock-{secrets.token_hex(4)}.invalid"
    try:
        async with run.connection(host, address, url.port) as connection:
            if await without_name(run, host, connection):
                run.record(await _request(run, connection, url, "random_host", named=nobody))
    except NetworkFailure:
        return  # that the port is closed is recorded where the site itself was asked


async def _ask_in_turn(run: Run, connection: Connection, urls: Sequence[Wanted], seen: dict[Wanted, Answer]) -> None:
    for number, (url, purpose) in enumerate(urls):
        answer = await _request(run, connection, url, purpose, first=number == 0)
        failure = answer.exchange.failure
        if number and failure and failure.kind in ("closed", "reset"):
            return  # a connection that the server had enough of says nothing about this URL
        run.record(answer)
        seen[url, purpose] = answer
        if not answer.reusable:
            return


async def _ask_again(run: Run, address: str, item: Wanted, answer: Answer | None) -> None:
    """Look again where the first look was bad, or there was none, and settle for what was seen last."""
    url, purpose = item
    if answer is None:
        answer = await ask_once(run, url, address, purpose)
        run.record(answer)
    if _is_bad(answer.exchange):
        second = await ask_once(run, url, address, purpose)
        bad = _is_bad(second.exchange)
        answer = msgspec.structs.replace(second, exchange=msgspec.structs.replace(second.exchange, confirmed=bad))
    run.settle(answer)


def _is_bad(seen: Exchange) -> bool:
    if seen.failure:
        return not seen.failure.is_ours and seen.failure.kind != "alert"
    return seen.status is not None and seen.status >= 500


async def _request(
    run: Run,
    connection: Connection,
    url: Url,
    purpose: Purpose,
    *,
    first: bool = True,
    named: str = "",
    headers: Headers = (),
) -> Answer:
    response = await get(connection, named or url.authority, url.target, headers)
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
    return Answer(exchange, response.all("location"), response.all("set-cookie"), response.reusable)


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
        headers=tuple((n[:200], printable(v, HEADER_VALUE_KEPT)) for n, v in response.headers[:HEADERS_KEPT]),
        body=text[:BODY_KEPT].encode()[:BODY_KEPT].decode("utf-8", "ignore"),
        body_sha256=hashlib.sha256(response.body).hexdigest() if response.status else "",
        body_size=len(response.body),
        truncated=response.truncated,
        title=title(text),
        found=tuple(dict.fromkeys(part for part in declared if part in text)),
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
    )


def _unreached(
    url: Url, address: str, purpose: Purpose, failure: NetworkFailure, *, confirmed: bool = False
) -> Answer:
    seen = failure_of(failure)
    return Answer(Exchange(str(url), url.host, address, purpose, seen, confirmed=confirmed and not seen.is_ours))


def _demands_certificate(seen: Exchange) -> bool:
    if seen.failure == Failure("alert", "certificate_required"):
        return True
    return seen.status == 400 and _NGINX_WITHOUT_CERTIFICATE in seen.body
