"""Services that are asked about a site, as real HTTPS servers on loopback with their own DNS, and a run that asks.

async with services(pages({"/domain/shop.test": reply(body="{}")})) as asked:
    answer = await fetch(asked.run(), asked.url("/domain/shop.test"), limit=1000)
"""

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from padlock.evidence import Registration
from padlock.network.vantage import Vantage
from padlock.probes.cache import Cache, MemoryCache
from padlock.probes.registration import look_up
from padlock.probes.run import Run
from padlock.site import parse

from tests import captured, dns_server
from tests.servers import LOOPBACK, Authority, Script, listen, pages, reply

NAME = "service.example"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Asked(msgspec.Struct):
    """A service that runs, and the vantage point that finds it."""

    port: int
    vantage: Vantage
    authority: Authority
    resolver: dns_server.Server

    def url(self, path: str = "") -> str:
        """Return a URL of the service."""
        return f"https://{NAME}:{self.port}{path}"

    def run(self, declaration: Any = "shop.test", now: datetime | None = None, cache: Cache | None = None) -> Run:
        """Return a run of a site that nothing but services are asked for."""
        return Run(parse(declaration), now or datetime.now(UTC), self.vantage, cache or MemoryCache())

    def where(self, **fields: Any) -> "Asked":
        """Return the same service seen from another vantage point."""
        return msgspec.structs.replace(self, vantage=msgspec.structs.replace(self.vantage, **fields))


@contextlib.asynccontextmanager
async def services(
    script: Script, *, names: tuple[str, ...] = (NAME,), service: str = "rdap", zones: Iterable[tuple[str, ...]] = ()
) -> AsyncIterator[Asked]:
    """Run one service whose certificate is for `names`; the operator names it, and opens loopback to it.

    `zones` are further zones that the resolver knows, each (apex, line, line...).
    """
    authority = Authority()
    lines = ["@ A 127.0.0.1", "inside A 169.254.169.254"]
    async with (
        listen(script, tls=authority.context(*names)) as port,
        dns_server.serve(dns_server.recursive((NAME, *lines), *zones)) as resolver,
    ):
        with tempfile.TemporaryDirectory() as directory:
            ca_file = Path(directory, "ca.pem")
            authority.ca.cert_pem.write_to_path(str(ca_file))
            vantage = Vantage(
                resolvers=(resolver.endpoint,),
                public_resolvers=(),
                networks=LOOPBACK,
                ca_file=str(ca_file),
                services={service: f"https://{NAME}:{port}"},
            )
            yield Asked(port, vantage, authority, resolver)


NAMED = {"EXAMPLE.COM": "SHOP.TEST", "2023-08-13T04:00:00Z": "2027-06-01T10:00:00Z"}
"""Of Verisign's answer: the name and the date that these tests have instead."""
DOMAIN = json.loads(captured.text("rdap-verisign.json", NAMED))
REGISTRAR = "RESERVED-Internet Assigned Numbers Authority"


def domain(**fields: Any) -> bytes:
    """Return Verisign's answer with other fields."""
    return rdap(json.dumps({**DOMAIN, **fields}))


def rdap(body: str, status: int = 200) -> bytes:
    """Return a response of an RDAP service."""
    return reply(status, body, ("Content-Type", "application/rdap+json"))


async def seen(run: Run) -> tuple[Registration, ...]:
    """Return what a run learns of its registrations."""
    await look_up(run)
    found: tuple[Registration, ...] = run.pieces["registration"]
    return found


def said(answer: bytes, log: list[str] | None = None) -> Script:
    """Return a service with one domain."""
    return pages({"/domain/shop.test": answer}, log)
