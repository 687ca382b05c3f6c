"""What one address answers over HTTP and HTTPS (checklist steps 7 and 11 to 13), and to a name that it cannot know.

One connection carries all that is asked of an address over one scheme, sent at once: the answers cost one round trip.
Servers need not like that (RFC 9112 section 9.3.2), so that nothing they do to a later request counts: what is not
answered in a row, or in a way that may be about the row, is asked on a connection of its own. An answer that is a
failure or an error of the server, or says that we ask too much, is looked at again once nothing else is open there.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from padlock.evidence import Exchange, Purpose
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure
from padlock.network.http import Row
from padlock.network.limits import PASSED_OVER_BYTES, ROW_SECONDS
from padlock.probes.answers import answer_of, ask_once, most_of, request, unreached
from padlock.probes.look_around import look_around, look_further
from padlock.probes.run import Answer, Run
from padlock.probes.tls import also_seen, reach
from padlock.probes.urls import Url

type Scheme = Literal["http", "https"]
type Start = tuple[Url, Asked]
type Asked = Literal["front", "health", "deep"]
type Wanted = tuple[Url, Purpose]

DEEP = "/padlock-probe/path?q=1"
"""A path with a query that nothing owns: what a redirect makes of it shows what it keeps."""
_TOO_MANY_REQUESTS = 429
_ABOUT_URLS = (401, 404, 410)
"""Errors that can only be meant for the one request that they answer."""


def wanted(run: Run, scheme: Scheme, host: str) -> list[Start]:
    """Return the URLs of a host and scheme where visitors and rules start."""
    urls: list[Start] = [(run.url(scheme, host, "/"), "front")]
    if scheme == "http":
        urls.append((run.url(scheme, host, DEEP), "deep"))
    if run.site.health:
        urls.append((run.url(scheme, host, run.site.health.path), "health"))
    return urls


def beside(run: Run, scheme: Scheme, host: str, address: str) -> list[Wanted]:
    """Return what one address is asked for as well, over HTTPS what plain HTTP will most likely redirect to."""
    urls: list[Wanted] = []
    if run.site.http_port:
        urls.append((run.challenge(scheme, host), "challenge"))
    if scheme == "https" and address == run.vetted(run.hosts[host])[0]:
        urls.append((run.url(scheme, host, DEEP), "deep"))
    return urls


def announce(run: Run, item: Wanted, address: str) -> None:
    """Announce what an address is asked for; what was seen of it until now does not count."""
    url, purpose = item
    if purpose == "challenge":
        run.expect_challenge(url, address)
    else:
        run.expect(url, address, purpose)


async def ask(run: Run, scheme: Scheme, host: str, address: str) -> None:
    """Ask one address for all that is wanted of it, and see to it that each of it is settled."""
    urls: list[Wanted] = [*wanted(run, scheme, host), *beside(run, scheme, host, address)]
    unasked: list[Wanted] = []
    deep: Answer | None = None
    try:
        async with reach(run, host, address, scheme) as connection:
            seen = await _ask_in_a_row(run, connection, urls)
            _settle_row(run, address, urls, seen)
            deep = seen.get(urls[-1]) if urls[-1][1] == "deep" else None
            if deep and not _is_doubtful(deep.exchange):
                unasked = await look_around(run, connection, deep)
    except NetworkFailure as failure:
        for url, purpose in urls:
            _settle(run, unreached(url, address, purpose, failure, confirmed=True))
    if deep and unasked:
        await look_further(run, deep, unasked)


async def _ask_in_a_row(run: Run, connection: Connection, urls: Sequence[Wanted]) -> dict[Wanted, Answer]:
    """Send all requests at once, and return those answers that are for certain about what was asked."""
    sent = Row(connection, [(url.authority, url.target, ()) for url, _ in urls])
    url, purpose = urls[0]
    response = await sent.answer(most_of(purpose), run.bodies, PASSED_OVER_BYTES)
    if len(urls) > 1 and _may_be_refused(response.status):
        return {}
    first = answer_of(run, connection, response, url, purpose)
    seen: dict[Wanted, Answer] = {urls[0]: first}
    if _is_doubtful(first.exchange):
        _record(run, first)
    else:
        _settle(run, first)  # redirects wait for it, whatever becomes of the others
    for number, (url, purpose) in enumerate(urls[1:], 2):
        if not sent.is_open:
            return seen
        if sent.seconds > ROW_SECONDS and not sent.received:
            break
        beyond = PASSED_OVER_BYTES if number < len(urls) else 0
        response = await sent.answer(most_of(purpose), run.bodies, beyond)
        if response.failure:
            break
        if _is_believed(response.status, first.exchange.status):
            seen[url, purpose] = answer_of(run, connection, response, url, purpose, first=False)
            _record(run, seen[url, purpose])
    else:
        if not (sent.is_open and sent.received):
            return seen
    # Too few answers, or too many: which of them belongs to which request is not known.
    return {urls[0]: first}


def _may_be_refused(status: int | None) -> bool:
    """Whether a first answer may be about requests at once, and not about its URL; what is looked at again is not."""
    return status is not None and 400 <= status < 500 and status not in (*_ABOUT_URLS, _TOO_MANY_REQUESTS)


def _is_believed(status: int | None, first: int | None) -> bool:
    """Whether a later answer is about its URL: an error that the first one was not may be about the others, too."""
    return status is None or status < 400 or status in (*_ABOUT_URLS, first)


def _settle_row(run: Run, address: str, urls: Sequence[Wanted], seen: Mapping[Wanted, Answer]) -> None:
    """Settle for what was seen, and have the rest asked alone and what was bad looked at again."""
    # Second looks wait for the first ones, which therefore begin before.
    for item in [item for item in urls if item not in seen]:
        announce(run, item, address)
        url, purpose = item
        is_deep = purpose == "deep" and url.scheme == "https"
        run.spawn(_ask_deep(run, url, address) if is_deep else _ask_alone(run, url, address, purpose))
    for (url, purpose), answer in seen.items():
        if _is_doubtful(answer.exchange):
            run.spawn(_look_again(run, url, address, purpose, answer))
        else:
            _settle(run, answer)
            if purpose == "front" and answer.exchange.waited > run.site.slow:
                run.spawn(look_again_if_slow(run, url, answer))


async def _ask_alone(run: Run, url: Url, address: str, purpose: Purpose) -> None:
    answer = await ask_once(run, url, address, purpose)
    _record(run, answer)
    await _look_again(run, url, address, purpose, answer)


async def _ask_deep(run: Run, url: Url, address: str) -> None:
    """Ask for the deep path over a connection of its own, and look around over it."""
    unasked: list[Wanted] = []
    try:
        async with run.connection(url.host, address, url.port) as connection:
            await connection.start_tls(url.host)
            also_seen(run, url.host, connection)
            answer = await request(run, connection, url, "deep")
            if not _is_doubtful(answer.exchange):
                run.settle(answer)
                unasked = await look_around(run, connection, answer)
    except NetworkFailure as failure:
        answer = unreached(url, address, "deep", failure)
    run.record(answer)
    await _look_again(run, url, address, "deep", answer)
    await look_further(run, answer, unasked)


async def _look_again(run: Run, url: Url, address: str, purpose: Purpose, answer: Answer) -> None:
    """Settle for an answer, or where it was bad for what a second look shows."""
    answer = await _confirmed(run, url, address, purpose, answer)
    _settle(run, answer)
    if purpose == "front":
        await look_again_if_slow(run, url, answer)


def _record(run: Run, answer: Answer) -> None:
    if answer.exchange.purpose != "challenge":
        run.record(answer)


def _settle(run: Run, answer: Answer) -> None:
    if answer.exchange.purpose == "challenge":
        run.settle_challenge(answer)
    else:
        run.settle(answer)


async def look_again_if_slow(run: Run, url: Url, answer: Answer) -> None:
    """Time a slow page once more, on a connection of its own once nothing else is open there."""
    seen = answer.exchange
    if seen.status is None or seen.waited <= run.site.slow or url.scheme != "https" or seen.host not in run.hosts:
        return
    again = (await ask_once(run, url, seen.address, seen.purpose, again=True)).exchange
    if again.status is not None:
        timed = msgspec.structs.replace(seen, seconds_again=again.seconds)
        run.record(msgspec.structs.replace(answer, exchange=timed))


async def _confirmed(run: Run, url: Url, address: str, purpose: Purpose, answer: Answer) -> Answer:
    """Return an answer, or what a second look shows where it was bad."""
    if not _is_doubtful(answer.exchange):
        return answer
    second = await ask_once(run, url, address, purpose, again=True)
    bad = _is_bad(second.exchange) and _is_bad(answer.exchange)
    return msgspec.structs.replace(second, exchange=msgspec.structs.replace(second.exchange, confirmed=bad))


def _is_doubtful(seen: Exchange) -> bool:
    # The way of a challenge is gone again from its start.
    return seen.purpose != "challenge" and (_is_bad(seen) or seen.status == _TOO_MANY_REQUESTS)


def _is_bad(seen: Exchange) -> bool:
    if seen.failure:
        return not seen.failure.is_ours and seen.failure.kind != "alert"
    return seen.status is not None and seen.status >= 500
