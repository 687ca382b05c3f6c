"""Padlock's own look at the corpus: its probes and rules, as in production."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from padlock import assess, probes, site
from padlock.findings import Finding, Report, Severity
from padlock.network.vantage import Vantage

from tests import dns_server
from tests.conformance.case import Case, Opinion, Verdict
from tests.conformance.corpus import Corpus

AT_ONCE = 8
_SHUT = ("certificate.", "tls.", "port.https_closed", "port.not_tls")
"""What an error of keeps a visitor out."""
_SEEN = ("certificate.", "tls.", "content.", "redirect.missing")
"""What a visitor gets the page in spite of."""


class Look(msgspec.Struct, frozen=True):
    """What Padlock says of one case."""

    verdict: Verdict
    codes: tuple[str, ...]
    """Every warning and error."""
    report: Report
    incomplete: str
    """Why the look was cut off; empty: it came to its own end."""


async def look_at(corpus: Corpus, cases: Sequence[Case]) -> dict[str, Look]:
    """Gather and judge every case, several at once; call it on the visitors' side."""
    slots = asyncio.Semaphore(AT_ONCE)
    zones: dict[str, list[str]] = {}
    for host, address in corpus.addresses.items():
        zones.setdefault(".".join(host.split(".")[-2:]), []).append(f"{host}. A {address}")
    data = [
        (apex, f"@ NS ns.{apex}.", f"ns A {next(iter(corpus.addresses.values()))}", *lines)
        for apex, lines in zones.items()
    ]
    async with dns_server.serve(dns_server.recursive(*data)) as resolver:
        vantage = Vantage(
            resolvers=(resolver.endpoint,),
            public_resolvers=(),
            nameserver_port=resolver.endpoint[1],
            ca_file=str(corpus.ca_file),
        )

        async def one(case: Case) -> Look:
            async with slots:
                declared = site.parse(_declaration(corpus, case))
                evidence = await probes.gather(declared, dt.datetime.now(dt.UTC), vantage)
            return judged(assess.assess(evidence), evidence.incomplete)

        looks = await asyncio.gather(*map(one, cases))
    return dict(zip((case.name for case in cases), looks, strict=True))


def _declaration(corpus: Corpus, case: Case) -> dict[str, Any]:
    port = corpus.ports.get(case.host, 443)
    return {"name": case.host, "hosts": [case.host], "ports": {"http": 80, "https": port}}


def judged(report: Report, incomplete: str) -> Look:
    """Return a report in the vocabulary of the comparison."""
    bad = [finding for finding in report.findings if finding.severity is not Severity.NOTICE]
    codes = tuple(sorted({finding.code for finding in bad}))
    shut = [finding for finding in report.findings if _keeps_out(finding)]
    told = shut or [finding for finding in bad if finding.code.startswith(_SEEN)]
    opinion: Opinion = "refuses" if shut else "warns" if told else "accepts"
    return Look(Verdict(opinion, ", ".join(dict.fromkeys(f.code for f in told))), codes, report, incomplete)


def _keeps_out(finding: Finding) -> bool:
    if finding.code == "tls.client_certificate_required":
        return True
    return finding.severity is Severity.ERROR and finding.code.startswith(_SHUT)
