"""Whether an address still speaks SSL 3.0, TLS 1.0 or TLS 1.1 (checklist step 10; RFC 7568, RFC 8996).

Offered by ClientHellos that no OpenSSL has to know: SSL 3.0 alone, the others in a list first. Whatever comes of the
list but a refusal that leaves no doubt, each of them is offered alone, on a connection of its own.
"""

import asyncio

from msgspec.structs import replace

from padlock.evidence import ObsoleteOffer
from padlock.network.failure import NetworkFailure
from padlock.network.hello import offer, refuses_list
from padlock.network.patience import Patience
from padlock.probes.run import CUT_OFF, Run, failure_of
from padlock.probes.shared import shared
from padlock.probes.tls import main_look

_LIST_SECONDS = 1.0
"""For the list, connection and all: nothing is lost where it takes longer."""


async def offer_obsolete(run: Run, host: str, address: str) -> None:
    """Offer every obsolete version to one address of a host."""
    planned = ObsoleteOffer(host, address, run.port("https"), "", failure=CUT_OFF)
    ssl3, *tls = (replace(planned, version=version) for version in ("SSLv3", "TLSv1", "TLSv1.1"))
    for one in tls:
        _record(run, one)
    # Once at each address: SSL 3.0 has no SNI, so that every host there meets the same default server.
    here = _ssl3_at(run, address)
    _record(run, replace(here[0], host=host) if here else ssl3)
    if not here:
        run.spawn(_offer_ssl3(run, ssl3))
    await _offer_tls(run, tls)


async def _offer_ssl3(run: Run, planned: ObsoleteOffer) -> None:
    """Offer SSL 3.0 to an address, on behalf of every host there."""
    key = planned.version, planned.address, planned.port
    taken = await shared(key, run.site.name, lambda: _taken(run, planned), lambda seen: seen.failure is None)
    for one in _ssl3_at(run, planned.address):
        _record(run, replace(taken, host=one.host))


def _ssl3_at(run: Run, address: str) -> list[ObsoleteOffer]:
    return [one for one in run.obsolete.values() if (one.address, one.version) == (address, "SSLv3")]


async def _offer_tls(run: Run, planned: list[ObsoleteOffer]) -> None:
    if await _refuses_list(run, planned[0]):
        for one in planned:
            _record(run, replace(one, detail="the alert protocol_version", failure=None))
        return
    await asyncio.gather(*(_offer(run, one) for one in planned))


async def _offer(run: Run, planned: ObsoleteOffer) -> None:
    _record(run, await _taken(run, planned))


async def _refuses_list(run: Run, planned: ObsoleteOffer) -> bool:
    """Whether both are refused at once, by a server that today's browsers come along with."""
    try:
        async with Patience(_LIST_SECONDS), run.connection(planned.host, planned.address, planned.port) as connection:
            if not await refuses_list(connection, planned.host):
                return False
    except (NetworkFailure, TimeoutError):
        return False
    main = await main_look(run, planned.host, planned.address)
    return main is not None and main.failure is None


async def _taken(run: Run, planned: ObsoleteOffer) -> ObsoleteOffer:
    """Offer one version alone, and return how it was taken."""
    try:
        async with run.connection(planned.host, planned.address, planned.port) as connection:
            answer = await offer(connection, planned.host, planned.version)
    except NetworkFailure as failure:
        return replace(planned, failure=failure_of(failure))
    return replace(planned, accepted=answer.accepted, cipher=answer.cipher, detail=answer.detail, failure=None)


def _record(run: Run, one: ObsoleteOffer) -> None:
    run.obsolete[one.host, one.address, one.version] = one
