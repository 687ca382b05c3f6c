"""Compare Padlock's verdicts with those of Chromium, curl, OpenSSL and testssl.sh on the same servers.

    python -m tests.conformance [--write docs/conformance.md | --only content mixed cookies]

Exit status: 0 no difference without a reason, 1 there is one, 3 something is missing here, and nothing was compared.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance import chromium, cookies, mixed_content, ours, peers, report
from tests.conformance.case import Case, Peer, Verdict
from tests.conformance.cases import CASES
from tests.conformance.comparison import Row
from tests.conformance.corpus import Corpus, missing, running

PROCESSES = 3
"""Programs that run at the same time; testssl.sh is bound by the processor."""
VISITS = 4
MISSING = 3


def main() -> int:
    """Run everything, print it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--write", metavar="FILE", type=Path, help="also write the page that documents the run")
    parts = (*dict.fromkeys(case.section for case in CASES), "mixed", "cookies")
    parser.add_argument("--only", metavar="PART", nargs="+", choices=parts, help=f"of {', '.join(parts)}")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("the page documents whole runs")
    lack = missing("chromium", "certutil", "testssl", "curl", "ss")
    if lack:
        print(f"the conformance suite is skipped: {lack}", file=sys.stderr)  # noqa: T201
        return MISSING
    began = time.monotonic()
    wanted = frozenset(options.only or parts)
    cases = [case for case in CASES if case.section in wanted]
    with running(cases) as corpus:
        found = corpus.call(lambda: asyncio.run(_compare(corpus, cases, wanted)))
    run = report.Run(*found, datetime.now(UTC), _versions(), time.monotonic() - began)
    print(report.text(run))  # noqa: T201
    if options.write:
        options.write.write_text(report.page(run), encoding="utf-8")
    return 1 if report.wrong(run) else 0


async def _compare(
    corpus: Corpus, cases: Sequence[Case], wanted: frozenset[str]
) -> tuple[list[Row], list[mixed_content.Row], list[cookies.Row]]:
    """Ask everybody; Padlock first and alone, because its deadlines are those of production."""
    looks = await ours.look_at(corpus, cases)
    _say(f"Padlock has looked at {len(looks)} cases")
    slots = asyncio.Semaphore(PROCESSES)
    asked = [(case, peer) for case in cases for peer in case.peers() if peer != "chromium"]
    programs = asyncio.gather(*(_asked(corpus, case, peer, slots) for case, peer in asked))
    visits = await _visits(corpus, cases)
    _say("Chromium has looked")
    elements = await mixed_content.compare(corpus) if "mixed" in wanted else []
    jars = await cookies.compare(corpus) if "cookies" in wanted else []
    verdicts = {(case.name, peer): verdict for (case, peer), verdict in zip(asked, await programs, strict=True)}
    rows = []
    for case in cases:
        theirs: dict[Peer, Verdict] = {"chromium": visits[case.name]}
        theirs |= {peer: verdicts[case.name, peer] for peer in case.peers() if peer != "chromium"}
        rows.append(Row(case, looks[case.name].verdict, theirs))
    return rows, elements, jars


async def _asked(corpus: Corpus, case: Case, peer: Peer, slots: asyncio.Semaphore) -> Verdict:
    programs: dict[Peer, Callable[[Corpus, Case], Awaitable[Verdict]]] = {
        "curl": peers.curl,
        "openssl": peers.openssl,
        "testssl": peers.testssl,
    }
    async with slots:
        return await programs[peer](corpus, case)


async def _visits(corpus: Corpus, cases: Sequence[Case]) -> dict[str, Verdict]:
    slots = asyncio.Semaphore(VISITS)
    async with chromium.running(corpus.ca_file, corpus.addresses) as browser:

        async def one(case: Case) -> Verdict:
            port = f":{corpus.ports[case.host]}" if case.host in corpus.ports else ""
            async with slots:
                return _verdict(await browser.visit(f"{case.start}://{case.host}{port}/"))

        verdicts = await asyncio.gather(*map(one, cases))
    return dict(zip((case.name for case in cases), verdicts, strict=True))


def _verdict(visit: chromium.Visit) -> Verdict:
    if visit.error:
        return Verdict("refuses", visit.error)
    if visit.status >= 400:
        return Verdict("refuses", f"status {visit.status}")
    if visit.url.startswith("http://"):
        return Verdict("warns", "not secure")
    return Verdict("warns" if visit.mixed else "accepts", ", ".join(dict.fromkeys(what for _, what in visit.mixed)))


def _versions() -> dict[str, str]:
    """Return program → its version as it says it."""
    commands = {
        "Chromium": "chromium --version",
        "curl": "curl --version",
        "OpenSSL": "openssl version",
        "testssl.sh": "testssl --version",
        "nginx": "/usr/sbin/nginx -v",
        "GnuTLS": "gnutls-serv --version",
    }
    return {name: _version(command) for name, command in commands.items()}


def _version(command: str) -> str:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(r"\d+(?:\.\d+)+[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
