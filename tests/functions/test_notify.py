"""The notify function: the stream's batches, the sweeper, what it counts, and the heartbeat after a sweep."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from padlock import notify
from padlock.storage import Outbox, Slots

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.alerts import SITE, alert, write

TARGET = "/ping/0a1b2c3d?key=s3cret"
SWEEP = {"sweep": True}


def counted(out: str) -> dict[str, float]:
    """Return the metrics among the lines that a function wrote, by their names; each belongs to the function."""
    found: dict[str, float] = {}
    for line in map(json.loads, out.splitlines()):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Dimensions"] == [["service"]]
            assert line["service"] == "notify"
            found |= {metric["Name"]: line[metric["Name"]][0] for metric in directive["Metrics"]}
    return found


@pytest.fixture
def counting(aws: EmbeddedAws) -> Callable[..., Pump]:
    """Return what makes the functions with their metrics, and variables that differ from the template's."""
    return lambda **more: Pump(aws, {"RESOLVERS": "127.0.0.1:9", "ALLOWED_NETWORKS": "127.0.0.0/8"} | more)


@pytest.fixture
def slots(aws: EmbeddedAws) -> Slots:
    """Return what runs leave beside their results."""
    return Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])


class Waiting(ThreadingHTTPServer):
    """Who waits for heartbeats."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.beats: list[str] = []

    @property
    def url(self) -> str:
        """Where heartbeats are sent."""
        return f"http://127.0.0.1:{self.server_address[1]}{TARGET}"


class Answering(BaseHTTPRequestHandler):
    """Notes each heartbeat."""

    server: Waiting

    def do_GET(self) -> None:
        """Answer as the test wants."""
        self.server.beats.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base class's name
        """Keep the tests' output clean."""


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """Yield a server that waits for heartbeats."""
    with Waiting() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_stream_publishes_everywhere(pump: Pump, aws: EmbeddedAws) -> None:
    """A new alert record goes to mail, chat and event; nothing else of the table passes the template's filter."""
    write(aws, alert(), alert(site="example.org"))
    assert pump.stream() == 2
    assert sorted(sent.data["site"] for sent in aws.mails()) == [SITE, "example.org"]
    assert (len(aws.chats()), len(aws.events())) == (2, 2)
    assert pump.stream() == 0
    assert pump.sweep() == {"published": 0, "failed": [], "oldest_seconds": 0.0}


def test_held_records_are_retried_and_the_sweeper_sends(pump: Pump, aws: EmbeddedAws, outbox: Outbox) -> None:
    """A stream record that meets a held lease is reported as failed, not lost; the sweeper sends its alert."""
    write(aws, alert())
    now = time.time()
    lease = outbox.lease(SITE, "another", now, now + 600)
    assert lease is not None
    assert pump.stream() == 1
    assert len(pump.dead_letters("NotifyDeadLetterQueue")) == 1
    assert pump.sweep()["failed"] == [], "another is at work there"
    outbox.release(lease)
    assert pump.sweep()["published"] == 1
    assert len(aws.mails()) == 1


def test_stream_counts_what_it_publishes(
    counting: Callable[..., Pump], aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a batch publishes and what fails in it is counted; a failed record is tried again by itself."""
    write(aws, alert())
    assert counting().stream() == 1
    assert counted(capsys.readouterr().out) == {"AlertsPublished": 1}
    write(aws, alert(2))
    gone = counting(TOPIC_ARN=f"{aws.physical['AlertTopic']}-gone")
    record = {
        "eventName": "INSERT",
        "dynamodb": {"Keys": {"site": {"S": SITE}, "sk": {"S": "ALERT#0000000002"}}, "SequenceNumber": "7"},
    }
    assert gone.invoke("notify", {"Records": [record]}) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert counted(capsys.readouterr().out) == {"AlertsFailed": 1}


def test_function_that_is_about_to_end_begins_nothing(
    pump: Pump, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish that the function's end could cut off is left to the next attempt."""
    write(aws, alert())
    seconds = notify.PUBLISH_SECONDS
    monkeypatch.setattr("local.pump.Context.get_remaining_time_in_millis", lambda _self: seconds * 1000)
    assert pump.stream() == 1
    assert len(pump.dead_letters("NotifyDeadLetterQueue")) == 1
    assert aws.mails() == []
    assert pump.sweep()["published"] == 1


def test_record_without_a_site_is_reported(pump: Pump) -> None:
    """A record of another form fails alone."""
    record = {"eventName": "INSERT", "dynamodb": {"Keys": {"sk": {"S": "x"}}, "SequenceNumber": "7"}}
    answer = pump.invoke("notify", {"Records": [record]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}


def test_quiet_sweep_counts_zeroes(counting: Callable[..., Pump], capsys: pytest.CaptureFixture[str]) -> None:
    """A sweep that finds nothing says so in every metric, so that an alarm can tell silence from death."""
    counting().sweep()
    assert counted(capsys.readouterr().out) == {
        "AlertsPublished": 0,
        "AlertsFailed": 0,
        "OldestPendingAlert": 0,
        "UnconfirmedSubscriptions": 0,
    }


def test_sweep_fails_loudly(
    counting: Callable[..., Pump], aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep that leaves an alert pending raises, so that the alarm on errors rings; it counts, too."""
    write(aws, alert(created_at=datetime.now(UTC) - timedelta(minutes=20)))
    with pytest.raises(RuntimeError, match="1 sites stay pending"):
        counting(TOPIC_ARN=f"{aws.physical['AlertTopic']}-gone").sweep()
    seen = counted(capsys.readouterr().out)
    assert (seen["AlertsPublished"], seen["AlertsFailed"]) == (0, 1)
    assert 1200 <= seen["OldestPendingAlert"] < 1260
    assert "UnconfirmedSubscriptions" not in seen, "a topic that cannot be asked counts nothing"


def test_unknown_event_is_refused(pump: Pump) -> None:
    """An event of another shape says what is expected."""
    with pytest.raises(ValueError, match="sweep"):
        pump.invoke("notify", {"sweeep": True})


def test_heartbeat_follows_a_sweep(
    counting: Callable[..., Pump],
    aws: EmbeddedAws,
    slots: Slots,
    waiting: Waiting,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where checks complete and alerts go out, each sweep sends a heartbeat; its URL is nowhere in the log."""
    slots.ran(datetime.now(UTC) - timedelta(minutes=14))
    write(aws, alert())
    pump = counting(HEARTBEAT_URL=f" {waiting.url}\n")
    assert pump.sweep()["published"] == 1
    assert waiting.beats == [TARGET]
    written = capsys.readouterr()
    assert counted(written.out)["HeartbeatsFailed"] == 0
    pump.stream()
    assert len(waiting.beats) == 1, "a batch of the stream sends none"
    assert "s3cret" not in written.out + written.err + caplog.text
    assert "0a1b2c3d" not in written.out + written.err + caplog.text


@pytest.mark.parametrize("age", [timedelta(minutes=16), None])
def test_heartbeat_is_withheld_without_runs(
    counting: Callable[..., Pump],
    slots: Slots,
    waiting: Waiting,
    age: timedelta | None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where no check completes for longer than the stack allows, so is the heartbeat; that is no failure."""
    if age:
        slots.ran(datetime.now(UTC) - age)
    pump = counting(HEARTBEAT_URL=waiting.url, QUIET_HOURS="0.25")
    pump.sweep()
    assert waiting.beats == []
    written = capsys.readouterr()
    assert counted(written.out)["HeartbeatsFailed"] == 0
    assert "no heartbeat is sent" in caplog.text
    slots.ran(datetime.now(UTC))
    pump.sweep()
    assert waiting.beats == [TARGET]


@pytest.mark.parametrize(("topic", "minutes"), [("-gone", 0), ("", 20)])
def test_heartbeat_is_withheld_where_alerts_wait(
    counting: Callable[..., Pump], aws: EmbeddedAws, slots: Slots, waiting: Waiting, topic: str, minutes: int
) -> None:
    """An alert that could not be published, or waited for too long, keeps the heartbeat back."""
    slots.ran(datetime.now(UTC))
    write(aws, alert(created_at=datetime.now(UTC) - timedelta(minutes=minutes)))
    pump = counting(HEARTBEAT_URL=waiting.url, TOPIC_ARN=aws.physical["AlertTopic"] + topic)
    if topic:
        with pytest.raises(RuntimeError, match="stay pending"):
            pump.sweep()
    else:
        assert pump.sweep()["published"] == 1
    assert waiting.beats == []


@pytest.mark.parametrize(
    "more",
    [
        {"ALLOWED_NETWORKS": ""},
        {"QUIET_HOURS": "s3cret"},
        {"HEARTBEAT_URL": "http://[s3cret"},
        {"HEARTBEAT_URL": "http://s3cret@127.0.0.1/"},
        {},
    ],
)
def test_heartbeat_that_fails_fails_no_sweep(
    counting: Callable[..., Pump],
    aws: EmbeddedAws,
    slots: Slots,
    waiting: Waiting,
    more: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A heartbeat that is refused, or set up wrongly, is counted and logged without its URL; alerts go out."""
    slots.ran(datetime.now(UTC))
    write(aws, alert())
    waiting.status = 500
    pump = counting(**({"HEARTBEAT_URL": waiting.url} | more))
    capsys.readouterr()
    assert pump.sweep()["published"] == 1
    written = capsys.readouterr()
    assert counted(written.out)["HeartbeatsFailed"] == 1
    assert "the heartbeat failed" in caplog.text
    assert "s3cret" not in written.out + written.err + caplog.text


def test_heartbeat_without_its_table_fails_no_sweep(
    counting: Callable[..., Pump], aws: EmbeddedAws, waiting: Waiting, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that cannot be read is the heartbeat's trouble alone."""
    item = {"site": {"S": "#slot"}, "sk": {"S": "LAST"}, "at": {"S": "yesterday"}}
    aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=item)
    assert counting(HEARTBEAT_URL=waiting.url).sweep()["failed"] == []
    assert counted(capsys.readouterr().out)["HeartbeatsFailed"] == 1
