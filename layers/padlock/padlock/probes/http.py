"""What one address answers over HTTP and HTTPS (checklist steps 7 and 11 to 13), and to a name that it cannot know.

One connection carries all that is asked of an address over one scheme. An answer that is a failure or an error of the
server, or says that we ask too much, is looked at again once nothing else is open there.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec

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
    LOOK_AROUND_SECONDS,
)
from padlock.probes import debugger
from padlock.probes.run import CUT_OFF, Answer, Run, failure_of
from padlock.probes.self_references import self_references
from padlock.probes.text import decoded, title
from padlock.probes.tls import also_seen, reach, without_name
from padlock.probes.urls import Url

type Scheme = Literal["http", "https"]
type Wanted = tuple[Url, Asked]
type Asked = Literal["front", "health", "deep"]

DEEP = "/padlock-probe/path?q=1"
"""A path with a query that nothing owns: what a redirect makes of it shows what it keeps."""
USUAL_HEALTH = ("/health", "/healthz", "/status", "/ping")
"""Where apps have their health check, the most usual first."""
_READ = (
    *("location", "strict-transport-security", "content-type", "content-encoding", "transfer-encoding"),
    *("retry-after", "x-content-type-options", "server", "x-powered-by", "content-security-policy", "set-cookie"),
)
"""Headers that rules and probes read, those first of which an answer has one, and a short one."""
_BODY_TOLD = 1024
_TOO_MANY_REQUESTS = 429
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
    url = run.url("https", host, DEEP)
    unasked: list[tuple[Url, Purpose]] = []
    try:
        async with run.connection(host, address, url.port) as connection:
            await connection.start_tls(host)
            also_seen(run, host, connection)
            answer = await _request(run, connection, url, "deep")
            if not _is_doubtful(answer.exchange):
                run.settle(answer)
                unasked = await _look_around(run, connection, answer)
    except NetworkFailure as failure:
        answer = _unreached(url, address, "deep", failure)
        if not _is_doubtful(answer.exchange):
            run.settle(answer)  # redirects wait for it
    if _is_doubtful(answer.exchange):
        run.settle(await _confirmed(run, url, address, "deep", answer))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AROUND_SECONDS):
            while unasked:
                (wanted_url, purpose), *rest = unasked
                unasked = await _kept(run, answer, await ask_once(run, wanted_url, address, purpose), rest)


async def _look_around(run: Run, connection: Connection, deep: Answer) -> list[tuple[Url, Purpose]]:
    """Ask a host that serves an app for what such an app may have; return what the connection did not last for."""
    seen = deep.exchange
    if seen.status is None or seen.status == 403 or _leads_elsewhere(deep):
        return []
    wanted: list[tuple[Url, Purpose]] = []
    if known := await debugger.recall(run, seen.host):
        run.record(Answer(known))
    else:
        wanted.append((run.url("https", seen.host, debugger.RESOURCE), "debugger"))
    if run.site.health is None:
        wanted += [(run.url("https", seen.host, target), "usual_health") for target in USUAL_HEALTH]
    planned = [Exchange(str(url), seen.host, seen.address, purpose, CUT_OFF) for url, purpose in wanted]
    for look in planned:
        run.record(Answer(look))
    if known is None:
        await debugger.keep(run, planned[0])
    try:
        async with asyncio.timeout(LOOK_AROUND_SECONDS):
            return await _ask_while_open(run, connection, deep, wanted)
    except TimeoutError:
        return []


async def _ask_while_open(
    run: Run, connection: Connection, deep: Answer, wanted: list[tuple[Url, Purpose]]
) -> list[tuple[Url, Purpose]]:
    reusable = deep.reusable
    while wanted and reusable:
        url, purpose = wanted[0]
        answer = await _request(run, connection, url, purpose, first=False)
        failure = answer.exchange.failure
        if failure and failure.kind in ("closed", "reset"):
            break  # a connection that the server had enough of says nothing about this URL
        wanted, reusable = await _kept(run, deep, answer, wanted[1:]), answer.reusable
    return wanted


async def _kept(
    run: Run, deep: Answer, answer: Answer, unasked: list[tuple[Url, Purpose]]
) -> list[tuple[Url, Purpose]]:
    """Keep as much of an answer as tells what it is; return what is still to be asked after it."""
    seen = answer.exchange
    run.record(msgspec.structs.replace(answer, exchange=msgspec.structs.replace(seen, body=seen.body[:_BODY_TOLD])))
    if seen.purpose == "debugger":
        return [*await _after_debugger(run, seen), *unasked]
    if seen.status not in (200, 204) or seen.status == deep.exchange.status:
        return unasked
    for url, purpose in unasked:
        run.exchanges.pop((str(url), seen.address, purpose))
    return []


async def _after_debugger(run: Run, seen: Exchange) -> list[tuple[Url, Purpose]]:
    """Remember how a look for the debugger ended; return the console if there is one to look for."""
    console = run.url("https", seen.host, debugger.CONSOLE)
    if seen.url == str(console):
        return []
    await debugger.keep(run, seen)
    if not debugger.is_served(seen):
        return []
    run.record(Answer(Exchange(str(console), seen.host, seen.address, "debugger", CUT_OFF)))
    return [(console, "debugger")]


def _leads_elsewhere(answer: Answer) -> bool:
    """Whether an answer redirects to another host, which is looked at itself where it is the site's."""
    seen = answer.exchange
    if seen.status not in (301, 302, 303, 307, 308) or not answer.locations:
        return False
    try:
        return urlsplit(urljoin(seen.url, answer.locations[0])).hostname != seen.host
    except ValueError:
        return True


async def look_again_if_slow(run: Run, url: Url, answer: Answer) -> None:
    """Time a slow page once more, on a connection of its own once nothing else is open there."""
    seen = answer.exchange
    if seen.status is None or seen.waited <= run.site.slow or url.scheme != "https" or seen.host not in run.hosts:
        return
    again = (await ask_once(run, url, seen.address, seen.purpose, again=True)).exchange
    if again.status is not None:
        timed = msgspec.structs.replace(seen, seconds_again=again.seconds)
        run.record(msgspec.structs.replace(answer, exchange=timed))


async def ask_once(
    run: Run, url: Url, address: str, purpose: Purpose, headers: Headers = (), *, again: bool = False
) -> Answer:
    """Ask for one URL over a connection of its own; `again` is a second look."""
    try:
        async with run.connection(url.host, address, url.port, again=again) as connection:
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
    answer = await _confirmed(run, url, address, purpose, answer)
    run.settle(answer)
    if purpose == "front":
        await look_again_if_slow(run, url, answer)


async def _confirmed(run: Run, url: Url, address: str, purpose: Purpose, answer: Answer) -> Answer:
    """Return an answer, or what a second look shows where it was bad."""
    if not _is_doubtful(answer.exchange):
        return answer
    second = await ask_once(run, url, address, purpose, again=True)
    bad = _is_bad(second.exchange) and _is_bad(answer.exchange)
    return msgspec.structs.replace(second, exchange=msgspec.structs.replace(second.exchange, confirmed=bad))


def _is_doubtful(seen: Exchange) -> bool:
    return _is_bad(seen) or seen.status == _TOO_MANY_REQUESTS


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
    most = CHALLENGE_BYTES if purpose == "challenge" else BODY_BYTES
    response = await get(connection, named or url.authority, url.target, headers, most, run.bodies)
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
        body_sha256=hashlib.sha256(response.body).hexdigest() if response.status else "",
        body_size=len(response.body),
        truncated=response.truncated,
        title=title(text),
        found=tuple(dict.fromkeys(part for part in declared if part in text)),
        self_references=_self_references(response, text) if purpose in ("front", "health", "deep", "hop") else (),
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
    )


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


def _unreached(
    url: Url, address: str, purpose: Purpose, failure: NetworkFailure, *, confirmed: bool = False
) -> Answer:
    seen = failure_of(failure)
    return Answer(Exchange(str(url), url.host, address, purpose, seen, confirmed=confirmed and not seen.is_ours))


def _demands_certificate(seen: Exchange) -> bool:
    if seen.failure == Failure("alert", "certificate_required"):
        return True
    return seen.status == 400 and _NGINX_WITHOUT_CERTIFICATE in seen.body
