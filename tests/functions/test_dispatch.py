"""Dispatch's handler: what each of its events leads to, and when it fails so that the event comes again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.findings import CHECKER
from padlock.storage import Results, Sites, Slots
from padlock.storage.slots import Sample

from local.aws import EmbeddedAws
from local.pump import Context, Pump
from tests.reports import finding, report
from tests.runs import stored
from tests.test_schedule_dispatch import fill, queued
from tests.test_schedule_removed import closing, removal

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTES_5 = timedelta(minutes=5)


def text(moment: datetime) -> str:
    """Return a time as the Scheduler writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def dispatch(aws: EmbeddedAws) -> Pump:
    """Return the functions, with a site in the stack's parameter."""
    return Pump(aws, {"SITES": "bare.example", "POWERTOOLS_METRICS_DISABLED": "true"})


class Hurried(Context):
    """The context of a function that has time for a number of looks at the clock."""

    def __init__(self, looks: int) -> None:
        super().__init__("dispatch")
        self._left: Iterator[int] = iter([60_000] * looks)

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, milliseconds."""
        return next(self._left, 5_000)


def test_tick_without_time_fails_and_goes_on(
    aws: EmbeddedAws, dispatch: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that cannot send all sites in its time fails; Lambda's retry sends the others alone, and succeeds."""
    monkeypatch.setattr("padlock.schedule.dispatching.PAGE", 1)
    names = [f"site{number}.example" for number in range(20)]
    fill(aws, *({"name": name} for name in names))
    event = {"scheduled_at": text(NOW)}
    with pytest.raises(RuntimeError, match="no time was left") as told:
        dispatch.modules["dispatch"].handler(event, Hurried(8))
    sent = len(queued(aws))
    assert 0 < sent <= 8
    assert f"{sent} were sent now, the next attempt goes on" in str(told.value)
    done = dispatch.invoke("dispatch", event)
    assert done == {"slot": text(NOW), "sites": 21, "due": 21, "sent": 21 - sent, "failed": 0}
    assert dispatch.invoke("dispatch", event)["sent"] == 0
    assert len(queued(aws)) == 21 - sent


@pytest.mark.parametrize("event", [{"scheduled_at": "soon"}, {"digest": 5}, {"digest": "2099-01-01T00:00:00Z"}])
def test_wrong_time_is_refused(dispatch: Pump, event: dict[str, Any]) -> None:
    """An event whose time is none fails with the key's name."""
    with pytest.raises(ValueError, match=next(iter(event))):
        dispatch.invoke("dispatch", event)


# --- sites that are gone ------------------------------------------------------------------------------------------


def test_removals_are_sent_and_failures_named(aws: EmbeddedAws, dispatch: Pump, sites: Sites) -> None:
    """Records of removed rows lead to messages; those that cannot be understood are named in the answer alone."""
    sites.put({"name": "stays.example"})
    wrong = removal("x", 9)
    del wrong["dynamodb"]["Keys"]
    names = ("gone.example", "Stays.Example", "bare.example")
    records = [*(removal(name, number) for number, name in enumerate(names)), wrong]
    assert dispatch.invoke("dispatch", {"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "9"}]}
    assert queued(aws) == [closing("gone.example")]
    assert dispatch.invoke("dispatch", {"Records": [removal("gone.example")]}) == {"batchItemFailures": []}


def test_records_of_the_tables_own_stream_are_understood(aws: EmbeddedAws, dispatch: Pump, sites: Sites) -> None:
    """What DynamoDB writes into the stream at a removal has all that is read of it."""
    before = datetime.now(UTC).replace(microsecond=0)
    sites.put({"name": "gone.example"})
    sites.put({"name": "stays.example"})
    sites.delete("gone.example")
    streams = aws.client("dynamodbstreams")
    table = aws.client("dynamodb").describe_table(TableName=aws.physical["SitesTable"])["Table"]
    arn = table["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    records = streams.get_records(ShardIterator=streams.get_shard_iterator(**start)["ShardIterator"])["Records"]
    event = json.loads(json.dumps({"Records": records}, default=datetime.timestamp))
    assert dispatch.invoke("dispatch", event) == {"batchItemFailures": []}
    (message,) = queued(aws)
    assert message == closing("gone.example", message["slot"])
    assert before <= datetime.fromisoformat(message["slot"]) <= datetime.now(UTC)


# --- the digest ---------------------------------------------------------------------------------------------------


def test_digest_is_written_and_published_once(aws: EmbeddedAws, dispatch: Pump, results: Results) -> None:
    """The digest's event writes one alert of what is open, of as many sites as the last tick saw; again, none."""
    dispatch.tick(NOW)
    stored(results, report(finding("x.y", severity="warning"), site="weak.example", at=NOW - timedelta(days=3)))
    answer = dispatch.invoke("dispatch", {"digest": text(NOW)})
    assert answer == {"digest": text(NOW), "written": True, "warnings": 1, "failing": 0, "certificates": 0}
    assert dispatch.invoke("dispatch", {"digest": text(NOW)})["written"] is False
    dispatch.stream()
    (mail,) = aws.mails()
    assert "weak.example" in mail.text
    assert (mail.data["kind"], mail.data["sites_total"]) == ("digest", 1)


def test_fleet_that_is_well_gets_no_digest(aws: EmbeddedAws, dispatch: Pump) -> None:
    """Where there is nothing to tell nothing is written."""
    assert dispatch.invoke("dispatch", {"digest": text(NOW)})["written"] is False
    dispatch.stream()
    assert aws.mails() == []


# --- the checker's own outage -------------------------------------------------------------------------------------


def places(*numbers: int) -> frozenset[str]:
    """Return places of a sample."""
    return frozenset(f"place{number}" for number in numbers)


def test_full_tick_judges_the_slot_before(aws: EmbeddedAws, dispatch: Pump, results: Results) -> None:
    """Where most of what a slot looked at was out of reach, the next tick that is dispatched in full tells of it."""
    slots = Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])
    dispatch.tick(NOW - 2 * MINUTES_5)
    slots.add(text(NOW - 2 * MINUTES_5), Sample(places(*range(8)), places(*range(6))), 2_000_000_000)
    assert results.state(CHECKER) is None, "the slot's own tick cannot judge it"
    event = {"scheduled_at": text(NOW - MINUTES_5)}
    with pytest.raises(RuntimeError, match="no time was left"):
        dispatch.modules["dispatch"].handler(event, Hurried(0))
    assert results.state(CHECKER) is None, "nor a tick that was broken off"
    for _ in range(2):
        dispatch.invoke("dispatch", event)
        state = results.state(CHECKER)
        assert state is not None
        assert [entry["code"] for entry in state["findings"]] == ["checker.outage"]
    slots.add(text(NOW - MINUTES_5), Sample(places(*range(8)), frozenset()), 2_000_000_000)
    dispatch.tick(NOW)
    assert results.load(CHECKER).state.findings == ()
    dispatch.stream()
    assert [mail.data["to"] for mail in aws.mails()] == ["error", "ok"]
