"""Answers of registries and authorities, kept for all sites under one partition of the Results table.

A cache is a convenience: a table that is throttled or away costs a look-up, never a run.
"""

import asyncio
import logging
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
_LONGEST_KEY = 1024

log = logging.getLogger(__name__)


class Cache:
    """A padlock.probes.cache.Cache that all runs share."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    async def get(self, key: str, now: datetime) -> bytes | None:
        """Return what was kept under a key and has not expired at `now`; the table removes expired items late."""
        if not _is_usable(key):
            return None
        try:
            found = await asyncio.to_thread(self._read, key)
        except (ClientError, BotoCoreError) as error:
            log.warning("the cache could not be read for %a: %s", key[:100], error)
            return None
        return bytes(found["value"]) if found and found["ttl"] > now.timestamp() else None

    async def put(self, key: str, value: bytes, expires: datetime) -> None:
        """Keep a value until it expires; what is too large for an item is not kept."""
        if len(value) > MAX_VALUE or not _is_usable(key):
            log.warning("not kept in the cache: %d octets for %a", len(value), key[:100])
            return
        item = {"site": PARTITION, "sk": key, "value": value, "ttl": int(expires.timestamp())}
        try:
            await asyncio.to_thread(self._client.put_item, TableName=self._table, Item=marshal(item))
        except (ClientError, BotoCoreError) as error:
            log.warning("the cache could not be written for %a: %s", key[:100], error)

    def _read(self, key: str) -> dict[str, Any] | None:
        found = self._client.get_item(TableName=self._table, Key=marshal({"site": PARTITION, "sk": key}))
        return unmarshal(found["Item"]) if "Item" in found else None


def _is_usable(key: str) -> bool:
    """Return whether DynamoDB takes a key: one with a lone surrogate would be another than it is."""
    try:
        return 0 < len(key.encode()) <= _LONGEST_KEY
    except UnicodeEncodeError:
        return False
