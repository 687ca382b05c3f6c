"""`padlock test-alert`: one alert through the whole way, and who gets it."""

import argparse
import math
import shlex
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from padlock.cli.output import FAULT, HEALTHY, UNHEALTHY, clear_progress, complain, progress_line
from padlock.cli.stack import Stack, on_stack
from padlock.findings import CHECKER
from padlock.render.escape import printable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

    from padlock.storage import Alert

POLL_SECONDS = 0.5
LONGEST_WAIT = 3600
KEPT_SECONDS = 86400
"""How long the row is kept that one test alert has in the history."""
CONFIRMATION = "AWS Notification - Subscription Confirmation"
"""Subject of the mail that AWS asks for a confirmation with."""


class Subscription(msgspec.Struct, frozen=True):
    """Who is subscribed to one of the stack's topics."""

    topic: Literal["alerts", "chat"]
    arn: str
    """Of the topic."""
    protocol: str
    endpoint: str
    """An address, a URL, an ARN."""
    state: Literal["confirmed", "pending", "deleted"]
    """`pending`: it waits for its confirmation and is sent nothing; `deleted`: so is one that was ended."""

    @property
    def shown(self) -> str:
        """Who it is, in one line."""
        return printable(f"{self.protocol} {self.endpoint}", 200) + (" (chat)" if self.topic == "chat" else "")

    @property
    def remedy(self) -> str:
        """What to do so that it is sent alerts."""
        again = subscribe(self.arn, self.protocol, self.endpoint)
        if self.protocol.startswith("email"):
            return f"open the link in the mail '{CONFIRMATION}'; if it has gone, this sends another: {again}"
        return f"confirm it by the URL that AWS has sent to it; if it has gone, this sends another: {again}"


def seconds(text: str) -> float:
    """Read a number of seconds, none or more; ArgumentTypeError where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {LONGEST_WAIT}")
    return value


def subscribe(topic: str, protocol: str, endpoint: str) -> str:
    """Return the command that subscribes to a topic; for one that is not confirmed it asks for that again."""
    region = f" --region {topic.split(':')[3]}" if topic.count(":") > 4 else ""
    words = shlex.join(["--topic-arn", topic, "--protocol", protocol, "--notification-endpoint", endpoint])
    return printable(f"aws sns subscribe{region} {words}")


def subscriptions(stack: Stack) -> Sequence[Subscription]:
    """Return who is subscribed to the stack's topics."""
    from padlock import notify  # noqa: PLC0415 — boto3 takes 300 ms

    sns = notify.client()
    found = list(_of_topic(sns, "alerts", stack.outputs["TopicArn"]))
    if chat := stack.outputs.get("ChatTopicArn"):
        found += _of_topic(sns, "chat", chat)
    return found


def _of_topic(sns: "SNSClient", topic: Literal["alerts", "chat"], arn: str) -> Iterable[Subscription]:
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
        for entry in page["Subscriptions"]:
            # In place of an ARN stands PendingConfirmation, or Deleted.
            given = entry.get("SubscriptionArn", "")
            state: Literal["confirmed", "pending", "deleted"] = "deleted" if given == "Deleted" else "pending"
            if given.startswith("arn:"):
                state = "confirmed"
            yield Subscription(topic, arn, entry.get("Protocol", ""), entry.get("Endpoint", ""), state)


def test_alert(options: argparse.Namespace) -> int:
    """Send a test alert through the outbox and wait for it; return the exit status."""

    def action(stack: Stack) -> int:
        from padlock.storage import client  # noqa: PLC0415 — boto3 takes 300 ms

        dynamodb = client()
        try:
            alert = _announced(dynamodb, stack)
        except TimeoutError as error:
            complain(f"the alert was not written: {error}; run it again")
            return FAULT
        sys.stdout.write(f"wrote alert {alert.alert_id} into the outbox\n")
        sys.stdout.flush()
        published = True
        if options.wait:
            published = _waited(dynamodb, stack, alert.seq, options.wait)
        heard = _told_who_gets_it(stack)
        return HEALTHY if published and heard else UNHEALTHY

    return on_stack(options, ("ResultsTableName", "TopicArn"), action)


def _announced(dynamodb: "DynamoDBClient", stack: Stack) -> "Alert":
    """Write a test alert into the outbox and return it."""
    from padlock.alerting import announce  # noqa: PLC0415 — boto3 takes 300 ms
    from padlock.message import Further, Message, compose_test  # noqa: PLC0415 — only this command needs it
    from padlock.storage import Results  # noqa: PLC0415 — boto3 takes 300 ms

    table = stack.outputs["ResultsTableName"]
    now = datetime.now(UTC).replace(microsecond=0)
    further = Further(
        table,
        function=stack.outputs.get("CheckFunctionName", ""),
        sites_table=stack.outputs.get("SitesTableName", ""),
        dashboard=stack.outputs.get("DashboardUrl", ""),
        place=dynamodb.meta.region_name,
    )

    def compose(alert_id: str, seq: int) -> Message:
        return compose_test(alert_id, seq, now, further)

    expires = int(time.time()) + KEPT_SECONDS
    written = announce(Results(dynamodb, table), "test", f"RUN#test#{uuid.uuid4()}", now, compose, expires)
    if written is None:
        raise TimeoutError("its row stood in the table already")  # only where two ids are the same
    return written


def _waited(dynamodb: "DynamoDBClient", stack: Stack, seq: int, seconds: float) -> bool:
    """Wait until an alert is published and say how long it took; False where it was not in time."""
    from padlock.storage.delivery import is_pending  # noqa: PLC0415 — boto3 takes 300 ms

    started = time.monotonic()
    while is_pending(dynamodb, stack.outputs["ResultsTableName"], CHECKER, seq):
        waited = time.monotonic() - started
        if waited >= seconds:
            complain(
                f"it was not published within {seconds:g} s; it stays in the outbox, and a sweep every 5 minutes "
                f"tries again: `padlock status --stack {stack.name}` and the notify function's log say what is wrong"
            )
            return False
        progress_line(f"waiting until it is published · {waited:.0f} of {seconds:g} s")
        time.sleep(min(POLL_SECONDS, seconds - waited))
    clear_progress()
    sys.stdout.write(f"published after {time.monotonic() - started:.1f} s\n")
    return True


def _told_who_gets_it(stack: Stack) -> bool:
    """Say who gets what is published; return whether anybody does."""
    found = subscriptions(stack)
    confirmed = [each for each in found if each.state == "confirmed"]
    for each in confirmed:
        sys.stdout.write(f"goes to {each.shown}\n")
    sys.stdout.flush()
    for each in found:
        if each.state == "pending":
            complain(f"{each.shown} is not confirmed and gets nothing: {each.remedy}")
    if not confirmed and not any(each.state == "pending" for each in found):
        example = subscribe(stack.outputs["TopicArn"], "email", "YOU@EXAMPLE.COM")
        complain(f"nobody is subscribed to the topic: {example}")
    return bool(confirmed)
