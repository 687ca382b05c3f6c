"""Every alert of TLS that a server may send instead of its first flight is named (RFC 8446 section 6)."""

import asyncio

import pytest
from padlock.network.connection import connect
from padlock.network.failure import NetworkFailure
from padlock.network.tls import ALERTS

from tests.old_tls import alert
from tests.servers import LOOPBACK, Script, listen

WITHOUT_NAME = (1, 200, 255)


def sending(octets: bytes) -> Script:
    """Return a server that answers a ClientHello with these octets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(octets)
        await writer.drain()
        await reader.read(-1)

    return serve


async def failure(octets: bytes) -> NetworkFailure:
    """Return how a handshake with such a server ends."""
    async with listen(sending(octets)) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        try:
            with pytest.raises(NetworkFailure) as caught:
                await connection.start_tls("example.com")
            return caught.value
        finally:
            connection.close()


@pytest.mark.parametrize("number", [*ALERTS, *WITHOUT_NAME])
@pytest.mark.parametrize("version", [0x0301, 0x0303])
async def test_each_alert_has_its_name(number: int, version: int) -> None:
    """OpenSSL's own words for some of them are others; those that the registry does not know keep their number."""
    seen = await failure(alert(version, number))
    assert (seen.kind, seen.detail) == ("alert", ALERTS.get(number, f"alert {number}"))
