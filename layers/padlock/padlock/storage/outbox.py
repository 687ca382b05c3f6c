"""The outbox: alerts as written with the change that they tell of, published in order by whoever holds the lease."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from padlock.changes import Change
from padlock.storage._items import Item, marshal, shown_labels, stamp, unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Alert(msgspec.Struct, frozen=True):
    """One alert record; what it says never changes once it is written."""

    site: str
    seq: int
    """1 and up, without a gap."""
    alert_id: str
    created_at: datetime
    subject: str
    body: str
    """Plain text."""
    data: str
    """The same as JSON."""
    severity: str
    change: Change

    def item(self) -> Item:
        """Return the record as it is stored: the texts as published, and the change as keys to look at."""
        change = self.change
        return {
            "site": self.site,
            "sk": alert_key(self.seq),
            "seq": self.seq,
            "alert_id": self.alert_id,
            "pending": "alert",
            "created_at": stamp(self.created_at),
            "subject": self.subject,
            "body": self.body,
            "data": self.data,
            "severity": self.severity,
            "from": change.before,
            "to": change.after,
            "labels": change.labels,
            "change": {
                "opened": shown_labels(change.opened),
                "worsened": shown_labels(change.worsened),
                "eased": shown_labels(change.eased),
                "resolved": shown_labels(change.resolved),
            },
        }


class Lease(msgspec.Struct, frozen=True):
    """The right to publish a site's alerts, until a time."""

    site: str
    token: str
    sent_seq: int
    """Number of the last alert that was published."""
    until: float
    """Epoch seconds."""


class Outbox:
    """The alert records of all sites, and per site the cursor up to which they are published."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def lease(self, site: str, token: str, now: float, until: float) -> Lease | None:
        """Take the lease of a site (times in epoch seconds); None while another holds it."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": site, "sk": "NOTIFY"}),
                UpdateExpression="SET lease_token = :mine, lease_until = :until, "
                "sent_seq = if_not_exists(sent_seq, :zero)",
                ConditionExpression="attribute_not_exists(lease_until) OR lease_until < :now",
                ExpressionAttributeValues=marshal({":mine": token, ":until": until, ":now": now, ":zero": 0}),
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return Lease(site, token, int(unmarshal(answer["Attributes"])["sent_seq"]), until)

    def release(self, lease: Lease) -> None:
        """Give the lease back; one that another has taken meanwhile stays with them."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": lease.site, "sk": "NOTIFY"}),
                UpdateExpression="REMOVE lease_token, lease_until",
                ConditionExpression="lease_token = :mine",
                ExpressionAttributeValues=marshal({":mine": lease.token}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def next(self, lease: Lease) -> Item | None:
        """Return the alert after the cursor, read consistently.

        The sequence has no gaps, so that a missing number was removed by hand: the next one there is, is next.
        """
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="site = :s AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=marshal(
                {":s": lease.site, ":first": alert_key(lease.sent_seq + 1), ":last": alert_key(10**10 - 1)}
            ),
            ConsistentRead=True,
            Limit=1,
        )
        return unmarshal(page["Items"][0]) if page["Items"] else None

    def mark(self, lease: Lease, seq: int, published_at: datetime, until: float) -> Lease | None:
        """Move the cursor past a published alert and extend the lease; None where the lease was lost meanwhile."""
        values = {":n": seq, ":before": lease.sent_seq, ":mine": lease.token, ":until": until}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": lease.site, "sk": "NOTIFY"}),
                UpdateExpression="SET sent_seq = :n, lease_until = :until",
                ConditionExpression="lease_token = :mine AND sent_seq = :before",
                ExpressionAttributeValues=marshal(values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        self.clear(lease.site, alert_key(seq), published_at)
        return Lease(lease.site, lease.token, seq, until)

    def clear(self, site: str, key: str, published_at: datetime) -> None:
        """Take a published alert off the list of those that wait."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": site, "sk": key}),
                UpdateExpression="SET published_at = if_not_exists(published_at, :at) REMOVE pending",
                ConditionExpression="attribute_exists(sk)",
                ExpressionAttributeValues=marshal({":at": stamp(published_at)}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def pending(self) -> Iterator[Item]:
        """Yield site, key and time of every alert that waits, the oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="pending",
            KeyConditionExpression="pending = :p",
            ExpressionAttributeValues=marshal({":p": "alert"}),
        )
        for page in pages:
            yield from map(unmarshal, page["Items"])


def alert_key(seq: int | None) -> str:
    """Return the sort key of an alert's record; its prefix without a number."""
    return "ALERT#" if seq is None else f"ALERT#{seq:010}"


def alert_number(key: str) -> int:
    """Return the sequence number in an alert's sort key."""
    return int(key.removeprefix("ALERT#"))
