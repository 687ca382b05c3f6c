"""Publishing: alert records of the outbox → SNS, in order and at least once. Nothing else publishes.

The stream's inserts and the sweeper are only wake-ups. Whoever holds a site's lease publishes what comes after the
site's cursor and moves the cursor; a publish whose outcome is unknown is made again with the same record, so that a
duplicate carries the same alert id.
"""

import logging
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from padlock.message import fallback, payload
from padlock.storage import Item, Lease, Outbox

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

LEASE_SECONDS = 90
"""Longer than one publish may take, so that a lease does not end during one."""
MAX_SITES = 500
"""Sites that one sweep works on; the next sweep goes on."""
REFUSALS = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"})
"""SNS's answers that another attempt with the same text would meet again."""

log = logging.getLogger(__name__)


class Undelivered(Exception):
    """An alert that could not be published now; it stays pending."""


class Held(Undelivered):
    """Another holds the lease of the site."""


class Sweep(msgspec.Struct, frozen=True):
    """What one sweep did."""

    published: int
    failed: tuple[str, ...]
    """Why, per site that could not be worked on."""
    oldest_seconds: float
    """Age of the alert that had waited longest."""


def client() -> "SNSClient":
    """Return a client that never repeats a publish by itself: a repeat must go through the record."""
    return boto3.client("sns", config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 1}))


class Notifier:
    """Publishes a site's alerts to one topic."""

    def __init__(self, outbox: Outbox, sns: "SNSClient", topic: str) -> None:
        self._outbox = outbox
        self._sns = sns
        self._topic = topic

    def deliver(self, site: str, waiting: Iterable[str] = ()) -> int:
        """Publish what a site's outbox holds and return how many; Undelivered where that cannot be done now.

        `waiting` are keys of alerts that are listed as pending; those behind the cursor are taken off the list.
        """
        lease = self._outbox.lease(site, uuid.uuid4().hex, time.time(), time.time() + LEASE_SECONDS)
        if lease is None:
            raise Held(f"{site}: another holds the lease; its alerts are tried again later")
        first = lease.sent_seq
        try:
            for key in waiting:
                if int(key.removeprefix("ALERT#")) <= first:
                    self._outbox.clear(site, key, datetime.now(UTC))
            return self._publish_all(lease)
        finally:
            self._outbox.release(lease)

    def sweep(self) -> Sweep:
        """Publish every alert that waits, whatever its stream record came to."""
        keys: dict[str, list[str]] = {}
        oldest = 0.0
        for row in self._outbox.pending():
            if row["site"] not in keys and len(keys) == MAX_SITES:
                break
            keys.setdefault(row["site"], []).append(row["sk"])
            oldest = max(oldest, time.time() - datetime.fromisoformat(row["created_at"]).timestamp())
        published, failed = 0, []
        for site, waiting in keys.items():
            try:
                published += self.deliver(site, waiting)
            except Held:
                continue
            except Undelivered as error:
                failed.append(str(error))
        return Sweep(published, tuple(failed), oldest)

    def _publish_all(self, lease: Lease) -> int:
        published = 0
        while record := self._outbox.next(lease):
            if "pending" in record:
                self._publish(record)
                published += 1
            marked = self._outbox.mark(lease, record["seq"], datetime.now(UTC), time.time() + LEASE_SECONDS)
            if marked is None:
                raise Undelivered(f"{lease.site}: the lease ended while an alert was published")
            lease = marked
        return published

    def _publish(self, record: Item) -> None:
        try:
            try:
                self._send(record)
            except ClientError as error:
                if error.response["Error"]["Code"] not in REFUSALS:
                    raise
                log.warning("SNS refuses alert %s; its plain form goes out: %s", record["alert_id"], error)
                self._send_fallback(record)
        except (ClientError, BotoCoreError) as error:
            raise Undelivered(f"{record['site']}: alert {record['alert_id']} stays pending: {error}") from error

    def _send(self, record: Item) -> None:
        self._sns.publish(
            TopicArn=self._topic,
            Subject=record["subject"],
            Message=payload(record["subject"], record["body"], record["data"]),
            MessageStructure="json",
            MessageAttributes=_attributes(status=record["to"], severity=record["severity"], site=record["site"]),
        )

    def _send_fallback(self, record: Item) -> None:
        """Send what SNS cannot refuse: no subject, no structure, no word that came from outside but in ASCII."""
        self._sns.publish(
            TopicArn=self._topic,
            Message=fallback(record["site"], record["subject"], record["alert_id"]),
            MessageAttributes=_attributes(status=record["to"], severity=record["severity"]),
        )


def _attributes(**values: str) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes, which subscribers filter by."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
