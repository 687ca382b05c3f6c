"""What each channel is sent, and what goes out where SNS or EventBridge would refuse it.

moto takes every subject and any size, so that the limits are held at our own edge, before anything is sent.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.channels import MAX_OCTETS, Refused, check, mail, plain_chat, unconfirmed
from padlock.notify import Notifier, Topics, Undelivered
from padlock.storage import Alert, Outbox

from local.aws import EmbeddedAws
from tests.alerts import SITE, alert, refusing, write

LARGE = "€" * (MAX_OCTETS // 3)
"""Too large with anything beside it, though it has fewer characters than octets are allowed."""


class Sns:
    """A client of SNS whose next publishes fail with a code each; it keeps what it was asked."""

    def __init__(self, client: Any, *failures: str) -> None:
        self._client = client
        self._failures: Iterator[str] = iter(failures)
        self.asked: list[dict[str, Any]] = []

    def publish(self, **arguments: Any) -> Any:
        """Publish, unless it is this call's turn to fail."""
        self.asked.append(arguments)
        failure = next(self._failures, "")
        if failure:
            raise refusing(failure)
        return self._client.publish(**arguments)


class Bus:
    """A client of EventBridge that takes no entry, and answers with these codes in turn."""

    def __init__(self, client: Any, *codes: str) -> None:
        self._client = client
        self._codes: Iterator[str] = iter(codes)

    def put_events(self, **arguments: Any) -> Any:
        """Answer as EventBridge does where it does not take an entry."""
        code = next(self._codes, "")
        if not code:
            return self._client.put_events(**arguments)
        return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "as the test wants"}]}


def notifier(aws: EmbeddedAws, sns: Any = None, events: Any = None, chat: str | None = None) -> Notifier:
    """Return what publishes to the template's topics."""
    outbox = Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"])
    topics = Topics(aws.physical["AlertTopic"], aws.physical["ChatTopic"] if chat is None else chat)
    return Notifier(outbox, sns or aws.client("sns"), events or aws.client("events"), topics)


def pending(aws: EmbeddedAws) -> list[str]:
    """Return the keys of the alerts that wait."""
    return [row["sk"] for row in Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"]).pending()]


def test_what_is_sent_is_what_is_stored(aws: EmbeddedAws) -> None:
    """Mail, chat message and event have the record's words, to the letter, and attributes to filter by."""
    one = alert(labels={"team": "shop", "env": "prod"})
    write(aws, one)
    sns = Sns(aws.client("sns"))
    assert notifier(aws, sns).deliver(SITE) == 1
    (sent,) = aws.mails()
    assert (sent.subject, sent.text, sent.data) == (one.subject, one.body, json.loads(one.data))
    labels = sent.attributes.pop("labels")
    assert sent.attributes == {"status": "error", "severity": "error", "site": SITE, "kind": "changed"}
    assert json.loads(labels) == ["env=prod", "team=shop"]
    to_chat = sns.asked[1]
    assert to_chat["TopicArn"] == aws.physical["ChatTopic"]
    assert to_chat["Message"] == one.chat
    assert to_chat.keys() == {"TopicArn", "Message", "MessageAttributes"}
    assert {name: value["StringValue"] for name, value in to_chat["MessageAttributes"].items()} == {
        "site": SITE,
        "severity": "error",
    }
    (event,) = aws.events()
    assert (event["source"], event["detail-type"]) == ("padlock", "Padlock Site Status Changed")
    assert event["detail"] == json.loads(one.event)


def test_status_alone_makes_an_event_only(aws: EmbeddedAws) -> None:
    """A change of status that nobody need read goes to machines; neither mail nor chat hears of it."""
    write(aws, alert(kind="status", subject="", body="", data="", chat="", severity="warning"), alert(2))
    assert notifier(aws).deliver(SITE) == 2
    assert [event["detail"]["seq"] for event in aws.events()] == [1, 2]
    assert [sent.data["seq"] for sent in aws.mails()] == [2]
    assert len(aws.chats()) == 1
    assert pending(aws) == []


def test_no_chat_topic(aws: EmbeddedAws) -> None:
    """Without a chat topic an alert goes to mail and event."""
    write(aws, alert())
    assert notifier(aws, chat="").deliver(SITE) == 1
    assert (len(aws.mails()), aws.chats(), len(aws.events())) == (1, [], 1)
    assert pending(aws) == []


def test_alert_of_a_former_version(aws: EmbeddedAws) -> None:
    """A record that waits while the stack is updated has no chat message, event or kind; it goes out all the same."""
    write(aws, alert())
    aws.client("dynamodb").update_item(
        TableName=aws.physical["ResultsTable"],
        Key={"site": {"S": SITE}, "sk": {"S": "ALERT#0000000001"}},
        UpdateExpression="REMOVE chat, #event, kind",
        ExpressionAttributeNames={"#event": "event"},
    )
    assert notifier(aws).deliver(SITE) == 1
    (sent,) = aws.mails()
    assert sent.data["seq"] == 1
    assert "could not be sent" in aws.chats()[0]["content"]["description"]
    assert aws.events()[0]["detail"] == {
        "site": SITE,
        "from": "ok",
        "to": "error",
        "kind": None,
        "alert_id": f"{SITE}-1",
        "seq": 1,
    }


@pytest.mark.parametrize("subject", ["x", "!", "x" * 99, "[Padlock] a b", "1 ~"])
def test_subjects_that_sns_takes(subject: str) -> None:
    """1 to 99 printable ASCII characters are a subject."""
    check(mail(alert(subject=subject).item()))


@pytest.mark.parametrize("subject", ["", " x", "x" * 100, "one\ntwo", "x\n", "x\r", "tab\t", "naïve", "\x7f", "x\0"])
def test_subject_that_sns_refuses(aws: EmbeddedAws, subject: str) -> None:
    """A subject that SNS would refuse is never tried: the plain form goes out at once, with the id."""
    one = alert(subject=subject)
    with pytest.raises(Refused, match="subject"):
        check(mail(one.item()))
    write(aws, one)
    sns = Sns(aws.client("sns"))
    assert notifier(aws, sns).deliver(SITE) == 1
    assert len(sns.asked) == 2, "mail and chat, nothing twice"
    (plain,) = aws.mails()
    assert plain.subject == ""
    assert plain.text.isascii()
    assert one.alert_id in plain.text
    assert plain.attributes == {"status": "error", "severity": "error", "kind": "changed"}


@pytest.mark.parametrize(
    "one",
    [
        alert(body=LARGE),
        alert(data=json.dumps("x" * (MAX_OCTETS // 6))),
        alert(body="x" * 100_000, labels={"a": "b" * 80_000}),
    ],
    ids=["octets, not characters", "the JSON of six protocols", "attributes count"],
)
def test_mail_that_is_too_large(aws: EmbeddedAws, one: Alert) -> None:
    """A message of more than 256 KB with its attributes goes out in its plain form."""
    write(aws, one)
    assert notifier(aws).deliver(SITE) == 1
    (plain,) = aws.mails()
    assert "could not be sent" in plain.text
    assert len(aws.chats()) == 1


def test_largest_message_that_sns_takes() -> None:
    """262,144 octets are taken, one more is not."""
    attributes: Any = {"a": {"DataType": "String", "StringValue": "b"}}
    most = MAX_OCTETS - len("aStringb")
    check({"Message": "x" * most, "MessageAttributes": attributes})
    with pytest.raises(Refused, match="262145 octets"):
        check({"Message": "x" * (most + 1), "MessageAttributes": attributes})


@pytest.mark.parametrize("text", ["", LARGE + "x"])
def test_chat_message_that_is_refused(aws: EmbeddedAws, text: str) -> None:
    """What SNS would refuse for the chat goes out as the least custom notification, with the id."""
    one = alert(chat=text)
    write(aws, one)
    assert notifier(aws).deliver(SITE) == 1
    (plain,) = aws.chats()
    assert plain == json.loads(plain_chat(one.item())["Message"])
    assert (plain["version"], plain["source"], plain["content"]["textType"]) == ("1.0", "custom", "client-markdown")
    assert one.alert_id in plain["content"]["description"]


@pytest.mark.parametrize("detail", ["", "no JSON", json.dumps({"x": LARGE}, ensure_ascii=False)])
def test_event_that_is_refused(aws: EmbeddedAws, detail: str) -> None:
    """A detail that EventBridge refuses is replaced by the least one, which has the id."""
    write(aws, alert(event=detail))
    assert notifier(aws).deliver(SITE) == 1
    (event,) = aws.events()
    assert (event["detail"]["alert_id"], event["detail"]["to"]) == (f"{SITE}-1", "error")


def test_mail_that_sns_refuses(aws: EmbeddedAws) -> None:
    """A mail that SNS refuses for good, whatever the reason, goes out in its plain form and blocks nothing."""
    write(aws, alert(), alert(2))
    assert notifier(aws, Sns(aws.client("sns"), "InvalidParameter")).deliver(SITE) == 2
    plain, whole = aws.mails()
    assert "could not be sent" in plain.text
    assert whole.data["seq"] == 2
    assert pending(aws) == []


@pytest.mark.parametrize(
    "failures",
    [("InternalError",), ("Throttled",), ("InvalidParameter", "InvalidParameter"), ("AuthorizationError",)],
)
def test_mail_that_fails_stays_pending(aws: EmbeddedAws, failures: tuple[str, ...]) -> None:
    """What SNS does not take now, or not even in its plain form, waits with all that comes after it."""
    write(aws, alert(), alert(2))
    with pytest.raises(Undelivered, match="stays pending, its mail failed"):
        notifier(aws, Sns(aws.client("sns"), *failures)).deliver(SITE)
    assert (aws.mails(), aws.chats(), aws.events()) == ([], [], [])
    assert len(pending(aws)) == 2
    assert notifier(aws).sweep().published == 2
    assert [sent.data["seq"] for sent in aws.mails()] == [1, 2]


@pytest.mark.parametrize("codes", [("InternalFailure",), ("ThrottlingException",), ("MalformedDetail",) * 2])
def test_event_that_fails_repeats_no_mail(aws: EmbeddedAws, codes: tuple[str, ...]) -> None:
    """An event that the bus does not take waits; the mail and the chat message before it are not sent again."""
    write(aws, alert())
    swept = notifier(aws, events=Bus(aws.client("events"), *codes)).sweep()
    assert swept.published == 0
    assert f"its event failed: EventBridge answers {codes[-1]}" in swept.failed[0]
    assert pending(aws) == ["ALERT#0000000001"]
    assert notifier(aws).sweep().published == 1
    assert (len(aws.mails()), len(aws.chats()), len(aws.events())) == (1, 1, 1)


def test_record_is_cleared_that_was_sent(aws: EmbeddedAws) -> None:
    """An alert behind the cursor that is still listed as waiting is unlisted, not sent again."""
    write(aws, alert())
    assert notifier(aws).deliver(SITE) == 1
    write(aws, alert())
    assert notifier(aws).sweep().published == 0
    assert pending(aws) == []
    assert len(aws.mails()) == 1


def test_sent_records_survive_a_lost_cursor(aws: EmbeddedAws) -> None:
    """Where the cursor was removed by hand, what was sent is known from the records."""
    write(aws, alert(), alert(2))
    assert notifier(aws).deliver(SITE) == 2
    key = {"site": {"S": SITE}, "sk": {"S": "NOTIFY"}}
    aws.client("dynamodb").delete_item(TableName=aws.physical["ResultsTable"], Key=key)
    write(aws, alert(3))
    assert notifier(aws).deliver(SITE) == 1
    assert [sent.data["seq"] for sent in aws.mails()] == [1, 2, 3]


def test_spoilt_record_keeps_no_other_site(aws: EmbeddedAws) -> None:
    """A record without a text, and one whose time is none, fail at most their own site."""
    write(aws, alert(), alert(site="example.org"), alert(site="example.net"))
    for site, update in ((SITE, "REMOVE subject"), ("example.org", "SET created_at = :x")):
        aws.client("dynamodb").update_item(
            TableName=aws.physical["ResultsTable"],
            Key={"site": {"S": site}, "sk": {"S": "ALERT#0000000001"}},
            UpdateExpression=update,
            **({"ExpressionAttributeValues": {":x": {"S": "yesterday"}}} if ":x" in update else {}),
        )
    swept = notifier(aws).sweep()
    assert (swept.published, len(swept.failed)) == (2, 1)
    assert pending(aws) == ["ALERT#0000000001"]


class Subscribed:
    """A client of SNS with subscriptions: moto confirms each by itself."""

    def __init__(self, arns: dict[str, list[str]]) -> None:
        self._arns = arns

    def get_paginator(self, operation: str) -> "Subscribed":
        """Return the pages of an operation."""
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield one subscription a page."""
        if arguments["TopicArn"] not in self._arns:
            raise refusing("NotFound")
        for arn in self._arns[arguments["TopicArn"]]:
            yield {"Subscriptions": [{"SubscriptionArn": arn}]}


def test_unconfirmed_subscriptions(aws: EmbeddedAws) -> None:
    """Subscriptions of both topics that nobody has confirmed are counted, over every page."""
    waits = "PendingConfirmation"
    sns: Any = Subscribed({"mail": [waits, "arn:1", waits], "chat": ["Deleted", waits]})
    assert unconfirmed(sns, Topics("mail", "chat")) == 3
    assert unconfirmed(sns, Topics("mail", "")) == 2
    aws.client("sns").subscribe(TopicArn=aws.physical["AlertTopic"], Protocol="email", Endpoint="a@example.com")
    assert unconfirmed(aws.client("sns"), Topics(aws.physical["AlertTopic"], aws.physical["ChatTopic"])) == 0


def test_subscriptions_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """Where the topics cannot be asked nothing is counted, and the log says why."""
    sns: Any = Subscribed({"mail": ["PendingConfirmation"]})
    assert unconfirmed(sns, Topics("mail", "gone")) is None
    assert "subscriptions cannot be read" in caplog.text


@pytest.mark.parametrize(("minutes", "mails"), [(20, 2), (5, 1)])
def test_chat_that_is_gone_keeps_mails_back_for_a_quarter_of_an_hour(
    aws: EmbeddedAws, minutes: int, mails: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a person must heal a channel, the site's later mails do not wait for it for good."""
    began = datetime.now(UTC) - timedelta(minutes=minutes)
    write(aws, alert(1, created_at=began), alert(2, created_at=began))
    topics = Topics(aws.physical["AlertTopic"], aws.physical["ChatTopic"] + "-gone")
    outbox = Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"])
    swept = Notifier(outbox, aws.client("sns"), aws.client("events"), topics).sweep()
    assert (len(aws.mails()), len(swept.failed)) == (mails, 2 - mails)
    assert ("the chat of alert" in caplog.text) is (mails == 2)
