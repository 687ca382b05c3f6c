"""What an address shows to whoever names no site that it has (checklist steps 8 and 12).

Its certificate without SNI (RFC 6066 section 3), and its answer to a host name that nobody can have configured (RFC
6761 section 6.4): what is the same for the site itself was not meant for it.
"""

import secrets
from functools import partial as bound

import msgspec

from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure
from padlock.network.http import Response, get
from padlock.probes.answers import answer_of, most_of
from padlock.probes.run import Run
from padlock.probes.shared import shared
from padlock.probes.tls import without_name

_SHARED_OCTETS = 65_536
"""Of one answer and its certificates; what is larger is not kept for other sites."""


class _Shown(msgspec.Struct, frozen=True):
    """What an address showed."""

    connection: Connection | None = None
    """Closed by now; None: there was none, which is recorded where the site itself is asked."""
    failure: NetworkFailure | None = None
    """Of the handshake."""
    named: str = ""
    response: Response | None = None


async def ask_default_site(run: Run, host: str, address: str) -> None:
    """Look at an address without a name, unless another site has just done so, and keep what it shows."""
    url = run.url("https", host, "/")
    key = "default site", address, url.port
    shown = await shared(key, run.site.name, bound(_look, run, host, address), _lasts)
    if shown.connection:
        without_name(run, host, shown.connection, shown.failure)
    if shown.connection and shown.response:
        run.record(answer_of(run, shown.connection, shown.response, url, "random_host", named=shown.named))


async def _look(run: Run, host: str, address: str) -> _Shown:
    url = run.url("https", host, "/")
    named = f"padlock-{secrets.token_hex(4)}.invalid"
    try:
        async with run.connection(host, address, url.port) as connection:
            try:
                await connection.start_tls("")
            except NetworkFailure as failure:
                return _Shown(connection, failure)
            response = await get(connection, named, url.target, (), most_of("random_host"), run.bodies)
            return _Shown(connection, None, named, response)
    except NetworkFailure:
        return _Shown()


def _lasts(shown: _Shown) -> bool:
    """Whether another site would get the same answer, as it may not where something failed, and it is small."""
    if not shown.connection or not shown.connection.session or not shown.response:
        return False
    status, size = shown.response.status, len(shown.response.body)
    size += sum(map(len, shown.connection.session.chain))
    return status is not None and status < 500 and status != 429 and size <= _SHARED_OCTETS
