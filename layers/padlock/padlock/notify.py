"""Publishing: alert records of the outbox → SNS, in order and at least once. Nothing else publishes.

The stream's inserts and the sweeper are only wake-ups. Whoever holds a site's lease publishes what comes after the
site's cursor and moves the cursor; a publish whose outcome is unknown is made again with the same record, so that a
duplicate carries the same alert id.
"""

import json
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
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
"""Longer than the function may run; whoever is ended in the middle leaves the site to the others after this long."""
PUBLISH_SECONDS = 25
"""What one publish may take at most, by the client's time-outs."""
MAX_SITES = 500
"""Sites that one sweep works on; the next sweep goes on."""
SWEEP_SECONDS = 25
"""After this long a sweep begins with no further site, so that it ends before its function is ended."""
LABELS = 10
"""Labels of a site that an alert's attributes carry; all of them stand in its JSON."""
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
    """Why, per site whose alerts could not be published."""
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
            self._release(lease)

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
        end = time.monotonic() + SWEEP_SECONDS
        for site, waiting in keys.items():
            if time.monotonic() > end:
                break
            try:
                published += self.deliver(site, waiting)
            except Held:
                continue
            except Exception as error:
                # One site's broken record must not keep the other sites' alerts.
                log.exception("the alerts of %s stay pending", site)
                failed.append(str(error) or type(error).__name__)
        return Sweep(published, tuple(failed), oldest)

    def _publish_all(self, lease: Lease) -> int:
        published = 0
        while record := self._outbox.next(lease):
            if time.time() + PUBLISH_SECONDS > lease.until:
                # Whoever was held up this long may not be the only one to publish any more.
                raise Undelivered(f"{lease.site}: the lease is about to end; its alerts are tried again later")
            if "pending" in record:
                self._publish(record)
                published += 1
            marked = self._outbox.mark(lease, record["seq"], datetime.now(UTC), time.time() + LEASE_SECONDS)
            if marked is None:
                raise Undelivered(f"{lease.site}: the lease ended while an alert was published")
            lease = marked
        return published

    def _release(self, lease: Lease) -> None:
        """Give the lease back; where that fails it ends by itself, and what was published stays published."""
        try:
            self._outbox.release(lease)
        except (ClientError, BotoCoreError) as error:
            log.warning("the lease of %s is not given back: %s", lease.site, error)

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
            MessageAttributes=_attributes(status=record["to"], severity=record["severity"], site=record["site"])
            | _labels(record.get("labels", {})),
        )

    def _send_fallback(self, record: Item) -> None:
        """Send what SNS cannot refuse: no subject, no structure, no word that came from outside but in ASCII."""
        self._sns.publish(
            TopicArn=self._topic,
            Message=fallback(record["site"], record["subject"], record["alert_id"]),
            MessageAttributes=_attributes(status=record["to"], severity=record["severity"]),
        )


def _labels(labels: Mapping[str, str]) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return a site's labels as one attribute, which a filter policy matches as `{"labels": ["team=shop"]}`."""
    shown = [f"{name}={value}" for name, value in sorted(labels.items())[:LABELS]]
    return {"labels": {"DataType": "String.Array", "StringValue": json.dumps(shown)}} if shown else {}


def _attributes(**values: str) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return message attributes, which subscribers filter by."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
