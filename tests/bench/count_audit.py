"""The audits that are counted: what the check function does with one message, from the queue's text to the table.

Two runs of one site: `unchanged`, in which it is healthy as it was before, and `breaks`, in which its app has died
and its certificate has expired, so that it is looked at twice and an alert is written.
"""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import msgspec
from padlock import checking, outage, running, storage
from padlock.message import Further
from padlock.network.vantage import Vantage
from padlock.running import Ran

from tests.bench import count_site as site
from tests.bench.count_loop import Loop
from tests.bench.count_meter import Meter
from tests.bench.count_replay import Replay, Unplayable

RETENTION = 90 * 86400
"""Seconds."""
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "counted",
    "AWS_SECRET_ACCESS_KEY": "counted",
    "AWS_SESSION_TOKEN": "counted",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Scenario(msgspec.Struct, frozen=True):
    """One run."""

    name: str
    certificate: str
    """Which of the site's contexts is served."""
    slot: int
    """Number of the slot of five minutes."""
    status: str
    """Of its report."""
    is_new: bool = False
    """The process has seen nothing of the site and its certificates."""


SCENARIOS = (Scenario("unchanged", "healthy", 3, "ok"), Scenario("breaks", "expired", 4, "error", is_new=True))


class Auditor:
    """The check function's parts, as it makes them at import; their AWS is the replay's."""

    def __init__(self, replay: Replay, folder: Path, table: str) -> None:
        """Take the servers, where `root.pem` is, and the name of the Results table."""
        self._replay = replay
        self._vantage: Vantage = site.vantage(replay.network, folder / "root.pem")
        endpoint = f"http://{site.address(replay.network)}:{site.AMAZON}"
        with patch.dict(os.environ, {**_CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}):
            self._client = storage.client()
        self._table = table
        self._cache = storage.Cache(self._client, table)
        self._hosts = storage.Hosts(self._client, table)
        self._results = storage.Results(self._client, table)

    def run(self, scenario: Scenario, meter: Meter) -> Ran:
        """Work on the message of one slot."""
        loop = Loop(self._replay, meter)
        try:
            return loop.run_until_complete(self._work(scenario))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _work(self, scenario: Scenario) -> Ran:
        now = site.NOW + scenario.slot * timedelta(minutes=5)
        message = {"site": site.declaration(), "slot": storage.stamp(now)}
        watch = outage.Watch(storage.Slots(self._client, self._table))
        runner = running.Runner(
            self._results,
            watch,
            lambda task, at: checking.check_task(task, self._vantage, at, self._cache, self._hosts),
            Further(table=self._table, place="eu-central-1"),
            RETENTION,
            declared=lambda _: True,
            clock=lambda: now,
            pause=0.0,
        )
        task = checking.read_task(msgspec.json.encode(message).decode())
        ran = await runner.run(task, time.monotonic() + 600)
        await asyncio.to_thread(watch.flush, int(now.timestamp()) + running.SAMPLE_SECONDS)
        return ran


def check_known(scenario: Scenario, replay: Replay) -> None:
    """Raise Unplayable where a run asked for what nobody recorded."""
    if unknown := list(dict.fromkeys(replay.tally.unknown)):
        raise Unplayable(
            f"the audit `{scenario.name}` asks for what was not recorded: {'; '.join(unknown)}\n"
            "If it is meant to, record anew: python -m tests.bench count --record"
        )


def check_outcome(scenario: Scenario, ran: Ran) -> None:
    """Raise Unplayable where a run was not the one that was meant, as its figures would mean nothing."""
    if (ran.outcome, ran.status) != ("applied", scenario.status):
        raise Unplayable(
            f"the audit `{scenario.name}` ended as {ran.outcome}, {ran.status}, not as applied, {scenario.status}\n"
            "If that verdict is meant to change, record anew: python -m tests.bench count --record"
        )
