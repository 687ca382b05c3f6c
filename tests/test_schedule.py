"""Which sites a tick runs, and that none is lost or doubled whatever happens to ticks and messages."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.schedule import (
    BATCH,
    MAX_BODY,
    Queue,
    Tick,
    batches,
    body_of,
    declared,
    dispatch,
    interval_of,
    is_due,
    read_tick,
    tick,
)
from padlock.storage import Results, Sites

from local.aws import EmbeddedAws

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = [f"site{number}.example" for number in range(200)]


def ticks(count: int, minutes: float = 5) -> Iterator[Tick]:
    """Yield ticks that follow each other."""
    step = timedelta(minutes=minutes)
    for number in range(count):
        yield Tick(NOW + (number + 1) * step, NOW + number * step)


@pytest.mark.parametrize("interval", [300, 600, 3600, 86400])
@pytest.mark.parametrize("name", NAMES[:5])
def test_due_once_an_interval(name: str, interval: int) -> None:
    """In ticks without a gap a site runs exactly once an interval."""
    due = [is_due(name, interval, one) for one in ticks(2 * 288)]
    every = interval // 300
    assert sum(due) == 2 * 288 // every
    first = due.index(True)
    assert due[first::every] == [True] * len(due[first::every])


def test_interval_shorter_than_the_tick_runs_each_tick() -> None:
    """A site never runs twice in a tick, and never misses one."""
    assert all(is_due(name, 60, one) for name in NAMES for one in ticks(3, minutes=15))


def test_spread_is_even_and_stable() -> None:
    """Hourly sites spread over an hour's ticks, always in the same way."""
    counts = [sum(is_due(name, 3600, one) for name in NAMES) for one in ticks(12)]
    assert sum(counts) == len(NAMES)
    assert max(counts) < 3 * math.ceil(len(NAMES) / 12)
    assert is_due("site0.example", 3600, Tick(NOW, None)), "with no tick before, all are due"


def test_missed_ticks_sites_run_with_the_next() -> None:
    """A tick covers the time since the last one that was done."""
    whole = Tick(NOW + timedelta(hours=1), NOW)
    assert all(is_due(name, 3600, whole) for name in NAMES)


def test_tick_after_tick() -> None:
    """A repeated tick covers what it covered before, a late one nothing, the first one everything."""
    before, later = NOW - timedelta(minutes=5), NOW + timedelta(minutes=5)
    assert tick(None, NOW) == Tick(NOW, None)
    assert tick((before, None), NOW) == Tick(NOW, before)
    assert tick((NOW, before), NOW) == Tick(NOW, before)
    assert tick((later, NOW), NOW) is None


@pytest.mark.parametrize(
    ("declaration", "seconds"),
    [("a.example", 300), ({"interval": "1h"}, 3600), ({"interval": "often"}, 300), ({"interval": 5}, 300), ({}, 300)],
)
def test_interval_of_any_declaration(declaration: Any, seconds: int) -> None:
    """A wrong interval counts as the default one: the check tells of it."""
    assert interval_of(declaration) == seconds


def test_table_wins_over_the_parameter(sites: Sites) -> None:
    """A site that stands in both is declared by the table; names are compared as hosts."""
    row = {"name": "A.example", "hsts": "off"}
    sites.put(row)
    assert list(declared(sites, "a.example, B.example ,,b.example")) == [
        ("a.example", row),
        ("b.example", "b.example"),
    ]


def test_one_site_under_several_spellings_runs_once(sites: Sites, caplog: pytest.LogCaptureFixture) -> None:
    """Of rows that mean the same site the one with the normal name counts, else one of them; the log has the rest."""
    for name in ("A.example", "a.example", "a.example.", "B.example", "b.EXAMPLE"):
        sites.put({"name": name})
    chosen = dict(declared(sites, ""))
    assert chosen["a.example"] == {"name": "a.example"}
    assert len(chosen) == len(list(declared(sites, ""))) == 2
    assert caplog.text.count("declares the same site") == 6


def test_new_site_of_a_long_interval_runs_at_the_next_tick(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """A site that was just added is checked at once, then in its turn; put anew it is checked at once again."""
    queue = Queue(aws.client("sqs"), aws.physical["CheckQueue"])
    start = NOW - timedelta(hours=1)
    dispatch(results, sites, "", queue, start)
    waits = next(name for name in NAMES if not is_due(name, 7 * 86400, Tick(NOW, start)))
    weekly = {"name": waits, "interval": "7d"}
    sites.put(weekly)
    minutes = [start + timedelta(minutes=5 * number) for number in range(1, 4)]
    assert [dispatch(results, sites, "", queue, at).sent for at in minutes] == [1, 0, 0]
    assert dispatch(results, sites, "", queue, minutes[-1]).sent == 0
    assert list(sites.all()) == [weekly], "the mark is no part of the declaration"
    sites.put(weekly)
    assert dispatch(results, sites, "", queue, NOW).sent == 1


def test_mark_revives_no_removed_site(sites: Sites) -> None:
    """A site that was removed while it was dispatched stays removed."""
    sites.mark("gone.example", "2026-11-20T17:05:00Z")
    assert list(sites.rows()) == []


def test_read_tick() -> None:
    """The scheduler's time is taken to the second; without one it is now."""
    assert read_tick({"scheduled_at": "2026-11-20T17:05:00Z"}, NOW) == datetime(2026, 11, 20, 17, 5, tzinfo=UTC)
    assert read_tick({"scheduled_at": "2026-11-20T18:05:00+01:00"}, NOW) == datetime(2026, 11, 20, 17, 5, tzinfo=UTC)
    assert read_tick({}, NOW) == NOW


@pytest.mark.parametrize("wrong", ["soon", "2026-11-20T17:05:00", 5, "2099-01-01T00:00:00Z"])
def test_wrong_tick_is_refused(wrong: object) -> None:
    """A time that is none, or that would make the real ticks look late, is named."""
    with pytest.raises(ValueError, match="scheduled_at"):
        read_tick({"scheduled_at": wrong}, NOW)


def test_batches_hold_what_a_request_carries() -> None:
    """Batches have ten messages, or fewer where these are large; none is lost."""
    bodies = [str(number) * (1 if number % 3 else 90_000) for number in range(100)]
    made = list(batches(bodies))
    assert [body for batch in made for body in batch] == bodies
    assert all(len(batch) <= BATCH and sum(map(len, batch)) <= MAX_BODY for batch in made)


def test_too_large_declaration_is_told() -> None:
    """What no message can carry is replaced by the reason, which the check turns into a finding."""
    body = json.loads(body_of("a.example", {"name": "a.example", "private_ca": "x" * 300_000}, "slot"))
    assert (body["site"], body["slot"]) == ("a.example", "slot")
    assert "octets" in body["error"]


def test_odd_attribute_stops_nobody() -> None:
    """An attribute of a type that JSON lacks is told by name; the check refuses the entry alone."""
    body = json.loads(body_of("a.example", {"name": "a.example", "labels": {"x": [b"\x00"]}}, "slot"))
    assert (body["site"], body["slot"]) == ("a.example", "slot")
    assert body["error"].startswith("labels: binary data")


class Flaky:
    """An SQS client that refuses messages the first times that it sees them."""

    def __init__(self, sqs: Any, refusals: int) -> None:
        self._sqs = sqs
        self._left = refusals

    def send_message_batch(self, **arguments: Any) -> Any:
        """Send all but the first entry while refusals are left."""
        if not self._left:
            return self._sqs.send_message_batch(**arguments)
        self._left -= 1
        refused, *rest = arguments["Entries"]
        answer = self._sqs.send_message_batch(**arguments | {"Entries": rest}) if rest else {"Successful": []}
        return {**answer, "Failed": [{"Id": refused["Id"], "SenderFault": False, "Code": "InternalError"}]}


def queued(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Return the messages in the queue."""
    sqs, url = aws.client("sqs"), aws.physical["CheckQueue"]
    found: list[dict[str, Any]] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        found += [json.loads(message["Body"]) for message in received]
    return found


def test_dispatch_sends_every_site_once(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """All declared sites are sent, whatever the number of batches, and the tick is remembered."""
    for name in NAMES[:57]:
        sites.put({"name": name})
    queue = Queue(aws.client("sqs"), aws.physical["CheckQueue"])
    done = dispatch(results, sites, "bare.example", queue, NOW)
    assert (done.sites, done.due, done.sent, done.failed) == (58, 58, 58, 0)
    sent = queued(aws)
    assert sorted(str(m["site"]) for m in sent) == sorted([*(str({"name": n}) for n in NAMES[:57]), "bare.example"])
    assert {m["slot"] for m in sent} == {f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    assert results.last_tick() == (NOW, None)


def test_binary_attribute_stops_nobody(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """An item with binary attributes, alone or in a set, is sent as a wrong entry; the other sites are sent too."""
    sites.put({"name": "good.example"})
    odd = {"name": {"S": "odd.example"}, "private_ca": {"B": b"\xff"}, "hosts": {"BS": [b"a"]}}
    aws.client("dynamodb").put_item(TableName=aws.physical["SitesTable"], Item=odd)
    queue = Queue(aws.client("sqs"), aws.physical["CheckQueue"])
    assert dispatch(results, sites, "", queue, NOW).sent == 2
    sent = {str(m["site"]): m.get("error", "") for m in queued(aws)}
    assert set(sent) == {"{'name': 'good.example'}", "odd.example"}
    assert "private_ca" in sent["odd.example"]
    assert "hosts" in sent["odd.example"]


def test_late_tick_sends_nothing(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """A tick that arrives after a later one finds its sites done."""
    queue = Queue(aws.client("sqs"), aws.physical["CheckQueue"])
    results.save_tick(NOW, None)
    assert dispatch(results, sites, "a.example", queue, NOW - timedelta(minutes=5)).sent == 0


def test_refused_entries_are_sent_again(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """What the queue did not take at first is sent again, and only that."""
    queue = Queue(Flaky(aws.client("sqs"), 2), aws.physical["CheckQueue"])  # type: ignore[arg-type]
    assert dispatch(results, sites, ",".join(NAMES[:5]), queue, NOW).failed == 0
    assert sorted(message["site"] for message in queued(aws)) == NAMES[:5]


def test_tick_that_fails_is_not_remembered(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """Where the queue refuses a site for good the tick counts as missed, and the next one covers it."""
    broken = Queue(Flaky(aws.client("sqs"), 99), aws.physical["CheckQueue"])  # type: ignore[arg-type]
    done = dispatch(results, sites, "a.example,b.example", broken, NOW)
    assert done.failed > 0
    assert results.last_tick() is None
