"""Mixed content as Chromium itself reports it, beside Padlock's verdict on the same elements and pages.

Every case is a page of its own over a real TLS server, which holds one insecure URL; Chromium says as an issue of its
DevTools protocol what it blocked, asked for over HTTPS instead, or warned of.
"""

import asyncio
import re
from typing import Literal

import msgspec
from padlock.probes.references import in_page, in_stylesheet

from tests.conformance import chromium
from tests.conformance.corpus import Corpus
from tests.conformance.mixed_cases import CASES, INSECURE, MixedCase
from tests.servers import Authority, Request, listen, pages, reply

type Fate = Literal["blocked", "upgraded", "warned", ""]

HOST = "example.com"
AT_ONCE = 6
AGREED: dict[str, tuple[Fate, ...]] = {
    "active": ("blocked", "warned"),
    "passive": ("upgraded",),
    "active upgraded": ("upgraded",),
    "passive upgraded": ("upgraded",),
    "": ("",),
}
"""Padlock's verdict → what Chromium does with it. Under upgrade-insecure-requests Chromium reports nothing: the
requests that it makes instead show that it upgraded."""
_FATES: dict[str, Fate] = {
    "MixedContentBlocked": "blocked",
    "MixedContentAutomaticallyUpgraded": "upgraded",
    "MixedContentWarning": "warned",
}


class Row(msgspec.Struct, frozen=True):
    """One case with both verdicts."""

    case: MixedCase
    ours: str
    theirs: Fate

    @property
    def agreed(self) -> bool:
        """Whether both say the same."""
        return self.theirs in AGREED[self.ours]

    @property
    def wrong(self) -> bool:
        """Whether nobody knows why they differ, or the reason is stale."""
        return self.agreed == bool(self.case.reason)


async def compare(corpus: Corpus) -> list[Row]:
    """Have Chromium open every case, and let Padlock judge it; call it on the visitors' side."""
    numbered = dict(enumerate(CASES))
    authority = Authority()
    ca_file = corpus.directory / "mixed-root.pem"
    ca_file.write_text(authority.pem)

    def answer(request: Request) -> bytes:
        found = re.fullmatch(r"/(\d+)/(\w*)(?:\.\w+)?", request.path)
        case = numbered.get(int(found[1])) if found else None
        if found is None or case is None:
            return reply(404)
        if found[2] == "sheet":
            return reply(200, case.sheet, ("Content-Type", "text/css"))
        policy = [("Content-Security-Policy", case.policy)] if case.policy else []
        return reply(200, document(case), ("Content-Type", "text/html"), *policy)

    async with listen(pages(answer), tls=authority.context(HOST)) as port:
        hosts = {HOST: f"127.0.0.1:{port}", INSECURE: "127.0.0.1:1"}
        slots = asyncio.Semaphore(AT_ONCE)
        async with chromium.running(ca_file, hosts) as browser:

            async def one(number: int) -> chromium.Visit:
                async with slots:
                    return await browser.visit(f"https://{HOST}/{number}/")

            visits = await asyncio.gather(*map(one, numbered))
    return [
        Row(case, by_padlock(case, f"https://{HOST}/{number}/"), _fate(visit))
        for (number, case), visit in zip(numbered.items(), visits, strict=True)
    ]


def document(case: MixedCase) -> str:
    """Return a case's page."""
    return f"<!doctype html><title>x</title>{case.html}"


def by_padlock(case: MixedCase, url: str) -> str:
    """Return Padlock's verdict on one page and its stylesheet."""
    contents = in_page(document(case), url, (case.policy,) if case.policy else ())
    counts = dict(contents.counts)
    for wanted in contents.assets:
        if wanted.kind == "stylesheet" and case.sheet:
            counts |= in_stylesheet(case.sheet, wanted.url, contents.policy).counts
    return " ".join(counts)


def _fate(visit: chromium.Visit) -> Fate:
    if visit.error:
        raise RuntimeError(f"Chromium did not open {visit.url}: {visit.error}")
    told = [_FATES[what] for url, what in visit.mixed if f"//{INSECURE}" in url]
    secure = any(url.startswith(f"https://{INSECURE}") for url, _ in visit.requests)
    return told[0] if told else "upgraded" if secure else ""
