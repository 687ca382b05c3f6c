"""The heartbeat outside AWS: one GET that says that Padlock lives, and is not sent where it does not.

Whoever waits for it (healthchecks.io, Uptime Kuma and their like) tells when it stays away; that is the only alarm
which works where the whole account does not. The URL is a secret, as anybody who knows it can send the heartbeat:
nothing of it but its host is told to anybody.
"""

import asyncio
import ipaddress
import re
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from padlock.network.addresses import refusal
from padlock.network.connection import connect
from padlock.network.dns import Resolver, system_resolver
from padlock.network.failure import NetworkFailure
from padlock.network.http import Response, get
from padlock.network.tls import verifying
from padlock.network.vantage import Vantage

SECONDS = 10.0
"""For one heartbeat: names, connections and the answer."""
LONGEST_PENDING = 900.0
"""Seconds for which an alert may wait."""
_TRIES = 2
_PORTS = {"http": 80, "https": 443}


class Missed(Exception):
    """A heartbeat that did not arrive; of its URL the text has the host only."""


class _Place(NamedTuple):
    scheme: str
    authority: str
    host: str
    port: int
    target: str


def withheld(now: datetime, run: datetime | None, within: float, oldest_seconds: float, failed: int) -> str:
    """Return why Padlock cannot be said to live; empty where it lives.

    `run` is when one came to a result last, `within` the seconds that this may lie back; `oldest_seconds` the age of
    the alert that waited longest, and `failed` the number of sites whose alerts could not be published.
    """
    if failed:
        return f"the alerts of {failed} sites could not be published"
    if oldest_seconds > LONGEST_PENDING:
        return f"an alert has been pending for {oldest_seconds:.0f} s"
    if run is None:
        return "no check has ever come to a result"
    age = (now - run).total_seconds()
    return f"the last check that came to a result was {age:.0f} s ago" if age >= within else ""


def send(url: str, vantage: Vantage) -> None:
    """Fetch a URL, to which any answer of 2xx will do; Missed says why none came.

    The vantage point's networks may be connected to beside the public ones. No redirect is followed: it would show
    the secret to somebody else.
    """
    place = _read(url)
    try:
        response = asyncio.run(_within(place, vantage))
    except TimeoutError:
        raise Missed(f"{place.host} has not answered in {SECONDS:g} seconds") from None
    if response.status is None:
        # The detail may quote what was received, and that may quote the request.
        raise Missed(f"{place.host}: {response.failure.kind if response.failure else 'no answer'}")
    if not 200 <= response.status < 300:
        raise Missed(f"{place.host} answers {response.status}")


def _read(url: str) -> _Place:
    """Return where a URL leads; Missed where it leads nowhere."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Missed("the heartbeat's URL is none") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or not re.fullmatch("[!-~]+", url):
        raise Missed("the heartbeat's URL is not http or https in printable ASCII, with a host and no credentials")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Place(parts.scheme, parts.netloc, parts.hostname, port or _PORTS[parts.scheme], target)


async def _within(place: _Place, vantage: Vantage) -> Response:
    async with asyncio.timeout(SECONDS):
        return await _fetched(place, vantage)


async def _fetched(place: _Place, vantage: Vantage) -> Response:
    """Ask the host's addresses, at most two of them, until a connection stands."""
    failed = None
    for address in (await _addresses(place, vantage))[:_TRIES]:
        try:
            connection = await connect(address, place.port, vantage.networks)
        except NetworkFailure as failure:
            failed = failure
            continue
        try:
            if place.scheme == "https":
                await connection.start_tls(place.host, verifying(vantage.ca_file))
            # Of the body nothing is wanted.
            return await get(connection, place.authority, place.target, (("Accept", "*/*"),), most=0)
        except NetworkFailure as failure:
            failed = failure
        finally:
            connection.close()
    raise Missed(f"{place.host}: {failed}")


async def _addresses(place: _Place, vantage: Vantage) -> list[str]:
    """Return the host's vetted addresses, those of IPv4 first: a function in AWS may have no other way out."""
    found = [place.host] if _is_address(place.host) else await _looked_up(place.host, vantage)
    vetted = [address for address in found if not refusal(address, vantage.networks)]
    if not vetted:
        raise Missed(f"{place.host} has {'only addresses that are not public' if found else 'no address'}")
    return vetted


async def _looked_up(host: str, vantage: Vantage) -> list[str]:
    resolver = Resolver(vantage.resolvers) if vantage.resolvers else system_resolver()
    a, aaaa = await asyncio.gather(resolver.lookup(host, "A"), resolver.lookup(host, "AAAA"))
    return [*a.records, *aaaa.records]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
