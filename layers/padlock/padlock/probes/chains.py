"""Redirects as a browser follows them (checklist steps 7, 11 and 16; RFC 9110 section 15.4), each hop vetted anew.

What was fetched anyway is not fetched again. A loop is tried again with the cookies that it sets, and then with a
browser's headers: some sites loop only without. Where the front page's redirects set cookies and yet end, they are
tried with those too: browsers send them, and some sites loop only with.
"""

import asyncio
from http.cookiejar import CookieJar
from typing import Literal

import msgspec

from padlock.evidence import Chain, ChainEnd, Exchange, Failure, Hop
from padlock.network.failure import printable
from padlock.network.http import USER_AGENT, Headers
from padlock.network.limits import ADDRESSES_TRIED, HEADER_VALUE_KEPT, REDIRECTS
from padlock.probes.answers import ask_once
from padlock.probes.cookies import header, keep, new_jar
from padlock.probes.http import look_again_if_slow
from padlock.probes.run import Answer, Run
from padlock.probes.urls import Malformed, Refused, Url, resolve

REDIRECT = (301, 302, 303, 307, 308)
BROWSER = (
    "User-Agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 "
    + USER_AGENT,
)
"""What a site sees that looks at the User-Agent for a browser; Padlock's own name stands in it."""
LANGUAGE = ("Accept-Language", "en")
"""Every browser names one; some sites send whoever does not round and round."""
_CONDITIONS: tuple[tuple[str, Headers], ...] = (
    ("the cookies that it sets", ()),
    ("a browser's User-Agent", (BROWSER,)),
    ("a browser's User-Agent and Accept-Language", (BROWSER, LANGUAGE)),
)
_ENDLESS = ("loop", "too_long")


async def follow(run: Run, start: Url, purpose: Literal["front", "health", "deep"]) -> None:
    """Record where a start URL leads; until it is known, that it was cut off."""
    cut_off: tuple[ChainEnd, str, str] = ("failure", str(start), "deadline")
    hops: list[Hop] = []
    run.record_chain(_chain(start, purpose, hops, cut_off))
    try:
        chain = _chain(start, purpose, hops, await _walk(run, start, hops, None))
    except asyncio.CancelledError:
        run.record_chain(_chain(start, purpose, hops, cut_off))
        raise
    run.record_chain(chain)
    if chain.end in _ENDLESS:
        await _confirm_endless(run, start, chain)
        return
    # One walk more is enough: plain HTTP, where it is open, leads over the rest.
    first = purpose == "front" and start.scheme == ("http" if run.site.http_port else "https")
    if first and chain.end == "answer" and _sets_cookies(run, hops):
        await _try_with_cookies(run, start, purpose)


async def _confirm_endless(run: Run, start: Url, chain: Chain) -> None:
    """Walk a loop again as browsers would, and record it as confirmed, or the way that ends."""
    for conditions, headers in _CONDITIONS:
        hops: list[Hop] = []
        again = _chain(start, chain.purpose, hops, await _walk(run, start, hops, new_jar(), headers))
        if again.end == "answer":
            told = again.detail or f"only with {conditions}; without, it loops"
            run.record_chain(msgspec.structs.replace(again, detail=told))
        if again.end not in _ENDLESS:
            return
    run.record_chain(msgspec.structs.replace(chain, confirmed=True))


async def _try_with_cookies(run: Run, start: Url, purpose: Literal["front", "health", "deep"]) -> None:
    """Walk again with cookies, and record a loop that they make, once a second walk, as a browser, shows it too."""
    for headers in ((), (BROWSER, LANGUAGE)):
        hops: list[Hop] = []
        again = _chain(start, purpose, hops, await _walk(run, start, hops, new_jar(), headers))
        if again.end not in _ENDLESS:
            return
    run.record_chain(msgspec.structs.replace(again, confirmed=True, detail="only with the cookies that it sets"))


def _sets_cookies(run: Run, hops: list[Hop]) -> bool:
    """Whether a redirect, and not only the page at the end, set a cookie."""
    on_the_way = {(hop.url, hop.address) for hop in hops[:-1]}
    return any((e.url, e.address) in on_the_way and e.header("set-cookie") for e in run.exchanges.values())


def _chain(
    start: Url, purpose: Literal["front", "health", "deep"], hops: list[Hop], ended: tuple[ChainEnd, str, str]
) -> Chain:
    end, final, detail = ended
    return Chain(str(start), purpose, tuple(hops), end, printable(final, HEADER_VALUE_KEPT), printable(detail))


async def _walk(
    run: Run, start: Url, hops: list[Hop], jar: CookieJar | None, headers: Headers = ()
) -> tuple[ChainEnd, str, str]:
    """Follow redirects from a start URL, adding to `hops`; return how it ends, where, and why.

    Without a jar, what was fetched anyway is taken as it is; with one, all is fetched anew, with its cookies.
    """
    visited: set[tuple[str, str]] = set()
    url = start
    for _ in range(REDIRECTS + 1):
        cookies = header(jar, url) if jar is not None else ""
        if (str(url), cookies) in visited:
            return "loop", str(url), f"it comes back to {url}"
        visited.add((str(url), cookies))
        try:
            sent = (*headers, *([("Cookie", cookies)] if cookies else []))
            answer = await _answer(run, url, sent if jar is not None else None)
        except Refused as refused:
            return "refused", str(url), str(refused)
        if jar is not None:
            keep(jar, url, answer.cookies)
        seen = answer.exchange
        shown = printable(", ".join(answer.locations), HEADER_VALUE_KEPT) if answer.locations else None
        hops.append(Hop(str(url), seen.status, shown, seen.address))
        if seen.status is None:
            return "failure", str(url), seen.failure.words if seen.failure else ""
        if seen.status not in REDIRECT:
            return "answer", str(url), seen.failure.words if seen.failure else ""
        try:
            url = resolve(url, _location(answer), run.site, run.hosts)
        except Refused as refused:
            return "refused", shown or "", str(refused)
        except Malformed as malformed:
            return "malformed", shown or "", str(malformed)
    return "too_long", str(url), f"more than {REDIRECTS} redirects"


def _location(answer: Answer) -> str:
    """Return the one Location; Malformed where there is none, or several that differ."""
    different = dict.fromkeys(answer.locations)
    if len(different) > 1:
        raise Malformed(f"{len(different)} different Location headers")
    if not different:
        raise Malformed(f"a {answer.exchange.status} without a Location header")
    return next(iter(different))


async def _answer(run: Run, url: Url, headers: Headers | None) -> Answer:
    """Return the first answer of the URL's addresses, or what the first of them did instead of answering."""
    answers: list[Answer] = []
    for address in (await run.addresses(url.host))[:ADDRESSES_TRIED]:
        answer = await _fetch(run, url, address, headers)
        if answer.exchange.status is not None:
            return answer
        answers.append(answer)
    unresolved = Exchange(str(url), url.host, "", "hop", Failure("unreachable", f"{url.host} does not resolve"))
    return answers[0] if answers else Answer(unresolved)


async def _fetch(run: Run, url: Url, address: str, headers: Headers | None) -> Answer:
    """Return an exchange that was announced, or have it now; with headers it is no other probe's business."""
    if headers is not None:
        return await ask_once(run, url, address, "hop", headers)
    waiting = run.announced(url, address)
    if waiting is None:
        waiting = run.expect(url, address, "hop")
        answer = await ask_once(run, url, address, "hop")
        run.settle(answer)
        run.spawn(look_again_if_slow(run, url, answer))
    return await waiting
