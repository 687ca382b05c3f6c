"""A site that nothing declares any more gets one message that closes it, and no other site does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from padlock.schedule import Queue, remove
from padlock.storage import Sites

from local.aws import EmbeddedAws
from tests.test_schedule_dispatch import Flaky, queued

AT = datetime(2026, 11, 20, 12, 0, 7, tzinfo=UTC)
SLOT = "2026-11-20T12:00:07Z"


@pytest.fixture
def queue(aws: EmbeddedAws) -> Queue:
    """Return the queue."""
    return Queue(aws.client("sqs"), aws.physical["CheckQueue"])


def removal(name: str, number: int = 1, event: str = "REMOVE", at: float = AT.timestamp()) -> dict[str, Any]:
    """Return a record of the Sites table's stream as Lambda hands it over."""
    told = {"Keys": {"name": {"S": name}}, "ApproximateCreationDateTime": at, "SequenceNumber": str(number)}
    return {"eventID": str(number), "eventName": event, "eventSource": "aws:dynamodb", "dynamodb": told}


def closing(site: str, slot: str = SLOT) -> dict[str, Any]:
    """Return the message that closes a site."""
    return {"site": site, "slot": slot, "removed": True}


def test_removed_site_is_told_with_the_time_of_its_record(aws: EmbeddedAws, sites: Sites, queue: Queue) -> None:
    """Each removed site gets a message; the same record makes the same message again."""
    records = [removal("a.example", 1), removal("B.example", 2), removal(r"not\a host", 3)]
    for _ in range(2):
        assert remove(records, sites, "", queue) == []
        sent = sorted(queued(aws), key=lambda m: str(m["site"]))
        assert sent == [closing("a.example"), closing("b.example"), closing(r"not\a host")]


@pytest.mark.parametrize(
    ("removed", "table", "parameter"),
    [
        ("a.example", "a.example", ""),
        ("A.example", "a.example", ""),
        ("a.example", "A.Example.", ""),
        ("bücher.example", "xn--bcher-kva.example", ""),
        ("xn--bcher-kva.example", "bücher.example", ""),
        ("a.example", "other.example", "b.example, A.EXAMPLE"),
    ],
)
def test_site_that_is_declared_otherwise_stays(
    aws: EmbeddedAws, sites: Sites, queue: Queue, removed: str, table: str, parameter: str
) -> None:
    """A row that was put anew, another spelling of it, or the stack's parameter keeps the site."""
    sites.put({"name": table})
    assert remove([removal(removed, 1), removal("gone.example", 2)], sites, parameter, queue) == []
    assert queued(aws) == [closing("gone.example")]


def test_site_is_gone_though_a_spelling_of_it_is_noted(aws: EmbeddedAws, sites: Sites, queue: Queue) -> None:
    """An item that declares nothing keeps no site, nor does its own removal end one."""
    sites.point("a.example", "A.Example")
    sites.put({"name": "B.Example"})
    assert remove([removal("A.Example", 1), removal("b.example", 2)], sites, "", queue) == []
    assert queued(aws) == [closing("a.example")]


def test_only_removals_count(aws: EmbeddedAws, sites: Sites, queue: Queue) -> None:
    """Records of rows that are new or changed say nothing of what is gone."""
    records = [removal("a.example", 1, "INSERT"), removal("b.example", 2, "MODIFY")]
    assert remove(records, sites, "", queue) == []
    assert queued(aws) == []


def test_site_removed_twice_is_told_once(aws: EmbeddedAws, sites: Sites, queue: Queue) -> None:
    """Of several removals of one site in a batch, under whatever spelling, the last one counts."""
    records = [removal("a.example", 1), removal("A.example", 2, at=AT.timestamp() + 60)]
    assert remove(records, sites, "", queue) == []
    assert queued(aws) == [closing("a.example", "2026-11-20T12:01:07Z")]


@pytest.mark.parametrize("broken", ["Keys", "ApproximateCreationDateTime"])
def test_record_that_cannot_be_understood_fails_alone(
    aws: EmbeddedAws, sites: Sites, queue: Queue, broken: str
) -> None:
    """A record without a name or a time is reported as failed; the others are told."""
    wrong = removal("wrong.example", 7)
    wrong["dynamodb"][broken] = {"site": {"S": "wrong.example"}} if broken == "Keys" else "yesterday"
    assert remove([removal("a.example", 6), wrong, removal("b.example", 8)], sites, "", queue) == ["7"]
    assert sorted(m["site"] for m in queued(aws)) == ["a.example", "b.example"]


def test_refused_message_fails_its_records_alone(aws: EmbeddedAws, sites: Sites) -> None:
    """What the queue does not take is reported, every record of it, and what it took is not."""
    flaky = Queue(Flaky(aws.client("sqs"), 4), aws.physical["CheckQueue"])  # type: ignore[arg-type]
    records = [removal("A.example", 1), removal("b.example", 2), removal("a.example", 3)]
    assert sorted(remove(records, sites, "", flaky)) == ["1", "3"]
    assert queued(aws) == [closing("b.example")]


def test_many_removals_at_once(aws: EmbeddedAws, sites: Sites, queue: Queue) -> None:
    """A batch of many removals is looked up and sent as a whole; those that stay are found among many rows."""
    names = [f"site{number}.example" for number in range(450)]
    for name in names[::50]:
        sites.put({"name": name.upper()})
    assert remove([removal(name, number) for number, name in enumerate(names)], sites, "", queue) == []
    gone = [name for number, name in enumerate(names) if number % 50]
    assert sorted(m["site"] for m in queued(aws)) == sorted(gone)
