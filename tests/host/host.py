"""The host as its owner meets it: look at it from outside and from within, and run what Padlock proposes."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from padlock import probes, site
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report
from padlock.network.vantage import Vantage
from padlock.probes.host import read

from tests.host.machine import Machine, Ran
from tests.host.outside import SITE, Outside
from tests.lab import names
from tests.lab.network import CHECKER

DECLARED = {"name": SITE, "hosts": [SITE, f"www.{SITE}"], "canonical": SITE, "health": "/health"}


class Checked(msgspec.Struct, frozen=True):
    """One look at the host."""

    report: Report
    evidence: Evidence

    @property
    def troubles(self) -> list[str]:
        """Codes of errors and warnings."""
        return sorted({finding.code for finding in self.report.findings if finding.severity != "notice"})

    @property
    def first(self) -> str:
        """The cause that stands first; empty: there is none."""
        return self.report.causes[0].code if self.report.causes else ""

    @property
    def commands(self) -> tuple[str, ...]:
        """What the first cause proposes to run."""
        return self.report.causes[0].commands if self.report.causes else ()

    @property
    def unknown(self) -> list[int]:
        """Steps of which the checklist cannot tell."""
        return [line.step for line in self.report.checklist if line.status == "unknown"]

    def told(self) -> str:
        """Return what a failed assertion should show."""
        findings = [f"{f.severity} {f.code} {f.subject}: {f.observed}" for f in self.report.findings]
        causes = [f"{c.code} {c.confidence} explains {c.explains}\n    {c.commands}" for c in self.report.causes]
        return "\n".join(["", *findings, *causes])


class Host(msgspec.Struct, frozen=True):
    """A host that runs, and the world around it."""

    machine: Machine
    outside: Outside

    def check(self, *, dry_run: bool = False, **declared: Any) -> Checked:
        """Look from outside and from within at once, and judge both."""
        wanted = site.parse({**DECLARED, **declared})
        vantage = Vantage(resolvers=((names.RESOLVER, 53),), ca_file=str(self.outside.ca_file), region="lab")
        options = ["--full", *(["--dry-run"] if dry_run else [])]
        with ThreadPoolExecutor(1) as pool:
            document = pool.submit(self.machine.collect, *options)
            seen = self.outside.network.call(
                CHECKER, lambda: asyncio.run(probes.gather(wanted, dt.datetime.now(dt.UTC), vantage))
            )
            evidence = msgspec.structs.replace(seen, host=(read(document.result()),))
        return Checked(assess(evidence), evidence)

    def run(self, commands: Iterable[str]) -> list[Ran]:
        """Run proposed lines of shell as root, each of which must succeed."""
        ran = [self.machine.sh(command) for command in commands]
        assert all(line.status == 0 for line in ran), ran
        return ran
