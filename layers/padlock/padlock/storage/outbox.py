"""The outbox: alerts as written with the change that they tell of, published in order by whoever holds the lease.

Why order and delivery need no clock: a channel of an alert is sent only by somebody who has read from the cursor that
everything before it was sent, and the cursor is moved past it only by somebody who has sent it; each move names the
place that it moves from. So nothing is passed over and first publishes are in order, whatever the clocks say. A clock
only decides when a lease may be taken: a wrong one takes it too early or, by as much as it is wrong, too late. Taken
too early between two publishes, the former holder's `begin` fails, and only the taker goes on. Taken between `begin`
and `mark`, what was begun may be sent twice, with one id: the taker cannot know how it ended, only that it was begun.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from padlock.changes import Kind, SiteStatus
from padlock.storage._items import Item, marshal, stamp
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Alert(msgspec.Struct, frozen=True):
    """One alert record; what it says never changes once it is written."""

    site: str
    seq: int
    """1 and up, without a gap."""
    alert_id: str
    created_at: datetime
    kind: Kind
    before: SiteStatus
    """The status that the site had; the `after` of the record before."""
    after: SiteStatus
    labels: Mapping[str, str]
    """As the site declares them."""
    subject: str
    body: str
    """Plain text."""
    data: str
    """The same as JSON."""
    chat: str
    """The same as Amazon Q Developer's custom notification, JSON."""
    event: str
    """Detail of the event, JSON."""
    severity: str
    changed: Mapping[str, Sequence[str]] = {}
    """`opened`, `worsened`, `eased`, `resolved` → what it is about, a short line each."""

    def item(self) -> Item:
        """Return the record as it is stored: the texts as published, and the change as keys to look at."""
        return {
            "site": self.site,
            "sk": alert_key(self.seq),
            "seq": self.seq,
            "alert_id": self.alert_id,
            "pending": "alert",
            "created_at": stamp(self.created_at),
            "kind": self.kind,
            "from": self.before,
            "to": self.after,
            "labels": self.labels,
            "subject": self.subject,
            "body": self.body,
            "data": self.data,
            "chat": self.chat,
            "event": self.event,
            "severity": self.severity,
            "change": self.changed,
        }


class Lease(msgspec.Struct, frozen=True):
    """The right to publish a site's alerts, and the cursor up to which they are published."""

    site: str
    token: str
    sent_seq: int
    """Number of the last alert that every channel was sent."""
    stage: int
    """How many channels the alert after it was sent already."""
    begun: bool = False
    """A publish was begun here, and nobody wrote how it ended."""


class Outbox:
    """The alert records of all sites, and per site the cursor up to which they are published."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def lease(self, site: str, token: str, now: float, until: float) -> Lease | None:
        """Take the lease of a site (times in epoch seconds); None while another holds it."""
        done, found = self._move(
            site,
            "SET lease_token = :mine, lease_until = :until, "
            "sent_seq = if_not_exists(sent_seq, :zero), #stage = if_not_exists(#stage, :zero)",
            "attribute_not_exists(lease_until) OR lease_until < :now",
            {":mine": token, ":until": until, ":now": now, ":zero": 0},
        )
        # A request whose answer was lost is made again by the client, and then meets the lease that it has taken.
        if not done and found.get("lease_token") != token:
            return None
        return Lease(site, token, found["sent_seq"], found["stage"], found.get("begun", False))

    def begin(self, lease: Lease, until: float) -> bool:
        """Extend the lease for one publish, and note that it is begun; False where the lease was lost."""
        return self._move(
            lease.site,
            "SET lease_until = :until, begun = :yes",
            "lease_token = :mine AND sent_seq = :sent AND #stage = :stage",
            {":until": until, ":yes": True, ":mine": lease.token, ":sent": lease.sent_seq, ":stage": lease.stage},
        )[0]

    def mark(self, lease: Lease, sent_seq: int, stage: int) -> Lease | None:
        """Move the cursor to here; None where the lease was lost."""
        done, found = self._move(
            lease.site,
            "SET sent_seq = :seq, #stage = :next REMOVE begun",
            "lease_token = :mine AND sent_seq = :sent AND #stage = :stage",
            {
                ":seq": sent_seq,
                ":next": stage,
                ":mine": lease.token,
                ":sent": lease.sent_seq,
                ":stage": lease.stage,
            },
        )
        is_here = (found.get("lease_token"), found.get("sent_seq"), found.get("stage")) == (
            lease.token,
            sent_seq,
            stage,
        )
        return Lease(lease.site, lease.token, sent_seq, stage) if done or is_here else None

    def release(self, lease: Lease) -> None:
        """Give the lease back; one that another has taken meanwhile stays with them."""
        condition = "lease_token = :mine"
        self._move(lease.site, "REMOVE lease_token, lease_until", condition, {":mine": lease.token})

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

    def _move(self, site: str, update: str, condition: str, values: Mapping[str, Any]) -> tuple[bool, Item]:
        """Write a site's cursor where the condition holds; return whether it did, and the cursor as it is then."""
        named: Any = {"ExpressionAttributeNames": {"#stage": "stage"}} if "#stage" in update + condition else {}
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": site, "sk": "NOTIFY"}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=marshal(values),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **named,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            found: Any = error.response.get("Item", {})
            return False, unmarshal(found)
        return True, unmarshal(answer["Attributes"])


def alert_key(seq: int | None) -> str:
    """Return the sort key of an alert's record; its prefix without a number."""
    return "ALERT#" if seq is None else f"ALERT#{seq:010}"


def alert_number(key: str) -> int:
    """Return the sequence number in an alert's sort key."""
    return int(key.removeprefix("ALERT#"))
