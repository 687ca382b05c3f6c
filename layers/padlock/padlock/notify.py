"""Publishing: alert records of the outbox → mail, chat and event, in order and at least once. Nothing else publishes.

The stream's inserts and the sweeper are only wake-ups. Whoever holds a site's lease sends what comes after the site's
cursor, channel by channel, and moves the cursor after each; a publish whose outcome is unknown is made again with the
same record, so that a duplicate carries the same alert id.
"""

import logging
import math
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from padlock.channels import CHANNELS, Channels, Events, NotTaken, Refused, Topics, unconfirmed
from padlock.storage import Item, Lease, Outbox

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

__all__ = ["Held", "Late", "Notifier", "Sweep", "Topics", "Undelivered", "client", "events", "unconfirmed"]

PATIENCE = 900
"""Seconds for which an alert waits for a chat or an event bus that is gone; the site's next mails wait behind it."""
LASTING = ("NotFound", "AuthorizationError", "AccessDenied", "KMS")
"""Parts of the codes of such refusals."""
LEASE_SECONDS = 90
"""From the last publish that was begun on; whoever is ended in it leaves the site to the others after this long."""
PUBLISH_SECONDS = 25
"""What one publish may take at most, by the clients' time-outs."""
MAX_SITES = 5000
"""Sites that one sweep looks at; the next sweep goes on."""
SWEEP_SECONDS = 25
"""After this long a sweep begins no further publish, so that it ends before its function is ended."""
_ONCE = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 1})
"""A client never repeats a publish by itself: a repeat must go through the record."""

log = logging.getLogger(__name__)


class Undelivered(Exception):
    """An alert that could not be published now; it stays pending."""


class Held(Undelivered):
    """Another holds the lease of the site."""


class Late(Undelivered):
    """The time is too short to begin another publish."""


class Sweep(msgspec.Struct, frozen=True):
    """What one sweep did."""

    published: int
    failed: tuple[str, ...]
    """Why, per site whose alerts could not be published."""
    oldest_seconds: float
    """Age of the alert that had waited longest; 0 where none had."""


def client() -> "SNSClient":
    """Return a client of SNS."""
    return boto3.client("sns", config=_ONCE)


def events() -> Events:
    """Return a client of EventBridge."""
    made: Events = boto3.client("events", config=_ONCE)
    return made


class Notifier:
    """Publishes the alerts of sites."""

    def __init__(
        self, outbox: Outbox, sns: "SNSClient", events: Events, topics: Topics, bus: str = "default"
    ) -> None:
        self._outbox = outbox
        self._channels = Channels(sns, events, topics, bus)
        self._failed: set[str] = set()
        """Sites that the sweep before could not serve."""

    def deliver(self, site: str, waiting: Iterable[str] = (), end: float = math.inf) -> int:
        """Publish what a site's outbox holds and return how many; Undelivered where that cannot be done now.

        `waiting` are keys of alerts that are listed as pending; those behind the cursor are taken off the list. `end`
        is the time, of the monotonic clock, by which everything must be over.
        """
        lease = self._outbox.lease(site, uuid.uuid4().hex, time.time(), time.time() + LEASE_SECONDS)
        if lease is None:
            raise Held(f"{site}: another holds the lease; its alerts are tried again later")
        if lease.begun:
            began = lease.site, lease.sent_seq + 1
            log.warning("%s: a publish of alert %s was begun and not marked; it may come twice, with one id", *began)
        first = lease.sent_seq
        try:
            for key in waiting:
                if int(key.removeprefix("ALERT#")) <= first:
                    self._outbox.clear(site, key, datetime.now(UTC))
            return self._publish_all(lease, end)
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
            oldest = max(oldest, _age(row))
        published, failed = 0, dict[str, str]()
        end = time.monotonic() + SWEEP_SECONDS + PUBLISH_SECONDS
        # The oldest first; but what failed before must not take the others' time again.
        for site in sorted(keys, key=self._failed.__contains__):
            if time.monotonic() + PUBLISH_SECONDS > end:
                break
            try:
                published += self.deliver(site, keys[site], end)
            except (Held, Late):
                continue
            except Exception as error:
                # One site's broken record must not keep the other sites' alerts.
                log.exception("the alerts of %s stay pending", site)
                failed[site] = str(error) or type(error).__name__
        self._failed = set(failed)
        return Sweep(published, tuple(failed.values()), oldest)

    def _publish_all(self, lease: Lease, end: float) -> int:
        published = 0
        while record := self._outbox.next(lease):
            if record["seq"] > lease.sent_seq + 1:
                # A stage belongs to one alert: that of a record that was removed by hand is not the next one's.
                lease = self._marked(lease, record["seq"] - 1, 0)
            if "pending" in record:
                lease = self._publish(lease, record, end)
                published += 1
            lease = self._marked(lease, record["seq"], 0)
            self._outbox.clear(lease.site, record["sk"], datetime.now(UTC))
        return published

    def _publish(self, lease: Lease, record: Item, end: float) -> Lease:
        """Send a record to the channels that it has not gone to; its last one is not marked yet."""
        left = self._channels.left(record, lease.stage)
        for number in left:
            self._begin(lease, end)
            try:
                self._channels.send(number, record)
            except (Refused, NotTaken, ClientError, BotoCoreError) as error:
                if number and _age(record) > PATIENCE and _is_lasting(error):
                    site, alert, channel = record["site"], record["alert_id"], CHANNELS[number]
                    log.error("%s: the %s of alert %s is given up: %s", site, channel, alert, error)  # noqa: TRY400
                    continue
                told = f"{record['site']}: alert {record['alert_id']} stays pending, its {CHANNELS[number]} failed"
                raise Undelivered(f"{told}: {error}") from error
            if number != left[-1]:
                lease = self._marked(lease, lease.sent_seq, number + 1)
        return lease

    def _begin(self, lease: Lease, end: float) -> None:
        """Make sure that a publish can be begun: by us, and with the time that it may take."""
        now = time.monotonic()
        if now + PUBLISH_SECONDS > end:
            raise Late(f"{lease.site}: the time is over; its alerts are tried again later")
        if not self._outbox.begin(lease, time.time() + LEASE_SECONDS):
            raise Undelivered(f"{lease.site}: another has taken the lease; its alerts are tried again later")
        if time.monotonic() + PUBLISH_SECONDS > now + LEASE_SECONDS:
            # Whoever was held up this long may not be the only one to publish any more.
            raise Undelivered(f"{lease.site}: the lease is about to end; its alerts are tried again later")

    def _marked(self, lease: Lease, sent_seq: int, stage: int) -> Lease:
        marked = self._outbox.mark(lease, sent_seq, stage)
        if marked is None:
            raise Undelivered(f"{lease.site}: the lease ended while an alert was published")
        return marked

    def _release(self, lease: Lease) -> None:
        """Give the lease back; where that fails it ends by itself, and what was published stays published."""
        try:
            self._outbox.release(lease)
        except (ClientError, BotoCoreError) as error:
            log.warning("the lease of %s is not given back: %s", lease.site, error)


def _is_lasting(error: Exception) -> bool:
    """Return whether it takes a person to heal a channel: it is gone, or we may not use it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return isinstance(error, Refused) or any(word in code for word in LASTING)


def _age(row: Item) -> float:
    """Return for how many seconds an alert has waited; 0 where its time was spoilt by hand, or is still to come."""
    try:
        return max(time.time() - datetime.fromisoformat(row["created_at"]).timestamp(), 0.0)
    except ValueError:
        return 0.0
