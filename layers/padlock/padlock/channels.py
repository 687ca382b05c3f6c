"""An alert record → what each channel is sent: mail and chat by SNS, an event by EventBridge.

Each has a whole form and a plain one, which goes out where the service refuses the whole one for good. What it would
refuse is told here (SNS API reference, Publish; EventBridge user guide, "Calculating PutEvents event entry size").
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, TypedDict

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from padlock.message import fallback, payload
from padlock.storage import Item

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

type Channel = Literal["mail", "chat", "event"]

CHANNELS: tuple[Channel, ...] = ("mail", "chat", "event")
"""In the order in which an alert goes to them; its cursor counts them."""
SOURCE = "padlock"
DETAIL_TYPE = "Padlock Site Status Changed"
MAX_OCTETS = 262_144
"""Of a message with its attributes, and of an event."""
MAX_SUBSCRIPTIONS = 10_000
"""Of one topic that are looked at."""
LABELS = 10
"""Labels of a site that an alert's attributes carry; all of them stand in its JSON."""
SHOWN = 200
"""Characters of a subject that a plain form shows."""
REFUSALS = frozenset(
    {
        "InvalidArgument",
        "InvalidParameter",
        "InvalidParameterValue",
        "MalformedDetail",
        "ParameterValueInvalid",
        "ValidationError",
        "ValidationException",
    }
)
"""Answers that another attempt with the same text would meet again."""
_SUBJECT = re.compile(r"[!-~][ -~]{0,98}")
"""What every version of SNS's reference allows; the present one allows UTF-8, too."""

log = logging.getLogger(__name__)


class Refused(Exception):
    """A text that the service does not take, now or later."""


class NotTaken(Exception):
    """An event that the bus did not take this time."""


class Topics(msgspec.Struct, frozen=True):
    """Where alerts are published."""

    alerts: str
    """ARN."""
    chat: str
    """ARN; empty: there is no chat channel."""


class Events(Protocol):
    """The one call of EventBridge's client that is made."""

    def put_events(self, *, Entries: list[dict[str, str]]) -> Any:  # noqa: N803 — boto3's name
        """Put events on their buses."""


class Message(TypedDict):
    """What SNS is asked to publish."""

    Message: str
    MessageAttributes: "dict[str, MessageAttributeValueTypeDef]"
    Subject: NotRequired[str]
    MessageStructure: NotRequired[str]


class Channels:
    """The places that an alert goes to."""

    def __init__(self, sns: "SNSClient", events: Events, topics: Topics, bus: str) -> None:
        self._sns = sns
        self._events = events
        self._topics = topics
        self._bus = bus

    def left(self, record: Item, stage: int) -> list[int]:
        """Return the numbers of the channels that a record is still to go to, `stage` of them behind it."""
        if record.get("kind") == "status":
            wanted: tuple[Channel, ...] = ("event",)
        else:
            wanted = CHANNELS if self._topics.chat else ("mail", "event")
        return [number for number in range(stage, len(CHANNELS)) if CHANNELS[number] in wanted]

    def send(self, number: int, record: Item) -> None:
        """Send a record to a channel, in its plain form where the whole one is refused.

        Refused where neither is taken; NotTaken, ClientError and BotoCoreError where another attempt may succeed.
        """
        channel = CHANNELS[number]
        try:
            self._send(channel, record, plain=False)
        except Refused as refused:
            shown = record["alert_id"], record["site"], channel
            log.warning("alert %s of %s goes to %s in its plain form: %s", *shown, refused)
            self._send(channel, record, plain=True)

    def _send(self, channel: Channel, record: Item, *, plain: bool) -> None:
        try:
            match channel:
                case "mail":
                    self._publish(self._topics.alerts, plain_mail(record) if plain else mail(record))
                case "chat":
                    self._publish(self._topics.chat, plain_chat(record) if plain else chat(record))
                case "event":
                    self._put(plain_event(record) if plain else record.get("event", ""))
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSALS:
                raise Refused(str(error)) from error
            raise

    def _publish(self, topic: str, message: Message) -> None:
        check(message)
        self._sns.publish(TopicArn=topic, **message)

    def _put(self, detail: str) -> None:
        octets = len(f"{SOURCE}{DETAIL_TYPE}{detail}".encode())
        if octets > MAX_OCTETS:
            raise Refused(f"the event has {octets} octets")
        entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail, "EventBusName": self._bus}
        answer = self._events.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            code, text = (answer["Entries"][0].get(name, "") for name in ("ErrorCode", "ErrorMessage"))
            raise (Refused if code in REFUSALS else NotTaken)(f"EventBridge answers {code}: {text}")


def check(message: Message) -> None:
    """Raise Refused where SNS would refuse a message for good."""
    subject = message.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise Refused(f"the subject {subject[:SHOWN]!r} is not 1 to 99 printable ASCII characters")
    if not message["Message"]:
        raise Refused("the message is empty")
    attributes = message["MessageAttributes"].items()
    octets = len(message["Message"].encode()) + len(subject or "")
    octets += sum(len(f"{name}{value['DataType']}{value['StringValue']}".encode()) for name, value in attributes)
    if octets > MAX_OCTETS:
        raise Refused(f"the message has {octets} octets")


def mail(record: Item) -> Message:
    """Return a record for the mail topic: text for people, JSON for machines."""
    return {
        "Subject": record["subject"],
        "Message": payload(record["subject"], record["body"], record["data"]),
        "MessageStructure": "json",
        "MessageAttributes": _attributes(**_told(record), site=record["site"]) | _labels(record.get("labels", {})),
    }


def plain_mail(record: Item) -> Message:
    """Return what SNS cannot refuse: no subject, no structure, no word that came from outside but in ASCII."""
    return {"Message": _plain_text(record), "MessageAttributes": _attributes(**_told(record))}


def chat(record: Item) -> Message:
    """Return a record for the chat topic, as Amazon Q Developer in chat applications reads it."""
    return {
        "Message": record.get("chat", ""),
        "MessageAttributes": _attributes(site=record["site"], severity=record["severity"]),
    }


def plain_chat(record: Item) -> Message:
    """Return the least that Amazon Q Developer shows; what is not of its form, it drops."""
    content = {"textType": "client-markdown", "description": _plain_text(record)}
    return {
        "Message": json.dumps({"version": "1.0", "source": "custom", "content": content}),
        "MessageAttributes": _attributes(severity=record["severity"]),
    }


def plain_event(record: Item) -> str:
    """Return the least that an event tells."""
    return json.dumps({name: record.get(name) for name in ("site", "from", "to", "kind", "alert_id", "seq")})


def unconfirmed(sns: "SNSClient", topics: Topics) -> int | None:
    """Return how many subscriptions of the topics wait for their confirmation; None where that cannot be learnt."""
    count = 0
    try:
        for topic in filter(None, (topics.alerts, topics.chat)):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(
                TopicArn=topic, PaginationConfig={"MaxItems": MAX_SUBSCRIPTIONS}
            )
            listed = (entry for page in pages for entry in page["Subscriptions"])
            count += sum(entry.get("SubscriptionArn") == "PendingConfirmation" for entry in listed)
    except (ClientError, BotoCoreError) as error:
        log.warning("the topics' subscriptions cannot be read: %s", error)
        return None
    return count


def _plain_text(record: Item) -> str:
    return fallback(record["site"], record["subject"][:SHOWN], record["alert_id"])


def _told(record: Item) -> dict[str, str]:
    return {"status": record["to"], "severity": record["severity"], "kind": record.get("kind", "")}


def _labels(labels: Mapping[str, str]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return a site's labels as one attribute, which a filter policy matches as `{"labels": ["team=shop"]}`."""
    shown = [f"{name}={value}" for name, value in sorted(labels.items())[:LABELS]]
    return {"labels": {"DataType": "String.Array", "StringValue": json.dumps(shown)}} if shown else {}


def _attributes(**values: str) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes, which subscribers filter by; SNS refuses empty ones."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
