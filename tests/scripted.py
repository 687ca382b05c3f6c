"""Queued runs whose looks see what the test says, with the tables of an embedded AWS."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from padlock import evidence as ev
from padlock.checking import Checked, Declaration, Task, site_of
from padlock.findings import Finding, Report
from padlock.outage import Watch
from padlock.running import Look, Ran, Runner
from padlock.site import Site, key_of
from padlock.storage import Results, Slots

from local.aws import EmbeddedAws
from tests import evidence_builder as builder
from tests.reports import NOW, finding, report
from tests.runs import FURTHER
from tests.watched import Seen

ENOUGH_TIME, NO_TIME = 600.0, 30.0
"""Seconds that are left for a run: for a second look, and for none."""
RETENTION = 3600


class Script:
    """Sites, and what the next looks at each of them see; each look is used once."""

    def __init__(self, aws: EmbeddedAws) -> None:
        dynamodb, table = aws.client("dynamodb"), aws.physical["ResultsTable"]
        self.aws = aws
        self.results, self.slots = Results(dynamodb, table), Slots(dynamodb, table)
        self.watch = Watch(self.slots)
        self.now = NOW
        self.declared: set[str] = set()
        self.addresses: dict[str, str] = {}
        self._looks: dict[str, list[Seen]] = {}
        self._meeting: asyncio.Barrier | None = None
        self._met: set[str] = set()

    def runner(self, results: Results | None = None, look: Look | None = None) -> Runner:
        """Return one function's runner; without a pause between two looks."""
        return Runner(
            results or self.results,
            self.watch,
            look or self.look,
            FURTHER,
            RETENTION,
            declared=self.declared.__contains__,
            clock=lambda: self.now,
            pause=0,
        )

    async def look(self, task: Task, now: datetime) -> Checked:
        """See what comes next in the script."""
        if self._meeting and task.name not in self._met:
            self._met.add(task.name)
            await self._meeting.wait()
        seen = self._looks[task.name].pop(0)
        judged = seen if isinstance(seen, Report) else report(*seen, site=task.name)
        site = site_of(task)
        declared = {"labels": site.labels, "timezone": site.timezone} if isinstance(site, Site) else {}
        dns = ev.Dns((builder.host_dns(task.name, self.addresses.get(task.name, "192.0.2.1")),))
        evidence = builder.change(builder.healthy(), dns=dns)
        return Checked(builder.change(judged, checked_at=now, **declared), evidence, 0.1)

    def will_see(self, site: str, *looks: Seen) -> None:
        """Say what the next looks at a site see."""
        self._looks.setdefault(site, []).extend(looks)

    def meet(self, sites: int) -> None:
        """Have the first looks at so many sites all end before any second one begins, as the pause has it."""
        self._meeting, self._met = asyncio.Barrier(sites), set()

    def left(self, site: str) -> int:
        """Return how many looks of the script were not needed, and forget them."""
        return len(self._looks.pop(site, []))

    async def run(
        self, declaration: Declaration, *looks: Seen, minutes: float = 5, seconds: float = ENOUGH_TIME
    ) -> Ran:
        """Run a site's task some minutes after the last one; `seconds` are left for it."""
        self.now += timedelta(minutes=minutes)
        self.declared.add(key_of(declaration))
        self.will_see(key_of(declaration), *looks)
        return await self.runner().run(Task(declaration, self.now), time.monotonic() + seconds)

    async def remove(self, site: str, slot: datetime | None = None, results: Results | None = None) -> Ran:
        """Run the task that says that a site is gone, as it is."""
        self.declared.discard(site)
        task = Task(site, slot or self.now, removed=True)
        return await self.runner(results).run(task, time.monotonic() + ENOUGH_TIME)

    def records(self, site: str) -> list[dict[str, Any]]:
        """Return the outbox of a site, in order, events included."""
        return list(self.results._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": "ALERT#"}))

    def alerts(self, site: str) -> list[tuple[str, str, str]]:
        """Return kind, from and to of the alerts that somebody is told of."""
        return [(row["kind"], row["from"], row["to"]) for row in self.records(site) if row["kind"] != "status"]


def down(site: str, code: str = "port.https_closed") -> Finding:
    """Return the finding that a site cannot be reached."""
    return finding(code, site, reachability=True)
