"""What an app is asked beside its pages (checklist step 13): a debugger's file and the usual health paths.

The look at the deep path shows whether a host serves an app at all; its connection carries what follows from that.
"""

import asyncio
import contextlib
from urllib.parse import urljoin, urlsplit

import msgspec

from padlock.evidence import Exchange, Purpose
from padlock.network.connection import Connection
from padlock.network.limits import LOOK_AROUND_SECONDS
from padlock.probes import debugger
from padlock.probes.answers import ask_once, request
from padlock.probes.run import CUT_OFF, Answer, Run
from padlock.probes.urls import Url

type Look = tuple[Url, Purpose]

USUAL_HEALTH = ("/health", "/healthz", "/status", "/ping")
"""Where apps have their health check, the most usual first."""
_BODY_TOLD = 1024


async def look_around(run: Run, connection: Connection, deep: Answer) -> list[Look]:
    """Ask a host that serves an app for what such an app may have; return what the connection did not last for."""
    seen = deep.exchange
    if seen.status is None or seen.status == 403 or _leads_elsewhere(deep):
        return []
    wanted: list[Look] = []
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


async def look_further(run: Run, deep: Answer, unasked: list[Look]) -> None:
    """Ask for what is left, each over a connection of its own, until the time for it is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AROUND_SECONDS):
            while unasked:
                (url, purpose), *rest = unasked
                unasked = await _kept(run, deep, await ask_once(run, url, deep.exchange.address, purpose), rest)


async def _ask_while_open(run: Run, connection: Connection, deep: Answer, wanted: list[Look]) -> list[Look]:
    reusable = deep.reusable
    while wanted and reusable:
        url, purpose = wanted[0]
        answer = await request(run, connection, url, purpose, first=False)
        failure = answer.exchange.failure
        if failure and failure.kind in ("closed", "reset"):
            break  # a connection that the server had enough of says nothing about this URL
        wanted, reusable = await _kept(run, deep, answer, wanted[1:]), answer.reusable
    return wanted


async def _kept(run: Run, deep: Answer, answer: Answer, unasked: list[Look]) -> list[Look]:
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


async def _after_debugger(run: Run, seen: Exchange) -> list[Look]:
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
