"""Publishing to mail, chat and event with a fault at every call: in order, twice only what nobody knew of."""

import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock import notify
from padlock.notify import Held, Late, Notifier, Topics, Undelivered
from padlock.storage import Outbox

from local.aws import EmbeddedAws
from tests.alerts import alert, refusing, write

MOST_CALLS = 60
"""More calls than any notifier makes here."""
SKEW = 600.0
"""Seconds by which a clock may be wrong."""
PUBLISHES = ("publish", "put_events")
_sites = (f"site{number}.example" for number in itertools.count())


class Crash(BaseException):
    """The end of a Lambda function in the middle: nothing of ours catches it."""


class Fault:
    """What happens at one of the calls of a notifier, before it or after; all of its clients count together."""

    def __init__(self, at: int = -1, when: str = "after", act: Callable[[], None] = lambda: None) -> None:
        self.at, self.when, self.act = at, when, act
        self.calls: list[tuple[str, str]] = []
        """(operation, update expression) of each call."""
        self.dead = False

    @property
    def reached(self) -> bool:
        """Whether its turn came."""
        return 0 <= self.at < len(self.calls)

    @property
    def may_repeat(self) -> int:
        """How many publishes have an outcome that was not written: what was sent, and not marked."""
        operation, update = self.calls[self.at]
        if self.when == "before":
            return int("REMOVE begun" in update)
        return int(operation in PUBLISHES)


class Client:
    """A client of AWS with a fault; what it publishes is noted where it reaches AWS."""

    def __init__(self, client: Any, fault: Fault, sent: list[tuple[str, int]]) -> None:
        self._client, self._fault, self._sent = client, fault, sent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name in {"exceptions", "get_paginator"}:
            return found
        return lambda **arguments: self._call(name, found, arguments)

    def _call(self, name: str, operation: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        fault = self._fault
        if fault.dead:
            raise Crash  # who has ended cleans nothing up
        here = len(fault.calls) == fault.at
        fault.calls.append((name, arguments.get("UpdateExpression", "")))
        if here and fault.when == "before":
            self._act()
        answer = operation(**arguments)
        if name in PUBLISHES:
            self._sent.append(told(name, arguments))
        if here and fault.when == "after":
            self._act()
        return answer

    def _act(self) -> None:
        self._fault.dead = self._fault.act is crash
        self._fault.act()


def told(operation: str, arguments: dict[str, Any]) -> tuple[str, int]:
    """Return the channel and the number of the alert that a publish tells of."""
    if operation == "put_events":
        return "event", json.loads(arguments["Entries"][0]["Detail"])["seq"]
    if "MessageStructure" in arguments:
        return "mail", json.loads(json.loads(arguments["Message"])["sqs"])["seq"]
    return "chat", int(json.loads(arguments["Message"])["content"]["title"].removeprefix("Alert "))


class World:
    """One site of one stack, with two alerts that wait: one for every channel, one that is an event only."""

    ALL = (("mail", 1), ("chat", 1), ("event", 1), ("event", 2))

    def __init__(self, aws: EmbeddedAws, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.clients, self.site = aws, clients, next(_sites)
        self.sent: list[tuple[str, int]] = []
        self.ahead = self.paused = 0.0
        wall, steady = time.time, time.monotonic
        monkeypatch.setattr(time, "time", lambda: wall() + self.ahead + self.paused)
        monkeypatch.setattr(time, "monotonic", lambda: steady() + self.paused)
        write(aws, alert(1, self.site), alert(2, self.site, kind="status", subject="", body="", data="", chat=""))

    def notifier(self, fault: Fault | None = None) -> Notifier:
        """Return a notifier, whose calls meet a fault."""
        seen = {name: Client(client, fault or Fault(), self.sent) for name, client in self.clients.items()}
        topics = Topics(self.aws.physical["AlertTopic"], self.aws.physical["ChatTopic"])
        outbox = Outbox(seen["dynamodb"], self.aws.physical["ResultsTable"])  # type: ignore[arg-type]
        return Notifier(outbox, seen["sns"], seen["events"], topics)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Let the lease run out, and publish what is left."""
        self.paused += notify.LEASE_SECONDS + 1
        self.notifier().deliver(self.site, self.pending())
        cursor = self.cursor()
        assert (cursor["sent_seq"], cursor["stage"], "begun" in cursor) == (2, 0, False)
        assert self.pending() == []

    def pending(self) -> list[str]:
        """Return the keys of the alerts that wait."""
        rows = Outbox(self.clients["dynamodb"], self.table).pending()
        return [row["sk"] for row in rows if row["site"] == self.site]

    @property
    def table(self) -> str:
        """The results table's name."""
        return self.aws.physical["ResultsTable"]

    def cursor(self) -> dict[str, Any]:
        """Return the NOTIFY item."""
        key = {"site": {"S": self.site}, "sk": {"S": "NOTIFY"}}
        item = self.clients["dynamodb"].get_item(TableName=self.table, Key=key)["Item"]
        return {name: int(value["N"]) if name in {"sent_seq", "stage"} else value for name, value in item.items()}

    def assert_promises(self, duplicates: int) -> None:
        """Hold what reached AWS against what should have."""
        assert tuple(dict.fromkeys(self.sent)) == self.ALL, "each is sent, the first ones in order"
        assert len(self.sent) - len(self.ALL) == duplicates, self.sent


@pytest.fixture
def world(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[[], World]:
    """Return what makes a new site in one stack."""
    clients = {name: aws.client(name) for name in ("dynamodb", "sns", "events")}
    return lambda: World(aws, clients, monkeypatch)


def crash() -> None:
    """End the notifier here."""
    raise Crash


def refuse() -> None:
    """Answer with an error that the client does not repeat."""
    raise refusing("InternalServerError")


def times(one: Callable[[int], bool]) -> int:
    """Call with 0, 1, 2... until the fault's turn does not come any more; return how often it came."""
    return next(number for number in range(MOST_CALLS) if not one(number))


@pytest.mark.parametrize("fault", [crash, refuse])
@pytest.mark.parametrize("when", ["before", "after"])
def test_notifier_ends_anywhere(world: Callable[[], World], when: str, fault: Callable[[], None]) -> None:
    """Whatever call fails, the next one goes on at that channel; only what was sent and not marked comes twice."""

    def one(at: int) -> bool:
        here, failing = world(), Fault(at, when, fault)
        try:
            here.notifier(failing).deliver(here.site)
        except (Crash, ClientError, Undelivered):
            assert failing.reached
        here.settle()
        here.assert_promises(failing.may_repeat if failing.reached else 0)
        return failing.reached

    assert times(one) == 19


@pytest.mark.parametrize(("ahead", "pause"), [(0.0, 0.0), (SKEW, 0.0), (0.0, notify.LEASE_SECONDS + 1.0)])
def test_another_notifier_comes_between(world: Callable[[], World], ahead: float, pause: float) -> None:
    """Another comes after any call: held off, or with a clock that is 10 minutes ahead, or after a long pause.

    First publishes stay in order, and the only one to come twice is the one that was begun when its lease was taken.
    Whoever was held up between `begin` and the publish knows it by the steady clock, and does not publish.
    """

    def one(at: int) -> bool:
        here = world()

        def other() -> None:
            here.paused += pause
            here.ahead = ahead
            try:
                here.notifier().deliver(here.site)
            except Held:
                assert ahead + pause == 0
            here.ahead = 0.0

        between = Fault(at, "after", other)
        try:
            here.notifier(between).deliver(here.site)
        except Undelivered:
            assert between.reached
            assert ahead or pause
        here.settle()
        taken = between.reached and (ahead or pause)
        has_begun = taken and ahead and between.calls[at][1].startswith("SET lease_until")
        here.assert_promises(1 if has_begun else between.may_repeat if taken else 0)
        return between.reached

    assert times(one) >= 8


def test_holder_with_a_fast_clock_delays_only(world: Callable[[], World]) -> None:
    """A holder with its clock 10 minutes ahead that dies leaves a lease which lasts longer; nothing is lost."""
    here = world()
    here.ahead = SKEW
    with pytest.raises(Crash):
        here.notifier(Fault(2, "before", crash)).deliver(here.site)
    here.ahead = 0.0
    with pytest.raises(Held):
        here.notifier().deliver(here.site)
    here.paused = SKEW
    here.settle()
    here.assert_promises(duplicates=0)


def test_unknown_outcome_is_logged(world: Callable[[], World], caplog: pytest.LogCaptureFixture) -> None:
    """Who takes over where a publish was begun says that it may come twice."""
    here = world()
    with pytest.raises(Crash):
        here.notifier(Fault(3, "after", crash)).deliver(here.site)
    here.settle()
    assert f"{here.site}: a publish of alert 1 was begun and not marked" in caplog.text
    assert here.sent[:2] == [("mail", 1)] * 2


def test_no_publish_is_begun_that_may_not_end(world: Callable[[], World]) -> None:
    """With less time than a publish may take, none is begun, and the lease is given back."""
    here = world()
    with pytest.raises(Late):
        here.notifier().deliver(here.site, end=time.monotonic() + notify.PUBLISH_SECONDS - 1)
    assert here.sent == []
    assert here.notifier().deliver(here.site) == 2
    here.assert_promises(duplicates=0)


def test_stage_of_a_removed_record_is_not_the_next_ones(world: Callable[[], World]) -> None:
    """Where a record was removed by hand after its mail had gone, the next alert goes to every channel."""
    here = world()
    with pytest.raises(Undelivered):
        here.notifier(Fault(6, "before", refuse)).deliver(here.site)
    assert here.cursor()["stage"] == 1
    key = {"site": {"S": here.site}, "sk": {"S": "ALERT#0000000001"}}
    here.clients["dynamodb"].delete_item(TableName=here.table, Key=key)
    write(here.aws, alert(2, here.site))
    assert here.notifier().deliver(here.site) == 1
    assert here.sent == [("mail", 1), ("mail", 2), ("chat", 2), ("event", 2)]


def test_request_that_the_client_makes_twice(world: Callable[[], World]) -> None:
    """A lease or a mark whose answer was lost, and that boto makes again, is not taken for another's."""
    here = world()
    outbox = Outbox(here.clients["dynamodb"], here.table)
    now = time.time()
    lease = outbox.lease(here.site, "mine", now, now + 60)
    assert lease is not None
    assert outbox.lease(here.site, "mine", now, now + 60) == lease
    assert outbox.lease(here.site, "another", now, now + 60) is None
    marked = outbox.mark(lease, 0, 1)
    assert marked is not None
    assert outbox.mark(lease, 0, 1) == marked
    assert outbox.mark(lease, 0, 2) is None, "a cursor that is stale moves nothing"
    assert not outbox.begin(lease, now + 60)
    assert outbox.begin(marked, now + 60)


def test_lost_lease_moves_nothing(world: Callable[[], World]) -> None:
    """Whoever lost the lease can neither begin nor mark, nor give away what is another's."""
    here = world()
    outbox = Outbox(here.clients["dynamodb"], here.table)
    slow, quick = outbox.lease(here.site, "slow", 0, 10), outbox.lease(here.site, "quick", 11, 99)
    assert slow is not None
    assert quick is not None
    assert not outbox.begin(slow, 99)
    assert outbox.mark(slow, 1, 0) is None
    outbox.release(slow)
    assert outbox.lease(here.site, "third", 50, 60) is None
    assert outbox.mark(quick, 1, 0) is not None


def test_cursor_of_a_former_version(world: Callable[[], World]) -> None:
    """A cursor that has no stage yet begins at the first channel."""
    here = world()
    item = {"site": {"S": here.site}, "sk": {"S": "NOTIFY"}, "sent_seq": {"N": "1"}}
    here.clients["dynamodb"].put_item(TableName=here.table, Item=item)
    here.notifier().deliver(here.site)
    assert here.sent == [("event", 2)]


def test_failing_site_comes_last_in_the_next_sweep(aws: EmbeddedAws, world: Callable[[], World]) -> None:
    """A sweep takes the oldest first, but what failed before after all others, so that it takes nobody's time."""
    first, second = world(), world()
    earlier = datetime.now(UTC) - timedelta(hours=1)
    write(aws, alert(1, first.site, created_at=earlier), alert(1, second.site))
    order: list[str] = []

    class Sns:
        def publish(self, **arguments: Any) -> None:
            order.append(arguments["MessageAttributes"]["site"]["StringValue"])
            raise refusing("InternalError")

    topics = Topics(aws.physical["AlertTopic"], "")
    outbox = Outbox(first.clients["dynamodb"], first.table)
    both = Notifier(outbox, Sns(), first.clients["events"], topics)  # type: ignore[arg-type]
    swept = both.sweep()
    assert len(swept.failed) == 2
    assert 3600 <= swept.oldest_seconds < 3700
    assert order == [first.site, second.site]
    second.notifier().deliver(second.site)
    write(aws, alert(3, second.site))
    order.clear()
    third = world()
    both.sweep()
    # The second one failed too: of those two the older is the first.
    assert order == [third.site, first.site, second.site]


def test_sweep_ends_in_time(world: Callable[[], World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep whose time is over leaves the rest to the next one, and that is no failure."""
    here = world()
    monkeypatch.setattr(notify, "SWEEP_SECONDS", -1)
    swept = here.notifier().sweep()
    assert (swept.published, swept.failed, here.sent) == (0, (), [])
