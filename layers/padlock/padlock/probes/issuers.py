"""Certificates of issuers that a server forgot to send, fetched from where AIA says (RFC 5280 section 4.2.2.1).

The URL comes out of a certificate that nobody vouches for: plain HTTP on a web port, to a vetted address, small.
"""

from urllib.parse import urlsplit

from padlock.network.failure import NetworkFailure
from padlock.network.http import get
from padlock.network.limits import ISSUER_BYTES
from padlock.probes.run import Run
from padlock.site import host_name


async def download(run: Run, url: str) -> bytes:
    """Return what is at an AIA URL; empty where it may not or cannot be had."""
    try:
        parts = urlsplit(url)
        host, port = host_name(parts.hostname or ""), parts.port or 80
        addresses = await run.addresses(host)
    except ValueError:
        return b""
    if port not in (80, run.site.http_port) or parts.scheme != "http" or "@" in parts.netloc:
        return b""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or not target.isprintable() or " " in target:
        return b""
    for address in addresses[:2]:
        try:
            async with run.connection(host, address, port) as connection:
                response = await get(connection, host, target)
        except NetworkFailure:
            continue
        if response.status == 200 and not response.failure and len(response.body) <= ISSUER_BYTES:
            return response.body
    return b""
