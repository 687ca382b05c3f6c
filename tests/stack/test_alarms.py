"""Each alarm rings once, by what really emits its metric, and is silent where all is well.

Padlock's own metrics are the lines that the functions' handlers print on an embedded AWS. Those of AWS are counted
here, under the names and dimensions that AWS documents, at the resource itself: a message that is set aside makes its
queue's number, an invocation that ends in an error its function's.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from padlock.storage import Alert, Results, Sites

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite
from tests.servers import free_port
from tests.stack.cloudwatch import Alarm, Metric, Point, alarm, points, short_name
from tests.stack.test_arrows import destinations, named
from tests.stack.translated import FUNCTIONS, get, of_type, properties

ALARMS = of_type("AWS::CloudWatch::Alarm")
NOW = datetime.now(UTC).replace(microsecond=0)
WRONG: Mapping[str, Any] = {
    "dispatch": {"scheduled_at": "soon"},
    "check": {"sight": "example.com"},
    "notify": {},
    "audit_host": {"detail": {}},
    "dashboard": {"action": "restart"},
}
"""An event on which each function fails."""
RIGHT: Mapping[str, Any] = {
    "dispatch": {"scheduled_at": NOW.isoformat()},
    "check": {"Records": []},
    "notify": {"sweep": True},
    "audit_host": {"audit": "all"},
    "dashboard": {},
}


class World:
    """The functions of one stack and what they print, and a site that is well."""

    def __init__(self, aws: EmbeddedAws, shop: LoopbackSite, capsys: pytest.CaptureFixture[str]) -> None:
        self.aws, self.shop, self._capsys = aws, shop, capsys
        self.pump = Pump(aws, {"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})

    def printed(self, act: Callable[[], object]) -> list[Point]:
        """Return the metrics that something prints."""
        self._capsys.readouterr()
        act()
        return points(self._capsys.readouterr().out)

    def queues(self) -> list[Point]:
        """Return what SQS counts of each queue of the stack."""
        return [
            _aws(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                self._queue(name, "ApproximateNumberOfMessages"),
                **at,
            )
            for name in of_type("AWS::SQS::Queue")
            for at in [{"QueueName": self._queue(name, "QueueArn").rpartition(":")[2]}]
        ]

    def set_aside(self, arrow: str) -> None:
        """Put a message where the arrow puts what it cannot deliver."""
        (queue,) = [queue for name, queue in destinations() if name == arrow]
        self.aws.client("sqs").send_message(QueueUrl=self.aws.physical[queue], MessageBody="{}")

    def errors(self, events: Mapping[str, Any]) -> list[Point]:
        """Return what Lambda counts of each function that is invoked with one of the events."""
        return [
            _aws("AWS/Lambda", "Errors", self._fails(name, event), FunctionName=short_name(self.aws, logical))
            for logical, (name, event) in zip(FUNCTIONS, events.items(), strict=True)
        ]

    def _fails(self, function: str, event: Any) -> int:
        try:
            self.pump.invoke(function, event)
        except Exception:  # noqa: BLE001 — Lambda counts all of them
            return 1
        return 0

    def _queue(self, name: str, attribute: str) -> str:
        asked = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.aws.physical[name], AttributeNames=[attribute]
        )
        return str(asked["Attributes"][attribute])


class Shown(msgspec.Struct, frozen=True):
    """What was emitted in each period, the oldest first: where something had stopped, and where all went well."""

    bad: Sequence[Iterable[Point]]
    good: Sequence[Iterable[Point]]


type Case = Callable[[World], Shown]


@pytest.fixture
def world(aws: EmbeddedAws, shop: LoopbackSite, capsys: pytest.CaptureFixture[str]) -> World:
    """Return the functions of a fresh stack."""
    return World(aws, shop, capsys)


def _aws(namespace: str, name: str, value: float | str, **dimensions: str) -> Point:
    """Return what AWS itself emits."""
    return Point(Metric(namespace, name, dimensions), [float(value)], "")


# --- the cases ----------------------------------------------------------------------------------------------------


def no_runs(world: World) -> Shown:
    """Let ticks and sweeps come with nothing to check, then with a site whose checks see nothing, and then see it."""
    bad = world.printed(lambda: (world.pump.tick(NOW), world.pump.drain(), world.pump.sweep()))
    Sites(world.aws.client("dynamodb"), world.aws.physical["SitesTable"]).put(world.shop.declaration)
    without_resolver = Pump(world.aws, {"RESOLVERS": f"127.0.0.1:{free_port()}", "ALLOWED_NETWORKS": "127.0.0.0/8"})
    bad += world.printed(lambda: without_resolver.run(NOW + timedelta(minutes=5)))
    assert [point.values for point in bad if point.metric.name == "RunsInconclusive"] == [[1.0]], "a run completes"
    good = world.printed(lambda: world.pump.run(NOW + timedelta(minutes=10)))
    return Shown([bad], [good])


def old_alert(world: World) -> Shown:
    """Let the sweeper find an alert of 20 minutes ago; nothing waits at its next tick."""

    def build(seq: int) -> Alert:
        at = NOW - timedelta(minutes=20)
        return Alert(
            site="example.com",
            seq=seq,
            alert_id="1",
            created_at=at,
            kind="changed",
            before="ok",
            after="error",
            labels={},
            subject="subject",
            body="body",
            data="{}",
            chat="{}",
            event="{}",
            severity="error",
        )

    results = Results(world.aws.client("dynamodb"), world.aws.physical["ResultsTable"])
    assert results.announce("example.com", "RUN#1", build, 2_000_000_000)
    return Shown([world.printed(world.pump.sweep)], [world.printed(world.pump.sweep)])


def poison_message(world: World) -> Shown:
    """Let the queue set a message aside that cannot be understood."""
    good = world.queues()
    url = world.aws.physical["CheckQueue"]
    world.aws.client("sqs").send_message(QueueUrl=url, MessageBody='{"site": 5}')
    world.pump.drain()
    return Shown([world.queues()], [good])


def spoilt_alert(world: World) -> Shown:
    """Let a record of the stream be set aside, on which notify fails in every attempt."""
    good = world.queues()
    keys = {"site": {"S": "example.com"}, "sk": {"S": "ALERT#0000000001"}, "pending": {"S": "alert"}}
    world.aws.client("dynamodb").put_item(TableName=world.aws.physical["ResultsTable"], Item=keys)
    world.pump.stream()
    return Shown([world.queues()], [good])


def set_aside(*arrows: str) -> Case:
    """Return a case in which something is set aside at each of the arrows, one after the other."""

    def case(world: World) -> Shown:
        good = world.queues()
        for arrow in arrows:
            world.set_aside(arrow)
        return Shown([world.queues()], [good])

    return case


def failing(world: World) -> Shown:
    """Let every function fail on a wrong event, and work on a right one."""
    wrong, right = world.errors(WRONG), world.errors(RIGHT)
    return Shown([wrong, wrong], [right, right])


def counted(namespace: str, name: str, dimension: str, of: str, bad: Sequence[float], good: float = 0) -> Case:
    """Return a case of what AWS alone can count, of a resource; the values of the periods in which it had stopped."""

    def case(world: World) -> Shown:
        there = {dimension: short_name(world.aws, of)}
        return Shown(
            [[_aws(namespace, name, value, **there)] for value in bad], [[_aws(namespace, name, good, **there)]]
        )

    return case


def throttled(function: str) -> Case:
    """Return a case in which Lambda refuses to run a function, in two periods."""
    return counted("AWS/Lambda", "Throttles", "FunctionName", function, [1, 0, 3])


def behind(mapping: str) -> Case:
    """Return a case in which an event source is 20 minutes behind its stream; milliseconds."""
    function = named(properties(mapping)["FunctionName"])
    return counted("AWS/Lambda", "IteratorAge", "FunctionName", function, [1_200_000], good=400)


CASES: Mapping[str, Case] = {
    "NoRunsAlarm": no_runs,
    "OldestPendingAlertAlarm": old_alert,
    "CheckDeadLetterAlarm": poison_message,
    "NotifyDeadLetterAlarm": spoilt_alert,
    "DispatchDeadLetterAlarm": set_aside("DispatchFunctionEventInvokeConfig", "DispatchFunctionRemovals"),
    "ScheduleDeadLetterAlarm": set_aside("DispatchFunctionTick", "DispatchFunctionDigest", "NotifyFunctionSweep"),
    "AuditHostDeadLetterAlarm": set_aside("AuditHostFunctionEventInvokeConfig", "AuditHostFunctionEnded"),
    "ScheduleDroppedAlarm": counted(
        "AWS/Scheduler",
        "InvocationDroppedCount",
        "ScheduleGroup",
        named(properties("DispatchFunctionTick")["GroupName"]),
        [1],
    ),
    "CheckQueueAgeAlarm": counted(
        "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "CheckQueue", [1000, 1300, 1600], good=60
    ),
    "NotifyIteratorAgeAlarm": behind("NotifyFunctionAlerts"),
    "DispatchIteratorAgeAlarm": behind("DispatchFunctionRemovals"),
    "DispatchErrorAlarm": failing,
    "CheckErrorAlarm": failing,
    "NotifyErrorAlarm": failing,
    "AuditHostErrorAlarm": failing,
    "DashboardErrorAlarm": failing,
    "DispatchThrottleAlarm": throttled("DispatchFunction"),
    "CheckThrottleAlarm": throttled("CheckFunction"),
    "NotifyThrottleAlarm": throttled("NotifyFunction"),
    "AuditHostThrottleAlarm": throttled("AuditHostFunction"),
    "DashboardThrottleAlarm": throttled("DashboardFunction"),
    "AlertDeliveryAlarm": counted("AWS/SNS", "NumberOfNotificationsFailed", "TopicName", "AlertTopic", [1]),
    "ChatDeliveryAlarm": counted("AWS/SNS", "NumberOfNotificationsFailed", "TopicName", "ChatTopic", [1]),
}
"""Alarm → what makes it ring; an alarm without a case fails."""


def values(tested: Alarm, periods: Sequence[Iterable[Point]]) -> list[list[float]]:
    """Return what the alarm sees of each period: of its own metric, every dimension the same, and of no other."""
    return [[value for one in period if one.metric == tested.metric for value in one.values] for period in periods]


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_rings_where_something_stopped_and_then_no_more(name: str, world: World) -> None:
    """What is emitted under the alarm's namespace, name and dimensions raises it, and clears it when all is well."""
    shown = CASES[name](world)
    tested = alarm(world.aws, name)
    bad, good = values(tested, shown.bad), values(tested, shown.good)
    assert any(good), f"nothing emits {tested.metric}"
    assert tested.is_raised(bad)
    assert not tested.is_raised([*bad, *good * tested.properties["EvaluationPeriods"]])


def test_every_case_is_of_an_alarm() -> None:
    """No case is left over from an alarm that is gone."""
    assert set(CASES) == set(ALARMS)


# --- what all of them have in common ------------------------------------------------------------------------------


def test_alarms_reach_people() -> None:
    """Every alarm goes to the alert topic, when it rings and when it is over, with what stopped and what to do."""
    for name, found in ALARMS.items():
        assert found["AlarmActions"] == found["OKActions"] == [{"Ref": "AlertTopic"}], name
        assert 60 < len(found["AlarmDescription"]) <= 1024, name


def test_silence_rings_where_it_means_that_something_is_dead(aws: EmbeddedAws) -> None:
    """Where nothing is emitted at all, the alarms of completed runs and of the sweeper ring, and no other."""
    assert {name for name in ALARMS if alarm(aws, name).is_raised([])} == {"NoRunsAlarm", "OldestPendingAlertAlarm"}


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_quiet_hours(embedded: EmbeddedAws, hours: int) -> None:
    """The alarm of completed runs rings after that many hours without any, not before."""
    embedded.deploy(QuietHours=str(hours))
    tested = alarm(embedded, "NoRunsAlarm")
    assert tested.properties["Period"] * hours <= 7 * 86400, "CloudWatch evaluates a week at most"
    assert not tested.is_raised([[1.0], *[[]] * (hours - 1)])
    assert tested.is_raised([[1.0], *[[]] * hours])
    assert not tested.is_raised([[]] * hours + [[1.0]])
    assert embedded.environment("NotifyFunction")["QUIET_HOURS"] == str(hours), "the heartbeat ceases with it"


def test_sweeper_is_missed_within_a_quarter_of_an_hour() -> None:
    """The alarm's one period has three sweeps in it, and the alerts' age is what it is said to be."""
    found = properties("OldestPendingAlertAlarm")
    assert (found["Period"], found["EvaluationPeriods"], found["Threshold"]) == (900, 1, 900)


def test_every_dead_letter_queue_is_watched() -> None:
    """Wherever something is set aside, an alarm says so."""
    watched = [found["Dimensions"][0]["Value"] for found in ALARMS.values() if "DeadLetter" in json.dumps(found)]
    assert sorted(watched, key=str) == sorted((get(q, "QueueName") for q in {q for _, q in destinations()}), key=str)


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_is_watched(metric: str) -> None:
    """Each function's errors and throttles raise an alarm of their own."""
    watched = [found["Dimensions"][0]["Value"]["Ref"] for found in ALARMS.values() if found["MetricName"] == metric]
    assert sorted(watched) == sorted(FUNCTIONS)


def test_every_stream_is_watched() -> None:
    """Each function that reads a stream has an alarm on how far it is behind."""
    streams = [one for one in of_type("AWS::Lambda::EventSourceMapping").values() if "StartingPosition" in one]
    watched = [found["Dimensions"][0]["Value"] for found in ALARMS.values() if found["MetricName"] == "IteratorAge"]
    assert sorted(watched, key=str) == sorted((one["FunctionName"] for one in streams), key=str)


@pytest.mark.parametrize("name", ["CheckErrorAlarm", "NotifyErrorAlarm", "AuditHostErrorAlarm"])
def test_one_wrong_test_event_is_no_alarm(aws: EmbeddedAws, name: str) -> None:
    """A single failed invocation is not reported; errors that go on are, within 20 minutes."""
    tested = alarm(aws, name)
    assert not tested.is_raised([[0], [1], [0]])
    assert tested.is_raised([[1], [0], [1]])
    assert tested.properties["Period"] * tested.properties["EvaluationPeriods"] <= 1200


def test_message_that_fails_again_is_an_alarm() -> None:
    """A message on which check fails comes back within the alarm's window."""
    found = properties("CheckErrorAlarm")
    window = found["Period"] * (found["EvaluationPeriods"] - 1)
    assert properties("CheckQueue")["VisibilityTimeout"] <= window
