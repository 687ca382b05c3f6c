"""Queued runs: when a second look is taken, what a run that comes twice does, how a site is closed and comes back."""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock.changes import State, fold
from padlock.checking import Checked, Task
from padlock.storage import Results

from local.aws import EmbeddedAws
from tests.reports import NOW, SITE, finding, report
from tests.runs import POLICY, next_ticket, run_of, saved
from tests.scripted import ENOUGH_TIME, NO_TIME, RETENTION, Script, down
from tests.watched import BLIND, codes

EXPIRED, CLOSED = finding("certificate.expired"), down(SITE)
SLOW = finding("app.slow", severity="warning", reachability=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def script(aws: EmbeddedAws) -> Script:
    """Return the script of one test."""
    return Script(aws)


def open_now(script: Script, site: str = SITE) -> list[str]:
    """Return the codes of what is open."""
    return codes(script.results.load(site).state.findings)


# --- looks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [[], [EXPIRED], [SLOW], BLIND])
async def test_one_look_is_enough(script: Script, seen: Any) -> None:
    """What is well, what is a fact, what alerts nobody and what could not be seen needs no second look."""
    ran = await script.run(SITE, seen, [])
    assert (ran.outcome, script.left(SITE)) == ("applied", 1)


async def test_second_look_opens_what_both_saw(script: Script) -> None:
    """A site that cannot be reached twice in a run is told to be so at once."""
    ran = await script.run(SITE, [CLOSED], [CLOSED], [])
    assert (ran.status, script.left(SITE), open_now(script)) == ("error", 1, ["port.https_closed"])
    assert script.alerts(SITE) == [("changed", "unknown", "error")]


async def test_second_look_clears_what_has_passed(script: Script) -> None:
    """A short disturbance is over at the second look, and is told to nobody."""
    ran = await script.run(SITE, [CLOSED], [])
    state = script.results.load(SITE).state
    assert (ran.status, state.findings, state.pending) == ("ok", (), ())
    assert script.alerts(SITE) == []


async def test_second_look_closes_what_is_over(script: Script) -> None:
    """An error that is gone is looked at again at once, and told to be over by the same run."""
    await script.run(SITE, [EXPIRED])
    await script.run(SITE, [], [])
    assert script.alerts(SITE) == [("changed", "unknown", "error"), ("changed", "error", "ok")]


async def test_no_second_look_without_time(script: Script) -> None:
    """Where the function would be ended in between, the second look is the next run's."""
    await script.run(SITE, [CLOSED], [CLOSED], seconds=NO_TIME)
    assert (script.left(SITE), open_now(script), script.alerts(SITE)) == (1, [], [])
    await script.run(SITE, [CLOSED], seconds=NO_TIME)
    assert (open_now(script), script.alerts(SITE)) == (["port.https_closed"], [("changed", "ok", "error")])


async def test_thresholds_are_the_sites(script: Script) -> None:
    """A site that declares four failures is told of in its second run."""
    site = {"name": SITE, "thresholds": {"failures": 4}}
    await script.run(site, [CLOSED], [CLOSED])
    assert script.alerts(SITE) == []
    await script.run(site, [CLOSED], [CLOSED])
    assert script.alerts(SITE) == [("changed", "ok", "error")]


async def test_maintenance_and_silence_are_the_sites(script: Script) -> None:
    """What a site declares of windows and acknowledgements holds for its runs."""
    window = {"start": "2026-11-20T12:00:00Z", "end": "2026-11-20T12:07:00Z"}
    await script.run({"name": SITE, "maintenance": [window]}, [EXPIRED])
    silence = {"code": EXPIRED.code, "until": "2026-11-21"}
    await script.run({"name": SITE, "acknowledge": [silence]}, [EXPIRED])
    assert script.alerts(SITE) == []
    assert [row["to"] for row in script.records(SITE)] == ["error"]
    await script.run(SITE, [EXPIRED])
    assert script.alerts(SITE) == [("changed", "error", "error")]


async def test_wrong_declaration_is_run_and_told(script: Script) -> None:
    """A declaration that cannot be read has no policy of its own; its run is stored all the same."""
    ran = await script.run({"name": SITE, "helth": 1}, [finding("site.invalid")])
    assert (ran.outcome, ran.status) == ("applied", "error")


# --- the same run again -------------------------------------------------------------------------------------------


async def test_run_that_comes_twice_is_a_duplicate(script: Script) -> None:
    """A message that comes again after its run was stored is acknowledged without a look, and counts nothing."""
    await script.run(SITE, [EXPIRED], [])
    again = await script.run(SITE, minutes=0)
    assert (again.outcome, again.status, script.left(SITE)) == ("duplicate", None, 1)
    assert script.results.load(SITE).version == 1
    assert len(script.records(SITE)) == 1


async def test_run_row_says_how_long_it_is_kept(script: Script) -> None:
    """A row goes after the retention, counted from when it was written."""
    await script.run(SITE, [])
    (row,) = script.results.history(SITE)
    assert (row["sk"], row["kind"]) == ("RUN#2026-11-20T12:05:00Z", "applied")
    assert 0 <= row["ttl"] - (time.time() + RETENTION) + 60 <= 61


async def test_abandoned_run_is_inconclusive(script: Script) -> None:
    """A site that cannot be looked at has its row, with the reason; what is open stays so, and nobody is told."""
    site = {"name": SITE, "labels": {"team": "web"}, "timezone": "Asia/Tokyo"}
    await script.run(site, [EXPIRED])
    script.now += 5 * MINUTE
    ran = await script.runner().abandon(Task(site, script.now), "it ended the function")
    assert (ran.outcome, ran.status) == ("applied", "inconclusive")
    row = next(script.results.history(SITE))
    assert (row["status"], row["summary"]) == ("inconclusive", "it ended the function")
    assert (open_now(script), script.results.load(SITE).state.blind) == (["certificate.expired"], 1)
    assert len(script.records(SITE)) == 1
    again = await script.runner().abandon(Task(site, script.now), "it ended the function")
    assert again.outcome == "duplicate"
    item = script.results.state(SITE)
    assert item is not None
    assert (item["report"]["labels"], item["report"]["timezone"]) == ({"team": "web"}, "Asia/Tokyo")


# --- removal and return -------------------------------------------------------------------------------------------


async def test_removed_site_is_closed_once(script: Script) -> None:
    """One alert closes a site, whatever its message comes again; it is in no list of failing sites any more."""
    await script.run({"name": SITE, "labels": {"team": "web"}}, [EXPIRED])
    script.now += MINUTE
    assert (await script.remove(SITE)).outcome == "applied"
    assert (await script.remove(SITE)).outcome == "duplicate"
    assert (await script.remove(SITE, script.now + MINUTE)).outcome == "duplicate"
    assert script.alerts(SITE) == [("changed", "unknown", "error"), ("removed", "error", "removed")]
    closing = script.records(SITE)[-1]
    assert (closing["change"]["resolved"], closing["labels"]) == (
        ["certificate.expired example.com"],
        {"team": "web"},
    )
    assert list(script.results.failing()) == []
    item = script.results.state(SITE)
    assert item is not None
    assert (item["status"], item["summary"]) == ("removed", "no longer declared")


async def test_removal_of_a_site_that_is_declared_does_nothing(script: Script) -> None:
    """A message that comes late, after the site was added again, closes nothing."""
    await script.run(SITE, [EXPIRED])
    gone = Task(SITE, script.now, removed=True)
    assert (await script.runner().run(gone, time.monotonic() + ENOUGH_TIME)).outcome == "superseded"
    assert script.alerts(SITE) == [("changed", "unknown", "error")]


async def test_removal_of_a_site_that_was_never_run_tells_nobody(script: Script) -> None:
    """What never ran has nothing to close; a run of it that comes late does not begin it."""
    assert (await script.remove("never.example")).outcome == "applied"
    late = Task("never.example", script.now - MINUTE)
    assert (await script.runner().run(late, time.monotonic() + ENOUGH_TIME)).outcome == "superseded"
    assert script.records("never.example") == []


async def test_removal_wins_over_the_look_of_a_run(script: Script) -> None:
    """A site that is removed while a run looks at it stays removed, and the run is kept as history."""
    await script.run(SITE, [EXPIRED])

    async def look(task: Task, now: datetime) -> Checked:
        await script.remove(SITE)
        return await script.look(task, now)

    script.will_see(SITE, [EXPIRED, finding("tls.x")])
    ran = await script.runner(look=look).run(Task(SITE, script.now + MINUTE), time.monotonic() + ENOUGH_TIME)
    assert ran.outcome == "superseded"
    assert script.results.load(SITE).state.removed
    assert [kind for kind, *_ in script.alerts(SITE)] == ["changed", "removed"]
    assert next(script.results.history(SITE))["kind"] == "superseded"


async def test_older_slot_of_a_removed_site_is_superseded(script: Script) -> None:
    """A run that was sent before its site was removed does not bring it back."""
    await script.run(SITE, [EXPIRED])
    script.now += 2 * MINUTE
    await script.remove(SITE)
    late = Task(SITE, script.now - MINUTE)
    ran = await script.runner().run(late, time.monotonic() + ENOUGH_TIME)
    assert (ran.outcome, ran.status) == ("superseded", None)
    assert script.results.load(SITE).state.removed


async def test_abandoned_run_of_a_removed_site_is_superseded(script: Script) -> None:
    """Nor does a message that has come too often bring a site back that is gone by now."""
    await script.run(SITE, [EXPIRED])
    await script.remove(SITE)
    ran = await script.runner().abandon(Task(SITE, script.now - MINUTE), "it ended the function")
    assert (ran.outcome, ran.status) == ("superseded", None)
    assert script.results.load(SITE).state.removed


async def test_newer_slot_brings_a_site_back(script: Script) -> None:
    """A site that is added again begins anew; its numbers go on, and its status follows from the removal."""
    await script.run(SITE, [EXPIRED])
    await script.remove(SITE)
    assert (await script.run(SITE, [EXPIRED])).outcome == "applied"
    assert [(row["seq"], row["from"], row["to"]) for row in script.records(SITE)] == [
        (1, "unknown", "error"),
        (2, "error", "removed"),
        (3, "removed", "error"),
    ]
    assert open_now(script) == ["certificate.expired"]


class Meddled:
    """A DynamoDB client whose first transaction comes after somebody else's work."""

    def __init__(self, client: Any, work: Callable[[], object]) -> None:
        self._client, self._work = client, work
        self._calls = itertools.count()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        """Write after the other."""
        if next(self._calls) == 0:
            self._work()
        return self._client.transact_write_items(**arguments)


async def test_removal_wins_over_a_run_that_comes_in_between(script: Script) -> None:
    """A run that starts and ends while its site is closed leaves it closed: no other message would close it."""
    await script.run(SITE, [EXPIRED])
    other = report(EXPIRED, finding("tls.x"), at=NOW + 6 * MINUTE)
    meddled = Meddled(
        script.aws.client("dynamodb"),
        lambda: saved(script.results, run_of(other, next_ticket(script.results, SITE)), other),
    )
    results = Results(meddled, script.aws.physical["ResultsTable"])  # type: ignore[arg-type]
    assert (await script.remove(SITE, results=results)).outcome == "applied"
    assert script.results.load(SITE).state.removed
    assert script.alerts(SITE)[-1] == ("removed", "error", "removed")
    assert len(script.records(SITE)[-1]["change"]["resolved"]) == 2


# --- busy tables --------------------------------------------------------------------------------------------------


def test_runs_at_the_same_time_are_all_applied_or_superseded(results: Results) -> None:
    """Writers in each other's way lose nothing: the state is the fold of the applied runs in ticket order."""
    tickets = range(1, 7)
    reports = {
        ticket: report(finding(f"x.{ticket % 3}"), at=NOW + ticket * MINUTE, expires=NOW) for ticket in tickets
    }

    def write(ticket: int) -> str:
        return saved(results, run_of(reports[ticket], ticket, f"{ticket}"), reports[ticket])

    with ThreadPoolExecutor(6) as pool:
        outcomes = dict(zip(tickets, pool.map(write, tickets), strict=True))
    assert set(outcomes.values()) <= {"applied", "superseded"}
    assert outcomes[tickets[-1]] == "applied"
    expected = State()
    changes = 0
    for ticket in (ticket for ticket in tickets if outcomes[ticket] == "applied"):
        expected, change = fold(expected, [reports[ticket]] * 2, POLICY)
        changes += change is not None
    stored = results.load(SITE)
    assert (stored.state, stored.seq) == (expected, changes)
    assert sum(1 + row.get("repeats", 0) for row in results.history(SITE)) == 6


class Busy:
    """A DynamoDB client whose next transactions meet others of the same item."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        """Write, unless another transaction is in the way."""
        if self._times == 0:
            return self._client.transact_write_items(**arguments)
        self._times -= 1
        reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
        raise ClientError(
            {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-item]
            "TransactWriteItems",
        )


def busy(aws: EmbeddedAws, times: int) -> Results:
    """Return the Results table, in whose way others are some times."""
    return Results(Busy(aws.client("dynamodb"), times), aws.physical["ResultsTable"])  # type: ignore[arg-type]


def test_busy_table_is_tried_again(aws: EmbeddedAws) -> None:
    """A transaction that met another one is made again."""
    results = busy(aws, 3)
    assert saved(results, run_of(report(), 1), report()) == "applied"


def test_endless_conflict_ends(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write all the time the run gives up with an error, so that its message comes again."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    results = busy(aws, 99)
    with pytest.raises(TimeoutError, match="8 times"):
        saved(results, run_of(report(), 1), report())
    assert results.state(SITE) is None


async def test_endless_conflict_ends_a_removal(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that cannot be closed now is closed when its message comes again."""
    await script.run(SITE, [EXPIRED])
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with pytest.raises(TimeoutError, match="8 times"):
        await script.remove(SITE, results=busy(script.aws, 99))
    assert not script.results.load(SITE).state.removed
    assert (await script.remove(SITE)).outcome == "applied"
