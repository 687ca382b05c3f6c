"""What Chromium does with cookies that are set over HTTPS, beside what Padlock says of them.

Each case is a host of its own that sets one cookie on its front page. Chromium opens that page, then another over
HTTPS and one over plain HTTP; the servers note which of them the cookie came back to.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Literal

import msgspec
from padlock import assess, probes, site
from padlock.findings import Finding
from padlock.network.vantage import Vantage

from tests import dns_server
from tests.conformance import chromium
from tests.conformance.cookie_cases import CASES, CookieCase
from tests.conformance.corpus import Corpus
from tests.servers import LOOPBACK, Authority, Request, listen, pages, reply

type Fate = Literal["in clear", "over HTTPS", "not taken"]
type Opinion = Literal["in clear", "not taken", ""]

AT_ONCE = 4
_AGREED: Mapping[Opinion, tuple[Fate, ...]] = {
    "in clear": ("in clear",),
    "not taken": ("not taken",),
    "": ("over HTTPS",),
}
"""Padlock's opinion → what Chromium then does with the cookie."""


class Row(msgspec.Struct, frozen=True):
    """One case with both verdicts."""

    case: CookieCase
    ours: Opinion
    theirs: Fate

    @property
    def agreed(self) -> bool:
        """Whether both say the same."""
        return self.theirs in _AGREED[self.ours]

    @property
    def wrong(self) -> bool:
        """Whether nobody knows why they differ, or the reason is stale."""
        return self.agreed == bool(self.case.reason)


async def compare(corpus: Corpus) -> list[Row]:
    """Have Chromium and Padlock visit every case; call it on the visitors' side."""
    cases = {f"c{number}.example.com": case for number, case in enumerate(CASES)}
    authority = Authority()
    ca_file = corpus.directory / "cookies-root.pem"
    ca_file.write_text(authority.pem)
    came: set[tuple[str, str]] = set()
    """(host, scheme) that a cookie came back to."""

    def answer(request: Request) -> bytes:
        if request.path == "/see":
            if request.headers.get("cookie"):
                came.add((request.host, request.scheme))
            return reply(200, "<!doctype html><title>seen</title>", ("Content-Type", "text/html"))
        case = cases.get(request.host)
        own = [("Set-Cookie", case.cookie), *case.headers.items()] if case and request.scheme == "https" else []
        return reply(200, "<!doctype html><title>set</title>", ("Content-Type", "text/html"), *own)

    serve = pages(answer)
    async with listen(serve, port=443, tls=authority.context(*cases)), listen(serve, port=80):
        async with chromium.running(ca_file, dict.fromkeys(cases, "127.0.0.1")) as browser:
            slots = asyncio.Semaphore(AT_ONCE)

            async def one(host: str) -> None:
                async with slots:
                    context = await browser.new_context()
                    for url in (f"https://{host}/", f"https://{host}/see", f"http://{host}/see"):
                        await browser.visit(url, context, settle=0)

            await asyncio.gather(*map(one, cases))
        opinions = await _by_padlock(list(cases), authority.pem)
    return [Row(case, opinions[host], _fate(came, host)) for host, case in cases.items()]


def _fate(came: set[tuple[str, str]], host: str) -> Fate:
    if (host, "http") in came:
        return "in clear"
    return "over HTTPS" if (host, "https") in came else "not taken"


async def _by_padlock(hosts: list[str], ca: str) -> dict[str, Opinion]:
    records = [f"{host}. A 127.0.0.1" for host in hosts]
    answers = dns_server.recursive(("example.com", "@ NS ns.example.com.", "ns A 127.0.0.1", *records))
    async with dns_server.serve(answers) as resolver:
        vantage = Vantage(
            resolvers=(resolver.endpoint,),
            public_resolvers=(),
            nameserver_port=resolver.endpoint[1],
            networks=LOOPBACK,
        )
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(host: str) -> Opinion:
            declared = {"name": host, "hosts": [host], "private_ca": ca, "networks": list(LOOPBACK)}
            async with slots:
                evidence = await probes.gather(site.parse(declared), dt.datetime.now(dt.UTC), vantage)
            return _opinion(assess.assess(evidence).findings)

        return dict(zip(hosts, await asyncio.gather(*map(one, hosts)), strict=True))


def _opinion(findings: tuple[Finding, ...]) -> Opinion:
    told = [finding.observed for finding in findings if finding.code == "proxy.insecure_cookie"]
    if not told:
        return ""
    return "not taken" if "browsers do not take" in told[0] else "in clear"
