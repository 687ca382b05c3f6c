"""Answers of registries and authorities, kept for all sites under one partition of the Results table.

A cache is a convenience: a table that is throttled or away costs a look-up, never a run. What a function has read
lately it also holds in its memory, as long as it is warm.
"""

import asyncio
import logging
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from padlock.storage._items import marshal
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "#cache"
"""No host is named like this."""
MAX_VALUE = 350_000
"""Octets of one value; DynamoDB's limit is 400 KB for a whole item."""
HELD_SECONDS = 3600
"""For which a value is held in memory; another function may have put a newer one into the table meanwhile."""
HELD_VALUES, HELD_OCTETS = 4096, 16_000_000
"""Values that are held, and their octets with those of their keys; the one longest unused goes first."""
_LONGEST_KEY = 1024

log = logging.getLogger(__name__)


class Cache:
    """A padlock.probes.cache.Cache that all runs share."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table
        self._held = _Held()
        self._puts = 0

    async def get(self, key: str, now: datetime) -> bytes | None:
        """Return what was kept under a key and has not expired at `now`; the table removes expired items late."""
        if not _is_usable(key):
            return None
        if (held := self._held.get(key, now.timestamp())) is not None:
            return held
        puts = self._puts
        try:
            found = await asyncio.to_thread(self._read, key)
        except (ClientError, BotoCoreError) as error:
            log.warning("the cache could not be read for %a: %s", key[:100], error)
            return None
        if not found or found["ttl"] <= now.timestamp():
            return None
        value = bytes(found["value"])
        if puts == self._puts:  # else it may be what stood there before
            self._held.put(key, value, now.timestamp(), found["ttl"])
        return value

    async def put(self, key: str, value: bytes, expires: datetime) -> None:
        """Keep a value until it expires; what is too large for an item is not kept."""
        if len(value) > MAX_VALUE or not _is_usable(key):
            log.warning("not kept in the cache: %d octets for %a", len(value), key[:100])
            return
        self._held.drop(key)
        self._puts += 1
        item = {"site": PARTITION, "sk": key, "value": value, "ttl": int(expires.timestamp())}
        try:
            await asyncio.to_thread(self._client.put_item, TableName=self._table, Item=marshal(item))
        except (ClientError, BotoCoreError) as error:
            log.warning("the cache could not be written for %a: %s", key[:100], error)

    def _read(self, key: str) -> dict[str, Any] | None:
        found = self._client.get_item(TableName=self._table, Key=marshal({"site": PARTITION, "sk": key}))
        return unmarshal(found["Item"]) if "Item" in found else None


class _Held:
    """What one function holds in memory; times in epoch seconds."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        """Key → value, and until when it holds; the one longest unused first."""
        self._octets = 0

    def get(self, key: str, now: float) -> bytes | None:
        value, ends = self._values.get(key, (None, 0.0))
        if value is None or ends <= now:
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: str, value: bytes, now: float, expires: float) -> None:
        self.drop(key)
        self._values[key] = value, min(expires, now + HELD_SECONDS)
        self._octets += _size(key, value)
        while len(self._values) > HELD_VALUES or self._octets > HELD_OCTETS:
            self.drop(next(iter(self._values)))

    def drop(self, key: str) -> None:
        if key in self._values:
            value, _ = self._values.pop(key)
            self._octets -= _size(key, value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value)


def _is_usable(key: str) -> bool:
    """Return whether DynamoDB takes a key: one with a lone surrogate would be another than it is."""
    try:
        return 0 < len(key.encode()) <= _LONGEST_KEY
    except UnicodeEncodeError:
        return False
