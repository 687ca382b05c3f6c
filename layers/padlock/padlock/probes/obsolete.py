"""Whether an address still speaks SSL 3.0, TLS 1.0 or TLS 1.1 (checklist step 10; RFC 7568, RFC 8996).

Each version is offered alone, on a connection of its own, by a ClientHello that no OpenSSL has to know.
"""

import asyncio

from msgspec.structs import replace

from padlock.evidence import ObsoleteOffer
from padlock.network.failure import NetworkFailure
from padlock.network.hello import VERSIONS, offer
from padlock.probes.run import CUT_OFF, Run, failure_of


async def offer_obsolete(run: Run, host: str, address: str) -> None:
    """Offer every obsolete version to one address of a host."""
    port = run.port("https")
    planned = [ObsoleteOffer(host, address, port, version, failure=CUT_OFF) for version in VERSIONS]
    for one in planned:
        run.obsolete[host, address, one.version] = one
    await asyncio.gather(*(_offered(run, one) for one in planned))


async def _offered(run: Run, planned: ObsoleteOffer) -> None:
    host, address, version = planned.host, planned.address, planned.version
    try:
        async with run.connection(host, address, planned.port) as connection:
            answer = await offer(connection, host, version)
    except NetworkFailure as failure:
        run.obsolete[host, address, version] = replace(planned, failure=failure_of(failure))
        return
    run.obsolete[host, address, version] = replace(
        planned, accepted=answer.accepted, cipher=answer.cipher, detail=answer.detail, failure=None
    )
