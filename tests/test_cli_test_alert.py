"""`padlock test-alert` on an embedded AWS: through the outbox and the real functions to whoever is subscribed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from padlock.cli import main
from padlock.findings import CHECKER
from padlock.storage import Outbox, Results

from local.aws import EmbeddedAws
from local.pump import Pump
from tests import deployed


@pytest.fixture
def stack(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a fresh stack, and point the command at it."""
    deployed.point_the_command_at(aws, monkeypatch)
    return deployed.describe(aws)


@contextmanager
def streaming(pump: Pump) -> Iterator[None]:
    """Play the stream in the background, as AWS does while the command waits."""
    over = threading.Event()

    def play() -> None:
        while not over.wait(0.2):
            pump.stream()

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def alerts(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Return the alert records of the checker."""
    found = aws.client("dynamodb").query(
        TableName=aws.physical["ResultsTable"],
        KeyConditionExpression="site = :s AND begins_with(sk, :k)",
        ExpressionAttributeValues={":s": {"S": CHECKER}, ":k": {"S": "ALERT#"}},
    )
    return list(found["Items"])


def test_goes_the_whole_way(aws: EmbeddedAws, stack: str, pump: Pump, capsys: pytest.CaptureFixture[str]) -> None:
    """The record is published as mail, chat message and event with one id; the command says so, and who gets it."""
    deployed.subscribe(aws, "ops@example.com")
    deployed.subscribe(aws, "hook@example.com", topic="ChatTopic")
    with streaming(pump):
        assert main(["test-alert", "--stack", stack, "--wait", "30"]) == 0
    (record,) = alerts(aws)
    assert "pending" not in record
    assert record["kind"] == {"S": "test"}
    assert record["from"] == record["to"] == {"S": "unknown"}
    alert_id = record["alert_id"]["S"]
    (mail,) = aws.mails()
    assert mail.subject == record["subject"]["S"]
    assert alert_id in mail.text
    assert mail.data["alert_id"] == alert_id
    assert len(aws.chats()) == 1
    assert [event["detail"]["alert_id"] for event in aws.events()] == [alert_id]
    said = capsys.readouterr()
    assert f"wrote alert {alert_id} into the outbox" in said.out
    assert "published after" in said.out
    assert "goes to email ops@example.com\n" in said.out
    assert "goes to email hook@example.com (chat)\n" in said.out
    assert said.err == ""


def test_it_names_this_stack(aws: EmbeddedAws, stack: str) -> None:
    """What the message names to look further is of this stack and this region."""
    deployed.subscribe(aws, "ops@example.com")
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 0
    (record,) = alerts(aws)
    told = json.dumps(record)
    assert aws.resolved(aws.template["Outputs"]["DashboardUrl"]["Value"]) in told


def test_a_second_one_follows_the_first(aws: EmbeddedAws, stack: str, pump: Pump) -> None:
    """Each is an alert of its own; they are numbered and published in order, after what waited before."""
    deployed.subscribe(aws, "ops@example.com")
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 0
    assert aws.mails() == []
    with streaming(pump):
        assert main(["test-alert", "--stack", stack, "--wait", "30"]) == 0
    assert [record["seq"] for record in alerts(aws)] == [{"N": "1"}, {"N": "2"}]
    assert [mail.data["alert_id"] for mail in aws.mails()] == [record["alert_id"]["S"] for record in alerts(aws)]


def test_not_in_time(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody publishes, the command ends in time, says what goes on and where to look, and leaves the alert."""
    deployed.subscribe(aws, "ops@example.com")
    started = datetime.now(UTC)
    assert main(["test-alert", "--stack", stack, "--wait", "1"]) == 1
    assert (datetime.now(UTC) - started).total_seconds() < 10
    outbox = Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"])
    assert [row["site"] for row in outbox.pending()] == [CHECKER]
    said = capsys.readouterr().err
    assert "not published within 1 s" in said
    assert f"padlock status --stack {stack}" in said


def test_without_waiting(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With --wait 0 the alert is written and left to the functions; nothing is said of its publishing."""
    deployed.subscribe(aws, "ops@example.com")
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 0
    assert "published" not in capsys.readouterr().out
    assert "pending" in alerts(aws)[0]


def test_nobody_would_get_it(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any subscription the exit status is 1, and the command that subscribes is shown."""
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 1
    said = capsys.readouterr().err
    topic = aws.physical["AlertTopic"]
    assert f"aws sns subscribe --region eu-central-1 --topic-arn {topic} --protocol email" in said


def test_an_unconfirmed_subscription(
    aws: EmbeddedAws, stack: str, pump: Pump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has not confirmed is named with what to do, on one line; alone, they make the exit status 1."""
    deployed.subscribe(aws, "late@example.com", confirmed=False)
    with streaming(pump):
        assert main(["test-alert", "--stack", stack, "--wait", "30"]) == 1
    said = capsys.readouterr()
    assert "published after" in said.out
    assert "goes to" not in said.out
    assert "email late@example.com is not confirmed" in said.err
    assert "AWS Notification - Subscription Confirmation" in said.err
    assert "--notification-endpoint late@example.com" in said.err
    deployed.subscribe(aws, "ops@example.com")
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 0
    assert "late@example.com is not confirmed" in capsys.readouterr().err


def test_it_stands_in_no_state(aws: EmbeddedAws, stack: str, results: Results) -> None:
    """A test moves no state, and its row in the history goes by itself within days."""
    assert main(["test-alert", "--stack", stack, "--wait", "0"]) == 1
    assert results.state(CHECKER) is None
    (row,) = results.history(CHECKER)
    assert row["kind"] == "test"
    assert 0 < row["ttl"] - datetime.now(UTC).timestamp() < 7 * 86400


@pytest.mark.parametrize("seconds", ["-1", "soon", "nan", "1e9"])
def test_no_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A time that is none is wrong usage."""
    with pytest.raises(SystemExit) as ended:
        main(["test-alert", f"--wait={seconds}"])
    assert ended.value.code == 2
    assert "no number of seconds" in capsys.readouterr().err


def test_a_stack_of_another_kind(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stack that is not Padlock's, or is not there, is one line that says what to do; nothing is written."""
    deployed.point_the_command_at(aws, monkeypatch)
    assert main(["test-alert", "--stack", aws.stack]) == 2  # described without outputs
    said = capsys.readouterr().err
    assert "has no output ResultsTableName, TopicArn" in said
    assert said.count("\n") == 1
    assert main(["test-alert", "--stack", "absent"]) == 2
    assert "make deploy" in capsys.readouterr().err
    assert alerts(aws) == []
