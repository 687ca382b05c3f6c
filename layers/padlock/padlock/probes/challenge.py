"""The way of an HTTP-01 challenge, as an authority goes it (checklist steps 7 and 14; RFC 8555 section 8.3).

From `http://host/.well-known/acme-challenge/<token>`, at every address, over redirects with the statuses that
authorities follow, to ports 80 and 443, without a look at certificates. The token is one that nobody has, so that a
server that is well answers 404. Each address of each host is asked for it among the other requests, so that where a
redirect leads is known when it comes.
"""

import msgspec

from padlock.evidence import Challenge, Exchange, Failure, Hop
from padlock.network.failure import printable
from padlock.network.limits import CHALLENGE_BYTES, HEADER_VALUE_KEPT, REDIRECTS
from padlock.probes.answers import ask_once
from padlock.probes.renewal import keep, seen
from padlock.probes.run import CUT_OFF, Answer, Run
from padlock.probes.urls import Malformed, Refused, Url, resolve

ANY_TOKEN = "<token>"  # noqa: S105 — the word that is said in place of the token, which differs from run to run
FOLLOWED = (301, 302, 307, 308)
"""Boulder and its like take no other status for a redirect."""
_REDIRECTS = (*FOLLOWED, 303)
_TOO_MANY_REQUESTS = 429
_HEADERS_KEPT, _VALUE_KEPT = 40, 200


async def ask_challenge(run: Run, host: str, address: str) -> None:
    """Go the way from one address, and once more where it ends in a failure."""
    url = run.challenge("http", host)
    _keep(run, Challenge(host, address, str(url), "failure", failure=CUT_OFF))
    first = await _walk(run, url, host, address)
    _keep(run, first)
    if _is_bad(first) and not first.confirmed:
        second = await _walk(run, url, host, address, again=True)
        _keep(run, msgspec.structs.replace(second, confirmed=_is_bad(second)))


def _is_bad(challenge: Challenge) -> bool:
    if challenge.failure:
        return not challenge.failure.is_ours
    status = challenge.answer.status if challenge.answer else None
    return status is not None and (status >= 500 or status == _TOO_MANY_REQUESTS)


def _keep(run: Run, challenge: Challenge) -> None:
    others = [c for c in seen(run).challenges if (c.host, c.address) != (challenge.host, challenge.address)]
    keep(run, challenges=(*others, challenge))


async def _walk(run: Run, start: Url, host: str, address: str, *, again: bool = False) -> Challenge:
    """Follow redirects from the start to an answer, a failure, or a redirect that is not followed."""
    hops: list[Hop] = []
    way = Challenge(host, address, str(start), "failure")
    url, at = start, address
    for _ in range(REDIRECTS + 1):
        answer = await _answer(run, url, at, again=again)
        got = answer.exchange
        shown = printable(", ".join(answer.locations), HEADER_VALUE_KEPT) if answer.locations else None
        hops.append(Hop(str(url), got.status, shown, at))
        way = msgspec.structs.replace(way, hops=tuple(hops), answer=_trimmed(got))
        if got.status is None:
            return msgspec.structs.replace(way, failure=got.failure or CUT_OFF, confirmed=got.confirmed)
        if got.status not in _REDIRECTS:
            return msgspec.structs.replace(way, end="answer")
        try:
            url = _next(run, url, answer, hops)
            addresses = await run.addresses(url.host)
        except (Refused, Malformed) as reason:
            return msgspec.structs.replace(
                way, end="not_followed", detail=printable(str(reason).replace(run.token, ANY_TOKEN))
            )
        if not addresses:
            nowhere = Failure("unreachable", f"{url.host} does not resolve")
            return msgspec.structs.replace(way, answer=None, failure=nowhere)
        at = at if at in addresses else addresses[0]
    return msgspec.structs.replace(way, end="not_followed", detail=f"more than {REDIRECTS} redirects")


async def _answer(run: Run, url: Url, address: str, *, again: bool) -> Answer:
    """Return what another probe asks, or ask now; a second look at a challenge is always a new one."""
    asked = run.announced(url, address) or (None if again else run.announced_challenge(url, address))
    return await (asked or ask_once(run, url, address, "challenge", again=again))


def _next(run: Run, url: Url, answer: Answer, hops: list[Hop]) -> Url:
    """Return where a redirect leads; Refused or Malformed say why an authority does not go there."""
    if answer.exchange.status not in FOLLOWED:
        raise Refused(f"status {answer.exchange.status} is not followed")
    locations = dict.fromkeys(answer.locations)
    if len(locations) != 1:
        raise Malformed(f"a {answer.exchange.status} with {len(locations) or 'no'} Location headers")
    to = resolve(url, next(iter(locations)), run.site, run.hosts)
    if str(to) in {hop.url for hop in hops}:
        raise Refused(f"it comes back to {to}")
    return to


def _trimmed(exchange: Exchange) -> Exchange:
    headers = tuple((name, value[:_VALUE_KEPT]) for name, value in exchange.headers[:_HEADERS_KEPT])
    return msgspec.structs.replace(exchange, headers=headers, body=exchange.body[:CHALLENGE_BYTES])
