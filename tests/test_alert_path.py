"""From a stored run to a published alert with a fault at every step: what alerts.md promises, held at each of them.

Each case makes one call of one actor fail, before it reaches AWS or after, when its answer is lost; or lets another
actor do all of its work between two calls. Then the faults stop, everything is delivered again as AWS would, and the
promises are looked at: one record a change, in order, published, each publish the record's own words.
"""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock import notify
from padlock.notify import Notifier, Topics, Undelivered
from padlock.running import save
from padlock.storage import Outbox, Results

from local.aws import EmbeddedAws, Mail
from tests.reports import finding, report
from tests.runs import FURTHER, POLICY, run_of

EXPIRED, CLOSED = finding("certificate.expired"), finding("port.https_closed")
STORY = ((EXPIRED,), (EXPIRED, CLOSED), (CLOSED,), (CLOSED,), ())
"""What five runs find: four changes."""
MOST_CALLS = 40
"""More calls than any actor makes."""
_sites = (f"site{number}.example" for number in itertools.count())


class Crash(BaseException):
    """The end of a Lambda function in the middle: nothing of ours catches it."""


class Interrupted:
    """A client of AWS that does something at one of its calls, before it or after."""

    def __init__(self, client: Any, at: int, when: str, act: Callable[[], None]) -> None:
        self._client, self._at, self._when, self._act = client, at, when, act
        self._calls = itertools.count()
        self._dead = False
        self.reached = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name in {"exceptions", "get_paginator"}:  # pages are read by the client itself
            return found
        return lambda **arguments: self._call(found, arguments)

    def _call(self, operation: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if self._dead:
            raise Crash  # who has ended cleans nothing up
        here = next(self._calls) == self._at
        self.reached |= here
        self._dead = here and self._act is crash
        if here and self._when == "before":
            self._act()
        answer = operation(**arguments)
        if here and self._when == "after":
            self._act()
        return answer


class World:
    """One site in one stack, with its clock."""

    def __init__(self, aws: EmbeddedAws, clients: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.site = aws, next(_sites)
        self.dynamodb, self.sns, self.events = clients
        self.table = aws.physical["ResultsTable"]
        self.results, self.outbox = Results(self.dynamodb, self.table), Outbox(self.dynamodb, self.table)
        self.ahead = 0.0
        real, steady = time.time, time.monotonic
        monkeypatch.setattr(time, "time", lambda: real() + self.ahead)
        monkeypatch.setattr(time, "monotonic", lambda: steady() + self.ahead)

    def check(self, number: int, results: Results | None = None) -> str:
        """Store the result of one of the story's runs, as a delivery of its message does; a done one is left."""
        results, ticket = results or self.results, number + 1
        stored = results.load(self.site)
        if stored.applied_ticket >= ticket:
            return "duplicate"
        judged = report(*STORY[number], site=self.site)
        run = run_of(judged, ticket, f"{number:06}")
        return save(results, run, [judged] * 2, POLICY, FURTHER, stored)

    def notifier(self, dynamodb: Any = None, sns: Any = None) -> Notifier:
        """Return what publishes, with these clients in place of the true ones."""
        outbox = Outbox(dynamodb or self.dynamodb, self.table)
        topics = Topics(self.aws.physical["AlertTopic"], "")
        return Notifier(outbox, sns or self.sns, self.events, topics)

    def settle(self) -> None:
        """Let every lease run out, and the sweeper publish what waits."""
        self.ahead += notify.LEASE_SECONDS + 1
        assert self.notifier().sweep().failed == ()

    def mails(self) -> list[Mail]:
        """Return what was published of the site."""
        return [mail for mail in self.aws.mails() if mail.attributes.get("site") == self.site]

    def records(self) -> list[dict[str, Any]]:
        """Return the outbox of the site, in order."""
        pages = self.results._query("site = :s AND begins_with(sk, :k)", {":s": self.site, ":k": "ALERT#"})
        return list(pages)

    def assert_promises(self, changes: int, duplicates: int) -> None:
        """Hold the outbox against what was published and against the state."""
        records, mails = self.records(), self.mails()
        assert [record["seq"] for record in records] == list(range(1, changes + 1)), "no gap, one a change"
        assert all(one["to"] == two["from"] for one, two in itertools.pairwise(records))
        assert not any("pending" in record for record in records), "everything is sent"
        by_id = {record["alert_id"]: record for record in records}
        assert len(by_id) == changes
        sent = [mail.data["alert_id"] for mail in mails]
        assert list(dict.fromkeys(sent)) == [record["alert_id"] for record in records], "first ones in order"
        assert len(sent) - changes <= duplicates
        for mail in mails:
            record = by_id[mail.data["alert_id"]]
            assert (mail.subject, mail.text, mail.data) == (
                record["subject"],
                record["body"],
                json.loads(record["data"]),
            )
        state = self.results.state(self.site)
        assert state is not None
        assert state["seq"] == changes


@pytest.fixture
def world(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[[], World]:
    """Return what makes a new site in one stack."""
    clients = aws.client("dynamodb"), aws.client("sns"), aws.client("events")
    return lambda: World(aws, clients, monkeypatch)


def crash() -> None:
    """End the actor here."""
    raise Crash


def refuse() -> None:
    """Answer with an error that the client does not repeat."""
    raise ClientError({"Error": {"Code": "InternalServerError", "Message": "as the test wants"}}, "Call")


def times(one: Callable[[int], bool]) -> int:
    """Call with 0, 1, 2... until the fault's turn does not come any more; return how often it came."""
    return next(number for number in range(MOST_CALLS) if not one(number))


@pytest.mark.parametrize("when", ["before", "after"])
def test_check_ends_anywhere(world: Callable[[], World], when: str) -> None:
    """Wherever storing a run ends, its message comes again and each change has exactly one record."""

    def one(at: int) -> bool:
        here = world()
        here.check(0)
        client = Interrupted(here.dynamodb, at, when, crash)
        try:
            here.check(1, Results(client, here.table))  # type: ignore[arg-type]
        except Crash:
            assert client.reached
        here.check(1)
        here.check(2)
        here.check(3)
        here.settle()
        here.assert_promises(3, duplicates=0)
        return client.reached

    assert times(one) >= 3


@pytest.mark.parametrize("fault", [crash, refuse])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("service", "calls"), [("dynamodb", 8), ("sns", 2)])
def test_notify_ends_anywhere(
    world: Callable[[], World], service: str, calls: int, when: str, fault: Callable[[], None]
) -> None:
    """Wherever publishing ends, the sweeper publishes the rest, in order; at most what was not marked comes twice."""

    def one(at: int) -> bool:
        here = world()
        here.check(0)
        here.check(1)
        client = Interrupted(getattr(here, service), at, when, fault)
        try:
            here.notifier(**{service: client}).deliver(here.site)
        except (Crash, ClientError, Undelivered):
            assert client.reached
        here.check(2)
        here.settle()
        # Between a publish and its mark, or in a publish whose answer is lost, nobody can know that it happened.
        here.assert_promises(3, duplicates=0 if (service, when) == ("sns", "before") else 1)
        return client.reached

    assert times(one) >= calls


@pytest.mark.parametrize("pause", [0.0, notify.LEASE_SECONDS + 1.0])
@pytest.mark.parametrize(("service", "calls"), [("dynamodb", 6), ("sns", 2)])
def test_another_notifier_comes_between(world: Callable[[], World], service: str, calls: int, pause: float) -> None:
    """Two publishers at the same time, the lease valid or run out meanwhile: the order holds, no alert is lost.

    Who was held up longer than the lease does not publish any more: a duplicate needs the pause within one publish.
    """

    def one(at: int) -> bool:
        here = world()
        here.check(0)
        here.check(1)

        def other() -> None:
            here.ahead += pause
            here.check(2)
            try:
                here.notifier().deliver(here.site)
            except Undelivered:
                assert not pause

        client = Interrupted(getattr(here, service), at, "after", other)
        try:
            here.notifier(**{service: client}).deliver(here.site)
        except Undelivered:
            assert pause
        if not client.reached:
            here.check(2)
        here.settle()
        here.assert_promises(3, duplicates=1 if service == "sns" and pause else 0)
        return client.reached

    assert times(one) >= calls


def test_another_check_comes_between(world: Callable[[], World]) -> None:
    """Two runs at the same time, and a message that comes twice: each run counts once, the last one wins."""

    def one(at: int) -> bool:
        here = world()
        here.check(0)

        def other() -> None:
            here.check(1)
            here.check(2)

        client = Interrupted(here.dynamodb, at, "after", other)
        here.check(1, Results(client, here.table))  # type: ignore[arg-type]
        if not client.reached:
            here.check(2)
        here.check(4)
        here.settle()
        here.assert_promises(4, duplicates=0)
        state = here.results.state(here.site)
        assert state is not None
        assert state["status"] == "ok", "the last run found nothing"
        return client.reached

    assert times(one) >= 3


REMOVABLE = [("STATE",), ("NOTIFY",), ("STATE#HEAD",), ("STATE", "STATE#HEAD"), ("STATE", "NOTIFY", "STATE#HEAD")]


@pytest.mark.parametrize("keys", REMOVABLE)
def test_items_removed_by_hand(world: Callable[[], World], keys: tuple[str, ...]) -> None:
    """Whatever is removed of a site's items, its next alerts have new numbers and go out; none goes out twice."""
    here = world()
    for number in range(3):
        here.check(number)
    here.settle()
    for key in keys:
        here.dynamodb.delete_item(TableName=here.table, Key={"site": {"S": here.site}, "sk": {"S": key}})
    here.check(3)
    here.check(4)
    here.settle()
    sent = [mail.data["seq"] for mail in here.mails()]
    assert sent == list(range(1, len(sent) + 1))
    assert len(sent) >= 4
    state = here.results.state(here.site)
    assert state is not None
    assert state["status"] == "ok"


def test_number_that_is_taken(world: Callable[[], World]) -> None:
    """A record that the state does not know, as after restoring a table, is neither overwritten nor in the way."""
    here = world()
    here.check(0)
    (record,) = here.dynamodb.query(
        TableName=here.table,
        KeyConditionExpression="site = :s AND begins_with(sk, :k)",
        ExpressionAttributeValues={":s": {"S": here.site}, ":k": {"S": "ALERT#"}},
    )["Items"]
    foreign = record | {"sk": {"S": "ALERT#0000000002"}, "seq": {"N": "2"}, "alert_id": {"S": "foreign"}}
    here.dynamodb.put_item(TableName=here.table, Item=foreign)
    assert here.check(1) == "applied"
    assert [row["alert_id"] == "foreign" for row in here.records()] == [False, True, False]


def test_broken_record_keeps_no_other_site(world: Callable[[], World]) -> None:
    """A record that somebody has spoilt fails the sweep for its own site, not for the sites after it."""
    spoilt, well = world(), world()
    spoilt.check(0)
    spoilt.dynamodb.update_item(
        TableName=spoilt.table,
        Key={"site": {"S": spoilt.site}, "sk": {"S": "ALERT#0000000001"}},
        UpdateExpression="REMOVE subject",
    )
    well.check(0)
    swept = well.notifier().sweep()
    assert (swept.published, len(swept.failed)) == (1, 1)
    assert len(well.mails()) == 1
