"""Sites of sixteen addresses that do the same at all of them: what one look may take counts sixteenfold."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from padlock.network.limits import ADDRESSES_PER_HOST

from tests import dns_server
from tests.hostile.behaviour import Behaviour, Outcome, Place
from tests.hostile.http_behaviours import OK
from tests.hostile.seeing import exchange, failed
from tests.hostile.serving import Serve, certified
from tests.servers import Script, forever, listen, sends

WIDE = "😀".encode()
"""One character that makes Python take four octets for each of a text."""


def addresses(place: Place) -> list[str]:
    """Return the sixteen addresses of a place."""
    number = place.address.rpartition(".")[2]
    return [f"45.84.{number}.{last}" for last in range(1, ADDRESSES_PER_HOST + 1)]


def records(place: Place) -> tuple[str, ...]:
    """Return the lines of the site's zone: the host and its www sibling have all of the addresses."""
    own = (f"{label} A {address}" for label in ("@", "www") for address in addresses(place))
    return ("@ NS ns", f"ns A {place.address}", *own)


def everywhere(script: Script) -> Serve:
    """Return a site that misbehaves at all of its addresses, on both ports."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        await _have(addresses(place))
        tls = certified(place, place.host, f"www.{place.host}")
        async with contextlib.AsyncExitStack() as stack:
            zone = dns_server.zone(place.host, *records(place))
            await stack.enter_async_context(dns_server.serve(zone, place.address, 53))
            for address in addresses(place):
                await stack.enter_async_context(listen(script, address, 443, tls))
                await stack.enter_async_context(listen(script, address, 80))
            yield

    return serve


async def _have(wanted: list[str]) -> None:
    """Give the servers' side these addresses, for as long as it lives."""
    lines = "\n".join(f"addr replace {address}/32 dev lo" for address in wanted)
    ip = await asyncio.create_subprocess_exec("ip", "-batch", "-", stdin=asyncio.subprocess.PIPE)
    await ip.communicate(lines.encode())


def _all(outcome: Outcome) -> str:
    """Say how many addresses were asked, and how the first one answered."""
    assert outcome.evidence.http
    asked = {each.address for each in outcome.evidence.http.exchanges}
    front = exchange(outcome)
    how = failed(front.failure) if front.failure else "truncated" if front.truncated else "whole"
    return f"{len(asked)} addresses, {front.status} {how}"


def _crowd(name: str, promise: str, script: Script, expected: str, *, slow: bool = False) -> Behaviour:
    return Behaviour(
        f"crowd-{name}",
        promise,
        everywhere(script),
        f"{ADDRESSES_PER_HOST} addresses, {expected}",
        _all,
        zone=lambda place: "\n".join(records(place)),
        slow=slow,
    )


BEHAVIOURS: tuple[Behaviour, ...] = (
    _crowd(
        "gigabyte",
        "1 GB body at 16 addresses → truncated, bounded",
        forever(OK + b"\r\n<title>" + WIDE + b"</title>", b"x" * 65_536),
        "200 truncated",
        slow=True,
    ),
    _crowd(
        "short-headers",
        "55,000 headers of 5 octets at 16 addresses → bounded",
        sends(OK + b"A:b\r\n" * 55_000 + b"Content-Length: 0\r\n\r\n"),
        "200 protocol_error",
    ),
    _crowd(
        "long-headers",
        "headers 300 KB at 16 addresses → bounded",
        sends(
            OK + b"".join(b"X-%d: " % n + b"y" * 60_000 + b"\r\n" for n in range(4)) + b"Content-Length: 0\r\n\r\n"
        ),
        "200 whole",
        slow=True,
    ),
    _crowd(
        "dripped-body",
        "dripped body at 16 addresses → bounded",
        forever(OK + b"\r\n" + WIDE + b"x" * 999_000, b"x", 0.3),
        "200 timeout(body)",
        slow=True,
    ),
)
