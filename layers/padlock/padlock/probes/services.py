"""Services that are asked about a site and believed: registries, certificate authorities, logs.

Unlike a site's own servers they are verified: certificate chain and host name, against the public roots. A service
that is down, slow or answers nonsense is a Failure in what comes back, never an exception, within `SERVICE_SECONDS`.
"""

import re
from urllib.parse import urljoin, urlsplit

import msgspec

from padlock.evidence import Failure
from padlock.network import limits
from padlock.network.addresses import refusal
from padlock.network.connection import connect
from padlock.network.failure import NetworkFailure, printable
from padlock.network.http import Headers, Response, get
from padlock.network.patience import Patience
from padlock.network.tls import verifying
from padlock.probes.run import CUT_OFF, Run, failure_of
from padlock.probes.urls import DEFAULT_PORTS, Refused, Url
from padlock.site import host_name

_MOVED = (301, 302, 303, 307, 308)


class Fetched(msgspec.Struct, frozen=True):
    """What a service answered; `status` is None where it did not."""

    status: int | None = None
    headers: Headers = ()
    """Names in lower case."""
    body: bytes = b""
    failure: Failure | None = None
    """Why there is no whole answer; None: there is one, of whatever status."""

    def header(self, name: str) -> str:
        """Return the first value of a header, by its lower-case name; empty where it was not sent."""
        return next((value for key, value in self.headers if key == name), "")


def base(run: Run, service: str, public: str) -> str:
    """Return the URL that a service is asked at: the operator's for it, otherwise the public one."""
    return run.vantage.services.get(service, public)


async def fetch(run: Run, url: str, *, limit: int, accept: str = "*/*", service: str = "") -> Fetched:
    """Ask for a URL of a service and return its answer; a body of more than `limit` octets is a failure.

    http and https on their own ports, or on the operator's where the URL is at the place that they named for
    `service`: only there are their networks open, for a URL may come out of a site's certificate. Every address is
    vetted, and each redirect anew.
    """
    try:
        async with Patience(limits.SERVICE_SECONDS):
            return await _followed(run, url, limit, accept, service)
    except TimeoutError:
        return Fetched(failure=Failure("timeout", f"no whole answer in {limits.SERVICE_SECONDS:g} seconds"))
    except ValueError as error:
        return Fetched(failure=Failure("not_vetted", printable(str(error))))


async def _followed(run: Run, url: str, limit: int, accept: str, service: str) -> Fetched:
    at = _read(run, url, service)
    for _ in range(limits.SERVICE_REDIRECTS + 1):
        answer = await _asked(run, at, limit, accept, service)
        location = answer.header("location")
        if answer.failure or answer.status not in _MOVED or not location:
            return answer
        to = _read(run, urljoin(str(at), location), service)
        if at.scheme == "https" and to.scheme != "https":
            raise Refused(f"{at.host} redirects to a URL without TLS")
        at = to
    return Fetched(failure=Failure("protocol_error", f"more than {limits.SERVICE_REDIRECTS} redirects"))


def _read(run: Run, text: str, service: str) -> Url:
    """Read an absolute URL; ValueError where it may not be asked."""
    parts = urlsplit(text)
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc or re.search(r"[\x00-\x20\x7f-\U0010ffff]", text):
        raise Refused(f"{text[:200]!r} is no URL of a service")
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    url = Url(parts.scheme, host_name(parts.hostname or ""), port, target)
    if port != DEFAULT_PORTS[parts.scheme] and not _is_operators(run, url, service):
        raise Refused(f"{url} names the port {port}")
    return url


def _is_operators(run: Run, url: Url, service: str) -> bool:
    """Whether the operator named this very place for this service."""
    return _place(run.vantage.services.get(service, "")) == (url.scheme, url.host, url.port)


def _place(text: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(text)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


async def _asked(run: Run, url: Url, limit: int, accept: str, service: str) -> Fetched:
    """Ask each of the service's addresses, at most two of them, until one answers."""
    # The operator's own services may stand in any of the operator's networks, whatever the site declares.
    allowed = run.vantage.networks if _is_operators(run, url, service) else run.allowed
    a, aaaa = await run.resolver.lookup_both(url.host)
    found = a.records + aaaa.records
    vetted = [address for address in found if not refusal(address, allowed)]
    if not vetted:
        reason = f"has no address ({a.status})" if not found else f"has the address {found[0]}, which is not public"
        return Fetched(failure=Failure("not_vetted" if found else "unreachable", f"{url.host} {reason}"))
    answer = Fetched(failure=CUT_OFF)
    for number in range(limits.SERVICE_ATTEMPTS):
        try:
            response = await _once(run, url, vetted[number % len(vetted)], limit, accept, allowed)
        except NetworkFailure as failure:
            answer = Fetched(failure=failure_of(failure))
            continue
        answer = _fetched(response, limit)
        if answer.failure is None:
            break
    return answer


async def _once(run: Run, url: Url, address: str, limit: int, accept: str, allowed: tuple[str, ...]) -> Response:
    connection = await connect(address, url.port, allowed)
    try:
        if url.scheme == "https":
            await connection.start_tls(url.host, verifying(run.vantage.ca_file))
        return await get(connection, url.authority, url.target, (("Accept", accept),), limit)
    finally:
        connection.close()


def _fetched(response: Response, limit: int) -> Fetched:
    failure = failure_of(response.failure) if response.failure else None
    if response.truncated:
        failure = Failure("incomplete_body", f"the answer is longer than {limit} octets")
    return Fetched(
        response.status,
        tuple((name[:200], printable(value, limits.HEADER_VALUE_KEPT)) for name, value in response.headers),
        response.body,
        failure,
    )
